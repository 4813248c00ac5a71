"""`qts algo compare`: the algorithms side by side on simulated days, and the frontier, theory beside what was paid."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.price_lookup import (
    Adv,
    Impact,
    Price,
    Prices,
    Seen,
    Spread,
    Volatility,
    number_of,
    usual_spread,
)
from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.core.numbers import BASIS_POINT, plain, usd
from quant_trading_system.core.orders import OrderSide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quant_trading_system.research.execution_study import Compared
    from quant_trading_system.research.study_day import Study
    from quant_trading_system.simulation.realism import MarketImpact

Paths = Annotated[
    int, typer.Option("--paths", help="Simulated days; the error falls with their root.", min=2, max=9999)
]
Steps = Annotated[int, typer.Option("--slices", help="Of the schedules, evenly over the session.", min=3, max=390)]
Share = Annotated[str, typer.Option("--participation", help="Of pov: own shares per share of others.")]
Aversion = Annotated[
    str, typer.Option("--risk-aversion", help="Lambda in 1/dollar, such as 1e-6.", show_default="by the order's size")
]
Temporary = Annotated[
    str,
    typer.Option(
        help="Basis points on top for an order as large as the volume of its time.", show_default="by liquidity"
    ),
]
Permanent = Annotated[
    str,
    typer.Option(help="Basis points for good for an order as large as a day's volume.", show_default="by liquidity"),
]
Exponent = Annotated[
    str, typer.Option(help="Power of the temporary impact: 1 linear, 0.5 square root.", show_default="0.6")
]
Seed = Annotated[int, typer.Option(help="Decides every price.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with the frontier drawn.", show_default=False)]

_URGENCIES = (0.01, 1.0, 2.0, 3.0, 5.0)
_WEIGHT = 5.0
"""Basis points of cost that a deviation of 100 weighs, as for `qts algo plan`."""


def compare(
    symbol: Annotated[str, typer.Argument(help="Such as KO.")],
    side: Annotated[OrderSide, typer.Argument(help="buy or sell.")],
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="Shares.")],
    prices: Prices = "sp500",
    price: Price = "",
    adv: Adv = "",
    volatility: Volatility = "",
    spread: Spread = "",
    paths: Paths = 100,
    slices: Steps = 13,
    participation: Share = "0.2",
    risk_aversion: Aversion = "",
    impact: Impact = None,
    temporary_impact: Temporary = "",
    permanent_impact: Permanent = "",
    impact_exponent: Exponent = "",
    seed: Seed = 7,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Trade an order on simulated days by each algorithm, through the whole engine, and compare with theory.

    Example: [bold]qts algo compare KO buy 200000 --adv 12000000 --html compare.html[/bold]
    """
    from quant_trading_system.research.execution_study import compare as compare_algorithms
    from quant_trading_system.research.execution_study import frontier
    from quant_trading_system.research.study_day import Study

    name = symbol.strip().upper()
    seen = Seen(name, prices, needed=not (price and adv and volatility), until=None)
    mid, daily, sigma = seen.price(price), seen.volume(adv), seen.volatility(volatility)
    shares = number_of(quantity, "QTY")
    study = Study(
        quantity=shares,
        price=mid,
        daily_volume=int(daily),
        volatility=float(sigma),
        impact=_impact(impact, mid, daily, sigma, temporary_impact, permanent_impact, impact_exponent),
        side=side,
        spread_bps=usual_spread(spread, mid, daily) / mid / BASIS_POINT,
        steps=slices,
        participation=number_of(participation, "--participation"),
        risk_aversion=float(number_of(risk_aversion, "--risk-aversion"))
        if risk_aversion
        else _WEIGHT / float(shares * mid),
    )
    with screen().status("simulating") as shown:

        def tell(what: str) -> None:
            shown.update(f"simulating {paths} days: {what}")

        ways, points = compare_algorithms(study, paths, seed, tell), frontier(study, _URGENCIES, paths, seed, tell)
    if html is not None:
        from quant_trading_system.research.study_page import write_study

        write_study(html, study, ways, points, title=f"{side.value} {plain(shares)} {name}")
    if as_json:
        print_json({"study": study, "paths": paths, "algorithms": _rows(ways), "frontier": _rows(points)})
        return
    _show(study, name, paths, ways, points)
    if html is not None:
        screen().print(f"written to {html}", markup=False)


def _impact(
    file: Path | None, mid: Decimal, daily: Decimal, sigma: Decimal, temporary: str, permanent: str, exponent: str
) -> MarketImpact:
    """What was given; the rest as calibrated, or as measured for stocks of that liquidity, in units of volatility."""
    from quant_trading_system.core.numbers import from_float
    from quant_trading_system.execution.algo.impact import DEFAULTS, liquidity_of
    from quant_trading_system.execution.algo.impact_file import read_impact
    from quant_trading_system.simulation.realism import MarketImpact

    model = DEFAULTS[liquidity_of(float(mid), float(daily))].model if file is None else read_impact(file)
    usual = [from_float(share, 6) * sigma / BASIS_POINT for share in (model.eta, model.gamma)]
    return MarketImpact(
        temporary_bps=number_of(temporary, "--temporary-impact") if temporary else usual[0],
        permanent_bps=number_of(permanent, "--permanent-impact") if permanent else usual[1],
        exponent=number_of(exponent, "--impact-exponent") if exponent else from_float(model.exponent, 6),
    )


def _rows(ways: Sequence[Compared]) -> list[dict[str, object]]:
    """For a program: dollars, with names."""
    return [{**way._asdict(), "cost": way.cost._asdict(), "seen": way.seen._asdict()} for way in ways]


def _show(study: Study, name: str, paths: int, ways: Sequence[Compared], points: Sequence[Compared]) -> None:
    out, aversion = screen(), study.risk_aversion
    out.print(
        f"{study.side.value} {plain(study.quantity)} {name} at {usd(study.price)}, "
        f"{float(study.quantity) / study.daily_volume:.2%} of a day, on {paths} simulated days",
        markup=False,
    )
    out.print(
        "basis points of the order; beside each number of theory what the engine paid on the venue\n", style="dim"
    )
    ranked = sorted(ways, key=lambda way: way.utility(aversion, theory=True))
    bp = study.notional / 1e4
    numbers = ("cost", "paid", "risk", "seen", "cost + λ·variance", "of days", "filled")
    rows = table("algorithm", *numbers, right=numbers)
    for way in ranked:
        rows.add_row(
            way.name,
            *_pair(way, bp),
            f"{way.utility(aversion, theory=True) / bp:.2f}",
            f"{way.utility(aversion, theory=False) / bp:.2f}",
            f"{way.filled:.1%}",
        )
    out.print(rows)
    curve = table("frontier, κT", *numbers[:4], right=numbers[:4])
    for point in points:
        curve.add_row(point.name, *_pair(point, bp))
    out.print(curve)


def _pair(way: Compared, bp: float) -> tuple[str, str, str, str]:
    cost, seen = way.cost, way.seen
    return (
        f"{way.expected_cost / bp:.2f}",
        f"{cost.mean / bp:.2f} ± {cost.error / bp:.2f}",
        f"{way.expected_risk / bp:.1f}",
        f"{seen.deviation / bp:.1f} ± {seen.deviation_error / bp:.1f}",
    )
