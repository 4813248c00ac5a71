"""The protocol of the market-data stream, without a socket: what a client says, and what it is told.

connected → authenticated → subscribed to channels. Every answer is a list of messages; errors leave the
connection open unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.parameters import require_symbol

Message = dict[str, Any]

ALL = "*"
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
FOLLOWERS = ("corrections", "cancelErrors")
"""Channels that come along with trades."""
TEST_CHANNELS = ("trades", "quotes", "bars")
ELSEWHERE = frozenset({"orderbooks", "imbalances", "news"})
"""Channels of other feeds."""
AUTH_SECONDS = 10
_NOTHING: frozenset[str] = frozenset()

Subscriptions = dict[str, set[str]]


class Problem(Enum):
    """What can go wrong, with the broker's number and words."""

    SYNTAX = 400, "invalid syntax"
    NOT_AUTHENTICATED = 401, "not authenticated"
    AUTH_FAILED = 402, "auth failed"
    ALREADY_AUTHENTICATED = 403, "already authenticated"
    AUTH_TIMEOUT = 404, "auth timeout"
    SYMBOL_LIMIT = 405, "symbol limit exceeded"
    CONNECTION_LIMIT = 406, "connection limit exceeded"
    SLOW_CLIENT = 407, "slow client"
    NO_SUBSCRIPTION = 409, "insufficient subscription"
    WRONG_FEED = 410, "invalid subscribe action for this feed"

    @property
    def message(self) -> Message:
        """As it is sent."""
        code, words = self.value
        return {"T": "error", "code": code, "msg": words}


class Answer(NamedTuple):
    """What to send back, and whether to close the connection afterwards."""

    messages: tuple[Message, ...]
    close: bool = False


GREETING: Message = {"T": "success", "msg": "connected"}
AUTHENTICATED: Message = {"T": "success", "msg": "authenticated"}

Admission = Callable[[Mapping[str, Any]], Problem | None]
"""Lets a client in by its credentials, or tells why not."""


class DataSession:
    """One client of the stream.

    Attributes:
        authenticated: it has shown good keys.
        subscriptions: symbols by channel; ``*`` is every symbol.
    """

    def __init__(self, feed: str, admit: Admission, symbol_limit: Callable[[], int]) -> None:
        """A fresh connection.

        Args:
            feed: ``test`` offers fewer channels than the others.
            symbol_limit: most symbols of all channels together; 0 for any number.
        """
        self.authenticated = False
        self.channels = TEST_CHANNELS if feed == "test" else CHANNELS
        self.subscriptions: Subscriptions = {channel: set() for channel in self.channels}
        self._followers = () if feed == "test" else FOLLOWERS
        self._admit = admit
        self._symbol_limit = symbol_limit

    def wants(self, channel: str, symbol: str) -> bool:
        """It has subscribed to this."""
        wanted = self.subscriptions.get("trades" if channel in self._followers else channel, _NOTHING)
        return symbol in wanted or ALL in wanted

    def hear(self, message: Message | None) -> Answer:
        """Answer a message; None is one that nobody could read."""
        action = None if message is None else message.get("action")
        if message is None or not isinstance(action, str):
            return _problem(Problem.SYNTAX)
        if action == "auth":
            return self.show_keys(message)
        if not self.authenticated:
            return _problem(Problem.NOT_AUTHENTICATED)
        if action not in ("subscribe", "unsubscribe"):
            return _problem(Problem.SYNTAX)
        return self._change(message, add=action == "subscribe")

    def show_keys(self, credentials: Mapping[str, Any]) -> Answer:
        """The client proves who it is."""
        if self.authenticated:
            return _problem(Problem.ALREADY_AUTHENTICATED)
        problem = self._admit(credentials)
        if problem is not None:
            return Answer((problem.message,), close=True)
        self.authenticated = True
        return Answer((AUTHENTICATED,))

    def _change(self, message: Message, *, add: bool) -> Answer:
        try:
            asked = self._asked_for(message)
        except _Nonsense as nonsense:
            return _problem(nonsense.problem)
        changed = {
            channel: (known | asked.get(channel, set())) if add else (known - asked.get(channel, set()))
            for channel, known in self.subscriptions.items()
        }
        limit = self._symbol_limit()
        if add and limit and len(set().union(*changed.values())) > limit:
            return _problem(Problem.SYMBOL_LIMIT)
        self.subscriptions = changed
        return Answer((self._report(),))

    def _asked_for(self, message: Message) -> Subscriptions:
        asked: Subscriptions = {}
        for channel, symbols in message.items():
            if channel == "action" or channel in self._followers:
                continue
            if channel not in self.channels:
                raise _Nonsense(Problem.WRONG_FEED if channel in {*CHANNELS, *ELSEWHERE} else Problem.SYNTAX)
            asked[channel] = _symbols(symbols)
        return asked

    def _report(self) -> Message:
        """The whole set of subscriptions."""
        shown = {channel: sorted(symbols) for channel, symbols in self.subscriptions.items()}
        return {"T": "subscription", **shown, **dict.fromkeys(self._followers, shown["trades"])}


class _Nonsense(TradingError):
    """A request that cannot be meant."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.name)
        self.problem = problem


def _symbols(given: object) -> set[str]:
    if given is None:
        return set()
    if not isinstance(given, list) or not all(isinstance(symbol, str) for symbol in given):
        raise _Nonsense(Problem.SYNTAX)
    try:
        return {symbol if symbol == ALL else require_symbol(symbol.upper()) for symbol in given}
    except VenueRefusal:
        raise _Nonsense(Problem.SYNTAX) from None


def _problem(problem: Problem) -> Answer:
    return Answer((problem.message,))
