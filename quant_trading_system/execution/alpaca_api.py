"""One call of Alpaca's REST interfaces: through the rate limit, over the line, and judged.

Reads and cancels may be repeated a few times, because doing them twice is the same as doing them once.
Whatever makes or changes an order is sent once; if no answer comes, its outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.alpaca_errors import (
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    Meaning,
    Problem,
    classify,
    harmless,
)
from quant_trading_system.execution.alpaca_wire import read_json
from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.rate_limit import Lane, RateLimiter
from quant_trading_system.execution.transport import Reply, Request, Timeouts, Transport

T = TypeVar("T")

ATTEMPTS = 4
"""How often a read or a cancel is tried."""

_FIRST_PAUSE = timedelta(milliseconds=250)
_LONGEST_PAUSE = timedelta(seconds=5)
_ORDER_PATIENCE = timedelta(seconds=1)  # an approval is short-lived, and so is the price behind it


class AlpacaApi:
    """Calls to one host. What it raises names the order and says what is certain."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        notify: Notify,
        *,
        source: str,
        limiter: RateLimiter | None = None,
        timeouts: Timeouts | None = None,
        seed: int = 0,
        hide: Callable[[str], str] = str,
    ) -> None:
        """Join the parts.

        Args:
            source: names this interface in notices.
            limiter: of the account; one of its own by default.
            seed: spreads the pauses between attempts.
            hide: takes keys out of words that the other side sent.
        """
        self.limiter = limiter or RateLimiter(clock)
        self.clock = clock
        self._transport = transport
        self._notify = notify
        self._source = source
        self._timeouts = timeouts or Timeouts()
        self._seed = seed
        self._hide = hide

    async def get(self, path: str, model: type[T], *query: tuple[str, str], lane: Lane = Lane.READS) -> T:
        """Read `path`.

        Raises:
            BrokerRejected: a definite no, `code` tells which.
            OutcomeUnknown: no answer that could be understood.
        """
        return await self.repeat(Request(method="GET", path=path, query=query), model, lane)

    async def repeat(self, request: Request, model: type[T], lane: Lane) -> T:
        """A request that may be sent more than once, until it is answered.

        Raises:
            BrokerRejected: a definite no.
            OutcomeUnknown: no answer that could be understood, however often it was tried.
        """
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seed=self._seed, name=request.name)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self.once(request, model, lane)
            except (NotSent, OutcomeUnknown) as error:
                if attempt == ATTEMPTS:
                    raise _no_answer(error, attempt) from None
            except BrokerRejected as error:
                if error.code != TOO_MANY_REQUESTS or attempt == ATTEMPTS:
                    raise
            await self.clock.sleep(backoff.next_pause())
        raise AssertionError("the last attempt returns or raises")

    async def once(self, request: Request, model: type[T], lane: Lane, order_id: str = "") -> T:
        """A request that is sent once, or not at all.

        Args:
            model: of the answer; `bytes` for one without content.
            order_id: the client order id that errors name.

        Raises:
            BrokerRejected: a definite no.
            NotSent: no byte left.
            OutcomeUnknown: it may have been executed.
        """
        try:
            reply = await self._send(request, lane)
            return self._understood(request, reply, model)
        except (BrokerRejected, NotSent, OutcomeUnknown) as error:
            error.order_id = order_id
            raise

    def crowded(self) -> str:
        """Why no new order could leave now; empty when one could."""
        return self.limiter.crowded(_ORDER_PATIENCE)

    async def close(self) -> None:
        """Hang up."""
        await self._transport.close()

    async def _send(self, request: Request, lane: Lane) -> Reply:
        if lane is Lane.ORDERS:
            await self.limiter.admit(lane, _ORDER_PATIENCE)
        else:
            await self.limiter.admit(lane)
        try:
            reply = await self._transport.send(request, self._timeouts)
        except BaseException:
            self.limiter.lost()
            raise
        self.limiter.heard(reply.status, reply.headers)
        return reply

    def _understood(self, request: Request, reply: Reply, model: type[T]) -> T:
        if not 200 <= reply.status < 300:
            raise self._error(request, reply)
        if model is bytes:
            return reply.body  # type: ignore[return-value]  # T is bytes here
        try:
            return read_json(reply.body, model)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OutcomeUnknown(f"{request.name}: the answer cannot be read: {harmless(str(error))}") from None

    def _error(self, request: Request, reply: Reply) -> BrokerRejected | OutcomeUnknown:
        problem = classify(reply, is_read=request.method == "GET")
        text = f"{self._hide(_told(problem))}{_request_id(reply)}"
        if problem.meaning is Meaning.CREDENTIALS:
            self._tell(NoticeKind.CREDENTIALS_REFUSED, f"{request.name}: {text}")
        if problem.meaning is Meaning.RATE_LIMITED:
            self._tell(NoticeKind.RATE_LIMITED, f"{request.name}: {text}")
        if not problem.is_certain:
            return OutcomeUnknown(f"{request.name}: {text}")
        return BrokerRejected(text, code=_code(problem))

    def _tell(self, kind: NoticeKind, message: str) -> None:
        self._notify(Notice(kind=kind, source=self._source, message=message))


@contextmanager
def no_answer(order_id: str, *errors: type[Exception]) -> Iterator[None]:
    """Within, these `errors` mean that a question got no answer; all others name the order, too."""
    try:
        yield
    except errors as error:
        raise OutcomeUnknown(str(error), order_id) from None
    except (BrokerRejected, OutcomeUnknown) as error:
        error.order_id = order_id
        raise


def _told(problem: Problem) -> str:
    """The broker's words with what it adds to them."""
    details = ", ".join(f"{name} {value}" for name, value in problem.details.items())
    return harmless(f"{problem.message} ({details})" if details else problem.message)


def _code(problem: Problem) -> int:
    if problem.meaning is Meaning.RATE_LIMITED:
        return TOO_MANY_REQUESTS
    return problem.code or (UNAUTHORIZED if problem.meaning is Meaning.CREDENTIALS else 0)


def _request_id(reply: Reply) -> str:
    """What the broker's support asks for."""
    identity = reply.headers.get("x-request-id", "")
    return f" [request {harmless(identity)}]" if identity else ""


def _no_answer(error: NotSent | OutcomeUnknown, attempts: int) -> OutcomeUnknown:
    kind = BrokerTimeout if isinstance(error, BrokerTimeout) else OutcomeUnknown
    return kind(f"{error}; tried {attempts} times", error.order_id)
