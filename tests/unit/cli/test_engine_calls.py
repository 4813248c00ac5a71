"""Commands that act on an engine: what they send, what they print, and what they say when something is missing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from quant_trading_system.cli import engine_calls
from quant_trading_system.cli.main import app
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Outcome, Result
from quant_trading_system.core.exceptions import ConfigurationError
from tests.support.operator import Operator


class Engine:
    """Answers in the place of a running engine, and remembers what it was asked and by whom."""

    def __init__(self) -> None:
        self.operator = Operator()
        self.asked: list[AnyCommand] = []
        self.names: list[tuple[str, str]] = []
        self.answer: Outcome | None = None

    async def ask(self, command: AnyCommand, *, key: str, principal: str, source: Source) -> Outcome:
        assert source is Source.CLI
        self.asked.append(command)
        self.names.append((key, principal))
        return self.answer or await self.operator.asked(command)


@pytest.fixture
def engine(monkeypatch):
    made = Engine()
    monkeypatch.setattr(engine_calls, "_door", lambda _: made)
    return made


def qts(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def fields(command: AnyCommand) -> dict[str, Any]:
    return {name: getattr(command, name) for name in command.__struct_fields__ if getattr(command, name)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("KO", "10"), {"order_type": "market", "quantity": Decimal(10)}),
        (("ko", "10", "--limit", "60.10"), {"order_type": "limit", "limit_price": Decimal("60.10")}),
        (("KO", "10", "--tif", "gtc"), {"time_in_force": "gtc"}),
        (("KO", "10", "--stop", "59"), {"order_type": "stop", "stop_price": Decimal(59)}),
        (("KO", "10", "--stop", "59", "--limit", "58"), {"order_type": "stop_limit"}),
        (("KO", "10", "--trail-percent", "2"), {"order_type": "trailing_stop", "trail_percent": Decimal(2)}),
        (("KO", "--notional", "500"), {"notional": Decimal(500)}),
        (("KO", "10", "--take-profit", "70", "--stop-loss", "50"), {"order_class": "bracket"}),
        (("KO", "10", "--stop-loss", "50"), {"order_class": "oto"}),
        (("KO", "10", "--reduce-only", "--repeat"), {"reduce_only": True, "repeat": True}),
    ],
)  # fmt: skip
def test_a_ticket_is_what_was_typed(engine, arguments, expected):
    engine.answer = Outcome(result=Result.DONE, message="sent")
    done = qts("order", "buy", *arguments, "--yes", "--key", "my-key-123", "--by", "anna")
    assert done.exit_code == 0, done.output
    (command,) = engine.asked
    assert (command.name, command.symbol, command.side) == ("place_order", "KO", "buy")
    assert {name: getattr(command, name) for name in expected} == expected
    assert engine.names == [("my-key-123", "anna")]


def test_without_yes_the_gate_is_asked_first_and_a_refusal_ends_it(engine):
    done = qts("order", "buy", "KO", "101")
    assert done.exit_code == 1
    assert [command.name for command in engine.asked] == ["check"]
    assert "would be refused: max_position_pct" in done.output
    assert "101%" in done.output, "how full the limit would be"


def test_a_basket_is_asked_about_as_a_whole_and_nothing_is_sent(engine, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("symbol,side,quantity,limit\nko,buy,10,99.00\nKO,buy,95,99.00\n")
    done = qts("order", "basket", str(file))
    assert done.exit_code == 1
    (command,) = engine.asked
    assert command.name == "check_basket"
    assert [(one.symbol, one.quantity, one.limit_price) for one in command.orders] == [
        ("KO", Decimal(10), Decimal("99.00")),
        ("KO", Decimal(95), Decimal("99.00")),
    ]
    rows = [line.split() for line in done.output.splitlines()]
    assert ["✓", "buy", "10", "KO"] in [row[:4] for row in rows]
    assert ["✗", "buy", "95", "KO"] in [row[:4] for row in rows], "together they are beyond the limit"


def test_a_basket_for_the_engine_names_no_strategy(engine, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("symbol,side,quantity,strategy\nKO,buy,10,Momentum\n")
    done = qts("order", "basket", str(file))
    assert "leave that column out" in str(done.exception)
    assert engine.asked == []


def test_without_a_person_nothing_is_sent_unless_told(engine):
    done = qts("order", "buy", "KO", "10")
    assert [command.name for command in engine.asked] == ["check"]
    assert isinstance(done.exception, ConfigurationError)
    assert "repeat the command with --yes" in str(done.exception)


@pytest.mark.parametrize(("said", "sent"), [("y\n", True), ("n\n", False)])
def test_a_person_is_asked(engine, monkeypatch, said, sent):
    monkeypatch.setattr(engine_calls, "somebody_is_there", lambda: True)
    monkeypatch.setattr(engine_calls.typer, "confirm", lambda question: said == "y\n")
    done = qts("order", "buy", "KO", "10", "--limit", "99.00")
    assert ("place_order" in [command.name for command in engine.asked]) is sent
    assert ("nothing was done" in done.output) is not sent


@pytest.mark.parametrize(
    ("result", "code"), [(Result.DONE, 0), (Result.PENDING, 3), (Result.REFUSED, 1), (Result.FAILED, 1)]
)
def test_the_exit_code_tells_the_result(engine, result, code):
    engine.answer = Outcome(result=result, message="a message", order_id="run-1-0", limit=Decimal("0.10"))
    done = qts("cancel", "run-1-0", "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["result"] == result.value
    text = qts("cancel", "run-1-0")
    assert (text.exit_code, result.value in text.stdout, "a message" in text.stdout) == (code, True, True)


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        (("cancel", "run-1-0", "--reason", "x"), "cancel", {"order_id": "run-1-0", "reason": "x"}),
        (("cancel", "--all", "--keep-exits"), "cancel_all", {"keep_exits": True}),
        (("cancel", "--symbol", "ko"), "cancel_all", {"symbol": "KO"}),
        (("cancel", "--strategy", "momentum"), "cancel_all", {"strategy": "momentum"}),
        (("replace", "run-1-0", "--stop", "60"), "replace_order", {"order_id": "run-1-0", "stop_price": Decimal(60)}),
        (("algo", "start", "ko", "buy", "500", "--use", "pov", "--participation", "0.1", "--yes"), "start_parent",
         {"symbol": "KO", "side": "buy", "quantity": Decimal(500), "algorithm": "pov",
          "participation": Decimal("0.1")}),
        (("algo", "pause", "run-2", "--reason", "news"), "pause_parent", {"parent_id": "run-2", "reason": "news"}),
        (("algo", "resume", "run-2"), "resume_parent", {"parent_id": "run-2"}),
        (("algo", "speed-up", "run-2", "1.5"), "speed_up_parent", {"parent_id": "run-2", "factor": Decimal("1.5")}),
        (("algo", "reduce", "run-2", "200"), "reduce_parent", {"parent_id": "run-2", "quantity": Decimal(200)}),
        (("algo", "cancel", "run-2"), "cancel_parent", {"parent_id": "run-2"}),
        (("strategy", "arm", "momentum"), "arm_strategy", {"strategy": "momentum"}),
        (("strategy", "disarm", "me", "--reason", "x"), "disarm_strategy", {"strategy": "me", "reason": "x"}),
        (("reconcile", "--now"), "reconcile", {}),
        (("rebalance", "ko=0.05", "XOM=-0.01", "--cash-kept", "0.02", "--use", "vwap", "--yes"), "rebalance",
         {"weights": {"KO": Decimal("0.05"), "XOM": Decimal("-0.01")}, "cash_kept": Decimal("0.02"),
          "execution": "vwap"}),
        (("rebalance", "KO=0", "--keep-others", "--drift-band", "0.1", "--yes"), "rebalance",
         {"weights": {"KO": Decimal(0)}, "keep_others": True, "drift_band": Decimal("0.1")}),
    ],
)  # fmt: skip
def test_every_command_sends_what_it_says(engine, arguments, name, expected):
    engine.answer = Outcome(result=Result.DONE, message="done")
    done = qts(*arguments)
    assert done.exit_code == 0, done.output
    (command,) = engine.asked
    assert command.name == name
    assert fields(command) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("order", "buy", "KO"), "give QTY (shares) or --notional (dollars), one of them"),
        (("order", "buy", "KO", "10", "--notional", "500"), "one of them"),
        (("order", "buy", "KO", "ten"), "QTY ten"),
        (("order", "buy", "KO", "10", "--limit", "sixty"), "--limit sixty"),
        (("cancel",), "say what to cancel: ORDER, or --all, or --symbol and --strategy"),
        (("cancel", "run-1-0", "--all"), "say what to cancel"),
        (("cancel", "run-1-0", "--keep-exits"), "--keep-exits goes with"),
        (("algo", "start", "KO", "buy", "x"), "QTY x"),
        (("rebalance",), "name the weights as SYMBOL=WEIGHT, or a file with --from"),
        (("rebalance", "KO", "--yes"), "write SYMBOL=WEIGHT once for each symbol, not 'KO'"),
        (("rebalance", "KO=a tenth", "--yes"), "KO: 'a tenth' is not a number"),
        (("rebalance", "--from", "nowhere.json", "--yes"), "--from nowhere.json cannot be read"),
        (("reconcile", "--now", "--adopt", "anna", "--reason", "x"), "adopts nothing"),
    ],
)
def test_a_slip_of_the_keyboard_is_named(engine, arguments, said):
    done = qts(*arguments)
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert engine.asked == []


def test_books_that_differ_have_an_exit_code_of_their_own(engine):
    engine.answer = Outcome(result=Result.DONE, message="our books and the broker's differ: cash", status="differ")
    assert qts("reconcile", "--now").exit_code == 3


def test_a_rebalance_is_shown_before_it_is_asked_for(engine, tmp_path):
    engine.operator.account.hold("KO", 50)
    file = tmp_path / "weights.json"
    file.write_text('{"method": "min-variance", "weights": {"PEP": "0.05", "XOM": 0.01}}')
    shown = qts("rebalance", "--from", str(file), "--preview")
    assert shown.exit_code == 0, shown.output
    (command,) = engine.asked
    assert command.name == "preview_rebalance"
    assert "-50" in shown.output
    assert "nothing was sent" in shown.output
    assert json.loads(qts("rebalance", "--from", str(file), "--preview", "--json").stdout)["rebalance"]["equity"]
    refused = qts("rebalance", "KO=0.02")
    assert isinstance(refused.exception, ConfigurationError)
    assert "repeat the command with --yes" in str(refused.exception)
    assert {asked.name for asked in engine.asked} == {"preview_rebalance"}


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is no JSON"), ("[1]", "no object such"), ('{"weights": {"KO": null}}', "no object such")]
)
def test_a_file_of_weights_that_is_none_is_named(engine, tmp_path, text, said):
    file = tmp_path / "weights.json"
    file.write_text(text)
    assert said in str(qts("rebalance", "--from", str(file), "--yes").exception)
    assert engine.asked == []
