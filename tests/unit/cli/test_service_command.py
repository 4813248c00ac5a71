"""The units that `qts service` prints: read as systemd reads them, run what they say they run."""

from __future__ import annotations

import shlex
from configparser import ConfigParser

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli.main import app


def unit(*words: str) -> ConfigParser:
    result = CliRunner().invoke(app, ["service", *words])
    assert result.exit_code == 0, result.output
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(result.output)
    return parser


def command(read: ConfigParser) -> list[str]:
    return shlex.split(read["Service"]["ExecStart"])[3:]


@pytest.mark.fault("crash-loop")
def test_the_engine_is_restarted_a_bounded_number_of_times_and_stopped_in_good_order():
    read = unit("--name", "desk", "--user", "ana", "--", "my strategy.py", "--symbols", "KO,PEP")
    assert command(read) == ["trade", "my strategy.py", "--symbols", "KO,PEP", "--name", "desk"]
    assert (read["Service"]["User"], read["Service"]["EnvironmentFile"]) == ("ana", "/etc/qts/keys")
    assert (read["Service"]["Restart"], read["Service"]["KillMode"]) == ("on-failure", "mixed")
    assert int(read["Unit"]["StartLimitBurst"]) * 10 < int(read["Unit"]["StartLimitIntervalSec"])
    assert "qts-watchdog-desk.service" in read["Unit"]["After"]


def test_the_watchdog_stays_and_is_restarted_always():
    read = unit()
    assert command(read) == ["watchdog", "--name", "default", "--stay"]
    assert read["Service"]["Restart"] == "always"


def test_percent_signs_are_no_specifiers():
    result = CliRunner().invoke(app, ["service", "--", "100%.py"])
    assert "100%%.py" in result.output
