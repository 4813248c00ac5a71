"""Both ends of a line to Alpaca that exist in memory only: a transport that answers as it is told, and sockets."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import NotSent
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.rate_limit import RateLimiter
from quant_trading_system.execution.transport import Frame, Reply, Request, Timeouts

START = datetime(2027, 3, 9, 15, 0, tzinfo=UTC)
KEY, SECRET = "PKTESTTESTTESTTEST01", "s3cr3t/of+nobody"
ACCESS = Access(Credentials(KEY, SECRET), Endpoints.derived("http://127.0.0.1:1"))

Answer = Reply | BaseException


def reply(body: Any = None, status: int = 200, **headers: str) -> Reply:
    """An answer with a JSON body; none without `body`. Underscores in names of headers stand for dashes."""
    content = b"" if body is None else json.dumps(body).encode()
    return Reply(status, content, {name.replace("_", "-"): value for name, value in headers.items()})


def refusal(status: int, code: int, message: str, **details: Any) -> Reply:
    """A no of the broker."""
    return reply({"code": code, "message": message, **details}, status)


class ScriptedTransport:
    """Answers with what `script` makes of a request, or with a queue of answers, and remembers all requests."""

    def __init__(self, *answers: Answer, script: Callable[[Request], Answer] | None = None) -> None:
        self.requests: list[Request] = []
        self.answers = deque(answers)
        self.script = script or (lambda _: self.answers.popleft())

    async def send(self, request: Request, timeouts: Timeouts) -> Reply:
        reason = request.forbid() if request.forbid is not None else ""
        if reason:
            raise NotSent(reason)
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.script(request)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def close(self) -> None:
        self.script = lambda _: NotSent("hung up")

    @property
    def asked(self) -> list[str]:
        """Method and path of every request."""
        return [request.name for request in self.requests]


class Line:
    """An interface over a scripted transport, on a clock moved by hand."""

    def __init__(self, *answers: Answer, script: Callable[[Request], Answer] | None = None, **options: Any) -> None:
        self.clock = ManualClock(START)
        self.notices: list[Notice] = []
        self.transport = ScriptedTransport(*answers, script=script)
        self.limiter = RateLimiter(self.clock)
        self.api = AlpacaApi(
            self.transport, self.clock, self.notices.append, source="test", limiter=self.limiter, **options
        )

    def run(self, work: Any, seconds: float = 120) -> Any:
        """The result of `work`, with as much time passing as it needs, up to `seconds`."""
        return asyncio.run(self._drive(work, seconds))

    async def _drive(self, work: Any, seconds: float) -> Any:
        task = asyncio.ensure_future(work)
        await settled()
        passed = 0.0
        while not task.done() and passed < seconds:
            await pass_time(self.clock, 0.25)
            passed += 0.25
        assert task.done(), f"still waiting after {seconds} s"
        return task.result()


class MemorySocket:
    """Our end of a WebSocket; the test is the other end."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.is_closed = False
        self._incoming: asyncio.Queue[Frame | None] = asyncio.Queue()

    def push(self, *messages: Any) -> None:
        """Let messages arrive: frames as they are, everything else as JSON text."""
        for message in messages:
            self._incoming.put_nowait(message if isinstance(message, str | bytes) else json.dumps(message))

    def cut(self) -> None:
        """The line breaks."""
        self._incoming.put_nowait(None)

    async def send(self, frame: Frame) -> None:
        if self.is_closed:
            raise ConnectionError("closed")
        self.sent.append(frame)

    async def receive(self) -> Frame:
        frame = await self._incoming.get()
        if frame is None:
            raise ConnectionError("the line broke")
        return frame

    async def close(self) -> None:
        self.is_closed = True


class MemoryOpener:
    """Opens memory sockets; `prepare` may push what the other side says first.

    Attributes:
        refusals: how many of the next attempts fail.
    """

    def __init__(self, prepare: Callable[[MemorySocket], None] = lambda _: None) -> None:
        self.sockets: list[MemorySocket] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.refusals = 0
        self.prepare = prepare

    async def open(self, url: str, headers: dict[str, str]) -> MemorySocket:
        self.asked.append((url, headers))
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("connection refused")
        socket = MemorySocket()
        self.sockets.append(socket)
        self.prepare(socket)
        return socket

    @property
    def socket(self) -> MemorySocket:
        """The latest one."""
        return self.sockets[-1]


def approved(order: Order, *, shrinks: bool = False, at: datetime = START) -> Any:
    """Stands in for what the gate hands out."""
    return SimpleNamespace(order=order, shrinks=shrinks, quantity=order.quantity, decision=SimpleNamespace(at=at))


def kinds(notices: list[Notice]) -> list[NoticeKind]:
    """What was told, without the words."""
    return [notice.kind for notice in notices]


async def settled(turns: int = 30) -> None:
    """Everybody who can go on without time passing has gone on."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def run_beside(work: Coroutine[Any, Any, None], story: Callable[[], Awaitable[None]]) -> None:
    """Let `work` run while `story` is told, and end it cleanly."""
    task = asyncio.create_task(work)
    await settled()
    try:
        await story()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settled()


async def pass_time(clock: ManualClock, seconds: float) -> None:
    """Let time pass, in steps of at most a second."""
    rest = timedelta(seconds=seconds)
    while rest > timedelta(0):
        step = min(rest, timedelta(seconds=1))
        await clock.advance(step)
        await settled()
        rest -= step


def stamp(seconds: float = 0.0) -> str:
    """A time so many seconds after the start, as the broker writes it: nine decimals and a Z."""
    moment = START + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def order_json(identity: str = "mine-1", **fields: Any) -> dict[str, Any]:
    """An order as the broker shows it: a limit order for 8 KO, working."""
    return {
        "id": f"v-{identity}",
        "client_order_id": identity,
        "symbol": "KO",
        "side": "buy",
        "status": "new",
        "type": "limit",
        "order_type": "limit",
        "order_class": "",
        "time_in_force": "day",
        "qty": "8",
        "notional": None,
        "filled_qty": "0",
        "filled_avg_price": None,
        "limit_price": "61.25",
        "extended_hours": False,
        "legs": None,
        "submitted_at": stamp(),
        "created_at": stamp(),
        "updated_at": stamp(),
        **fields,
    }


def update_json(event: str, order: dict[str, Any], seconds: float = 0.0, **fields: Any) -> dict[str, Any]:
    """A message of the order stream."""
    data = {"event": event, "order": order, "timestamp": stamp(seconds), **fields}
    return {"stream": "trade_updates", "data": data}


def fill_json(
    cumulative: str, quantity: str, price: str = "61.20", seconds: float = 1.0, **order: Any
) -> dict[str, Any]:
    """A message about a fill of the order for 8 KO."""
    is_last = cumulative == order.get("qty", "8")
    status = "filled" if is_last else "partially_filled"
    fields = {"status": status, "filled_qty": cumulative, "updated_at": stamp(seconds), **order}
    shown = order_json(**fields)
    return update_json(
        "fill" if is_last else "partial_fill",
        shown,
        seconds,
        price=price,
        qty=quantity,
        execution_id=f"x-{shown['client_order_id']}-{cumulative}",
    )


def activity_json(
    cumulative: str, quantity: str, price: str = "61.20", seconds: float = 1.0, identity: str = "mine-1"
) -> dict[str, Any]:
    """The same fill in the account's activities."""
    return {
        "id": f"{START + timedelta(seconds=seconds):%Y%m%d%H%M%S}{cumulative.zfill(6)}::x-{identity}-{cumulative}",
        "activity_type": "FILL",
        "transaction_time": stamp(seconds),
        "type": "fill",
        "price": price,
        "qty": quantity,
        "side": "buy",
        "symbol": "KO",
        "leaves_qty": "0",
        "order_id": f"v-{identity}",
        "cum_qty": cumulative,
        "order_status": "filled",
    }
