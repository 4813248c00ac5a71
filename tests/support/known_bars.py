"""Bars and steps of the system as the second simulation knows them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np

from quant_trading_system.app import bootstrap
from quant_trading_system.app.backtesting import run_account
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.simulation.realism import VolumeCurve
from quant_trading_system.trading.strategy import Strategy
from tests.support.random_plans import PAST, SESSIONS
from tests.support.reference_prices import Bar, Step, closes_before, volume_of_day, volumes_of

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def bars_of(history: PriceHistory) -> list[Bar]:
    """The same bars as fractions."""
    roles = (history.open_micros, history.high_micros, history.low_micros, history.close_micros)
    known = [role for role in roles if role is not None]
    sessions = {one.date: (since(one.open), since(one.close)) for one in SESSIONS}
    return [
        Bar(
            start=_micros(history.axis.starts[row]),
            end=_micros(history.axis.ends[row]),
            opening=sessions[history.dates[row].item()][0],
            bell=sessions[history.dates[row].item()][1],
            day=history.dates[row].item(),
            prices={
                symbol: tuple(Fraction(role.item(row, column), 10**6) for role in known)
                for column, symbol in enumerate(history.symbols)
                if history.present[row, column]
            },
            volume={
                symbol: history.volume.item(row, column)
                for column, symbol in enumerate(history.symbols)
                if history.volume is not None and history.present[row, column]
            },
        )
        for row in range(len(history))
    ]


def steps_seen(history: PriceHistory, setup: bootstrap.Setup, strategies: Sequence[Strategy]) -> list[Step]:
    """The steps that the market took in a run of daily bars, for how a day goes is made up."""
    account = bootstrap.simulated_account(history, replace(setup, strategies=tuple(strategies)))
    known = bars_of(history)
    bars, steps, before = known[PAST:], [], closes_before(known, PAST)
    asked = setup.realism.volume or VolumeCurve()
    curve = Fraction(asked.at_open), Fraction(asked.at_close)

    def watch(progress: object) -> None:
        step = account.market.step
        assert step is not None
        quotes = {symbol: account.market.quote(symbol) for symbol in history.symbols}
        last = {name: Fraction(one.last) for name, one in quotes.items() if one and one.at == step.at and one.last}
        bar, place = divmod(len(steps), 13)
        begins, ends = place == 0, place == 12
        volume = {
            symbol: volume_of_day(shares, place, curve) for symbol, shares in volumes_of(bars[bar], before).items()
        }
        if ends:
            before.update((symbol, prices[-1]) for symbol, prices in bars[bar].prices.items())
        at, day = since(step.at), bars[bar]
        passed = at - day.opening
        steps.append(Step(at, day.bell, day.day, last, begins, ends, begins, ends, volume, since_open=passed))

    asyncio.run(run_account(account, watch))
    return steps


def since(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def _micros(stamp: np.datetime64) -> int:
    return int(stamp.astype("datetime64[us]").astype(np.int64))
