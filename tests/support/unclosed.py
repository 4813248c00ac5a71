"""Databases that nobody closes are told of under every Python, as Python 3.13 does by itself."""

from __future__ import annotations

import functools
import sqlite3
import sys
import warnings
from typing import Any


class _Connection(sqlite3.Connection):
    def __init__(self, database: Any, *options: Any, **named: Any) -> None:
        super().__init__(database, *options, **named)
        self.database = database

    def __del__(self) -> None:
        try:
            _ = self.total_changes  # the one question that every thread may ask
        except sqlite3.ProgrammingError:
            return  # closed, or never opened
        warnings.warn(f"unclosed database {self.database}", ResourceWarning, source=self, stacklevel=2)


def warn_of_unclosed_databases() -> None:
    """From now on, of those without a factory of their own."""
    if sys.version_info < (3, 13):
        sqlite3.connect = functools.partial(sqlite3.connect, factory=_Connection)
