"""From target weights to a list of trades: what would be sold and bought, what it costs, and what is left alone.

Pure functions. Nothing is sent: the same rules decide when `OrderPath` pursues the weights, and the gate judges every
order of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError, MarketDataError
from quant_trading_system.core.numbers import BASIS_POINT, ONE, ZERO, floor_to_lot
from quant_trading_system.trading.planning import ExecutionPolicy, is_left_alone

_FINE = Decimal("1E-12")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of the book.

    Attributes:
        bid, ask: dollars a share.
        held: signed shares; open: signed shares of orders that may still fill, counted as if they had.
        lot: shares.
    """

    symbol: str
    bid: Decimal
    ask: Decimal
    held: Decimal = ZERO
    open: Decimal = ZERO
    lot: Decimal = ONE

    @property
    def mid(self) -> Decimal:
        """Dollars a share."""
        return (self.bid + self.ask) / 2

    @property
    def expected(self) -> Decimal:
        """Signed shares once the open orders have filled."""
        return self.held + self.open


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen with one symbol.

    Attributes:
        change: signed shares to trade; zero for what is left alone.
        after: signed shares held afterwards.
        price: dollars a share, the far side of the quote; cost: dollars, half the spread and fees.
        before_weight, after_weight: signed fractions of equity.
        why: what was decided, in words.
    """

    symbol: str
    change: Decimal
    after: Decimal
    price: Decimal
    cost: Decimal
    before_weight: Decimal
    after_weight: Decimal
    why: str


class RebalancePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole: sells first, then buys, then what is left alone.

    Attributes:
        cash_before, cash_after: dollars, open orders and costs of the plan counted.
        turnover: traded dollars, both sides, over equity; cost: dollars.
        notes: what bound the plan as a whole.
    """

    trades: tuple[Trade, ...]
    cash_before: Decimal
    cash_after: Decimal
    turnover: Decimal
    cost: Decimal
    notes: tuple[str, ...] = ()


def whole_lots(values: Mapping[str, Decimal], lines: Mapping[str, Line]) -> dict[str, Decimal]:
    """Signed shares worth about `values` dollars each, and together as near as lots allow to their sum, never above.

    Each is rounded down; what that leaves over buys one lot more for those whose rounding lost the largest part of a
    lot, as long as the money lasts. So none is further than one lot from its value.

    Args:
        values: dollars, signed, by symbol.

    Raises:
        MarketDataError: a price is not above zero.
    """
    for line in lines.values():
        if line.bid <= 0 or line.ask < line.bid:
            raise MarketDataError(f"{line.symbol}: a quote of {line.bid} to {line.ask} values nothing")
    shares = {s: floor_to_lot(value / lines[s].mid, lines[s].lot) for s, value in values.items()}
    lost = {s: abs(value) - abs(shares[s]) * lines[s].mid for s, value in values.items()}
    left = sum(lost.values(), ZERO)
    price = {s: lines[s].lot * lines[s].mid for s in values}
    for s in sorted(values, key=lambda s: (-lost[s] / price[s], s)):
        if lost[s] and price[s] <= left:
            shares[s] += lines[s].lot.copy_sign(values[s])
            left -= price[s]
    return shares


def plan_rebalance(
    weights: Mapping[str, Decimal],
    book: Iterable[Line],
    *,
    equity: Decimal,
    cash: Decimal,
    policy: ExecutionPolicy | None = None,
    cash_kept: Decimal = ZERO,
    fee_bps: Decimal = ZERO,
    keep_sum: bool = False,
) -> RebalancePlan:
    """Plan the trades from what is held to `weights`.

    What is in the book and not in `weights` is sold. Buys never need more cash than there is once the sells are
    done, less what is to be kept; when they would, all of them are cut in proportion.

    Args:
        weights: signed fractions of equity by symbol.
        book: a line for every symbol of `weights` and of the positions.
        equity, cash: dollars.
        policy: its `min_trade_pct` and `drift_band` say what is left alone.
        cash_kept: fraction of equity that stays in cash.
        fee_bps: beside half the spread, basis points of what is traded.
        keep_sum: round so that the sum is kept (see `whole_lots`); otherwise every position is rounded down.

    Raises:
        ConfigurationError: no equity, a share of cash outside 0 to 1, or a weight without a line.
        MarketDataError: a price is not above zero.
    """
    lines = {line.symbol: line for line in book}
    _require(weights, lines, equity, cash_kept)
    policy = policy or ExecutionPolicy()
    notes: list[str] = []
    values = {s: weights.get(s, ZERO) * equity for s in lines}
    longs = sum((value for value in values.values() if value > 0), ZERO)
    most = (ONE - cash_kept) * equity
    if longs > most and cash_kept:
        factor = (most / longs).quantize(_FINE, ROUND_FLOOR)
        values = {s: value * factor if value > 0 else value for s, value in values.items()}
        notes.append(f"long weights were scaled by {factor:.4f}, for {cash_kept:%} of equity stays in cash")
    targets = whole_lots(values, lines)
    if not keep_sum:
        targets = {s: floor_to_lot(value / lines[s].mid, lines[s].lot) for s, value in values.items()}
    changes, words = _changes(targets, lines, equity, policy)
    free = cash - sum((line.open * _far(line, line.open) for line in lines.values()), ZERO)
    _afford(changes, words, lines, free - cash_kept * equity, fee_bps, notes)
    trades = [_trade(lines[s], changes[s], words[s], equity, fee_bps) for s in lines]
    spent = sum((trade.change * trade.price for trade in trades), ZERO)
    fees = sum((abs(trade.change) * trade.price for trade in trades), ZERO) * fee_bps * BASIS_POINT
    return RebalancePlan(
        trades=tuple(sorted(trades, key=_sells_first)),
        cash_before=cash,
        cash_after=free - spent - fees,
        turnover=sum((abs(trade.change) * lines[trade.symbol].mid for trade in trades), ZERO) / equity,
        cost=sum((trade.cost for trade in trades), ZERO),
        notes=tuple(notes),
    )


def _require(weights: Mapping[str, Decimal], lines: Mapping[str, Line], equity: Decimal, cash_kept: Decimal) -> None:
    if equity <= 0:
        raise ConfigurationError(f"an equity of {equity} cannot be divided into weights")
    if not ZERO <= cash_kept < ONE:
        raise ConfigurationError(f"cash kept {cash_kept} must be at least 0 and below 1, a fraction of equity")
    strangers = sorted(set(weights) - set(lines))
    if strangers:
        raise ConfigurationError(f"no price for {', '.join(strangers)}; give each weight a line in the book")


def _changes(
    targets: Mapping[str, Decimal], lines: Mapping[str, Line], equity: Decimal, policy: ExecutionPolicy
) -> tuple[dict[str, Decimal], dict[str, str]]:
    changes, words = {}, {}
    for symbol, line in lines.items():
        target, change = targets[symbol], targets[symbol] - line.expected
        if not change:
            changes[symbol], words[symbol] = ZERO, "there already"
        elif is_left_alone(change, target, line.mid, equity, policy):
            changes[symbol], words[symbol] = ZERO, "left alone: within the drift band or below the smallest trade"
        else:
            changes[symbol] = change
            crosses = bool(line.expected and target) and (line.expected > 0) != (target > 0)
            words[symbol] = "first flat, then the other side" if crosses else "closed" if not target else "to target"
    return changes, words


def _afford(
    changes: dict[str, Decimal],
    words: dict[str, str],
    lines: Mapping[str, Line],
    cash: Decimal,
    fee_bps: Decimal,
    notes: list[str],
) -> None:
    """Cut the buys to the cash that is there once everything was sold."""
    fee = fee_bps * BASIS_POINT
    for line in lines.values():
        if changes[line.symbol] < 0:
            cash -= changes[line.symbol] * line.bid * (ONE - fee)
    buys = [line for line in lines.values() if changes[line.symbol] > 0]
    needed, there = sum((changes[line.symbol] * line.ask * (ONE + fee) for line in buys), ZERO), max(cash, ZERO)
    if needed <= there:
        return
    factor = (there / needed).quantize(_FINE, ROUND_FLOOR)
    for line in buys:
        changes[line.symbol] = floor_to_lot(changes[line.symbol] * factor, line.lot)
        words[line.symbol] = "cut to the cash that there is"
    notes.append(f"buys were cut to {factor:.4f} of what was wanted: {needed:.2f} USD needed, {cash:.2f} USD there")


def _trade(line: Line, change: Decimal, why: str, equity: Decimal, fee_bps: Decimal) -> Trade:
    price, size = _far(line, change), abs(change)
    after = line.expected + change
    return Trade(
        symbol=line.symbol,
        change=change,
        after=after,
        price=price,
        cost=size * (line.ask - line.bid) / 2 + size * price * fee_bps * BASIS_POINT,
        before_weight=line.held * line.mid / equity,
        after_weight=after * line.mid / equity,
        why=why,
    )


def _far(line: Line, change: Decimal) -> Decimal:
    return line.ask if change > 0 else line.bid if change < 0 else line.mid


def _sells_first(trade: Trade) -> tuple[int, str]:
    return (0 if trade.change < 0 else 1 if trade.change > 0 else 2, trade.symbol)


def weights_after(trades: Sequence[Trade]) -> dict[str, Decimal]:
    """Symbol to signed weight after the trades; what is not held is left out."""
    return {trade.symbol: trade.after_weight for trade in trades if trade.after}
