"""Every comparison with the second simulation, for other seeds: ``make soak SEEDS=50 ARGS="-k comparison"``."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from decimal import localcontext
from random import Random
from types import ModuleType

import pytest

from tests.property import (
    test_answering_market_against_a_reference,
    test_backtest_against_a_reference,
    test_shipped_against_a_reference,
    test_strategies_against_a_reference,
)
from tests.support.reference_sizing import OPTIMISERS

pytestmark = pytest.mark.soak
FIRST = 1_000_000
"""Beyond the seeds of the short tests."""


def comparisons(*modules: ModuleType) -> list[Callable[..., object]]:
    """The bodies of all tests of random seeds."""
    found = [getattr(one, "hypothesis", None) for module in modules for one in vars(module).values()]
    bodies = [one.inner_test for one in found if one is not None]
    return [body for body in bodies if "seed" in inspect.signature(body).parameters]


ALL = comparisons(
    test_answering_market_against_a_reference,
    test_backtest_against_a_reference,
    test_shipped_against_a_reference,
    test_strategies_against_a_reference,
)


@pytest.mark.parametrize("body", ALL, ids=lambda body: body.__name__)
def test_a_comparison_holds_for_many_seeds(body):
    deadline = time.monotonic() + 60 * float(os.environ.get("MINUTES", "10"))
    for seed in range(FIRST, FIRST + 10 * int(os.environ.get("SEEDS", "20"))):
        if time.monotonic() > deadline:
            break
        chance = Random(seed)
        arguments = {
            name: seed if name == "seed" else chance.choice(OPTIMISERS) if name == "name" else chance.random() < 0.5
            for name in inspect.signature(body).parameters
        }
        try:
            with localcontext():
                body(**arguments)
        except AssertionError as error:
            raise AssertionError(f"{body.__name__} with {arguments}") from error
