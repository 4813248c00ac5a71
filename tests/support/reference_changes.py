"""Changes of open limit orders in the second simulation.

Written from docs/strategies.md, docs/life-of-an-order.md and docs/backtest.md alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from tests.support.independent_reference import Reference
from tests.support.reference_prices import half_up, tick_of
from tests.support.reference_venue import Sent
from tests.support.reference_words import Change, Said


def moved(limit: Fraction, away: Fraction) -> Fraction:
    """The limit so far away, on the tick."""
    price = limit * (1 + away)
    price = half_up(price, tick_of(price))
    return half_up(price, tick_of(price))


class ChangingReference(Reference):
    """Also changes orders, where none is filled in parts."""

    def _take_back(self) -> None:
        """Which order is meant is settled when it is said."""
        is_open = [order for order in self.out.orders if order.is_open and is_changeable(order)]
        self._meant = {}
        for one in self._said:
            own = [order for order in is_open if order.want.source == one.source]
            if isinstance(one, Change) and own:
                self._meant[id(one)] = own[one.place % len(own)]
        super()._take_back()

    def _give(self, said: Said) -> None:
        super()._give(said)
        if isinstance(said, Change) and (order := self._meant.get(id(said))) is not None:
            limit = order.want.limit
            assert limit is not None
            if order.is_open and order not in self._recalled and moved(limit, said.away) != limit:
                self._replace(order, moved(limit, said.away))

    _meant: Mapping[int, Sent] = MappingProxyType({})

    def _replace(self, order: Sent, limit: Fraction) -> None:
        want, number = replace(order.want, limit=limit, repeat=True), len(self.out.orders)
        order.is_open = False  # it takes no room beside the one that takes its place
        is_refused = self.gate.refuses(want, eases=(limit - (order.want.limit or 0)) * want.side <= 0)
        shrinks = self.gate.only_shrinks(want)
        order.is_open = True
        if is_refused:
            self.out.orders.append(Sent(want, status="denied", is_open=False, size=want.quantity))
            return
        self.gate.count(want)
        new = Sent(
            want, number, sent_on=order.sent_on, price=self.gate.price_of(want), only_shrinks=shrinks, older=order
        )
        self.out.orders.append(new)
        self._leave(new, self._come)

    def _come(self, order: Sent) -> None:
        """The changed order takes the place of the old one, if that is still there."""
        assert order.older is not None
        if self.venue.give_way(order.older):
            self.venue.arrive(order)
        else:
            self.venue.turn_away(order)


def is_changeable(order: Sent) -> bool:
    """It is a simple limit order that may rest."""
    return order.want.kind == "limit" and not order.group and order.want.time_in_force in ("day", "gtc")
