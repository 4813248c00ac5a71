"""`risk_params.yaml` → `RiskLimits`: limits that can be relied on, or every problem of the file at once.

The bytes are read once and taken apart by a YAML parser that may not interpret anything: every scalar stays
text until the table in `risk_keys` reads it. A file that is not understood to the last key is refused as a
whole, and whatever was in force stays in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml

from quant_trading_system.config.risk_keys import KEYS, REQUIRED_SECTION, SECTIONS
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.config.scalars import OFF, BadValue, quoted
from quant_trading_system.config.sections import (
    KEY_BY_NAME,
    Given,
    List,
    Map,
    Node,
    Problems,
    Scalar,
    contradictions,
    note_contradictions,
    read_sections,
)
from quant_trading_system.config.trusted_file import read_trusted
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain

MAX_FILE_BYTES = 64 * 1024
"""A limits file has a few kilobytes; a much larger one is some other file."""

_SHIPPED = "risk_params.yaml"
_MAX_DEPTH = 3
_MAX_NODES = 1_000


def load_limits(path: str | Path) -> RiskLimits:
    """The limits that the file at `path` puts in force; sections that it leaves out are the shipped ones.

    Raises:
        ConfigurationError: the file cannot be trusted (see `read_trusted`), or has problems, all of them listed.
    """
    return parse_limits(read_trusted(Path(path), MAX_FILE_BYTES), str(path))


@cache
def default_limits() -> RiskLimits:
    """The limits that ship with the package."""
    return _limits(_shipped())


def parse_limits(data: bytes, source: str) -> RiskLimits:
    """The limits written in `data`; messages call the place `source`.

    Raises:
        ConfigurationError: lists every problem with its line.
    """
    problems = Problems()
    root = _root(data, problems)
    given = read_sections(root, problems) if root is not None else {}
    present = {name.text for name, _ in root.entries} if root is not None else set()
    shipped = {name: item for name, item in _shipped().items() if KEY_BY_NAME[name].section not in present}
    effective = {**shipped, **given}
    note_contradictions(effective, problems)
    if problems:
        raise ConfigurationError(problems.refusal_of(source))
    return _limits(effective)


def limits_as_text(limits: RiskLimits) -> dict[str, str]:
    """Every limit as canonical text by ``section.key``, for the journal and for people."""
    return dict(_texts(limits))


@lru_cache(maxsize=8)  # an account asks several times about the same limits, and each trial of a sweep again
def _texts(limits: RiskLimits) -> Mapping[str, str]:
    return {key.path: value_as_text(getattr(limits, key.name)) for key in KEYS}


def limits_as_file(limits: RiskLimits) -> str:
    """A limits file, complete and without comments, that says these."""
    sections: dict[str, list[str]] = {}
    for key in KEYS:
        text = value_as_text(getattr(limits, key.name))
        sections.setdefault(key.section, []).append(f"  {key.name}: {text}")
    return "".join(f"{section}:\n" + "\n".join(lines) + "\n" for section, lines in sections.items())


def limits_from_text(texts: Mapping[str, str], source: str, *, contradictory: bool = False) -> RiskLimits:
    """The limits that `limits_as_text` wrote; messages call them `source`.

    Args:
        contradictory: let pass what cannot both be meant; orders then find that the tighter of both stops them.

    Raises:
        ConfigurationError: a key is missing or unknown, a value is none, or two contradict each other.
    """
    problems = Problems()
    values: dict[str, Any] = {}
    for path in texts.keys() - {key.path for key in KEYS}:
        problems.note(0, f"{path} is no limit; `qts limits show` lists them")
    for key in KEYS:
        try:
            values[key.name] = key.value_of_text(texts[key.path])
        except KeyError:
            problems.note(0, f"{key.path} is missing")
        except BadValue as error:
            problems.note(0, f"{key.path} {error}")
    for lower, upper, because in () if contradictory else contradictions(values):
        told = (f"{KEY_BY_NAME[name].path} ({value_as_text(values[name])})" for name in (lower, upper))
        problems.note(0, f"{' is above '.join(told)}: {because}")
    if problems:
        raise ConfigurationError(problems.refusal_of(source))
    return _with_version(RiskLimits(**values))


def limits_version(limits: RiskLimits) -> str:
    """Twelve hexadecimal digits that change exactly when a limit changes: BLAKE2b over the canonical text.

    Order, comments and spelling of a file do not matter: ``0.1``, ``0.10`` and ``"0.10"`` are one value.
    """
    lines = sorted(f"{path}={text}" for path, text in limits_as_text(limits).items())
    return blake2b("\n".join(lines).encode(), digest_size=6).hexdigest()


def value_as_text(value: Any) -> str:
    """The one spelling of a limit's value."""
    if value is None:
        return OFF
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, HaltLevel):
        return value.name.lower()
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value) if isinstance(value, int | str) else plain(value)


def _limits(given: Mapping[str, Given]) -> RiskLimits:
    values: dict[str, Any] = {name: item.value for name, item in given.items()}
    return _with_version(RiskLimits(**values))


def _with_version(limits: RiskLimits) -> RiskLimits:
    return msgspec.structs.replace(limits, version=limits_version(limits))


@cache
def _shipped() -> Mapping[str, Given]:
    problems = Problems()
    root = _root(files(__package__).joinpath(_SHIPPED).read_bytes(), problems)
    given = read_sections(root, problems) if root is not None else {}
    for section in SECTIONS.keys() - {KEY_BY_NAME[name].section for name in given}:
        problems.note(0, f"the section {section} is missing")
    note_contradictions(given, problems)
    if problems:
        raise ConfigurationError(f"{problems.refusal_of(_SHIPPED)}; the installation is damaged, install it again")
    return {name: item._replace(line=0) for name, item in given.items()}


def _root(data: bytes, problems: Problems) -> Map | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.note(line, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8")
        return None
    root = _Tree(text, problems).root()
    if isinstance(root, Map):
        return root
    if root is None or root == Scalar(root.line, ""):
        if not problems:
            problems.note(0, "it is empty")
    else:
        problems.note(root.line, f"it must start with a section such as {REQUIRED_SECTION}:")
    return None


class _Refused(Exception):
    """Reading stops here; the problem is noted."""


class _Tree:
    """Turns the events of the YAML parser into nodes; nothing is resolved, looked up or built on the way."""

    def __init__(self, text: str, problems: Problems) -> None:
        self._text = text
        self._problems = problems
        self._nodes = 0
        self._events = yaml.parse(text, Loader=yaml.BaseLoader)

    def root(self) -> Node | None:
        """The content of the only document; None when there is none or when it was refused."""
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            self._problems.note(*_syntax(error, self._text))
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            self._problems.note(line, f"the character U+{error.character:04X} is not allowed")
        except _Refused:
            pass
        return None

    def _document(self) -> Node | None:
        root = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document starts here; a limits file has one")
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: Any, depth: int) -> Node | None:
        if isinstance(event, yaml.AliasEvent):
            self._note(event, f"{quoted(f'*{event.anchor}')} is a reference; write the value itself")
            return None
        if event.anchor is not None:
            self._note(event, f"{quoted(f'&{event.anchor}')} is an anchor; write every value where it belongs")
        if event.tag is not None:
            self._note(event, f"{quoted(event.tag.replace(_YAML_TAGS, '!!'))} is a tag; write the plain value")
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            self._stop(event, f"more than {_MAX_NODES} entries; this is no limits file")
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(line, event.value)
        if depth > _MAX_DEPTH:
            self._stop(event, "nothing in a limits file is nested this deeply")
        if isinstance(event, yaml.SequenceStartEvent):
            return List(line, self._items(depth + 1))
        return Map(line, self._entries(depth + 1))

    def _items(self, depth: int) -> list[Node | None]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth))
        return items

    def _entries(self, depth: int) -> list[tuple[Scalar, Node | None]]:
        entries = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._node(event, depth)
            content = self._node(next(self._events), depth)
            if isinstance(name, Scalar):
                entries.append((name, content))
            elif name is not None:
                self._note(event, "the name of a key must be a word")
        return entries

    def _note(self, event: Any, text: str) -> None:
        self._problems.note(event.start_mark.line + 1, text)

    def _stop(self, event: Any, text: str) -> None:
        self._note(event, text)
        raise _Refused


_YAML_TAGS = "tag:yaml.org,2002:"
_SYNTAX = {
    "expected <block end>": "the indentation does not fit the lines above",
    "mapping values are not allowed here": "a colon stands where none can; check the indentation of this line",
    "could not find expected ':'": "a colon is missing",
    "found unexpected end of stream": "a quotation mark is opened and never closed",
}


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    mark = error.problem_mark
    if mark is None:
        return 0, f"this is not YAML: {quoted(str(error))}"
    if text[mark.index : mark.index + 1] == "\t":
        return mark.line + 1, "a tab stands here; indent with spaces"
    problem = error.problem or ""
    for beginning, meaning in _SYNTAX.items():
        if problem.startswith(beginning):
            first = error.context_mark if mark.index >= len(text) and error.context_mark else mark
            return first.line + 1, meaning
    return mark.line + 1, f"this is not YAML: {quoted(problem)}"
