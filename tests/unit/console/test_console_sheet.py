"""Only what has changed is sent to the browser, and nothing that is put into a page can break it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from quant_trading_system.console.pages import words
from quant_trading_system.console.pages.sheet import Column, Sheet, cell, empty, row
from quant_trading_system.core.decisions import Unit
from quant_trading_system.research.markup import join

STYLE = Path(words.__file__).parent / "static" / "console.css"


@pytest.fixture
def sheet():
    sheet = Sheet()
    sheet.slot("equity", join("$1"))
    sheet.table("orders", [Column("Order")], [row("a", cell("one")), row("b", cell("two"))], "Orders")
    return sheet


def sent(script: str) -> tuple[dict, dict]:
    """What a script hands to the browser."""
    slots, tables = json.loads(f"[{script.removeprefix('qts.patch(').removesuffix(')')}]")
    return slots, tables


def test_nothing_is_sent_when_nothing_has_changed(sheet):
    same = {"orders": [row("a", cell("one")), row("b", cell("two"))]}
    assert sheet.script({"equity": join("$1")}, same) == ""


def test_a_changed_slot_and_a_changed_row_are_sent_once_and_alone(sheet):
    now = {"orders": [row("a", cell("one")), row("b", cell("TWO"))]}
    slots, tables = sent(sheet.script({"equity": join("$2")}, now))
    assert slots == {"equity": "$2"}
    assert list(tables["orders"]["rows"]) == ["b"]
    assert tables["orders"]["order"] == ["a", "b"]
    assert sheet.script({"equity": join("$2")}, now) == ""


def test_rows_that_come_and_go_change_the_order(sheet):
    _, tables = sent(sheet.script({}, {"orders": [row("c", cell("new")), row("a", cell("one"))]}))
    assert tables["orders"]["order"] == ["c", "a"]
    assert list(tables["orders"]["rows"]) == ["c"]


def test_a_table_that_the_page_does_not_show_is_not_sent(sheet):
    assert sheet.script({}, {"others": [row("x", cell("y"))]}) == ""


def test_text_is_escaped_wherever_it_stands():
    made = row("k", cell("<script>", label='"><b>')).html + empty("<i>", "</div>")
    assert "<script>" not in made
    assert "<b>" not in made
    assert "<i>" not in made


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (words.money(Decimal("-1234.5")), "−$1,234.50"),
        (words.percent(Decimal("-0.01234")), "−1.23 %"),
        (words.signed_percent(Decimal("0.5")), "+50.00 %"),
        (words.signed_percent(Decimal("-0.00003")), "0.00 %"),
        (words.signed_percent(Decimal("0.00003")), "0.00 %"),
        (words.percent(Decimal("0.1"), 0), "10 %"),
        (words.measure(Decimal("119482.009"), Unit.USD), "$119,482.01"),
        (words.measure(Decimal(300), Unit.SECONDS), "300 s"),
        (words.shares(Decimal("-1234.50")), "−1,234.5"),
        (words.price(Decimal("60.5")), "60.50"),
        (words.price(Decimal("60.12345")), "60.1234"),
        (words.price(None), ""),
        (words.bps(None), "–"),
        (words.moment(None), "never"),
    ],
)
def test_numbers_as_people_read_them(shown, expected):
    assert shown == expected


# -- colours


def palette(selector: str) -> dict[str, str]:
    block = re.search(rf"^{re.escape(selector)} {{(.*?)^}}", STYLE.read_text(encoding="utf-8"), re.M | re.S)
    assert block is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block.group(1)))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


PAIRS = [
    ("ink", "paper"),
    ("ink", "panel"),
    ("soft", "paper"),
    ("soft", "panel"),
    ("accent", "panel"),
    ("accent", "paper"),
    ("good", "panel"),
    ("warn", "panel"),
    ("warn", "warn-soft"),
    ("danger-ink", "danger"),
    ("ink", "danger-soft"),
    ("ink", "accent-soft"),
    ("soft", "danger-soft"),
]


@pytest.mark.parametrize("theme", [":root", ".body--dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_every_text_has_the_contrast_of_wcag_aa(theme, text, ground):
    """4.5 to 1 for text of normal size."""
    colours = palette(theme)
    light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
