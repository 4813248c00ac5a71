"""The own solvers beside skfolio, in one run: the same optimum, much sooner.

`make bench-peers ARGS=optimisers` has the table with Riskfolio-Lib and PyPortfolioOpt, in an environment of their own.
"""

from __future__ import annotations

import pytest

from tools.peers.optimisers import METHODS, OURS, SIZES, present, solved

WANTED_RATIO = 50
LARGEST = SIZES[-1]


@pytest.mark.parametrize("name", METHODS)
def test_same_optimum_as_the_libraries_and_much_sooner(name):
    assert len(present(name)) > 1
    ours, *others = solved(name, LARGEST)
    assert ours.library == OURS
    if name == "risk parity":
        assert ours.loss < 1e-9
    for other in others:
        assert other.apart < 1e-2, "libraries stop early; the loss tells who is right"
        assert other.loss > -1e-5 if name != "risk parity" else other.loss > ours.loss
        assert other.seconds > WANTED_RATIO * ours.seconds, other
