"""Keys stay secret, files of keys stay private, and real money is touched only on purpose."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.credentials import (
    Credentials,
    Endpoints,
    TradingMode,
    read_access,
    require_account,
)
from tests.support.alpaca_lines import ACCESS, KEY, SECRET

PAPER = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}


def keys_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


# -- never shown ---------------------------------------------------------------------------------------------------


def test_keys_are_in_no_text_of_any_object():
    for shown in (repr(ACCESS), str(ACCESS), repr(ACCESS.credentials), f"{ACCESS.credentials}", repr([ACCESS])):
        assert KEY not in shown
        assert SECRET not in shown
        assert "hidden" in shown


@pytest.mark.parametrize("copier", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode])
def test_keys_are_neither_written_nor_copied(copier):
    with pytest.raises(TypeError):
        copier(ACCESS.credentials)


@pytest.mark.parametrize("key", ["", "with space", "line\nbreak", "ümlaut", "x" * 257])
def test_a_key_that_is_none_is_refused_without_being_told(key):
    with pytest.raises(ConfigurationError, match="APCA_API_SECRET_KEY is missing or is no key") as caught:
        Credentials(KEY, key)
    text = "".join(traceback.format_exception_only(caught.value))
    assert KEY not in text
    assert not key or key not in text


def test_keys_that_the_other_side_repeats_are_taken_out():
    text = ACCESS.credentials.hidden_in(f"bad key {KEY} with secret {SECRET}")
    assert text == "bad key … with secret …"


# -- where they come from ------------------------------------------------------------------------------------------


def test_the_environment_gives_keys_and_by_default_the_paper_host():
    access = read_access(PAPER)
    assert access.endpoints == Endpoints(
        trading="https://paper-api.alpaca.markets",
        data="https://data.alpaca.markets",
        order_stream="wss://paper-api.alpaca.markets/stream",
        data_stream="wss://stream.data.alpaca.markets",
        mode=TradingMode.PAPER,
    )
    assert access.credentials.headers() == {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}


def test_a_local_venue_serves_everything_from_one_port():
    endpoints = read_access({**PAPER, "APCA_API_BASE_URL": "http://127.0.0.1:8080/"}).endpoints
    assert (endpoints.trading, endpoints.data) == ("http://127.0.0.1:8080", "http://127.0.0.1:8080")
    assert endpoints.order_stream == "ws://127.0.0.1:8080/stream"
    assert endpoints.data_stream == "ws://127.0.0.1:8080"
    assert endpoints.mode is TradingMode.LOCAL


def test_urls_may_be_given_and_lose_what_people_copy_along():
    endpoints = Endpoints.derived(
        "https://api.alpaca.markets/v2/", "https://data.sandbox.alpaca.markets", "wss://stream.example/v2/sip"
    )
    assert endpoints.trading == "https://api.alpaca.markets"
    assert endpoints.data == "https://data.sandbox.alpaca.markets"
    assert endpoints.data_stream == "wss://stream.example"


@pytest.mark.parametrize(
    "url",
    [
        "paper-api.alpaca.markets",
        "ftp://paper-api.alpaca.markets",
        "https://",
        "https://user:word@host.example",
        "https://host.example?x=1",
        "https://host.example:99999",
        "https://[::1",
    ],
)
def test_what_is_no_url_of_a_host_is_refused(url):
    with pytest.raises(ConfigurationError, match="APCA_API_BASE_URL is not the URL of a host"):
        Endpoints.derived(url)


def test_keys_do_not_travel_unencrypted_to_another_machine():
    with pytest.raises(ConfigurationError, match="unencrypted"):
        Endpoints.derived("http://paper-api.alpaca.markets")
    with pytest.raises(ConfigurationError, match="APCA_API_STREAM_URL would send keys unencrypted"):
        Endpoints.derived(data_stream="ws://stream.data.alpaca.markets")


def test_a_private_file_gives_keys_and_hosts(tmp_path):
    text = f"""
        # paper
        APCA_API_KEY_ID = {KEY}
        APCA_API_SECRET_KEY="{SECRET}"

        APCA_API_BASE_URL=http://localhost:9
    """
    access = read_access({"APCA_API_KEY_ID": "another"}, keys_file(tmp_path, text))
    assert access.credentials.headers()["APCA-API-KEY-ID"] == KEY
    assert access.credentials.headers()["APCA-API-SECRET-KEY"] == SECRET
    assert access.endpoints.trading == "http://localhost:9"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_file_that_others_may_touch_is_refused(tmp_path, mode):
    path = keys_file(tmp_path, f"APCA_API_KEY_ID={KEY}", mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        read_access({}, path)
    assert KEY not in str(caught.value)


def test_a_file_of_another_user_is_refused(tmp_path, monkeypatch):
    path = keys_file(tmp_path, "")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        read_access({}, path)


def test_links_directories_and_what_is_not_there_are_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(keys_file(tmp_path, ""))
    for path in (link, tmp_path / "nowhere"):
        with pytest.raises(ConfigurationError, match="cannot be opened"):
            read_access({}, path)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_access({}, tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"APCA_API_KEY={KEY}", "line 1"),
        (f"APCA_API_KEY_ID={KEY}\nAPCA_API_KEY_ID={KEY}", "line 2"),
        ("x" * 5000, "too large"),
        ("APCA_API_KEY_ID=\N{PILE OF POO}", "plain text"),
    ],
)
def test_a_file_with_anything_else_in_it_is_refused_as_a_whole(tmp_path, text, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        read_access({}, keys_file(tmp_path, text))
    assert KEY not in str(caught.value)


# -- whose money ---------------------------------------------------------------------------------------------------

MODES = """
https://paper-api.alpaca.markets   paper
https://api.alpaca.markets         live
https://unknown.example            live
http://localhost:1                 local
https://[::1]:1                    local
"""


@pytest.mark.parametrize("row", MODES.strip().splitlines())
def test_the_host_tells_the_mode_and_a_host_that_nobody_knows_counts_as_live(row):
    url, mode = row.split()
    assert Endpoints.derived(url).mode is TradingMode(mode)


def test_live_needs_configuration_account_and_arming():
    live = Endpoints.derived("https://api.alpaca.markets")
    with pytest.raises(ConfigurationError, match="configuration says paper"):
        live.require_permission(TradingMode.PAPER, armed=True, account_id="PA1")
    with pytest.raises(ConfigurationError, match="id of the account"):
        live.require_permission(TradingMode.LIVE, armed=True, account_id="")
    with pytest.raises(ConfigurationError, match="was not armed"):
        live.require_permission(TradingMode.LIVE, armed=False, account_id="PA1")
    live.require_permission(TradingMode.LIVE, armed=True, account_id="PA1")
    Endpoints.derived().require_permission(TradingMode.PAPER, armed=False, account_id="")


@pytest.mark.fault("wrong-account")
def test_keys_of_another_account_are_refused():
    require_account(("uuid", "PA1"), "PA1")
    require_account(("uuid", "PA1"), "uuid")
    require_account(("uuid", "PA1"), "")
    with pytest.raises(ConfigurationError, match="belong to account PA1, but the configuration says PA2"):
        require_account(("uuid", "PA1"), "PA2")
