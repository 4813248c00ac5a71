"""Parent orders: what was planned against what was done."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.algorithms import AlgorithmReading, algorithms
from quant_trading_system.console.pages import charts
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import bps, moment, percent, shares
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (
    Column("Started (UTC)"),
    Column("Parent order"),
    Column("Filled", is_number=True),
    Column("Done", is_number=True),
    Column("Expected", is_number=True),
    Column("Status"),
)
_NONE = "Large orders that TWAP, VWAP or another algorithm works appear here: `qts algo` plans one."


class AlgorithmsPage:
    """The newest parent orders, and the course of one of them."""

    title = "Algorithms"

    def __init__(self, hub: Hub, parent_id: str) -> None:
        """Draw the parent of that id; the newest without one."""
        self._hub = hub
        self._parent_id = parent_id

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        with ui.element("div").classes("grid"):
            with ui.element("section").classes("panel s12") as self._box:
                ui.html(sheet.slot("course", slots["course"], "div"), sanitize=False)
                self._chart = ui.echart(charts.line_chart([], plain=True), renderer="svg").classes("chart")
                self._chart.props('role="img" aria-label="Planned and done shares over time"')
            table = sheet.table("parents", _COLUMNS, self.tables()["parents"], "Parent orders, the newest first")
            ui.html(panel("Parent orders", table, sheet.slot("none", slots["none"], "div")), sanitize=False).classes(
                "s12"
            )
        self.redraw()

    def slots(self) -> Slots:
        chosen = self._chosen()
        return {
            "course": join() if chosen is None else _course(chosen),
            "none": empty("No parent orders yet", _NONE) if chosen is None else join(),
        }

    def tables(self) -> Tables:
        return {"parents": [_row(reading) for reading in algorithms(self._hub.follower)]}

    def redraw(self) -> None:
        chosen = self._chosen()
        self._box.set_visibility(chosen is not None)
        if chosen is None:
            return
        planned = [(charts.instant(p.at), charts.number(p.quantity)) for p in chosen.planned]
        done = [(charts.instant(p.at), charts.number(p.quantity)) for p in chosen.done]
        series = [
            charts.line("Planned", planned, charts.SOFT),
            charts.line("Done", done, charts.ACCENT, area=True, step=True),
        ]
        if self._chart.options["series"] != series:
            self._chart.options["series"] = series
            self._chart.update()

    def _chosen(self) -> AlgorithmReading | None:
        found = algorithms(self._hub.follower)
        return next((one for one in found if one.record.parent_id == self._parent_id), found[0] if found else None)


def _course(reading: AlgorithmReading) -> Markup:
    record = reading.record
    title = f"{record.side} {shares(record.quantity)} {record.symbol} by {record.algorithm.upper()}"
    answers = (tag("li", tag("span", f"{question} ", class_="soft"), answer) for question, answer in record.answers)
    said = tag("p", record.reason) if record.reason else join()
    return join(tag("h2", title, f": {record.status}"), said, tag("ul", *answers, class_="list"))


def _row(reading: AlgorithmReading) -> Row:
    record = reading.record
    name = f"{record.side} {shares(record.quantity)} {record.symbol} by {record.algorithm.upper()}"
    done = record.filled / record.quantity if record.quantity else ZERO
    return row(
        record.parent_id,
        cell(moment(record.started_at), kind="time"),
        cell(tag("a", name, href=f"/algorithms?parent={record.parent_id}"), kind="wide"),
        cell(f"{shares(record.filled)} / {shares(record.quantity)}", "filled", "num"),
        cell(percent(done, 0), "done", "num"),
        cell(bps(record.expected_bps), "expected", "num"),
        cell(record.status),
    )
