"""Stormy days: a venue, a network, a disk and people that misbehave on purpose, on time that costs nothing."""
