"""Whose leg is which at the broker, that gives legs ids of its own: from its ids to ours, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quant_trading_system.core.order_groups import LegKind, leader_id, leg_id, legs_of
from quant_trading_system.core.orders import Order


class LegNames:
    """Names of legs, learnt from the orders that lead them."""

    def __init__(self) -> None:
        """Know no leg yet."""
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}
        self._missing: dict[str, tuple[str, set[str]]] = {}

    def expect(self, group: Order) -> None:
        """A group is about to be sent, or was sent earlier; its legs have no ids at the broker yet."""
        missing = {leg.client_order_id for leg in legs_of(group).values()} - self._theirs.keys()
        if missing:
            self._missing[group.client_order_id] = (group.symbol, missing)

    def recognise(self, groups: Iterable[Order], legs: Mapping[str, str]) -> None:
        """Know what an earlier process has learnt; see `Broker.recognise`."""
        for ours, theirs in legs.items():
            self._join(ours, theirs)
        for group in groups:
            self.expect(group)

    def forget(self, leader: str) -> None:
        """The broker did not take the group, so it has no legs."""
        self._missing.pop(leader, None)

    def learn(self, leader: str, kind: LegKind, theirs: str) -> None:
        """The broker shows a leg under its leader; of somebody else's group nothing is learnt."""
        ours = leg_id(leader, kind)
        waiting = self._missing.get(leader)
        if waiting is None or ours not in waiting[1]:
            return
        self._join(ours, theirs)
        waiting[1].discard(ours)
        if not waiting[1]:
            del self._missing[leader]

    def _join(self, ours: str, theirs: str) -> None:
        self._ours[theirs], self._theirs[ours] = ours, theirs

    def ours(self, theirs: str) -> str:
        """Our id of a leg; empty when the order is none of our legs."""
        return self._ours.get(theirs, "")

    def theirs(self, ours: str) -> str:
        """The broker's id of a leg; empty when it is no leg, or was not shown yet."""
        return self._theirs.get(ours, "")

    def leader_of(self, ours: str) -> str:
        """The group of a leg of ours; empty for every other order."""
        leader = leader_id(ours)
        is_ours = ours in self._theirs or ours in self._missing.get(leader, ("", ()))[1]
        return leader if is_ours else ""

    def incomplete(self, symbol: str = "") -> tuple[str, ...]:
        """The leaders of groups (of `symbol`) of which the broker has not shown every leg."""
        return tuple(leader for leader, (of, _) in self._missing.items() if not symbol or of == symbol)
