"""`qts limits` and `qts approvals` on the journal of an account for which no engine runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.surroundings import open_journal
from quant_trading_system.cli.main import app
from quant_trading_system.config.loader import default_limits, limits_as_text
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.exceptions import ApprovalRefused, ConfigurationError, JournalUnavailable

Run = Callable[..., str]
POSITION = "risk.max_position_pct"


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    made = tmp_path / "default"
    made.mkdir(mode=0o700)
    with open_journal(made) as journal:
        journal.append(
            RunStarted(
                at=datetime.now(UTC),
                run="run",
                mode="paper",
                strategies=(),
                seed=0,
                version="0",
                limits=limits_as_text(default_limits()),
                limits_version=default_limits().version,
                universe=(),
            )
        )
    return made


@pytest.fixture
def qts(directory) -> Run:
    """Run a command in this process; errors come out as they are."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def in_force(qts: Run, key: str = POSITION) -> str:
    shown = json.loads(qts("limits", "show", "--json"))
    return next(line["in_force"] for line in shown["limits"] if line["key"] == key)


def test_tighter_at_once_looser_after_approval_and_back(qts):
    assert "in force now: risk.max_position_pct from 0.1 to 0.05" in qts(
        "limits", "propose", "max_position_pct=0.05", "--why", "earnings", "--by", "Ana"
    )
    assert in_force(qts) == "0.05"
    told = qts("limits", "rollback", "1", "--why", "over", "--by", "Ana")
    assert "limits-1 waits for 1 to approve it: risk.max_position_pct from 0.05 to 0.1" in told
    assert in_force(qts) == "0.05"
    assert [view["approval"] for view in json.loads(qts("approvals", "list", "--json"))] == ["limits-1"]
    assert "0.1 (limits-1)" in qts("limits", "show")
    told = qts("approvals", "approve", "limits-1", "--by", "Ben")
    assert "limits-1 is approved: risk.max_position_pct from 0.05 to 0.1" in told
    assert in_force(qts) == "0.1"
    versions = json.loads(qts("limits", "history", "--json"))
    assert [(v["number"], v["by"], v["approved_by"], v["why"]) for v in versions][1:] == [
        (2, "Ana", [], "earnings"),
        (3, "Ana", ["Ben"], "back to 1: over"),
    ]
    assert versions[2]["version"] == versions[0]["version"] == default_limits().version
    assert "0.05" in qts("limits", "history")


def test_a_raise_names_its_end(qts):
    qts("limits", "raise", "max_order_notional=2000000", "--until", "2h", "--why", "index change", "--by", "Ana")
    assert in_force(qts, "orders.max_order_notional") == "1000000"
    answer = json.loads(qts("approvals", "approve", "limits-1", "--by", "Ana", "--json"))
    assert answer["result"] == "done"
    assert in_force(qts, "orders.max_order_notional") == "2000000"
    assert "2000000 until 20" in qts("limits", "show")


def test_what_is_refused_changes_nothing(qts):
    qts("limits", "propose", "max_position_pct=0.12", "--why", "more", "--by", "Ana")
    qts("limits", "refuse", "limits-1", "--by", "Ben", "--reason", "too much")
    assert qts("approvals", "list") == "nothing waits for approval\n"
    assert in_force(qts) == "0.1"


def test_a_file_is_compared_before_it_is_used(qts, tmp_path):
    file = tmp_path / "limits.yaml"
    file.write_text(
        "risk:\n  max_position_pct: 0.12\n  max_portfolio_positions: 10\n  max_daily_loss_pct: 0.05\n"
        "  max_drawdown_pct: 0.15\n  max_sector_exposure: 0.30\n  max_correlation: 0.80\n"
    )
    file.chmod(0o600)
    told = qts("limits", "diff", str(file))
    assert "at once: risk.max_portfolio_positions from 20 to 10" in told
    assert "only after approval: risk.max_position_pct from 0.1 to 0.12" in told
    assert qts("limits", "diff", "--version", "1") == "these are the approved limits\n"
    assert json.loads(qts("limits", "diff", str(file), "--json"))["at_once"] == [
        {"key": "risk.max_portfolio_positions", "was": "20", "now": "10"}
    ]
    assert in_force(qts, "risk.max_portfolio_positions") == "20"


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("limits", "propose", "max_position=1", "--why", "x"), ConfigurationError, "write KEY=VALUE"),
        (("limits", "propose", "orders.max_position_pct=1", "--why", "x"), ConfigurationError, "write KEY=VALUE"),
        (("limits", "propose", "max_position_pct=0.05", "--why", " "), ConfigurationError, "--why is empty"),
        (("limits", "rollback", "9", "--why", "x"), ConfigurationError, "no such version"),
        (("limits", "rollback", "1", "--why", " "), ConfigurationError, "--why is empty"),
        (("limits", "rollback", "1", "--why", "x"), ApprovalRefused, "nothing would change"),
        (("limits", "diff"), ConfigurationError, "name a limits file, or a version"),
        (("limits", "raise", "max_position_pct=0.2", "--until", "soon", "--why", "x"), ConfigurationError, "2h"),
        (("approvals", "approve", "limits-9"), ApprovalRefused, "no approval limits-9 is waiting"),
        (("limits", "show", "--name", "other"), JournalUnavailable, "no such journal"),
        (("limits", "propose", "max_position_pct=0.05", "--why", "x", "--name", "o"), JournalUnavailable, "no such"),
    ],
)
def test_what_cannot_be_done_is_said(qts, arguments, error, told):
    with pytest.raises(error, match=told):
        qts(*arguments)


def test_neither_environment_nor_flags_make_limits_looser(qts, monkeypatch):
    """There is no variable and no option for it: whatever is set, the approved limits are in force."""
    for name in ("QTS_LIMITS", "QTS_MAX_POSITION_PCT", "MAX_POSITION_PCT", "QTS_RISK__MAX_POSITION_PCT"):
        monkeypatch.setenv(name, "0.9")
    qts("limits", "propose", "max_position_pct=0.05", "--why", "earnings")
    assert in_force(qts) == "0.05"


def test_while_an_engine_keeps_the_journal_it_is_read_and_not_written(qts, directory):
    with open_journal(directory):
        assert in_force(qts) == "0.1"
        with pytest.raises(JournalUnavailable, match="journal"):
            qts("limits", "propose", "max_position_pct=0.05", "--why", "x")
    assert (directory / JOURNAL_FILE).is_file()
