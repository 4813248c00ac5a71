"""Takes up an account where its journal left it: books, baselines, halt state and open orders.

Nothing is sent on. An order that was on its way when the process ended is in doubt until the broker is asked;
one that was working counts in full until reconciliation has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable

from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_recall import record_from
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.projection import Baselines, Projection
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio


def resume(
    past: Projection,
    source: JournalSource,
    *,
    portfolio: Portfolio,
    monitor: RiskMonitor,
    kill_switch: KillSwitch,
    orders: OrderManager,
) -> None:
    """Bring fresh parts to the state that `past` was folded to.

    Args:
        past: the books after the last entry of `source`.
    """
    portfolio.take_over(past.positions.values(), cash=past.cash, fees=past.fees)
    baselines = past.baselines
    if baselines != Baselines():
        monitor.restore(
            peak_equity=baselines.peak_equity,
            day_start_equity=baselines.day_start_equity,
            losing_streak=baselines.losing_streak,
            opened_at=baselines.day_opened,
        )
    recall = recall_from(source)
    for order_id in list(past.orders.open):
        record = recall(order_id)
        if record is not None:
            orders.lives.take_up(record)
            if record.status is OrderStatus.SENT:
                orders.lives.step(record, OrderTrigger.TIME_OUT, "the process ended before an answer came")
    orders.lives.recall = recall
    _restore_halt(past, kill_switch)


def recall_from(source: JournalSource) -> Callable[[str], OrderRecord | None]:
    """Finds an order in the journal by its id."""
    return lambda order_id: record_from((entry.seq, entry.event) for entry in source.about(order_id))


def _restore_halt(past: Projection, kill_switch: KillSwitch) -> None:
    """The halt holds if either latch or journal says so, unless somebody has reset this very activation since."""
    halt, state = past.halt, kill_switch.state
    was_reset = state.trigger is HaltTrigger.RESET and state.activation >= halt.activation
    if halt.level is HaltLevel.RUNNING or kill_switch.level >= halt.level or was_reset:
        return
    kill_switch.activate(
        f"the journal says halted and the latch does not: {halt.reason}",
        level=halt.level,
        trigger=HaltTrigger.INTEGRITY,
        activated_by="restart",
    )
