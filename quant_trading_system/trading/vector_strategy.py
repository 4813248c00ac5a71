"""Strategies that say for all bars at once what they want to hold.

In a backtest that is asked once, and the market is passed over up to the bars at which the answer changes; live,
it is asked at the end of every bar. An answer that knows the future is found out and refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.core.numbers import from_float
from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.failures import failure
from quant_trading_system.trading.strategy import MarketView, Strategy, hears

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from quant_trading_system.market.history import PriceHistory

    Floats = NDArray[np.float64]

_PLACES = 6
_PREFIXES = (0.31, 0.62, 0.97)


class VectorStrategy(Strategy):
    """Override `targets` instead of `on_bar`.

    A target is said on the bar at which it changes, and not again before it changes, whatever became of its order.

    >>> import numpy as np
    >>> class Trend(VectorStrategy):
    ...     def targets(self, closes):
    ...         above = np.full(closes.shape, np.nan)
    ...         above[20:] = np.where(closes[20:] > closes[:-20], 0.1, 0.0)
    ...         return above
    """

    _planned: Floats | None = None
    _said: Mapping[str, float] = MappingProxyType({})

    def targets(self, closes: Floats) -> Floats:  # noqa: ARG002 - for those who override it
        """What to hold from the end of each bar on.

        Args:
            closes: dollars, float64 [bars, symbols], NaN where a bar is missing; read-only.

        Returns:
            Fractions of equity, float64 [bars, symbols]: 0 for nothing, negative for short, NaN to leave it at what
            was said before. A row may depend on closes up to it alone.

        Raises:
            StrategyError: a subclass did not write this method.
        """
        raise StrategyError(f"{type(self).__name__} needs a method targets(self, closes)")

    def plan(self, closes: Floats) -> NDArray[np.bool_]:
        """Ask for the whole history at once; the bars at which something changes, bool [bars].

        Raises:
            StrategyError: `targets` failed, or its answer has another shape or is out of range, or is another one when
                later bars are not known yet.
        """
        import numpy as np

        found = self._foretold(closes)
        for share in _PREFIXES:
            bars = int(len(closes) * share)
            if bars and not np.array_equal(self._foretold(closes[:bars]), found[:bars], equal_nan=True):
                raise StrategyError(
                    f"{self.name} wants something else for the first {bars} bars when the later ones are not known: "
                    "its targets look into the future, or depend on how much history there is"
                )
        self._planned, self._said = _kept(found), {}
        return _changes(self._planned)

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Say what has changed since this was asked last."""
        row = market.known_bars - 1
        latest = _kept(self._asked(market.all_closes()))[-1] if self._planned is None else self._planned[row]
        said = self._said = {**self._said}
        for symbol, target in zip(market.symbols, latest.tolist(), strict=True):
            if target != target or target == said.get(symbol, 0.0):
                continue
            said[symbol] = target
            weight = from_float(abs(target), _PLACES)
            if not weight:
                yield market.flat(symbol)
            else:
                yield market.long(symbol, weight=weight) if target > 0 else market.short(symbol, weight=weight)

    def _foretold(self, closes: Floats) -> Floats:
        """The answer before the run; there is no run without it."""
        try:
            return self._asked(closes)
        except StrategyError:
            raise
        except Exception as error:
            raise StrategyError(f"{self.name} could not say its targets: {failure(error)}") from error

    def _asked(self, closes: Floats) -> Floats:
        import numpy as np

        found = np.asarray(self.targets(closes), dtype=np.float64)
        if found.shape != closes.shape:
            raise StrategyError(f"{self.name} answers with the shape {found.shape} to closes of {closes.shape}")
        if (np.abs(found[~np.isnan(found)]) > 1).any():
            raise StrategyError(f"{self.name} wants more than all of the equity in one symbol; targets are fractions")
        return found


def speaking_bars(strategies: Sequence[Strategy], history: PriceHistory, first_bar: int) -> NDArray[np.bool_] | None:
    """Let strategies plan ahead; the bars at which any may say something, bool [bars]; None when all must be asked.

    Raises:
        StrategyError: as `VectorStrategy.plan`.
    """
    plans = [one.plan(history.closes_as_float()) for one in strategies if isinstance(one, VectorStrategy)]
    if not plans or len(plans) < len(strategies) or any(map(hears, strategies)):
        return None
    speaking = plans[0]
    for other in plans[1:]:
        speaking = speaking | other
    speaking[first_bar] = True  # what holds already when the run begins
    return speaking


def _kept(targets: Floats) -> Floats:
    """Targets with what was said before in the place of NaN."""
    import numpy as np

    from quant_trading_system.market.scratch import row_blocks, scratch

    kept: Floats = scratch(targets.shape, np.float64)
    latest = np.full(targets.shape[1], np.nan)
    for rows in row_blocks(*targets.shape):
        said = np.vstack([latest, targets[rows]])
        places = np.where(np.isnan(said), 0, np.arange(len(said))[:, np.newaxis])
        kept[rows] = np.take_along_axis(said, np.maximum.accumulate(places, axis=0), axis=0)[1:]
        latest = kept[rows.stop - 1]
    return kept


def _changes(planned: Floats) -> NDArray[np.bool_]:
    """The bars at which something else is wanted than before, bool [bars]."""
    import numpy as np

    from quant_trading_system.market.scratch import row_blocks

    changes = np.zeros(len(planned), dtype=np.bool_)
    latest = np.full(planned.shape[1], np.nan)
    for rows in row_blocks(*planned.shape):
        wanted = planned[rows]
        before = np.vstack([latest, wanted[:-1]])
        changes[rows] = ((wanted != before) & ~np.isnan(wanted)).any(axis=1)
        latest = wanted[-1]
    return changes
