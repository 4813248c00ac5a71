"""When the steps of a bar are: evenly spaced, to the microsecond that exact division gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from quant_trading_system.market.sessions import Session
from quant_trading_system.simulation.blocks import SessionTimes, Times

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("rows", [2, 4, 8, 13])
@pytest.mark.parametrize("length_us", [60_000_000, 1, 2, 5, 11, 23_400_000_001])
def test_steps_are_those_of_exact_division(rows, length_us):
    span = timedelta(microseconds=length_us)
    begins = [START, START + span]
    stamps = np.array([moment.replace(tzinfo=None) for moment in begins], dtype="datetime64[ns]")
    day = Session(START.date(), START, START + timedelta(hours=7))
    times = Times(stamps, stamps + np.timedelta64(length_us, "us"), SessionTimes((day,)))
    expected = [begin + span * step / (rows - 1) for begin in begins for step in range(rows)]
    assert [moment.replace(tzinfo=UTC) for moment in times.steps(rows).astype("datetime64[us]").tolist()] == expected
    assert (times.start(1), times.end(1)) == (START + span, START + 2 * span)
