"""Random costs for backtests that two simulations are to agree about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random

from tests.support.random_plans import SESSIONS
from tests.support.reference_costs import Charge, Costs, Row


def random_costs(chance: Random, *, parts: bool = False) -> Costs:
    """Spread, slippage and fees, each there or not; orders and reports take no time, a moment, or long.

    Args:
        parts: a share of the volume, at most, is ours.
    """
    is_plain = chance.random() < 0.6

    def one_of(*numbers: str) -> Fraction:
        return Fraction(0 if is_plain else chance.choice(numbers))

    return Costs(
        spread_bps=Fraction(chance.choice(("0", "0", "4", "7.3", "13", "25"))),
        slippage_bps=Fraction(chance.choice(("0", "0", "0.5", "3"))),
        slippage_spread=one_of("0", "0.1", "0.5"),
        impact_bps=one_of("0", "30", "200"),
        order_takes=chance.choice((0, 40_000, 1_000_000, 20_000_000, 61_000_000)),
        report_takes=chance.choice((0, 15_000, 5_000_000, 20_000_000)),
        participation=Fraction(chance.choice(("0.01", "0.05", "0.5"))) if parts else None,
        through=not is_plain and chance.random() < 0.3,
        sec=_charge(chance, "0.0000333", "0.0000051", cap="0.5"),
        taf=() if is_plain else _charge(chance, "0.000166", "0.0037", cap="0.07"),
        cat=_charge(chance, "0.005", "0.000053", cap="0.06"),
    )


def _charge(chance: Random, *rates: str, cap: str) -> Charge:
    """Nothing, one rate for ever, or several within the year."""
    kind = chance.random()
    if kind < 0.4:
        return ()
    if kind < 0.7:
        return (Row(date(2000, 1, 1), Fraction(rates[0])),)
    days = sorted(chance.sample([one.date for one in SESSIONS], 4))
    return tuple(
        Row(day, Fraction(chance.choice(("0", *rates))), Fraction(cap) if chance.random() < 0.5 else None)
        for day in days
    )


def of_a_market_that_answers(chance: Random, costs: Costs) -> Costs:
    """The same with queues, with spreads that are wide in the morning, and with another volume of the day."""
    one_of = chance.choice
    return replace(
        costs,
        queue=chance.random() < 0.7,
        at_open=Fraction(one_of(("1", "2", "3.7"))),
        half_life=one_of((60, 300, 900, 3600)) * 10**6,
        curve=(Fraction(one_of(("1", "3", "4.5"))), Fraction(one_of(("1", "3", "0.5")))),
    )
