"""What a sweep leaves: one Parquet file of all trials, a summary for programs, and a report for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_trading_system.app.sweeping.sweep import SweepResult
from quant_trading_system.research.parameters import Kind, value_of
from quant_trading_system.research.sweep import FIGURES, Outcome, WalkForward

if TYPE_CHECKING:
    import polars as pl

RESULTS_FILE = "results.parquet"
REPORT_FILE = "report.html"
MOST_TOLD = 10
"""Trials in a summary; the Parquet file has all of them."""


def write_results(result: SweepResult, directory: Path) -> Path:
    """Write `results.parquet` to `directory`: one row for every trial; the same sweep gives the same rows.

    Columns: stage, number, status, error, ``param.NAME`` for every parameter, the figures of `research.sweep`,
    equity_end (exact, as text), counts, the journal's size and head, and lists of days and daily returns.
    """
    path = directory / RESULTS_FILE
    unfinished = path.with_suffix(".part")
    _table(result).write_parquet(unfinished, compression="zstd")
    unfinished.replace(path)
    return path


def write_sweep_report(result: SweepResult, directory: Path) -> Path:
    """Write `report.html` to `directory`: one page with heat maps that needs no network."""
    from quant_trading_system.research.report import save_page
    from quant_trading_system.research.sweep_report import SweepPage, render_sweep

    plan = result.plan
    page = SweepPage(
        strategy=plan.source.spec,
        metric=plan.metric,
        window=plan.window,
        space=result.space,
        outcomes=result.outcomes,
        verdict=result.verdict,
        walk_forward=result.walk_forward,
    )
    path = directory / REPORT_FILE
    save_page(path, render_sweep(page))
    return path


def summary(result: SweepResult) -> dict[str, Any]:
    """The result for a program: what was tried, the best trials, and what they are worth."""
    verdict, by_number = result.verdict, {one.number: one for one in result.outcomes}
    return {
        "strategy": result.plan.source.spec,
        "metric": result.plan.metric,
        "window": result.plan.window,
        "trials": len(result.outcomes),
        "resumed": result.resumed,
        "failed": [_row(one) | {"error": one.error} for one in result.outcomes if one.error],
        "best": [_row(by_number[number]) for number in verdict.ranked[:MOST_TOLD]],
        "deflated_sharpe": verdict.deflated,
        "overfitting": None if verdict.overfitting is None else _without_logits(verdict.overfitting),
        "paths": verdict.paths,
        "walk_forward": None if result.walk_forward is None else _walk(result.walk_forward),
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "number": outcome.number,
        "parameters": outcome.parameters,
        "status": outcome.status,
        **outcome.figures,
        "equity_end": outcome.equity_end,
        "orders": outcome.orders,
        "refused": outcome.refused,
        "halts": outcome.halts,
        "journal_head": outcome.journal_head,
    }


def _without_logits(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__ if name != "logits"}


def _walk(walked: WalkForward) -> dict[str, Any]:
    return {
        "total_return": walked.total_return,
        "sharpe": walked.sharpe,
        "efficiency": walked.efficiency,
        "folds": [
            {
                "train": fold.train,
                "test": fold.test,
                "chosen": None if fold.chosen is None else _row(fold.chosen),
                "tested": None if fold.tested is None else _row(fold.tested),
            }
            for fold in walked.folds
        ],
    }


def _table(result: SweepResult) -> pl.DataFrame:
    import polars as pl

    types: Mapping[Kind, Any] = {
        Kind.INT: pl.Int64,
        Kind.FLOAT: pl.Float64,
        Kind.DECIMAL: pl.String,
        Kind.BOOL: pl.Boolean,
        Kind.TEXT: pl.String,
    }
    counts = ("orders", "refused", "fills", "trades", "halts", "journal_entries")
    schema: dict[str, Any] = {"stage": pl.String, "number": pl.Int64, "status": pl.String, "error": pl.String}
    schema |= {f"param.{one.name}": types[one.kind] for one in result.space.dimensions}
    schema |= dict.fromkeys(FIGURES, pl.Float64)
    schema |= {"equity_end": pl.String, **dict.fromkeys(counts, pl.Int64), "journal_head": pl.String}
    schema |= {"days": pl.List(pl.Date), "returns": pl.List(pl.Float64)}
    kinds = {one.name: one.kind for one in result.space.dimensions}

    def row(one: Outcome) -> dict[str, Any]:
        known = {f"param.{name}": _cell(kinds[name], text) for name, text in one.parameters.items()}
        known |= {name: one.figures.get(name) for name in FIGURES}
        known |= {name: getattr(one, name) for name in (*counts, "stage", "number", "error", "journal_head")}
        equity = None if one.equity_end is None else str(one.equity_end)
        return known | {"status": str(one.status), "equity_end": equity, "days": one.days, "returns": one.returns}

    return pl.DataFrame([row(one) for one in result.tried], schema=schema)


def _cell(kind: Kind, text: str) -> object:
    """Decimals stay text, for a column of floats would lose what makes them exact."""
    return text if kind is Kind.DECIMAL else value_of(kind, text)
