"""The same backtests here and in nautilus_trader 1 and 2, zipline, backtrader, backtesting.py and vectorbt.

    make bench-peers ARGS=backtests
    QTS_PEER_BARS=1000000 make bench-peers ARGS=backtests    with as many bars as you like

W1 is an EMA cross with fees on minute bars of one symbol, W3 a market order on every bar, W5 as many quotes to a
strategy that does nothing, for those who know quotes. Everybody trades the same
prices, which open where they closed, so that a fill at the next open is one at the close. Here buys pay one cent more,
the narrowest spread there is; the others know no spread, and their equity is charged with that cent. Then orders, fills
and equity are those of a bare loop, to the cent; whoever differs is told. Seconds are those of the processor, without
imports, each in a process of its own.

None of the others keeps a journal that could be verified, or asks more than a few questions about an order.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.quotes import Quote, QuoteBoard
from tests.support import bare_loops
from tests.support.bare_loops import CASH_CENTS, FEE_CENTS, SHARES, TICK_CENTS, Told
from tests.support.road import NOON, account
from tests.support.workloads import PAST, EmaCross, EmaCrossVector, EveryBar, cents, prices, quote_pairs, told, traded

BARS = int(os.environ.get("QTS_PEER_BARS", "10000"))
FAST, SLOW = 10, 20
RESULTS = Path("build/peers/backtests.json")
"""What `tools/write_performance.py` makes a table of."""
CASH, FEE = CASH_CENTS / 100, FEE_CENTS / 100


class Market(NamedTuple):
    """What everybody trades: minute bars, their closes, and the side of the order after each bar (0 for none)."""

    history: PriceHistory
    closes: np.ndarray[Any, np.dtype[np.float64]]
    sides: list[int]

    def frame(self) -> Any:
        """Open, high, low, close and volume as a data frame of pandas, for those who want one."""
        import pandas as pd

        table = self.history
        micros = (table.open_micros, table.high_micros, table.low_micros, table.close_micros)
        columns = [array[PAST:, 0] / 1e6 for array in micros if array is not None]
        frame = pd.DataFrame(np.column_stack(columns), columns=["Open", "High", "Low", "Close"])
        frame["Volume"] = 50_000.0
        return frame.set_index(pd.DatetimeIndex(table.times[PAST:].astype("datetime64[ns]")))


def market(workload: str) -> Market:
    history = prices(BARS, seed=1)
    closes = np.array(cents(history))[:, 0] / 100
    return Market(history, closes, ema_sides(closes) if workload == "W1" else turns(len(closes)))


def ema_sides(closes: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """Known beforehand only to those who are told orders instead of a strategy (vectorbt)."""
    fast = slow = float(closes[0])
    held, sides = False, [0]
    for close in closes[1:-1].tolist():
        fast += 2 / (FAST + 1) * (close - fast)
        slow += 2 / (SLOW + 1) * (close - slow)
        rising = fast > slow
        sides.append(0 if rising == held else 1 if rising else -1)
        held = rising
    return [*sides, 0]


def turns(bars: int) -> list[int]:
    return [1 if number % 2 == 0 else -1 for number in range(bars - 1)] + [0]


class Ema:
    """The signal as every event-driven strategy computes it, bar after bar."""

    def __init__(self, bars: int, workload: str) -> None:
        self.fast = self.slow = 0.0
        self.held, self.number, self.last, self.turning = False, -1, bars - 1, workload == "W3"

    def side(self, close: float) -> int:
        """1 to buy, -1 to sell, 0 for nothing."""
        self.number += 1
        if self.number == self.last:
            return 0
        if self.turning:
            return 1 if self.number % 2 == 0 else -1
        if self.number == 0:
            self.fast = self.slow = close
            return 0
        self.fast += 2 / (FAST + 1) * (close - self.fast)
        self.slow += 2 / (SLOW + 1) * (close - self.slow)
        rising, before = self.fast > self.slow, self.held
        self.held = rising
        return 0 if rising == before else 1 if rising else -1


def charged(orders: int, fills: int, buys: int, equity: float) -> Told:
    """What a peer came to, with the cent that buys pay here."""
    return Told(orders, fills, round(equity * 100) - buys * SHARES * TICK_CENTS)


def ours(workload: str, given: Market) -> Callable[[], Told]:
    return lambda: told(traded(EmaCross(FAST, SLOW) if workload == "W1" else EveryBar(BARS), given.history))


def bare(workload: str, given: Market) -> Callable[[], Told]:
    rows = cents(given.history)
    return lambda: bare_loops.crosses(rows, FAST, SLOW) if workload == "W1" else bare_loops.every_bar(rows)


def backtrader(workload: str, given: Market) -> Callable[[], Told]:
    import backtrader as bt

    frame = given.frame()

    class Trader(bt.Strategy):  # type: ignore[misc]  # without types
        def __init__(self) -> None:
            self.signal, self.sent, self.filled, self.buys = Ema(BARS, workload), 0, 0, 0

        def next(self) -> None:
            side = self.signal.side(self.data.close[0])
            if side:
                self.sent += 1
                self.buys += side > 0
                (self.buy if side > 0 else self.sell)(size=SHARES)

        def notify_order(self, order: Any) -> None:
            self.filled += order.status == order.Completed

    def run() -> Told:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Trader)
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(FEE / SHARES, commtype=bt.CommInfoBase.COMM_FIXED, stocklike=True)
        done = cerebro.run()[0]
        return charged(done.sent, done.filled, done.buys, cerebro.broker.getvalue())

    return run


def backtesting(workload: str, given: Market) -> Callable[[], Told]:
    import pandas as pd
    from backtesting import Backtest, Strategy

    frame = given.frame()
    before = frame.iloc[:1].set_index(frame.index[:1] - pd.Timedelta(minutes=1))
    frame = pd.concat([before, frame])  # it asks from the second bar on
    counts = {"orders": 0, "buys": 0}

    class Trader(Strategy):  # type: ignore[misc]  # without types
        def init(self) -> None:
            self.signal = Ema(BARS, workload)

        def next(self) -> None:
            side = self.signal.side(float(self.data.Close[-1]))
            if side:
                counts["orders"] += 1
                counts["buys"] += side > 0
                (self.buy if side > 0 else self.sell)(size=SHARES)

    def run() -> Told:
        test = Backtest(frame, Trader, cash=CASH, commission=lambda size, _: FEE * abs(size) / SHARES)
        stats = test.run()
        fills = int((stats["_trades"].shape[0]) * 2 + len(stats["_strategy"].trades))
        return charged(counts["orders"], fills, counts["buys"], float(stats["Equity Final [$]"]))

    return run


def vectorbt(workload: str, given: Market) -> Callable[[], Told]:
    import pandas as pd
    import vectorbt as vbt

    close = pd.Series(given.closes)
    assert workload in ("W1", "W3")

    def run() -> Told:
        if workload == "W1":
            means = [close.ewm(span=span, adjust=False).mean().to_numpy() for span in (FAST, SLOW)]
            held = means[0] > means[1]
            held[-1] = held[-2]
            size = np.diff(held.astype(int), prepend=0) * float(SHARES)
        else:
            size = np.array(given.sides) * float(SHARES)
        done = vbt.Portfolio.from_orders(
            close, np.where(size == 0, np.nan, size), price=close, fixed_fees=FEE, init_cash=CASH
        )
        fills = int(done.orders.count())
        return charged(int((size != 0).sum()), fills, int((size > 0).sum()), float(done.value().iloc[-1]))

    run()  # numba compiles what it needs on the first call
    return run


def nautilus(workload: str, given: Market) -> Callable[[], Told]:
    from tools.peers.nautilus import runner

    return _told_sides(runner, workload, given)


def nautilus2(workload: str, given: Market) -> Callable[[], Told]:
    from tools.peers.nautilus2 import runner

    return _told_sides(runner, workload, given)


def zipline(workload: str, given: Market) -> Callable[[], Told]:
    from tools.peers.zipline_minutes import runner

    return _told_sides(runner, workload, given)


def _told_sides(runner: Callable[..., Callable[[], Any]], workload: str, given: Market) -> Callable[[], Told]:
    """Whoever takes a frame and a function that says which side each bar is."""
    frame = given.frame()
    signal = Ema(BARS, workload)
    run = runner(frame.rename(columns=str.lower), signal.side, cash=CASH, fee=FEE, shares=SHARES)

    def charged_run() -> Told:
        orders, fills, buys, cash, position = run()
        return charged(orders, fills, buys, cash + position * float(given.closes[-1]))

    return charged_run


def ours_vector(workload: str, given: Market) -> Callable[[], Told]:
    """W1 by a strategy that is asked once for all bars."""
    assert workload == "W1"
    return lambda: told(traded(EmaCrossVector(FAST, SLOW), given.history))


def heard(quotes: int) -> Told:
    """Quotes in the place of fills; the cash has not changed."""
    return Told(0, quotes, CASH_CENTS)


def our_quotes(_: str, __: Market) -> Callable[[], Told]:
    system, _venue = account()
    board = system.ports.quotes
    assert isinstance(board, QuoteBoard)
    exact = [(Decimal(str(bid)), Decimal(str(ask))) for bid, ask in quote_pairs(BARS)]

    async def feed() -> int:
        for bid, ask in exact:
            board.publish(Quote("S0000", bid, ask, NOON, NOON, bid, source="bench"))
            await system.engine.on_step()
        return len(exact)

    return lambda: heard(asyncio.run(feed()))


def bare_quotes(_: str, __: Market) -> Callable[[], Told]:
    pairs = quote_pairs(BARS)
    return lambda: heard(bare_loops.quotes(pairs))


def nautilus_quotes(_: str, __: Market) -> Callable[[], Told]:
    from tools.peers.nautilus import listener

    run = listener(quote_pairs(BARS), cash=CASH)
    return lambda: heard(run())


def nautilus2_quotes(_: str, __: Market) -> Callable[[], Told]:
    from tools.peers.nautilus2 import listener

    run = listener(quote_pairs(BARS), cash=CASH)
    return lambda: heard(run())


PEERS: dict[str, tuple[str, Callable[[str, Market], Callable[[], Told]]]] = {
    "ours": ("quant-trading-system", ours),
    "ours, asked once": ("", ours_vector),
    "bare loop": ("", bare),
    "nautilus_trader 1": ("nautilus_trader", nautilus),
    "nautilus_trader 2": ("nautilus_trader", nautilus2),
    "zipline": ("zipline-reloaded", zipline),
    "backtrader": ("backtrader", backtrader),
    "backtesting.py": ("backtesting", backtesting),
    "vectorbt, warm": ("vectorbt", vectorbt),
}
QUOTED: dict[str, tuple[str, Callable[[str, Market], Callable[[], Told]]]] = {
    "ours": ("quant-trading-system", our_quotes),
    "bare loop": ("", bare_quotes),
    "nautilus_trader 1": ("nautilus_trader", nautilus_quotes),
    "nautilus_trader 2": ("nautilus_trader", nautilus2_quotes),
}
WORKLOADS = {"W1": PEERS, "W3": {name: peer for name, peer in PEERS.items() if "asked once" not in name}, "W5": QUOTED}
APART = {"nautilus_trader 2": "nautilus2", "zipline": "zipline"}
"""Those that cannot live with the others, and their environments in build/peers, which `run.sh` makes."""


def measure(name: str, workload: str) -> None:
    """In a process of its own: print what came out, the seconds of the processor, and the version."""
    library, prepare = WORKLOADS[workload][name]
    run = prepare(workload, market(workload))
    began = time.process_time()
    found = run()
    print(json.dumps([*found, time.process_time() - began, installed(library)]))


def main() -> int:
    print(f"{BARS:,} bars; seconds of the processor")
    rows: list[dict[str, Any]] = []
    print(f"{'':>4} {'':<26} {'orders':>8} {'fills':>8} {'equity':>15} {'seconds':>9} {'to ours':>9}")
    wrong = 0
    for workload, peers in WORKLOADS.items():
        expected = peers["bare loop"][1](workload, market(workload))()
        own = 0.0
        for name in peers:
            python = interpreter(name)
            if python is None:
                print(f"{workload:>4} {name:<26} left out: there is no Python for it here")
                continue
            command = [python, "-W", "ignore", __file__, name, workload]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                wrong += 1
                print(f"{workload:>4} {name:<26} failed: {answer.stderr.strip().splitlines()[-1]}")
                continue
            *numbers, seconds, number = json.loads(answer.stdout.splitlines()[-1])
            label = f"{name.rstrip(' 12') if number else name} {number}".strip()
            found = Told(*numbers)
            own = own or seconds
            told_wrong = "" if found == expected else f"  differs from the bare loop: {expected}"
            wrong += found != expected
            rows.append({"workload": workload, "name": label, "bars": BARS, "seconds": seconds, "ratio": seconds / own})
            print(
                f"{workload:>4} {label:<26} {found.orders:>8,} {found.fills:>8,} {found.equity / 100:>15,.2f} "
                f"{seconds:>9.3f} {seconds / own:>9.2f}{told_wrong}"
            )
    if wrong:
        return 1
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def interpreter(name: str) -> str | None:
    """The Python that a peer lives under; None where its environment could not be made."""
    if name not in APART:
        return sys.executable
    python = Path("build/peers") / APART[name] / "bin" / "python"
    return str(python) if python.exists() else None


def installed(library: str) -> str:
    try:
        return version(library) if library and library != "quant-trading-system" else ""
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], sys.argv[2])
    else:
        sys.exit(main())
