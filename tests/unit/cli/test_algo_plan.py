"""`qts algo plan`: what it shows, what it takes from a price file, and what it says to mistakes."""

from __future__ import annotations

import json
import sys
from decimal import Decimal

import pytest

from quant_trading_system.cli import main

BASICS = ("--price", "60", "--adv", "12000000", "--volatility", "0.015", "--at", "2024-01-08T10:00")


@pytest.fixture
def qts(tmp_path, monkeypatch, capsys):
    """Runs `qts algo plan` here; its exit code, output and errors."""
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["qts", "algo", "plan", *arguments])
        with pytest.raises(SystemExit) as end:
            main.run()
        told = capsys.readouterr()
        return end.value.code, told.out, told.err

    return run


def test_it_shows_the_ways_side_by_side_and_the_schedule_of_the_best(qts):
    code, out, _ = qts("KO", "buy", "200000", *BASICS, "--slice-minutes", "30")
    assert code == 0
    for way in ("market", "limit", "closing_auction", "twap", "vwap", "pov", "shortfall"):
        assert f"\n {way} " in out
    assert "schedule of shortfall" in out
    assert "█" * 40 in out
    assert "100.0%" in out


def test_json_gives_the_schedule_exactly(qts):
    code, out, _ = qts("ko", "sell", "200000", *BASICS, "--use", "twap", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["chosen"]["choice"] == "twap"
    assert sum(Decimal(shares) for _, shares in told["chosen"]["schedule"]["slices"]) == 200_000
    assert len(told["advice"]["alternatives"]) == 7


def test_the_picture_is_a_page_that_loads_nothing(qts, tmp_path):
    code, out, _ = qts("KO", "buy", "200000", *BASICS, "--html", "plan.html")
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert code == 0
    assert "plan.html" in out
    assert page.count('class="bar"') == 72
    assert "http" not in page
    assert "<script" not in page


def bars(volume: int) -> str:
    """Three bars of 130 minutes a day for three days, with prices that rise by a dollar a day."""
    rows = ["timestamp,symbol,open,high,low,close,volume"]
    for day, price in (("2024-01-08", 60), ("2024-01-09", 61), ("2024-01-10", 62)):
        rows += [
            f"{day}T{time}:00Z,KO,{price},{price + 1},{price - 1},{price},{volume * part}"
            for time, part in (("14:30", 3), ("16:40", 1), ("18:50", 2))
        ]
    return "\n".join(rows)


def test_a_file_tells_price_volume_volatility_and_profile(qts, tmp_path):
    (tmp_path / "bars.csv").write_text(bars(1_000_000), encoding="utf-8")
    wanted = ("KO", "buy", "200000", "--prices", "bars.csv", "--use", "vwap", "--slice-minutes", "30", "--json")
    code, out, _ = qts(*wanted, "--at", "2024-01-11T10:00")
    assert code == 0, out
    advice = json.loads(out)
    assert advice["advice"]["of_daily_volume"] == "0.03333333"  # 200 000 of six million
    code, out, _ = qts(*wanted, "--at", "2024-01-11T10:00", "--adv", "4000000")
    assert json.loads(out)["advice"]["of_daily_volume"] == "0.05000000"


def test_nothing_of_the_future_is_used(qts, tmp_path):
    (tmp_path / "bars.csv").write_text(bars(1_000_000), encoding="utf-8")
    arguments = ("KO", "buy", "100", "--prices", "bars.csv", "--volatility", "0.01")
    prices = {}
    for at in ("2024-01-09T10:00", "2024-01-11T10:00"):
        _, out, _ = qts(*arguments, "--at", at)
        prices[at] = out.split("KO at ")[1].split(":")[0]
    assert prices == {"2024-01-09T10:00": "$60.00", "2024-01-11T10:00": "$62.00"}


MISTAKES = {
    "no volume": (("KO", "buy", "100"), "--adv"),
    "no number": (("KO", "buy", "many", *BASICS), "QTY"),
    "half a share": (("KO", "buy", "0.5", *BASICS), "multiple of the lot"),
    "closed": (("KO", "buy", "100", *BASICS[:-1], "2024-01-07T10:00"), "the exchange is closed on that day"),
    "too late": (("KO", "buy", "100", *BASICS[:-1], "2024-01-08T17:00"), "no time is left"),
    "too much": (("KO", "buy", "9000000", *BASICS), "take fewer"),
    "not now": (("KO", "buy", "100", *BASICS, "--use", "opening_auction"), "not possible at this time"),
    "no schedule": (("KO", "buy", "100", *BASICS, "--html", "x.html"), "has no schedule to draw"),
    "no place": (("KO", "buy", "200000", *BASICS, "--html", "no/such/x.html"), "cannot be written"),
    "share of all": (("KO", "buy", "100", *BASICS, "--participation", "2"), "at most 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_in_one_line(qts, mistake):
    arguments, hint = MISTAKES[mistake]
    code, out, err = qts(*arguments)
    assert (code, out) == (1, "")
    assert hint in err
    assert err.startswith("qts: ")
    assert err.count("\n") == 1
