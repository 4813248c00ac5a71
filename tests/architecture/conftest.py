"""The source of the package, parsed once, for the tests that look at its shape."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "quant_trading_system"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Reference(NamedTuple):
    """A dotted name in full, whatever it was imported as: `datetime.datetime.now`."""

    name: str
    line: int


class Source:
    """One module of the package.

    Attributes:
        path: relative to the package, such as ``risk/limits.py``.
        module: dotted, such as ``quant_trading_system.risk.limits``.
    """

    def __init__(self, file: Path, package: Path) -> None:
        """Read and parse `file`, a module somewhere under the directory `package`."""
        self.path = file.relative_to(package).as_posix()
        self.is_package = file.name == "__init__.py"
        dotted = [PACKAGE, *file.relative_to(package).with_suffix("").parts]
        self.module = ".".join(dotted[:-1] if self.is_package else dotted)
        self.text = file.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, filename=self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the syntax tree."""
        return tuple(ast.walk(self.tree))

    @property
    def layer(self) -> str:
        """The directory under the package; empty for the package's own `__init__.py`."""
        return self.path.split("/")[0] if "/" in self.path else ""

    @cached_property
    def imports(self) -> tuple[Reference, ...]:
        """Every module or name that is imported, wherever in the file, in full."""
        return tuple(Reference(name, line) for _, name, line in self._imported())

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every name and dotted name that is used, in full."""
        found = (node for node in self.nodes if isinstance(node, ast.Name | ast.Attribute))
        return tuple(Reference(self.full_name(node), node.lineno) for node in found)

    @cached_property
    def calls(self) -> tuple[tuple[Reference, ast.Call], ...]:
        """Every call, with the full name of what is called."""
        found = (node for node in self.nodes if isinstance(node, ast.Call))
        return tuple((Reference(self.full_name(node.func), node.lineno), node) for node in found)

    def full_name(self, node: ast.expr) -> str:
        """The dotted name of `node` with imports resolved; attributes of what was not imported are ``?.place``."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        name = node.id if isinstance(node, ast.Name) else "?"
        first = self._home.get(name, "?" if attributes else name)
        return ".".join([first, *reversed(attributes)])

    @cached_property
    def _home(self) -> dict[str, str]:
        return {alias: name for alias, name, _ in self._imported()}

    @cached_property
    def functions(self) -> tuple[FunctionNode, ...]:
        """Every function and method, inner ones included."""
        return tuple(node for node in self.nodes if isinstance(node, FunctionNode))

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        """Every class."""
        return tuple(node for node in self.nodes if isinstance(node, ast.ClassDef))

    def at(self, line: int) -> str:
        """A place that an editor can open."""
        return f"{PACKAGE}/{self.path}:{line}"

    def _imported(self) -> Iterator[tuple[str, str, int]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    known_as = alias.asname or alias.name.split(".")[0]
                    yield known_as, alias.name if alias.asname else known_as, node.lineno
                    if not alias.asname and "." in alias.name:
                        yield alias.name, alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    yield alias.asname or alias.name, f"{base}.{alias.name}", node.lineno

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parents = self.module.split(".")
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*parents[: len(parents) - up], *filter(None, [node.module])])


@pytest.fixture(scope="session")
def sources() -> tuple[Source, ...]:
    """Every module of the package, in order of path."""
    package = ROOT / PACKAGE
    return tuple(Source(file, package) for file in sorted(package.rglob("*.py")))


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """The contents of `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def layers(project: dict[str, Any]) -> list[str]:
    """The layers of the package from the lowest to the highest; the list itself stands in `pyproject.toml`."""
    contract = next(c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return list(reversed(contract["layers"]))


@pytest.fixture(scope="session")
def root() -> Path:
    """The directory of the project."""
    return ROOT
