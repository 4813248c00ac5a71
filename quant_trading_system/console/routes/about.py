"""What the interface says about itself and about who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quant_trading_system import __version__
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.roles import Role

ABOUT = RouteTable("About")


class Myself(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as the server knows; `version` is that of the server."""

    principal: str
    role: Role
    source: str
    version: str = __version__


@ABOUT.read("/v1/me", Role.VIEWER, Myself)
async def me(ask: Ask[Any]) -> Myself:
    """Who you are and what you may do."""
    return Myself(principal=ask.caller.principal, role=ask.caller.role, source=ask.caller.source.value)


@ABOUT.read("/v1/openapi.json", Role.VIEWER, dict[str, Any])
async def openapi(ask: Ask[Any]) -> Mapping[str, Any]:
    """This description, for programs that make clients from it."""
    return ask.desk.description
