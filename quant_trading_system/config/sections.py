"""From the tree of a limits file to the values of its keys, with everything that is wrong noted on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import NamedTuple

from quant_trading_system.config.limit_key import LimitKey, Value
from quant_trading_system.config.risk_keys import CONTRADICTIONS, KEYS, REQUIRED_SECTION, SECTIONS, Contradiction
from quant_trading_system.config.scalars import BadValue, quoted

KEY_BY_NAME: Mapping[str, LimitKey] = {key.name: key for key in KEYS}
"""Names are unique across sections."""

_MAX_NAME = 40


class Scalar(NamedTuple):
    """A piece of text in the file."""

    line: int
    text: str


class List(NamedTuple):
    """A sequence; an item that was refused already is None."""

    line: int
    items: list[Node | None]


class Map(NamedTuple):
    """Names and contents in the order of the file, repeated names included."""

    line: int
    entries: list[tuple[Scalar, Node | None]]


Node = Scalar | List | Map


class Given(NamedTuple):
    """The value of a key and the line that gives it; line 0 stands for the shipped file."""

    value: Value | tuple[Value, ...]
    line: int


class Problems:
    """What is wrong with a file."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._notes)

    def note(self, line: int, text: str) -> None:
        """Remember one problem; line 0 stands for the file as a whole."""
        self._notes.append((line, text))

    def refusal_of(self, source: str) -> str:
        """The message that refuses `source`: one problem a line, in the order of the file."""
        notes = [f"line {line}: {text}" if line else text for line, text in sorted(self._notes)]
        if len(notes) == 1:
            return f"{source} is refused: {notes[0]}"
        return "\n  ".join([f"{source} is refused for {len(notes)} problems:", *notes])


def read_sections(root: Map, problems: Problems) -> dict[str, Given]:
    """The values of all keys that can be read; a section is complete or its lack is noted."""
    given: dict[str, Given] = {}
    missing = True
    for name, node in _once_each(root, "the file", problems):
        meant = name.text if name.text in SECTIONS else _nearest(name.text, [*SECTIONS, *KEY_BY_NAME])
        missing = missing and meant != REQUIRED_SECTION  # a misspelt name is one problem, not two
        if name.text not in SECTIONS:
            problems.note(name.line, _no_section(name.text, meant))
        elif isinstance(node, Map):
            given |= _read_keys(name, node, problems)
        elif node is not None:
            problems.note(name.line, f"{name.text} must hold keys and values: {_names(name.text)}")
    if missing:
        problems.note(0, f"the section {REQUIRED_SECTION} is missing; it holds {_names(REQUIRED_SECTION)}")
    return given


def note_contradictions(given: Mapping[str, Given], problems: Problems) -> None:
    """Note every pair of values that cannot both be meant."""
    for lower, upper, because in contradictions({name: item.value for name, item in given.items()}):
        low, high = given[lower], given[upper]
        told = f"{_told(lower, low)} is above {_told(upper, high)}: {because}"
        problems.note(max(low.line, high.line), told)
    soft = given.get("soft_limits", Given((), 0))
    assert isinstance(soft.value, tuple), "a list"
    for entry in map(str, soft.value):
        name, _, value = entry.partition(" ")
        hard = given.get(name)
        if hard is not None and hard.value is not None and Decimal(value) > _number(hard.value):
            problems.note(soft.line, f"soft.soft_limits: {entry} is above {_told(name, hard)}; nobody would be asked")


def contradictions(values: Mapping[str, Value | tuple[Value, ...]]) -> Iterator[Contradiction]:
    """Every pair among `values`, by the name of their keys, that cannot both be meant."""
    for pair in CONTRADICTIONS:
        known = pair.lower in values and pair.upper in values
        if known and _number(values[pair.lower]) > _number(values[pair.upper]):
            yield pair


def _number(value: Value | tuple[Value, ...]) -> Decimal:
    assert isinstance(value, Decimal | int), "only numbers contradict each other"
    return Decimal(value)


def _told(name: str, given: Given) -> str:
    return f"{KEY_BY_NAME[name].path} ({given.value}{'' if given.line else ' as shipped'})"


def _once_each(node: Map, where: str, problems: Problems) -> Iterator[tuple[Scalar, Node | None]]:
    first: dict[str, int] = {}
    for name, content in node.entries:
        if name.text in first:
            problems.note(name.line, f"{_shown(name.text)} stands twice in {where}, first on line {first[name.text]}")
            continue
        first[name.text] = name.line
        yield name, content


def _no_section(name: str, meant: str) -> str:
    if name in KEY_BY_NAME:
        return f"{name} is no section; write it under {KEY_BY_NAME[name].section}:"
    if not meant:
        return f"{_shown(name)} is no section; the sections are {', '.join(SECTIONS)}"
    place = f" under {KEY_BY_NAME[meant].section}:" if meant in KEY_BY_NAME else ""
    return f"{_shown(name)} is no section; did you mean {meant}{place}?"


def _read_keys(title: Scalar, node: Map, problems: Problems) -> dict[str, Given]:
    section = title.text
    given: dict[str, Given] = {}
    keys = {key.name: key for key in SECTIONS[section]}
    missing = keys.keys() - {name.text for name, _ in node.entries}
    for name, content in _once_each(node, section, problems):
        if name.text not in keys:
            meant = "" if name.text in KEY_BY_NAME else _nearest(name.text, missing)
            missing -= {meant}  # a misspelt name is one problem, not two
            problems.note(name.line, _no_key(name.text, section, meant))
        elif content is not None:
            _read_value(keys[name.text], name.line, content, given, problems)
    for name_missing in missing:
        problems.note(title.line, f"{name_missing} is missing in {section}, which must be complete")
    return given


def _nearest(name: str, candidates: Iterable[str]) -> str:
    return next(iter(get_close_matches(name[:_MAX_NAME].lower(), sorted(candidates), n=1)), "")


def _no_key(name: str, section: str, meant: str) -> str:
    if key := KEY_BY_NAME.get(name):
        return f"{name} is no key of {section}; write it under {key.section}:"
    if meant:
        return f"{_shown(name)} is no key of {section}; did you mean {meant}?"
    return f"{_shown(name)} is no key of {section}; its keys are {_names(section)}"


def _read_value(key: LimitKey, line: int, content: Node, given: dict[str, Given], problems: Problems) -> None:
    try:
        value = _list_of(key, content) if key.is_list else key.value_of(_text_of(content))
    except BadValue as error:
        problems.note(line, f"{key.path} {error}")
    else:
        given[key.name] = Given(value, line)


def _text_of(content: Node | None) -> str:
    if not isinstance(content, Scalar):
        raise BadValue("holds a list or a group of keys, but must be a single value")
    return content.text


def _list_of(key: LimitKey, content: Node) -> tuple[Value, ...]:
    if not isinstance(content, List):
        raise BadValue("must be a list, such as [] or [Ana, Ben]")
    texts = [_text_of(item) for item in content.items]
    return key.values_of(texts)


def _names(section: str) -> str:
    return ", ".join(key.name for key in SECTIONS[section])


def _shown(name: str) -> str:
    return name if name.isidentifier() and len(name) <= _MAX_NAME else quoted(name)
