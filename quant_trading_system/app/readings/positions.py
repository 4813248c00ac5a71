"""Positions and money as the journal adds them up, valued at the last price that it tells of."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.views import Mark
from quant_trading_system.core.instruments import UNKNOWN_SECTOR, Instrument
from quant_trading_system.core.numbers import LEDGER, ZERO, divide
from quant_trading_system.core.positions import Position

_FRACTION = Decimal("0.000001")
_CENT = Decimal("0.01")


class PositionLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one symbol.

    Attributes:
        quantity: signed shares; `average_price`: dollars a share; `cost`: signed dollars.
        price, price_at: the last price that the journal tells of, None without one; then value is at cost.
        value: signed dollars; `weight`: value as a fraction of equity.
        unrealized, realized: dollars, before fees; `fees`: dollars.
        open_orders: of the symbol.
    """

    symbol: str
    name: str
    sector: str
    side: str
    quantity: Decimal
    average_price: Decimal
    cost: Decimal
    price: Decimal | None
    price_at: datetime | None
    value: Decimal
    weight: Decimal
    unrealized: Decimal
    realized: Decimal
    fees: Decimal
    open_orders: int


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account (dollars).

    Attributes:
        equity: as the engine last measured it; cash and positions where it never did.
        long, short, gross, net: values of the positions, short negative.
        sectors: gross value by sector, the largest first.
        closed: symbols that were held and are flat, with what they realized.
    """

    equity: Decimal
    cash: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    long: Decimal
    short: Decimal
    gross: Decimal
    net: Decimal
    positions: tuple[PositionLine, ...]
    sectors: dict[str, Decimal]
    closed: dict[str, Decimal]

    @property
    def gross_fraction(self) -> Decimal:
        """Gross value as a fraction of equity."""
        return fraction(self.gross, self.equity)


def holdings(follower: Follower) -> Holdings:
    """Everything held, the largest position first."""
    with follower.lock:
        books, marks = follower.books, follower.views.marks
        held = [position for position in books.positions.values() if position.quantity]
        net = sum((_value(position, marks.get(position.symbol)) for position in held), ZERO)
        measured = books.baselines.equity
        equity = measured or LEDGER.add(books.cash, net)
        known = {one.symbol: one for one in books.run.universe} if books.run is not None else {}
        opened = Counter(view.symbol for view in books.orders.open.values())
        lines = [
            _line(position, marks.get(position.symbol), equity, known.get(position.symbol), opened[position.symbol])
            for position in held
        ]
        lines.sort(key=lambda line: abs(line.value), reverse=True)
        long = sum((line.value for line in lines if line.value > 0), ZERO)
        sectors: dict[str, Decimal] = {}
        for line in lines:
            sectors[line.sector] = sectors.get(line.sector, ZERO) + abs(line.value)
        return Holdings(
            equity=equity,
            cash=books.cash,
            realized=books.realized_pnl,
            unrealized=sum((line.unrealized for line in lines), ZERO),
            fees=books.fees,
            long=long,
            short=net - long,
            gross=long - (net - long),
            net=net,
            positions=tuple(lines),
            sectors=dict(sorted(sectors.items(), key=lambda item: item[1], reverse=True)),
            closed={p.symbol: p.realized_pnl for p in books.positions.values() if not p.quantity},
        )


def fraction(part: Decimal, whole: Decimal) -> Decimal:
    """`part` of `whole` to the millionth; 0 of nothing."""
    return divide(part, whole, _FRACTION) if whole > 0 else ZERO


def _value(position: Position, mark: Mark | None) -> Decimal:
    return position.cost if mark is None else LEDGER.multiply(position.quantity, mark.price)


def _line(
    position: Position, mark: Mark | None, equity: Decimal, known: Instrument | None, open_orders: int
) -> PositionLine:
    value = _value(position, mark)
    return PositionLine(
        symbol=position.symbol,
        name="" if known is None else known.name,
        sector=UNKNOWN_SECTOR if known is None else known.sector,
        side=position.side.value,
        quantity=position.quantity,
        average_price=position.average_price.quantize(_FRACTION),
        cost=position.cost.quantize(_CENT),
        price=None if mark is None else mark.price,
        price_at=None if mark is None else mark.at,
        value=value.quantize(_CENT),
        weight=fraction(value, equity),
        unrealized=LEDGER.subtract(value, position.cost).quantize(_CENT),
        realized=position.realized_pnl.quantize(_CENT),
        fees=position.fees,
        open_orders=open_orders,
    )
