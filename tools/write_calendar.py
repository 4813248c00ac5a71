"""Writes the table of the exchange's hours anew, from the rules of the installed exchange_calendars.

python tools/write_calendar.py

It is due when the lock takes a release of the library with other rules; a test of the table then says so.
"""

from __future__ import annotations

import sys
from datetime import date, time
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quant_trading_system.market.nyse_hours import (  # noqa: E402 - found once the line above has run
    NEW_YORK,
    TABLE,
    Hours,
    HoursTable,
    hours_by_rule,
    installed_rules,
)

PATH = ROOT / "quant_trading_system/market" / TABLE
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2039, 12, 31)


def table_by_rule() -> HoursTable:
    """What the table should hold beside the installed rules.

    Raises:
        ValueError: the exchange traded at hours that such a table cannot tell.
    """
    by_rule = {hours.day: hours for hours in hours_by_rule(FIRST_DAY, LAST_DAY)}
    usual = HoursTable(installed_rules(), FIRST_DAY, LAST_DAY, closes={})
    unusual = {
        hours.day: _close(by_rule.get(hours.day))
        for hours in usual.hours(FIRST_DAY, LAST_DAY)
        if by_rule.get(hours.day) != hours
    }
    table = msgspec.structs.replace(usual, closes=unusual)
    if list(table.hours(FIRST_DAY, LAST_DAY)) != list(by_rule.values()):
        raise ValueError("the exchange opened late or on a weekend; the table has no words for that")
    return table


def _close(hours: Hours | None) -> time | None:
    return None if hours is None else hours.closes.astimezone(NEW_YORK).time()


def written() -> bytes:
    """The file, one day a line."""
    return msgspec.json.format(msgspec.json.encode(table_by_rule()), indent=1) + b"\n"


if __name__ == "__main__":
    PATH.write_bytes(written())
    print(f"{PATH.relative_to(ROOT)}: {len(PATH.read_bytes().splitlines())} lines")
