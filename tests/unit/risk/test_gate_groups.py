"""What the venue refuses about the exits of a group, the gate refuses before: their prices, and entries that close."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.group_rules import ask_group
from tests.support.desk import Desk
from tests.support.orders import order

BUY, SELL = OrderSide
BRACKET, OCO, OTO = OrderClass.BRACKET, OrderClass.OCO, OrderClass.OTO


def a_desk(bid: str = "99.99", ask: str = "100.01", last: str | None = None, held: int = 0) -> Desk:
    desk = Desk(cash="1000000")
    desk.checker.use_limits(msgspec.structs.replace(desk.checker.limits, allow_short=True))
    if held:
        desk.hold("KO", str(held), bid)
    desk.board.put("KO", bid, ask, last=last)
    return desk


def a_group(
    kind: OrderClass, side: OrderSide, profit: str | None, loss: str | None, limit: str | None = None, shares: int = 100
) -> Order:
    exits: dict[str, Any] = {
        "take_profit": None if profit is None else TakeProfit(limit_price=Decimal(profit)),
        "stop_loss": None if loss is None else StopLoss(stop_price=Decimal(loss)),
    }
    if kind is OCO:
        exits["order_type"] = OrderType.LIMIT
    return order(side, shares, limit=limit, order_class=kind, **exits)


def words_of(desk: Desk, group: Order) -> str:
    answer = desk.check(group)
    return f"{answer.rule}: {answer.message}" if isinstance(answer, Rejection) else "ok"


def venue_takes(desk: Desk, group: Order, held: int) -> bool:
    closing = held < 0 if group.side is BUY else held > 0
    try:
        ask_group(SimpleNamespace(order=group, quote=desk.board.quote("KO"), is_closing=closing))  # type: ignore[arg-type]
    except VenueRefusal:
        return False
    return True


REFUSED = [
    (a_group(OTO, BUY, None, "100", "101"), "the stop-loss at 100 must lie at least a cent below the market at 100"),
    (a_group(OTO, SELL, None, "100", "99"), "the stop-loss at 100 must lie at least a cent above the market at 100"),
    (a_group(OTO, BUY, None, "100"), "the stop-loss at 100 must lie at least a cent below the market at 100"),
    (a_group(OTO, BUY, None, "99", "99"), "the stop-loss at 99 must lie at least a cent below the limit of the entry"),
    (
        a_group(OTO, BUY, "99", None, "99"),
        "the take-profit at 99 must lie at least a cent above the limit of the entry",
    ),
    (a_group(OTO, BUY, "100.01", None), "the take-profit at 100.01 must lie above the ask at 100.01"),
    (a_group(BRACKET, SELL, "98", "99.99"), "the stop-loss at 99.99 must lie above the bid at 99.99"),
]


@pytest.mark.parametrize(("group", "words"), REFUSED)
def test_an_exit_on_the_wrong_side_is_refused_and_told_where_it_belongs(group: Order, words: str) -> None:
    said = words_of(a_desk(), group)
    assert said.startswith(Rule.PRICE_COLLAR)
    assert words in said


def test_below_a_dollar_exits_still_lie_a_cent_away() -> None:
    desk = a_desk("0.4999", "0.5001")
    assert words_of(desk, a_group(BRACKET, BUY, "0.51", "0.49", shares=1000)) == "ok"
    assert "must lie at least a cent above the market" in words_of(desk, a_group(OTO, BUY, "0.5099", None, shares=1000))
    assert "must lie at least a cent below the market" in words_of(desk, a_group(OTO, BUY, None, "0.4901", shares=1000))


@pytest.mark.parametrize("last", ["99.90", "100.10"])
def test_a_stop_that_only_one_of_two_prices_of_the_market_refuses_is_left_to_the_broker(last: str) -> None:
    between = "99.95" if last == "99.90" else "100.05"
    side = BUY if last == "100.10" else SELL
    stop = a_group(OTO, side, None, between, "102" if side is BUY else "98")
    assert words_of(a_desk(last=last), stop) == "ok"


@pytest.mark.parametrize("kind", [BRACKET, OTO])
@pytest.mark.parametrize(("side", "held"), [(BUY, -100), (SELL, 100)])
def test_a_group_with_an_entry_does_not_close_what_is_held(kind: OrderClass, side: OrderSide, held: int) -> None:
    above, below = ("110", "90") if side is BUY else ("90", "110")
    group = a_group(kind, side, above if kind is BRACKET else None, below)
    said = words_of(a_desk(held=held), group)
    assert said.startswith(Rule.ORDER_SUPPORTED)
    assert "close what is held with a simple or OCO order" in said
    assert words_of(a_desk(held=-held), group) == "ok"


PRICES = ("0.49", "0.4901", "0.50", "0.5099", "0.51"), ("99", "99.99", "100", "100.01", "101")


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("quote", [("0.4999", "0.5001"), ("99.99", "100.01")])
@pytest.mark.parametrize(("kind", "held"), [(BRACKET, 0), (OTO, 0), (OCO, 1), (OTO, -1), (OTO, 1)])
def test_what_the_gate_lets_pass_the_venue_takes(
    kind: OrderClass, held: int, quote: tuple[str, str], side: OrderSide
) -> None:
    """Every position of exits and limit around the market, whose last trade is in the middle of the quote."""
    shares = 1000 if quote[0] < "1" else 100
    held *= -shares if side is BUY else shares
    prices = PRICES[quote[0] > "1"]
    exits = [(p, q) for p in (*prices, None) for q in (*prices, None) if (p is None or q is None) is (kind is OTO)]
    taken = 0
    for (profit, loss), limit in product(exits, (None, *prices) if kind is not OCO else (None,)):
        if profit is None and loss is None:
            continue
        desk = a_desk(*quote, last=str((Decimal(quote[0]) + Decimal(quote[1])) / 2), held=held)
        group = a_group(kind, side, profit, loss, limit, shares)
        if words_of(desk, group) == "ok":
            taken += 1
            assert venue_takes(desk, group, held), group
    closes = (held < 0) if side is BUY else (held > 0)
    assert bool(taken) is not (closes and kind is not OCO)
