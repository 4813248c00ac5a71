"""What a person should look at: what is wrong now, and what happened."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from quant_trading_system.app.alerting.book import Alert
from quant_trading_system.app.readings.alert_fold import AlertLine
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question, button, listen, row_button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.reconciling import ask_to_reconcile
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import moment
from quant_trading_system.core.commands import Reconcile
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (Column("Time (UTC)"), Column("Weight"), Column("What"), Column("Detail"))
_MOST = 100
_NOTICE = "take-notice"


class AlertsPage:
    """Alerts of the account, the newest first."""

    title = "Alerts"

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """With the way to take notice of them, for those who may."""
        self._hub = hub
        self._actions = actions
        self._book = hub.desk.alerts

    def build(self, sheet: Sheet) -> None:
        self._question = Question()
        listen({_NOTICE: self._notice})
        if self._actions.may(Reconcile.needs):
            with ui.element("div").classes("bar-of-buttons"):
                button("Compare with the broker now…", partial(ask_to_reconcile, self._question, self._actions))
        slots = self.slots()
        table = sheet.table("alerts", _COLUMNS, self.tables()["alerts"], "Alerts, the newest first")
        now = sheet.slot("now", slots["now"], "div", class_="s12 grid")
        before = panel("What happened", table, sheet.slot("none", slots["none"], "div"))
        ui.html(tag("div", now, before, class_="grid"), sanitize=False)

    def slots(self) -> Slots:
        lines = self._newest()
        none = (
            join() if lines else empty("No alerts", "Halts, broken limits and differences from the broker appear here.")
        )
        return {"now": self._now(), "none": none}

    def tables(self) -> Tables:
        return {"alerts": [_row(line) for line in self._newest()]}

    def redraw(self) -> None:
        """It has no charts."""

    def _newest(self) -> list[AlertLine]:
        with self._hub.follower.lock:
            return list(reversed(self._hub.follower.views.alerts.lines))[:_MOST]

    async def _notice(self, key: str) -> None:
        self._question.ask(
            "Take notice of this alert?",
            "Nobody else is woken for it. A note tells those who come after what you are doing.",
            "I have taken notice",
            lambda note: self._actions.acknowledge(key, note),
        )

    def _now(self) -> Markup:
        shown = self._hub.overview()
        stopped = [f"strategy {name} was stopped: {error}" for name, error in shown.stopped.items()]
        doubts = [f"the fate of order {order_id} is unknown" for order_id in shown.in_doubt]
        open_now: list[str] = [*(f"differs from the broker: {line}" for line in shown.breaks), *doubts, *stopped]
        self._book.follow()
        waiting = [_waiting(alert, acts=self._actions.may(Role.TRADER)) for alert in self._book.open()]
        if waiting:
            open_now = [*waiting, *open_now]
        if not open_now:
            return panel("Now", tag("p", "Nothing is open: no differences from the broker, no order in doubt."))
        return panel("Now", tag("ul", *(tag("li", line) for line in open_now), class_="list matters"))


def _waiting(alert: Alert, *, acts: bool) -> Markup:
    """An open alert, with whom it was told to and what to do about it."""
    line = alert.line
    seen = f", {alert.count} times" if alert.count > 1 else ""
    told = f"told to {', '.join(alert.told)}" if alert.told else "told to nobody"
    person = f"{alert.acknowledged_by} has taken notice" if alert.acknowledged_by else "nobody has taken notice"
    noted = f": {alert.note}" if alert.note else ""
    act = join()
    if acts and not alert.acknowledged_by:
        act = row_button("Take notice…", _NOTICE, line.key, f"Take notice of: {line.what}")
    return tag(
        "div",
        tag(
            "div",
            tag("span", line.weight.value, class_=f"weight {line.weight.value}"),
            f" {line.what}{seen}: ",
            line.detail,
        ),
        tag("div", f"{told}; {person}{noted}; what to do: {line.runbook}", class_="soft"),
        act,
    )


def _row(line: AlertLine) -> Row:
    detail = tag("a", line.detail, href=f"/orders/{line.order_id}") if line.order_id else line.detail
    return row(
        f"{line.seq}-{line.what}",
        cell(moment(line.at), kind="time"),
        cell(tag("span", line.weight.value, class_=f"weight {line.weight.value}")),
        cell(line.what),
        cell(detail, kind="wide"),
    )
