"""What is told of a strategy that has failed: its error, and the line that its author has to look at."""

from __future__ import annotations

from pathlib import PurePath
from types import TracebackType

from quant_trading_system.core.wording import LONGEST_REASON, one_line

_OURS = __name__.partition(".")[0]
_LONGEST_NAME = 100


def failure(error: Exception) -> str:
    """Kind and words of an error in one line, and the line of the strategy's file in which it arose."""
    place = _place_of(error.__traceback__)
    return one_line(f"{type(error).__name__}: {_words_of(error)}", LONGEST_REASON - len(place)) + place


def _words_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception as wordless:  # noqa: BLE001 - its author wrote __str__, too: the strategy fails, not the engine
        return f"it has no words, for its __str__ fails with {type(wordless).__name__}"


def _place_of(traceback: TracebackType | None) -> str:
    """The innermost line of the first file that is none of ours, empty without one; directories are not told."""
    file, line = "", 0
    while traceback is not None:
        frame = traceback.tb_frame
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if frame.f_code.co_filename == file or (not file and package != _OURS):
            file, line = frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line} of {one_line(PurePath(file).name, _LONGEST_NAME)})" if file else ""
