"""The transaction costs of a run as one HTML page that needs no network: where the cost came from, parent by parent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.execution.tca import Shortfall
from quant_trading_system.execution.tca_groups import GroupCosts
from quant_trading_system.execution.tca_report import ParentCosts, TcaReport, known_benchmarks
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.report import page_of, save_page
from quant_trading_system.research.report_tables import section

PARTS = ("delay", "spread", "impact", "timing", "opportunity", "fees")
"""What a shortfall is made of, in the order of its life."""


def write_tca(path: Path, report: TcaReport, *, title: str, quality: Sequence[tuple[str, str]] = ()) -> None:
    """Write the page to `path`, which is replaced as a whole; `quality`: of all orders, names and values.

    Raises:
        OSError: the file cannot be written.
    """
    save_page(path, render_tca(report, title=title, quality=quality))


def render_tca(report: TcaReport, *, title: str, quality: Sequence[tuple[str, str]] = ()) -> str:
    """The page as text."""
    parts: list[Markup] = [tag("header", tag("h1", title))]
    if report.total is None:
        parts.append(section("Costs", tag("p", "No parent order has ended in this journal.", class_="none")))
    else:
        parts += [_parts(report.total), _expected(report.parents)]
        groups = (("algorithm", report.by_algorithm), ("symbol", report.by_symbol), ("strategy", report.by_strategy))
        parts += [_groups(name, rows) for name, rows in groups]
    parts += [_against(report.parents), _parents(report.parents)]
    if quality:
        parts.append(section("Orders of the run", _table(("what", "value"), quality)))
    return page_of(title, tag("main", *parts))


def _parts(total: GroupCosts) -> Markup:
    """What all the dollars went to; gains are told in the text, and have a bar of their size as well."""
    amounts = [(name, getattr(total, name)) for name in PARTS]
    bars = svg.bar_list(
        [(name, abs(float(amount)), usd(amount)) for name, amount in amounts], label="Implementation shortfall by cause"
    )
    note = f"{usd(total.total)}, {total.total_bps:.1f} bp of {usd(total.value)} wanted; positive hurts"
    return section("Implementation shortfall", bars, note=note)


def _expected(parents: Sequence[ParentCosts]) -> Markup:
    """Expected and realised cost against arrival, side by side."""
    rows: list[tuple[str, float, str]] = []
    for parent in parents:
        realised = parent.against.get("arrival")
        if parent.expected_bps is not None and realised is not None:
            rows.append((f"{parent.parent_id} expected", abs(float(parent.expected_bps)), f"{parent.expected_bps} bp"))
            rows.append((f"{parent.parent_id} realised", abs(float(realised)), f"{realised:.2f} bp"))
    if not rows:
        return Markup()
    return section("Expected and realised", svg.bar_list(rows[:60], label="Cost of each parent against arrival"))


def _against(parents: Sequence[ParentCosts]) -> Markup:
    """How much worse than each benchmark, and how the market moved afterwards."""
    names = known_benchmarks(parents)
    spans = tuple(dict.fromkeys(span for parent in parents for span in parent.mark_outs))
    if not names:
        return Markup()
    cells = [
        (parent.parent_id, *(_bp(parent.against.get(name)) for name in names),
         *(_bp(parent.mark_outs.get(span)) for span in spans))
        for parent in parents
    ]  # fmt: skip
    heads = ("parent", *names, *(f"after {span} s" for span in spans))
    note = "basis points: worse than the benchmark; after the fills, how far the price went our way"
    return section("Against benchmarks, and mark-outs", _table(heads, cells), note=note)


def _groups(name: str, rows: Sequence[GroupCosts]) -> Markup:
    cells = [
        (row.name or "none", str(row.parents), f"{row.quantity_rate * 100:.1f} %", usd(row.total),
         f"{row.total_bps:.2f}", _bp(row.expected_bps), _bp(row.realised_bps))
        for row in rows
    ]  # fmt: skip
    heads = (name, "parents", "filled", "cost", "bp", "expected bp", "realised bp")
    return section(f"By {name}", _table(heads, cells))


def _parents(parents: Sequence[ParentCosts]) -> Markup:
    heads = ("parent", "what", "algorithm", "status", "filled", "average", *PARTS, "bp")
    cells = [
        (p.parent_id, f"{p.side} {plain(p.quantity)} {p.symbol}", p.algorithm, p.status, plain(p.filled),
         "" if p.average is None else f"{p.average:.4f}", *_dollars(p.shortfall))
        for p in parents
    ]  # fmt: skip
    return section("Parent orders", _table(heads, cells))


def _dollars(cut: Shortfall | None) -> tuple[str, ...]:
    if cut is None:
        return ("",) * (len(PARTS) + 1)
    return (*(f"{getattr(cut, name):.2f}" for name in PARTS), f"{cut.total_bps:.2f}")


def _bp(value: Decimal | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", *(tag("th", name) for name in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="wide")
    return tag("div", table, class_="scroll tall", tabindex=0)
