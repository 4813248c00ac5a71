"""What others did to the kill switch, noticed by comparing its state with what is on record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent
from quant_trading_system.core.halt_events import ResetApproved
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.journal.projection import Halt as RecordedHalt
from quant_trading_system.risk.halt_state import Halt, LatchState, event_of
from quant_trading_system.risk.kill_switch import KillSwitch

_RESET_ELSEWHERE = "reset by another process"


class SwitchMoves:
    """The moves of the switch that are on record, by scope.

    Attributes:
        at_rest: the state of the switch in which nothing is stopped and every move is on record; None while there is
            none. Nothing can be changed in a state: a switch that is in this very one has not been moved.
    """

    def __init__(self, kill_switch: KillSwitch, clock: Clock, journal: Journal) -> None:
        """Begin with nothing stopped; `begin_with` takes up what a journal knows."""
        self._kill_switch = kill_switch
        self._clock = clock
        self._journal = journal
        self._seen: dict[HaltScope, tuple[int, HaltLevel]] = {
            halt.scope: (halt.activation, HaltLevel.RUNNING) for halt in _halts(kill_switch)
        }
        self.at_rest: LatchState | None = None
        self._all_seen: LatchState | None = None
        self._approvals: dict[tuple[HaltScope, int], int] = {}

    @property
    def level(self) -> HaltLevel:
        """Of the account, as far as it is on record; others may have moved it just now."""
        return self._seen[ACCOUNT][1]

    def begin_with(self, halts: Iterable[RecordedHalt]) -> None:
        """These are on record; whatever differs from them was done by somebody else since."""
        self._all_seen = self.at_rest = None
        for halt in halts:
            self._seen[halt.scope] = (halt.activation, halt.level)

    def saw(self, event: KillSwitchEvent) -> None:
        """This move is on record."""
        self._all_seen = self.at_rest = None
        self._seen[event.scope] = (event.activation, event.level)

    def unseen(self) -> Iterator[KillSwitchEvent]:
        """Moves that are not on record yet, for whoever records them; approvals are put on record on the way."""
        state = self._kill_switch.state
        if state is self._all_seen:  # nothing can be changed in it
            return
        self._make_lasting()
        present, found = set(), False
        for halt in _halts(self._kill_switch):
            present.add(halt.scope)
            self._note_approvals(halt)
            if (halt.activation, halt.level) != self._seen.get(halt.scope, (0, HaltLevel.RUNNING)):
                yield event_of(halt, self._clock, "" if halt.level else halt.reason or _RESET_ELSEWHERE)
                found = True
        for scope, (activation, level) in list(self._seen.items()):
            if level and scope not in present:  # so long ago that the latch has forgotten who lifted it
                gone = Halt(scope=scope, activation=activation, trigger=HaltTrigger.RESET)
                yield event_of(gone, self._clock, _RESET_ELSEWHERE)
                found = True
        self._all_seen = None if found else state
        self.at_rest = None if state.stops_something else self._all_seen

    def _make_lasting(self) -> None:
        """A halt that the file HALT asks for outlives the file, and one that could not be written this process."""
        self._kill_switch.write_again()
        halt = self._kill_switch.state.halt_of()
        if halt.trigger is HaltTrigger.FILE and halt.level and not halt.at:
            self._kill_switch.activate(halt.reason, trigger=HaltTrigger.FILE, activated_by=halt.by)

    def _note_approvals(self, halt: Halt) -> None:
        name = (halt.scope, halt.activation)
        known = self._approvals.get(name, 0)
        if len(halt.approvals) == known:
            return
        needed = self._kill_switch.state.policy.persons
        for number, approval in enumerate(halt.approvals[known:], start=known + 1):
            self._journal.append(
                ResetApproved(
                    at=self._clock.now(),
                    by=approval.by,
                    reason=approval.reason,
                    activation=halt.activation,
                    given=number,
                    needed=needed,
                    scope=halt.scope,
                )
            )
        self._approvals[name] = len(halt.approvals)


def _halts(kill_switch: KillSwitch) -> tuple[Halt, ...]:
    state = kill_switch.state
    return (state.halt_of(), *state.scopes)
