"""A curve and dots in a plane as inline SVG, such as an efficient frontier; see `svg` for how charts are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.svg import nice_ticks

_HEIGHT, _ABOVE, _BELOW = 280, 10, 40


class Dot(NamedTuple):
    """A point: `style` is a class of the style sheet, `told` what a reader is shown who points at it."""

    x: float
    y: float
    style: str
    told: str


def plane(
    curve: Sequence[tuple[float, float]], dots: Sequence[Dot], *, label: str, axis_text: Callable[[float], str]
) -> Markup:
    """A curve through points of rising x, and dots.

    Args:
        curve: at least two points.
        dots: those in the style ``reference`` are larger.
        label: what a reader who cannot see the chart is told.
        axis_text: a value in short words, for both axes.
    """
    points = [*curve, *((dot.x, dot.y) for dot in dots)]
    across = nice_ticks(min(x for x, _ in points), max(x for x, _ in points), 6)
    up = nice_ticks(min(y for _, y in points), max(y for _, y in points))

    def left(x: float) -> float:
        return (x - across[0]) / (across[-1] - across[0])

    def top(y: float) -> float:
        return _ABOVE + _HEIGHT * (up[-1] - y) / (up[-1] - up[0])

    line = "L".join(f"{1000 * left(x):.1f} {top(y):.1f}" for x, y in curve)
    plot = tag(
        "svg",
        tag("path", class_="grid", d="".join(f"M0 {top(y):.1f}H1000" for y in up)),
        tag("path", class_="line main", d=f"M{line}"),
        viewBox=f"0 0 1000 {_HEIGHT + _ABOVE}",
        preserveAspectRatio="none",
        width="100%",
        height=_HEIGHT + _ABOVE,
    )
    return tag(
        "svg",
        plot,
        *(tag("text", axis_text(y), class_="tick y", x=-10, y=f"{top(y) + 4:.1f}") for y in up),
        *(
            tag("text", axis_text(x), class_="tick x", x=f"{100 * left(x):.2f}%", y=_HEIGHT + _ABOVE + 20)
            for x in across
        ),
        *(_circle(left(dot.x), top(dot.y), dot) for dot in dots),
        class_="chart",
        role="img",
        aria_label=label,
        width="100%",
        height=_HEIGHT + _ABOVE + _BELOW,
    )


def _circle(left: float, top: float, dot: Dot) -> Markup:
    radius = 6 if dot.style == "reference" else 3
    return tag(
        "circle",
        tag("title", dot.told),
        class_=f"dot tip {dot.style}",
        cx=f"{100 * left:.2f}%",
        cy=f"{top:.1f}",
        r=radius,
    )
