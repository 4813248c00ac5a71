"""What the adapters notice: told to a person, and halting the account where it must not trade on."""

from __future__ import annotations

from collections.abc import Callable

from quant_trading_system.core.events import HaltTrigger
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.risk.kill_switch import KillSwitch

HALTING = frozenset(
    {
        NoticeKind.HANDLER_FAILED,  # a report may be missing from the books
        NoticeKind.FILL_MISSING,  # the books lack shares that the broker has
        NoticeKind.WRONG_ECHO,  # another order than ours may be working
        NoticeKind.LOCK_LOST,  # two senders count the room of the limits twice
        NoticeKind.CREDENTIALS_REFUSED,  # nothing can be cancelled any more; a person must look
    }
)


class Alarms:
    """Takes notices; halts once it knows the kill switch.

    Attributes:
        kill_switch: of the account; None until its parts are joined.
    """

    def __init__(self, tell: Callable[[str], None], record: Callable[[Notice], None] = lambda _: None) -> None:
        """Tell people with `tell`, one line each; `record` keeps the notice for alerts."""
        self.kill_switch: KillSwitch | None = None
        self._tell = tell
        self._record = record

    def __call__(self, notice: Notice) -> None:
        """Take one notice: halt first, for telling may fail."""
        line = f"{notice.source}: {notice.kind.value.replace('_', ' ')}: {notice.message}"
        incomplete = self._halt(line) if notice.kind in HALTING else ""
        self._record(notice)
        self._tell(line)
        if incomplete:
            self._tell(incomplete)

    def _halt(self, why: str) -> str:
        """What of the halt did not work, empty for nothing."""
        if self.kill_switch is None:
            return ""
        try:
            self.kill_switch.activate(why, trigger=HaltTrigger.INTEGRITY, activated_by="broker adapter")
        except KillSwitchIncomplete as incomplete:
            return str(incomplete)
        return ""
