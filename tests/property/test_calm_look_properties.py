"""A look that is left out changes nothing: everything happens as if the account were looked at each time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, RiskEvent, RiskEventKind
from quant_trading_system.core.positions import Position
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.calm_look import CalmLook, Facts
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.triggers import Answer
from tests.property.test_stretch_properties import LIMITS, Resting, Whims, run, told
from tests.support.desk import hold, limits_with
from tests.support.market import NOON
from tests.support.minute_bars import minute_bars
from tests.support.plain_way import take_the_plain_way

D = Decimal
LEVELS = (HaltLevel.REDUCING, HaltLevel.HALTED, HaltLevel.FLATTENING)


class NeverCalm(CalmLook):
    """Relies on no look before."""

    __slots__ = ()

    def found(self, facts: Facts) -> None:
        """Nothing is kept."""


class Life:
    """An account of about 100 000 dollars whose limits are all near."""

    def __init__(self, limits: RiskLimits, *, doubting: bool, looks_always: bool) -> None:
        self.clock = ManualClock(NOON)
        self.portfolio = Portfolio(D(90_000))
        self.portfolio.take_over([_held("KO", "50"), _held("PEP", "50")], cash=D(90_000), fees=D(0))
        for symbol in ("KO", "PEP"):
            self.portfolio.mark(symbol, D(100))
        self.kill_switch = KillSwitch(latch=MemoryLatch(), clock=self.clock)
        self.events: list[RiskEvent] = []
        self.agreement = Agreement()
        self.quoted: dict[str, datetime] = {"KO": NOON, "PEP": NOON}
        self.monitor = RiskMonitor(
            limits=limits,
            portfolio=self.portfolio,
            kill_switch=self.kill_switch,
            clock=self.clock,
            emit=self.events.append,
            agreement=self.agreement,
            quoted_at=lambda: dict(self.quoted),
        )
        if looks_always:
            self.monitor._calm = NeverCalm()
        if doubting:
            self.monitor.doubt_single_prices()
        self.monitor.open_day()
        self.looks = 0
        self.told: list[object] = []
        self._see = self.monitor._bases.see
        self.monitor._bases.see = self._count  # type: ignore[method-assign]

    def _count(self) -> tuple[Decimal, tuple[Decimal, ...]]:
        self.looks += 1
        return self._see()

    def everything(self) -> dict[str, object]:
        """All that a look may find or leave behind."""
        monitor, portfolio, bases = self.monitor, self.portfolio, self.monitor._bases
        agreed, settled = bases._agreed, bases._settled
        return {
            "events": len(self.events),
            "latest event": self.events[-1],
            "switch": self.kill_switch.state,
            "peak": portfolio.peak_equity,
            "starts": (portfolio.day_start_equity, portfolio.week_start_equity, portfolio.month_start_equity),
            "high": dict(reversed(bases._high._falling)),  # of two in one slot, the first is the highest
            "warned": sorted(monitor._warned),
            "second marks": dict(monitor._second_marks._seen),
            "lost since": monitor._lost_since,
            "agreed": agreed and (agreed._least, agreed._agreed, agreed._looks._since, agreed._looks._awaited),
            "settled": settled and (settled._seen, settled._looks._since, settled._looks._awaited),
            "told": self.told[-1:],
        }


def _held(symbol: str, shares: str) -> Position:
    position = Position(symbol)
    position.adopt(D(shares), D(shares) * 100)
    return position


FAR = {
    "max_daily_loss_pct": D("0.9"),
    "max_weekly_loss_pct": D("0.9"),
    "max_monthly_loss_pct": D("0.9"),
    "max_drawdown_pct": D("0.9"),
    "max_rapid_loss_pct": D("0.9"),
    "max_consecutive_losses": 1000,
    "max_slippage_bps": D(1000),
}
NEAR = {
    "max_daily_loss_pct": D("0.001"),
    "max_weekly_loss_pct": D("0.001"),
    "max_monthly_loss_pct": D("0.001"),
    "max_drawdown_pct": D("0.001"),
    "max_rapid_loss_pct": D("0.001"),
    "max_consecutive_losses": 2,
    "max_slippage_bps": D(2),
}


def _limits(chance: random.Random) -> RiskLimits:
    near = {rule: NEAR[rule] for rule in chance.sample(sorted(NEAR), 2)}
    return limits_with(
        **{**FAR, **near},
        max_stress_loss_pct=D("0.02"),
        rapid_loss_window_s=chance.choice([D(30), D(900)]),
        slippage_fills=2,
        halt_level=chance.choice(LEVELS),
    )


# -- what may happen to an account: drawn once for both lives ---------------------------------------------------


def _mark(chance: random.Random) -> Callable[[Life], None]:
    symbol, price = chance.choice(["KO", "PEP"]), D(100) + D(chance.choice([-120, -80, -40, 0, 0, 0, 40, 80])) / 100

    def happens(life: Life) -> None:
        life.quoted[symbol] = life.clock.now()
        life.portfolio.mark(symbol, price)

    return happens


def _wait(chance: random.Random) -> Callable[[Life], None]:
    span = timedelta(milliseconds=chance.choice([1, 500, 1000, 2000, 2000, 10_000, 60_000]))
    return lambda life: life.clock.move_to(life.clock.now() + span)


def _fill(chance: random.Random) -> Callable[[Life], None]:
    shares, price = chance.choice([-3, -1, 1, 2]), 100 + D(chance.randrange(-50, 51)) / 100
    profit = D(chance.choice([-1, 1]))

    def happens(life: Life) -> None:
        hold(life.portfolio, "KO", shares, str(price))
        with life.portfolio.lock:
            life.monitor.round_trip_closed(profit)

    return happens


def _cash(chance: random.Random) -> Callable[[Life], None]:
    amount, kind = D(chance.choice([-300, -20, 20, 300])), chance.randrange(3)

    def happens(life: Life) -> None:
        if kind == 0:
            life.portfolio.move_cash(amount)
        elif kind == 1:
            life.portfolio.book_charge(amount, is_fee=False)
        else:
            life.portfolio.adopt("XOM", D(1), D(100), price=D(100))

    return happens


def _unpriced(chance: random.Random) -> Callable[[Life], None]:
    if chance.random() < 0.5:
        return lambda life: life.portfolio.adopt("MO", D(1), D(100))
    return lambda life: life.portfolio.mark("MO", D(100))


def _answer(chance: random.Random) -> Callable[[Life], None]:
    answer = chance.choice([Answer.TAKEN, Answer.NONE, Answer.REFUSED])
    return lambda life: life.monitor.answered(answer)


def _slip(chance: random.Random) -> Callable[[Life], None]:
    cost = D(chance.choice([-1, 0, 2, 9]))
    return lambda life: life.monitor.slipped(cost, D(10_000))


def _silence(chance: random.Random) -> Callable[[Life], None]:
    name = chance.choice(["feed_silence", "clock_behind", "stress_loss", "stress_loss"])
    value = D(chance.choice([0, 0, 1, 3, 250] if name != "stress_loss" else [0, 100, 1_600, 1_600]))
    return lambda life: setattr(life.monitor, name, value)


def _broker(chance: random.Random) -> Callable[[Life], None]:
    kind, asks = chance.randrange(5), chance.random() < 0.5
    broken = [Break(kind=BreakKind.INCOMPLETE, subject="account", ours="", theirs="no answer")] if kind == 3 else []

    def happens(life: Life) -> None:
        if kind in {0, 4}:
            life.agreement.doubt("stream", "down")
        if asks:
            life.told.append(life.monitor.silences())
        if kind in {1, 4}:
            life.agreement.trust("stream")
        elif kind:
            life.agreement.set_breaks(broken)

    return happens


def _compare(chance: random.Random) -> Callable[[Life], None]:
    theirs = D(chance.choice([100_000, 100_000, 110_000]))
    return lambda life: life.monitor.compare_equity(theirs)


def _limits_change(chance: random.Random) -> Callable[[Life], None]:
    limits = _limits(chance)
    return lambda life: life.monitor.use_limits(limits)


def _person(chance: random.Random) -> Callable[[Life], None]:
    kind = chance.choice([0, 1, 1, 2, 3, 3, 3, 4])

    def happens(life: Life) -> None:
        if kind == 0:
            life.kill_switch.reset("ann", "seen")
            life.monitor.forgive()
        elif kind == 1:
            life.kill_switch.reset("ann", "seen", accept_loss=True)
            life.monitor.rebase()
        elif kind == 2:
            life.kill_switch.activate("by hand")
        elif kind == 3:
            life.monitor.close_day()
            life.monitor.open_day()
        else:
            life.told.append(life.monitor.measures())

    return happens


def _restart(chance: random.Random) -> Callable[[Life], None]:
    high = D(100_000 + chance.randrange(-100, 400))

    def happens(life: Life) -> None:
        last = life.monitor.numbers(RiskEventKind.RECALCULATED)
        life.monitor.restore(
            peak_equity=last.peak_equity,
            day_start_equity=last.day_start_equity,
            losing_streak=last.losing_streak,
            week_start_equity=last.week_start_equity,
            month_start_equity=last.month_start_equity,
            opened_at=life.monitor.opened_at,
            last_seen=(life.clock.now(), high),
        )

    return happens


def _stretch(chance: random.Random) -> Callable[[Life], None]:
    up, down = D(chance.randrange(60)), D(chance.randrange(60))

    def happens(life: Life) -> None:
        now, equity = life.clock.monotonic(), life.portfolio.equity
        may_pass = life.monitor.stays_calm(equity - down, equity + up)
        life.told.append(may_pass)
        if may_pass:
            life.monitor.went_through(equity + up, [(now, equity + up), (now, equity)])

    return happens


def _doubt(_: random.Random) -> Callable[[Life], None]:
    return lambda life: life.monitor.doubt_single_prices()


USUAL = (_mark, _mark, _wait)
RARE = (
    *(_fill, _cash, _unpriced, _answer, _slip, _silence, _broker, _compare),
    *(_limits_change, _person, _restart, _stretch, _doubt),
)


def _to_both(happens: Callable[[Life], None], *lives: Life) -> None:
    """The same to all of them, each of which looks then."""
    for life in lives:
        happens(life)
        life.monitor.observe()


def live_both(doubting: bool, seed: int) -> tuple[Life, Life]:
    """The same things happen to an account that relies on calm looks and to one that is looked at each time."""
    chance = random.Random(seed)
    limits = _limits(chance)
    sparing, always = (Life(limits, doubting=doubting, looks_always=which) for which in (False, True))
    rare = chance.sample(RARE, 3)
    for _ in range(60):
        happens = chance.choice(USUAL if chance.random() < 0.7 else rare)(chance)
        looks = chance.choice([1, 1, 2, 3])
        for life in (sparing, always):
            happens(life)
            for _ in range(looks):
                life.monitor.observe()
        assert sparing.everything() == always.everything(), happens.__qualname__
    return sparing, always


@pytest.mark.parametrize("doubting", [False, True], ids=["prices believed", "single prices doubted"])
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_an_account_that_is_looked_at_only_after_changes_lives_as_one_that_is_looked_at_each_time(doubting, seed):
    sparing, always = live_both(doubting, seed)
    assert sparing.events == always.events
    assert sparing.looks <= always.looks


@pytest.mark.parametrize("doubting", [False, True], ids=["prices believed", "single prices doubted"])
def test_a_great_many_of_such_looks_are_left_out(doubting):
    """Otherwise the test above would say nothing."""
    lives = [live_both(doubting, seed) for seed in range(30)]
    assert sum(sparing.looks for sparing, _ in lives) < 0.9 * sum(always.looks for _, always in lives)
    assert {event.rule for sparing, _ in lives for event in sparing.events} > {
        "max_daily_loss_pct",
        "max_drawdown_pct",
        "max_rapid_loss_pct",
        "max_slippage_bps",
        "max_consecutive_losses",
        "max_feed_silence_s",
        "max_equity_difference_pct",
    }


AGEING = {
    "max_rapid_loss_pct": D("0.003"),
    "max_rejection_rate": D("0.3"),
    "max_broker_errors": 2,
    "broker_error_window_s": D(100),
}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_while_equity_stands_still_nothing_is_missed_that_time_alone_brings(seed):
    """Highs and answers leave their windows: what is left of them may be another share of a limit."""
    chance = random.Random(seed)
    windows = {"rapid_loss_window_s": D(chance.choice([30, 300])), "rejection_window_s": D(chance.choice([20, 300]))}
    limits = msgspec.structs.replace(_limits(chance), rejection_min_orders=chance.choice([2, 6]), **AGEING, **windows)
    leaping, stepping = (Life(limits, doubting=False, looks_always=which) for which in (False, True))
    for _ in range(40):
        what = chance.choice([_mark, _mark, _mark, _wait, _wait, _answer, _answer, None])
        if what is not None:
            _to_both(what(chance), leaping, stepping)
            continue
        seconds, equity = chance.choice([5, 60, 400]), leaping.portfolio.equity
        if leaping.monitor.stays_calm(equity, equity):
            leaping.clock.move_to(leaping.clock.now() + timedelta(seconds=seconds))
            leaping.monitor.went_through(equity, [(leaping.clock.monotonic(), equity)])
        else:
            _stand_still(leaping, seconds)
        _stand_still(stepping, seconds)
        assert leaping.events == stepping.events
        assert leaping.kill_switch.state == stepping.kill_switch.state


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_while_what_is_broken_is_known_equity_may_move_without_a_look(seed):
    """Losses that grow and shrink beyond limits and near them, before a halt and after it."""
    leaping, stepping, _ = wander_both(seed)
    assert leaping.events == stepping.events
    assert leaping.kill_switch.state == stepping.kill_switch.state
    assert leaping.everything()["high"] == stepping.everything()["high"]
    assert leaping.portfolio.peak_equity == stepping.portfolio.peak_equity


def test_a_great_many_moves_of_accounts_that_are_halted_or_near_a_limit_are_left_out():
    """Otherwise the test above would say nothing."""
    passed = Counter(what for seed in range(60) for what in wander_both(seed)[2])
    assert min(passed[what] for what in ("halted", "near", "calm")) > 50


def wander_both(seed: int) -> tuple[Life, Life, list[str]]:
    """The same prices for an account that is looked at only when it has to be, and for one that always is.

    Returns:
        Both, and what the first one was each time its prices moved without a look.
    """
    chance = random.Random(seed)
    windows = {"rapid_loss_window_s": D(chance.choice([30, 300])), "warn_at_share": D(chance.choice(["0.3", "0.8"]))}
    limits = msgspec.structs.replace(_limits(chance), **windows)
    leaping, stepping = (Life(limits, doubting=False, looks_always=which) for which in (False, True))
    leaping.monitor.observe()
    stepping.monitor.observe()
    passed: list[str] = []
    for _ in range(40):
        what = chance.choice([_mark, _mark, _slip, _fill, None, None, None, None])
        if what is not None:
            _to_both(what(chance), leaping, stepping)
            continue
        steps = [chance.choice([-60, -30, -5, 0, 0, 5, 30, 60]) for _ in range(chance.choice([1, 3, 8]))]
        passed += _wander(leaping, steps, looks=False)
        _wander(stepping, steps, looks=True)
    return leaping, stepping, passed


def _wander(life: Life, steps: list[int], *, looks: bool) -> list[str]:
    """One second after the other the price of KO is off its price before the first by so many cents."""
    begin = life.portfolio.positions["KO"].mark
    assert begin is not None
    shares, equity, now = life.portfolio.positions["KO"].quantity, life.portfolio.equity, life.clock.monotonic()
    values = [equity + shares * cents / 100 for cents in steps]
    if not looks and life.monitor.stays_calm(min(values), max(values)):
        what = "halted" if life.kill_switch.is_active() else "near" if life.monitor._warned else "calm"
        life.clock.move_to(life.clock.now() + timedelta(seconds=len(steps)))
        life.portfolio.mark("KO", begin + D(steps[-1]) / 100)
        moments = [(now + second, value) for second, value in enumerate(values, 1)]
        life.monitor.went_through(max(values), moments)
        return [what]
    for cents in steps:
        life.clock.move_to(life.clock.now() + timedelta(seconds=1))
        life.portfolio.mark("KO", begin + D(cents) / 100)
        life.monitor.observe()
    return []


def _stand_still(life: Life, seconds: int) -> None:
    for _ in range(seconds):
        life.clock.move_to(life.clock.now() + timedelta(seconds=1))
        life.monitor.observe()


@settings(max_examples=12, deadline=None)
@given(
    limits=LIMITS,
    seed=st.integers(0, 10_000),
    often=st.sampled_from([0.05, 0.3]),
    volatility=st.sampled_from([0.0002, 0.003]),
    kind=st.sampled_from([Whims, Resting]),
)
def test_steps_that_leave_out_what_has_not_changed_write_the_same_journal(limits, seed, often, volatility, kind):
    prices = minute_bars(450, ("AAA", "BBB"), seed=seed, missing=0.02, volatility=volatility)
    sparing, saw = run(prices, seed, often, limits, whole=True, kind=kind)
    with pytest.MonkeyPatch.context() as patch:
        take_the_plain_way(patch)
        always, had_to_see = run(prices, seed, often, limits, whole=True, kind=kind)
    assert told(sparing) == told(always)
    assert saw == had_to_see
    assert sparing.record.equity == always.record.equity
    ends = sparing.account.system.portfolio, always.account.system.portfolio
    assert ends[0].peak_equity == ends[1].peak_equity
