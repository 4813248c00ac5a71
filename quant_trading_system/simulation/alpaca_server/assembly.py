"""Puts a venue together from what its user wished for, and runs it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.alpaca_server.accounts import (
    AccountSpec,
    HouseRules,
    account_id,
    default_account,
    require_distinct,
)
from quant_trading_system.simulation.alpaca_server.app import Front
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.server import Address, require_loopback, serve
from quant_trading_system.simulation.alpaca_server.sources import Scene, Wishes, open_scene
from quant_trading_system.simulation.alpaca_server.store import Scenery, Store
from quant_trading_system.simulation.alpaca_server.venue_time import RunningClock, SteppedClock, VenueClock
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import FillModel

Announce = Callable[[dict[str, Any]], None]


class VenueSettings(NamedTuple):
    """A venue as its user wants it.

    Attributes:
        accounts: empty for one account with keys made from the seed.
        speed: seconds of the venue in a real one; None where time stands until the control surface moves it.
        token: of the control surface, empty for none.
        per_minute: requests of an account, 0 for any number.
        partial_fills: chance that an execution takes only a part.
        charges: regulators' fees are charged; paper accounts go without.
        database: where the state is kept, None to forget it.
        ends_with_input: the venue ends with its standard input.
    """

    wishes: Wishes
    accounts: tuple[AccountSpec, ...]
    address: Address
    speed: float | None
    token: str
    per_minute: int
    partial_fills: Decimal
    charges: bool
    multiplier: int
    database: Path | None
    allow_remote: bool
    ends_with_input: bool = False


async def run_venue(settings: VenueSettings, real: Clock, announce: Announce) -> None:
    """Run a venue until the process is told to end.

    Args:
        announce: is told where the venue listens and with which keys, as soon as clients may come.

    Raises:
        ConfigurationError: the settings do not go together, or the address is taken.
        MarketDataError: there are no such prices.
    """
    specs = _accounts(settings)
    with _opened(settings, real) as store:
        await _run(settings, real, specs, store, lambda bound: announce(_card(bound, specs)))


def _opened(settings: VenueSettings, real: Clock) -> AbstractContextManager[Store | None]:
    """The venue's file while it runs; None for a venue that forgets."""
    return nullcontext() if settings.database is None else closing(Store(settings.database, real))


async def _run(
    settings: VenueSettings,
    real: Clock,
    specs: list[AccountSpec],
    store: Store | None,
    ready: Callable[[Address], None],
) -> None:
    scenery = _scenery(settings, store, real.now())
    scene = open_scene(settings.wishes, scenery.start)
    resumed = None if store is None else store.resumed_at()
    host = Host(scene, _clock(settings, scene, real, resumed), specs, _rules(settings))
    host.skips_nights = scene.replays and settings.wishes.always_open
    if store is not None:
        store.begin(scenery, host)
    front = Front(host, real, settings.per_minute)
    await serve(front, settings.address, settings.token, store, ready, ends_with_input=settings.ends_with_input)


def _accounts(settings: VenueSettings) -> list[AccountSpec]:
    require_loopback(settings.address.host, allow_remote=settings.allow_remote)
    specs = list(settings.accounts)
    if not specs and settings.allow_remote:
        raise ConfigurationError("generated secrets can be guessed; name accounts with --account for other machines")
    specs = specs or [default_account(settings.wishes.seed)]
    require_distinct(specs)
    return specs


def _scenery(settings: VenueSettings, store: Store | None, now: datetime) -> Scenery:
    """How the market is made: as wished, or as it was made when the file began.

    Raises:
        ConfigurationError: the file was made with other wishes.
    """
    wishes = settings.wishes
    wished = Scenery(
        source=wishes.source,
        symbols=dict(wishes.symbols),
        seed=wishes.seed,
        steps=wishes.steps,
        always_open=wishes.always_open,
        begin=wishes.begin,
        start=now,
        realism=wishes.realism,
    )
    known = None if store is None else store.scenery()
    if known is None:
        return wished
    for field in ("source", "symbols", "seed", "steps", "always_open", "begin", "realism"):
        if getattr(known, field) != getattr(wished, field):
            raise ConfigurationError(
                f"{settings.database} belongs to a market with {field} {getattr(known, field)}; "
                "start it with the options that it was made with, or choose another file"
            )
    return known


def _clock(settings: VenueSettings, scene: Scene, real: Clock, resumed: datetime | None) -> VenueClock:
    """The venue's time: what is replayed goes on where it was left, the present is always now."""
    start = resumed or scene.start
    if settings.speed is None:
        return SteppedClock(start)
    follows_the_wall = not scene.replays and settings.wishes.begin is None
    return RunningClock(real, max(start, real.now()) if follows_the_wall else start, settings.speed)


def _rules(settings: VenueSettings) -> HouseRules:
    fees = FeeSchedule.alpaca() if settings.charges else FeeSchedule.zero()
    try:
        fills = FillModel(partial_chance=settings.partial_fills)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if settings.multiplier not in (1, 2, 4):
        raise ConfigurationError(f"the multiplier is {settings.multiplier}; it must be 1, 2 or 4")
    return HouseRules(settings.wishes.seed, fees, fills, Decimal(settings.multiplier), settings.wishes.realism)


def _card(bound: Address, specs: list[AccountSpec]) -> dict[str, Any]:
    """What a client needs to know."""
    first = specs[0]
    return {
        "trading_url": bound.http,
        "data_url": bound.http,
        "trading_stream_url": bound.trading_stream,
        "data_stream_url": bound.data_stream,
        "key_id": first.key_id,
        "secret_key": first.secret_key,
        "accounts": [
            {
                "name": spec.name,
                "account_id": account_id(spec.name),
                "key_id": spec.key_id,
                "secret_key": spec.secret_key,
            }
            for spec in specs
        ],
    }
