"""Limits, the gate, the kill switch, sizing and risk numbers."""
