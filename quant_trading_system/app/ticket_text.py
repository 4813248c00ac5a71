"""An order as people type it: the same words become the same ticket on the command line and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import exact
from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.core.ticket import Ticket

Kind = TypeVar("Kind", bound=Ticket)


class TicketText(NamedTuple):
    """The numbers of a ticket as they were typed; what is empty was left out.

    Attributes:
        quantity: shares; `notional`: dollars instead.
        limit, stop: dollars a share; both make a stop limit order, none a market order.
        trail_price, trail_percent: of a trailing stop, one of them.
        take_profit, stop_loss: limit and stop price of its exits.
    """

    quantity: str = ""
    notional: str = ""
    limit: str = ""
    stop: str = ""
    trail_price: str = ""
    trail_percent: str = ""
    take_profit: str = ""
    stop_loss: str = ""

    def ticket(
        self,
        kind: type[Kind],
        side: OrderSide,
        symbol: str,
        tif: TimeInForce,
        flags: Mapping[str, bool],
        names: Mapping[str, str],
    ) -> Kind:
        """The order as a command.

        Args:
            flags: ``extended_hours``, ``reduce_only`` and ``repeat``.
            names: how people call each field.

        Raises:
            ConfigurationError: a number that is none, or neither shares nor dollars, or both.
        """
        found = {field: number(text, names[field]) for field, text in self._asdict().items()}
        shares, dollars = found["quantity"], found["notional"]
        if (shares is None) == (dollars is None):
            raise ConfigurationError(f"give {names['quantity']} (shares) or {names['notional']} (dollars), one of them")
        profit, loss = found["take_profit"], found["stop_loss"]
        more: dict[str, Any] = {"notional": dollars} if shares is None else {"quantity": shares}
        more.update(flags)
        given = sum(price is not None for price in (profit, loss))
        return kind(
            symbol=symbol.strip().upper(),
            side=side,
            order_type=_type_of(found),
            time_in_force=tif,
            limit_price=found["limit"],
            stop_price=found["stop"],
            trail_price=found["trail_price"],
            trail_percent=found["trail_percent"],
            order_class=(OrderClass.SIMPLE, OrderClass.OTO, OrderClass.BRACKET)[given],
            take_profit=None if profit is None else TakeProfit(limit_price=profit),
            stop_loss=None if loss is None else StopLoss(stop_price=loss),
            **more,
        )


def number(text: str, name: str) -> Decimal | None:
    """The exact number that was typed into `name`, None when nothing was.

    Raises:
        ConfigurationError: it is none.
    """
    if not text.strip():
        return None
    try:
        return exact(text.strip())
    except InvalidNumber as error:
        raise ConfigurationError(f"{name} {text}: {error}") from error


def _type_of(found: Mapping[str, Decimal | None]) -> OrderType:
    if found["trail_price"] is not None or found["trail_percent"] is not None:
        return OrderType.TRAILING_STOP
    if found["stop"] is not None:
        return OrderType.STOP if found["limit"] is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if found["limit"] is None else OrderType.LIMIT
