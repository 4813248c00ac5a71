"""Whatever a user can meet is documented: limits, rules, states, events, names, commands. Nothing else is claimed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import quant_trading_system
from quant_trading_system.cli.main import app
from quant_trading_system.config.risk_keys import KEYS, SECTIONS
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest, RequestTrigger
from quant_trading_system.journal.codec import KINDS
from quant_trading_system.risk.checks import CHECKS
from quant_trading_system.simulation.storm.catalogue import CATALOGUE
from tools.docs_blocks import PROMPT, blocks_of
from tools.docs_tables import filled_in, parts_of
from tools.fault_marks import proofs_in
from tools.fault_runs import outcome_of, recorded_results
from tools.write_docs import ROOT, pages


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(text: str, level: int) -> list[str]:
    return re.findall(rf"^{'#' * level} (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), flags=re.M)


def sections(text: str, level: int) -> dict[str, str]:
    """Heading to what stands below it."""
    pieces = re.split(rf"^{'#' * level} (.+)$", text, flags=re.M)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_parts_made_from_the_code_are_up_to_date(path: Path):
    """When this fails, run `python tools/write_docs.py`."""
    text = path.read_text(encoding="utf-8")
    assert filled_in(text) == text


# -- limits and rules


def test_every_limit_has_a_heading_in_the_order_of_the_file():
    text = page("docs/risk-limits.md")
    assert [key.name for key in KEYS] == headings(text, 3)
    assert [f"Section `{name}`" for name in SECTIONS] == [h for h in headings(text, 2) if h.startswith("Section")]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_limit_has_its_row_and_an_example(key):
    section = sections(page("docs/risk-limits.md"), 3)[key.name]
    assert f"limit {key.name}" in parts_of(section)
    assert re.search(r"^Example: .{40}", section, re.M)


def test_every_rule_has_a_heading_in_the_order_of_the_gate():
    assert [rule.value for rule in Rule] == headings(page("docs/rejections.md"), 2)


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_says_its_numbers_and_how_to_correct_the_order(rule: Rule):
    section = sections(page("docs/rejections.md"), 2)[rule.value]
    assert section.lstrip().startswith((f"<!-- made from the code: rule {rule} -->", "> "))
    assert re.search(r"^\*\*Numbers:\*\* .{4}", section, re.M)
    assert re.search(r"^\*\*Correct it:\*\* .{10}", section, re.M)


def test_the_readme_counts_the_checks():
    assert f"Risk gate with {len(CHECKS)} checks" in page("README.md")


# -- states, levels, events


@pytest.mark.parametrize("member", [*OrderStatus, *OrderTrigger])
def test_every_status_and_event_of_an_order_is_explained(member):
    assert re.search(rf"^\* `{member.value}`: .{{10}}", page("docs/order-states.md"), re.M)


@pytest.mark.parametrize("member", [*PendingRequest, *RequestTrigger])
def test_every_request_is_named(member):
    assert f"`{member.value}`" in sections(page("docs/order-states.md"), 2)["Requests"].split("<!--")[0]


def test_the_tables_of_order_states_are_there():
    assert {"statuses", "transitions", "requests"} <= set(parts_of(page("docs/order-states.md")))


@pytest.mark.parametrize("level", HaltLevel)
def test_every_level_of_the_kill_switch_is_explained(level: HaltLevel):
    assert f"| `{level.name.lower()}` |" in page("docs/kill-switch.md")


@pytest.mark.parametrize("trigger", HaltTrigger)
def test_every_trigger_of_the_kill_switch_is_explained(trigger: HaltTrigger):
    assert f"`{trigger.value}`" in sections(page("docs/kill-switch.md"), 2)["Triggers"]


@pytest.mark.parametrize("kind", sorted(KINDS.values()))
def test_every_kind_of_entry_is_listed(kind: str):
    assert f"\n| `{kind}` | " in page("docs/journal.md")


# -- names and commands


@pytest.mark.parametrize("name", quant_trading_system.__all__)
def test_every_name_of_the_front_door_has_a_heading(name: str):
    text = page("docs/api.md")
    assert name in headings(text, 2) + headings(text, 3)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command of `qts` by its words, groups included."""
    group = group or typer.main.get_command(app)
    found = {path: group}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, (*path, name))
    return found


COMMANDS = commands()


@pytest.mark.parametrize("command", [words for words in COMMANDS if words], ids=" ".join)
def test_every_command_has_a_heading_and_its_help(command: tuple[str, ...]):
    section = sections(page("docs/cli.md"), 2)[" ".join(("qts", *command))]
    assert [" ".join(("help", *command))] == parts_of(section)


@pytest.mark.parametrize("command", [words for words in COMMANDS if words and words != ("journal",)], ids=" ".join)
def test_every_command_shows_an_example_in_its_help(command: tuple[str, ...]):
    assert f"Example: qts {' '.join(command)}" in page("docs/cli.md")


def invocations() -> list[tuple[str, str]]:
    """Every call of `qts` on any page, in blocks and in running text, with its place."""
    found = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for block in blocks_of(text):
            if block.language in ("sh", "console"):
                lines = (line.removeprefix(PROMPT) for line in block.text.splitlines())
                found += [(path.name, line.split("#")[0].strip()) for line in lines if line.startswith("qts ")]
        words = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        found += [(path.name, " ".join(call.split())) for call in re.findall(r"`(qts [^`]+)`", words)]
    return sorted(set(found))


@pytest.mark.parametrize(("where", "call"), invocations(), ids=lambda text: text[:60])
def test_every_command_that_is_mentioned_exists_with_its_options(where: str, call: str):
    _, *words = shlex.split(call)
    depth = 0
    while tuple(words[: depth + 1]) in COMMANDS and depth < len(words):
        depth += 1
    command = COMMANDS[tuple(words[:depth])]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert depth or words[0].startswith("--"), f"{where}: there is no command {words[0]}"
    assert {word.split("=")[0] for word in words[depth:] if word.startswith("--")} <= known


# -- faults


def test_every_group_of_faults_has_its_table():
    assert parts_of(page("docs/faults.md")) == ["fault-count", *(f"faults {group}" for group in CATALOGUE)]


def test_names_of_faults_are_used_once():
    names = [fault.name for faults in CATALOGUE.values() for fault in faults]
    assert len(names) == len(set(names))


def test_marks_are_read_wherever_pytest_takes_them(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_marks.py").write_text(
        'import pytest\npytestmark = pytest.mark.fault("a")\n'
        '@pytest.mark.fault("b", "c")\nclass TestIt:\n    @pytest.mark.fault("d")\n    def test_one(self): ...\n'
        '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.fault("e"))])\nasync def test_two(x): ...\n'
    )
    found = {(proof.node, proof.fault) for proof in proofs_in(tmp_path)}
    assert found == {
        *(("tests/test_marks.py::TestIt::test_one", fault) for fault in "abcd"),
        *(("tests/test_marks.py::test_two", fault) for fault in "ae"),
    }


def test_recorded_results_are_those_of_tests_that_exist():
    assert set(recorded_results()) <= {proof.node for proof in proofs_in(ROOT)}


def test_one_failure_or_one_test_that_was_not_run_shows():
    assert outcome_of(["passed", "passed"]) == "passed"
    assert outcome_of(["passed", "FAILED", ""]) == "FAILED"
    assert outcome_of(["passed", ""]) == "1 of 2 not run"
    assert outcome_of([]) == "–"
