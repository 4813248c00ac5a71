"""Dialogs: what will be done, why, a button that says so, and what came of it. Enter confirms, Escape leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from quant_trading_system.console.pages.words import prose
from quant_trading_system.core.commands import Outcome, Result
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.research.markup import Markup, join, tag

Work = Callable[[], Awaitable[Outcome]]
Deed = Callable[[str], Any]
_SAID = {Result.DONE: "", Result.PENDING: "Not final yet: "}


def button(name: str, act: Callable[[], Any], *, kind: str = "plain", id_: str = "") -> ui.html:
    """A button as the stylesheet draws it."""
    made = ui.html(name, sanitize=False, tag="button").classes(kind)
    made.props('type="button"' + (f' id="{id_}"' if id_ else "")).on("click", act)
    return made


def row_button(name: str, deed: str, subject: str, label: str) -> Markup:
    """A button within a table, for the `deeds` that the page listens to; `label` says what it is about."""
    return tag(
        "button", name, type="button", class_="plain small", data_deed=deed, data_subject=subject, aria_label=label
    )


def listen(deeds: Mapping[str, Deed]) -> None:
    """Call what a `row_button` names, with its subject."""

    async def heard(event: GenericEventArguments) -> None:
        given = event.args if isinstance(event.args, dict) else {}
        deed = deeds.get(str(given.get("deed")))
        if deed is not None:
            await deed(str(given.get("subject", "")))

    ui.on("deed", heard)


class Dialog:
    """A dialog with a title, a place for its content, a line for what went wrong, and the buttons.

    Attributes:
        box: where the content goes.
    """

    def __init__(self, title: str) -> None:
        self._dialog = ui.dialog().props(f'aria-label="{title}"')
        with self._dialog, ui.card().classes("ask"):
            self._title = ui.html(title, sanitize=False, tag="h2")
            self.box = ui.element("div")
            self._problem = ui.html("", sanitize=False).classes("bad").props('role="alert"')
            self.actions = ui.element("div").classes("actions")
            with self.actions:
                button("Cancel", self._dialog.close)

    def open(self, title: str = "") -> None:
        """Show it, without what went wrong before."""
        self.complain("")
        if title:
            self._title.set_content(join(title))
        self._dialog.open()

    def complain(self, words: str) -> None:
        """Say why nothing was done."""
        self._problem.set_content(prose(words))

    async def do(self, work: Work) -> Outcome | None:
        """Do it: close and tell the effect, or stay open and say why not; the answer is None then."""
        outcome = await self.answer(work)
        if outcome is None:
            return None
        self._dialog.close()
        note(_SAID[outcome.result] + outcome.message)
        return outcome

    async def answer(self, work: Work) -> Outcome | None:
        """What `work` answers; None when it was refused or failed, which the dialog then says."""
        self.complain("")
        try:
            outcome = await work()
        except TradingError as error:
            self.complain(str(error))
            return None
        if outcome.result not in _SAID:
            self.complain(outcome.message)
            return None
        return outcome


class Question(Dialog):
    """Asks for a reason before something is done."""

    def __init__(self) -> None:
        super().__init__("Are you sure?")
        self._work: Callable[[str], Awaitable[Outcome]] | None = None
        with self.box:
            self._says = ui.html("", sanitize=False)
            self._reason = ui.input("Reason, for the record").props('outlined dense maxlength=500 for="reason"')
            self._reason.classes("w-full").on("keydown.enter", self._confirm)
        with self.actions:
            self._button = button("Do it", self._confirm, kind="plain do", id_="confirm")

    def ask(
        self, title: str, says: str, name: str, work: Callable[[str], Awaitable[Outcome]], *, has_reason: bool = True
    ) -> None:
        """Open it: `work` gets the reason and is done once the button `name` is pressed."""
        self._work = work
        self._says.set_content(join(says))
        self._button.set_content(join(name))
        self._reason.set_visibility(has_reason)
        self._reason.value = ""
        self.open(title)

    async def _confirm(self) -> None:
        work, reason = self._work, str(self._reason.value or "").strip()
        if work is not None:
            await self.do(lambda: work(reason))


def note(words: str) -> None:
    """Says what came of something, in a note that goes away by itself."""
    ui.notify(words[:1].upper() + words[1:], position="bottom", timeout=8000, classes="note", multi_line=True)
