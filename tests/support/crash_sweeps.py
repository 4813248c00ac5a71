"""Stretches of a day in which the process is killed at every single step."""

from __future__ import annotations

from quant_trading_system.simulation.storm.plan import CALM, DayPlan


def _day(*kinds: str) -> DayPlan:
    return DayPlan(seed=13, kinds=kinds, minutes=CALM + 6)


SWEEPS = {
    "trading": _day(),
    "replace": _day("ops.replace"),
    "halt, cancels and reset": _day("ops.halt"),
    "stop, snapshot and start": _day("process.stop"),
    "corrections": _day("fill.bust", "fill.correct"),
    "entries beside trades": _day("account.dividend", "account.transfer"),
}
"""By what happens besides buying and selling."""
