"""The strategies: who is listened to, and putting one to silence without stopping the engine."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.strategies import ARMED, FAILED, StrategyReading
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question, listen, row_button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import moment
from quant_trading_system.core.commands import ArmStrategy, DisarmStrategy
from quant_trading_system.research.markup import join, tag

_COLUMNS = (
    Column("Strategy"),
    Column("State"),
    Column("Since (UTC)"),
    Column("By"),
    Column("Reason"),
    Column("", is_number=True),
)
_ARM, _DISARM = "arm-strategy", "disarm-strategy"


class StrategiesPage:
    """Every strategy of the last run."""

    title = "Strategies"

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """With the way to arm and disarm them, for those who may."""
        self._hub = hub
        self._actions = actions

    def build(self, sheet: Sheet) -> None:
        self._question = Question()
        listen({_ARM: self._arm, _DISARM: self._disarm})
        table = sheet.table("strategies", _COLUMNS, self.tables()["strategies"], "Strategies of the last run")
        none = sheet.slot("none", self.slots()["none"], "div")
        ui.html(tag("div", panel("Of the last run", table, none), class_="grid"), sanitize=False)

    def slots(self) -> Slots:
        advice = "They appear with the first run of `qts trade` or `qts demo`."
        return {"none": join() if self._lines() else empty("No strategies on record", advice)}

    def tables(self) -> Tables:
        return {"strategies": [self._row(line) for line in self._lines()]}

    def redraw(self) -> None:
        """It has no charts."""

    def _lines(self) -> list[StrategyReading]:
        with self._hub.follower.lock:
            return self._hub.follower.views.roster.lines()

    def _row(self, line: StrategyReading) -> Row:
        is_armed = line.state == ARMED
        deed = ("Disarm…", _DISARM, DisarmStrategy.needs) if is_armed else ("Arm…", _ARM, ArmStrategy.needs)
        act = join()
        if self._actions.may(deed[2]):
            act = row_button(deed[0], deed[1], line.strategy, f"{deed[0].rstrip('…')} {line.strategy}")
        return row(
            line.strategy,
            cell(tag("a", line.strategy, href=f"/orders?strategy={line.strategy}"), kind="wide"),
            cell(tag("span", line.state, class_="status refused" if line.state == FAILED else "status")),
            cell(moment(line.since) if line.since else "", kind="time"),
            cell(line.by, "by" if line.by else ""),
            cell(line.reason, kind="wide"),
            cell(act, kind="num"),
        )

    async def _arm(self, strategy: str) -> None:
        self._question.ask(
            f"Arm {strategy}?",
            "It speaks again at the next bar, also if it has failed.",
            "Arm it",
            lambda reason: self._actions.give(ArmStrategy(strategy=strategy, reason=reason)),
        )

    async def _disarm(self, strategy: str) -> None:
        self._question.ask(
            f"Disarm {strategy}?",
            "Nobody listens to it any more, also after a restart. What it has working is cancelled, but for exits.",
            "Disarm it",
            lambda reason: self._actions.give(DisarmStrategy(strategy=strategy, reason=reason)),
        )
