"""Alerts: what is worth telling a person, who is told, and what became of it."""
