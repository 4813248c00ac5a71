"""Asking the gate about several orders at once."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from quant_trading_system.core.command import Command, Fields
from quant_trading_system.core.roles import Role
from quant_trading_system.core.ticket import Ticket

MOST = 500
"""Orders of one basket."""


class CheckBasket(Command, frozen=True, kw_only=True, tag="check_basket"):
    """Ask the gate what it would say to several orders at once. Nothing is sent and nothing goes on record."""

    needs: ClassVar[Role] = Role.TRADER
    example: ClassVar[Fields] = {
        "orders": [{"symbol": "KO", "side": "buy", "quantity": "10"}, {"symbol": "PEP", "side": "buy", "quantity": "5"}]
    }

    orders: Annotated[tuple[Ticket, ...], msgspec.Meta(min_length=1, max_length=MOST)]
