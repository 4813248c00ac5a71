"""Transaction cost analysis of a run, from its journal: each parent, and parents put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.execution.parent_history import ParentHistory, parents_of
from quant_trading_system.execution.tca import (
    Benchmarks,
    ParentResult,
    PricePath,
    Shortfall,
    benchmarks_of,
    costs_against,
    implementation_shortfall,
    mark_outs,
)
from quant_trading_system.execution.tca_groups import GroupBy, GroupCosts, costs_by, costs_of_all
from quant_trading_system.execution.tca_prices import market_prices
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.market.history import PriceHistory


class ParentCosts(msgspec.Struct, frozen=True, kw_only=True):
    """One parent order and what it cost.

    Attributes:
        filled: of `quantity`, shares; `average`: dollars a share, None without a fill.
        shortfall: against trading all of it at the decision price, None while no price is known.
        against: basis points by which the average fill was worse than each benchmark.
        mark_outs: seconds after the fills to basis points by which the price went our way since.
        ended: it is over; the costs of one that is not are those so far.
    """

    parent_id: str
    symbol: str
    side: str
    algorithm: str
    strategy: str
    status: str
    started_at: datetime
    ended_at: datetime
    ended: bool
    quantity: Decimal
    filled: Decimal
    children: int
    average: Decimal | None
    arrival: Decimal | None
    expected_bps: Decimal | None
    shortfall: Shortfall | None
    against: dict[str, Decimal | None]
    mark_outs: dict[str, Decimal | None]


class TcaReport(msgspec.Struct, frozen=True, kw_only=True):
    """All parents of a journal.

    Attributes:
        total: all that have ended together, None when there is none; `by_algorithm` and so on: in groups.
    """

    parents: tuple[ParentCosts, ...]
    total: GroupCosts | None
    by_algorithm: tuple[GroupCosts, ...]
    by_symbol: tuple[GroupCosts, ...]
    by_strategy: tuple[GroupCosts, ...]


def tca_report(journal: JournalSource, prices: PriceHistory | None = None) -> TcaReport:
    """Read the parents of `journal` and add up what they cost.

    Args:
        prices: bars of the days on which they worked; from them come the benchmarks open, close and market VWAP.

    Raises:
        JournalDamaged: an entry cannot be read.
    """
    return report_of(parents_of(journal), prices)


def report_of(found: Sequence[ParentHistory], prices: PriceHistory | None = None) -> TcaReport:
    """What these parents cost, each and put together; `prices` as for `tca_report`."""
    results = [result for parent in found if parent.last.ended and (result := parent.result()) is not None]
    return TcaReport(
        parents=tuple(_costs(parent, prices) for parent in found),
        total=costs_of_all(results),
        by_algorithm=tuple(costs_by(results, GroupBy.ALGORITHM)),
        by_symbol=tuple(costs_by(results, GroupBy.SYMBOL)),
        by_strategy=tuple(costs_by(results, GroupBy.STRATEGY)),
    )


def _costs(parent: ParentHistory, prices: PriceHistory | None) -> ParentCosts:
    first, last, result, path = parent.first, parent.last, parent.result(), parent.path
    return ParentCosts(
        parent_id=first.parent_id,
        symbol=first.symbol,
        side=first.side.value,
        algorithm=first.algorithm,
        strategy=first.strategy,
        status=last.status,
        started_at=first.at,
        ended_at=last.at,
        ended=last.ended,
        quantity=last.quantity,
        filled=last.filled if result is None else result.filled,
        children=len(parent.children),
        average=None if result is None else result.average_price,
        arrival=None if result is None else result.arrival_price,
        expected_bps=None if parent.plan is None else parent.plan.expected_slippage_bps,
        shortfall=None if result is None else implementation_shortfall(result),
        against={} if result is None else costs_against(result, _benchmarks(result, path, prices)),
        mark_outs={}
        if result is None or path is None
        else {f"{span.total_seconds():g}": bps for span, bps in mark_outs(result, path).items()},
    )


def known_benchmarks(parents: Sequence[ParentCosts]) -> tuple[str, ...]:
    """The benchmarks that are known for at least one of `parents`, in the order of `Benchmarks`."""
    names = Benchmarks.__struct_fields__
    return tuple(name for name in names if any(parent.against.get(name) is not None for parent in parents))


def _benchmarks(result: ParentResult, path: PricePath | None, prices: PriceHistory | None) -> Benchmarks:
    if prices is None:
        return benchmarks_of(result, path=path)
    market = market_prices(prices, result.symbol, result.started_at, result.ended_at)
    return benchmarks_of(result, path=path, market_vwap=market.vwap, day_open=market.open, day_close=market.close)
