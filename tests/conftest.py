"""What all tests share: the modules of `tests/support`, repeatable examples, and a decimal context of their own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from decimal import localcontext
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

if str(ROOT) not in sys.path:  # however pytest was started, ``tests.support.…`` can be imported
    sys.path.insert(0, str(ROOT))

from quant_trading_system.simulation.storm.catalogue import NAMES  # noqa: E402 - found once the lines above have run
from tests.support.unclosed import warn_of_unclosed_databases  # noqa: E402 - the same

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
warn_of_unclosed_databases()


@pytest.fixture(autouse=True)
def own_decimal_context() -> Iterator[None]:
    """Whoever sets exact arithmetic for a thread sets it for one test."""
    with localcontext():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests live to the end: nobody looks for garbage among them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that names a fault nobody knows is an error, not a gap in a table."""
    for item in items:
        for mark in item.iter_markers("fault"):
            unknown = set(mark.args) - NAMES
            if unknown or not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: no such fault {sorted(unknown)}; see storm/catalogue.py")
