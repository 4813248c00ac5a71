"""Every page, on a laptop by day and on a phone at night: whole, readable, and quiet in the browser's console."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.orders import order_page
from quant_trading_system.core.order_listing import OrderGroup
from tests.browser.conftest import PAGES, look


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_on_a_laptop(reader, path):
    look(reader, path, PAGES[path])


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_on_a_phone_in_the_dark(phone, path):
    look(phone, path, PAGES[path])
    background = phone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", background)[:3])) < 120
    expect(phone.page.locator("nav a[aria-current]")).to_be_in_viewport(ratio=1)


def test_why_an_order_was_refused_is_one_look_and_its_numbers_one_click_away(reader):
    began = time.monotonic()
    page = reader.open("/")
    newest = page.locator("tbody[data-rows=refused] tr").first
    expect(newest).to_contain_text("Refused: ")
    sentence = newest.locator(".why").inner_text()
    newest.locator("a").click()
    expect(page.locator(".verdict")).to_contain_text(sentence)
    expect(page.locator(".check.no").first).to_be_visible()
    assert time.monotonic() - began < 20
    assert reader.trouble == []


def test_refused_orders_are_one_click_from_the_overview(reader):
    page = reader.open("/")
    page.locator(".tile a", has_text="refused").click()
    expect(page.locator("tbody[data-rows=orders] tr .why").first).to_contain_text("Refused: ")
    expect(page.locator(".tabs a[aria-current]")).to_contain_text("Refused")
    assert reader.trouble == []


def test_charts_are_drawn(reader):
    page = reader.open("/")
    expect(page.locator(".nicegui-echart svg path[stroke='#010102']").first).to_be_attached()
    assert reader.trouble == []


def test_filters_and_pages_of_the_blotter(reader, demo):
    follower = Follower(demo.directory)
    follower.catch_up()
    filled = order_page(follower, OrderFilter(group=OrderGroup.FILLED))
    follower.close()
    page = reader.open("/orders")
    page.get_by_role("link", name=f"Filled {filled.total}").click()
    expect(page.locator("tbody[data-rows=orders] tr")).to_have_count(min(filled.total, 50))
    page.select_option("select[name=symbol]", filled.rows[0].symbol)
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody[data-rows=orders] tr").first).to_contain_text(filled.rows[0].symbol)
    page.fill("input[name=text]", "no such order")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".empty")).to_contain_text("No")


def test_an_order_that_is_not_there_is_said_so(reader):
    page = reader.open("/orders/nobody")
    expect(page.locator("#content")).to_contain_text("the journal has no order 'nobody'")


def test_a_theme_once_chosen_stays(browser, demo, reader):
    page = reader.open("/limits")
    page.get_by_role("button", name="Change between light and dark").click()
    expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    page.wait_for_function("document.cookie.includes('qts_theme=dark')")
    expect(reader.open("/alerts").locator("body")).to_have_class(re.compile("body--dark"))
    reader.context.clear_cookies(name="qts_theme")


def test_a_viewer_is_told_what_a_halt_takes(reader):
    page = reader.open("/")
    page.locator("#halt").click()
    page.fill("#why", "not allowed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("this takes trader")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_without_a_session_there_is_only_the_login(browser, demo):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{demo.url}/orders")
    assert page.url.endswith("/login")
    context.close()
