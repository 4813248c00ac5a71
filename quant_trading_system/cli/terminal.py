"""A terminal that nothing can move but ourselves, and tables whose cells mean what they say."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from quant_trading_system.core.wording import printable_lines


class Terminal(Console):
    """Prints text without control characters in it, wherever the text comes from."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of the printable part of `text`."""
        return super().render_str(printable_lines(text), **options)


class PlainTable(Table):
    """Its cells are text as it stands: brackets in them are brackets, and not markup."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row; text is made printable."""
        super().add_row(*(Text(printable_lines(cell)) if isinstance(cell, str) else cell for cell in cells), **options)
