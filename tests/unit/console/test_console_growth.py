"""What a large account costs the console: lists are walked once, a page shows a part of them. Work is counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest

from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.app.readings.positions import Holdings, holdings
from quant_trading_system.console import metrics
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.pages import blotter
from quant_trading_system.console.pages.blotter import BlotterPage
from quant_trading_system.console.pages.positions import PositionsPage
from quant_trading_system.console.pages.sheet import Sheet
from quant_trading_system.core.events import PositionAdopted
from quant_trading_system.core.instruments import Instrument
from tests.support.console_desk import Office
from tests.support.counted_calls import counted_calls
from tests.support.demo_journal import Scribe

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
SYMBOLS = tuple(f"S{number:03d}" for number in range(250))


class CountedTuple(tuple[Instrument, ...]):
    """Instruments, and how often one of them was looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Instrument]:
        for one in super().__iter__():
            type(self).looks += 1
            yield one


class CountedDict(dict):
    """Open orders, and how often one of them was looked at."""

    looks = 0

    def values(self):
        type(self).looks += len(self)
        return super().values()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An account that holds every symbol and has an open order for each."""
    office = Office(tmp_path_factory.mktemp("large"))
    scribe = Scribe(office.directory)
    scribe.begin("test")
    for symbol in SYMBOLS:
        adopted = PositionAdopted(
            at=scribe.now, symbol=symbol, quantity=Decimal(2), cost=Decimal(20), approved_by="ana", reason="moved here"
        )
        scribe.write(adopted)
        scribe.send(symbol)
    scribe.close()
    office.desk.follower.catch_up()
    yield office.desk
    office.desk.close()


@pytest.fixture(scope="module")
def held(large: Desk) -> Holdings:
    return holdings(large.follower)


def test_universe_and_open_orders_are_walked_once_for_all_positions(large):
    books = large.follower.books
    universe = CountedTuple(Instrument(symbol=symbol, sector="Energy") for symbol in SYMBOLS)
    books.run = msgspec.structs.replace(books.run, universe=universe)
    books.orders.open = CountedDict(books.orders.open)
    CountedTuple.looks = CountedDict.looks = 0
    found = holdings(large.follower)
    assert {(line.sector, line.open_orders) for line in found.positions} == {("Energy", 1)}
    assert len(found.positions) == CountedTuple.looks == CountedDict.looks == len(SYMBOLS)


def test_a_scrape_measures_the_room_under_the_limits_once(large, monkeypatch):
    asked = counted_calls(monkeypatch, metrics, "headroom")
    told = metrics.exposition(large.follower, large.engine_now(), NOW).decode()
    assert 'qts_limit_headroom{rule="max_position_pct"}' in told
    assert len(asked) == 1


def pages_of(held: Holdings) -> Iterator[PositionsPage]:
    """Every page of positions."""
    hub = SimpleNamespace(overview=lambda: SimpleNamespace(holdings=held))
    for offset in range(0, len(held.positions), 100):
        yield PositionsPage(hub, offset)  # type: ignore[arg-type]  # as much of a hub as it asks


def test_a_page_shows_a_hundred_positions_and_all_pages_show_all(held):
    rows = [[row.key for row in page.tables()["positions"]] for page in pages_of(held)]
    assert [len(page) for page in rows] == [100, 100, 50]
    assert [key for page in rows for key in page] == [line.symbol for line in held.positions]


def test_positions_that_are_not_shown_are_named_with_the_way_to_them(held):
    first, second, third = (page.slots()["pager"] for page in pages_of(held))
    assert "1 to 100 of 250" in first
    assert "/positions?offset=100" in first
    assert "101 to 200 of 250" in second
    assert 'href="/positions"' in second
    assert "offset=200" in second
    assert "201 to 250 of 250" in third
    assert "smaller" not in third


def test_a_few_positions_need_no_pages(held):
    few = msgspec.structs.replace(held, positions=held.positions[:100])
    (page,) = pages_of(few)
    assert page.slots()["pager"] == ""


def test_the_blotter_looks_through_the_orders_once_a_version(large, monkeypatch):
    asked = counted_calls(monkeypatch, blotter, "order_page")
    hub = SimpleNamespace(follower=large.follower, version=1)
    actions = SimpleNamespace(may=lambda _: False)
    page = BlotterPage(hub, actions, OrderFilter(), 0)  # type: ignore[arg-type]  # as much of both as it asks
    sheet = Sheet()
    for version in (1, 2):
        hub.version = version
        sheet.script(page.slots(), page.tables())
        page._form()
        assert len(asked) == version
