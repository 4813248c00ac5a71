"""How much the interpreter does for something, counted and not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


def steps(act: Callable[[], object]) -> int:
    """Bytecodes that run in `act` and in everything that it calls; the same on every machine with the same Python."""
    if sys.version_info >= (3, 12):  # where a trace misses bytecodes of a function that it has not met before
        return _monitored(act)
    return _traced(act)


def _traced(act: Callable[[], object]) -> int:
    count = 0

    def look(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


if sys.version_info >= (3, 12):

    def _monitored(act: Callable[[], object]) -> int:
        count = 0

        def look(code: CodeType, _: int) -> None:
            nonlocal count
            count += 1

        watch, instruction = sys.monitoring, sys.monitoring.events.INSTRUCTION
        watch.use_tool_id(watch.PROFILER_ID, "steps")
        watch.register_callback(watch.PROFILER_ID, instruction, look)
        watch.set_events(watch.PROFILER_ID, instruction)
        try:
            act()
        finally:
            watch.set_events(watch.PROFILER_ID, 0)
            watch.register_callback(watch.PROFILER_ID, instruction, None)
            watch.free_tool_id(watch.PROFILER_ID)
        return count
