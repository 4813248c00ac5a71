"""Alpaca's stream of market data: the handshake, quotes onto the board, bars and halts to whoever listens.

It counts as agreed only when every subscription is confirmed. One message that cannot be read does not take
the others of its bundle along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.alpaca_errors import harmless
from quant_trading_system.execution.alpaca_frames import (
    UNREADABLE,
    is_json,
    opening_headers,
    read_frame,
    shown,
    write_frame,
)
from quant_trading_system.execution.alpaca_market import (
    Condition,
    StreamBar,
    StreamDailyBar,
    StreamError,
    StreamItem,
    StreamQuote,
    StreamSubscription,
    StreamSuccess,
    StreamTrade,
    StreamUpdatedBar,
    flaw_of,
    to_quote,
)
from quant_trading_system.execution.alpaca_models import Loose
from quant_trading_system.execution.alpaca_wire import read_json, read_msgpack
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.silence import SilenceWatch
from quant_trading_system.execution.transport import Frame, Socket, SocketOpener
from quant_trading_system.market.quotes import QuoteBoard

Subscriptions = Mapping[str, tuple[str, ...]]
"""Channel (``trades``, ``quotes``, ``bars``, ``updatedBars``, ``dailyBars``, ``statuses``, ``lulds``) to symbols."""
AnyBar = StreamBar | StreamUpdatedBar | StreamDailyBar

SECOND_CONNECTION = 406
_REFUSALS = frozenset({402, 405, SECOND_CONNECTION, 409, 410, 411})
"""Errors after which trying again at once does not help."""


class MarketStream:
    """What is said on the stream of market data; a `Dialect` for a `StreamSession`.

    Attributes:
        url: where it is heard.
        quarantined: messages that could not be understood; `odd`: quotes with a flaw of their own.
    """

    def __init__(
        self,
        opener: SocketOpener,
        access: Access,
        clock: Clock,
        notify: Notify,
        *,
        feed: str,
        subscriptions: Subscriptions,
        board: QuoteBoard,
        watch: SilenceWatch,
        catch_up: Callable[[], Awaitable[bool]],
        silence_is_normal: Callable[[], bool],
        on_bar: Callable[[AnyBar], None] | None = None,
        on_condition: Callable[[Condition], None] | None = None,
        packed: bool = False,
    ) -> None:
        """Join the parts.

        Args:
            feed: ``iex``, ``sip`` or another that the account may read.
            packed: ask for MessagePack.
        """
        self.name = f"market data {feed}"
        self.quarantined = 0
        self.odd = 0
        self.url = f"{access.endpoints.data_stream}/v2/{feed}"
        self._source = f"alpaca {feed}"
        self._opener = opener
        self._credentials = access.credentials
        self._clock = clock
        self._notify = notify
        self._subscriptions = dict(subscriptions)
        self._board = board
        self._watch = watch
        self._catch_up = catch_up
        self._silence_is_normal = silence_is_normal
        self._on_bar = on_bar
        self._on_condition = on_condition
        self._packed = packed
        self._last: dict[str, Decimal] = {}
        self._sequence = 0

    # -- the handshake -------------------------------------------------------------------------------------------

    async def open(self) -> Socket:
        return await self._opener.open(self.url, opening_headers(packed=self._packed))

    async def agree(self, socket: Socket) -> None:
        await self._success(socket, "connected")
        await self._say(socket, self._credentials.data_stream_message())
        await self._success(socket, "authenticated")
        await self._say(socket, {"action": "subscribe", **self._subscriptions})
        confirmed = await self._control(socket)
        if not isinstance(confirmed, StreamSubscription):
            raise ConnectionError(f"{self.name}: the subscription was not answered")
        if missing := self._missing(confirmed):
            raise self._refused(f"not subscribed to {missing}")

    async def catch_up(self) -> bool:
        return await self._catch_up()

    async def silence_is_normal(self) -> bool:
        return self._silence_is_normal()

    async def _success(self, socket: Socket, word: str) -> None:
        answer = await self._control(socket)
        if not isinstance(answer, StreamSuccess) or answer.text != word:
            raise ConnectionError(f"{self.name}: instead of {word!r} came {type(answer).__name__}")

    async def _control(self, socket: Socket) -> StreamItem:
        """The next message, which comes alone."""
        frame = await socket.receive()
        items = self._items(frame)
        if len(items) != 1:
            raise ConnectionError(f"{self.name}: no answer: {self._shown(frame)}")
        if isinstance(items[0], StreamError):
            raise self._failure(items[0])
        return items[0]

    async def _say(self, socket: Socket, message: Loose) -> None:
        await socket.send(write_frame(message, packed=self._packed))

    def _missing(self, confirmed: StreamSubscription) -> str:
        granted = {channel: frozenset(confirmed.of(channel)) for channel in self._subscriptions}
        wanted = ((channel, symbol) for channel, symbols in self._subscriptions.items() for symbol in symbols)
        missing = [f"{channel} of {symbol}" for channel, symbol in wanted if symbol not in granted[channel]]
        return harmless(", ".join(missing))

    # -- messages ------------------------------------------------------------------------------------------------

    def hear(self, frame: Frame) -> None:
        for item in self._items(frame):
            if isinstance(item, StreamError):
                raise self._failure(item)
            if isinstance(item, StreamSubscription):
                if missing := self._missing(item):
                    raise ConnectionError(f"{self.name}: no longer subscribed to {missing}")
            elif not isinstance(item, StreamSuccess):
                self._hand_on(item)

    def _hand_on(self, item: StreamItem) -> None:
        try:
            self._take(item)
        except Exception as error:  # noqa: BLE001 - a listener's fault on one message must not end the stream
            self._tell(NoticeKind.HANDLER_FAILED, f"{type(item).__name__}: {harmless(str(error))}")

    def _take(self, item: StreamItem) -> None:
        if isinstance(item, StreamQuote):
            self._take_quote(item)
        elif isinstance(item, StreamTrade):
            self._watch.heard("trades", item.symbol)
            self._last[item.symbol] = item.price
            self._board.trade(item.symbol, item.price, item.size)
        elif isinstance(item, AnyBar):
            self._watch.heard(_CHANNELS[type(item)], item.symbol)
            if self._on_bar is not None:
                self._on_bar(item)
        elif isinstance(item, Condition) and self._on_condition is not None:
            self._on_condition(item)

    def _take_quote(self, row: StreamQuote) -> None:
        self._sequence += 1
        self._watch.heard("quotes", row.symbol)
        if flaw_of(row):
            self.odd += 1
        self._board.publish(
            to_quote(
                row.symbol,
                row,
                received_at=self._clock.now(),
                source=self._source,
                sequence=self._sequence,
                last=self._last.get(row.symbol),
            )
        )

    def _items(self, frame: Frame) -> list[StreamItem]:
        try:
            return read_frame(frame, list[StreamItem])
        except UNREADABLE:
            return self._items_one_by_one(frame)

    def _items_one_by_one(self, frame: Frame) -> list[StreamItem]:
        try:
            parts = read_frame(frame, list[msgspec.Raw])
        except UNREADABLE as error:
            self._set_apart(str(error), frame)
            return []
        read = read_json if is_json(frame) else read_msgpack
        items: list[StreamItem] = []
        for part in parts:
            try:
                items.append(read(part, StreamItem))  # type: ignore[arg-type]  # a union is no type to mypy
            except UNREADABLE as error:
                self._set_apart(str(error), bytes(part))
        return items

    # -- inside --------------------------------------------------------------------------------------------------

    def _set_apart(self, why: str, frame: Frame) -> None:
        self.quarantined += 1
        self._tell(NoticeKind.QUARANTINED, f"{harmless(why)}: {self._shown(frame)}")

    def _failure(self, error: StreamError) -> ConnectionError | PermissionError:
        text = f"error {error.code}: {self._credentials.hidden_in(harmless(error.text))}"
        if error.code not in _REFUSALS:
            return ConnectionError(f"{self.name}: {text}")
        return self._refused(text, second=error.code == SECOND_CONNECTION)

    def _refused(self, message: str, *, second: bool = False) -> PermissionError:
        self._tell(NoticeKind.SECOND_CONNECTION if second else NoticeKind.CREDENTIALS_REFUSED, message)
        return PermissionError(f"{self.name}: {message}")

    def _shown(self, frame: Frame) -> str:
        return self._credentials.hidden_in(shown(frame))

    def _tell(self, kind: NoticeKind, message: str) -> None:
        self._notify(Notice(kind=kind, source=self.name, message=message))


_CHANNELS: Mapping[type[AnyBar], str] = {
    StreamBar: "bars",
    StreamUpdatedBar: "updatedBars",
    StreamDailyBar: "dailyBars",
}
