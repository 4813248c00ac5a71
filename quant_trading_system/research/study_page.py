"""A study of execution algorithms as one HTML page: the frontier with what was measured on it, and the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.research import svg
from quant_trading_system.research.execution_study import Compared
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.plane import Dot, plane
from quant_trading_system.research.report import page_of, save_page
from quant_trading_system.research.report_tables import section
from quant_trading_system.research.study_day import Study


def write_study(path: Path, study: Study, ways: Sequence[Compared], points: Sequence[Compared], *, title: str) -> None:
    """Write the page to `path`, which is replaced as a whole.

    Raises:
        OSError: the file cannot be written.
    """
    save_page(path, render_study(study, ways, points, title=title))


def render_study(study: Study, ways: Sequence[Compared], points: Sequence[Compared], *, title: str) -> str:
    """The page as text."""
    impact = study.impact
    market = (
        f"{usd(study.price)} a share, {study.daily_volume:,} shares a day, volatility {study.volatility:.2%} a day; "
        f"impact {plain(impact.temporary_bps)} bp temporary to the power {plain(impact.exponent)}, "
        f"{plain(impact.permanent_bps)} bp permanent"
    )
    body = tag(
        "main",
        tag("header", tag("h1", title), tag("p", market, class_="subtitle")),
        _frontier(study, ways, points),
        _ranking(study, ways),
        _table("Frontier", "κT", study, points),
        _table("Algorithms", "algorithm", study, ways),
    )
    return page_of(title, body)


def _frontier(study: Study, ways: Sequence[Compared], points: Sequence[Compared]) -> Markup:
    bp = study.notional / 1e4
    curve = sorted((point.expected_risk / bp, point.expected_cost / bp) for point in points)
    dots = [_dot(point, bp, "main", f"κT {point.name}") for point in points]
    dots += [_dot(way, bp, "reference", way.name) for way in ways]
    legend = [("main", "theory, and what the engine paid on it"), ("reference", "the algorithms")]
    drawn = plane(curve, dots, label="Expected cost over risk, basis points", axis_text=lambda value: f"{value:g}")
    return section("Efficient frontier", drawn, note="cost over one standard deviation, bp", legend=legend)


def _dot(way: Compared, bp: float, style: str, name: str) -> Dot:
    risk, cost = way.seen.deviation / bp, way.cost.mean / bp
    return Dot(risk, cost, style, f"{name}: {cost:.2f} bp ± {way.cost.error / bp:.2f} at a risk of {risk:.1f} bp")


def _ranking(study: Study, ways: Sequence[Compared]) -> Markup:
    bp, aversion = study.notional / 1e4, study.risk_aversion
    ranked = sorted(ways, key=lambda way: way.utility(aversion, theory=True))
    rows = []
    for way in ranked:
        for told, theory in (("theory", True), ("measured", False)):
            value = way.utility(aversion, theory=theory) / bp
            rows.append((f"{way.name}, {told}", value, f"{value:.2f} bp"))
    return section("Cost + λ · variance", svg.bar_list(rows, label="Algorithms, best first"), note="best first")


def _table(title: str, first: str, study: Study, ways: Sequence[Compared]) -> Markup:
    bp = study.notional / 1e4
    heads = (first, "cost bp", "paid bp", "risk bp", "seen bp", "against arrival bp", "filled")
    rows = [
        (way.name, f"{way.expected_cost / bp:.2f}", f"{way.cost.mean / bp:.2f} ± {way.cost.error / bp:.2f}",
         f"{way.expected_risk / bp:.1f}", f"{way.seen.deviation / bp:.1f} ± {way.seen.deviation_error / bp:.1f}",
         f"{way.seen.mean / bp:.1f} ± {way.seen.error / bp:.1f}", f"{way.filled:.1%}")
        for way in ways
    ]  # fmt: skip
    head = tag("tr", *(tag("th", name) for name in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return section(title, tag("table", tag("thead", head), tag("tbody", *body), class_="wide"))
