"""What `qts sweep` tells at the terminal."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli.main import app

FORTNIGHT = ("--from", "2022-12-14", "--symbols", "KO,PEP", "--jobs", "1")


@pytest.mark.parametrize(("last", "told"), [(11, True), (10, False)])
def test_a_table_that_leaves_trials_out_says_so(tmp_path, monkeypatch, last, told):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(app, ["sweep", "momentum", "--param", f"hold=1:{last}:1", *FORTNIGHT])
    assert outcome.exit_code == 0, outcome.output
    assert ("the best 10 of 11; all are in the report" in outcome.output) is told
