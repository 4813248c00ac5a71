"""What all open pages share: the account as the server follows it, and readings made once a change."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quant_trading_system.app.readings.engine import EngineReading
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.overview import Overview, overview
from quant_trading_system.console.desk import Desk

AGES_EVERY = timedelta(seconds=5)
"""How often ages such as ``3 min ago`` are told anew when nothing else has changed."""


class Hub:
    """The account as the pages see it; the server keeps its follower up to date.

    Attributes:
        desk: of the server; `follower`: of the journal; `engine`: as it was last seen.
        version: grows whenever there is something new to show.
    """

    def __init__(self, desk: Desk) -> None:
        """Show the account of `desk`."""
        self.desk = desk
        self.follower: Follower = desk.follower
        self.engine: EngineReading = desk.engine_now()
        self.version = 1
        self._seen: object = None
        self._overview: tuple[int, Overview] | None = None

    def look(self) -> int:
        """The version after a look at what there is; looking costs next to nothing when nothing has changed."""
        self.engine = self.desk.engine_now()
        follower = self.follower
        ages = self.desk.clock.monotonic() // AGES_EVERY.total_seconds()
        engine = msgspec.structs.replace(self.engine, vitals=None)  # they are new every second, and no page shows them
        seen = (follower.generation, follower.seq, follower.problem, engine, ages)
        if seen != self._seen:
            self._seen = seen
            self.version += 1
        return self.version

    def overview(self) -> Overview:
        """The account at a glance, made once a version."""
        if self._overview is None or self._overview[0] != self.version:
            self._overview = (self.version, overview(self.follower, self.engine, self.desk.clock.now()))
        return self._overview[1]
