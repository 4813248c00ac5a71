"""`qts alerts`: list, take notice, try the channels; no address is ever shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.alerting.book import AlertBook
from quant_trading_system.app.readings.alert_fold import alert_line
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.cli.main import app
from quant_trading_system.core.exceptions import ConfigurationError, UnknownOrder

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
SECRET = "hunter2secret"


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    (tmp_path / "default").mkdir()
    return tmp_path


def qts(*words: str):
    return CliRunner().invoke(app, ["alerts", *words])


def test_alerts_are_listed_and_somebody_takes_notice(state):
    AlertBook(state / "default").see(alert_line(AlertKind.STRATEGY_STOPPED, "Trend", NOW, "ValueError"), NOW)
    assert "docs/operations.md" in qts("list", "--name", "default").stdout
    told = qts("ack", "strategy_stopped:Trend", "--by", "ana", "--name", "default", "--note", "known")
    assert "ana has taken notice" in told.stdout
    assert qts("list", "--name", "default").stdout.strip() == "no alert is open"
    (line,) = json.loads(qts("list", "--all", "--json", "--name", "default").stdout)
    assert (line["acknowledged_by"], line["note"]) == ("ana", "known")
    assert isinstance(qts("ack", "halted:9", "--name", "default").exception, UnknownOrder)


def test_every_channel_is_tried_and_named_without_its_address(state):
    path = state / "alerts.yaml"
    path.write_text(f"first: [{{name: phone, url: 'json://u:{SECRET}@127.0.0.1:9/'}}]\n")
    path.chmod(0o600)
    told = qts("test")
    assert (told.exit_code, told.stdout.strip()) == (1, "phone: DID NOT WORK")
    assert SECRET not in told.output
    path.chmod(0o644)
    refused = qts("test").exception
    assert isinstance(refused, ConfigurationError)
    assert "chmod 600" in str(refused)
