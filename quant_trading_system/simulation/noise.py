"""Random numbers by name: what is drawn for one symbol on one day depends on nothing else.

A generator per symbol and day would be slow to build, so each is a counter that is hashed: whole tables of
draws come from one pass over integers. Integers are the same on every machine, and the normal deviates are
sums of integers divided by a power of two, so not even the last bit differs.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_LOW_BITS = np.uint64(0xFFFF)
_PARTS = tuple(np.uint64(shift) for shift in (0, 16, 32, 48))
_WORDS = 3
_UNIT = 65_536.0
_MEAN = _WORDS * len(_PARTS) * (_UNIT - 1) / 2


def keys(seed: int, names: tuple[str, ...]) -> Keys:
    """One key for each name; uint64 [N]."""
    digests = [blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names]
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64)


def normals(names: Keys, day: int, rows: int) -> Floats:
    """Standard normal deviates of one day, as `normals_of` has them; float64 [rows, N]."""
    deviates: Floats = normals_of(names, np.array([day]), rows)[0]
    return deviates


def normals_of(names: Keys, days: Integers, rows: int) -> Floats:
    """Standard normal deviates of some days; float64 [days, rows, N].

    Each is the sum of twelve uniform numbers of 16 bits, which bounds it to ±6.

    Args:
        names: the keys of the N columns.
        days: any numbers of at least 0 that name the days; int64.

    Source:
        Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).
    """
    starts = _mixed(names + days.astype(np.uint64)[:, np.newaxis] * np.uint64(_GOLDEN))
    steps = np.arange(1, rows * _WORDS + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    words = _mixed(starts[:, np.newaxis] + steps[:, np.newaxis])
    total = np.zeros(words.shape, dtype=np.uint64)
    for part in _PARTS:
        total += (words >> part) & _LOW_BITS
    sums = total.reshape(len(days), rows, _WORDS, len(names)).sum(axis=2)
    deviates: Floats = (sums.astype(np.float64) - _MEAN) / _UNIT
    return deviates


def _mixed(state: Keys) -> Keys:
    """The output function of SplitMix64; overflow is meant."""
    state = (state ^ (state >> _SHIFTS[0])) * _MIX_1
    state = (state ^ (state >> _SHIFTS[1])) * _MIX_2
    return state ^ (state >> _SHIFTS[2])
