"""Positions, what they are worth, and how they spread over sectors."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.positions import Holdings, PositionLine
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import count, money, percent, price, shares, signed_money
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (
    Column("Symbol"),
    Column("Shares", is_number=True),
    Column("Average", is_number=True),
    Column("Last known", is_number=True),
    Column("Value", is_number=True),
    Column("Weight", is_number=True),
    Column("Unrealized", is_number=True),
    Column("Realized", is_number=True),
    Column("Sector"),
)
_PAGE = 100


class PositionsPage:
    """What the account holds."""

    title = "Positions"

    def __init__(self, hub: Hub, offset: int) -> None:
        """Show the page after `offset` larger positions."""
        self._hub = hub
        self._offset = max(offset, 0)

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        ui.html(sheet.slot("sums", slots["sums"], "div", class_="tiles"), sanitize=False)
        table = sheet.table("positions", _COLUMNS, self.tables()["positions"], "Positions, the largest first")
        note = "Values are at the last price that the journal tells of: of a fill, or of the quote at a decision."
        below = join(
            sheet.slot("none", slots["none"], "div"), sheet.slot("pager", slots["pager"], "div", class_="pager")
        )
        body = join(table, below, tag("p", note, class_="soft"))
        ui.html(tag("div", panel("Open positions", body), class_="grid"), sanitize=False)
        ui.html(sheet.slot("closed", slots["closed"], "div", class_="grid", style="margin-top:12px"), sanitize=False)

    def slots(self) -> Slots:
        held = self._hub.overview().holdings
        advice = "They appear with the first fill."
        return {
            "sums": _sums(held),
            "none": join() if held.positions else empty("Nothing is held", advice),
            "pager": self._pager(len(held.positions)),
            "closed": _closed(held),
        }

    def tables(self) -> Tables:
        held = self._hub.overview().holdings.positions
        return {"positions": [_row(line) for line in held[self._offset : self._offset + _PAGE]]}

    def redraw(self) -> None:
        """It has no charts."""

    def _pager(self, total: int) -> Markup:
        """The way to larger and smaller positions, where one page does not show all."""
        if total <= _PAGE and not self._offset:
            return join()
        last = min(self._offset + _PAGE, total)
        said = f"{count(self._offset + 1)} to {count(last)} of {count(total)}" if self._offset < total else ""
        larger = tag("a", "← larger", href=_address(max(self._offset - _PAGE, 0))) if self._offset else join()
        smaller = tag("a", "smaller →", href=_address(last)) if last < total else join()
        return join(tag("span", larger), tag("span", said), tag("span", smaller))


def _address(offset: int) -> str:
    return f"/positions?offset={offset}" if offset else "/positions"


def _sums(held: Holdings) -> Markup:
    figures = (
        ("Long", money(held.long)),
        ("Short", money(held.short)),
        ("Net", money(held.net)),
        ("Unrealized", signed_money(held.unrealized)),
        ("Realized", signed_money(held.realized)),
        ("Cash", money(held.cash)),
    )
    return join(*(tag("div", tag("span", name), tag("strong", value), class_="tile") for name, value in figures))


def _row(line: PositionLine) -> Row:
    link = tag("a", line.symbol, href=f"/orders?symbol={line.symbol}", title=line.name)
    return row(
        line.symbol,
        cell(link, kind="wide"),
        cell(shares(line.quantity), "shares", "num"),
        cell(price(line.average_price), "average", "num"),
        cell(price(line.price), "last", "num"),
        cell(money(line.value), "value", "num"),
        cell(percent(line.weight, 1), "weight", "num"),
        cell(signed_money(line.unrealized), "unrealized", "num"),
        cell(signed_money(line.realized), "realized", "num"),
        cell(tag("span", line.sector, class_="soft")),
    )


def _closed(held: Holdings) -> Markup:
    if not held.closed:
        return join()
    lines = (
        tag("li", tag("a", symbol, href=f"/orders?symbol={symbol}"), " ", signed_money(result))
        for symbol, result in sorted(held.closed.items())
    )
    return panel("Closed, with what they realized", tag("ul", *lines, class_="list columns"))
