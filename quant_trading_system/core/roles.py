"""How much somebody may do with a running account."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a principal may do; each includes the ones before it."""

    VIEWER = "viewer"  # looks
    TRADER = "trader"  # halts, cancels, sends orders through the gate
    RISK = "risk"  # changes limits, resumes, flattens, arms strategies
    ADMIN = "admin"

    def includes(self, needed: Role) -> bool:
        """May somebody of this role do what takes `needed`?"""
        order = list(Role)
        return order.index(self) >= order.index(needed)
