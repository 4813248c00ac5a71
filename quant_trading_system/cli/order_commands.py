"""`qts explain`, `qts orders` and `qts positions`: read from the journal of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Far, Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, as_it_stands, following, print_json, reading, screen, table
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.core.order_state import OrderStatus

if TYPE_CHECKING:
    from quant_trading_system.app.decision_record import DecisionRecord
    from quant_trading_system.app.order_list import OrderFilter, OrderLine
    from quant_trading_system.app.parent_record import ParentRecord
    from quant_trading_system.journal.sqlite_reader import JournalReader

_REASON_WIDTH = 50
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
    refused: Annotated[bool, typer.Option("--refused", help="Only refused ones, as --group refused.")] = False,
    group: Annotated[OrderGroup, typer.Option("--group", help="Only such orders.")] = OrderGroup.ALL,
    strategy: Annotated[str, typer.Option("--strategy", help="Only orders of this strategy.")] = "",
    text: Annotated[str, typer.Option("--text", help="Only orders whose id, symbol or reason holds these words.")] = "",
    last: Annotated[int, typer.Option("--last", help="At most so many, the newest.", min=1)] = 50,
    as_json: AsJson = False,
    *,
    record: Record,
) -> None:
    """List the orders of a run with what became of them, and why one was refused.

    Example: [bold]qts orders --refused --last 10[/bold]
    """
    from quant_trading_system.app.order_list import OrderFilter, list_orders, symbols_with_orders

    symbol = symbol.strip().upper()
    chosen = OrderGroup.REFUSED if refused else group
    wanted = OrderFilter(group=chosen, symbol=symbol, strategy=strategy, text=text)
    if record.far.api:
        rows, known = _orders_far(record.far, wanted, last)
    else:
        with reading(record.journal) as reader:
            rows = list_orders(reader, wanted, last)
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
        what = "\n".join(filter(None, (row.what, _reason(row))))
        status, style = ("refused", "red") if row.refused_by else (row.status.value, "")
        shown.add_row(f"{row.at:%Y-%m-%d}", row.order_id, what, plain(row.filled), status, row.strategy, style=style)
    screen().print(shown)
    if rows:
        newest = as_it_stands(rows[-1].order_id)
        screen().print(f"[dim]the whole decision of an order, such as the last one: qts explain {newest}[/dim]")


def positions(as_json: AsJson = False, *, record: Record) -> None:
    """Show positions and cash as the journal adds them up, valued at the last prices that it tells of.

    The journal holds the prices of orders and fills, and no others; the table says when each was known.

    Example: [bold]qts positions[/bold]
    """
    from quant_trading_system.app.readings.positions import Holdings, holdings

    if record.far.api:
        held: Holdings = record.far.read("/v1/positions", Holdings)
    else:
        with following(record.journal) as follower:
            held = holdings(follower)
    lines = sorted(held.positions, key=lambda line: line.symbol)
    if as_json:
        print_json({"cash": plain(held.cash), "positions": lines})
        return
    numbers = ("shares", "average price", "last known", "value", "weight", "unrealized")
    shown = table("symbol", "side", *numbers, "known at (UTC)", "sector", right=numbers)
    for line in lines:
        shown.add_row(
            line.symbol,
            line.side,
            plain(line.quantity),
            f"{line.average_price:.4f}",
            "" if line.price is None else f"{line.price:.4f}",
            usd(line.value),
            f"{line.weight * 100:.2f} %",
            usd(line.unrealized),
            "" if line.price_at is None else f"{line.price_at:%Y-%m-%d %H:%M}",
            line.sector,
        )
    screen().print(shown)
    screen().print(f"cash {usd(held.cash)}, unrealized {usd(held.unrealized)}, realized {usd(held.realized)}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (explain, orders, positions):
        app.command()(grouped(command))


def _reason(row: OrderLine) -> str:
    """Why an order is not what was meant, in lines that leave room for the other columns; empty when it is."""
    from textwrap import fill

    words = row.why if row.status in (OrderStatus.REJECTED, OrderStatus.IN_DOUBT) else ""
    if row.refused_by:
        words = f"{row.refused_by}: {row.refusal.removeprefix('Refused: ')}"
    return fill(words, _REASON_WIDTH)


def _orders_far(far: Far, wanted: OrderFilter, last: int) -> tuple[list[OrderLine], list[str]]:
    """The newest orders that a console tells of, oldest first, and the symbols that it has orders for."""
    from quant_trading_system.app.readings.orders import MOST_ROWS, OrderPage

    page: OrderPage = far.read(
        "/v1/orders",
        OrderPage,
        group=wanted.group.value,
        symbol=wanted.symbol,
        strategy=wanted.strategy,
        text=wanted.text,
        limit=str(min(last, MOST_ROWS)),
    )
    return list(reversed(page.rows)), list(page.symbols) if wanted.symbol and not page.rows else [wanted.symbol]


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
    from quant_trading_system.app.refusal import verdict_of

    out = screen()
    verdict = (
        f"[bold red]refused by {record.refused_by.value}[/bold red]"
        if record.refused_by
        else f"[bold]{record.status.value}[/bold]"
    )
    out.print(f"[bold]{as_it_stands(order_in_words(record.order))}[/bold]  {verdict}")
    out.print(
        f"  order {record.order_id} · {record.at:%Y-%m-%d %H:%M:%S} UTC · limits {record.limits_version}", markup=False
    )
    why = verdict_of(record)
    if why:
        out.print(f"  {why}", markup=False)
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
