"""Takes the pictures of the documentation: the live view of the demo, the report that it writes, and the console.

python tools/take_pictures.py      needs tmux and chromium

The demo runs in a real terminal of 120 columns and 45 lines, and what stands on it is turned into SVG as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import ViewportSize, sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 120, 45
MOMENT = "2022-09-1"
"""The picture is taken when the view shows this day, whose last digit may be any."""
PATIENCE_S = 120
REPORT_SIZE = "1080,1140"
LAPTOP, PHONE = ViewportSize(width=1366, height=768), ViewportSize(width=390, height=844)
CONSOLE: dict[str, tuple[str, ViewportSize, Literal["light", "dark"]]] = {
    "console": ("/", LAPTOP, "light"),
    "console-dark": ("/", LAPTOP, "dark"),
    "console-order": ("/orders?group=refused", LAPTOP, "light"),
    "console-phone": ("/", PHONE, "light"),
}
"""Name of a picture to its page, the size of the window, and light or dark."""
REFUSAL = 4
"""The refusal whose record is shown, counted from the newest."""

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
        photograph_console(Path(directory, "state"))
    for picture in sorted(IMAGES.iterdir()):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")
    return 0


def terminal_of_demo(run: Path) -> str:
    """What stands on the terminal at `MOMENT`, with its colours, once the demo has ended and written its report."""
    program = f"{sys.executable} -m quant_trading_system.cli.main"
    command = f"QTS_STATE_DIR={run.parent / 'state'} {program} demo --no-console --pace 25 --out {run}"
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


def photograph_console(state: Path) -> None:
    """The pages of the console that the documentation shows, of the demo whose run `state` remembers."""
    program = [sys.executable, "-m", "quant_trading_system.cli.main", "console", "--port", "0"]
    environment = {**os.environ, "QTS_STATE_DIR": str(state)}
    with (
        subprocess.Popen(
            program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as console,
        sync_playwright() as p,
    ):
        assert console.stdout is not None
        login = next(line for line in console.stdout if "/login#" in line).split()[-1]
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=LAPTOP)
        page.goto(login)
        page.wait_for_url("**/")
        for name, (path, size, scheme) in CONSOLE.items():
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            page.goto(login.split("/login")[0] + path)
            page.wait_for_selector("main h1")
            if name == "console-order":
                page.locator("tbody[data-rows=orders] tr a").nth(REFUSAL).click()
                page.wait_for_selector(".verdict")
            page.wait_for_timeout(1500)  # charts are drawn
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
        console.terminate()


def _is_running() -> bool:
    return subprocess.run([*_TERMINAL, "has-session"], capture_output=True, check=False).returncode == 0


def _tmux(*arguments: str) -> str:
    done = subprocess.run([*_TERMINAL, *arguments], capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
