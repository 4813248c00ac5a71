"""Stretches of a day in which the process is killed at every single step."""

from __future__ import annotations

from quant_trading_system.simulation.storm.plan import CALM, DayPlan


def _day(*kinds: str, seed: int = 13) -> DayPlan:
    return DayPlan(seed=seed, kinds=kinds, minutes=CALM + 6)


SWEEPS = {
    "trading": _day(),
    "replace": _day("ops.replace"),
    "halt, cancels and reset": _day("ops.halt"),
    "stop, snapshot and start": _day("process.stop"),
    "corrections": _day("fill.bust", "fill.correct"),
    "brackets": _day("ops.bracket"),
    "slices of an algorithm": _day("ops.parent"),
    "commands at the door": _day("ops.door"),
    "another limits file": _day("ops.limits"),
    "a split": _day("account.split", seed=1),
    "entries beside trades": _day("account.dividend", "account.transfer"),
}
"""By what happens besides buying and selling."""
