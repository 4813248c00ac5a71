"""Who may import whom."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.architecture.conftest import Source

PACKAGE = "quant_trading_system"

MODULE_OF = {
    "PyYAML": "yaml",
    "cvxpy-base": "cvxpy",
    "prometheus-client": "prometheus_client",
    "scikit-learn": "sklearn",
}
"""Libraries whose module has another name than the library."""

HEAVY = {
    "aiohttp", "apprise", "cvxpy", "exchange_calendars", "fastapi", "nicegui", "numba", "numpy", "optuna", "pandas",
    "playwright", "plotly", "polars", "prometheus_client", "pyarrow", "ray", "scipy", "skfolio", "sklearn", "starlette",
    "structlog", "uvicorn", "yaml",
}  # fmt: skip


TERMINAL = {"click", "rich", "typer"}
"""What the command line is made of."""


def test_every_directory_of_the_package_is_a_layer(sources: tuple[Source, ...], layers: list[str]) -> None:
    assert sorted(layers) == sorted({source.layer for source in sources} - {""})


def test_imports_point_downwards(sources: tuple[Source, ...], layers: list[str]) -> None:
    """Also inside functions and for type checkers only."""
    upward = [
        f"{source.at(line)} imports {name}"
        for source in sources
        for name, line in source.imports
        if source.layer and name.startswith(f"{PACKAGE}.") and name.split(".")[1] in layers
        if layers.index(name.split(".")[1]) > layers.index(source.layer)
    ]
    assert [] == upward


def test_core_needs_nothing_but_the_standard_library_and_msgspec(sources: tuple[Source, ...]) -> None:
    allowed = {*sys.stdlib_module_names, "msgspec", PACKAGE}
    strangers = [
        f"{source.at(line)} imports {name}"
        for source in sources
        for name, line in source.imports
        if source.layer == "core" and name.split(".")[0] not in allowed
    ]
    assert [] == strangers


def test_declared_libraries_are_the_imported_ones(sources: tuple[Source, ...], project: dict[str, Any]) -> None:
    """Nothing is installed for nobody, and nothing works only because something else happened to install it."""
    declared = [*project["project"]["dependencies"]]
    for extra, libraries in project["project"]["optional-dependencies"].items():
        declared += libraries if extra != "dev" else []
    names = [re.split(r"[^\w-]", library)[0] for library in declared]
    imported = {name.split(".")[0] for source in sources for name, _ in source.imports}
    assert sorted(MODULE_OF.get(name, name) for name in names) == sorted(imported - {PACKAGE, *sys.stdlib_module_names})


@pytest.mark.parametrize("module", ["", ".risk.limits", ".risk.pre_trade"])
def test_the_gate_opens_at_once(root: Path, module: str) -> None:
    """Kill switch, gate and order road load no heavy library, so that a script that must stop trading starts now."""
    assert [] == sorted((HEAVY | TERMINAL) & loaded_by(root, f"import {PACKAGE}{module}"))


def test_the_command_line_opens_at_once(root: Path) -> None:
    """`qts --help`, and every command until it begins its work, loads what draws on a terminal and nothing else."""
    program = f"from {PACKAGE}.cli.main import app; app(['--help'], standalone_mode=False)"
    assert [] == sorted(HEAVY & loaded_by(root, program))


def test_a_command_to_a_running_engine_loads_no_engine(root: Path) -> None:
    """`qts cancel --all` must not be late because it loads, for nothing, what the other side consists of."""
    loaded = loaded_by(root, f"import {PACKAGE}.cli.main, {PACKAGE}.app.door, {PACKAGE}.app.account_files")
    engine = tuple(f"{PACKAGE}.{layer}." for layer in ("execution", "risk", "simulation", "trading"))
    assert [] == sorted(name for name in loaded if name == "numpy" or name.startswith(engine))


def test_a_venue_reads_files_of_prices_only_when_it_is_given_one(root: Path) -> None:
    """Its start is waited for by whoever tries an order."""
    assert "polars" not in loaded_by(root, f"import {PACKAGE}.simulation.alpaca_server.assembly")


def loaded_by(root: Path, program: str) -> set[str]:
    """The modules that a program has loaded at its end."""
    told = f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    answer = subprocess.run([sys.executable, "-c", told], cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stderr))
