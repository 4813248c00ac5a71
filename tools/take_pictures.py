"""Takes the pictures of the documentation: the live view of the demo, and the report that it writes.

python tools/take_pictures.py      needs tmux and chromium

The demo runs in a real terminal of 120 columns and 45 lines, and what stands on it is turned into SVG as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 120, 45
MOMENT = "2022-09-1"
"""The picture is taken when the view shows this day, whose last digit may be any."""
PATIENCE_S = 120
REPORT_SIZE = "1080,1140"

_TERMINAL = ["tmux", "-L", "qts-pictures"]
_SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own form without the fonts that it would fetch from the internet."""


def main() -> int:
    missing = [program for program in ("tmux", "chromium") if shutil.which(program) is None]
    if missing:
        print(f"{' and '.join(missing)} must be installed to take pictures", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as directory:
        run = Path(directory, "demo")
        draw(terminal_of_demo(run), IMAGES / "demo.svg")
        photograph(run / "report.html", IMAGES / "report.png")
    for picture in sorted(IMAGES.iterdir()):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")
    return 0


def terminal_of_demo(run: Path) -> str:
    """What stands on the terminal at `MOMENT`, with its colours, once the demo has ended and written its report."""
    command = f"{Path(sys.executable).with_name('qts')} demo --pace 25 --out {run}"
    _tmux("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), command)
    seen, until = "", time.monotonic() + PATIENCE_S
    while time.monotonic() < until and _is_running():
        now = _tmux("capture-pane", "-e", "-p")
        seen = seen if MOMENT in seen or not now.strip() else now
        time.sleep(0.1)
    if MOMENT not in seen:
        raise SystemExit(f"the demo was not seen at {MOMENT}")
    return seen


def draw(terminal: str, path: Path) -> None:
    """The text of a terminal as SVG."""
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(Text.from_ansi(terminal.rstrip("\n")), no_wrap=True, crop=True)
    console.save_svg(str(path), title="qts demo", code_format=_SVG, unique_id="demo")


def photograph(page: Path, path: Path, size: str = REPORT_SIZE) -> None:
    """The top of a page as a browser shows it."""
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    picture = [f"--window-size={size}", f"--screenshot={path}", page.as_uri()]
    subprocess.run([*browser, *picture], check=True, capture_output=True, timeout=60)


def _is_running() -> bool:
    return subprocess.run([*_TERMINAL, "has-session"], capture_output=True, check=False).returncode == 0


def _tmux(*arguments: str) -> str:
    done = subprocess.run([*_TERMINAL, *arguments], capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
