"""`qts optimize`: the table, the JSON, the report, and errors in the words of the command."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli.main import app
from quant_trading_system.cli.optimize_command import EstimatorName, GapsName, MethodName
from quant_trading_system.core.exceptions import ConfigurationError, EstimateError, InfeasiblePortfolio, TradingError
from quant_trading_system.risk.covariance import Estimator, Gaps
from quant_trading_system.risk.portfolio_optimizer import Method

FIVE = ("--symbols", "AAPL,JNJ,JPM,WMT,XOM", "--to", "2021-12-31")


def run(*arguments):
    return CliRunner().invoke(app, ["optimize", *arguments])


def answer(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


@pytest.mark.parametrize(("names", "enum"), [(MethodName, Method), (EstimatorName, Estimator), (GapsName, Gaps)])
def test_the_command_knows_the_names_of_the_library(names, enum):
    assert [name.value for name in names] == [member.value for member in enum]


def test_help_and_other_commands_load_no_numbers():
    program = "import sys, quant_trading_system.cli.main; print(*sys.modules)"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert not {"cvxpy", "numpy", "scipy", "skfolio", "sklearn"} & set(done.stdout.split())


def test_the_table_shows_weights_risk_and_proof():
    done = run("risk-parity", *FIVE)
    assert done.exit_code == 0, done.exception
    assert "risk-parity of 5 symbols, 2021-12-31" in done.stdout
    for symbol in ("AAPL", "JNJ", "JPM", "WMT", "XOM"):
        (row,) = [line for line in done.stdout.splitlines() if line.split()[:1] == [symbol]]
        assert row.split()[2] == "20.00%"
    assert "newton, KKT residual" in done.stdout


@pytest.mark.parametrize("method", MethodName)
def test_every_method_answers_in_json(method):
    found = answer(method, *FIVE)
    weights = {symbol: Decimal(weight) for symbol, weight in found["weights"].items()}
    assert sum(weights.values()) == 1
    assert sum(found["risk_contributions"].values()) == pytest.approx(1)
    assert found["method"] == method
    assert found["as_of"] == "2021-12-31"
    assert found["attempts"] == []


def test_constraints_bind_and_are_named():
    found = answer("min-variance", *FIVE, "--max-weight", "0.3", "--sector-cap", "Health Care=0.2",
                   "--sector-cap", "Energy=0.1")  # fmt: skip
    assert Decimal(found["weights"]["JNJ"]) == Decimal("0.2")
    assert "sector Health Care" in found["binding"]
    assert max(Decimal(weight) for weight in found["weights"].values()) <= Decimal("0.3")


def test_costs_and_the_present_hold_trades_back():
    now = ("--current", "AAPL=0.2,JNJ=0.2,JPM=0.2,WMT=0.2,XOM=0.2")
    free = answer("min-variance", *FIVE, *now)
    dear = answer("min-variance", *FIVE, *now, "--cost-bps", "10")
    capped = answer("min-variance", *FIVE, *now, "--max-turnover", "0.1")
    banded = answer("min-variance", *FIVE, *now, "--no-trade-band", "0.08")
    assert free["turnover"] > dear["turnover"]
    assert capped["turnover"] == pytest.approx(0.1, abs=1e-6)
    assert banded["kept"]


def test_budgets_views_and_positions():
    budgets = "AAPL=0.4,JNJ=0.3,JPM=0.1,WMT=0.1,XOM=0.1"
    assert answer("risk-parity", *FIVE, "--budgets", budgets)["risk_contributions"]["AAPL"] == pytest.approx(0.4)
    cold, warm = (answer("black-litterman", *FIVE, "--view", f"AAPL-XOM={gain}") for gain in ("-0.2", "0.2"))
    assert Decimal(warm["weights"]["AAPL"]) > Decimal(cold["weights"]["AAPL"])
    few = answer("min-variance", *FIVE, "--max-positions", "2")
    assert sum(Decimal(weight) > 0 for weight in few["weights"].values()) == 2


def test_a_fallback_is_reported():
    found = answer("hrp", *FIVE, "--sector-cap", "Energy=0.01", "--fallback", "equal-weight", "--fallback",
                   "min-variance")  # fmt: skip
    assert found["method"] == "min-variance"
    assert [attempt["method"] for attempt in found["attempts"][:2]] == ["hrp", "equal-weight"]


def test_own_prices_with_gaps(tmp_path):
    from quant_trading_system.market.bundled import load_sp500

    prices = load_sp500(symbols=["KO", "PEP"])
    rows = [f"{prices.dates[i]},{prices.close('KO', i)},{prices.close('PEP', i)}" for i in range(8000, 8313)]
    first = rows[0].split(",")
    rows[:100] = [",".join([row.split(",")[0], row.split(",")[1], ""]) for row in rows[:100]]
    assert first[2]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["date,KO,PEP", *rows]) + "\n")
    refused = run("min-variance", "--prices", str(path), "--lookback", "300")
    assert isinstance(refused.exception, EstimateError)
    assert "PEP misses returns" in str(refused.exception)
    found = answer("min-variance", "--prices", str(path), "--lookback", "300", "--gaps", "common")
    assert found["covariance"]["observations"] == 212


MISTAKES = [
    (("min-variance", "--max-weight", "0.1"), InfeasiblePortfolio, "without max_weight there would be some"),
    (("min-variance", "--current", "AAPL"), ConfigurationError, "--current: write NAME=NUMBER, not 'AAPL'"),
    (("min-variance", "--current", "AAPL=x"), ConfigurationError, "--current: could not convert"),
    (("min-variance", "--current", "KO=1,ko=2"), ConfigurationError, "--current names KO twice"),
    (("min-variance", "--current", "ZZZ=1"), TradingError, "current names ZZZ"),
    (("min-cvar", "--confidence", "95"), ConfigurationError, "--confidence: a confidence of 95 is impossible"),
    (("black-litterman", "--view", "ZZZ=0.1"), EstimateError, "view 1 names ZZZ"),
    (("black-litterman", "--view", ""), ConfigurationError, "--view: write NAME=NUMBER"),
    (("black-litterman", "--view", "KO=0.1,PEP=0.2"), ConfigurationError, "--view: one view at a time"),
    (("min-variance", "--lookback", "30"), EstimateError, "fewer than 60"),
]


@pytest.mark.parametrize(("arguments", "error", "told"), MISTAKES, ids=[told for *_, told in MISTAKES])
def test_mistakes_are_told(arguments, error, told):
    done = run(*arguments, *FIVE)
    assert isinstance(done.exception, error)
    assert told in str(done.exception)


def test_the_report_shows_weights_risk_and_frontier(tmp_path):
    path = tmp_path / "portfolio.html"
    done = run("max-sharpe", *FIVE, "--report", str(path))
    assert done.exit_code == 0, done.exception
    page = path.read_text(encoding="utf-8")
    assert f"report   {path}" in done.stdout
    for heading in ("Weights", "Risk contributions", "Efficient frontier", "How it was found"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("<circle") == 21
    assert "solved by active set" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_report_without_a_frontier_says_why(tmp_path):
    path = tmp_path / "portfolio.html"
    assert run("min-variance", *FIVE, "--max-positions", "3", "--report", str(path)).exit_code == 0
    assert "Not drawn: it needs expected returns, and no limit on the number of positions." in path.read_text("utf-8")


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    done = run("equal-weight", *FIVE, "--report", str(tmp_path / "no" / "portfolio.html"))
    assert isinstance(done.exception, ConfigurationError)
    assert "cannot be written" in str(done.exception)
