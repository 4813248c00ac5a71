"""One control API for the tests of a module that change nothing, and a fresh one for each that does."""

from __future__ import annotations

import pytest

from tests.support.console_desk import Office


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("office"))
    with made.client:
        yield made


@pytest.fixture
def fresh(tmp_path):
    made = Office(tmp_path)
    with made.client:
        yield made
