"""A calendar of earnings becomes entries of the limits file."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.blackout_file import blackouts_of
from quant_trading_system.cli.main import app
from quant_trading_system.config.loader import default_limits, limits_as_text, limits_from_text, parse_limits
from quant_trading_system.config.reasons import shipped_text
from quant_trading_system.core.exceptions import ConfigurationError

HEAD = "symbol,from,until,reason,mode\n"
CALENDAR = (
    HEAD + "KO,2027-02-09T08:00-05:00,2027-02-09T10:30-05:00,earnings,\n"
    ",2027-01-27T18:55Z,2027-01-27T19:30Z,FOMC,blocked\n"
    "KO,2027-02-09T13:00Z,2027-02-09T15:30Z,earnings,\n"
)
ENTRIES = (
    "everything blocked from 2027-01-27T18:55Z until 2027-01-27T19:30Z by Ana because FOMC",
    "KO reduce_only from 2027-02-09T13:00Z until 2027-02-09T15:30Z by Ana because earnings",
)


def test_windows_are_in_utc_each_once_and_the_earliest_first(tmp_path):
    file = tmp_path / "calendar.csv"
    file.write_text(CALENDAR)
    assert blackouts_of(file, "Ana") == ENTRIES
    texts = limits_as_text(default_limits()) | {"times.blackouts": f"[{', '.join(ENTRIES)}]"}
    assert set(limits_from_text(texts, "a test").blackouts) == set(ENTRIES)


def test_what_the_command_prints_fits_into_the_limits_file(tmp_path):
    file = tmp_path / "calendar.csv"
    file.write_text(CALENDAR)
    told = CliRunner().invoke(app, ["limits", "blackouts", str(file), "--owner", "Ana"])
    assert told.exit_code == 0, told.output
    text = shipped_text().replace("  blackouts: []\n", told.stdout)
    assert set(parse_limits(text.encode(), "a test").blackouts) == set(ENTRIES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,from\n", "the first line must name the columns"),
        (HEAD, "holds no window"),
        (HEAD + "KO,2027-02-09T13:00,2027-02-09T15:30Z,earnings,\n", "line 2: '2027-02-09T13:00' has no zone"),
        (HEAD + "KO,2027-02-09T13:00:30Z,2027-02-09T15:30Z,earnings,\n", "not on a full minute"),
        (HEAD + "KO,tomorrow,2027-02-09T15:30Z,earnings,\n", "line 2: Invalid isoformat"),
        (HEAD + "KO,2027-02-09T15:30Z,2027-02-09T13:00Z,earnings,\n", "line 2: .*it ends before it begins"),
        (HEAD + "KO,2027-02-09T13:00Z,2027-02-09T15:30Z,,\n", "line 2: .*write SYMBOL or everything"),
        (HEAD + "KO,2027-02-09T13:00Z,2027-02-09T15:30Z,news,maybe\n", "line 2: .*write SYMBOL or everything"),
    ],
)
def test_a_line_that_makes_no_window_is_named(tmp_path, text, said):
    file = tmp_path / "calendar.csv"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        blackouts_of(file, "Ana")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        blackouts_of(tmp_path / "missing.csv", "Ana")
