"""What happens while somebody looks, and what somebody does: seen within a second, by mouse or by keyboard alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import expect

from quant_trading_system.app.account_files import LATCH_FILE
from quant_trading_system.app.alerting.book import AlertBook
from quant_trading_system.app.limits_desk import changing
from quant_trading_system.app.readings.alert_fold import alert_line
from quant_trading_system.app.readings.alert_kinds import AlertKind
from quant_trading_system.core.clock import SystemClock
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.risk_now import LimitUse, RiskNow
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.latch import look_at
from tests.browser.conftest import LAPTOP, Desk
from tests.support.demo_journal import OFFICER

WITHIN_MS = 1500
"""A second, and half of one for a machine that runs other tests."""


def test_an_order_and_its_fill_appear_while_somebody_looks(officer, living):
    _, scribe = living
    page = officer.open("/orders")
    name = scribe.send("KO", 10)
    row = page.locator(f"tr[data-key='{name}']")
    expect(row).to_contain_text("working", timeout=WITHIN_MS)
    scribe.fill(name, "KO", 10)
    expect(row).to_contain_text("filled", timeout=WITHIN_MS)
    assert officer.trouble == []


def test_the_focus_stays_while_numbers_change(officer, living):
    _, scribe = living
    scribe.measure("100000")
    page = officer.open("/")
    page.locator("nav a").nth(3).focus()
    scribe.measure("101234.5")
    expect(page.locator("[data-slot='tile Equity']")).to_contain_text("$101,234.50", timeout=WITHIN_MS)
    assert page.evaluate("document.activeElement.textContent") == "Algorithms"
    assert officer.trouble == []


def test_text_of_strangers_stays_text(officer, living):
    _, scribe = living
    name = scribe.send("<img/src=x/onerror=alert(1)>", 1)
    page = officer.open("/orders")
    expect(page.locator(f"tr[data-key='{name}']")).to_contain_text("<img/src=x/onerror=alert(1)>")
    assert page.locator("main img").count() == 0
    page = officer.open("/orders?text=%3Cscript%3Ealert(1)%3C/script%3E&symbol=%22%3E%3Cimg%3E")
    assert page.locator("main img, main script").count() == 0
    assert officer.trouble == []


def test_halt_confirm_flatten_approve_resume(officer, living):
    """By keyboard alone as far as the halt; no engine runs, and the latch is moved all the same."""
    console, _ = living
    latch = console.directory / LATCH_FILE
    page = officer.open("/")
    page.keyboard.press("Shift+H")
    expect(page.locator("#why")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Say why")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert look_at(latch).level is HaltLevel.RUNNING

    page.keyboard.press("Shift+H")
    expect(page.locator("#why")).to_be_focused()
    page.locator("#why").press_sequentially("prices look odd")
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_contain_text("This account is halted: prices look odd", timeout=WITHIN_MS)
    state = look_at(latch)
    assert (state.level, state.by) == (HaltLevel.HALTED, f"{OFFICER} (console)")

    page.locator("#flatten").click()
    page.locator("#why").fill("close everything")
    expect(page.locator("#confirm-halt")).to_have_text("FLATTEN NOW")
    page.locator("#confirm-halt").click()
    expect(page.locator(".banner")).to_contain_text("flattening", timeout=WITHIN_MS)
    assert look_at(latch).level is HaltLevel.FLATTENING

    page.locator("#resume").click()
    expect(page.get_by_role("dialog")).to_contain_text("May resume")
    page.locator("#confirm-resume").click()
    expect(page.get_by_role("dialog")).to_contain_text("Say why it is safe")
    page.locator("#safe").fill("it was a drill")
    page.locator("#confirm-resume").click()
    expect(page.locator(".banner")).to_be_hidden(timeout=WITHIN_MS)
    assert look_at(latch).level is HaltLevel.RUNNING
    assert officer.trouble == []


def test_somebody_takes_notice_of_an_alert(officer, living):
    console, scribe = living
    line = alert_line(AlertKind.STRATEGY_STOPPED, "Trend", scribe.now, "ValueError: no prices")
    AlertBook(console.directory).see(line, scribe.now)
    page = officer.open("/alerts")
    now = page.get_by_role("listitem").filter(has_text="ValueError: no prices")
    expect(now).to_contain_text("nobody has taken notice")
    now.get_by_role("button", name="Take notice of").click()
    page.locator("#reason").fill("looking at the feed")
    page.locator("#confirm").click()
    expect(page.locator(".note")).to_contain_text(f"{OFFICER} has taken notice", timeout=WITHIN_MS)
    expect(page.locator("#content")).to_contain_text("Nothing is open", timeout=6 * WITHIN_MS)
    alert = AlertBook(console.directory).alerts[line.key]
    assert (alert.acknowledged_by, alert.note) == (OFFICER, "looking at the feed")
    assert officer.trouble == []


def test_another_process_halts_and_every_page_says_so(officer, living):
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import FileLatch

    console, _ = living
    page = officer.open("/positions")
    switch = KillSwitch(latch=FileLatch(console.directory / LATCH_FILE))
    switch.activate("from a terminal", activated_by="ben")
    expect(page.locator(".banner")).to_contain_text("from a terminal", timeout=2 * WITHIN_MS)
    switch.reset("ben", "over")
    expect(page.locator(".banner")).to_be_hidden(timeout=2 * WITHIN_MS)


def test_a_looser_limit_waits_on_the_page_until_somebody_who_may_says_yes(browser, demo):
    with ThreadPoolExecutor(1) as beside:
        beside.submit(_propose, demo.directory).result()
    desk = Desk(browser, demo, demo.token(Role.RISK, OFFICER), LAPTOP, "light")
    page = desk.open("/limits")
    question = page.get_by_role("region", name="Waiting for approval")
    expect(question).to_contain_text("0 of 1 have said yes")
    question.get_by_role("textbox").fill("agreed at the meeting")
    question.get_by_role("button", name="Approve").click()
    expect(question).to_have_count(0, timeout=3 * WITHIN_MS)
    expect(page.locator("tr[data-key='risk.max_position_pct']")).to_contain_text("0.12", timeout=2 * WITHIN_MS)
    assert desk.trouble == []
    desk.context.close()


def _propose(directory: Path) -> None:
    with changing(directory, SystemClock()) as governance:
        governance.propose({"risk.max_position_pct": "0.12"}, by="Ana", why="room for one more lot")


def test_value_at_risk_and_stresses_are_shown_once_measured(officer, living):
    _, scribe = living
    page = officer.open("/risk")
    expect(page.locator("#content")).to_contain_text("Not measured yet")
    scribe.write(
        RiskNow(
            at=scribe.now,
            equity=Decimal(100_000),
            cash=Decimal(100_000),
            daily_pnl=Decimal(0),
            current_drawdown=Decimal(0),
            tail={"historical_var_95": Decimal("1234.5"), "historical_es_95": None},
            correlated=("KO", "PEP"),
            correlations=((), (Decimal("0.61"),)),
            stress={"1987-10-19": Decimal(20_000), "rally": Decimal(-5_000)},
            limits=(LimitUse("max_position_pct", Decimal(4_000), Decimal(10_000), Unit.USD, "KO"),),
        )
    )
    expect(page.locator("tbody[data-rows=tail]")).to_contain_text("$1,234.50", timeout=WITHIN_MS)
    expect(page.locator("tbody[data-rows=uses]")).to_contain_text("40 %")
    expect(page.get_by_role("region", name="Correlations").locator("td", has_text="0.61")).to_have_count(2)
    expect(page.locator(".nicegui-echart").filter(has_text="1987-10-19")).to_be_visible()
    assert officer.trouble == []
