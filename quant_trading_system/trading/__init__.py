"""Strategies, signals, the road of an order and the engine that drives it."""
