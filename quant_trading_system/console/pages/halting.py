"""The dialogs that stop orders, close everything, and let orders leave again."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.engine import HaltReading
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.asking import Dialog, button
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import join
from quant_trading_system.risk.reset import standing

_LEVELS = {
    HaltLevel.REDUCING: "Reduce only: orders that shrink a position may still leave",
    HaltLevel.HALTED: "Halt: no order leaves, working orders are cancelled",
    HaltLevel.FLATTENING: "Flatten: cancel everything, then close every position",
}
_NAMES = {HaltLevel.REDUCING: "REDUCE NOW", HaltLevel.HALTED: "HALT NOW", HaltLevel.FLATTENING: "FLATTEN NOW"}
_ACCOUNT, _PART, _MACHINE = "account", "part", "machine"
_SCOPES = {_ACCOUNT: "This account", _PART: "A part of it", _MACHINE: "Everything on this machine"}
_SIDES = {"": "Both sides", "buy": "Buys, long positions", "sell": "Sells, short positions"}


class HaltDialog(Dialog):
    """Level, scope, reason, and a button that says what it does."""

    def __init__(self, actions: Actions) -> None:
        """For the account of `actions`."""
        super().__init__("Stop orders")
        self._actions = actions
        with self.box:
            self._reason = ui.input("Reason, for the record").props('outlined dense maxlength=500 autofocus for="why"')
            self._reason.classes("w-full").on("keydown.enter", self._confirm)
            with ui.element("fieldset"):
                ui.html("Level", sanitize=False, tag="legend")
                may_flatten = actions.may(Role.RISK)
                options = {
                    int(level): text for level, text in _LEVELS.items() if may_flatten or level < HaltLevel.FLATTENING
                }
                self._level = ui.radio(options, value=int(HaltLevel.HALTED), on_change=self._say).props("dense")
            with ui.element("fieldset"):
                ui.html("Scope", sanitize=False, tag="legend")
                self._scope = ui.radio(_SCOPES, value=_ACCOUNT, on_change=self._say).props("dense inline")
            with ui.element("div").classes("part") as self._part:
                self._symbol = ui.input("Symbol").props('outlined dense maxlength=16 for="halt-symbol"')
                self._strategy = ui.input("Strategy").props('outlined dense maxlength=128 for="halt-strategy"')
                self._side = ui.radio(_SIDES, value="").props("dense inline")
        with self.actions:
            self._button = button("HALT NOW", self._confirm, kind="halt", id_="confirm-halt")

    def open_halt(self) -> None:
        """Ask for a halt."""
        self._open(HaltLevel.HALTED)

    def open_flatten(self) -> None:
        """Ask for everything to be closed."""
        self._open(HaltLevel.FLATTENING)

    def _open(self, level: HaltLevel) -> None:
        self._level.value, self._scope.value = int(level), _ACCOUNT
        self._say()
        self.open()

    def _say(self) -> None:
        self._button.set_content(_NAMES[HaltLevel(int(self._level.value))])
        self._part.set_visibility(self._scope.value == _PART)

    async def _confirm(self) -> None:
        reason = str(self._reason.value or "").strip()
        if not reason:
            self.complain("Say why in a few words; it goes on record.")
            return
        scope = self._narrowed()
        if self._scope.value == _PART and scope.is_account:
            self.complain("Say which part: a symbol, a strategy or a side.")
            return
        level, everything = HaltLevel(int(self._level.value)), self._scope.value == _MACHINE
        work = self._actions.halt(reason, level, scope=scope, whole_machine=everything)
        if await self.do(lambda: work) is not None:
            self._reason.value = ""

    def _narrowed(self) -> HaltScope:
        if self._scope.value != _PART:
            return HaltScope()
        side = OrderSide(self._side.value) if self._side.value else None
        symbol, strategy = (str(field.value or "").strip() for field in (self._symbol, self._strategy))
        return HaltScope(symbol=symbol.upper(), strategy=strategy, side=side)


class ResumeDialog(Dialog):
    """Which halt, a reason, and the name of the session. Whoever else has to agree is told."""

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """For the account of `hub`."""
        super().__init__("Let orders leave again")
        self._hub = hub
        self._actions = actions
        self._halts: list[tuple[HaltReading, bool]] = []
        with self.box:
            self._which = ui.radio({}, on_change=self._say).props("dense")
            self._state = ui.html("", sanitize=False).classes("soft")
            self._reason = ui.input("Why it is safe to go on").props(
                'outlined dense maxlength=500 autofocus for="safe"'
            )
            self._reason.classes("w-full").on("keydown.enter", self._confirm)
            self._accept = ui.checkbox("The loss counts no more: peak and start of the day begin anew").props("dense")
        with self.actions:
            button("Approve and resume", self._confirm, id_="confirm-resume")

    def open_latest(self) -> None:
        """Ask for a resume of what is stopped: the machine first, then the account, then its parts."""
        engine = self._hub.engine
        self._halts = [(engine.host, True)] if engine.host.is_active else []
        self._halts += [(halt, False) for halt in (engine.halt, *engine.scopes) if halt.is_active]
        if not self._halts:
            return
        names = {n: f"{_whose(halt, everything)} is {halt.level}" for n, (halt, everything) in enumerate(self._halts)}
        self._which.set_options(names, value=0)
        self._which.set_visibility(len(names) > 1)
        self._accept.value = False
        self._say()
        self.open()

    def _chosen(self) -> tuple[HaltReading, bool]:
        return self._halts[int(self._which.value or 0)]

    def _say(self) -> None:
        if not self._halts:
            return
        halt, everything = self._chosen()
        who = ", ".join(halt.authorized) or "any named person"
        words = f"{_whose(halt, everything)} is {halt.level}: {halt.reason}. May resume: {who}."
        state = self._hub.desk.switch(whole_machine=everything).state
        missing = standing(state.halt_of(halt.scope), state.policy, self._hub.desk.clock.now())
        if missing.needed > 1 or missing.approvals:
            words += f" Needed: {missing.missing}."
        self._state.set_content(join(words))
        self._accept.set_visibility(halt.scope.is_account and not everything)

    async def _confirm(self) -> None:
        reason = str(self._reason.value or "").strip()
        if not reason:
            self.complain("Say why it is safe; it goes on record.")
            return
        halt, everything = self._chosen()
        work = self._actions.resume(
            halt.activation,
            reason,
            scope=halt.scope,
            whole_machine=everything,
            accept_loss=bool(self._accept.value),
        )
        if await self.do(lambda: work) is not None:
            self._reason.value = ""


def _whose(halt: HaltReading, everything: bool) -> str:
    if everything:
        return "Everything on this machine"
    return "This account" if halt.scope.is_account else f"Of this account, {halt.scope}"
