"""The table of the exchange's hours says what the rules say that it was made from, and beside others says nothing."""

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace

import pytest

from quant_trading_system.market import nyse_hours, sessions
from quant_trading_system.market.nyse_hours import hours_by_rule, hours_table
from quant_trading_system.market.sessions import Session, TradingCalendar
from tools.write_calendar import FIRST_DAY, LAST_DAY, PATH, written

LIBRARY = Path(find_spec("exchange_calendars").origin).parent


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the installed library, which a test may change; the table is held against it."""
    copy = tmp_path / "exchange_calendars"
    copytree(LIBRARY, copy)
    monkeypatch.setattr(nyse_hours, "find_spec", lambda name: SimpleNamespace(origin=str(copy / "__init__.py")))
    hours_table.cache_clear()
    yield copy
    hours_table.cache_clear()


def test_the_table_is_the_one_that_the_installed_rules_make():
    assert PATH.read_bytes() == written(), "the library has other rules: run python tools/write_calendar.py"


def test_the_table_and_the_rules_agree_on_every_day():
    assert list(hours_table().hours(FIRST_DAY, LAST_DAY)) == hours_by_rule(FIRST_DAY, LAST_DAY)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(1990, 1, 1), date(2027, 12, 31)),
        (date(2001, 8, 15), date(2001, 11, 30)),
        (date(2012, 10, 1), date(2012, 12, 31)),
        (date(2018, 12, 5), date(2025, 1, 9)),
        (date(2039, 12, 1), date(2039, 12, 31)),
    ],
)
def test_a_calendar_from_the_table_is_the_one_that_the_rules_make(first, last):
    by_rule = tuple(Session(*hours) for hours in hours_by_rule(first, last))
    assert TradingCalendar.nyse(first, last).sessions_between(first, last) == by_rule


@pytest.mark.parametrize(
    ("first", "last"), [(date(1969, 12, 31), date(1970, 3, 1)), (date(2039, 12, 1), date(2040, 1, 31))]
)
def test_a_calendar_that_leaves_the_table_is_made_by_the_rules(first, last):
    assert not hours_table().covers(first, last)
    by_rule = tuple(Session(*hours) for hours in hours_by_rule(first, last))
    assert TradingCalendar.nyse(first, last).sessions_between(first, last) == by_rule


def test_another_release_with_the_same_rules_leaves_the_table_in_use(library):
    (library / "exchange_calendar_xkrx.py").write_text("# one more holiday of another exchange")
    assert hours_table() is not None


@pytest.mark.parametrize("name", ["exchange_calendar_xnys.py", "us_holidays.py", "common_holidays.py"])
def test_beside_other_rules_the_table_does_not_count(library, name):
    (library / name).write_text((library / name).read_text() + "# one more closing")
    assert hours_table() is None


def test_beside_rules_that_cannot_be_read_the_table_does_not_count(library, monkeypatch):
    (library / "us_holidays.py").unlink()
    assert hours_table() is None
    monkeypatch.setattr(nyse_hours, "find_spec", lambda name: None)
    hours_table.cache_clear()
    assert hours_table() is None


def test_a_closing_that_an_upgrade_of_the_library_brings_is_kept(library, monkeypatch):
    """A day of mourning, announced after the table was made."""
    mourning = date(2026, 3, 4)
    assert TradingCalendar.nyse(mourning, mourning).session_on(mourning) is not None

    def with_mourning(first, last):
        return [hours for hours in hours_by_rule(first, last) if hours.day != mourning]

    monkeypatch.setattr(sessions, "hours_by_rule", with_mourning)
    (library / "us_holidays.py").write_text("# and a day of mourning")
    hours_table.cache_clear()
    sessions._sessions_by_rule.cache_clear()
    assert TradingCalendar.nyse(date(2026, 3, 1), date(2026, 3, 31)).session_on(mourning) is None
    sessions._sessions_by_rule.cache_clear()
