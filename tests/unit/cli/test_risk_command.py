"""`qts risk`: the numbers on record, for people and for programs, and a plain word when there are none."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.cli.main import app
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_store import SqliteJournal
from tests.support.desk import hold
from tests.unit.risk.test_risk_book import Measured


@pytest.fixture
def journal(tmp_path):
    measured = Measured()
    hold(measured.portfolio, "KO", 300, 100)
    path = tmp_path / JOURNAL_FILE
    store = SqliteJournal(path, journal_key(path))
    measured.book._emit = store.append
    measured.book.close_day()
    measured.book.close_day()
    measured.book.tick()
    store.sync()
    store.close()
    return path


def ask(*words: str):
    return CliRunner().invoke(app, ["risk", *words], catch_exceptions=False)


def test_people_see_exposures_tail_stress_and_limits(journal):
    text = ask("--journal", str(journal)).stdout
    for piece in ("gross 30.00 %", "historical", "monte carlo", "single-name gap", "max_position_pct", "300.00 %"):
        assert piece in text
    assert "1987-10-19" not in text
    assert "1987-10-19" in ask("--journal", str(journal), "--stress").stdout


def test_programs_get_everything(journal):
    found = json.loads(ask("--journal", str(journal), "--json").stdout)
    assert found["now"]["stress"]["1987-10-19"]
    assert {"historical_es_99", "cornish_fisher_var_95"} <= set(found["now"]["tail"])
    assert found["forecasts"][0]["days"] == 1


def test_an_account_that_was_never_measured_says_so(tmp_path):
    path = tmp_path / JOURNAL_FILE
    SqliteJournal(path, journal_key(path)).close()
    with pytest.raises(ConfigurationError, match="once a minute"):
        ask("--journal", str(path))
