"""Options that belong together, declared once: a parameter that is a named tuple is given as one option a field."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command`, in whose place typer sees the fields of every parameter that is a named tuple.

    The fields are annotated as options are, and have defaults. The command gets the tuple.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, tuple[type[Any], tuple[str, ...]]] = {}
    seen: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if not hasattr(kind, "_field_defaults"):
            seen.append(parameter.replace(annotation=kind))
            continue
        groups[parameter.name] = (kind, kind._fields)
        for field, option in get_type_hints(kind, include_extras=True).items():
            default = kind._field_defaults[field]
            seen.append(inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option))

    @functools.wraps(command)
    def with_options(**given: Any) -> Any:
        for name, (kind, fields) in groups.items():
            given[name] = kind(**{field: given.pop(field) for field in fields})
        return command(**given)

    ordered = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in seen]
    with_options.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return with_options
