"""A real `qts trade` in a process of its own, on one account of a venue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from tests.support.command_line import qts_here
from tests.support.venue_process import REPLY_S, VenueProcess

PROGRAM = "quant_trading_system.cli.main"
QTS = [sys.executable, "-m", PROGRAM]
BUYS = ("buyer.py", "--symbols", "KO,PEP")
ROOT = Path(__file__).resolve().parents[2]
BUYER = """
from quant_trading_system import Strategy

class Buyer(Strategy):
    def on_bar(self, market):
        for symbol in market.symbols:
            yield market.long(symbol, weight="0.05")
"""


class Engine:
    """`qts trade` on one account of a venue; the same directory in every life."""

    def __init__(self, venue: VenueProcess, place: Path, *arguments: str, program: str = PROGRAM) -> None:
        """`arguments` of `qts trade` instead of those of the buyer of KO and PEP; `program`: a module to run."""
        self.program, self.arguments = program, arguments or BUYS
        keys = venue.fresh_account()
        self.account = keys.name
        self.url = venue.url
        self.account = keys.name
        self.headers = {"APCA-API-KEY-ID": keys.key, "APCA-API-SECRET-KEY": keys.secret}
        self.place = place
        self.directory = place / "state" / "default"
        (place / "buyer.py").write_text(BUYER)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "QTS_STATE_DIR": str(place / "state"),
            "APCA_API_KEY_ID": keys.key,
            "APCA_API_SECRET_KEY": keys.secret,
            "APCA_API_BASE_URL": venue.url,
            "APCA_API_DATA_URL": venue.url,
        }

    @contextmanager
    def running(self, *options: str, watched: bool = False) -> Iterator[subprocess.Popen[str]]:
        """One life; whatever is left of it in the end is killed by its own process id.

        A watchdog that outlives its venue tries to cancel for ever: who wants one ends it.
        """
        with self._start(*options, *(() if watched else ("--no-watchdog",))) as process:
            try:
                yield process
            finally:
                process.kill()

    def _start(self, *options: str) -> subprocess.Popen[str]:
        fixed = ("--mode", "local", "--bars", "1Min", "--lookback", "2", "--always-open")
        return subprocess.Popen(
            [sys.executable, "-m", self.program, "trade", *self.arguments, *fixed, *options],
            cwd=self.place,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def told(self, process: subprocess.Popen[str], words: str, times: int = 1) -> list[str]:
        """Its lines up to the one that holds `words` for the n-th time."""
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            times -= words in line
            if not times:
                return lines
        raise AssertionError(f"it ended without saying {words!r}:\n" + "".join(lines))

    def run(self, *arguments: str, allowed: int = 0) -> str:
        """What another command answers, in the same environment; its exit code is 0 or the one allowed."""
        done = self._run(*arguments)
        assert done.returncode in (0, allowed), done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """The error of another command, which must fail."""
        done = self._run(*arguments)
        assert done.returncode == 1, done.stdout
        return " ".join(done.stderr.split())

    def ask(self, *arguments: str, allowed: int = 0) -> dict:
        return json.loads(self.run(*arguments, "--json", allowed=allowed))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return qts_here(*arguments, directory=self.place, environment=self.environment)

    def broker(self, method: str, path: str, body: dict | None = None) -> dict | list | None:
        """Ask the venue itself, past the engine."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/v2{path}", data, self.headers, method=method)
        with urlopen(request, timeout=REPLY_S) as answer:
            return json.loads(answer.read() or "null")  # a cancel is answered with nothing
