"""The accounts of the venue: each has keys, its own matching and books, and its watchlists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import positive
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.activities import FILL, ActivityQuery, FillActivity
from quant_trading_system.simulation.alpaca_server.footprint import Footprint
from quant_trading_system.simulation.alpaca_server.identity import generated_key, generated_secret, uuid_of
from quant_trading_system.simulation.alpaca_server.live_market import LiveMarket
from quant_trading_system.simulation.alpaca_server.watchlists import Watchlists
from quant_trading_system.simulation.alpaca_server.wire import Json, pending_new_json, update_json
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel
from quant_trading_system.simulation.realism import PLAIN, Realism
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueOrder, VenueUpdate

DEFAULT_NAME = "paper"
DEFAULT_CASH = Decimal(100_000)
_LATEST_FILLS = ActivityQuery(types=frozenset({FILL}), page_size=50)


Report = Callable[[], Json]
"""A report about an order, put into words when it is called."""


class AccountSpec(NamedTuple):
    """What a user wishes for.

    Attributes:
        cash: dollars to begin with.
    """

    name: str
    key_id: str
    secret_key: str
    cash: Decimal


class HouseRules(NamedTuple):
    """What all accounts have in common.

    Attributes:
        multiplier: of equity, to get buying power.
        realism: queues and impact.
    """

    seed: int
    fees: FeeSchedule
    fills: FillModel
    multiplier: Decimal
    realism: Realism = PLAIN


def read_account(text: str) -> AccountSpec:
    """Read ``NAME:KEY_ID:SECRET:CASH``.

    Raises:
        ConfigurationError: it is not of this form.
    """
    parts = text.split(":")
    if len(parts) != 4 or not all(parts):
        raise ConfigurationError(f"{text!r} is no account; write NAME:KEY_ID:SECRET:CASH, such as a:PKA:secret:100000")
    name, key_id, secret_key, cash = parts
    try:
        return AccountSpec(name, key_id, secret_key, positive(cash))
    except InvalidNumber as error:
        raise ConfigurationError(f"the cash of account {name}: {error}") from None


def default_account(seed: int) -> AccountSpec:
    """The account of a user who does not name any."""
    return AccountSpec(
        DEFAULT_NAME, generated_key(seed, DEFAULT_NAME), generated_secret(seed, DEFAULT_NAME), DEFAULT_CASH
    )


def require_distinct(specs: list[AccountSpec]) -> None:
    """Refuse two accounts with one name or key.

    Raises:
        ConfigurationError: names it.
    """
    for what, values in (("name", [spec.name for spec in specs]), ("key", [spec.key_id for spec in specs])):
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise ConfigurationError(f"two accounts have the {what} {min(twice)}; give each its own")


class Desk:
    """One account.

    Attributes:
        account_id: a UUID that depends on its name alone.
        opened_at: the venue's time when it began.
        news: reports of its orders that nobody has passed on yet, to be worded when somebody listens.
    """

    def __init__(self, spec: AccountSpec, venue: Venue, opened_at: datetime) -> None:
        self.spec = spec
        self.venue = venue
        self.account_id = account_id(spec.name)
        self.opened_at = opened_at
        self.watchlists = Watchlists(self.account_id)
        self.news: list[Report] = []
        venue.subscribe(self._note)

    @property
    def key_id(self) -> str:
        """What names the account on the wire."""
        return self.spec.key_id

    @property
    def secret_key(self) -> str:
        """What proves it."""
        return self.spec.secret_key

    def expiry(self, order: VenueOrder) -> datetime | None:
        """When an order ends if nothing ends it before."""
        return self.venue.expires_at(order)

    def announce(self, order: VenueOrder) -> None:
        """A new order is on its way to the market."""
        self.news.append(lambda: pending_new_json(order, self.expiry))

    def _note(self, update: VenueUpdate) -> None:
        self.news.append(lambda: update_json(update, self.expiry, self._identity(update)))

    def _identity(self, update: VenueUpdate) -> str:
        """The id of a report; an execution has the one under which the list of activities knows it."""
        order, fill = update.order.venue_order_id, update.fill
        if fill is not None:
            for row in self.venue.activities(_LATEST_FILLS):
                if isinstance(row, FillActivity) and (row.order_id, row.cumulative_quantity) == (
                    order,
                    fill.cumulative_quantity,
                ):
                    return row.id.partition("::")[2]
        return uuid_of("report", self.account_id, update.number)


def account_id(name: str) -> str:
    """The id of the account of that name."""
    return uuid_of("account", name)


def open_desk(
    spec: AccountSpec,
    rules: HouseRules,
    clock: Clock,
    calendar: Calendar,
    instruments: Mapping[str, Instrument],
    market: LiveMarket,
) -> Desk:
    """A new account."""
    impact = rules.realism.impact
    venue = Venue(
        clock,
        calendar,
        instruments=instruments,
        cash=spec.cash,
        seed=_seed_of(rules.seed, spec.name),
        fees=rules.fees,
        fills=rules.fills,
        market=market,
        multiplier=rules.multiplier,
        account_id=account_id(spec.name),
        rules=AccountRules.alpaca(),
        previous_close=market.previous_close,
        realism=rules.realism,
        movable=None if impact is None else Footprint(market, impact),
    )
    return Desk(spec, venue, clock.now())


def _seed_of(seed: int, name: str) -> int:
    """A seed of its own for every account, so that ids and random numbers differ."""
    return int.from_bytes(blake2b(f"{seed}/account/{name}".encode(), digest_size=7).digest())
