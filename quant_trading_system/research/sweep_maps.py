"""Heat maps of a sweep: what a metric is on average at each pair of parameter values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.parameters import Dimension, Kind, Space
from quant_trading_system.research.report_tables import section
from quant_trading_system.research.sweep import Outcome
from quant_trading_system.research.sweep_words import Metric

MOST_LEVELS = 12
"""Columns or rows of a map; of more values, stretches with about as many trials each are shown."""
MOST_PARAMETERS = 4
"""Parameters that are paired, in the order in which they were named."""


class _Axis(NamedTuple):
    """One parameter along a map: the names of its levels, and the level of every trial."""

    name: str
    levels: list[str]
    places: list[int]


def heat_maps(space: Space, outcomes: Sequence[Outcome], metric: Metric, text: Callable[[float], str]) -> list[Markup]:
    """A map for each pair of parameters that vary, or one line for a single one."""
    trials = [one for one in outcomes if one.score(metric) is not None]
    values = [value for one in trials if (value := one.figures[metric]) is not None]
    axes = [axis for dimension in space.dimensions if (axis := _axis(dimension, trials)) is not None][:MOST_PARAMETERS]
    if len(axes) == 1:
        axes.append(_Axis("", ["all"], [0] * len(trials)))
    return [_map(row, column, values, metric, text) for column, row in combinations(axes, 2)]


def _map(row: _Axis, column: _Axis, values: Sequence[float], metric: Metric, text: Callable[[float], str]) -> Markup:
    cells: dict[tuple[int, int], list[float]] = {}
    for i, value in enumerate(values):
        cells.setdefault((row.places[i], column.places[i]), []).append(value)
    means = {place: float(np.mean(found)) for place, found in cells.items()}
    rows = [(name, [means.get((r, c)) for c in range(len(column.levels))]) for r, name in enumerate(row.levels)]
    told = f"{column.name} across, {row.name} down" if row.name else column.name
    drawn = svg.value_map(column.levels, rows, text=text, label=f"{metric.told} by {told}")
    most = max((len(found) for found in cells.values()), default=1)
    note = told if most == 1 else f"{told}; means of up to {most} trials"
    return section(f"{metric.told} by parameters", tag("div", drawn, class_="scroll"), note=note)


def _axis(dimension: Dimension, trials: Sequence[Outcome]) -> _Axis | None:
    """None for a parameter that does not vary, or has too many values that cannot be put in order."""
    texts = [one.parameters[dimension.name] for one in trials]
    has_order = dimension.kind in (Kind.INT, Kind.FLOAT, Kind.DECIMAL)
    distinct = sorted(set(texts), key=float) if has_order else sorted(set(texts))
    if len(distinct) < 2:
        return None
    if len(distinct) <= MOST_LEVELS:
        return _Axis(dimension.name, distinct, [distinct.index(text) for text in texts])
    if not has_order:
        return None
    numbers = np.array([float(text) for text in texts])
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, MOST_LEVELS // 2 + 1)))
    places = np.clip(np.searchsorted(edges, numbers, "right") - 1, 0, len(edges) - 2)
    names = [f"{low:.4g}–{high:.4g}" for low, high in pairwise(edges)]
    return _Axis(dimension.name, names, places.tolist())
