"""A calendar of earnings, news and meetings in a CSV file, as entries of `blackouts`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from quant_trading_system.app.csv_lines import csv_lines
from quant_trading_system.config.market_entries import EVERYTHING, read_blackout
from quant_trading_system.config.scalars import BadValue
from quant_trading_system.core.exceptions import ConfigurationError

_NEEDED, _OPTIONAL = ("symbol", "from", "until", "reason"), ("mode",)
"""Moments with their zone, such as 2027-02-09T08:00-05:00. An empty symbol is everything."""


def blackouts_of(path: Path, owner: str) -> tuple[str, ...]:
    """The windows of the file in UTC, each once, the earliest first; `reduce_only` unless a line says otherwise.

    Raises:
        ConfigurationError: the file cannot be read, holds no window, or a line makes none; names the line.
    """
    found: dict[str, datetime] = {}
    for number, fields in csv_lines(path, _NEEDED, _OPTIONAL):
        try:
            start, end = _utc(fields["from"]), _utc(fields["until"])
            symbol, mode = fields["symbol"].upper() or EVERYTHING, fields.get("mode") or "reduce_only"
            window = f"from {start:%Y-%m-%dT%H:%MZ} until {end:%Y-%m-%dT%H:%MZ}"
            found[read_blackout(f"{symbol} {mode} {window} by {owner} because {fields['reason']}")] = start
        except (ValueError, BadValue) as error:
            raise ConfigurationError(f"{path}, line {number}: {error}") from error
    if not found:
        raise ConfigurationError(f"{path} holds no window")
    return tuple(sorted(found, key=lambda entry: (found[entry], entry)))


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; write 2027-02-09T13:00Z or 2027-02-09T08:00-05:00")
    if moment.second or moment.microsecond:
        raise ValueError(f"{text!r} is not on a full minute")
    return moment.astimezone(UTC)
