"""The words of a sweep: how it chooses, what "best" means, and how a trial ended."""

from __future__ import annotations

from enum import StrEnum


class Sampler(StrEnum):
    """How a sweep chooses what to try."""

    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"


class Metric(StrEnum):
    """What "best" means; higher is better, but for the drawdown."""

    SHARPE = "sharpe"
    SORTINO = "sortino"
    CALMAR = "calmar"
    CAGR = "cagr"
    TOTAL_RETURN = "total_return"
    PROFIT_FACTOR = "profit_factor"
    MAX_DRAWDOWN = "max_drawdown"

    @property
    def told(self) -> str:
        """As people say it."""
        return _TOLD.get(self) or self.value.replace("_", " ").capitalize()


_TOLD = {
    Metric.SHARPE: "Sharpe ratio",
    Metric.SORTINO: "Sortino ratio",
    Metric.CALMAR: "Calmar ratio",
    Metric.CAGR: "CAGR",
}


class Status(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    REFUSED = "refused"  # the strategy did not take the parameters
    STOPPED = "stopped"  # the strategy failed on the way
