"""What holds for every journal, whatever is written into it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.approval_events import (
    ApprovalAsked,
    ApprovalEnded,
    ApprovalGiven,
    ApprovalOutcome,
    ApprovalSubject,
)
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.decisions import CheckResult, Decision, QuoteSeen, Rule, Unit
from quant_trading_system.core.events import (
    CashMoved,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    RunFinished,
    SenderLocked,
    SignalEvent,
    StateRecorded,
    StrategyStopped,
    WatchdogActed,
    WishNotSized,
)
from quant_trading_system.core.halt_events import LiquidationEvent, LiquidationState, ResetApproved
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.limit_events import (
    LimitChange,
    LimitsFileRefused,
    LimitsProposed,
    LimitsRaised,
    LimitsSet,
    RaiseEnded,
)
from quant_trading_system.core.operator_events import OperatorActed, OperatorAnswered, StrategySwitched
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.positions import Position
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal.books import books_of
from quant_trading_system.journal.codec import decode, encode, kind_of, subject_of
from quant_trading_system.journal.entry import chained, genesis, is_authentic
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.snapshot import fold, packed
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.journal.verify import verify

KEY = bytes(range(32))

words = st.text(st.characters(codec="utf-8"), max_size=12)
symbols = st.sampled_from(["KO", "XOM", "BRK.B"])
scopes = st.builds(
    HaltScope,
    symbol=st.just("") | symbols,
    strategy=st.sampled_from(["", "alpha"]),
    side=st.none() | st.sampled_from(OrderSide),
)
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12)
amounts = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=Decimal("0.01"), max_value=10**9)
shares = st.decimals(allow_nan=False, allow_infinity=False, places=0, min_value=0, max_value=1)
instants = st.integers(-(2 * 10**9), 4 * 10**9)
moments = instants.map(lambda instant: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant * 999))
order_ids = st.sampled_from(["run-1-0", "run-2-0", "by hand", "日本-1"])
orders = st.builds(
    Order,
    symbol=symbols,
    side=st.sampled_from(OrderSide),
    quantity=amounts,
    order_type=st.just(OrderType.LIMIT),
    limit_price=amounts,
    time_in_force=st.just(TimeInForce.DAY),
    strategy=words,
)
checks = st.builds(
    CheckResult,
    rule=st.sampled_from(Rule),
    passed=st.booleans(),
    actual=st.none() | numbers,
    limit=st.none() | numbers,
    unit=st.sampled_from(Unit),
    detail=words,
)
quotes = st.builds(QuoteSeen, bid=amounts, ask=amounts, at=moments, source=words, sequence=st.integers(0, 9))
decisions = st.builds(
    Decision,
    checks=st.lists(checks, max_size=3).map(tuple),
    limits_version=words,
    at=moments,
    equity=numbers,
    drawdown=numbers,
    daily_pnl=numbers,
    position=numbers,
    quote=st.none() | quotes,
    refused_by=st.none() | st.sampled_from(Rule),
)
limit_changes = st.lists(st.builds(LimitChange, words, words, words), max_size=2).map(tuple)
events = st.one_of(
    st.builds(CashMoved, at=moments, amount=numbers, cash=numbers, reason=words),
    st.builds(
        OrderEvent,
        at=moments,
        order_id=order_ids,
        symbol=symbols,
        status=st.sampled_from(OrderStatus),
        trigger=st.none() | st.sampled_from(OrderTrigger),
        pending=st.sampled_from(PendingRequest),
        quantity_filled=numbers,
        reason=words,
        order=st.none() | orders,
        decision=st.none() | decisions,
    ),
    st.builds(
        FillEvent,
        at=moments,
        order_id=order_ids,
        execution_id=words,
        symbol=symbols,
        side=st.sampled_from(OrderSide),
        quantity=amounts,
        price=amounts,
        cumulative_quantity=amounts,
        fee=numbers,
        cash=numbers,
    ),
    st.builds(
        RiskEvent,
        at=moments,
        reason=st.sampled_from(RiskEventKind),
        equity=numbers,
        day_start_equity=numbers,
        peak_equity=numbers,
        daily_pnl=numbers,
        current_drawdown=numbers,
        limit=st.none() | numbers,
        order_id=st.just("") | order_ids,
    ),
    st.builds(
        KillSwitchEvent,
        at=moments,
        level=st.sampled_from(HaltLevel),
        reason=words,
        trigger=st.sampled_from(HaltTrigger),
        by=words,
        activation=st.integers(0, 9),
        numbers=st.dictionaries(words, words, max_size=2),
        scope=scopes,
    ),
    st.builds(
        ResetApproved,
        at=moments,
        by=words,
        reason=words,
        activation=st.integers(0, 9),
        given=st.integers(1, 3),
        needed=st.integers(1, 3),
        scope=scopes,
    ),
    st.builds(
        LiquidationEvent,
        at=moments,
        activation=st.integers(0, 9),
        state=st.sampled_from(LiquidationState),
        symbol=symbols,
        detail=words,
        quantity=st.none() | amounts,
        scope=scopes,
    ),
    st.builds(
        StateRecorded,
        at=moments,
        open_orders=st.dictionaries(order_ids, words, max_size=2),
        positions=st.dictionaries(symbols, numbers, max_size=2),
        costs=st.dictionaries(symbols, numbers, max_size=2),
        cash=numbers,
        realized_pnl=numbers,
        fees=numbers,
        halt_level=st.sampled_from(HaltLevel),
        orders=st.integers(0, 9),
        fills=st.integers(0, 9),
    ),
    st.builds(
        SignalEvent,
        at=moments,
        signal=st.builds(
            Signal, symbol=symbols, direction=st.sampled_from(Direction), at=moments, strength=shares, reason=words
        ),
    ),
    st.builds(
        ApprovalAsked,
        at=moments,
        approval=words,
        subject=st.sampled_from(ApprovalSubject),
        text=words,
        content=words,
        asked_by=words,
        needed=st.integers(1, 3),
        expires_at=moments,
    ),
    st.builds(ApprovalGiven, at=moments, approval=words, content=words, by=words, reason=words),
    st.builds(ApprovalEnded, at=moments, approval=words, outcome=st.sampled_from(ApprovalOutcome), by=words),
    st.builds(
        LimitsSet,
        at=moments,
        version=words,
        changes=limit_changes,
        limits=st.dictionaries(words, words, max_size=2),
        by=words,
        why=words,
        approval=words,
    ),
    st.builds(
        LimitsProposed,
        at=moments,
        approval=words,
        changes=limit_changes,
        by=words,
        why=words,
        until=st.none() | moments,
    ),
    st.builds(LimitsRaised, at=moments, approval=words, changes=limit_changes, until=moments, by=words, why=words),
    st.builds(RaiseEnded, at=moments, keys=st.lists(words, max_size=2).map(tuple), reason=words),
    st.builds(LimitsFileRefused, at=moments, name=words, why=words),
    st.builds(StrategyStopped, at=moments, strategy=words, error=words),
    st.builds(StrategySwitched, at=moments, strategy=words, armed=st.booleans(), by=words, reason=words),
    st.builds(
        OperatorActed,
        at=moments,
        key=words,
        principal=words,
        source=words,
        command=words,
        fields=st.dictionaries(words, words | st.booleans() | st.none(), max_size=3),
        concerns=words,
    ),
    st.builds(
        OperatorAnswered,
        at=moments,
        key=words,
        outcome=st.builds(
            Outcome, result=st.sampled_from(Result), message=words, limit=st.none() | shares, orders=st.just(("a", "b"))
        ),
    ),
    st.builds(WishNotSized, at=moments, symbol=symbols, strategy=words, bound_by=words, detail=words),
    st.builds(
        SenderLocked,
        at=moments,
        account=words,
        epoch=st.integers(1, 9),
        pid=st.integers(1, 9),
        host=words,
        directory=words,
        watchdog=st.booleans(),
    ),
    st.builds(WatchdogActed, at=moments, entry=words, pid=st.integers(1, 9), epoch=st.integers(0, 9), what=words),
    st.builds(RunFinished, at=moments, run=words, orders=st.integers(0, 9), fills=st.integers(0, 9)),
)


@given(events)
def test_an_event_comes_back_as_it_was_byte_for_byte(event):
    body = encode(event)
    again = decode(body)
    assert again == event
    assert encode(again) == body
    assert (kind_of(again), subject_of(again)) == (kind_of(event), subject_of(event))


@settings(max_examples=40)
@given(st.lists(events, max_size=8), st.data())
def test_what_was_appended_is_what_is_read_from_memory_and_from_disk(recorded, data):
    """Synced at any places, read back after reopening: the same bytes under the same chain."""
    memory = MemoryJournal(KEY)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "journal.db"
        with SqliteJournal(path, KEY) as disk:
            for seq, event in enumerate(recorded, 1):
                cause = data.draw(st.none() | st.integers(1, seq - 1)) if seq > 1 else None
                assert memory.append(event, cause) == disk.append(event, cause) == seq
                if data.draw(st.booleans()):
                    disk.sync()
        with SqliteJournal(path, KEY) as disk:
            assert list(disk.entries()) == list(memory.entries())
            assert disk.head == memory.head
            assert {kind: list(disk.entries(kinds=[kind])) for kind in ("fill", "order")} == {
                kind: list(memory.entries(kinds=[kind])) for kind in ("fill", "order")
            }
            assert disk.about("run-1-0") == memory.about("run-1-0")
        assert verify(path, KEY).is_sound
    assert [entry.body for entry in memory.entries()] == [encode(event) for event in recorded]


columns = st.tuples(
    st.integers(1, 2**63 - 1),
    st.text("0123456789:-TZ", max_size=8),
    st.text("abc_", max_size=8),
    st.none() | st.integers(1, 2**63 - 1),
    st.text("0123abcd", max_size=8),
    st.none() | st.text("abc-0", min_size=1, max_size=8),
    st.binary(max_size=20),
)


def digest_of(row, previous):
    seq, at, kind, cause, config, subject, body = row
    return chained(previous, seq, at, kind, cause, config, subject, body, KEY)


@given(columns, columns, st.binary(min_size=32, max_size=32))
def test_two_rows_share_a_digest_only_if_they_are_the_same(one, other, previous):
    same = digest_of(one, previous) == digest_of(other, previous)
    assert same == (one == other)


@given(columns, st.data())
def test_one_changed_byte_of_the_body_shows(row, data):
    digest = digest_of(row, genesis(KEY))
    body = bytearray(row[6] + b"}")
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    assert is_authentic((*row, digest), genesis(KEY), KEY)
    assert not is_authentic((*row[:6], bytes(body), digest), genesis(KEY), KEY)


fills = st.lists(
    st.tuples(
        symbols,
        st.sampled_from(OrderSide),
        st.decimals(places=3, min_value=Decimal("0.001"), max_value=10**5),
        st.decimals(places=4, min_value=Decimal("0.0001"), max_value=10**5),
        st.decimals(places=2, min_value=0, max_value=100),
    ),
    min_size=1,
    max_size=25,
)

HALF_A_QUANTUM = Fraction(1, 2 * 10**18)


class ExactLedger:
    """Average-cost books in rational numbers, which never round; shares nothing with the package."""

    def __init__(self):
        self.cash = Fraction(0)
        self.fees = Fraction(0)
        self.realized = Fraction(0)
        self.held = {}
        self.cost = {}

    def fill(self, symbol, sign, quantity, price, fee):
        quantity, price = sign * Fraction(quantity), Fraction(price)
        held, cost = self.held.get(symbol, Fraction(0)), self.cost.get(symbol, Fraction(0))
        self.cash -= quantity * price + Fraction(fee)
        self.fees += Fraction(fee)
        closing = Fraction(0)
        if held * quantity < 0:
            closing = quantity if abs(quantity) <= abs(held) else -held
            released = -cost * closing / held
            self.realized -= closing * price + released
            cost -= released
        self.cost[symbol] = cost + (quantity - closing) * price
        self.held[symbol] = held + quantity


@settings(max_examples=60)
@given(fills)
def test_a_replay_of_any_fills_agrees_with_an_independent_exact_ledger(executions):
    """Shares, cash and fees to the last digit; what the profit of a partial close rounds off stays in the cost."""
    journal, ledger = MemoryJournal(KEY), ExactLedger()
    positions: dict[str, Position] = {}
    cash = Decimal(0)
    at = datetime(2024, 1, 2, tzinfo=UTC)
    for number, (symbol, side, quantity, price, fee) in enumerate(executions):
        order = Order(
            symbol=symbol, side=side, quantity=quantity, order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY
        )
        position = positions.setdefault(symbol, Position(symbol))
        applied = position.apply(order.signed_quantity, price, fee)
        ledger.fill(symbol, side.sign, quantity, price, fee)
        cash -= order.signed_quantity * price + fee
        order_id = f"run-{number}-0"
        sent = OrderEvent(
            at=at, order_id=order_id, symbol=symbol, status=OrderStatus.SENT, trigger=OrderTrigger.SEND, order=order
        )
        filled = FillEvent(
            at=at,
            order_id=order_id,
            execution_id=f"{order_id}:1",
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            cumulative_quantity=quantity,
            fee=fee,
            position_quantity=position.quantity,
            cash=cash,
            realized_pnl=applied.realized,
        )
        journal.append(sent)
        journal.append(filled)
    report = replay(journal)
    books = report.projection
    assert report.differences == ()
    assert Fraction(books.cash) == ledger.cash
    assert Fraction(books.fees) == ledger.fees
    assert {symbol: Fraction(position.quantity) for symbol, position in books.positions.items()} == ledger.held
    costs = sum((Fraction(position.cost) for position in books.positions.values()), Fraction(0))
    assert Fraction(books.cash) == Fraction(books.realized_pnl) - costs - Fraction(books.fees)
    assert abs(Fraction(books.realized_pnl) - ledger.realized) <= len(executions) * HALF_A_QUANTUM * 2


@settings(max_examples=60)
@given(st.lists(events, max_size=10))
def test_a_replay_of_nonsense_reports_and_never_fails(recorded):
    """Events that contradict each other in every way are differences, not exceptions."""
    journal = MemoryJournal(KEY)
    for event in recorded:
        journal.append(event)
    report = replay(journal)
    assert report.entries == len(recorded)
    assert report.agrees == (not report.differences)


@settings(max_examples=60)
@given(st.lists(events, min_size=1, max_size=12), st.data())
def test_a_snapshot_at_any_entry_and_the_rest_give_what_all_entries_give(recorded, data):
    """Whatever the entries say, and however little they make sense."""
    journal = MemoryJournal(KEY)
    for event in recorded:
        journal.append(event)
    seq = data.draw(st.integers(1, len(recorded)), label="entry of the snapshot")
    entry = journal.entry(seq)
    assert entry is not None
    journal.keep_snapshot(packed(replay(journal, until=seq).projection, entry.digest, KEY))
    folded = fold(journal)
    assert (folded.snapshot_seq, folded.ignored) == (seq, "")
    whole = replay(journal).projection
    assert msgspec.msgpack.encode(books_of(folded.projection)) == msgspec.msgpack.encode(books_of(whole))


@pytest.mark.parametrize("special", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_a_difference_too(special):
    journal = MemoryJournal(KEY)
    at = datetime(2024, 1, 2, tzinfo=UTC)
    journal.append(CashMoved(at=at, amount=Decimal(special), cash=Decimal(special), reason=""))
    journal.append(CashMoved(at=at, amount=Decimal(1), cash=Decimal(1), reason=""))
    assert not replay(journal).agrees
