"""What a person does from the pages while a real engine trades on the venue: done, and told what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from quant_trading_system.core.command import Source
from quant_trading_system.core.operator_events import OperatorActed
from quant_trading_system.core.roles import Role
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from tests.browser.conftest import LAPTOP, PAGES, PHONE, Console, Desk, look
from tests.support.demo_journal import OFFICER
from tests.support.engine_process import Engine
from tests.support.venue_process import running_venue

SOON_MS = 15_000
"""An engine's answer on a machine that runs other tests, too."""
QUIET = (
    "from quant_trading_system import Strategy\n\n\nclass Quiet(Strategy):\n"
    "    def on_bar(self, market):\n        return ()\n"
)


@pytest.fixture(scope="module")
def floor(tmp_path_factory, browser) -> Iterator[tuple[Engine, Desk]]:
    """An engine at a venue where no price moves, and a person who may do everything."""
    place = tmp_path_factory.mktemp("floor")
    (place / "quiet.py").write_text(QUIET)
    with ExitStack() as stack:
        venue = stack.enter_context(
            running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0", accounts=1)
        )
        engine = Engine(venue, place, "quiet.py", "--symbols", "KO,PEP")
        process = stack.enter_context(engine.running())
        engine.told(process, "takes commands")
        engine.told(process, "opened, equity")
        console = Console(place / "state", "default")
        stack.callback(console.stop)
        desk = Desk(browser, console, console.token(Role.ADMIN, OFFICER), LAPTOP, "light")
        stack.callback(desk.context.close)
        yield engine, desk


def ticket(page: Page, **fields: str) -> None:
    page.locator("#new-order").click()
    for name, text in fields.items():
        page.locator(f"#ticket-{name}").fill(text)
    page.locator("#check").click()


def said(page: Page, words: str | re.Pattern[str]) -> None:
    """A note tells the effect."""
    expect(page.locator(".note").filter(has_text=words).first).to_be_visible(timeout=SOON_MS)


def acted(engine: Engine) -> list[OperatorActed]:
    path = engine.directory / "journal.db"
    with JournalReader(path, journal_key(path)) as journal:
        return [entry.event for entry in journal.entries(kinds=("operator_acted",))]


def test_an_order_is_checked_sent_changed_and_cancelled(floor):
    engine, desk = floor
    page = desk.open("/orders")
    ticket(page, symbol="ko", quantity="5", limit="55")
    expect(page.locator(".said.ok")).to_contain_text("Would be sent: buy 5 KO, limit at 55, day", timeout=SOON_MS)
    page.locator("#ticket-quantity").fill("6")
    expect(page.locator("#send")).to_be_hidden()
    page.locator("#check").click()
    expect(page.locator(".said.ok")).to_contain_text("buy 6 KO", timeout=SOON_MS)
    page.locator("#send").click()
    said(page, "is working: buy 6 KO, limit at 55, day")
    row = page.locator("tbody[data-rows=orders] tr").first
    expect(row).to_contain_text("working", timeout=SOON_MS)

    row.get_by_role("button", name="Change buy 6 KO limit 55 day").click()
    page.locator("#replace-limit_price").fill("54.50")
    page.locator("#confirm-replace").click()
    said(page, "has taken the place of")
    row = page.locator("tbody[data-rows=orders] tr").first
    expect(row).to_contain_text("54.5", timeout=SOON_MS)

    row.get_by_role("link").click()
    page.locator(".verdict").get_by_role("button", name=re.compile("Cancel buy 6 KO")).click()
    page.locator("#reason").fill("a try")
    page.locator("#confirm").click()
    said(page, "is canceled")
    expect(page.locator(".verdict")).to_contain_text("canceled", timeout=SOON_MS)
    done = [(event.command, event.principal, event.source) for event in acted(engine)]
    assert done == [(name, OFFICER, Source.CONSOLE) for name in ("place_order", "replace_order", "cancel")]
    assert desk.trouble == []


def test_a_ticket_with_every_price_waits_and_all_is_cancelled_at_once(floor):
    _, desk = floor
    page = desk.open("/orders")
    page.locator("#new-order").click()
    page.locator("#ticket-tif").click()
    page.get_by_role("option", name="GTC").click()
    page.get_by_text("Stops, exits and conditions").click()
    for name, text in {"symbol": "ko", "quantity": "4", "limit": "66.10", "stop": "66"}.items():
        page.locator(f"#ticket-{name}").fill(text)
    page.locator("#check").click()
    expect(page.locator(".said.ok")).to_contain_text("buy 4 KO, stop at 66, limit at 66.1, gtc", timeout=SOON_MS)
    page.locator("#send").click()
    said(page, "buy 4 KO")
    ticket(page, symbol="PEP", quantity="2", limit="150")
    page.locator("#send").click(timeout=SOON_MS)
    said(page, "is working: buy 2 PEP")
    page = desk.open("/orders?group=open")
    expect(page.locator("tbody[data-rows=orders] tr")).to_have_count(2)
    page.locator("#cancel-all").click()
    page.locator("#reason").fill("starting anew")
    page.locator("#confirm").click()
    expect(page.locator("tbody[data-rows=orders] tr")).to_have_count(0, timeout=SOON_MS)
    expect(page.locator("#content")).to_contain_text("No such orders")
    assert desk.trouble == []


def test_what_the_gate_would_refuse_cannot_be_sent(floor):
    _, desk = floor
    page = desk.open("/orders")
    ticket(page, symbol="KO", quantity="5000")
    said = "Would be refused: the position could grow to"
    expect(page.locator(".said.no")).to_contain_text(said, timeout=SOON_MS)
    expect(page.locator(".said.no")).to_contain_text("max position pct")
    expect(page.locator("#send")).to_be_hidden()
    page.locator("#ticket-quantity").fill("five")
    page.locator("#check").click()
    expect(page.get_by_role("dialog")).to_contain_text("Shares five")
    page.keyboard.press("Escape")
    assert desk.trouble == []


def test_a_parent_order_is_started_paused_resumed_and_stopped(floor):
    _, desk = floor
    page = desk.open("/algorithms")
    page.locator("#start-parent").click()
    page.locator("#parent-symbol").fill("KO")
    page.locator("#parent-quantity").fill("40")
    page.locator("#parent-minutes").fill("30")
    page.locator("#parent-algorithm").click()
    page.get_by_role("option", name="TWAP").click()
    page.locator("#confirm-parent").click()
    row = page.locator("tbody[data-rows=parents] tr").first
    for name, confirmed, status in (("Pause", "Pause it", "paused"), ("Resume", "Go on", "working")):
        row.get_by_role("button", name=f"{name} buy 40 KO").click(timeout=SOON_MS)
        expect(page.locator("#confirm")).to_have_text(confirmed)
        page.locator("#confirm").click()
        expect(row).to_contain_text(status, timeout=SOON_MS)
    row.get_by_role("button", name="Cancel buy 40 KO").click()
    page.locator("#confirm").click()
    expect(row).to_contain_text("cancel", timeout=SOON_MS)
    assert desk.trouble == []


def test_a_strategy_is_disarmed_and_armed(floor):
    _, desk = floor
    page = desk.open("/strategies")
    row = page.locator("tr[data-key=Quiet]")
    row.get_by_role("button", name="Disarm Quiet").click()
    page.locator("#reason").fill("it misbehaves")
    page.locator("#confirm").click()
    expect(row).to_contain_text("disarmed", timeout=SOON_MS)
    expect(row).to_contain_text("it misbehaves")
    row.get_by_role("button", name="Arm Quiet").click()
    page.locator("#confirm").click()
    expect(row.locator(".status")).to_have_text("armed", timeout=SOON_MS)
    assert desk.trouble == []


def test_books_are_compared_when_somebody_asks(floor):
    _, desk = floor
    page = desk.open("/")
    page.locator("#reconcile").click()
    page.locator("#confirm").click()
    said(page, "Our books and the broker's agree")
    assert desk.trouble == []


def test_a_part_of_the_account_is_halted_and_released(floor):
    _, desk = floor
    page = desk.open("/")
    page.keyboard.press("Shift+H")
    page.locator("#why").fill("odd quotes")
    page.get_by_role("radio", name="A part of it").click()
    page.locator("#confirm-halt").click()
    expect(page.get_by_role("dialog")).to_contain_text("Say which part")
    page.locator("#halt-symbol").fill("pep")
    page.locator("#confirm-halt").click()
    expect(page.locator(".banner")).to_contain_text(
        "Of this account, symbol PEP is halted: odd quotes", timeout=SOON_MS
    )
    page = desk.open("/orders")
    ticket(page, symbol="PEP", quantity="1")
    expect(page.locator(".said.no")).to_contain_text("odd quotes", timeout=SOON_MS)
    page.locator("#ticket-symbol").fill("KO")
    page.locator("#check").click()
    expect(page.locator(".said.ok")).to_be_visible(timeout=SOON_MS)
    page.keyboard.press("Escape")
    page.locator("#resume").click()
    page.locator("#safe").fill("quotes are well again")
    page.locator("#confirm-resume").click()
    expect(page.locator(".banner")).to_be_hidden(timeout=SOON_MS)
    assert desk.trouble == []


def test_a_looser_limit_is_approved_on_the_page_while_the_engine_runs(floor):
    engine, desk = floor
    engine.run("limits", "propose", "max_order_notional=1500000", "--why", "index change", "--by", "Ana")
    page = desk.open("/limits")
    question = page.get_by_role("region", name="Waiting for approval")
    question.get_by_role("textbox").fill("agreed")
    question.get_by_role("button", name="Approve").click()
    said(page, "is approved")
    expect(page.locator("tr[data-key='orders.max_order_notional']")).to_contain_text("1,500,000", timeout=SOON_MS)
    assert desk.trouble == []


def test_a_tighter_limit_is_proposed_on_the_page_and_holds_at_once(floor):
    _, desk = floor
    page = desk.open("/limits")
    row = page.locator("tr[data-key='orders.max_order_quantity']")
    row.get_by_role("button", name="Change max_order_quantity").click()
    page.locator("#limit-value").fill("90000")
    page.locator("#confirm-limit").click()
    expect(page.get_by_role("dialog")).to_contain_text("Say why")
    page.locator("#limit-why").fill("smaller lots")
    page.locator("#confirm-limit").click()
    said(page, "In force now")
    expect(row).to_contain_text("90,000", timeout=SOON_MS)
    assert desk.trouble == []


def test_a_looser_limit_proposed_on_the_page_waits_until_another_person_says_yes(floor, browser):
    _, desk = floor
    page = desk.open("/limits")
    row = page.locator("tr[data-key='risk.max_drawdown_pct']")
    row.get_by_role("button", name="Change max_drawdown_pct").click()
    page.locator("#limit-value").fill("0.16")
    page.locator("#limit-why").fill("as agreed")
    page.locator("#confirm-limit").click()
    said(page, "Not final yet")
    expect(row).to_contain_text("0.15")
    other = Desk(browser, desk.console, desk.console.token(Role.RISK, "ben.limits"), LAPTOP, "dark")
    question = other.open("/limits").get_by_role("region", name="Waiting for approval")
    expect(question).to_contain_text(f"Asked by {OFFICER}")
    question.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("0.16", timeout=SOON_MS)
    assert desk.trouble + other.trouble == []
    other.context.close()


def test_every_page_is_whole_while_an_engine_trades(floor, browser):
    """With orders of every kind, parents, changed limits and answered questions on record."""
    _, desk = floor
    phone = Desk(browser, desk.console, desk.console.token(Role.ADMIN, "ana.phone"), PHONE, "dark")
    for window in (desk, phone):
        for path, heading in PAGES.items():
            look(window, path, heading)
    phone.context.close()


def test_a_halt_flatten_and_resume_close_what_is_held(floor, browser):
    _, desk = floor
    page = desk.open("/orders")
    ticket(page, symbol="KO", quantity="10")
    page.locator("#send").click(timeout=SOON_MS)
    said(page, "is filled")
    phone = Desk(browser, desk.console, desk.console.token(Role.RISK, "night.watch"), PHONE, "dark")
    small = phone.open("/positions")
    expect(small.locator("tr[data-key=KO]")).to_contain_text("10")
    small.locator("#halt").click()
    small.get_by_role("radio", name=re.compile("^Flatten")).click()
    small.locator("#why").fill("enough")
    small.locator("#confirm-halt").click()
    expect(small.locator(".banner")).to_contain_text("flattening: enough", timeout=SOON_MS)
    expect(small.locator("tr[data-key=KO]")).to_have_count(0, timeout=2 * SOON_MS)
    assert phone.trouble == []
    phone.context.close()
    page = desk.open("/")
    page.locator("#resume").click()
    page.locator("#safe").fill("flat, and looked at")
    page.locator("#confirm-resume").click()
    expect(page.locator(".banner")).to_be_hidden(timeout=SOON_MS)
    assert desk.trouble == []
