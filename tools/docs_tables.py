"""The parts of the documentation that are made from the code: tables of limits, states, events, fees and commands.

A page holds each between two marks, the first of which names the maker below and its arguments:

    <!-- made from the code: limit max_position_pct -->
    <!-- end -->
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import get_args

import msgspec

import quant_trading_system as front_door
from quant_trading_system.app.checklist import QUESTIONS
from quant_trading_system.config.loader import default_limits, limits_as_text
from quant_trading_system.config.looseness import Looser
from quant_trading_system.config.reasons import shipped_reasons, shipped_text
from quant_trading_system.config.risk_keys import CONTRADICTIONS, KEYS
from quant_trading_system.console.declared import Route
from quant_trading_system.console.description import ERRORS
from quant_trading_system.console.metrics import METRICS
from quant_trading_system.console.server import ROUTES
from quant_trading_system.core import exceptions
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.order_state import REQUESTS, TRANSITIONS, OrderStatus, OrderTrigger
from quant_trading_system.core.orders import LEGAL_COMBINATIONS, TimeInForce
from quant_trading_system.journal.codec import KINDS
from quant_trading_system.risk import controls
from quant_trading_system.risk.checks import CHECKS
from quant_trading_system.risk.checks.exits import EXITS_ASKED
from quant_trading_system.risk.limit_table import TABLE
from quant_trading_system.risk.triggers import LOSSES, TRIGGERS, Trigger
from quant_trading_system.simulation import fees
from quant_trading_system.simulation.storm.catalogue import CATALOGUE, NAMES
from tests.support.bugs_beside_storms import ALL_BUGS
from tests.support.planting import BugWithTests
from tools.docs_blocks import help_text
from tools.fault_marks import proofs_in
from tools.fault_runs import CONTROLS_RECORD, PLANTED_RECORD, outcome_of, recorded_results, recorded_run

ROOT = Path(__file__).resolve().parent.parent
_PART = re.compile(r"(<!-- made from the code: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

STEPS = {1: "Risk assessment", 2: "Order validation"}


def filled_in(page: str) -> str:
    """The page with every part that is made from the code made anew.

    Raises:
        KeyError: a mark names no maker.
    """

    def make(match: re.Match[str]) -> str:
        maker, *arguments = match["name"].split()
        return f"{match[1]}\n{MAKERS[maker](*arguments).strip()}\n\n{match[3]}"

    return _PART.sub(make, page)


def parts_of(page: str) -> list[str]:
    """The names in the marks of a page."""
    return [match["name"] for match in _PART.finditer(page)]


# -- limits --------------------------------------------------------------------------------------------------------


def limit(name: str) -> str:
    """One key of `risk_params.yaml`."""
    key = next(key for key in KEYS if key.name == name)
    shipped = limits_as_text(default_limits())[key.path]
    allowed = (str(key.range) if key.range else key.unit) + (", or `off`" if key.may_be_off else "")
    rows = [("Meaning", key.meaning), ("Unit", key.unit), ("Allowed", allowed), ("Shipped", f"`{shipped}`")]
    row = TABLE[name]
    rows.append(("Used now", row.use if isinstance(row.use, str) else "`qts risk`, the console and `qts_limit_used`"))
    rows.append(("On probation", str(row.probation)))
    rows.insert(3, ("Looser", _LOOSER_FLAG if key.unit == "true or false" else _LOOSER[key.looser]))
    return f"{table((f'`{key.path}`', ''), rows)}\n\nWhy the shipped value: {shipped_reasons()[name]}"


_LOOSER = {
    Looser.HIGHER: "when it is higher",
    Looser.LOWER: "when it is lower",
    Looser.FEWER_NAMES: "with fewer entries",
    Looser.MORE_NAMES: "with more names; without any, which means anybody, it is loosest",
    Looser.ANY_CHANGE: "nobody can say: any change has to be approved",
}
_LOOSER_FLAG = "when it is true"


def limits() -> str:
    """All keys in one table."""
    shipped = limits_as_text(default_limits())
    rows = [(f"[`{key.name}`](#{key.name})", f"`{key.section}`", f"`{shipped[key.path]}`", key.meaning) for key in KEYS]
    return table(("key", "section", "shipped", "meaning"), rows)


def contradictions() -> str:
    """Pairs of limits that cannot both be meant."""
    rows = [(f"`{pair.lower}`", f"`{pair.upper}`", pair.because) for pair in CONTRADICTIONS]
    return table(("must not be above", "this one", "for otherwise"), rows)


def shipped_file() -> str:
    """`risk_params.yaml` as it ships."""
    return fenced("yaml", shipped_text())


# -- the gate ------------------------------------------------------------------------------------------------------


def rules() -> str:
    """Every rule in the order in which the gate asks, with the question that it answers."""
    asked = {row.rule: _first_sentence(row.check) for row in CHECKS}
    asked[Rule.CHECK_FAILED] = "Everything that the checks need can be read."
    rows = [
        (str(number), f"[`{rule.value}`](#{rule.value})", _step(rule), asked[rule])
        for number, rule in enumerate(Rule, 1)
    ]
    return table(("", "rule", "step", "the order passes when"), rows)


def exits() -> str:
    """The rules that may refuse a way out."""
    return table(("rule", "also for exits, because"), [(f"`{rule.value}`", why) for rule, why in EXITS_ASKED.items()])


def rule(name: str) -> str:
    """What one rule asks for, in the words of its check."""
    check = next(row.check for row in CHECKS if row.rule.value == name)
    return f"> {' '.join((inspect.getdoc(check) or '').split())}"


def checklist() -> str:
    """The questions of the decision record and the rules behind each."""
    rows = [
        (f"{step.value} {STEPS[step.value]}", question, ", ".join(f"`{rule.value}`" for rule in rules))
        for step, question, rules in QUESTIONS
    ]
    return table(("step", "question", "rules"), rows)


def _step(rule: Rule) -> str:
    return next((str(step.value) for step, _, rules in QUESTIONS if rule in rules), "–")


def _at_a_reset(trigger: Trigger) -> str:
    if trigger in LOSSES:
        return "must be within again, or be accepted (`--accept-loss`)"
    return "is forgiven, and counted anew" if trigger.is_forgiven else "must be over"


def triggers() -> str:
    """Every automatic trigger that compares a number with a limit."""
    rows = [
        (
            f"`{row.halt.value}`",
            row.goes_on_while,
            f"[`{row.rule}`](risk-limits.md#{row.rule})",
            _at_a_reset(row),
        )
        for row in TRIGGERS
    ]
    return table(("trigger", "trading goes on while", "limit", "at a reset"), rows)


# -- orders --------------------------------------------------------------------------------------------------------


def transitions() -> str:
    """What follows from each status, with the triggers that lead there."""
    rows = []
    for status in OrderStatus:
        ways: dict[OrderStatus, list[str]] = {}
        for (before, trigger), after in TRANSITIONS.items():
            if before is status:
                ways.setdefault(after, []).append(f"`{trigger.value}`")
        words = [f"{', '.join(triggers)} → **{after.value}**" for after, triggers in ways.items()]
        rows.append((f"**{status.value}**", "<br>".join(words) or "nothing"))
    return table(("from", "what can happen → what the order is then"), rows)


def statuses() -> str:
    """Open, final or neither."""
    kinds = {True: "open", False: "final"}
    rows = [
        (f"`{status.value}`", kinds[status.is_open] if status.is_open or status.is_terminal else "not sent")
        for status in OrderStatus
    ]
    return table(("status", "kind"), rows)


def transition_count() -> str:
    """How many pairs the table lists."""
    pairs = len(OrderStatus) * len(OrderTrigger)
    return (
        f"The table lists {len(TRANSITIONS)} of the {pairs} pairs of status and event. The other "
        f"{pairs - len(TRANSITIONS)} cannot happen: `advance(status, trigger)` raises `InvalidTransition` for them."
    )


def requests() -> str:
    """What a pending request can become."""
    rows = [
        (f"`{before.value}`", f"`{trigger.value}`", f"`{after.value}`") for (before, trigger), after in REQUESTS.items()
    ]
    return table(("pending", "what happens", "pending then"), rows)


def combinations() -> str:
    """Which orders can be built."""
    rows = []
    for (of_class, of_type), legal in LEGAL_COMBINATIONS.items():
        prices = " or ".join(sorted(" + ".join(f"`{field}`" for field in group) or "none" for group in legal.prices))
        extended = _in_order(legal.extended_hours)
        rows.append(
            (
                of_class.value,
                of_type.value,
                _in_order(legal.time_in_force),
                _in_order(legal.fractional),
                extended,
                prices,
            )
        )
    header = ("class", "type", "time in force", "fractions and dollar amounts", "extended hours", "prices it carries")
    return table(header, rows)


def _in_order(allowed: Iterable[TimeInForce]) -> str:
    return ", ".join(item.value for item in TimeInForce if item in set(allowed)) or "no"


# -- journal, names, fees, commands --------------------------------------------------------------------------------


def events() -> str:
    """Every kind of entry, with the fields of its event."""
    rows = []
    for event in get_args(AnyEvent):
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(event) if field.name != "at")
        rows.append((f"`{KINDS[event]}`", _first_sentence(event), fields))
    return table(("kind", "what has happened", "fields beside `at`"), rows)


def names() -> str:
    """What can be imported from the package itself."""
    rows = []
    for name in front_door.__all__:
        thing = getattr(front_door, name)
        home = thing.__module__.removeprefix("quant_trading_system.")
        rows.append((f"[`{name}`](#{name.lower()})", f"`{home}`", _first_sentence(thing)))
    return table(("name", "defined in", "what it is"), rows)


def errors() -> str:
    """The tree of errors."""
    drawing = (inspect.getdoc(exceptions) or "").split("\n\n", 1)[1]
    return fenced("text", drawing)


def fee_table(name: str) -> str:
    """One dated table of fees; rates as the regulator states them."""
    rows: list[tuple[str, ...]] = []
    for rate in getattr(fees, name):
        since = "the beginning" if rate.since == date.min else rate.since.isoformat()
        if name == "SEC_SECTION_31":
            rows.append((since, f"{rate.rate * 1_000_000:.2f}"))
        else:
            rows.append((since, f"{rate.rate.normalize():f}", "none" if rate.cap is None else f"{rate.cap:.2f}"))
    header = ("from", "dollars per million sold")
    return table(header if name == "SEC_SECTION_31" else ("from", "dollars per share", "at most, dollars"), rows)


def command_help(*command: str) -> str:
    """The help of one command of `qts`, or of `qts` itself."""
    return fenced("text", help_text(*command))


def routes(group: str) -> str:
    """The routes of one group of the control API."""
    rows = [
        (f"`{route.method} {route.path}`", route.role.value, _parameters_of(route), route.summary)
        for route in ROUTES
        if route.group == group
    ]
    return table(("route", "role", "takes", "what it does"), rows)


def metrics() -> str:
    """Every metric that `/metrics` tells."""
    rows = [(f"`{one.name}`", one.kind.value, ", ".join(map("`{}`".format, one.labels)), one.says) for one in METRICS]
    return table(("metric", "kind", "labels", "what it says"), rows)


def error_codes() -> str:
    """What the statuses of the control API mean."""
    return table(("status", "meaning"), [(f"`{status}`", text) for status, text in ERRORS.items()])


def _parameters_of(route: Route) -> str:
    """Names of the fields, those that must be given first and in bold."""
    fields = [field for field in msgspec.structs.fields(route.takes) if f"{{{field.name}}}" not in route.path]
    required = [f"**`{field.name}`**" for field in fields if field.required]
    return ", ".join([*required, *(f"`{field.name}`" for field in fields if not field.required)]) or "–"


def faults(group: str, *more: str) -> str:
    """The faults of one group: what must hold, the tests that prove it, and how these ended when last recorded."""
    known = proofs_in(ROOT)
    results = recorded_results()
    rows = []
    for fault in CATALOGUE[" ".join((group, *more))]:
        proofs = [proof for proof in known if proof.fault == fault.name]
        links = [f"[{proof.test.removeprefix('test_').replace('_', ' ')}](../{proof.path})" for proof in proofs]
        ended = outcome_of([results.get(proof.node, "") for proof in proofs])
        rows.append((f"`{fault.name}`", fault.what, fault.holds, "<br>".join(links) or "**none yet**", ended))
    return table(("fault", "what goes wrong", "what must hold", "proved by", "last run"), rows)


def planted_bugs() -> str:
    """Every planted bug, the invariant that must catch it, and how it was caught when last looked for."""
    run = recorded_run(PLANTED_RECORD)
    results, rows = recorded_results(PLANTED_RECORD), []
    for bug in ALL_BUGS:
        if isinstance(bug, BugWithTests):
            where = "<br>".join(f"`{test.rpartition('::')[2]}`" for test in bug.tests)
        else:
            where = ", ".join(f"`{kind}`" for kind in bug.kinds) or "a day without faults"
        rows.append((bug.number, bug.what, ", ".join(bug.caught_by), where, results.get(bug.number, "not run")))
    caught = sum(words != "SURVIVES" for words in results.values())
    days = sorted(int(words.removeprefix("on day ")) for words in results.values() if words.startswith("on day "))
    told = f"Caught: {caught} of {len(rows)}; in storms on day {days[len(days) // 2] if days else 0} in the median"
    told += f", on day {max(days, default=0)} at the latest. Recorded {run.get('date', 'never')}."
    return told + "\n\n" + table(("bug", "what is wrong", "invariant", "days with, or test", "caught"), rows)


def fault_count() -> str:
    """How many faults there are, and how many have a test."""
    proved = {proof.fault for proof in proofs_in(ROOT)}
    run = recorded_run()
    when = f"Last recorded run: {run['date']}, version {run['version']}." if run else "No run is on record yet."
    return f"{len(proved)} of {len(NAMES)} faults have a test that provokes them. {when}"


def paragraphs() -> str:
    """What each paragraph asks for, and the controls that answer it."""
    rows = [
        (
            f"`{name}`",
            asks,
            ", ".join(f"`{c.name}`" for c in all_controls() if name in c.paragraphs),
        )
        for name, asks in controls.PARAGRAPHS.items()
    ]
    return table(("paragraph", "asks that", "answered by"), rows)


def control_table(group: str) -> str:
    """Every control of a group: what it holds, its code, the tests that prove it, and how these ended last."""
    known, results = proofs_in(ROOT, "control"), recorded_results(CONTROLS_RECORD)
    rows = []
    for control in all_controls():
        if group_of(control) != group:
            continue
        proofs = [proof for proof in known if proof.fault in (control.name, group)]
        links = [f"[{proof.test.removeprefix('test_').replace('_', ' ')}](../{proof.path})" for proof in proofs]
        rows.append(
            (
                f"`{control.name}`",
                control.what,
                f"[{control.code}](../quant_trading_system/{control.code})",
                ", ".join(control.paragraphs),
                "<br>".join(links) or "**none yet**",
                outcome_of([results.get(proof.node, "") for proof in proofs]),
            )
        )
    return table(("control", "what holds", "code", "answers", "proved by", "last run"), rows)


def control_count() -> str:
    """When the evidence was recorded."""
    run = recorded_run(CONTROLS_RECORD)
    when = f"Last recorded run: {run['date']}, version {run['version']}." if run else "No run is on record yet."
    return f"{len(all_controls())} controls answer {len(controls.PARAGRAPHS)} paragraphs. {when}"


def all_controls() -> list[controls.Control]:
    """Rules of the gate, triggers and the others, each as a `Control`."""
    checks = {row.rule: row.check for row in CHECKS}
    found = []
    for rule in Rule:
        answered, check = controls.RULES[rule], checks.get(rule)
        what = _first_sentence(check) if check else "Everything that the checks need can be read."
        code = "risk/pre_trade.py" if check is None else f"{check.__module__.partition('.')[2].replace('.', '/')}.py"
        found.append(controls.Control(rule.value, what, code, answered))
    for row in TRIGGERS:
        what = f"Trading goes on while {row.goes_on_while}."
        found.append(controls.Control(row.halt.value, what, "risk/monitor.py", controls.TRIGGERS[row.halt]))
    return [*found, *controls.OTHERS]


def group_of(control: controls.Control) -> str:
    """``gate``, ``triggers`` or ``others``."""
    if control in controls.OTHERS:
        return "others"
    return "triggers" if control.code == "risk/monitor.py" else "gate"


MAKERS: dict[str, Callable[..., str]] = {
    "limit": limit,
    "limits": limits,
    "contradictions": contradictions,
    "risk_params.yaml": shipped_file,
    "rules": rules,
    "exits": exits,
    "rule": rule,
    "checklist": checklist,
    "triggers": triggers,
    "transitions": transitions,
    "transition-count": transition_count,
    "statuses": statuses,
    "requests": requests,
    "combinations": combinations,
    "events": events,
    "names": names,
    "errors": errors,
    "fees": fee_table,
    "help": command_help,
    "routes": routes,
    "metrics": metrics,
    "error-codes": error_codes,
    "faults": faults,
    "fault-count": fault_count,
    "planted-bugs": planted_bugs,
    "paragraphs": paragraphs,
    "controls": control_table,
    "control-count": control_count,
}


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(header)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def _first_sentence(thing: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
