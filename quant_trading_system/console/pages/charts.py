"""Options of ECharts. Colours are marks that the stylesheet replaces, so one drawing fits light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

GRID, ACCENT, DANGER, SOFT, FILL = "#010101", "#010102", "#010103", "#010104", "#010105"

_MONEY = "(v) => '$' + Number(v).toLocaleString('en-US', {maximumFractionDigits: 2})"
_SHORT_MONEY = (
    "(v) => Math.abs(v) >= 1e6 ? '$' + (v / 1e6).toLocaleString('en-US', {maximumFractionDigits: 3}) + 'M'"
    " : '$' + Number(v).toLocaleString('en-US', {maximumFractionDigits: 2})"
)
_PERCENT = "(v) => Number(v).toLocaleString('en-US', {maximumFractionDigits: 3}).replace('-', '−') + ' %'"

Points = Sequence[tuple[float, float]]


def instant(at: datetime) -> float:
    """Milliseconds since 1970, as charts count time."""
    return at.timestamp() * 1000


def number(value: Decimal) -> float:
    """The border between exact numbers and pictures."""
    return float(value)


def line_chart(
    series: Sequence[dict[str, Any]], *, percent: bool = False, plain: bool = False, legend: bool = False
) -> dict[str, Any]:
    """Lines over time; with a `legend` where there are several."""
    value = _PERCENT if percent else "(v) => Number(v).toLocaleString('en-US')" if plain else _MONEY
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 66, "right": 12, "top": 30 if legend else 10, "bottom": 24},
        "legend": {"show": legend, "right": 8, "top": 0, "icon": "rect", "itemHeight": 3, "itemWidth": 16},
        "tooltip": {"trigger": "axis", "className": "qts-tip", "confine": True, ":valueFormatter": value},
        "xAxis": {
            "type": "time",
            "axisLine": {"lineStyle": {"color": GRID}},
            "axisTick": {"show": False},
            "axisLabel": {"hideOverlap": True, "fontSize": 11},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            "splitNumber": 3,
            "axisLabel": {"fontSize": 11, ":formatter": value if percent or plain else _SHORT_MONEY},
            "splitLine": {"lineStyle": {"color": GRID}},
        },
        "series": list(series),
    }


def line(name: str, points: Points, colour: str = ACCENT, *, area: bool = False, step: bool = False) -> dict[str, Any]:
    """One line."""
    made: dict[str, Any] = {
        "name": name,
        "type": "line",
        "data": [list(point) for point in points],
        "showSymbol": False,
        "symbol": "none",
        "lineStyle": {"width": 1.6, "color": colour},
        "itemStyle": {"color": colour},
    }
    if area:
        made["areaStyle"] = {"color": FILL, "opacity": 1, "origin": "start"}
    if step:
        made["step"] = "end"
    return made


def bar_chart(names: Sequence[str], values: Sequence[float], *, limit: float | None = None) -> dict[str, Any]:
    """Bars, the first on top, in percent; a line where the limit is."""
    mark = {
        "symbol": "none",
        "silent": True,
        "label": {"show": False},
        "lineStyle": {"color": DANGER, "type": "solid", "width": 1.5},
        "data": [{"xAxis": limit}],
    }
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 40, "top": 6, "bottom": 6, "containLabel": True},
        "tooltip": {"className": "qts-tip", "confine": True, ":valueFormatter": _PERCENT},
        "xAxis": {
            "type": "value",
            "max": None if limit is None else max(limit * 1.05, *values, 0.1),
            "splitLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {"show": False},
        },
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": list(names),
            "axisTick": {"show": False},
            "axisLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {"fontSize": 12},
        },
        "series": [
            {
                "type": "bar",
                "data": list(values),
                "barMaxWidth": 14,
                "itemStyle": {"color": ACCENT},
                "label": {"show": True, "position": "right", ":formatter": "(p) => p.value.toFixed(1) + ' %'"},
                **({"markLine": mark} if limit is not None else {}),
            }
        ],
    }
