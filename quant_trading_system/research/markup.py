"""HTML and SVG that cannot be broken by what is put into it: text is escaped, and printable, unless it is markup."""

from __future__ import annotations

from html import escape

from quant_trading_system.core.wording import printable_lines

_VOID = frozenset({"input", "meta"})


class Markup(str):
    """Text that is HTML already; only `tag` and `join` make it, and constants of this package."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: such as ``td``.
        children: escaped unless they are `Markup`.
        attributes: a trailing underscore is dropped and the others become hyphens (``class_``, ``aria_label``);
            those that are None are left out.

    >>> tag("p", "1 < 2", tag("b", "ok"), class_="note")
    '<p class="note">1 &lt; 2<b>ok</b></p>'
    """
    start = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{start}>")
    return Markup(f"<{name}{start}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Several children in a row, each escaped unless it is `Markup`."""
    return Markup("".join(child if isinstance(child, Markup) else _text(child) for child in children))


def _text(text: str) -> str:
    """As it stands on the page, without what could turn the direction of writing."""
    return escape(printable_lines(text))
