"""The dialogs that stop orders, close everything, and let orders leave again."""

from __future__ import annotations

from nicegui import ui

from quant_trading_system.app.readings.engine import HaltReading
from quant_trading_system.console.pages.actions import Actions
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.roles import Role
from quant_trading_system.research.markup import join

_LEVELS = {
    HaltLevel.REDUCING: "Reduce only: orders that shrink a position may still leave",
    HaltLevel.HALTED: "Halt: no order leaves, working orders are cancelled",
    HaltLevel.FLATTENING: "Flatten: cancel everything, then close every position",
}
_SCOPES = {False: "This account", True: "Everything on this machine"}


class HaltDialog:
    """Level, scope, reason, and a button that says what it does. Enter confirms, Escape leaves."""

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """For the account of `hub`."""
        self._hub = hub
        self._actions = actions
        with ui.dialog().props('aria-label="Halt"') as self._dialog, ui.card().classes("ask"):
            ui.html("Stop orders", sanitize=False, tag="h2")
            self._reason = ui.input("Reason, for the record").props('outlined dense maxlength=500 autofocus for="why"')
            self._reason.classes("w-full").on("keydown.enter", self._confirm)
            with ui.element("fieldset"):
                ui.html("Level", sanitize=False, tag="legend")
                may_flatten = actions.may(Role.RISK)
                options = {int(level): text for level, text in _LEVELS.items() if may_flatten or level < 3}
                self._level = ui.radio(options, value=int(HaltLevel.HALTED), on_change=self._say).props("dense")
            with ui.element("fieldset"):
                ui.html("Scope", sanitize=False, tag="legend")
                self._scope = ui.radio(_SCOPES, value=False).props("dense inline")
            self._problem = ui.html("", sanitize=False).classes("bad").props('role="alert"')
            with ui.element("div").classes("actions"):
                cancel = ui.html("Cancel", sanitize=False, tag="button").classes("plain").props('type="button"')
                cancel.on("click", self._dialog.close)
                self._button = ui.html("HALT NOW", sanitize=False, tag="button").classes("halt")
                self._button.props('type="button" id="confirm-halt"').on("click", self._confirm)

    def open(self) -> None:
        """Ask for a halt."""
        self._open(HaltLevel.HALTED)

    def open_flatten(self) -> None:
        """Ask for everything to be closed."""
        self._open(HaltLevel.FLATTENING)

    def _open(self, level: HaltLevel) -> None:
        self._problem.set_content("")
        self._level.value = int(level)
        self._say()
        self._dialog.open()

    def _say(self) -> None:
        names = {1: "REDUCE NOW", 2: "HALT NOW", 3: "FLATTEN NOW"}
        self._button.set_content(names[int(self._level.value)])

    async def _confirm(self) -> None:
        reason = str(self._reason.value or "").strip()
        if not reason:
            self._problem.set_content("Say why in a few words; it goes on record.")
            return
        level, everything = HaltLevel(int(self._level.value)), bool(self._scope.value)
        try:
            now = await self._actions.halt(reason, level, whole_machine=everything)
        except TradingError as error:
            self._problem.set_content(join(str(error)))
            return
        self._reason.value = ""
        self._dialog.close()
        _tell(now, is_running=self._hub.engine.is_running)


class ResumeDialog:
    """A reason, and the name of the session. Whoever else has to agree is told."""

    def __init__(self, hub: Hub, actions: Actions) -> None:
        """For the account of `hub`."""
        self._hub = hub
        self._actions = actions
        with ui.dialog().props('aria-label="Resume"') as self._dialog, ui.card().classes("ask"):
            ui.html("Let orders leave again", sanitize=False, tag="h2")
            self._state = ui.html("", sanitize=False).classes("soft")
            self._reason = ui.input("Why it is safe to go on").props(
                'outlined dense maxlength=500 autofocus for="safe"'
            )
            self._reason.classes("w-full").on("keydown.enter", self._confirm)
            self._problem = ui.html("", sanitize=False).classes("bad").props('role="alert"')
            with ui.element("div").classes("actions"):
                cancel = ui.html("Cancel", sanitize=False, tag="button").classes("plain").props('type="button"')
                cancel.on("click", self._dialog.close)
                button = ui.html("Approve and resume", sanitize=False, tag="button").classes("plain")
                button.props('type="button" id="confirm-resume"').on("click", self._confirm)

    def open(self) -> None:
        """Ask for a resume of what is stopped: the machine first, then the account."""
        halt = self._halt()
        who = ", ".join(halt.authorized) or "any named person"
        whose = "Everything on this machine" if self._is_host else "This account"
        self._state.set_content(join(f"{whose} is {halt.level}: {halt.reason}. May resume: {who}."))
        self._problem.set_content("")
        self._dialog.open()

    @property
    def _is_host(self) -> bool:
        return self._hub.engine.host.is_active

    def _halt(self) -> HaltReading:
        return self._hub.engine.host if self._is_host else self._hub.engine.halt

    async def _confirm(self) -> None:
        reason = str(self._reason.value or "").strip()
        if not reason:
            self._problem.set_content("Say why it is safe; it goes on record.")
            return
        try:
            now = await self._actions.resume(reason, whole_machine=self._is_host)
        except TradingError as error:
            self._problem.set_content(join(str(error)))
            return
        self._reason.value = ""
        self._dialog.close()
        _tell(now, is_running=self._hub.engine.is_running)


def _tell(halt: HaltReading, *, is_running: bool) -> None:
    """What holds from now on, in a note that goes away by itself."""
    engine = "the engine acts on it now" if is_running else "no engine runs; one that starts will find it"
    said = f"The account is {halt.level}; {engine}." if halt.is_active else "Orders may leave again."
    ui.notify(said, position="bottom", timeout=6000, classes="note")
