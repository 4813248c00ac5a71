"""What can go wrong on a stream between venue and client, on request: tests of clients provoke it here."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

GARBAGE = b"\x93\xc1{not a message"


class StreamFault(StrEnum):
    """What happens to the frames that follow."""

    MUTE = "mute"  # nothing is sent until further notice
    UNMUTE = "unmute"
    CUT = "cut"  # every connection of the stream is closed at once
    DROP = "drop"  # frames are lost
    DUPLICATE = "duplicate"  # frames arrive twice
    REORDER = "reorder"  # each pair of frames arrives the other way round
    GARBAGE = "garbage"  # frames arrive as bytes without sense


class StreamFaults:
    """The faults of one stream; they wait in a queue and each concerns one frame."""

    def __init__(self) -> None:
        self.muted = False
        self._next: deque[StreamFault] = deque()
        self._held: bytes | None = None

    def plan(self, fault: StreamFault, times: int) -> None:
        """The next `times` frames suffer from it."""
        if fault in (StreamFault.MUTE, StreamFault.UNMUTE):
            self.muted = fault is StreamFault.MUTE
        else:
            self._next.extend([fault] * times)

    def clear(self) -> None:
        """All is well again; a frame that was held back is lost."""
        self.muted = False
        self._next.clear()
        self._held = None

    def pass_on(self, frame: bytes) -> tuple[bytes, ...]:
        """What becomes of a frame."""
        if self.muted:
            return ()
        if self._held is not None:
            held, self._held = self._held, None
            return frame, held
        match self._next.popleft() if self._next else None:
            case StreamFault.DROP:
                return ()
            case StreamFault.DUPLICATE:
                return frame, frame
            case StreamFault.GARBAGE:
                return (GARBAGE,)
            case StreamFault.REORDER:
                self._held = frame
                return ()
            case _:
                return (frame,)
