"""Remembers which private file an engine has its keys from, so that `qts halt` can cancel in its place."""

from __future__ import annotations

import os
from pathlib import Path

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.credentials import Access, read_access
from quant_trading_system.journal.private_files import replace_private

_FILE = "keys_file"


def remember_keys(directory: Path, file: Path | None) -> None:
    """Note, in the directory of an account, where its keys are; None for the environment. Never the keys.

    Raises:
        ConfigurationError: the directory cannot be written.
    """
    place = directory / _FILE
    try:
        if file is None:
            place.unlink(missing_ok=True)
        else:
            replace_private(place, f"{file.absolute()}\n".encode())
    except OSError as error:
        raise ConfigurationError(f"{directory} cannot be written ({error.strerror or error})") from error


def access_of(directory: Path, file: Path | None) -> Access:
    """Keys and hosts from `file`, or else from where the engine of `directory` has them.

    Raises:
        ConfigurationError: there are none, or they cannot be read.
    """
    place = directory / _FILE
    if file is None and place.is_file():
        file = Path(place.read_text(encoding="utf-8").strip())
    return read_access(os.environ, file)
