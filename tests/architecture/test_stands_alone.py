"""The repository means the same on every machine and needs nothing that only its authors have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DIRECTORIES = (".ci", "docs", "quant_trading_system", "tests", "tools")
TEXT = {
    "",
    ".cfg",
    ".css",
    ".csv",
    ".html",
    ".js",
    ".json",
    ".lock",
    ".md",
    ".py",
    ".sh",
    ".toml",
    ".typed",
    ".yaml",
    ".yml",
}

STRANGERS = {
    "a host of a package index": r"pypi\.(org|io)|python[h]osted\.org|--(extra-)?index-[u]rl|--find-[l]inks",
    "a directory of one machine": r"(?<![\w.~:/])/(home|root|work|opt|srv|mnt|Users)/",
    "a number in somebody's list of work": r"(?i)\bissue #?\d",
}


def files_of(root: Path) -> Iterator[Path]:
    """Everything that belongs to the repository and is text."""
    places = [path for path in root.iterdir() if path.is_file()]
    for directory in DIRECTORIES:
        places += [path for path in (root / directory).rglob("*") if path.is_file()]
    return (path for path in sorted(places) if path.suffix in TEXT and "__pycache__" not in path.parts)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_no_file_names(stranger: str, root: Path) -> None:
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path in files_of(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(STRANGERS[stranger], line)
    ]
    assert [] == found


WRITTEN_BY_COMMANDS = {"drill.md"}
"""No pages of the project: `qts drill` writes it as evidence."""


def test_every_document_that_is_mentioned_exists(root: Path) -> None:
    """Whoever is sent to a page finds it."""
    documents = WRITTEN_BY_COMMANDS | {path.name for path in files_of(root) if path.suffix == ".md"}
    missing = [
        f"{path.relative_to(root)}: {name}"
        for path in files_of(root)
        for name in re.findall(r"[\w-]+\.md\b", path.read_text(encoding="utf-8"))
        if name not in documents
    ]
    assert [] == missing


def test_every_library_is_locked_with_its_hashes(root: Path) -> None:
    """Each entry names one exact version and at least one file of it."""
    entries = re.split(r"\n(?=\S)", (root / "requirements.lock").read_text(encoding="utf-8"))
    libraries = [entry for entry in entries if not entry.startswith("#")]
    assert [] == [
        entry for entry in libraries if not re.match(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\\n    --hash=sha256:", entry)
    ]
    assert len(libraries) > 20
