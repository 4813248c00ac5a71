"""Every limit in force, with what is used of it."""

from __future__ import annotations

from decimal import Decimal

from nicegui import ui

from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.app.readings.limits import LimitLine, limits_reading
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import percent, shares
from quant_trading_system.core.numbers import plain
from quant_trading_system.research.markup import join, tag

_COLUMNS = (
    Column("Limit"),
    Column("Value", is_number=True),
    Column(""),
    Column("Used now", is_number=True),
    Column("Meaning"),
)


class LimitsPage:
    """The limits of the run."""

    title = "Limits"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        table = sheet.table("limits", _COLUMNS, self.tables()["limits"], "Limits in force")
        body = join(table, sheet.slot("none", slots["none"], "div"))
        ui.html(
            tag("div", panel("In force", sheet.slot("version", slots["version"], "p"), body), class_="grid"),
            sanitize=False,
        )

    def slots(self) -> Slots:
        found = limits_reading(self._hub.follower)
        version = tag("span", f"Version {found.version}", class_="soft") if found.version else join()
        none = join() if found.lines else empty("No limits on record", "They appear with the first run.")
        return {"version": version, "none": none}

    def tables(self) -> Tables:
        used = {line.key: line for line in self._hub.overview().headroom}
        return {"limits": [_row(line, used.get(line.key)) for line in limits_reading(self._hub.follower).lines]}

    def redraw(self) -> None:
        """It has no charts."""


def _row(line: LimitLine, used: Headroom | None) -> Row:
    if used is None:
        now = ""
    else:
        now = f"{percent(used.used, 1) if used.is_fraction else plain(used.used)} ({percent(used.share, 0)})"
    return row(
        line.key,
        cell(tag("code", line.name), kind="wide"),
        cell(_value(line), "", "num"),
        cell(tag("span", line.unit if line.allowed else "", class_="soft")),
        cell(now, "used" if now else "", "num"),
        cell(tag("span", line.meaning, class_="soft"), kind="wide"),
    )


def _value(line: LimitLine) -> str:
    return shares(Decimal(line.value)) if line.allowed else line.value or "–"
