"""Time and market of the venue, and all accounts: one thing after the other, in the order in which it happens.

Somebody lets time pass: `run` where it passes by itself, the control surface where it is moved by hand. All that
is due until then happens first: orders arrive, sessions open and close, prices change, bars are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.sessions import NEW_YORK, Session
from quant_trading_system.simulation.alpaca_server.accounts import AccountSpec, HouseRules, Report, open_desk
from quant_trading_system.simulation.alpaca_server.broadcast import Broadcast
from quant_trading_system.simulation.alpaca_server.data_hub import DataHub
from quant_trading_system.simulation.alpaca_server.identity import asset_id
from quant_trading_system.simulation.alpaca_server.live_market import LiveMarket, moment_at, ns_of
from quant_trading_system.simulation.alpaca_server.sources import Scene
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention, Tape
from quant_trading_system.simulation.alpaca_server.venue_time import VenueClock, new_york_midnight
from quant_trading_system.simulation.alpaca_server.wire import exchange_of
from quant_trading_system.simulation.trading_hours import extended_since, hours_of

SETTLE_S = 0.001
"""Real seconds after an answer before what was asked for reaches the market."""

_MINUTE = timedelta(minutes=1)
_HEARTBEAT = timedelta(seconds=15)
"""In extended hours nothing is traded, but quotes are confirmed this often."""
_ONE_DAY = timedelta(days=1)
_AT_ONCE = 200
"""Things that happen before others get their turn."""

Publisher = Callable[[str, Report], None]
"""Passes a report on to whoever listens to the account of a key."""


class Host:
    """The venue as a whole.

    Attributes:
        now: up to when everything has happened.
        session: the session in progress, None outside of one.
        desks: the accounts; `symbols_by_id`: what is traded, by asset id.
        is_saved: everything that has happened is in a file.
        holds_orders: what was asked for waits until time moves or somebody settles.
        skips_nights: time leaps from a close to the next open.
    """

    def __init__(self, scene: Scene, clock: VenueClock, specs: Sequence[AccountSpec], rules: HouseRules) -> None:
        """Prepare everything; `begin` opens it.

        Args:
            clock: the venue's time.
        """
        self.scene = scene
        self.clock = clock
        self.now = clock.now()
        self.session: Session | None = None
        self.tape = Tape(scene.paths)
        self.market = LiveMarket(self.tape, scene.calendar, self.now)
        self.data_hub = DataHub()
        exchanges = {symbol: exchange_of(symbol) for symbol in scene.instruments}
        self.broadcast = Broadcast(self.market, self.data_hub, exchanges)
        self.desks = [open_desk(spec, rules, clock, scene.calendar, scene.instruments, self.market) for spec in specs]
        self.symbols_by_id = {asset_id(symbol): symbol for symbol in scene.instruments}
        self.seed = rules.seed
        self.holds_orders = False
        self.skips_nights = False
        self.is_saved = False
        self._publish: Publisher | None = None
        self._listeners: list[Callable[[], None]] = []
        self._day = (self.now, self.now)
        self._nudged: asyncio.TimerHandle | None = None
        self._poked = asyncio.Event()
        self._awaited: datetime | None = None

    def tell_orders_to(self, publisher: Publisher) -> None:
        """Pass on the reports of all accounts."""
        self._publish = publisher

    def changed(self) -> None:
        """Something about an account is not as it was."""
        self.is_saved = False
        for listener in self._listeners:
            listener()

    def when_changed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after something happened to an account."""
        self._listeners.append(listener)

    # -- time -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the session that is in progress, or take up what was restored and let happen what was missed."""
        self.session = self.scene.calendar.session_at(self.now)
        for desk in self.desks:
            if self.session is not None and not desk.venue.is_open:
                desk.venue.open_session(self.session.open)
            elif self.session is None and desk.venue.is_open:
                desk.venue.close_session(self.now)
        until = self.clock.now()
        while (due := self._next_due(catching_up=True)) is not None and due <= until:
            self._happen(due)
        self._settle_until(until)

    def resume_from(self, moment: datetime, done: Mapping[str, Sequence[Intervention]]) -> None:
        """Go on from where an earlier life of this venue ended; called before `begin`.

        Args:
            done: what operators did to the symbols in that life.
        """
        for symbol, acts in done.items():
            for act in acts:
                self.tape.intervene(symbol, act)
            self.market.refresh(symbol)
        self.now = moment
        self.market.move_to(moment)

    async def run(self) -> None:
        """Let time pass by itself, for ever."""
        while True:
            await self.follow()
            if self.skips_nights and self.session is None:
                self._skip_the_night()
            due = self._awaited = self._next_due()
            waits = [asyncio.create_task(self._poke())]
            if due is not None:
                waits.append(asyncio.create_task(self.clock.sleep(due - self.clock.now())))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    async def follow(self) -> None:
        """Let everything happen that is due by the clock; others have their turn in between."""
        count, until = 0, self.clock.now()
        while (due := self._next_due()) is not None and due <= until:
            self._happen(due)
            count += 1
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._settle_until(max(until, self.now))

    def nudge(self) -> None:
        """Something was asked for: let it reach the market right after the answer has left."""
        if self._nudged is None and not self.holds_orders:
            self._nudged = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)

    def settle(self) -> datetime | None:
        """Let everything arrive that is due by now, without waiting; returns when something is due next."""
        until, common = self.clock.now(), self._common_due()
        if not self._concerns_one_account(until, common):
            while (due := self._next_due()) is not None and due <= until:
                self._happen(due)
            common = self._common_due()
        self._settle_until(until)
        return self._earliest(common)

    def confirm_quotes(self) -> None:
        """Tell that the quotes of the session stand as they are, as a feed does that is never silent for long."""
        if self.session is not None:
            self.broadcast.confirm()

    def intervene(self, symbol: str, act: Intervention) -> Intervention:
        """Let an operator's doing change the market of a symbol."""
        done = self.tape.intervene(symbol, act)
        self.market.refresh(symbol)
        if done.doing in (Doing.HALT, Doing.RESUME):
            self._stop_trading(symbol, halted=done.doing is Doing.HALT)
        if done.last and done.at <= ns_of(self.now):
            self.broadcast.late_trade(symbol, done, self.now)
        return done

    def _stop_trading(self, symbol: str, *, halted: bool) -> None:
        for desk in self.desks:
            if halted:
                desk.venue.halt(symbol)
            else:
                desk.venue.resume(symbol)
        self.broadcast.status(symbol, self.now, halted=halted)

    def next_price(self) -> datetime | None:
        """When the next price comes, today or on a later day; None when the market is over."""
        due = self.market.next_tick()
        day = self.now.astimezone(NEW_YORK).date()
        while due is None and day < self.scene.paths.last_day:
            day += _ONE_DAY
            first = [self.tape.ticks(symbol, day).at[:1] for symbol in self.market.symbols]
            moments = [int(at[0]) for at in first if len(at)]
            due = moment_at(min(moments)) if moments else None
        return due

    async def _poke(self) -> None:
        """Wait until something may be due earlier than was known."""
        await self._poked.wait()
        self._poked.clear()

    def _settle(self) -> None:
        self._nudged = None
        due = self.settle()
        if due is not None and (self._awaited is None or due < self._awaited):
            self._poked.set()

    def _settle_until(self, moment: datetime) -> None:
        """Nothing is due between the last event and `moment`; let the clock of the market come up."""
        for desk in self.desks:
            desk.venue.run_until(moment)
        self.now = max(self.now, moment)
        self.market.move_to(self.now)
        self._pass_on()

    def _skip_the_night(self) -> None:
        opening = self._next_opening()
        if opening is not None:
            self.clock.leap_to(opening)

    # -- what happens ---------------------------------------------------------------------------------------------

    def _concerns_one_account(self, until: datetime, common: datetime | None) -> bool:
        """Nothing but messages of one account is due, in a session, whose quotes stand between the prices."""
        if self.session is None or (common is not None and common <= until):
            return False
        dues = [desk.venue.next_due_at() for desk in self.desks]
        return sum(due is not None and due <= until for due in dues) <= 1

    def _next_due(self, *, catching_up: bool = False) -> datetime | None:
        """When something happens next; while catching up, prices that nobody waits for are passed over."""
        return self._earliest(self._common_due(catching_up=catching_up))

    def _earliest(self, common: datetime | None) -> datetime | None:
        dues = [desk.venue.next_due_at() for desk in self.desks]
        return min((due for due in (*dues, common) if due is not None), default=None)

    def _common_due(self, *, catching_up: bool = False) -> datetime | None:
        """When something happens next that concerns all accounts."""
        dues = [self._next_edge(), self._next_midnight(), self.broadcast.next_correction()]
        if not catching_up or self._has_orders():
            dues += [self.market.next_tick(), self._next_heartbeat()]
        if self.session is not None and not catching_up:
            dues.append(_minute_after(self.now))
        return min((due for due in dues if due is not None), default=None)

    def _happen(self, due: datetime) -> None:
        """Everything that is due at one moment."""
        for desk in self.desks:
            desk.venue.run_until(due)
        session = self.session
        if session is not None and due == _floor_minute(due):
            self._end_minute(due, session)
        if session is not None and due >= session.close:
            self._close(session)
        has_price = self.market.next_tick() == due
        self.now = max(self.now, due)
        self.market.move_to(self.now)
        opening = self.scene.calendar.session_at(due)
        if opening is not None and self.session is None and not self._is_over(opening):
            self._open(opening)
        extended = self.session is None and extended_since(self.scene.calendar, self.now) is not None
        if has_price or extended:
            self._show_prices(extended=extended)
        self.broadcast.correct(due)
        self._pass_on()

    def _open(self, session: Session) -> None:
        self.session = session
        for desk in self.desks:
            desk.venue.open_session(session.open)

    def _close(self, session: Session) -> None:
        self.session = None
        for desk in self.desks:
            desk.venue.close_session(session.close)

    def _end_minute(self, due: datetime, session: Session) -> None:
        self.broadcast.minute(due, session)
        for desk in self.desks:
            desk.venue.note_equity(due)
        self.changed()

    def _show_prices(self, *, extended: bool) -> None:
        for desk in self.desks:
            for symbol in desk.venue.symbols_with_orders():
                quote = self.market.quote(symbol)
                if quote is not None and (extended or self.market.moved(symbol) is not None):
                    desk.venue.on_quote(quote, self.market.volume(symbol))
        self.broadcast.tick()

    def _pass_on(self) -> None:
        """Tell what happened to orders."""
        something = False
        for desk in self.desks:
            news, desk.news = desk.news, []
            something = something or bool(news)
            for update in news if self._publish is not None else ():
                assert self._publish is not None
                self._publish(desk.key_id, update)
        if something:
            self.changed()

    # -- moments --------------------------------------------------------------------------------------------------

    def _next_edge(self) -> datetime | None:
        return self._next_opening() if self.session is None else self.session.close

    def _next_opening(self) -> datetime | None:
        try:
            opening = self.scene.calendar.next_open(self.now)
        except MarketDataError:  # the calendar ends here
            return None
        session = self.scene.calendar.session_at(opening)
        return None if session is None or self._is_over(session) else opening

    def _is_over(self, session: Session) -> bool:
        """The prices end before this session."""
        return session.date > self.scene.paths.last_day

    def _next_midnight(self) -> datetime:
        begins, ends = self._day
        if not begins <= self.now < ends:
            today = self.now.astimezone(NEW_YORK).date()
            begins, ends = self._day = new_york_midnight(today), new_york_midnight(today + _ONE_DAY)
        return ends

    def _next_heartbeat(self) -> datetime | None:
        """In extended hours, and when they begin, while somebody has orders for them."""
        if self.session is not None or not any(desk.venue.has_extended_orders for desk in self.desks):
            return None
        since = extended_since(self.scene.calendar, self.now)
        if since is not None:
            return since + ((self.now - since) // _HEARTBEAT + 1) * _HEARTBEAT
        opening = self._next_opening()
        session = None if opening is None else self.scene.calendar.session_at(opening)
        return None if session is None else hours_of(session).pre_open

    def _has_orders(self) -> bool:
        return any(desk.venue.symbols_with_orders() for desk in self.desks)


def _floor_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _minute_after(moment: datetime) -> datetime:
    return _floor_minute(moment) + _MINUTE
