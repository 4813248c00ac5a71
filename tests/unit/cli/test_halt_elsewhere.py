"""`qts halt --api`: a halt of an account on another host, in the name of the token."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.api_door import ApiDoor, Stopped
from quant_trading_system.cli.main import app
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_scope import HaltScope

URL = "https://trading.example.com"


@pytest.fixture
def asked(monkeypatch):
    """What consoles were asked for."""
    found = []

    async def stop(_, level, reason, scope, *, whole_machine=False):
        found.append((level, reason, scope, whole_machine))
        return Stopped(str(scope), level.name.lower(), reason, "2026-11-23T15:00:00+00:00", 7, "no order leaves")

    monkeypatch.setattr(ApiDoor, "stop", stop)
    monkeypatch.setenv("QTS_API_TOKEN", "a-token")
    return found


def halt(*options: str):
    return CliRunner().invoke(app, ["halt", "--reason", "fire", *options])


def test_the_console_is_asked_and_the_own_latch_is_left_alone(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    done = halt("--api", URL, "--symbol", "ko", "--level", "reducing")
    assert done.exit_code == 0, done.exception
    assert asked == [(HaltLevel.REDUCING, "fire", HaltScope(symbol="KO"), False)]
    assert "REDUCING since 2026-11-23T15:00:00+00:00, activation 7" in done.stdout
    assert "symbol KO: fire; no order leaves" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_variable_turns_a_halt_away_from_this_machine(asked, tmp_path, monkeypatch):
    """Whoever works with a console elsewhere has QTS_API_URL set, and still halts what is here."""
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("QTS_API_URL", URL)
    assert halt().exit_code == 0
    assert asked == []
    assert (tmp_path / "default" / "kill_latch.json").is_file()


@pytest.mark.parametrize("option", [("--by", "Ana"), ("--latch", "latch.json")])
def test_what_the_console_decides_cannot_be_given(asked, option):
    done = halt("--api", URL, *option)
    assert "the token says who halts" in str(done.exception)
    assert asked == []
