"""A whole connection to Alpaca, built from keys and hosts: trading, history, live prices.

aiohttp is loaded when a connection is made, and not before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Self

from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker, Latch
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.alpaca_market_stream import Subscriptions
from quant_trading_system.execution.credentials import Access, TradingMode
from quant_trading_system.execution.notices import Notify
from quant_trading_system.execution.transport import Timeouts
from quant_trading_system.market.quotes import QuoteBoard


class AlpacaConnection:
    """One account at Alpaca. `broker.run()`, and `run()` of a feed, want tasks of their own.

        async with AlpacaConnection(access, clock, notify, mode=TradingMode.PAPER) as alpaca:
            following = asyncio.create_task(alpaca.broker.run())

    Attributes:
        client: every question of the trading interface; `data`: of the stock history.
        broker: what the order manager wants.
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
        feed: str = "iex",
        packed: bool = False,
        timeouts: Timeouts | None = None,
        seed: int = 0,
    ) -> None:
        """Build everything, where an event loop runs; nothing is sent yet.

        Args:
            mode: what the configuration says about the account; the host must agree.
            armed: somebody said for this run that real money may be moved.
            account_id: id or number of the account; live trading cannot do without.
            feed: of prices: ``iex``, ``sip``.
            packed: MessagePack on the streams.

        Raises:
            ConfigurationError: mode, host, account and arming do not agree.
        """
        from quant_trading_system.execution.http_transport import HttpTransport, WebSockets

        endpoints, secrets = access.endpoints, access.credentials
        endpoints.require_permission(mode, armed=armed, account_id=account_id)
        trading, prices = (
            AlpacaApi(
                HttpTransport(origin, secrets.headers()),
                clock,
                notify,
                source=source,
                timeouts=timeouts,
                seed=seed,
                hide=secrets.hidden_in,
            )
            for origin, source in ((endpoints.trading, "trading"), (endpoints.data, "prices"))
        )
        self._sockets = WebSockets()
        self._closing: tuple[Callable[[], Awaitable[None]], ...] = (self._sockets.close, trading.close, prices.close)
        self._parts = (access, clock, notify)
        self._options = {"packed": packed, "seed": seed}
        self.client = AlpacaClient(trading)
        self.data = AlpacaData(prices, feed=feed)
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
