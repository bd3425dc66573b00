"""The standard figures over the table of runs, for any runs that have the numbers: ``--figure cycles_by_rho``."""

from __future__ import annotations

from functools import partial

from mho.runs import RunFile
from mho.runs.figures import RUNS, Figure
from mho.runs.standard_figures import IDENTITY

_points = partial(Figure, kind="scatter", table=RUNS, by="preset")
_bars = partial(Figure, kind="errorbars", table=RUNS, by="preset")
RUNS_FIGURES = (
    _bars("cycles_by_rho", x="forecast_rho", y="cycles_to_goal", x_scale="log",
        title="Cycles to the goal over the forecast contraction"),
    _bars("pulses_by_bits", x="parameter.bits", y="result.pulses", y_scale="log",
        title="Pulses of a solve over the bits asked for"),
    _points("bits_a_cycle_by_forecast", x="forecast_bits_a_cycle", y="bits_a_cycle", lines=(IDENTITY,),
        title="Bits found in a cycle over those forecast"),
    _bars("mean_error_by_condition", x="result.condition", y="mean_error", x_scale="log", y_scale="log",
        title="Error of INV over the condition number"),
    _points("settling_by_lambda_min", x="lambda_min", y="settling_time", x_scale="log", y_scale="log", fit="power",
        title="Settling time over lambda_min"),
    _points("yield_by_pulses", x="pulses_per_cell", y="yield", by="strategy",
        title="Share of the cells in their windows over pulses a cell"),
    _points("loss_rate_by_temperature", x="result.temperature", y="loss_rate", y_scale="log", fit="arrhenius",
        title="Rate of loss over temperature"),
)  # fmt: skip


def over_table(run: RunFile, name: str) -> Figure | None:
    """Return the figure over the table of runs that a run declares by a name, or that is known by it."""
    own = {one.name: one for one in run.figures}
    if name in own:
        return own[name] if own[name].table == RUNS and RUNS not in run.tables else None
    return next((one for one in RUNS_FIGURES if one.name == name), None)
