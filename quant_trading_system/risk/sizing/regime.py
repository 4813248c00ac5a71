"""Scaling by the regime of the market."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.risk.sizing.request import SizingRequest


@dataclass(frozen=True)
class RegimeScale:
    """`below` while the mean of all symbols stands under its own average of `window` bars, else one.

    The mean is an index of equal parts of all symbols with prices over the window.

    Source: Faber (2007), A quantitative approach to tactical asset allocation.

    Raises:
        ConfigurationError: `below` outside 0 to 1, or a window below 2.
    """

    window: int = 200
    below: Decimal = Decimal("0.5")
    rule = "regime"

    def __post_init__(self) -> None:
        if not ZERO <= self.below <= ONE or self.window < 2:
            raise ConfigurationError(
                f"regime: below {self.below} must lie in 0 to 1, window {self.window} be at least 2"
            )

    def factor(self, request: SizingRequest) -> tuple[Decimal | None, str]:
        past = request.around.past
        returns = np.empty((0, 0)) if past is None else past.returns(self.window - 1)
        whole = returns[:, np.isfinite(returns).all(axis=0)] if len(returns) else returns
        if len(returns) < self.window - 1 or not whole.shape[1]:
            return None, f"{len(returns) + 1} bars do not tell the regime; {self.window} are needed"
        index = np.append(1.0, np.cumprod(1 + whole.mean(axis=1)))
        standing = float(index[-1] / index.mean() - 1)
        factor = ONE if standing >= 0 else self.below
        return factor, f"the market stands {standing:+.1%} at its average"
