"""The demonstration over real HTTP and WebSocket: a venue in its own process, and the account of `qts trade`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.backtesting import BacktestResult, result_of
from quant_trading_system.app.bootstrap import ReplayAccount
from quant_trading_system.app.demo import CASH, WARM_UP_BARS, DemoPlan, demo_limits
from quant_trading_system.app.live_parts import LiveSetup
from quant_trading_system.app.venue_process import stepped_venue
from quant_trading_system.app.wire_run import open_run
from quant_trading_system.execution.credentials import TradingMode
from quant_trading_system.journal.keys import KEY_SUFFIX, key_from_seed, load_or_create_key
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.market.bundled import SP500_SOURCE
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.research.backtest import Watcher
from quant_trading_system.trading.live_loop import OnStop

STEPS = 13
"""Prices per session, as many as a backtest has."""

Begin = Callable[[ReplayAccount], Watcher]
"""Is shown the account before it trades; what it answers is called after every step of the market."""


async def demo_over_wire(plan: DemoPlan, directory: Path, begin: Begin) -> BacktestResult:
    """Run the demonstration against `qts venue`.

    Args:
        directory: where journal and kill latch are kept.

    Raises:
        MarketDataError: the venue's process did not start, or ended.
    """
    prices, strategies, (first, last) = plan.prices(), plan.strategies(), plan.days
    day_of_trading, beginning = prices.time_at(WARM_UP_BARS), prices.time_at(0)
    options = ("--source", "sp500", "--symbols", ",".join(prices.symbols), "--from", first.isoformat())
    account = ("--steps", str(STEPS), "--seed", str(plan.seed), "--account", f"demo:PKDEMO:{'0' * 40}:{CASH}")
    async with stepped_venue((*options, *account)) as venue, AsyncExitStack() as stack:
        setup = LiveSetup(
            access=venue.card.access,
            mode=TradingMode.LOCAL,
            directory=directory,
            strategies=strategies,
            universe=sp500_20(),
            limits=demo_limits(),
            lookback=day_of_trading - beginning + timedelta(days=1),
            on_stop=OnStop.LEAVE,
            run=plan.run,
            source=SP500_SOURCE,
            keep_finished=True,
        )
        run = await open_run(setup, venue, stack, lambda _: None, lambda place: _journal(place, plan.seed))
        traded = ReplayAccount(
            run=run.account.name,
            strategies=strategies,
            system=run.account.system,
            clock=run.clock,
            journal=run.journal,
            history=prices,
            first_bar=WARM_UP_BARS,
        )
        return await result_of(traded, run.run(last, begin(traded)), lambda: run.curve)


def _journal(directory: Path, seed: int) -> SqliteJournal:
    """With a key made from the seed, so that the same seed gives the same journal to the last bit."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / JOURNAL_FILE
    key = load_or_create_key(path.with_name(path.name + KEY_SUFFIX), lambda _: key_from_seed(seed))
    return SqliteJournal(path, key, group_commit=True)
