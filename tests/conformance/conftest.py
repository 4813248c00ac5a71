"""One venue for all conformance tests, and a fresh account of it for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.alpaca_sdk import (
    APIError,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderSide,
    StockHistoricalDataClient,
    TimeInForce,
    TradingClient,
)
from tests.support.venue_process import Keys, VenueProcess, running_venue, until

SYMBOLS = "SPY:570,AAPL:190,MSFT:410,KO:65"


@pytest.fixture(scope="session")
def venue() -> Iterator[VenueProcess]:
    """Monday, 12 January 2026, half past ten in New York; time stands still, and SPY at 570."""
    options = ("--symbols", SYMBOLS, "--from", "2026-01-12", "--stepped", "--rate-limit", "0")
    with running_venue(*options, accounts=400) as running:
        running.control("/time", {"to": "2026-01-12T15:30:00Z"})
        running.hold("SPY", "570", "569.98", "570.02")
        running.hold("AAPL", "190", "189.99", "190.01")
        yield running


class SdkDesk:
    """An account, seen through the SDK."""

    def __init__(self, venue: VenueProcess, keys: Keys) -> None:
        self.venue = venue
        self.keys = keys
        self.client = TradingClient(keys.key, keys.secret, url_override=venue.url)
        self.data = StockHistoricalDataClient(keys.key, keys.secret, url_override=venue.url)

    def settled(self, order_id: Any, *statuses: str) -> Any:
        """The order, as soon as it has one of the statuses."""

        def reached() -> Any:
            order = self.client.get_order_by_id(order_id)
            return order if order.status.value in statuses else None

        return until(reached, f"order {order_id} to be {' or '.join(statuses)}")

    def buy(self, symbol: str = "SPY", qty: float = 10, **fields: Any) -> Any:
        return self._market(symbol, qty, OrderSide.BUY, fields)

    def sell(self, symbol: str = "SPY", qty: float = 10, **fields: Any) -> Any:
        return self._market(symbol, qty, OrderSide.SELL, fields)

    def _market(self, symbol: str, qty: float, side: Any, fields: dict[str, Any]) -> Any:
        fields.setdefault("time_in_force", TimeInForce.DAY)
        sent = self.client.submit_order(MarketOrderRequest(symbol=symbol, qty=qty, side=side, **fields))
        return self.settled(sent.id, "filled")

    def rest(
        self, symbol: str = "SPY", price: float = 500, qty: float = 10, side: Any = OrderSide.BUY, **fields: Any
    ) -> Any:
        """A limit order that waits far from the market."""
        fields.setdefault("time_in_force", TimeInForce.DAY)
        request = LimitOrderRequest(symbol=symbol, qty=qty, side=side, limit_price=price, **fields)
        return self.settled(self.client.submit_order(request).id, "new")

    def refusal(self, body: dict[str, Any]) -> tuple[int, int, str]:
        """Status, code and message of the answer to an order that is refused."""
        return refusal_of(lambda: self.client.post("/orders", body))


def refusal_of(action: Any) -> tuple[int, int, str]:
    with pytest.raises(APIError) as caught:
        action()
    error = caught.value
    return error.status_code, error.code, json.loads(str(error))["message"]


@pytest.fixture
def desk(venue: VenueProcess) -> SdkDesk:
    return SdkDesk(venue, venue.fresh_account())
