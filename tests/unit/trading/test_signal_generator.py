"""One wish for each symbol out of everything that strategies say."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.trading.signal_generator import SignalGenerator
from tests.support.market import NOON

D = Decimal
LASTS = {"expires_at": NOON + timedelta(minutes=1)}


def signal(source: str, direction: str = "long", symbol: str = "KO", **fields) -> Signal:
    return Signal(symbol=symbol, direction=Direction(direction), at=NOON, source=source, **fields)


def accepted(*signals: Signal) -> SignalGenerator:
    generator = SignalGenerator()
    for seq, each in enumerate(signals, 1):
        generator.accept(each, seq)
    return generator


def wish(generator: SignalGenerator, symbol: str = "KO", after_s: float = 0) -> str:
    """Source and direction of the wish for `symbol`, or nothing."""
    found = generator.wishes(NOON + timedelta(seconds=after_s)).get(symbol)
    return "nothing" if found is None else f"{found[0].source} {found[0].direction}"


CONFLICTS = """
a                                 | b                       | wins
long                              | flat                    | a long       # equals: the first of the alphabet
long confidence=0.5               | short confidence=0.6    | b short      # the most confident
long confidence=0.6               | short confidence=0.5    | a long
long strength=0.5                 | short                   | b short      # then the stronger
long strength=0.5 confidence=0.9  | short confidence=0.8    | a long       # confidence before strength
flat confidence=0.9               | long confidence=0.8     | a flat
"""


@pytest.mark.parametrize("line", CONFLICTS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_a_conflict_is_resolved_by_confidence_then_strength_then_name(line):
    left, right, wins = (part.strip() for part in line.partition("#")[0].split("|"))
    signals = [_parsed(source, text) for source, text in (("a", left), ("b", right))]
    for order in permutations(signals):  # whoever spoke first makes no difference
        assert wish(accepted(*order)) == wins


def _parsed(source: str, text: str) -> Signal:
    direction, *rest = text.split()
    fields: dict[str, Any] = {name: D(value) for name, _, value in (word.partition("=") for word in rest)}
    return signal(source, direction, **fields)


def test_a_new_signal_replaces_the_earlier_one_of_its_source():
    assert wish(accepted(signal("a", "long"), signal("a", "short"))) == "a short"


def test_symbols_do_not_mix_and_come_in_a_fixed_order():
    generator = accepted(signal("a", symbol="PEP"), signal("a", "short", "KO"), signal("b", "flat", "XOM"))
    assert list(generator.wishes(NOON)) == ["KO", "PEP", "XOM"]
    assert wish(generator, "PEP") == "a long"
    assert wish(generator, "MCD") == "nothing"


def test_a_wish_carries_the_entry_that_recorded_it():
    generator = accepted(signal("a", confidence=D("0.5")), signal("b"))
    assert generator.wishes(NOON)["KO"][1] == 2


def test_a_dead_signal_leaves_the_word_to_the_next():
    """It is dead from the moment on at which it expires."""
    expiring = signal("a", "long", expires_at=NOON + timedelta(seconds=60))
    generator = accepted(expiring, signal("b", "flat"))
    assert wish(generator, after_s=59.999999) == "a long"
    assert wish(generator, after_s=60) == "b flat"
    assert wish(generator, after_s=0) == "b flat"  # it does not rise again
    assert wish(accepted(expiring), after_s=60) == "nothing"


REPEATS: dict[str, tuple[dict[str, Any], bool]] = {
    "the same": ({}, True),
    "another reason": ({"reason": "still so"}, True),
    "another time": ({"at": NOON + timedelta(days=1)}, True),
    "another direction": ({"direction": Direction.FLAT}, False),
    "another strength": ({"strength": D("0.5")}, False),
    "another confidence": ({"confidence": D("0.5")}, False),
    "another weight": ({"weight": D("0.05")}, False),
    "another stop": ({"stop_price": D(90)}, False),
    "another end": ({"expires_at": NOON + timedelta(days=1)}, False),
    "another source": ({"source": "b"}, False),
    "another symbol": ({"symbol": "PEP"}, False),
}


@pytest.mark.parametrize("case", REPEATS)
def test_repeating_a_wish_changes_nothing(case):
    """A strategy may say the same at every bar; it stands under the entry that first recorded it."""
    changes, stands = REPEATS[case]
    generator = accepted(signal("a"))
    assert generator.standing(msgspec.structs.replace(signal("a"), **changes)) == (1 if stands else None)


def test_a_source_that_is_dropped_wants_nothing():
    generator = accepted(signal("a"), signal("a", symbol="PEP"), signal("b", "flat", confidence=D("0.1")))
    generator.drop_source("a")
    assert wish(generator) == "b flat"
    assert wish(generator, "PEP") == "nothing"
    generator.drop_source("nobody")


def test_wishes_are_resolved_once_until_somebody_speaks_or_one_dies():
    """An engine asks at every turn of the market, of hundreds of symbols; what stands is not sorted each time."""
    generator = accepted(signal("a"), signal("b", "flat", symbol="PEP"), mortal := signal("c", symbol="XOM", **LASTS))
    first = generator.wishes(NOON)
    assert generator.wishes(NOON + timedelta(seconds=59)) is first
    assert [one.symbol for one in generator.wanted(NOON)] == ["KO", "XOM"]
    later = generator.wishes(NOON + timedelta(seconds=60))
    assert list(later) == ["KO", "PEP"]
    assert mortal not in generator.wanted(NOON + timedelta(seconds=60))
    generator.accept(signal("a", "flat"), 9)
    assert generator.wishes(NOON)["KO"][1] == 9
    assert not generator.wanted(NOON)
    generator.drop_source("a")
    assert list(generator.wishes(NOON)) == ["PEP"]
