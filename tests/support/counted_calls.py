"""How often something is asked: work is counted in tests, never timed."""

from __future__ import annotations

from typing import Any

import pytest


def counted_calls(patch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments by position of every call of `owner`.`name` from now on; it works as before."""
    asked: list[tuple[Any, ...]] = []
    original = getattr(owner, name)

    def counted(*given: Any, **named: Any) -> Any:
        asked.append(given)
        return original(*given, **named)

    patch.setattr(owner, name, counted)
    return asked


class Compared(str):
    """A symbol that counts how often one is compared with another; set `times` to 0 before."""

    times = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)
