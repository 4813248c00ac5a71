"""Charts as inline SVG: crisp at every width, no script, no library.

A chart fills the width that it is given. Curves live in a coordinate system that is stretched; texts, dots and
hit areas are placed in per cent of the width, so that they keep their size. Colours come from the page's
style sheet by class, which is how a chart follows light and dark. Every point tells its values in a `<title>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import floor, log10
from typing import NamedTuple

from quant_trading_system.research.markup import Markup, join, tag
from quant_trading_system.research.wording import day, month, percent

MAX_POINTS = 600
"""Points of a curve that are drawn; of longer ones the highest and lowest of each stretch are kept."""

_WIDTH = 1000
_MAX_HITS = 120
_ROOM_ABOVE, _ROOM_BELOW = 10, 24
_LETTER, _GAP, _LEAST_CELL = 7, 10, 44  # pixels of a digit in bold, between texts, and of a cell


class Series(NamedTuple):
    """One curve: `style` is a class of the style sheet; `filled` shades the space between it and zero."""

    name: str
    values: Sequence[float]
    style: str
    filled: bool = False


class Level(NamedTuple):
    """A dashed line across the chart, such as a limit."""

    value: float
    name: str


class Span(NamedTuple):
    """A stretch of time that is shaded, such as a halt."""

    start: datetime
    end: datetime
    name: str


class _Scale(NamedTuple):
    low: float
    high: float
    height: int

    def y(self, value: float) -> float:
        return _ROOM_ABOVE + self.height * (self.high - value) / (self.high - self.low)


def time_chart(
    times: Sequence[datetime],
    series: Sequence[Series],
    *,
    label: str,
    axis_text: Callable[[float], str],
    value_text: Callable[[float], str],
    levels: Sequence[Level] = (),
    spans: Sequence[Span] = (),
    shown: Sequence[float] = (),
    height: int = 240,
) -> Markup:
    """Curves over time.

    Args:
        times: aware, rising, at least two; one value of every series for each.
        label: what a reader who cannot see the chart is told.
        axis_text, value_text: a value in words, short at the axis and in full where a reader points.
        levels, spans: what to mark across and along the chart.
        shown: values that the axis reaches in any case.
        height: of the plot, CSS pixels; the width follows the page.
    """
    ticks = nice_ticks(*_extent(series, [*shown, *(level.value for level in levels)]))
    scale = _Scale(ticks[0], ticks[-1], height)
    across = _positions(times)
    shaded = [_shaded(item, times) for item in spans]
    plot = tag(
        "svg",
        tag("path", class_="grid", d="".join(f"M0 {scale.y(tick):.1f}H{_WIDTH}" for tick in ticks)),
        *(_curve(across, item, scale) for item in series),
        viewBox=f"0 0 {_WIDTH} {height + _ROOM_ABOVE}",
        preserveAspectRatio="none",
        width="100%",
        height=height + _ROOM_ABOVE,
    )
    return tag(
        "svg",
        *(_span(item, height) for item in shaded),
        plot,
        *(tag("text", axis_text(tick), class_="tick y", x=-10, y=f"{scale.y(tick) + 4:.1f}") for tick in ticks),
        *_date_labels(times[0], times[-1], height),
        *(_level(item, scale) for item in levels),
        *(tag("circle", class_=f"dot {s.style}", cx="100%", cy=f"{scale.y(s.values[-1]):.1f}", r=3.5) for s in series),
        *_hits(times, across, series, shaded, value_text, height),
        class_="chart",
        role="img",
        aria_label=label,
        width="100%",
        height=height + _ROOM_ABOVE + _ROOM_BELOW,
    )


def bar_list(rows: Sequence[tuple[str, float, str]], *, label: str) -> Markup:
    """Names with bars behind them, longest first as given: (name, length, text at the end)."""
    longest = max((length for _, length, _ in rows), default=0) or 1
    bars = []
    for i, (name, length, told) in enumerate(rows):
        top = 34 * i
        bars.append(tag("rect", class_="bar", x=0, y=top, width=f"{100 * length / longest:.2f}%", height=28, rx=5))
        bars.append(tag("text", name, class_="name", x=10, y=top + 19))
        bars.append(tag("text", told, class_="value", x="100%", y=top + 19, dx=-10))
    return tag(
        "svg", *bars, class_="bars", role="img", aria_label=label, width="100%", height=max(34 * len(rows) - 6, 1)
    )


class HeatRow(NamedTuple):
    """One line of a heat map: a value for every column, None where there is none, and what they make together."""

    name: str
    values: Sequence[float | None]
    total: float


def heat_map(columns: Sequence[str], rows: Sequence[HeatRow], *, label: str) -> Markup:
    """Returns as tinted cells that deepen up to the largest value, and their totals in the last column.

    Args:
        columns: names of the columns, the one of the totals included.
        rows: fractions.
        label: what a reader who cannot see the map is told.
    """
    strongest = max((abs(value) for row in rows for value in row.values if value is not None), default=0) or 1
    width = 100 / (len(columns) + 1)
    parts = [
        tag("text", name, class_="tick", x=f"{width * (i + 1.5):.2f}%", y=14, text_anchor="middle")
        for i, name in enumerate(columns)
    ]
    for number, row in enumerate(rows):
        top = 24 + 34 * number
        parts.append(tag("text", row.name, class_="tick year", x=0, y=top + 21))
        for i, value in enumerate(row.values):
            if value is not None:
                parts.append(_cell(f"{columns[i]} {row.name}", value, value / strongest, width * (i + 1), width, top))
        parts.append(_total(row.total, 100 - width / 2, top))
    return tag("svg", *parts, class_="heat", role="img", aria_label=label, width="100%", height=22 + 34 * len(rows))


def value_map(
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float | None]]],
    *,
    text: Callable[[float], str],
    label: str,
) -> Markup:
    """Values as tinted cells that deepen from the lowest to the highest; losses deepen downwards.

    Args:
        columns: their names; rows: a name, and a value for every column, None where there is none.
        text: a value in a cell.
        label: what a reader who cannot see the map is told.
    """
    known = [value for _, values in rows for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    names = _room((name for name, _ in rows), 0)
    least = _room([*columns, *map(text, known)], _LEAST_CELL)
    width = 100 / len(columns)
    parts = [
        tag("text", name, class_="tick", x=f"{width * (i + 0.5):.2f}%", y=14, text_anchor="middle")
        for i, name in enumerate(columns)
    ]
    for number, (name, values) in enumerate(rows):
        top = 24 + 34 * number
        parts.append(tag("text", name, class_="tick year", x=-names, y=top + 21))
        for i, value in enumerate(values):
            if value is not None:
                told = f"{columns[i]}, {name}: {text(value)}"
                parts.append(_tinted(told, text(value), value, _depth(value, low, high), width * i, width, top))
    return tag(
        "svg", *parts, class_="heat map", role="img", aria_label=label, height=22 + 34 * len(rows),
        style=f"margin-left: {names}px; width: calc(100% - {names}px); min-width: {least * len(columns)}px",
    )  # fmt: skip


def _room(texts: Iterable[str], least: int) -> int:
    """Pixels that the longest of `texts` needs in a column, with a gap; `least` at least."""
    return max([least, *(_LETTER * len(text) + _GAP for text in texts)])


def _depth(value: float, low: float, high: float) -> float:
    """From 0 to 1: how far a gain is above the lowest one, or a loss below zero."""
    if value < 0:
        return value / low
    floor_of_gains = max(low, 0.0)
    return (value - floor_of_gains) / (high - floor_of_gains) if high > floor_of_gains else 0.5


def _cell(name: str, value: float, share: float, left: float, width: float, top: int) -> Markup:
    told = f"{name}: {percent(value, signed=True)}"
    return _tinted(told, percent(value, 1).rstrip("%"), value, abs(share), left, width, top)


def _tinted(told: str, text: str, value: float, depth: float, left: float, width: float, top: int) -> Markup:
    return tag(
        "g",
        tag("title", told),
        tag(
            "rect", class_="gain" if value >= 0 else "loss", x=f"{left:.2f}%", y=top, width=f"{width:.2f}%", height=32,
            rx=5, fill_opacity=f"{0.06 + 0.54 * depth:.2f}",
        ),
        tag("text", text, x=f"{left + width / 2:.2f}%", y=top + 21, text_anchor="middle"),
        class_="tip",
    )  # fmt: skip


def _total(value: float, middle: float, top: int) -> Markup:
    style = "total gain" if value > 0 else "total loss" if value < 0 else "total"
    return tag(
        "text", percent(value, 1, signed=True), class_=style, x=f"{middle:.2f}%", y=top + 21, text_anchor="middle"
    )


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers, evenly apart, the first at or below `low` and the last at or above `high`.

    Steps are 1, 2, 2.5 or 5 times a power of ten.

    >>> nice_ticks(0.3, 9.4)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    if high <= low:
        reach = abs(low) * 0.05 or 1.0
        low, high = low - reach, high + reach
    rough = (high - low) / count
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def date_ticks(start: datetime, end: datetime, most: int = 9) -> list[tuple[datetime, str]]:
    """First days of months or years, or single days in short periods: at most `most` of them, with their names."""
    months = (end.year - start.year) * 12 + end.month - start.month
    for every in (1, 2, 3, 6, 12, 24, 60, 120, 240):
        firsts = [_month_start(start, i) for i in range(1, months + 1)]
        found = [moment for moment in firsts if (moment.year * 12 + moment.month - 1) % every == 0]
        if every == 1 and len(found) < 3:
            return _day_ticks(start, end)
        if len(found) <= most:
            return [(moment, str(moment.year) if every >= 12 else month(moment)) for moment in found]
    return []


def _day_ticks(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    apart = max(round((end - start) / timedelta(days=1) / 5), 1)
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [midnight + timedelta(days=apart * i) for i in range(1, 8)]
    return [(moment, day(moment)[:-5]) for moment in moments if start <= moment <= end]


def _month_start(moment: datetime, months: int) -> datetime:
    year, index = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return datetime(year, index + 1, 1, tzinfo=UTC)


def _extent(series: Sequence[Series], others: Sequence[float]) -> tuple[float, float]:
    zero = [0.0] if any(item.filled for item in series) else []
    lowest = min([*(min(item.values) for item in series), *others, *zero])
    return lowest, max([*(max(item.values) for item in series), *others, *zero])


def _positions(times: Sequence[datetime]) -> list[float]:
    whole = times[-1] - times[0]
    return [(moment - times[0]) / whole for moment in times]


def _curve(across: Sequence[float], series: Series, scale: _Scale) -> Markup:
    points = [(_WIDTH * across[i], scale.y(series.values[i])) for i in thinned(series.values)]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    parts = []
    if series.filled:
        zero = scale.y(min(max(0.0, scale.low), scale.high))
        parts.append(tag("path", class_=f"area {series.style}", d=f"M0 {zero:.1f}L{line}V{zero:.1f}Z"))
    parts.append(tag("path", class_=f"line {series.style}", d=f"M{line}"))
    return join(*parts)


def thinned(values: Sequence[float], most: int = MAX_POINTS) -> list[int]:
    """Positions to draw: all of a short curve; of a long one the ends and both extremes of every stretch."""
    count = len(values)
    if count <= most:
        return list(range(count))
    stretches = most // 2 - 1
    kept = {0, count - 1}
    for i in range(stretches):
        stretch = range(count * i // stretches, count * (i + 1) // stretches)
        kept.add(min(stretch, key=values.__getitem__))
        kept.add(max(stretch, key=values.__getitem__))
    return sorted(kept)


def _date_labels(start: datetime, end: datetime, height: int) -> list[Markup]:
    labels = []
    for i, (moment, name) in enumerate(date_ticks(start, end)):
        left = 100 * ((moment - start) / (end - start))
        style = "tick x minor" if i % 2 else "tick x"
        labels.append(tag("text", name, class_=style, x=f"{left:.2f}%", y=height + _ROOM_ABOVE + 20))
    return labels


def _level(level: Level, scale: _Scale) -> Markup:
    y = scale.y(level.value)
    return join(
        tag("line", class_="level", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}"),
        tag("text", level.name, class_="level", x="100%", dx=-6, y=f"{y - 6:.1f}" if y > 24 else f"{y + 15:.1f}"),
    )


class _Shaded(NamedTuple):
    left: float
    right: float
    name: str


def _shaded(span: Span, times: Sequence[datetime]) -> _Shaded:
    whole = times[-1] - times[0]
    left, right = (min(max((moment - times[0]) / whole, 0.0), 1.0) for moment in (span.start, span.end))
    return _Shaded(left, right, span.name)


def _span(span: _Shaded, height: int) -> Markup:
    left, width = f"{100 * span.left:.2f}%", f"{100 * (span.right - span.left):.2f}%"
    tall = height + _ROOM_ABOVE
    return join(
        tag("rect", class_="span", x=left, y=0, width=width, height=tall),
        tag("line", class_="span", x1=left, x2=left, y1=0, y2=tall),
    )


def _hits(
    times: Sequence[datetime],
    across: Sequence[float],
    series: Sequence[Series],
    spans: Sequence[_Shaded],
    value_text: Callable[[float], str],
    height: int,
) -> list[Markup]:
    """Invisible columns that tell the values under the pointer, and the spans that they touch."""
    stride = -(-len(times) // _MAX_HITS)
    chosen = [*range(0, len(times) - 1, stride), len(times) - 1]
    edges = [0.0, *((across[a] + across[b]) / 2 for a, b in pairwise(chosen)), 1.0]
    hits = []
    for at, left, right in zip(chosen, edges, edges[1:], strict=False):
        told = [day(times[at]), *(f"{item.name} {value_text(item.values[at])}" for item in series)]
        told += [span.name for span in spans if span.left <= right and left <= span.right]
        title = tag("title", "\n".join(told))
        x, width = f"{100 * left:.2f}%", f"{100 * (right - left):.2f}%"
        hits.append(tag("rect", title, class_="hit tip", x=x, width=width, y=_ROOM_ABOVE, height=height))
    return hits
