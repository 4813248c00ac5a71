"""Risk: how near the account is to its limits, how it is spread, and how much it may lose."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.positions import fraction
from quant_trading_system.console.pages import charts
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.overview import limit_bars
from quant_trading_system.console.pages.sheet import Sheet, Slots, Tables, empty, panel
from quant_trading_system.console.pages.words import money, percent
from quant_trading_system.research.markup import Markup, join, tag


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
        self.redraw()

    def slots(self) -> Slots:
        shown = self._hub.overview()
        none = join() if shown.holdings.positions else empty("Nothing is held", "There is no exposure.")
        return {"figures": self._figures(), "limits": limit_bars(shown.headroom), "none": none}

    def tables(self) -> Tables:
        return {}

    def redraw(self) -> None:
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
