"""Backtests, performance statistics and reports."""
