"""What one open page shows, remembered, so that only what has changed is sent to the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quant_trading_system.console.pages.words import prose
from quant_trading_system.research.markup import Markup, join, tag


class Row(NamedTuple):
    """One row of a table; `key` tells it from the others while its content changes."""

    key: str
    html: Markup


class Column(NamedTuple):
    """A column of a table; `is_number` aligns it right."""

    name: str
    is_number: bool = False


Slots = Mapping[str, Markup]
Tables = Mapping[str, Sequence[Row]]


class Sheet:
    """The slots and rows of one page as the browser has them."""

    def __init__(self) -> None:
        self._slots: dict[str, Markup] = {}
        self._rows: dict[str, dict[str, Markup]] = {}

    def slot(self, name: str, content: Markup, element: str = "span", **attributes: str) -> Markup:
        """An element whose content is kept up to date."""
        self._slots[name] = content
        return tag(element, content, data_slot=name, **attributes)

    def table(self, name: str, columns: Sequence[Column], rows: Sequence[Row], caption: str) -> Markup:
        """A table whose rows are kept up to date; `caption` is read out and not shown."""
        self._rows[name] = {row.key: row.html for row in rows}
        head = (tag("th", column.name, scope="col", class_="num" if column.is_number else None) for column in columns)
        return tag(
            "div",
            tag(
                "table",
                tag("caption", caption, class_="sr-only"),
                tag("thead", tag("tr", *head)),
                tag("tbody", *(row.html for row in rows), data_rows=name),
                class_="rows cards",
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label=caption,
        )

    def script(self, slots: Slots, tables: Tables) -> str:
        """The call that brings the browser up to date; empty when it is."""
        changed = {name: html for name, html in slots.items() if self._slots.get(name, html) != html}
        moved = {name: self._moved(name, rows) for name, rows in tables.items() if name in self._rows}
        moved = {name: change for name, change in moved.items() if change}
        self._slots.update(changed)
        if not changed and not moved:
            return ""
        given = (json.dumps(part) for part in (changed, moved))
        return f"qts.patch({', '.join(given)})"

    def _moved(self, name: str, rows: Sequence[Row]) -> dict[str, object]:
        before, now = self._rows[name], {row.key: row.html for row in rows}
        self._rows[name] = now
        fresh = {key: html for key, html in now.items() if before.get(key) != html}
        return {"order": list(now), "rows": fresh} if fresh or list(now) != list(before) else {}


def cell(content: str, label: str = "", kind: str = "") -> Markup:
    """A cell; `label` stands before it where columns have no room."""
    return tag("td", content, data_label=label or None, class_=kind or None)


def row(key: str, *cells: Markup, kind: str = "") -> Row:
    """A row of cells."""
    return Row(key, tag("tr", *cells, data_key=key, class_=kind or None))


def panel(title: str, *content: Markup, size: str = "s12") -> Markup:
    """A box with a heading."""
    return tag("section", tag("h2", title) if title else join(), *content, class_=f"panel {size}")


def empty(title: str, advice: str | Markup) -> Markup:
    """What stands where there is nothing yet: what it will be, and how to get there."""
    said = advice if isinstance(advice, Markup) else prose(advice)
    return tag("div", tag("strong", title), said, class_="empty")


def nothing() -> Markup:
    """No content."""
    return join()
