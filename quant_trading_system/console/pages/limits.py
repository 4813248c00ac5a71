"""Every limit in force, with what is used of it."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from nicegui import ui

from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.app.readings.limits import LimitLine, PendingApproval, limits_reading
from quant_trading_system.config.scalars import OFF
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Dialog, button, listen, note, row_button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import measure, moment, percent, prose, shares
from quant_trading_system.core.approval_events import ApprovalAnswer
from quant_trading_system.core.commands import AnswerApproval, ProposeLimits
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (
    Column("Limit"),
    Column("Value", is_number=True),
    Column(""),
    Column("Used now", is_number=True),
    Column("Meaning"),
)

_PROPOSE = "propose-limit"


class LimitsPage:
    """The limits in force, and those that wait for approval."""

    title = "Limits"

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """With the way to say yes, for those who may."""
        self._hub = hub
        self._actions = actions
        self._proposes = actions.may(ProposeLimits.needs)
        self._waiting: tuple[PendingApproval, ...] = ()

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        if self._proposes:
            self._dialog = ProposeDialog(self._actions)
            listen({_PROPOSE: self._propose})
        columns = (*_COLUMNS, Column("", is_number=True)) if self._proposes else _COLUMNS
        table = sheet.table("limits", columns, self.tables()["limits"], "Limits in force")
        body = join(table, sheet.slot("none", slots["none"], "div"))
        self._box = ui.element("div").classes("grid waiting")
        ui.html(
            tag("div", panel("In force", sheet.slot("version", slots["version"], "p"), body), class_="grid"),
            sanitize=False,
        )

        self.redraw()

    def slots(self) -> Slots:
        found = limits_reading(self._hub.follower)
        version = tag("span", f"Version {found.version}", class_="soft") if found.version else join()
        none = join() if found.lines else empty("No limits on record", "They appear with the first run.")
        return {"version": version, "none": none}

    def tables(self) -> Tables:
        rows = sorted(self._hub.overview().headroom, key=lambda line: line.share)
        used = {line.key: line for line in rows}  # of several about one key the fullest
        lines = limits_reading(self._hub.follower).lines
        return {"limits": [_row(line, used.get(line.key), proposes=self._proposes) for line in lines]}

    async def _propose(self, key: str) -> None:
        lines = limits_reading(self._hub.follower).lines
        line = next((line for line in lines if line.key == key), None)
        if line is not None:
            self._dialog.open_for(line)

    def redraw(self) -> None:
        pending = limits_reading(self._hub.follower).pending
        if pending == self._waiting:
            return
        self._waiting = pending
        self._box.clear()
        with self._box:
            for one in pending:
                self._ask(one)

    def _ask(self, one: PendingApproval) -> None:
        """One question to people, with the buttons for those who may answer."""
        with ui.element("section").classes("panel s12").props(f'aria-label="Waiting for approval: {one.approval}"'):
            ui.html(_question(one), sanitize=False)
            if not self._actions.may(Role.RISK):
                return
            with ui.element("div").classes("filters"):
                reason = ui.input("Reason, for the record").props(
                    f'outlined dense maxlength=500 for="r-{one.approval}"'
                )
                for name, yes in (("Approve", True), ("Refuse", False)):
                    button(name, partial(self._answer, one, reason, yes))

    async def _answer(self, one: PendingApproval, reason: ui.input, yes: bool) -> None:
        answer = ApprovalAnswer.YES if yes else ApprovalAnswer.NO
        command = AnswerApproval(
            approval=one.approval, answer=answer, content=one.content if yes else "", reason=str(reason.value or "")
        )
        try:
            said = (await self._actions.give(command)).message
        except TradingError as error:
            said = str(error)
        with self._box:  # the question and its buttons may be gone by now
            note(said)


class ProposeDialog(Dialog):
    """Another value for one limit: tighter at once, looser once people have approved it."""

    def __init__(self, actions: Actions) -> None:
        """Ask as `actions`."""
        super().__init__("Change a limit")
        self._actions = actions
        self._key = ""
        with self.box:
            self._says = ui.html("", sanitize=False).classes("soft")
            self._value = (
                ui.input("New value").props('outlined dense maxlength=200 for="limit-value"').classes("w-full")
            )
            self._why = ui.input("Reason, for the record").props('outlined dense maxlength=500 for="limit-why"')
            self._why.classes("w-full").on("keydown.enter", self._confirm)
        with self.actions:
            button("Propose it", self._confirm, kind="plain do", id_="confirm-limit")

    def open_for(self, line: LimitLine) -> None:
        """Propose another value of that limit."""
        self._key, self._value.value, self._why.value = line.key, line.value, ""
        words = f"{line.meaning} It is {line.value} {line.unit}".rstrip()
        self._says.set_content(prose(f"{words}. What is tighter holds at once; what is looser waits for approval."))
        self.open(f"Change {line.name}")

    async def _confirm(self) -> None:
        why, value = (str(field.value or "").strip() for field in (self._why, self._value))
        if not why:
            self.complain("Say why in a few words; it goes on record.")
            return
        await self.do(lambda: self._actions.give(ProposeLimits(values={self._key: value}, why=why)))


def _row(line: LimitLine, used: Headroom | None, *, proposes: bool) -> Row:
    if used is None:
        now = ""
    else:
        now = (
            f"{percent(used.used, 1) if used.is_fraction else measure(used.used, used.unit)} ({percent(used.share, 0)})"
        )
    return row(
        line.key,
        cell(tag("code", line.name), kind="wide"),
        cell(_value(line), "", "num"),
        cell(tag("span", line.unit if _is_number(line) else "", class_="soft")),
        cell(now, "used" if now else "", "num"),
        cell(join(_raised(line), tag("span", prose(line.meaning), class_="soft")), kind="wide"),
        *((cell(row_button("Change…", _PROPOSE, line.key, f"Change {line.name}"), kind="num"),) if proposes else ()),
    )


def _question(one: PendingApproval) -> Markup:
    said = ", ".join(one.given)
    given = f"{len(one.given)} of {one.needed} have said yes" + (f" ({said})" if said else "")
    who = f"Asked by {one.asked_by} at {moment(one.asked_at)} UTC; {given}; until {moment(one.expires_at)} UTC."
    return join(tag("h2", "Waiting for approval"), tag("p", tag("strong", one.text)), tag("p", who, class_="soft"))


def _value(line: LimitLine) -> str:
    """A number as people write it; an empty list is none, and what is off or a list stands as it is on record."""
    if _is_number(line):
        return shares(Decimal(line.value))
    return "none" if line.value == "[]" else line.value or "–"


def _is_number(line: LimitLine) -> bool:
    """It counts something, and is not off; the others are words and lists."""
    return bool(line.allowed) and line.value != OFF


def _raised(line: LimitLine) -> Markup:
    if line.raised_until is None:
        return join()
    return tag("span", f"Raised until {moment(line.raised_until)} UTC. ", class_="weight warning")
