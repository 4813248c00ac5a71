"""What the broker says of every symbol, once a day: whether it is traded, lent, lent against, and sold in fractions.

The universe says what a person permits, the broker what is possible; of both the tighter holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, InvalidNumber, NotSent, OutcomeUnknown
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import plain, positive
from quant_trading_system.execution.alpaca_models import Asset
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.market.sessions import Calendar

ALL_AT_ONCE_FROM = 60
"""From so many symbols on, the list of all assets is read instead of each one by itself."""
FLAGS = ("active", "tradable", "shortable", "easy_to_borrow", "fractionable", "marginable")
_NO_ANSWER = (OutcomeUnknown, BrokerRejected, NotSent)
_HUNDREDTH = Decimal("0.01")


class AssetSource(Protocol):
    """A broker that tells about its assets."""

    async def assets(self) -> tuple[Asset, ...]:
        """All that are active."""

    async def asset(self, symbol: str) -> Asset | None:
        """One of them; None when it knows nothing of that symbol."""


class AssetFlags:
    """Keeps the flags of a universe as the broker has them."""

    def __init__(
        self,
        source: AssetSource,
        universe: Universe,
        clock: Clock,
        calendar: Calendar,
        tell: Callable[[str], None],
        *,
        held: Callable[[str], Decimal],
        notify: Notify,
    ) -> None:
        """Nothing changes before `read`.

        Args:
            universe: is changed in place, for everybody who asks it.
            tell: takes one line about what changed, for people.
            held: signed shares of a symbol. `notify`: is told when the broker lists a symbol no more that is held.
        """
        self._source = source
        self._universe = universe
        self._permitted = dict(universe)
        self._clock = clock
        self._calendar = calendar
        self._tell = tell
        self._held = held
        self._notify = notify
        self._read_on: date | None = None

    async def read(self) -> None:
        """Ask the broker, unless it was asked on this day of the exchange; without an answer what was known holds."""
        today = self._calendar.trade_date(self._clock.now())
        if self._read_on == today:
            return
        try:
            found = await self._assets()
        except _NO_ANSWER as error:
            self._tell(f"the broker's flags of assets could not be read, those of before hold: {error}")
            return
        self._read_on = today
        fresh = [combined(permitted, found.get(symbol)) for symbol, permitted in self._permitted.items()]
        ended = []
        for instrument in fresh:
            before = self._universe[instrument.symbol]
            if words := changed(before, instrument):
                self._tell(f"{instrument.symbol}, by the broker's word: {words}")
            if before.active and not instrument.active and (held := self._held(instrument.symbol)):
                ended.append(f"{plain(held)} {instrument.symbol}")
        self._universe.refresh(fresh)
        if ended:
            self._notify(Notice(kind=NoticeKind.HOLDING_NOT_LISTED, source="reconciliation", message=_left(ended)))

    async def _assets(self) -> dict[str, Asset]:
        if len(self._permitted) >= ALL_AT_ONCE_FROM:
            return {asset.symbol: asset for asset in await self._source.assets()}
        found = [await self._source.asset(symbol) for symbol in self._permitted]
        return {asset.symbol: asset for asset in found if asset is not None}


def _left(ended: Sequence[str]) -> str:
    """What a person has to know about holdings that the broker lists no more."""
    return (
        f"the broker lists no more what is held: {', '.join(ended)}; sell what still trades. What it pays out or takes "
        "away differs from the books then: look at its statement, and take it over with `qts reconcile --adopt NAME`"
    )


def combined(permitted: Instrument, asset: Asset | None) -> Instrument:
    """The instrument with what both permit; one that the broker does not know is not active any more."""
    if asset is None:
        return msgspec.structs.replace(permitted, active=False)
    says = {flag: asset.status == "active" if flag == "active" else bool(getattr(asset, flag)) for flag in FLAGS}
    flags = {flag: getattr(permitted, flag) and says[flag] for flag in FLAGS}
    margins = [asset.margin_requirement_long, asset.margin_requirement_short if flags["shortable"] else None]
    known = [fraction for margin in margins if (fraction := _fraction(margin)) is not None]
    margin = max(known, default=permitted.maintenance_margin)
    return msgspec.structs.replace(permitted, **flags, maintenance_margin=margin)


def changed(before: Instrument, now: Instrument) -> str:
    """What differs, in words; empty when nothing does."""
    words = [
        flag if getattr(now, flag) else f"not {flag}" for flag in FLAGS if getattr(now, flag) != getattr(before, flag)
    ]
    if now.maintenance_margin != before.maintenance_margin:
        words.append(f"maintenance margin {now.maintenance_margin}")
    return ", ".join(words).replace("_", " ")


def _fraction(percent: str | None) -> Decimal | None:
    """The broker writes per cent; what is no number above zero says nothing."""
    try:
        return None if percent is None else positive(percent) * _HUNDREDTH
    except InvalidNumber:
        return None
