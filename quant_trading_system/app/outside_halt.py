"""A halt seen through from outside: whether the engine carries it out, and what is done at the broker when it does not.

The engine has the first word, for it knows its orders and closes positions. When it gives no sign of life, its account
lock is taken over, so that nothing it still holds in its hand leaves should it wake up; then the orders that the halt
stops are cancelled over a line of our own until the broker shows none. All of it is put down in the watchdog's record.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto
from functools import partial
from pathlib import Path
from platform import node

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.broker_sweep import Canceller, Sweep
from quant_trading_system.app.heartbeat import ENGINE_FILE, Heartbeat, Phase, Pulse, read_heartbeat
from quant_trading_system.app.stopped_orders import StoppedOrders, strategies_on_record
from quant_trading_system.app.watchdog_record import WatchdogRecord
from quant_trading_system.app.watching import AlpacaCanceller, own_line
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel, KillSwitchEvent
from quant_trading_system.core.exceptions import ConfigurationError, JournalError, TradingError
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.numbers import plain
from quant_trading_system.execution.account_lock import (
    FileAccountLock,
    Holder,
    account_key,
    account_lock_path,
    sender_of,
    take_over,
)
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.credentials import Access
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.risk.halt_state import Halt

ENGINE_PATIENCE = timedelta(seconds=5)
"""How long an engine may take to cancel and confirm before somebody else cancels."""
SILENCE = timedelta(seconds=4)
"""Without a sign of life, of which there is one a second, an engine is taken to hang, or to be gone."""

_LOOK = timedelta(milliseconds=200)
_KINDS = ("kill_switch", "cancels_confirmed")


class EngineState(Enum):
    """What the engine of an account does about a halt."""

    NEVER = auto()  # none has run here
    ENDED = auto()  # in good order
    CONFIRMED = auto()  # every order that had to go has ended
    WORKING = auto()  # it lives, and has not confirmed yet
    SILENT = auto()  # it hangs, or is gone


class EngineAnswer:
    """Finds out from heartbeat and journal what the engine does about a halt; it asks nobody.

    Attributes:
        last: the latest sign of life. `confirmed`: the cancels of the halt, None before they are confirmed.
    """

    def __init__(self, directory: Path, halt: Callable[[], Halt]) -> None:
        """Look at the account in `directory`; `halt` is what its latch tells now."""
        self.last: Heartbeat | None = None
        self.confirmed: CancelsConfirmed | None = None
        self._directory = directory
        self._halt = halt
        self._seen = (0, HaltLevel.RUNNING)
        self._read_to = 0

    async def wait(self, clock: Clock, level: HaltLevel, patience: timedelta = ENGINE_PATIENCE) -> EngineState:
        """What it does about a halt of `level`, once that is clear, or when `patience` has ended."""
        pulse = Pulse()
        for _ in range(max(int(patience / _LOOK), 1)):
            pulse.look(read_heartbeat(self._directory / ENGINE_FILE))
            self.last = pulse.last
            if self.last is None:
                return EngineState.NEVER
            if self.last.phase is Phase.ENDED:
                return EngineState.ENDED
            if self._is_confirmed(level):
                return EngineState.CONFIRMED
            await clock.sleep(_LOOK)
        return EngineState.SILENT if pulse.silent * _LOOK >= SILENCE else EngineState.WORKING

    def _is_confirmed(self, level: HaltLevel) -> bool:
        halt, path = self._halt(), self._directory / JOURNAL_FILE
        if halt.level < level or not path.is_file():
            return False
        try:
            with JournalReader(path, journal_key(path)) as journal:
                for entry in journal.entries(self._read_to + 1, kinds=_KINDS):
                    self._read_to = entry.seq
                    self._take(entry.event, halt)
        except JournalError:
            return False  # looked at again, or done without
        return self.confirmed is not None and self._seen == (halt.activation, halt.level)

    def _take(self, event: object, halt: Halt) -> None:
        """A higher level of the same activation has cancels of its own to confirm."""
        if isinstance(event, KillSwitchEvent) and event.scope == halt.scope:
            if (event.activation, event.level) != self._seen:
                self._seen, self.confirmed = (event.activation, event.level), None
        elif isinstance(event, CancelsConfirmed) and event.scope == halt.scope:
            self.confirmed = event if event.activation == self._seen[0] else self.confirmed


class HaltedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that was just halted, and how to look at that.

    Attributes:
        halt: what was asked for. `now`: what the account's own latch tells of it at any moment.
        goes_on: whatever halted it still does.
        by: who halted.
    """

    directory: Path
    halt: Halt
    now: Callable[[], Halt]
    goes_on: Callable[[], bool]
    by: str


async def see_through(
    account: HaltedAccount, access: Callable[[], Access], clock: Clock, tell: Callable[[str], None], patience: timedelta
) -> bool:
    """Wait until a halt is carried out, by the engine or else by ourselves; False when that is not certain.

    Args:
        access: keys and hosts, asked for only when the engine does not do it; may raise `ConfigurationError`.
        tell: takes one line for people.
        patience: for everything; none to find out nothing.
    """
    if not patience:
        return True
    answer = EngineAnswer(account.directory, account.now)
    state = await answer.wait(clock, account.halt.level, min(ENGINE_PATIENCE, patience))
    if answer.confirmed is not None and state is EngineState.CONFIRMED:
        number, seconds = len(answer.confirmed.orders), answer.confirmed.seconds
        tell(f"{number} orders cancelled by the engine, confirmed after {seconds:.3f} s")
        return True
    if answer.last is None:
        return True
    left = max(patience - ENGINE_PATIENCE, timedelta())
    return await act_outside(account, answer.last, state, access, clock, tell, left)


async def act_outside(
    account: HaltedAccount,
    last: Heartbeat,
    state: EngineState,
    access: Callable[[], Access],
    clock: Clock,
    tell: Callable[[str], None],
    patience: timedelta,
) -> bool:
    """Carry the halt out at the broker, for an engine whose latest sign of life was `last`; as `see_through`."""
    tell(_ABOUT[state])
    try:
        found = access()
    except ConfigurationError as error:
        if state is EngineState.ENDED:
            tell(f"orders that it left, if any, stay as they are, for there are no keys here: {error}")
            return True
        tell(f"NOTHING was cancelled, for there are no keys here: {error}")
        tell("run this again with --credentials FILE, or cancel all orders at the broker's page")
        return False
    outside = OutsideHalt(account.directory, last, account.by, clock, tell)
    return await outside.carry_out(account.halt, account.goes_on, found, state, patience)


_ABOUT = {
    EngineState.ENDED: "no engine runs; this command asks the broker itself",
    EngineState.WORKING: "the engine lives, but has not confirmed its cancels; this command cancels beside it",
    EngineState.SILENT: "the engine gives no sign of life; this command cancels in its place",
}


class OutsideHalt:
    """Carries a halt out at the broker, in the place of an engine that does not."""

    def __init__(self, directory: Path, last: Heartbeat, by: str, clock: Clock, tell: Callable[[str], None]) -> None:
        """For the account in `directory`.

        Args:
            last: the engine's latest sign of life: it names account and epoch.
            by: who halts. `tell`: takes one line for people; the same is put down in the record.
        """
        self._directory = directory
        self._last = last
        self._by = by
        self._clock = clock
        self._tell = tell
        self._record = WatchdogRecord(directory, clock, os.getpid())
        self._said = ""

    async def carry_out(
        self, halt: Halt, goes_on: Callable[[], bool], access: Access, state: EngineState, patience: timedelta
    ) -> bool:
        """Cancel what `halt` stops; True when the broker shows that nothing of it is open, or left to be closed.

        Args:
            goes_on: the halt still holds; False ends the cancelling.
            state: what the engine does about it; only one that works keeps its lock.
        """
        async with AsyncExitStack() as stack:
            try:
                client = own_line(access, self._clock, stack, self._note, source="qts halt")
                account = account_key(access.endpoints, (await client.account()).id)
            except TradingError as error:
                self._note(f"the broker cannot be asked, so NOTHING was cancelled: {error}")
                return False
            if account != self._last.account:
                self._note(
                    f"NOTHING was cancelled: these keys belong to {account}, the engine trades {self._last.account}"
                )
                return False
            if state is not EngineState.WORKING and not self._may_act(stack):
                return False
            if not await self._cancel(self._canceller(client, halt), goes_on, patience):
                return False
            return halt.level is not HaltLevel.FLATTENING or await self._tell_positions(client, halt)

    def _may_act(self, stack: AsyncExitStack) -> bool:
        """Take the lock until we are done; False when another engine than the one that hangs has the account."""
        path = account_lock_path(self._directory, self._last.account)
        holder = sender_of(path)
        if holder is not None and holder.epoch != self._last.epoch:
            self._note(f"NOTHING was cancelled: another engine trades this account now, {holder}; halt that one")
            return False
        if not path.exists():
            return True  # at a venue of its own
        try:
            lock = self._take_over(path)
        except ConfigurationError as error:
            self._note(f"the account lock cannot be taken over, the orders are cancelled all the same: {error}")
            return True
        stack.callback(lock.release)
        hung = "" if holder is None else f"; process {holder.pid} sends nothing any more, end it: kill -9 {holder.pid}"
        self._note(f"took the account lock, epoch {lock.holder.epoch}{hung}")
        return True

    def _take_over(self, path: Path) -> FileAccountLock:
        claim = Holder(
            account=self._last.account,
            epoch=self._last.epoch,
            pid=os.getpid(),
            host=node(),
            since=self._clock.now(),
            directory=str(self._directory),
        )
        return take_over(path, claim)

    def _canceller(self, client: AlpacaClient, halt: Halt) -> Canceller:
        if halt.scope.is_account and halt.level is not HaltLevel.REDUCING:
            return AlpacaCanceller(client)
        who_wanted = partial(strategies_on_record, self._directory / JOURNAL_FILE)
        return StoppedOrders(client, halt, who_wanted, self._note)

    async def _cancel(self, canceller: Canceller, goes_on: Callable[[], bool], patience: timedelta) -> bool:
        sweep = Sweep(canceller, self._note, seed=self._last.epoch)
        deadline = self._clock.monotonic() + patience.total_seconds()
        while goes_on():
            pause = await sweep.step()
            if sweep.is_done:
                return True
            if self._clock.monotonic() + pause.total_seconds() > deadline:
                left = "unknown" if sweep.open is None else ", ".join(sweep.open) or "none, but not for long enough"
                self._note(f"not confirmed in time; open at the broker: {left}. Run the command again")
                return False
            await self._clock.sleep(pause)
        self._note("somebody has lifted the halt; cancels no more")
        return False

    async def _tell_positions(self, client: AlpacaClient, halt: Halt) -> bool:
        """Only an engine closes positions, through the gate; True when there is none to close."""
        how = "end the engine's process and start `qts trade` again: it begins with closing them"
        if halt.scope.strategy:
            self._note(f"what {halt.scope} holds is known to the engine only and is NOT closed; {how}")
            return False
        try:
            positions = await client.positions()
        except TradingError as error:
            self._note(f"the broker does not show its positions ({error}); NOTHING was closed; {how}")
            return False
        held = {found.symbol: found.qty for found in positions if halt.scope.covers_position(found.symbol, found.qty)}
        if held:
            self._note(f"NOT closed: {_named(held)}; {how}, or close them at the broker's page")
        else:
            self._note("the broker shows no position to close")
        return not held

    def _note(self, what: str) -> None:
        """On record once, however often it is tried again."""
        if what == self._said:
            return
        self._said = what
        self._tell(what)
        with suppress(OSError):  # a full disk must not keep the orders from being cancelled
            self._record.add(self._last.epoch, f"`qts halt` of {self._by}: {what}")


def _named(held: dict[str, Decimal]) -> str:
    return ", ".join(f"{plain(shares)} {symbol}" for symbol, shares in sorted(held.items()))
