"""docs/controls.md is complete: every rule, every trigger; its paragraphs, its code and its tests exist."""

from __future__ import annotations

import pytest

from quant_trading_system.core.decisions import Rule
from quant_trading_system.risk import controls
from quant_trading_system.risk.triggers import TRIGGERS
from tools.docs_tables import all_controls, group_of, parts_of
from tools.fault_marks import proofs_in
from tools.fault_runs import CONTROLS_RECORD, recorded_results
from tools.write_docs import ROOT

PROOFS = proofs_in(ROOT, "control")
GROUPS = ("gate", "triggers")


def test_every_rule_and_every_trigger_declares_its_paragraphs():
    assert set(Rule) <= set(controls.RULES), "declare the paragraphs of new rules in risk/controls.py"
    assert set(controls.TRIGGERS) == {trigger.halt for trigger in TRIGGERS}


def test_every_paragraph_is_known_and_answered():
    answered = {paragraph for control in all_controls() for paragraph in control.paragraphs}
    assert answered == set(controls.PARAGRAPHS)
    assert all(control.paragraphs for control in all_controls())


@pytest.mark.parametrize("control", all_controls(), ids=lambda control: control.name)
def test_every_control_has_code_and_a_test(control):
    assert (ROOT / "quant_trading_system" / control.code).is_file()
    assert [proof for proof in PROOFS if proof.fault in (control.name, group_of(control))]


def test_every_mark_names_a_control():
    assert {proof.fault for proof in PROOFS} <= {control.name for control in all_controls()} | set(GROUPS)


def test_the_record_holds_no_test_that_is_gone():
    assert set(recorded_results(CONTROLS_RECORD)) <= {proof.node for proof in PROOFS}


def test_the_page_shows_every_group():
    page = (ROOT / "docs" / "controls.md").read_text(encoding="utf-8")
    assert parts_of(page) == ["control-count", "paragraphs", *(f"controls {group}" for group in (*GROUPS, "others"))]
