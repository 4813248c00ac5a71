"""The watchdog's process: its own line to the broker, its own record, and the account's kill latch."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from quant_trading_system.app.account_files import LATCH_FILE
from quant_trading_system.app.heartbeat import ENGINE_FILE, WATCHDOG_FILE, Heartbeat, read_heartbeat, write_heartbeat
from quant_trading_system.app.watchdog import Watchdog, WatchdogLimits
from quant_trading_system.app.watchdog_record import WatchdogRecord
from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.account_lock import account_key
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.credentials import Access, require_account
from quant_trading_system.execution.http_transport import HttpTransport
from quant_trading_system.execution.notices import Notice
from quant_trading_system.execution.transport import Timeouts
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch


class AlpacaCanceller:
    """A `Canceller` at Alpaca."""

    def __init__(self, client: AlpacaClient) -> None:
        """Cancel the orders of the account of `client`."""
        self._client = client

    async def open_order_ids(self) -> tuple[str, ...]:
        return tuple(order.client_order_id for order in await self._client.orders("open"))

    async def cancel_all(self) -> None:
        await self._client.cancel_all()


async def watch_account(
    access: Access, directory: Path, limits: WatchdogLimits, tell: Callable[[str], None], *, account_id: str = ""
) -> None:
    """Watch over the engine that keeps its journal in `directory`, until it ends in good order or was stopped.

    Args:
        tell: takes one line about what was done, for people; the same is in the record.
        account_id: id or number of the account that these keys must belong to; empty for any.

    Raises:
        ConfigurationError: the keys belong to another account, or the directory is none or cannot be written.
        BrokerRejected, OutcomeUnknown, NotSent: the account could not be read at the start.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is no account's directory; check --name, or start `qts trade` first")
    clock, pid = SystemClock(), os.getpid()
    async with AsyncExitStack() as stack:
        client = own_line(access, clock, stack, tell, source="watchdog")
        account = await client.account()
        require_account((account.id, account.account_number), account_id)
        try:
            kill_switch = KillSwitch(latch=FileLatch(directory / LATCH_FILE), clock=clock)
        except OSError as error:
            raise ConfigurationError(f"{directory} cannot be written ({error.strerror}); check its rights") from error
        record = WatchdogRecord(directory, clock, pid)

        watched = account_key(access.endpoints, account.id)

        def beat(looks: int) -> None:
            sign = Heartbeat(beats=looks, turns=looks, pid=pid, epoch=0, account=watched)
            write_heartbeat(directory / WATCHDOG_FILE, sign)

        def note(epoch: int, what: str) -> None:
            tell(what)
            record.add(epoch, what)

        watchdog = Watchdog(
            clock,
            kill_switch,
            AlpacaCanceller(client),
            account=watched,
            read=partial(read_heartbeat, directory / ENGINE_FILE),
            beat=beat,
            note=note,
            limits=limits,
        )
        tell(f"watching over the engine of account {account.account_number} in {directory}")
        await watchdog.run()


def own_line(
    access: Access, clock: Clock, stack: AsyncExitStack, tell: Callable[[str], None], *, source: str
) -> AlpacaClient:
    """A line to the broker beside the engine's; `stack` closes it, `tell` takes what it notices."""
    transport = HttpTransport(access.endpoints.trading, access.credentials.headers())
    hide = access.credentials.hidden_in
    api = AlpacaApi(transport, clock, partial(_tell_notice, tell), source=source, timeouts=Timeouts(), hide=hide)
    stack.push_async_callback(api.close)
    return AlpacaClient(api)


def _tell_notice(tell: Callable[[str], None], notice: Notice) -> None:
    tell(f"{notice.source}: {notice.kind.value.replace('_', ' ')}: {notice.message}")
