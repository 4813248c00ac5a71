"""What the control surface is told: one form for each command, read strictly."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from quant_trading_system.simulation.admission import malformed
from quant_trading_system.simulation.alpaca_server.stream_faults import StreamFault
from quant_trading_system.simulation.faults import Faults

Form = TypeVar("Form")


def read_command(body: bytes, form: type[Form]) -> Form:
    """The command in a request.

    Raises:
        VenueRefusal: it is not of that form.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(str(error)) from None


class StreamName(StrEnum):
    """Which stream a fault concerns."""

    ORDERS = "trade_updates"
    DATA = "data"


class TimeCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of them: seconds to go on, a moment to go on to, or prices to go on by.

    Attributes:
        confirm: tell the quotes of then anew, where no price came at that moment.
    """

    seconds: float = 0.0
    to: datetime | None = None
    ticks: int = 0
    confirm: bool = False


class HoldCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether what clients ask for waits until the control surface moves time or settles."""

    orders: bool


class PriceCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A trade now.

    Attributes:
        price: dollars a share as text; `bid`, `ask`: the quote that goes with it, the usual one without them.
        hold: every later price is this one, until the symbol is released.
        seconds_ago: report the trade late.
    """

    symbol: str
    price: str
    bid: str = ""
    ask: str = ""
    hold: bool = False
    seconds_ago: float = 0.0


class SymbolCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Something about one symbol."""

    symbol: str


class StreamCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What happens to the next `times` frames of a stream."""

    stream: StreamName
    fault: StreamFault
    times: int = 1


class VenueFaultCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong at the venue of one account, or of all of them without a name."""

    faults: Faults
    account: str = ""


class LiquidateCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The broker closes a position by itself."""

    account: str
    symbol: str


class PostCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Money or shares move beside trades.

    Attributes:
        amount: dollars as text, negative when the account pays; `shares`: of `symbol` as text, negative out.
    """

    account: str
    activity_type: str
    amount: str = "0"
    shares: str = "0"
    symbol: str = ""
    description: str = ""


class BustCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An execution did not happen; its id is the reference of the trade in the books."""

    account: str
    execution: str


class CorrectCommand(BustCommand, kw_only=True, forbid_unknown_fields=True):
    """An execution was of another quantity or price, as text."""

    quantity: str = ""
    price: str = ""
