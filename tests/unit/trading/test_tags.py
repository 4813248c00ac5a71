"""A name that a strategy gives its orders: it stays with them, and whoever looks at them finds it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from quant_trading_system.app.backtesting import BacktestResult, backtest, write_report
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.app.order_list import OrderFilter, list_orders, order_in_words
from quant_trading_system.core.events import FillEvent, OrderEvent
from quant_trading_system.core.exceptions import DuplicateOrderId, InvalidOrder, StrategyError
from quant_trading_system.core.orders import Order, OrderClass, OrderType, StopLoss, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal.codec import decode, encode
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.vector_strategy import VectorStrategy
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.market import NOON
from tests.support.orders import buy
from tests.unit.trading.test_trading_engine import HISTORY, MONDAY, Says

D = Decimal
WRONG = ["x" * 65, "two\nlines", "\x1b[31m", "\u202eright to left", "\ud800", 7, None, b"bytes"]


@pytest.mark.parametrize("tag", ["a", "x" * 64, "entry 2", "Einstieg für „KO“", "入口"])
def test_a_tag_is_one_line_of_text(tag):
    assert buy(1, tag=tag).tag == twap_parent(tag=tag).tag == tag
    assert Signal(symbol="KO", direction=Direction.LONG, at=NOON, tag=tag).tag == tag


@pytest.mark.parametrize("tag", WRONG)
def test_what_is_no_line_of_text_is_refused(tag):
    with pytest.raises(InvalidOrder, match="tag: at most 64 printable characters"):
        buy(1, tag=tag)
    with pytest.raises(InvalidOrder, match="tag: at most 64 printable characters"):
        twap_parent(tag=tag)
    with pytest.raises(StrategyError, match="signal for KO: tag: at most 64 printable characters"):
        Signal(symbol="KO", direction=Direction.LONG, at=NOON, tag=tag)


def test_without_a_tag_an_order_is_written_as_ever():
    assert b"tag" not in msgspec.json.encode(buy(1, limit="60"))
    assert b"tag" not in msgspec.json.encode(Signal(symbol="KO", direction=Direction.LONG, at=NOON))
    assert b"tag" not in msgspec.json.encode(twap_parent())
    account = Account(strategies=[Says(name="deaf")])
    account.broker.fill(account.working(buy(5, limit="99.00")).order_id, "5", "99.00")
    assert not any(b'"tag"' in encode(event) for event in account.journal.events)


def test_the_tag_is_on_record_with_the_intent_and_its_fills():
    account = Account()
    order_id = account.working(buy(5, limit="99.00", tag="first")).order_id
    account.broker.fill(order_id, "5", "99.00")
    begun = decode(encode(account.journal.of(OrderEvent)[0]))
    assert begun.order.tag == "first"
    assert decode(encode(account.journal.of(FillEvent)[0])).tag == "first"


def test_another_tag_is_another_order_under_one_id():
    account = Account()
    account.submit(buy(5, limit="99.00", client_order_id="mine-1", tag="first"))
    with pytest.raises(DuplicateOrderId, match="tag"):
        account.submit(buy(5, limit="99.00", client_order_id="mine-1", tag="second"))


def test_another_tag_does_not_make_an_order_another_one_for_the_gate():
    account = Account()
    account.submit(buy(5, limit="99.00", repeat=False, tag="first"))
    refused = account.submit(buy(5, limit="99.00", repeat=False, tag="second"))
    assert refused.rule == "duplicate_window_s"


class Tagged(Strategy):
    """Two bids for one symbol, one of them changed, a bracket, and a wish with a tag."""

    def __init__(self) -> None:
        self.saw: dict[int, list[tuple[str, str, str]]] = {}

    def on_bar(self, market: MarketView) -> Iterable[object]:
        orders = market.open_orders()
        self.saw[market.bar] = [(order.tag, order.symbol, order.order_id.partition("-")[2]) for order in orders]
        close = market.close("KO")
        if market.bar == 1:
            yield bid(close, "0.90", "low")
            yield bid(close, "0.85", "lower")
            yield market.long("PEP", weight="0.05", tag="trend")
            yield bid(close, "1.02", "with exit", order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=D(30)))
        if market.bar == 2:
            (low,) = (order for order in orders if order.tag == "low")
            yield market.replace(low, limit_price=low.limit_price + 1)


def bid(close: Decimal, part: str, tag: str, **fields: object) -> Order:
    limit = (close * D(part)).quantize(D("0.01"))
    return buy(10, limit=str(limit), time_in_force=TimeInForce.GTC, tag=tag, **fields)


@pytest.fixture(scope="module")
def traded() -> tuple[Tagged, BacktestResult]:
    strategy = Tagged()
    prices = load_sp500(date(2021, 6, 1), date(2021, 9, 10))
    return strategy, backtest(strategy, prices, Setup(universe=sp500_20(), first_bar=60))


def test_open_orders_show_their_tag_also_in_the_place_of_another_one_and_as_exits(traded):
    strategy, _ = traded
    assert [order for order in strategy.saw[2] if order[1] == "KO"] == [
        ("low", "KO", "1-0"),
        ("lower", "KO", "2-0"),
        ("with exit", "KO", "3-0.sl"),
    ]
    assert ("low", "KO", "1-0.r1") in strategy.saw[3]


def test_the_order_of_a_wish_bears_the_tag_of_the_wish(traded):
    _, result = traded
    (order,) = (record.order for record in result.account.system.orders.orders() if record.order.symbol == "PEP")
    assert order.tag == "trend"
    assert {fill.tag for fill in result.record.fills} == {"trend", "with exit"}


def test_a_wish_is_repeated_only_with_its_tag():
    account = Account(strategies=[Says(lambda market: market.long("KO", weight="0.05", tag=f"bar {market.bar // 3}"))])
    for _ in range(4):
        account.system.engine.on_bar(HistoryView(HISTORY, MONDAY))
    recorded = [event.signal.tag for event in account.journal.events if type(event).__name__ == "SignalEvent"]
    assert recorded == ["bar 0", "bar 1"]


def test_explain_lists_and_report_tell_the_tag(traded, tmp_path):
    _, result = traded
    journal = result.account.journal
    first = result.account.system.orders.orders()[0].order_id
    assert order_in_words(decision_record(journal, first).order).endswith('gtc "low"')
    assert [line.tag for line in list_orders(journal, OrderFilter(text="LOWER"))] == ["lower"]
    page = write_report(result, tmp_path / "report.html", title="tags").read_text()
    assert "<th>Tag</th>" in page
    assert "<td>with exit</td>" in page


def test_a_report_without_tags_has_no_column_for_them(tmp_path):
    account = backtest(Says(buy(1)), load_sp500(date(2021, 6, 1), date(2021, 9, 10)), Setup(first_bar=60))
    assert "<th>Tag</th>" not in write_report(account, tmp_path / "report.html", title="none").read_text()


def test_slices_bear_the_tag_of_their_parent():
    account = Account(strategies=[Says(twap_parent("60", 6, tag="slow"), name="mine")])
    account.system.engine.on_bar(HistoryView(HISTORY, MONDAY))
    account.step()
    (order,) = account.broker.orders
    (seen,) = account.system.desk.parents()
    assert (order.tag, seen.order.tag) == ("slow", "slow")


class Ahead(VectorStrategy):
    """Wants a part of the first symbol from the start on, and hears what comes of it."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, Decimal]] = []

    def targets(self, closes):
        wanted = np.full(closes.shape, np.nan)
        wanted[:, 0] = 0.05
        return wanted

    def on_fill(self, fill: FillEvent, market: MarketView) -> Iterable[object]:
        self.told.append((market.bar, fill.tag, market.position(fill.symbol)))
        return [
            Order(
                symbol=fill.symbol,
                side=fill.side.opposite,
                quantity=fill.quantity,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
                tag="back",
            )
        ] if not fill.tag else []  # fmt: skip


def test_a_strategy_of_all_bars_at_once_hears_at_bars_at_which_it_says_nothing():
    strategy = Ahead()
    result = backtest(strategy, load_sp500(date(2021, 6, 1), date(2021, 9, 10)), Setup(first_bar=60))
    assert [fill.tag for fill in result.record.fills] == ["", "back"]
    bought = result.record.fills[0].quantity
    assert strategy.told == [(2, "", bought), (3, "back", D(0))]
