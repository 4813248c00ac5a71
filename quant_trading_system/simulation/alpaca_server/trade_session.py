"""The protocol of the order stream, without a socket: authenticate, listen, and nothing before that.

There is no greeting: the first thing that a client hears is the answer to its credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Message = dict[str, Any]

TRADE_UPDATES = "trade_updates"
AUTH_SECONDS = 10

Unlock = Callable[[object, object], bool]
"""Whether a key and a secret fit."""
UnlockToken = Callable[[object], bool]


class Answer(NamedTuple):
    """What to send back, and whether to close the connection afterwards."""

    message: Message
    close: bool = False


class TradeSession:
    """One client of the stream.

    Attributes:
        authenticated: it has shown good keys.
        listening: it wants to hear of its orders.
    """

    def __init__(self, unlock: Unlock, unlock_token: UnlockToken) -> None:
        self.authenticated = False
        self.listening = False
        self._unlock = unlock
        self._unlock_token = unlock_token

    def hear(self, message: Message | None) -> Answer:
        """Answer a message; None is one that nobody could read."""
        action = None if message is None else message.get("action")
        if message is None or not isinstance(action, str):
            return Answer(problem("invalid syntax"))
        match action:
            case "authenticate" | "auth":
                return self._authenticate(message)
            case "listen":
                return self._listen(message)
            case _:
                return Answer(problem(f"unknown action: {action[:40]}"))

    def _authenticate(self, message: Message) -> Answer:
        data = message.get("data")
        credentials = data if isinstance(data, dict) else message
        if "oauth_token" in credentials:
            fits = self._unlock_token(credentials["oauth_token"])
        else:
            key = credentials.get("key_id", credentials.get("key"))
            fits = self._unlock(key, credentials.get("secret_key", credentials.get("secret")))
        self.authenticated = fits
        return Answer(_authorization("authenticate", granted=fits), close=not fits)

    def _listen(self, message: Message) -> Answer:
        if not self.authenticated:
            return Answer(_authorization("listen", granted=False))
        data = message.get("data")
        streams = data.get("streams") if isinstance(data, dict) else None
        if not isinstance(streams, list):
            return Answer(problem("streams must be a list"))
        self.listening = TRADE_UPDATES in streams
        return Answer({"stream": "listening", "data": {"streams": [TRADE_UPDATES] if self.listening else []}})


def problem(words: str) -> Message:
    """An error in this stream's form."""
    return {"action": "error", "data": {"error_message": words}}


def _authorization(action: str, *, granted: bool) -> Message:
    return {
        "stream": "authorization",
        "data": {"status": "authorized" if granted else "unauthorized", "action": action},
    }
