"""Remembers where the latest run was kept, so that `qts explain ORDER` finds it from any directory."""

from __future__ import annotations

from pathlib import Path

from quant_trading_system.config.settings import kill_latch_path, state_directory
from quant_trading_system.core.exceptions import ConfigurationError

_POINTER = "latest_run"


def remember_run(directory: Path) -> None:
    """Note `directory` as the place of the latest run.

    Raises:
        ConfigurationError: the state directory cannot be written.
    """
    state = state_directory()
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / _POINTER).write_text(f"{directory.resolve()}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the run is in {directory}, but {state} cannot remember it ({error.strerror or error}); "
            "set QTS_STATE_DIR to a directory that you may write to"
        ) from error


def latest_run() -> Path:
    """The directory of the latest run.

    Raises:
        ConfigurationError: nothing was run yet, or its directory is gone.
    """
    pointer = state_directory() / _POINTER
    if not pointer.is_file():
        raise ConfigurationError("nothing was run yet; start with `qts demo`, or name a journal with --journal FILE")
    directory = Path(pointer.read_text(encoding="utf-8").strip())
    if not directory.is_dir():
        raise ConfigurationError(
            f"the latest run was kept in {directory}, which is gone; name a journal with --journal FILE"
        )
    return directory


def account_directory(name: str) -> Path:
    """The directory of the account called `name`; that of the latest run without a name.

    Raises:
        ConfigurationError: there is none.
    """
    if not name:
        return latest_run()
    directory = kill_latch_path(name).parent
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is not there; `qts trade --name {name}` makes it")
    return directory
