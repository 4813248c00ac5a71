"""One run as one HTML file: it opens offline, follows light and dark, and prints.

The page loads nothing: styles, script and charts are in it, and its content security policy forbids the
browser to fetch anything. The same record gives the same bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np

from quant_trading_system import __version__
from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import from_float
from quant_trading_system.research import report_tables as tables
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.performance import MonthReturn, PerformanceReport, RunRecord, growth_curve
from quant_trading_system.research.report_tables import section
from quant_trading_system.research.wording import (
    axis_percent,
    day,
    dollars,
    month_names,
    number,
    percent,
    short_dollars,
)
from quant_trading_system.risk.metrics import drawdown_series

_TOO_FEW = "too few days to tell"


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
    save_page(path, render_html(record, stats, title=title, subtitle=subtitle, decisions=decisions or {}))


def save_page(path: str | Path, text: str) -> None:
    """Write a page to `path`, which is replaced as a whole; its directory must exist.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(path)
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.write_text(text, encoding="utf-8")
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
        tag("div", tables.refusals(stats), tables.costs(stats), class_="pair"),
        tables.statistics_table(stats),
        tables.latest_refusals(decisions),
        tables.fills(record, decisions),
        tables.paid_out(record),
        tables.limits(record),
        tables.journal(record),
        tag("footer", f"quant_trading_system {__version__}. Past results do not tell the future."),
    )
    return page_of(title, body)


def page_of(title: str, body: Markup) -> str:
    """A whole HTML page around `body`, with the styles and the script of the house and a policy that admits no more."""
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
        chips.append(tag("span", "1 halt" if halts == 1 else f"{halts} halts", class_="chip bad"))
    if record.limits_version:
        chips.append(tag("span", f"limits {record.limits_version}", class_="chip"))
    if record.journal:
        good = record.journal.verified
        told = "journal verified" if good else "journal not verified"
        chips.append(tag("span", told, class_=f"chip {'good' if good else 'bad'}"))
    return tag("header", tag("h1", title), tag("p", subtitle, class_="subtitle"), tag("div", *chips, class_="chips"))


def _tiles(stats: PerformanceReport) -> Markup:
    spell, bench = stats.drawdown, stats.benchmark
    end = f"{dollars(stats.equity_end)} at the end"
    known = stats.max_drawdown is not None
    fall = f"{day(spell.peak)} to {day(spell.trough)}" if spell else "never below its peak" if known else _TOO_FEW
    compared = f"{bench.name} {percent(bench.total_return, signed=True)}" if bench else "time-weighted, after costs"
    worst = f"95% of days; worst {percent(stats.worst_day.value)}" if stats.worst_day else _TOO_FEW
    paid = (
        f"{number(stats.costs_bps, 1)} bp of {short_dollars(float(stats.traded))} traded"
        if stats.traded
        else "nothing traded"
    )
    won = (
        f"{percent(stats.hit_rate, 0)} made money, payoff {number(stats.payoff)}" if stats.trades else "none was closed"
    )
    return tag(
        "dl",
        tile("Net profit", dollars(stats.net_profit, signed=True), end, stats.net_profit),
        tile("Total return", percent(stats.total_return, signed=True), compared, stats.total_return or 0),
        tile("Growth per year", percent(stats.cagr, signed=True), f"volatility {percent(stats.volatility, 1)}"),
        tile("Sharpe ratio", number(stats.sharpe), f"Sortino {number(stats.sortino)}, Calmar {number(stats.calmar)}"),
        tile("Maximum drawdown", percent(stats.max_drawdown), fall),
        tile("Value at risk, one day", percent(stats.var_95), worst),
        tile("Costs", dollars(stats.costs), paid),
        tile("Closed trades", f"{stats.trades:,}", won),
        class_="tiles",
    )  # fmt: skip


def tile(name: str, figure: str, aside: str, sign: Decimal | float = 0) -> Markup:
    """One key figure: its name, the figure, and a remark; `sign` colours it."""
    colour = "figure up" if sign > 0 else "figure down" if sign < 0 else "figure"
    return tag(
        "div",
        tag("dt", name),
        tag("dd", figure, class_=colour),
        tag("dd", aside, class_="aside"),
        class_="tile",
    )


def _equity(record: RunRecord, stats: PerformanceReport) -> Markup:
    equity = [float(value) for value in record.equity]
    curves = [svg.Series("Portfolio", equity, "main")]
    if record.benchmark:
        start = record.benchmark[0]
        scaled = [equity[0] * price / start for price in record.benchmark]
        curves.insert(0, svg.Series(record.benchmark_name, scaled, "reference"))
    halts = halted_spans(record)
    legend = [("main", "Portfolio")] if len(equity) > 1 else []
    legend += [("reference", f"{record.benchmark_name}, from the same start")] if record.benchmark else []
    legend += [("halt", "halted")] if halts else []
    told = f"Equity from {dollars(stats.equity_start)} to {dollars(stats.equity_end)}"
    return section(
        "Equity", _chart(record, curves, told, (short_dollars, _in_dollars), spans=halts, height=300), legend=legend
    )


def halted_spans(record: RunRecord) -> list[svg.Span]:
    """From each activation of the kill switch to its reset, or to the end."""
    spans: list[svg.Span] = []
    since = None
    for event in record.halts:
        if since is not None:
            spans.append(svg.Span(since.at, event.at, f"{since.level.name.capitalize()}: {since.reason}"))
        since = None if event.level is HaltLevel.RUNNING else event
    if since is not None:
        spans.append(svg.Span(since.at, record.times[-1], f"{since.level.name.capitalize()}: {since.reason}"))
    return spans


def _drawdown(record: RunRecord, stats: PerformanceReport) -> Markup:
    falls = [-value for value in drawdown_series(growth_curve(record)).tolist()]
    limit = record.limits.get("risk.max_drawdown_pct")
    levels = [svg.Level(-float(limit), f"kill switch at {percent(float(limit), 0)}")] if limit else []
    spell = stats.drawdown
    note = ""
    if spell:
        end = f"recovered on {day(spell.recovered)}" if spell.recovered else "not recovered"
        note = f"Deepest {percent(spell.depth)} on {day(spell.trough)}, {end} ({spell.length_days} days)"
    chart = _chart(
        record,
        [svg.Series("Drawdown", falls, "fall", filled=True)],
        "Loss from the highest equity so far",
        (axis_percent, percent),
        levels=levels,
        shown=(-0.02,),
        height=170,
    )
    return section("Drawdown", chart, note=note)


def _monthly(months: list[MonthReturn]) -> Markup:
    if not months:
        return section("Monthly returns", tag("p", "Too few days for a chart.", class_="none"))
    rows = []
    for year in sorted({item.year for item in months}):
        values = {item.month: item.value for item in months if item.year == year}
        whole = float(np.prod([1 + value for value in values.values()])) - 1
        rows.append(svg.HeatRow(str(year), [values.get(month) for month in range(1, 13)], whole))
    chart = svg.heat_map([*month_names(), "Year"], rows, label="Returns by month and year, per cent")
    return section("Monthly returns", tag("div", chart, class_="scroll"), note="per cent, time-weighted")


def _exposure(record: RunRecord, stats: PerformanceReport) -> Markup:
    if not record.gross_exposure:
        return section("Exposure", tag("p", "No exposure was recorded.", class_="none"))
    limit = record.limits.get("account.max_gross_exposure")
    chart = _chart(
        record,
        [svg.Series("Gross exposure", record.gross_exposure, "main", filled=True)],
        "Value of all positions as a share of equity",
        (axis_percent, percent),
        levels=[svg.Level(float(limit), f"limit {percent(float(limit), 0)}")] if limit else [],
        shown=(0.2,),
        height=150,
    )
    return section("Exposure", chart, note=f"Positions as a share of equity, on average {percent(stats.exposure, 1)}")


def _chart(
    record: RunRecord,
    curves: list[svg.Series],
    label: str,
    texts: tuple[Callable[[float], str], Callable[[float], str]],
    *,
    height: int,
    levels: Sequence[svg.Level] = (),
    spans: Sequence[svg.Span] = (),
    shown: Sequence[float] = (),
) -> Markup:
    if len(record.times) < 2:
        return tag("p", "Too few days for a chart.", class_="none")
    return svg.time_chart(
        record.times,
        curves,
        label=label,
        axis_text=texts[0],
        value_text=texts[1],
        levels=levels,
        spans=spans,
        shown=shown,
        height=height,
    )


def _in_dollars(amount: float) -> str:
    return dollars(from_float(amount, 2))
