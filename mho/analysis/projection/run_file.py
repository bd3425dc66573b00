"""The run file of a projection: tables, declared figures, assumptions as parameters, and the log that says what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mho.analysis.projection.assumptions import Assumptions
from mho.analysis.projection.measured import MEASURED_FIGURES, MEASURED_TABLE, Measured
from mho.analysis.projection.projecting import UNITS, Projection
from mho.runs import (
    Column,
    Figure,
    Layout,
    RecordedParameter,
    ReferenceLine,
    RunHeader,
    RunWriter,
    Table,
    collect,
    new_run_path,
)

MOST_BARS = 12
"""Assumptions that the tornado's figure names."""


def save(
    projection: Projection, output: str | os.PathLike[str] | None = None, *, measured: Measured | None = None,
    remarks: Sequence[str] = (), inputs: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write a projection into a new run file.

    Parameters
    ----------
    output : path, optional
        As for `mho.runs.new_run_path`.
    measured : Measured, optional
        What this machine does.
    remarks : sequence of str
        What is missing, for the log.
    inputs : mapping, optional
        More provenance, by name.

    Returns
    -------
    Path
        The run file.
    """
    layout = _layout(projection, measured)
    header = RunHeader(
        title=f"Projection, {projection.assumptions.name} assumptions",
        procedure="Projection",
        version="1",
        parameters=_parameters(projection),
        provenance=collect(projection.seed, sys.argv) | dict(inputs or {}),
    )
    target = new_run_path("projection", output)
    with RunWriter.create(target, header, layout) as run:
        for name, columns in projection.tables.items():
            run.emit_block(name, columns)
        result = projection.result
        if measured is not None:
            run.emit_block("measured", measured.columns)
            result |= measured.result
        for remark in remarks:
            run.log("WARNING", remark)
        run.log("INFO", projection.headline.sentence)
        run.set_result(result, UNITS)
    return target


def _parameters(projection: Projection) -> dict[str, RecordedParameter]:
    """Return every assumption with its source, and how bands were drawn."""
    given = {
        name: RecordedParameter(one.value, one.unit, one.meaning, one.source)
        for name, one in projection.assumptions.items()
    }
    return {
        "preset": RecordedParameter(projection.assumptions.name, "", "Assumptions"),
        "draws": RecordedParameter(projection.draws, "", "Draws of the bands"),
        **given,
    }


def _layout(projection: Projection, measured: Measured | None) -> Layout:
    bars = projection.bars[:MOST_BARS]
    tables = [*_tables(projection.assumptions, projection.size)]
    figures = [*_figures(projection)]
    if measured is not None:
        tables.append(MEASURED_TABLE)
        figures += MEASURED_FIGURES
    figures.append(
        Figure(
            "tornado",
            kind="scatter",
            table="tornado",
            x="rank",
            y=("low", "high"),
            y_scale="log",
            lines=(
                ReferenceLine(y=1.0),
                *(ReferenceLine(x=float(rank), label=bar.name) for rank, bar in enumerate(bars, 1)),
            ),
            title=f"Energy of a solve of {projection.size} unknowns: each assumption at its low and high",
        )
    )
    return Layout(tuple(tables), default="throughput", figures=tuple(figures))


def _sized(name: str, title: str, unit: str, columns: Mapping[str, str], signal: str) -> Table:
    """Return a table over N whose columns share a unit; each with what it is."""
    return Table(
        name,
        (
            Column("size", dtype="u4", description="N, unknowns"),
            *(Column(one, unit, description=what) for one, what in columns.items()),
        ),
        signal=signal,
        axis="size",
        title=title,
        rows=16,
    )


def _tables(assumptions: Assumptions, size: int) -> Sequence[Table]:
    name = assumptions.name
    curves = {
        "one_loop": "one circuit, one loop of N lines, A written",
        "low": "below which 5 % of the draws lie",
        "high": "above which 5 % of the draws lie",
        "by_blocks": "one circuit, BlockAMC, A written",
        "writing_A_each_time": "one circuit, one loop, A written before each solve",
    }
    processors = {
        "published_GPU_core": "the GPU core of the published figure",
        "GPU_new_A": "whole GPU, factorisation of a new A, data-sheet limit",
        "GPU_A_kept": "whole GPU, product with a stored inverse, data-sheet limit",
    }
    published = {"published": "the published circuit, read off its figure"}
    return (
        _sized(
            "throughput", f"equivalent operations a second, {name}", "1/s", curves | published | processors, "one_loop"
        ),
        _sized("energy", f"energy of a solve, {name}", "J", curves | processors, "one_loop"),
        _sized(
            "break_even",
            f"right-hand sides of a matrix from which the circuit pays, {name}",
            "",
            {
                "energy": "in energy, against a whole GPU that keeps A; infinite for never",
                "time": "in time, one circuit against a whole GPU; infinite for never",
                "time_by_area": "in time, circuits on the GPU's area; infinite for never",
                "energy_new_A": "in energy, against a whole GPU that may keep nothing of A",
            },
            "energy",
        ),
        Table(
            "tornado",
            (
                Column("rank", dtype="u2", description="the assumption, from that which changes most"),
                Column("low", description="energy with the assumption at its low, relative"),
                Column("high", description="energy with the assumption at its high, relative"),
            ),
            signal="high",
            axis="rank",
            title=f"energy of a solve of {size} unknowns, one assumption at a time",
            rows=64,
        ),
        Table(
            "settling",
            (
                Column("eigenvalue", "S", description="lambda_min of G"),
                Column("with_feedback", "s", description="with the least C_f that is stable"),
                Column("without_feedback", "s", description="if no C_f were needed"),
                Column("faster_same_feedback", "s", description="amplifiers six times faster, same C_f"),
                Column("faster_least_feedback", "s", description="amplifiers six times faster, their least C_f"),
            ),
            signal="with_feedback",
            axis="eigenvalue",
            title="settling against lambda_min",
            rows=32,
        ),
        Table(
            "settling_by_size",
            (
                Column("eigenvalue", "S", description="lambda_min of G"),
                Column("size", dtype="u4", description="N, unknowns"),
                Column("time", "s", description="settling, with the least C_f that is stable"),
            ),
            signal="time",
            axis="size",
            series="eigenvalue",
            title="settling against N",
            rows=32,
        ),
        Table(
            "blocks",
            (
                Column("size", dtype="u4", description="N, unknowns"),
                Column("inversions", description="INV of a cycle"),
                Column("products", description="MVM of a cycle"),
                Column("cells", description="that hold the matrix"),
                Column("chips", description="of as many cells as assumed"),
                Column("time", "s", description="of a solve, one operation after the other"),
                Column("energy", "J", description="of a solve"),
                Column("write_time", "s", description="of a new matrix"),
                Column("write_energy", "J", description="of a new matrix"),
                Column("GPU_new_A", "J", description="whole GPU, factorisation of a new A, data-sheet limit"),
                Column("GPU_memory", "B", description="that the matrix takes in FP32"),
            ),
            signal="time",
            axis="size",
            title="BlockAMC, counted",
            rows=32,
        ),
    )  # fmt: skip


def _figures(projection: Projection) -> Sequence[Figure]:
    p = projection.assumptions.parameters
    curves = ("one_loop", "low", "high", "by_blocks", "writing_A_each_time")
    processors = ("published_GPU_core", "GPU_new_A", "GPU_A_kept")

    def over_size(name: str, table: str, y: tuple[str, ...], title: str) -> Figure:
        return Figure(name, table=table, x="size", y=y, x_scale="log", y_scale="log", title=title)

    return (
        over_size(
            "throughput", "throughput", (*curves, "published", *processors),
            "Equivalent operations a second: one circuit, one GPU core, a whole GPU",
        ),
        over_size("energy", "energy", (*curves, *processors), "Energy of a solve: one circuit, GPU core, whole GPU"),
        over_size(
            "break_even", "break_even", ("energy", "time", "time_by_area", "energy_new_A"),
            "Right-hand sides of a matrix from which the circuit pays; no point: never",
        ),
        Figure(
            "settling_by_eigenvalue",
            table="settling",
            x="eigenvalue",
            y=("with_feedback", "faster_same_feedback", "faster_least_feedback", "without_feedback"),
            x_scale="log",
            y_scale="log",
            lines=(ReferenceLine(float(p.inv_time), label="assumed INV"),),
            title="Settling of an INV loop against its smallest eigenvalue",
        ),
        Figure(
            "settling_by_size",
            table="settling_by_size",
            x="size",
            y="time",
            by="eigenvalue",
            x_scale="log",
            y_scale="log",
            title="Settling of an INV loop against its size",
        ),
        over_size("block_operations", "blocks", ("inversions", "products"), "BlockAMC: operations of a cycle"),
        over_size("block_hardware", "blocks", ("cells", "chips"), "BlockAMC: cells and chips that hold the matrix"),
        over_size("block_time", "blocks", ("time", "write_time"), "BlockAMC: time of a solve, and of writing"),
        over_size(
            "block_energy", "blocks", ("energy", "write_energy", "GPU_new_A"),
            "BlockAMC: energy of a solve and of writing, beside a GPU's solve",
        ),
    )  # fmt: skip
