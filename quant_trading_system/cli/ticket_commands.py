"""`qts order`, `qts replace` and `qts cancel`: orders by hand, through a running engine and its gate."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from quant_trading_system.cli.engine_calls import Line, Why, Yes, ask, confirm, send, tell
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import screen, table
from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import exact, plain, usd
from quant_trading_system.core.orders import OrderSide, TimeInForce

if TYPE_CHECKING:
    from quant_trading_system.core.commands import Outcome, Ticket

    Kind = TypeVar("Kind", bound=Ticket)

Symbol = Annotated[str, typer.Argument(help="Such as KO.")]
Side = Annotated[OrderSide, typer.Argument(help="buy or sell.")]
Quantity = Annotated[str, typer.Argument(metavar="QTY", help="Shares; leave it out with --notional.")]
Limit = Annotated[str, typer.Option("--limit", help="Limit price, dollars a share.", show_default=False)]
Stop = Annotated[str, typer.Option("--stop", help="Stop price, dollars a share.", show_default=False)]
Notional = Annotated[str, typer.Option("--notional", help="Dollars instead of shares.", show_default=False)]
TrailPrice = Annotated[str, typer.Option("--trail-price", help="A trailing stop: dollars.", show_default=False)]
TrailPercent = Annotated[str, typer.Option("--trail-percent", help="A trailing stop: percent.", show_default=False)]
InForce = Annotated[TimeInForce, typer.Option("--tif", help="Time in force.")]
TakeProfitAt = Annotated[
    str, typer.Option("--take-profit", help="Bracket: limit price of the profitable exit.", show_default=False)
]
StopLossAt = Annotated[
    str, typer.Option("--stop-loss", help="Bracket: stop price of the protective exit.", show_default=False)
]
Extended = Annotated[bool, typer.Option("--extended-hours", help="Also before the open and after the close.")]
ReduceOnly = Annotated[bool, typer.Option("--reduce-only", help="Refuse it unless it shrinks the position.")]
Repeat = Annotated[bool, typer.Option("--repeat", help="Yes, the same order again is meant.")]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only ask the gate of the engine; nothing is sent.")]

order = typer.Typer(
    help="Send an order by hand, through a running engine and its gate. Example: [bold]qts order buy KO 100[/bold]",
    no_args_is_help=True,
)


def _sender(side: OrderSide) -> Any:
    def place(
        symbol: Symbol,
        quantity: Quantity = "",
        limit: Limit = "",
        stop: Stop = "",
        notional: Notional = "",
        trail_price: TrailPrice = "",
        trail_percent: TrailPercent = "",
        tif: InForce = TimeInForce.DAY,
        take_profit: TakeProfitAt = "",
        stop_loss: StopLossAt = "",
        extended_hours: Extended = False,
        reduce_only: ReduceOnly = False,
        repeat: Repeat = False,
        dry_run: DryRun = False,
        yes: Yes = False,
        *,
        line: Line,
    ) -> None:
        from quant_trading_system.core.commands import Check, PlaceOrder

        prices = _Prices(limit, stop, notional, trail_price, trail_percent, take_profit, stop_loss)
        flags: dict[str, Any] = {"extended_hours": extended_hours, "reduce_only": reduce_only, "repeat": repeat}
        if dry_run:
            found = ask(prices.ticket(Check, side, symbol, quantity, tif, flags), line)
            if not line.as_json:
                _show_gate(found)
            tell(found, as_json=line.as_json)
            return
        if not yes:
            _preview(ask(prices.ticket(Check, side, symbol, quantity, tif, flags), line))
            confirm("Send it?", yes=False)
        send(prices.ticket(PlaceOrder, side, symbol, quantity, tif, flags), line)

    place.__doc__ = f"""Send an order to {side.value}. Shows what the gate would say first, and asks, unless --yes.

    Example: [bold]qts order {side.value} KO 100 --limit 60.10 --tif gtc[/bold]
    """
    return place


order.command("buy")(grouped(_sender(OrderSide.BUY)))
order.command("sell")(grouped(_sender(OrderSide.SELL)))


def replace(
    order_id: Annotated[str, typer.Argument(help="The client order id of an open order.")],
    quantity: Annotated[
        str, typer.Option("--quantity", help="Shares in all, filled ones included.", show_default=False)
    ] = "",
    limit: Limit = "",
    stop: Stop = "",
    trail: Annotated[
        str, typer.Option("--trail", help="Dollars or percent, whichever it has.", show_default=False)
    ] = "",
    tif: Annotated[TimeInForce | None, typer.Option("--tif", help="Time in force.", show_default=False)] = None,
    *,
    line: Line,
) -> None:
    """Put a changed order in the place of an open one, through the same gate; refused, it works on as it is.

    Example: [bold]qts replace 3f2a91c07b1e-12-0 --limit 60.25[/bold]
    """
    from quant_trading_system.core.commands import ReplaceOrder

    command = ReplaceOrder(
        order_id=order_id,
        quantity=number(quantity, "--quantity"),
        limit_price=number(limit, "--limit"),
        stop_price=number(stop, "--stop"),
        trail=number(trail, "--trail"),
        time_in_force=tif,
    )
    send(command, line)


def cancel(
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="The client order id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every open order and parent order.")] = False,
    symbol: Annotated[str, typer.Option("--symbol", help="Those of a symbol.", show_default=False)] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="Those of a strategy.", show_default=False)] = "",
    keep_exits: Annotated[bool, typer.Option("--keep-exits", help="Leave orders that shrink a position.")] = False,
    reason: Why = "",
    *,
    line: Line,
) -> None:
    """Cancel one order, or many, and wait until the broker confirms it; exit code 3 while it has not.

    Example: [bold]qts cancel --symbol KO --reason "wrong price"[/bold]
    """
    from quant_trading_system.core.commands import AnyCommand, Cancel, CancelAll

    narrowed = bool(symbol or strategy)
    if (bool(order_id) + (everything or narrowed)) != 1:
        raise ConfigurationError("say what to cancel: ORDER, or --all, or --symbol and --strategy")
    if order_id and keep_exits:
        raise ConfigurationError("--keep-exits goes with --all, --symbol and --strategy")
    command: AnyCommand = (
        Cancel(order_id=order_id, reason=reason)
        if order_id
        else CancelAll(symbol=symbol.strip().upper(), strategy=strategy, keep_exits=keep_exits, reason=reason)
    )
    send(command, line)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(order, name="order")
    for command in (replace, cancel):
        app.command()(grouped(command))


def number(text: str, option: str) -> Decimal | None:
    """The exact number in an option, None when it was not given.

    Raises:
        ConfigurationError: it is none.
    """
    if not text:
        return None
    try:
        return exact(text)
    except InvalidNumber as error:
        raise ConfigurationError(f"{option} {text}: {error}") from error


class _Prices:
    """The numbers of a ticket as they were typed."""

    def __init__(
        self,
        limit: str,
        stop: str,
        notional: str,
        trail_price: str,
        trail_percent: str,
        take_profit: str,
        stop_loss: str,
    ) -> None:
        self.limit = number(limit, "--limit")
        self.stop = number(stop, "--stop")
        self.notional = number(notional, "--notional")
        self.trail_price = number(trail_price, "--trail-price")
        self.trail_percent = number(trail_percent, "--trail-percent")
        self.take_profit = number(take_profit, "--take-profit")
        self.stop_loss = number(stop_loss, "--stop-loss")

    def ticket(
        self, kind: type[Kind], side: OrderSide, symbol: str, quantity: str, tif: TimeInForce, flags: dict[str, Any]
    ) -> Kind:
        """The order as a command.

        Raises:
            ConfigurationError: neither shares nor dollars were given.
        """
        from quant_trading_system.core.orders import OrderClass, StopLoss, TakeProfit

        shares = number(quantity, "QTY")
        if (shares is None) == (self.notional is None):
            raise ConfigurationError("give QTY (shares) or --notional (dollars), one of them")
        size: dict[str, Any] = {"notional": self.notional} if shares is None else {"quantity": shares}
        exits = [self.take_profit, self.stop_loss]
        given = sum(price is not None for price in exits)
        return kind(
            symbol=symbol.strip().upper(),
            side=side,
            order_type=self._type(),
            time_in_force=tif,
            limit_price=self.limit,
            stop_price=self.stop,
            trail_price=self.trail_price,
            trail_percent=self.trail_percent,
            order_class=(OrderClass.SIMPLE, OrderClass.OTO, OrderClass.BRACKET)[given],
            take_profit=None if self.take_profit is None else TakeProfit(limit_price=self.take_profit),
            stop_loss=None if self.stop_loss is None else StopLoss(stop_price=self.stop_loss),
            **size,
            **flags,
        )

    def _type(self) -> Any:
        from quant_trading_system.core.orders import OrderType

        if self.trail_price is not None or self.trail_percent is not None:
            return OrderType.TRAILING_STOP
        if self.stop is not None:
            return OrderType.STOP if self.limit is None else OrderType.STOP_LIMIT
        return OrderType.MARKET if self.limit is None else OrderType.LIMIT


def _preview(found: Outcome) -> None:
    """What the gate would say; a refusal ends here."""
    from quant_trading_system.core.commands import Result

    _show_gate(found)
    if found.result is not Result.DONE:
        tell(found, as_json=False)
    screen().print(found.message, markup=False)


def _show_gate(found: Outcome) -> None:
    """The numbers that the gate sees, with the limits that are nearest."""
    decision, out = found.decision, screen()
    if decision is None:
        return
    plan, quote = decision.plan, decision.quote
    if quote is not None:
        out.print(f"quote     {plain(quote.bid)} to {plain(quote.ask)}", markup=False)
    if plan is not None and plan.expected_price is not None:
        cost = (
            "" if plan.expected_slippage_bps is None else f", expected to cost {plain(plan.expected_slippage_bps)} bp"
        )
        out.print(f"expected  {plain(plan.expected_price)} a share{cost}", markup=False)
    out.print(f"account   equity {usd(decision.equity)}, {plain(decision.position)} shares held", markup=False)
    shown = table("limit", "would be", "allowed", "used", right=("would be", "allowed", "used"))
    for check_, used in _nearest(decision.checks):
        style = None if check_.passed else "red"
        shown.add_row(check_.rule.value, plain(check_.actual), plain(check_.limit), f"{used:.0%}", style=style)
    if shown.row_count:
        out.print(shown)


def _nearest(checks: Any) -> list[tuple[Any, Decimal]]:
    """Checks with numbers and a ceiling, the fullest first; those that refuse before all."""
    from quant_trading_system.core.decisions import MINIMUM_RULES

    found = [
        (check_, check_.actual / check_.limit)
        for check_ in checks
        if check_.actual is not None and check_.limit and check_.rule not in MINIMUM_RULES
    ]
    return sorted(found, key=lambda pair: (pair[0].passed, -pair[1]))[:6]
