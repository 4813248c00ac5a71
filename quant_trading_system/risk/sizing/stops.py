"""Sizers that risk a fraction of equity to a stop: fixed, of Kelly's bet, or of Vince's optimal f.

quantity = equity · fraction / distance to the stop. What is lost through a gap beyond the stop, and costs, come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from quant_trading_system.core.exceptions import ConfigurationError, InvalidNumber
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.core.signals import Direction
from quant_trading_system.risk.sizing.estimates import average_true_range, true_ranges_of
from quant_trading_system.risk.sizing.kelly import kelly_from_trades, kelly_shrinkage_of_bet, optimal_f
from quant_trading_system.risk.sizing.request import Sizing, SizingRequest, as_weight, nothing, of_value

_Full = Callable[[Sequence[float]], tuple[float, str]]
"""From trades to the full fraction and the words that explain it."""
_MEMORY = 10
"""Windows of true ranges that Wilder's average looks back on; older ones weigh less than 0.01 %."""


@dataclass(frozen=True)
class FixedFractional:
    """Risk the same fraction of equity on every idea: quantity = equity · fraction / |price − stop|.

    Source: Vince (1990); Tharp (1998). The stop comes with the signal; without one the size is zero.

    Attributes:
        risk_fraction: of equity, lost when the stop is hit at its price.

    Raises:
        ConfigurationError: the fraction is not between 0 and 1.
    """

    risk_fraction: Decimal = Decimal("0.01")

    def __post_init__(self) -> None:
        _require_fraction("fixed fractional: risk_fraction", self.risk_fraction)

    def size(self, request: SizingRequest) -> Sizing:
        stop = request.signal.stop_price
        if stop is None:
            return nothing("fixed fractional sizing needs a stop_price in the signal")
        return to_stop(request, self.risk_fraction, stop, "risk_fraction")


@dataclass(frozen=True)
class AtrStop:
    """Risk the same fraction of equity to a stop that lies `multiple` average true ranges away.

    Source: Wilder (1978) for the range; Faith (2007) for sizing by it.

    Attributes:
        risk_fraction: of equity, lost when the stop is hit at its price.
        window: bars of Wilder's average.

    Raises:
        ConfigurationError: a fraction not between 0 and 1, a multiple not above 0, or a window below 2.
    """

    risk_fraction: Decimal = Decimal("0.01")
    multiple: Decimal = Decimal(2)
    window: int = 14

    def __post_init__(self) -> None:
        _require_fraction("atr: risk_fraction", self.risk_fraction)
        if self.multiple <= 0 or self.window < 2:
            raise ConfigurationError(f"atr: multiple {self.multiple} must be above 0, window {self.window} at least 2")

    def size(self, request: SizingRequest) -> Sizing:
        signal = request.signal
        ranges = true_ranges_of(request.around.past, signal.symbol, _MEMORY * self.window)
        try:
            atr = as_weight(average_true_range(ranges, self.window))
        except InvalidNumber as error:
            return nothing(f"no average true range of {signal.symbol}: {error}")
        if not atr:
            return nothing(f"{signal.symbol} never moved in {len(ranges)} bars, so its risk is not known")
        stop = request.price - signal.direction.sign * self.multiple * atr
        return to_stop(request, self.risk_fraction, stop.quantize(Decimal("0.0001")), "atr_stop")


@dataclass(frozen=True)
class KellyBet:
    """Risk the Kelly fraction of the account's own closed round trips to the stop of the signal.

    p is the share of winners and b the mean win over the mean loss in dollars, so that f = p − (1 − p)/b is a
    fraction to risk, not to invest. It is shrunk for the error of p, then multiplied by `fraction`, then capped.

    Source: Kelly (1956); Thorp (2006); Baker & McHale (2013) for the shrinkage.

    Attributes:
        fraction: of full Kelly; a quarter to a half is the practice.
        most: largest fraction of equity at risk.
        fewest: round trips below which the size is zero.
        shrink: account for the error of the estimate.

    Raises:
        ConfigurationError: a fraction out of range, or `fewest` below 2.
    """

    fraction: Decimal = Decimal("0.25")
    most: Decimal = Decimal("0.02")
    fewest: int = 30
    shrink: bool = True

    def __post_init__(self) -> None:
        _require_kelly("kelly-bet", self.fraction, self.most, self.fewest)

    def size(self, request: SizingRequest) -> Sizing:
        def full(trades: Sequence[float]) -> tuple[float, str]:
            bet = kelly_from_trades(trades)
            factor = kelly_shrinkage_of_bet(bet.win_rate, bet.payoff, len(trades)) if self.shrink else 1.0
            words = f"{bet.win_rate:.1%} of {len(trades)} trades won {bet.payoff:.2f} losses: Kelly {bet.fraction:.2%}"
            return bet.fraction * factor, words + (f", shrunk to {factor:.0%} of it" if self.shrink else "")

        return _of_trades(request, full, self.fraction, self.most, self.fewest, "kelly_bet")


@dataclass(frozen=True)
class OptimalF:
    """Risk Vince's optimal f of the account's own closed round trips, of which `fraction` is used.

    f maximises the product of 1 + f · profit / largest loss over the past: the stop stands for the largest loss.
    It fits the past perfectly, which is more than anybody should ask of it; hence the fraction and the cap.

    Source: Vince (1990), Portfolio Management Formulas.

    Attributes:
        fraction: of optimal f; most: largest fraction of equity at risk; fewest: round trips needed.

    Raises:
        ConfigurationError: a fraction out of range, or `fewest` below 2.
    """

    fraction: Decimal = Decimal("0.25")
    most: Decimal = Decimal("0.02")
    fewest: int = 30

    def __post_init__(self) -> None:
        _require_kelly("optimal-f", self.fraction, self.most, self.fewest)

    def size(self, request: SizingRequest) -> Sizing:
        def full(trades: Sequence[float]) -> tuple[float, str]:
            f = optimal_f(trades)
            return f, f"optimal f of {len(trades)} trades is {f:.2%}"

        return _of_trades(request, full, self.fraction, self.most, self.fewest, "optimal_f")


def to_stop(request: SizingRequest, fraction: Decimal, stop: Decimal, rule: str) -> Sizing:
    """Shares that lose `fraction` of equity, times the strength of the signal, when `stop` is hit at its price."""
    signal = request.signal
    if signal.direction is Direction.FLAT:
        return nothing("flat is wanted", bound_by="signal")
    distance = (request.price - stop) * signal.direction.sign
    if distance <= 0:
        return nothing(f"the stop {stop} lies on the wrong side of {request.price}")
    risked = request.equity * fraction * signal.strength
    value = risked / distance * request.price
    return of_value(request, value, rule, f"{risked:.2f} USD at risk to the stop {stop}")


def _of_trades(request: SizingRequest, full: _Full, fraction: Decimal, most: Decimal, fewest: int, rule: str) -> Sizing:
    trades, stop = request.around.trades, request.signal.stop_price
    if stop is None:
        return nothing(f"{rule} sizing needs a stop_price in the signal: it is a fraction to risk")
    if len(trades) < fewest:
        return nothing(f"{len(trades)} closed round trips are too few to know an edge; {fewest} are needed")
    try:
        estimate, words = full([float(profit) for profit in trades])
        weight = as_weight(estimate)
    except InvalidNumber as error:
        return nothing(str(error))
    if not weight:
        return nothing(f"no edge: {words}", bound_by=rule)
    risked = min(weight * fraction, most)
    sizing = to_stop(request, risked, stop, rule if weight * fraction <= most else f"{rule}_most")
    return Sizing(
        quantity=sizing.quantity,
        bound_by=sizing.bound_by,
        detail=f"{words}; {sizing.detail}",
        cut_from=sizing.cut_from,
    )


def _require_fraction(name: str, fraction: Decimal) -> None:
    if not ZERO < fraction < ONE:
        raise ConfigurationError(f"{name} {fraction} must lie between 0 and 1")


def _require_kelly(name: str, fraction: Decimal, most: Decimal, fewest: int) -> None:
    if not ZERO < fraction <= ONE:
        raise ConfigurationError(f"{name}: fraction {fraction} must be above 0 and at most 1; half Kelly is 0.5")
    _require_fraction(f"{name}: most", most)
    if fewest < 2:
        raise ConfigurationError(f"{name}: fewest {fewest} must be at least 2")
