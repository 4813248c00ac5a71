"""Parent orders: what was planned against what was done."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.algorithms import AlgorithmReading, algorithms
from quant_trading_system.console.pages import charts
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question, button, listen, row_button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.ticket import ParentDialog
from quant_trading_system.console.pages.words import bps, moment, percent, shares
from quant_trading_system.core.commands import CancelParent, PauseParent, ResumeParent
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.roles import Role
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (
    Column("Started (UTC)"),
    Column("Parent order"),
    Column("Filled", is_number=True),
    Column("Done", is_number=True),
    Column("Expected", is_number=True),
    Column("Status"),
)
_PAUSE, _RESUME, _CANCEL = "pause-parent", "resume-parent", "cancel-parent"
_NONE = "Large orders that TWAP, VWAP or another algorithm works appear here: `qts algo` plans one."


class AlgorithmsPage:
    """The newest parent orders, and the course of one of them."""

    title = "Algorithms"

    def __init__(self, hub: Hub, actions: Actions, parent_id: str) -> None:
        """Draw the parent of that id; the newest without one."""
        self._hub = hub
        self._actions = actions
        self._acts = actions.may(Role.TRADER)
        self._parent_id = parent_id

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        if self._acts:
            self._question = Question()
            listen({_PAUSE: self._pause, _RESUME: self._resume, _CANCEL: self._cancel})
            with ui.element("div").classes("bar-of-buttons"):
                button("Trade by an algorithm…", ParentDialog(self._actions).open, kind="plain do", id_="start-parent")
        with ui.element("div").classes("grid"):
            with ui.element("section").classes("panel s12") as self._box:
                ui.html(sheet.slot("course", slots["course"], "div"), sanitize=False)
                self._chart = ui.echart(charts.line_chart([], plain=True, legend=True), renderer="svg").classes("chart")
                self._chart.props('role="img" aria-label="Planned and done shares over time"')
            columns = (*_COLUMNS, Column("", is_number=True)) if self._acts else _COLUMNS
            table = sheet.table("parents", columns, self.tables()["parents"], "Parent orders, the newest first")
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
        return {"parents": [_row(reading, acts=self._acts) for reading in algorithms(self._hub.follower)]}

    def redraw(self) -> None:
        chosen = self._chosen()
        self._box.set_visibility(chosen is not None)
        if chosen is None:
            return
        planned = [(charts.instant(p.at), charts.number(p.quantity)) for p in chosen.planned]
        done = [(charts.instant(p.at), charts.number(p.quantity)) for p in chosen.done]
        last = self._hub.follower.books.at
        until = planned[-1][0] if chosen.ended and planned else charts.instant(last) if last is not None else 0
        done.append((max(until, done[-1][0]), done[-1][1]))  # it has stood still since its last fill
        series = [
            charts.line("Planned", planned, charts.SOFT),
            charts.line("Done", done, charts.ACCENT, area=True, step=True),
        ]
        if self._chart.options["series"] != series:
            self._chart.options["series"] = series
            self._chart.update()

    async def _pause(self, parent_id: str) -> None:
        self._question.ask(
            "Pause this order?",
            "Its slice that is out is cancelled, and no other follows until it goes on.",
            "Pause it",
            lambda reason: self._actions.give(PauseParent(parent_id=parent_id, reason=reason)),
        )

    async def _resume(self, parent_id: str) -> None:
        self._question.ask(
            "Let it go on?",
            "What it missed is spread over the time that is left.",
            "Go on",
            lambda _: self._actions.give(ResumeParent(parent_id=parent_id)),
            has_reason=False,
        )

    async def _cancel(self, parent_id: str) -> None:
        self._question.ask(
            "Stop this order for good?",
            "Its slice that is out is cancelled; what has filled stays.",
            "Stop it",
            lambda reason: self._actions.give(CancelParent(parent_id=parent_id, reason=reason)),
        )

    def _chosen(self) -> AlgorithmReading | None:
        found = algorithms(self._hub.follower)
        return next((one for one in found if one.record.parent_id == self._parent_id), found[0] if found else None)


def _course(reading: AlgorithmReading) -> Markup:
    record = reading.record
    title = f"{record.side} {shares(record.quantity)} {record.symbol} by {record.algorithm.upper()}"
    answers = (tag("li", tag("span", f"{question} ", class_="soft"), answer) for question, answer in record.answers)
    said = tag("p", record.reason) if record.reason else join()
    return join(tag("h2", title, f": {record.status}"), said, tag("ul", *answers, class_="list"))


def _buttons(reading: AlgorithmReading, name: str) -> Markup:
    """What can be done with a parent; nothing once it has ended."""
    record = reading.record
    if reading.ended:
        return join()
    is_paused = record.status == ParentStatus.PAUSED.value
    turn = ("Resume…", _RESUME) if is_paused else ("Pause…", _PAUSE)
    return tag(
        "span",
        row_button(*turn, record.parent_id, f"{turn[0].rstrip('…')} {name}"),
        row_button("Cancel…", _CANCEL, record.parent_id, f"Cancel {name}"),
        class_="acts",
    )


def _row(reading: AlgorithmReading, *, acts: bool) -> Row:
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
        *((cell(_buttons(reading, name), kind="num"),) if acts else ()),
    )
