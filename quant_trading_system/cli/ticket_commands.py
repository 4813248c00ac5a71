"""`qts order`, `qts replace` and `qts cancel`: orders by hand, through a running engine and its gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from quant_trading_system.cli.basket_lines import basket
from quant_trading_system.cli.engine_calls import Line, Why, Yes, ask, confirm, send, tell
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.core.orders import OrderSide, TimeInForce

if TYPE_CHECKING:
    from quant_trading_system.core.commands import Outcome

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

_NAMES = {
    "quantity": "QTY",
    "notional": "--notional",
    "limit": "--limit",
    "stop": "--stop",
    "trail_price": "--trail-price",
    "trail_percent": "--trail-percent",
    "take_profit": "--take-profit",
    "stop_loss": "--stop-loss",
}

order = typer.Typer(
    help="Send an order by hand, through a running engine and its gate. Example: [bold]qts order buy KO 100[/bold]",
    no_args_is_help=True,
)


def _sender(side: OrderSide) -> Any:
    def trade(
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
        from quant_trading_system.app.ticket_text import TicketText
        from quant_trading_system.core.commands import Check, PlaceOrder

        text = TicketText(quantity, notional, limit, stop, trail_price, trail_percent, take_profit, stop_loss)
        flags = {"extended_hours": extended_hours, "reduce_only": reduce_only, "repeat": repeat}
        if dry_run:
            found = ask(text.ticket(Check, side, symbol, tif, flags, _NAMES), line)
            if not line.as_json:
                _show_gate(found)
            tell(found, as_json=line.as_json)
            return
        if not yes:
            _preview(ask(text.ticket(Check, side, symbol, tif, flags, _NAMES), line))
            confirm("Send it?", yes=False)
        send(text.ticket(PlaceOrder, side, symbol, tif, flags, _NAMES), line)

    trade.__doc__ = f"""Send an order to {side.value}. Shows what the gate would say first, and asks, unless --yes.

    Example: [bold]qts order {side.value} KO 100 --limit 60.10 --tif gtc[/bold]
    """
    return trade


order.command("buy")(grouped(_sender(OrderSide.BUY)))
order.command("sell")(grouped(_sender(OrderSide.SELL)))
order.command()(grouped(basket))


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
    from quant_trading_system.app.ticket_text import number
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


def _preview(found: Outcome) -> None:
    """What the gate would say; a refusal ends here."""
    from quant_trading_system.core.commands import Result

    _show_gate(found)
    if found.result is not Result.DONE:
        tell(found, as_json=False)
    screen().print(found.message, markup=False)


def _show_gate(found: Outcome) -> None:
    """The numbers that the gate sees, with the limits that are nearest."""
    from quant_trading_system.app.check_lines import nearest

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
    for use in nearest(decision.checks):
        style = None if use.check.passed else "red"
        shown.add_row(use.check.rule.value, plain(use.actual), plain(use.limit), f"{use.share:.0%}", style=style)
    if shown.row_count:
        out.print(shown)
