"""Speed as a ratio to a bare loop that runs beside it, and a gate: no ratio may grow far beyond the accepted one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.processor_time import processor_seconds

ACCEPTED = Path(__file__).parent / "accepted_ratios.json"
MAY_GROW = 1.5
"""A ratio above the accepted one by more than this is refused; what is below is noise of shared machines."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `make bench`."""
    parser.addoption("--full", action="store_true", help="workloads in their full size: a million bars, for instance")
    parser.addoption("--accept", action="store_true", help="accept the ratios of this run for later ones")


@pytest.fixture(autouse=True, scope="session")
def compiled() -> Iterator[None]:
    """Programs that are started find compiled files, as those of an installed package do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """The size of a workload: a usual and a full one."""
    return lambda usual, full: full if request.config.getoption("--full") else usual


class Measured(NamedTuple):
    """What a comparison gave: the results of both."""

    ours: Any
    bare: Any


@pytest.fixture
def against(
    benchmark: Any, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Measured]:
    """Measures work beside a bare loop, tells the ratio, and holds it to the accepted one.

    Seconds are those of processors, child processes included, which other programs on the machine hardly disturb.
    """
    whole = request.config.getoption("--full")

    def compare(
        ours: Callable[[], Any], bare: Callable[[], Any], *, units: int, unit: str, rounds: int = 1 if whole else 3
    ) -> Measured:
        told, before = _quickest(bare, 5)
        found: list[tuple[Any, float]] = []
        benchmark.pedantic(lambda: found.append(_quickest(ours, 1)), rounds=rounds)
        _, after = _quickest(bare, 5)
        seconds, bare_seconds = min(span for _, span in found), min(before, after)
        ratio = seconds / bare_seconds
        wall = benchmark.stats.stats.min
        benchmark.extra_info.update(
            units=units, unit=unit, seconds=seconds, bare_seconds=bare_seconds, ratio=ratio, wall=wall
        )
        with capsys.disabled():
            each = f"{seconds / units * 1e6:,.2f} us a {unit}"
            print(
                f"\n{request.node.name}: {units:,} {unit}{'s' * (units > 1)}, {each}, {ratio:,.1f} times the bare one"
            )
        _hold(request, ratio)
        return Measured(found[-1][0], told)

    return compare


@pytest.fixture
def growing(benchmark: Any, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Measures what each unit of work costs at growing sizes, and refuses one that costs more where there is more."""

    def grow(work: Callable[[int], Any], *, sizes: tuple[int, ...], unit: str) -> None:
        each = {size: _quickest(lambda size=size: work(size), 2)[1] / size * 1e6 for size in sizes[:-1]}
        found: list[float] = []
        benchmark.pedantic(lambda: found.append(_quickest(lambda: work(sizes[-1]), 1)[1]), rounds=1)
        each[sizes[-1]] = found[0] / sizes[-1] * 1e6
        benchmark.extra_info.update(growth=list(each.items()), unit=unit)
        with capsys.disabled():
            told = ", ".join(f"{cost:,.2f} us at {size:,}" for size, cost in each.items())
            print(f"\n{request.node.name}: {unit}: it costs {told}")
        assert max(each[size] for size in sizes[1:]) <= each[sizes[0]] * MAY_GROW, "not flat"

    return grow


def _quickest(work: Callable[[], Any], tries: int) -> tuple[Any, float]:
    """The result, and processor seconds of the quickest try."""
    spans, result = [], None
    for _ in range(tries):
        began = processor_seconds()
        result = work()
        spans.append(processor_seconds() - began)
    return result, min(spans)


def _hold(request: pytest.FixtureRequest, ratio: float) -> None:
    """Sizes have ratios of their own, for what is paid once counts less in a long run."""
    name = request.node.name + (" (full)" if request.config.getoption("--full") else "")
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8")) if ACCEPTED.exists() else {}
    if request.config.getoption("--accept"):
        accepted[name] = float(f"{ratio:.3g}")
        ACCEPTED.write_text(json.dumps(accepted, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    if name in accepted:
        most = accepted[name] * MAY_GROW
        assert ratio <= most, f"{ratio:.1f} times the bare loop; accepted are {accepted[name]}, so {most:.1f} at most"
