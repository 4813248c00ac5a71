"""No sequence of file edits, restarts, wishes, answers and times makes limits looser than what people approved.

The oracle keeps its own idea of what is approved: it follows what is in force downwards, and upwards only when it
has itself counted two distinct persons of the list saying yes to that very value.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import ApprovalRefused
from tests.support.governed import PEOPLE, Governed, limits_with

CEILINGS = {
    "risk.max_position_pct": ("max_position_pct", ["0.05", "0.08", "0.1", "0.12"], 1),
    "orders.min_order_notional": ("min_order_notional", ["0", "1", "5", "20"], -1),
    "approvals.live_loosening_approvals": ("live_loosening_approvals", ["1", "2", "3"], -1),
}
"""Keys with their name, some values, and the sign of looser."""

values = st.fixed_dictionaries({}, optional={key: st.sampled_from(texts) for key, (_, texts, _) in CEILINGS.items()})
people = st.sampled_from([*PEOPLE, "Mallory", "ana"])
actions = st.one_of(
    st.tuples(st.sampled_from(["start", "edit", "propose"]), values),
    st.tuples(st.just("raise"), values, st.integers(1, 120)),
    st.tuples(st.just("yes"), people, st.integers(0, 3)),
    st.tuples(st.just("no"), people, st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
)


def file_of(texts: dict[str, str]) -> Any:
    kind = {"live_loosening_approvals": int}
    return limits_with(**{CEILINGS[key][0]: kind.get(CEILINGS[key][0], Decimal)(text) for key, text in texts.items()})


class Oracle:
    """What people approved, counted by hand."""

    def __init__(self) -> None:
        self.governed = Governed()
        self.approved = {key: self._now(key) for key in CEILINGS}
        self.raised: dict[str, tuple[Decimal, datetime]] = {}
        self.said: dict[str, set[str]] = {}
        self.needed: dict[str, int] = {}

    def _now(self, key: str) -> Decimal:
        return Decimal(getattr(self.governed.limits, CEILINGS[key][0]))

    def act(self, kind: str, *more: Any) -> None:
        governed, wishes = self.governed, self.governed.governance
        if kind == "start":
            governed.start(file_of(more[0]))
        elif kind == "edit":
            governed.edit(file_of(more[0]))
        elif kind == "propose":
            wishes.propose(more[0], by="Ana", why="a wish")
        elif kind == "raise":
            wishes.raise_until(more[0], governed.clock.now() + timedelta(minutes=more[1]), by="Ana", why="a wish")
        elif kind == "wait":
            governed.clock.move_to(governed.clock.now() + timedelta(minutes=more[0]))
            wishes.tend()
        elif governed.governance.approvals.waiting:
            waiting = governed.governance.approvals.waiting
            self.answer(kind, more[0], waiting[more[1] % len(waiting)].approval)

    def answer(self, kind: str, by: str, approval: str) -> None:
        if kind == "no":
            self.governed.governance.approvals.refuse(approval, by=by, reason="no")
            return
        proposal = next(p for p in self.governed.governance.pending if p.approval == approval)
        self.governed.approve(approval, by)
        if by.casefold() in {name.casefold() for name in PEOPLE}:
            self.said.setdefault(approval, set()).add(by.casefold())
        if len(self.said.get(approval, ())) >= self.needed[approval]:
            for change in (change for change in proposal.changes if change.key in CEILINGS):
                if proposal.until is None:
                    self.approved[change.key] = Decimal(change.now)
                else:
                    self.raised[change.key] = (Decimal(change.now), proposal.until)

    def check(self) -> None:
        now = self.governed.clock.now()
        for key, (_, _, sign) in CEILINGS.items():
            found, ceiling = self._now(key), self.approved[key]
            raised, until = self.raised.get(key, (ceiling, now))
            highest = max(ceiling * sign, raised * sign) if now < until else ceiling * sign
            assert found * sign <= highest, f"{key} is {found}, approved {ceiling}, raised {raised} until {until}"
            if found * sign < ceiling * sign:
                self.approved[key] = found  # tighter for good
        for view in self.governed.governance.approvals.waiting:
            self.needed.setdefault(view.approval, int(self._now("approvals.live_loosening_approvals")))


@settings(max_examples=120, deadline=None)
@given(st.lists(actions, max_size=25))
def test_limits_are_never_looser_than_what_people_approved(story):
    oracle = Oracle()
    for kind, *more in story:
        with suppress(ApprovalRefused):
            oracle.act(kind, *more)
        oracle.check()
    texts = oracle.governed.limits
    oracle.governed.start(file_of({}))  # and what is in force is what the journal says
    oracle.check()
    assert texts.authorized_approvers == PEOPLE
