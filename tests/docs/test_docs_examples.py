"""Every example of the documentation runs, and prints what the page shows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from quant_trading_system.app.backtesting import run_account
from quant_trading_system.app.demo import DemoPlan, demo_account
from quant_trading_system.core.events import OrderEvent
from tools.docs_blocks import agrees, blocks_of, run_page
from tools.write_docs import ROOT, pages

ASKED = r"(?<!last one: )qts explain ([0-9a-f]{12}-\d+-\d+)|such as `([0-9a-f]{12}-\d+-\d+)`"
"""Orders that a page tells to ask about; below a list, `qts orders` itself names one of its own."""
REMEDY = "run `python tools/write_docs.py`, and read what it changed"


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_examples_run_and_print_what_the_page_shows(page: Path, tmp_path: Path):
    wrong = [
        f"{page.name}:{shown.block.line} really prints (if this is right, {REMEDY}):\n{shown.actual}"
        for shown in run_page(page, tmp_path)
        if not shown.is_true
    ]
    assert not wrong, "\n".join(wrong)


def test_orders_that_are_to_be_explained_are_in_the_journal_of_the_demo():
    """The commands themselves are never rewritten: an id that is out of date would show an error for ever."""
    asked = {
        (page.name, order_id)
        for page in pages()
        if page.name != "cli.md"  # made from the help texts, whose ids stand for any
        for order_id in re.findall(
            r"(?<!last one: )qts explain ([0-9a-f]{12}-\d+-\d+)|such as `([0-9a-f]{12}-\d+-\d+)`", _text(page)
        )
        for order_id in filter(None, order_id)
    }
    account = demo_account(DemoPlan(seed=7), None)
    asyncio.run(run_account(account))
    events = (entry.event for entry in account.journal.entries(kinds=("order",)))
    known = {event.order_id for event in events if isinstance(event, OrderEvent)}
    assert asked
    assert {(page, order_id) for page, order_id in asked if order_id not in known} == set()


def test_most_pages_have_examples():
    """Words: why, glossary. Made from the code: commands, controls, metrics, rejections. Two terminals, services or
    browsers: console, live, operations, venue.

    Stormy days, faults and the naive client are run by tests of their own.
    """
    silent = {
        page.name for page in pages() if not any(b.prints or b.language == "console" for b in blocks_of(_text(page)))
    }
    made = {"cli.md", "controls.md", "metrics.md", "performance.md", "rejections.md", "tear-sheets.md"}
    words = made | {"console.md", "glossary.md", "live.md", "operations.md", "venue.md", "why.md"}
    assert silent == words | {"simulation.md", "faults.md", "naive-client.md"}


def test_blocks_that_show_output_follow_a_block_that_prints():
    for page in pages():
        blocks = blocks_of(_text(page))
        for before, block in zip([None, *blocks], blocks, strict=False):
            if block.prints:
                assert before is not None, page.name
                assert (before.language, before.title) == ("python", ""), f"{page.name}:{block.line}"


COMPARISONS = """
shown          what came out   true
a|b            a|b             yes
a|b            a|c             no
a|b            a|b|c           no
a              a~~|            yes
a|…|d          a|b|c|d         yes
a|…|d          a|d             yes
a|…            a|b             yes
…|d            a|d             yes
a|…|d          a|b|c           no
"""


@pytest.mark.parametrize("row", COMPARISONS.strip().splitlines()[1:])
def test_output_is_compared_line_by_line_but_for_gaps_and_blanks_at_the_ends(row: str):
    shown, actual, verdict = row.split()
    assert agrees(_lines(shown), _lines(actual)) is (verdict == "yes")


def test_times_of_the_wall_clock_and_digests_may_differ_and_other_times_may_not():
    assert agrees("at 2026-01-02T03:04:05.600000+00:00", "at 2027-01-02T03:04:05.678901+00:00")
    assert agrees(f"head {'0a' * 32}", f"head {'1b' * 32}")
    assert not agrees("on 2026-01-02", "on 2027-01-02")


def test_the_readme_is_the_first_page():
    assert pages()[0] == ROOT / "README.md"


def _lines(cell: str) -> str:
    return cell.replace("|", "\n").replace("~", " ")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")
