"""What all commands have in common, and the words in which people are told from programs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec

from quant_trading_system.core.exceptions import InvalidCommand
from quant_trading_system.core.numbers import ZERO, positive
from quant_trading_system.core.roles import Role

Reason = Annotated[str, msgspec.Meta(max_length=500)]
LONGEST_NAME = 128
Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
Key = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{8,64}$")]
"""Names one intention: whoever repeats a request repeats its key."""
Person = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Fields = Mapping[str, object]
"""Fields of a command as plain data."""


class Source(StrEnum):
    """The way in."""

    CLI = "cli"
    API = "api"
    CONSOLE = "console"


class Command(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="command"
):
    """Base of all commands. Every decimal is finite and above zero, every text one printable line.

    Attributes:
        needs: the least that somebody must be to give it; to stop something takes less than to let it go on.
        example: fields of one that is well formed, as plain data.
        stops: it only stops something, so it is carried out also when nothing can be recorded.

    Raises:
        InvalidNumber, InvalidCommand: one that is not.
    """

    needs: ClassVar[Role]
    example: ClassVar[Fields]
    stops: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, Decimal) and value is not ZERO:  # the default of a field that was left out
                positive(value)
            elif isinstance(value, str):
                require_printable(field, value)
            elif isinstance(value, Mapping):
                for part in (*value, *value.values()):
                    if isinstance(part, str):
                        require_printable(field, part)

    @property
    def name(self) -> str:
        """As it is called in requests, such as ``place_order``."""
        return str(self.__struct_config__.tag)


def require_printable(field: str, text: str) -> None:
    """Refuse text that is more than one line, or moves a terminal's cursor.

    Raises:
        InvalidCommand: it does.
    """
    if not text.isprintable():
        raise InvalidCommand(f"{field}: one line of printable characters, not {text[:40]!r}")
