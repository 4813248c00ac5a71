"""How the latest orders went: refusals, errors, and what their fills cost beyond the quotes they were judged by."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import ONE
from quant_trading_system.risk.triggers import BY_RULE, Answer, AverageCost, Measure, Tally

_SIX = Decimal("1E-6")
_NONE, _TAKEN, _REFUSED_LATER = Answer.NONE, Answer.TAKEN, Answer.REFUSED_LATER
_SLIPPAGE = BY_RULE["max_slippage_bps"]
_REJECTIONS = BY_RULE["max_rejection_rate"]
_ERRORS = BY_RULE["max_broker_errors"]


class OrderQuality:
    """Counts answers and fills within the windows that the limits name.

    Attributes:
        slippage: of the fills of market orders.
    """

    def __init__(self, limits: RiskLimits) -> None:
        """Begin with nothing counted."""
        self.slippage = AverageCost(1)
        self._refusals, self._errors = Tally(ONE), Tally(ONE)
        self.use_limits(limits)

    def use_limits(self, limits: RiskLimits) -> None:
        """Count by other limits from now on."""
        self._limits = limits
        self._refusals.look_back(limits.rejection_window_s)
        self._errors.look_back(limits.broker_error_window_s)
        self.slippage.fills = limits.slippage_fills
        self._near_slippage = limits.max_slippage_bps * limits.warn_at_share

    def answered(self, answer: Answer, now: float) -> None:
        """Count how the broker answered an order at the moment `now`, seconds of the monotonic clock."""
        if answer is _NONE or self._errors.bad:  # errors alone are counted, and what comes after them
            self._errors.add(now, bad=answer is _NONE)
        if answer is not _NONE:
            self._refusals.add(now, bad=answer is not _TAKEN, new=answer is not _REFUSED_LATER)

    @property
    def is_calm(self) -> bool:
        """Nothing went wrong lately, and fills cost less than what people are warned of."""
        return not (self._refusals.bad or self._errors.bad) and self.slippage.is_within(self._near_slippage)

    @property
    def are_ageing(self) -> bool:
        """Something went wrong lately: its share of the answers changes as time passes, without another answer."""
        return bool(self._refusals.bad or self._errors.bad)

    def measures(self, now: float) -> list[Measure]:
        """Where the triggers stand; averages and rates are left out before there is enough to average."""
        found = []
        slippage = self.slippage.basis_points()
        if slippage is not None:
            found.append(Measure(_SLIPPAGE, slippage, self._limits.max_slippage_bps))
        orders, refused = self._refusals.counts(now)
        if orders and orders >= self._limits.rejection_min_orders:
            rate = (Decimal(refused) / Decimal(orders)).quantize(_SIX)
            found.append(Measure(_REJECTIONS, rate, self._limits.max_rejection_rate))
        errors = self._errors.counts(now)[1]
        found.append(Measure(_ERRORS, Decimal(errors), Decimal(self._limits.max_broker_errors)))
        return found

    def forget(self) -> None:
        """Begin anew."""
        for window in (self.slippage, self._refusals, self._errors):
            window.forget()
