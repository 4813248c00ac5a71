"""What is told of a strategy that has failed."""

from __future__ import annotations

import json
from pathlib import PurePath

import pytest

from quant_trading_system.core.wording import LONGEST_REASON
from quant_trading_system.trading.answers import understood
from quant_trading_system.trading.failures import failure
from quant_trading_system.trading.own_orders import Owners
from quant_trading_system.trading.strategy import Strategy
from tests.support.desk import Account

SYSTEM = Account().system
OWNERS = Owners(SYSTEM.orders, SYSTEM.desk)
HERE = PurePath(__file__).name


def told(call) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - of any kind
        return failure(error)
    raise AssertionError("did not fail")


def line_of(function, after: int = 1) -> int:
    return function.__code__.co_firstlineno + after


def broken() -> object:
    return json.loads("{")


class Single(Strategy):
    pass


def test_the_line_of_the_strategy_is_told_and_not_that_of_a_library():
    def calls():
        return broken()

    assert told(calls).endswith(f" (line {line_of(broken)} of {HERE})")


def test_an_error_that_is_ours_alone_has_no_line():
    """What the package finds wrong with an answer arose in no line of the strategy."""
    with pytest.raises(TypeError) as caught:
        understood(Single(), 42, OWNERS)
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)
    assert failure(error) == "TypeError: Single returned a int; yield what is wanted, or return it in a list"


def test_the_line_is_told_after_the_longest_of_words_too():
    def fails():
        raise RuntimeError("x" * 10_000)

    words = told(fails)
    assert len(words) == LONGEST_REASON
    assert words.endswith(f"x (line {line_of(fails)} of {HERE})")


def test_an_answer_that_is_no_list_says_so():
    for answer in (42, "buy", object(), 1.5):
        words = told(lambda answer=answer: understood(Single(), answer, OWNERS))
        assert "yield what is wanted, or return it in a list" in words, answer


def test_an_error_that_cannot_say_what_it_is_stops_its_strategy_and_not_the_engine():
    class Wordless(Exception):
        def __str__(self) -> str:
            return self.args[0]["message"]

    def calls():
        raise Wordless({"code": 42})

    words = "Wordless: it has no words, for its __str__ fails with KeyError"
    assert told(calls) == f"{words} (line {line_of(calls)} of {HERE})"
