"""What can be done with orders that are open, from any page that shows them."""

from __future__ import annotations

from quant_trading_system.app.order_list import order_in_words
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question, listen, row_button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.ticket import ReplaceDialog
from quant_trading_system.core.commands import Cancel, CancelAll
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.research.markup import Markup, join, tag

_CANCEL, _REPLACE = "cancel-order", "replace-order"


def order_buttons(order_id: str, what: str, status: OrderStatus) -> Markup:
    """The buttons of an order; none once it has ended."""
    if status.is_terminal:
        return join()
    return tag(
        "span",
        row_button("Change…", _REPLACE, order_id, f"Change {what}"),
        row_button("Cancel…", _CANCEL, order_id, f"Cancel {what}"),
        class_="acts",
    )


class OrderDeeds:
    """Cancels and replaces what the buttons of a page name."""

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """Act as `actions`; one for each page."""
        self._hub = hub
        self._actions = actions
        self._question, self._replace = Question(), ReplaceDialog(actions)
        listen({_CANCEL: self._cancel, _REPLACE: self._change})

    def cancel_all(self) -> None:
        """Ask to cancel every open order and parent order."""
        says = "Every open order and every order of an algorithm is cancelled, exits included."
        self._question.ask(
            "Cancel all orders?", says, "Cancel all", lambda reason: self._actions.give(CancelAll(reason=reason))
        )

    async def _cancel(self, order_id: str) -> None:
        self._question.ask(
            "Cancel this order?",
            f"{self._words(order_id)}. What has filled stays.",
            "Cancel it",
            lambda reason: self._actions.give(Cancel(order_id=order_id, reason=reason)),
        )

    async def _change(self, order_id: str) -> None:
        self._replace.open_for(order_id, self._words(order_id))

    def _words(self, order_id: str) -> str:
        with self._hub.follower.lock:
            record = self._hub.follower.books.orders.open.get(order_id)
        return order_id if record is None or record.order is None else order_in_words(record.order)
