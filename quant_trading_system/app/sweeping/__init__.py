"""Sweeps: many backtests of one strategy, on local processes or on a cluster, resumed where they were killed."""
