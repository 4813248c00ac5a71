"""A latch that somebody names must exist; the account's own must be possible to keep."""

import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch, existing_latch


@pytest.mark.parametrize("name", ["typo.json", "nowhere/latch.json", ".", "prices.csv", "prices.csv/latch.json"])
def test_what_is_no_latch_is_refused_and_nothing_is_written(tmp_path, name):
    prices = tmp_path / "prices.csv"
    prices.write_text("date,KO\n")
    with pytest.raises(ConfigurationError, match="is no kill latch; check the path"):
        existing_latch(tmp_path / name)
    assert [*tmp_path.iterdir()] == [prices]
    assert prices.read_text() == "date,KO\n"


def test_a_latch_that_was_made_is_opened(tmp_path):
    path = tmp_path / "latch.json"
    KillSwitch(latch=FileLatch(path)).activate("a drill")
    assert KillSwitch(latch=existing_latch(path)).reason == "a drill"


def test_a_copy_of_a_latch_is_opened(tmp_path):
    path, copy = tmp_path / "latch.json", tmp_path / "copy.json"
    KillSwitch(latch=FileLatch(path)).activate("a drill")
    copy.write_bytes(path.read_bytes())
    assert KillSwitch(latch=existing_latch(copy)).reason == "a drill"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("{")])
def test_a_latch_that_is_gone_or_damaged_is_active(tmp_path, damage):
    path = tmp_path / "latch.json"
    FileLatch(path)
    damage(path)
    assert KillSwitch(latch=existing_latch(path)).is_active()


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("QTS_STATE_DIR", str(blocked / "state"))
    with pytest.raises(ConfigurationError, match=r"file/state/default .*set QTS_STATE_DIR to a directory"):
        KillSwitch()
