"""Calibrated impact in a file, so that what own executions have taught is used for the next ones."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.execution.algo.impact import AlmgrenImpact

if TYPE_CHECKING:
    from quant_trading_system.execution.algo.calibration import Calibration


class ImpactFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What such a file holds.

    Attributes:
        gamma, eta, exponent: of `AlmgrenImpact`; `gamma_error`, `eta_error`: their standard errors.
        samples: how many parent orders they rest on.
    """

    gamma: float
    eta: float
    exponent: float
    gamma_error: float
    eta_error: float
    samples: int


def write_impact(path: Path, found: Calibration) -> None:
    """Write a calibration; a coefficient that only noise makes negative counts as zero.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    model = found.model
    text = msgspec.json.encode(
        ImpactFile(
            gamma=model.gamma,
            eta=model.eta,
            exponent=model.exponent,
            gamma_error=found.gamma.error,
            eta_error=found.eta.error,
            samples=found.samples,
        )
    )
    try:
        path.write_bytes(text + b"\n")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}") from error


def read_impact(path: Path) -> AlmgrenImpact:
    """The model in a file that `qts algo calibrate --out` wrote.

    Raises:
        ConfigurationError: it cannot be read, or its numbers make no model.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=ImpactFile)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} holds no calibrated impact: {error}") from error
    sound = all(isfinite(value) and value >= 0 for value in (found.gamma, found.eta)) and 0 < found.exponent <= 2
    if not sound:
        raise ConfigurationError(f"{path}: gamma and eta must be at least 0, the exponent above 0 and at most 2")
    return AlmgrenImpact(found.gamma, found.eta, found.exponent)
