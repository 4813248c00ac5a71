# ruff: noqa: E501 - a table is read in lines, one fault to each
"""The faults that this system must survive, by name. Names are stable: new ones are added, none is given a new meaning.

A test that provokes a fault and checks what must hold says so with ``@pytest.mark.fault("answer-lost")``;
`docs/faults.md` lists both. A name that is not here fails the collection. Stormy days provoke those that name kinds
of weather.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing that can go wrong.

    Attributes:
        what: happens, in words for users; `holds`: what must be true all the same.
        kinds: of weather that bring it on a stormy day, by name and between spaces; it struck when all of them did.
    """

    name: str
    what: str
    holds: str
    kinds: str = ""


def _group(*rows: str) -> tuple[Fault, ...]:
    return tuple(Fault(*(cell.strip() for cell in row.split("|"))) for row in rows)


CATALOGUE: dict[str, tuple[Fault, ...]] = {
    "process": _group(
        "engine-killed | the engine is killed at any moment | nothing is lost or sent twice; the books agree afterwards | process.kill",
        "killed-before-sending | killed after the record, before the request leaves | the order is in doubt, never sent on by itself, and given up when proven absent",
        "killed-before-answer | killed after the broker has the order | it is found by its id and counts in full meanwhile",
        "killed-in-recovery | killed again while it recovers | recovering again gives the same books",
        "killed-in-replace | killed at any point of a replace | the quantity counts once, and one leg lives",
        "killed-while-halted | killed under a halt | the next process is halted and sends nothing",
        "killed-in-commit | killed in the middle of a write | what was durable is there; a torn tail is cut",
        "engine-paused | the process stands still for a while | nothing is sent before a look at the broker's books | process.pause",
        "engine-hangs | the loop hangs or does nothing | the watchdog halts and cancels with its own connection",
        "strategy-fails | a strategy raises | it stops alone, on record; fills are booked all the same",
        "task-cancelled | the task that sends is cancelled | before the request leaves: not sent; after: in doubt",
        "loop-fails | the engine fails unexpectedly | the account is halted before the process ends",
        "stop-with-orders | told to stop while orders work | they are cancelled or left as chosen, on record | process.stop",
        "stop-told-twice | told to stop again while a stop waits for the broker | it waits no longer, names what is not confirmed, and closes the run on record",
        "wall-clock-jumps | the wall clock is set wrong, or was in an earlier process | no timer fires, no order is given up early | clock.jump",
        "clock-differs | our clock is not the broker's | told; beyond max_clock_skew_s no new risk, and ways out go by the broker's time | clock.jump",
        "broker-clock-jumps | the broker's clock jumps | told; no new risk, and its time is not believed before it says so again",
        "session-changed | the exchange closes early or for a day, and no calendar knew | the broker's calendar is followed, the difference told | session.unscheduled_close",
        "day-not-closed | the process ends within a day and starts on a later one | the day is closed on record at the equity last known",
        "crash-loop | every start fails | bounded: the account is halted, its orders withdrawn, and a person has to look",
        "venue-killed | the broker goes away and comes back | the engine notices, catches up and goes on | http.maintenance",
        "night-passes | a night lies between two steps: stopped, killed or asleep, also while the clocks change | the day is rolled by the calendar; the books agree in the morning | session.night",
        "closes-early | the exchange closes early, as announced | what it ends is ended on record | session.early_close",
        "watchdog-gone | the watchdog dies | no new risk until there is one again | watchdog.dies",
    ),
    "requests": _group(
        "request-lost | an order never arrives and nobody answers | in doubt, its symbol frozen, given up after repeated denials, never sent again | submit.drop_request",
        "answer-lost | the broker has the order, its answer is lost | found by its id; one order | submit.drop_response",
        "answer-lost-and-filled | as above, and it has filled already | every fill is booked once",
        "request-late | an order arrives long after we gave up | adopted whenever it shows, and cancelled | submit.late_arrival",
        "lookup-denies | a lookup says no although the order exists | one denial settles nothing | lookup.false_404",
        "server-error | 5xx instead of an answer | ambiguous for an order, one look by id; reads are tried again, boundedly | submit.status submit.status_accepted",
        "rate-limited | 429 | an order is given back; reads wait; cancels go first | submit.rate_limited",
        "keys-refused | 401 or 403 | told at once, with no key in the text",
        "order-rejected | the broker refuses an order | final, with the broker's words kept as data | submit.reject",
        "id-known-already | the broker has seen the id before | it means look it up, never failed",
        "answer-unreadable | garbage, empty or cut bodies | no answer; in doubt and looked up | submit.garbage submit.empty submit.truncated",
        "answer-about-another | the answer shows another order | never believed, alarm | submit.wrong_echo",
        "rejected-after-acceptance | an accepted order is rejected later | its room is given back once | order.reject_later",
        "storm-of-errors | errors for a long time | a bounded number of requests; the books agree afterwards | http.storm",
        "body-endless | an answer too large, too slow or without end | cut off; no answer",
        "redirected | a redirect, a wrong certificate or an unknown host | nothing is followed, no key travels",
        "dead-connection | a connection that the server has closed | a write on it is never repeated by the library",
        "sent-twice | one order submitted twice, also at once or after a restart | sent once, same answer",
        "list-incomplete | a page is missing, repeated or broken | all pages or no answer, never an empty list | list.page_cap",
        "no-connection | nobody listens | proven not sent | submit.refused",
        "reads-unanswered | no answer to questions | silence settles nothing | read.drop_request",
        "list-lags | a list leaves out what is young | no order is lost for it | list.omit_recent",
    ),
    "cancels": _group(
        "fill-races-cancel | a fill overtakes a cancel | the fill counts; the refused cancel is no error",
        "fill-after-cancel | a fill after the confirmed cancel | it is booked | fill.late",
        "cancel-lost | a cancel is accepted and forgotten, or has no answer | it stays wanted, is asked for again, is never shown as done | cancel.lost cancel.drop_request cancel.drop_response",
        "cancel-refused | the broker refuses a cancel | the order works on, and the cancel is tried again | cancel.reject",
        "cancel-in-doubt | a cancel for an order in doubt | carried out as soon as the order shows",
        "fill-races-replace | a fill overtakes a replace | it counts against both; never less than nothing remains | ops.replace fill.parts",
        "replace-answer-lost | the answer to a replace is lost | the new order is found by its id; one leg lives",
        "replace-refused | a replace is refused | the old order keeps working with its room",
        "late-fill-of-replaced | the replaced order fills late | it counts against the same intent",
        "exit-lost | an exit of an entry that has filled is gone | told after two seconds and again every ten minutes, also after a restart",
        "overfill | more shares than were ordered | booked, told, and the symbol frozen",
        "others-cancel | somebody else cancels everything | it is seen and booked | account.cancel_all",
    ),
    "books": _group(
        "fill-twice | an execution is told twice, or under two names | booked once | stream.dup fill.double",
        "fills-out-of-order | executions come in any order | the same books in the end | stream.reorder report.delayed",
        "fill-lost | the stream loses an execution | fetched from the history | report.lost",
        "fill-before-answer | a fill before the acknowledgement | booked for the known order",
        "order-foreign | orders that others gave | on the books as theirs, counted, nobody's profit | account.external_order",
        "order-foreign-unseen | the stream tells of an order of others that the broker never shows | a break with age and owner, told; asked for at the usual pace",
        "order-of-our-make | an order with an id of ours that nobody here sent | the account halts",
        "bust | an execution is taken back, also days later | reversed as a new entry, with profit and streak | fill.bust",
        "correction | price or quantity of an execution changes | rebooked as a new entry | fill.correct",
        "fill-senseless | an execution without sense | set apart and looked up, never booked",
        "position-differs | the broker's positions differ from ours | new risk is shut for the symbol; nothing is booked by itself",
        "corporate-action | a split or a change of the name moves shares without a trade | a break with its cause and a proposal; exits pass, a named person books it | account.split",
        "cash-differs | the broker's cash differs | told to the cent; beyond fees it shuts new risk",
        "fees-and-transfers | fees, dividends and transfers | own entries; a transfer is no profit | account.dividend account.fee account.transfer",
        "liquidated | the broker closes a position | the account halts | account.liquidate",
        "fill-replayed | an execution of long ago is told again | not booked again | stream.old_replay",
        "history-lags | the history is behind the stream | no fill is lost, none counted twice | history.lag",
        "trading-halted | the exchange halts a symbol, and lets it trade again | told; its orders wait, its books agree | session.halt",
    ),
    "order stream": _group(
        "stream-cut | the stream breaks while things happen | the gap is read from the history before new risk | stream.cut",
        "stream-mute | connected, and nothing comes | found out, connected again | stream.mute",
        "stream-refused | no connection for a while | growing, bounded pauses; the history is polled | stream.refuse",
        "stream-flaps | it breaks every few seconds | no storm of requests",
        "event-unknown | an event that nobody knows | its order is looked up | stream.unknown_event",
        "stream-garbage | bytes without sense | counted and set apart; its order looked up | stream.null_data stream.garbage stream.half_frame",
        "listener-fails | a listener raises on a message | the stream goes on; the message is told again",
        "backlog | more messages than can be taken | bounded; a gap that the history closes",
        "end-before-middle | the end of an order comes first | nothing takes a final order back",
    ),
    "prices": _group(
        "feed-stops | prices stop, for one symbol or all | noticed; what needs a price is refused | feed.stop feed.cut",
        "price-senseless | NaN, zero, negative or crossed | refused by name, never compared with | feed.nan feed.zero feed.negative feed.crossed feed.future feed.garbage",
        "prices-jump | ten times too high for a tick | no order at it; nothing is closed at it | feed.spike",
    ),
    "halts": _group(
        "halt-between-check-and-send | a halt after the check, before the send | the order does not leave | ops.halt_midway",
        "latch-unreadable | the latch is damaged, removed or unreadable | it counts as active",
        "latch-disk-fails | the halt cannot be written | it holds in this process, and is told",
        "halt-from-outside | another process halts or resets | noticed, on record, and it counts | ops.halt",
        "halt-and-reset-race | both at the same time | the halt wins",
        "cancels-starved | the limit of requests is used up | cancels go out at once | http.rate",
        "halt-unrecorded | the journal fails during a halt | the halt and its cancels happen all the same",
        "command-repeated | somebody asks a running engine for the same again, also after a restart | done once for its key, same answer | ops.door",
        "limits-loosened | the limits file lets more through than was approved | it waits for people; what is tighter holds at once | ops.limits",
    ),
    "storage": _group(
        "disk-full | the disk fills up | nothing new is sent; halts and cancels are recorded from a reserve | disk.full",
        "write-fails | a write or a sync fails | never tried again; nothing unrecorded is sent | disk.sync_fails",
        "journal-edited | entries are changed, inserted, swapped or removed | verify names the first; no start on it",
        "journal-cut | the tail is cut, or an older copy is put in place | found by the anchor",
        "bits-flipped | bits of the file flip | found, or without effect",
        "journal-gone | the journal vanishes | no new one is begun in its place",
        "snapshot-bad | a snapshot is damaged or of another version | ignored, with the reason | disk.snapshot_garbled disk.snapshot_old",
        "power-lost | power is lost, with entries that were not synced | nothing was sent that is not on disk | disk.loses_unsynced",
        "disk-slow | syncs take seconds | orders wait for their record | disk.slow",
    ),
    "one sender": _group(
        "second-engine | a second engine for the account | refused, and told who has it | process.second",
        "lock-removed | the lock file is removed or replaced | the holder notices before its next order",
        "wrong-account | keys of another account, or a mode that does not fit | refused before anything is sent",
    ),
}
"""By group, in the order of the page."""

NAMES = frozenset(fault.name for faults in CATALOGUE.values() for fault in faults)
IN_STORMS: Mapping[str, tuple[str, ...]] = {
    fault.name: tuple(fault.kinds.split()) for faults in CATALOGUE.values() for fault in faults if fault.kinds
}
"""The faults that stormy days provoke, and the kinds of weather that each of them takes."""


def covered(strikes: Mapping[str, int]) -> list[str]:
    """The faults of which every kind struck, in the order of the catalogue."""
    return [name for name, kinds in IN_STORMS.items() if all(strikes.get(kind, 0) for kind in kinds)]
