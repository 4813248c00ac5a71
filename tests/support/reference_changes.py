"""Changes of open orders in the second simulation.

Written from docs/strategies.md, docs/life-of-an-order.md and docs/backtest.md alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from tests.support.independent_reference import Reference
from tests.support.reference_prices import CENT, down, half_up, tick_of
from tests.support.reference_venue import Sent, Want
from tests.support.reference_words import Change, Said


def terms_after(want: Want, change: Change) -> Mapping[str, Fraction]:
    """The fields of an order that are different after a change."""
    terms = {"quantity": max(down(want.quantity * change.size, Fraction(1)), Fraction(1))}
    if want.limit is not None:
        terms["limit"] = _moved(want.limit, change.away)
    if want.stop is not None:
        terms["stop"] = _moved(want.stop, change.stop_away)
    if want.trail is not None:
        terms["trail"] = max(half_up(want.trail * change.trail, CENT), CENT)
    if want.trail_percent is not None:
        terms["trail_percent"] = max(half_up(want.trail_percent * change.trail, CENT), CENT)
    return {name: value for name, value in terms.items() if value != getattr(want, name)}


def _moved(price: Fraction, away: Fraction) -> Fraction:
    """The price so far away, on the tick."""
    price *= 1 + away
    price = half_up(price, tick_of(price))
    return half_up(price, tick_of(price))


class ChangingReference(Reference):
    """Also changes orders, when the answers about them have come."""

    _meant: Mapping[int, Sent] = MappingProxyType({})

    def _take_back(self) -> None:
        """Which order is meant is settled when it is said."""
        is_open = [order for order in self.out.orders if order.is_open and is_changeable(order)]
        meant = {}
        for one in self._said:
            own = [order for order in is_open if order.want.source == one.source]
            if isinstance(one, Change) and own:
                meant[id(one)] = own[one.place % len(own)]
        self._meant = meant
        super()._take_back()

    def _give(self, said: Said) -> None:
        super()._give(said)
        if not isinstance(said, Change) or (order := self._meant.get(id(said))) is None:
            return
        terms = terms_after(order.want, said)
        if not order.is_open or order in self._recalled or not terms:
            return
        if terms.get("quantity", order.want.quantity) <= order.filled:
            if "quantity" in terms:
                self._recall(order)
            return
        self._replace(order, terms)

    def _replace(self, order: Sent, terms: Mapping[str, Fraction]) -> None:
        want, number = replace(order.want, repeat=True, **terms), len(self.out.orders)
        left = replace(want, quantity=want.quantity - order.filled)
        order.is_open = False  # it takes no room beside the one that takes its place
        is_refused, shrinks = self.gate.refuses(left, eases=_eases(order, want)), self.gate.only_shrinks(left)
        order.is_open = True
        if is_refused:
            self.out.orders.append(Sent(want, status="denied", is_open=False, size=want.quantity))
            return
        self.gate.count(left)
        if self._is_late(order, want):
            self.out.orders.append(Sent(want, status="denied", is_open=False, size=want.quantity))
            return
        new = Sent(
            want,
            number,
            filled=order.filled,
            sent_on=order.sent_on,
            price=self.gate.price_of(want),
            only_shrinks=shrinks,
            older=order,
        )
        self.out.orders.append(new)
        self._leave(new, self._come)

    def _hear(self, until: int) -> bool:
        """What the older one has filled is filled of the newer one, too."""
        is_news = super()._hear(until)
        for order in self.out.orders:
            if order.older is not None and order.is_open and order.older.filled > order.filled:
                order.filled = order.older.filled
        return is_news

    def _come(self, order: Sent) -> None:
        """The changed order takes the place of the old one, if the venue lets it."""
        older = order.older
        assert older is not None
        if self._is_late(older, order.want):
            self.venue.turn_away(order)
        else:
            self.venue.leave(older, "replaced")
            order.traded, order.best, order.is_set_off = older.traded, older.best, older.is_set_off
            self.venue.arrive(order)

    def _is_late(self, older: Sent, want: Want) -> bool:
        """Too much has happened to the order for that change."""
        is_gone = not self.venue.has(older) or want.quantity <= older.traded
        return is_gone or (older.is_set_off and _trigger(want) != _trigger(older.want))


def _trigger(want: Want) -> tuple[Fraction | None, ...]:
    return want.stop, want.trail, want.trail_percent


def _eases(order: Sent, want: Want) -> bool:
    """The change only takes risk away."""
    old = order.want
    if want.quantity > old.quantity or _trigger(want) != _trigger(old):
        return False
    return want.limit is None or old.limit is None or (want.limit - old.limit) * want.side <= 0


def is_changeable(order: Sent) -> bool:
    """It is a simple order for whole shares that may rest."""
    want = order.want
    return not order.group and not want.is_fraction and want.time_in_force in ("day", "gtc")
