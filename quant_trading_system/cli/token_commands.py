"""`qts token`: who may use the control API, and how much they may do."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, as_it_stands, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.app.tokens import TokenStore

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


class RoleName(StrEnum):
    """What a principal may do; each includes the ones before it."""

    VIEWER = "viewer"
    TRADER = "trader"
    RISK = "risk"
    ADMIN = "admin"


Principal = Annotated[str, typer.Argument(help="The person or program that acts with it; goes on record.")]
RoleOption = Annotated[
    RoleName,
    typer.Option(help="viewer: looks; trader: also orders and halts; risk: also limits and resume; admin: all."),
]
Expires = Annotated[str, typer.Option(help="How long it is good for, such as 12h or 90d; for ever without.")]
Which = Annotated[str, typer.Argument(help="The id of a token, or a name for all its tokens.")]


def create(name: Principal, role: RoleOption, expires: Expires = "", as_json: AsJson = False) -> None:
    """Make a token for the control API; it is shown once and kept nowhere.

    Example: [bold]qts token create alice --role trader --expires 90d[/bold]
    """
    from quant_trading_system.core.roles import Role

    text = _store().create(name, Role(role.value), _lifetime(expires))
    if as_json:
        print_json({"token": text, "name": name, "role": role.value})
        return
    screen().print(text, markup=False, soft_wrap=True)
    screen().print(f"[dim]for {as_it_stands(name)} as {role.value}; shown once, keep it like a password[/dim]")


def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens with name, role and last use; never the tokens themselves.

    Example: [bold]qts token list[/bold]
    """
    lines = _store().lines()
    if as_json:
        print_json(lines)
        return
    shown = table("id", "name", "role", "created", "expires", "last used")
    for line in lines:
        expires = f"{line.expires_at:%Y-%m-%d %H:%M}" if line.expires_at else "never"
        used = f"{line.last_used:%Y-%m-%d %H:%M}" if line.last_used else "never"
        style = "dim" if line.expired else ""
        shown.add_row(
            line.token_id, line.name, line.role.value, f"{line.created_at:%Y-%m-%d %H:%M}", expires, used, style=style
        )
    screen().print(shown if lines else "no tokens; `qts token create NAME --role viewer` makes one")


def revoke(which: Which) -> None:
    """End a token, or all tokens of a name; a running console refuses them at once.

    Example: [bold]qts token revoke alice[/bold]
    """
    for token in _store().revoke(which):
        screen().print(f"revoked {token.token_id} of {token.name} ({token.role.value})", markup=False)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        help="Tokens of the control API. Example: qts token create alice --role trader", no_args_is_help=True
    )
    group.command()(create)
    group.command("list")(list_tokens)
    group.command()(revoke)
    app.add_typer(group, name="token")


def _store() -> TokenStore:
    from quant_trading_system.app.tokens import TOKENS_FILE, TokenStore
    from quant_trading_system.config.settings import state_directory
    from quant_trading_system.core.clock import SystemClock

    return TokenStore(state_directory() / TOKENS_FILE, SystemClock())


def _lifetime(text: str) -> timedelta | None:
    """Of ``12h`` or ``90d``; None for no text.

    Raises:
        ConfigurationError: it is no such text.
    """
    if not text:
        return None
    form = re.fullmatch(r"([1-9][0-9]{0,4})([hd])", text)
    if form is None:
        raise ConfigurationError(f"--expires {text}: write hours or days, such as 12h or 90d")
    return int(form[1]) * _UNITS[form[2]]
