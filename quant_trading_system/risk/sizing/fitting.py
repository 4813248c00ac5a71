"""Target portfolios that pass the gate by construction: position, correlation, count, sector, gross.

Weights that break a limit are not refused one by one when their order comes, first come first served; the whole
portfolio is cut before, where it costs least, and each cut bears the name of its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.numbers import ZERO, floor_to_lot
from quant_trading_system.risk.correlation import CorrelationSource
from quant_trading_system.risk.sizing.once import OncePerWalk
from quant_trading_system.risk.sizing.request import PositionSizer, Sizing, SizingRequest

_FINE = Decimal("1E-12")


class Target(NamedTuple):
    """A position that is wanted: dollars, signed."""

    symbol: str
    sector: str
    value: Decimal


class Fitted(NamedTuple):
    """What is left of a target: dollars, signed, and the limit that cut it; no rule when it was not cut."""

    value: Decimal
    rule: Rule | None = None
    detail: str = ""


def fit_targets(
    targets: Iterable[Target],
    *,
    equity: Decimal,
    limits: RiskLimits,
    sectors: Mapping[str, str],
    staying: Mapping[str, Decimal],
    held: Iterable[str] = (),
    correlations: CorrelationSource | None = None,
) -> dict[str, Fitted]:
    """Cut targets until all of them together pass the gate, in any order of sending.

    First each position to its limit; then of each pair that moves too much alike the one that is not held, or the
    smaller; then the smallest beyond the count; then all of a sector, and all of the portfolio, in proportion. A
    cut never raises another position.

    Args:
        equity: dollars, above zero.
        sectors: of everything in `staying`.
        staying: symbol to dollars, signed, of positions that keep their room.
        held: symbols that are held now; they are preferred.
        correlations: None where nobody measures them; then they are left to the gate.
    """
    fitting = _Fitting(equity=equity, limits=limits, staying=staying, sectors=sectors)
    known = set(held)
    ranked = sorted(targets, key=lambda target: (target.symbol not in known, -abs(target.value), target.symbol))
    for target in ranked:
        fitting.take(target, correlations)
    fitting.limit_count()
    fitting.limit_sectors()
    fitting.limit_gross()
    return fitting.found


@dataclass
class _Fitting:
    equity: Decimal
    limits: RiskLimits
    staying: Mapping[str, Decimal]
    sectors: Mapping[str, str]
    targets: dict[str, Target] = field(default_factory=dict)
    found: dict[str, Fitted] = field(default_factory=dict)

    def take(self, target: Target, correlations: CorrelationSource | None) -> None:
        cap = self.limits.max_position_pct * self.equity
        self.targets[target.symbol] = target
        self.found[target.symbol] = Fitted(target.value)
        if abs(target.value) > cap:
            signed = cap.copy_sign(target.value)
            self.found[target.symbol] = Fitted(signed, Rule.MAX_POSITION, f"at most {self.limits.max_position_pct}")
        if correlations is not None and target.value:
            self._drop_what_moves_alike(target, correlations)

    def _drop_what_moves_alike(self, target: Target, correlations: CorrelationSource) -> None:
        most = self.limits.max_correlation
        others = {symbol: fitted.value for symbol, fitted in self.found.items() if symbol != target.symbol}
        for other, value in {**self.staying, **others}.items():
            if not value:
                continue
            measured = correlations.correlation(target.symbol, other)
            if measured is None:
                self._cut(target.symbol, ZERO, Rule.MAX_CORRELATION, f"too few common returns with {other}")
                return
            alike = measured if (value > 0) == (target.value > 0) else -measured
            if alike > most:
                self._cut(target.symbol, ZERO, Rule.MAX_CORRELATION, f"{alike:.3f} with {other}, at most {most}")
                return

    def limit_count(self) -> None:
        room = max(self.limits.max_portfolio_positions - len(self.staying), 0)
        wanted = [symbol for symbol, fitted in self.found.items() if fitted.value]
        ranked = sorted(wanted, key=lambda symbol: (-abs(self.found[symbol].value), symbol))
        for symbol in ranked[room:]:
            self._cut(symbol, ZERO, Rule.MAX_POSITIONS, f"at most {self.limits.max_portfolio_positions}")

    def limit_sectors(self) -> None:
        for sector in sorted({target.sector for target in self.targets.values()}):
            members = [symbol for symbol, target in self.targets.items() if target.sector == sector]
            kept = sum((abs(v) for s, v in self.staying.items() if self.sectors.get(s) == sector), ZERO)
            limit = self.limits.max_sector_exposure
            self._scale(members, limit * self.equity - kept, Rule.MAX_SECTOR, f"{sector} at most {limit}")

    def limit_gross(self) -> None:
        kept = sum((abs(value) for value in self.staying.values()), ZERO)
        gross, power = self.limits.max_gross_exposure, self.limits.buying_power_multiplier
        rule = Rule.MAX_GROSS if gross <= power else Rule.BUYING_POWER
        limit = min(gross, power)
        self._scale(list(self.targets), limit * self.equity - kept, rule, f"all together at most {limit}")

    def _scale(self, symbols: list[str], room: Decimal, rule: Rule, detail: str) -> None:
        total, left = sum((abs(self.found[symbol].value) for symbol in symbols), ZERO), max(room, ZERO)
        if total <= left:
            return
        factor = (left / total).quantize(_FINE, ROUND_FLOOR)  # never above the room
        for symbol in symbols:
            if self.found[symbol].value:
                self._cut(symbol, self.found[symbol].value * factor, rule, detail)

    def _cut(self, symbol: str, value: Decimal, rule: Rule, detail: str) -> None:
        self.found[symbol] = Fitted(value, rule, detail)


@dataclass(frozen=True)
class WithinLimits:
    """What a sizer answers for all wanted symbols, cut as a portfolio to what the gate will pass."""

    sizer: PositionSizer
    _found: OncePerWalk[dict[str, Sizing]] = field(default_factory=OncePerWalk, init=False, repr=False, compare=False)

    def size(self, request: SizingRequest) -> Sizing:
        symbol = request.signal.symbol
        around = request.around
        if all(wanted.signal.symbol != symbol for wanted in around.wanted):
            return self.sizer.size(request)
        return self._found.of(around, lambda: self._fit(request))[symbol]

    def _fit(self, request: SizingRequest) -> dict[str, Sizing]:
        around = request.around
        asked = {wanted.signal.symbol: self.sizer.size(request.of(wanted)) for wanted in around.wanted}
        if request.equity <= 0:
            return asked
        targets = [
            Target(w.instrument.symbol, w.instrument.sector, asked[w.instrument.symbol].quantity * w.price)
            for w in around.wanted
        ]
        fitted = fit_targets(
            targets,
            equity=request.equity,
            limits=request.limits,
            sectors=around.sectors,
            staying=around.staying,
            held=around.held,
            correlations=around.correlations,
        )
        return {
            wanted.signal.symbol: _cut(
                asked[wanted.signal.symbol], fitted[wanted.instrument.symbol], request.of(wanted)
            )
            for wanted in around.wanted
        }


def _cut(asked: Sizing, fitted: Fitted, request: SizingRequest) -> Sizing:
    if fitted.rule is None:
        return asked
    full = asked.cut_from if asked.cut_from is not None else asked.quantity
    shares = floor_to_lot(fitted.value / request.price, request.instrument.lot)
    rule, detail = fitted.rule, f"{fitted.detail}; {asked.detail}"
    if shares and abs(shares) * request.price < request.limits.min_order_notional:
        shares, rule = ZERO, Rule.MIN_NOTIONAL
    return Sizing(quantity=shares, bound_by=rule.value, detail=detail, cut_from=full)
