"""Alpaca as a broker: orders go out over REST, what becomes of them comes back on the stream.

The stream is a hint, the history is the truth: after every connection, after every gap, when the stream is
suspiciously silent and while it is down the history is read, and both are merged order by order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    ConfigurationError,
    InvalidOrder,
    NotSent,
    OutcomeUnknown,
)
from quant_trading_system.core.numbers import CENT
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.alpaca_api import no_answer
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_errors import TOO_MANY_REQUESTS
from quant_trading_system.execution.alpaca_followed import FollowedOrders
from quant_trading_system.execution.alpaca_lists import look_up
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_recovery import (
    find_order,
    name_legs,
    read_account_since,
    read_executions,
    read_order,
    under_our_names,
)
from quant_trading_system.execution.alpaca_stream import OrderStream
from quant_trading_system.execution.alpaca_wire import (
    broker_account,
    broker_order,
    broker_position,
    difference,
)
from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.broker import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    BrokerUpdate,
    Execution,
    Listener,
    OnBooks,
    Shown,
)
from quant_trading_system.execution.credentials import Access, require_account
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.rate_limit import Lane
from quant_trading_system.execution.stream_session import StreamLimits, StreamSession, run_together
from quant_trading_system.execution.transport import SocketOpener
from quant_trading_system.risk.pre_trade import Approval, ApprovedOrder, ApprovedReplacement

Latch = Callable[[Approval], str]
"""Why an order must not leave now; empty when it may."""

LOOKS = 6
"""How often an order is looked up before it is left to the next reading of the whole history."""

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=30)
_POLL = timedelta(seconds=10)  # of the history, while the stream is down
_GRACE = timedelta(seconds=2)  # the stream may be slower than the history without being mute
_NO_TIME, _ANEW = timedelta(0), "let the gate decide anew"
_CANCELLING = frozenset({"pending_cancel", "canceled"})


class AlpacaBroker:
    """A `Broker` whose other side is Alpaca. It follows orders as long as `run` runs.

    Attributes:
        stream: the stream of order updates, with its counts.
        session: keeps it alive; orders that add risk leave only while it is up.
        names: of the legs of groups, which have the broker's own ids there.
        submitted: when an order was, by the broker's id; None when nothing was heard of it.
    """

    def __init__(
        self,
        client: AlpacaClient,
        opener: SocketOpener,
        access: Access,
        clock: Clock,
        notify: Notify,
        *,
        market_clock: Clock | None = None,
        latch: Latch | None = None,
        account_id: str = "",
        clearance: timedelta = timedelta(seconds=2),
        limits: StreamLimits | None = None,
        packed: bool = False,
        seed: int = 0,
    ) -> None:
        """Join the parts; nothing is sent before `run` or a question.

        Args:
            market_clock: what time it is on the market, `clock` by default; the broker stamps what happens to orders.
            latch: asked with nothing between its answer and the first byte of an order.
            account_id: id or number of the account that these keys must belong to; empty for any.
            clearance: how long after the gate's decision an order may still leave.
            packed: ask for MessagePack on the stream.
            seed: spreads the pauses between attempts.
        """
        self._client = client
        self._clock = clock
        self._notify = notify
        self._latch = latch
        self._account_id = account_id
        self._clearance = clearance
        self._seed = seed
        self.names = LegNames()
        self._orders = FollowedOrders(market_clock or clock, notify, self.names, doubt=self._doubt)
        self.submitted = self._orders.submitted
        self.stream = OrderStream(
            opener,
            access,
            notify,
            on_update=self._orders.hear_update,
            on_garbage=self._doubt,
            catch_up=self._catch_up,
            silence_is_normal=self._silence_is_normal,
            packed=packed,
        )
        self.session = StreamSession(self.stream, clock, notify, seed=seed, limits=limits)
        self._reading = asyncio.Lock()
        self._in_flight: set[str] = set()
        self._settling: set[str] = set()
        self._cancel_on_sight: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._orders.subscribe(self._cancel_if_meant)

    async def run(self) -> None:
        """Check the account, then follow its orders until cancelled.

        Raises:
            ConfigurationError: the keys belong to another account, or it may not trade.
            BrokerRejected, OutcomeUnknown: the account could not be read.
        """
        account = await self._client.account()
        require_account((account.id, account.account_number), self._account_id)
        if account.obstacle:
            raise ConfigurationError(f"account {account.account_number} cannot trade: {account.obstacle}")
        try:
            await run_together(self.session.run(), self._poll_while_down())
        finally:
            for task in tuple(self._tasks):
                task.cancel()

    # -- the promises of a broker --------------------------------------------------------------------------------

    def unsupported(self, order: Order) -> str:
        if order.notional is not None and order.notional % CENT:
            return "the broker takes dollar amounts in whole cents"
        return ""

    def subscribe(self, listener: Listener) -> None:
        self._orders.subscribe(listener)

    def recognise(self, groups: Iterable[Order], legs: Mapping[str, str], sent: Mapping[str, datetime]) -> None:
        self.names.recognise(groups, legs)
        self._orders.sent_before.update(sent)

    async def place(self, approved: ApprovedOrder) -> BrokerOrder:
        return await self._send(approved.order, self._client.submit(approved, partial(self._forbid, approved)))

    async def replace(self, approved: ApprovedReplacement) -> BrokerOrder:
        try:
            with no_answer(approved.replaces, BrokerRejected):
                before = await self._client.order_by_client_id(approved.replaces, Lane.ORDERS)
        except OutcomeUnknown as error:
            raise NotSent(f"the order to be replaced cannot be read: {error}", approved.order.client_order_id) from None
        if before is None:
            raise NotSent("the broker does not show the order to be replaced", approved.order.client_order_id)
        if before.filled_qty:  # it is not settled whether the broker would trade the filled shares once more
            why = "a part of it has filled; cancel it, then send the rest"
            raise NotSent(why, approved.order.client_order_id, held_back=True)
        self._orders.hear_order(before)
        sending = self._client.replace(before, approved, partial(self._forbid, approved))
        try:
            return await self._send(approved.order, sending)
        except (BrokerRejected, OutcomeUnknown):
            self._doubt(approved.replaces)  # the order itself tells what became of it
            raise

    async def _send(self, order: Order, sending: Awaitable[AlpacaOrder]) -> BrokerOrder:
        identity = order.client_order_id
        self._orders.begin(order)
        self._in_flight.add(identity)
        try:
            answer = await sending
            if field := difference(order, answer):
                self._tell(NoticeKind.WRONG_ECHO, f"the answer describes an order with another {field}", identity)
                raise OutcomeUnknown(f"the answer describes an order with another {field}", identity)
            self._orders.hear_order(answer)
            if identity in self.names.incomplete():
                self._doubt(identity)  # the answer need not show the legs
            return broker_order(under_our_names(answer, self.names))
        except (BrokerRejected, NotSent, InvalidOrder) as error:
            self._orders.drop_unseen(identity)
            if isinstance(error, InvalidOrder):
                raise NotSent(str(error), identity) from None
            raise
        except (OutcomeUnknown, ValueError, asyncio.CancelledError) as error:
            self._doubt(identity)
            if isinstance(error, ValueError):
                raise OutcomeUnknown(f"the answer cannot be believed: {error}", identity) from None
            raise
        finally:
            self._in_flight.discard(identity)

    async def cancel(self, client_order_id: str, venue_order_id: str = "") -> None:
        """Ask for a cancel; an order that the broker does not show yet is cancelled as soon as it does."""
        trail = self._orders.get(client_order_id)
        with no_answer(client_order_id, NotSent):
            seen = trail.order_id if trail is not None else ""
            order_id = seen or venue_order_id or await self._locate(client_order_id)
            try:
                await self._client.cancel(order_id)
            except BrokerRejected as error:
                if error.code == TOO_MANY_REQUESTS:
                    raise  # it was not looked at; a question about the order would take the place of another cancel
                await self._judge_refused_cancel(client_order_id, order_id, error)

    async def cancel_all(self, forbid: Callable[[], str]) -> frozenset[str] | None:
        try:
            with no_answer("", NotSent):
                return frozenset(one.name for one in await self._client.cancel_all(forbid) if not one.refusal)
        except BrokerRejected as error:
            if error.code == TOO_MANY_REQUESTS:
                return None
            raise

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        with no_answer(client_order_id, BrokerRejected, NotSent, ValueError):
            found = await find_order(self._client, client_order_id, self.names)
            if found is None:
                return None
            answer = broker_order(found)
        self._orders.hear_order(found)
        return answer

    async def executions(self, client_order_id: str) -> tuple[Execution, ...]:
        with no_answer(client_order_id, BrokerRejected, NotSent, ValueError):
            return await read_executions(self._client, client_order_id, self.names)

    async def look_up(self, orders: Mapping[str, OnBooks]) -> tuple[Shown, ...]:
        with no_answer("", BrokerRejected):
            return await look_up(self._client, self._orders, self.names, orders)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        with no_answer("", BrokerRejected, NotSent, ValueError):
            found = await name_legs(self._client, await self._client.orders("open"), self.names)
            return tuple(broker_order(order) for order in found)

    async def positions(self) -> tuple[BrokerPosition, ...]:
        with no_answer("", BrokerRejected, NotSent, ValueError):
            return tuple(broker_position(position) for position in await self._client.positions())

    async def account(self) -> BrokerAccount:
        with no_answer("", BrokerRejected, NotSent):
            return broker_account(await self._client.account())

    # -- on the way out ------------------------------------------------------------------------------------------

    def _forbid(self, approved: Approval) -> str:
        """Asked right before the first byte."""
        stopped = "" if self._latch is None else self._latch(approved)
        if stopped:
            return f"kill switch is active: {stopped}"
        if not self.session.is_up and not approved.shrinks:
            return "orders cannot be followed: the order stream is down or its gap is not closed"
        age = self._clock.now() - approved.decision.at
        if age < _NO_TIME:
            return f"the approval is {-age.total_seconds():.6f} s from the future: the clock went back; {_ANEW}"
        if age > self._clearance:
            return f"the approval is {age.total_seconds():.1f} s old; {_ANEW}"
        return ""

    async def _locate(self, client_order_id: str) -> str:
        """The broker's id of an order that was not seen yet."""
        self._cancel_on_sight.add(client_order_id)
        with no_answer(client_order_id, BrokerRejected):
            found = await find_order(self._client, client_order_id, self.names, Lane.STOPPING)
        if found is None:
            raise OutcomeUnknown("the broker does not show the order yet; it is cancelled as soon as it does")
        self._cancel_on_sight.discard(client_order_id)
        self._orders.hear_order(found)
        return found.id

    async def _judge_refused_cancel(self, client_order_id: str, order_id: str, refusal: BrokerRejected) -> None:
        """The order itself tells what a refusal means; the words of the refusal are not stable."""
        with no_answer(client_order_id, BrokerRejected):
            order = await self._client.order(order_id, Lane.STOPPING)
        if order is None:
            raise OutcomeUnknown(f"{refusal}; an order that is not found is not cancelled")
        self._orders.hear_order(order)
        if order.status not in _CANCELLING:
            raise BrokerRejected(str(refusal), client_order_id, refusal.code)

    def _cancel_if_meant(self, update: BrokerUpdate) -> None:
        identity = update.client_order_id
        if identity in self._cancel_on_sight:
            self._cancel_on_sight.discard(identity)
            self._spawn(self._cancel_seen(identity))

    async def _cancel_seen(self, client_order_id: str) -> None:
        try:
            await self.cancel(client_order_id)
        except BrokerRejected:
            return  # it ended in another way, and its own updates tell how
        except OutcomeUnknown as error:
            self._tell(NoticeKind.NO_HISTORY, f"a late cancel got no answer: {error}", client_order_id)

    # -- the history ---------------------------------------------------------------------------------------------

    async def _catch_up(self) -> bool:
        """Read what may have been missed; False when there was no answer."""
        async with self._reading:
            try:
                begin, followed = self._orders.anchor, self._orders.open_ids
                evidence = await read_account_since(self._client, begin, followed, self.names, self.submitted)
            except (BrokerRejected, NotSent, OutcomeUnknown) as error:
                self._tell(NoticeKind.NO_HISTORY, str(error))
                return False
            self._orders.hear_evidence(evidence)
        for identity in self._orders.unseen:
            if identity not in self._in_flight:
                self._doubt(identity)
        return True

    async def _silence_is_normal(self) -> bool:
        """Nothing came for a while: does the history know something that the stream kept to itself?"""
        told = self._orders.told
        if not await self._catch_up() or self._orders.told == told:
            return True
        await self._clock.sleep(_GRACE)
        return self.session.silent_for < _GRACE

    async def _poll_while_down(self) -> None:
        while True:
            await self._clock.sleep(_POLL)
            if not self.session.is_up:
                await self._catch_up()

    def _doubt(self, client_order_id: str) -> None:
        """Look an order up until everything about it fits together; without an id, look at everything."""
        if not client_order_id:
            self.session.lost_something("a message could not be read")
        elif client_order_id not in self._settling:
            self._settling.add(client_order_id)
            self._spawn(self._settle(client_order_id))

    async def _settle(self, client_order_id: str) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seed=self._seed, name=f"settle/{client_order_id}")
        try:
            for _ in range(LOOKS):
                if await self._look_up(client_order_id):
                    return
                await self._clock.sleep(backoff.next_pause())
        finally:
            self._settling.discard(client_order_id)
        trail = self._orders.get(client_order_id)
        if trail is not None and trail.unexplained:
            self._tell(NoticeKind.FILL_MISSING, trail.unexplained, client_order_id)

    async def _look_up(self, client_order_id: str) -> bool:
        """True when nothing about the order is open any more."""
        try:
            evidence = await read_order(self._client, client_order_id, self.names)
        except (BrokerRejected, NotSent, OutcomeUnknown):
            return False
        self._orders.hear_evidence(evidence)
        trail = self._orders.get(client_order_id)
        is_whole = trail is None or not trail.unexplained
        return bool(evidence.orders) and is_whole and client_order_id not in self.names.incomplete()

    # -- inside --------------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(NoticeKind.HANDLER_FAILED, repr(error))

    def _tell(self, kind: NoticeKind, message: str, order_id: str = "") -> None:
        self._notify(Notice(kind=kind, source="alpaca", message=message, order_id=order_id))
