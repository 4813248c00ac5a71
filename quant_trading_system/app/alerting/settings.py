"""`alerts.yaml`: who is told, through which channels, and when somebody else is.

The addresses of channels hold keys and passwords. The file is private, and no message ever shows an address.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from quant_trading_system.app.readings.alert_kinds import Weight
from quant_trading_system.config.trusted_file import read_trusted
from quant_trading_system.core.exceptions import ConfigurationError

SETTINGS_FILE = "alerts.yaml"
FIRST, SECOND = "first", "second"
_MAX_BYTES = 64 * 1024

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to reach people.

    Attributes:
        name: for records and lists; `url`: of Apprise, such as ``mailto://…``; a secret.
    """

    name: Name
    url: Annotated[str, msgspec.Meta(min_length=4, max_length=2000)]

    def __repr__(self) -> str:
        return f"ChannelSettings({self.name})"


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        first, second: the groups of people; of a group, a channel is used when those before it have failed.
        least: what is less urgent goes on record only.
        escalate_after_s: what is critical, and nobody has acknowledged by then, is told to the second group.
        most_per_minute: messages to a group; what is more comes together in one.
    """

    first: Annotated[tuple[ChannelSettings, ...], msgspec.Meta(min_length=1, max_length=10)]
    second: Annotated[tuple[ChannelSettings, ...], msgspec.Meta(max_length=10)] = ()
    least: Weight = Weight.WARNING
    escalate_after_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 300
    most_per_minute: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10

    @property
    def groups(self) -> dict[str, tuple[ChannelSettings, ...]]:
        """The groups that have somebody, by name."""
        return {name: found for name, found in ((FIRST, self.first), (SECOND, self.second)) if found}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may ever show."""
        return tuple(channel.url for group in self.groups.values() for channel in group)


def read_settings(path: Path) -> AlertSettings:
    """The settings in the file at `path`.

    Raises:
        ConfigurationError: it cannot be trusted, others may read it, or a key is unknown, missing or wrong. The message
            never shows an address.
    """
    data = read_trusted(path, _MAX_BYTES, private=True)
    try:
        plain: Any = yaml.BaseLoader(data.decode("utf-8")).get_single_data()  # every scalar stays text
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        where = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if where is None else f", line {where + 1}"
        raise ConfigurationError(f"{path}{at}: this is no YAML that can be read") from None
    try:
        settings = msgspec.convert(plain, AlertSettings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}; docs/operations.md shows an example") from None
    names = [channel.name for group in settings.groups.values() for channel in group]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"{path}: two channels have the same name")
    return settings
