"""`qts check`: what the gate would say about an order, or about several together; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.basket_lines import show_basket
from quant_trading_system.cli.screen import (
    AsJson,
    JournalPath,
    as_it_stands,
    journal_path,
    print_json,
    reading,
    screen,
    table,
)
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import exact, plain
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce

if TYPE_CHECKING:
    from quant_trading_system.app.what_if import Scene
    from quant_trading_system.core.decisions import CheckResult, Decision
    from quant_trading_system.journal.projection import Projection
    from quant_trading_system.journal.store import JournalSource
    from quant_trading_system.market.history import PriceHistory
    from quant_trading_system.market.quotes import Quote
    from quant_trading_system.risk.pre_trade import ApprovedOrder
    from quant_trading_system.trading.system import Past

REFUSED = 3
"""The exit code when the gate would refuse."""
_A_MONTH = timedelta(days=30)


def check(
    symbol: Annotated[str, typer.Argument(help="Such as KO.", show_default=False)] = "",
    side: Annotated[OrderSide | None, typer.Argument(help="buy or sell.", show_default=False)] = None,
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="Shares.", show_default=False)] = "",
    basket: Annotated[
        Path | None,
        typer.Option(
            "--basket", show_default=False,
            help="Instead of one order: a CSV file with columns symbol, side, quantity, and perhaps limit, strategy.",
        ),
    ] = None,
    limit: Annotated[str, typer.Option("--limit", help="Limit price, dollars a share.", show_default=False)] = "",
    stop: Annotated[str, typer.Option("--stop", help="Stop price, dollars a share.", show_default=False)] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="Who would send it.", show_default=False)] = "",
    bid: Annotated[str, typer.Option("--bid", help="The quote of now; with --ask.", show_default=False)] = "",
    ask: Annotated[str, typer.Option("--ask", help="The quote of now; with --bid.", show_default=False)] = "",
    prices: Annotated[str, typer.Option(help="Closing prices: a CSV or Parquet file, a directory, or sp500.")] = (
        "sp500"
    ),
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at", formats=["%Y-%m-%dT%H:%M"], show_default=False,
            help="New York time; by default now, and half an hour into the last day of a run on past prices.",
        ),
    ] = None,
    limits: Annotated[
        Path | None,
        typer.Option("--limits", help="Your risk_params.yaml; by default the limits of the run.", show_default=False),
    ] = None,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Ask the gate about an order without sending it: every rule with limit, actual and headroom.

    Reads the books of a journal, also of an engine that runs. The orders of a basket are judged together, as if
    all were open at once. Exit code 3 when the order, or one of the basket, would be refused.

    Example: [bold]qts check KO buy 100 --limit 60.10[/bold]
    """
    if basket is not None:
        if symbol or any((limit, stop, strategy, bid, ask)):
            raise ConfigurationError("a basket holds its orders; leave out the order on the command line")
        _check_basket(basket, prices, at, limits, journal, as_json=as_json)
        return
    if side is None or not quantity:
        raise ConfigurationError("name an order, such as KO buy 100, or a file with --basket")
    order = _order(symbol.strip().upper(), side, quantity, limit, stop, strategy)
    with reading(journal) as reader:
        past, scene = _scene(reader, (order,), prices, at, limits, journal_path(journal).parent)
        if bid or ask:
            others = [seen for seen in scene.quotes if seen.symbol != order.symbol]
            scene = scene._replace(quotes=[*others, _given(order.symbol, bid, ask, scene.now)])
        answer = _ask(past, order, scene)
    message = answer.message if isinstance(answer, Rejection) else ""
    if as_json:
        print_json(_as_json(order, answer.decision, message))
    else:
        _show(order, answer.decision, message)
        if all(seen.symbol != order.symbol for seen in scene.quotes):
            screen().print(
                f"{prices} has no price of {order.symbol}: name the prices of the run with --prices, or a quote with "
                "--bid and --ask",
                markup=False,
            )
    if message:
        raise typer.Exit(REFUSED)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(check)


def _check_basket(
    file: Path, prices: str, at: datetime | None, limits: Path | None, journal: Path | None, *, as_json: bool
) -> None:
    from quant_trading_system.app.basket_file import read_basket
    from quant_trading_system.app.what_if import what_if_all
    from quant_trading_system.risk.basket import basket_line, basket_words

    orders = read_basket(file)
    with reading(journal) as reader:
        past, scene = _scene(reader, orders, prices, at, limits, journal_path(journal).parent)
        judged = what_if_all(past, orders, scene)
    lines = [basket_line(one) for one in judged]
    if as_json:
        print_json({"passes": all(line.passes for line in lines), "orders": lines})
    else:
        screen().print(basket_words(judged), markup=False)
        show_basket(lines)
    if not all(line.passes for line in lines):
        raise typer.Exit(REFUSED)


def _ask(past: Past, order: Order, scene: Scene) -> ApprovedOrder | Rejection:
    from quant_trading_system.app.what_if import what_if

    return what_if(past, order, scene)


def _scene(
    source: JournalSource,
    orders: Sequence[Order],
    prices: str,
    at: datetime | None,
    limits: Path | None,
    directory: Path,
) -> tuple[Past, Scene]:
    """The account as its journal tells it, and the moment at which the gate is asked about `orders`."""
    from quant_trading_system.app.account_files import LATCH_FILE
    from quant_trading_system.app.closing_prices import correlations_at, quotes_at
    from quant_trading_system.app.what_if import Scene, limits_of
    from quant_trading_system.config.loader import load_limits
    from quant_trading_system.journal.replay import replay
    from quant_trading_system.market.sessions import TradingCalendar
    from quant_trading_system.risk.latch import look_at
    from quant_trading_system.trading.system import Past

    books = replay(source).projection
    if books.run is None or books.at is None:
        raise ConfigurationError("this journal has no run; `qts demo` or `qts trade` makes one")
    now, is_live = _moment(books, at)
    history = _history(prices)
    in_force = limits_of(books.run) if limits is None else load_limits(limits)
    return Past(books, source), Scene(
        quotes=quotes_at(history, {*(order.symbol for order in orders), *books.positions}, now, fresh=not is_live),
        now=now,
        limits=in_force,
        latch=look_at(directory / LATCH_FILE),
        calendar=TradingCalendar.nyse((now - _A_MONTH).date(), (now + _A_MONTH).date()),
        correlations=correlations_at(history, now, in_force),
    )


def _order(symbol: str, side: OrderSide, quantity: str, limit: str, stop: str, strategy: str) -> Order:
    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    return Order(
        symbol=symbol,
        side=side,
        order_type=kinds[bool(limit), bool(stop)],
        time_in_force=TimeInForce.DAY,
        quantity=_number(quantity, "QTY"),
        limit_price=_number(limit, "--limit") if limit else None,
        stop_price=_number(stop, "--stop") if stop else None,
        strategy=strategy,
    )


def _number(text: str, name: str) -> Decimal:
    try:
        return exact(text)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{name}: {text!r} is no number; write digits, such as 60.10") from error


def _moment(books: Projection, at: datetime | None) -> tuple[datetime, bool]:
    """When the order would be judged, and whether the account trades the present rather than past prices."""
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.execution.credentials import TradingMode
    from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar

    assert books.run is not None, "asked of a journal with a run only"
    assert books.at is not None, "asked of a journal with entries only"
    is_live = books.run.mode in {mode.value for mode in TradingMode}
    if at is not None:
        return at.replace(tzinfo=NEW_YORK), is_live
    if is_live:
        return SystemClock().now(), True
    last = books.at.astimezone(NEW_YORK).date()
    calendar = TradingCalendar.nyse(last - timedelta(days=14), last + timedelta(days=14))
    session = calendar.session_on(last) or calendar.previous_session(last)
    return session.open + timedelta(minutes=30), False


def _history(place: str) -> PriceHistory:
    if place == "sp500":
        from quant_trading_system.market.bundled import load_sp500

        return load_sp500()
    from quant_trading_system.market.loading import load_prices

    return load_prices(place)


def _given(symbol: str, bid: str, ask: str, now: datetime) -> Quote:
    from quant_trading_system.market.quotes import Quote

    return Quote(symbol, _number(bid, "--bid"), _number(ask, "--ask"), now, now, source="command line")


def _as_json(order: Order, decision: Decision, message: str) -> dict[str, object]:
    return {
        "order": order,
        "at": decision.at,
        "passes": not message,
        "refused_by": decision.refused_by,
        "message": message,
        "limits_version": decision.limits_version,
        "quote": decision.quote,
        "checks": [
            {
                "rule": found.rule,
                "passed": found.passed,
                "actual": found.actual,
                "limit": found.limit,
                "headroom": found.headroom,
                "unit": found.unit,
                "detail": found.detail,
            }
            for found in decision.checks
        ],
    }


def _show(order: Order, decision: Decision, message: str) -> None:
    from quant_trading_system.app.order_list import order_in_words

    out = screen()
    verdict = "[bold red]would be refused[/bold red]" if message else "[green]would pass[/green]"
    out.print(f"[bold]{as_it_stands(order_in_words(order))}[/bold]  {verdict}")
    if message:
        out.print(f"  {message}", markup=False)
    quote = "no quote" if decision.quote is None else f"{plain(decision.quote.bid)} / {plain(decision.quote.ask)}"
    out.print(f"  at {decision.at:%Y-%m-%d %H:%M} UTC · {quote} · limits {decision.limits_version}", markup=False)
    shown = table("", "rule", "actual", "limit", "headroom", "", right=("actual", "limit", "headroom"))
    for found in decision.checks:
        shown.add_row(*_row(found), style="" if found.passed else "red")
    out.print(shown)


def _row(found: CheckResult) -> tuple[str, ...]:
    from quant_trading_system.app.decision_record import amount

    numbers = (found.actual, found.limit, found.headroom)
    told = ("" if number is None else amount(number, found.unit) for number in numbers)
    return ("✓" if found.passed else "✗", found.rule.value, *told, found.detail)
