"""Small CSV files that people write by hand: one thing a line, below a line with the names of the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from quant_trading_system.core.exceptions import ConfigurationError

MOST_BYTES = 1_000_000


def csv_lines(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line with its number, by the names of its columns; values without the blanks around them.

    Raises:
        ConfigurationError: the file cannot be read, is too large, or lacks a needed column or has an unknown one.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"{path} is too large: more than {MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    lines = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in lines.fieldnames or ()]
    if not set(needed) <= set(names) <= {*needed, *optional}:
        raise ConfigurationError(
            f"{path}: the first line must name the columns {', '.join(needed)}, and perhaps {', '.join(optional)}"
        )
    lines.fieldnames = names
    for line in lines:
        yield lines.line_num, {name: (line[name] or "").strip() for name in names}
