"""What may be varied, how it is spelt, and which trials a search makes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.research.parameters import Kind, read_space
from quant_trading_system.research.search import BATCH, make_search
from quant_trading_system.research.sweep_words import Sampler


class Typed:
    def __init__(
        self,
        hold: int,
        gross: Decimal = Decimal("0.5"),
        entry: float | None = 2.0,
        short: bool = False,
        how: str = "a",
        odd: list[int] | None = None,
    ) -> None: ...


class Untyped:
    def __init__(self, fast=3, slow=20.0, **others): ...


class Bare:
    pass


def test_values_become_what_the_constructor_takes():
    texts = ["hold=4,8", "gross=0.10", "entry=1,2.50", "short=true,False", "how=a:b,c"]
    space = read_space(Typed, texts)
    grid = space.grid()
    assert len(grid) == 2 * 1 * 2 * 2 * 2
    assert grid[0] == {"hold": "4", "gross": "0.1", "entry": "1.0", "short": "true", "how": "a:b"}
    first = space.arguments(grid[0])
    assert first == {"hold": 4, "gross": Decimal("0.1"), "entry": 1.0, "short": True, "how": "a:b"}
    assert [type(value) for value in first.values()] == [int, Decimal, float, bool, str]


def test_steps_are_exact_and_reach_the_end():
    space = read_space(Typed, ["hold=10:50:20", "gross=0.1:0.3:0.1", "entry=0.1:0.35:0.1"])
    by_name = {dimension.name: dimension.values for dimension in space.dimensions}
    assert by_name == {"hold": ("10", "30", "50"), "gross": ("0.1", "0.2", "0.3"), "entry": ("0.1", "0.2", "0.3")}


def test_a_range_of_whole_numbers_is_a_list():
    assert [one["hold"] for one in read_space(Typed, ["hold=2:4"]).grid()] == ["2", "3", "4"]


def test_constructors_without_types():
    kinds = {one.name: one.kind for one in read_space(Untyped, ["fast=2,3", "slow=1,2", "any=1.5", "b=x"]).dimensions}
    assert kinds == {"fast": Kind.INT, "slow": Kind.FLOAT, "any": Kind.FLOAT, "b": Kind.TEXT}


@pytest.mark.parametrize(
    ("cls", "texts", "words"),
    [
        (Typed, [], "needs hold"),
        (Typed, ["gross=1"], "needs hold"),
        (Untyped, [], "nothing to vary"),
        (Bare, ["hold=1"], "no such parameter; it takes none"),
        (Typed, ["holt=1"], "did you mean hold"),
        (Typed, ["hold=1", "hold=2"], "given twice"),
        (Typed, ["hold=1,1.0"], "twice"),
        (Typed, ["hold"], "NAME=VALUE"),
        (Typed, ["hold="], "NAME=VALUE"),
        (Typed, ["hold=x"], "no int"),
        (Typed, ["hold=1.5"], "no int"),
        (Typed, ["hold=1", "entry=nan"], "no float"),
        (Typed, ["hold=1", "gross=1e400"], "no Decimal"),
        (Typed, ["hold=1", "short=maybe"], "no bool"),
        (Typed, ["hold=1", "odd=3"], "only int, float, Decimal, bool, str"),
        (Typed, ["hold=5:1"], "below"),
        (Typed, ["hold=1:9:0"], "another step"),
        (Typed, ["hold=1:9:2:3"], "LOW:HIGH"),
        (Typed, ["hold=0:9:log"], "above zero"),
    ],
)
def test_what_makes_no_sense_is_refused(cls, texts, words):
    with pytest.raises(ConfigurationError, match=words):
        read_space(cls, texts)


def test_a_grid_needs_a_list():
    with pytest.raises(ConfigurationError, match="ranges are for"):
        read_space(Typed, ["hold=1", "gross=0.1:0.5"]).grid()
    with pytest.raises(ConfigurationError, match="more than 1,000,000"):
        read_space(Typed, ["hold=1:2000", "gross=1:2000:1"]).grid()


@pytest.mark.parametrize(
    ("sampler", "trials", "words"),
    [
        (Sampler.GRID, 5, "--trials is for"),
        (Sampler.TPE, None, "needs --trials"),
        (Sampler.RANDOM, 0, "needs --trials"),
    ],
)
def test_how_many_trials(sampler, trials, words):
    with pytest.raises(ConfigurationError, match=words):
        make_search(sampler, read_space(Typed, ["hold=1:9"]), trials=trials, seed=1)


def walked(search, score):
    """All batches of a search."""
    batches = []
    while batch := search.next():
        batches.append(batch)
        search.tell([score(one.parameters) for one in batch])
    return batches


def far_from_thirty(parameters):
    return -abs(int(parameters["hold"]) - 30.0)


@pytest.mark.parametrize("sampler", [Sampler.RANDOM, Sampler.TPE])
def test_the_same_seed_draws_the_same_and_nothing_twice(sampler):
    space = read_space(Typed, ["hold=1:99", "gross=0.1:0.5", "entry=0.01:10:log"])
    first, again = (walked(make_search(sampler, space, trials=25, seed=4), far_from_thirty) for _ in range(2))
    assert first == again
    drawn = [tuple(one.parameters.values()) for batch in first for one in batch]
    assert len(set(drawn)) == 25
    assert [one.number for batch in first for one in batch] == [*range(25)]
    assert walked(make_search(sampler, space, trials=25, seed=5), far_from_thirty) != first
    for one in (one for batch in first for one in batch):
        assert 1 <= int(one.parameters["hold"]) <= 99
        assert Decimal("0.1") <= Decimal(one.parameters["gross"]) <= Decimal("0.5")
        assert 0.01 <= float(one.parameters["entry"]) <= 10


def test_tpe_learns_from_batch_to_batch():
    space = read_space(Typed, ["hold=1:1000"])
    batches = walked(make_search(Sampler.TPE, space, trials=60, seed=2), far_from_thirty)
    assert {len(batch) for batch in batches} == {BATCH}
    apart = [abs(int(one.parameters["hold"]) - 30) for batch in batches for one in batch]
    assert sum(apart[-20:]) < sum(apart[:20]) / 2


def test_a_small_space_is_exhausted():
    space = read_space(Typed, ["hold=1:4"])
    batches = walked(make_search(Sampler.RANDOM, space, trials=50, seed=2), far_from_thirty)
    assert sorted(one.parameters["hold"] for batch in batches for one in batch) == ["1", "2", "3", "4"]


def test_failed_trials_teach_nothing_and_stop_nothing():
    space = read_space(Typed, ["hold=1:1000"])
    batches = walked(make_search(Sampler.TPE, space, trials=30, seed=2), lambda _: None)
    assert sum(len(batch) for batch in batches) == 30
