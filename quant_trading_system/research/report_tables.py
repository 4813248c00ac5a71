"""The parts of a report that are words and rows: refusals, costs, statistics, fills, pay-outs, limits, journal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from quant_trading_system.core.decisions import CheckResult, Decision, Unit
from quant_trading_system.core.events import FillEvent
from quant_trading_system.core.numbers import plain
from quant_trading_system.execution.quality import BROKER
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.performance import BenchmarkReport, DayReturn, PerformanceReport, RunRecord
from quant_trading_system.research.wording import day, dollars, minute, number, percent, price, shares

MAX_FILLS = 500
"""Rows of the table of fills; the journal has all of them."""

MAX_REFUSALS = 100
"""Rows of the table of refused orders."""


def section(
    title: str, *content: Markup, note: str = "", legend: Sequence[tuple[str, str]] = (), aside: Sequence[Markup] = ()
) -> Markup:
    """A titled part of the page; `legend` holds pairs of a style and its meaning."""
    heading = [tag("h2", title)]
    if note:
        heading.append(tag("p", note))
    if legend:
        heading.append(tag("ul", *(tag("li", name, class_=style) for style, name in legend), class_="legend"))
    return tag("section", tag("div", *heading, *aside, class_="title"), *content)


def refusals(stats: PerformanceReport) -> Markup:
    """How often each rule refused."""
    counts = sorted(stats.refusals.items(), key=lambda item: (-item[1], item[0]))
    total = sum(stats.refusals.values())
    if not total:
        return section("Refused orders", tag("p", "No order was refused.", class_="none"))
    asked = stats.orders + total - stats.refusals.get(BROKER, 0)  # what the broker refused was sent
    bars = svg.bar_list([(rule, count, f"{count:,}") for rule, count in counts], label="Refused orders by rule")
    return section("Refused orders", bars, note=f"{total:,} of {asked:,} ({percent(total / asked, 1)}), by rule")


def latest_refusals(decisions: Mapping[str, Decision]) -> Markup:
    """The latest refused orders, newest first, with the numbers that refused them; nothing when none was refused."""
    refused = [(order, decision) for order, decision in decisions.items() if decision.refused_by is not None]
    if not refused:
        return Markup()
    rows = [_refused_row(order, decision) for order, decision in refused[: -MAX_REFUSALS - 1 : -1]]
    names = ("Time (UTC)", "Order", "Rule", "Actual", "Limit", "")
    head = tag("tr", *(tag("th", name, class_="n" if name in ("Actual", "Limit") else None) for name in names))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="wide")
    note = f"the latest {len(rows)} of {len(refused):,}" if len(rows) < len(refused) else ""
    return section("Why orders were refused", tag("div", table, class_="scroll tall", tabindex=0), note=note)


def _refused_row(order: str, decision: Decision) -> Markup:
    by = decision.refused_by
    failed = next((check for check in decision.checks if check.rule is by and not check.passed), None)
    actual, limit = (failed.actual, failed.limit) if failed else (None, None)
    unit = failed.unit if failed else Unit.NONE
    return tag(
        "tr",
        tag("td", minute(decision.at)),
        tag("td", order, class_="mono"),
        tag("td", by or ""),
        tag("td", "" if actual is None else _amount(actual, unit), class_="n"),
        tag("td", "" if limit is None else _amount(limit, unit), class_="n"),
        tag("td", failed.detail if failed else ""),
    )


def _amount(value: Decimal, unit: Unit) -> str:
    if unit is Unit.USD:
        return dollars(value)
    if unit is Unit.RATIO:
        return percent(float(value)).replace(".00%", "%")
    return f"{shares(value)} {unit}" if unit in (Unit.SHARES, Unit.SECONDS) else plain(value)


def costs(stats: PerformanceReport) -> Markup:
    """What trading cost, in dollars and as a share of what was traded."""
    rows = [
        ("Fees", stats.fees),
        ("Slippage against the expected price", stats.slippage),
        ("Together", stats.costs),
    ]
    lines = [
        tag(
            "tr",
            tag("td", name),
            tag("td", dollars(amount), class_="n"),
            tag("td", _bps(amount, stats.traded), class_="n"),
        )
        for name, amount in rows
    ]
    head = tag("tr", tag("th", ""), tag("th", "Dollars", class_="n"), tag("th", "bp of traded", class_="n"))
    note = f"{dollars(stats.traded)} bought and sold in {stats.fills:,} fills"
    return section("Costs", tag("table", tag("thead", head), tag("tbody", *lines)), note=note)


def _bps(amount: Decimal, traded: Decimal) -> str:
    return number(float(amount / traded) * 10_000 if traded else None)


def _signed(fraction: float | None) -> str:
    return percent(fraction, signed=True)


def _day_return(value: DayReturn | None) -> str:
    return _signed(value.value if value else None)


class _Statistic(NamedTuple):
    """One line of the table: an attribute of the reports of portfolio and benchmark, and what it means."""

    name: str
    attribute: str
    told: Callable[[Any], str]
    meaning: str


_STATISTICS = (
    _Statistic("Total return", "total_return", _signed, "time-weighted, after all costs"),
    _Statistic("Growth per year", "cagr", _signed, "compound daily returns (CAGR), 252 days a year"),
    _Statistic("Volatility", "volatility", percent, "standard deviation of daily returns, times the root of 252"),
    _Statistic(
        "Sharpe ratio", "sharpe", number, "mean daily return over its standard deviation, times the root of 252"
    ),
    _Statistic("Sortino ratio", "sortino", number, "as Sharpe, with losing days alone as risk"),
    _Statistic("Calmar ratio", "calmar", number, "growth per year over maximum drawdown"),
    _Statistic("Maximum drawdown", "max_drawdown", percent, "deepest fall from a peak, on every recorded point"),
    _Statistic("Drawdown at the end", "current_drawdown", percent, "below the highest equity so far"),
    _Statistic("Value at risk, 95%", "var_95", percent, "loss of one day that 95% of the days stayed within"),
    _Statistic("Best day", "best_day", _day_return, "highest daily return"),
    _Statistic("Worst day", "worst_day", _day_return, "lowest daily return"),
    _Statistic("Turnover per year", "turnover", number, "dollars bought and sold over average equity"),
    _Statistic("Exposure", "exposure", percent, "average of absolute position values over equity"),
    _Statistic("Hit rate", "hit_rate", percent, "closed trades that made money after fees"),
    _Statistic("Payoff", "payoff", number, "mean profit of winners over mean loss of losers"),
    _Statistic("Profit factor", "profit_factor", number, "sum of profits over sum of losses"),
    _Statistic("Orders sent", "orders", "{:,}".format, "orders that left for the broker"),
    _Statistic("Fills", "fills", "{:,}".format, "executions of those orders, whole or in part"),
    _Statistic("Closed trades", "trades", "{:,}".format, "round trips from open to flat"),
)


def statistics_table(stats: PerformanceReport) -> Markup:
    """Every statistic beside the benchmark's, with its definition."""
    columns: list[tuple[str, PerformanceReport | BenchmarkReport]] = [("Portfolio", stats)]
    if stats.benchmark:
        columns.append((stats.benchmark.name, stats.benchmark))
    lines = []
    for name, attribute, told, meaning in _STATISTICS:
        values = [told(getattr(report, attribute)) if hasattr(report, attribute) else "" for _, report in columns]
        own = getattr(stats, attribute)
        if isinstance(own, DayReturn):
            meaning = f"{meaning}, on {day(own.day)}"
        cells = [tag("td", value, class_="n") for value in values]
        lines.append(tag("tr", tag("td", name), *cells, tag("td", meaning, class_="explained")))
    titles = [tag("th", title, class_="n") for title, _ in columns]
    head = tag("tr", tag("th", ""), *titles, tag("th", "Definition", class_="explained"))
    return section("Statistics", tag("table", tag("thead", head), tag("tbody", *lines)))


def fills(record: RunRecord, decisions: Mapping[str, Decision]) -> Markup:
    """The latest fills, newest first, with a search over all columns."""
    if not record.fills:
        return section("Fills", tag("p", "Nothing was traded.", class_="none"))
    shown = record.fills[: -MAX_FILLS - 1 : -1]
    names = ["Time (UTC)", "Symbol", "Side", "Quantity", "Price", "Value", "Fee", "Realised", "Order", "Strategy"]
    tagged = any(fill.tag for fill in shown)
    names += ["Tag"] if tagged else []
    names += ["Closest limit"] if decisions else []
    head = tag("tr", *(tag("th", name) for name in names))
    rows = (tag("tr", *_fill_cells(fill, decisions, tagged=tagged)) for fill in shown)
    table = tag("table", tag("thead", head), tag("tbody", *rows), id="fills", class_="wide")
    note = f"{len(shown):,}"
    if len(shown) < len(record.fills):
        note = f"the latest {note} of {len(record.fills):,}; the journal has all"
    search = tag("input", type="search", id="search", placeholder="Search", aria_label="Search fills", hidden="")
    aside = [tag("p", id="found", aria_live="polite"), search]
    return section("Fills", tag("div", table, class_="scroll tall", tabindex=0), note=note, aside=aside)


def _fill_cells(fill: FillEvent, decisions: Mapping[str, Decision], *, tagged: bool) -> list[Markup]:
    gain = fill.realized_pnl
    colour = "up" if gain > 0 else "down" if gain < 0 else None
    cells = [
        tag("td", minute(fill.at)),
        tag("td", fill.symbol),
        tag("td", fill.side),
        tag("td", shares(fill.quantity)),
        tag("td", price(fill.price)),
        tag("td", dollars(fill.quantity * fill.price)),
        tag("td", dollars(fill.fee) if fill.fee else ""),
        tag("td", dollars(gain, signed=True) if gain else "", class_=colour),
        tag("td", fill.order_id),
        tag("td", fill.strategy),
    ]
    if tagged:
        cells.append(tag("td", fill.tag))
    if decisions:
        cells.append(tag("td", _closest_limit(decisions.get(fill.order_id))))
    return cells


def _closest_limit(decision: Decision | None) -> str:
    """The passed check with the least room, relative to its limit."""
    tightest = min(
        (check for check in decision.checks if check.passed and check.headroom is not None and check.limit),
        key=_relative_room,
        default=None,
    ) if decision else None  # fmt: skip
    if tightest is None or tightest.actual is None or tightest.limit is None:
        return ""
    unit = tightest.unit
    return f"{tightest.rule} {_amount(tightest.actual, unit)} of {_amount(tightest.limit, unit)}"


def _relative_room(check: CheckResult) -> Decimal:
    assert check.headroom is not None
    assert check.limit is not None
    return check.headroom / abs(check.limit)


def paid_out(record: RunRecord) -> Markup:
    """Holdings that became cash, for the prices of their symbols had ended; nothing when there were none."""
    if not record.paid_out:
        return Markup()
    names = ("Time (UTC)", "Symbol", "Shares", "Price", "Cash", "Realised")
    head = tag("tr", *(tag("th", name, class_="n" if name in names[2:] else None) for name in names))
    rows = (
        tag(
            "tr",
            tag("td", minute(entry.at)),
            tag("td", entry.symbol),
            tag("td", shares(entry.shares.copy_negate()), class_="n"),
            tag("td", price(entry.price), class_="n"),
            tag("td", dollars(entry.amount, signed=True), class_="n"),
            tag("td", dollars(entry.realized_pnl, signed=True), class_="n"),
        )
        for entry in record.paid_out
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="wide")
    note = "positions that were open when the prices of their symbols had ended, closed without an order"
    return section("Paid out", tag("div", table, class_="scroll tall", tabindex=0), note=note)


def limits(record: RunRecord) -> Markup:
    """Every limit that was in force."""
    if not record.limits:
        return section("Limits in force", tag("p", "None were recorded.", class_="none"))
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in record.limits.items()]
    note = f"version {record.limits_version}" if record.limits_version else ""
    return section("Limits in force", tag("dl", *rows, class_="limits mono"), note=note)


def journal(record: RunRecord) -> Markup:
    """Where the record of the run is, and how to check that nobody changed it."""
    seal = record.journal
    if seal is None:
        return section("Journal", tag("p", "This run kept no journal.", class_="none"))
    state = "followed from the first entry to the head" if seal.verified else "not followed to the head"
    facts = [("File", seal.path), ("Entries", f"{seal.entries:,}"), ("Head", seal.head), ("Chain", state)]
    listed = [part for name, value in facts for part in (tag("dt", name), tag("dd", value, class_="mono"))]
    return section(
        "Journal",
        tag("dl", *listed, class_="facts"),
        tag("p", "To check that no entry was changed, removed or added since, run", class_="none after"),
        tag("pre", f"qts journal verify {shlex.quote(seal.path)}"),
        tag("p", "and compare the head that it prints with the one above.", class_="none after"),
    )
