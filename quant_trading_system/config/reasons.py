"""Why the shipped limits are what they are: the comments above their keys."""

from __future__ import annotations

import re
from importlib.resources import files


def shipped_text() -> str:
    """`risk_params.yaml` as it ships."""
    return files(__package__).joinpath("risk_params.yaml").read_text(encoding="utf-8")


def shipped_reasons() -> dict[str, str]:
    """The reason of each shipped value by the name of its key."""
    return {name: why for why, name in re.findall(r"# why: (.*)\n  (\w+):", shipped_text())}
