"""From the text of a cell to an exact integer or a UTC time, for whole columns at once.

Cells in the usual form are converted together; the others are looked at one by one, and those that cannot
be used get a reason in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import MICROS, Integers
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.time_axis import Stamps

MAX_PRICE = 10**9
"""Dollars a share; anything above is a fault of the file."""
MAX_VOLUME = 10**15
"""Shares in one bar."""
MAX_DECIMALS = 6

Flaws = dict[int, str]
"""Position in the column to what is wrong with the cell."""

_EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
_USUAL_PRICE = r"^\+?([0-9]{1,10})(?:\.([0-9]{0,6})0*)?$"
_USUAL_VOLUME = r"^\+?([0-9]{1,16})(?:\.0*)?$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_NOT_FINITE = {"nan": "is NaN", "inf": "is infinite", "infinity": "is infinite"}
_USUAL_TIME = (
    r"^((?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2}))?(?:\.([0-9]{1,6})0*)?"
    r" ?(Z|UTC|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?)?$"
)


class TimeKind(IntEnum):
    """How much of a time a cell tells."""

    DATE = 0
    NAIVE = 1  # date and time of day
    AWARE = 2  # with the distance from UTC


_KIND_WORDS = ("a date without a time", "a time without a time zone", "a time with a time zone")


class Times(NamedTuple):
    """A column of times.

    Attributes:
        local: datetime64[us], as written.
        utc: datetime64[us], of aware times only.
        kind: of the whole column.
        flaws: cells that are no times, or of another kind than the first one.
    """

    local: Stamps
    utc: Stamps
    kind: TimeKind
    flaws: Flaws


def read_prices(cells: pl.Series, decimals: int | None) -> tuple[Integers, Flaws]:
    """Prices in micro-dollars; 0 where the cell is empty or flawed.

    Args:
        cells: text, 64-bit floats or integers.
        decimals: round to so many decimals, half to even; None refuses prices with more than six.
    """

    def read(text: str) -> int | str:
        return _micros(text, decimals)

    if decimals is not None and decimals < MAX_DECIMALS:
        return _read_column(cells, np.zeros(len(cells), np.int64), cells.is_not_null(), read)
    if cells.dtype.is_numeric():
        micros = _micros_of_numbers(cells)
        usual = micros.is_between(1, MAX_PRICE * MICROS).fill_null(value=False)
        return _read_column(cells, micros.fill_null(0).to_numpy(), cells.is_not_null() & ~usual, read)
    parts = cells.str.extract_groups(_USUAL_PRICE).struct
    fraction = parts.field("2").fill_null("").str.pad_end(MAX_DECIMALS, "0").cast(pl.Int64)
    micros = parts.field("1").cast(pl.Int64) * MICROS + fraction
    usual = micros.is_between(1, MAX_PRICE * MICROS).fill_null(value=False)
    return _read_column(cells, micros.fill_null(0).to_numpy(), cells.is_not_null() & ~usual, read)


def read_volumes(cells: pl.Series) -> tuple[Integers, Flaws]:
    """Volumes in shares of text or numbers; `UNKNOWN_VOLUME` where the cell is empty."""
    if cells.dtype.is_numeric():
        whole = cells.cast(pl.Int64, strict=False)
        shares = whole.zip_with((whole == cells) & (whole >= 0), pl.Series([None], dtype=pl.Int64))
    else:
        shares = cells.str.extract(_USUAL_VOLUME).cast(pl.Int64)
    usual = (shares <= MAX_VOLUME).fill_null(value=False)
    return _read_column(cells, shares.fill_null(UNKNOWN_VOLUME).to_numpy(), cells.is_not_null() & ~usual, _shares)


def read_times(cells: pl.Series) -> Times:
    """Dates and times of ISO 8601: ``2022-01-03``, ``2022-01-03 09:30``, ``2022-01-03T14:30:00Z``, ``…-05:00``."""
    if isinstance(cells.dtype, pl.Datetime):
        return _read_moments(cells)
    parts = cells.str.extract_groups(_USUAL_TIME).struct.unnest()
    day, clock, second, fraction, zone = (parts.to_series(number) for number in range(5))
    text = day + " " + clock.fill_null("00:00") + ":" + second.fill_null("00")
    whole = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    micros = fraction.fill_null("0").str.pad_end(6, "0").cast(pl.Int64)
    local = (whole.cast(pl.Int64) + micros).cast(pl.Datetime("us"))
    minutes = _minutes_from_utc(zone)
    utc = (local.cast(pl.Int64) - minutes * 60_000_000).cast(pl.Datetime("us"))
    kinds = (clock.is_not_null().cast(pl.Int8) + zone.is_not_null().cast(pl.Int8)).to_numpy()
    sound = local.is_not_null().to_numpy()
    kind = TimeKind(int(kinds[sound.argmax()]))
    flaws = _time_flaws(sound, kinds, kind, cells) | _zone_flaws(sound & (kinds == kind), minutes.to_numpy())
    return Times(local.to_numpy(), utc.to_numpy(), kind, flaws)


def _read_moments(cells: pl.Series) -> Times:
    """A column of moments instead of text: without a time zone as they are, else in UTC."""
    zone = getattr(cells.dtype, "time_zone", None)
    plain = cells if zone is None else cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    moments = plain.dt.cast_time_unit("us")
    sound = (moments.dt.year().is_between(1900, 2099) & (moments == plain)).fill_null(value=False).to_numpy()
    kind = TimeKind.NAIVE if zone is None else TimeKind.AWARE
    flaws = _time_flaws(sound, np.full(len(cells), kind, dtype=np.int8), kind, cells)
    return Times(moments.to_numpy(), moments.to_numpy(), kind, flaws)


def to_utc(local: Stamps, timezone: str) -> tuple[Stamps, Flaws]:
    """Times of a time zone in UTC.

    Raises:
        MarketDataError: there is no such time zone.
    """
    require_timezone(timezone)
    there = pl.Series(local).dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    utc = there.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    why = f"happens twice or never in {timezone}, where the clocks change; write times with their distance from UTC"
    return utc.to_numpy(), dict.fromkeys(utc.is_null().arg_true().to_list(), why)


def require_timezone(name: str) -> None:
    """Refuse what names no time zone.

    Raises:
        MarketDataError: there is no such time zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MarketDataError(f'no time zone {name!r}; write it like "America/New_York"') from None


def to_local(utc: Stamps, timezone: str) -> Stamps:
    """UTC times as the clocks of a time zone show them."""
    return (
        pl.Series(utc).dt.replace_time_zone("UTC").dt.convert_time_zone(timezone).dt.replace_time_zone(None).to_numpy()
    )


def _read_column(
    cells: pl.Series, values: Integers, unusual: pl.Series, read: Callable[[str], int | str]
) -> tuple[Integers, Flaws]:
    values = values.copy()
    flaws: Flaws = {}
    answers: dict[str, int | str] = {}
    positions = unusual.arg_true()
    texts = cells.gather(positions).cast(pl.String).to_list()
    for position, text in zip(positions.to_list(), texts, strict=True):
        answer = answers.get(text)
        if answer is None:
            answer = answers[text] = read(text)
        if isinstance(answer, str):
            flaws[position] = answer
        values[position] = 0 if isinstance(answer, str) else answer
    return values, flaws


def _micros_of_numbers(cells: pl.Series) -> pl.Series:
    """Micro-dollars of floats or integers; null where a float is not the nearest one to six decimals.

    A decimal of at most fifteen digits is the only one that its float stands for (IEEE 754), so that this is exact.
    """
    if cells.dtype.is_integer():
        return cells.cast(pl.Int64, strict=False).clip(0, MAX_PRICE + 1) * MICROS
    dollars = cells.fill_null(np.nan).to_numpy()
    known = np.abs(dollars) <= MAX_PRICE
    micros = np.rint(np.where(known, dollars, 0.0) * MICROS)
    exact = known & (micros / MICROS == dollars)  # by division, which is rounded once; polars takes a reciprocal
    return pl.Series(micros.astype(np.int64)).zip_with(pl.Series(exact), pl.Series([None], dtype=pl.Int64))


def _micros(text: str, decimals: int | None) -> int | str:
    """Micro-dollars, or what is wrong."""
    number = _number(text)
    if isinstance(number, str):
        return number
    if number <= 0:
        return "must be above zero"
    if number > MAX_PRICE:
        return f"is above {MAX_PRICE} dollars"
    if decimals is not None:
        number = _EXACT.quantize(number, Decimal(1).scaleb(-decimals))
    micros = _EXACT.multiply(number, Decimal(MICROS))
    if micros != micros.to_integral_value():
        return f"has more than {MAX_DECIMALS} decimals; pass decimals={MAX_DECIMALS} to round"
    return int(micros) or f"rounds to zero at {decimals} decimals"


def _shares(text: str) -> int | str:
    """Shares, or what is wrong."""
    number = _number(text)
    if isinstance(number, str):
        return number
    if number < 0:
        return "is negative"
    if number > MAX_VOLUME:
        return f"is above {MAX_VOLUME} shares"
    return int(number) if number == number.to_integral_value() else "is not a whole number of shares"


def _number(text: str) -> Decimal | str:
    not_finite = _NOT_FINITE.get(text.lower().lstrip("+-"))
    if not_finite is not None:
        return not_finite
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return "is not a number"
    return Decimal(text)


def _minutes_from_utc(zone: pl.Series) -> pl.Series:
    """Minutes east of UTC; 0 where there is no zone."""
    digits = zone.str.replace_all(r"[^0-9]", "").str.pad_end(4, "0").cast(pl.Int64).fill_null(0)
    size = digits // 100 * 60 + digits % 100
    return size * (1 - 2 * zone.str.starts_with("-").fill_null(value=False).cast(pl.Int64))


def _time_flaws(sound: NDArray[np.bool_], kinds: NDArray[np.int8], kind: TimeKind, cells: pl.Series) -> Flaws:
    flaws: Flaws = {}
    for position in (~sound).nonzero()[0].tolist():
        flaws[position] = "is empty" if cells[position] is None else "is not a date such as 2022-01-03"
    for position in (sound & (kinds != kind)).nonzero()[0].tolist():
        flaws[position] = f"is {_KIND_WORDS[kinds[position]]}, but the first row has {_KIND_WORDS[kind]}"
    return flaws


def _zone_flaws(sound: NDArray[np.bool_], minutes: NDArray[np.int64]) -> Flaws:
    """One zone changes its clocks by an hour; more than that is a mixture of zones."""
    first = minutes[sound.argmax()]
    mixed = sound & (abs(minutes - first) > 60)
    why = "lies in another time zone than the first row"
    return dict.fromkeys(mixed.nonzero()[0].tolist(), why)
