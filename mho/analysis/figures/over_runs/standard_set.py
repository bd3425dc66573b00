"""The standard figures over the table of runs, for any runs that have the numbers: ``--figure cycles_by_rho``."""

from __future__ import annotations

from mho.runs import RunFile
from mho.runs.figures import RUNS, Figure

RUNS_FIGURES = (
    Figure(
        "cycles_by_rho", kind="errorbars", table=RUNS, x="forecast_rho", y="cycles_to_goal", by="preset", x_scale="log",
        title="Cycles to the goal over the forecast contraction",
    ),
    Figure(
        "pulses_by_bits", kind="errorbars", table=RUNS, x="parameter.bits", y="result.pulses", by="preset", y_scale="log",
        title="Pulses of a solve over the bits asked for",
    ),
)  # fmt: skip


def over_table(run: RunFile, name: str) -> Figure | None:
    """Return the figure over the table of runs that a run declares by a name, or that is known by it."""
    own = {one.name: one for one in run.figures}
    if name in own:
        return own[name] if own[name].table == RUNS and RUNS not in run.tables else None
    return next((one for one in RUNS_FIGURES if one.name == name), None)
