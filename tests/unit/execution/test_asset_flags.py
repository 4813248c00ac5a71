"""Once a day the broker says what is possible with each symbol; the universe only ever becomes narrower by it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import OutcomeUnknown
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.execution import asset_flags
from quant_trading_system.execution.alpaca_models import Asset
from quant_trading_system.execution.asset_flags import AssetFlags, combined
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.market.sessions import AlwaysOpen
from tests.support.desk import Desk, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell

D = Decimal
LENT = Instrument(symbol="KO", shortable=True, fractionable=True)


def asset(symbol: str = "KO", **says: Any) -> Asset:
    flags = {"tradable": True, "marginable": True, "shortable": True, "easy_to_borrow": True, "fractionable": True}
    return Asset(**{"id": "1", "symbol": symbol, "status": "active"} | flags | says)


class Broker:
    """Answers from `known`; counts what it is asked."""

    def __init__(self, *known: Asset) -> None:
        self.known = {found.symbol: found for found in known}
        self.asked = 0
        self.is_mute = False

    async def asset(self, symbol: str) -> Asset | None:
        self._answer()
        return self.known.get(symbol)

    async def assets(self) -> tuple[Asset, ...]:
        self._answer()
        return tuple(self.known.values())

    def _answer(self) -> None:
        self.asked += 1
        if self.is_mute:
            raise OutcomeUnknown("no answer")


class Followed:
    """A universe whose flags follow a broker."""

    def __init__(self, broker: Broker, *instruments: Instrument) -> None:
        self.broker = broker
        self.universe = Universe(instruments or (LENT,))
        self.clock = ManualClock(NOON)
        self.told: list[str] = []
        self.held: dict[str, Decimal] = {}
        self.notices: list[Notice] = []
        self.flags = AssetFlags(
            broker,
            self.universe,
            self.clock,
            AlwaysOpen(),
            self.told.append,
            held=lambda symbol: self.held.get(symbol, D(0)),
            notify=self.notices.append,
        )

    def read(self, days: int = 0) -> None:
        self.clock.move_to(self.clock.now() + timedelta(days=days))
        asyncio.run(self.flags.read())


@pytest.mark.parametrize("flag", ["tradable", "shortable", "easy_to_borrow", "fractionable", "marginable"])
def test_of_permission_and_possibility_the_tighter_holds(flag: str) -> None:
    assert not getattr(combined(LENT, asset(**{flag: False})), flag)
    if flag in ("shortable", "fractionable"):
        assert not getattr(combined(Instrument(symbol="KO"), asset()), flag)  # a person does not permit it


def test_what_is_not_listed_any_more_or_unknown_is_not_active():
    assert not combined(LENT, asset(status="inactive")).active
    assert not combined(LENT, None).active
    assert combined(LENT, asset()) == LENT


@pytest.mark.parametrize(
    ("instrument", "says", "margin"),
    [
        (LENT, {}, "0.30"),
        (LENT, {"margin_requirement_long": "50"}, "0.50"),
        (LENT, {"margin_requirement_long": "30", "margin_requirement_short": "100"}, "1"),
        (Instrument(symbol="KO"), {"margin_requirement_long": "30", "margin_requirement_short": "100"}, "0.30"),
        (LENT, {"margin_requirement_long": "many"}, "0.30"),
        (LENT, {"margin_requirement_long": "0"}, "0.30"),
        (LENT, {"margin_requirement_long": "NaN"}, "0.30"),
    ],
)
def test_the_margin_is_that_of_the_broker(instrument: Instrument, says: dict[str, str], margin: str) -> None:
    assert combined(instrument, asset(**says)).maintenance_margin == D(margin)


def test_flags_are_read_once_a_day_and_changes_are_told():
    followed = Followed(Broker(asset(shortable=False)))
    followed.read()
    followed.read()
    assert (followed.broker.asked, followed.universe["KO"].shortable) == (1, False)
    assert followed.told == ["KO, by the broker's word: not shortable"]
    followed.broker.known["KO"] = asset()
    followed.read(days=1)
    assert followed.universe["KO"] == LENT  # never looser than what a person permits, and back to that
    assert followed.told[1:] == ["KO, by the broker's word: shortable"]


def test_without_an_answer_what_was_known_holds_and_the_broker_is_asked_again():
    followed = Followed(Broker(asset(tradable=False)))
    followed.read()
    followed.broker.is_mute = True
    followed.read(days=1)
    assert not followed.universe["KO"].tradable
    assert "could not be read" in followed.told[-1]
    followed.broker.is_mute = False
    followed.read()
    assert followed.broker.asked == 3


def test_a_holding_that_the_broker_lists_no_more_is_told_once():
    """Of what is not held, or merely suspended, no person has to hear."""
    broker = Broker(asset(), asset("PEP"), asset("XOM"), asset("DIS"))
    followed = Followed(broker, *(Instrument(symbol=symbol) for symbol in ("KO", "PEP", "XOM", "DIS")))
    followed.held = {"KO": D(100), "PEP": D("-2.5"), "XOM": D(7)}
    followed.read()
    assert followed.notices == []
    broker.known = {found.symbol: found for found in (asset(status="inactive"), asset("XOM", tradable=False))}
    followed.read(days=1)
    followed.read(days=1)
    (notice,) = followed.notices
    assert notice.kind is NoticeKind.HOLDING_NOT_LISTED
    assert "the broker lists no more what is held: 100 KO, -2.5 PEP; sell what still trades." in notice.message


def test_of_many_symbols_the_whole_list_is_read(monkeypatch):
    monkeypatch.setattr(asset_flags, "ALL_AT_ONCE_FROM", 2)
    broker = Broker(asset(), asset("PEP", marginable=False), asset("ELSE"))
    followed = Followed(broker, LENT, Instrument(symbol="PEP"))
    followed.read()
    assert broker.asked == 1
    assert not followed.universe["PEP"].marginable
    assert "ELSE" not in followed.universe


def test_the_gate_goes_by_the_flags_of_the_day():
    followed = Followed(Broker(asset(status="inactive")))
    desk = Desk(universe=followed.universe, limits=limits_with(allow_short=True))
    desk.hold("KO", 5, 100)
    assert not isinstance(desk.check(buy(1)), Rejection)
    followed.read()
    refused = desk.check(buy(1))
    assert isinstance(refused, Rejection)
    assert refused.rule == "instrument_tradable"
    assert not isinstance(desk.check(sell(5)), Rejection)  # ways out leave
