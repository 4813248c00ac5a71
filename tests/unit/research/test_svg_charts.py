"""Axes, thinning and labels of the charts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_trading_system.research.svg import (
    HeatRow,
    Level,
    Series,
    Span,
    bar_list,
    date_ticks,
    heat_map,
    nice_ticks,
    thinned,
    time_chart,
    value_map,
)
from quant_trading_system.research.wording import number

START = datetime(2020, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.153, 0, [-0.2, -0.15, -0.1, -0.05, 0]),
        (97_310, 112_900, [95_000, 100_000, 105_000, 110_000, 115_000]),
        (100, 100, [94, 96, 98, 100, 102, 104, 106]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_enclose_the_values_and_are_few(low, high):
    low, high = sorted((low, high))
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-6))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * (high - low)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 3 <= len(ticks) <= 8


@pytest.mark.parametrize(
    ("length", "first", "second"),
    [
        (timedelta(days=4), "1 Feb", "2 Feb"),
        (timedelta(days=200), "Feb 2020", "Mar 2020"),
        (timedelta(days=600), "Apr 2020", "Jul 2020"),
        (timedelta(days=3000), "2021", "2022"),
        (timedelta(days=12_000), "2025", "2030"),
    ],
)
def test_date_labels_fit_the_length_of_the_period(length, first, second):
    ticks = date_ticks(START, START + length)
    assert [name for _, name in ticks[:2]] == [first, second]
    assert len(ticks) <= 9


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=400), st.integers(20, 100))
def test_thinning_keeps_ends_and_extremes(values, most):
    kept = thinned(values, most)
    assert kept == sorted(set(kept))
    assert len(kept) <= most
    assert {0, len(values) - 1} <= set(kept)
    assert {min(values), max(values)} <= {values[i] for i in kept}


def chart(values, **options):
    times = [START + timedelta(days=day) for day in range(len(values))]
    curve = Series("A & B", values, "main", filled=True)
    return time_chart(times, [curve], label="told", axis_text=number, value_text=number, **options)


def test_a_chart_is_well_formed_and_tells_every_value():
    drawn = chart([1.0, 3.0, 2.0], levels=[Level(2.5, "limit")], spans=[Span(START, START + timedelta(days=1), "why")])
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == "told"
    titles = [title.text for title in root.iter("title")]
    assert titles == ["31 Jan 2020\nA & B 1.00\nwhy", "1 Feb 2020\nA & B 3.00\nwhy", "2 Feb 2020\nA & B 2.00"]
    assert "limit" in [text.text for text in root.iter("text")]


def test_a_filled_curve_stands_on_zero():
    """The axis starts at zero even when the values are far above it."""
    labels = re.findall(r'class="tick y"[^>]*>([^<]*)<', chart([80.0, 90.0, 100.0]))
    assert labels[0] == "0.00"


def test_a_long_curve_stays_small():
    assert len(chart([float(day % 37) for day in range(20_000)])) < 40_000


def test_bars_are_as_long_as_their_share_of_the_longest():
    drawn = bar_list([("first", 8, "8"), ("second", 2, "2")], label="bars")
    assert [rect.attrib["width"] for rect in ElementTree.fromstring(drawn).iter("rect")] == ["100.00%", "25.00%"]


def test_cells_of_a_heat_map():
    """The largest value has the deepest tint; a missing value has no cell."""
    drawn = heat_map(
        ["Jan", "Feb", "Year"], [HeatRow("2020", [0.02, None], 0.02), HeatRow("2021", [-0.01, 0], -0.01)], label="m"
    )
    root = ElementTree.fromstring(drawn)
    cells = [(rect.attrib["class"], rect.attrib["fill-opacity"]) for rect in root.iter("rect")]
    assert cells == [("gain", "0.60"), ("loss", "0.33"), ("gain", "0.06")]
    assert [title.text for title in root.iter("title")] == ["Jan 2020: +2.00%", "Jan 2021: −1.00%", "Feb 2021: 0.00%"]


def test_a_map_is_as_wide_as_its_texts_need_and_no_wider():
    """Five short columns fit a phone; the names of the rows take the room of the longest one, not that of a cell."""
    rows = [("126", [1.09, 0.98, 0.89, None, 1.38]), ("0.001–0.02", [1.0] * 5)]
    drawn = value_map(["4", "6", "8", "10", "12"], rows, text=number, label="m")
    root = ElementTree.fromstring(drawn)
    assert root.attrib["style"] == "margin-left: 80px; width: calc(100% - 80px); min-width: 220px"
    assert {rect.attrib["width"] for rect in root.iter("rect")} == {"20.00%"}
    assert {text.attrib["x"] for text in root.iter("text") if "year" in text.attrib.get("class", "")} == {"-80"}
    wide = ElementTree.fromstring(value_map(["126–168", "168–210"], [("4", [1.0, 2.0])], text=number, label="m"))
    assert wide.attrib["style"].endswith("min-width: 118px")
