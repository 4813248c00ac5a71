"""Words that would move a cursor, begin a line, turn the direction of writing or pose as markup: they stay words."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.latest_run import remember_run
from quant_trading_system.cli.main import app
from tests.support.hostile import HOSTILE, SYMBOL, hostile_account


@pytest.fixture
def account(tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path))
    hostile_account(tmp_path / "default")
    remember_run(tmp_path / "default")


READS = (
    ("status",),
    ("orders",),
    ("positions",),
    ("explain", "run-1-0"),
    ("strategy", "list"),
    ("alerts", "list"),
    ("alerts", "list", "--all"),
    ("journal", "list"),
    ("journal", "replay"),
    ("report", "tca"),
    ("algo", "status"),
    ("limits", "show"),
    ("approvals", "list"),
)


@pytest.mark.parametrize("words", READS, ids=" ".join)
@pytest.mark.parametrize("json_wanted", [False, True], ids=["text", "json"])
def test_no_reading_prints_what_is_not_printable(account, words, json_wanted):
    done = CliRunner().invoke(app, [*words, *(["--json"] if json_wanted else [])])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.stdout
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    if json_wanted:
        json.loads(done.stdout)


def test_programs_get_the_words_as_they_were(account):
    """What is written as an escape is read back letter by letter."""
    found = json.loads(CliRunner().invoke(app, ["strategy", "list", "--json"]).stdout)
    assert next(one for one in found if one["state"] == "failed")["strategy"] == HOSTILE


def test_brackets_in_words_are_brackets(account):
    assert SYMBOL in CliRunner().invoke(app, ["orders"]).stdout
    assert "[/x][red]" in CliRunner().invoke(app, ["strategy", "list"]).stdout
    assert f"buy 10 {SYMBOL}" in CliRunner().invoke(app, ["explain", "run-1-0"]).stdout
