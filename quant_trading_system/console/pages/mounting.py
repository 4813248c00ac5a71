"""Puts the pages on the server: the addresses, what they are made of, and one follower for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from nicegui import app as nicegui_app
from nicegui import ui

from quant_trading_system import __version__
from quant_trading_system.app.order_list import OrderFilter
from quant_trading_system.console.desk import Desk
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.alerts import AlertsPage
from quant_trading_system.console.pages.algorithms import AlgorithmsPage
from quant_trading_system.console.pages.blotter import BlotterPage
from quant_trading_system.console.pages.costs import CostsPage
from quant_trading_system.console.pages.entries import EntriesPage
from quant_trading_system.console.pages.frame import View, show
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.limits import LimitsPage
from quant_trading_system.console.pages.order import OrderView
from quant_trading_system.console.pages.overview import OverviewPage
from quant_trading_system.console.pages.positions import PositionsPage
from quant_trading_system.console.pages.risk import RiskPage
from quant_trading_system.console.pages.strategies import StrategiesPage
from quant_trading_system.core.order_listing import OrderGroup

STATIC = Path(__file__).parent / "static"
_HEAD = (
    f'<link rel="stylesheet" href="/assets/console.css?{__version__}">'
    f'<script src="/assets/console.js?{__version__}"></script>'
)
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b5cad"/>'
    '<path d="M3 11l3-4 3 2 4-5" stroke="#fff" stroke-width="1.6" fill="none"/></svg>'
)


def mount(server: FastAPI, desk: Desk) -> None:
    """Serve the console of `desk` at the root of `server`."""
    hub = Hub(desk)
    nicegui_app.add_static_files("/assets", STATIC)
    ui.add_head_html(_HEAD, shared=True)
    _add_pages(hub)
    ui.run_with(server, title="Quant Trading", favicon=_ICON, dark=None, language="en-US", show_welcome_message=False)


def _add_pages(hub: Hub) -> None:
    plain: dict[str, tuple[str, Callable[[Actions], View]]] = {
        "/": ("Overview", lambda actions: OverviewPage(hub, actions)),
        "/strategies": ("Strategies", lambda actions: StrategiesPage(hub, actions)),
        "/risk": ("Risk", lambda _: RiskPage(hub)),
        "/costs": ("Costs", lambda _: CostsPage(hub)),
        "/limits": ("Limits", lambda actions: LimitsPage(hub, actions)),
        "/alerts": ("Alerts", lambda actions: AlertsPage(hub, actions)),
    }
    for path, (title, make) in plain.items():
        _add(hub, path, title, make)

    @ui.page("/orders", title="Orders")
    def orders(
        request: Request, group: str = "all", symbol: str = "", strategy: str = "", text: str = "", offset: int = 0
    ) -> None:
        chosen = OrderGroup(group) if group in set(OrderGroup) else OrderGroup.ALL
        wanted = OrderFilter(group=chosen, symbol=symbol.upper(), strategy=strategy, text=text[:100])
        show(hub, request, "/orders", BlotterPage(hub, _actions(hub, request), wanted, offset))

    @ui.page("/positions", title="Positions")
    def positions(request: Request, offset: int = 0) -> None:
        show(hub, request, "/positions", PositionsPage(hub, offset))

    @ui.page("/orders/{order_id}", title="Order")
    def order(request: Request, order_id: str) -> None:
        show(hub, request, "/orders", OrderView(hub, _actions(hub, request), order_id))

    @ui.page("/algorithms", title="Algorithms")
    def parents(request: Request, parent: str = "") -> None:
        show(hub, request, "/algorithms", AlgorithmsPage(hub, _actions(hub, request), parent))

    @ui.page("/journal", title="Journal")
    def journal(request: Request, before: int = 0, kind: str = "", subject: str = "") -> None:
        show(hub, request, "/journal", EntriesPage(hub, before=before, kind=kind, subject=subject.strip()))


def _actions(hub: Hub, request: Request) -> Actions:
    return Actions(hub, request.state.caller)


def _add(hub: Hub, path: str, title: str, make: Callable[[Actions], View]) -> None:
    @ui.page(path, title=title)
    def page(request: Request) -> None:
        show(hub, request, path, make(_actions(hub, request)))
