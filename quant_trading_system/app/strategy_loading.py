"""Finds the strategy that a command names: a file, a module, or one of those that ship with the package."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType

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


def load_strategy(spec: str) -> Strategy:
    """The strategy that `spec` names.

    Args:
        spec: ``momentum``, ``my_strategy.py``, ``my_strategy.py:MyClass`` or ``package.module:MyClass``.

    Raises:
        StrategyError: there is no such strategy, or it cannot be imported or built.
    """
    if spec in SHIPPED:
        return SHIPPED[spec]()
    place, _, name = spec.partition(":")
    if place.endswith(".py"):
        module = _from_file(Path(place))
    elif name:
        module = _from_module(place)
    else:
        near = get_close_matches(spec, SHIPPED, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; give a .py file, or one of {', '.join(SHIPPED)}"
        raise StrategyError(f"{spec!r} is no strategy{hint}")
    return _build(_class_in(module, name, spec), spec)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise StrategyError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


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


def _build(cls: type[Strategy], spec: str) -> Strategy:
    try:
        return cls()
    except TypeError as error:
        raise StrategyError(f"{spec}: {cls.__name__} must be buildable without arguments: {error}") from error
