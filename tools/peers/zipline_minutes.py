"""zipline-reloaded under algorithms that are told what to send after each bar, on minutes from a bundle on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("ZIPLINE_ROOT", tempfile.mkdtemp(prefix="zipline-"))

import pandas as pd  # after the line above, for zipline reads its directory when it is imported
from zipline import run_algorithm
from zipline.api import cancel_order, order, set_commission, set_slippage, symbol
from zipline.data.bundles import ingest, register
from zipline.finance.commission import PerTrade
from zipline.finance.execution import LimitOrder
from zipline.finance.order import ORDER_STATUS
from zipline.finance.slippage import SlippageModel

from tools.peers.work import Done, Limit, Side, rests, trades

BUNDLE = "peer"


class NextOpen(SlippageModel):  # type: ignore[misc]  # without types
    """Everything fills whole, at the open of the next minute."""

    def process_order(self, data: Any, asked: Any) -> tuple[float, int]:
        return data.current(asked.asset, "open"), asked.open_amount


class Market:
    """A bundle of minutes, for one algorithm after the other."""

    def __init__(self, frames: Sequence[Any], cash: float, fee: float) -> None:
        self.cash, self.fee = cash, fee
        self.names = [f"S{number:03d}" for number in range(len(frames))]
        self.sessions = _ingested(self.names, frames)

    def run(self, on_closes: Callable[[dict[Any, float]], None]) -> Any:
        """What zipline tells day by day; `on_closes` hears the closes of each bar."""

        def initialize(context: Any) -> None:
            context.stocks = [symbol(name) for name in self.names]
            set_commission(PerTrade(self.fee))
            set_slippage(NextOpen())

        def handle_data(context: Any, data: Any) -> None:
            if data.current(context.stocks[0], "volume"):  # there is a bar: not before the first or after the last
                on_closes({stock: data.current(stock, "close") for stock in context.stocks})

        return run_algorithm(
            start=self.sessions[0], end=self.sessions[-1], initialize=initialize, handle_data=handle_data,
            capital_base=self.cash, data_frequency="minute", bundle=BUNDLE,
            benchmark_returns=pd.Series(0.0, index=self.sessions),
        )  # fmt: skip

    def held(self, told: Any) -> list[float]:
        """Shares at the end."""
        amounts = {position["sid"].symbol: float(position["amount"]) for position in told["positions"].iloc[-1]}
        return [amounts.get(name, 0.0) for name in self.names]


def _ingested(names: Sequence[str], frames: Sequence[Any]) -> Any:
    """Put the bars where zipline reads them; their sessions."""
    local = [frame.tz_localize("UTC") for frame in frames]
    days = pd.DatetimeIndex(sorted({pd.Timestamp(stamp.date()) for stamp in local[0].index}))

    def made(_: Any, assets: Any, minutes: Any, __: Any, adjustments: Any, *___: Any) -> None:
        common = {"start_date": days[0], "end_date": days[-1], "exchange": "NYSE"}
        common["auto_close_date"] = days[-1] + pd.Timedelta(days=30)
        assets.write(
            equities=pd.DataFrame([{"symbol": name, "asset_name": name, **common} for name in names]),
            exchanges=pd.DataFrame([{"exchange": "NYSE", "canonical_name": "NYSE", "country_code": "US"}]),
        )
        minutes.write(list(enumerate(local)), show_progress=False)
        adjustments.write()

    register(BUNDLE, made, calendar_name="XNYS", start_session=days[0], end_session=days[-1])
    ingest(BUNDLE)
    return days


def trader(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[list[Side]], Done]:
    """Sends market orders."""
    market = Market(frames, cash, fee)

    def trade(sides: list[Side]) -> Done:
        asked = dict(zip(market.names, sides, strict=True))
        sent: list[int] = []

        def on_closes(closes: dict[Any, float]) -> None:
            for stock, close in closes.items():
                side = asked[stock.symbol](close)
                if side:
                    sent.append(side)
                    order(stock, side * shares)

        told = market.run(on_closes)
        filled = sum(len(day) for day in told["transactions"])
        return Done(len(sent), filled, sent.count(1), float(told["ending_cash"].iloc[-1]), market.held(told))

    return trade


def rester(frames: Sequence[Any], *, cash: float, fee: float, shares: int) -> Callable[[Limit], Done]:
    """Leaves limits and cancels them."""
    market = Market(frames, cash, fee)

    def rest(limit: Limit) -> Done:
        sent: list[str] = []

        def on_closes(closes: dict[Any, float]) -> None:
            if sent:
                cancel_order(sent[-1])
            ((stock, close),) = closes.items()
            price = limit(close)
            if price is not None:
                sent.append(order(stock, shares, style=LimitOrder(price)))

        told = market.run(on_closes)
        cancelled = {one["id"] for day in told["orders"] for one in day if one["status"] == ORDER_STATUS.CANCELLED}
        return Done(len(sent), len(cancelled), 0, float(told["ending_cash"].iloc[-1]), market.held(told))

    return rest


KNOWS = {**dict.fromkeys(("W1", "W2", "W3", "W7"), trades(trader)), "W3b": rests(rester)}
