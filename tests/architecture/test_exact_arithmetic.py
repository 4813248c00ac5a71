"""Money and shares never pass through binary floating point."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.architecture.conftest import Source

EXACT = (
    "core/",
    "execution/",
    "journal/",
    "risk/checks",
    "risk/kill_switch.py",
    "risk/latch.py",
    "risk/limits.py",
    "risk/monitor.py",
    "risk/portfolio.py",
    "risk/pre_trade.py",
    "risk/sizing/composed.py",
    "risk/sizing/fitting.py",
    "risk/sizing/request.py",
    "risk/sizing/room.py",
    "risk/sizing/signals.py",
    "simulation/books.py",
    "simulation/fees.py",
    "simulation/matching.py",
    "trading/liquidation.py",
    "trading/order_path.py",
    "trading/planning.py",
    "trading/rebalance.py",
    "trading/trading_engine.py",
)
"""Where no float is made; each entry is the beginning of paths."""

FLOATS = {
    "core/clock.py": "asyncio counts seconds in floats",
    "execution/algo/adaptive.py": "statistics: turns what is seen into a problem of Almgren and Chriss",
    "execution/algo/almgren_chriss.py": "statistics: cost against variance; exact_weights is the way back",
    "execution/algo/calibration.py": "statistics: least squares",
    "execution/algo/costs.py": "statistics: expected costs; from_float in the planner is the way back",
    "execution/algo/impact.py": "statistics: models of market impact",
    "execution/algo/one_way.py": "statistics: a quadratic programme",
    "execution/algo/planner.py": "hands exact numbers to the statistics, and takes results back with from_float",
}
"""Exceptions, each with its reason."""

MAKERS = {"float", "math.sqrt", "math.exp", "math.log", "math.pow", "statistics.mean", "statistics.fmean"}


def floats_made(source: Source) -> list[int]:
    """Lines with a float literal or a call that returns a float."""
    literals = [
        node.lineno for node in source.nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    return sorted(literals + [line for (name, line), _ in source.calls if name in MAKERS])


def is_exact(source: Source) -> bool:
    """True for the modules in which orders, fills, books and limits live."""
    return source.path.startswith(EXACT)


def test_no_float_is_made_on_the_road_of_an_order(sources: tuple[Source, ...]) -> None:
    made = [
        source.at(line)
        for source in sources
        if is_exact(source) and source.path not in FLOATS
        for line in floats_made(source)
    ]
    assert [] == made


def test_every_module_excused_from_exactness_needs_the_excuse(sources: tuple[Source, ...]) -> None:
    needed = {source.path for source in sources if is_exact(source) and floats_made(source)}
    assert [] == sorted(FLOATS.keys() - needed)


def test_every_place_that_is_exact_exists(sources: tuple[Source, ...]) -> None:
    """A file that moves takes its duty along."""
    assert [] == [place for place in EXACT if not any(source.path.startswith(place) for source in sources)]
