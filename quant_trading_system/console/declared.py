"""How a route is declared: method, path, role, what it takes and what it answers, all beside the function.

A route without a role cannot be written down, and `RouteTable` is the only way to the server; so what nobody thought
of is closed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from quant_trading_system.console.answers import Answered, Refusal, json_response, refusal_of
from quant_trading_system.console.bodies import Nothing, from_body, from_query
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.sessions import Caller
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.roles import Role

KEY_HEADER = "idempotency-key"
KEY_PATTERN = "^[A-Za-z0-9._:-]{8,64}$"
_KEY = re.compile(KEY_PATTERN)
_NOTHING = Nothing()

T = TypeVar("T", bound=msgspec.Struct)
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[T]):
    """One request that was let in and understood.

    Attributes:
        given: path, query and body, read into the struct that the route takes.
        key: the idempotency key of a write; empty for a read.
    """

    caller: Caller
    given: T
    desk: Desk
    key: str = ""


Work = Callable[[Ask[Any]], object] | Callable[[Ask[Any]], Awaitable[object]]
W = TypeVar("W", bound=Callable[[Ask[Any]], object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route.

    Attributes:
        role: the least that a caller must have.
        takes: a struct of path, query or body; `answers`: the type of a good answer.
        work: does it; a plain function runs in a thread, a coroutine function on the server's loop.
        needs_key: a write that must not happen twice.
        group, name, summary, text, example: for the description.
    """

    method: str
    path: str
    role: Role
    takes: type[msgspec.Struct]
    answers: Any
    work: Work
    group: str
    name: str
    summary: str
    text: str
    needs_key: bool = False
    example: Mapping[str, object] | None = None

    @property
    def path_fields(self) -> tuple[str, ...]:
        """Names of the fields that stand in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def endpoint(self, desk: Desk) -> Endpoint:
        """What the server calls."""
        work, is_coroutine = self.work, inspect.iscoroutinefunction(self.work)

        async def answer(request: Request) -> Response:
            caller = admitted(request, self.role)
            key = _key(request) if self.needs_key else ""
            ask = Ask(caller=caller, given=await self._read(request), desk=desk, key=key)
            try:
                if is_coroutine:
                    return _answer(await work(ask))  # type: ignore[misc]
                async with desk.reading():
                    return _answer(await run_in_threadpool(work, ask))
            except TradingError as error:
                raise refusal_of(error) from error

        return answer

    async def _read(self, request: Request) -> msgspec.Struct:
        if self.method == "GET":
            if self.takes is Nothing and not request.query_params:
                return _NOTHING
            return from_query(self.takes, request.query_params.multi_items(), request.path_params)
        if request.query_params:
            raise Refusal(422, "invalid_request", "what a write needs stands in its body, not in the query")
        content_type = request.headers.get("content-type", "")
        return from_body(self.takes, content_type, await request.body(), request.path_params)


class RouteTable:
    """Collects routes of one group, in order."""

    def __init__(self, group: str) -> None:
        """Routes under the heading `group`."""
        self.group = group
        self.routes: list[Route] = []

    def read(self, path: str, role: Role, answers: Any, *, takes: type[msgspec.Struct] = Nothing) -> Callable[[W], W]:
        """Declare what answers ``GET path``; the first sentence of its docstring is the summary."""

        def declare(work: W) -> W:
            self._add("GET", path, role, takes, answers, work, needs_key=False)
            return work

        return declare

    def write(
        self, path: str, role: Role, answers: Any, *, takes: type[msgspec.Struct] = Nothing, needs_key: bool = True
    ) -> Callable[[W], W]:
        """Declare what answers ``POST path``."""

        def declare(work: W) -> W:
            self._add("POST", path, role, takes, answers, work, needs_key=needs_key)
            return work

        return declare

    def add_command(
        self,
        path: str,
        role: Role,
        answers: Any,
        takes: type[msgspec.Struct],
        work: Work,
        example: Mapping[str, object],
    ) -> None:
        """Declare a write whose struct says what it is for; `work` serves many of them."""
        self._add("POST", path, role, takes, answers, work, needs_key=True, says=takes, example=example)

    def _add(
        self,
        method: str,
        path: str,
        role: Role,
        takes: type[msgspec.Struct],
        answers: Any,
        work: Work,
        *,
        needs_key: bool,
        says: object = None,
        example: Mapping[str, object] | None = None,
    ) -> None:
        summary, _, text = (inspect.getdoc(says or work) or "").partition("\n\n")
        self.routes.append(
            Route(
                method=method,
                path=path,
                role=role,
                takes=takes,
                answers=answers,
                work=work,
                group=self.group,
                name=getattr(work, "__name__", "") if says is None else path.rsplit("/", 1)[1],
                summary=" ".join(summary.split()),
                text="" if says is not None else " ".join(text.split()),
                needs_key=needs_key,
                example=example,
            )
        )


def _answer(value: object) -> Response:
    return json_response(value.value, value.status) if isinstance(value, Answered) else json_response(value)


def admitted(request: Request, role: Role) -> Caller:
    """Whoever asks, when the role is enough.

    Raises:
        Refusal: nobody has said who asks, or the role is not enough.
    """
    caller = getattr(request.state, "caller", None)
    if not isinstance(caller, Caller):
        raise Refusal(401, "not_authenticated", "no valid token", headers={"www-authenticate": "Bearer"})
    if not caller.role.includes(role):
        raise Refusal(
            403,
            "not_allowed",
            f"{caller.principal} is {caller.role.value}, and this takes {role.value}",
            "ask somebody of that role, or for a token with it",
        )
    return caller


def _key(request: Request) -> str:
    given = request.headers.getlist(KEY_HEADER)
    if len(given) != 1 or _KEY.fullmatch(given[0]) is None:
        raise Refusal(
            400,
            "no_idempotency_key",
            "a write needs one header Idempotency-Key of 8 to 64 letters, digits and . _ : -",
            "choose a new key for each intention, and the same one when you repeat a request",
        )
    return given[0]
