"""Patches that plant bugs in whoever watches: streams, reconciliation, halts, snapshots, limits and adoption."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.app.sender import LastLook
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.execution import alpaca_api, order_life
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.journal import snapshot
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.simulation.storm.disk import Disk
from quant_trading_system.trading.reconciler import Reconciler
from tests.support.bugs_in_orders import trails_forget
from tests.support.planting import Patch


def nobody_compares(patch: Patch) -> None:
    """The reconciliation beside the loop would find the same; without it the adapter stands alone."""

    async def run(self: Reconciler) -> None:
        await self._clock.sleep(timedelta(days=30))

    patch.setattr(Reconciler, "run", run)


def mute_stream_is_healthy(patch: Patch) -> None:
    async def watch(self: StreamSession) -> None:
        await self._clock.sleep(timedelta(days=30))

    patch.setattr(StreamSession, "_watch_silence", watch)
    nobody_compares(patch)


def history_is_never_read(patch: Patch) -> None:
    async def catch_up(self: AlpacaBroker) -> bool:
        return True

    async def settle(self: AlpacaBroker, client_order_id: str) -> None:
        self._settling.discard(client_order_id)

    patch.setattr(AlpacaBroker, "_catch_up", catch_up)
    patch.setattr(AlpacaBroker, "_settle", settle)
    nobody_compares(patch)


def cancels_wait_for_each_other(patch: Patch) -> None:
    async def cancel_each(self: OrderManager, order_ids: Any, reason: str) -> None:
        for order_id in order_ids:
            await self.cancel(order_id, reason)

    patch.setattr(OrderManager, "cancel_each", cancel_each)
    patch.setattr(OrderManager, "cancel_account", cancel_each)


def cancels_are_not_sent(patch: Patch) -> None:
    async def cancel_each(self: OrderManager, order_ids: Any, reason: str) -> None:
        """Nobody asks."""

    patch.setattr(OrderManager, "cancel_each", cancel_each)
    patch.setattr(OrderManager, "cancel_account", cancel_each)


def retries_without_pause(patch: Patch) -> None:
    from quant_trading_system.execution.backoff import Backoff

    patch.setattr(Backoff, "next_pause", lambda self: timedelta(milliseconds=10))
    patch.setattr(alpaca_api, "ATTEMPTS", 10_000)


def the_switch_is_asked_too_early(patch: Patch) -> None:
    """Neither after the record was written nor on the line."""
    patch.setattr(OrderManager, "_require_permission", lambda self, record, approved: None)
    the_line_does_not_ask(patch)


def the_line_does_not_ask(patch: Patch) -> None:
    patch.setattr(LastLook, "__call__", lambda self, approved: "")


def only_the_last_fill_is_remembered(patch: Patch) -> None:
    def has_booked(self: OrderRecord, fill: Any) -> bool:
        last = max(self.executions.values(), key=lambda known: known.at, default=None)
        return last is not None and last.cumulative_quantity == fill.cumulative_quantity

    patch.setattr(OrderRecord, "has_booked", has_booked)
    trails_forget(patch)


def a_cancel_taken_is_a_cancelled_order(patch: Patch) -> None:
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


def a_safe_entry_is_cut(patch: Patch) -> None:
    real = Disk.crash

    def crash(self: Disk) -> int:
        lost = real(self)
        if self.rows:
            self.rows.pop()
            self.synced = len(self.rows)
        return lost + 1

    patch.setattr(Disk, "crash", crash)


def nothing_is_reconciled(patch: Patch) -> None:
    async def start(self: Reconciliation, person: str) -> None:
        """Nobody looks."""

    patch.setattr(Reconciliation, "start", start)
    patch.setattr(Agreement, "doubt", lambda self, source, why: None)
    nobody_compares(patch)


def corrections_are_ignored(patch: Patch) -> None:
    patch.setattr(OrderLives, "restate", lambda self, record, history, reason="": False)


def a_snapshot_lacks_cash(patch: Patch) -> None:
    real = snapshot.projection_of

    def projection_of(*books: Any) -> Any:
        found = real(*books)
        found.cash = None if found.cash is None else found.cash + 1
        return found

    patch.setattr(snapshot, "projection_of", projection_of)


def the_verdict_has_no_version(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, limits_version=""))

    patch.setattr(order_life, "decided", decided)


def age_by_the_wall_clock(patch: Patch) -> None:
    patch.setattr(OrderManager, "_age", lambda self, record: self._clock.now() - record.sent_at)


def keys_live_in_memory(patch: Patch) -> None:
    from quant_trading_system.trading.operations import Operations

    patch.setattr(Operations, "_answer_of", lambda self, key: self._answered.get(key))


def a_start_takes_the_file_as_it_is(patch: Patch) -> None:
    from quant_trading_system.app import live_parts

    patch.setattr(live_parts, "limits_at_start", lambda books, file, now: file)


def limits_are_older_than_the_verdict(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, limits_version="of-yesterday"))

    patch.setattr(order_life, "decided", decided)


def a_refusal_keeps_its_reason(patch: Patch) -> None:
    real = order_life.decided

    def decided(record: Any, trigger: Any, decision: Any) -> Any:
        return real(record, trigger, msgspec.structs.replace(decision, checks=()))

    patch.setattr(order_life, "decided", decided)


def the_loss_monitor_swallows(patch: Patch) -> None:
    from quant_trading_system.risk.kill_switch import KillSwitch

    real = KillSwitch.activate

    def activate(self: KillSwitch, reason: str, **words: Any) -> Any:
        if words.get("activated_by") == "risk monitor":
            return None
        return real(self, reason, **words)

    patch.setattr(KillSwitch, "activate", activate)


def adoption_on_nobodys_word(patch: Patch) -> None:
    from quant_trading_system.app import reconciling

    real = reconciling.adopt_positions

    def adopt(ledger: Any, positions: Any, *, approved_by: str, reason: str) -> Any:
        return real(ledger, positions, approved_by="", reason=reason)

    patch.setattr(reconciling, "adopt_positions", adopt)


def a_correction_forgets_the_price(patch: Patch) -> None:
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
