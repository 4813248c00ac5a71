"""Many stormy days, one for each seed: counted, added up, and a bad one made as short as it goes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context

import msgspec

from quant_trading_system.app.stormy_day import stormy_day
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.storm.catalogue import IN_STORMS, covered
from quant_trading_system.simulation.storm.findings import Violation
from quant_trading_system.simulation.storm.plan import CALM, WHOLE_DAY, DayPlan, plan_of
from quant_trading_system.simulation.storm.virtual_time import Stuck

EXPECTED_WITHIN = 20
"""A kind of fault that may strike on so many days and never does is not tested; the campaign fails."""
MOST_ATTEMPTS = 80
"""Days that are tried to make a bad one shorter."""
PROGRESS_I = "I32"


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a day came to.

    Attributes:
        lives: how often the account's process was started.
        orders: those that left; `fills`: executions at the venue.
        injected: how often each kind of fault struck; `checks`: how often each invariant was checked.
        points: places at which the process could have died.
        digest: of the journal and of the venue's books.
    """

    plan: DayPlan
    lives: int
    orders: int
    fills: int
    injected: dict[str, int]
    checks: dict[str, int]
    violations: tuple[Violation, ...]
    points: int
    digest: str


class CampaignReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign came to; it `passed` when nothing was violated and no kind of fault was silent.

    Attributes:
        seeds: days that were begun; `days`: trading days of six and a half hours that they add up to.
        faults: strikes of all kinds together.
        invariants: checks of each.
        catalogue: the faults of the catalogue that struck; `catalogue_missed`: those that never did.
        crash_points: places at which a process could have died.
        violations: each with the seed of its day.
        silent: kinds that might have struck on `EXPECTED_WITHIN` days or more and never did.
    """

    seeds: int
    first_seed: int
    days: float
    lives: int
    orders: int
    fills: int
    faults: int
    faults_by_kind: dict[str, int]
    catalogue: list[str]
    catalogue_missed: list[str]
    crash_points: int
    invariants: dict[str, int]
    violations: list[dict[str, str | int]]
    silent: list[str]
    digest: str

    @property
    def passed(self) -> bool:
        """Nothing was violated, and every kind of fault that was due did strike."""
        return not self.violations and not self.silent


def day_report(plan: DayPlan) -> DayReport:
    """Live through a day and sum it up.

    What planted faults make the system log is for nobody: it is not printed where no log is set up.
    """
    package = logging.getLogger("quant_trading_system")
    if not package.hasHandlers():
        package.addHandler(logging.NullHandler())
    try:
        world = stormy_day(plan)
    except Stuck as stuck:
        violation = Violation(PROGRESS_I, "", f"nothing moves any more: {stuck}", ())
        return DayReport(
            plan=plan,
            lives=0,
            orders=0,
            fills=0,
            injected={},
            checks={},
            violations=(violation,),
            points=0,
            digest="stuck",
        )
    orders = world.auditor.orders_at_venue()
    head = world.disk.rows[-1][7] if world.disk.rows else b""
    books = f"{world.desk.venue.account().cash} {len(world.disk.rows)} {sorted(world.injected.items())}"
    return DayReport(
        plan=plan,
        lives=world.life.number,
        orders=len(world.auditor.sent),
        fills=sum(len(world.desk.venue.executions(order.client_order_id)) for order in orders),
        injected=dict(world.injected),
        checks=dict(world.findings.checks),
        violations=tuple(world.findings.violations),
        points=world.points.passed,
        digest=blake2b(head + books.encode(), digest_size=16).hexdigest(),
    )


def run_days(plans: Iterable[DayPlan], jobs: int) -> Iterator[DayReport]:
    """The reports of all days, in the order of the plans, from `jobs` processes."""
    if jobs == 1:
        yield from map(day_report, plans)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(day_report, plans, chunksize=4)


def campaign(
    first_seed: int, seeds: int, *, jobs: int = 1, minutes: int = 0, watch: Callable[[DayReport], None] | None = None
) -> tuple[CampaignReport, list[DayReport]]:
    """Run the days of `seeds` seeds; the sum, and the days on which something was violated.

    Args:
        minutes: how long every day is; 0 leaves it to chance.
        watch: is told every day as it ends.

    Raises:
        ConfigurationError: no seeds, no processes, or a day without a storm.
    """
    if seeds < 1 or jobs < 1 or (minutes and not CALM < minutes <= WHOLE_DAY):
        raise ConfigurationError(f"choose at least one seed and one job, and {CALM + 1} to {WHOLE_DAY} minutes")
    plans = [plan_of(seed, minutes) for seed in range(first_seed, first_seed + seeds)]
    totals, bad = _Totals(first_seed), []
    for day in run_days(plans, jobs):
        totals.add(day)
        if day.violations:
            bad.append(day)
        if watch is not None:
            watch(day)
    return totals.report(), bad


class _Totals:
    """Adds days up."""

    def __init__(self, first_seed: int) -> None:
        self._first_seed = first_seed
        self._seeds = self._minutes = self._lives = self._orders = self._fills = self._points = 0
        self._injected: Counter[str] = Counter()
        self._possible: Counter[str] = Counter()
        self._checks: Counter[str] = Counter()
        self._violations: list[dict[str, str | int]] = []
        self._digest = blake2b(digest_size=16)

    def add(self, day: DayReport) -> None:
        self._seeds += 1
        self._minutes += day.plan.minutes
        self._lives += day.lives
        self._orders += day.orders
        self._fills += day.fills
        self._points += day.points
        self._injected.update(day.injected)
        self._possible.update(day.plan.kinds)
        self._checks.update(day.checks)
        self._digest.update(day.digest.encode())
        self._violations += [
            {"seed": day.plan.seed, "invariant": found.invariant, "what": found.what} for found in day.violations
        ]

    def report(self) -> CampaignReport:
        """The sum of all days."""
        due = [kind for kind, days in self._possible.items() if days >= EXPECTED_WITHIN]
        return CampaignReport(
            seeds=self._seeds,
            first_seed=self._first_seed,
            days=round(self._minutes / WHOLE_DAY, 2),
            lives=self._lives,
            orders=self._orders,
            fills=self._fills,
            faults=self._injected.total(),
            faults_by_kind=dict(sorted((kind, self._injected[kind]) for kind in self._possible)),
            catalogue=covered(self._injected),
            catalogue_missed=sorted(set(IN_STORMS) - set(covered(self._injected))),
            crash_points=self._points,
            invariants=dict(sorted(self._checks.items(), key=lambda item: int(item[0][1:]))),
            violations=self._violations,
            silent=sorted(kind for kind in due if not self._injected[kind]),
            digest=self._digest.hexdigest(),
        )


def shrunk(day: DayReport) -> DayReport:
    """The same violation on a day with fewer kinds of fault, and a shorter one, as far as `MOST_ATTEMPTS` lead."""
    wanted = day.violations[0].invariant
    attempts = 0

    def still_bad(plan: DayPlan) -> DayReport | None:
        nonlocal attempts
        attempts += 1
        report = day_report(plan)
        return report if any(found.invariant == wanted for found in report.violations) else None

    best, size = day, max(len(day.plan.kinds) // 2, 1)
    while size and attempts < MOST_ATTEMPTS:
        for start in range(0, len(best.plan.kinds), size):
            kinds = best.plan.kinds[:start] + best.plan.kinds[start + size :]
            smaller = still_bad(msgspec.structs.replace(best.plan, kinds=kinds)) if kinds != best.plan.kinds else None
            if smaller is not None:
                best = smaller
                break
            if attempts >= MOST_ATTEMPTS:
                break
        else:
            size //= 2
    for minutes in (CALM + 10, CALM + 20, CALM + 40):
        if minutes < best.plan.minutes and (shorter := still_bad(msgspec.structs.replace(best.plan, minutes=minutes))):
            return shorter
    return best
