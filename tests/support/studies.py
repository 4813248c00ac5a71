"""An order of a tenth of a day's volume, on a market whose impact is known: what the Monte Carlo tests trade."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from quant_trading_system.research.execution_study import Compared
from quant_trading_system.research.study_day import Study
from quant_trading_system.simulation.realism import MarketImpact, VolumeCurve

D = Decimal
STUDY = Study(
    quantity=D(100_000), price=D(400), daily_volume=1_000_000, volatility=0.02, steps=10,
    impact=MarketImpact(temporary_bps=D(500), permanent_bps=D(500)), curve=VolumeCurve(at_open=D(1), at_close=D(1)),
)  # fmt: skip
"""An even day: the setting of Almgren and Chriss, term by term."""
UNEVEN = msgspec.structs.replace(STUDY, steps=13, curve=VolumeCurve()).with_urgency(3.0)
"""A day that trades most at its ends, on which the algorithms differ."""


def table(study: Study, rows: Sequence[Compared]) -> str:
    """Basis points of the order, in theory and measured."""
    bp, aversion = study.notional / 1e4, study.risk_aversion
    lines = [" way        cost bp   measured          risk bp   measured        cost + λ·variance   measured"]
    lines.extend(
        f" {row.name:<10}{row.expected_cost / bp:>8.2f}{row.cost.mean / bp:>11.2f} ± {row.cost.error / bp:<6.3f}"
        f"{row.expected_risk / bp:>8.1f}{row.seen.deviation / bp:>11.1f} ± {row.seen.deviation_error / bp:<5.1f}"
        f"{row.utility(aversion, theory=True) / bp:>15.2f}{row.utility(aversion, theory=False) / bp:>11.2f}"
        for row in sorted(rows, key=lambda row: row.utility(aversion, theory=True))
    )
    return "\n".join(lines)
