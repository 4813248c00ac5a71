"""Other limits are in force everywhere at once, and nothing goes on by the old ones."""

from __future__ import annotations

import gc
from collections import deque
from datetime import timedelta
from decimal import Decimal
from types import FunctionType, ModuleType

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.execution.order_manager import Placed
from tests.support.desk import Account
from tests.support.orders import buy

D = Decimal


def tighten(account: Account, **values: str) -> None:
    account.system.governance.propose(values, by="Ana", why="a test")


def test_the_next_order_is_judged_by_the_new_limits_and_names_their_version():
    account = Account()
    before = account.system.limits
    assert isinstance(account.submit(buy(10, "KO")), Placed)
    tighten(account, **{"orders.max_order_quantity": "9"})
    answer = account.submit(buy(10, "PEP"))
    assert isinstance(answer, Rejection)
    assert (answer.rule, answer.limit) == (Rule.MAX_QUANTITY, D(9))
    assert answer.decision.limits_version == account.system.limits.version != before.version


def path_to(wanted: object, root: object) -> list[str]:
    """The types on a way from `root` to `wanted` through everything that keeps something; empty when there is none."""
    queue: deque[tuple[object, list[str]]] = deque([(root, [type(root).__name__])])
    seen = {id(root)}
    while queue:
        found, path = queue.popleft()
        if found is wanted:
            return path
        if isinstance(found, FunctionType):
            parts: list[object] = [*(found.__closure__ or ()), found.__defaults__, found.__kwdefaults__]
        else:
            parts = gc.get_referents(found)
        for part in parts:
            if id(part) not in seen and not isinstance(part, type | ModuleType):
                seen.add(id(part))
                queue.append((part, [*path, type(part).__name__]))
    return []


def test_nobody_holds_on_to_the_old_limits():
    """Whoever keeps limits, now or later, is told of new ones; a part that is forgotten is named here."""
    account = Account()
    old = account.system.limits
    assert path_to(old, account.system)
    tighten(account, **{"orders.max_order_quantity": "9"})
    assert path_to(old, account.system) == []


def test_what_follows_from_a_limit_follows_at_once():
    account = Account()
    tighten(account, **{"orders.duplicate_window_s": "60", "halt.authorized_resetters": "[Ana]"})
    assert isinstance(account.submit(buy(10, "KO", repeat=False)), Placed)
    account.clock.move_to(account.clock.now() + timedelta(seconds=6))
    account.offer()
    again = account.submit(buy(10, "KO", repeat=False))
    assert isinstance(again, Rejection)
    assert again.rule is Rule.DUPLICATE_ORDER
    account.kill_switch.activate("a test")
    assert account.kill_switch.state.authorized == ("Ana",)


def test_a_loss_limit_that_becomes_tighter_trips_at_the_next_look():
    account = Account()
    account.hold("KO", 100, 100)
    account.offer("97.99", "98.01", "KO")
    account.step()
    assert not account.kill_switch.is_active()
    tighten(account, **{"risk.max_daily_loss_pct": "0.001"})
    account.step()
    assert account.kill_switch.is_active()
