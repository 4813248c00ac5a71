"""Work that begins at once; a task does only what is left after its first pause, as from Python 3.12 by itself."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextlib import suppress
from types import coroutine
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    """Do `work` up to its first pause, now; what is returned does what is left of it."""
    try:
        return _rest(work, work.send(None))
    except StopIteration:
        return _nothing()


async def _nothing() -> None:
    """What is left of work that was done without a pause."""


@coroutine
def _rest(work: Coroutine[Any, Any, None], pause: object) -> Generator[object, None, None]:
    with suppress(StopIteration):
        while True:
            try:
                yield pause
            except BaseException as error:  # noqa: BLE001 - it belongs to the work
                pause = work.throw(error)
            else:
                pause = work.send(None)
