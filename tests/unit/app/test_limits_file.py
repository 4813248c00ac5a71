"""A limits file that is changed while an engine runs: tighter at once, looser after approval, unreadable never."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from quant_trading_system.app.limits_file import LOOK, LimitsFile
from quant_trading_system.app.readings.alert_fold import AlertFold
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.config.loader import limits_as_file
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.limit_events import LimitsFileRefused, LimitsProposed, LimitsSet
from tests.support.governed import Governed, limits_with

D = Decimal
POSITION = "risk.max_position_pct"


class Watched:
    """An account whose limits file lies in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self.path = place / "limits.yaml"
        self.write()
        self.account = Governed()
        self.told: list[str] = []
        self.file = LimitsFile(
            self.path,
            self.account.governance,
            self.account.journal,
            self.account.clock,
            by="Dan",
            tell=self.told.append,
        )
        self.save()

    def write(self, **changes: object) -> None:
        self.path.write_text(limits_as_file(limits_with(**changes)))
        self.path.chmod(0o600)

    def save(self, **changes: object) -> None:
        """Somebody saves other limits, and two looks go by."""
        self.write(**changes)
        self.look()

    def look(self) -> None:
        self.file.look()
        self.file.look()

    def events(self, kind: type) -> list:
        return self.account.journal.of(kind)

    @property
    def position(self) -> Decimal:
        return self.account.governance.limits.max_position_pct


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_a_file_that_says_what_is_in_force_changes_nothing(watched):
    before = len(watched.account.journal.events)
    watched.save()
    assert len(watched.account.journal.events) == before
    assert watched.told == []


def test_what_becomes_tighter_is_in_force_at_once(watched):
    watched.save(max_position_pct=D("0.05"))
    assert watched.position == D("0.05")
    (event,) = watched.events(LimitsSet)
    assert [str(change) for change in event.changes] == [f"{POSITION} from 0.1 to 0.05"]
    assert (event.by, event.source) == ("Dan", "file")
    assert str(watched.path) in event.why


def test_what_becomes_looser_waits_for_people(watched):
    watched.save(max_position_pct=D("0.20"), max_daily_loss_pct=D("0.04"))
    assert watched.position == D("0.10")
    assert watched.account.governance.limits.max_daily_loss_pct == D("0.04"), "the tighter half holds already"
    (proposed,) = watched.events(LimitsProposed)
    assert [change.key for change in proposed.changes] == [POSITION]
    watched.save(max_daily_loss_pct=D("0.04"))
    assert watched.account.governance.pending == [], "the file does not ask for it any more"


def test_a_file_is_read_when_it_is_still_and_once(watched):
    watched.write(max_position_pct=D("0.05"))
    watched.file.look()
    assert watched.position == D("0.10"), "somebody may be writing still"
    watched.write(max_position_pct=D("0.04"))
    watched.file.look()
    assert watched.position == D("0.10"), "they were"
    watched.file.look()
    assert watched.position == D("0.04")
    watched.look()
    assert len(watched.events(LimitsSet)) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("risk:\n  max_position_pct: lots\n", "max_position_pct"),
        (
            limits_as_file(limits_with()).replace("max_position_pct: 0.1", "max_position_pct: 0.1\n  max_hope: 3"),
            "max_hope",
        ),
        (None, "limits.yaml"),
    ],
    ids=["empty", "no number", "unknown key", "gone"],
)
def test_what_is_not_understood_changes_nothing_and_says_so(watched, text, why):
    in_force = watched.account.governance.limits
    watched.path.unlink() if text is None else watched.path.write_text(text)
    watched.look()
    assert watched.account.governance.limits == in_force
    (refused,) = watched.events(LimitsFileRefused)
    assert why in refused.why
    assert refused.why.isprintable()
    watched.look()
    assert len(watched.events(LimitsFileRefused)) == 1, "said once"
    watched.save(max_position_pct=D("0.05"))
    assert watched.position == D("0.05"), "and it is read again as soon as it is saved"


def test_a_file_that_others_may_write_is_refused(watched):
    watched.write(max_position_pct=D("0.05"))
    watched.path.chmod(0o666)
    watched.look()
    assert watched.position == D("0.10")
    assert len(watched.events(LimitsFileRefused)) == 1


def test_people_are_told(watched):
    watched.path.write_text("")
    watched.look()
    fold = AlertFold()
    fold.take(1, watched.events(LimitsFileRefused)[0])
    (line,) = fold.lines
    assert line.kind is AlertKind.LIMITS_FILE_REFUSED
    assert line.runbook == "docs/operations.md#limits_file_refused"
    assert "no limit changes" in line.detail


def test_while_the_journal_cannot_be_written_it_is_tried_again(watched, monkeypatch):
    def full(*_: object) -> int:
        raise JournalUnavailable("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(watched.account.journal, "append", full)
        watched.save(max_position_pct=D("0.05"))
        assert "is tried again: the disk is full" in watched.told[0]
    watched.file.look()
    assert len(watched.events(LimitsSet)) == 1


async def _looks(file: LimitsFile, clock) -> None:
    running = asyncio.ensure_future(file.run())
    for _ in range(3):
        await asyncio.sleep(0)
        await clock.advance(LOOK)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_it_looks_by_the_clock(watched):
    watched.write(max_position_pct=D("0.05"))
    asyncio.run(_looks(watched.file, watched.account.clock))
    assert watched.position == D("0.05")
