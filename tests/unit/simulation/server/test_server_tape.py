"""What an operator does to a market, and how everybody sees it afterwards."""

from datetime import date, timedelta

import numpy as np
import pytest

from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.tape import PRINT_SIZE, Doing, Intervention, Tape, quote_around
from tests.support.venue_front import MONDAY, OPEN, monday

TUESDAY = date(2026, 1, 13)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def tape():
    return Tape(monday().paths)


def do(tape, minutes, doing, dollars=0):
    last = dollars * 1_000_000
    bid, ask = quote_around(last) if last else (0, 0)
    return tape.intervene("SPY", Intervention(ns_of(OPEN + minutes * MINUTE) + 1_000, doing, last, bid, ask))


def at_minutes(tape, *minutes, day=MONDAY):
    """The last price up to just after each minute, dollars; None where there is none."""
    ticks = tape.ticks("SPY", day)
    shift = (day - MONDAY).days * 86_400 * 10**9
    found = []
    for minute in minutes:
        seen = ticks.until(ns_of(OPEN + minute * MINUTE) + shift + 2_000)
        found.append(seen.last[-1].item() / 1_000_000 if len(seen.at) else None)
    return found


def test_an_untouched_tape_shows_the_paths(tape):
    assert tape.ticks("SPY", MONDAY) is tape.paths.ticks("SPY", MONDAY)
    assert not tape.is_altered("SPY", MONDAY)


def test_a_held_price_stands_until_it_is_released_also_on_later_days(tape):
    do(tape, 10, Doing.HOLD, 600)
    assert at_minutes(tape, 10, 11, 390) == [600, 600, 600]
    assert at_minutes(tape, 0, 100, day=TUESDAY) == [600, 600]
    do(tape, 20, Doing.RELEASE)
    assert at_minutes(tape, 10, 19, 20) == [600, 600, 600]
    assert at_minutes(tape, 21, day=MONDAY) == at_minutes(Tape(tape.paths), 21)
    assert at_minutes(tape, 0, day=TUESDAY) == at_minutes(Tape(tape.paths), 0, day=TUESDAY)


def test_a_held_price_is_a_trade_at_its_own_moment(tape):
    act = do(tape, 10, Doing.HOLD, 600)
    ticks = tape.ticks("SPY", MONDAY)
    (place,) = np.flatnonzero(ticks.at == act.at)
    assert (ticks.last[place], ticks.size[place]) == (600_000_000, PRINT_SIZE)
    assert np.all(np.diff(ticks.at) > 0)


def test_a_print_is_one_trade_and_the_path_goes_on(tape):
    do(tape, 10, Doing.PRINT, 600)
    untouched = Tape(tape.paths)
    assert at_minutes(tape, 10) == [600]
    assert at_minutes(tape, 9, 11) == at_minutes(untouched, 9, 11)
    assert len(tape.ticks("SPY", MONDAY).at) == len(untouched.ticks("SPY", MONDAY).at) + 1


def test_a_halt_takes_away_quotes_and_trades_until_trading_resumes(tape):
    do(tape, 10, Doing.HALT)
    do(tape, 20, Doing.RESUME)
    minutes = ((tape.ticks("SPY", MONDAY).at - ns_of(OPEN)) // (60 * 10**9)).tolist()
    assert minutes == [*range(11), *range(21, 390), 389]


def test_two_doings_at_one_moment_keep_their_order(tape):
    first, second = do(tape, 10, Doing.HOLD, 600), do(tape, 10, Doing.HOLD, 610)
    assert second.at == first.at + 1_000
    assert at_minutes(tape, 11) == [610]


def test_other_symbols_and_earlier_days_do_not_notice(tape):
    do(tape, 10, Doing.HOLD, 600)
    assert not tape.is_altered("KO", MONDAY)
    assert not tape.is_altered("SPY", MONDAY - timedelta(days=3))
    assert tape.is_altered("SPY", TUESDAY)
