"""Cancelling at the broker from outside the engine: what the watchdog does, and `qts halt` when the engine does not.

It goes on until the broker has shown several times that nothing is open, for a late order may still arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from quant_trading_system.execution.backoff import Backoff

_SURE = 3  # looks at the broker without an open order
_FIRST_PAUSE = timedelta(milliseconds=500)
_LONGEST_PAUSE = timedelta(seconds=30)


class Canceller(Protocol):
    """A line of one's own to the broker."""

    async def open_order_ids(self) -> Sequence[str]:
        """Client order ids of the orders that are open at the broker and have to go."""

    async def cancel_all(self) -> None:
        """Ask for a cancel of every one of them."""


class Sweep:
    """Asks for cancels step by step; whoever runs it decides how long.

    Attributes:
        open: orders that have to go and were open at the latest look; None when the broker did not show them.
    """

    def __init__(self, canceller: Canceller, note: Callable[[str], None], *, seed: int) -> None:
        """Ask through `canceller`; `note` puts down what was done, the same again when nothing has changed."""
        self.open: Sequence[str] | None = None
        self._canceller = canceller
        self._note = note
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seed=seed, name="watchdog")
        self._empty = 0

    @property
    def is_done(self) -> bool:
        """The broker has shown several times in a row that nothing is open that has to go."""
        return self._empty >= _SURE

    async def step(self) -> timedelta:
        """Look once, and ask for what is open to be cancelled; how long to wait before the next step."""
        self._empty = self._empty + 1 if await self._cancel_once() else 0
        if self._empty:
            self._backoff.reset()
        if self.is_done:
            self._note("no order is open at the broker")
        return self._backoff.next_pause()

    async def _cancel_once(self) -> bool:
        """Ask the broker to cancel everything; True when it shows that there is nothing to cancel."""
        try:
            self.open = await self._canceller.open_order_ids()
            named = f"{len(self.open)} open orders: {', '.join(self.open)}"
        except Exception as error:  # noqa: BLE001 - cancelling goes on without the list, whatever kept it from us
            self.open, named = None, f"whatever is open, which cannot be read ({error})"
        if self.open is not None and not self.open:
            return True
        try:
            await self._canceller.cancel_all()
        except Exception as error:  # noqa: BLE001 - tried again, whatever it was
            self._note(f"could not cancel {named}; tries again: {error}")
            return False
        self._note(f"asked to cancel {named}")
        return False
