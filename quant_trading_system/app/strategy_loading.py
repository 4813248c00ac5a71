"""Finds the strategy that a command names: a file, a module, or one of those that ship with the package."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType

import msgspec

from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.research import strategies as shipped
from quant_trading_system.trading.strategy import Strategy

SHIPPED: dict[str, type[Strategy]] = {
    "momentum": shipped.Momentum,
    "mean-reversion": shipped.MeanReversion,
    "pairs": shipped.Pairs,
    "volatility-managed": shipped.VolatilityManaged,
    "risk-parity": shipped.RiskParity,
    "learned": shipped.Learned,
    "buy-and-hold": shipped.BuyAndHold,
}
"""Those that ship with the package, by the names that commands take."""


class StrategySource(msgspec.Struct, frozen=True):
    """A strategy as it was when it was named: what other processes and machines need to build the same one.

    Attributes:
        spec: ``momentum``, ``my_strategy.py``, ``my_strategy.py:MyClass`` or ``package.module:MyClass``.
        text: of the file; None for what is imported.
    """

    spec: str
    text: bytes | None = None

    @classmethod
    def read(cls, spec: str) -> StrategySource:
        """Read the file, where one is named.

        Raises:
            StrategyError: there is no such file.
        """
        path = _file_of(spec)
        if path is None:
            return cls(spec)
        try:
            return cls(spec, path.read_bytes())
        except OSError as error:
            why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
            raise StrategyError(f"{path}: {why}") from None

    def load(self) -> type[Strategy]:
        """The class that is named.

        Raises:
            StrategyError: there is no such strategy, or it cannot be imported.
        """
        spec = self.spec
        if spec in SHIPPED:
            return SHIPPED[spec]
        path, name = _file_of(spec), spec.partition(":")[2]
        if path is not None:
            module = _from_text(path, self.text or b"")
        elif name:
            module = _from_module(spec.partition(":")[0])
        else:
            near = get_close_matches(spec, SHIPPED, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; give a .py file, or one of {', '.join(SHIPPED)}"
            raise StrategyError(f"{spec!r} is no strategy{hint}")
        return _class_in(module, name, spec)


def load_strategy(spec: str) -> Strategy:
    """The strategy that `spec` names (see `StrategySource`), built without arguments.

    Raises:
        StrategyError: there is no such strategy, or it cannot be imported or built.
    """
    cls = StrategySource.read(spec).load()
    try:
        return cls()
    except TypeError as error:
        raise StrategyError(f"{spec}: {cls.__name__} must be buildable without arguments: {error}") from error


def _file_of(spec: str) -> Path | None:
    place = spec.partition(":")[0]
    return Path(place) if place.endswith(".py") else None


class _Text(SourceLoader):
    """Imports a module from a text that was read before."""

    def __init__(self, path: Path, text: bytes) -> None:
        self._path, self._text = str(path), text

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - of a loader for one module
        return self._path

    def get_data(self, path: str) -> bytes:
        if path != self._path:
            raise OSError(f"{path} is not wanted")  # nothing is read or kept as byte code
        return self._text


def _from_text(path: Path, text: bytes) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path, loader=_Text(path, text))
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"{type(error).__name__}: {error}{_hint_of_a_neighbour(path, error)}"
        raise StrategyError(f"{path} cannot be imported: {why}") from error
    return module


def _hint_of_a_neighbour(path: Path, error: Exception) -> str:
    """What to do when a strategy imports a file that lies beside it, for only its own text is read."""
    name = (error.name or "") if isinstance(error, ModuleNotFoundError) else ""
    if not name.isidentifier() or not path.with_name(f"{name}.py").is_file():
        return ""
    return f"; {name}.py lies beside it, where nothing is looked for: name the directory in PYTHONPATH"


def _from_module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise StrategyError(f"{name} cannot be imported: {error}") from error


def _class_in(module: ModuleType, name: str, spec: str) -> type[Strategy]:
    found = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Strategy) and value.__module__ == module.__name__
    }
    if name:
        if name not in found:
            raise StrategyError(f"{spec}: no strategy {name}; there are {', '.join(found) or 'none'}")
        return found[name]
    if len(found) != 1:
        what = ", ".join(found) or "none: write a class that inherits from Strategy"
        raise StrategyError(f"{spec}: name one strategy as FILE:CLASS; found {what}")
    return next(iter(found.values()))
