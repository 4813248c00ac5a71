"""What only one place may do: read the time, approve an order, send it, speak to the terminal."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.architecture.conftest import Source


class Door(NamedTuple):
    """Names that may be used in some modules only.

    Attributes:
        names: a regular expression for the whole of a full name.
        keepers: where they may be used, by path or directory, each with the reason.
    """

    what: str
    names: str
    keepers: dict[str, str]


DOORS = (
    Door(
        "reads the time of the machine",
        r"time\.(time|monotonic|perf_counter|process_time|thread_time)(_ns)?"
        r"|time\.(gmtime|localtime|ctime|strftime)"
        r"|datetime\.(datetime|date)\.(now|utcnow|today)"
        r"|pandas\.Timestamp\.(now|utcnow|today)",
        {"core/clock.py": "the one clock"},
    ),
    Door(
        "waits on the time of the machine",
        r"time\.sleep|asyncio\.(wait_for|timeout|timeout_at)",
        {"execution/deadlines.py": "a network is silent in real time; the limits of HTTP were aiohttp's own before"},
    ),
    Door(
        "draws random numbers without a seed",
        r"random\.(?!Random$)\w+|numpy\.random\.(?!(Generator|PCG64|SeedSequence)$)\w+"
        r"|uuid\.uuid[14]|os\.(urandom|getrandom)|secrets\..+",
        {
            "journal/keys.py": "the secret of the chain must be unpredictable; seeded runs hand in their own",
            "app/venue_process.py": "nobody else on this machine may move the time of our venue",
            "app/tokens.py": "a token or session that could be guessed would open the control API",
        },
    ),
    Door("depends on the hash seed of the process", r"hash", {}),
    Door("prints", r"print|sys\.(stdout|stderr)(\..+)?", {"cli/": "the command line speaks to people"}),
    Door(
        "reads YAML numbers as floats; only yaml.BaseLoader leaves them as text",
        r"yaml\.(safe_|full_|unsafe_)?load(_all)?|yaml\.C?(Safe|Full|Unsafe)?Loader",
        {},
    ),
    Door(
        "runs or unpacks code that came as data",
        r"(builtins\.)?(eval|exec|compile|__import__)|(pickle|marshal|shelve|dill|cloudpickle|joblib)\..+",
        {},
    ),
)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.what)
def test_only_the_keeper_of_a_door_uses_it(door: Door, sources: tuple[Source, ...]) -> None:
    trespassers = [
        f"{source.at(line)} uses {name}: {door.what}"
        for source in sources
        for name, line in source.references
        if re.fullmatch(door.names, name) and not source.path.startswith(tuple(door.keepers))
    ]
    assert [] == trespassers


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.what)
def test_every_keeper_still_uses_its_door(door: Door, sources: tuple[Source, ...]) -> None:
    """An exception that nobody needs any more is taken back."""
    idle = [
        keeper
        for keeper in door.keepers
        if not any(
            re.fullmatch(door.names, name)
            for source in sources
            if source.path.startswith(keeper)
            for name, _ in source.references
        )
    ]
    assert [] == idle


def test_every_generator_of_random_numbers_has_a_seed(sources: tuple[Source, ...]) -> None:
    """Without an argument they would ask the machine for one."""
    unseeded = [
        source.at(line)
        for source in sources
        for (name, line), call in source.calls
        if name in {"random.Random", "numpy.random.PCG64", "numpy.random.SeedSequence"}
        if not call.args and not call.keywords
    ]
    assert [] == unseeded


def test_nobody_sleeps_but_on_a_clock(sources: tuple[Source, ...]) -> None:
    """`asyncio.sleep(0)` only lets others have their turn and is free for all."""
    sleepers = [
        source.at(line)
        for source in sources
        for (name, line), call in source.calls
        if name == "asyncio.sleep" and source.path != "core/clock.py" and ast.unparse(call) != "asyncio.sleep(0)"
    ]
    assert [] == sleepers


def test_only_the_gate_approves_orders(sources: tuple[Source, ...]) -> None:
    """Neither by calling the class, nor by handing it to something that builds objects, nor by a subclass."""
    harmless = {"isinstance", "typing.cast"}
    forgers = []
    for source in sources:
        if source.path == "risk/pre_trade.py":
            continue
        for (name, line), call in source.calls:
            handed_over = [*call.args, *(keyword.value for keyword in call.keywords)]
            if _is_approval(source, call.func) or (
                name not in harmless and any(_is_approval(source, argument) for argument in handed_over)
            ):
                forgers.append(source.at(line))
        forgers += [
            source.at(node.lineno) for node in source.classes for base in node.bases if _is_approval(source, base)
        ]
    assert [] == forgers


def _is_approval(source: Source, node: ast.expr) -> bool:
    return source.full_name(node).endswith((".Approval", ".ApprovedOrder", ".ApprovedReplacement"))


def test_only_the_order_manager_sends_orders(sources: tuple[Source, ...]) -> None:
    """`Broker.place` is mentioned nowhere else; brokers define it."""
    senders = [
        source.at(node.lineno)
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr == "place" and source.path != "execution/order_manager.py"
    ]
    assert [] == senders


BROKERS = {"execution/broker.py", "execution/alpaca_broker.py", "execution/no_broker.py"}


def test_brokers_and_venues_define_place_and_nobody_else(sources: tuple[Source, ...]) -> None:
    strangers = [
        source.at(function.lineno)
        for source in sources
        for function in source.functions
        if function.name == "place" and source.path not in BROKERS and source.layer != "simulation"
    ]
    assert [] == strangers


def test_no_error_disappears(sources: tuple[Source, ...]) -> None:
    """Whoever catches everything raises, calls somebody or passes on what was caught."""
    silent = [
        source.at(handler.lineno)
        for source in sources
        for handler in source.nodes
        if isinstance(handler, ast.ExceptHandler) and (handler.type is None or _catches_all(source, handler.type))
        if handler.type is None or not _does_something(handler)
    ]
    assert [] == silent


def _catches_all(source: Source, caught: ast.expr) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(source.full_name(kind).removeprefix("builtins.") in {"Exception", "BaseException"} for kind in kinds)


def _does_something(handler: ast.ExceptHandler) -> bool:
    inside = [node for statement in handler.body for node in ast.walk(statement)]
    return any(
        isinstance(node, ast.Raise | ast.Call) or (isinstance(node, ast.Name) and node.id == handler.name)
        for node in inside
    )
