"""What parent orders cost, against their plans and against the market (transaction cost analysis)."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.algorithms import costs
from quant_trading_system.app.readings.execution_quality import ExecutionQuality
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import bps, count, moment, money, percent, price, shares
from quant_trading_system.execution.tca_groups import GroupCosts
from quant_trading_system.execution.tca_report import ParentCosts
from quant_trading_system.research.markup import Markup, join, tag

_GROUP_COLUMNS = (
    Column("Group"),
    Column("Parents", is_number=True),
    Column("Filled", is_number=True),
    Column("Value", is_number=True),
    Column("Expected", is_number=True),
    Column("Realized", is_number=True),
    Column("Total cost", is_number=True),
    Column("Of value", is_number=True),
)
_PARENT_COLUMNS = (
    Column("Started (UTC)"),
    Column("Parent order"),
    Column("Arrival", is_number=True),
    Column("Average", is_number=True),
    Column("Expected", is_number=True),
    Column("Shortfall", is_number=True),
    Column("Cost", is_number=True),
)
_NONE = "Costs are measured of parent orders. `qts algo` plans one, `qts report` writes this page to a file."


class CostsPage:
    """Transaction costs of the newest parents."""

    title = "Costs (TCA)"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def build(self, sheet: Sheet) -> None:
        slots, tables = self.slots(), self.tables()
        ui.html(sheet.slot("quality", slots["quality"], "div", class_="tiles-gap"), sanitize=False)
        ui.html(sheet.slot("total", slots["total"], "div"), sanitize=False)
        groups = sheet.table("groups", _GROUP_COLUMNS, tables["groups"], "Costs by algorithm and by symbol")
        parents = sheet.table("parents", _PARENT_COLUMNS, tables["parents"], "Costs of each parent order")
        with ui.element("div").classes("grid"):
            self._together = ui.html(panel("Parent orders together", groups), sanitize=False).classes("s12")
            one_by_one = panel("Parent orders one by one", parents, sheet.slot("none", slots["none"], "div"))
            ui.html(one_by_one, sanitize=False).classes("s12")
        self.redraw()

    def slots(self) -> Slots:
        report = costs(self._hub.follower)
        none = empty("No parent order has traded yet", _NONE) if not report.parents else join()
        total = join() if report.total is None else _total(report.total)
        return {"quality": _quality(report.quality), "total": total, "none": none}

    def tables(self) -> Tables:
        report = costs(self._hub.follower)
        groups = [*_rows("", report.by_algorithm), *_rows("symbol ", report.by_symbol)]
        return {"groups": groups, "parents": [_parent(line) for line in reversed(report.parents)]}

    def redraw(self) -> None:
        self._together.set_visibility(bool(costs(self._hub.follower).by_symbol))


def _total(total: GroupCosts) -> Markup:
    figures = (
        ("Implementation shortfall", money(total.total), bps(total.total_bps)),
        ("Spread", money(total.spread), ""),
        ("Impact", money(total.impact), ""),
        ("Timing", money(total.timing), ""),
        ("Delay", money(total.delay), ""),
        ("Opportunity", money(total.opportunity), ""),
        ("Fees", money(total.fees), ""),
    )
    tiles = (
        tag("div", tag("span", name), tag("strong", value), tag("em", more) if more else join(), class_="tile")
        for name, value, more in figures
    )
    return tag("div", *tiles, class_="tiles")


def _quality(quality: ExecutionQuality) -> Markup:
    """How well all orders of the run were executed; nothing before the first."""
    if not quality.orders:
        return join()
    facts = (tag("div", tag("dt", name[:1].upper() + name[1:]), tag("dd", value)) for name, value in quality.rows())
    return panel("Every order of the run", tag("dl", *facts, class_="facts"))


def _rows(prefix: str, groups: tuple[GroupCosts, ...]) -> list[Row]:
    return [
        row(
            prefix + group.name,
            cell(prefix + group.name, kind="wide"),
            cell(count(group.parents), "parents", "num"),
            cell(percent(group.quantity_rate, 0), "filled", "num"),
            cell(money(group.value), "value", "num"),
            cell(bps(group.expected_bps), "expected", "num"),
            cell(bps(group.realised_bps), "realized", "num"),
            cell(money(group.total), "cost", "num"),
            cell(bps(group.total_bps), "of value", "num"),
        )
        for group in groups
    ]


def _parent(line: ParentCosts) -> Row:
    name = f"{line.side} {shares(line.quantity)} {line.symbol} by {line.algorithm.upper()}"
    lost = line.shortfall
    return row(
        line.parent_id,
        cell(moment(line.started_at), kind="time"),
        cell(tag("a", name, href=f"/algorithms?parent={line.parent_id}"), kind="wide"),
        cell(price(line.arrival), "arrival", "num"),
        cell(price(line.average), "average", "num"),
        cell(bps(line.expected_bps), "expected", "num"),
        cell(bps(lost.total_bps if lost else None), "shortfall", "num"),
        cell(money(lost.total) if lost else "", "cost", "num"),
    )
