"""The past as a strategy sees it: everything up to the current bar and nothing after it.

All arrays are copies of the past, so that neither a slice nor a base array leads into the future, and a
strategy may change them as it likes.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import (
    Bar,
    Floats,
    Integers,
    PriceHistory,
    as_floats,
    simple_returns,
)
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.time_axis import Stamps


class HistoryView:
    """A window on a history that ends with the current bar; `len` counts the bars in it."""

    __slots__ = ("_end", "_history")

    def __init__(self, history: PriceHistory, index: int) -> None:
        """Look at `history` at the moment when the bar of number `index` became known.

        Raises:
            IndexError: there is no such bar.
        """
        if not 0 <= index < len(history.axis.ends):
            raise IndexError(f"no bar {index} among {len(history)} bars; they are numbered from 0")
        self._history = history
        self._end = index + 1

    def __len__(self) -> int:
        return self._end

    def __repr__(self) -> str:
        return f"HistoryView({len(self.symbols)} symbols, {self._end} bars, now {self.now.isoformat()})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, in the order of the columns of `returns`."""
        return self._history.symbols

    @property
    def now(self) -> datetime:
        """When the current bar became known: aware, UTC."""
        return self._history.time_at(self._end - 1)

    @property
    def date(self) -> date:
        """The exchange's date of the current bar."""
        day: date = self._history.dates[self._end - 1].item()
        return day

    def has_symbol(self, symbol: str) -> bool:
        """The symbol is among `symbols`."""
        return self._history.has_symbol(symbol)

    def has_bar(self, symbol: str) -> bool:
        """True when the symbol has a bar right now."""
        return self._history.has_bar(symbol, self._end - 1)

    def close(self, symbol: str) -> Decimal:
        """The latest close known by now, in dollars, exact; an earlier one when the current bar is missing.

        Raises:
            MarketDataError: the symbol had no bar yet (ask `has_bar` first), or is not in the history.
        """
        close = self._history.close(symbol, self._end - 1)
        if close is None:
            latest = self._history.latest_bars.of(self._history.column_of(symbol), self._end - 1)
            close = None if latest is None else self._history.close(symbol, latest)
        if close is None:
            raise MarketDataError(f"{symbol} has had no bar by {self.now.isoformat()}; ask has_bar() first")
        return close

    def closes(self, symbol: str, n: int | None = None) -> Floats:
        """The last `n` closes, oldest first: float64 [n] for statistics, NaN where a bar is missing.

        Shorter than `n` while the past is; without `n`, the whole past.

        Raises:
            MarketDataError: the symbol is not in the history, or `n` is below 1.
        """
        return self._history.closes_as_float()[self._last(n), self._history.column_of(symbol)].copy()

    def opens(self, symbol: str, n: int | None = None) -> Floats:
        """The last `n` opening prices, as `closes`.

        Raises:
            MarketDataError: as `closes`, or only closes are known.
        """
        return self._prices(self._history.open_micros, symbol, n)

    def highs(self, symbol: str, n: int | None = None) -> Floats:
        """The last `n` highest prices, as `opens`."""
        return self._prices(self._history.high_micros, symbol, n)

    def lows(self, symbol: str, n: int | None = None) -> Floats:
        """The last `n` lowest prices, as `opens`."""
        return self._prices(self._history.low_micros, symbol, n)

    def volumes(self, symbol: str, n: int | None = None) -> Floats:
        """The shares traded in the last `n` bars, oldest first: float64 [n], NaN where a bar or its volume is missing.

        Raises:
            MarketDataError: as `closes`, or no volumes are known.
        """
        history, rows, column = self._history, self._last(n), self._history.column_of(symbol)
        if history.volume is None:
            raise MarketDataError("no volumes are known; give prices that have a column `volume`")
        shares = history.volume[rows, column]
        return np.where(history.present[rows, column] & (shares != UNKNOWN_VOLUME), shares, np.nan)

    def _prices(self, micros: Integers | None, symbol: str, n: int | None) -> Floats:
        rows, column = self._last(n), self._history.column_of(symbol)
        if micros is None:
            raise MarketDataError("only closes are known; give prices that have columns `open`, `high` and `low`")
        return as_floats(micros[rows, column], self._history.present[rows, column])

    def all_closes(self, n: int | None = None) -> Floats:
        """The last `n` closes of all symbols: float64 [n, N] for statistics, NaN where a bar is missing.

        Shorter than `n` while the past is; without `n`, the whole past.

        Raises:
            MarketDataError: `n` is below 1.
        """
        return self._history.closes_as_float()[self._last(n)].copy()

    def returns(self, n: int | None = None) -> Floats:
        """The last `n` simple returns of all symbols: float64 [n, N], as `PriceHistory.returns`.

        Shorter than `n` while the past is; without `n`, the whole past.

        Raises:
            MarketDataError: `n` is below 1.
        """
        rows = self._last(n)
        with_one_before = slice(max(0, rows.start - 1), rows.stop)
        return simple_returns(self._history.closes_as_float()[with_one_before])

    def returns_within_days(self, n: int) -> Floats:
        """The last `n` simple returns that do not span a night, as `PriceHistory.returns_within_days`.

        Raises:
            MarketDataError: `n` is below 1.
        """
        checked = self._last(n)
        return self._history.returns_within_days(n, checked.stop)

    def bar(self, symbol: str) -> Bar | None:
        """The current bar, exact; None when the symbol has none right now.

        Raises:
            MarketDataError: the symbol is not in the history, or only closes are known.
        """
        return self._history.bar(symbol, self._end - 1)

    def bars(self, symbol: str, n: int) -> tuple[Bar, ...]:
        """The bars of the last `n` times, oldest first; times at which the symbol has no bar are left out.

        Raises:
            MarketDataError: the symbol is not in the history, only closes are known, or `n` is below 1.
        """
        rows = self._last(n)
        found = (self._history.bar(symbol, index) for index in range(rows.start, rows.stop))
        return tuple(bar for bar in found if bar is not None)

    def by_session(self, symbol: str, sessions: int) -> tuple[Integers, Floats]:
        """Shares and last close of each of the last `sessions` sessions, oldest first: int64 and float64 [sessions].

        Fewer while the past is short. -1 shares where the volume of a bar is unknown; NaN where no close is known.

        Raises:
            MarketDataError: the symbol is not in the history, or `sessions` is below 1.
        """
        volumes = np.array(self.session_volumes(symbol, sessions), dtype=np.int64)
        ends = np.append(self._session_starts()[-sessions:][1:], self._end)
        return volumes, self._history.closes_as_float()[ends - 1, self._history.column_of(symbol)].copy()

    def session_volumes(self, symbol: str, sessions: int) -> list[int]:
        """The shares of `by_session` alone.

        Raises:
            MarketDataError: as there.
        """
        if sessions < 1:
            raise MarketDataError(f"{sessions} sessions cannot be looked at; ask for at least 1")
        history, column = self._history, self._history.column_of(symbol)
        starts, traded = history.session_starts, history.session_volumes
        latest = int(starts.searchsorted(self._end)) - 1
        volumes = traded.of_sessions(max(latest + 1 - sessions, 0), latest, column)
        return [*volumes, traded.of_bars(starts.item(latest), self._end, column)]

    def earlier_volumes(self, symbol: str, sessions: int) -> tuple[Stamps, Stamps, Integers]:
        """Starts, ends and shares of the intraday bars of the `sessions` sessions before the current one, oldest first.

        Empty with daily bars and without volumes; bars whose volume is unknown are left out.

        Raises:
            MarketDataError: the symbol is not in the history, or `sessions` is below 1.
        """
        if sessions < 1:
            raise MarketDataError(f"{sessions} sessions cannot be looked at; ask for at least 1")
        history, column = self._history, self._history.column_of(symbol)
        rows = np.zeros(0, dtype=np.int64)
        volume = history.present if history.volume is None else history.volume
        if not history.is_daily and history.volume is not None:
            starts = self._session_starts()
            first, last = int(starts[-sessions - 1 :][0]), int(starts[-1])
            known = history.present[first:last, column] & (volume[first:last, column] != UNKNOWN_VOLUME)
            rows = known.nonzero()[0] + first
        return history.axis.starts[rows], history.axis.ends[rows], volume[rows, column].astype(np.int64)

    def _session_starts(self) -> Integers:
        """The first bar of each session up to now."""
        starts = self._history.session_starts
        return starts[: np.searchsorted(starts, self._end)]

    def _last(self, n: int | None) -> slice:
        if n is None:
            return slice(0, self._end)
        if n < 1 or isinstance(n, float):
            raise MarketDataError(f"{n} bars cannot be looked at; ask for at least 1, as a whole number")
        return slice(max(0, self._end - n), self._end)
