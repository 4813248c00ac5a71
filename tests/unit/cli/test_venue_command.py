"""The options of `qts venue`: what cannot be meant is refused before anything listens."""

from decimal import Decimal

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli.main import app
from quant_trading_system.cli.venue_command import _realism
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.simulation.realism import MarketImpact, Realism, SpreadModel, VolumeCurve


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--host", "0.0.0.0", "--allow-remote"], "name accounts with --account"),
        (["--symbols", "SPY"], "needs the price of every symbol"),
        (["--symbols", "SPY:1,SPY:2"], "named twice"),
        (["--account", "a:b:c"], "NAME:KEY_ID:SECRET:CASH"),
        (["--account", "a:b:c:1", "--account", "a:d:e:1"], "two accounts have the name a"),
        (["--source", "nothing.csv"], "nothing.csv"),
        (["--source", "sp500", "--from", "2031-01-02"], "2031"),
        (["--source", "sp500", "--symbols", "SPY"], "SPY is not in this history"),
        (["--partial-fills", "2"], "probability"),
        (["--partial-fills", "often"], "not a number"),
        (["--multiplier", "3"], "1, 2 or 4"),
        (["--temporary-impact", "-1"], "impact is a cost"),
        (["--impact-exponent", "2"], "at most 1"),
        (["--permanent-impact", "much"], "not a number"),
        (["--spread-at-open", "0"], "at least 1"),
        (["--volume-at-ends", "0"], "more than nothing"),
        (["--db", "/"], "cannot be used as a venue's file"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, words):
    result = CliRunner().invoke(app, ["venue", "--port", "0", *options])
    assert isinstance(result.exception, TradingError)
    assert words in str(result.exception)


@pytest.mark.parametrize("options", [["--port", "70000"], ["--speed", "0"], ["--steps", "3"], ["--from", "someday"]])
def test_values_out_of_range_are_refused_with_the_usage(options):
    result = CliRunner().invoke(app, ["venue", *options])
    assert result.exit_code == 2


def test_without_options_the_venue_fills_at_the_quote():
    plain = _realism(queue=False, impact=("0", "0", "1"), spread=("1", "0"), volume="3")
    assert plain == Realism()


def test_what_is_asked_for_is_what_the_venue_does():
    asked = _realism(queue=True, impact=("300", "0", "0.5"), spread=("3", "0.5"), volume="1")
    assert asked == Realism(
        queue=True,
        impact=MarketImpact(temporary_bps=Decimal(300), exponent=Decimal("0.5")),
        spread=SpreadModel(at_open=Decimal(3), with_volatility=Decimal("0.5")),
        volume=VolumeCurve(at_open=Decimal(1), at_close=Decimal(1)),
    )
