"""The console in the system's Chromium: real processes, real pages, and a list of all that went wrong in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from quant_trading_system.app.tokens import TOKENS_FILE, TokenStore
from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.roles import Role
from tests.support.demo_journal import OFFICER, Scribe, short_demo

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAPTOP, PHONE = (1366, 768), (390, 844)
PAGES = {
    "/": "Overview",
    "/orders": "Orders",
    "/orders?group=refused": "Orders",
    "/positions": "Positions",
    "/algorithms": "Algorithms",
    "/strategies": "Strategies",
    "/risk": "Risk",
    "/costs": "Costs (TCA)",
    "/limits": "Limits",
    "/alerts": "Alerts",
    "/journal": "Journal",
}
OUTSIDE = """() => [...document.querySelectorAll('#content *, header *')].filter((one) => {
  const box = one.getBoundingClientRect();
  const may = one.closest('.scroll, .skipping, .sr-only, svg, .heat') || getComputedStyle(one).position === 'absolute';
  return box.width && !may && (box.right > window.innerWidth + 1 || box.left < -1);
}).map((one) => one.outerHTML.slice(0, 80))"""
"""What no scrolling shows."""
SMALL = """() => [...document.querySelectorAll(
    '#content a, #content button, #content input, nav a, header a, header button')]
  .filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && !one.closest('p, .skipping, .check, .list') && (box.height < 23.5 || box.width < 23.5);
  }).map((one) => one.outerHTML.slice(0, 80))"""
"""What is smaller than 24 pixels and stands in no sentence (WCAG 2.2, 2.5.8)."""


class Console:
    """`qts console` of one account, in a process of its own.

    Attributes:
        directory: of the account; `url`: where it answers.
    """

    def __init__(self, state: Path, name: str) -> None:
        self.directory = state / name
        self.state = state
        environment = {**os.environ, "QTS_STATE_DIR": str(state)}
        program = [sys.executable, "-m", "quant_trading_system.cli.main", "console", "--name", name, "--port", "0"]
        self._process = subprocess.Popen(
            program, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        line = next((line for line in self._process.stdout if "/login#" in line), "")
        assert line, "the console did not start"
        self.url = line.split("/login#")[0].split()[-1]

    def token(self, role: Role, name: str = "") -> str:
        """A token of that role."""
        return TokenStore(self.state / TOKENS_FILE, SystemClock()).create(name or role.value, role)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._process.stdout.close()


class Desk:
    """One window of the browser, logged in; `trouble` is what a person would find in its console."""

    def __init__(self, browser: Browser, console: Console, token: str, size: tuple[int, int], scheme: str) -> None:
        self.console = console
        self.trouble: list[str] = []
        self.context: BrowserContext = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", self._watch)
        self.page.on("dialog", lambda dialog: self.trouble.append(dialog.message))
        self.page.goto(f"{console.url}/login")
        self.page.fill("#token", token)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{console.url}/")

    def open(self, path: str) -> Page:
        """Go there, and wait until the page is alive."""
        self.page.goto(self.console.url + path)
        self.page.wait_for_selector("main h1")
        self.page.wait_for_function("window.socket && window.socket.connected")
        return self.page

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(message.text)

    def _watch(self, request) -> None:
        if not request.url.startswith((self.console.url, "data:", "blob:")):
            self.trouble.append(f"asked another host: {request.url}")


def look(desk: Desk, path: str, heading: str) -> None:
    """The page is whole, within the window, fit for a finger, and quiet in the browser's console."""
    page = desk.open(path)
    expect(page.locator("main h1")).to_have_text(heading)
    for landmark in ("header.top", "nav[aria-label]", "main#content"):
        expect(page.locator(landmark)).to_have_count(1)
    expect(page.locator("#halt")).to_be_in_viewport()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{path} is {wide} pixels wider than the window"
    outside = page.evaluate(OUTSIDE)
    assert outside == [], f"{path}: {outside} stick out of the window"
    small = page.evaluate(SMALL)
    assert small == [], f"{path}: {small} are too small for a finger"
    nameless = page.locator("input:not([aria-label]):not([id]):not([type=hidden]), img:not([alt])")
    expect(nameless).to_have_count(0)
    assert desk.trouble == []


def chromium() -> str:
    """The system's browser."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("no Chromium on this machine; install one: apt-get install chromium", pytrace=False)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module at a time: while it is open, no other test of the process can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[Console]:
    """The console of two months of the demonstration; nobody halts it."""
    state = tmp_path_factory.mktemp("state")
    with ThreadPoolExecutor(1) as beside:  # playwright has an event loop in this thread already
        beside.submit(short_demo, state / "demo").result()
    console = Console(state, "demo")
    yield console
    console.stop()


@pytest.fixture(scope="module")
def reader(browser, demo) -> Iterator[Desk]:
    """A viewer at a laptop."""
    desk = Desk(browser, demo, demo.token(Role.VIEWER), LAPTOP, "light")
    yield desk
    desk.context.close()


@pytest.fixture(scope="module")
def phone(browser, demo) -> Iterator[Desk]:
    """A viewer with a phone, at night."""
    desk = Desk(browser, demo, demo.token(Role.VIEWER), PHONE, "dark")
    yield desk
    desk.context.close()


@pytest.fixture(scope="session")
def living(tmp_path_factory) -> Iterator[tuple[Console, Scribe]]:
    """The console of an account whose journal grows as tests write it."""
    state = tmp_path_factory.mktemp("living")
    scribe = Scribe(state / "live")
    console = Console(state, "live")
    yield console, scribe
    console.stop()
    scribe.close()


@pytest.fixture(scope="module")
def officer(browser, living) -> Iterator[Desk]:
    """Somebody who may do everything, at a laptop."""
    console, _ = living
    desk = Desk(browser, console, console.token(Role.ADMIN, OFFICER), LAPTOP, "light")
    yield desk
    desk.context.close()
