"""Alpaca's side of a reconciliation. It only reads, with whatever connection it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.exceptions import BrokerRejected, InvalidOrder, NotSent
from quant_trading_system.core.numbers import ONE, ZERO, exact
from quant_trading_system.core.orders import EXTERNAL, Order, OrderType, TimeInForce
from quant_trading_system.execution.alpaca_api import no_answer
from quant_trading_system.execution.alpaca_models import Activity, AlpacaAccount, AlpacaOrder, AlpacaPosition
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.alpaca_recovery import find_order, name_legs, read_account_since
from quant_trading_system.execution.alpaca_wire import broker_order, broker_position, execution_of_fill
from quant_trading_system.execution.broker import BrokerOrder
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.statement import SeenActivity, SeenFill, SeenOrder, SeenPosition, Statement

ACTIVITY_SPAN = timedelta(days=7)
"""How far back the entries beside trades are read: they bear a date and no time, and are posted late."""

_KINDS: Mapping[str, ActivityKind] = MappingProxyType(
    {
        **dict.fromkeys(("FEE", "CFEE", "PTC", "DIVFEE"), ActivityKind.FEE),
        **dict.fromkeys(
            ("DIV", "DIVCGL", "DIVCGS", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX"), ActivityKind.DIVIDEND
        ),
        **dict.fromkeys(("INT", "INTNRA", "INTTW"), ActivityKind.INTEREST),
        **dict.fromkeys(("CSD", "CSW", "JNLC", "TRANS", "ACATC"), ActivityKind.TRANSFER),
    }
)
"""Alpaca's words for entries that move cash only. Splits, mergers and the like move shares and are not here."""
_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "SPLIT": "a split",
        "NC": "a change of the name",
        "MA": "a merger",
        "SPIN": "a spin-off",
        "REORG": "a reorganisation",
    }
)
"""Alpaca's words for entries that move shares: they explain a difference, and a person takes it over."""
_BESIDE_TRADES = "non_trade_activity"
"""Without it a week of fills is read page by page at every full look."""
_FINAL = frozenset({"", "executed"})


class AlpacaStatements:
    """A `StatementSource` whose other side is Alpaca."""

    def __init__(
        self,
        client: AlpacaReads,
        names: LegNames,
        submitted: Callable[[str], datetime | None] = lambda _: None,
    ) -> None:
        """Ask through `client`; legs are told under the `names` that they have on our books.

        Args:
            submitted: when an order was, by the broker's id, as far as that is known.
        """
        self._submitted = submitted
        self._client = client
        self._names = names

    async def light(self) -> Statement:
        with no_answer("", BrokerRejected, NotSent, ValueError):
            orders = await name_legs(self._client, await self._client.orders("open"), self._names)
            positions = await self._client.positions()
            return Statement(
                orders=tuple(seen_order(order) for order in orders),
                positions=tuple(_seen_position(position) for position in positions),
            )

    async def full(self, since: datetime) -> Statement:
        with no_answer("", BrokerRejected, NotSent, ValueError):
            evidence = await read_account_since(self._client, since, (), self._names, self._submitted)
            names = {order.id: order.client_order_id for order in evidence.orders}
            fills = tuple(
                SeenFill(order_id=names[order_id], execution=execution_of_fill(fill))
                for order_id, rows in evidence.fills.items()
                if order_id in names
                for fill in rows
            )
            positions, account = await self._client.positions(), await self._client.account()
            return Statement(
                orders=tuple(seen_order(order) for order in evidence.orders),
                positions=tuple(_seen_position(position) for position in positions),
                cash=account.cash,
                equity=account.equity,
                fills=fills,
                activities=await self.activities(since - ACTIVITY_SPAN),
                obstacle=_obstacle(account),
            )

    async def order(self, client_order_id: str) -> SeenOrder | None:
        with no_answer(client_order_id, BrokerRejected, NotSent, ValueError):
            found = await find_order(self._client, client_order_id, self._names)
            return None if found is None else seen_order(found)

    async def activities(self, since: datetime) -> tuple[SeenActivity, ...]:
        with no_answer("", BrokerRejected, NotSent, ValueError):
            rows = await self._client.activities(category=_BESIDE_TRADES, after=since)
        return tuple(_seen_activity(row) for row in rows if row.activity_type != "FILL")


def seen_order(order: AlpacaOrder) -> SeenOrder:
    """In the words of the reconciliation.

    Raises:
        ValueError: a side that nobody knows, or a quantity that is none.
    """
    seen = broker_order(order)
    touched = order.updated_at or order.submitted_at
    return SeenOrder(
        seen=seen,
        notional=order.notional if order.qty is None else None,
        content=_content(order, seen),
        touched_at=None if touched is None else touched.astimezone(UTC),
    )


def _content(order: AlpacaOrder, seen: BrokerOrder) -> Order:
    """The order as somebody else gave it; where its words or their combination are unknown, a plain one of its size."""
    common = {
        "symbol": seen.symbol,
        "side": seen.side,
        "quantity": seen.quantity or ONE,  # one in dollars that nothing has filled of yet
        "client_order_id": seen.client_order_id,
        "strategy": EXTERNAL,
    }
    try:
        return Order(
            **common,  # type: ignore[arg-type]  # the fields above, each of its own type
            order_type=OrderType(order.type),
            time_in_force=TimeInForce(order.time_in_force),
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            trail_price=order.trail_price,
            trail_percent=order.trail_percent,
            extended_hours=order.extended_hours,
        )
    except (InvalidOrder, ValueError):
        return Order(
            **common,  # type: ignore[arg-type]  # as above
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
        )


def _seen_position(position: AlpacaPosition) -> SeenPosition:
    seen = broker_position(position)
    return SeenPosition(
        symbol=seen.symbol,
        quantity=seen.quantity,
        average_price=seen.average_price,
        price=position.current_price,
    )


def _seen_activity(row: Activity) -> SeenActivity:
    is_final = (row.status or "").lower() in _FINAL
    return SeenActivity(
        activity_id=row.id,
        word=row.activity_type,
        kind=_KINDS.get(row.activity_type) if is_final and row.net_amount is not None else None,
        amount=None if row.net_amount is None else exact(row.net_amount),
        symbol=row.symbol or "",
        description=(row.description or "")[:200],
        action=_ACTIONS.get(row.activity_type, "") if is_final else "",
        shares=exact(row.qty) if row.qty is not None else ZERO,
    )


def _obstacle(account: AlpacaAccount) -> str:
    if account.obstacle:
        return account.obstacle
    margin = account.maintenance_margin
    if margin is not None and margin > 0 and account.equity < margin:
        return _deficiency(account.equity, margin)
    return ""


def _deficiency(equity: Decimal, margin: Decimal) -> str:
    return f"equity {equity} is below the maintenance margin of {margin}"
