"""The standard figures over the table of runs, for any runs that have the numbers: ``--figure cycles_by_rho``."""

from __future__ import annotations

from mho.runs import RunFile
from mho.runs.figures import RUNS, Figure
from mho.runs.standard_figures import IDENTITY

RUNS_FIGURES = (
    Figure(
        "cycles_by_rho", kind="errorbars", table=RUNS, x="forecast_rho", y="cycles_to_goal", by="preset", x_scale="log",
        title="Cycles to the goal over the forecast contraction",
    ),
    Figure(
        "pulses_by_bits", kind="errorbars", table=RUNS, x="parameter.bits", y="result.pulses", by="preset", y_scale="log",
        title="Pulses of a solve over the bits asked for",
    ),
    Figure(
        "bits_a_cycle_by_forecast", kind="scatter", table=RUNS, x="forecast_bits_a_cycle", y="bits_a_cycle", by="preset",
        lines=(IDENTITY,), title="Bits found in a cycle over those forecast",
    ),
    Figure(
        "mean_error_by_condition", kind="errorbars", table=RUNS, x="result.condition", y="mean_error", by="preset",
        x_scale="log", y_scale="log", title="Error of INV over the condition number",
    ),
    Figure(
        "settling_by_lambda_min", kind="scatter", table=RUNS, x="lambda_min", y="settling_time", by="preset",
        x_scale="log", y_scale="log", fit="power", title="Settling time over lambda_min",
    ),
    Figure(
        "yield_by_pulses", kind="scatter", table=RUNS, x="pulses_per_cell", y="yield", by="strategy",
        title="Share of the cells in their windows over pulses a cell",
    ),
    Figure(
        "loss_rate_by_temperature", kind="scatter", table=RUNS, x="result.temperature", y="loss_rate", by="preset",
        y_scale="log", fit="arrhenius", title="Rate of loss over temperature",
    ),
)  # fmt: skip


def over_table(run: RunFile, name: str) -> Figure | None:
    """Return the figure over the table of runs that a run declares by a name, or that is known by it."""
    own = {one.name: one for one in run.figures}
    if name in own:
        return own[name] if own[name].table == RUNS and RUNS not in run.tables else None
    return next((one for one in RUNS_FIGURES if one.name == name), None)
