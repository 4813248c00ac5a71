"""Which tests say that they provoke which fault, or prove which control: read from their marks, running nothing.

A mark on a test counts for the test, one on a class for each of its tests, and ``pytestmark`` for the whole module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MARK = "fault"


class Proof(NamedTuple):
    """A test that provokes a fault, or proves a control; `path` is relative to the repository, with slashes."""

    fault: str
    path: str
    test: str

    @property
    def node(self) -> str:
        """As pytest names it, without the values of its parameters."""
        return f"{self.path}::{self.test}"


def proofs_in(root: Path, mark: str = MARK) -> list[Proof]:
    """Every `mark` below `root`/tests, in the order of paths and lines."""
    found: list[Proof] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if f"mark.{mark}(" in text:
            name = path.relative_to(root).as_posix()
            found += [Proof(fault, name, test) for test, fault in _marked(ast.parse(text), mark)]
    return found


def _marked(module: ast.Module, mark: str) -> Iterator[tuple[str, str]]:
    whole = [fault for node in module.body if _assigns_pytestmark(node) for fault in _faults_below([node], mark)]
    for node in module.body:
        inherited = [*whole]
        tests: Iterable[ast.stmt] = [node]
        prefix = ""
        if isinstance(node, ast.ClassDef):
            inherited += _faults_below(node.decorator_list, mark)
            tests, prefix = node.body, f"{node.name}::"
        for test in tests:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
                for fault in dict.fromkeys([*inherited, *_faults_below(test.decorator_list, mark)]):
                    yield f"{prefix}{test.name}", fault


def _assigns_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)


def _faults_below(nodes: Iterable[ast.AST], mark: str) -> list[str]:
    """The names in every ``pytest.mark.<mark>(…)`` below these nodes."""
    calls = [inner for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    return [
        argument.value
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == mark
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
