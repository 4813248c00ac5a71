"""The examples of the documentation: found in a page, run in order, and compared with what the page shows.

A page is one sitting: its blocks share a directory, a namespace and a state directory. What a block is, its
first line says:

    ```python                       is run
    ```python title="dip.py"        is written to that file; so is any other language with a title
    ```text title="prints"          shows what the Python block before it prints
    ```console                      `$ qts …` is run in this process; the other lines are what it prints

A line that holds nothing but … stands for any lines. Times of the wall clock and digests may differ.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

PROMPT = "$ "
GAP = "…"
COLUMNS = "100"
"""Width of the help texts."""

_FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_PASSING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(\+00:00|Z)|\b[0-9a-f]{64}\b")


class Block(NamedTuple):
    """A fenced block; `line` is that of its first line of text, `start` and `end` are places in the page."""

    language: str
    title: str
    text: str
    line: int
    start: int
    end: int

    @property
    def prints(self) -> bool:
        """It shows what the block before it prints."""
        return self.language == "text" and self.title == "prints"


class Shown(NamedTuple):
    """A block that shows output, beside what really came out."""

    block: Block
    actual: str

    @property
    def is_true(self) -> bool:
        """The page shows what came out."""
        return agrees(self.block.text, self.actual)


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    found = []
    for match in _FENCE.finditer(page):
        language, _, rest = match["info"].partition(" ")
        title = _TITLE.search(rest)
        line = page.count("\n", 0, match.start("text")) + 1
        found.append(
            Block(language, title[1] if title else "", match["text"], line, match.start("text"), match.end("text"))
        )
    return found


def run_page(path: Path, directory: Path) -> list[Shown]:
    """Run all examples of a page in `directory`, which is empty; what each of them printed."""
    sitting = _Sitting(path.name)
    shown: list[Shown] = []
    with _at_home(directory):
        for block in blocks_of(path.read_text(encoding="utf-8")):
            if block.prints:
                shown.append(Shown(block, sitting.printed))
            elif block.title:
                _write(Path(block.title), block.text)
            elif block.language == "python":
                sitting.run_python(block)
            elif block.language == "console":
                shown.append(Shown(block, sitting.run_console(block)))
    return shown


def agrees(expected: str, actual: str) -> bool:
    """True when the texts are the same but for gaps, blanks at the ends of lines, times and digests."""
    pieces = re.split(rf"^{GAP}\n", _settled(expected), flags=re.MULTILINE)
    pattern = r"(?:.*\n)*?".join(re.escape(piece) for piece in pieces)
    return re.fullmatch(pattern, _settled(actual)) is not None


def _settled(text: str) -> str:
    lines = _PASSING.sub("(passing)", text).rstrip().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


class _Sitting:
    """What the blocks of one page share."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        self._exit_code = 0
        self.printed = ""

    def run_python(self, block: Block) -> None:
        """Execute a block; errors name the page and the line."""
        code = compile("\n" * (block.line - 1) + block.text, self._page, "exec", dont_inherit=True)
        with _captured() as output:
            exec(code, self._namespace)  # noqa: S102 - the examples of our own pages are run on purpose
        self.printed = output.getvalue()

    def run_console(self, block: Block) -> str:
        """The block as a terminal would show it: every command followed by what it printed."""
        shown = []
        for line in block.text.splitlines():
            if line.startswith(PROMPT):
                shown += [line, *self._run(line.removeprefix(PROMPT)).rstrip().splitlines()]
        return "".join(f"{line.rstrip()}\n" for line in shown)

    def _run(self, command: str) -> str:
        if command == "echo $?":
            return str(self._exit_code)
        program, *arguments = shlex.split(command)
        assert program == "qts", f"{self._page}: only qts is run in console blocks, not {program}"
        with _captured() as output:
            self._exit_code = run_qts(arguments)
        return output.getvalue()


def run_qts(arguments: list[str]) -> int:
    """Run `qts` in this process, as its script does; the exit code."""
    from quant_trading_system.cli import main, screen

    screen.screen.cache_clear()  # it may have been made for a terminal
    script = mock.patch.object(sys.modules["__main__"], "__package__", None)  # else the help would name its program
    with script, mock.patch.object(sys, "argv", ["qts", *arguments]):
        try:
            main.run()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def help_text(*command: str) -> str:
    """What `qts COMMAND --help` prints, 100 columns wide."""
    with mock.patch.dict(os.environ, {"COLUMNS": COLUMNS, "NO_COLOR": "1"}), _captured() as output:
        run_qts([*command, "--help"])
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().strip("\n").splitlines())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)  # limits that others can change are refused, whatever the umask


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        yield output


@contextmanager
def _at_home(directory: Path) -> Iterator[None]:
    """Work in `directory`, with a state of one's own and no key in the environment."""
    work, state = directory / "work", directory / "state"
    work.mkdir()
    kept = {name: value for name, value in os.environ.items() if name != "QTS_JOURNAL_KEY"}
    own = {"QTS_STATE_DIR": str(state), "COLUMNS": COLUMNS, "NO_COLOR": "1"}
    with mock.patch.dict(os.environ, kept | own, clear=True), chdir(work):
        yield
