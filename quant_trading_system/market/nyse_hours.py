"""When the New York Stock Exchange trades: from a table, or by the rules that the table was made from.

The rules are those of exchange_calendars. Applying them takes pandas and a third of a second, more than a short
command needs for all the rest. So `nyse_hours.json` holds what they come to: every weekday of many years on which
the exchange did not keep its usual hours. It counts only as long as the installed rules are, byte for byte, those
that it was made from. A release that knows of one more closing is asked itself from the moment it is installed,
until `tools/write_calendar.py` has written the table anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from quant_trading_system.core.exceptions import MarketDataError

NEW_YORK = ZoneInfo("America/New_York")
TABLE = "nyse_hours.json"

_OPENS, _CLOSES = time(9, 30), time(16)
_SATURDAY = 5
_LIBRARY = "exchange_calendars"
_RULES = ("exchange_calendar_xnys.py", "us_holidays.py", "common_holidays.py")


class Hours(NamedTuple):
    """Regular hours of one trading day: its date in New York, and two moments in UTC."""

    day: date
    opens: datetime
    closes: datetime
    is_half_day: bool


class HoursTable(msgspec.Struct, frozen=True, eq=False):
    """Where the exchange departed from its usual hours, 9:30 to 16:00 from Monday to Friday. Equal to itself only.

    Attributes:
        rules: what `installed_rules` told when the table was made.
        first_day, last_day: the days that it covers, both included.
        closes: for weekdays that were not as usual the time of the close in New York, or None without a session.
    """

    rules: str
    first_day: date
    last_day: date
    closes: dict[date, time | None]

    def covers(self, first_day: date, last_day: date) -> bool:
        """True if it knows all days from `first_day` to `last_day`."""
        return self.first_day <= first_day and last_day <= self.last_day

    def hours(self, first_day: date, last_day: date) -> Iterable[Hours]:
        """The trading days from `first_day` to `last_day`, both included and covered."""
        for number in range((last_day - first_day).days + 1):
            day = first_day + timedelta(days=number)
            closes = self.closes.get(day, _CLOSES) if day.weekday() < _SATURDAY else None
            if closes is not None:
                yield Hours(day, _in_utc(day, _OPENS), _in_utc(day, closes), closes < _CLOSES)


@cache
def hours_table() -> HoursTable | None:
    """The bundled table, or None beside rules that it was not made from."""
    table = msgspec.json.decode(files(__package__).joinpath(TABLE).read_bytes(), type=HoursTable)
    return table if table.rules == installed_rules() else None


def installed_rules() -> str:
    """The SHA-256 of the files that hold the library's rules for this exchange; empty if they cannot be read."""
    library = find_spec(_LIBRARY)
    if library is None or library.origin is None:
        return ""
    try:
        return sha256(b"".join(Path(library.origin).with_name(name).read_bytes() for name in _RULES)).hexdigest()
    except OSError:
        return ""


def hours_by_rule(first_day: date, last_day: date) -> list[Hours]:
    """The trading days from `first_day` to `last_day`, both included, by the library.

    Raises:
        MarketDataError: it does not reach so far.
    """
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # between exchange_calendars and pandas, not ours
            table = XNYSExchangeCalendar(first_day.isoformat(), last_day.isoformat())
    except ValueError as error:
        raise MarketDataError(f"no exchange calendar from {first_day} to {last_day}: {error}") from error
    half_days = {day.date() for day in table.early_closes}
    dates, opens, closes = (_plain_datetimes(values) for values in (table.sessions, table.opens, table.closes))
    return [
        Hours(day.date(), opened, closed, day.date() in half_days)
        for day, opened, closed in zip(dates, opens, closes, strict=True)
    ]


def _in_utc(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


def _plain_datetimes(stamps: Any) -> list[datetime]:
    """Stamps of pandas as plain datetimes in UTC."""
    return [stamp.replace(tzinfo=UTC) for stamp in stamps.to_numpy("datetime64[us]").tolist()]
