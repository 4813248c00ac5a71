"""Writing orders on a page: the ticket with the gate's answer before it is sent, replacing, and parent orders."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from nicegui import ui

from quant_trading_system.app.check_lines import nearest
from quant_trading_system.app.refusal import number_in, refusal_of
from quant_trading_system.app.ticket_text import TicketText, number
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Dialog, button
from quant_trading_system.console.pages.words import percent, price
from quant_trading_system.core.commands import Check, Outcome, PlaceOrder, ReplaceOrder, Result, StartParent
from quant_trading_system.core.exceptions import ConfigurationError, TradingError
from quant_trading_system.core.orders import OrderSide, TimeInForce
from quant_trading_system.core.ticket import Ticket
from quant_trading_system.research.markup import Markup, join, tag

Kind = TypeVar("Kind", bound=Ticket)
_SIDES = {"buy": "Buy", "sell": "Sell"}
_NUMBERS = {
    "quantity": "Shares",
    "notional": "or dollars",
    "limit": "Limit price",
    "stop": "Stop price",
    "trail_price": "Trail, dollars",
    "trail_percent": "Trail, percent",
    "take_profit": "Take profit at",
    "stop_loss": "Stop loss at",
}
_SIMPLE = ("quantity", "notional", "limit")
_FLAGS = {
    "extended_hours": "Also outside regular hours",
    "reduce_only": "Only if it shrinks the position",
    "repeat": "The same order again is meant",
}
ALGORITHMS = {
    "auto": "Let the planner choose",
    "twap": "TWAP: evenly over time",
    "vwap": "VWAP: as others trade",
    "pov": "POV: a part of the volume",
    "shortfall": "Implementation shortfall",
    "adaptive": "Adaptive shortfall",
    "iceberg": "Iceberg",
    "peg": "Pegged to the quote",
    "opening_auction": "Opening auction",
    "closing_auction": "Closing auction",
}
"""What a page offers for `StartParent.algorithm`."""


class TicketDialog(Dialog):
    """An order by hand. The gate is asked first; what it has let through can be sent, as long as nothing is changed."""

    def __init__(self, actions: Actions) -> None:
        """Send as `actions`."""
        super().__init__("New order")
        self._actions = actions
        self._checked: dict[str, object] | None = None
        with self.box:
            with ui.element("div").classes("fields"):
                self._symbol = _text("Symbol", "ticket-symbol", self._changed)
                self._side = ui.radio(_SIDES, value="buy", on_change=self._changed).props("dense inline")
                self._tif = ui.select(
                    {tif.value: tif.value.upper() for tif in TimeInForce}, value="day", label="Time in force"
                ).props('outlined dense hide-bottom-space for="ticket-tif"')
                self._tif.on_value_change(self._changed)
                self._numbers = {field: self._number(field) for field in _SIMPLE}
            with ui.expansion("Stops, exits and conditions").classes("more").props("dense"):
                with ui.element("div").classes("fields"):
                    self._numbers |= {field: self._number(field) for field in _NUMBERS if field not in _SIMPLE}
                self._flags = {
                    field: ui.checkbox(name, on_change=self._changed).props("dense") for field, name in _FLAGS.items()
                }
            self._verdict = ui.html("", sanitize=False).props('aria-live="polite"')
        with self.actions:
            button("Check", self._check, id_="check")
            self._send = button("Send", self._submit, kind="plain do", id_="send")
        self._changed()

    def open_new(self, symbol: str = "") -> None:
        """An empty ticket."""
        self._symbol.value = symbol
        for field in self._numbers.values():
            field.value = ""
        for flag in self._flags.values():
            flag.value = False
        self._changed()
        self.open()

    def _number(self, field: str) -> ui.input:
        return _text(_NUMBERS[field], f"ticket-{field}", self._changed)

    def _given(self) -> dict[str, object]:
        return {
            "symbol": str(self._symbol.value or ""),
            "side": self._side.value,
            "tif": self._tif.value,
            **{field: str(text.value or "") for field, text in self._numbers.items()},
            **{field: bool(box.value) for field, box in self._flags.items()},
        }

    def _ticket(self, kind: type[Kind]) -> Kind:
        given = self._given()
        if not str(given["symbol"]).strip():
            raise ConfigurationError("Symbol is empty")
        text = TicketText(**{field: str(given[field]) for field in _NUMBERS})
        flags = {field: bool(given[field]) for field in _FLAGS}
        side, tif = OrderSide(str(given["side"])), TimeInForce(str(given["tif"]))
        return text.ticket(kind, side, str(given["symbol"]), tif, flags, _NUMBERS)

    def _changed(self, _: Any = None) -> None:
        """What was checked is not what stands there any more."""
        if self._checked == self._given():
            return
        self._checked = None
        self._send.set_visibility(False)
        if hasattr(self, "_verdict"):
            self._verdict.set_content("")

    async def _check(self) -> None:
        given = self._given()
        self.complain("")
        try:
            outcome = await self._actions.give(self._ticket(Check))
        except TradingError as error:
            self.complain(str(error))
            return
        passes = outcome.result is Result.DONE
        self._checked = given if passes else None
        self._verdict.set_content(_verdict(outcome))
        self._send.set_visibility(passes)

    async def _submit(self) -> None:
        if self._checked is None or self._checked != self._given():
            self.complain("Check it first: it is not what the gate has seen.")
            return
        self._checked = None
        self._send.set_visibility(False)  # a second click sends nothing
        await self.do(lambda: self._actions.give(self._ticket(PlaceOrder)))


class ReplaceDialog(Dialog):
    """Changes an open order; what is left empty stays."""

    _FIELDS: Mapping[str, str] = {
        "quantity": "Shares in all",
        "limit_price": "Limit price",
        "stop_price": "Stop price",
        "trail": "Trail",
    }

    def __init__(self, actions: Actions) -> None:
        """Ask as `actions`."""
        super().__init__("Change an order")
        self._actions = actions
        self._order_id = ""
        with self.box:
            self._says = ui.html("", sanitize=False).classes("soft")
            with ui.element("div").classes("fields"):
                self._numbers = {field: _text(name, f"replace-{field}") for field, name in self._FIELDS.items()}
        with self.actions:
            button("Change it", self._confirm, kind="plain do", id_="confirm-replace")

    def open_for(self, order_id: str, words: str) -> None:
        """Change the order of that id, `words` for short."""
        self._order_id = order_id
        self._says.set_content(join(f"{words}. What stays empty stays as it is."))
        for field in self._numbers.values():
            field.value = ""
        self.open()

    async def _confirm(self) -> None:
        async def work() -> Outcome:
            found: dict[str, Any] = _numbers(self._numbers, self._FIELDS)
            return await self._actions.give(ReplaceOrder(order_id=self._order_id, **found))

        await self.do(work)


class ParentDialog(Dialog):
    """A large order that an execution algorithm works."""

    _FIELDS: Mapping[str, str] = {
        "quantity": "Shares",
        "limit_price": "Worst price",
        "minutes": "Minutes, at most",
        "participation": "Volume share",
        "display": "Shares shown",
    }

    def __init__(self, actions: Actions) -> None:
        """Ask as `actions`."""
        super().__init__("Trade by an algorithm")
        self._actions = actions
        with self.box, ui.element("div").classes("fields"):
            self._symbol = _text("Symbol", "parent-symbol")
            self._side = ui.radio(_SIDES, value="buy").props("dense inline")
            self._algorithm = ui.select(ALGORITHMS, value="auto", label="Algorithm").props(
                'outlined dense hide-bottom-space for="parent-algorithm"'
            )
            self._algorithm.classes("two")
            self._numbers = {field: _text(name, f"parent-{field}") for field, name in self._FIELDS.items()}
            self._reduce = ui.checkbox("Only if it shrinks the position").props("dense").classes("full")
        with self.actions:
            button("Start it", self._confirm, kind="plain do", id_="confirm-parent")

    async def _confirm(self) -> None:
        await self.do(self._start)

    async def _start(self) -> Outcome:
        found = _numbers(self._numbers, self._FIELDS)
        quantity, minutes = found["quantity"], found["minutes"]
        symbol = str(self._symbol.value or "").strip().upper()
        if quantity is None or not symbol:
            raise ConfigurationError("give a symbol and shares")
        return await self._actions.give(
            StartParent(
                symbol=symbol,
                side=OrderSide(self._side.value),
                quantity=quantity,
                algorithm=str(self._algorithm.value),
                limit_price=found["limit_price"],
                minutes=_whole(minutes),
                participation=found["participation"],
                display=found["display"],
                reduce_only=bool(self._reduce.value),
            )
        )


def _text(name: str, id_: str, changed: Any = None) -> ui.input:
    """A field; numbers are typed as text, for they are read exactly."""
    return ui.input(name, on_change=changed).props(
        f'outlined dense hide-bottom-space maxlength=32 autocomplete=off for="{id_}"'
    )


def _numbers(fields: Mapping[str, ui.input], names: Mapping[str, str]) -> dict[str, Decimal | None]:
    """What stands in the fields, None where nothing does."""
    return {field: number(str(text.value or ""), names[field]) for field, text in fields.items()}


def _whole(value: Decimal | None) -> int | None:
    if value is None:
        return None
    if value != value.to_integral_value() or not 1 <= value <= 24 * 60:
        raise ConfigurationError("Minutes are a whole number from 1 to 1440")
    return int(value)


def _verdict(outcome: Outcome) -> Markup:
    """The gate's answer, and the limits that are nearest."""
    passes = outcome.result is Result.DONE
    words = outcome.message[:1].upper() + outcome.message[1:]
    decision = outcome.decision
    if decision is None:
        return tag("div", words, class_="said no")
    words = words if passes else refusal_of(decision).replace("Refused:", "Would be refused:") or words
    quote, plan = decision.quote, decision.plan
    seen = [] if quote is None else [f"Quote {price(quote.bid)} to {price(quote.ask)}"]
    if plan is not None and plan.expected_price is not None:
        seen.append(f"expected {price(plan.expected_price)} a share")
    rows = (
        tag(
            "tr",
            tag("td", use.check.rule.value.replace("_", " ")),
            tag("td", number_in(use.check, use.actual), class_="num"),
            tag("td", number_in(use.check, use.limit), class_="num"),
            tag("td", percent(use.share, 0), class_="num"),
            class_=None if use.check.passed else "refused bad",
        )
        for use in nearest(decision.checks)
    )
    heads = (tag("th", name, scope="col", class_="num" if name else None) for name in ("", "Would be", "Limit", "Used"))
    numbers = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="rows small-rows")
    about = tag("p", ", ".join(seen), class_="soft") if seen else join()
    return tag("div", tag("strong", words), about, numbers, class_=f"said {'ok' if passes else 'no'}")
