"""Pauses between attempts: they double up to a bound, and chance spreads them so that clients do not march in step."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from random import Random

_PERMILLE = 1000
_LEAST_PERMILLE = 500


class Backoff:
    """The pauses of one series of attempts, the same for the same seed and name."""

    def __init__(self, first: timedelta, longest: timedelta, *, seed: int, name: str) -> None:
        """Begin with about `first` and never exceed `longest`."""
        self._first = first
        self._longest = longest
        self._failures = 0
        digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self._random = Random(int.from_bytes(digest))  # noqa: S311 - spreads attempts, guards nothing

    def next_pause(self) -> timedelta:
        """The next pause: half of the present step and up to all of it, by chance; then the step doubles."""
        step = min(self._first * (1 << self._failures), self._longest)
        if step < self._longest:
            self._failures += 1
        return step * self._random.randint(_LEAST_PERMILLE, _PERMILLE) / _PERMILLE

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0
