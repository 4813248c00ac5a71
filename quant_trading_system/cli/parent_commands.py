"""`qts algo status`, and what `qts explain` says of a parent order: read from the journal of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant_trading_system.cli.engine_calls import Record
from quant_trading_system.cli.screen import AsJson, as_it_stands, print_json, reading, screen, table
from quant_trading_system.core.numbers import plain

if TYPE_CHECKING:
    from quant_trading_system.app.parent_record import ParentRecord


def status(as_json: AsJson = False, *, record: Record) -> None:
    """List the parent orders of a run: how far each is, and why it stopped.

    Example: [bold]qts algo status[/bold]
    """
    from quant_trading_system.app.parent_record import parent_records

    if record.far.api:
        from quant_trading_system.app.readings.algorithms import AlgorithmReading

        found = record.far.read("/v1/algos", tuple[AlgorithmReading, ...])
        records = [one.record for one in reversed(found)]
    else:
        with reading(record.journal) as reader:
            records = parent_records(reader)
    if as_json:
        print_json(records)
        return
    if not records:
        screen().print("no parent order in this journal; every order was sent whole")
        return
    shown = table("parent", "what", "filled", "out", "children", "status", "why", right=("filled", "out", "children"))
    for one in records:
        shown.add_row(
            one.parent_id,
            f"{one.algorithm} {one.side} {plain(one.quantity)} {one.symbol}",
            plain(one.filled),
            plain(one.outstanding),
            str(len(one.children)),
            one.status,
            one.reason,
        )
    screen().print(shown)


def show_parent(record: ParentRecord) -> None:
    """The decision about a parent, and its children."""
    from quant_trading_system.app.decision_record import numbers_of

    out = screen()
    what = f"{record.algorithm} {record.side} {plain(record.quantity)} {record.symbol}"
    out.print(f"[bold]{as_it_stands(what)}[/bold]  [bold]{record.status}[/bold]")
    out.print(f"  parent {record.parent_id} · {record.started_at:%Y-%m-%d %H:%M:%S} UTC", markup=False)
    out.print(
        f"  {plain(record.filled)} filled, {plain(record.outstanding)} out {record.reason}".rstrip(), markup=False
    )
    for question, answer in record.answers:
        out.print(f"  [green]✓[/green] {question} ", end="")
        out.print(answer, markup=False)
    out.print("\n[bold]The gate about all of it[/bold]")
    for check in record.checks:
        if check.actual is not None:
            out.print(f"  {numbers_of(check)}", markup=False, style="dim" if check.passed else "red")
    out.print("\n[bold]Children[/bold]")
    for child in record.children:
        limit = "" if child.limit_price is None else f" at {plain(child.limit_price)}"
        out.print(
            f"  {child.order_id}: {plain(child.quantity)}{limit}, {child.status.value}, {plain(child.filled)} filled",
            markup=False,
        )
