"""Bugs that are planted on purpose, one at a time, to see whether the auditor shouts.

Each is a small patch of the product, named as in the catalogue of planted bugs, with the invariant that must catch it
and, where a fault is needed to bring it out, the kinds of fault of the days that look for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.app.sender import LastLook
from quant_trading_system.core.exceptions import OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution import alpaca_api, order_life, order_manager
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_followed import FollowedOrders
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.journal import snapshot
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.simulation.storm.disk import Disk, DiskJournal, DiskLatch
from quant_trading_system.trading.reconciler import Reconciler
from tests.support.more_bugs_in_storms import MORE_BUGS
from tests.support.planting import Patch, PlantedBug, StormBug


def _send_before_sync(patch: Patch) -> None:
    async def durable(self: OrderManager, record: Any) -> None:
        """Nobody waits."""

    patch.setattr(OrderManager, "_make_durable", durable)


def _every_fiftieth_sync(patch: Patch) -> None:
    """The journal reports a sync that was not made, whenever its length is a multiple of fifty."""
    real = DiskJournal.durable

    async def durable(self: DiskJournal) -> None:
        if len(self._disk.rows) % 5:
            await real(self)

    patch.setattr(DiskJournal, "durable", durable)


def _timeout_is_rejected(patch: Patch) -> None:
    real = OrderLives.answered

    def answered(self: OrderLives, record: Any, trigger: OrderTrigger, reason: str = "") -> None:
        real(self, record, OrderTrigger.REJECT if trigger is OrderTrigger.TIME_OUT else trigger, reason)

    patch.setattr(OrderLives, "answered", answered)


def _one_miss_is_enough(patch: Patch) -> None:
    patch.setattr(order_manager, "MISSES", 1)
    patch.setattr(order_manager, "ABSENT_AFTER", timedelta(0))


def _sends_again_with_a_new_id(patch: Patch) -> None:
    real = AlpacaClient.submit

    async def submit(self: AlpacaClient, approved: Any, forbid: Any = None) -> Any:
        try:
            return await real(self, approved, forbid)
        except OutcomeUnknown:
            order = approved.order.with_id(approved.order.client_order_id + "x")
            again = type("Again", (), {})()
            for name in ("quantity", "price", "shrinks", "decision", "signed_quantity"):
                setattr(again, name, getattr(approved, name))
            again.order = order
            return await real(self, again, forbid)

    patch.setattr(AlpacaClient, "submit", submit)


def _sends_again_with_the_same_id(patch: Patch) -> None:
    real = AlpacaClient.submit

    async def submit(self: AlpacaClient, approved: Any, forbid: Any = None) -> Any:
        try:
            return await real(self, approved, forbid)
        except OutcomeUnknown:
            return await real(self, approved, forbid)

    patch.setattr(AlpacaClient, "submit", submit)


def _fills_known_by_id_only(patch: Patch) -> None:
    patch.setattr(PositionTracker, "_is_known", lambda self, record, fill: fill.execution_id in record.executions)

    def renamed(fill: Any) -> Any:
        execution = real(fill)
        return msgspec.structs.replace(execution, execution_id="history-" + execution.execution_id)

    from quant_trading_system.execution import alpaca_followed

    real = alpaca_followed.execution_of_fill
    patch.setattr(alpaca_followed, "execution_of_fill", renamed)
    _trails_forget(patch)


def _trails_forget(patch: Patch) -> None:
    """The adapter in front of the tracker knows fills, too; without it the tracker stands alone."""
    real = FollowedOrders._hear

    def hear(self: FollowedOrders, order: Any, at: Any = None, execution: Any = None, request: Any = None) -> None:
        if execution is not None:
            self._trails.pop(order.client_order_id, None)
        real(self, order, at, execution, request)

    patch.setattr(FollowedOrders, "_hear", hear)


def _fill_of_a_finished_order_is_dropped(patch: Patch) -> None:
    real = PositionTracker.apply

    def apply(self: PositionTracker, record: Any, execution: Any) -> bool:
        return record.status.is_open and real(self, record, execution)

    patch.setattr(PositionTracker, "apply", apply)


def _doubtful_orders_do_not_count(patch: Patch) -> None:
    real = Portfolio.set_in_doubt

    def set_in_doubt(self: Portfolio, order_id: str, symbol: str, in_doubt: bool) -> None:
        real(self, order_id, symbol, False)
        if in_doubt:
            self.release(order_id, symbol)

    patch.setattr(Portfolio, "set_in_doubt", set_in_doubt)


def _doubt_freezes_nothing(patch: Patch) -> None:
    real = Portfolio.set_in_doubt
    patch.setattr(Portfolio, "set_in_doubt", lambda self, order_id, symbol, _: real(self, order_id, symbol, False))


def _room_given_back_on_request(patch: Patch) -> None:
    real = OrderManager._decide

    def decide(self: OrderManager, order: Any, plan: Any, cause: Any) -> Any:
        for record in self._orders.open_orders(order.symbol):
            self._checker._portfolio.release(record.order_id, order.symbol)
        return real(self, order, plan, cause)

    patch.setattr(OrderManager, "_decide", decide)


def _latch_in_memory_only(patch: Patch) -> None:
    patch.setattr(DiskLatch, "write", lambda self, state: None)


def _halt_forgets_at_restart(patch: Patch) -> None:
    """A start clears the latch."""
    from quant_trading_system.risk.halt_state import LatchState

    real = DiskLatch.__init__

    def init(self: DiskLatch, disk: Any, life: Any = None) -> None:
        real(self, disk, life)
        if life is not None and disk.latch.level:
            disk.set_latch(LatchState(activation=disk.latch.activation))

    patch.setattr(DiskLatch, "__init__", init)


def _peak_forgotten(patch: Patch) -> None:
    real = RiskMonitor.restore

    def restore(self: RiskMonitor, **numbers: Any) -> None:
        real(self, **{**numbers, "peak_equity": numbers["day_start_equity"]})

    patch.setattr(RiskMonitor, "restore", restore)


def _day_start_forgotten(patch: Patch) -> None:
    real = RiskMonitor.restore

    def restore(self: RiskMonitor, **numbers: Any) -> None:
        real(self, **{**numbers, "day_start_equity": numbers["day_start_equity"] - 5})

    patch.setattr(RiskMonitor, "restore", restore)


def _late_word_moves_a_finished_order(patch: Patch) -> None:
    """The adapter filters what is old; without it the order manager stands alone."""
    real = order_life.advance
    _trails_forget_everything(patch)

    def advance(status: OrderStatus, trigger: OrderTrigger) -> OrderStatus:
        if status is OrderStatus.FILLED and trigger in (OrderTrigger.ACCEPT, OrderTrigger.FILL_PART):
            return OrderStatus.WORKING
        return real(status, trigger)

    patch.setattr(order_life, "advance", advance)


def _trails_forget_everything(patch: Patch) -> None:
    real = FollowedOrders._hear

    def hear(self: FollowedOrders, order: Any, at: Any = None, execution: Any = None, request: Any = None) -> None:
        self._trails.pop(order.client_order_id, None)
        real(self, order, at, execution, request)

    patch.setattr(FollowedOrders, "_hear", hear)


def _nobody_compares(patch: Patch) -> None:
    """The reconciliation beside the loop would find the same; without it the adapter stands alone."""

    async def run(self: Reconciler) -> None:
        await self._clock.sleep(timedelta(days=30))

    patch.setattr(Reconciler, "run", run)


def _mute_stream_is_healthy(patch: Patch) -> None:
    async def watch(self: StreamSession) -> None:
        await self._clock.sleep(timedelta(days=30))

    patch.setattr(StreamSession, "_watch_silence", watch)
    _nobody_compares(patch)


def _history_is_never_read(patch: Patch) -> None:
    async def catch_up(self: AlpacaBroker) -> bool:
        return True

    async def settle(self: AlpacaBroker, client_order_id: str) -> None:
        self._settling.discard(client_order_id)

    patch.setattr(AlpacaBroker, "_catch_up", catch_up)
    patch.setattr(AlpacaBroker, "_settle", settle)
    _nobody_compares(patch)


def _fresh_run_id_forgotten(patch: Patch) -> None:
    """A restart begins to count its intents anew under the same name."""
    from quant_trading_system.app import live_parts

    patch.setattr(live_parts, "run_id", lambda *words: "samerun")


def _cancels_wait_for_each_other(patch: Patch) -> None:
    async def cancel_each(self: OrderManager, order_ids: Any, reason: str) -> None:
        for order_id in order_ids:
            await self.cancel(order_id, reason)

    patch.setattr(OrderManager, "cancel_each", cancel_each)


def _cancels_are_not_sent(patch: Patch) -> None:
    async def cancel_each(self: OrderManager, order_ids: Any, reason: str) -> None:
        """Nobody asks."""

    patch.setattr(OrderManager, "cancel_each", cancel_each)


def _retries_without_pause(patch: Patch) -> None:
    from quant_trading_system.execution.backoff import Backoff

    patch.setattr(Backoff, "next_pause", lambda self: timedelta(milliseconds=10))
    patch.setattr(alpaca_api, "ATTEMPTS", 10_000)


def _the_switch_is_asked_too_early(patch: Patch) -> None:
    """Neither after the record was written nor on the line."""
    patch.setattr(OrderManager, "_require_permission", lambda self, record, approved: None)
    _the_line_does_not_ask(patch)


def _the_line_does_not_ask(patch: Patch) -> None:
    patch.setattr(LastLook, "__call__", lambda self, approved: "")


def _only_the_last_fill_is_remembered(patch: Patch) -> None:
    def is_known(self: PositionTracker, record: Any, fill: Any) -> bool:
        last = max(record.executions.values(), key=lambda known: known.at, default=None)
        return last is not None and last.cumulative_quantity == fill.cumulative_quantity

    patch.setattr(PositionTracker, "_is_known", is_known)
    _trails_forget(patch)


def _a_cancel_taken_is_a_cancelled_order(patch: Patch) -> None:
    real = AlpacaClient.cancel

    async def cancel(self: AlpacaClient, order_id: str) -> None:
        await real(self, order_id)
        taken.add(order_id)

    taken: set[str] = set()
    tend = OrderManager.tend

    async def believe(self: OrderManager) -> None:
        for record in self.open_orders():
            if record.venue_order_id in taken:
                self.lives.step(record, OrderTrigger.CANCEL, "accepted")
        await tend(self)

    patch.setattr(AlpacaClient, "cancel", cancel)
    patch.setattr(OrderManager, "tend", believe)


def _a_safe_entry_is_cut(patch: Patch) -> None:
    real = Disk.crash

    def crash(self: Disk) -> int:
        lost = real(self)
        if self.rows:
            self.rows.pop()
            self.synced = len(self.rows)
        return lost + 1

    patch.setattr(Disk, "crash", crash)


def _nothing_is_reconciled(patch: Patch) -> None:
    async def start(self: Reconciliation, person: str) -> None:
        """Nobody looks."""

    patch.setattr(Reconciliation, "start", start)
    patch.setattr(Agreement, "doubt", lambda self, source, why: None)
    _nobody_compares(patch)


def _corrections_are_ignored(patch: Patch) -> None:
    patch.setattr(OrderLives, "restate", lambda self, record, history, reason="": False)


def _a_snapshot_lacks_cash(patch: Patch) -> None:
    real = snapshot.projection_of

    def projection_of(*books: Any) -> Any:
        found = real(*books)
        found.cash = None if found.cash is None else found.cash + 1
        return found

    patch.setattr(snapshot, "projection_of", projection_of)


def _the_verdict_has_no_version(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, limits_version=""))

    patch.setattr(order_life, "decided", decided)


def _age_by_the_wall_clock(patch: Patch) -> None:
    patch.setattr(OrderManager, "_age", lambda self, record: self._clock.now() - record.sent_at)


def _keys_live_in_memory(patch: Patch) -> None:
    from quant_trading_system.trading.operations import Operations

    patch.setattr(Operations, "_answer_of", lambda self, key: self._answered.get(key))


def _a_start_takes_the_file_as_it_is(patch: Patch) -> None:
    from quant_trading_system.app import live_parts

    patch.setattr(live_parts, "limits_at_start", lambda books, file, now: file)


def _limits_are_older_than_the_verdict(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, limits_version="of-yesterday"))

    patch.setattr(order_life, "decided", decided)


def _a_refusal_keeps_its_reason(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, checks=()))

    patch.setattr(order_life, "decided", decided)


def _the_loss_monitor_swallows(patch: Patch) -> None:
    from quant_trading_system.risk.kill_switch import KillSwitch

    real = KillSwitch.activate

    def activate(self: KillSwitch, reason: str, **words: Any) -> Any:
        if words.get("activated_by") == "risk monitor":
            return None
        return real(self, reason, **words)

    patch.setattr(KillSwitch, "activate", activate)


def _adoption_on_nobodys_word(patch: Patch) -> None:
    from quant_trading_system.app import reconciling

    real = reconciling.adopt_positions

    def adopt(ledger: Any, positions: Any, *, approved_by: str, reason: str) -> Any:
        return real(ledger, positions, approved_by="", reason=reason)

    patch.setattr(reconciling, "adopt_positions", adopt)


def _a_correction_forgets_the_price(patch: Patch) -> None:
    """Only the quantity of a corrected execution is booked anew."""
    from quant_trading_system.execution import order_life as life

    real = life.OrderLives.restate

    def restate(self: OrderLives, record: Any, history: Any, reason: str = "") -> bool:
        known = {fill.cumulative_quantity: fill.price for fill in record.executions.values()}
        kept = [
            msgspec.structs.replace(fill, price=known.get(fill.cumulative_quantity, fill.price)) for fill in history
        ]
        return real(self, record, kept, reason)

    patch.setattr(OrderLives, "restate", restate)


BUGS: tuple[StormBug, ...] = (
    PlantedBug(
        "M01",
        "an order leaves before its record is synced",
        _send_before_sync,
        ("I23",),
        (),
    ),
    PlantedBug(
        "M02",
        "a sync is skipped now and then",
        _every_fiftieth_sync,
        ("I23",),
        (),
    ),
    PlantedBug(
        "M05",
        "a timeout counts as a refusal",
        _timeout_is_rejected,
        ("I10",),
        ("submit.drop_response", "stream.drop", "stream.mute"),
    ),
    PlantedBug(
        "M06",
        "one denial of the broker is enough",
        _one_miss_is_enough,
        ("I10", "I9", "I32"),
        ("submit.drop_response", "lookup.false_404"),
    ),
    PlantedBug(
        "M07",
        "no answer is followed by the same order under a new id",
        _sends_again_with_a_new_id,
        ("I1",),
        ("submit.drop_response",),
    ),
    PlantedBug(
        "M08",
        "no answer is followed by the same order again",
        _sends_again_with_the_same_id,
        ("I9",),
        ("submit.drop_response",),
    ),
    PlantedBug(
        "M10",
        "fills are known by their id alone",
        _fills_known_by_id_only,
        ("I2", "I12"),
        ("stream.cut", "stream.drop"),
    ),
    PlantedBug(
        "M12",
        "a fill of a finished order is dropped",
        _fill_of_a_finished_order_is_dropped,
        ("I2", "I3"),
        ("fill.late",),
    ),
    PlantedBug(
        "M16",
        "orders in doubt take no room",
        _doubtful_orders_do_not_count,
        ("I11", "I15"),
        ("submit.drop_request", "submit.drop_response", "lookup.false_404"),
    ),
    PlantedBug(
        "M18",
        "open orders take no room",
        _room_given_back_on_request,
        ("I15",),
        (),
    ),
    PlantedBug(
        "M26",
        "a start lifts the halt",
        _halt_forgets_at_restart,
        ("I19", "I21"),
        ("ops.halt", "process.kill"),
    ),
    PlantedBug(
        "M27",
        "the latch is not written",
        _latch_in_memory_only,
        ("I17", "I19", "I32"),
        ("feed.spike",),
    ),
    PlantedBug(
        "M30",
        "cancels wait for each other",
        _cancels_wait_for_each_other,
        ("I22",),
        ("ops.halt", "cancel.drop_request"),
    ),
    PlantedBug(
        "M31",
        "a halt cancels nothing",
        _cancels_are_not_sent,
        ("I22", "I7"),
        ("ops.halt",),
    ),
    PlantedBug(
        "M40",
        "requests are repeated without a pause",
        _retries_without_pause,
        ("I18", "I37"),
        ("http.storm", "read.status"),
    ),
    PlantedBug(
        "M42",
        "the history is never read",
        _history_is_never_read,
        ("I2", "I3", "I10"),
        ("stream.drop",),
    ),
    PlantedBug(
        "M43",
        "peak equity begins anew at a restart",
        _peak_forgotten,
        ("I17",),
        ("process.kill",),
    ),
    PlantedBug(
        "M44",
        "the day's opening equity begins anew at a restart",
        _day_start_forgotten,
        ("I17",),
        ("process.kill",),
    ),
    PlantedBug(
        "M48",
        "a mute stream counts as healthy",
        _mute_stream_is_healthy,
        ("I2", "I3", "I10", "I7"),
        ("stream.mute", "stream.drop"),
    ),
    PlantedBug(
        "M57",
        "a late word moves a finished order back",
        _late_word_moves_a_finished_order,
        ("I5",),
        ("stream.reorder", "stream.old_replay", "fill.parts"),
    ),
    PlantedBug(
        "M58",
        "an order in doubt freezes nothing",
        _doubt_freezes_nothing,
        ("I11",),
        ("submit.drop_request", "submit.drop_response", "lookup.false_404"),
    ),
    PlantedBug(
        "M03",
        "the switch is asked before the record is written, and never again",
        _the_switch_is_asked_too_early,
        ("I1", "I7", "I20"),
        ("ops.halt_midway",),
    ),
    PlantedBug("M04", "the line does not ask the latch", _the_line_does_not_ask, ("I7", "I20"), ("ops.halt_midway",)),
    PlantedBug(
        "M11",
        "only the last fill of an order is remembered",
        _only_the_last_fill_is_remembered,
        ("I2",),
        ("stream.old_replay", "stream.dup", "fill.parts"),
    ),
    PlantedBug(
        "M13",
        "a cancel that was taken is a cancelled order",
        _a_cancel_taken_is_a_cancelled_order,
        ("I10", "I5"),
        ("cancel.lost", "ops.halt"),
    ),
    PlantedBug("M32", "an entry that was safe is cut at a restart", _a_safe_entry_is_cut, ("I24",), ("process.kill",)),
    PlantedBug("M34", "trading begins without a reconciliation", _nothing_is_reconciled, ("I26",), ()),
    PlantedBug(
        "M41",
        "executions that are taken back stay in the books",
        _corrections_are_ignored,
        ("I13", "I2", "I3"),
        ("fill.bust",),
    ),
    PlantedBug("M47", "a snapshot lacks a part of the books", _a_snapshot_lacks_cash, ("I4", "I8"), ("process.stop",)),
    PlantedBug("M70", "the verdict lacks the version of the limits", _the_verdict_has_no_version, ("I34", "I1"), ()),
    PlantedBug("M20", "a verdict names limits not in force", _limits_are_older_than_the_verdict, ("I1", "I34")),
    PlantedBug("M50", "a broken loss limit halts nobody", _the_loss_monitor_swallows, ("I17",), ("feed.spike",)),
    PlantedBug(
        "M53", "keys of commands live in memory only", _keys_live_in_memory, ("I9",), ("ops.door", "process.kill")
    ),
    PlantedBug("M66", "a looser file counts at once", _a_start_takes_the_file_as_it_is, ("I31",), ("ops.limits",)),
    PlantedBug("M69", "a verdict is recorded without its answers", _a_refusal_keeps_its_reason, ("I34",)),
    PlantedBug(
        "M76", "positions are taken over on nobody's word", _adoption_on_nobodys_word, ("I12",), ("account.split",)
    ),
    PlantedBug(
        "M59", "a correction keeps the price", _a_correction_forgets_the_price, ("I13", "I4"), ("fill.correct",)
    ),
    PlantedBug(
        "M71",
        "the age of an order is read from the wall clock",
        _age_by_the_wall_clock,
        ("I10",),
        ("clock.jump", "submit.drop_request", "lookup.false_404"),
    ),
    *MORE_BUGS,
)
"""Switched on one at a time."""
