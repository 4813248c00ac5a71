"""Names that users build on: the front door of the package and the tree of its errors."""

from __future__ import annotations

import builtins
import subprocess
import sys
from inspect import getmembers, isclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import quant_trading_system
from quant_trading_system.core import exceptions

if TYPE_CHECKING:
    from tests.architecture.conftest import Source


@pytest.mark.parametrize("name", quant_trading_system.__all__)
def test_every_public_name_can_be_imported_from_the_front_door(name: str) -> None:
    assert getattr(quant_trading_system, name).__name__ == name


def test_the_front_door_lists_its_names_in_order() -> None:
    assert sorted(quant_trading_system.__all__) == quant_trading_system.__all__
    assert set(quant_trading_system.__all__) <= set(dir(quant_trading_system))


def test_the_front_door_loads_nothing_before_it_is_needed(root: Path) -> None:
    program = (
        "import sys, quant_trading_system as door; print(*(m for m in sys.modules if m.startswith(door.__name__)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["quant_trading_system"]


def test_a_misspelt_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'quant_trading_system' has no attribute 'Ordr'"):
        quant_trading_system.Ordr  # noqa: B018 - reading the attribute is the test


def drawn_tree() -> dict[str, str]:
    """Each error in the drawing of `core/exceptions.py` with the one above it."""
    drawing = (exceptions.__doc__ or "").split("\n\n")[1]
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in drawing.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        parents[name] = above[depth - 1] if depth else "Exception"
        above[depth:] = [name]
    return parents


def test_the_drawing_of_the_errors_shows_the_classes() -> None:
    """A second base such as ValueError, for those who catch that, is not drawn."""
    classes = {
        name: cls.__bases__[0].__name__
        for name, cls in getmembers(exceptions, isclass)
        if issubclass(cls, Exception) and cls.__module__ == exceptions.__name__
    }
    assert drawn_tree() == classes


INTERNAL_ERRORS = {
    "console/answers.py Refusal": "becomes an answer over HTTP, with a status; nobody catches it in Python",
    "config/scalars.py BadValue": "becomes a ConfigurationError that names the key before it leaves the loader",
    "journal/snapshot.py SnapshotUnusable": "the snapshot is ignored, and everything is folded anew",
    "simulation/admission.py VenueRefusal": "the venue's own no; the broker in front of it raises BrokerRejected",
    "simulation/storm/life.py Killed": "the end of a simulated process, in the middle of whatever it was doing",
    "simulation/storm/virtual_time.py Stuck": "a simulated day in which nothing moves; its report says so",
}
"""Errors that no user ever sees, each with its reason; those with an underscore stay within their file anyway."""


def test_all_errors_are_in_the_drawing(sources: tuple[Source, ...]) -> None:
    """No module keeps errors of its own, so that one page lists all that can be raised."""
    built_in = {name for name, cls in getmembers(builtins, isclass) if issubclass(cls, BaseException)}
    known = built_in | {f"{exceptions.__name__}.{name}" for name in drawn_tree()}
    private = [
        f"{source.path} {cls.name}"
        for source in sources
        if source.path != "core/exceptions.py"
        for cls in source.classes
        if not cls.name.startswith("_") and any(source.full_name(base) in known for base in cls.bases)
    ]
    assert sorted(INTERNAL_ERRORS) == sorted(private)
