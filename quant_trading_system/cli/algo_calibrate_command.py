"""`qts algo calibrate`: the impact coefficients that own parent orders tell of, with their errors."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, print_json, reading, screen, table

if TYPE_CHECKING:
    from quant_trading_system.execution.algo.calibration import Calibration, Estimate

Journals = Annotated[
    list[Path] | None, typer.Argument(metavar="JOURNAL...", help="Journals or their directories; the latest run's.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write them for `qts algo plan --impact`.", show_default=False)]


def calibrate(journals: Journals = None, out: Out = None, as_json: AsJson = False) -> None:
    """Fit the impact of trading to the finished parent orders of your own runs, with standard errors.

    Needs twenty parents that differ in size and duration; impact is small beside the noise of a day, so have hundreds.

    Example: [bold]qts algo calibrate runs/january runs/february --out impact.json[/bold]
    """
    from quant_trading_system.execution.algo.impact_file import write_impact
    from quant_trading_system.execution.parent_history import calibrated

    with ExitStack() as stack:
        places: list[Path | None] = [*journals] if journals else [None]
        found = calibrated([stack.enter_context(reading(place)) for place in places])
    if out is not None:
        write_impact(out, found)
    if as_json:
        print_json(found)
        return
    _show(found)
    if out is not None:
        screen().print(f"written to {out}; `qts algo plan --impact {out}` plans with it", markup=False)


def _show(found: Calibration) -> None:
    from quant_trading_system.execution.algo.impact import AlmgrenImpact

    usual = AlmgrenImpact()
    rows = table(
        "coefficient", "fitted", "95 % within", "Almgren 2005", right=("fitted", "95 % within", "Almgren 2005")
    )
    rows.add_row("γ, permanent", f"{found.gamma.value:.3f}", _range(found.gamma), f"{usual.gamma}")
    rows.add_row("η, temporary", f"{found.eta.value:.3f}", _range(found.eta), f"{usual.eta}")
    rows.add_row("exponent", f"{found.exponent.value:.3f}", "given", f"{usual.exponent}")
    screen().print(rows)
    screen().print(f"{found.samples} parent orders; {found.explained:.1%} of the variance explained", markup=False)


def _range(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{low:.3f} to {high:.3f}"
