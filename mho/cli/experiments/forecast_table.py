"""A forecast in the terminal and as JSON: loops considered, an interval a quantity, what would help; and scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.analysis.reports import WANTED, Coverage, ForecastScores, duration_text
from mho.procedures import LoopOption
from mho.running.forecasting import Forecast
from mho.runs.intervals import Interval

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


def print_forecast(forecast: Forecast, matrix: str, out: Console) -> None:
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


def _loops(forecast: Forecast) -> Table:
    table = Table(box=None, pad_edge=False, title="loops considered, best first", title_justify="left")
    for name in ("", "encoding", "matrix", "shift", "rho", "cycles to 24 bits", "why not"):
        table.add_column(name, justify="right" if name in ("shift", "rho", "cycles to 24 bits") else "left")
    assert forecast.plan is not None
    table.add_row("taken", *_loop(forecast.plan), "")
    for one in forecast.tried[:SHOWN]:
        table.add_row("", *_loop(one), one.why_not)
    if len(forecast.tried) > SHOWN:
        table.add_row("", f"and {len(forecast.tried) - SHOWN} more")
    return table


def _loop(one: LoopOption) -> tuple[str, str, str, str, str]:
    candidate = one.candidate
    return (
        "any" if candidate is None else candidate.encoding.name,
        one.preconditioning.name,
        f"{one.shift:.3g}" if one.shift else "",
        "" if candidate is None else f"{candidate.rho:.3f}",
        f"{one.cycles:.0f}" if math.isfinite(one.cycles) else "",
    )


def _print_method(forecast: Forecast, out: Console) -> None:
    """Print the method, and what each was expected to take; nothing of one that was given."""
    if forecast.choice is not None and forecast.choice.judged:
        out.print(f"method: {forecast.choice.method}; {forecast.choice.in_words()}")
    if forecast.without_chip:
        out.print(f"without the chip: {', '.join(_unaided(*one) for one in forecast.without_chip.items())}")


def _unaided(method: str, cycles: int | None) -> str:
    return f"{method} {'does not get there' if cycles is None else f'{cycles} cycles'}"


def _quantities(forecast: Forecast) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("with a probability of 90 % each")
    for name in ("from", "median", "to"):
        table.add_column(name, justify="right")
    for name, interval in forecast.solves.intervals.items():
        if name in OF_ONE_LOOP and (forecast.plan is None or not math.isfinite(interval.low)):
            continue
        table.add_row(NAMES.get(name, name), *_ends(name, interval))
    if forecast.wall is not None:
        table.add_row(NAMES["solve_seconds"], *_ends("solve_seconds", forecast.wall))
    table.add_row("cells to program", "", str(forecast.cells), "")
    held = "all, in float64" if forecast.held_bits is None else str(forecast.held_bits)
    table.add_row("bits of the matrix in the products", "", held, "")
    table.add_row("bits that float64 is sure to hold", "", f"{forecast.provable_bits:.1f}", "")
    return table


def _ends(name: str, interval: Interval) -> Iterator[str]:
    for value in (interval.low, interval.median, interval.high):
        if not math.isfinite(value):
            yield "not reached" if name == "cycles_to_goal" else "inf"
        elif name.endswith("_seconds"):
            yield duration_text(value) if value >= 10.0 else f"{value:.2g} s"
        elif name == "joules":
            yield f"{1e3 * value:.3g} mJ"
        else:
            yield FORMS.get(name, "{:.0f}").format(value)


def _print_probability(forecast: Forecast, out: Console) -> None:
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


def _advice(forecast: Forecast) -> Iterator[str]:
    """Yield what would help, a sentence each."""
    now = forecast.solves.intervals.get("cycles_to_goal")
    cycles = "" if now is None or not math.isfinite(now.median) else f", in {now.median:.0f} cycles"
    for one in forecast.alternatives:
        took = f", in {one.cycles:.0f} cycles" if math.isfinite(one.cycles) else ""
        yield (
            f"would help: {one.change}: it converges on {one.converging} of {one.draws} drawn chips{took}, instead of "
            f"{forecast.solves.converging} of {forecast.solves.draws}{cycles}"
        )


def _assumptions(forecast: Forecast) -> Iterator[str]:
    """Yield what the figures rest on, a sentence each."""
    if forecast.real:
        yield (
            f"the bench has real instruments, and none was connected: its chip's cells are taken to be as preset "
            f"{forecast.preset} has them, its converters and amplifiers as its file and their data sheets do; `mho "
            "rehearse` counts the messages, which come on top of the bench's clock"
        )
    if "joules" in forecast.solves.intervals:
        yield f"energy: cells, and by assumption {forecast.energy}"


def forecast_as_json(forecast: Forecast) -> dict[str, Any]:
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


def _loop_as_json(one: LoopOption) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "encoding": None if candidate is None else candidate.encoding.name,
        "matrix": one.preconditioning.name,
        "shift": one.shift,
        "rho": candidate.rho if candidate is not None and math.isfinite(candidate.rho) else None,
        "cycles": one.cycles if math.isfinite(one.cycles) else None,
        "why_not": one.why_not,
    }


def _verdict(coverage: Coverage) -> Text:
    """Say whether a coverage is as wanted; with few runs, nobody knows."""
    low, high = coverage.uncertainty
    if coverage.met:
        return Text("met", "green")
    if low <= WANTED[1] and high >= WANTED[0]:
        return Text("too few runs", "yellow")
    return Text("not met", "bold red")


def print_scores(scores: ForecastScores, place: str, out: Console) -> None:
    """Print how often the intervals of past runs held; `place` is where these are."""
    if not scores.runs:
        out.print(
            f"no run in {place} holds a forecast that can be scored; `mho solve MATRIX --draws 39` records one"
        )
    else:
        out.print(
            f"{scores.runs} runs in {place} were forecast: {scores.converged} converged, {scores.expected:.1f} were to"
        )
        table = Table(box=None, pad_edge=False)
        table.add_column("90 % intervals of")
        for name in ("runs", "inside", "coverage", "its own 90 % interval", "0.85 to 0.95"):
            table.add_column(name, justify="right")
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
