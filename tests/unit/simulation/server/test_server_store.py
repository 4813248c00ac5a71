"""What survives a restart, and what is refused instead of guessed."""

import asyncio
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.alpaca_server import assembly
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec
from quant_trading_system.simulation.alpaca_server.assembly import VenueSettings
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.server import Address
from quant_trading_system.simulation.alpaca_server.sources import RANDOM, Wishes
from quant_trading_system.simulation.alpaca_server.store import Scenery, Store
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention
from quant_trading_system.simulation.alpaca_server.venue_time import SteppedClock
from quant_trading_system.simulation.records import OrderQuery
from tests.support.counted_calls import counted_calls
from tests.support.venue_front import ALICE, BOB, OPEN, RULES, monday

REAL = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
SCENERY = Scenery(source=RANDOM, symbols={}, seed=7, steps=391, always_open=False, begin=date(2026, 1, 12), start=OPEN)
BUY = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
ALL = OrderQuery(status="all", limit=500)
REST = {**BUY, "type": "limit", "limit_price": "500", "time_in_force": "gtc"}


@pytest.fixture
def opened():
    """Opens a venue's file, which is closed after the test."""
    with ExitStack() as files:
        yield lambda path: files.enter_context(closing(Store(path, REAL)))


@pytest.fixture
def life(opened):
    """Begins a venue on a file."""

    def begin(path, specs=(ALICE, BOB)):
        store = opened(path)
        clock = SteppedClock(store.resumed_at() or OPEN)
        host = Host(monday(), clock, list(specs), RULES)
        store.begin(SCENERY, host)
        host.begin()
        return store, host, clock

    return begin


def go_on(host, clock, **span):
    clock.leap_to(clock.now() + timedelta(**span))
    host.settle()


def facts(host):
    """Everything that a customer can see, as text."""
    found = []
    for desk in host.desks:
        venue = desk.venue
        found += [venue.orders(ALL), venue.positions(), venue.account(), venue.activities(), venue.equity_history()]
        found += [venue.configuration, venue.statement(), desk.opened_at, desk.watchlists.all()]
    found += [host.now, host.session, [host.market.quote(symbol) for symbol in host.market.symbols]]
    return [str(fact) for fact in found]


def test_a_venue_goes_on_as_if_it_had_never_ended(tmp_path, life):
    store, host, clock = life(tmp_path / "venue.db")
    desk = host.desks[0]
    desk.venue.submit_request(BUY)
    desk.venue.submit_request(
        {**BUY, "order_class": "bracket", "take_profit": {"limit_price": "700"}, "stop_loss": {"stop_price": "300"}}
    )
    resting = desk.venue.submit_request(REST)
    go_on(host, clock, minutes=5)
    desk.watchlists.create("Primary", ["SPY"], clock.now())
    desk.venue.configure({"no_shorting": True})
    host.intervene("KO", Intervention(ns_of(host.now) + 1_000, Doing.HOLD, 70_000_000, 69_990_000, 70_010_000))
    go_on(host, clock, minutes=5)
    store.save()

    _, revived, second_clock = life(tmp_path / "venue.db")
    assert facts(revived) == facts(host)
    for one, its_clock in ((host, clock), (revived, second_clock)):
        one.desks[0].venue.replace(resting.venue_order_id, {"limit_price": "501"})
        go_on(one, its_clock, days=1)
    assert facts(revived) == facts(host)


def test_what_was_missed_happens_when_the_venue_is_back(tmp_path, life, opened):
    """Sessions open and close, day orders expire, and resting orders meet the prices of the meantime."""
    store, host, clock = life(tmp_path / "venue.db")
    day = host.desks[0].venue.submit_request({**REST, "time_in_force": "day"})
    gtc = host.desks[0].venue.submit_request({**REST, "symbol": "KO", "side": "sell", "limit_price": "90"})
    go_on(host, clock, minutes=1)
    store.save()
    again = opened(tmp_path / "venue.db")
    late = SteppedClock(OPEN + timedelta(days=2, hours=1))
    revived = Host(monday(), late, [ALICE, BOB], RULES)
    again.begin(SCENERY, revived)
    revived.begin()
    assert (revived.session.date, revived.now) == (date(2026, 1, 14), late.now())
    venue = revived.desks[0].venue
    assert (venue.get(day.venue_order_id).broker_status, venue.is_open) == ("expired", True)
    assert venue.get(gtc.venue_order_id).broker_status in ("new", "filled")


def test_an_account_that_is_missing_is_refused(tmp_path, life):
    store, _, _ = life(tmp_path / "venue.db")
    store.save()
    with pytest.raises(ConfigurationError, match="account bob; name it with --account"):
        life(tmp_path / "venue.db", [ALICE])


def test_an_account_may_be_added(tmp_path, life):
    store, host, _ = life(tmp_path / "venue.db", [ALICE])
    host.desks[0].venue.submit_request(BUY)
    store.save()
    _, revived, _ = life(tmp_path / "venue.db", [ALICE, BOB])
    assert [len(desk.venue.orders(ALL)) for desk in revived.desks] == [1, 0]


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be taken for one" * 20])
def test_a_file_that_is_something_else_is_refused_or_made_anew(tmp_path, opened, content):
    path = tmp_path / "venue.db"
    path.write_bytes(content)
    if content:
        with pytest.raises(ConfigurationError, match="cannot be used as a venue's file"):
            opened(path)
    else:
        assert opened(path).scenery() is None


def test_a_state_of_another_version_is_refused(tmp_path, life):
    store, _, _ = life(tmp_path / "venue.db")
    store._write("state", b'{"now": "2026"}')
    with pytest.raises(ConfigurationError, match="was not written by this version"):
        life(tmp_path / "venue.db")


# -- the options of the command ----------------------------------------------------------------------------------------


def settings(**fields):
    wishes = Wishes(RANDOM, {}, date(2026, 1, 12), 7, False, None, 391)
    defaults = {
        "wishes": wishes, "accounts": (), "address": Address("127.0.0.1", 0), "speed": None, "token": "",
        "per_minute": 0, "partial_fills": Decimal(0), "charges": False, "multiplier": 2, "database": None,
        "allow_remote": False,
    }  # fmt: skip
    return VenueSettings(**{**defaults, **fields})


def test_a_file_keeps_to_the_options_that_it_was_made_with(tmp_path, life):
    store, _, _ = life(tmp_path / "venue.db")
    same = settings(database=tmp_path / "venue.db")
    assert assembly._scenery(same, store, datetime(2027, 1, 1, tzinfo=UTC)).start == OPEN
    other = same._replace(wishes=same.wishes._replace(seed=8))
    with pytest.raises(ConfigurationError, match="belongs to a market with seed 7"):
        assembly._scenery(other, store, OPEN)


def test_a_venue_that_is_refused_lets_go_of_its_file(tmp_path, life, monkeypatch):
    life(tmp_path / "venue.db")
    closed = counted_calls(monkeypatch, Store, "close")
    wishes = settings().wishes._replace(seed=8)
    with pytest.raises(ConfigurationError, match="seed 7"):
        asyncio.run(assembly.run_venue(settings(wishes=wishes, database=tmp_path / "venue.db"), REAL, print))
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"address": Address("0.0.0.0", 0)}, "can be reached from other machines"),
        ({"address": Address("0.0.0.0", 0), "allow_remote": True}, "generated secrets can be guessed"),
        ({"accounts": (ALICE, ALICE._replace(key_id="other"))}, "two accounts have the name alice"),
        ({"accounts": (ALICE, ALICE._replace(name="other"))}, "two accounts have the key PKALICE"),
    ],
)
def test_accounts_and_addresses_that_are_not_safe_are_refused(fields, words):
    with pytest.raises(ConfigurationError, match=words):
        assembly._accounts(settings(**fields))


@pytest.mark.parametrize(
    ("fields", "words"), [({"multiplier": 3}, "must be 1, 2 or 4"), ({"partial_fills": Decimal(2)}, "no probability")]
)
def test_rules_that_do_not_exist_are_refused(fields, words):
    with pytest.raises(ConfigurationError, match=words):
        assembly._rules(settings(**fields))


def test_the_generated_account_is_the_same_for_the_same_seed():
    one, same = assembly._accounts(settings()), assembly._accounts(settings())
    other = assembly._accounts(settings(wishes=settings().wishes._replace(seed=8)))
    assert one == same
    assert one[0].secret_key != other[0].secret_key
    assert isinstance(one[0], AccountSpec)
