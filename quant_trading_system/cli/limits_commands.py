"""`qts limits` and `qts approvals`: what is in force, what waits for people, and what they say."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from quant_trading_system.cli.engine_calls import Line, ask
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import key_of, print_json, screen, table
from quant_trading_system.core.exceptions import ApprovalRefused, ConfigurationError, JournalUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quant_trading_system.app.limits_desk import Governed, LimitsShown, Version
    from quant_trading_system.core.commands import AnswerApproval, ProposeLimits
    from quant_trading_system.core.limit_events import LimitChange
    from quant_trading_system.journal.approval_fold import ApprovalView

Why = Annotated[str, typer.Option("--why", help="Why; goes on record.")]
Values = Annotated[list[str], typer.Argument(help="KEY=VALUE, such as max_position_pct=0.08; several.")]
Approval = Annotated[str, typer.Argument(help="Its id, such as limits-3; see `qts approvals list`.")]
_LIMITS = """Limits as they stand, how they came about, and changing them.

Example: [bold]qts limits show[/bold]"""
_APPROVALS = """What waits for people, and what they say.

Example: [bold]qts approvals list[/bold]"""
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def show(*, line: Line) -> None:
    """Show every limit in force with its reason, what is raised for a while, and what waits for people.

    Example: [bold]qts limits show[/bold]
    """
    found, waits = _shown(line), _waiting(line)
    if line.as_json:
        print_json({"version": found.version, "limits": found.limits, "waiting": waits})
        return
    shown = table("limit", "in force", "approved", "waits for approval", "why", right=("in force", "approved"))
    for one in found.limits:
        pending = ", ".join(f"{value} ({approval})" for approval, value in one.pending.items())
        until = f"{one.in_force} until {_short(one.raised_until)}" if one.raised_until else one.in_force
        shown.add_row(one.key, until, one.approved if one.raised_until else "", pending, one.why)
    screen().print(shown)
    screen().print(f"version {found.version}", markup=False)
    _tell_waiting(waits)


def diff(
    file: Annotated[Path | None, typer.Argument(help="A limits file.", show_default=False)] = None,
    version: Annotated[str, typer.Option("--version", help="Number or hash of an earlier version instead.")] = "",
    *,
    line: Line,
) -> None:
    """Show what a limits file or an earlier version would change: what is tighter at once, and what waits for people.

    Example: [bold]qts limits diff my_limits.yaml[/bold]
    """
    from quant_trading_system.app.limits_desk import version_named
    from quant_trading_system.config.loader import limits_as_text, load_limits
    from quant_trading_system.risk.limit_changes import changed, split

    if (file is None) == (not version):
        raise ConfigurationError("name a limits file, or a version with --version")
    approved = {one.key: one.approved for one in _shown(line).limits}
    if file is None:
        wanted = approved | changed(version_named(_versions(line), version).limits, ())
    else:
        wanted = limits_as_text(load_limits(file))
    parts = split(approved, wanted)
    if line.as_json:
        print_json({"at_once": _as_data(parts.at_once), "waiting": _as_data(parts.waiting)})
        return
    _tell_changes("at once", parts.at_once)
    _tell_changes("only after approval", parts.waiting)
    if not parts.at_once and not parts.waiting:
        screen().print("these are the approved limits")


def history(*, line: Line) -> None:
    """Show every version of the limits: when, who, from, to and why.

    Example: [bold]qts limits history[/bold]
    """
    versions = _versions(line)
    if line.as_json:
        print_json([{**msgspec.structs.asdict(v), "changes": _as_data(v.changes)} for v in versions])
        return
    shown = table("no", "version", "when (UTC)", "who", "limit", "from", "to", "why", right=("no", "from", "to"))
    for version in versions:
        who = version.by + (f" ✓ {', '.join(version.approved_by)}" if version.approved_by else "")
        first = (str(version.number), version.version, f"{version.at:%Y-%m-%d %H:%M:%S}", who)
        for change in version.changes:
            shown.add_row(*first, change.key, change.was, change.now, version.why)
            first = ("", "", "", "")
        if not version.changes:
            shown.add_row(*first, "all", "", "", version.why)
    screen().print(shown)


def propose(values: Values, why: Why, *, line: Line) -> None:
    """Change limits for good: tighter values take effect at once, looser ones wait for approval.

    Example: [bold]qts limits propose max_position_pct=0.08 --why "earnings season"[/bold]
    """
    _act(_wish(_values(values), why), line)


def raise_until(
    values: Values,
    until: Annotated[str, typer.Option("--until", help="A UTC time such as 2026-11-22T20:00, or a span: 90m, 2h.")],
    why: Why,
    *,
    line: Line,
) -> None:
    """Raise limits for a while, after approval; at the end the approved values hold again by themselves.

    Example: [bold]qts limits raise max_order_notional=2000000 --until 2h --why "index change"[/bold]
    """
    _act(_wish(_values(values), why, _moment(until, _now())), line)


def rollback(
    version: Annotated[str, typer.Argument(help="Number or hash of the version to go back to.")],
    why: Why,
    *,
    line: Line,
) -> None:
    """Go back to an earlier version of the limits: what is tighter at once, what is looser after approval.

    Example: [bold]qts limits rollback 3 --why "the new mandate is off"[/bold]
    """
    from quant_trading_system.app.limits_desk import version_named
    from quant_trading_system.risk.limit_changes import changed

    wanted = changed(version_named(_versions(line), version).limits, ())
    _act(_wish(wanted, f"back to {version}: {_given(why)}"), line)


def waiting(*, line: Line) -> None:
    """List what waits for people.

    Example: [bold]qts approvals list[/bold]
    """
    found = _waiting(line)
    if line.as_json:
        print_json(found)
        return
    if not found:
        screen().print("nothing waits for approval")
    _tell_waiting(found)


def approve(
    approval: Approval,
    reason: Annotated[str, typer.Option("--reason", help="Goes on record.")] = "",
    *,
    line: Line,
) -> None:
    """Say yes to exactly what is shown; it happens once enough distinct persons have.

    Example: [bold]qts approvals approve limits-3 --by Ana[/bold]
    """
    from quant_trading_system.core.approval_events import ApprovalAnswer
    from quant_trading_system.core.commands import AnswerApproval

    view = next((view for view in _waiting(line) if view.approval == approval), None)
    if view is None:
        raise ApprovalRefused(f"no approval {approval} is waiting; `qts approvals list` shows those that are")
    yes = AnswerApproval(approval=approval, answer=ApprovalAnswer.YES, content=view.content, reason=reason)
    _act(yes, line)


def refuse(
    approval: Approval,
    reason: Annotated[str, typer.Option("--reason", help="Why not; goes on record.")],
    *,
    line: Line,
) -> None:
    """Say no, for good; what is in force stays.

    Example: [bold]qts approvals refuse limits-3 --by Ben --reason "too much before the numbers"[/bold]
    """
    from quant_trading_system.core.approval_events import ApprovalAnswer
    from quant_trading_system.core.commands import AnswerApproval

    _act(AnswerApproval(approval=approval, answer=ApprovalAnswer.NO, reason=reason), line)


def blackouts(
    file: Annotated[Path, typer.Argument(help="CSV: symbol, from, until, reason, and perhaps mode.")],
    owner: Annotated[str, typer.Option("--owner", help="Who says so.")],
) -> None:
    """Turn a calendar of earnings or news into the entries of `blackouts`, for the section times of a limits file.

    Example: [bold]qts limits blackouts earnings.csv --owner Ana[/bold]
    """
    from quant_trading_system.app.blackout_file import blackouts_of

    entries = blackouts_of(file, owner)
    typer.echo("  blackouts:")
    for entry in entries:
        typer.echo(f"    - {entry}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    limits = typer.Typer(help=_LIMITS, no_args_is_help=True)
    for command in (show, diff, history, propose, rollback):
        limits.command()(grouped(command))
    for answer in (approve, refuse):
        limits.command(help=(answer.__doc__ or "").replace("qts approvals", "qts limits"))(grouped(answer))
    limits.command("raise")(grouped(raise_until))
    limits.command()(blackouts)
    app.add_typer(limits, name="limits")
    approvals = typer.Typer(help=_APPROVALS, no_args_is_help=True)
    approvals.command("list")(grouped(waiting))
    for answer in (approve, refuse):
        approvals.command()(grouped(answer))
    app.add_typer(approvals, name="approvals")


def _shown(line: Line) -> LimitsShown:
    """The limits of the account, here or behind a console."""
    from quant_trading_system.app.limits_desk import LimitsShown, limits_shown

    if line.far.api:
        found: LimitsShown = line.far.read("/v1/limits", LimitsShown)
        return found
    return limits_shown(_governed(line), _now())


def _waiting(line: Line) -> Sequence[ApprovalView]:
    """What waits for people."""
    from quant_trading_system.app.limits_desk import Waiting, waiting_at

    waits: Waiting = line.far.read("/v1/approvals", Waiting) if line.api else waiting_at(_governed(line), _now())
    return waits.approvals


def _versions(line: Line) -> Sequence[Version]:
    """Every version of the limits, oldest first."""
    from quant_trading_system.app.limits_desk import Version

    if line.api:
        found: tuple[Version, ...] = line.far.read("/v1/limits/history", tuple[Version, ...])
        return found
    return _governed(line).versions


def _governed(line: Line) -> Governed:
    from quant_trading_system.app.account_files import JOURNAL_FILE
    from quant_trading_system.app.limits_desk import read_governed
    from quant_trading_system.journal.sqlite_reader import JournalReader

    path = line.home / JOURNAL_FILE
    if not path.is_file():
        raise JournalUnavailable(f"{path}: no such journal; `qts trade` makes one, --name says which")
    with JournalReader(path, key_of(path)) as reader:
        return read_governed(reader)


def _wish(values: dict[str, str], why: str, until: datetime | None = None) -> ProposeLimits:
    from quant_trading_system.core.commands import ProposeLimits

    return ProposeLimits(values=values, why=_given(why), until=until)


def _given(why: str) -> str:
    if not why.strip():
        raise ConfigurationError("--why is empty; say why in a few words, it goes on record")
    return why


def _act(command: ProposeLimits | AnswerApproval, line: Line) -> None:
    """Have it done by the account's engine, or here where none runs; behind a console, by that."""
    from quant_trading_system.app.door import EngineDoor, fresh_key
    from quant_trading_system.app.limits_desk import change_limits
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.core.command import Source
    from quant_trading_system.core.commands import Result

    if line.api:
        outcome = ask(command, line)
    else:
        clock, person = SystemClock(), line.by.strip() or getpass.getuser()
        key, door = line.key or fresh_key(clock), EngineDoor(line.home)
        outcome = asyncio.run(change_limits(door, line.home, command, person, Source.CLI, key, clock))
    if outcome.result in (Result.REFUSED, Result.FAILED):
        raise ApprovalRefused(outcome.message)
    if line.as_json:
        print_json(outcome)
    else:
        screen().print(outcome.message, markup=False)


def _now() -> datetime:
    from quant_trading_system.core.clock import SystemClock

    return SystemClock().now()


def _values(given: list[str]) -> dict[str, str]:
    """``max_position_pct=0.08`` by the full name of its key."""
    from quant_trading_system.config.sections import KEY_BY_NAME

    found = {}
    for text in given:
        name, mark, value = text.partition("=")
        key = KEY_BY_NAME.get(name.rpartition(".")[2])
        if not mark or key is None or name not in (key.name, key.path):
            raise ConfigurationError(f"{text}: write KEY=VALUE; `qts limits show` lists the keys")
        found[key.path] = value
    return found


def _moment(text: str, now: datetime) -> datetime:
    """A time in UTC, or a span from now."""
    if text[:-1].isdecimal() and text[-1:] in _UNITS:
        return now + int(text[:-1]) * _UNITS[text[-1]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--until {text}: write a UTC time such as 2026-11-22T20:00, or 90m, 2h, 1d") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _short(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _tell_changes(what: str, changes: tuple[LimitChange, ...]) -> None:
    for change in changes:
        screen().print(f"{what}: {change}", markup=False)


def _tell_waiting(views: Sequence[ApprovalView]) -> None:
    for view in views:
        said = ", ".join(consent.by for consent in view.given)
        screen().print(f"{view.approval}: {view.text}", markup=False)
        screen().print(
            f"  asked by {view.asked_by}, {len(view.given)} of {view.needed} said yes{f' ({said})' if said else ''}, "
            f"until {_short(view.expires_at)} UTC, content {view.content}",
            markup=False,
        )


def _as_data(changes: tuple[LimitChange, ...]) -> list[dict[str, str]]:
    return [{"key": change.key, "was": change.was, "now": change.now} for change in changes]
