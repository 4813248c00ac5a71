"""A plugin of pytest that plants one bug, named by ``PLANTED_BUG``, into every test, and tells whether one catches it.

A test catches a bug by an assertion that fails. An error of another kind may come from the patch, and does not count.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.support.bugs_beside_storms import TESTED_BUGS

_caught: list[str] = []


@pytest.fixture(autouse=True, scope="session")
def planted_bug() -> Iterator[None]:
    """The bug is in while tests run, from before their own fixtures on."""
    bug = next(bug for bug in TESTED_BUGS if bug.number == os.environ["PLANTED_BUG"])
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the tests that fail by what they assert."""
    report = yield
    error = None if call.when != "call" or call.excinfo is None else call.excinfo.value
    if isinstance(error, AssertionError | pytest.fail.Exception):
        _caught.append(item.nodeid)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so."""
    if _caught:
        terminalreporter.write_line(f"{os.environ['PLANTED_BUG']} was caught by {_caught[0]}")
