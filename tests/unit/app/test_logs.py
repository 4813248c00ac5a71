"""Log records: one line each whatever is in them, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stdout
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_trading_system.app.logs import REQUEST, OneLine, Secrets, log_to, record_teller
from quant_trading_system.cli.screen import line_teller
from quant_trading_system.core.clock import ManualClock

CLOCK = ManualClock(datetime(2026, 1, 5, 12, tzinfo=UTC))
TOKEN = "qts_0123abcd_" + "Zz9_-" * 8 + "abc"
KEYS = {"APCA_API_KEY_ID": "PKCANARY1234", "APCA_API_SECRET_KEY": 'se"cret\\canary', "QTS_JOURNAL_KEY": "ab" * 32}


def line_of(message, *arguments, **fields):
    record = logging.LogRecord("x", logging.INFO, "", 1, message, arguments, None)
    record.fields = fields
    return OneLine(CLOCK, Secrets(KEYS)).format(record)


def test_a_record_is_one_json_object_with_its_request():
    token = REQUEST.set("r-1")
    try:
        told = json.loads(line_of("came %s", "in", path="/v1/me"))
    finally:
        REQUEST.reset(token)
    assert told == {
        "at": "2026-01-05T12:00:00.000+00:00", "level": "info", "logger": "x", "message": "came in", "request": "r-1",
        "path": "/v1/me",
    }  # fmt: skip


@given(st.text())
def test_no_text_makes_a_second_line_or_moves_a_cursor(text):
    line = line_of("%s", text, path=text)
    assert all(" " <= character <= "~" for character in line)
    assert json.loads(line)["path"] == text


@pytest.mark.parametrize(
    "text",
    [TOKEN, f"Bearer {TOKEN}", "Authorization: bearer abc.def", "qts_session_0a1b=hush; x", *KEYS.values()],
)
def test_secrets_are_struck_out_wherever_they_stand(text):
    line = line_of("got %s", text, path=text, deep={"in": [text]})
    for secret in (TOKEN, "abc.def", "hush", "PKCANARY1234", "canary", "ab" * 32):
        assert secret not in line
    json.loads(line)


def test_a_short_value_of_a_variable_strikes_nothing_out():
    assert Secrets({"APCA_API_KEY_ID": "a"}).struck_out("a cat") == "a cat"


def test_errors_are_told_in_the_same_line():
    stream = io.StringIO()
    handler = log_to(stream, CLOCK, Secrets(KEYS))
    try:
        try:
            raise ValueError(f"bad\n{TOKEN}")
        except ValueError:
            logging.getLogger("y").exception("failed")
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    (line,) = stream.getvalue().splitlines()
    assert TOKEN not in line
    assert "ValueError" in json.loads(line)["error"]


def test_addresses_of_alerts_are_struck_out():
    address = "mailtos://user:hunter2secret@mail.example.com"
    assert "hunter2" not in Secrets({}, values=(address,)).struck_out(f"failed: {address}")


@given(st.text())
def test_lines_of_engine_and_watchdog_stay_lines_and_hide_keys(text):
    out = io.StringIO()
    with redirect_stdout(out):
        line_teller(CLOCK, lambda line: line.replace("PKCANARY1234", "…"))(f"{text} PKCANARY1234")
    told = out.getvalue()
    assert told.endswith("\n")
    assert told[:-1].isprintable()
    assert "PKCANARY1234" not in told


@pytest.fixture
def records():
    stream = io.StringIO()
    handler = log_to(stream, CLOCK, Secrets(KEYS))
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_line_of_the_engine_is_one_record_whatever_is_in_it(records, text):
    record_teller("engine")(text)
    line = records.getvalue().splitlines()[-1]
    assert all(" " <= character <= "~" for character in line)
    told = json.loads(line)
    assert (told["logger"], told["message"]) == ("engine", text[:4000]) or "[secret]" in line


def test_a_record_of_the_engine_names_its_orders_and_the_command_that_led_to_it(records):
    tell = record_teller("engine", lambda line: line.replace("hush", "…"))
    token = REQUEST.set("intention-1")
    try:
        tell("filled: buy 10 KO (qts7-124bffc90666-12-0), hush; of qts7-124bffc90666-13, and c433ae94c968-22-0")
    finally:
        REQUEST.reset(token)
    told = json.loads(records.getvalue())
    assert told["request"] == "intention-1"
    assert told["orders"] == ["qts7-124bffc90666-12-0", "qts7-124bffc90666-13", "c433ae94c968-22-0"]
    assert "hush" not in told["message"]
