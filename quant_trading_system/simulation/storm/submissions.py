"""The checks at the moment at which an order leaves: everything that has to be true before the first byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.execution.transport import Request
from quant_trading_system.simulation.alpaca_server.in_process import Reply
from quant_trading_system.simulation.storm.disk import Disk
from quant_trading_system.simulation.storm.findings import Findings
from quant_trading_system.simulation.storm.ledger import ZERO, Intent, Ledger
from quant_trading_system.simulation.storm.life import Life
from quant_trading_system.simulation.storm.plainness import is_exact

_TERMS = {
    "symbol": "symbol",
    "side": "side",
    "type": "order_type",
    "time_in_force": "time_in_force",
    "qty": "quantity",
    "limit_price": "limit_price",
    "stop_price": "stop_price",
}
"""Names on the wire and in the journal."""
_NUMBERS = frozenset({"qty", "limit_price", "stop_price"})
_KEPT_BY_LESS = ("symbol", "side", "order_type", "time_in_force", "stop_price", "trail_price", "trail_percent")
_NEVER_IN_VERDICT = frozenset({Rule.CHECK_FAILED.value})
H_ABSENT, N_ABSENT = timedelta(minutes=2), 3
"""An order that was sent is given up after so long and so many denials in a row, and never before."""
T_LEAVES = 3
"""Seconds from the verdict to the wire."""
T_UNWATCHED = 10.0
"""Seconds without a watchdog after which no order leaves that adds risk."""
_TOLERANCE = Decimal("1.02")
_PAGES = ("/v2/positions", "/v2/account", "/v2/orders")


class _Shown(msgspec.Struct):
    """An order in a list that was read."""

    client_order_id: str


class SubmissionRules:
    """Judges every order on the wire.

    Attributes:
        was_halted: the latch is active.
        is_off: the wall clock is wrong by more than the limit.
        is_skewed: our clock has differed from the broker's by more than the limit for a while.
        unwatched_since: seconds on the true clock at which the watchdog died, None while it lives or none is wanted.
    """

    def __init__(self, findings: Findings, disk: Disk) -> None:
        self.was_halted = False
        self.is_off = False
        self.is_skewed = False
        self.unwatched_since: float | None = None
        self._findings = findings
        self._disk = disk
        self._unasked: set[str] = set()
        self._of_day: Counter[str] = Counter()
        self._denials: Counter[str] = Counter()
        self._left_at: dict[str, float] = {}
        self._unread: set[str] = set(_PAGES)
        self._has_connected = False

    def life_began(self, ledger: Ledger) -> None:
        """Nothing is known any more: everything has to be asked again before an order leaves."""
        self._unread = set(_PAGES)
        self._has_connected = False
        self._unasked = {intent.order_id for intent in ledger.intents.values() if intent.is_open and not intent.parent}

    def connected(self) -> None:
        """The account hears the broker from now on; what it read before may be old already."""
        if not self._has_connected:
            self._has_connected = True
            self._unread = set(_PAGES)

    def answer_read(self, request: Request, reply: Reply) -> None:
        """The account knows something."""
        if request.method != "GET" or reply.status not in (200, 404):
            return
        name = dict(request.query).get("client_order_id", "")
        if reply.status == 404:
            self._denials[name] += 1
        else:
            self._denials.pop(name, None)
            self._unread.discard(request.path)
        if request.path == "/v2/orders:by_client_order_id":
            self._unasked.discard(name)
        elif request.path == "/v2/orders" and self._unasked:
            self._unasked -= _shown(reply.body)

    def require_denials(self, name: str, now: float) -> None:
        """An order is given up: the broker has denied it often enough, and it cannot be travelling any more."""
        denials, age = self._denials[name], now - self._left_at.get(name, -1.0e9)
        enough = denials >= N_ABSENT and age >= H_ABSENT.total_seconds() - 1
        self._findings.require("I10", enough, f"{name} is given up after {denials} denials and {age:.0f} s")

    def judge(
        self, request: Request, ledger: Ledger, sent: dict[str, int], life: Life, now: float, at: datetime
    ) -> None:
        """An order is about to leave, at the true time `at`."""
        body: dict[str, Any] = msgspec.json.decode(request.body)
        name = body.get("client_order_id", "")
        require = self._findings.require
        self._findings.tell(f"{request.method}: {name} {body.get('side')} {body.get('qty')} {body.get('symbol')}")
        require("I9", name not in sent, lambda: f"{name} leaves a second time")
        sent[name] = life.number
        self._left_at[name] = now
        intent = ledger.intents.get(name)
        fenced = life.epoch == self._disk.epoch
        require("I27", fenced, lambda: f"{name} leaves under epoch {life.epoch}, and {self._disk.epoch} has the lock")
        if intent is None:
            self._findings.report("I1", f"{name} leaves and no verdict about it was ever written")
            return
        require("I23", intent.seq <= self._disk.synced, lambda: f"{name} leaves before its record is durable")
        if request.method == "PATCH":
            self._judge_change(intent, body, request.path.rpartition("/")[2])
        else:
            self._judge_terms(intent, body, _TERMS)
        self._judge_verdict(intent, ledger)
        self._judge_halt(intent)
        self._judge_price(intent, ledger, at)
        self._judge_exposure(intent, ledger)
        self._judge_parent(intent, ledger)
        self._judge_pace(intent, ledger)
        if not shrinks(intent):
            unwatched = self.unwatched_since is not None and now - self.unwatched_since > T_UNWATCHED
            require("I16", not unwatched, lambda: f"{name} leaves, and nobody has watched for a while")
            require("I35", not self.is_skewed, lambda: f"{name} leaves, and nobody knows what time it is")
            doubtful = [other.order_id for other in ledger.working(intent.symbol) if other.status == "in_doubt"]
            require("I11", not doubtful, lambda: f"{name} leaves while {', '.join(doubtful)} is in doubt")
            require("I26", not self._unread, lambda: f"{name} leaves before {', '.join(sorted(self._unread))} was read")
            unasked = sorted(self._unasked)
            require("I26", not unasked, lambda: f"{name} leaves before anybody asked about {', '.join(unasked)}")

    def _judge_terms(self, intent: Intent, body: dict[str, Any], names: Mapping[str, str]) -> None:
        inexact = [wire for wire in _NUMBERS & body.keys() if not _is_text(body[wire])]
        self._findings.require("I14", not inexact, lambda: f"{intent.order_id} leaves with an inexact {inexact}")
        differing = [wire for wire, ours in names.items() if not _same(wire, body.get(wire), intent.terms.get(ours))]
        words = f"{intent.order_id} leaves with another {', '.join(differing)} than was judged"
        self._findings.require("I1", not differing, words)

    def _judge_change(self, intent: Intent, body: dict[str, Any], venue_order_id: str) -> None:
        """What is named is what was judged, what is not named stays, and it is the order that was meant."""
        old = intent.older
        if old is None or old.venue_order_id != venue_order_id:
            self._findings.report("I9", f"{intent.order_id} takes the place of an order that was not meant")
            return
        named = {wire: ours for wire, ours in _TERMS.items() if wire in body}
        self._judge_terms(intent, body, named)
        kept = {wire: ours for wire, ours in _TERMS.items() if wire not in body}
        self._judge_terms(intent, {wire: old.terms.get(ours) for wire, ours in kept.items()}, kept)

    def _judge_verdict(self, intent: Intent, ledger: Ledger) -> None:
        name, decision, require = intent.order_id, intent.decision, self._findings.require
        failed = [check[0] for check in decision.get("checks", ()) if not check[1]]
        require("I1", not failed and not decision.get("refused_by"), lambda: f"{name} leaves although {failed} said no")
        require("I1", ledger.is_in_force(decision.get("limits_version", "")), lambda: f"{name}: limits not in force")
        asked = {check[0] for check in decision.get("checks", ())}
        missing = {rule.value for rule in Rule} - _NEVER_IN_VERDICT - ledger.limits_off() - asked
        require("I1", not missing, lambda: f"{name} leaves and nobody asked {sorted(missing)}")

    def _judge_halt(self, intent: Intent) -> None:
        level = self._disk.latch.level
        may = level is HaltLevel.RUNNING or (level is not HaltLevel.HALTED and shrinks(intent))
        for invariant in ("I1", "I7", "I20"):
            self._findings.require(invariant, may, lambda: f"{intent.order_id} leaves while {level.name}")

    def _judge_price(self, intent: Intent, ledger: Ledger, at: datetime) -> None:
        """A quote is as fresh as was judged; while our clock is wrong, by the true time, as nearly as it is known."""
        decision = intent.decision
        quote = decision.get("quote")
        if quote is None:
            self._findings.report("I16", f"{intent.order_id} leaves without any price")
            return
        bid, ask = Decimal(quote["bid"]), Decimal(quote["ask"])
        sane = bid.is_finite() and ask.is_finite() and ZERO < bid < ask
        age = (at if self.is_off else _moment(decision["at"])) - _moment(quote["at"])
        limit, skew = ledger.limit("max_quote_age_s"), ledger.limit("max_clock_skew_s")
        least = -skew if self.is_off or shrinks(intent) else Decimal(-1)
        most = limit + skew + T_LEAVES if self.is_off else limit
        self._findings.require("I16", sane, lambda: f"{intent.order_id} leaves on a quote of {bid} to {ask}")
        fresh = least <= Decimal(str(age.total_seconds())) <= most
        self._findings.require("I16", fresh, lambda: f"{intent.order_id} leaves on a quote that is {age} old")

    def _judge_parent(self, intent: Intent, ledger: Ledger) -> None:
        """All slices of a parent order together are for no more shares than it wants."""
        parent = intent.order_id.rpartition("-")[0]
        wanted = ledger.parents.get(parent)
        if wanted is not None:
            out = ledger.children_of(parent)
            self._findings.require("I6", out <= wanted, lambda: f"{intent.order_id}: {out} are out of {wanted} wanted")

    def _judge_pace(self, intent: Intent, ledger: Ledger) -> None:
        """What adds risk stays within the day's number of orders, over all lives, and comes from who may speak."""
        today = intent.decision["at"][:10]
        self._of_day[today] += 1
        if shrinks(intent):
            return
        count, limit = self._of_day[today], ledger.limit("max_orders_per_day")
        self._findings.require("I18", count <= limit, lambda: f"{intent.order_id} is order {count} of a day of {limit}")
        since = ledger.disarmed.get(intent.terms.get("strategy", ""), intent.seq)
        self._findings.require(
            "I18", since >= intent.seq, lambda: f"{intent.order_id} leaves, its strategy is disarmed"
        )

    def _judge_exposure(self, intent: Intent, ledger: Ledger) -> None:
        """Everything of its side fills and nothing of the other, and still the position is within its limit."""
        quote = intent.decision.get("quote")
        if shrinks(intent) or quote is None:
            return
        price = (Decimal(quote["bid"]) + Decimal(quote["ask"])) / 2
        if intent.sign > 0 and intent.terms.get("limit_price"):
            price = min(price, Decimal(intent.terms["limit_price"]))
        held = ledger.positions.get(intent.symbol, ZERO)
        same = [other for other in ledger.working(intent.symbol) if other.sign == intent.sign]
        replaced = {other.older.order_id for other in same if other.older is not None}
        same = [other for other in same if other.order_id not in replaced]
        worst = abs(held + sum(_most_of_each_group(same), ZERO) * intent.sign)
        allowed = ledger.limit("max_position_pct") * Decimal(intent.decision["equity"])
        words = f"{intent.order_id}: {worst} {intent.symbol} at {price} in the worst case, {allowed} dollars allowed"
        self._findings.require("I15", worst <= abs(held) or worst * price <= allowed * _TOLERANCE, words)


def _most_of_each_group(orders: list[Intent]) -> Iterable[Decimal]:
    """Shares that may still trade: of the exits of one entry only one does, and none before the entry has."""
    most: dict[str, Decimal] = {}
    for order in orders:
        if not (order.parent and order.status in ("sent", "held")):
            group = order.parent or order.order_id
            most[group] = max(most.get(group, ZERO), order.leaves)
    return most.values()


def shrinks(intent: Intent) -> bool:
    """It closes what is held, or changes an open order so that it can only do less."""
    if intent.older is not None and _does_less(intent, intent.older):
        return True
    held = Decimal(intent.decision.get("position", "0"))
    quantity = Decimal(intent.terms.get("quantity", "0"))
    return bool(held) and (held > 0) != (intent.sign > 0) and quantity <= abs(held)


def _does_less(new: Intent, old: Intent) -> bool:
    """No more shares, a limit that is no easier to reach, and all else as it was."""
    alike = all(new.terms.get(name) == old.terms.get(name) for name in _KEPT_BY_LESS)
    limit, before = new.terms.get("limit_price"), old.terms.get("limit_price")
    if not alike or (limit is None) != (before is None):
        return False
    harder = limit is None or before is None or (Decimal(limit) - Decimal(before)) * new.sign <= 0
    return harder and Decimal(new.terms.get("quantity", "0")) <= Decimal(old.terms.get("quantity", "0"))


def _same(wire: str, on_wire: object, judged: object) -> bool:
    if wire in _NUMBERS and on_wire is not None and judged is not None:
        return Decimal(str(on_wire)) == Decimal(str(judged))
    return on_wire == judged


def _is_text(number: object) -> bool:
    """Numbers travel as text, and have no more decimals than the broker's."""
    return number is None or (isinstance(number, str) and is_exact(Decimal(number)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _shown(body: bytes) -> set[str]:
    """The orders that a list tells of: what it tells is compared with the books as well as an answer about one."""
    try:
        return {order.client_order_id for order in msgspec.json.decode(body, type=list[_Shown])}
    except msgspec.DecodeError:
        return set()
