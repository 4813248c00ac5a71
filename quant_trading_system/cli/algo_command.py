"""`qts algo plan`: the ways to trade an order side by side, and the schedule of the one to take."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli import algo_calibrate_command, algo_compare_command, algo_control
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.parent_commands import status
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
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.core.orders import OrderSide

if TYPE_CHECKING:
    from quant_trading_system.execution.algo.advice import Alternative, ExecutionAdvice, PlanRequest
    from quant_trading_system.market.sessions import Session


class Way(StrEnum):
    """What `--use` may name."""

    MARKET = "market"
    LIMIT = "limit"
    TWAP = "twap"
    VWAP = "vwap"
    POV = "pov"
    SHORTFALL = "shortfall"
    OPENING_AUCTION = "opening_auction"
    CLOSING_AUCTION = "closing_auction"


Symbol = Annotated[str, typer.Argument(help="Such as KO.")]
Side = Annotated[OrderSide, typer.Argument(help="buy or sell.")]
Quantity = Annotated[str, typer.Argument(metavar="QTY", help="Shares.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at", formats=["%Y-%m-%dT%H:%M"], help="New York time; by default half an hour into the last day known.",
        show_default=False,
    ),
]  # fmt: skip
Minutes = Annotated[int | None, typer.Option(help="Take no longer.", min=1, show_default=False)]
SliceMinutes = Annotated[int, typer.Option("--slice-minutes", help="Length of a slice.", min=1)]
Participation = Annotated[str, typer.Option(help="Own shares per share of others, at most.")]
Aversion = Annotated[
    str, typer.Option("--risk-aversion", help="Lambda in 1/dollar, such as 1e-6.", show_default="by the order's size")
]
AlphaBps = Annotated[str, typer.Option("--alpha-bps", help="How far the price is expected to run away.")]
HalfLife = Annotated[int, typer.Option("--alpha-half-life", help="Minutes in which half of it is gone.", min=1)]
Use = Annotated[Way | None, typer.Option(help="Show this one instead of the best.", show_default=False)]
Svg = Annotated[Path | None, typer.Option("--html", help="Write the schedule as a picture.", show_default=False)]

_BAR = 40
_TEN_DAYS = timedelta(days=10)


def plan(
    symbol: Symbol,
    side: Side,
    quantity: Quantity,
    prices: Prices = "sp500",
    price: Price = "",
    adv: Adv = "",
    volatility: Volatility = "",
    spread: Spread = "",
    at: At = None,
    minutes: Minutes = None,
    slice_minutes: SliceMinutes = 5,
    participation: Participation = "0.1",
    risk_aversion: Aversion = "",
    alpha_bps: AlphaBps = "0",
    alpha_half_life: HalfLife = 60,
    impact: Impact = None,
    use: Use = None,
    html: Svg = None,
    as_json: AsJson = False,
) -> None:
    """Price every way to trade an order and show the schedule of the best. Nothing is sent.

    Example: [bold]qts algo plan KO buy 100000 --adv 12000000 --at 2022-12-28T10:00[/bold]
    """
    from quant_trading_system.execution.algo.advice import PlanRequest
    from quant_trading_system.execution.algo.impact_file import read_impact
    from quant_trading_system.execution.algo.planner import plan_execution

    name = symbol.strip().upper()
    given = None if at is None else _given_moment(at)
    needed = not (price and adv and volatility)
    seen = Seen(name, prices, needed=needed, until=None if given is None else given[1])
    session, now = given or _usual_moment(seen.last_day)
    mid, daily = seen.price(price), seen.volume(adv)
    request = PlanRequest(
        symbol=name,
        side=side,
        quantity=number_of(quantity, "QTY"),
        mid=mid,
        spread=usual_spread(spread, mid, daily),
        daily_volume=daily,
        volatility=seen.volatility(volatility),
        now=now,
        session=session,
        horizon=None if minutes is None else timedelta(minutes=minutes),
        slice_length=timedelta(minutes=slice_minutes),
        participation=number_of(participation, "--participation"),
        risk_aversion=number_of(risk_aversion, "--risk-aversion") if risk_aversion else None,
        alpha_bps=number_of(alpha_bps, "--alpha-bps"),
        alpha_half_life=timedelta(minutes=alpha_half_life),
        profile=seen.profile(),
        model=None if impact is None else read_impact(impact),
    )
    advice = plan_execution(request)
    shown = _chosen(advice, use)
    if html is not None:
        _write_picture(html, request, shown)
    if as_json:
        print_json({"chosen": shown, "advice": advice})
        return
    _show(request, advice, shown)
    if html is not None:
        screen().print(f"picture  {html}", markup=False)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Plan, start and steer parent orders. Example: [bold]qts algo plan KO buy 5000 --adv 12000000[/bold]",
    )
    group.command()(plan)
    group.command()(algo_compare_command.compare)
    group.command()(algo_calibrate_command.calibrate)
    group.command()(grouped(status))
    algo_control.add_to(group)
    group.callback()(_algo)
    app.add_typer(group, name="algo")


def _algo() -> None:
    """Plan how to trade a large order, have an engine trade it, and steer that.

    Example: [bold]qts algo plan KO buy 100000 --adv 12000000[/bold]
    """


def _given_moment(at: datetime) -> tuple[Session, datetime]:
    """The session of that day in New York, and the moment within or before it."""
    from datetime import UTC

    from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar

    session = TradingCalendar.nyse(at.date(), at.date() + _TEN_DAYS).session_on(at.date())
    if session is None:
        raise ConfigurationError(f"--at {at:%Y-%m-%d}: the exchange is closed on that day")
    return session, at.replace(tzinfo=NEW_YORK).astimezone(UTC)


def _usual_moment(last_day: date | None) -> tuple[Session, datetime]:
    """Half an hour into the session of that day, or of the next one from today."""
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar

    day = last_day or SystemClock().now().astimezone(NEW_YORK).date()
    session = TradingCalendar.nyse(day, day + _TEN_DAYS).sessions_between(day, day + _TEN_DAYS)[0]
    return session, session.open + timedelta(minutes=30)


def _chosen(advice: ExecutionAdvice, use: Way | None) -> Alternative:
    if use is None:
        return advice.chosen
    found = [alternative for alternative in advice.alternatives if alternative.choice == use.value]
    if not found:
        names = ", ".join(alternative.choice for alternative in advice.alternatives)
        raise ConfigurationError(f"--use {use.value}: not possible at this time of the day; choose one of {names}")
    return found[0]


def _show(request: PlanRequest, advice: ExecutionAdvice, shown: Alternative) -> None:
    from quant_trading_system.market.sessions import NEW_YORK

    out = screen()
    out.print(
        f"{request.side.value} {plain(request.quantity)} {request.symbol} at {usd(request.mid)}: "
        f"{usd(request.notional)}, {advice.of_daily_volume:.2%} of an average day",
        markup=False,
    )
    out.print(
        f"spread {request.spread / request.mid * 10_000:.1f} bp, volatility {request.volatility:.2%} a day, "
        f"urgency {advice.urgency}, {request.start.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York\n",
        markup=False,
    )
    columns = ("spread", "impact", "alpha", "cost bp", "risk bp", "cost")
    ways = table("way", *columns, "done by", "", right=columns)
    for way in advice.alternatives:
        ways.add_row(
            way.choice,
            *(f"{value}" for value in (way.spread_bps, way.impact_bps, way.alpha_bps, way.cost_bps, way.risk_bps)),
            usd(way.cost),
            f"{way.end.astimezone(NEW_YORK):%H:%M}",
            "not possible" if way.why_not else "<" if way is advice.chosen else "",
            style="dim" if way.why_not else "bold" if way is advice.chosen else "",
        )
    out.print(ways)
    out.print(advice.why, markup=False)
    if shown.why_not:
        out.print(f"{shown.choice} is not possible: {shown.why_not}", markup=False)
    if shown.schedule is not None:
        _show_schedule(shown)


def _show_schedule(way: Alternative) -> None:
    from quant_trading_system.market.sessions import NEW_YORK

    schedule = way.schedule
    assert schedule is not None  # asked before
    most, done = max(schedule.quantities), Decimal(0)
    drawn = table("New York", "shares", "done", f"schedule of {way.choice}", right=("shares", "done"))
    for part in schedule.slices:
        done += part.quantity
        bar = "█" * int(_BAR * part.quantity / most)
        drawn.add_row(
            f"{part.start.astimezone(NEW_YORK):%H:%M}",
            plain(part.quantity),
            f"{done / schedule.quantity:.1%}",
            bar or ("▏" if part.quantity else ""),
        )
    screen().print(drawn)


def _write_picture(path: Path, request: PlanRequest, way: Alternative) -> None:
    """One HTML page with the schedule as bars, which loads nothing."""
    from quant_trading_system.market.sessions import NEW_YORK
    from quant_trading_system.research.svg import bar_list

    if way.schedule is None:
        raise ConfigurationError(f"--html: {way.choice} has no schedule to draw; choose another way with --use")
    rows = [
        (f"{part.start.astimezone(NEW_YORK):%H:%M}", float(part.quantity), plain(part.quantity))
        for part in way.schedule.slices
    ]
    title = f"{way.choice}: {request.side.value} {plain(request.quantity)} {request.symbol}"
    try:
        path.write_text(_page(title, bar_list(rows, label=title)), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--html {path} cannot be written: {error.strerror or error}") from error


def _page(title: str, picture: str) -> str:
    from quant_trading_system.research.markup import tag

    style = "body{font:14px sans-serif;max-width:60em;margin:2em auto}.bar{fill:#9ec5e8}text.value{text-anchor:end}"
    head = tag("head", tag("meta", charset="utf-8"), tag("title", title), tag("style", style))
    return "<!doctype html>" + tag("html", head, tag("body", tag("h1", title), picture), lang="en")
