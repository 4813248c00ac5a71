"""A sweep as one HTML file: heat maps, the best trials, and how much of the best is luck of the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from typing import NamedTuple

import numpy as np

from quant_trading_system import __version__
from quant_trading_system.research import svg
from quant_trading_system.research.markup import Markup, tag
from quant_trading_system.research.overfitting import Overfitting
from quant_trading_system.research.parameters import Space
from quant_trading_system.research.report import page_of, tile
from quant_trading_system.research.report_tables import section
from quant_trading_system.research.sweep import Outcome, Verdict, WalkForward, Window
from quant_trading_system.research.sweep_maps import heat_maps
from quant_trading_system.research.sweep_words import Metric, Status
from quant_trading_system.research.wording import axis_percent, day, number, percent

MAX_TRIALS = 50
"""Rows of the table of trials; the Parquet file has all of them."""
MAX_CURVES = 10
"""Trials beside the best one whose growth is drawn."""

_AS_PERCENT = {Metric.CAGR, Metric.TOTAL_RETURN, Metric.MAX_DRAWDOWN}
_TOO_FEW = "too few trials or days to tell"
_LOGIT_BINS = (-np.inf, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, np.inf)


class SweepPage(NamedTuple):
    """What the page tells."""

    strategy: str
    metric: Metric
    window: Window
    space: Space
    outcomes: Sequence[Outcome]
    verdict: Verdict
    walk_forward: WalkForward | None


def render_sweep(page: SweepPage) -> str:
    """The page as text; the same sweep gives the same bytes."""
    title = f"Sweep: {page.strategy}"
    body = tag(
        "main",
        _header(page, title),
        _tiles(page),
        *heat_maps(page.space, page.outcomes, page.metric, _text(page.metric)),
        _growth(page),
        _best(page),
        _overfitting(page.verdict.overfitting),
        *([] if page.walk_forward is None else [_walk(page.walk_forward, page.metric)]),
        *_failed(page.outcomes),
        tag(
            "footer",
            f"quant_trading_system {__version__}. Past results do not tell the future, the best of many least.",
        ),
    )
    return page_of(title, body)


def _header(page: SweepPage, title: str) -> Markup:
    names = ", ".join(dimension.name for dimension in page.space.dimensions)
    chips = [
        f"{day(page.window.first)} to {day(page.window.last)}",
        f"{len(page.outcomes):,} trials",
        f"best by {page.metric.told}",
    ]
    failed = sum(one.status is not Status.COMPLETE for one in page.outcomes)
    halted = sum(one.halts > 0 for one in page.outcomes)
    marks = [tag("span", text, class_="chip") for text in chips]
    marks += [tag("span", f"{failed:,} failed", class_="chip bad")] if failed else []
    marks += [tag("span", f"{halted:,} halted by the kill switch", class_="chip bad")] if halted else []
    return tag(
        "header", tag("h1", title), tag("p", f"over {names}", class_="subtitle"), tag("div", *marks, class_="chips")
    )


def _tiles(page: SweepPage) -> Markup:
    verdict, walked = page.verdict, page.walk_forward
    best = _ranked(page)[0] if verdict.ranked else None
    told = _text(page.metric)
    value = None if best is None else best.figures.get(page.metric)
    deflated, overfitting = verdict.deflated, verdict.overfitting
    tiles = [
        tile(f"{page.metric.told} of the best", "–" if value is None else told(value), _parameters(best)),
        tile(
            "Deflated Sharpe ratio",
            percent(None if deflated is None else deflated.probability, 1),
            _TOO_FEW
            if deflated is None
            else f"chance that it beats luck; the best of {deflated.trials:,} worthless "
            f"trials would show {number(deflated.benchmark)}",
        ),
        tile(
            "Probability of overfitting",
            percent(None if overfitting is None else overfitting.probability, 1),
            _TOO_FEW if overfitting is None else "the best of one half of the past is below the median of the other",
        ),
    ]
    if verdict.paths:
        low, high = min(verdict.paths), max(verdict.paths)
        tiles.append(
            tile(
                "Sharpe of unseen days",
                number(float(np.median(verdict.paths))),
                f"{number(low)} to {number(high)} on {len(verdict.paths)} combinatorial paths",
            )
        )
    if walked is not None:
        aside = f"return {percent(walked.total_return, signed=True)}, efficiency {percent(walked.efficiency, 0)}"
        tiles.append(tile("Walk-forward Sharpe", number(walked.sharpe), aside, walked.total_return or 0))
    return tag("dl", *tiles, class_="tiles")


def _growth(page: SweepPage) -> Markup:
    chosen = [one for one in _ranked(page) if len(one.returns) > 1][: MAX_CURVES + 1]
    if not chosen:
        return section("Growth", tag("p", "No trial has a score.", class_="none"))
    best, days = chosen[0], chosen[0].days
    times = [datetime.combine(moment, time(), UTC) for moment in days]
    curves = [
        svg.Series(f"Trial {one.number}", _grown(one), "main" if one is best else "reference")
        for one in reversed(chosen)
        if one.days == days
    ]
    chart = svg.time_chart(
        times, curves, label="Return since the start", axis_text=axis_percent, value_text=percent, height=260
    )
    legend = [("main", f"Trial {chosen[0].number}, the best")]
    legend += [("reference", "the next best")] if len(curves) > 1 else []
    return section("Growth", chart, legend=legend)


def _grown(one: Outcome) -> list[float]:
    return [float(value) for value in np.cumprod(1 + np.array(one.returns)) - 1]


def _best(page: SweepPage) -> Markup:
    names = [dimension.name for dimension in page.space.dimensions]
    figures = ["total_return", "cagr", "sharpe", "sortino", "max_drawdown", "turnover"]
    heads = [
        "Trial",
        *names,
        "Return",
        "CAGR",
        "Sharpe",
        "Sortino",
        "Drawdown",
        "Turnover",
        "Trades",
        "Refused",
        "Halts",
    ]
    shares = {"total_return", "cagr", "max_drawdown"}
    rows = [
        [
            str(one.number),
            *(one.parameters[name] for name in names),
            *(percent(one.figures[key]) if key in shares else number(one.figures[key]) for key in figures),
            f"{one.trades:,}",
            f"{one.refused:,}",
            f"{one.halts:,}",
        ]
        for one in _ranked(page)[:MAX_TRIALS]
    ]
    total = len(page.verdict.ranked)
    note = f"the best {len(rows)} of {total:,}; results.parquet has all" if total > len(rows) else ""
    return section("Trials, best first", _table(heads, rows), note=note)


def _overfitting(found: Overfitting | None) -> Markup:
    if found is None:
        return section("Overfitting", tag("p", f"Overfitting: {_TOO_FEW}.", class_="none"))
    counts, _ = np.histogram(found.logits, bins=_LOGIT_BINS)
    names = ["below −3", "−3 to −2", "−2 to −1", "−1 to 0", "0 to 1", "1 to 2", "2 to 3", "above 3"]
    bars = [(name, float(count), f"{count / len(found.logits):.1%}") for name, count in zip(names, counts, strict=True)]
    words = (
        f"{found.halves:,} ways to halve {found.partitions} parts of the past: the best of one half loses money in the "
        f"other in {percent(found.loss, 1)} of them"
    )
    slope = "" if found.degradation is None else f"; of each point of its Sharpe ratio {found.degradation:+.2f} is left"
    told = tag("p", "Logit of the rank in the other half; below zero is worse than the median.", class_="none")
    return section("Overfitting", svg.bar_list(bars, label="Logits of relative ranks"), told, note=words + slope)


def _walk(walked: WalkForward, metric: Metric) -> Markup:
    told = _text(metric)

    def figure(one: Outcome | None) -> str:
        value = None if one is None else one.figures.get(metric)
        return "–" if value is None else told(value)

    rows = [
        [
            f"{day(fold.train.first)} to {day(fold.train.last)}",
            f"{day(fold.test.first)} to {day(fold.test.last)}",
            _parameters(fold.chosen),
            figure(fold.chosen),
            figure(fold.tested),
            percent(None if fold.tested is None else fold.tested.figures.get("total_return"), signed=True),
        ]
        for fold in walked.folds
    ]
    heads = ["Chosen on", "Traded", "Parameters", f"{metric.told} when chosen", "when traded", "Return"]
    return section("Walk-forward", _table(heads, rows), note="each choice knows only the days before its test")


def _failed(outcomes: Sequence[Outcome]) -> list[Markup]:
    failed = [one for one in outcomes if one.error]
    rows = [[str(one.number), _parameters(one), one.status.value, one.error] for one in failed[:MAX_TRIALS]]
    return [section("Trials that failed", _table(["Trial", "Parameters", "", "Why"], rows))] if rows else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", *(tag("th", name) for name in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="wide")
    return tag("div", table, class_="scroll tall", tabindex=0)


def _ranked(page: SweepPage) -> list[Outcome]:
    by_number = {one.number: one for one in page.outcomes}
    return [by_number[chosen] for chosen in page.verdict.ranked]


def _parameters(one: Outcome | None) -> str:
    return (
        "no trial has a score"
        if one is None
        else ", ".join(f"{name} {value}" for name, value in one.parameters.items())
    )


def _text(metric: Metric) -> Callable[[float], str]:
    return percent if metric in _AS_PERCENT else number
