"""What goes wrong elsewhere: `alpaca-py` as most scripts use it, beside this system, under the same faults.

python tools/naive_client.py               the table of docs/naive-client.md
python tools/naive_client.py --seed 3      with another series of mixed faults

Both are to buy 1 share, then 2, then 3 … of KO on a local venue, each on an account of its own. The script sends
again when it gets no answer, and counts what the stream tells it. Nothing in it is contrived: it is the example of
the SDK's documentation in a loop, with a retry.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quant_trading_system.app.live import LiveAccount, open_account  # noqa: E402 - found once the line above has run
from quant_trading_system.app.live_parts import LiveSetup  # noqa: E402
from quant_trading_system.app.surroundings import Surroundings  # noqa: E402
from quant_trading_system.config.loader import default_limits  # noqa: E402
from quant_trading_system.core.instruments import Instrument, Universe  # noqa: E402
from quant_trading_system.core.numbers import plain  # noqa: E402
from quant_trading_system.core.order_state import OrderStatus  # noqa: E402
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce  # noqa: E402
from quant_trading_system.core.signals import Signal  # noqa: E402
from quant_trading_system.execution.credentials import TradingMode, read_access  # noqa: E402
from quant_trading_system.execution.order_manager import Placed  # noqa: E402
from quant_trading_system.trading.strategy import MarketView, Strategy  # noqa: E402
from tests.support.alpaca_sdk import MarketOrderRequest, TradingClient  # noqa: E402
from tests.support.alpaca_sdk import OrderSide as SdkSide  # noqa: E402
from tests.support.alpaca_sdk import TimeInForce as SdkTime  # noqa: E402
from tests.support.sdk_streams import order_stream  # noqa: E402
from tests.support.venue_process import Keys, VenueProcess, running_venue  # noqa: E402
from tools.docs_tables import table  # noqa: E402

SYMBOL, PRICE, CASH = "KO", "60", "1000000"
ROUNDS, STRUCK = 4, 2
"""Orders of a scenario, and which of them the fault strikes, from 1."""
MIXED_ROUNDS = 12
TRIES = 3
HEAR_S = 2.0
"""Seconds that the script waits for the report of a fill."""
PATIENCE = timedelta(seconds=180)
"""How long this system is given to find out; it gives an order up that never arrived after two minutes."""
PAUSE = timedelta(milliseconds=200)

Fault = Callable[[VenueProcess], None]


class Outcome(NamedTuple):
    """What became of it; shares.

    Attributes:
        decided: how many orders were wanted and sent; `orders`: how many the venue has.
        held: at the venue; `believed`: by the client's own books.
    """

    decided: int
    orders: int
    held: Decimal
    believed: Decimal

    @property
    def verdict(self) -> str:
        """In words."""
        flaws = [f"{self.orders - self.decided} too many"] if self.orders > self.decided else []
        flaws += ["believes what is not so"] if self.held != self.believed else []
        missing = self.decided - self.orders
        return ", ".join(flaws) or (f"right: knows that {missing} never arrived" if missing > 0 else "right")


# -- faults ----------------------------------------------------------------------------------------------------------


def _nothing(_: VenueProcess) -> None:
    """All is well."""


def _answer(fault: str) -> Fault:
    def plan(venue: VenueProcess) -> None:
        venue.control("/faults/http", {"fault": fault, "method": "POST", "path": "/v2/orders"})

    return plan


def _report(fault: str, times: int) -> Fault:
    def plan(venue: VenueProcess) -> None:
        venue.control("/faults/stream", {"stream": "trade_updates", "fault": fault, "times": times})

    return plan


FAULTS: dict[str, Fault] = {
    "none": _nothing,
    "the answer is lost": _answer("drop_response"),
    "the answer is garbage": _answer("garbage"),
    "half of the answer arrives": _answer("truncated"),
    "the request is lost": _answer("drop_request"),
    "the stream breaks while an order fills": _report("mute", 1),
    "the report of a fill comes twice": _report("duplicate", 3),
    "the report of a fill is lost": _report("drop", 3),
}
"""In plain words, and what is asked of the venue for it."""
_MIXED = [name for name in FAULTS if name not in ("the request is lost", "the report of a fill is lost")]


def after(fault: str, venue: VenueProcess) -> None:
    """The order has been sent; what was silent is cut and can be heard again."""
    if fault == "the stream breaks while an order fills":
        venue.control("/settle", {})
        venue.control("/faults/stream", {"stream": "trade_updates", "fault": "unmute"})
        venue.control("/faults/stream", {"stream": "trade_updates", "fault": "cut"})


# -- the script ------------------------------------------------------------------------------------------------------


def naive(venue: VenueProcess, faults: Sequence[str], hear_s: float = HEAR_S) -> Outcome:
    """`alpaca-py` as most scripts use it: send again after an error, believe the stream.

    Args:
        hear_s: seconds of silence after which the script takes the stream to have told everything.
    """
    keys = venue.fresh_account()
    client = TradingClient(keys.key, keys.secret, url_override=venue.url)
    believed = Decimal(0)
    with order_stream(venue, keys) as heard:
        for quantity, fault in enumerate(faults, 1):
            FAULTS[fault](venue)
            _submit(client, quantity)
            after(fault, venue)
            for update in _updates(heard, hear_s):
                if update.event in ("fill", "partial_fill"):
                    believed += Decimal(str(update.qty))
        return _outcome(venue, keys, len(faults), believed)


def _submit(client: Any, quantity: int) -> None:
    order = MarketOrderRequest(symbol=SYMBOL, qty=quantity, side=SdkSide.BUY, time_in_force=SdkTime.DAY)
    for _ in range(TRIES):
        try:
            client.submit_order(order)
        except Exception as error:  # noqa: BLE001 - this is the mistake that is shown here
            print(f"  the script: {type(error).__name__}, so it sends the order again", file=sys.stderr)
        else:
            return


def _updates(heard: Any, hear_s: float) -> Iterator[Any]:
    """What the stream tells until it falls silent."""
    while True:
        try:
            yield heard.next(hear_s)
        except queue.Empty:
            return


# -- this system -----------------------------------------------------------------------------------------------------


class Waits(Strategy):
    """Wants nothing by itself; the orders come from outside."""

    def on_bar(self, _: MarketView) -> Iterable[Signal]:
        return ()


def ours(venue: VenueProcess, faults: Sequence[str]) -> Outcome:
    """The account of `qts trade`: the same orders through gate, order manager, client and reconciliation."""
    keys = venue.fresh_account()
    with TemporaryDirectory() as directory:
        sent, believed = asyncio.run(_trade(venue, keys, faults, Path(directory)))
    return _outcome(venue, keys, sent, believed)


async def _trade(venue: VenueProcess, keys: Keys, faults: Sequence[str], place: Path) -> tuple[int, Decimal]:
    async with AsyncExitStack() as stack:
        account = await open_account(_setup(venue, keys, place), Surroundings(), stack, _say_nothing)
        async with account.following() as loop:
            trading = asyncio.ensure_future(loop.run())
            sent = 0
            for quantity, fault in enumerate(faults, 1):
                FAULTS[fault](venue)
                sent += await _send(account, quantity)
                after(fault, venue)
                await _settle(account)
            loop.stop()
            await trading
        return sent, account.system.portfolio.position(SYMBOL).quantity


async def _send(account: LiveAccount, quantity: int) -> bool:
    """Give the order until it is sent: what was refused, or proven not to have left, may be given anew."""
    clock = account.system.ports.clock
    end = clock.monotonic() + PATIENCE.total_seconds()
    while clock.monotonic() < end:
        answer = await account.system.orders.submit(_order(quantity))
        if isinstance(answer, Placed) and answer.status is not OrderStatus.UNSENT:
            return True
        await clock.sleep(PAUSE)
    return False


async def _settle(account: LiveAccount) -> None:
    """Until every order is final and the books are in no doubt, or patience ends."""
    system = account.system
    end = system.ports.clock.monotonic() + PATIENCE.total_seconds()
    while system.orders.open_orders() or system.agreement.obstacle(SYMBOL):
        if system.ports.clock.monotonic() > end:
            return
        await system.ports.clock.sleep(PAUSE)


def _setup(venue: VenueProcess, keys: Keys, place: Path) -> LiveSetup:
    hosts = {"APCA_API_BASE_URL": venue.url, "APCA_API_DATA_URL": venue.url}
    return LiveSetup(
        access=read_access({"APCA_API_KEY_ID": keys.key, "APCA_API_SECRET_KEY": keys.secret, **hosts}),
        mode=TradingMode.LOCAL,
        directory=place / "account",
        strategies=[Waits()],
        universe=Universe([Instrument(symbol=SYMBOL)]),
        limits=default_limits(),
        span=timedelta(minutes=1),
        lookback=timedelta(days=2),
        always_open=True,
    )


def _order(quantity: int) -> Order:
    return Order(
        symbol=SYMBOL,
        side=OrderSide.BUY,
        quantity=Decimal(quantity),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
    )


def _say_nothing(_: str) -> None:
    """What happens is counted, not told."""


# -- both ------------------------------------------------------------------------------------------------------------


def _outcome(venue: VenueProcess, keys: Keys, decided: int, believed: Decimal) -> Outcome:
    books = venue.control(f"/books/{keys.name}")
    held = Decimal(books["positions"].get(SYMBOL, "0"))
    return Outcome(decided, len(books["trades"]) + len(books["open_orders"]), held, believed)


def scenario(name: str) -> list[str]:
    """The faults of the orders of one row."""
    return [name if number == STRUCK else "none" for number in range(1, ROUNDS + 1)]


def mixed(seed: int) -> list[str]:
    """A seeded series of faults, most of them striking."""
    random = Random(seed)  # noqa: S311 - repeatable on purpose
    return [random.choice(_MIXED) for _ in range(MIXED_ROUNDS)]


@contextmanager
def demonstration_venue() -> Iterator[VenueProcess]:
    """A venue whose price stands still, with accounts enough."""
    options = ("--always-open", f"--symbols={SYMBOL}:{PRICE}", "--rate-limit=0")
    with running_venue(*options, accounts=2 * len(FAULTS) + 2, cash=CASH) as venue:
        venue.hold(SYMBOL, PRICE)
        yield venue


def main() -> int:
    parser = argparse.ArgumentParser(description="alpaca-py used naively, beside this system, under the same faults")
    parser.add_argument("--seed", type=int, default=7, help="of the mixed faults")
    seed = parser.parse_args().seed
    rows = {name: scenario(name) for name in FAULTS} | {f"a mixture of these, seed {seed}": mixed(seed)}
    lines = []
    with demonstration_venue() as venue:
        for name, faults in rows.items():
            print(f"{name} …", file=sys.stderr)
            cells = [cell for client in (naive, ours) for cell in _cells(client(venue, faults))]
            lines.append((name, *cells))
    header = ("fault", "orders", "holds", "believes", "verdict")
    print(table((header[0], *(f"{who}: {word}" for who in ("script", "ours") for word in header[1:])), lines))
    return 0


def _cells(outcome: Outcome) -> tuple[str, str, str, str]:
    orders = f"{outcome.orders} of {outcome.decided}"
    return orders, plain(outcome.held), plain(outcome.believed), outcome.verdict


if __name__ == "__main__":
    sys.exit(main())
