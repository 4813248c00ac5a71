"""What stands in the query of a request, read strictly: a value that cannot be meant is refused by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.numbers import exact
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal
from quant_trading_system.simulation.alpaca_server.live_market import ns_of

Query = Mapping[str, str]

_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,31}")
_MOST_SYMBOLS = 1_000
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|z|[+ -]\d\d:?\d\d)?")
_ONE_DAY = timedelta(days=1)
_LONGEST_UUID = 64
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
_EARLIEST, _LATEST = ns_of(datetime(1900, 1, 1, tzinfo=UTC)), ns_of(datetime(2200, 1, 1, tzinfo=UTC))


def refuse(name: str, why: str = "", http: int = 422) -> VenueRefusal:
    """The refusal of a parameter that cannot be meant."""
    return VenueRefusal(MALFORMED, http, f"invalid {name}" + (f": {why}" if why else ""))


def flag(query: Query, name: str, *, default: bool = False) -> bool:
    """``true`` or ``false`` in any case."""
    text = query.get(name, "").lower()
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    if text:
        raise refuse(name)
    return default


def whole_number(query: Query, name: str, *, default: int, least: int, most: int, http: int = 422) -> int:
    """An integer within bounds."""
    text = query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"-?\d{1,9}", text) or not least <= int(text) <= most:
        raise refuse(name, f"must be between {least} and {most}", http)
    return int(text)


def choice(query: Query, name: str, allowed: Collection[str], default: str, http: int = 422) -> str:
    """One of some words; ``default`` when it is missing or empty."""
    text = query.get(name, "") or default
    if text not in allowed:
        raise refuse(name, http=http)
    return text


def number(query: Query, name: str) -> Decimal | None:
    """An exact decimal number, None when it is missing."""
    text = query.get(name, "")
    try:
        return exact(text) if text else None
    except InvalidNumber as error:
        raise refuse(name, str(error)) from None


def symbols(query: Query, name: str = "symbols", http: int = 422) -> tuple[str, ...]:
    """A list with commas, each symbol once and in the order of the alphabet; the parameter may be repeated."""
    given = query.getall(name, []) if hasattr(query, "getall") else [query.get(name, "")]
    found = sorted({symbol.strip().upper() for text in given for symbol in text.split(",") if symbol.strip()})
    for symbol in found:
        require_symbol(symbol, http)
    if len(found) > _MOST_SYMBOLS:
        raise refuse(name, f"at most {_MOST_SYMBOLS}", http)
    return tuple(found)


def require_symbol(text: str, http: int = 422) -> str:
    """The symbol itself, when it looks like one."""
    if not _SYMBOL.fullmatch(text):
        raise VenueRefusal(MALFORMED, http, f"invalid symbol: {text[:40]}")
    return text


def words(query: Query, name: str) -> tuple[str, ...]:
    """A list of words with commas."""
    return tuple(word.strip() for word in query.get(name, "").split(",") if word.strip())


def moment_ns(query: Query, name: str, *, end_of_day: bool = False, http: int = 422) -> int | None:
    """A time in nanoseconds since 1970; a bare date is New York midnight at its beginning, or at its end.

    Times before 1900 and after 2199 are taken for these.
    """
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        return min(max(_nanoseconds(text, end_of_day=end_of_day), _EARLIEST), _LATEST)
    except (ValueError, OverflowError):
        raise refuse(name, f"{text[:40]!r} is no time such as 2026-01-12T14:30:00Z", http) from None


def moment(query: Query, name: str, *, end_of_day: bool = False) -> datetime | None:
    """A time to the microsecond; None when it is missing."""
    found = moment_ns(query, name, end_of_day=end_of_day)
    return None if found is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found // 1_000)


def day(query: Query, name: str, http: int = 422) -> date | None:
    """A date; of a time, its date as it is written. Days before 1900 and after 2199 are taken for these."""
    text = query.get(name, "").strip()
    try:
        return _day(text[:10]) if text else None
    except ValueError:
        raise refuse(name, f"{text[:40]!r} is no date such as 2026-01-12", http) from None


def order_id(text: str) -> str:
    """A UUID in its usual form.

    Raises:
        VenueRefusal: it is none.
    """
    return uuid(text, "order_id is missing")


def uuid(text: str, otherwise: str) -> str:
    """A UUID in its usual form; refused in the words of `otherwise`."""
    try:
        return str(UUID(text[:_LONGEST_UUID]))
    except ValueError:
        raise VenueRefusal(MALFORMED, 422, otherwise) from None


def _day(text: str) -> date:
    return min(max(date.fromisoformat(text), _FIRST_DAY), _LAST_DAY)


def _nanoseconds(text: str, *, end_of_day: bool) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        midnight = datetime.combine(_day(text), time(), NEW_YORK)
        return ns_of(midnight + _ONE_DAY) - 1 if end_of_day else ns_of(midnight)
    zone = (found[4] or "Z").upper().replace(" ", "+")  # a plus that nobody escaped
    whole = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
    return ns_of(whole) + int((found[3] or "").ljust(9, "0"))
