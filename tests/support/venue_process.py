"""A real `qts venue` in a process of its own, and how tests talk to its control surface."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

TOKEN = "conformance"
START_S, REPLY_S, WAIT_S = 60, 20, 10


class Keys(NamedTuple):
    name: str
    key: str
    secret: str


class VenueProcess:
    """A running venue with many accounts; every test takes a fresh one."""

    def __init__(self, process: subprocess.Popen, card: dict[str, Any]) -> None:
        self.process = process
        self.card = card
        self.url: str = card["trading_url"]
        self.order_stream: str = card["trading_stream_url"]
        self.data_stream: str = card["data_stream_url"]
        self._accounts = iter([Keys(a["name"], a["key_id"], a["secret_key"]) for a in card["accounts"]])

    def fresh_account(self) -> Keys:
        return next(self._accounts)

    def control(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a command; without a body, ask."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_venue{path}", data, {"X-Venue-Token": TOKEN})
        with urlopen(request, timeout=REPLY_S) as answer:
            read: dict[str, Any] = json.load(answer)
        return read

    def hold(self, symbol: str, price: str, bid: str = "", ask: str = "") -> None:
        """The symbol stands at this price until it is released."""
        self.control("/price", {"symbol": symbol, "price": price, "bid": bid, "ask": ask, "hold": True})

    def pass_time(self, seconds: float) -> None:
        self.control("/time", {"seconds": seconds})


@contextmanager
def running_venue(*options: str, accounts: int = 1, cash: str = "100000", clean: bool = True) -> Iterator[VenueProcess]:
    """A venue that is ended by its own process id when the block is left; `clean` unless the test kills it."""
    named = [f"--account=a{n}:PKTEST{n:04d}:secret-{n}:{cash}" for n in range(accounts)]
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "venue", "--port=0", "--json", *options, *named]
    process = subprocess.Popen([*command, f"--control-token={TOKEN}"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the venue did not start: exit code {process.wait(START_S)}"
        yield VenueProcess(process, json.loads(line))
    finally:
        process.terminate()
        try:
            code = process.wait(WAIT_S)
            assert code == 0 or not clean
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()


def until(found: Callable[[], Any], what: str) -> Any:
    """Ask again and again until the answer is true; every question is a request of its own, so nobody sleeps."""
    end = monotonic() + WAIT_S
    for tries in count(1):
        answer = found()
        if answer:
            return answer
        assert monotonic() < end, f"{what}: not after {tries} tries in {WAIT_S} s"
    raise AssertionError
