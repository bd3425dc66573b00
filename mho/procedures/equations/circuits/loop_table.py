"""The table of a run's inverting loops: what is around the cells of each, an amplifier a row.

With the maps of the cells and the chip map it is the whole circuit, as `mho export --spice` writes it.
"""

from __future__ import annotations

import numpy as np

from mho.chip_maps.chip import ChipMap
from mho.instruments import Bench
from mho.instruments.simulated import CLAMP
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells
from mho.procedures.stream import Stream
from mho.runs import Column, Table

AMPLIFIER = (
    Column("offset", "V", description="standard deviation of the amplifiers' offsets"),
    Column("gain", description="open loop, at DC"),
    Column("bandwidth", "Hz", description="gain-bandwidth product"),
    Column("second_pole", "Hz", description="of the open loop"),
    Column("slew", "V/s", description="slew rate"),
    Column("bias_current", "A", description="into the row"),
    Column("row_capacitance", "F", description="C_in"),
    Column("feedback_capacitance", "F", description="C_f"),
)
"""What a simulated bench knows of its amplifiers; NaN on any other."""


def loop_table(chip: ChipMap, rows: int) -> Table:
    """Return the table of a run whose loops have about so many `rows` together."""
    return Table(
        "loop",
        (
            Column("time", "s", description="bench time at which its cells were programmed"),
            Column("number", dtype="u4", description="counted from 0; of bare inversions the matrix"),
            Column("row", dtype="u2", description="bit line at the amplifier's input"),
            Column("column", dtype="u2", description="source line that its output drives"),
            Column(
                "drives",
                shape=(len(chip.arrays_for("invert")),),
                description="what that line gets per volt, on each inverting array of the chip map; 0: not connected",
            ),
            Column("input", "S", description="resistor from the input voltage to the row"),
            Column("diagonal", "S", description="resistor from the output to its own row"),
            Column("bias", "S", description="resistor from minus the sum of all outputs to the row"),
            *AMPLIFIER,
            Column("clamp", "V", description="largest output; NaN where it is not known"),
        ),
        signal="diagonal",
        axis="row",
        title="circuit around the cells",
        rows=rows,
    )


def record_loop(bench: Bench, stream: Stream, cells: LoopOnCells, number: int) -> None:
    """Record loop `number`, whose cells have just been programmed."""
    encoding, placed = cells.encoding, cells.positive.placement
    k = encoding.order
    drives = np.zeros(len(cells.chip.arrays_for("invert")))
    drives[0] = 1.0
    if cells.negative is not None:
        drives[1] = -1.0
    if cells.second_slice is not None:
        drives[2:4] = 1.0 / cells.second_slice.ratio, -1.0 / cells.second_slice.ratio
    with_diagonal = np.arange(k) < encoding.size
    known = bench.simulated
    amplifier = {
        one.name: np.nan if known is None else getattr(known.amplifier, one.name) for one in AMPLIFIER
    }
    every = {
        "time": bench.now(),
        "number": number,
        "input": bench.input_conductance,
        "bias": encoding.bias_conductance(cells.step),
        **amplifier,
        "clamp": np.nan if known is None else CLAMP,
    }
    stream.record_block(
        "loop",
        {
            "row": placed.rows,
            "column": placed.columns,
            "drives": np.tile(drives, (k, 1)),
            "diagonal": np.where(with_diagonal, encoding.diagonal_conductance(cells.step), 0.0),
            **{name: np.full(k, value) for name, value in every.items()},
        },
    )
