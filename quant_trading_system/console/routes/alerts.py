"""Alerts that are open, and taking notice of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from quant_trading_system.app.alerting.book import Alert
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.roles import Role

ALERTS = RouteTable("Alerts")


class Notice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which alert somebody takes notice; `note`: one line for those who come after."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=300, examples=["halted:3"])]
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


@ALERTS.read("/v1/alerts/open", Role.VIEWER, tuple[Alert, ...])
def open_alerts(ask: Ask[Any]) -> tuple[Alert, ...]:
    """Alerts that last or wait for somebody, the newest first: whom they were told to, and who has taken notice.

    They are recorded while `qts alerts watch`, or a console with an `alerts.yaml`, watches the account.
    """
    ask.desk.alerts.follow()
    return ask.desk.alerts.open()


@ALERTS.read("/v1/alerts/all", Role.VIEWER, tuple[Alert, ...])
def all_alerts(ask: Ask[Any]) -> tuple[Alert, ...]:
    """Alerts that are over, too, the newest first; as many as are remembered."""
    ask.desk.alerts.follow()
    return ask.desk.alerts.newest()


@ALERTS.write("/v1/alerts/ack", Role.TRADER, Alert, takes=Notice, needs_key=False)
def acknowledge(ask: Ask[Notice]) -> Alert:
    """Take notice of an alert, so that nobody else is woken; twice is as good as once."""
    now, caller = ask.desk.clock.now(), ask.caller
    book = ask.desk.alerts
    book.follow()
    return book.acknowledge(ask.given.key, caller.principal, caller.source.value, now, ask.given.note)
