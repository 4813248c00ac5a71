"""Errors: what each is certain of, what it can be caught as, and what it carries."""

import copy
import pickle

import pytest

from quant_trading_system.core import exceptions
from quant_trading_system.core.exceptions import (
    AnotherActivation,
    ApprovalRefused,
    BrokerRejected,
    BrokerTimeout,
    ConfigurationError,
    DrillFailed,
    DuplicateOrderId,
    EngineNotRunning,
    EngineSilent,
    EstimateError,
    ExecutionError,
    InfeasiblePortfolio,
    InvalidCommand,
    InvalidNumber,
    InvalidOrder,
    InvalidTransition,
    JournalDamaged,
    JournalError,
    JournalFull,
    JournalUnavailable,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    MarketDataError,
    NotAllowed,
    NotReconciled,
    NotReplaceable,
    NotSent,
    OptimizationError,
    OrderRefused,
    OrdersRemain,
    OutcomeUnknown,
    ResetPending,
    ResetRefused,
    SolverFailed,
    StrategyError,
    SweepInterrupted,
    TradingError,
    UnknownOrder,
    UnnamedPrices,
)

SAMPLES = [
    (InvalidNumber("0.1 is a float"), "0.1 is a float", {}),
    (InvalidOrder("stop_price", "a simple stop order needs it"), "stop_price: a simple stop order needs it",
     {"field": "stop_price"}),
    (InvalidTransition("no row"), "no row", {}),
    (ConfigurationError("no such key"), "no such key", {}),
    (MarketDataError("row 7"), "row 7", {}),
    (UnnamedPrices("which symbol is this?"), "which symbol is this?", {}),
    (JournalError("cannot be read"), "cannot be read", {}),
    (JournalDamaged(7, "is missing"), "entry 7: is missing", {"seq": 7}),
    (JournalUnavailable("disk full"), "disk full", {}),
    (JournalFull("disk full"), "disk full", {}),
    (EstimateError("KO has no bar"), "KO has no bar", {}),
    (OptimizationError("no portfolio"), "no portfolio", {}),
    (InfeasiblePortfolio("loosen the sectors"), "loosen the sectors", {}),
    (SolverFailed("nothing was proved", ("Clarabel: stalled",)), "nothing was proved; Clarabel: stalled",
     {"reasons": ("Clarabel: stalled",)}),
    (KillSwitchIncomplete("latch not written"), "latch not written", {}),
    (ApprovalRefused("Cid is not on the list"), "Cid is not on the list", {}),
    (ResetRefused("a reason is missing"), "a reason is missing", {}),
    (AnotherActivation("it was halted again"), "it was halted again", {}),
    (NotAllowed("Dan is not known any more"), "Dan is not known any more", {}),
    (DrillFailed("the venue did not start"), "the venue did not start", {}),
    (SweepInterrupted("7 of 9 trials"), "7 of 9 trials", {}),
    (ResetPending("1 of 2 approvals"), "1 of 2 approvals", {}),
    (NotReconciled("positions differ"), "positions differ", {}),
    (StrategyError("asked for cash"), "asked for cash", {}),
    (InvalidCommand("unknown field `more`"), "unknown field `more`", {}),
    (EngineNotRunning("nobody listens"), "nobody listens", {}),
    (EngineSilent("no answer in 5 s"), "no answer in 5 s", {}),
    (ExecutionError("failed", "5f1c-1-0"), "failed", {"order_id": "5f1c-1-0"}),
    (ExecutionError("concerns no order"), "concerns no order", {"order_id": ""}),
    (OrderRefused("no", "5f1c-1-0"), "no", {"order_id": "5f1c-1-0"}),
    (KillSwitchActiveError("daily loss"), "daily loss", {"order_id": ""}),
    (DuplicateOrderId("5f1c-1-0", "quantity"),
     "client_order_id '5f1c-1-0' was already used for an order with another quantity; give the new order a new id",
     {"order_id": "5f1c-1-0", "field": "quantity"}),
    (BrokerRejected("insufficient buying power", "5f1c-1-0", 40310000), "insufficient buying power",
     {"order_id": "5f1c-1-0", "code": 40310000}),
    (BrokerRejected("no"), "no", {"order_id": "", "code": 0}),
    (NotSent("refused to connect", "5f1c-1-0"), "refused to connect", {"order_id": "5f1c-1-0", "held_back": False}),
    (NotReplaceable("it is filled", "5f1c-1-0"), "it is filled", {"order_id": "5f1c-1-0"}),
    (OutcomeUnknown("cut off", "5f1c-1-0"), "cut off", {"order_id": "5f1c-1-0"}),
    (OrdersRemain("the broker has not confirmed"), "the broker has not confirmed", {"order_id": ""}),
    (BrokerTimeout("no answer in 5 s", "5f1c-1-0"), "no answer in 5 s", {"order_id": "5f1c-1-0"}),
    (UnknownOrder("not on our books", "5f1c-1-0"), "not on our books", {"order_id": "5f1c-1-0"}),
]  # fmt: skip


def described(error):
    return type(error), str(error), vars(error)


@pytest.mark.parametrize(("error", "text", "facts"), SAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_says_what_happened_and_carries_the_facts(error, text, facts):
    assert (type(error), text, facts) == described(error)
    assert isinstance(error, TradingError)


def test_every_error_has_a_sample_above():
    kinds = {kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, TradingError)}
    assert kinds - {TradingError} == {type(error) for error, _, _ in SAMPLES}


@pytest.mark.parametrize("error", [error for error, _, _ in SAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_out_of_a_worker_process(error):
    assert described(error) == described(pickle.loads(pickle.dumps(error)))
    assert described(error) == described(copy.copy(error))


@pytest.mark.parametrize("certain", [KillSwitchActiveError, DuplicateOrderId, BrokerRejected, NotSent])
def test_a_refusal_is_certain_and_never_an_unknown_outcome(certain):
    assert issubclass(certain, OrderRefused)
    assert not issubclass(certain, OutcomeUnknown)


def test_a_timeout_is_an_unknown_outcome_and_never_a_refusal():
    assert issubclass(BrokerTimeout, OutcomeUnknown)
    assert not issubclass(BrokerTimeout, OrderRefused)


def test_everything_about_one_order_can_be_caught_as_an_execution_error():
    for kind in (OrderRefused, OutcomeUnknown, UnknownOrder):
        assert issubclass(kind, ExecutionError)


@pytest.mark.parametrize("kind", [InvalidNumber, InvalidOrder, ConfigurationError, MarketDataError])
def test_wrong_values_can_be_caught_as_value_errors(kind):
    """Which also lets decoders report them as part of what they were reading."""
    assert issubclass(kind, ValueError)


def test_no_error_of_trading_is_caught_by_who_expects_failures_of_the_system():
    kinds = [kind for kind in vars(exceptions).values() if isinstance(kind, type)]
    assert [] == [kind for kind in kinds if issubclass(kind, OSError | TimeoutError | LookupError)]
