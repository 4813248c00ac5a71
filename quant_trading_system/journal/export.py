"""The journal in formats that other programs read: JSON lines and Parquet."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.private_files import PRIVATE
from quant_trading_system.journal.store import JournalSource

_CHUNK = 20_000
_ENCODER = msgspec.json.Encoder()


class _Line(msgspec.Struct):
    seq: int
    at: datetime
    kind: str
    cause: int | None
    config: str
    digest: str
    event: msgspec.Raw


def export(source: JournalSource, path: str | Path, *, force: bool = False) -> int:
    """Write every entry to `path`, a ``.jsonl`` or ``.parquet`` file of mode 600, and return their number.

    JSON lines carry seq, at, kind, cause, config, digest (hex) and the event as an object. Parquet has the
    columns seq, at, kind, cause, config, subject, body (JSON text) and digest (hex). The file appears when
    it is complete; memory stays bounded.

    Args:
        force: replace a file that exists.

    Raises:
        JournalError: the format is unknown, the file exists, or it cannot be written.
        JournalDamaged: an entry is not what was appended; no file is written.
    """
    path = Path(path)
    write = {".jsonl": _write_lines, ".parquet": _write_parquet}.get(path.suffix)
    if write is None:
        raise JournalError(f"{path}: the name must end in .jsonl or .parquet")
    if path.exists() and not force:
        raise _exists_already(path)
    if not path.parent.is_dir():
        raise JournalError(f"{path} cannot be written: there is no directory {path.parent}; make it first")
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as work:
            complete = Path(work) / path.name
            count = write(source, complete)
            complete.chmod(PRIVATE)
            _move(complete, path, force)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror or error}") from error
    return count


def _move(complete: Path, path: Path, force: bool) -> None:
    if force:
        complete.replace(path)
        return
    try:
        os.link(complete, path)  # unlike a rename, never replaces what has appeared in the meantime
    except FileExistsError:
        raise _exists_already(path) from None


def _exists_already(path: Path) -> JournalError:
    return JournalError(f"{path} exists already; choose another name, or replace it with --force (force=True)")


def _write_lines(source: JournalSource, path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for entry in source.entries():
            line = _Line(
                seq=entry.seq,
                at=entry.at,
                kind=entry.kind,
                cause=entry.cause,
                config=entry.config,
                digest=entry.digest.hex(),
                event=msgspec.Raw(entry.body),
            )
            file.write(_ENCODER.encode(line) + b"\n")
            count += 1
    return count


def _write_parquet(source: JournalSource, path: Path) -> int:
    """Write parts of bounded size, then let polars stream them into one file."""
    import polars as pl

    schema: dict[str, Any] = {
        "seq": pl.Int64,
        "at": pl.Datetime("us", "UTC"),
        "kind": pl.String,
        "cause": pl.Int64,
        "config": pl.String,
        "subject": pl.String,
        "body": pl.String,
        "digest": pl.String,
    }
    count, entries = 0, source.entries()
    parts: list[Path] = []
    while True:
        rows = [_columns(entry) for entry in islice(entries, _CHUNK)]
        if not rows and parts:
            break
        parts.append(path.with_name(f"part-{len(parts)}.parquet"))
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(parts[-1])
        count += len(rows)
    pl.scan_parquet(parts).sink_parquet(path)
    return count


def _columns(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.seq,
        entry.at,
        entry.kind,
        entry.cause,
        entry.config,
        entry.subject,
        entry.body.decode(),
        entry.digest.hex(),
    )
