"""The frame around every page: who and what runs, the way around, and the red button that is always there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastapi import Request
from nicegui import ui

from quant_trading_system.app.readings.engine import EngineReading, EngineState, HaltReading
from quant_trading_system.app.readings.overview import Overview
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.halting import HaltDialog, ResumeDialog
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Sheet, Slots, Tables
from quant_trading_system.console.pages.words import money, percent, signed_money
from quant_trading_system.console.sessions import Caller
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import Markup, join, tag

PLACES = (
    ("/", "Overview"),
    ("/orders", "Orders"),
    ("/positions", "Positions"),
    ("/algorithms", "Algorithms"),
    ("/strategies", "Strategies"),
    ("/risk", "Risk"),
    ("/costs", "Costs (TCA)"),
    ("/limits", "Limits"),
    ("/alerts", "Alerts"),
    ("/journal", "Journal"),
)
REFRESH_S = 0.5
THEME_COOKIE = "qts_theme"
_THEMES: dict[str, bool | None] = {"light": False, "dark": True}


class View(Protocol):
    """The inside of a page."""

    title: str

    def build(self, sheet: Sheet) -> None:
        """Make the elements."""

    def slots(self) -> Slots:
        """What stands in its slots now."""

    def tables(self) -> Tables:
        """The rows of its tables now."""

    def redraw(self) -> None:
        """Bring its charts up to date."""


def show(hub: Hub, request: Request, here: str, view: View) -> None:
    """Build the page of `view`, and keep it up to date while somebody looks."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    hub.look()
    sheet, actions = Sheet(), Actions(hub, caller)
    page = ui.context.client.content.parent_slot
    assert page is not None
    page.parent.props('role="presentation"')  # NiceGUI puts everything into one main; ours begins below the frame
    theme = ui.dark_mode(_THEMES.get(request.cookies.get(THEME_COOKIE, "")))
    halting, resuming = HaltDialog(actions), ResumeDialog(hub, actions)
    _top(hub, sheet, halting, theme, caller)
    banner = _banner(hub, sheet, actions, halting, resuming)
    with ui.element("div").classes("body"):
        ui.html(_ways(hub, sheet, here), sanitize=False, tag="nav").classes("side").props('aria-label="Pages"')
        with ui.element("main").props('id="content" tabindex="-1"'):
            ui.html(view.title, sanitize=False, tag="h1")
            view.build(sheet)
    seen = hub.version

    def refresh() -> None:
        nonlocal seen
        if seen == hub.look():
            return
        seen = hub.version
        script = sheet.script({**_frame_slots(hub), **view.slots()}, view.tables())
        if script:
            ui.run_javascript(script)
        banner()
        view.redraw()

    ui.timer(REFRESH_S, refresh)
    ui.run_javascript("qts.here()")


def _top(hub: Hub, sheet: Sheet, halting: HaltDialog, theme: ui.dark_mode, caller: Caller) -> None:
    slots = _frame_slots(hub)
    ui.html(tag("a", "Skip to content", href="#content", class_="skip"), sanitize=False).classes("skipping")
    with ui.element("header").classes("top"):
        name = tag("span", "Quant Trading", tag("small", hub.desk.directory.name))
        ui.html(tag("a", name, href="/", class_="brand"), sanitize=False)
        state = join(*(sheet.slot(name, slots[name]) for name in ("engine", "halt", "equity")))
        ui.html(state, sanitize=False).classes("state").props('role="status" aria-live="polite"')
        ui.html(join(caller.principal), sanitize=False, tag="span").classes("soft who").props(
            f'title="{caller.role.value}"'
        )
        look = ui.html("◐", sanitize=False, tag="button").classes("plain")
        look.props('type="button" aria-label="Change between light and dark" title="Light or dark"')
        look.on("click", lambda: _turn(theme))
        halt = ui.html("HALT", sanitize=False, tag="button").classes("halt")
        halt.props('type="button" id="halt" aria-keyshortcuts="Shift+H" title="Stop orders now (Shift+H)"')
        halt.on("click", halting.open_halt)


def _turn(theme: ui.dark_mode) -> None:
    theme.value = not theme.value
    name = "dark" if theme.value else "light"
    ui.run_javascript(f"document.cookie = '{THEME_COOKIE}={name}; path=/; max-age=31536000; samesite=strict'")


def _banner(
    hub: Hub, sheet: Sheet, actions: Actions, halting: HaltDialog, resuming: ResumeDialog
) -> Callable[[], None]:
    """What is stopped, and the ways on; the answer shows or hides them as things stand."""
    with ui.element("div").classes("banner").props('role="alert"') as banner:
        ui.html(sheet.slot("stopped", _stopped(hub.engine), "div"), sanitize=False).classes("grow")
        flatten = ui.html("Flatten…", sanitize=False, tag="button").classes("plain").props('type="button" id="flatten"')
        flatten.on("click", halting.open_flatten)
        resume = ui.html("Resume…", sanitize=False, tag="button").classes("plain").props('type="button" id="resume"')
        resume.on("click", resuming.open_latest)

    def update() -> None:
        halt, host = hub.engine.halt, hub.engine.host
        banner.set_visibility(halt.is_active or host.is_active or bool(hub.engine.scopes))
        flatten.set_visibility(halt.is_active and halt.level != "flattening" and actions.may(Role.RISK))
        resume.set_visibility(actions.may(Role.RISK))

    update()
    return update


def _frame_slots(hub: Hub) -> dict[str, Markup]:
    engine, shown = hub.engine, hub.overview()
    return {
        "engine": _engine_chip(engine),
        "halt": _halt_chip(engine),
        "equity": _equity_chip(shown),
        "stopped": _stopped(engine),
        "unread": _unread(shown),
    }


def _engine_chip(engine: EngineReading) -> Markup:
    kind = {EngineState.RUNNING: "good", EngineState.STOPPED: "", EngineState.NEVER: ""}.get(engine.state, "warn")
    name = "Engine down" if engine.state is EngineState.STOPPED else f"Engine {engine.state.value}"
    return tag("span", tag("i"), name, class_=f"chip {kind}", title=engine.says)


def _halt_chip(engine: EngineReading) -> Markup:
    level = engine.host.level if engine.host.is_active and not engine.halt.is_active else engine.halt.level
    if level == "running" and engine.scopes:
        parts = ", ".join(str(halt.scope) for halt in engine.scopes)
        return tag("span", tag("i"), "Partly halted", class_="chip warn", title=f"stopped: {parts}")
    if level == "running":
        return tag("span", tag("i"), "Orders may leave", class_="chip good", title="The kill switch is not active.")
    return tag("span", tag("i"), level.upper(), class_="chip danger")


def _equity_chip(shown: Overview) -> Markup:
    if shown.money.at is None:
        return join()
    today = join(" ", signed_money(shown.money.daily_pnl), tag("span", " today", class_="soft"))
    return tag(
        "span", money(shown.money.equity), today, class_="chip", title=f"drawdown {percent(shown.money.drawdown)}"
    )


def _stopped(engine: EngineReading) -> Markup:
    whole = ((engine.halt, "This account"), (engine.host, "Everything on this machine"))
    narrow = ((halt, f"Of this account, {halt.scope}") for halt in engine.scopes)
    parts = [_halt_line(halt, whose) for halt, whose in (*whole, *narrow) if halt.is_active]
    return join(*parts)


def _halt_line(halt: HaltReading, whose: str) -> Markup:
    when = halt.at[:19].replace("T", " ")
    who = f" Since {when} UTC, by {halt.by}." if halt.at else ""
    return tag("div", tag("strong", f"{whose} is {halt.level}: "), halt.reason, tag("span", who, class_="soft"))


def _unread(shown: Overview) -> Markup:
    found = len(shown.breaks) + len(shown.in_doubt)
    return tag("b", str(found), title="open differences and orders in doubt") if found else join()


def _ways(hub: Hub, sheet: Sheet, here: str) -> Markup:
    unread = sheet.slot("unread", _frame_slots(hub)["unread"])
    links = (
        tag(
            "a", name, unread if path == "/alerts" else join(), href=path, aria_current="page" if path == here else None
        )
        for path, name in PLACES
    )
    return join(*links)
