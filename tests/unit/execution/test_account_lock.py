"""One sender for an account: the lock admits one, names it to the others, counts, and notices what is done to it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.account_lock import (
    FileAccountLock,
    Holder,
    UnsharedLock,
    account_key,
    account_lock_path,
)
from quant_trading_system.execution.credentials import Endpoints

AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def claim(epoch: int = 0, pid: int = 4711) -> Holder:
    return Holder(account="PA1", epoch=epoch, pid=pid, host="desk", since=AT, directory="/state/default")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return account_lock_path(tmp_path / "default", "PA1")


@pytest.mark.fault("second-engine")
def test_a_second_engine_is_refused_and_told_everything_about_the_first(path):
    lock = FileAccountLock(path, claim())
    with pytest.raises(ConfigurationError) as refused:
        FileAccountLock(path, claim(pid=2))
    for word in ("process 4711", "on desk", "2026-11-20 14:30:00 UTC", "/state/default", "stop it first"):
        assert word in str(refused.value)
    assert lock.flaw() == ""


def test_every_directory_of_the_state_directory_has_the_same_lock(tmp_path):
    assert account_lock_path(tmp_path / "a", "PA1") == account_lock_path(tmp_path / "b", "PA1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "x" * 65, "é"])
def test_an_account_is_named_like_a_file(tmp_path, name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a file"):
        account_lock_path(tmp_path / "a", name)


def test_the_epoch_grows_by_one_with_each_taking(path):
    for epoch in (1, 2, 3):
        lock = FileAccountLock(path, claim())
        assert lock.holder.epoch == epoch
        lock.release()


def test_the_epoch_is_above_what_the_journal_knows_when_the_file_was_lost(path):
    assert FileAccountLock(path, claim(epoch=41)).holder.epoch == 42


def test_the_file_is_private(path):
    FileAccountLock(path, claim())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_lock_of_a_process_that_died_is_free_and_the_epoch_goes_on(path):
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from datetime import datetime, UTC\n"
        "from quant_trading_system.execution.account_lock import FileAccountLock, Holder\n"
        "me = Holder(account='PA1', epoch=0, pid=os.getpid(), host='desk', since=datetime(2026, 1, 1, tzinfo=UTC),"
        " directory='x')\n"
        "lock = FileAccountLock(Path(sys.argv[1]), me); os.kill(os.getpid(), 9)"
    )
    root = str(Path(__file__).resolve().parents[3])
    assert subprocess.run([sys.executable, "-c", program, str(path), root], check=False).returncode == -9
    assert FileAccountLock(path, claim()).holder.epoch == 2


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def rewrite(path: Path) -> None:
    path.write_text("somebody else")


def lose_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("gone"))


@pytest.mark.parametrize("harm", [remove, replace, rewrite, lose_directory])
@pytest.mark.fault("lock-removed")
def test_who_holds_it_notices_at_the_next_look_what_was_done_to_it(path, harm):
    lock = FileAccountLock(path, claim())
    harm(path)
    assert "somebody else may be sending" in lock.flaw()


@pytest.mark.fault("lock-removed")
def test_after_the_file_was_removed_the_next_one_gets_in_and_the_first_is_out(path):
    first = FileAccountLock(path, claim())
    path.unlink()
    second = FileAccountLock(path, claim(epoch=first.holder.epoch))
    assert (second.flaw(), second.holder.epoch) == ("", 2)
    assert "replaced" in first.flaw()


def test_a_damaged_file_is_refused_with_what_to_do(path):
    path.parent.mkdir(parents=True)
    path.write_text("{")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="make sure that no engine runs, then remove it"):
        FileAccountLock(path, claim())


def test_an_empty_file_is_one_that_power_failed_before(path):
    path.parent.mkdir(parents=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    assert FileAccountLock(path, claim()).holder.epoch == 1


def test_a_file_that_others_may_write_is_refused(path):
    FileAccountLock(path, claim()).release()
    path.chmod(0o666)
    with pytest.raises(ConfigurationError, match="open to other users"):
        FileAccountLock(path, claim())


def test_a_link_is_not_followed(path, tmp_path):
    path.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be kept"):
        FileAccountLock(path, claim())


def test_after_a_release_the_next_one_gets_in(path):
    FileAccountLock(path, claim()).release()
    assert FileAccountLock(path, claim()).flaw() == ""


def test_accounts_of_two_venues_are_two_whatever_their_ids():
    """Alpaca's ids are its own; every venue on this machine begins to count anew."""
    one, other = Endpoints.derived("http://127.0.0.1:4001"), Endpoints.derived("http://127.0.0.1:4002")
    assert account_key(one, "PA1") == "PA1-4001"
    assert account_key(one, "PA1") != account_key(other, "PA1")
    assert account_key(Endpoints.derived(), "PA1") == "PA1"


def test_a_lock_that_nobody_shares_counts_and_has_no_flaw():
    lock = UnsharedLock(claim(epoch=4))
    assert (lock.holder.epoch, lock.flaw()) == (5, "")
    lock.release()
    assert lock.flaw() == ""
