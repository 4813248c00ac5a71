"""What people and programs get from `qts`: helpful text, one JSON line, exit codes, and errors that say what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import qts_here

QTS = [sys.executable, "-m", "quant_trading_system.cli.main"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def environment(place):
    return {**os.environ, "QTS_STATE_DIR": str(place / "state"), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def program(place, environment):
    """`qts` in a process of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QTS, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=100
        )

    return run


@pytest.fixture(scope="module")
def qts(place, environment):
    """`qts` in this process."""

    def run(*arguments: str, directory: Path = place) -> subprocess.CompletedProcess[str]:
        return qts_here(*arguments, directory=directory, environment=environment)

    return run


@pytest.fixture(scope="module")
def demo(program):
    done = program("demo", "--in-process", "--headless", "--json", "--seed", "7")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_demo_prints_its_figures_as_the_last_line(demo):
    assert set(demo) >= {
        "orders", "fills", "rejections", "equity_start", "equity_end", "max_drawdown", "fill_rate", "slippage",
        "latency_ms", "rejection_rate", "var_95", "position_concentration", "journal_entries",
        "journal_verified", "journal_head",
    }  # fmt: skip
    assert demo["journal_verified"] is True
    assert demo["equity_start"] == 100_000
    assert sum(demo["rejections"].values()) == round(demo["rejection_rate"] * demo["orders"])


def test_the_same_seed_gives_the_same_head_in_another_process_with_another_hash_seed(qts, demo, tmp_path, monkeypatch):
    environment = {**os.environ, "PYTHONHASHSEED": "123", "QTS_STATE_DIR": str(tmp_path / "s"), "PYTHONPATH": str(ROOT)}
    again = subprocess.run(
        [*QTS, "demo", "--in-process", "--json", "--seed", "7"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(again.stdout)["journal_head"] == demo["journal_head"]


def test_a_refused_order_is_found_and_explained_without_reading_docs(qts, demo):
    listed = json.loads(qts("orders", "--refused", "--last", "3", "--json").stdout)
    assert len(listed) == 3
    assert all(line["refused_by"] for line in listed)
    told = qts("explain", listed[-1]["order_id"]).stdout
    assert f"refused by {listed[-1]['refused_by']}" in told
    assert "Step 1: Risk assessment" in told
    assert "Step 4: Post-trade verification" in told


def test_orders_are_found_by_what_became_of_them_and_by_words(qts, demo):
    found = qts("orders", "--group", "refused", "--strategy", "rogue (planted)", "--text", "price_tick", "--json")
    assert {order["refused_by"] for order in json.loads(found.stdout)} == {"price_tick"}


def test_a_list_of_refused_orders_says_why_and_how_to_learn_more(qts, demo):
    told = qts("orders", "--refused", "--last", "2").stdout
    assert "sell_within_held: it sells 4,000 shares while 0" in told
    order_id = told.split("qts explain ")[1].split()[0]
    assert "refused by sell_within_held" in qts("explain", order_id).stdout


def test_the_account_on_one_page(qts, demo):
    shown = json.loads(qts("overview", "--json").stdout)
    held = json.loads(qts("positions", "--json").stdout)
    assert shown["run"]["orders"] == demo["orders"]
    assert shown["holdings"]["cash"] == held["cash"]
    assert shown["holdings"]["positions"][0]["value"] in {line["value"] for line in held["positions"]}
    told = qts("overview").stdout
    for words in ("The engine is not running", "equity", "Largest position", "Journal", "121 refused"):
        assert words in told


def test_a_journal_of_another_name_is_the_one_that_is_read(qts, demo, place, tmp_path):
    """Not one of the usual name beside it."""
    shutil.copytree((place / demo["journal"]).parent, tmp_path / "run")
    for file in sorted((tmp_path / "run").glob("journal.db*")):
        file.rename(file.with_name(file.name.replace("journal", "kept")))
    found = qts("positions", "--journal", str(tmp_path / "run" / "kept.db"), "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == json.loads(qts("positions", "--journal", demo["journal"], "--json").stdout)


def test_the_journal_is_read_page_by_page(qts, demo):
    newest = json.loads(qts("journal", "list", "--last", "3", "--json").stdout)
    older = json.loads(qts("journal", "list", "--last", "3", "--before", str(newest[-1]["seq"]), "--json").stdout)
    assert [row["seq"] for row in (*newest, *older)] == [demo["journal_entries"] - n for n in range(6)]


def test_explain_as_json_holds_every_check_with_its_numbers(qts, demo):
    order = json.loads(qts("orders", "--last", "1", "--json").stdout)[0]
    record = json.loads(qts("explain", order["order_id"], "--json").stdout)
    assert list(record["steps"]) == ["1", "2", "3", "4"]
    assert record["order"]["symbol"] == order["symbol"]


def test_verify_and_replay_agree_with_the_demo(qts, demo):
    verified = json.loads(qts("journal", "verify", "--json").stdout)
    assert (verified["is_sound"], verified["head"], verified["entries"]) == (
        True,
        demo["journal_head"],
        demo["journal_entries"],
    )
    replayed = json.loads(qts("journal", "replay", "--json").stdout)
    assert replayed["agrees"] is True
    assert replayed["differences"] == []


def test_a_changed_byte_is_found_and_named(qts, demo, place, tmp_path):
    import shutil
    import sqlite3

    copy = tmp_path / "copy"
    shutil.copytree(place / "runs" / "demo", copy)
    with sqlite3.connect(copy / "journal.db") as connection:
        connection.execute("UPDATE entries SET body = CAST(replace(body, 'at', 'ta') AS BLOB) WHERE seq = 40")
    connection.close()
    done = qts("journal", "verify", str(copy / "journal.db"))
    assert done.returncode == 1
    assert "NOT SOUND" in done.stdout
    assert "40" in done.stdout


def test_export_writes_every_entry(qts, demo, tmp_path):
    target = tmp_path / "entries.jsonl"
    assert qts("journal", "export", str(target)).returncode == 0
    assert len(target.read_text().splitlines()) == demo["journal_entries"]
    again = qts("journal", "export", str(target))
    assert again.returncode == 1
    assert "exists" in again.stderr


def test_positions_add_up_to_the_end_of_the_demo(qts, demo):
    books = json.loads(qts("positions", "--json").stdout)
    assert books["positions"]
    assert float(books["cash"]) < demo["equity_end"]
    table = qts("positions").stdout
    for line in books["positions"]:
        assert line["price_at"][:16].replace("T", " ") in table  # prices are old: when each was known is beside it


@pytest.mark.usefixtures("demo")
def test_check_asks_the_gate_without_sending(qts):
    """Exit code 0 or 3; every rule with its numbers; asked twice it says the same, for it changes nothing."""
    few, many = ("check", "ko", "buy", "1", "--json"), ("check", "KO", "buy", "1000", "--json")
    passed, refused = qts(*few), qts(*many)
    assert (passed.returncode, refused.returncode) == (0, 3), passed.stdout + passed.stderr + refused.stderr
    found = json.loads(refused.stdout)
    assert (found["passes"], found["refused_by"]) == (False, "max_position_pct")
    position = next(check for check in found["checks"] if check["rule"] == "max_position_pct")
    assert float(position["headroom"]) == float(position["limit"]) - float(position["actual"])
    assert json.loads(passed.stdout)["passes"] is True
    assert qts(*many).stdout == refused.stdout
    assert "would be refused" in qts("check", "KO", "buy", "10", "--bid", "60", "--ask", "70").stdout  # a wide quote
    unknown = qts("check", "NOPE", "buy", "1")
    assert unknown.returncode == 3
    assert "sp500 has no price of NOPE: name the prices of the run with --prices" in unknown.stdout


@pytest.mark.usefixtures("demo")
def test_check_judges_a_basket_as_a_whole(qts, tmp_path):
    file = tmp_path / "basket.csv"
    file.write_text("symbol,side,quantity,limit\nKO,buy,1,\nKO,buy,1000,60.10\n")
    refused = qts("check", "--basket", str(file), "--json")
    assert refused.returncode == 3, refused.stderr
    found = json.loads(refused.stdout)
    assert found["passes"] is False
    assert [(line["passes"], line.get("rule", "")) for line in found["orders"]] == [
        (True, ""),
        (False, "max_position_pct"),
    ]
    assert "1 of 2 orders pass together" in qts("check", "--basket", str(file)).stdout
    file.write_text("symbol,side,quantity\nKO,buy,1\n")
    assert qts("check", "--basket", str(file)).returncode == 0
    for text, said in (
        ("symbol,side\nKO,buy\n", "the first line must name the columns"),
        ("symbol,side,quantity\nKO,hold,1\n", "line 2"),
        ("symbol,side,quantity\nKO,buy,many\n", "line 2"),
        ("symbol,side,quantity\n", "holds no order"),
    ):
        file.write_text(text)
        wrong = qts("check", "--basket", str(file))
        assert (wrong.returncode, said in wrong.stderr) == (1, True), wrong.stderr
    assert "leave out the order" in qts("check", "KO", "buy", "1", "--basket", str(file)).stderr
    assert "name an order" in qts("check", "KO").stderr


def test_everything_on_the_machine_is_halted_and_released_apart_from_the_account(qts):
    assert qts("halt", "--all", "--reason", "fire", "--by", "anna").returncode == 0
    told = qts("status")
    assert told.returncode == 3
    assert "the kill switch is not active" in told.stdout
    assert "everything on this machine is HALTED" in told.stdout
    seen = json.loads(qts("status", "--json").stdout)
    assert (seen["level"], seen["host_level"], seen["host_reason"]) == ("running", "halted", "fire")
    both = qts("halt", "--all", "--latch", "x.json", "--reason", "fire")
    assert (both.returncode, "choose one" in both.stderr) == (1, True)
    released = qts("resume", "--all", "--authorized-by", "anna", "--reason", "out")
    assert "accounts that were halted stay so" in released.stdout
    assert qts("status").returncode == 0


def test_halt_is_seen_by_the_next_process_and_lifted_by_a_named_person(program, qts):
    assert qts("status").returncode == 0
    assert program("halt", "--reason", "drill", "--by", "anna").returncode == 0
    seen = qts("status", "--json")
    assert seen.returncode == 3
    assert json.loads(seen.stdout)["reason"] == "drill"
    assert qts("resume", "--authorized-by", "", "--reason", "over").returncode == 1
    assert qts("status").returncode == 3
    assert program("resume", "--authorized-by", "anna", "--reason", "drill is over").returncode == 0
    assert qts("status").returncode == 0


@pytest.mark.usefixtures("demo")  # an order is looked for in its journal
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "nobody-1-0"), "qts orders"),
        (("backtest", "momentun"), "did you mean momentum"),
        (("backtest", "nothing.py"), "no such file"),
        (("backtest", "momentum", "--prices", "nothing.csv"), "nothing.csv"),
        (("backtest", "momentum", "--cash", "1e5x"), "--cash"),
        (("backtest", "momentum", "--cash=-5"), "--cash"),
        (("backtest", "momentum", "--limits", "nothing.yaml"), "nothing.yaml"),
        (("journal", "verify", "nothing.db"), "nothing.db"),
    ],
)
def test_mistakes_are_told_in_one_line(qts, arguments, words):
    done = qts(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("arguments", [("explain", "nobody-1-0"), ("positions", "--json"), ("explain", "--nothing")])
def test_a_process_of_its_own_answers_as_the_commands_do_here(program, qts, arguments):
    """Otherwise the tests of this page would say nothing about what people start."""
    alone, here = program(*arguments), qts(*arguments)
    assert (alone.returncode, alone.stdout) == (here.returncode, here.stdout)
    assert alone.stderr.replace("python -m quant_trading_system.cli.main", "qts") == here.stderr


def test_a_strategy_of_ones_own_runs_on_ones_own_prices(qts, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from quant_trading_system import Strategy\n\n\n"
        "class Mine(Strategy):\n"
        "    def on_bar(self, market):\n"
        "        for symbol in market.symbols:\n"
        "            yield market.long(symbol, weight='0.05')\n"
    )
    days = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08")
    rows = "\n".join(f"{day},{50 + i}.25,{100 + i}.5" for i, day in enumerate(days))
    (tmp_path / "prices.csv").write_text(f"date,AAA,BBB\n{rows}\n")
    done = qts("backtest", "mine.py", "--prices", "prices.csv", "--json", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["quality"]["submitted"] >= 1
    assert told["journal"]["verified"] is True
    assert (tmp_path / "runs" / "backtest-1" / "report.html").exists()


def test_a_backtest_whose_strategy_fails_ends_with_an_error_and_keeps_its_report(qts, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from quant_trading_system import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_bar(self, market):\n"
        "        return 1 / 0\n"
    )
    for options in ((), ("--json",)):
        done = qts("backtest", "mine.py", "--from", "2022-12-01", *options, directory=tmp_path)
        assert done.returncode == 1
        assert "ZeroDivisionError: division by zero (line 4 of mine.py)" in " ".join(done.stdout.split())
    assert (tmp_path / "runs" / "backtest-2" / "report.html").exists()


def test_help_names_an_example_for_every_command(qts):
    commands = ("demo", "backtest", "explain", "orders", "positions", "halt", "resume", "status")
    for command in (
        *((name,) for name in commands),
        ("journal", "verify"),
        ("journal", "replay"),
        ("journal", "export"),
    ):
        told = qts(*command, "--help").stdout
        assert "Example: qts" in told, command
