"""A portfolio of the optimiser as one HTML file: weights, where the risk lies, and the efficient frontier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from quant_trading_system import __version__
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.plane import Dot, plane
from quant_trading_system.research.report import page_of, save_page, tile
from quant_trading_system.research.report_tables import section
from quant_trading_system.research.wording import axis_percent, number, percent
from quant_trading_system.risk.portfolio_optimizer import Portfolio

DAYS_PER_YEAR = 252


class PortfolioPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows.

    Attributes:
        portfolio: per day.
        frontier: portfolios of rising return, per day; empty without expected returns.
        title: what was asked for; `subtitle`: of which prices, in one line.
        notes: how the covariance was estimated and what else a reader must know, a line each.
    """

    portfolio: Portfolio
    title: str
    subtitle: str
    frontier: tuple[Portfolio, ...] = ()
    notes: tuple[str, ...] = ()


def write_portfolio_html(path: str | Path, page: PortfolioPage) -> None:
    """Write the page to `path`, which is replaced as a whole; its directory must exist.

    Raises:
        OSError: the file cannot be written.
    """
    save_page(path, render_portfolio_html(page))


def render_portfolio_html(page: PortfolioPage) -> str:
    """The page as text; the same portfolio gives the same bytes."""
    found = page.portfolio
    body = tag(
        "main",
        tag("header", tag("h1", page.title), tag("p", page.subtitle, class_="subtitle"), _chips(found)),
        _tiles(found),
        tag(
            "div",
            section("Weights", _bars(found.weights, "Weights"), note="of equity"),
            section(
                "Risk contributions", _bars(found.risk_contributions, "Risk contributions"), note="of the variance"
            ),
            class_="pair",
        ),
        _frontier(page),
        _how(page),
        tag("footer", f"quant_trading_system {__version__}. Past returns do not tell the future."),
    )
    return page_of(page.title, body)


def _chips(found: Portfolio) -> Markup:
    chips = [tag("span", f"solved by {found.rung}", class_="chip")]
    if found.kkt_residual is not None:
        chips.append(tag("span", f"KKT residual {found.kkt_residual:.1e}", class_="chip good"))
    if any(attempt.method is not found.method for attempt in found.attempts):
        chips.append(tag("span", f"fallback: {found.method}", class_="chip bad"))
    return tag("div", *chips, class_="chips")


def _tiles(found: Portfolio) -> Markup:
    year = DAYS_PER_YEAR
    held = sum(weight != 0 for weight in found.weights.values())
    expected = None if found.expected_return is None else found.expected_return * year
    largest = max(found.weights, key=lambda symbol: abs(found.weights[symbol]))
    return tag(
        "dl",
        tile("Volatility per year", percent(found.volatility * year**0.5), "ex ante"),
        tile("Expected return per year", percent(expected), "from the means given"),
        tile("Diversification ratio", number(found.diversification_ratio), "1 is one bet"),
        tile("Positions", str(held), f"largest {largest} {percent(found.weights[largest], 1)}"),
        class_="tiles",
    )


def _bars(values: dict[str, float], label: str) -> Markup:
    rows = [(symbol, abs(value), percent(value)) for symbol, value in values.items() if value]
    return svg.bar_list(sorted(rows, key=lambda row: (-row[1], row[0])), label=label)


def _frontier(page: PortfolioPage) -> Markup:
    if len(page.frontier) < 2:
        return section(
            "Efficient frontier",
            tag("p", "Not drawn: it needs expected returns, and no limit on the number of positions.", class_="none"),
        )
    legend = [("main", "least volatility for a return"), ("reference", "this portfolio")]
    return section("Efficient frontier", frontier_chart(page.frontier, page.portfolio), note="per year", legend=legend)


def frontier_chart(frontier: Sequence[Portfolio], chosen: Portfolio) -> Markup:
    """Expected return over volatility, per year: the frontier as a curve, and the chosen portfolio as a dot."""
    curve = [_point(portfolio) for portfolio in frontier]
    dot = _point(chosen)
    dots = [Dot(x, y, "main", f"{percent(y)} at a volatility of {percent(x)}") for x, y in curve]
    told = f"{chosen.method}: {percent(dot[1])} at {percent(dot[0])}"
    return plane(
        curve,
        [*dots, Dot(*dot, "reference", told)],
        label="Efficient frontier: expected return over volatility, per year",
        axis_text=axis_percent,
    )


def _point(portfolio: Portfolio) -> tuple[float, float]:
    return portfolio.volatility * DAYS_PER_YEAR**0.5, (portfolio.expected_return or 0.0) * DAYS_PER_YEAR


def _how(page: PortfolioPage) -> Markup:
    found = page.portfolio
    rows = [("Binding constraints", ", ".join(found.binding) or "none")]
    rows += [("Kept by the no-trade band", ", ".join(found.kept))] if found.kept else []
    rows += [(f"Tried before: {attempt.method}, {attempt.rung}", attempt.reason) for attempt in found.attempts]
    table = tag("table", tag("tbody", *(tag("tr", tag("td", name), tag("td", told)) for name, told in rows)))
    return section("How it was found", table, *(tag("p", note, class_="after") for note in page.notes))
