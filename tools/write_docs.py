"""Writes anew what the documentation takes from the code: tables, help texts and the output of the examples.

python tools/write_docs.py                     all pages
python tools/write_docs.py README.md docs/cli.md   some of them

An example with gaps (a line with nothing but …) is not rewritten; when it is no longer true it is reported, and
the exit code is 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.docs_blocks import GAP, Shown, run_page  # noqa: E402 - found once the line above has run
from tools.docs_tables import filled_in  # noqa: E402


def pages() -> list[Path]:
    """Everything that users read, the README first."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main(wanted: list[str]) -> int:
    stale = [report for path in pages() if not wanted or path in map(_absolute, wanted) for report in write(path)]
    for report in stale:
        print(report, file=sys.stderr)
    return 1 if stale else 0


def write(path: Path) -> list[str]:
    """Bring one page up to date; the examples that a person has to look at."""
    before = path.read_text(encoding="utf-8")
    path.write_text(filled_in(before), encoding="utf-8")
    with TemporaryDirectory() as directory:
        shown = run_page(path, Path(directory))
    page = path.read_text(encoding="utf-8")
    stale = []
    for output in reversed([item for item in shown if not item.is_true]):
        block = output.block
        if GAP in block.text.splitlines():
            stale.append(f"{path.name}:{block.line}: this is no longer what comes out:\n{output.actual}")
        else:
            page = page[: block.start] + _ending(output) + page[block.end :]
    path.write_text(page, encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {'changed' if page != before else 'unchanged'}")
    return stale


def _ending(output: Shown) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.actual.rstrip().splitlines())


def _absolute(name: str) -> Path:
    return Path(name).resolve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
