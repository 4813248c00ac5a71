"""Properties of price histories: no digit is lost on the way in, and the order of a file does not matter."""

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import dollars
from quant_trading_system.market.loading import load_prices
from quant_trading_system.market.price_cells import MAX_PRICE, read_prices, read_volumes
from quant_trading_system.market.sessions import AlwaysOpen, TradingCalendar

micros = st.integers(1, MAX_PRICE * 10**6)
SYMBOLS = ("AAPL", "KO", "LOW")
FIRST = date(2022, 1, 1)


def notations(price):
    """One number in the ways in which people and programs write it."""
    plain = f"{price:f}"
    scientific = f"{price:e}"
    return [plain, f"+{plain}", f"0{plain}", f"{plain}000" if "." in plain else f"{plain}.000", scientific]


@given(micros)
def test_a_price_survives_every_notation_and_the_way_back(value):
    price = dollars(value)
    assert price == Decimal(value) / 10**6
    found, flaws = read_prices(pl.Series(notations(price)), None)
    assert flaws == {}
    assert found.tolist() == [value] * len(found)


@given(st.decimals(allow_nan=True, allow_infinity=True).map(str) | st.text(max_size=12) | st.floats().map(repr))
def test_a_cell_is_either_read_exactly_or_flawed_and_never_guessed(cell):
    found, flaws = read_prices(pl.Series([cell], dtype=pl.String), None)
    value = found.item()
    if flaws:
        assert value == 0
    else:
        assert Decimal(cell) * 10**6 == value > 0


@given(st.floats(1e-6, 1e9), st.integers(0, 6))
def test_rounding_goes_to_the_nearest_price_of_so_many_decimals(value, decimals):
    found, flaws = read_prices(pl.Series([repr(value)]), decimals)
    expected = round(Decimal(repr(value)), decimals)
    assert dollars(found.item()) == expected
    assert bool(flaws) == (expected == 0)


@given(st.floats(0.000001, 1e9).map(lambda value: round(value, 6)).filter(bool))
def test_floats_of_parquet_are_taken_by_their_shortest_text(value):
    text = pl.Series([value]).cast(pl.String)
    found, flaws = read_prices(text, None)
    assert (dollars(found.item()), flaws) == (Decimal(repr(value)), {})


@given(st.integers(0, 10**15), st.sampled_from(["{}", "{}.0", "+{}", "{}.000"]))
def test_a_volume_is_read_exactly(shares, notation):
    found, flaws = read_volumes(pl.Series([notation.format(shares)]))
    assert (found.item(), flaws) == (shares, {})


tables = st.dictionaries(st.tuples(st.integers(0, 9), st.sampled_from(SYMBOLS)), micros, min_size=1, max_size=20)


def written(rows, folder):
    lines = [f"{FIRST + timedelta(days=day)},{symbol},{dollars(value)}" for (day, symbol), value in rows]
    path = Path(folder, "prices.csv")
    path.write_text("\n".join(["date,symbol,close", *lines]) + "\n")
    return path


@settings(max_examples=40, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_history(table, shuffler):
    rows = list(table.items())
    shuffler.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        history = load_prices(written(rows, folder), calendar=AlwaysOpen(), sort=True)
    found = {
        (int((history.dates[index] - np.datetime64(FIRST)).astype(int)), symbol): history.close(symbol, index)
        for index in range(len(history))
        for symbol in history.symbols
        if history.has_bar(symbol, index)
    }
    assert found == {key: dollars(value) for key, value in table.items()}


@settings(max_examples=40, deadline=None)
@given(tables, st.data())
def test_a_repeated_row_is_always_found(table, data):
    rows = list(table.items())
    twice = data.draw(st.sampled_from(rows))
    rows.insert(data.draw(st.integers(0, len(rows))), twice)
    with tempfile.TemporaryDirectory() as folder, pytest.raises(MarketDataError, match=r"1 problem.*\n.*repeats line"):
        load_prices(written(rows, folder), calendar=AlwaysOpen(), sort=True)


NYSE = TradingCalendar.nyse(date(2019, 12, 1), date(2023, 1, 31))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2022, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments)
def test_the_questions_about_sessions_agree_with_each_other(moment):
    session = NYSE.session_at(moment)
    assert NYSE.is_open(moment) == (session is not None)
    assert NYSE.last_close(moment) <= moment < NYSE.next_close(moment)
    assert moment < NYSE.next_open(moment)
    if session is None:
        assert NYSE.next_open(moment) < NYSE.next_close(moment)
    else:
        assert session.open <= moment < session.close == NYSE.next_close(moment)
        assert NYSE.trade_date(moment) == session.date
    day = NYSE.trade_date(moment)
    assert NYSE.session_on(day) is not None
    assert NYSE.previous_session(day).date < day
