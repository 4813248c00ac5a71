"""A whole connection to Alpaca, built from keys and hosts: trading, history, live prices.

aiohttp is loaded when a connection is made, and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self

from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker, Latch
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.alpaca_market import Condition
from quant_trading_system.execution.alpaca_market_stream import AnyBar, Subscriptions
from quant_trading_system.execution.credentials import Access, TradingMode
from quant_trading_system.execution.notices import Notify
from quant_trading_system.execution.transport import Timeouts
from quant_trading_system.market.quotes import QuoteBoard


class AlpacaConnection:
    """One account at Alpaca; an asynchronous context manager that hangs up at its end.

    Attributes:
        client: every question of the trading interface; `data`: of the stock history.
        broker: what the order manager wants; `broker.run()` wants a task of its own.
    """

    def __init__(
        self,
        access: Access,
        clock: Clock,
        notify: Notify,
        *,
        mode: TradingMode,
        armed: bool = False,
        account_id: str = "",
        latch: Latch | None = None,
        price_feed: str = "iex",
        packed: bool = False,
        timeouts: Timeouts | None = None,
        seed: int = 0,
    ) -> None:
        """Build everything, where an event loop runs; nothing is sent yet.

        Args:
            mode: what the configuration says about the account; the host must agree.
            armed: somebody said for this run that real money may be moved.
            account_id: id or number of the account; live trading cannot do without.
            price_feed: ``iex`` or ``sip``.
            packed: MessagePack on the streams.

        Raises:
            ConfigurationError: mode, host, account and arming do not agree.
        """
        from quant_trading_system.execution.http_transport import HttpTransport, WebSockets

        access.endpoints.require_permission(mode, armed=armed, account_id=account_id)
        self._access, self._clock, self._notify = access, clock, notify
        self._price_feed, self._packed, self._seed = price_feed, packed, seed
        self._sockets = WebSockets()

        def api(origin: str, source: str) -> AlpacaApi:
            transport = HttpTransport(origin, access.credentials.headers())
            hide = access.credentials.hidden_in
            return AlpacaApi(transport, clock, notify, source=source, timeouts=timeouts, seed=seed, hide=hide)

        self._apis = (api(access.endpoints.trading, "trading"), api(access.endpoints.data, "prices"))
        self.client = AlpacaClient(self._apis[0])
        self.data = AlpacaData(self._apis[1], feed=price_feed)
        self.broker = AlpacaBroker(
            self.client,
            self._sockets,
            access,
            clock,
            notify,
            latch=latch,
            account_id=account_id,
            packed=packed,
            seed=seed,
        )

    def feed(
        self,
        subscriptions: Subscriptions,
        board: QuoteBoard,
        is_open: Callable[[datetime], bool],
        *,
        on_bar: Callable[[AnyBar], None] | None = None,
        on_condition: Callable[[Condition], None] | None = None,
    ) -> AlpacaFeed:
        """Live prices on `board`; `run()` of the feed wants a task of its own. Arguments as of `AlpacaFeed`."""
        return AlpacaFeed(
            self._sockets,
            self.data,
            self._access,
            self._clock,
            self._notify,
            subscriptions=subscriptions,
            board=board,
            is_open=is_open,
            feed=self._price_feed,
            on_bar=on_bar,
            on_condition=on_condition,
            packed=self._packed,
            seed=self._seed,
        )

    async def close(self) -> None:
        """Hang up."""
        await self._sockets.close()
        for api in self._apis:
            await api.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
