"""WebSockets in memory: the venue's sessions on one end, the account on the other, and a bad line in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from quant_trading_system.execution.transport import Frame
from quant_trading_system.simulation.storm.life import Life, LifeClock
from quant_trading_system.simulation.storm.network import Network

Spoil = Callable[[bytes], list[bytes]]
"""What becomes of one frame of the venue on its way to the account."""


class _Pipe:
    """Frames on their way in one direction; None ends it."""

    def __init__(self) -> None:
        self._waiting: deque[Frame | None] = deque()
        self._news = asyncio.Event()

    def put(self, frame: Frame | None) -> None:
        self._waiting.append(frame)
        self._news.set()

    async def get(self) -> Frame | None:
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class Wire:
    """One connection; both ends.

    Attributes:
        mute: frames of the venue are lost while it is set.
    """

    def __init__(self, network: Network, spoil: Spoil) -> None:
        self.mute = False
        self.is_cut = False
        self.to_account = _Pipe()
        self._to_venue = _Pipe()
        self._network = network
        self._spoil = spoil
        self._free_at = 0.0

    # -- the venue's end -------------------------------------------------------------------------------------------

    async def send_str(self, data: str) -> None:
        """A text frame of the venue."""
        self._pass_on(data.encode(), text=True)

    async def send_bytes(self, data: bytes) -> None:
        """A binary frame of the venue."""
        self._pass_on(data, text=False)

    async def close(self, *, code: int = 1000) -> bool:  # noqa: ARG002 - as the venue's sessions call it
        """The venue hangs up."""
        self.cut()
        return True

    async def heard(self) -> AsyncIterator[Frame]:
        """What the account says, until it is gone."""
        while (frame := await self._to_venue.get()) is not None:
            yield frame

    # -- in between ------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The line breaks."""
        if not self.is_cut:
            self.is_cut = True
            self.to_account.put(None)
            self._to_venue.put(None)

    def _pass_on(self, frame: bytes, *, text: bool) -> None:
        if self.mute or self.is_cut:
            return
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time() + self._network.latency().total_seconds())
        for piece in self._spoil(frame):
            loop.call_at(self._free_at, self._arrive, _as_text(piece) if text else piece)

    def _arrive(self, frame: Frame) -> None:
        if not self.is_cut:
            self.to_account.put(frame)

    def say(self, frame: Frame) -> None:
        """A frame of the account."""
        self._to_venue.put(frame)


class VenueSocket:
    """The account's end of a wire; a `Socket`."""

    def __init__(self, wire: Wire, life: Life, clock: LifeClock, name: str) -> None:
        self._wire = wire
        self._life = life
        self._clock = clock
        self._name = name

    async def send(self, frame: Frame) -> None:
        self._life.require()
        if self._wire.is_cut:
            raise ConnectionError("the line is broken")
        self._wire.say(frame)

    async def receive(self) -> Frame:
        frame = await self._wire.to_account.get()
        await self._clock.thaw()
        self._life.point(f"{self._name}.heard")
        if frame is None:
            raise ConnectionError("the line broke")
        return frame

    async def close(self) -> None:
        self._wire.cut()


class VenueSockets:
    """Opens WebSockets to the venue for one life; a `SocketOpener`."""

    def __init__(
        self, network: Network, life: Life, clock: LifeClock, lines: Lines, spoil: Callable[[str], Spoil]
    ) -> None:
        self._network = network
        self._life = life
        self._clock = clock
        self._lines = lines
        self._spoil = spoil

    async def open(self, url: str, headers: dict[str, str]) -> VenueSocket:
        self._life.require()
        name = "orders" if url.endswith("/stream") else "prices"
        self._network.watcher.connected(self._life, name)
        await self._clock.sleep(self._network.latency())
        if self._network.clock.monotonic() < max(self._network.refuses_streams_until, self._network.maintenance_until):
            raise ConnectionError("refused")
        wire = Wire(self._network, self._spoil(name))
        self._lines.open(name, wire)
        front = self._network.venue.front
        if name == "orders":
            work = front.trade_stream.attend(wire, wire.heard(), headers.get("Content-Type", ""))
        else:
            work = front.data_stream.attend(wire, wire.heard(), url.rpartition("/")[2])
        self._network.carry(work)
        return VenueSocket(wire, self._life, self._clock, name)


class Lines:
    """The wires that are open, by stream, so that something can happen to them."""

    def __init__(self) -> None:
        self._open: dict[str, list[Wire]] = {"orders": [], "prices": []}

    def open(self, name: str, wire: Wire) -> None:
        """A new connection."""
        self._open[name] = [other for other in self._open[name] if not other.is_cut]
        self._open[name].append(wire)

    def cut(self, name: str) -> bool:
        """Every connection of a stream breaks; False when there was none."""
        wires = self._living(name)
        for wire in wires:
            wire.cut()
        return bool(wires)

    def mute(self, name: str, *, mute: bool) -> bool:
        """Nothing of the venue arrives any more, or again; False when there is no connection."""
        wires = self._living(name)
        for wire in wires:
            wire.mute = mute
        return bool(wires)

    def _living(self, name: str) -> list[Wire]:
        return [wire for wire in self._open[name] if not wire.is_cut]


def _as_text(frame: bytes) -> Frame:
    try:
        return frame.decode()
    except UnicodeDecodeError:
        return frame
