"""Accounts as users name them, keys that open them, and the lists that they keep."""

import base64
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec, read_account
from quant_trading_system.simulation.alpaca_server.auth import Keyring
from quant_trading_system.simulation.alpaca_server.rate_limit import UNLIMITED, RateLimiter
from quant_trading_system.simulation.alpaca_server.sources import read_symbols
from quant_trading_system.simulation.alpaca_server.watchlists import Watchlists
from tests.support.venue_front import ALICE, BOB, OPEN

KEYS = Keyring([ALICE, BOB])


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


# -- options -----------------------------------------------------------------------------------------------------------


def test_an_account_is_named_with_its_keys_and_its_cash():
    assert read_account("a:PK1:s:2500.50") == AccountSpec("a", "PK1", "s", Decimal("2500.50"))


@pytest.mark.parametrize("text", ["", "a", "a:b:c", "a:b:c:d:e", "a::c:1", "a:b:c:0", "a:b:c:much", "a:b:c:-5"])
def test_an_account_of_another_form_is_refused(text):
    with pytest.raises(ConfigurationError):
        read_account(text)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("", {}),
        ("SPY:570,AAPL:190.25", {"SPY": Decimal(570), "AAPL": Decimal("190.25")}),
        ("SPY, AAPL", {"SPY": None, "AAPL": None}),
        ("X:0.12345", {"X": Decimal("0.1234")}),
    ],
)
def test_symbols_are_named_with_or_without_prices(text, symbols):
    assert read_symbols(text) == symbols


@pytest.mark.parametrize("text", ["SPY:570,SPY:1", "SPY:", ":5", "SPY:x", "S PY:5", "SPY:-1"])
def test_symbols_of_another_form_are_refused(text):
    if text == "SPY:":
        assert read_symbols(text) == {"SPY": None}
        return
    with pytest.raises(ConfigurationError):
        read_symbols(text)


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"APCA-API-KEY-ID": ALICE.key_id, "APCA-API-SECRET-KEY": ALICE.secret_key},
        basic(f"{ALICE.key_id}:{ALICE.secret_key}"),
        {"Authorization": f"Bearer {ALICE.key_id}:{ALICE.secret_key}"},
        {"Authorization": f"bearer {ALICE.key_id}:{ALICE.secret_key}"},
    ],
)
def test_an_account_is_opened_in_four_ways(headers):
    assert KEYS.of_headers(headers) is ALICE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"APCA-API-KEY-ID": ALICE.key_id, "APCA-API-SECRET-KEY": BOB.secret_key},
        {"APCA-API-KEY-ID": "", "APCA-API-SECRET-KEY": ""},
        basic("PKALICE"),
        basic("nobody:"),
        {"Authorization": "Basic \xff"},
        {"APCA-API-KEY-ID": ALICE.key_id, "APCA-API-SECRET-KEY": "\udcff"},
        {"APCA-API-KEY-ID": "\udcff", "APCA-API-SECRET-KEY": "\udcff"},
        {"Authorization": "Bearer"},
        {"APCA-API-KEY-ID": "x" * 10_000, "APCA-API-SECRET-KEY": "y"},
    ],
)
def test_anything_else_opens_none(headers):
    assert KEYS.of_headers(headers) is None


@pytest.mark.parametrize(("key", "secret"), [(None, None), (5, 5), (["PKALICE"], "x"), ("PKALICE", None)])
def test_keys_that_are_no_text_open_nothing(key, secret):
    assert KEYS.unlock(key, secret) is None


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_window_begins_with_a_request_and_lasts_a_minute():
    clock = ManualClock(OPEN + timedelta(seconds=30, microseconds=1))
    limiter = RateLimiter(clock, 2)
    seen = [limiter.count("a") for _ in range(3)]
    assert [(allowance.remaining, within) for allowance, within in seen] == [(1, True), (0, True), (0, False)]
    assert {allowance.reset for allowance, _ in seen} == {int(OPEN.timestamp()) + 91}
    assert seen[0][0].wait_s == 60
    clock.move_to(OPEN + timedelta(seconds=90))
    assert limiter.count("a")[1] is False
    clock.move_to(OPEN + timedelta(seconds=91))
    assert limiter.count("a")[0].remaining == 1


def test_without_a_limit_much_is_left():
    limiter = RateLimiter(ManualClock(OPEN), 0)
    for _ in range(1_000):
        allowance, within = limiter.count("a")
        assert (allowance.remaining, within) == (UNLIMITED, True)


# -- watchlists --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lists():
    return Watchlists("account")


def test_a_list_keeps_the_order_of_its_symbols(lists):
    made = lists.create("one", ["B", "A", "B"], OPEN)
    lists.add(made, "C", OPEN + timedelta(seconds=1))
    lists.remove(made, "A", OPEN + timedelta(seconds=2))
    assert (made.symbols, made.created_at, made.updated_at) == (["B", "C"], OPEN, OPEN + timedelta(seconds=2))
    assert lists.named("one") is lists.get(made.id) is made


def test_ids_are_never_used_again(lists):
    first = lists.create("one", [], OPEN)
    lists.delete(first)
    assert lists.create("one", [], OPEN).id != first.id


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (lambda lists, one: lists.create("one", [], OPEN), 422),
        (lambda lists, one: lists.create("", [], OPEN), 422),
        (lambda lists, one: lists.create("x" * 65, [], OPEN), 422),
        (lambda lists, one: lists.change(one, "two", None, OPEN), 422),
        (lambda lists, one: lists.change(one, None, [f"S{n}" for n in range(1_001)], OPEN), 422),
        (lambda lists, one: lists.add(one, "A", OPEN), 422),
        (lambda lists, one: lists.remove(one, "B", OPEN), 404),
        (lambda lists, one: lists.get("nothing"), 404),
        (lambda lists, one: lists.named("nothing"), 404),
    ],
)
def test_what_cannot_be_done_to_a_list_changes_nothing(lists, action, status):
    one = lists.create("one", ["A"], OPEN)
    lists.create("two", [], OPEN)
    with pytest.raises(VenueRefusal) as caught:
        action(lists, one)
    assert caught.value.http == status
    assert (one.name, one.symbols, len(lists.all())) == ("one", ["A"], 2)


def test_there_is_a_bound_to_the_number_of_lists(lists):
    for number in range(200):
        lists.create(str(number), [], OPEN)
    with pytest.raises(VenueRefusal, match="at most 200 watchlists"):
        lists.create("one more", [], OPEN)


def test_lists_survive_being_kept(lists):
    lists.delete(lists.create("gone", [], OPEN))
    lists.create("one", ["A"], OPEN)
    revived = Watchlists("account")
    revived.restore(lists.state())
    assert revived.all() == lists.all()
    assert revived.create("two", [], OPEN).id == lists.create("two", [], OPEN).id
