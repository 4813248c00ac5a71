"""How long the garbage collector may stop an engine that trades."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def start_is_kept() -> Iterator[None]:
    """What exists when trading begins is not looked through again until it ends; for a process that does nothing else.

    A full collection stops everything while it visits every object. Most of them are the program itself, which stays
    anyway: without those it takes a few milliseconds instead of some thirty, in the middle of whatever the engine does.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
