"""The engine: a strategy that fails stops alone, nothing goes into a closed market, and no strategy holds a key."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import types
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import (
    HaltLevel,
    KillSwitchEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    SignalEvent,
    StateRecorded,
    StrategyStopped,
)
from quant_trading_system.core.exceptions import ConfigurationError, KillSwitchIncomplete, StrategyError
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.risk.kill_switch import WRITES_AGAIN_AFTER_S, KillSwitch
from quant_trading_system.risk.latch import FileLatch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.trading.answers import spoken_by
from quant_trading_system.trading.liquidation import HaltProcedure
from quant_trading_system.trading.order_path import OrderPath
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.trading_engine import TradingEngine
from tests.support.desk import Account, limits_with
from tests.support.list_journal import ListJournal
from tests.support.market import CALENDAR, NOON, moment
from tests.support.orders import buy
from tests.support.scripted_broker import ScriptedBroker

D = Decimal
DAYS = np.array([session.date for session in CALENDAR.sessions_between(CALENDAR.first_day, CALENDAR.last_day)])
HISTORY = PriceHistory(
    ("KO", "PEP", "XOM"),
    daily_axis(DAYS, CALENDAR),
    np.full((len(DAYS), 3), 100_000_000, dtype=np.int64),
    np.ones((len(DAYS), 3), dtype=bool),
)
MONDAY, TUESDAY = 1, 2


class Says(Strategy):
    """Says at every bar what it was given; raises what is an error."""

    def __init__(self, *wishes: object, name: str = "says") -> None:
        self.wishes = wishes
        self.name = name
        self.bars: list[int] = []

    def on_bar(self, market: MarketView) -> Iterable[Any]:
        self.bars.append(market.bar)
        for wish in self.wishes:
            if isinstance(wish, BaseException):
                raise wish
            yield wish(market) if callable(wish) else wish


def long(symbol: str, weight: str = "0.05", **fields):
    return lambda market: market.long(symbol, weight=weight, **fields)


def at_the_close(*strategies: Strategy, **options) -> Account:
    """An account at Monday's close; the exchange opens again on Tuesday."""
    return Account(strategies=strategies, clock=ManualClock(moment("2024-01-08T21:00")), **options)


def end_bar(account: Account, index: int = MONDAY) -> None:
    account.system.engine.on_bar(HistoryView(HISTORY, index))


def open_tuesday(account: Account) -> None:
    account.clock.move_to(moment("2024-01-09T14:30"))
    account.offer()
    account.step()


def sent(account: Account) -> list[str]:
    return [f"{order.strategy}: {order.side} {order.quantity} {order.symbol}" for order in account.broker.orders]


# -- strategies ----------------------------------------------------------------------------------------------------


def test_a_wish_becomes_an_order_when_the_exchange_opens():
    account = at_the_close(Says(long("KO")))
    end_bar(account)
    account.step()
    assert sent(account) == []
    assert not account.system.engine.is_idle
    open_tuesday(account)
    assert sent(account) == ["says: buy 49 KO"]


FAILURES = {
    "an exception": [ZeroDivisionError("division by zero")],
    "an exception after a wish": [long("PEP"), ZeroDivisionError("division by zero")],
    "something else than a wish": ["buy KO!"],
    "a wish out of range": [lambda market: market.long("KO", strength="1.5")],
    "a price as float": [lambda market: market.long("KO", stop_price=99.5)],
    "a bar of an unknown symbol": [lambda market: market.close("TSLA")],
    "an order that cannot be": [lambda market: buy(-5)],
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.fault("strategy-fails")
def test_a_strategy_that_fails_stops_alone(case):
    """It is on record with its error; nothing it said at that bar is done; the others go on."""
    broken, sound = Says(*FAILURES[case], name="broken"), Says(long("KO"), name="sound")
    account = at_the_close(broken, sound)
    end_bar(account, MONDAY)
    open_tuesday(account)
    end_bar(account, TUESDAY)
    assert sent(account) == ["sound: buy 49 KO"]
    stopped = account.journal.of(StrategyStopped)
    assert [event.strategy for event in stopped] == ["broken"]
    assert stopped[0].error
    assert (broken.bars, sound.bars) == ([1], [1, 2])


def test_a_strategy_without_on_bar_is_told_what_is_missing():
    account = at_the_close(type("Empty", (Strategy,), {})())
    end_bar(account)
    assert account.journal.of(StrategyStopped)[0].error == ("StrategyError: Empty needs a method on_bar(self, market)")


def test_a_long_error_is_cut():
    account = at_the_close(Says(RuntimeError("x" * 10_000)))
    end_bar(account)
    assert len(account.journal.of(StrategyStopped)[0].error) == 500


def test_the_words_of_a_strategy_are_kept_in_one_printable_line():
    account = at_the_close(Says(long("KO", reason="up\x1b[2J\nand on"), name="calm"), Says(ValueError("a\n\x9bb")))
    end_bar(account)
    assert account.journal.of(SignalEvent)[0].signal.reason == "up [2J and on"
    assert account.journal.of(StrategyStopped)[0].error.startswith("ValueError: a b (line ")


def test_a_signal_is_kept_as_it_was_said_unless_its_source_or_reason_has_to_change():
    """A strategy may repeat its wishes for hundreds of symbols at every bar; each copy would be checked again."""
    said = Signal(symbol="KO", direction=Direction.LONG, at=NOON, source="calm", reason="up")
    assert spoken_by(said, "calm") is said
    assert spoken_by(said, "other") == msgspec.structs.replace(said, source="other")
    assert spoken_by(msgspec.structs.replace(said, reason="u\np" * 400), "calm").reason == ("u p" * 400)[:500]


def test_a_strategy_may_say_nothing():
    class Silent(Strategy):
        def on_bar(self, market: MarketView) -> None:
            return None

    account = at_the_close(Silent())
    end_bar(account)
    assert account.system.engine.is_idle
    assert account.journal.of(StrategyStopped) == []


def test_what_a_stopped_strategy_wanted_no_longer_counts():
    quarrel = Says(long("KO", confidence="0.9"), name="bull")
    account = at_the_close(quarrel, Says(lambda m: m.flat("KO", confidence="0.5"), name="bear"))
    account.hold("KO", 49)
    end_bar(account, MONDAY)
    open_tuesday(account)
    assert sent(account) == []
    quarrel.wishes = (RuntimeError("a bug"),)
    end_bar(account, TUESDAY)
    account.step()
    assert sent(account) == ["bear: sell 49 KO"]


def test_a_signal_bears_the_name_of_the_strategy_that_gave_it():
    """Nobody speaks for another strategy, and the emergency liquidation is no strategy."""
    forged = Signal(
        symbol="KO", direction=Direction.LONG, at=moment("2024-01-08T21:00"), source="honest", weight=D("0.05")
    )
    account = at_the_close(Says(forged, name="forger"), Says(lambda m: m.flat("KO"), name="honest"))
    end_bar(account)
    assert [event.signal.source for event in account.journal.of(SignalEvent)] == ["forger", "honest"]
    order = Says(buy(1, strategy="emergency liquidation"), name="pretender")
    account = at_the_close(order)
    end_bar(account)
    open_tuesday(account)
    assert sent(account) == ["pretender: buy 1 KO"]


def test_a_wish_that_stands_is_recorded_once():
    account = at_the_close(Says(long("KO")))
    end_bar(account, MONDAY)
    end_bar(account, TUESDAY)
    assert len(account.journal.of(SignalEvent)) == 1


def test_an_order_points_to_the_signal_that_caused_it():
    account = at_the_close(Says(long("KO")))
    end_bar(account)
    open_tuesday(account)
    order = account.journal.of(OrderEvent)[0]
    cause = account.journal.causes[account.journal.events.index(order)]
    assert cause is not None
    assert isinstance(account.journal.events[cause - 1], SignalEvent)


# -- orders that strategies write themselves ------------------------------------------------------------------------


def test_orders_held_while_closed_are_judged_at_the_open():
    """What was fine in the evening may be too dear, or halted, in the morning."""
    account = at_the_close(Says(buy(99), buy(1, "PEP")))
    end_bar(account)
    account.step()
    assert (sent(account), account.orders.count) == ([], 0)
    account.clock.move_to(moment("2024-01-09T14:30"))
    account.offer("101.99", "102.01", "KO")
    account.offer("99.99", "100.01", "PEP")
    account.step()
    assert sent(account) == ["says: buy 1 PEP"]
    refused = account.orders.orders()[0].rejection
    assert refused is not None
    assert refused.rule == "max_position_pct"
    assert refused.decision.quote is not None
    assert refused.decision.quote.ask == D("102.01")


def test_an_order_is_held_once_and_not_sent_again():
    account = at_the_close(Says(buy(1)))
    end_bar(account)
    open_tuesday(account)
    account.step()
    account.step()
    assert sent(account) == ["says: buy 1 KO"]
    assert not account.system.engine.is_idle  # it is still working
    account.broker.fill("run-1-0", 1, "100.00")
    assert account.system.engine.is_idle


def test_one_id_for_two_orders_stops_the_strategy_that_did_it():
    """An error of one strategy, not of the engine; the orders of others behind it are sent."""
    confused = Says(buy(1, client_order_id="mine"), buy(2, client_order_id="mine"), name="confused")
    account = at_the_close(confused, Says(buy(3, "PEP"), name="sound"))
    end_bar(account)
    open_tuesday(account)
    assert sent(account) == ["confused: buy 1 KO", "sound: buy 3 PEP"]
    assert account.journal.of(StrategyStopped)[0].strategy == "confused"


def test_a_halt_forgets_what_was_waiting():
    account = at_the_close(Says(long("KO"), buy(1, "PEP")))
    end_bar(account)
    account.kill_switch.activate("a test")
    account.kill_switch.reset("ann")
    open_tuesday(account)
    assert sent(account) == []
    assert account.system.engine.is_idle


def test_what_is_said_during_a_halt_is_refused_on_record_though_a_second_reason_comes():
    account = at_the_close(Says(long("KO", weight="0.05"), buy(1, "PEP")))
    account.kill_switch.activate("a test")
    end_bar(account)
    account.kill_switch.activate("another one")
    open_tuesday(account)
    account.step()
    refused = account.orders.orders()
    assert [(record.order.symbol, record.rejection.rule) for record in refused] == [
        ("PEP", "kill_switch"),
        ("KO", "kill_switch"),
    ]


# -- the day ---------------------------------------------------------------------------------------------------------


def test_a_step_marks_watches_and_halts():
    account = Account()
    account.hold("XOM", 500)
    record = account.working(buy(1, limit="90.00"))
    account.broker.cancel_answers.append("confirm")
    account.offer("88.99", "89.01", "XOM")
    account.step()
    assert account.kill_switch.state.reason == "max_daily_loss_pct: 5500 is beyond the limit of 5000"
    assert account.broker.cancels == [record.order_id]
    assert account.system.halt.is_done


MARKS = """
quote             last       mark
99.99 100.01      -          100.00     # the middle
99.99 100.01      100.01     100.01     # the last trade
99.99 100.01      97         99.99      # a trade of long ago is not below the bid
99.99 100.01      103        100.01     # nor above the ask
99.99 100.01      0          100.00
99.99 100.01      -5         100.00
99.99 100.01      NaN        100.00
99.99 100.01      Infinity   100.00
0 100.01          100.01     50         # no sound quote: the mark before stays
100.02 100.01     100.01     50
NaN 100.01        100.01     50
"""


@pytest.mark.parametrize("line", MARKS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_positions_are_marked_at_the_last_trade_or_the_middle_and_never_at_nonsense(line):
    bid, ask, last, mark = line.partition("#")[0].split()
    account = Account(limits=limits_with(max_daily_loss_pct=D(1), max_drawdown_pct=D(1)))
    account.hold("KO", 10, "50")
    account.board._latest.clear()
    account.board.put("KO", bid, ask, last=None if last == "-" else last)
    account.step()
    assert account.portfolio.position("KO").mark == D(mark)
    assert account.portfolio.equity == 100_000 + 10 * (D(mark) - 50)


def test_a_day_begins_with_its_equity_and_ends_with_the_books():
    account = Account()
    account.system.engine.open_day()
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 4, "100.00", fee="0.02")
    asyncio.run(account.system.engine.close_day())
    state = account.journal.of(StateRecorded)[0]
    assert state.open_orders == {record.order_id: "partially_filled/4"}
    assert (state.positions, state.costs) == ({"KO": D(4)}, {"KO": D("400.00")})
    assert (state.cash, state.fees, state.halt_level) == (D("99599.98"), D("0.02"), HaltLevel.RUNNING)
    assert (state.orders, state.fills) == (1, 1)
    kinds = [event.reason for event in account.journal.of(RiskEvent)]
    assert kinds == [RiskEventKind.DAY_OPENED, RiskEventKind.RECALCULATED, RiskEventKind.DAY_CLOSED]
    assert account.journal.durable_entries == len(account.journal.events)


# -- no strategy holds a key -----------------------------------------------------------------------------------------

KEEPERS = (
    OrderManager, OrderPath, PreTradeRiskChecker, TradingEngine, HaltProcedure, KillSwitch, RiskMonitor,
    ScriptedBroker, ListJournal,
)  # fmt: skip


def reachable(start: object) -> dict[int, object]:
    """Every object behind attributes, items, closures and bound methods; types and modules end the way."""
    found: dict[int, object] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if id(here) in found or isinstance(here, type | types.ModuleType | types.CodeType):
            continue
        found[id(here)] = here
        if isinstance(here, types.FunctionType):
            waiting.extend(cell.cell_contents for cell in here.__closure__ or ())
            continue
        waiting.extend(gc.get_referents(here))
    return found


def test_a_strategy_cannot_reach_a_broker_nor_anybody_who_can():
    """Neither in what it is given nor behind it: it can only say what it wants."""
    seen: list[MarketView] = []

    class Curious(Strategy):
        def on_bar(self, market: MarketView) -> None:
            seen.append(market)

    account = at_the_close(Curious())
    account.hold("KO", 10)
    end_bar(account)
    keys = [type(each).__name__ for each in reachable(seen[0]).values() if isinstance(each, KEEPERS)]
    assert keys == []
    assert any(isinstance(each, OrderManager) for each in reachable(account.system.engine).values())  # the search works


def test_what_a_strategy_sees_are_its_own_copies():
    """It may change arrays as it likes; the next one sees the truth."""
    views: list[MarketView] = []

    class Vandal(Strategy):
        def on_bar(self, market: MarketView) -> None:
            views.append(market)
            market.closes("KO", 2)[:] = 0.0
            market.returns(1)[:] = 9.0

    account = at_the_close(Vandal())
    end_bar(account)
    assert views[0].closes("KO", 2).tolist() == [100.0, 100.0]
    assert views[0].close("KO") == 100


def test_a_strategy_sees_whole_bars():
    steps = HISTORY.close_micros
    whole = PriceHistory(
        HISTORY.symbols, HISTORY.axis, steps, HISTORY.present, steps, steps + 500_000, steps - 250_000, steps // 1000
    )
    view = MarketView(HistoryView(whole, MONDAY), Account().portfolio, "mine", 1)
    assert (view.opens("KO", 1), view.highs("KO", 1), view.lows("KO", 1)) == (100.0, 100.5, 99.75)
    assert view.volumes("KO", 1) == 100_000


def test_the_words_of_a_strategy_make_exact_signals():
    view = MarketView(HistoryView(HISTORY, MONDAY), Account().portfolio, "mine", 1)
    signal = view.long("KO", weight="0.05", stop_price=95, confidence="0.9", lasts=timedelta(days=1))
    assert (signal.weight, signal.stop_price, signal.confidence) == (D("0.05"), D(95), D("0.9"))
    assert (signal.source, signal.at) == ("mine", view.now)
    assert signal.expires_at == view.now + timedelta(days=1)
    assert view.short("KO").direction is Direction.SHORT
    assert view.flat("KO").expires_at is None
    assert (view.equity, view.position("KO")) == (D(100_000), D(0))
    with pytest.raises(StrategyError, match="strength 2 is not between 0 and 1"):
        view.long("KO", strength=2)


@pytest.mark.fault("halt-from-outside")
def test_a_halt_and_a_reset_by_another_process_go_on_record_and_count(tmp_path):
    """`qts halt` and `qts resume` move the latch behind the engine's back; the journal tells of both."""
    path = tmp_path / "kill_latch.json"
    account = Account(latch=FileLatch(path))
    other = KillSwitch(latch=FileLatch(path), clock=account.clock)
    account.hold("KO", 10)
    account.offer("80.00", "80.02", "KO")
    other.activate("from a terminal", activated_by="ann")
    asyncio.run(account.system.engine.on_step())
    other.reset("ann", "looked at it", accept_loss=True)
    asyncio.run(account.system.engine.on_step())
    moves = [event for event in account.journal.events if isinstance(event, KillSwitchEvent)]
    assert [(event.level, event.by) for event in moves] == [(HaltLevel.HALTED, "ann"), (HaltLevel.RUNNING, "ann")]
    assert account.portfolio.peak_equity == account.portfolio.equity


@pytest.mark.fault("halt-from-outside")
def test_a_halt_by_another_process_in_the_middle_of_a_step_is_carried_out_in_that_step(tmp_path, monkeypatch):
    path = tmp_path / "kill_latch.json"
    account = Account(latch=FileLatch(path))
    other = KillSwitch(latch=FileLatch(path), clock=account.clock)
    record = account.working(buy(1, limit="99.00"))
    account.step()
    monkeypatch.setattr(RiskMonitor, "observe", lambda _: other.activate("from a terminal"))
    account.step()
    assert record.pending is PendingRequest.CANCEL


def test_an_engine_writes_a_halt_down_as_soon_as_the_latch_can_take_it(tmp_path, monkeypatch):
    """Others on the latch, a program of the user's own for instance, did not know of it meanwhile."""
    path = tmp_path / "kill_latch.json"
    account = Account(latch=FileLatch(path))

    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", no_space)
    with pytest.raises(KillSwitchIncomplete):
        account.system.kill_switch.activate("a test")
    monkeypatch.undo()
    account.step()
    assert not KillSwitch(latch=FileLatch(path)).is_active()
    account.clock.move_to(account.clock.now() + timedelta(seconds=WRITES_AGAIN_AFTER_S))
    account.step()
    assert KillSwitch(latch=FileLatch(path)).reason == "a test"
    moves = [event.level for event in account.journal.events if isinstance(event, KillSwitchEvent)]
    assert moves == [HaltLevel.HALTED]


def test_strategies_need_different_names():
    class Twin(Strategy):
        def on_bar(self, market):
            return ()

    with pytest.raises(ConfigurationError, match="different names"):
        Account(strategies=[Twin(), Twin()])


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "\x1b[31mred", "\u202egpj", "x" * 129])
def test_a_name_that_people_and_commands_cannot_use_is_refused(name):
    with pytest.raises(ConfigurationError, match="one line of at most 128 printable characters"):
        Account(strategies=[Says(name=name)])


# -- a full disk ----------------------------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_new_is_begun_and_nobody_is_stopped_for_it():
    """A signal given before, an order written out before, and a signal given now: none becomes an order."""
    account = at_the_close(Says(long("KO"), buy(1, symbol="PEP")))
    end_bar(account)
    account.journal.is_full = True
    end_bar(account)
    open_tuesday(account)
    assert account.broker.orders == []
    assert account.journal.of(StrategyStopped) == []
    account.journal.is_full = False
    end_bar(account, TUESDAY)
    account.step()
    assert {order.symbol for order in account.broker.orders} == {"KO", "PEP"}


@pytest.mark.fault("disk-full")
def test_on_a_full_disk_positions_can_be_closed():
    account = Account()
    account.hold("KO", 10)
    account.journal.is_full = True
    account.kill_switch.activate("everything must go", level=HaltLevel.FLATTENING)
    account.step()
    assert [(order.symbol, order.quantity) for order in account.broker.orders] == [("KO", 10)]
    assert [event.reduce_only for event in (order.order for order in account.journal.of(OrderEvent)) if event] == [True]
