"""Where this installation keeps its state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from quant_trading_system.core.exceptions import ConfigurationError

DEFAULT_ACCOUNT = "default"
HOST_LATCH_FILE = "host_latch.json"
"""In the state directory: stops every account that is kept there."""


def state_directory(environment: Mapping[str, str] | None = None) -> Path:
    """The directory for latches and journals.

    `QTS_STATE_DIR` when set, else `quant_trading_system` in `XDG_STATE_HOME`, else in ``~/.local/state``.

    Raises:
        ConfigurationError: `QTS_STATE_DIR` is not an absolute path.
    """
    environment = os.environ if environment is None else environment
    chosen = environment.get("QTS_STATE_DIR")
    if chosen:
        path = Path(chosen)
        if not path.is_absolute():
            raise ConfigurationError(f"QTS_STATE_DIR={chosen}: give an absolute path")
        return path
    home = environment.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "quant_trading_system"


def kill_latch_path(account: str = DEFAULT_ACCOUNT, environment: Mapping[str, str] | None = None) -> Path:
    """The kill latch file of `account`.

    Raises:
        ConfigurationError: the account name is no plain file name.
    """
    if not account or account != Path(account).name or account.startswith("."):
        raise ConfigurationError(f"{account!r} cannot be the name of an account: use letters, digits, - and _")
    return state_directory(environment) / account / "kill_latch.json"


def host_latch_path(environment: Mapping[str, str] | None = None) -> Path:
    """The latch that stops every account of this machine, or of those that share its state directory."""
    return state_directory(environment) / HOST_LATCH_FILE
