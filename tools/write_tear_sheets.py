"""Writes docs/tear-sheets.md: every shipped strategy on nine years of real prices, its numbers and a picture.

python tools/write_tear_sheets.py      needs chromium; half a minute
"""

from __future__ import annotations

import shutil
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quant_trading_system.app.backtesting import BacktestResult, backtest  # noqa: E402 - once the path is set
from quant_trading_system.app.bootstrap import Setup  # noqa: E402
from quant_trading_system.app.strategy_loading import SHIPPED  # noqa: E402
from quant_trading_system.market.bundled import load_sp500  # noqa: E402
from quant_trading_system.market.universes import sp500_20  # noqa: E402
from quant_trading_system.research.report import write_html  # noqa: E402
from quant_trading_system.research.wording import number, percent  # noqa: E402
from tools.take_pictures import photograph  # noqa: E402

PAGE = ROOT / "docs" / "tear-sheets.md"
IMAGES = ROOT / "docs" / "images"
PAST, FIRST, LAST = date(2010, 1, 4), date(2013, 1, 2), date(2021, 12, 31)
SIZE = "1080,1610"

INTRODUCTION = f"""\
# Tear sheets

What the [shipped strategies](strategies.md#strategies-to-start-from) made of the bundled prices of twenty large
companies from {FIRST} to {LAST}, with the limits and costs as shipped. They could learn from {PAST} on.
Each order went through the whole gate; most refusals are `max_correlation`, and `kill_switch` stands for the days
after a halt that nobody lifted: what was held then stayed.

Twenty companies that are large today were chosen with today's knowledge: holding all of them looks better than
anybody could have done. Compare the strategies with each other and with the line *equal parts, held*, not with your
account. `qts backtest NAME --from {FIRST} --to {LAST}` writes such a report for you.

"""


def main() -> int:
    if shutil.which("chromium") is None:
        print("chromium must be installed to take pictures", file=sys.stderr)
        return 1
    found = {name: tear(name) for name in SHIPPED}
    for name, result in found.items():
        with TemporaryDirectory() as directory:
            page = Path(directory, "report.html")
            stats = result.statistics
            write_html(page, result.record, stats, title=name, subtitle="twenty companies of the S&P 500, daily bars")
            photograph(page, IMAGES / f"tear-{name}.png", SIZE)
    PAGE.write_text(INTRODUCTION + table(found) + "".join(section(*item) for item in found.items()), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(found)} strategies")
    return 0


def tear(name: str) -> BacktestResult:
    """One strategy over the nine years."""
    prices = load_sp500(PAST, LAST)
    return backtest(SHIPPED[name](), prices, Setup(universe=sp500_20(), first_bar=prices.index_of(FIRST)))


def table(found: dict[str, BacktestResult]) -> str:
    """All strategies side by side."""
    rows = [row(name, result) for name, result in found.items()]
    held = next(iter(found.values())).statistics.benchmark
    if held is not None:
        words = (percent(held.cagr), percent(held.volatility), number(held.sharpe), percent(held.max_drawdown))
        rows.append(f"| *equal parts, held* | {' | '.join(words)} | | | |\n")
    head = "| strategy | growth a year | volatility | Sharpe | largest drawdown | orders | refused | costs, bp |\n"
    return f"{head}| --- | --: | --: | --: | --: | --: | --: | --: |\n{''.join(rows)}"


def row(name: str, result: BacktestResult) -> str:
    """One strategy of the table."""
    stats = result.statistics
    refused = sum(stats.refusals.values())
    words = (percent(stats.cagr), percent(stats.volatility), number(stats.sharpe), percent(stats.max_drawdown))
    return f"| [{name}](#{name}) | {' | '.join(words)} | {stats.orders} | {refused} | {number(stats.costs_bps, 1)} |\n"


def section(name: str, result: BacktestResult) -> str:
    """One strategy: its years, and its picture."""
    years: dict[int, float] = {}
    for month in result.statistics.monthly:
        years[month.year] = (1 + years.get(month.year, 0.0)) * (1 + month.value) - 1
    halts = [event for event in result.record.halts if event.level]
    told = "".join(f"\nHalted on {halt.at:%Y-%m-%d}: {halt.reason}.\n" for halt in halts[:1])
    return (
        f"\n## {name}\n\n| {' | '.join(map(str, years))} |\n|{' --: |' * len(years)}\n"
        f"| {' | '.join(percent(value, 1) for value in years.values())} |\n{told}\n"
        f"![{name}: key figures, equity, drawdown and months](images/tear-{name}.png)\n"
    )


if __name__ == "__main__":
    sys.exit(main())
