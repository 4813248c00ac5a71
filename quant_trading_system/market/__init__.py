"""Prices: history, quotes, sessions and feeds."""
