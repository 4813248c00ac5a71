"""`qts size` and the option --sizer: tables, JSON, previews, and mistakes in the words of the command."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli.main import app
from quant_trading_system.core.exceptions import ConfigurationError, MarketDataError, TradingError

D = Decimal
DAY = ("--to", "2021-12-31")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments):
    done = run("size", *arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout, parse_float=Decimal)


def test_one_symbol_shows_the_sizers_below_each_other():
    done = run("size", "KO", "--stop", "50", *DAY)
    assert done.exit_code == 0, done.exception
    for name in (
        "equal-weight",
        "vol-target",
        "atr",
        "kelly",
        "risk-parity",
        "max-diversification",
        "fixed-fractional",
    ):
        assert name in done.stdout
    assert "max_position_pct (from" in done.stdout


def test_many_symbols_stand_side_by_side_with_their_risk():
    done = run("size", *DAY)
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.split()}
    assert len(lines["AAPL"]) == 6
    assert {"invested", "volatility", "cut"} <= lines.keys()


def test_json_carries_exact_numbers_and_what_bound():
    found = answer("KO,XOM", "--sizer", "equal-weight", "--sizer", "vol-target:target=0.01", *DAY)
    equal, calm = found["sizers"]
    assert found["as_of"] == "2021-12-31"
    assert equal["sizings"]["KO"]["bound_by"] == "max_position_pct"
    assert D(equal["weights"]["KO"]) <= D("0.10")
    assert calm["sizings"]["KO"]["bound_by"] == "vol_target"
    assert abs(sum(calm["risk"]["contributions"].values()) - 1) < D("1E-6")


def test_a_preview_shows_trades_costs_and_the_risk_on_both_sides():
    found = answer("KO", "JPM", "--sizer", "risk-parity", "--held", "AAPL=50,KO=10", "--preview", *DAY)
    plan = found["preview"]["plan"]
    assert plan["trades"][0]["symbol"] == "AAPL"
    assert D(plan["trades"][0]["change"]) == -50
    assert D(plan["cost"]) > 0
    assert D(plan["cash_after"]) < D(plan["cash_before"])
    assert found["preview"]["before"]["contributions"].keys() == {"AAPL", "KO"}
    assert found["preview"]["after"]["contributions"].keys() == {"KO", "JPM"}
    told = run("size", "KO", "JPM", "--sizer", "risk-parity", "--held", "AAPL=50", "--preview", *DAY).stdout
    assert "rebalance, sells first" in told
    assert "costs" in told


def test_cash_is_kept_and_drift_left_alone_in_a_preview():
    found = answer("--sizer", "risk-parity", "--cash-kept", "0.5", "--preview", *DAY)
    assert D(found["preview"]["plan"]["cash_after"]) >= 50_000
    held = ",".join(f"{t['symbol']}={t['after']}" for t in found["preview"]["plan"]["trades"])
    options = ("--cash-kept", "0.5", "--drift-band", "0.3", "--held", held, "--cash", "50000", "--preview")
    again = answer("--sizer", "risk-parity", *options, *DAY)
    assert all(D(trade["change"]) == 0 for trade in again["preview"]["plan"]["trades"])


def test_a_drawdown_is_said_by_hand():
    full, half = (
        answer("KO", "--sizer", "equal-weight+drawdown", "--drawdown", d, *DAY)["sizers"][0]["sizings"]["KO"]
        for d in ("0", "0.10")
    )
    assert D(half["quantity"]) == D(full["quantity"]) // 2
    assert half["bound_by"] == "drawdown"


def test_the_list_of_sizers_can_be_typed_back():
    told = " ".join(run("size", "--list").stdout.split())
    assert "fixed-fractional:risk=0.01" in told
    assert "regime:window=200,below=0.5" in told


MISTAKES = [
    (("KO", "--sizer", "keli"), ConfigurationError, "did you mean kelly"),
    (("ZZZ",), ConfigurationError, "ZZZ: not in the universe"),
    (("KO", "PEP", "--stop", "50"), ConfigurationError, "--stop is the stop of one symbol"),
    (("KO", "--stop", "x"), ConfigurationError, "--stop: 'x' is not a number"),
    (("KO", "--preview"), ConfigurationError, "--preview needs one --sizer"),
    (("KO", "--held", "KO"), ConfigurationError, "SYMBOL=SHARES"),
    (("KO", "--held", "KO=1,KO=2"), ConfigurationError, "once for each"),
    (("KO", "--held", "ZZZ=1"), ConfigurationError, "no prices of ZZZ"),
    (("KO", "--cash=-5"), ConfigurationError, "raise --cash"),
    (("KO", "--prices", "nothing.csv"), MarketDataError, "nothing.csv"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), MISTAKES)
def test_a_mistake_says_what_to_write(arguments, error, words):
    done = run("size", *arguments)
    assert isinstance(done.exception, TradingError)
    assert isinstance(done.exception, error)
    assert words in str(done.exception)


# -- in a backtest


SPAN = ("--from", "2021-01-04", "--to", "2021-06-30", "--json")


@pytest.mark.parametrize("sizer", ["equal-weight", "vol-target:target=0.3", "atr+kelly", "risk-parity", "hrp"])
def test_every_sizer_can_be_used_in_a_backtest_and_no_order_is_refused(sizer, tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "state"))
    done = run("backtest", "momentum", "--sizer", sizer, "--out", str(tmp_path / "run"), *SPAN)
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert found["quality"]["orders"] > 0
    assert found["quality"]["rejections"] == {}


def test_the_record_of_an_order_says_how_it_was_sized(tmp_path, monkeypatch):
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "state"))
    run("backtest", "momentum", "--sizer", "vol-target:target=0.15", "--out", str(tmp_path / "run"), *SPAN)
    order = json.loads(run("orders", "--json").stdout)[0]["order_id"]
    told = run("explain", order).stdout
    assert "How was the quantity chosen?" in told
    assert "bound by vol_target" in told


def test_a_sizer_that_is_not_understood_stops_the_command_before_anything_is_written(tmp_path):
    done = run("backtest", "momentum", "--sizer", "keli", "--out", str(tmp_path / "run"))
    assert isinstance(done.exception, ConfigurationError)
    assert not (tmp_path / "run").exists()


def test_a_policy_that_is_not_understood_stops_the_command_before_anything_is_written(tmp_path):
    for policy in ("participation=0", "slices=3"):
        done = run("backtest", "momentum", "--policy", policy, "--out", str(tmp_path / "run"))
        assert isinstance(done.exception, ConfigurationError)
    assert not (tmp_path / "run").exists()
