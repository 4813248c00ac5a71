"""The demo on the terminal while it runs: equity, positions, orders, refusals and the headroom of the limits."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quant_trading_system.app.bootstrap import ReplayAccount
from quant_trading_system.app.order_list import order_in_words
from quant_trading_system.core.events import AnyEvent, FillEvent, OrderEvent
from quant_trading_system.core.numbers import ZERO, dollar_sign, plain, usd
from quant_trading_system.research.backtest import Progress

_BLOCKS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 54


class LiveView:
    """Redraws the account while it trades. It reads; it holds nothing that could trade."""

    def __init__(self, console: Console, account: ReplayAccount, title: str) -> None:
        """Listen to the journal of `account`."""
        self._account = account
        self._title = title
        self._curve: list[Decimal] = [account.system.portfolio.equity]
        self._lines: deque[Text] = deque(maxlen=9)
        self._refusals: Counter[str] = Counter()
        self._fills = 0
        self._at: datetime = account.clock.now()
        self._done = 0.0
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=12, transient=True)
        account.journal.subscribe(self._hear)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def watch(self, progress: Progress) -> None:
        """Take note of the end of a day."""
        if progress.is_day_end:
            self._at, self._done = progress.at, progress.done
            self._curve.append(self._account.system.portfolio.equity)

    def render(self) -> RenderableType:
        """The whole picture."""
        halves = Table.grid(expand=True)
        halves.add_column(ratio=1)
        halves.add_column(ratio=1)
        halves.add_row(self._money(), self._limits())
        halves.add_row(self._positions(), self._refused())
        return Group(self._header(), halves, self._orders())

    def _hear(self, _: int, event: AnyEvent) -> None:
        if isinstance(event, FillEvent):
            self._fills += 1
            words = f"{event.side.value} {plain(event.quantity)} {event.symbol} at {plain(event.price)}"
            self._say(event.at, "fill", "green", words)
        elif isinstance(event, OrderEvent) and event.decision is not None and event.order is not None:
            rule = event.decision.refused_by
            if rule is None:
                self._say(event.at, "sent", "cyan", order_in_words(event.order))
            else:
                self._refusals[rule.value] += 1
                self._say(event.at, "refused", "red", f"{order_in_words(event.order)}: {rule.value}")

    def _say(self, at: datetime, kind: str, color: str, words: str) -> None:
        self._lines.append(Text.assemble((f"{at:%Y-%m-%d %H:%M} ", "dim"), (f"{kind:<8}", color), words))

    def _header(self) -> RenderableType:
        switch = self._account.system.kill_switch
        color = "bold white on red" if switch.level else "bold black on green"
        state = Text.assemble((f" {switch.level.name} ", color))
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(justify="right")
        line.add_row(Text(f"{self._title}  ·  {self._at:%A %Y-%m-%d}", style="bold"), state)
        return Panel(Group(line, ProgressBar(total=1.0, completed=self._done)), box=box.ROUNDED)

    def _money(self) -> RenderableType:
        portfolio = self._account.system.portfolio
        equity, start = portfolio.equity, self._curve[0]
        gain = equity / start * 100 - 100
        drawdown = portfolio.drawdown / portfolio.peak_equity * 100
        body = Table.grid(padding=(0, 2))
        body.add_row("equity", Text(usd(equity), style="bold"), Text(f"{gain:+.2f} %", style=_color(gain)))
        body.add_row("today", Text(dollar_sign(f"{portfolio.daily_pnl:+,.2f}"), style=_color(portfolio.daily_pnl)), "")
        body.add_row("drawdown", f"{drawdown:.2f} %", "")
        body.add_row("fills", str(self._fills), "")
        return Panel(
            Group(body, Text(_sparkline(self._curve), style="cyan")), title="account", title_align="left", height=8
        )

    def _limits(self) -> RenderableType:
        body = Table.grid(padding=(0, 1), expand=True)
        body.add_column()
        body.add_column(ratio=1)
        body.add_column(justify="right")
        for name, used in self._usage():
            share = min(max(float(used), 0.0), 1.0)
            style = "red" if share > 0.9 else "yellow" if share > 0.7 else "green"
            body.add_row(
                name,
                ProgressBar(total=1.0, completed=share, complete_style=style, finished_style=style),
                f"{share:.0%}",
            )
        return Panel(body, title="limits in use", title_align="left", height=8)

    def _usage(self) -> list[tuple[str, Decimal]]:
        system = self._account.system
        limits, portfolio = system.limits, system.portfolio
        equity = portfolio.equity
        values = [abs(position.market_value) for position in portfolio.positions.values()]
        sector = max(portfolio.sector_worst.values(), default=ZERO)
        return [
            ("daily loss", max(-portfolio.daily_pnl, ZERO) / (limits.max_daily_loss_pct * portfolio.day_start_equity)),
            ("drawdown", portfolio.drawdown / (limits.max_drawdown_pct * portfolio.peak_equity)),
            ("largest position", max(values, default=ZERO) / (limits.max_position_pct * equity)),
            ("largest sector", sector / (limits.max_sector_exposure * equity)),
            ("gross exposure", portfolio.gross_worst / (limits.max_gross_exposure * equity)),
            ("positions", Decimal(len(values)) / limits.max_portfolio_positions),
        ]

    def _positions(self) -> RenderableType:
        body = Table(box=None, expand=True, pad_edge=False)
        for column in ("symbol", "shares", "value", "P&L"):
            body.add_column(
                column, justify="left" if column == "symbol" else "right", style="" if column != "symbol" else "bold"
            )
        held = sorted(self._account.system.portfolio.positions.items(), key=lambda item: -abs(item[1].market_value))
        for symbol, position in held[:10]:
            gain = position.unrealized_pnl
            body.add_row(
                symbol,
                plain(position.quantity),
                f"{position.market_value:,.0f}",
                Text(f"{gain:+,.0f}", style=_color(gain)),
            )
        return Panel(body, title=f"positions ({len(held)})", title_align="left", height=14)

    def _refused(self) -> RenderableType:
        body = Table(box=None, expand=True, pad_edge=False)
        body.add_column("refused by rule")
        body.add_column("orders", justify="right")
        for rule, count in sorted(self._refusals.items(), key=lambda item: (-item[1], item[0]))[:10]:
            body.add_row(Text(rule, style="red"), str(count))
        return Panel(body, title=f"refusals ({self._refusals.total()})", title_align="left", height=14)

    def _orders(self) -> RenderableType:
        return Panel(Group(*self._lines), title="latest", title_align="left", height=11)


def _color(value: Decimal) -> str:
    return "green" if value > 0 else "red" if value < 0 else ""


def _sparkline(curve: list[Decimal]) -> str:
    step = max(len(curve) // _CURVE_WIDTH, 1)
    points = [*curve[::step], curve[-1]][-_CURVE_WIDTH:]
    low, high = min(points), max(points)
    span = high - low or Decimal(1)
    return "".join(_BLOCKS[int((point - low) / span * (len(_BLOCKS) - 1))] for point in points)
