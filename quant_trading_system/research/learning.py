"""Features, labels and a model across stocks, for strategies that learn. Needs scikit-learn, asked for on first use."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.research.validation import purged_walk_forward

Floats = NDArray[np.float64]

LOOKBACKS = (5, 21, 63, 252)
"""Bars over which returns are features, beside the volatility of a month."""
STRENGTHS = (0.001, 0.01, 0.1)
"""Inverse regularisations that are tried."""
_STEP = 5
_FOLDS = 4


class Panel(NamedTuple):
    """Rows of the past of N stocks, every fifth bar one.

    Attributes:
        features: float64 [R, N, F], ranks across stocks from −½ to ½, so that neither level nor market matters.
        labels: bool [R', N], R' ≤ R: the stock beat the median over the horizon; only rows whose outcome is known.
        purged: rows that a label reaches ahead.
    """

    features: Floats
    labels: NDArray[np.bool_]
    purged: int

    @classmethod
    def of(cls, closes: Floats, horizon: int) -> Panel | None:
        """From closes [T, N]; None when they are too short or have gaps."""
        longest = max(LOOKBACKS)
        if len(closes) < longest + 4 * horizon + 1 or not (closes > 0).all():
            return None
        rows = np.arange(len(closes) - 1, longest - 1, -_STEP)[::-1]
        moves = np.diff(np.log(closes), axis=0)
        known = [closes[rows] / closes[rows - bars] - 1 for bars in LOOKBACKS]
        known.append(np.stack([moves[row - 21 : row].std(axis=0) for row in rows]))
        told = rows[rows + horizon < len(closes)]
        ahead = closes[told + horizon] / closes[told]
        ranks = np.stack([feature.argsort(axis=1).argsort(axis=1) for feature in known], axis=2)
        return cls(
            features=ranks / max(closes.shape[1] - 1, 1) - 0.5,
            labels=ahead > np.median(ahead, axis=1, keepdims=True),
            purged=-(-horizon // _STEP),
        )

    def chances(self, model: Any) -> Floats:
        """The chance [N] that each stock beats the median from now on."""
        found: Floats = model.predict_proba(self.features[-1])[:, 1]
        return found


def learn(panel: Panel) -> tuple[Any, float]:
    """The model with the best purged walk-forward accuracy, trained on all that is known, and that accuracy.

    None instead of a model when no choice was right in more than half of the tests.

    Raises:
        StrategyError: scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise StrategyError("learning needs scikit-learn; install the extra `optimiser`") from None
    size = panel.features.shape[2]
    features, labels = panel.features[: len(panel.labels)], panel.labels

    def fitted(strength: float, rows: NDArray[np.intp]) -> Any:
        return LogisticRegression(C=strength).fit(features[rows].reshape(-1, size), labels[rows].ravel())

    scores = {}
    for strength in STRENGTHS:
        splits = purged_walk_forward(len(labels), horizon=panel.purged, folds=_FOLDS)
        right = [
            (fitted(strength, train).predict(features[test].reshape(-1, size)) == labels[test].ravel()).mean()
            for train, test in splits
        ]
        scores[strength] = float(np.mean(right))
    best = max(scores, key=lambda strength: (scores[strength], -strength))
    return (fitted(best, np.arange(len(labels))) if scores[best] > 0.5 else None), scores[best]
