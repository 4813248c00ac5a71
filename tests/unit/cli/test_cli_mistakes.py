"""What people mistype is told in one line, with what to do; nothing is written and nothing is traced back."""

from __future__ import annotations

import json
import sqlite3
import sys

import pytest

from quant_trading_system.cli import main
from quant_trading_system.config.settings import kill_latch_path
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.numbers import dollar_sign, usd
from quant_trading_system.risk.kill_switch import KillSwitch
from tests.support.market import NOON


@pytest.fixture
def qts(tmp_path, monkeypatch, capsys):
    """Runs a command here; its exit code, output and errors."""
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("QTS_JOURNAL_KEY", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["qts", *arguments])
        with pytest.raises(SystemExit) as end:
            main.run()
        told = capsys.readouterr()
        return end.value.code, told.out, told.err

    return run


def refusal(outcome: tuple[object, str, str]) -> str:
    code, out, err = outcome
    assert (code, out) == (1, "")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("latch", ["typo.json", "nowhere/latch.json", "."])
@pytest.mark.parametrize(
    "command", [("halt", "--reason", "x"), ("status",), ("resume", "--authorized-by", "ann", "--reason", "x")]
)
def test_a_mistyped_latch_halts_nothing_and_writes_nothing(qts, tmp_path, command, latch):
    assert "is no kill latch" in refusal(qts(*command, "--latch", latch))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_halt_and_a_resume_need_a_reason(qts, reason):
    assert "--reason is empty" in refusal(qts("halt", "--reason", reason))
    assert not KillSwitch().is_active()
    KillSwitch(clock=ManualClock(NOON)).activate("a drill")
    assert "--reason is empty" in refusal(qts("resume", "--authorized-by", "ann", "--reason", reason))
    assert KillSwitch().is_active()


def test_the_latch_itself_knows_who_may_resume(qts):
    KillSwitch(clock=ManualClock(NOON), authorized_resetters=["ann"]).activate("a drill")
    assert "not on the list" in refusal(qts("resume", "--authorized-by", "bob", "--reason", "over"))
    assert qts("resume", "--authorized-by", "ann", "--reason", "over")[0] == 0
    assert kill_latch_path().exists()


@pytest.mark.parametrize("command", [("status",), ("halt", "--reason", "x")])
def test_a_state_directory_that_cannot_be_used(qts, tmp_path, monkeypatch, command):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QTS_STATE_DIR", str(tmp_path / "file" / "x"))
    told = refusal(qts(*command))
    assert f"{tmp_path}/file/x" in told
    assert "set QTS_STATE_DIR" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "prices.csv"), "--out prices.csv is a file; name a directory"),
        (("--out", "prices.csv/x"), "--out prices.csv/x cannot be made"),
        (("--from", "2021-05-05", "--to", "2021-04-04"), "--from 2021-05-05 is after --to 2021-04-04"),
        (("--to", "2019-01-01"), "--to 2019-01-01: the prices cover 2024-01-02 to 2024-01-04"),
        (("--from", "2024-01-06"), "--from 2024-01-06: no bar follows; the prices cover 2024-01-02 to 2024-01-04"),
        (("--from", "2024-01-05", "--to", "2024-01-06"), "no bar follows until 2024-01-06"),
        (("--spread-bps", "-1"), "--spread-bps: -1 must be zero or above"),
        (("--cash", "0"), "--cash: 0 must be above zero"),
        (("--ended", "30"), "--ended 30: choose pay-out, hold or per cent of the last close, such as 30%"),
        (("--ended", "-1%"), "--ended -1%: choose pay-out"),
        (("--ended", "x%"), "--ended x%: choose pay-out"),
        (("--ended", "5%5"), "--ended 5%5: choose pay-out"),
        (("--timezone", "Mars/X"), "no time zone 'Mars/X'"),
        (("--universe", "absent.csv"), "absent.csv: no such file"),
    ],
)
def test_mistakes_in_a_backtest(qts, tmp_path, arguments, words):
    prices = tmp_path / "prices.csv"
    prices.write_text("date,ko,pep\n2024-01-02,60,181\n2024-01-03,61,182\n2024-01-04,62,183\n")
    told = refusal(qts("backtest", "buy-and-hold", "--prices", "prices.csv", *arguments))
    assert words in told
    assert "Errno" not in told


def test_prices_as_they_are_downloaded(qts, tmp_path):
    """With digits of binary numbers, and days that begin with a holiday."""
    rows = "".join(f"2024-01-0{day},60.123456954956055,6{day}.5\n" for day in (2, 3, 4))
    (tmp_path / "prices.csv").write_text(f"date,ko,pep\n{rows}")
    run = ("backtest", "buy-and-hold", "--prices", "prices.csv", "--from", "2024-01-01", "--spread-bps", "0")
    code, _, told = qts(*run)
    assert code == 1
    assert "has more than 6 decimals; pass --decimals 6 to round" in told
    code, told, _ = qts(*run, "--decimals", "2", "--out", "run")
    assert code == 0
    assert "2024-01-02 to 2024-01-04" in told


def test_holdings_whose_prices_end_are_told(qts, tmp_path):
    """Eighty per cent of 61 dollars are 48.8, for what is held of a company that has no fourth day."""
    (tmp_path / "prices.csv").write_text(
        "date,ko,pep\n2024-01-02,60,181\n2024-01-03,60,182\n2024-01-04,61,183\n2024-01-05,,183\n"
    )
    run = ("backtest", "buy-and-hold", "--prices", "prices.csv", "--ended")
    assert "paid out when prices had ended: " in qts(*run, "pay-out", "--out", "whole")[1]
    assert "KO at $48.8\n" in qts(*run, "80%", "--out", "part")[1]
    assert "paid out" not in qts(*run, "hold", "--out", "held")[1]
    (entry,) = json.loads(qts(*run, "pay-out", "--json")[1])["paid_out"]
    assert (entry["symbol"], entry["price"], entry["activity"]) == ("KO", "61.00", "pay_out")


def test_a_demo_does_not_go_into_a_file(qts, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert "--out mine.txt is a file" in refusal(qts("demo", "--headless", "--out", "mine.txt"))


def test_orders_of_a_symbol(qts, tmp_path):
    (tmp_path / "prices.csv").write_text("date,ko,pep\n2024-01-02,60,181\n2024-01-03,61,182\n2024-01-04,62,183\n")
    done = qts("backtest", "buy-and-hold", "--prices", "prices.csv", "--symbols", "ko", "--out", "run")
    assert done[0] == 0, done
    assert "KO" in qts("orders", "--symbol", "ko")[1]
    assert qts("orders", "--symbol", "xyz")[1] == "no order for XYZ in this journal; it has orders for KO\n"


def test_a_file_that_is_no_journal_is_called_so(qts, tmp_path):
    (tmp_path / "prices.csv").write_text("date,KO\n" * 200)
    told = refusal(qts("journal", "verify", "prices.csv"))
    assert "is not a journal of this program: it is no SQLite file" in told
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    (tmp_path / "other.db").chmod(0o600)
    assert "is not a journal of this program" in refusal(qts("journal", "verify", "other.db"))


def test_negative_dollars():
    assert (usd(-909.6), usd(1234.5), dollar_sign("+1.70")) == ("-$909.60", "$1,234.50", "+$1.70")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "accounts", "latest_run"])
def test_a_name_of_an_account_that_would_lead_elsewhere(qts, tmp_path, name):
    assert "letters, digits" in refusal(qts("trade", "momentum", "--symbols", "KO", "--name", name))
    assert [*tmp_path.iterdir()] == []


def test_a_strategy_that_imports_a_file_beside_it_is_told_what_to_do(qts, tmp_path):
    (tmp_path / "levels.py").write_text("STEP = 1\n")
    (tmp_path / "ladder.py").write_text("from levels import STEP\n")
    assert refusal(qts("backtest", "ladder.py")) == (
        "qts: ladder.py cannot be imported: ModuleNotFoundError: No module named 'levels'; levels.py lies beside it,"
        " where nothing is looked for: name the directory in PYTHONPATH\n"
    )
    (tmp_path / "ladder.py").write_text("import nowhere_to_be_found\n")
    assert "lies beside it" not in refusal(qts("backtest", "ladder.py"))


@pytest.mark.parametrize(("wish", "silent"), [("", True), ("yield ", False)])
def test_a_strategy_that_yields_nothing_is_told_how_a_wish_is_said(qts, tmp_path, wish, silent):
    body = f"def on_bar(self, market):\n        {wish}market.long('KO', weight='0.05')\n"
    (tmp_path / "mute.py").write_text(
        f"from quant_trading_system import Strategy\n\n\nclass Mute(Strategy):\n    {body}"
    )
    code, out, _ = qts("backtest", "mute.py", "--symbols", "KO", "--from", "2022-12-20")
    assert code == 0
    assert ("no order came about: a wish counts when on_bar yields it" in out) is silent


@pytest.mark.parametrize(
    ("bars", "told"),
    [
        ("7Min", "a day is not divided into 7 minutes; write 5Min, 10Min or 15Min"),
        ("60Min", "write 1Day, or minutes such as 5Min"),
        ("5m", "write 1Day, or minutes such as 5Min"),
    ],
)
def test_bars_that_a_day_does_not_have_are_refused_before_anything_is_asked(qts, monkeypatch, bars, told):
    for name, value in {"API_KEY_ID": "PK1", "API_SECRET_KEY": "s" * 40, "API_BASE_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"APCA_{name}", value)
    words = ("trade", "momentum", "--mode", "local", "--symbols", "KO", "--bars", bars)
    assert refusal(qts(*words)) == f"qts: --bars {bars}: {told}\n"
