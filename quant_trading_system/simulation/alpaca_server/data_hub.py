"""Who listens to market data, and how a message reaches each of them in the encoding that it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quant_trading_system.simulation.alpaca_server.codec import Codec
from quant_trading_system.simulation.alpaca_server.data_session import DataSession
from quant_trading_system.simulation.alpaca_server.outbox import Outbox
from quant_trading_system.simulation.alpaca_server.stream_faults import StreamFaults

Row = dict[str, Any]

LIVE_FEEDS = ("iex", "sip", "delayed_sip")
"""Feeds that tell this market; they differ in name only, so that nothing is delayed."""


class Post:
    """One message for everybody who wants it; encoded once for each encoding."""

    __slots__ = ("_encoded", "_row", "channel", "symbol")

    def __init__(self, channel: str, kind: str, symbol: str, row: Row) -> None:
        """A message about `symbol`; `kind` is the letter of its type, and comes first in it."""
        self.channel = channel
        self.symbol = symbol
        self._row: Row = {"T": kind, "S": symbol, **row}
        self._encoded: dict[int, bytes] = {}

    def encoded(self, codec: Codec) -> bytes:
        """The message alone, not yet in an array."""
        found = self._encoded.get(id(codec))
        if found is None:
            found = self._encoded[id(codec)] = codec.message(self._row)
        return found


class Member:
    """One connection.

    Attributes:
        account: whose keys it showed, empty before that.
        feed: one of the live ones, or ``test``.
    """

    def __init__(self, feed: str, session: DataSession, codec: Codec, outbox: Outbox) -> None:
        self.account = ""
        self.feed = feed
        self.session = session
        self.codec = codec
        self.outbox = outbox

    def tell(self, *messages: Row) -> None:
        """Send control messages, each in an array of its own."""
        for message in messages:
            self.outbox.put(self.codec.frame([self.codec.message(message)]))


class DataHub:
    """Every connection to the market-data stream.

    Attributes:
        faults: what happens to frames on their way out.
    """

    def __init__(self) -> None:
        self.faults = StreamFaults()
        self._members: list[Member] = []

    def __len__(self) -> int:
        return len(self._members)

    @property
    def subscribed(self) -> int:
        """Connections that have subscribed to something."""
        return sum(1 for member in self._members if any(member.session.subscriptions.values()))

    @property
    def frames(self) -> int:
        """Sent on the connections that there are, answers included."""
        return sum(member.outbox.frames for member in self._members)

    def join(self, member: Member) -> None:
        """A connection begins."""
        self._members.append(member)

    def leave(self, member: Member) -> None:
        """A connection has ended."""
        self._members.remove(member)

    def connections_of(self, account: str, feed: str) -> int:
        """How many connections have shown the keys of an account on a feed."""
        return sum(1 for member in self._members if (member.account, member.feed) == (account, feed))

    def is_heard(self, *channels: str) -> bool:
        """Somebody listens to something on one of the channels."""
        return any(member.session.subscriptions.get(channel) for member in self._members for channel in channels)

    def wants(self, channel: str, symbol: str) -> bool:
        """Somebody listens to this."""
        return any(member.session.wants(channel, symbol) for member in self._members)

    def publish(self, posts: Sequence[Post], feeds: Sequence[str] = LIVE_FEEDS) -> None:
        """Send to everybody what he subscribed to, as one frame."""
        for member in self._members:
            if member.feed not in feeds:
                continue
            wanted = [post.encoded(member.codec) for post in posts if member.session.wants(post.channel, post.symbol)]
            if wanted:
                for frame in self.faults.pass_on(member.codec.frame(wanted)):
                    member.outbox.put(frame)

    def cut(self) -> None:
        """Close every connection."""
        for member in self._members:
            member.outbox.close()
