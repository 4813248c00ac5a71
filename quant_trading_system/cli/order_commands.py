"""`qts explain`, `qts orders` and `qts positions`: read from the journal of a run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from quant_trading_system.cli.engine_calls import Far, Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, print_json, reading, screen, table
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from quant_trading_system.app.decision_record import DecisionRecord
    from quant_trading_system.app.order_list import OrderLine
    from quant_trading_system.app.parent_record import ParentRecord
    from quant_trading_system.journal.sqlite_reader import JournalReader

_TITLES = {1: "Risk assessment", 2: "Order validation", 3: "Execution strategy", 4: "Post-trade verification"}


def explain(
    order_id: Annotated[str, typer.Argument(help="The client order id, or the id of a parent order.")],
    as_json: AsJson = False,
    *,
    record: Record,
) -> None:
    """Show why an order was sent or refused: the checklist with every number that was seen.

    Example: [bold]qts explain 3f2a91c07b1e-12-0[/bold]
    """
    from quant_trading_system.app.decision_record import decision_record

    if record.far.api:
        parent, found = _explained_far(record.far, order_id)
    else:
        with reading(record.journal) as reader:
            parent = _parent(reader, order_id)
            found = None if parent is not None else decision_record(reader, order_id)
    if found is None:
        _show_parent(parent, as_json=as_json)
    elif as_json:
        print_json(found)
    else:
        _show(found)


def orders(
    symbol: Annotated[str, typer.Option("--symbol", help="Only orders for this symbol.")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Only orders that were refused.")] = False,
    last: Annotated[int, typer.Option("--last", help="At most so many, the newest.", min=1)] = 50,
    as_json: AsJson = False,
    *,
    record: Record,
) -> None:
    """List the orders of a run with what became of them.

    Example: [bold]qts orders --refused --last 10[/bold]
    """
    from quant_trading_system.app.order_list import list_orders, symbols_with_orders

    symbol = symbol.strip().upper()
    if record.far.api:
        rows, known = _orders_far(record.far, symbol, last, refused=refused)
    else:
        with reading(record.journal) as reader:
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


def positions(as_json: AsJson = False, *, record: Record) -> None:
    """Show positions and cash as the journal adds them up.

    Example: [bold]qts positions[/bold]
    """
    held, cash = _held_far(record.far) if record.far.api else _held(record.journal)
    if as_json:
        rows = [
            {"symbol": h.symbol, "quantity": plain(h.quantity), "average_price": plain(h.average_price),
             "cost": plain(h.cost)}
            for h in held
        ]  # fmt: skip
        print_json({"cash": plain(cash), "positions": rows})
        return
    shown = table("symbol", "side", "shares", "average price", "cost", right=("shares", "average price", "cost"))
    for h in held:
        side = "long" if h.quantity > 0 else "short"
        shown.add_row(h.symbol, side, plain(h.quantity), f"{h.average_price:.4f}", f"{h.cost:,.2f}")
    screen().print(shown)
    screen().print(f"cash {usd(cash)}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (explain, orders, positions):
        app.command()(grouped(command))


class _Held(NamedTuple):
    """One position; `cost` is signed, as the shares are."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    cost: Decimal


def _held(journal: Path | None) -> tuple[list[_Held], Decimal]:
    """Positions and cash, added up from a journal."""
    from quant_trading_system.journal.replay import replay

    with reading(journal) as reader:
        state = replay(reader).projection
    return [
        _Held(symbol, found.quantity, found.average_price, found.cost)
        for symbol, found in sorted(state.positions.items())
        if found.quantity
    ], state.cash


def _held_far(far: Far) -> tuple[list[_Held], Decimal]:
    """The same as a console tells it."""
    from quant_trading_system.app.readings.positions import Holdings

    found: Holdings = far.read("/v1/positions", Holdings)
    lines = sorted(found.positions, key=lambda line: line.symbol)
    return [_Held(p.symbol, p.quantity, p.average_price, p.cost) for p in lines], found.cash


def _orders_far(far: Far, symbol: str, last: int, *, refused: bool) -> tuple[list[OrderLine], list[str]]:
    """The newest orders that a console tells of, oldest first, and the symbols that it has orders for."""
    from quant_trading_system.app.readings.orders import MOST_ROWS, OrderGroup, OrderPage

    group = OrderGroup.REFUSED if refused else OrderGroup.ALL
    page: OrderPage = far.read(
        "/v1/orders", OrderPage, group=group.value, symbol=symbol, limit=str(min(last, MOST_ROWS))
    )
    return list(reversed(page.rows)), list(page.symbols) if symbol and not page.rows else [symbol]


def _explained_far(far: Far, order_id: str) -> tuple[ParentRecord | None, DecisionRecord | None]:
    """The record of a parent order or of an order, as a console tells it."""
    from urllib.parse import quote

    from quant_trading_system.app.decision_record import DecisionRecord
    from quant_trading_system.app.readings.algorithms import AlgorithmReading
    from quant_trading_system.core.exceptions import UnknownOrder

    name = quote(order_id, safe="")
    try:
        return None, far.read(f"/v1/orders/{name}", DecisionRecord)
    except UnknownOrder:
        return far.read(f"/v1/algos/{name}", AlgorithmReading).record, None


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
