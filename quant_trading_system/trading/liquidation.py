"""After a halt: cancel, confirm; and when told to flatten: close, confirm. The same gate as for every order.

Both are written as steps that look at the truth and do the next thing, so that they go on after a crash, can
be repeated at will, and never sell more than is held. The account and every halted part of it have an errand each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.risk.halt_state import Halt
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.trading.closing import Closer, ClosingParts
from quant_trading_system.trading.halt_errand import Errand

_RETRY = timedelta(seconds=1)


class HaltProcedure:
    """Carries out what the activations of the kill switch demand, one step at a time."""

    def __init__(self, parts: ClosingParts) -> None:
        """Join the parts; `advance` does the work."""
        self._parts = parts
        self._work: dict[HaltScope, tuple[Errand, Closer]] = {}
        self._is_busy = False

    @property
    def is_done(self) -> bool:
        """Nothing left to do: running, or cancels confirmed and, when flattening, the broker shows flat."""
        if not self._parts.kill_switch.stops_something:
            return True
        return all(self.is_carried_out(halt.scope) for halt in self._halts())

    def is_carried_out(self, scope: HaltScope) -> bool:
        """The halt of `scope` has nothing left to do."""
        halt = self._parts.kill_switch.state.halt_of(scope)
        if halt.level is HaltLevel.RUNNING:
            return True
        errand, closer = self._work.get(scope, (None, None))
        if errand is None or closer is None or not errand.confirmed:
            return False
        if errand.name != (halt.activation, halt.level):
            return False
        return halt.level is not HaltLevel.FLATTENING or (closer.is_flat and not closer.held())

    async def advance(self) -> None:
        """Do the next thing: ask for cancels, confirm them, close positions.

        A symbol is closed as soon as none of its own orders is open: one order whose cancel is not confirmed holds
        up its own symbol and no other. While a call waits for the broker, another one leaves the work to it.
        """
        if self._is_busy:
            return
        self._is_busy = True
        try:
            for halt in self._halts():
                await self._carry_out(halt)
        finally:
            self._is_busy = False

    def _halts(self) -> tuple[Halt, ...]:
        """The activations to carry out; a halt of all the account leaves nothing to those of its parts."""
        state = self._parts.kill_switch.state
        own = (state.halt_of(ACCOUNT),) if state.level else ()
        return own if state.level >= HaltLevel.HALTED else (*own, *state.stopped_scopes)

    async def _carry_out(self, halt: Halt) -> None:
        errand, closer = self._work.get(halt.scope, (None, None))
        if errand is None or closer is None or errand.name != (halt.activation, halt.level):
            errand = Errand(halt, self._parts.orders, self._parts.journal, self._parts.clock)
            closer = Closer(errand, self._parts)
            self._work[halt.scope] = errand, closer
        is_flattening = halt.level is HaltLevel.FLATTENING
        if not errand.confirmed:
            await errand.cancel(closer.held() if is_flattening and not halt.scope.strategy else ())
        if is_flattening:
            await closer.step()


async def emergency_liquidate(
    kill_switch: KillSwitch,
    procedure: HaltProcedure,
    *,
    reason: str,
    authorized_by: str,
    pause: Callable[[timedelta], Awaitable[None]],
    give_up_after: int = 60,
    scope: HaltScope = ACCOUNT,
) -> bool:
    """Halt at level FLATTENING, cancel everything, confirm, close every position; True when flat.

    Args:
        pause: waits for the broker between two looks; the clock's `sleep`.
        give_up_after: looks, one second apart; the switch stays active and the procedure may be called again.
        scope: what to close; the whole account by default.

    Raises:
        KillSwitchIncomplete: after all that could be done was done: the halt could not be recorded everywhere.
    """
    incomplete: KillSwitchIncomplete | None = None
    try:
        kill_switch.activate(reason, level=HaltLevel.FLATTENING, activated_by=authorized_by, scope=scope)
    except KillSwitchIncomplete as error:
        incomplete = error  # it is active, so the work begins
    is_flat = await _carry_out(procedure, scope, pause, give_up_after)
    if incomplete is not None:
        raise incomplete
    return is_flat


async def _carry_out(
    procedure: HaltProcedure, scope: HaltScope, pause: Callable[[timedelta], Awaitable[None]], give_up_after: int
) -> bool:
    for _ in range(give_up_after):
        await procedure.advance()
        if procedure.is_carried_out(scope):
            return True
        await pause(_RETRY)
    return procedure.is_carried_out(scope)
