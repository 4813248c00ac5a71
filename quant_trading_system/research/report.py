"""One run as one HTML file: it opens offline, follows light and dark, and prints.

The page loads nothing: styles, script and charts are in it, and its content security policy forbids the
browser to fetch anything. The same record gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np

from quant_trading_system import __version__
from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.research import report_tables as tables
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, join, tag
from quant_trading_system.research.performance import MonthReturn, PerformanceReport, RunRecord, growth_curve
from quant_trading_system.research.wording import (
    UNKNOWN,
    day,
    dollars,
    month_names,
    number,
    percent,
    short_dollars,
)
from quant_trading_system.risk.metrics import drawdown_series


def write_html(
    path: str | Path,
    record: RunRecord,
    stats: PerformanceReport,
    *,
    title: str,
    subtitle: str,
    decisions: Mapping[str, Decision] | None = None,
) -> None:
    """Write the report of a run.

    Args:
        path: of the file, which is replaced as a whole; its directory must exist.
        record: what the run left behind; stats: its `statistics`.
        title: what was run; subtitle: on what, in one line.
        decisions: decision records by client order id; the report then tells how close fills came to a limit
            and with which numbers orders were refused.

    Raises:
        OSError: the file cannot be written.
    """
    page = render_html(record, stats, title=title, subtitle=subtitle, decisions=decisions or {})
    target = Path(path)
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(target)


def render_html(
    record: RunRecord, stats: PerformanceReport, *, title: str, subtitle: str, decisions: Mapping[str, Decision]
) -> str:
    """The page as text; arguments as `write_html`."""
    body = tag(
        "main",
        _header(record, stats, title, subtitle),
        _tiles(stats),
        _equity(record, stats),
        _drawdown(record, stats),
        _monthly(stats.monthly),
        _exposure(record, stats),
        tag("div", tables.refusals(stats, decisions), tables.costs(stats), class_="pair"),
        tables.statistics_table(stats),
        tables.fills(record, decisions),
        tag("div", tables.limits(record), tables.journal(record), class_="pair"),
        tag("footer", f"quant_trading_system {__version__}. Past results do not tell the future."),
    )
    return _page(title, body)


def _page(title: str, body: Markup) -> str:
    assets = files(__package__)
    style = Markup(assets.joinpath("report.css").read_text(encoding="utf-8"))
    script = Markup(assets.joinpath("report.js").read_text(encoding="utf-8"))
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", style),
    )
    page = tag("html", head, tag("body", body, tag("script", script)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _header(record: RunRecord, stats: PerformanceReport, title: str, subtitle: str) -> Markup:
    chips = [tag("span", f"{day(stats.start)} to {day(stats.end)}, {stats.days} days", class_="chip")]
    halts = sum(event.level is not HaltLevel.RUNNING for event in record.halts)
    if record.halts:
        chips.append(tag("span", f"halted {halts} {'time' if halts == 1 else 'times'}", class_="chip bad"))
    if record.limits_version:
        chips.append(tag("span", f"limits {record.limits_version}", class_="chip"))
    if record.journal:
        good = record.journal.verified
        told = "journal verified" if good else "journal not verified"
        chips.append(tag("span", told, class_=f"chip {'good' if good else 'bad'}"))
    return tag(
        "header", tag("h1", title), tag("p", subtitle, class_="subtitle"), tag("div", *chips, class_="chips")
    )


def _tiles(stats: PerformanceReport) -> Markup:
    spell, bench = stats.drawdown, stats.benchmark
    fall = f"{day(spell.peak)} to {day(spell.trough)}" if spell else "equity never fell"
    worst = f"worst day {percent(stats.worst_day.value)}" if stats.worst_day else "no day has ended"
    return tag(
        "dl",
        _tile("Net profit", dollars(stats.net_profit, signed=True), f"{dollars(stats.equity_end)} at the end", stats.net_profit),
        _tile("Total return", percent(stats.total_return, signed=True), f"{bench.name} {percent(bench.total_return, signed=True)}" if bench else "after all costs", stats.total_return),
        _tile("Growth per year", percent(stats.cagr, signed=True), f"volatility {percent(stats.volatility, 1)}"),
        _tile("Sharpe ratio", number(stats.sharpe), f"Sortino {number(stats.sortino)}, Calmar {number(stats.calmar)}"),
        _tile("Maximum drawdown", percent(stats.max_drawdown), fall if stats.max_drawdown is not None else "too few days"),
        _tile("Value at risk, one day", percent(stats.var_95), f"95% confidence, {worst}"),
        _tile("Costs", dollars(stats.costs), f"{number(stats.costs_bps, 1)} bp of {short_dollars(float(stats.traded))} traded"),
        _tile("Closed trades", f"{stats.trades:,}", f"{percent(stats.hit_rate, 0)} made money, payoff {number(stats.payoff)}"),
        class_="tiles",
    )  # fmt: skip
