"""Files and functions fit in the head, and what is public says what it does."""

from __future__ import annotations

import ast
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.architecture.conftest import FunctionNode, Source

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_FUNCTION_LINES_P95 = 38
"""These bounds may fall, never rise."""


def lines_of_code(function: FunctionNode) -> int:
    """Lines from `def` to the end without the docstring, for documentation must not be saved on."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_files_stay_short(sources: tuple[Source, ...]) -> None:
    lengths = {source.path: source.text.count("\n") for source in sources}
    assert {} == {path: length for path, length in lengths.items() if length > MAX_FILE_LINES}


def test_functions_fit_on_a_screen(sources: tuple[Source, ...]) -> None:
    too_long = [
        f"{source.at(function.lineno)} {function.name} has {lines_of_code(function)} lines"
        for source in sources
        for function in source.functions
        if lines_of_code(function) > MAX_FUNCTION_LINES
    ]
    assert [] == too_long


def test_long_functions_stay_rare(sources: tuple[Source, ...]) -> None:
    lengths = sorted(lines_of_code(function) for source in sources for function in source.functions)
    assert lengths[ceil(0.95 * len(lengths)) - 1] <= MAX_FUNCTION_LINES_P95


def test_every_module_says_what_it_is_for(sources: tuple[Source, ...]) -> None:
    assert [] == [source.path for source in sources if not ast.get_docstring(source.tree)]


def test_every_public_method_is_documented_or_keeps_a_documented_promise(sources: tuple[Source, ...]) -> None:
    """A method needs no docstring of its own where a `Protocol` or an abstract class of the package has one for it."""
    promised = {
        method.name
        for source in sources
        for cls in source.classes
        if any(_makes_promises(source, base) for base in cls.bases)
        for method in _public_methods(cls)
        if ast.get_docstring(method)
    }
    silent = [
        f"{source.at(method.lineno)} {cls.name}.{method.name}"
        for source in sources
        for cls in source.classes
        if not cls.name.startswith("_")
        for method in _public_methods(cls)
        if not ast.get_docstring(method) and method.name not in promised
    ]
    assert [] == silent


def _public_methods(cls: ast.ClassDef) -> list[FunctionNode]:
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [method for method in methods if not method.name.startswith("_") and not _is_setter(method)]


def _is_setter(method: FunctionNode) -> bool:
    """What a property means stands with the part that reads it."""
    return any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in method.decorator_list)


def _makes_promises(source: Source, base: ast.expr) -> bool:
    plain = base.value if isinstance(base, ast.Subscript) else base  # Protocol[T]
    return source.full_name(plain) in {"typing.Protocol", "abc.ABC"}
