"""``mho forecast``: what a solve is going to come to, before anything is programmed; and how earlier forecasts did.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.options import AsJson, Bench, Preset, Seed
from mho.errors import InputError


class ForecastCommand(ProcedureCommand):
    """A verb with the parameters of a solve, whose matrix may be left out."""

    partial = True

    def procedure_of(self, given: Mapping[str, Any]) -> str:
        """Return its name."""
        return "solve"


def forecast(
    context: typer.Context,
    bench: Bench = "simulated",
    preset: Preset = None,
    seed: Seed = None,
    draws: Annotated[int, typer.Option(help="chips to draw, at least 19")] = 39,
    alternatives: Annotated[
        bool,
        typer.Option(
            "--alternatives/--no-alternatives", help="try what would help where it may not converge"
        ),
    ] = True,
    score: Annotated[
        bool,
        typer.Option(
            "--score", help="instead, hold past runs (a folder, default data/runs) to their forecasts"
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a solve is going to come to, with intervals, before anything is programmed; connects to nothing."""
    values = typed_parameters(context, seed)
    matrix = values.pop("matrix", None)
    if score:
        _score(matrix, values, seed, as_json)
        return
    if matrix is None:
        raise InputError("mho forecast needs a matrix; `mho forecast --help` says more")
    from mho.cli.experiments.forecast_table import forecast_as_json, print_forecast
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal
    from mho.running import forecast as make

    with Stages(quiet=as_json) as stages:
        found = make(
            matrix, bench=bench, preset=preset, seed=seed, draws=draws, alternatives=alternatives,
            progress=stages.show, **{"seed_of_rhs": values.pop("seed")} if "seed" in values else {}, **values,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(forecast_as_json(found)))
    else:
        print_forecast(found, Path(matrix).name, Terminal(soft_wrap=True))


def _score(place: str | None, values: Mapping[str, Any], seed: int | None, as_json: bool) -> None:
    """Print how the forecasts in a folder did."""
    given = [name for name in values if name != "seed" or seed is None]
    if given:
        raise InputError(
            f"--score has no use for --{given[0].replace('_', '-')}: it takes a folder of run files alone"
        )
    from mho.analysis.reports import score_forecasts
    from mho.cli.experiments.forecast_table import print_scores
    from mho.cli.terminal.terminal import Terminal
    from mho.runs.paths import runs_folder

    folder = runs_folder(place)
    scores = score_forecasts(folder)
    if as_json:
        typer.echo(json.dumps(scores.plain()))
    else:
        print_scores(scores, str(folder), Terminal(soft_wrap=True))
