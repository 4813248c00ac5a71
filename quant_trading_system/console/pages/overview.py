"""The account at a glance."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.app.readings.orders import order_page
from quant_trading_system.app.readings.overview import Health, Overview
from quant_trading_system.console.pages import charts
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Question, button
from quant_trading_system.console.pages.blotter import COLUMNS, order_row
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.reconciling import ask_to_reconcile
from quant_trading_system.console.pages.sheet import Sheet, Slots, Tables, empty, panel
from quant_trading_system.console.pages.words import (
    count,
    measure,
    moment,
    money,
    percent,
    prose,
    signed_money,
    signed_percent,
)
from quant_trading_system.core.commands import Reconcile
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.research.markup import Markup, join, tag

_TILES = ("Equity", "Today", "Drawdown", "Exposure", "Cash", "Orders")
_REFUSALS = 5
_BARS = 8


class OverviewPage:
    """Money, curve, limits, health, and the newest refusals."""

    title = "Overview"

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """With the way to compare the books, for those who may."""
        self._hub = hub
        self._actions = actions

    def build(self, sheet: Sheet) -> None:
        slots, tables = self.slots(), self.tables()
        ui.html(sheet.slot("lead", slots["lead"], "div"), sanitize=False)
        tiles = (
            tag("div", tag("span", name), sheet.slot(f"tile {name}", slots[f"tile {name}"], "div"), class_="tile")
            for name in _TILES
        )
        ui.html(tag("div", *tiles, class_="tiles"), sanitize=False)
        with ui.element("div").classes("grid"):
            with ui.element("section").classes("panel s8 grow-chart"):
                ui.html("Equity", sanitize=False, tag="h2")
                self._equity = ui.echart(charts.line_chart([]), renderer="svg").classes("chart")
                self._equity.props('role="img" aria-label="Equity over time"')
                ui.html("Drawdown from the peak", sanitize=False, tag="h2")
                self._drawdown = ui.echart(charts.line_chart([], percent=True), renderer="svg").classes("chart low")
                self._drawdown.props('role="img" aria-label="Drawdown over time"')
            limits = panel("Room left in the limits", sheet.slot("limits", slots["limits"], "div"), size="s12")
            with ui.element("div").classes("s4 grid"):
                ui.html(limits, sanitize=False).classes("s12")
                with ui.element("section").classes("panel s12"):
                    ui.html("Health", sanitize=False, tag="h2")
                    ui.html(sheet.slot("health", slots["health"], "div"), sanitize=False)
                    if self._actions.may(Reconcile.needs):
                        question = Question()
                        ask = partial(ask_to_reconcile, question, self._actions)
                        button("Compare with the broker…", ask, kind="plain small", id_="reconcile")
            newest = sheet.table("refused", COLUMNS, tables["refused"], "Newest refused orders")
            more = sheet.slot("refusals", slots["refusals"], "div")
            ui.html(panel("Newest refusals", newest, more), sanitize=False).classes("s12")
        self.redraw()

    def slots(self) -> Slots:
        shown = self._hub.overview()
        return {
            "lead": _lead(shown),
            "limits": limit_bars(shown.headroom),
            "health": _health(shown.health),
            "refusals": _refusals(shown),
            **{f"tile {name}": content for name, content in zip(_TILES, _tiles(shown), strict=True)},
        }

    def tables(self) -> Tables:
        page = order_page(self._hub.follower, OrderFilter(group=OrderGroup.REFUSED), limit=_REFUSALS)
        return {"refused": [order_row(line) for line in page.rows]}

    def redraw(self) -> None:
        curve = self._hub.overview().curve
        equity = [(charts.instant(p.at), charts.number(p.equity)) for p in curve]
        fallen = [(charts.instant(p.at), -100 * charts.number(p.drawdown)) for p in curve]
        lines = (
            (self._equity, charts.line("Equity", equity, area=True)),
            (self._drawdown, charts.line("Drawdown", fallen, charts.SOFT)),
        )
        for chart, line in lines:
            if chart.options["series"] != [line]:
                chart.options["series"] = [line]
                chart.update()


def _lead(shown: Overview) -> Markup:
    """What is not as it should be, and what to do; nothing when all is well and running."""
    if shown.problem:
        advice = "Start an engine with `qts trade`, or see everything at work with `qts demo`."
        return tag("div", panel("", empty(f"Nothing to show yet: {shown.problem}", advice)), class_="grid tiles-gap")
    if shown.engine.is_running:
        return join()
    last = f" Last entry {moment(shown.engine.last_entry_at)} UTC." if shown.engine.last_entry_at else ""
    return tag("p", prose(shown.engine.says), last, class_="soft")


def _refusals(shown: Overview) -> Markup:
    """Where the others are, or that there are none."""
    if not shown.run.refused:
        return empty("No order was refused in this run", "Each refusal tells its rule, the limit and the number seen.")
    return tag("div", tag("a", "All refused orders", href="/orders?group=refused"), class_="pager")


def _tiles(shown: Overview) -> tuple[Markup, ...]:
    cash, held = shown.money, shown.holdings
    return (
        join(tag("strong", money(cash.equity)), tag("em", f"peak {money(cash.peak)}")),
        join(tag("strong", signed_money(cash.daily_pnl)), tag("em", signed_percent(cash.daily_fraction))),
        join(tag("strong", percent(cash.drawdown)), tag("em", f"worst {percent(cash.worst_drawdown)}")),
        join(tag("strong", percent(held.gross_fraction, 1)), tag("em", f"{len(held.positions)} positions")),
        join(tag("strong", money(cash.cash)), tag("em", f"fees {money(cash.fees)}")),
        join(
            tag("strong", count(shown.run.orders)),
            tag(
                "em",
                tag("a", f"{count(shown.run.refused)} refused", href="/orders?group=refused"),
                ", ",
                tag("a", f"{count(shown.open_orders)} open", href="/orders?group=open"),
            ),
        ),
    )


def limit_bars(rows: tuple[Headroom, ...]) -> Markup:
    """The fullest limits, each as a bar that fills up."""
    if not rows:
        return empty("No limits on record", "They appear with the first run.")
    fullest = sorted(rows, key=lambda row: row.share, reverse=True)[:_BARS]
    return tag("div", *(_bar(row) for row in fullest), class_="bars")


def _bar(row: Headroom) -> Markup:
    share = min(max(charts.number(row.share), 0.0), 1.0) * 100
    kind = "over" if row.share > 1 else "near" if share >= 80 else ""
    used, limit = (
        (percent(row.used, 1), percent(row.limit, 0))
        if row.is_fraction
        else (measure(row.used, row.unit), measure(row.limit, row.unit))
    )
    label = f"{row.label} ({row.of})" if row.of else row.label
    return tag(
        "div",
        tag("span", label),
        tag("span", used, tag("span", f" of {limit}", class_="soft"), class_="num"),
        tag("div", tag("i", style=f"width:{share:.1f}%"), class_="track"),
        class_=f"bar {kind}",
        role="meter",
        aria_label=label,
        aria_valuemin="0",
        aria_valuemax="100",
        aria_valuenow=f"{share:.0f}",
        aria_valuetext=f"{used} of {limit}",
    )


def _health(lines: tuple[Health, ...]) -> Markup:
    kinds = {True: "well", False: "ill", None: ""}
    rows = (join(tag("dt", tag("i"), line.name, class_=kinds[line.is_well]), tag("dd", line.says)) for line in lines)
    return tag("dl", *rows, class_="health")
