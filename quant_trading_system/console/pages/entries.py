"""The journal itself, newest first, and whether its chain holds."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from nicegui import ui

from quant_trading_system.app.readings.entries import ChainStatus, EntryLine, EntryPage, chain_status, entry_page
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.pages.sheet import Column, Row, Sheet, Slots, Tables, cell, empty, row
from quant_trading_system.console.pages.words import count, moment, prose
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.codec import KINDS
from quant_trading_system.research.markup import Markup, join, tag

_COLUMNS = (Column("Entry", is_number=True), Column("Time (UTC)"), Column("Kind"), Column("About"), Column("Content"))
_PAGE = 40
_BRIEF = 110


class EntriesPage:
    """Entries below a number, of a kind, or about one order."""

    title = "Journal"

    def __init__(self, hub: Hub, *, before: int, kind: str, subject: str) -> None:
        """0, and empty texts, want everything from the end on."""
        self._hub = hub
        self._before = before
        self._kind = kind
        self._subject = subject
        self._page: tuple[int, EntryPage] | None = None

    def build(self, sheet: Sheet) -> None:
        slots = self.slots()
        ui.html(sheet.slot("chain", slots["chain"], "div"), sanitize=False)
        ui.html(self._form(), sanitize=False)
        table = sheet.table("entries", _COLUMNS, self.tables()["entries"], "Entries of the journal, the newest first")
        below = join(
            sheet.slot("none", slots["none"], "div"), sheet.slot("pager", slots["pager"], "div", class_="pager")
        )
        ui.html(tag("section", table, below, class_="panel"), sanitize=False)

    def slots(self) -> Slots:
        page = self._read()
        none = join() if page.rows else empty("No such entries", tag("a", "Show all", href="/journal"))
        if not self._hub.follower.path.exists():
            advice = "It begins with the first run of `qts trade` or `qts demo`."
            return {"chain": join(), "pager": join(), "none": empty("There is no journal yet", advice)}
        return {"chain": _chain(chain_status(self._hub.follower)), "pager": self._pager(page), "none": none}

    def tables(self) -> Tables:
        return {"entries": [_row(line) for line in self._read().rows]}

    def redraw(self) -> None:
        """It has no charts."""

    def _read(self) -> EntryPage:
        """Once a version; a journal that cannot be read has no rows, and the chain status says why."""
        if self._page is None or self._page[0] != self._hub.version:
            try:
                found = entry_page(
                    self._hub.follower, before=self._before, kind=self._kind, subject=self._subject, limit=_PAGE
                )
            except JournalError:
                found = EntryPage(rows=(), last=0)
            self._page = (self._hub.version, found)
        return self._page[1]

    def _form(self) -> Markup:
        options = (
            tag("option", kind.replace("_", " "), value=kind, selected="" if kind == self._kind else None)
            for kind in sorted(KINDS.values())
        )
        return tag(
            "form",
            tag("select", tag("option", "Any kind", value=""), *options, name_="kind", aria_label="Kind of entry"),
            tag(
                "input",
                type="search",
                name_="subject",
                value=self._subject,
                placeholder="Order id",
                aria_label="Entries about this order",
            ),
            tag("button", "Filter", type="submit", class_="plain"),
            method="get",
            action="/journal",
            class_="filters",
        )

    def _address(self, before: int) -> str:
        given = {"before": str(before) if before else "", "kind": self._kind, "subject": self._subject}
        return f"/journal?{urlencode({name: value for name, value in given.items() if value})}"

    def _pager(self, page: EntryPage) -> Markup:
        newest = tag("a", "← newest", href=self._address(0)) if self._before else join()
        lowest = page.rows[-1].seq if page.rows else 0
        further = len(page.rows) == _PAGE and lowest > 1
        older = tag("a", "older →", href=self._address(lowest)) if further else join()
        return join(tag("span", newest), tag("span", f"{count(page.last)} entries in all"), tag("span", older))


def _chain(chain: ChainStatus) -> Markup:
    name = "The chain holds" if chain.is_sound else "The chain is broken"
    words = f"Head {chain.head[:16]}…, anchor {chain.anchor.value}. `qts journal verify` reads all of it again."
    more = tag("p", prose(words))
    return tag(
        "div",
        tag("strong", f"{name}: "),
        chain.says,
        tag("div", more, class_="soft"),
        class_=f"verdict {'ok' if chain.is_sound else 'refused'}",
    )


def _row(line: EntryLine) -> Row:
    text = msgspec.json.format(line.body.encode(), indent=1).decode()
    said = {name: value for name, value in msgspec.json.decode(line.body).items() if name not in ("kind", "at")}
    brief = msgspec.json.encode(said).decode()[1:-1].replace('"', "").replace(",", ", ")
    brief = brief if len(brief) <= _BRIEF else f"{brief[:_BRIEF]}…"
    content = tag("details", tag("summary", tag("span", brief, class_="mono")), tag("pre", text))
    about = tag("a", line.subject, href=f"/orders/{line.subject}") if line.kind in ("order", "fill") else line.subject
    return row(
        str(line.seq),
        cell(count(line.seq), "entry", "num"),
        cell(moment(line.at), kind="time"),
        cell(line.kind.replace("_", " ")),
        cell(tag("span", about, class_="mono")),
        cell(content, kind="wide"),
    )
