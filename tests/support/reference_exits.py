"""Where the exits of an order of the second simulation may lie.

Written from docs/rejections.md alone.
"""

from __future__ import annotations

from tests.support.reference_prices import BUY, CENT
from tests.support.reference_venue import ReferenceVenue, Want


def exits_are_misplaced(want: Want, venue: ReferenceVenue) -> bool:
    """One of them does not lie a cent away on its side: of the limit of the entry, or else of the market.

    The market is the last price or the middle of the quote, whichever refuses less.
    """
    if want.profit is None and want.loss is None:
        return False
    way, far = -want.side if want.leaves else want.side, venue.far(want)
    middle, last = sum(venue.quote(want.symbol)) / 2, venue.last[want.symbol]
    if want.loss is not None:
        kind = max(middle, last) if way == BUY else min(middle, last)
        bases = [kind - way * CENT]
        if want.limit is not None:
            bases.append(want.limit - way * CENT)
        if want.leaves and want.profit is not None:
            bases.append(want.profit - way * CENT)
        if any((want.loss - base) * way > 0 for base in bases):
            return True
        if want.limit is None and (want.loss - far) * way >= 0:
            return True
    if want.profit is None or want.leaves:
        return False
    if want.limit is not None:
        return (want.limit + way * CENT - want.profit) * way > 0
    kind = min(middle, last) if way == BUY else max(middle, last)
    return (kind + way * CENT - want.profit) * way > 0 or (far - want.profit) * way >= 0
