"""zipline-reloaded under a strategy that is told its side after each bar; it trades minutes from a bundle on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

os.environ.setdefault("ZIPLINE_ROOT", tempfile.mkdtemp(prefix="zipline-"))

import pandas as pd  # after the line above, for zipline reads its directory when it is imported
from zipline import run_algorithm
from zipline.api import order, set_commission, set_slippage, symbol
from zipline.data.bundles import ingest, register
from zipline.finance.commission import PerTrade
from zipline.finance.slippage import SlippageModel

BUNDLE = "peer"


class NextOpen(SlippageModel):  # type: ignore[misc]  # without types
    """Everything fills whole, at the open of the next minute."""

    def process_order(self, data: Any, asked: Any) -> tuple[float, int]:
        return data.current(asked.asset, "open"), asked.open_amount


def runner(
    frame: Any, side: Callable[[float], int], *, cash: float, fee: float, shares: int
) -> Callable[[], tuple[int, int, int, float, int]]:
    """Orders, fills, buys, cash and shares held at the end."""
    sessions = _ingested(frame)
    counts = {"sent": 0, "buys": 0, "filled": 0}

    def initialize(context: Any) -> None:
        context.stock = symbol("S000")
        set_commission(PerTrade(fee))
        set_slippage(NextOpen())

    def handle_data(context: Any, data: Any) -> None:
        if not data.current(context.stock, "volume"):
            return  # before the first and after the last bar
        way = side(data.current(context.stock, "close"))
        if way:
            counts["sent"] += 1
            counts["buys"] += way > 0
            order(context.stock, way * shares)

    def run() -> tuple[int, int, int, float, int]:
        done = run_algorithm(
            start=sessions[0], end=sessions[-1], initialize=initialize, handle_data=handle_data, capital_base=cash,
            data_frequency="minute", bundle=BUNDLE, benchmark_returns=pd.Series(0.0, index=sessions),
        )  # fmt: skip
        counts["filled"] = sum(len(day) for day in done["transactions"])
        held = sum(int(position["amount"]) for position in done["positions"].iloc[-1])
        return counts["sent"], counts["filled"], counts["buys"], float(done["ending_cash"].iloc[-1]), held

    return run


def _ingested(frame: Any) -> Any:
    """Put the bars where zipline reads them; their sessions."""
    local = frame.tz_localize("UTC")
    days = pd.DatetimeIndex(sorted({pd.Timestamp(stamp.date()) for stamp in local.index}))

    def made(_: Any, assets: Any, minutes: Any, __: Any, adjustments: Any, *___: Any) -> None:
        one = {"symbol": "S000", "asset_name": "S000", "start_date": days[0], "end_date": days[-1], "exchange": "NYSE"}
        one["auto_close_date"] = days[-1] + pd.Timedelta(days=30)
        assets.write(
            equities=pd.DataFrame([one]),
            exchanges=pd.DataFrame([{"exchange": "NYSE", "canonical_name": "NYSE", "country_code": "US"}]),
        )
        minutes.write([(0, local[["open", "high", "low", "close", "volume"]])], show_progress=False)
        adjustments.write()

    register(BUNDLE, made, calendar_name="XNYS", start_session=days[0], end_session=days[-1])
    ingest(BUNDLE)
    return days
