"""vectorbt, which is told all orders of a workload at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from tests.support.bare_loops import SHARES, Told
from tools.peers.work import CASH, FEE, Done, Given, Pair, Run


def prepare(given: Given) -> Run:
    """A column for each symbol, which share one account, or for each pair of W7, which has one each."""
    closes = pd.DataFrame(given.closes)
    price = pd.concat([closes] * len(given.pairs), axis=1, ignore_index=True)

    def run() -> Told:
        size = _turns(len(closes)) if given.workload == "W3" else _crosses(closes, given.pairs)
        shares = size * float(SHARES)
        done = vbt.Portfolio.from_orders(
            price, np.where(size == 0, np.nan, shares), price=price, fixed_fees=FEE, init_cash=CASH,
            cash_sharing=given.workload == "W2", group_by=given.workload == "W2",
        )  # fmt: skip
        filled, worth = int(np.sum(done.orders.count())), float(np.sum(done.final_value()))
        return given.told(Done(int((size != 0).sum()), filled, int((size > 0).sum()), worth))

    return run


def _turns(bars: int) -> Any:
    """W3: 1 to buy, -1 to sell, 0 for nothing, [bars, 1]."""
    sides = np.where(np.arange(bars) % 2, -1, 1)
    sides[-1] = 0
    return sides[:, None]


def _crosses(closes: pd.DataFrame, pairs: list[Pair]) -> Any:
    """1 where a fast mean rises above the slow one, -1 where it falls below, [bars, symbols or pairs]."""
    moved = closes - closes.iloc[0]  # equal means are equal to the last bit
    spans = {span for pair in pairs for span in pair}
    means = {span: moved.ewm(span=span, adjust=False).mean().to_numpy() for span in spans}
    held = np.hstack([means[fast] > means[slow] for fast, slow in pairs])
    held[-1] = held[-2]  # nobody would fill an order after the last bar
    return np.diff(held.astype(int), axis=0, prepend=0)


KNOWS = dict.fromkeys(("W1", "W2", "W3", "W7"), prepare)
