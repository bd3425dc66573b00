"""``mho projection``: what analogue inversion would do, beside GPUs and CPUs by every denominator."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from mho.cli import Output, Stages, Terminal, print_warning, say
from mho.errors import Aborted, InputError
from mho.extensions.projection import (
    BENCH,
    MEASURED_SIZES,
    PRESETS,
    PUBLISHED,
    PUBLISHED_POINTS,
    Assumptions,
    MachineMeasurements,
    Projection,
    in_prefixes,
    measure_machine,
    parsed,
    project,
    published_deviations,
    read_runs,
    save,
)
from mho.extensions.projection import preset as packaged
from mho.runs import new_run_path

GROUP = "Run files"  # of the verb, in the list of all


def print_projection(projection: Projection, terminal: Terminal) -> None:
    """Print the readings of every size, break-even, bands' causes, assumptions, and the sentence."""
    for size in projection.readings:
        terminal.print(_readings(projection, size))
        terminal.print(_rivals(projection, size))
    result = projection.result
    terminal.print(_even(projection.size, result))
    if projection.bars:
        bars = ", ".join(f"{bar.name} ({bar.low:.2g} to {bar.high:.2g})" for bar in projection.bars[:5])
        terminal.print(
            f"energy at {projection.size} unknowns hangs most on {bars} times, each alone at its low and high"
        )
    worst = max(map(abs, published_deviations(projection.assumptions)))
    if worst < 0.05:
        terminal.print(_published(projection))
        terminal.print(f"the published throughput, N = 4 to 128, is met within {100 * worst:.1f} %")
    terminal.print(_assumptions(projection))
    terminal.print(projection.headline.sentence)


def _readings(projection: Projection, size: int) -> Table:
    """Return the readings of one size; ratios are of the circuit to each."""
    each = projection.readings[size]
    ours = each[0]
    table = Table("reading", title=f"{size} unknowns, {projection.assumptions.name} assumptions")
    for name in ("solves", "energy each", "circuit's speed over it", "its energy over circuit's"):
        table.add_column(name, justify="right")
    for one in each:
        known = one.joules == one.joules  # not NaN: where no counter is
        table.add_row(
            one.words, one.solves, f"{in_prefixes(one.joules)}J" if known else "not measured",
            "" if one is ours else f"{ours.rate / one.rate:.3g}",
            "" if one is ours or not known else f"{one.joules / ours.joules:.3g}",
            style="bold" if one is ours else "",
        )  # fmt: skip
    return table


def _rivals(projection: Projection, size: int) -> Table:
    """Return the circuit beside processors in FP64: ratios to the whole processor, and to one of its cores."""
    ours = projection.readings[size][0]
    bits = projection.assumptions["bits"].value
    table = Table(
        "whole, by data sheet", title=f"{size} unknowns, beside FP64; the circuit has {bits:g} bits"
    )
    for name in (
        "solves", "energy each", "circuit's speed over it", "over a core", "its energy over circuit's",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    for one in projection.rivals[size]:
        for kind, way in (("new A", one.new), ("A kept", one.kept)):
            faster, joules = ours.rate / float(way.rate), float(way.joules)
            table.add_row(
                f"{one.words}, {kind}", f"{in_prefixes(float(way.rate))}/s", f"{in_prefixes(joules)}J",
                f"{faster:.3g}", f"{one.cores * faster:.3g}", f"{joules / ours.joules:.3g}",
            )  # fmt: skip
    return table


def _published(projection: Projection) -> Table:
    """Return every published point of the circuit beside the model, with the INV and MVM times of the point."""
    p = projection.assumptions.parameters
    table = Table("published circuit", title="one loop, as published and by this model")
    for name in ("unknowns", "published", "model", "deviation"):
        table.add_column(name, justify="right")
    for one in PUBLISHED_POINTS:
        unit = "J" if one.quantity == "energy" else "op/s"
        values = (f"{in_prefixes(value)}{unit}" for value in (one.value, one.model(p)))
        table.add_row(one.words, str(one.size), *values, f"{100 * one.deviation(p):+.2f} %")
    return table


def _even(size: int, result: dict[str, Any]) -> str:
    def text(number: float | str) -> str:
        return number if isinstance(number, str) else f"from {math.ceil(number):,}"

    return (
        f"right-hand sides of one matrix of {size} unknowns from which the circuit pays, its writing included, against the "
        f"whole GPU by its data sheet: in energy {text(result['break_even_energy'])}, in time "
        f"{text(result['break_even_time'])}, in time with as many circuits as the GPU's area holds "
        f"{text(result['break_even_time_by_area'])}, in time against one of its cores "
        f"{text(result['break_even_time_of_core'])}; in energy, if the GPU may keep nothing of A, "
        f"{text(result['break_even_energy_of_new_a'])}"
    )


def _assumptions(projection: Projection) -> Table:
    table = Table("assumption", "value", "low to high", "what", "source", title="assumptions")
    for one in projection.assumptions.values():
        table.add_row(
            one.name, f"{one.value:.4g} {one.unit}".strip(),
            f"{one.low:.3g} to {one.high:.3g}" if one.low < one.high else "", one.meaning, one.source,
        )  # fmt: skip
    return table


def projections() -> list[str]:
    """Return the sets of assumptions of projections."""
    return [*PRESETS, BENCH]


def projection(
    size: Annotated[list[int] | None, typer.Option(
        help="unknowns of the readings; may be given several times, default 32 and 128")] = None,
    preset: Annotated[str, typer.Option(help="assumptions: published, fast, board, or bench (with --runs)",
                                        autocompletion=projections)] = "",
    assumptions: Annotated[Path | None, typer.Option(help="a file (.toml) of other assumptions: NAME = VALUE",
                                                     show_default=False)] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="another value, in SI units: inv_time=20e-9",
                                                   show_default=False)] = None,
    runs: Annotated[list[Path] | None, typer.Option(
        help="a run of invert or solve whose measurements are used; may be given several times")] = None,
    measure: Annotated[bool, typer.Option(
        "--measure", help="measure this machine's LAPACK, and its GPU if there is one")] = False,
    draws: Annotated[int, typer.Option(help="of the uncertainty bands")] = 2000,
    seed: Annotated[int, typer.Option(help="of the draws")] = 0,
    output: Output = None,
) -> None:  # fmt: skip
    """Project analogue inversion, beside GPUs and CPUs: per core and whole, with a new A each time and with A kept."""
    chosen = _chosen(preset, assumptions, set_ or [], runs or [])
    sizes = size or [32, 128]
    # Refuses what cannot be, before minutes of measuring
    projection = project(chosen, sizes, draws=draws, seed=seed)
    new_run_path("projection", output)
    measured = _measured(sizes, seed) if measure else None
    if measured is not None:
        projection = project(chosen, sizes, draws=draws, seed=seed, measured=measured.readings)
    inputs = {"inputs": "\n".join(f"run {one.name}" for one in runs)} if runs else None
    remarks = [*projection.remarks, *(measured.remarks if measured else ())]
    path = save(projection, output, measured=measured, remarks=remarks, inputs=inputs)
    print_projection(projection, Terminal(soft_wrap=True))
    for remark in remarks:
        print_warning(remark)
    say(path)


def _chosen(preset: str, file: Path | None, texts: list[str], runs: list[Path]) -> Assumptions:
    """Return the assumptions: a preset, over it what runs tell, what a file says, and what was typed."""
    name = preset or (BENCH if runs else PUBLISHED.name)
    if name == BENCH and not runs:
        raise InputError("--preset bench is what runs of this bench tell; name them: --runs RUN.h5")
    if runs and name != BENCH:
        raise InputError(f"--preset {name} with --runs: runs tell the preset bench; leave one of the two out")
    chosen = read_runs(runs).over(PUBLISHED, BENCH) if name == BENCH else packaged(name)
    if file is not None:
        chosen = chosen.with_file(file)
    return chosen.over(parsed(texts), "--set") if texts else chosen


def _measured(sizes: list[int], seed: int) -> MachineMeasurements:
    all_sizes = sorted({*MEASURED_SIZES, *(one for one in sizes if one <= max(MEASURED_SIZES))})
    try:
        with Stages() as stages:
            return measure_machine(np.random.default_rng(seed), sizes=all_sizes, progress=stages.show)
    except KeyboardInterrupt:
        raise Aborted("stopped: nothing is written") from None
