"""Signals: the ranges of what a strategy may wish for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.core.signals import Direction, Signal

NOW = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def make(**changes):
    fields = {"symbol": "KO", "direction": Direction.LONG, "at": NOW, **changes}
    return Signal(**fields)


RANGES = """
field       value         verdict
strength    0             ok
strength    0.5           ok
strength    1             ok
strength    1.000000001   strength 1.000000001 is not between 0 and 1
strength    -0.000000001  strength -1E-9 is not between 0 and 1
confidence  0             ok
confidence  1             ok
confidence  1.01          confidence 1.01 is not between 0 and 1
confidence  -1            confidence -1 is not between 0 and 1
weight      0             ok
weight      10            ok
weight      10.01         weight 10.01 is not between 0 and 10
weight      -0.05         weight -0.05 is not between 0 and 10
stop_price  0.0001        ok
stop_price  99999.99      ok
stop_price  0             stop_price: 0 must be above zero
stop_price  -5            stop_price: -5 must be above zero
"""


@pytest.mark.parametrize("line", RANGES.strip().splitlines()[1:])
def test_what_may_be_wished_for(line):
    field, value, verdict = line.split(maxsplit=2)
    if verdict == "ok":
        assert Decimal(value) == getattr(make(**{field: Decimal(value)}), field)
        return
    with pytest.raises(StrategyError) as refusal:
        make(**{field: Decimal(value)})
    assert f"signal for KO: {verdict}" in str(refusal.value)


@pytest.mark.parametrize("field", ["strength", "confidence", "weight", "stop_price"])
@pytest.mark.parametrize("value", [0.5, True, "NaN", Decimal("Infinity"), "half", "1E+999999", "0.0000000001"])
def test_a_wish_that_is_no_exact_number_stops_the_strategy(field, value):
    with pytest.raises(StrategyError, match=f"signal for KO: {field}: "):
        make(**{field: value})


@pytest.mark.parametrize("field", ["strength", "confidence"])
def test_a_wish_without_strength_or_confidence_is_no_wish(field):
    with pytest.raises(StrategyError, match=f"signal for KO: {field}: None is a NoneType"):
        make(**{field: None})


@pytest.mark.parametrize("field", ["strength", "confidence", "weight", "stop_price"])
@pytest.mark.parametrize("value", [1, "1", "1.00", Decimal(1)])
def test_wishes_may_be_written_as_decimal_integer_or_text(field, value):
    number = getattr(make(**{field: value}), field)
    assert (Decimal, 1) == (type(number), number)


def test_a_bare_signal_wants_a_full_position_with_full_confidence_and_leaves_the_size_to_others():
    signal = make()
    assert (Decimal(1), Decimal(1), None, None) == (
        signal.strength,
        signal.confidence,
        signal.weight,
        signal.stop_price,
    )


def test_a_signal_is_dead_from_its_expiry_on():
    signal = make(expires_at=NOW + timedelta(minutes=5))
    assert signal.is_alive(NOW)
    assert signal.is_alive(NOW + timedelta(minutes=5) - timedelta.resolution)
    assert not signal.is_alive(NOW + timedelta(minutes=5))


def test_a_signal_without_expiry_lives_until_it_is_replaced():
    assert make().is_alive(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(("direction", "sign"), [("long", 1), ("short", -1), ("flat", 0)])
def test_directions_have_a_sign(direction, sign):
    assert sign == Direction(direction).sign


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_may_be_written_as_text(direction):
    assert make(direction=str(direction)).direction is direction


def test_a_direction_that_does_not_exist_stops_the_strategy():
    with pytest.raises(StrategyError, match="direction 'up' is none of long, short, flat"):
        make(direction="up")


def test_a_signal_never_changes():
    with pytest.raises(AttributeError):
        make().strength = Decimal("0.5")
