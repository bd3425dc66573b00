"""The run file of a projection: tables, declared figures, assumptions as parameters, a log of what is missing.

The assumptions with their ranges and sources are in its provenance, as the TOML that ``--assumptions`` reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mho.extensions.projection.measured import MEASURED_FIGURES, MEASURED_TABLE, MachineMeasurements
from mho.extensions.projection.projecting import CURVES, MOST_BARS, UNITS, Projection
from mho.runs import (
    Column,
    Conclusion,
    Figure,
    Layout,
    RecordedParameter,
    ReferenceLine,
    RunHeader,
    RunWriter,
    Table,
    collect,
)


def save(
    projection: Projection, output: str | os.PathLike[str] | None = None, *, measured: MachineMeasurements | None = None,
    remarks: Sequence[str] = (), inputs: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write a projection into a new run file.

    Parameters
    ----------
    output : path, optional
        As for `mho.runs.new_run_path`.
    measured : MachineMeasurements, optional
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
        provenance=collect(projection.seed, sys.argv)
        | {"assumptions": projection.assumptions.text}
        | dict(inputs or {}),
    )
    with RunWriter.create_new("projection", output, header, layout) as run:
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
        run.conclude(Conclusion(projection.headline.sentence.rstrip(".")))
    return run.path


def _parameters(projection: Projection) -> dict[str, RecordedParameter]:
    """Return every assumption, and how bands were drawn."""
    given = {
        name: RecordedParameter(one.value, one.unit, name) for name, one in projection.assumptions.items()
    }
    return {
        "preset": RecordedParameter(projection.assumptions.name, "", "Assumptions"),
        "draws": RecordedParameter(projection.draws, "", "Draws of the bands"),
        **given,
    }


def _layout(projection: Projection, measured: MachineMeasurements | None) -> Layout:
    more = (MEASURED_TABLE,) if measured is not None else ()
    drawn = MEASURED_FIGURES if measured is not None else ()
    return Layout(
        (*_tables(projection), *more), default="throughput", figures=(*_figures(projection), *drawn)
    )


def _table(name: str, along: Column, value: Column, title: str) -> Table:
    """Return a table of curves, one below the other, whose names are in the description of their codes."""
    codes = "; ".join(f"{code} {one}" for code, one in enumerate(CURVES[name]))
    curve = Column("curve", dtype="u1", description=codes)
    rows = 16 * len(CURVES[name])
    return Table(name, (curve, along, value), value.name, along.name, title, series="curve", rows=rows)


def _tables(projection: Projection) -> Sequence[Table]:
    name, size = projection.assumptions.name, Column("size", dtype="u4", description="N, unknowns")
    eigenvalue = Column("eigenvalue", "S", description="lambda_min of G")
    settling = Column("time", "s", description="until an INV is sampled")
    bars = "; ".join(f"{code} {bar.name}" for code, bar in enumerate(projection.bars[:MOST_BARS]))
    against = "; ".join(f"{code} {one}" for code, (one, _) in enumerate(projection.headline.ladder))
    pays = Column("right_hand_sides", description="from which the circuit pays; infinite for never")
    worth = Column("throughput", "1/s", description="equivalent operations a second")
    return (
        _table("throughput", size, worth, f"equivalent operations a second, {name}"),
        _table("energy", size, Column("energy", "J", description="of a solve"), f"energy of a solve, {name}"),
        _table("fp64_energy", size, Column("energy", "J", description="of a solve"), "energy beside FP64"),
        _table("published", size,
               Column("deviation", description="of the model, relative to what is published"),
               "the model off each published point"),
        _table("break_even", size, pays, "right-hand sides of one matrix from which the circuit pays"),
        Table(
            "thousand",
            (
                Column("against", dtype="u1", description=against),
                Column("place", dtype="u1", description="height in the figure"),
                Column("ratio",
                       description="throughput of the circuit of the headline, or one like it, over this"),
            ),
            axis="place",
            title="the throughput of the published headline over one after another of what it may be compared with",
            rows=9,
        ),
        Table(
            "tornado",
            (
                Column("assumption", dtype="u1", description=bars),
                Column("place", dtype="u1", description="height in the figure: the longest bar highest up"),
                Column("relative", description="energy with the assumption at its low, then its high"),
            ),
            title=f"energy of a solve of {projection.size} unknowns, one assumption at a time",
            series="assumption", rows=2 * MOST_BARS,
        ),
        _table("settling", eigenvalue, settling, "settling against lambda_min"),
        _table("settling_by_size", size, settling, "settling against N"),
        Table(
            "blocks",
            (
                size, Column("inversions", description="INV of a cycle"),
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
            signal="time", axis="size", title="BlockAMC, counted", rows=32,
        ),
    )  # fmt: skip


def _figures(projection: Projection) -> Sequence[Figure]:
    p = projection.assumptions.parameters

    def curves(name: str, x: str, y: str, title: str, *lines: ReferenceLine) -> Figure:
        return Figure(
            name, table=name, x=x, y=y, by="curve", x_scale="log", y_scale="log", lines=lines, title=title
        )

    def blocks(name: str, y: tuple[str, ...], title: str) -> Figure:
        return Figure(name, table="blocks", x="size", y=y, x_scale="log", y_scale="log", title=title)

    return (
        curves("throughput", "size", "throughput", "Equivalent operations a second"),
        curves("energy", "size", "energy", "Energy of a solve"),
        curves("fp64_energy", "size", "energy", "Energy of a solve, beside FP64"),
        Figure("published", kind="scatter", table="published", x="size", y="deviation", by="curve",
               x_scale="log", lines=(ReferenceLine(0.0, label="as published"),),
               title="The model off each published point"),
        curves("break_even", "size", "right_hand_sides",
               "Right-hand sides of a matrix from which it pays (no curve: never)"),
        Figure("thousand", kind="scatter", table="thousand", x="ratio", y="place", by="against",
               x_scale="log",
               lines=(ReferenceLine(x=1.0, label="as fast"), ReferenceLine(x=1000.0, label="1,000")),
               title="A loop of 128 lines, over what it is compared with"),
        Figure("tornado", table="tornado", x="relative", y="place", by="assumption", x_scale="log",
               lines=(ReferenceLine(x=1.0),),
               title=f"Energy of a solve of {projection.size} unknowns, each assumption at its low and high"),
        curves("settling", "eigenvalue", "time", "Settling of INV against lambda_min",
               ReferenceLine(float(p.inv_time), label="assumed INV")),
        curves("settling_by_size", "size", "time", "Settling of INV against N"),
        blocks("block_operations", ("inversions", "products"), "BlockAMC: operations of a cycle"),
        blocks("block_hardware", ("cells", "chips"), "BlockAMC: cells and chips that hold the matrix"),
        blocks("block_time", ("time", "write_time"), "BlockAMC: time of a solve, and of writing"),
        blocks("block_energy", ("energy", "write_energy", "GPU_new_A"),
               "BlockAMC: energy of a solve and of writing"),
    )  # fmt: skip
