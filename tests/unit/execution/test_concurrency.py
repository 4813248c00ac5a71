"""Ten thousand orders at once, from threads and tasks: never beyond a limit, and exactly as much as fits."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_manager import Placed
from tests.support.desk import UNHURRIED, Account, limits_with
from tests.support.orders import buy, sell

THREADS, TASKS = 8, 1250
D = Decimal

Answers = list[Placed | Rejection]


def storm(account: Account, order: Callable[[int], Order], tasks: int = TASKS) -> Answers:
    """`tasks` orders from tasks of each of eight threads, all started together; the answers."""
    start, answers = threading.Barrier(THREADS), []

    async def send_all(number: int) -> None:
        orders = [order(number * tasks + n) for n in range(tasks)]
        answers.extend(await asyncio.gather(*(account.orders.submit(each) for each in orders)))

    def run(number: int) -> None:
        start.wait()
        asyncio.run(send_all(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == THREADS * tasks
    return answers


def refusals(answers: Answers) -> Counter[Rule]:
    return Counter(answer.rule for answer in answers if isinstance(answer, Rejection))


ROOM = {"max_position_pct": D(1), "max_sector_exposure": D(1), "max_gross_exposure": D(4)}


def test_ten_thousand_orders_never_reserve_more_than_buying_power():
    """100 000 dollars are a thousand shares at 100; whoever came first, exactly so many are placed."""
    account = Account(
        limits=limits_with(**ROOM, **UNHURRIED, max_open_orders_per_symbol=1000, max_order_notional=D(10**9))
    )
    symbols = ("KO", "PEP", "XOM")
    answers = storm(account, lambda n: buy(10, symbols[n % 3], limit="100.00"))
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert len(placed) == len(account.broker.placed) == 100
    assert set(refusals(answers)) == {Rule.BUYING_POWER}
    assert account.portfolio.gross_worst == 100_000
    assert sum(account.reserved.values()) == 1000


def test_a_storm_in_one_symbol_fills_its_limit_to_the_last_share():
    account = Account(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=1000))
    answers = storm(account, lambda n: buy(4, limit="100.00"), tasks=100)
    assert len(account.broker.placed) == 25
    assert refusals(answers) == {Rule.MAX_POSITION: 775}
    assert account.portfolio.holding("KO").worst_value == 10_000


def test_no_two_exits_sell_the_same_shares():
    account = Account(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=1000))
    account.hold("KO", 90)
    answers = storm(account, lambda n: sell(4), tasks=50)
    assert len(account.broker.placed) == 22  # 88 of 90 shares
    assert refusals(answers) == {Rule.SELL_WITHIN_HELD: 378}
    assert account.portfolio.holding("KO").sells == 88


def test_the_number_of_open_orders_is_a_limit_too():
    account = Account()
    answers = storm(account, lambda n: buy(1, limit="1.00"), tasks=25)
    assert len(account.broker.placed) == 5
    assert set(refusals(answers)) == {Rule.MAX_OPEN_ORDERS}


@pytest.mark.parametrize(
    ("limit", "placed"),
    [
        ({"max_open_orders": 40}, 40),
        ({"max_net_exposure": D("0.05")}, 50),
        ({"max_position_notional": D(3000)}, 90),
        ({"max_concentration": D("0.0003")}, 30),
        ({"max_turnover_per_day": D("0.07")}, 70),
    ],
)
def test_no_limit_of_the_whole_book_gives_way_to_a_storm(limit, placed):
    """Eight hundred orders of one share at 100 in three symbols at once: exactly as many as the limit has room for."""
    account = Account(limits=limits_with(**{**UNHURRIED, "max_open_orders_per_symbol": 1000, **ROOM, **limit}))
    answers = storm(account, lambda n: buy(1, ("KO", "PEP", "XOM")[n % 3], limit="100.00"), tasks=100)
    assert refusals(answers) == {Rule(*limit): 800 - len(account.broker.placed)}
    assert len(account.broker.placed) <= placed
    assert len(account.broker.placed) > placed * 2 // 3


@pytest.mark.parametrize("ids", ["given", "of the run"])
def test_every_order_has_its_own_id_and_its_own_entry(ids):
    account = Account(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=1000))
    storm(account, lambda n: buy(1, limit="100.00", client_order_id=f"x-{n}" if ids == "given" else ""), tasks=25)
    records = account.orders.orders()
    assert len({record.order_id for record in records}) == len(records) == 200
    assert sorted(record.sent_seq for record in records) == sorted({record.sent_seq for record in records})


def test_fills_that_arrive_during_the_storm_are_all_booked():
    """Every order fills while others are being judged; cash and shares add up at the end."""
    account = Account(limits=limits_with(**ROOM, **UNHURRIED, max_open_orders_per_symbol=1000))
    account.broker.answers.extend(["fill"] * 800)
    storm(account, lambda n: buy(1), tasks=100)
    assert account.portfolio.position("KO").quantity == 800
    assert account.portfolio.cash == 100_000 - 800 * 100
    assert account.reserved == {}
    assert account.portfolio.gross_worst == 80_000


PACE = {
    Rule.MAX_ORDERS_PER_MINUTE: ({"max_orders_per_minute": 37}, 37),
    Rule.MAX_NOTIONAL_PER_MINUTE: ({"max_notional_per_minute": D(3799)}, 37),
    Rule.MAX_MESSAGES_PER_MINUTE: ({"max_messages_per_minute": 37}, 37),
    Rule.MAX_ORDERS_PER_DAY: ({"max_orders_per_day": 37}, 37),
    Rule.MAX_NOTIONAL_PER_DAY: ({"max_notional_per_day": D(3799)}, 37),
}


@pytest.mark.parametrize("rule", PACE)
def test_no_storm_is_faster_than_the_limits_on_pace(rule):
    """Whoever comes first: exactly as many orders leave as the window has room for, and every other is refused."""
    tight, room = PACE[rule]
    limits = limits_with(**ROOM, **UNHURRIED | tight, max_open_orders_per_symbol=1000)
    account = Account(limits=limits)
    answers = storm(account, lambda n: buy(1, limit="100.00", strategy=f"s{n % 5}"), tasks=250)
    assert len(account.broker.placed) == room
    assert refusals(answers) == {rule: 2000 - room}


def test_a_runaway_in_a_storm_is_stopped_at_its_limit_and_nobody_else():
    account = Account(
        limits=limits_with(**ROOM, **UNHURRIED | {"max_repeated_orders": 5}, max_open_orders_per_symbol=999)
    )
    answers = storm(account, lambda n: buy(1, limit="100.00", strategy="calm" if n % 100 == 0 else "mad"), tasks=50)
    placed = Counter(approved.order.strategy for approved in account.broker.placed)
    assert placed == {"calm": 4, "mad": 5}
    assert refusals(answers) == {Rule.MAX_REPEATED_ORDERS: 1, Rule.STRATEGY_ARMED: 390}


def test_a_halt_in_the_storm_is_the_end_of_it():
    """The order that sees the halt first is the last one; all later ones are refused with its reason."""
    account = Account(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=1000))

    async def halt(approved) -> None:
        account.kill_switch.activate("enough")

    account.broker.answers.extend(["accept"] * 9 + [halt])

    async def main() -> list[object]:
        orders = (account.orders.submit(buy(1, limit="1.00")) for _ in range(200))
        return await asyncio.gather(*orders, return_exceptions=True)

    answers = asyncio.run(main())
    assert len(account.broker.placed) == 10
    assert Counter(type(answer).__name__ for answer in answers) == {"Placed": 10, "KillSwitchActiveError": 190}
