"""What a live engine tells of its lines with every beat."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from quant_trading_system.app.heartbeat import Vitals
from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.risk.monitor import RiskMonitor

_TENTH = Decimal("0.1")


def vitals_of(clock: Clock, monitor: RiskMonitor, sessions: Mapping[str, StreamSession]) -> Vitals:
    """The lines of an engine now: its streams by name, and what the monitor measures in seconds."""
    return Vitals(
        at=clock.now(),
        streams={name: session.is_up for name, session in sessions.items()},
        silences={name: _seconds(session) for name, session in sessions.items()},
        measures={
            measure.trigger.rule: (measure.actual.quantize(_TENTH), measure.limit) for measure in monitor.silences()
        },
    )


def _seconds(session: StreamSession) -> Decimal:
    return Decimal(session.silent_for.days * 86_400 + session.silent_for.seconds)
