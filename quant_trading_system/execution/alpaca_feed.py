"""Live prices from Alpaca: the stream kept alive, its gaps closed with the latest quotes, mute symbols noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, NotSent, OutcomeUnknown
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_market import Condition, to_quote
from quant_trading_system.execution.alpaca_market_stream import AnyBar, MarketStream, Subscriptions
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.silence import ALL, SilenceWatch, Subscription
from quant_trading_system.execution.stream_session import StreamLimits, StreamSession, run_together
from quant_trading_system.execution.transport import SocketOpener
from quant_trading_system.market.quotes import QuoteBoard

SILENCE = {
    "quotes": timedelta(seconds=35),
    "trades": timedelta(minutes=5),
    "bars": timedelta(seconds=150),
}
"""How long a subscription may be mute while the market is open; halts and bands are silent by nature."""

_ROUND = timedelta(seconds=5)


class AlpacaFeed:
    """Quotes of some symbols on a `QuoteBoard`, as long as `run` runs.

    Attributes:
        stream: what is said on it, and what could not be understood.
        session: keeps it alive; `session.is_up` once all subscriptions are confirmed.
        mute: subscriptions that have said nothing for too long, though the market is open.
    """

    def __init__(
        self,
        opener: SocketOpener,
        data: AlpacaData,
        access: Access,
        clock: Clock,
        notify: Notify,
        *,
        subscriptions: Subscriptions,
        board: QuoteBoard,
        is_open: Callable[[datetime], bool],
        feed: str = "iex",
        on_bar: Callable[[AnyBar], None] | None = None,
        on_condition: Callable[[Condition], None] | None = None,
        limits: StreamLimits | None = None,
        packed: bool = False,
        seed: int = 0,
    ) -> None:
        """Join the parts; nothing happens before `run`.

        Args:
            subscriptions: symbols by channel; ``("*",)`` for all.
            is_open: whether prices are due at a moment, such as `Calendar.is_open`.
            on_bar: called with minute bars, their corrections and daily bars.
            on_condition: called with halts, price bands and corrections of trades.
        """
        self.mute: frozenset[Subscription] = frozenset()
        self._data = data
        self._clock = clock
        self._notify = notify
        self._board = board
        self._is_open = is_open
        self._quoted = tuple(symbol for symbol in subscriptions.get("quotes", ()) if symbol != ALL)
        keys = [(channel, symbol) for channel, symbols in subscriptions.items() for symbol in symbols]
        self._watch = SilenceWatch(clock, SILENCE, keys)
        self.stream = MarketStream(
            opener,
            access,
            clock,
            notify,
            feed=feed,
            subscriptions=subscriptions,
            board=board,
            watch=self._watch,
            catch_up=self._catch_up,
            silence_is_normal=lambda: not is_open(clock.now()),
            on_bar=on_bar,
            on_condition=on_condition,
            packed=packed,
        )
        self._name = self.stream.name
        self.session = StreamSession(self.stream, clock, notify, seed=seed, limits=limits)

    async def run(self) -> None:
        """Receive prices until cancelled."""
        await run_together(self.session.run(), self._watch_symbols())

    async def _catch_up(self) -> bool:
        """The latest quotes take the place of those that were missed."""
        if not self._quoted:
            return True
        try:
            latest = await self._data.latest_quotes(self._quoted)
        except BrokerRejected as error:
            self._tell(NoticeKind.NO_HISTORY, str(error))
            return True  # these keys may not ask; the stream itself will tell
        except (NotSent, OutcomeUnknown):
            return False
        now = self._clock.now()
        for symbol, row in latest.items():
            self._board.publish(to_quote(symbol, row, received_at=now, source=f"{self._name} (latest)"))
        return True

    async def _watch_symbols(self) -> None:
        while True:
            await self._clock.sleep(_ROUND)
            if not self.session.is_up or not self._is_open(self._clock.now()):
                self._watch.excuse()
            self._note(frozenset(self._watch.silent()))

    def _note(self, mute: frozenset[Subscription]) -> None:
        for channel, symbol in sorted(mute - self.mute):
            self._tell(NoticeKind.STREAM_SILENT, f"no {channel} of {symbol} any more, while the market is open")
        self.mute = mute

    def _tell(self, kind: NoticeKind, message: str) -> None:
        self._notify(Notice(kind=kind, source=self._name, message=message))
