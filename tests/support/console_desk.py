"""A control API without a socket: one account in a temporary directory, a token of each role, a client that asks."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path

from quant_trading_system.app.tokens import TokenStore
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.server import create_app
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.roles import Role

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would like another library beneath it; the one it uses is maintained, too
    from fastapi.testclient import TestClient

MONDAY = datetime(2026, 1, 5, 15, tzinfo=UTC)
URL = "http://127.0.0.1:8765"


__all__ = ["MONDAY", "URL", "Office", "TestClient"]


class Office:
    """The server of one account and everybody who may use it.

    Attributes:
        tokens: a token of each role, by role; `clock`: moves by hand.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.directory = place / "default"
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.clock = ManualClock(MONDAY)
        self.store = TokenStore(place / "tokens.json", self.clock)
        self.tokens = {role: self.store.create(role.value, role) for role in Role}
        self.desk = Desk(self.directory, place / "host_latch.json", self.store, self.clock)
        self.app = create_app(self.desk)
        self.client = TestClient(self.app, base_url=URL, raise_server_exceptions=False, follow_redirects=False)

    def headers(self, role: Role, **more: str) -> dict[str, str]:
        """What a program of that role sends."""
        return {"authorization": f"Bearer {self.tokens[role]}", **more}

    def get(self, path: str, role: Role = Role.VIEWER, **options):
        """Read."""
        return self.client.get(path, headers=self.headers(role), **options)

    def post(self, path: str, body: object, role: Role = Role.ADMIN, key: str = "intention-1"):
        """Write."""
        return self.client.post(path, json=body, headers=self.headers(role, **{"idempotency-key": key}))
