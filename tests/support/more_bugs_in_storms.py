"""More of the planted bugs that stormy days bring out: at the broker's door, at the gate, in parents and in records."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.app import adoption, live_parts, reconciling
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import FillEvent, PositionAdopted
from quant_trading_system.core.exceptions import BrokerRejected, JournalError, NotSent, OutcomeUnknown
from quant_trading_system.core.numbers import LEDGER
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution import alpaca_broker, alpaca_errors, alpaca_followed
from quant_trading_system.execution.algo.parent import ParentState
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_reads import ORDERS, AlpacaReads, present
from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.broker_times import BrokerTimes
from quant_trading_system.execution.credentials import Credentials
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.checks import market as market_checks
from quant_trading_system.risk.checks import order as order_checks
from quant_trading_system.risk.checks.case import Case
from quant_trading_system.risk.holding import Holding
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker
from quant_trading_system.risk.traffic import Traffic
from quant_trading_system.simulation.storm import world
from quant_trading_system.simulation.storm.disk import DiskLock
from quant_trading_system.trading.trading_engine import TradingEngine
from tests.support.planting import Patch, PlantedBug, SeededBug, StormBug

_NO_ANSWER = (OutcomeUnknown, BrokerRejected, NotSent)


def _passes(patch: Patch, *checks: Any) -> None:
    """These checks say yes to everything."""
    for check in checks:
        patch.setattr(check, "__code__", (lambda case: None).__code__)


# -- the broker ----------------------------------------------------------------------------------------------------


def _a_used_id_is_a_refusal(patch: Patch) -> None:
    patch.setattr(alpaca_errors, "_is_about_a_used_id", lambda text: False)


def _an_error_is_an_empty_answer(patch: Patch) -> None:
    async def by_id(self: AlpacaReads, client_order_id: str, *lane: Any) -> Any:
        with suppress(*_NO_ANSWER):
            return await real(self, client_order_id, *lane)
        return None

    real = AlpacaReads.order_by_client_id
    patch.setattr(AlpacaReads, "order_by_client_id", by_id)


def _only_the_first_page_is_read(patch: Patch) -> None:
    async def activities(
        self: AlpacaReads, path: str, page_of: Any, after: Any, until: Any, *query: Any
    ) -> tuple[Any, ...]:
        wanted = (*query, *present(after=after, until=until), ("direction", "asc"), ("page_size", "3"))
        return tuple(await self._api.get(path, page_of, *wanted))

    async def orders(self: AlpacaReads, status: str = "open", *, after: Any = None, **_: Any) -> Any:
        wanted = [("status", status), ("direction", "asc"), ("limit", "3"), *present(after=after)]
        return tuple(await self._api.get(ORDERS, list[AlpacaOrder], *wanted))

    patch.setattr(AlpacaReads, "_activities", activities)
    patch.setattr(AlpacaReads, "orders", orders)


def _prices_pass_through_floats(patch: Patch) -> None:
    def rounded(real: Any) -> Any:
        def read(found: Any) -> Any:
            execution = real(found)
            return msgspec.structs.replace(execution, price=Decimal(repr(float(execution.price) * 1.1 / 1.1)))

        return read

    for module in (alpaca_broker, alpaca_followed):
        for name in ("execution_of_fill", "execution_of_update"):
            if hasattr(module, name):
                patch.setattr(module, name, rounded(getattr(module, name)))


def _no_pause_between_connections(patch: Patch) -> None:
    patch.setattr(Backoff, "next_pause", lambda self: timedelta(milliseconds=10))


def _pauses_do_not_grow(patch: Patch) -> None:
    patch.setattr(Backoff, "next_pause", lambda self: self._first)


def _the_keys_are_not_hidden(patch: Patch) -> None:
    patch.setattr(Credentials, "hidden_in", lambda self, text: text)


def _words_are_believed(patch: Patch) -> None:
    patch.setattr(alpaca_errors.harmless, "__code__", (lambda text: text).__code__)


# -- the gate ------------------------------------------------------------------------------------------------------


def _buys_and_sells_are_netted(patch: Patch) -> None:
    def worst(self: Holding, buys: Decimal, sells: Decimal, order_price: Decimal) -> tuple[Decimal, Decimal]:
        quantity = abs(self.position.quantity + buys - sells)
        return quantity, quantity * (order_price or self.position.mark or Decimal(0))

    patch.setattr(Holding, "_worst", worst)


def _checked_now_and_sent_later(patch: Patch) -> None:
    verdicts: dict[str, Any] = {}
    judge, submit = PreTradeRiskChecker.check_order, OrderManager.submit

    def check_order(self: PreTradeRiskChecker, order: Order, plan: Any = None) -> Any:
        return verdicts.pop(order.client_order_id, None) or judge(self, order, plan)

    async def submitted(self: OrderManager, order: Order, *, plan: Any = None, cause: Any = None) -> Any:
        if not order.client_order_id:
            order = order.with_id(self._ids.next_order_id())
        verdict = judge(self._checker, order, plan)
        if not isinstance(verdict, Rejection):
            verdicts[order.client_order_id] = verdict
            await self._clock.sleep(timedelta(seconds=1))
        return await submit(self, order, plan=plan, cause=cause)

    patch.setattr(PreTradeRiskChecker, "check_order", check_order)
    patch.setattr(OrderManager, "submit", submitted)


def _any_price_is_a_price(patch: Patch) -> None:
    patch.setattr(Quote, "flaw", "")


def _an_old_price_is_a_price(patch: Patch) -> None:
    _passes(patch, market_checks.check_quote_age)


def _a_restart_forgets_what_left(patch: Patch) -> None:
    patch.setattr(world, "ORDERS_A_DAY", (12,))
    patch.setattr(Traffic, "recall", lambda self, past, disarmed: self.disarmed.update(disarmed))


def _a_restart_arms_again(patch: Patch) -> None:
    patch.setattr(TradingEngine, "were_disarmed", lambda self, strategies: None)


def _a_wrong_clock_is_no_doubt(patch: Patch) -> None:
    """It is held neither against the broker's clock nor against the stamps of prices."""
    real = TradingEngine.mark_positions

    def mark_positions(self: TradingEngine) -> None:
        real(self)
        self._monitor.clock_behind = self._monitor.feed_silence = Decimal(0)

    patch.setattr(BrokerTimes, "_judge", lambda self: self._agreement and self._agreement.trust("clock"))
    patch.setattr(TradingEngine, "mark_positions", mark_positions)
    _passes(patch, market_checks.check_quote_age)


def _the_market_has_our_clock(patch: Patch) -> None:
    """The broker's is held against it, so new risk is shut; but quotes are as old as our clock says."""
    real = PreTradeRiskChecker.case_of

    def case_of(self: PreTradeRiskChecker, order: Order) -> Case:
        case = real(self, order)
        case.now = case.at
        return case

    patch.setattr(PreTradeRiskChecker, "case_of", case_of)


def _the_lock_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(DiskLock, "flaw", lambda self: "")


# -- parents, records and books --------------------------------------------------------------------------------------


def _slices_are_counted_without_fills(patch: Patch) -> None:
    patch.setattr(ParentState, "remaining", property(lambda self: max(self.quantity - self.outstanding, Decimal(0))))
    _passes(patch, order_checks.check_within_parent)


def _an_adoption_is_a_fill(patch: Patch) -> None:
    class Journal:
        def __init__(self, journal: Any) -> None:
            self._journal = journal

        def append(self, event: Any, cause: int | None = None) -> int:
            if isinstance(event, PositionAdopted):
                shares = abs(event.quantity)
                event = FillEvent(
                    at=event.at,
                    order_id=f"adopted-{event.symbol}",
                    execution_id="adopted",
                    symbol=event.symbol,
                    side=OrderSide.BUY if event.quantity > 0 else OrderSide.SELL,
                    quantity=shares,
                    price=Decimal(1),
                    cumulative_quantity=shares,
                )
            return int(self._journal.append(event, cause))

    real = adoption.adopt_positions

    def adopt(ledger: Any, positions: Any, **words: Any) -> Any:
        return real(ledger._replace(journal=Journal(ledger.journal)), positions, **words)

    patch.setattr(reconciling, "adopt_positions", adopt)


def _a_split_is_no_difference(patch: Patch) -> None:
    from quant_trading_system.execution import reconciliation
    from quant_trading_system.trading import reconciler

    real = reconciliation.compare

    def compare(books: Any, statement: Any) -> Any:
        return tuple(found for found in real(books, statement) if not found.cause)

    patch.setattr(reconciler, "compare", compare)


def _money_is_rounded(patch: Patch) -> None:
    patch.setattr(LEDGER, "prec", 6)


def _the_halt_is_recorded_later(patch: Patch) -> None:
    def later(write: Any, event: Any) -> None:
        def attempt() -> None:
            with suppress(JournalError):
                write(event)

        asyncio.get_running_loop().call_later(2, attempt)

    def note(self: KillSwitch, event: Any) -> list[str]:
        if self._record is not None:
            later(self._record, event)
        return []

    def notice(self: TradingEngine) -> None:
        for event in self._moves.unseen():
            later(self._journal.append, event)
            self._on_kill_switch(event)

    patch.setattr(KillSwitch, "_note", note)
    patch.setattr(TradingEngine, "_notice_switch", notice)


def _an_unordered_set_decides(patch: Patch) -> None:
    real = OrderManager.cancel_each

    async def cancel_each(self: OrderManager, order_ids: Any, reason: str) -> None:
        await real(self, {*order_ids, "nobody"} - {"nobody"}, reason)

    patch.setattr(OrderManager, "cancel_each", cancel_each)


def _a_hash_is_on_record(patch: Patch) -> None:
    real = live_parts.sender_run_id
    patch.setattr(live_parts, "sender_run_id", lambda *words: f"{real(*words)}{hash('a run') % 9}")


MORE_BUGS: tuple[StormBug, ...] = (
    PlantedBug("M09", "an id that is known already is a refusal", _a_used_id_is_a_refusal, ("I10",), ("submit.twice",)),
    PlantedBug(
        "M14",
        "no answer counts as an empty one",
        _an_error_is_an_empty_answer,
        ("I10",),
        ("submit.drop_request", "http.storm", "http.maintenance"),
    ),
    PlantedBug(
        "M15",
        "only the first page of a list is read",
        _only_the_first_page_is_read,
        ("I2", "I3", "I10", "I26"),
        ("list.page_cap", "stream.drop", "fill.parts", "process.kill", "report.lost"),
    ),
    PlantedBug("M17", "purchases and sales are netted", _buys_and_sells_are_netted, ("I15",), ("ops.burst",)),
    PlantedBug(
        "M19",
        "an order is checked, and leaves later",
        _checked_now_and_sent_later,
        ("I15",),
        ("ops.burst",),
    ),
    PlantedBug(
        "M21", "slices are counted without their fills", _slices_are_counted_without_fills, ("I6",), ("ops.parent",)
    ),
    PlantedBug("M23", "prices pass through floats", _prices_pass_through_floats, ("I14", "I4", "I12")),
    PlantedBug(
        "M24",
        "what is no price is within every limit",
        _any_price_is_a_price,
        ("I16",),
        ("feed.zero", "feed.negative", "feed.crossed"),
    ),
    PlantedBug("M25", "an old price is a price", _an_old_price_is_a_price, ("I16",), ("feed.stop", "feed.cut")),
    PlantedBug(
        "M35", "nobody looks at the lock after a pause", _the_lock_is_not_looked_at, ("I27",), ("process.fenced",)
    ),
    PlantedBug("M37", "the broker's words repeat the key", _the_keys_are_not_hidden, ("I29",), ("submit.reject",)),
    PlantedBug("M38", "the broker's words begin a line", _words_are_believed, ("I30",), ("submit.reject",)),
    PlantedBug(
        "M45",
        "a restart forgets what left today",
        _a_restart_forgets_what_left,
        ("I18",),
        ("process.kill", "process.stop"),
        longer=30,
    ),
    SeededBug("M46", "a set decides what leaves first", _an_unordered_set_decides, ("I38",), ("ops.halt",)),
    PlantedBug("M51", "an adoption is booked as a fill", _an_adoption_is_a_fill, ("I12",), ("account.split",)),
    PlantedBug("M52", "a split is no difference", _a_split_is_no_difference, ("I3", "I36"), ("account.split",)),
    PlantedBug("M55", "sums of money have six digits", _money_is_rounded, ("I14", "I8", "I4")),
    PlantedBug(
        "M56", "a halt is recorded after its cancels", _the_halt_is_recorded_later, ("I7", "I23"), ("ops.halt",)
    ),
    PlantedBug(
        "M60",
        "a restart arms a strategy",
        _a_restart_arms_again,
        ("I18",),
        ("ops.door", "process.kill", "process.stop"),
    ),
    PlantedBug(
        "M67",
        "connections are tried without a pause",
        _no_pause_between_connections,
        ("I37", "I32"),
        ("stream.refuse",),
    ),
    SeededBug("M73", "the process's hash seed is on record", _a_hash_is_on_record, ("I38",)),
    PlantedBug("M77", "nobody minds a wrong clock", _a_wrong_clock_is_no_doubt, ("I35",), ("clock.jump", "ops.burst")),
    PlantedBug(
        "M78", "ways out wait for a right clock", _the_market_has_our_clock, ("I35",), ("clock.jump", "ops.halt")
    ),
    PlantedBug("M79", "pauses between connections do not grow", _pauses_do_not_grow, ("I37",), ("stream.refuse",)),
)
"""In the order of their numbers."""
