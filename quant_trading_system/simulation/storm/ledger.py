"""The auditor's own books, folded from the raw entries of the journal; it shares no code with the account's.

Entries are read as JSON and numbers as `Decimal`; the rules of the order states are written down here a second
time, so that a mistake in the first place shows.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.journal.entry import Row
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.storm.plainness import flaws_of, is_exact

ZERO = Decimal(0)

_OPEN = {"sent", "in_doubt", "held", "working", "partially_filled", "suspended", "done_for_day"}
_ENDED = {"filled", "canceled", "expired", "rejected", "replaced"}
_AT_BROKER = _OPEN - {"sent", "in_doubt"} | _ENDED
_MAY_BECOME: dict[str, set[str]] = {
    "": {"denied", "sent"},
    "denied": set(),
    "sent": _AT_BROKER | {"in_doubt", "unsent"},
    "unsent": set(),
    "in_doubt": _AT_BROKER | {"absent"},
    "absent": _AT_BROKER,
    "held": _AT_BROKER,
    "working": _AT_BROKER,
    "partially_filled": _AT_BROKER - {"held", "working"},
    "suspended": _AT_BROKER,
    "done_for_day": _AT_BROKER,
    **{status: {"filled"} for status in _ENDED - {"filled", "replaced"}},  # by a late fill that the broker proves
    "replaced": set(),
    "filled": set(),
}
_BY_CORRECTION = {("filled", "canceled"), ("partially_filled", "working")}
_CORRECTIONS = {"bust_part", "bust_all"}
_OFF = ("off", "[]")
_RULES_OF = {"strategy_budgets": ("strategy_value", "strategy_loss", "strategy_orders")}
"""Rules that do not bear the name of the limit that they ask about."""


class Booked:
    """One execution as it is booked now; 0 shares when the broker took it back."""

    __slots__ = ("cumulative", "fee", "price", "quantity")

    def __init__(self, quantity: Decimal, price: Decimal, fee: Decimal, cumulative: Decimal) -> None:
        self.quantity = quantity
        self.price = price
        self.fee = fee
        self.cumulative = cumulative


class Intent:
    """One order as the journal tells of it.

    Attributes:
        seq: of its first entry; `terms`: the order as it was decided about; `decision`: all that was known then.
        status: after the last entry; `pending`: what was asked of it; `reason`: why, in words.
        executions: by the broker's id; `was_corrected`: one of them was changed after it was booked.
        answered_for: a person has said since what is held, so that its executions need not say it any more.
        older: the order whose place it takes; `parent`: the one that leads its group.
    """

    def __init__(self, seq: int, body: dict[str, Any]) -> None:
        self.seq = seq
        self.order_id: str = body["order_id"]
        self.symbol: str = body["symbol"]
        self.terms: dict[str, Any] = body.get("order") or {}
        self.decision: dict[str, Any] = body.get("decision") or {}
        self.parent: str = body.get("parent", "")
        self.status = ""
        self.pending = "none"
        self.reason = ""
        self.venue_order_id = ""
        self.executions: dict[str, Booked] = {}
        self.was_corrected = self.answered_for = False
        self.older: Intent | None = None

    @property
    def is_open(self) -> bool:
        """It may trade."""
        return self.status in _OPEN

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self.terms.get("side") == "buy" else -1

    @property
    def filled(self) -> Decimal:
        """Shares, those of the orders whose place it took included: they are one intent."""
        own = sum((booked.quantity for booked in self.executions.values()), ZERO)
        return own if self.older is None else own + self.older.filled

    @property
    def fills(self) -> dict[Decimal, tuple[Decimal, Decimal]]:
        """Cumulative quantity to shares and price."""
        booked = (execution for execution in self.executions.values() if execution.quantity)
        return {execution.cumulative: (execution.quantity, execution.price) for execution in booked}

    @property
    def leaves(self) -> Decimal:
        """Shares that may still trade."""
        return max(Decimal(self.terms.get("quantity", "0")) - self.filled, ZERO) if self.is_open else ZERO

    def correct(self, execution_id: str, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        """Change an execution; those after it move up."""
        told = sorted(self.executions.values(), key=lambda booked: booked.cumulative)
        end = told[0].cumulative - told[0].quantity
        changed = self.executions[execution_id]
        changed.quantity, changed.price, changed.fee = quantity, price, fee
        for booked in told:
            end += booked.quantity
            booked.cumulative = end
        self.was_corrected = True


class Ledger:
    """What the entries so far add up to.

    Attributes:
        intents: orders by client order id.
        positions: signed shares by symbol; `cash`: dollars, None before the opening balance.
        adopted: entries that a named person answers for.
        problems: invariant and words of everything that an entry did that it may not do.
        peak, day_start: dollars, the baselines of the loss limits; None before they were told.
        openings: dates in New York on which a trading day was opened.
        activities: ids of the broker's entries beside trades that were booked.
        asked: keys of what people asked of the running engine.
        parents: shares that each parent order wants now.
        disarmed: the entry by which each strategy that may not speak was disarmed.
        activation: the latest of the kill switch that is on record.
    """

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.positions: dict[str, Decimal] = {}
        self.cash: Decimal | None = None
        self.adopted = 0
        self.problems: list[tuple[str, str]] = []
        self.peak: Decimal | None = None
        self.day_start: Decimal | None = None
        self.openings: set[str] = set()
        self.activities: set[str] = set()
        self.asked: set[str] = set()
        self.parents: dict[str, Decimal] = {}
        self.disarmed: dict[str, int] = {}
        self.activation = 0
        self._decode = msgspec.json.Decoder(float_hook=self._binary).decode
        self.limits_version = ""
        self.limits: dict[str, str] = {}

    def apply(self, row: Row) -> dict[str, Any]:
        """Fold one entry; its body as JSON."""
        body: dict[str, Any] = self._decode(row[6])
        self.problems += flaws_of(row[6])
        handler = getattr(self, f"_on_{row[2]}", None)
        if handler is not None:
            handler(row[0], body)
        return body

    def working(self, symbol: str) -> list[Intent]:
        """The orders of a symbol that may trade."""
        return [intent for intent in self.intents.values() if intent.symbol == symbol and intent.is_open]

    def limit(self, name: str) -> Decimal:
        """A limit in force, by the key of its section."""
        return next(Decimal(text) for key, text in self.limits.items() if key.endswith(f".{name}"))

    def broken_limit(self, risk: dict[str, Any]) -> str:
        """The loss limit that these numbers of the account break, empty when they break none."""
        if Decimal(risk["current_drawdown"]) > self.limit("max_drawdown_pct"):
            return f"a drawdown of {risk['current_drawdown']}"
        if -Decimal(risk["daily_pnl"]) > self.limit("max_daily_loss_pct") * Decimal(risk["day_start_equity"]):
            return f"a daily loss of {risk['daily_pnl']}"
        return f"{risk['rule']}" if risk["reason"] == "limit_breached" else ""

    def take_problems(self) -> list[tuple[str, str]]:
        """What was found since the last call."""
        found, self.problems = self.problems, []
        return found

    # -- entries ---------------------------------------------------------------------------------------------------

    def _on_run_started(self, _: int, body: dict[str, Any]) -> None:
        self._require_not_looser(body["limits"], "a start")
        self.limits_version, self.limits = body["limits_version"], body["limits"]

    def _on_limits_set(self, _: int, body: dict[str, Any]) -> None:
        if not body.get("approval"):
            self._require_not_looser(body["limits"], body["by"])
        self.limits_version, self.limits = body["version"], body["limits"]

    def _require_not_looser(self, limits: dict[str, str], by: str) -> None:
        """The file that people change lets more through only when somebody has approved it."""
        for key, text in limits.items():
            if key.endswith(".max_position_pct") and Decimal(text) > Decimal(self.limits.get(key, text)):
                self._problem("I31", f"{key} went from {self.limits[key]} to {text} by {by}, and nobody approved it")

    def _on_operator_acted(self, _: int, body: dict[str, Any]) -> None:
        if body["key"] in self.asked:
            self._problem("I9", f"{body['command']} was carried out twice for the key {body['key']}")
        self.asked.add(body["key"])

    def _on_order(self, seq: int, body: dict[str, Any]) -> None:
        order_id, status = body["order_id"], body["status"]
        intent = self.intents.get(order_id)
        if intent is None:
            intent = self.intents[order_id] = Intent(seq, body)
            if body.get("trigger") == "adopt":  # somebody else's, seen at the broker; nobody here decided about it
                intent.status, intent.pending = status, body.get("pending", "none")
                return
            self._explained(intent, body)
            intent.older = self.intents.get(body.get("replaces", ""))
        elif body.get("order"):
            self._problem("I9", f"{order_id} was decided about twice")
        before, trigger = intent.status, body.get("trigger")
        may = status in _MAY_BECOME[before] or (trigger in _CORRECTIONS and (before, status) in _BY_CORRECTION)
        if status != before and not may:
            self._problem("I5", f"{order_id} went from {before or 'nothing'} to {status} on {trigger}")
        if before in _ENDED and status == "filled" != before and not self._is_complete(intent):
            self._problem("I5", f"{order_id} left {before} without a fill that completes it")
        intent.status, intent.pending = status, body.get("pending", "none")
        intent.reason = body.get("reason", "")
        intent.venue_order_id = body.get("venue_order_id") or intent.venue_order_id

    def _on_fill(self, _: int, body: dict[str, Any]) -> None:
        order_id, symbol = body["order_id"], body["symbol"]
        intent = self.intents.get(order_id)
        quantity, price = Decimal(body["quantity"]), Decimal(body["price"])
        cumulative = Decimal(body["cumulative_quantity"])
        if intent is None:
            self._problem("I2", f"a fill of {order_id}, which was never decided about")
            return
        if cumulative in intent.fills or body["execution_id"] in intent.executions:
            self._problem("I2", f"{order_id}: the execution up to {cumulative} was booked twice")
        fee = Decimal(body.get("fee", "0"))
        if not is_exact(quantity, price, fee):
            self._problem("I14", f"{order_id}: {quantity} at {price} with a fee of {fee} is no exact number")
        intent.executions[body["execution_id"]] = Booked(quantity, price, fee, cumulative)
        self._move(symbol, body["side"], quantity, price, fee)
        self._compare("I3", "I4", symbol, body)

    def _on_fill_corrected(self, _: int, body: dict[str, Any]) -> None:
        order_id, symbol, side = body["order_id"], body["symbol"], body["side"]
        intent = self.intents.get(order_id)
        booked = None if intent is None else intent.executions.get(body["execution_id"])
        if intent is None or booked is None:
            self._problem("I13", f"{order_id}: a correction of {body['execution_id']}, which was never booked")
            return
        was = tuple(Decimal(body.get(name, "0")) for name in ("was_quantity", "was_price", "was_fee"))
        if was != (booked.quantity, booked.price, booked.fee):
            self._problem(
                "I13", f"{order_id}: a correction of {was}, and {booked.quantity} at {booked.price} is booked"
            )
        quantity, price, fee = (Decimal(body.get(name, "0")) for name in ("quantity", "price", "fee"))
        self._move(symbol, side, -booked.quantity, booked.price, -booked.fee)
        self._move(symbol, side, quantity, price, fee)
        intent.correct(body["execution_id"], quantity, price, fee)
        self._compare("I13", "I13", symbol, body)

    def _move(self, symbol: str, side: str, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        signed = quantity if side == "buy" else -quantity
        self.positions[symbol] = self.positions.get(symbol, ZERO) + signed
        if self.cash is not None:
            self.cash -= signed * price + fee

    def _compare(self, shares: str, money: str, symbol: str, body: dict[str, Any]) -> None:
        """What the entry says about the books afterwards, against ours."""
        said, ours = Decimal(body.get("position_quantity", "0")), self.positions[symbol]
        if said != ours:
            self._problem(shares, f"{symbol}: {said} on record, {ours} by the executions")
        if Decimal(body.get("cash", "0")) != self.cash:
            self._problem(money, f"cash: {body.get('cash')} on record, {self.cash} by the executions")

    def _on_activity_booked(self, _: int, body: dict[str, Any]) -> None:
        if body["activity_id"] in self.activities:
            self._problem("I4", f"{body['word']} of {body['amount']} was booked twice")
        self.activities.add(body["activity_id"])
        if self.cash is not None:
            self.cash += Decimal(body["amount"])
        if Decimal(body["cash"]) != self.cash:
            self._problem("I4", f"cash: {body['cash']} on record, {self.cash} with the broker's entries")
        if body["activity"] == "transfer":
            self.peak = self.day_start = None  # a transfer is neither a profit nor a loss

    def _on_cash_moved(self, _: int, body: dict[str, Any]) -> None:
        self.cash = Decimal(body["cash"])
        self.peak = self.day_start = None  # the baselines move with the money, so that a flow is no profit

    def _on_position_adopted(self, _: int, body: dict[str, Any]) -> None:
        self.adopted += 1
        symbol = body["symbol"]
        self.positions[symbol] = self.positions.get(symbol, ZERO) + Decimal(body["quantity"])
        self.peak = self.day_start = None  # what a person answers for is neither a profit nor a loss
        for intent in self.intents.values():
            intent.answered_for |= intent.symbol == symbol and bool(intent.executions)
        if not body.get("approved_by"):
            self._problem("I12", f"{symbol} was adopted on nobody's word")

    def _on_risk(self, _: int, body: dict[str, Any]) -> None:
        peak, day_start = Decimal(body["peak_equity"]), Decimal(body["day_start_equity"])
        reason = body["reason"]
        if reason == "day_opened":
            day = datetime.fromisoformat(body["at"]).astimezone(NEW_YORK).date().isoformat()
            if day in self.openings:
                self._problem("I35", f"the trading day {day} was opened twice")
            self.openings.add(day)
        elif reason != "rebased" and self.day_start not in (None, day_start):
            self._problem("I17", f"the day's opening equity went from {self.day_start} to {day_start} on {reason}")
        if reason != "rebased" and self.peak is not None and peak < self.peak:
            self._problem("I17", f"peak equity fell from {self.peak} to {peak} on {reason}")
        self.peak, self.day_start = peak, day_start

    def _on_kill_switch(self, _: int, body: dict[str, Any]) -> None:
        self.activation = max(self.activation, body.get("activation", 0))
        if not body.get("reason"):
            self._problem("I34", "the kill switch moved and nobody said why")

    def _on_parent(self, _: int, body: dict[str, Any]) -> None:
        self.parents[body["parent_id"]] = Decimal(body["quantity"])

    def _on_strategy_switched(self, seq: int, body: dict[str, Any]) -> None:
        if not body["armed"]:
            self.disarmed[body["strategy"]] = seq
            return
        self.disarmed.pop(body["strategy"], None)
        if not body.get("by"):
            self._problem("I18", f"{body['strategy']} was armed on nobody's word")

    # -- inside ----------------------------------------------------------------------------------------------------

    def children_of(self, parent_id: str) -> Decimal:
        """Shares that the slices of a parent order have traded, or may trade still."""
        slices = (intent for name, intent in self.intents.items() if name.rpartition("-")[0] == parent_id)
        return sum((intent.filled + intent.leaves for intent in slices), ZERO)

    def _binary(self, text: str) -> float:
        self._problem("I14", f"{text} is on record as a binary number")
        return float(text)

    def _is_complete(self, intent: Intent) -> bool:
        return intent.was_corrected or intent.filled >= Decimal(intent.terms.get("quantity", "0"))

    def limits_off(self) -> set[str]:
        """Rules about which nobody has to be asked: their limit is off, or their list is empty."""
        off = {key.partition(".")[2] for key, text in self.limits.items() if text in _OFF}
        off |= {rule for key in off & _RULES_OF.keys() for rule in _RULES_OF[key]}
        return off if self.limits.get("capital.use_unsettled_cash") == "false" else off | {"settled_cash"}

    def is_in_force(self, version: str) -> bool:
        """It names the limits of the run, or the part of them that a reset leaves for a while."""
        return bool(version) and version.partition(" x ")[0] == self.limits_version

    def _explained(self, intent: Intent, body: dict[str, Any]) -> None:
        """Every verdict says what was asked and what the answers were."""
        if intent.parent:
            self._led(intent)
            return
        decision = intent.decision
        if not decision or not intent.terms or not decision.get("checks") or not decision.get("limits_version"):
            self._problem("I34", f"{intent.order_id}: a verdict without its reasons")
        elif body["status"] == "denied":
            refused = [check for check in decision["checks"] if not check[1]]
            if not decision.get("refused_by") or (not refused and decision["refused_by"] != "kill_switch"):
                self._problem("I34", f"{intent.order_id} was refused, and no check says why")
        elif not self.is_in_force(decision["limits_version"]):
            self._problem("I34", f"{intent.order_id} was judged by limits that are not in force")

    def _led(self, leg: Intent) -> None:
        """A leg is what the verdict about the order that leads it was about."""
        leader = self.intents.get(leg.parent)
        if leader is None or not leader.decision:
            self._problem("I34", f"{leg.order_id}: nobody decided about {leg.parent}, which leads it")
            return
        exits = {
            ("limit", (leader.terms.get("take_profit") or {}).get("limit_price")),
            ("stop", (leader.terms.get("stop_loss") or {}).get("stop_price")),
        }
        own = (leg.terms["order_type"], leg.terms.get("limit_price") or leg.terms.get("stop_price"))
        if own not in exits or leg.sign == leader.sign or leg.terms["quantity"] != leader.terms["quantity"]:
            self._problem("I36", f"{leg.order_id} is no exit of {leg.parent}")

    def _problem(self, invariant: str, words: str) -> None:
        self.problems.append((invariant, words))
