"""``mho forecast``: what a solve is going to come to, before anything is programmed; and how earlier forecasts did."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho import procedures, running
from mho.analysis import reports
from mho.cli.experiments.procedure_command import ProcedureCommand, typed_parameters
from mho.cli.options import AsJson, Bench, Circuit, Preset, Seed
from mho.cli.terminal.terminal import Terminal, plain_table
from mho.errors import InputError
from mho.lazy_names import late_imports
from mho.runs import runs_folder

with late_imports():
    from mho.cli.terminal import stages
    from mho.running import forecasting
    from mho.runs import intervals

SHOWN = 8  # loops that were not taken
NAMES = {
    "forecast_rho": "rho, contraction a cycle",
    "cycles_to_goal": "cycles",
    "bits": "proved bits",
    "pulses": "pulses",
    "cells_failed": "cells outside their window",
    "virtual_seconds": "time on the bench's clock",
    "joules": "energy",
    "solve_seconds": "time on this machine",
    "loop_slowest": "stability: least Re of D^-1 G",
    "loop_damping": "stability: damping",
    "cycles_saved": "cycles that the chip saves",
    "digital_ratio": "digital work, times that without the chip",
}
# A matrix by blocks has none of these, nor have right-hand sides of zeros.
OF_ONE_LOOP = ("forecast_rho", "loop_slowest", "loop_damping")
FORMS = {
    "forecast_rho": "{:.3f}",
    "bits": "{:.1f}",
    "loop_slowest": "{:.3g}",
    "loop_damping": "{:.3g}",
    "digital_ratio": "{:.3g}",
}


def print_forecast(forecast: forecasting.Forecast, matrix: str, out: Console) -> None:
    """Print a forecast; `matrix` is the name of its matrix."""
    f = forecast
    out.print(
        Text.assemble(
            (f"forecast of {matrix}", "bold"),
            f" ({f.size} x {f.size} as a real one, condition number {f.condition:.3g}) on bench {f.bench!r}, cells "
            f"{f.preset}, seed {f.seed}",
        )
    )
    if f.refused:
        out.print(f"nothing would be programmed: {f.refused}", style="bold red")
    if f.unfit:
        out.print(f.unfit, style="yellow")
    if f.plan is not None:  # of a matrix by blocks there is no one loop
        out.print(_loops(f))
        _print_method(f, out)
    if not f.refused:
        out.print(_quantities(f))
        _print_probability(f, out)
    for sentence in _advice(f):
        out.print(sentence)
    for sentence in _assumptions(f):
        out.print(sentence, style="dim")


def _loops(forecast: forecasting.Forecast) -> Table:
    numbers = ("shift", "rho", "cycles to 24 bits")
    table = plain_table(
        "", "encoding", "matrix", *numbers, "why not", right=numbers, title="loops considered, best first",
        title_justify="left",
    )  # fmt: skip
    assert forecast.plan is not None
    table.add_row("taken", *_loop(forecast.plan), "")
    for one in forecast.tried[:SHOWN]:
        table.add_row("", *_loop(one), one.why_not)
    if len(forecast.tried) > SHOWN:
        table.add_row("", f"and {len(forecast.tried) - SHOWN} more")
    return table


def _loop(one: procedures.LoopOption) -> tuple[str, str, str, str, str]:
    candidate = one.candidate
    return (
        "any" if candidate is None else candidate.encoding.name,
        one.preconditioning.name,
        f"{one.shift:.3g}" if one.shift else "",
        "" if candidate is None else f"{candidate.rho:.3f}",
        f"{one.cycles:.0f}" if math.isfinite(one.cycles) else "",
    )


def _print_method(forecast: forecasting.Forecast, out: Console) -> None:
    """Print the method, and what each was expected to take; nothing of one that was given."""
    if forecast.choice is not None and forecast.choice.judged:
        out.print(f"method: {forecast.choice.method}; {forecast.choice.in_words()}")
    if forecast.without_chip:
        out.print(f"without the chip: {', '.join(_unaided(*one) for one in forecast.without_chip.items())}")


def _unaided(method: str, cycles: int | None) -> str:
    return f"{method} {'does not get there' if cycles is None else f'{cycles} cycles'}"


def _quantities(forecast: forecasting.Forecast) -> Table:
    numbers = ("from", "median", "to")
    table = plain_table("with a probability of 90 % each", *numbers, right=numbers)
    for name, interval in forecast.solves.intervals.items():
        if name in OF_ONE_LOOP and (forecast.plan is None or not math.isfinite(interval.low)):
            continue
        table.add_row(NAMES.get(name, name), *_ends(name, interval))
    if forecast.wall is not None:
        table.add_row(NAMES["solve_seconds"], *_ends("solve_seconds", forecast.wall))
    table.add_row("cells to program", "", str(forecast.cells), "")
    bits = "all, in float64" if forecast.held_bits is None else str(forecast.held_bits)
    table.add_row("bits of the matrix in the products", "", bits, "")
    table.add_row("bits that float64 is sure to hold", "", f"{forecast.provable_bits:.1f}", "")
    return table


def _ends(name: str, interval: intervals.Interval) -> Iterator[str]:
    for value in (interval.low, interval.median, interval.high):
        if not math.isfinite(value):
            yield "not reached" if name == "cycles_to_goal" else "inf"
        elif name.endswith("_seconds"):
            yield reports.duration_text(value) if value >= 10.0 else f"{value:.2g} s"
        elif name == "joules":
            yield f"{1e3 * value:.3g} mJ"
        else:
            yield FORMS.get(name, "{:.0f}").format(value)


def _print_probability(forecast: forecasting.Forecast, out: Console) -> None:
    solves = forecast.solves
    probability, low, high = solves.probability
    goal = "to the tolerance" if forecast.bits is None else f"to {forecast.bits} bits"
    out.print(
        f"converges {goal} with a probability of {probability:.2f} ({low:.2f} to {high:.2f}): on {solves.converging} of "
        f"{solves.draws} drawn chips",
        style="green" if low > 0.5 else "bold red" if high < 0.5 else "yellow",
    )
    for reason, count in solves.reasons.items():
        out.print(f"  on {count} it does not: {reason}")


def _advice(forecast: forecasting.Forecast) -> Iterator[str]:
    """Yield what would help, a sentence each."""
    now = forecast.solves.intervals.get("cycles_to_goal")
    cycles = "" if now is None or not math.isfinite(now.median) else f", in {now.median:.0f} cycles"
    for one in forecast.alternatives:
        took = f", in {one.cycles:.0f} cycles" if math.isfinite(one.cycles) else ""
        yield (
            f"would help: {one.change}: it converges on {one.converging} of {one.draws} drawn chips{took}, instead of "
            f"{forecast.solves.converging} of {forecast.solves.draws}{cycles}"
        )


def _assumptions(forecast: forecasting.Forecast) -> Iterator[str]:
    """Yield what the figures rest on, a sentence each."""
    if forecast.real:
        yield (
            f"the bench has real instruments, and none was connected: its chip's cells are taken to be as preset "
            f"{forecast.preset} has them, its converters and amplifiers as its file and their data sheets do; `mho "
            "rehearse` counts the messages, which come on top of the bench's clock"
        )
    if "joules" in forecast.solves.intervals:
        yield f"energy: cells, and by assumption {forecast.energy}"


def forecast_as_json(forecast: forecasting.Forecast) -> dict[str, Any]:
    """Return a forecast for machines; what is infinite is None."""
    f = forecast
    return {
        "bench": f.bench,
        "preset": f.preset,
        "real_instruments": f.real,
        "seed": f.seed,
        "size": f.size,
        "condition": f.condition,
        "bits_asked": f.bits,
        "provable_bits": f.provable_bits,
        "held_bits": f.held_bits,
        "refused": f.refused,
        "unfit_cells": f.unfit,
        "plan": None if f.plan is None else _loop_as_json(f.plan),
        "tried": [_loop_as_json(one) for one in f.tried],
        "method": None if f.choice is None else f.choice.method,
        "methods_judged": [] if f.choice is None else [one.plain() for one in f.choice.judged],
        "without_chip": f.without_chip,
        "cells": f.cells,
        "forecast": f.solves.plain(),
        "not_converging": f.solves.reasons,
        "wall_seconds": None if f.wall is None else f.wall.plain(),
        "joules": f.solves.intervals["joules"].plain() if "joules" in f.solves.intervals else None,
        "would_help": [
            {
                "change": one.change,
                "converging": one.converging,
                "draws": one.draws,
                "cycles": one.cycles if math.isfinite(one.cycles) else None,
            }
            for one in f.alternatives
        ],
        "assumptions": list(_assumptions(f)),
    }


def _loop_as_json(one: procedures.LoopOption) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "encoding": None if candidate is None else candidate.encoding.name,
        "matrix": one.preconditioning.name,
        "shift": one.shift,
        "rho": candidate.rho if candidate is not None and math.isfinite(candidate.rho) else None,
        "cycles": one.cycles if math.isfinite(one.cycles) else None,
        "why_not": one.why_not,
    }


def _verdict(coverage: reports.Coverage) -> Text:
    """Say whether a coverage is as wanted; with few runs, nobody knows."""
    low, high = coverage.uncertainty
    if coverage.met:
        return Text("met", "green")
    if low <= reports.WANTED[1] and high >= reports.WANTED[0]:
        return Text("too few runs", "yellow")
    return Text("not met", "bold red")


def print_scores(scores: reports.ForecastScores, place: str, out: Console) -> None:
    """Print how often the intervals of past runs held; `place` is where these are."""
    if not scores.runs:
        out.print(
            f"no run in {place} holds a forecast that can be scored; `mho solve MATRIX --draws 39` records one"
        )
    else:
        out.print(
            f"{scores.runs} runs in {place} were forecast: {scores.converged} converged, {scores.expected:.1f} were to"
        )
        numbers = ("runs", "inside", "coverage", "its own 90 % interval", "0.85 to 0.95")
        table = plain_table("90 % intervals of", *numbers, right=numbers)
        for name, one in scores.coverages.items():
            low, high = one.uncertainty
            table.add_row(
                NAMES.get(name, name), str(one.runs), str(one.inside), f"{one.coverage:.3f}", f"{low:.3f} to {high:.3f}",
                _verdict(one),
            )  # fmt: skip
        out.print(table)
    if scores.without:
        out.print(f"{scores.without} runs hold no forecast, or did not end by themselves")
    for unreadable in scores.unreadable:
        out.print(f"left out: {unreadable.path}: {unreadable.reason}", style="yellow")


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
    circuit: Circuit = None,
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

    with stages.Stages(quiet=as_json) as bars:
        prediction = running.forecast(
            matrix, bench=bench, preset=preset, circuit=circuit, seed=seed, draws=draws, alternatives=alternatives,
            progress=bars.show, **{"rhs_seed": values.pop("seed")} if "seed" in values else {}, **values,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(forecast_as_json(prediction)))
    else:
        print_forecast(prediction, Path(matrix).name, Terminal(soft_wrap=True))


def _score(place: str | None, values: Mapping[str, Any], seed: int | None, as_json: bool) -> None:
    """Print how the forecasts in a folder did."""
    given = [name for name in values if name != "seed" or seed is None]
    if given:
        raise InputError(
            f"--score has no use for --{given[0].replace('_', '-')}: it takes a folder of run files alone"
        )

    folder = runs_folder(place)
    scores = reports.score_forecasts(folder)
    if as_json:
        typer.echo(json.dumps(scores.plain()))
    else:
        print_scores(scores, str(folder), Terminal(soft_wrap=True))
