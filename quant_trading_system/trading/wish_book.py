"""What strategies have said and nobody has taken up yet: it waits here for the exchange, the prices or the broker.

Signals go on to the order path, which sizes and pursues them. What strategies wrote out, orders and changes, waits
until the exchange is open. Cancels wait for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import SignalEvent
from quant_trading_system.core.exceptions import DuplicateOrderId, JournalFull, KillSwitchActiveError
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.order_state import PendingRequest
from quant_trading_system.core.signals import Signal
from quant_trading_system.core.wording import asked_by_strategy
from quant_trading_system.execution.algo.parent import ParentOrder
from quant_trading_system.execution.cancelling import AT_ONCE
from quant_trading_system.execution.order_changes import is_moot, leaves_nothing, passing_obstacle
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import latest_of
from quant_trading_system.execution.side_by_side import side_by_side
from quant_trading_system.trading.algo_desk import AlgoDesk
from quant_trading_system.trading.answers import Given, Wish, signed_by, spoken_by, withdrawn_by
from quant_trading_system.trading.order_path import OrderPath
from quant_trading_system.trading.order_wishes import CancelWish, ReplaceWish
from quant_trading_system.trading.own_orders import change_of
from quant_trading_system.trading.signal_generator import SignalGenerator


class WishBook:
    """Takes wishes in, and hands them on when their time has come.

    Attributes:
        given: orders and changes that were written out, and wait until the exchange is open.
        cancels: those that were said and not asked for yet.
    """

    def __init__(
        self, *, path: OrderPath, desk: AlgoDesk, orders: OrderManager, journal: Journal, market_clock: Clock
    ) -> None:
        """Hand on to `path`, `desk` and `orders`; signals go on record in `journal`."""
        self._path = path
        self._desk = desk
        self._orders = orders
        self._journal = journal
        self._market_clock = market_clock
        self._signals = SignalGenerator()
        self.given: list[Given] = []
        self.cancels: list[CancelWish] = []

    def accept(self, strategy: str, wanted: Sequence[Wish]) -> None:
        """Take up what a strategy has said to one bar.

        Raises:
            JournalFull: a signal could not be recorded, and counts no more than those behind it.
        """
        spoken = []
        for wish in wanted:
            if isinstance(wish, Signal):
                self._hear(spoken_by(wish, strategy))
                spoken.append(wish)
            elif isinstance(wish, CancelWish):
                self.cancels.append(withdrawn_by(wish, strategy))
            else:
                if isinstance(wish, ReplaceWish):
                    self.given = [given for given in self.given if not _is_overtaken(given, wish)]
                self.given.append(signed_by(wish, strategy))
        if spoken:
            self._pursue(spoken)

    def _hear(self, signal: Signal) -> None:
        seq = self._signals.standing(signal)
        if seq is None:
            seq = self._journal.append(SignalEvent(at=signal.at, signal=signal))
        self._signals.accept(signal, seq)

    def recall(self, signal: Signal, seq: int) -> None:
        """Take up a signal of an earlier process, recorded as entry `seq`."""
        self._signals.accept(signal, seq)
        self._pursue([signal])

    def _pursue(self, spoken: Sequence[Signal]) -> None:
        wishes = self._signals.wishes(self._market_clock.now())
        for symbol in dict.fromkeys(signal.symbol for signal in spoken):
            if symbol in wishes:
                self._path.want(*wishes[symbol])

    def forget(self, strategy: str) -> None:
        """A strategy is listened to no more: nothing that it has said is done from now on."""
        self._signals.drop_source(strategy)
        self._path.give_up_source(strategy)
        self.given = [given for given in self.given if given.strategy != strategy]
        self.cancels = [wish for wish in self.cancels if wish.strategy != strategy]

    def give_up(self) -> None:
        """The account is halted: what would take new risk is dropped. Cancels pass always."""
        self._path.give_up()
        self.given.clear()

    async def withdraw(self) -> None:
        """Ask for the cancels that were said, whatever exchange, halt or gate say.

        Raises:
            JournalError: one could not be recorded; all were asked for all the same.
        """
        said, self.cancels = self.cancels, []
        if said:
            await side_by_side((partial(self._cancel, wish) for wish in said), AT_ONCE)

    async def _cancel(self, wish: CancelWish) -> None:
        """Ask once; the order manager asks again where that gets lost. What has ended meanwhile is left alone."""
        if self._desk.is_open(wish.order_id):
            with suppress(JournalFull):  # the desk withdraws its slices by itself then, and people have been told
                self._desk.cancel(wish.order_id, wish.reason)
            return
        record = self._orders.order(wish.order_id)
        if record is None:
            return  # a parent that has ended
        latest = latest_of(record)
        if latest.status.is_open and latest.pending is not PendingRequest.CANCEL:
            await self._orders.cancel(latest.order_id, wish.reason)

    async def release(self, is_heard: Callable[[str], bool], stop: Callable[[str, Exception], None]) -> None:
        """The exchange is open: send what waited for that; every order is judged now, with the quotes of now.

        Args:
            is_heard: whether a strategy is listened to still.
            stop: ends a strategy that gave an order of an id that was used before.
        """
        given, self.given = self.given, []
        for one in given:
            if not is_heard(one.strategy):
                continue  # stopped while an order before it was being sent
            if isinstance(one, ReplaceWish):
                await self._replace(one)
            elif isinstance(one, ParentOrder):
                self._path.start_as_given(one)
            else:
                try:
                    await self._path.send_as_given(one)
                except DuplicateOrderId as error:  # an id of its own making that says two things
                    stop(one.strategy, error)
        if not self._path.is_idle:
            now = self._market_clock.now()
            await self._path.walk(self._signals.wanted(now), now)

    async def _replace(self, wish: ReplaceWish) -> None:
        """Change an order; while an answer of the broker about it is to come, wait for that."""
        record = self._orders.order(wish.order_id)
        latest, change = None if record is None else latest_of(record), change_of(wish)
        if latest is None or latest.pending is PendingRequest.CANCEL:
            return
        if leaves_nothing(latest, change):  # to let it fill on would trade more than is wanted
            why = f"{plain(latest.chain_filled)} shares have filled, and no more are wanted"
            await self._orders.cancel(latest.order_id, asked_by_strategy(wish.strategy, why))
            return
        if is_moot(latest, change):
            return
        if passing_obstacle(latest):
            self.given.append(wish)
            return
        try:
            answer = await self._orders.replace(
                latest.order_id,
                quantity=wish.quantity,
                limit_price=wish.limit_price,
                stop_price=wish.stop_price,
                trail=wish.trail,
            )
        except (KillSwitchActiveError, JournalFull):
            return  # refused and on record, or people have been told that nothing can be recorded
        if isinstance(answer, Rejection):
            self._path.on_refused(answer, None)


def _is_overtaken(given: Given, by: ReplaceWish) -> bool:
    """A change that waits for the broker still, and another one of the same order is said."""
    return isinstance(given, ReplaceWish) and given.order_id == by.order_id
