"""Ids are pure functions of what they name: the same intent has the same id across retries and restarts."""

from __future__ import annotations

import re
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

MAX_CLIENT_ORDER_ID = 128
LONGEST_TAG = 64
OUR_PREFIX = "qts"
"""Begins every client order id of an account at a broker."""

_NAME = re.compile(
    r"(?P<run>(?:qts(?P<epoch>[1-9][0-9]{0,17})-)?[0-9a-f]+)-(?P<intent>[0-9]{1,18})-(?P<slice>[0-9]{1,18})"
)
_OURS = re.compile(r"(qts[0-9]+-)?[0-9a-f]{12}-[0-9]+-[0-9]+(\.r[0-9]+)?")
_REPLACEMENT = ".r"


def is_tag(text: object) -> bool:
    r"""It can stand beside an order: text of one line and at most `LONGEST_TAG` printable characters.

    >>> is_tag("entry 2"), is_tag("entry\n2"), is_tag(2)
    (True, False, False)
    """
    return type(text) is str and len(text) <= LONGEST_TAG and text.isprintable()


def run_id(*parts: object) -> str:
    """Twelve hex digits that depend only on `parts`, such as strategy name, seed and configuration hash."""
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def sender_run_id(epoch: int, *parts: object) -> str:
    """The id of a run at a broker: it begins with `OUR_PREFIX` and the epoch of the account lock.

    Whoever shares the account, but not our journal, gives itself away by the first order: it has our prefix
    and a run that we never began.

    >>> sender_run_id(7, "an account", "a host")
    'qts7-124bffc90666'
    """
    return f"{OUR_PREFIX}{epoch}-{run_id(*parts)}"


def client_order_id(run: str, intent: int, slice_no: int = 0) -> str:
    """Same inputs, same id: a crash between writing and sending cannot make two orders.

    >>> client_order_id("5f1c", 12, 3)
    '5f1c-12-3'
    """
    return f"{run}-{intent}-{slice_no}"


class OrderName(NamedTuple):
    """What a client order id says.

    Attributes:
        run: as on record in `RunStarted`.
        intent: its number within the run, from 1; `slice_no`: its part, 0 for the whole.
        epoch: of the account lock under which it was sent, from 1; 0 for a run that took no lock.
    """

    run: str
    intent: int
    slice_no: int
    epoch: int


def parse_client_order_id(text: str) -> OrderName | None:
    """Read an id that `client_order_id` or `replacement_id` could have written; None for every other text.

    An order at the broker is another sender's when its run is on record nowhere in our journal, above all when
    its epoch is higher than ours.

    >>> parse_client_order_id("qts7-124bffc90666-12-0")
    OrderName(run='qts7-124bffc90666', intent=12, slice_no=0, epoch=7)
    >>> parse_client_order_id("typed by hand") is None
    True
    """
    found = _NAME.fullmatch(original_id(text))
    if found is None:
        return None
    return OrderName(found["run"], int(found["intent"]), int(found["slice"]), int(found["epoch"] or 0))


def is_our_make(order_id: str) -> bool:
    """True when only a program like this one gives such ids: a foreign order with one has a second engine behind it.

    >>> is_our_make("0ca34559d7d2-1-0"), is_our_make("6f2c9a6e-7f0e-4f36-9a55-0f7c5d9b7c11")
    (True, False)
    """
    return _OURS.fullmatch(order_id) is not None


def replacement_id(original: str, number: int) -> str:
    """The id of the n-th order that is to take the place of an original one, of the same intent.

    >>> replacement_id("5f1c-12-0", 1)
    '5f1c-12-0.r1'
    """
    return f"{original}{_REPLACEMENT}{number}"


def original_id(client_order_id: str) -> str:
    """The first order of the chain that an order of that id belongs to."""
    head, mark, number = client_order_id.rpartition(_REPLACEMENT)
    return head if mark and number.isdecimal() else client_order_id


def replacement_number(client_order_id: str) -> int:
    """How many changes the order of that id has behind it: n of `replacement_id`, 0 for an original one."""
    _, mark, number = client_order_id.rpartition(_REPLACEMENT)
    return int(number) if mark and number.isdecimal() else 0


def execution_id(venue_order: str, fill_no: int) -> str:
    """The id of the n-th execution of one order at a simulated venue."""
    return f"{venue_order}:{fill_no}"


class IntentCounter:
    """Numbers the intents of one run, starting after the last one that the journal knows."""

    def __init__(self, run: str, last: int = 0) -> None:
        self.run = run
        self._numbers = count(last + 1)  # whose next() no other thread can interrupt

    def next_order_id(self) -> str:
        """A fresh client order id for a new intent."""
        return client_order_id(self.run, next(self._numbers))

    def next_parent_id(self) -> str:
        """A fresh id for a parent order; its children are ``{id}-1``, ``{id}-2``, … of the same intent."""
        return f"{self.run}-{next(self._numbers)}"
