"""Everything this package raises.

TradingError
  InvalidNumber          a float, NaN, infinity or absurd magnitude where an exact number belongs
  InvalidOrder           an order that no broker could accept; .field names the culprit
  InvalidTransition      an event that the order's state does not expect
  ConfigurationError     a settings or limits file that is refused as a whole
  MarketDataError        price data that cannot be trusted; says where
    UnnamedPrices          a file of one stock that does not say of which one
  EstimateError          returns or a matrix that no covariance can be built on; says what to do
  OptimizationError      no portfolio came out, so there is nothing to trade; says why
    InfeasiblePortfolio    the constraints contradict each other
    SolverFailed           no rung proved an answer; .reasons lists what was tried
  JournalError
    JournalDamaged         the record was changed, cut or replaced; .seq is the first bad entry
    JournalUnavailable     it cannot be written or read now; nothing may be sent
      JournalFull          the disk is full; nothing new is begun, cancels, halts and fills are still recorded
  KillSwitchIncomplete   the switch is active, but a step such as writing the latch failed; act by hand
  ApprovalRefused        the approval was not given, and nothing has changed; says what is missing
  ResetRefused           the kill switch stays active; says what is missing
    ResetPending           the approval is kept, and other persons have to follow
    AnotherActivation      the halt is another one than the person has looked at
  NotAllowed             who asks may not do this; nothing was done
  DrillFailed            a rehearsal could not be carried out; what it was to show is not shown
  NotReconciled          our books and the broker's differ, or could not be compared; nothing is sent
  StrategyError          a strategy broke its contract; only that strategy stops
  SweepInterrupted       a sweep ended early; what was finished is kept, and the same command goes on
  InvalidCommand         a request to a running engine that cannot be read; nothing was done
  EngineNotRunning       nobody listens at the door of the account
  EngineSilent           uncertain: the engine gave no answer; repeat the request with the same key
  ExecutionError         .order_id names the order
    OrderRefused           certain: the order is not working at the broker
      KillSwitchActiveError
      DuplicateOrderId
      BrokerRejected
      NotSent
    NotReplaceable         the order cannot be changed now; nothing was sent, it works on as it is
    OutcomeUnknown         uncertain: it may be working; ask the broker by client_order_id
      BrokerTimeout
      OrdersRemain
    UnknownOrder           no order of that id is on our books
"""

from __future__ import annotations


class TradingError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidNumber(TradingError, ValueError):
    """A value that is not an exact, finite, sensible number."""


class InvalidOrder(TradingError, ValueError):
    """The order contradicts itself or the table of legal combinations.

    Attributes:
        field: the field of `Order` to correct.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.args[1]}"


class InvalidTransition(TradingError):
    """The table of order states has no row for this pair."""


class ConfigurationError(TradingError, ValueError):
    """A configuration is refused as a whole; the one in force stays."""


class MarketDataError(TradingError, ValueError):
    """Market data is missing, malformed or contradicts itself."""


class UnnamedPrices(MarketDataError):
    """Neither the columns nor the name of a price file say whose prices it holds."""


class EstimateError(TradingError, ValueError):
    """Returns are too few, incomplete or constant, or a matrix is no covariance."""


class OptimizationError(TradingError):
    """No portfolio came out; whoever asked keeps what is held."""


class InfeasiblePortfolio(OptimizationError):
    """No weights satisfy all constraints at once."""


class SolverFailed(OptimizationError):
    """Nothing that was tried proved its answer.

    Attributes:
        reasons: one line for each method and solver that was tried, in order.
    """

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, reasons)
        self.reasons = reasons

    def __str__(self) -> str:
        return "; ".join([str(self.args[0]), *self.reasons])


class JournalError(TradingError):
    """Root of the errors of the journal."""


class JournalDamaged(JournalError):
    """What was recorded no longer adds up.

    Attributes:
        seq: the first entry that cannot be believed.
    """

    def __init__(self, seq: int, message: str) -> None:
        super().__init__(seq, message)
        self.seq = seq

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.args[1]}"


class JournalUnavailable(JournalError):
    """The journal cannot be written or read; whatever depends on it must not happen."""


class JournalFull(JournalUnavailable):
    """The disk is full: nothing new is begun, while cancels, halts and fills go on record from the reserve."""


class KillSwitchIncomplete(TradingError):
    """The switch is active in this process, but a step such as writing the latch failed; act by hand."""


class ApprovalRefused(TradingError):
    """An approval was not asked for, given or ended, and nothing has changed."""


class ResetRefused(TradingError):
    """The kill switch was not reset and is still active."""


class ResetPending(ResetRefused):
    """The approval is kept in the latch; the kill switch is still active until other persons have approved, too."""


class AnotherActivation(ResetRefused):
    """The halt is another one than whoever wants to lift it has looked at; it is still active."""


class NotAllowed(TradingError):
    """Who asks may not do this, or is not known any more; nothing was done."""


class DrillFailed(TradingError):
    """A rehearsal of the kill switch could not be carried out, so it has shown nothing; says what to look at."""


class NotReconciled(TradingError):
    """Our books and the broker's differ, or could not be compared; nothing is sent before that is explained."""


class StrategyError(TradingError, ValueError):
    """A strategy asked for something that strategies may not do."""


class SweepInterrupted(TradingError):
    """A sweep ended before all of its trials; what was finished is kept, and the same command goes on from there."""


class InvalidCommand(TradingError, ValueError):
    """A request to a running engine that cannot be read; nothing was done."""


class EngineNotRunning(TradingError):
    """Nobody listens at the door of the account; says how to start an engine, and what works without one."""


class EngineSilent(TradingError):
    """Uncertain: the engine took the request and gave no answer. Repeating it with the same key acts once."""


class ExecutionError(TradingError):
    """Root of the errors about one order.

    Attributes:
        order_id: the client order id; empty when the error concerns no single order.
    """

    def __init__(self, message: str, order_id: str = "") -> None:
        super().__init__(message)
        self.order_id = order_id


class OrderRefused(ExecutionError):
    """Certain: the order is not working at the broker."""


class KillSwitchActiveError(OrderRefused):
    """The kill switch is active; `str(error)` is the reason that it was given."""


class DuplicateOrderId(OrderRefused):
    """The client order id was used before for an order with other content.

    Attributes:
        field: the first field in which the two orders differ.
    """

    def __init__(self, order_id: str, field: str) -> None:
        super().__init__(
            f"client_order_id {order_id!r} was already used for an order with another {field}; "
            "give the new order a new id",
            order_id,
        )
        self.field = field

    def __reduce__(self) -> tuple[type[DuplicateOrderId], tuple[str, str]]:
        return type(self), (self.order_id, self.field)


class BrokerRejected(OrderRefused):
    """The broker answered this request with a definite no.

    Attributes:
        code: the broker's error code, 0 when it gave none.
    """

    def __init__(self, message: str, order_id: str = "", code: int = 0) -> None:
        super().__init__(message, order_id)
        self.code = code


class NotSent(OrderRefused):
    """Proof exists that no byte of the request left this process.

    Attributes:
        held_back: by ourselves, because the broker's requests per minute are used up, another order of the symbol is
            in doubt, or the order to be changed has filled in part; nothing is wrong with it.
    """

    def __init__(self, message: str, order_id: str = "", *, held_back: bool = False) -> None:
        super().__init__(message, order_id)
        self.held_back = held_back


class NotReplaceable(ExecutionError):
    """The order cannot be changed now; nothing was sent, and it works on as it is."""


class OutcomeUnknown(ExecutionError):
    """Uncertain: the order may be working; ask the broker by `client_order_id`, never send again."""


class BrokerTimeout(OutcomeUnknown):
    """No answer within the time allowed."""


class OrdersRemain(OutcomeUnknown):
    """The process has ended, and orders that it was to withdraw may be working still; look at the broker."""


class UnknownOrder(ExecutionError):
    """No order of that id is on our books."""
