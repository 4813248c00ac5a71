"""Logs of engine, venue and console: one line of JSON a record, with ids; no secret and no control character.

What a stranger sends may end up in a record. JSON escapes whatever could begin a new line or move a terminal's
cursor, and everything that looks like a secret is struck out after the line is complete, wherever it came from.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import TextIO

from quant_trading_system.app.tokens import TOKEN
from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.credentials import KEY_ID, SECRET_KEY
from quant_trading_system.journal.keys import KEY_VARIABLE

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered, at the door the key of the command; empty outside of one."""
STRUCK_OUT = "[secret]"
SECRET_VARIABLES = (KEY_ID, SECRET_KEY, KEY_VARIABLE)
_SHORTEST = 8
"""Shorter values would strike out ordinary words."""
_PATTERNS = (TOKEN, re.compile(r"(?i)(?<=bearer )[^\s\"\\]+"), re.compile(r"(?<=qts_session_)[^\s\";\\]+"))
_MOST = 4000
_ORDER_ID = re.compile(r"\b(?:qts\d+-)?[0-9a-f]{12}-\d+(?:-\d+)?\b")
"""How ids of orders and parent orders look; see `core.ids`."""


class Secrets:
    """Strikes out tokens, and the values of the variables that hold keys."""

    def __init__(
        self, environment: Mapping[str, str], names: Iterable[str] = SECRET_VARIABLES, values: Iterable[str] = ()
    ) -> None:
        """Know the values of `names` in `environment`, and `values` such as the addresses of alerts."""
        values = {*values, *(environment.get(name, "").strip() for name in names)}
        known = sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
        self._values = tuple(json.dumps(value)[1:-1] for value in known)

    def struck_out(self, text: str) -> str:
        """`text` without secrets."""
        for pattern in _PATTERNS:
            text = pattern.sub(STRUCK_OUT, text)
        for value in self._values:
            text = text.replace(value, STRUCK_OUT)
        return text


class OneLine(logging.Formatter):
    """A record as one JSON object in one line of ASCII; `record.fields` are added to it."""

    def __init__(self, clock: Clock, secrets: Secrets) -> None:
        """Stamp with `clock`; strike out `secrets`."""
        super().__init__()
        self._clock = clock
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        content: dict[str, object] = {
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_MOST],
        }
        request = REQUEST.get()
        if request:
            content["request"] = request
        content |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            content["error"] = self.formatException(record.exc_info)[-_MOST:]
        line = json.dumps(content, default=str, ensure_ascii=True).replace("\x7f", "\\u007f")
        return self._secrets.struck_out(line)


def log_to(stream: TextIO, clock: Clock, secrets: Secrets, *, level: int = logging.INFO) -> logging.Handler:
    """Send all records of this process to `stream`, one line each; the answer can be removed again."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(clock, secrets))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def record_teller(name: str, hide: Callable[[str], str] = str) -> Callable[[str], None]:
    """Makes a record of each line that the process called `name` tells, with the orders that the line names.

    What is being asked for at the door is its `request`, the key of the command. It goes to the handler of `log_to`,
    which loses a line rather than end the process.
    """
    log = logging.getLogger(name)

    def tell(line: str) -> None:
        plain = hide(line)
        orders = list(dict.fromkeys(_ORDER_ID.findall(plain)))
        log.info("%s", plain, extra={"fields": {"orders": orders} if orders else {}})

    return tell
