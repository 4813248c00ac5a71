"""An account in which everything that can bear a name or a reason bears a hostile one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from quant_trading_system.app.alerting.book import AlertBook
from quant_trading_system.app.readings.alert_fold import alert_line
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.core.events import SignalEvent, StrategyStopped
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch
from tests.support.demo_journal import Scribe

HOSTILE = "[/x][red]\x1b[2J\x9b1A\nsecond\r\u202egpj\u2028\x00\x7f"
"""Rich's markup, an escape sequence of seven bits and one of eight, ends of lines, and letters from right to left."""
SYMBOL = "[/b]"
NOW = datetime(2024, 1, 2, 17, 30, tzinfo=UTC)


def hostile_account(directory: Path) -> None:
    """Two strategies, a signal, a filled order, an alert and a halt."""
    scribe = Scribe(directory)
    scribe.begin(HOSTILE, "calm")
    scribe.write(StrategyStopped(at=scribe.now, strategy=HOSTILE, error=HOSTILE))
    scribe.write(StrategySwitched(at=scribe.now, strategy="calm", armed=False, by=HOSTILE, reason=HOSTILE))
    signal = Signal(symbol=SYMBOL, direction=Direction.LONG, at=scribe.now, source=HOSTILE, reason=HOSTILE)
    scribe.write(SignalEvent(at=scribe.now, signal=signal))
    scribe.fill(scribe.send(SYMBOL, 10), SYMBOL, 10)
    scribe.measure("100000")
    scribe.close()
    AlertBook(directory).see(alert_line(AlertKind.STRATEGY_STOPPED, HOSTILE, NOW, HOSTILE), NOW)
    KillSwitch(latch=FileLatch(directory / "kill_latch.json")).activate(HOSTILE, activated_by=HOSTILE)
