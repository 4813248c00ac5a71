"""One order: the verdict first, then the whole checklist with every number that was seen."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.check_lines import CheckLine
from quant_trading_system.app.decision_record import Answer, DecisionRecord
from quant_trading_system.app.order_list import order_in_words
from quant_trading_system.app.readings.orders import order_record
from quant_trading_system.app.refusal import number_in, verdict_of
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.blotter import status_of
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.order_deeds import OrderDeeds, order_buttons
from quant_trading_system.console.pages.sheet import Sheet, Slots, Tables, empty, panel
from quant_trading_system.console.pages.words import moment, shares
from quant_trading_system.core.decisions import MINIMUM_RULES
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import Markup, join, tag

_STEPS = {1: "Risk assessment", 2: "Order validation", 3: "Execution strategy", 4: "Afterwards"}
_MARKS = {True: ("yes", "✓", "passed"), False: ("no", "✗", "refused"), None: ("", "·", "open")}


class OrderView:
    """The decision record of one order."""

    def __init__(self, hub: Hub, actions: Actions, order_id: str) -> None:
        """Of the order with that client order id."""
        self.title = "Order"
        self._hub = hub
        self._actions = actions
        self._order_id = order_id

    def build(self, sheet: Sheet) -> None:
        if self._actions.may(Role.TRADER):
            OrderDeeds(self._hub, self._actions)
        ui.html(sheet.slot("record", self.slots()["record"], "div"), sanitize=False)

    def slots(self) -> Slots:
        try:
            record = order_record(self._hub.follower, self._order_id)
        except TradingError as error:
            return {"record": panel("", empty(str(error), tag("a", "All orders", href="/orders")))}
        acts = join()
        if self._actions.may(Role.TRADER):
            acts = order_buttons(record.order_id, order_in_words(record.order), record.status)
        return {"record": _record(record, acts)}

    def tables(self) -> Tables:
        return {}

    def redraw(self) -> None:
        """It has no charts."""


def _record(record: DecisionRecord, acts: Markup) -> Markup:
    steps = (_step(number, answers) for number, answers in record.steps.items())
    return join(_verdict(record, acts), tag("div", *steps, _family(record), _source(record), class_="grid"))


def _verdict(record: DecisionRecord, acts: Markup) -> Markup:
    why = verdict_of(record)
    kind = "refused" if record.refused_by else "ok" if record.status.value == "filled" else ""
    rule = join()
    if record.refused_by is not None:
        rule = tag(
            "p", "Rule ", tag("code", record.refused_by.value), ". It never left: nothing was sent to the broker."
        )
    signal = record.signal
    asked = (
        tag(
            "p", f"{signal.source} wanted {signal.direction.value}: {signal.reason or 'no reason given'}", class_="soft"
        )
        if signal is not None
        else join()
    )
    return tag(
        "div",
        tag("strong", order_in_words(record.order)),
        " ",
        status_of(record.status),
        tag("p", why) if why else join(),
        rule,
        asked,
        tag("p", f"{moment(record.at)} UTC, order ", tag("code", record.order_id), class_="soft"),
        acts,
        class_=f"verdict {kind}",
    )


def _step(number: int, answers: tuple[Answer, ...]) -> Markup:
    lines = (_check(answer) for answer in answers)
    return panel(f"{number}. {_STEPS[number]}", *lines, size="s6 step")


def _check(answer: Answer) -> Markup:
    kind, mark, spoken = _MARKS[answer.passed]
    numbers = (_numbers(check) for check in answer.checks if check.actual is not None or not check.passed)
    said = "" if answer.passed is False else answer.answer  # what failed says so in its own line
    body = tag("div", answer.question, " ", tag("strong", said), *numbers)
    return tag("div", tag("span", mark, class_="mark", role="img", aria_label=spoken), body, class_=f"check {kind}")


def _numbers(check: CheckLine) -> Markup:
    """A check with its numbers, such as ``max order notional: $3,000.00 of $1,000,000.00``."""
    words = check.rule.value.replace("_", " ")
    if check.actual is not None:
        words += f": {number_in(check, check.actual)}"
    if check.limit is not None:
        words += f", {'at least' if check.rule in MINIMUM_RULES else 'at most'} {number_in(check, check.limit)}"
    if check.detail:
        words += f" ({check.detail})"
    return tag("small", words, class_=None if check.passed else "failed")


def _family(record: DecisionRecord) -> Markup:
    members = record.chain or record.group
    if not members:
        return join()
    lines = (
        tag(
            "li",
            tag("a", order_in_words(leg.order), href=f"/orders/{leg.order_id}"),
            f" {leg.status.value}, {shares(leg.filled)} filled",
        )
        for leg in members
    )
    return panel("Replaced orders" if record.chain else "Orders of the group", tag("ul", *lines, class_="list"))


def _source(record: DecisionRecord) -> Markup:
    link = tag("a", "its entries in the journal", href=f"/journal?subject={record.order_id}")
    limits = f" · limits {record.limits_version}" if record.limits_version else ""
    read = f"Read from {len(record.entries)} {'entry' if len(record.entries) == 1 else 'entries'}: "
    return tag("p", read, link, limits, class_="soft s12")
