"""Planted bugs in what stormy days have no part in, each with tests of which one must fail while it is in.

`tests/support/bug_in_tests.py` puts one into a process of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quant_trading_system.app.alerting.delivery import Attempt, Delivery
from quant_trading_system.app.tokens import Role
from quant_trading_system.config import sections
from quant_trading_system.console import bodies, declared
from quant_trading_system.execution import account_lock
from quant_trading_system.execution.account_lock import FileAccountLock
from quant_trading_system.execution.algo import slicing
from quant_trading_system.execution.credentials import Credentials
from quant_trading_system.execution.order_group import OrderGroup
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.journal import sqlite_reader, verify
from quant_trading_system.journal.anchor import AnchorState
from quant_trading_system.risk import kill_switch
from quant_trading_system.risk.checks import order as order_checks
from quant_trading_system.risk.halt_state import Halt, LatchState, ResetApproval
from quant_trading_system.risk.reset import Standing
from quant_trading_system.trading.closing import Closer
from tests.support.planted_bugs import BUGS
from tests.support.planting import AnyBug, BugWithTests, Patch

UNIT = Path("tests/unit")


def _slices_are_floats(patch: Patch) -> None:
    def split(quantity: Decimal, weights: Any, lot: Decimal = Decimal(1)) -> tuple[Decimal, ...]:
        total = float(sum(weights))
        return tuple(Decimal(repr(float(quantity) * float(weight) / total)) for weight in weights)

    patch.setattr(slicing.largest_remainder, "__code__", split.__code__)


def _two_tokens_are_two_persons(patch: Patch) -> None:
    def approved(wish: Any, policy: Any, now: Any) -> Standing:
        new = ResetApproval(by=wish.by, at=now.isoformat(), reason=wish.reason, accepts_loss=wish.accepts_loss)
        return Standing(approvals=(*wish.halt.approvals, new), needed=policy.persons)

    patch.setattr(kill_switch, "approved", approved)


def _an_approval_outlives_its_halt(patch: Patch) -> None:
    real = kill_switch._raised

    def raised(state: LatchState, wanted: Halt) -> LatchState:
        found = real(state, wanted)
        kept = state.halt_of(wanted.scope).approvals
        return found.with_halt(msgspec.structs.replace(found.halt_of(wanted.scope), approvals=kept))

    patch.setattr(kill_switch, "_raised", raised)


def _nobody_asks_the_anchor(patch: Patch) -> None:
    patch.setattr(verify, "compare", lambda anchored, head, digest_at: AnchorState.MATCHES)


def _every_caller_is_let_in(patch: Patch) -> None:
    patch.setattr(declared, "admitted", lambda request, role: request.state.caller)


def _an_unknown_key_is_left_alone(patch: Patch) -> None:
    real = sections.Problems.note

    def note(self: Any, line: int, message: str) -> None:
        if " is no " not in message:
            real(self, line, message)

    patch.setattr(sections.Problems, "note", note)


def _exits_work_while_positions_are_closed(patch: Patch) -> None:
    patch.setattr(Closer, "_is_blocked", lambda self, symbol: False)
    for check in (order_checks.check_sell_within_held, order_checks.check_reduce_only):
        patch.setattr(check, "__code__", (lambda case: None).__code__)


def _no_answer_means_flat(patch: Patch) -> None:
    real = Closer._their_books

    async def their_books(self: Closer) -> Mapping[str, Decimal]:
        return await real(self) or {}

    patch.setattr(Closer, "_their_books", their_books)


def _the_first_entry_is_not_checked(patch: Patch) -> None:
    real = sqlite_reader.is_authentic
    patch.setattr(sqlite_reader, "is_authentic", lambda row, *words: row[0] == 1 or real(row, *words))


def _the_epoch_is_remembered(patch: Patch) -> None:
    patch.setattr(account_lock, "_read", lambda descriptor, path: None)


def _the_role_is_asked_afterwards(patch: Patch) -> None:
    real = declared.Route.endpoint

    def endpoint(self: declared.Route, desk: Any) -> Any:
        work = real(dataclasses.replace(self, role=Role.VIEWER), desk)

        async def answer(request: Any) -> Any:
            found = await work(request)
            declared.admitted(request, self.role)
            return found

        return answer

    patch.setattr(declared.Route, "endpoint", endpoint)


def _keys_show_in_texts(patch: Patch) -> None:
    patch.setattr(Credentials, "__repr__", lambda self: f"Credentials({self._key_id}, {self._secret_key})")


def _unknown_fields_are_left_alone(patch: Patch) -> None:
    patch.setattr(bodies, "_require_exact", lambda raw, value, where: None)


def _only_the_first_channel_is_tried(patch: Patch) -> None:
    async def tell(self: Delivery, group: str, title: str, body: str, weight: Any) -> Attempt:
        channel = self._groups[group][0]
        worked = await self._try(channel, title, body, weight)
        return Attempt(channel.name if worked else "", () if worked else (channel.name,), 0.0)

    patch.setattr(Delivery, "tell", tell)


def _the_backlog_has_no_end(patch: Patch) -> None:
    real = StreamSession._read

    async def read(self: StreamSession, socket: Any) -> None:
        self._limits = msgspec.structs.replace(self._limits, backlog=10**9)
        await real(self, socket)

    patch.setattr(StreamSession, "_read", read)


def _a_lock_without_a_file_is_a_lock(patch: Patch) -> None:
    patch.setattr(FileAccountLock, "flaw", lambda self: "")


def _exits_are_as_large_as_the_order(patch: Patch) -> None:
    patch.setattr(OrderGroup, "oversized", ())


def _in(directory: str, file: str, *tests: str) -> tuple[str, ...]:
    return tuple(str(UNIT / directory / f"{file}.py") + f"::{test}" for test in tests)


TESTED_BUGS: tuple[BugWithTests, ...] = (
    BugWithTests(
        "M22",
        "slices are divided as floats",
        _slices_are_floats,
        ("I6", "I14"),
        _in("execution/algo", "test_slices_and_schedules", "test_worked_splits"),
    ),
    BugWithTests(
        "M28",
        "one person with two words counts as two",
        _two_tokens_are_two_persons,
        ("I21",),
        _in("risk", "test_reset_approvals", "test_the_same_person_twice_is_one_person"),
    ),
    BugWithTests(
        "M29",
        "an approval counts for the next halt, too",
        _an_approval_outlives_its_halt,
        ("I21",),
        _in("risk", "test_reset_approvals", "test_an_approval_is_for_this_activation_and_for_what_it_says"),
    ),
    BugWithTests(
        "M33",
        "the anchor is not asked",
        _nobody_asks_the_anchor,
        ("I25",),
        _in("journal", "test_journal_verify", "test_tampering_is_found_and_the_first_bad_entry_named"),
    ),
    BugWithTests(
        "M36",
        "a route lets everybody in",
        _every_caller_is_let_in,
        ("I28",),
        _in("console", "test_console_roles", "test_a_role_is_let_in_exactly_where_it_is_enough"),
    ),
    BugWithTests(
        "M39",
        "an unknown key of the limits file is left alone",
        _an_unknown_key_is_left_alone,
        ("I31",),
        _in("config", "test_risk_params_loading", "test_a_broken_file_is_refused_with_its_whole_message"),
    ),
    BugWithTests(
        "M49",
        "exits work on while their position is closed",
        _exits_work_while_positions_are_closed,
        ("I36",),
        _in("trading", "test_liquidation", "test_a_working_exit_is_cancelled_before_the_rest_is_closed"),
    ),
    BugWithTests(
        "M54",
        "no answer about positions means flat",
        _no_answer_means_flat,
        ("I3", "I12"),
        _in("trading", "test_closing", "test_a_broker_that_does_not_answer_holds_up_the_closing_and_nothing_else"),
    ),
    BugWithTests(
        "M61",
        "the first entry is not checked",
        _the_first_entry_is_not_checked,
        ("I25",),
        _in("journal", "test_journal_verify", "test_tampering_is_found_and_the_first_bad_entry_named"),
    ),
    BugWithTests(
        "M62",
        "the epoch is not read from the lock",
        _the_epoch_is_remembered,
        ("I27",),
        _in("execution", "test_account_lock", "test_the_epoch_grows_by_one_with_each_taking"),
    ),
    BugWithTests(
        "M63",
        "the role is asked after the work",
        _the_role_is_asked_afterwards,
        ("I28",),
        _in("console", "test_console_halt", "test_a_trader_halts_and_does_not_resume"),
    ),
    BugWithTests(
        "M64",
        "keys stand in the text of an object",
        _keys_show_in_texts,
        ("I29",),
        _in("execution/alpaca", "test_alpaca_credentials", "test_keys_are_in_no_text_of_any_object"),
    ),
    BugWithTests(
        "M65",
        "unknown fields of a request are left alone",
        _unknown_fields_are_left_alone,
        ("I30",),
        _in("console", "test_console_bodies", "test_unknown_fields_are_refused_at_any_depth"),
    ),
    BugWithTests(
        "M68",
        "an alert ends with its first channel",
        _only_the_first_channel_is_tried,
        ("I33",),
        _in("app", "test_alerts", "test_the_second_channel_is_used_when_the_first_fails"),
    ),
    BugWithTests(
        "M72",
        "frames that wait have no bound",
        _the_backlog_has_no_end,
        ("I37",),
        _in(
            "execution/alpaca", "test_alpaca_stream", "test_a_backlog_beyond_the_bound_is_a_gap_that_the_history_closes"
        ),
    ),
    BugWithTests(
        "M74",
        "a lock whose file is gone is still a lock",
        _a_lock_without_a_file_is_a_lock,
        ("I27", "I20"),
        _in(
            "execution",
            "test_account_lock",
            "test_after_the_file_was_removed_the_next_one_gets_in_and_the_first_is_out",
        ),
    ),
    BugWithTests(
        "M75",
        "an exit is as large as the order, whatever filled",
        _exits_are_as_large_as_the_order,
        ("I36",),
        _in(
            "execution",
            "test_order_groups",
            "test_legs_of_an_entry_that_ends_in_part_are_cancelled_when_they_are_too_large",
        ),
    ),
)
"""In the order of their numbers."""

ALL_BUGS: tuple[AnyBug, ...] = tuple(sorted((*BUGS, *TESTED_BUGS), key=lambda bug: bug.number))
"""Those of the storms, too."""
