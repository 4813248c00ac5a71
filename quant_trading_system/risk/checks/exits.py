"""Which rules may refuse even a way out, and why: all others let pass what is proven to shrink a position."""

from __future__ import annotations

from collections.abc import Mapping

from quant_trading_system.core.decisions import Rule

_NO_PRICE = "without a usable price nobody knows what it would be sold at; a fresh quote ends it"
_IN_PARTS = "a mistyped size is mistyped in an exit, too; more is closed in parts"

EXITS_ASKED: Mapping[Rule, str] = {
    Rule.KILL_SWITCH: "a person or a trigger stopped everything; reducing and flattening let exits through",
    Rule.EXACT_ARITHMETIC: "with wrong arithmetic nothing is proven to shrink anything",
    Rule.RECONCILED: "it stays within what both sides know of",
    Rule.RESTRICTED: "a blocked symbol is not traded at all; a reduce-only one is",
    Rule.INSTRUMENT_TRADABLE: "the broker takes no order while it has suspended trading",
    Rule.ORDER_SUPPORTED: "the broker would refuse it",
    Rule.TRADING_HOURS: "the exchange would not take it",
    Rule.BLACKOUT: "a blocked window stops everything; a reduce-only one lets exits through",
    Rule.LOT_SIZE: "the broker would refuse a part of a share; any number of whole ones passes",
    Rule.PRICE_TICK: "the exchange would refuse it",
    Rule.QUOTE_PRESENT: _NO_PRICE,
    Rule.QUOTE_SANE: _NO_PRICE,
    Rule.MAX_QUOTE_AGE: _NO_PRICE,
    Rule.PRICE_COLLAR: "a price far on the hurting side is mistyped in an exit, too",
    Rule.MAX_QUANTITY: _IN_PARTS,
    Rule.MAX_NOTIONAL: _IN_PARTS,
    Rule.DUPLICATE_ORDER: "the same exit twice within seconds is a double click; `repeat` says that it is meant",
    Rule.CHECK_FAILED: "what cannot be read proves nothing",
}
"""In the order of the gate. A test holds every check to it."""
