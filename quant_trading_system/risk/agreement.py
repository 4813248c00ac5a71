"""How far our books and the broker's are known to agree, for the gate: what it must not let grow, and why."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.breaks import Break, BreakKind
from quant_trading_system.core.numbers import ZERO


class Agreement:
    """Breaks that are open, and reasons for which nothing can be said; empty where no broker keeps other books.

    Attributes:
        broker_lost: why the broker is not heard: its order stream is down, or questions get no answer; empty when it
            is.

    Not locked: it is written and read by the thread that trades.
    """

    def __init__(self) -> None:
        self.broker_lost = ""
        self._doubts: dict[str, str] = {}
        self._account = ""
        self._unanswered = ""
        self._symbols: dict[str, str] = {}
        self._theirs: dict[str, Decimal] = {}

    def doubt(self, source: str, why: str) -> None:
        """Shut new risk for the whole account until `source` trusts the books again."""
        self._doubts.setdefault(source, why)
        self._listen()

    def trust(self, source: str) -> None:
        """`source` has nothing more against the books."""
        self._doubts.pop(source, None)
        self._listen()

    @property
    def doubts(self) -> dict[str, str]:
        """Source to reason, the oldest first."""
        return dict(self._doubts)

    def _listen(self) -> None:
        self.broker_lost = self._doubts.get("stream", "") or self._unanswered

    def set_breaks(self, breaks: Iterable[Break]) -> None:
        """These breaks are open, and no others."""
        blocking = [found for found in breaks if found.blocks]
        self._account = "; ".join(str(found) for found in blocking if not found.symbol)
        self._unanswered = next((str(found) for found in blocking if found.kind is BreakKind.INCOMPLETE), "")
        self._listen()
        self._symbols = {}
        self._theirs = {}
        for found in blocking:
            if not found.symbol:
                continue
            before = self._symbols.get(found.symbol)
            self._symbols[found.symbol] = f"{before}; {found}" if before else str(found)
            if found.kind is BreakKind.POSITION:
                self._theirs[found.symbol] = Decimal(found.theirs)

    def obstacle(self, symbol: str) -> str:
        """Why no new risk may be taken in `symbol` now; empty when it may."""
        if self._doubts:
            return next(iter(self._doubts.values()))
        return self._account or self._symbols.get(symbol, "")

    def obstacles(self, symbol: str = "") -> list[str]:
        """Everything that is open: of the account and all symbols, or of the account and `symbol`."""
        of_symbols = [why for name, why in self._symbols.items() if not symbol or name == symbol]
        return [*self._doubts.values(), *filter(None, [self._account]), *of_symbols]

    def room_to_leave(self, symbol: str, held: Decimal) -> Decimal:
        """Signed shares of `held` that the broker's books show as well; a way out must stay within them."""
        theirs = self._theirs.get(symbol)
        if theirs is None:
            return held
        if (theirs > 0) != (held > 0):
            return ZERO
        return min(held, theirs) if held > 0 else max(held, theirs)
