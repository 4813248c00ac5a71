"""Events as bytes, and the chain that ties entries together."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest

from quant_trading_system.core.decisions import CheckResult, Decision, Rule
from quant_trading_system.core.event import Event
from quant_trading_system.core.events import (
    AnyEvent,
    CashMoved,
    OrderEvent,
    StrategyStopped,
)
from quant_trading_system.core.exceptions import JournalDamaged, JournalError
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal.codec import (
    KINDS,
    MAX_BODY_BYTES,
    decode,
    decode_for_books,
    encode,
    kind_of,
    subject_of,
    time_text,
)
from quant_trading_system.journal.entry import Entry, chained, entry_from, genesis, is_authentic

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))
CASH = CashMoved(at=AT, amount=Decimal("100000.00"), cash=Decimal("100000.00"), reason="opening")

ROW = (7, "2024-01-02T14:30:00Z", "cash_moved", 3, "5f1c", "run-1-0", b'{"kind":"cash_moved"}')


def test_an_event_is_one_json_object_with_decimals_as_text():
    assert encode(CASH) == (
        b'{"kind":"cash_moved","at":"2024-01-02T14:30:00Z","amount":"100000.00","cash":"100000.00","reason":"opening"}'
    )
    assert decode(encode(CASH)) == CASH


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.DENIED])
def test_books_are_told_everything_but_why_an_order_was_let_through(status):
    checks = (CheckResult(Rule.MAX_REPEATED_ORDERS, status is OrderStatus.SENT, Decimal(61), Decimal(60)),)
    order = Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=Decimal(3),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        client_order_id="run-1-0",
    )
    zero = Decimal(0)
    decision = Decision(
        checks=checks, limits_version="5f1c", at=AT, equity=zero, drawdown=zero, daily_pnl=zero, position=zero
    )
    event = OrderEvent(at=AT, order_id="run-1-0", symbol="KO", status=status, order=order, decision=decision)
    expected = event if status is OrderStatus.DENIED else msgspec.structs.replace(event, decision=None)
    assert decode_for_books(encode(event)) == expected
    assert type(decode_for_books(encode(event))) is OrderEvent
    assert decode_for_books(encode(CASH)) == CASH
    with pytest.raises(JournalError, match="fields that this version does not know"):
        decode_for_books(encode(event)[:-1] + b',"more":1}')


def test_every_event_of_the_vocabulary_has_a_kind_of_its_own():
    assert set(KINDS) == set(get_args(AnyEvent))
    assert len(set(KINDS.values())) == len(KINDS)
    assert KINDS[CashMoved] == "cash_moved"


def test_what_is_no_event_is_refused():
    class Stranger(Event, frozen=True, kw_only=True, tag="stranger"):
        pass

    with pytest.raises(JournalError, match="Stranger is not an event of the journal"):
        kind_of(Stranger(at=AT))  # type: ignore[arg-type]


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(JournalError, match="a StrategyStopped cannot be recorded"):
        encode(StrategyStopped(at=AT, strategy="momentum", error="\ud800"))


def test_an_event_has_a_largest_size():
    with pytest.raises(JournalError, match=f"too large; {MAX_BODY_BYTES} are allowed"):
        encode(StrategyStopped(at=AT, strategy="momentum", error="x" * MAX_BODY_BYTES))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "cannot be read by this version"),
        (b"{", "cannot be read by this version"),
        (b"[]", "cannot be read by this version"),
        (b'{"kind":"teleported","at":"2024-01-02T14:30:00Z"}', "Invalid value 'teleported'"),
        (b'{"kind":"cash_moved","at":"2024-01-02T14:30:00Z","amount":"1"}', "missing required field"),
        (b'{"kind":"strategy_stopped","at":"2024-01-02T14:30:00Z","strategy":"a","error":"b","more":1}', "fields that"),
    ],
)
def test_what_this_version_does_not_understand_in_full_is_refused(body, message):
    with pytest.raises(JournalError, match=message):
        decode(body)


def test_an_invalid_order_in_a_record_is_refused():
    body = encode(_order_event()).replace(b'"quantity":"10"', b'"quantity":"-10"')
    with pytest.raises(JournalError, match="cannot be read by this version"):
        decode(body)


def _order_event() -> OrderEvent:
    order = Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=Decimal(10),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
    )
    decision = Decision(
        checks=(CheckResult(Rule.KILL_SWITCH, True),),
        limits_version="5f1c",
        at=AT,
        equity=Decimal(100),
        drawdown=Decimal(0),
        daily_pnl=Decimal(0),
        position=Decimal(0),
    )
    return OrderEvent(
        at=AT,
        order_id="run-1-0",
        symbol="KO",
        status=OrderStatus.SENT,
        trigger=OrderTrigger.SEND,
        order=order,
        decision=decision,
    )


def test_an_older_record_is_read_although_this_version_has_more_fields():
    """Fields in another order, and checks that had fewer places, come from before."""
    event = _order_event()
    raw = msgspec.json.decode(encode(event))
    raw["decision"]["checks"] = [["kill_switch", True]]
    assert decode(msgspec.json.encode(dict(sorted(raw.items())))) == event


def test_a_check_with_more_places_than_this_version_knows_is_refused():
    raw = msgspec.json.decode(encode(_order_event()))
    raw["decision"]["checks"][0].append("a place from the future")
    with pytest.raises(JournalError, match="fields that this version does not know"):
        decode(msgspec.json.encode(raw))


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("UTC"), timezone(timedelta(0))])
def test_the_time_of_an_entry_is_spelt_as_in_its_event(zone):
    event = StrategyStopped(at=AT.replace(tzinfo=zone, microsecond=5), strategy="a", error="b")
    assert time_text(event) == "2024-01-02T14:30:00.000005Z"
    assert time_text(event).encode() in encode(event)


@pytest.mark.parametrize("zone", [None, ZoneInfo("America/New_York")])
def test_a_time_that_is_not_in_utc_is_refused(zone):
    with pytest.raises(JournalError, match="aware and in UTC"):
        time_text(StrategyStopped(at=AT.replace(tzinfo=zone), strategy="a", error="b"))


def test_the_subject_is_the_order_that_an_event_is_about():
    assert subject_of(_order_event()) == "run-1-0"
    assert subject_of(CASH) is None


def test_the_digest_depends_on_the_key_and_on_what_came_before():
    digest = chained(genesis(KEY), *ROW, KEY)
    assert len(digest) == 32
    assert digest != chained(genesis(KEY), *ROW, bytes(32))
    assert digest != chained(bytes(32), *ROW, KEY)
    assert genesis(KEY) != genesis(bytes(32))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_has_thirty_two_bytes(length):
    with pytest.raises(JournalError, match="32 bytes"):
        genesis(bytes(length))


@pytest.mark.parametrize(
    ("column", "other"),
    [
        (0, 8), (1, "2024-01-02T14:30:01Z"), (2, "cash_move"), (3, None), (3, 4), (4, ""), (5, None), (5, "run-1-1"),
        (6, b'{"kind":"cash_moved" }'),
    ],
)  # fmt: skip
def test_a_change_in_any_column_shows(column, other):
    row = (*ROW, chained(genesis(KEY), *ROW, KEY))
    changed = (*row[:column], other, *row[column + 1 :])
    assert is_authentic(row, genesis(KEY), KEY)
    assert not is_authentic(changed, genesis(KEY), KEY)


def test_columns_cannot_lend_each_other_characters():
    """Without lengths in the chain, `order` + `5f1c` and `orde` + `r5f1c` would share a digest."""
    first = (1, "t", "order", None, "5f1c", None, b"{}")
    second = (1, "t", "orde", None, "r5f1c", None, b"{}")
    assert chained(genesis(KEY), *first, KEY) != chained(genesis(KEY), *second, KEY)


@pytest.mark.parametrize(("column", "other"), [(0, -1), (1, 5), (2, None), (3, "x"), (5, 1.5), (6, "text")])
def test_a_column_of_another_type_is_not_authentic(column, other):
    row = (*ROW, chained(genesis(KEY), *ROW, KEY))
    assert not is_authentic((*row[:column], other, *row[column + 1 :]), genesis(KEY), KEY)


def test_an_entry_gives_back_its_event_or_names_itself():
    body = encode(CASH)
    good = entry_from((1, "2024-01-02T14:30:00Z", "cash_moved", None, "", None, body, bytes(32)))
    bad = entry_from((9, "2024-01-02T14:30:00Z", "cash_moved", None, "", None, b"{}", bytes(32)))
    assert good == Entry(1, AT, "cash_moved", None, "", None, body, bytes(32))
    assert good.event == CASH
    with pytest.raises(JournalDamaged, match="entry 9: cannot be read") as caught:
        _ = bad.event
    assert caught.value.seq == 9


def test_a_row_that_is_no_entry_names_itself():
    with pytest.raises(JournalDamaged, match="entry 4: a column is unreadable"):
        entry_from((4, "yesterday", "cash_moved", None, "", None, b"{}", bytes(32)))
