"""Equity and drawdown over time, in so few points that a page can draw them however long the account has lived."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

MOST_POINTS = 2_000


class CurvePoint(msgspec.Struct, frozen=True):
    """A stretch of time.

    Attributes:
        at: its last moment; `equity`: dollars then.
        drawdown: the worst within it, fraction lost from the peak.
    """

    at: datetime
    equity: Decimal
    drawdown: Decimal


class Curve:
    """Keeps every measurement while there are few, and later the last of every two, four, eight and so on.

    A stretch keeps its worst drawdown, so no fall disappears by being short.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        """Keep at most `most` points, an even number."""
        self._most = most
        self._points: list[CurvePoint] = []
        self._open = 0
        self._span = 1

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """Oldest first; the last one is the latest measurement."""
        return tuple(self._points)

    def add(self, at: datetime, equity: Decimal, drawdown: Decimal) -> None:
        """The next measurement."""
        if self._open:
            drawdown = max(drawdown, self._points.pop().drawdown)
        self._points.append(CurvePoint(at, equity, drawdown))
        self._open = (self._open + 1) % self._span
        if len(self._points) >= self._most and not self._open:
            self._points = [_joined(a, b) for a, b in zip(self._points[::2], self._points[1::2], strict=True)]
            self._span *= 2


def thinned(points: tuple[CurvePoint, ...], most: int) -> tuple[CurvePoint, ...]:
    """At most `most` points of the same course."""
    step = -(-len(points) // most) if points else 1
    stretches = [points[place : place + step] for place in range(0, len(points), step)]
    return tuple(CurvePoint(part[-1].at, part[-1].equity, max(point.drawdown for point in part)) for part in stretches)


def _joined(a: CurvePoint, b: CurvePoint) -> CurvePoint:
    return CurvePoint(b.at, b.equity, max(a.drawdown, b.drawdown))
