"""Risk: how near the account is to its limits, how it is spread, and how much it may lose."""

from __future__ import annotations

from decimal import Decimal

from nicegui import ui

from quant_trading_system.app.readings.positions import fraction
from quant_trading_system.app.readings.risk import RiskReading, risk_reading
from quant_trading_system.console.pages import charts
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.overview import limit_bars
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, panel, row
from quant_trading_system.console.pages.words import count, money, percent
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.risk_now import LimitUse, RiskNow
from quant_trading_system.research.markup import Markup, join, tag

_NAMES = {"var_95": "VaR 95", "es_95": "ES 95", "var_99": "VaR 99", "es_99": "ES 99"}
_TAIL = (Column("Method"), *(Column(name, is_number=True) for name in _NAMES.values()))
_USES = (
    Column("Limit"),
    Column("About"),
    Column("Used", is_number=True),
    Column("At most", is_number=True),
    Column("Share", is_number=True),
)
_WORST = 8


class RiskPage:
    """The account's risk."""

    title = "Risk"

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        ui.html(sheet.slot("figures", slots["figures"], "div", class_="tiles"), sanitize=False)
        with ui.element("div").classes("grid"):
            ui.html(
                panel("Room left in the limits", sheet.slot("limits", slots["limits"], "div")), sanitize=False
            ).classes("s6")
            with ui.element("section").classes("panel s6"):
                ui.html("Exposure by sector, of equity", sanitize=False, tag="h2")
                ui.html(sheet.slot("none", slots["none"], "div"), sanitize=False)
                self._sectors = ui.echart(charts.bar_chart([], []), renderer="svg").classes("chart")
                self._sectors.props('role="img" aria-label="Exposure by sector"')
            tail = sheet.table("tail", _TAIL, self.tables()["tail"], "Value at risk and expected shortfall")
            span = sheet.slot("span", slots["span"], "p", class_="soft")
            self._tail_box = ui.html(panel("What may be lost", span, tail), sanitize=False).classes("s6")
            self._unmeasured = ui.html(panel("What may be lost", _unmeasured()), sanitize=False).classes("s12")
            with ui.element("section").classes("panel s6") as self._stress_box:
                ui.html("Worst stresses: what would be lost, of equity", sanitize=False, tag="h2")
                self._stress = ui.echart(charts.bar_chart([], []), renderer="svg").classes("chart")
                self._stress.props('role="img" aria-label="Loss in stress scenarios"')
            together = sheet.slot("together", slots["together"], "div")
            self._heat_box = ui.html(panel("How the largest positions move together", together), sanitize=False)
            self._heat_box.classes("s12")
            uses = sheet.table("uses", _USES, self.tables()["uses"], "What is used of every limit, in the worst case")
            self._uses_box = ui.html(panel("Every limit, if all open orders fill", uses), sanitize=False).classes("s12")
        self.redraw()

    def slots(self) -> Slots:
        shown = self._hub.overview()
        none = join() if shown.holdings.positions else empty("Nothing is held", "There is no exposure.")
        limits = limit_bars(shown.headroom)
        found = self._measured()
        return {
            "figures": self._figures(),
            "limits": limits,
            "none": none,
            "together": join() if found is None else _heat(found.now),
            "span": join() if found is None else _span(found.now),
        }

    def tables(self) -> Tables:
        found = self._measured()
        return {"tail": [] if found is None else _tail(found.now), "uses": [] if found is None else _uses(found.now)}

    def redraw(self) -> None:
        is_measured = self._measured() is not None
        self._unmeasured.set_visibility(not is_measured)
        for box in (self._tail_box, self._heat_box, self._uses_box):
            box.set_visibility(is_measured)
        self._draw_sectors()
        self._draw_stress()

    def _measured(self) -> RiskReading | None:
        return risk_reading(self._hub.follower)

    def _draw_stress(self) -> None:
        found = self._measured()
        self._stress_box.set_visibility(found is not None)
        if found is None or found.now.equity <= 0:
            return
        worst = sorted(found.now.stress.items(), key=lambda item: item[1], reverse=True)[:_WORST]
        values = [charts.number(fraction(loss, found.now.equity)) * 100 for _, loss in worst]
        drawn = charts.bar_chart([name for name, _ in worst], values)
        if self._stress.options != drawn:
            self._stress.options.update(drawn)
            self._stress.update()

    def _draw_sectors(self) -> None:
        held, rows = self._hub.overview().holdings, self._hub.overview().headroom
        limit = next((charts.number(row.limit) * 100 for row in rows if row.key == "risk.max_sector_exposure"), None)
        values = [charts.number(fraction(value, held.equity)) * 100 for value in held.sectors.values()]
        drawn = charts.bar_chart(list(held.sectors), values, limit=limit)
        if self._sectors.options != drawn:
            self._sectors.options.update(drawn)
            self._sectors.update()
        self._sectors.set_visibility(bool(values))

    def _figures(self) -> Markup:
        shown = self._hub.overview()
        held, cash = shown.holdings, shown.money
        figures = (
            ("Gross exposure", money(held.gross), percent(held.gross_fraction, 1)),
            ("Net exposure", money(held.net), percent(fraction(held.net, held.equity), 1)),
            ("Drawdown", percent(cash.drawdown), f"worst {percent(cash.worst_drawdown)}"),
            ("Largest position", percent(abs(held.positions[0].weight), 1) if held.positions else "none", ""),
        )
        return join(
            *(
                tag("div", tag("span", name), tag("strong", value), tag("em", more), class_="tile")
                for name, value, more in figures
            )
        )


def _unmeasured() -> Markup:
    program = tag("code", "qts trade")
    advice = join("Value at risk, stresses and correlations are measured once a minute while ", program, " runs.")
    return empty("Not measured yet", advice)


def _span(now: RiskNow) -> Markup:
    """What the numbers are about: dollars, in how long, and from how much of the past."""
    one, many = ("day", "days") if now.is_daily else ("bar", "bars")
    return join(f"Dollars in one {one}, with the returns of the last {count(now.bars)} {many}.")


def _heat(now: RiskNow) -> Markup:
    """Correlations as a table whose cells are the stronger coloured the more two positions move together."""
    names = now.correlated
    if len(names) < 2:
        return empty("Nothing to compare", "It takes two positions.")
    known = {
        frozenset((names[i], names[j])): value for i, row in enumerate(now.correlations) for j, value in enumerate(row)
    }
    rows = (
        tag("tr", tag("th", name, scope="row"), *(_warm(known.get(frozenset((name, other)))) for other in names))
        for name in names
    )
    head = tag("tr", tag("td"), *(tag("th", name, scope="col") for name in names))
    caption = tag("caption", "Correlations of returns, minus 1 to 1", class_="sr-only")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="heat")
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Correlations")


def _warm(value: Decimal | None) -> Markup:
    if value is None:
        return tag("td")
    colour, strength = ("--accent" if value > 0 else "--warn"), min(abs(charts.number(value)), 1.0) * 45
    style = f"background:color-mix(in srgb, var({colour}) {strength:.0f}%, transparent)"
    words = f"{value:.2f}".replace("-", "−")
    return tag("td", "0.00" if words == "−0.00" else words, style=style)


def _tail(now: RiskNow) -> list[Row]:
    """Each method in a row; a forecast of one day, or of one bar."""
    methods = dict.fromkeys(name.rsplit("_", 2)[0] for name in now.tail)
    return [
        row(
            method,
            cell(method.replace("_", " "), kind="wide"),
            *(_loss(now, f"{method}_{level}", _NAMES[level]) for level in _NAMES),
        )
        for method in methods
    ]


def _loss(now: RiskNow, name: str, label: str) -> Markup:
    loss = now.tail.get(name)
    return cell("unknown" if loss is None else money(loss), label, "num")


def _uses(now: RiskNow) -> list[Row]:
    return [
        row(
            use.rule,
            cell(tag("code", use.rule), kind="wide"),
            cell(use.of),
            cell(_amount(use, used=True), "used", "num"),
            cell(_amount(use, used=False), "of", "num"),
            cell(percent(use.share, 0), "share", "num"),
        )
        for use in sorted(now.limits, key=lambda use: use.share, reverse=True)
    ]


def _amount(use: LimitUse, *, used: bool) -> str:
    value = use.actual if used else use.limit
    if use.unit is Unit.USD:
        return money(value)
    return plain(value) if use.unit in (Unit.COUNT, Unit.RATIO) else f"{plain(value)} {use.unit}".strip()
