"""Who may import whom."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    "aiohttp", "click", "cvxpy", "exchange_calendars", "numpy", "pandas", "plotly", "polars", "pyarrow",
    "rich", "scipy", "skfolio", "sklearn", "structlog", "typer",
}  # fmt: skip


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


def test_the_door_to_the_limits_opens_at_once(root: Path) -> None:
    """Importing the kill switch loads no heavy library, so that a script that wants to stop trading starts at once."""
    program = f"import json, sys, {PACKAGE}.risk.limits; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert [] == sorted(HEAVY & set(json.loads(answer.stdout)))
