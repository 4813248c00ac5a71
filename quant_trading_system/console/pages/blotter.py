"""The orders, newest first: filters, pages, and of each refusal one sentence that says why."""

from __future__ import annotations

from urllib.parse import urlencode

from nicegui import ui

from quant_trading_system.app.order_list import OrderFilter, OrderLine
from quant_trading_system.app.readings.orders import OrderPage, order_page
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.order_deeds import OrderDeeds, order_buttons
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, row
from quant_trading_system.console.pages.ticket import TicketDialog
from quant_trading_system.console.pages.words import count, moment, price, shares
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import Markup, join, tag

COLUMNS = (
    Column("Time (UTC)"),
    Column("Order"),
    Column("Filled", is_number=True),
    Column("Average", is_number=True),
    Column("Status"),
    Column("Strategy"),
)
_PAGE = 50
_NAMES = {
    OrderGroup.ALL: "All",
    OrderGroup.OPEN: "Open",
    OrderGroup.FILLED: "Filled",
    OrderGroup.REFUSED: "Refused",
    OrderGroup.ENDED: "Cancelled or expired",
}


class BlotterPage:
    """The orders that a filter wants."""

    title = "Orders"

    def __init__(self, hub: Hub, actions: Actions, wanted: OrderFilter, offset: int) -> None:
        """Show the page after `offset` newer orders, with the way to act on them for those who may."""
        self._hub = hub
        self._actions = actions
        self._acts = actions.may(Role.TRADER)
        self._wanted = wanted
        self._offset = max(offset, 0)
        self._read: tuple[int, OrderPage] | None = None

    def build(self, sheet: Sheet) -> None:
        slots, tables = self.slots(), self.tables()
        if self._acts:
            deeds = OrderDeeds(self._hub, self._actions)
            with ui.element("div").classes("bar-of-buttons"):
                button("New order…", TicketDialog(self._actions).open_new, kind="plain do", id_="new-order")
                button("Cancel all…", deeds.cancel_all, id_="cancel-all")
        ui.html(sheet.slot("tabs", slots["tabs"], "div", class_="tabs"), sanitize=False)
        ui.html(self._form(), sanitize=False)
        columns = (*COLUMNS, Column("", is_number=True)) if self._acts else COLUMNS
        table = sheet.table("orders", columns, tables["orders"], "Orders, the newest first")
        below = join(
            sheet.slot("none", slots["none"], "div"), sheet.slot("pager", slots["pager"], "div", class_="pager")
        )
        ui.html(tag("section", table, below, class_="panel"), sanitize=False)

    def slots(self) -> Slots:
        page = self._page()
        return {"tabs": self._tabs(page), "pager": self._pager(page), "none": self._none(page)}

    def tables(self) -> Tables:
        return {"orders": [order_row(line, acts=self._acts) for line in self._page().rows]}

    def redraw(self) -> None:
        """It has no charts."""

    def _page(self) -> OrderPage:
        """Once a version, for it looks through all orders that are kept."""
        if self._read is None or self._read[0] != self._hub.version:
            found = order_page(self._hub.follower, self._wanted, offset=self._offset, limit=_PAGE)
            self._read = (self._hub.version, found)
        return self._read[1]

    def _address(self, group: OrderGroup, offset: int = 0) -> str:
        given = {
            "group": group.value,
            "symbol": self._wanted.symbol,
            "strategy": self._wanted.strategy,
            "text": self._wanted.text,
            "offset": str(offset) if offset else "",
        }
        return f"/orders?{urlencode({name: value for name, value in given.items() if value})}"

    def _tabs(self, page: OrderPage) -> Markup:
        return join(
            *(
                tag(
                    "a",
                    f"{name} {count(page.counts[group.value])}",
                    href=self._address(group),
                    aria_current="page" if group is self._wanted.group else None,
                )
                for group, name in _NAMES.items()
            )
        )

    def _form(self) -> Markup:
        page = self._page()
        return tag(
            "form",
            tag("input", type="hidden", name_="group", value=self._wanted.group.value),
            _choice("symbol", "Any symbol", page.symbols, self._wanted.symbol),
            _choice("strategy", "Any strategy", page.strategies, self._wanted.strategy),
            tag(
                "input",
                type="search",
                name_="text",
                value=self._wanted.text,
                placeholder="Order id, symbol or words",
                aria_label="Search orders",
            ),
            tag("button", "Filter", type="submit", class_="plain"),
            method="get",
            action="/orders",
            class_="filters",
            style="margin-top:10px",
        )

    def _none(self, page: OrderPage) -> Markup:
        if page.rows:
            return join()
        if page.counts["all"]:
            return empty("No such orders", tag("a", "Show all", href=self._address(OrderGroup.ALL)))
        return empty("No orders yet", "They appear here as soon as a strategy or a person asks for one.")

    def _pager(self, page: OrderPage) -> Markup:
        first, last = self._offset + 1, self._offset + len(page.rows)
        older = page.dropped and last == page.total
        said = f"{count(first)} to {count(last)} of {count(page.total)}" if page.rows else ""
        said += f"; {count(page.dropped)} older ones: qts orders" if older else ""
        group = self._wanted.group
        newer = tag("a", "← newer", href=self._address(group, max(self._offset - _PAGE, 0))) if self._offset else join()
        further = tag("a", "older →", href=self._address(group, last)) if last < page.total else join()
        return join(tag("span", newer), tag("span", said), tag("span", further))


def order_row(line: OrderLine, *, acts: bool = False) -> Row:
    """An order as a row; a refusal says why in a sentence of its own. With `acts`, an open one has its buttons."""
    said = line.refusal or (line.why if line.status in (OrderStatus.REJECTED, OrderStatus.IN_DOUBT) else "")
    what = join(
        tag("a", line.what, href=f"/orders/{line.order_id}"),
        tag("span", said, class_="why") if said else join(),
    )
    refused = line.status in (OrderStatus.DENIED, OrderStatus.REJECTED)
    return row(
        line.order_id,
        cell(moment(line.at), kind="time"),
        cell(what, kind="wide"),
        cell(
            f"{shares(line.filled)} / {shares(line.quantity)}" if line.quantity else shares(line.filled),
            "filled",
            "num",
        ),
        cell(price(line.average_price), "average", "num"),
        cell(status_of(line.status, line.pending)),
        cell(tag("span", line.strategy, class_="soft")),
        *((cell(order_buttons(line.order_id, line.what, line.status), kind="num"),) if acts else ()),
        kind="refused" if refused else "",
    )


def status_of(status: OrderStatus, pending: PendingRequest = PendingRequest.NONE) -> Markup:
    """The status in words; red where nothing was or may be as it was meant."""
    words = "refused" if status is OrderStatus.DENIED else status.value.replace("_", " ")
    is_bad = status in (OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.IN_DOUBT)
    more = f", {pending.value} asked" if pending is not PendingRequest.NONE else ""
    return tag("span", words + more, class_="status refused" if is_bad else "status")


def _choice(name: str, every: str, values: tuple[str, ...], chosen: str) -> Markup:
    options = (tag("option", value, value=value, selected="" if value == chosen else None) for value in values if value)
    return tag("select", tag("option", every, value=""), *options, name_=name, aria_label=every)
