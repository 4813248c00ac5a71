"""What fills when the price jumps, and is reported at that moment, is judged at the price of that moment."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from tests.support import random_runs as runs
from tests.support.random_plans import PAST, SESSIONS
from tests.support.reference_costs import Costs
from tests.support.reference_limits import WIDE
from tests.support.reference_losses import Losses
from tests.support.reference_prices import BUY
from tests.support.reference_venue import Want

CASH, SHARES = Fraction(100_000), Fraction(1000)


def test_a_stop_that_buys_at_a_jump_has_lost_nothing():
    """A thousand shares for 52 dollars are worth that, not the 50 dollars of the step before."""
    days = np.array([one.date for one in SESSIONS[: PAST + 4]], "datetime64[D]")
    calendar = TradingCalendar.nyse(SESSIONS[0].date, SESSIONS[-1].date)
    close = np.full((PAST + 4, 1), 50_000_000)
    close[PAST + 2 :] = 52_000_000
    opened, shape = close.copy(), close.shape
    history = PriceHistory(
        ("AAA",), daily_axis(days, calendar), close, np.ones(shape, dtype=bool), opened, close.copy(), close.copy()
    )
    orders = [Want("AAA", BUY, Fraction(1)), Want("AAA", BUY, SHARES, "stop", "gtc", stop=Fraction(51))]
    losses = Losses(of_day=Fraction(1, 100))
    setup = runs.setup_of(history, Costs(), shorts=False, losses=losses, limits=WIDE, cash=CASH)
    result = backtest(runs.Planned({0: orders}), history, setup)
    assert [(one.quantity, str(one.price)) for one in result.record.fills] == [(1, "50.01"), (1000, "52.01")]
    assert not result.record.halts
