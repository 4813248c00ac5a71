"""Weights of many symbols are computed once, however many of them ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from quant_trading_system.risk.sizing.request import Around

T = TypeVar("T")


class OncePerWalk(Generic[T]):
    """Keeps one answer for as long as the questions come with the same surroundings."""

    def __init__(self) -> None:
        self._known: tuple[Around, T] | None = None

    def of(self, around: Around, compute: Callable[[], T]) -> T:
        """The answer for `around`, computed on the first question."""
        if self._known is None or self._known[0] is not around:
            self._known = (around, compute())
        return self._known[1]
