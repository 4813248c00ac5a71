"""`qts explain`, `qts orders` and `qts positions`: read from the journal of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, JournalPath, print_json, reading, screen, table
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from quant_trading_system.app.decision_record import DecisionRecord
    from quant_trading_system.app.parent_record import ParentRecord
    from quant_trading_system.journal.sqlite_reader import JournalReader

_TITLES = {1: "Risk assessment", 2: "Order validation", 3: "Execution strategy", 4: "Post-trade verification"}


def explain(
    order_id: Annotated[str, typer.Argument(help="The client order id, or the id of a parent order.")],
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Show why an order was sent or refused: the checklist with every number that was seen.

    Example: [bold]qts explain 3f2a91c07b1e-12-0[/bold]
    """
    from quant_trading_system.app.decision_record import decision_record

    with reading(journal) as reader:
        parent = _parent(reader, order_id)
        record = None if parent is not None else decision_record(reader, order_id)
    if record is None:
        _show_parent(parent, as_json=as_json)
    elif as_json:
        print_json(record)
    else:
        _show(record)


def orders(
    journal: JournalPath = None,
    symbol: Annotated[str, typer.Option("--symbol", help="Only orders for this symbol.")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Only orders that were refused.")] = False,
    last: Annotated[int, typer.Option("--last", help="At most so many, the newest.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the orders of a run with what became of them.

    Example: [bold]qts orders --refused --last 10[/bold]
    """
    from quant_trading_system.app.order_list import list_orders, symbols_with_orders

    symbol = symbol.strip().upper()
    with reading(journal) as reader:
        rows = list_orders(reader, symbol=symbol, refused=refused, last=last)
        known = symbols_with_orders(reader) if symbol and not rows else [symbol]
    if as_json:
        print_json(rows)
        return
    if symbol not in known:
        have = f"it has orders for {', '.join(known)}" if known else "it has no orders"
        screen().print(f"no order for {symbol} in this journal; {have}", markup=False)
        return
    shown = table("day", "order", "what", "filled", "status", "strategy", right=("filled",))
    for row in rows:
        status = f"refused: {row.refused_by.value}" if row.refused_by else row.status.value
        style = "red" if row.refused_by else ""
        shown.add_row(
            f"{row.at:%Y-%m-%d}", row.order_id, row.what, plain(row.filled), status, row.strategy, style=style
        )
    screen().print(shown)
    screen().print("[dim]qts explain ORDER shows the whole decision[/dim]")


def positions(journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Show positions and cash as the journal adds them up.

    Example: [bold]qts positions[/bold]
    """
    from quant_trading_system.journal.replay import replay

    with reading(journal) as reader:
        state = replay(reader).projection
    held = {symbol: position for symbol, position in sorted(state.positions.items()) if position.quantity}
    if as_json:
        rows = [
            {"symbol": s, "quantity": plain(p.quantity), "average_price": plain(p.average_price), "cost": plain(p.cost)}
            for s, p in held.items()
        ]
        print_json({"cash": plain(state.cash), "positions": rows})
        return
    shown = table("symbol", "side", "shares", "average price", "cost", right=("shares", "average price", "cost"))
    for symbol, position in held.items():
        shown.add_row(
            symbol,
            position.side.value,
            plain(position.quantity),
            f"{position.average_price:.4f}",
            f"{position.cost:,.2f}",
        )
    screen().print(shown)
    screen().print(f"cash {usd(state.cash)}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (explain, orders, positions):
        app.command()(command)


def _parent(reader: JournalReader, name: str) -> ParentRecord | None:
    """The parent of that id, if the journal has one."""
    from quant_trading_system.app.parent_record import parent_record

    return parent_record(reader, name) if any(entry.kind == "parent" for entry in reader.about(name)) else None


def _show_parent(parent: ParentRecord | None, *, as_json: bool) -> None:
    from quant_trading_system.cli.parent_commands import show_parent

    if as_json:
        print_json(parent)
    elif parent is not None:
        show_parent(parent)


def _show(record: DecisionRecord) -> None:
    from quant_trading_system.app.decision_record import amount, numbers_of
    from quant_trading_system.app.order_list import order_in_words

    out = screen()
    verdict = (
        f"[bold red]refused by {record.refused_by.value}[/bold red]"
        if record.refused_by
        else f"[bold]{record.status.value}[/bold]"
    )
    out.print(f"[bold]{order_in_words(record.order)}[/bold]  {verdict}")
    out.print(
        f"  order {record.order_id} · {record.at:%Y-%m-%d %H:%M:%S} UTC · limits {record.limits_version}", markup=False
    )
    if record.message:
        out.print(f"  {record.message}", markup=False)
    if record.signal is not None:
        signal = record.signal
        out.print(
            f"  signal: {signal.direction.value} from {signal.source}, {signal.reason or 'no reason given'}",
            markup=False,
        )
    for leg in record.chain or record.group:
        here = "→" if leg.order_id == record.order_id else " "
        out.print(
            f"  {here} {leg.order_id}: {order_in_words(leg.order)}, {leg.status.value}, {plain(leg.filled)} filled",
            markup=False,
        )
    for alarm in record.alarms:
        out.print(f"  {alarm.at:%Y-%m-%d %H:%M:%S} UTC: {alarm.reason or 'its exits are in order again'}", markup=False)
    for number, answers in record.steps.items():
        out.print(f"\n[bold]Step {number}: {_TITLES[number]}[/bold]")
        for answer in answers:
            mark = {True: "[green]✓[/green]", False: "[bold red]✗[/bold red]", None: "·"}[answer.passed]
            out.print(f"  {mark} {answer.question} ", end="")
            out.print(answer.answer, markup=False)
            for check in answer.checks:
                if check.actual is not None or not check.passed:
                    left = "" if check.headroom is None else f", headroom {amount(check.headroom, check.unit)}"
                    out.print(f"      {numbers_of(check)}{left}", markup=False, style="dim" if check.passed else "red")
    out.print(f"\n[dim]read from journal entries {', '.join(map(str, record.entries))}[/dim]")
