"""The tear sheets show every shipped strategy, and what one of them makes today."""

from __future__ import annotations

from quant_trading_system.app.strategy_loading import SHIPPED
from tools.write_tear_sheets import IMAGES, PAGE, row, section, tear


def test_every_shipped_strategy_has_its_sheet_and_its_picture():
    page = PAGE.read_text(encoding="utf-8")
    for name in SHIPPED:
        assert f"\n## {name}\n" in page, f"{name} has no tear sheet; python tools/write_tear_sheets.py"
        assert (IMAGES / f"tear-{name}.png").stat().st_size > 50_000


def test_the_numbers_are_those_of_today():
    """One of them stands for all; when it differs: python tools/write_tear_sheets.py."""
    page, found = PAGE.read_text(encoding="utf-8"), tear("buy-and-hold")
    assert row("buy-and-hold", found) in page
    assert section("buy-and-hold", found) in page
