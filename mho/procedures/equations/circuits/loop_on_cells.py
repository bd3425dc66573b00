"""An inverting loop on its cells: the blocks that hold it, what it inverts once programmed, its circuit, and its use.

What wires leave of the conductances of a block with all its lines in use, from those that were read cell by cell.

A cell that is read alone has its wires in series, so its reading includes them. With all lines in use, the wire that two
cells share drops the current of both. To first order, for currents small beside those of a short,

    T = G / (1 + r (C G + G K)),    C_km = 1 + min(row_k, row_m),  K_lj = 1 + min(column_l, column_j),  0 for k = m, l = j,

with T the current into the end of row k per volt at the end of column j, the other ends at 0 V, and r the resistance of
wire between neighbouring cells. Bit lines end in front of column 0, source lines in front of row 0.

With the maps of the cells and the chip map it is the whole circuit, as `mho export --spice` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.inverse_encoding import InverseEncoding, damping, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.instruments.simulated import CLAMP
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.second_slice import SecondSlice
from mho.procedures.stream import Stream
from mho.runs import Column, Table


def with_all_lines(conductances: ArrayLike, placed: Placement, wire_resistance: float) -> Floats:
    """Return the conductances of a block between its row ends and column ends, S.

    Parameters
    ----------
    conductances : (rows, columns) array
        As read, one cell at a time, S.
    placed : Placement
        The physical lines.
    wire_resistance : float
        Between neighbouring cells, ohm.

    Returns
    -------
    (rows, columns) array, S
    """
    g = np.asarray(conductances, np.float64)
    shared = wire_resistance * (_shared(placed.rows) @ g + g @ _shared(placed.columns))
    return np.asarray(g / (1.0 + shared))


def _shared(lines: NDArray[np.int64]) -> Floats:
    """Return the lengths of wire, in cells, that the cells at two lines share on their way to its end; 0 with itself."""
    cells = 1.0 + np.minimum.outer(lines, lines)
    np.fill_diagonal(cells, 0.0)
    return cells


@dataclass(frozen=True)
class AchievedLoop:
    """A loop as its cells came out, between the array's wires.

    Attributes
    ----------
    matrix : (n, n) array
        A0, whose inverse it computes, in the units of the matrix.
    network : (k, k) array
        G, signed, S: current into each amplifier per volt of each output.
    load : (k,) array
        The diagonal of D, all conductances on a row, S.
    eigenvalues : (k,) array
        Of D^-1 G.
    """

    matrix: Floats
    network: Floats
    load: Floats
    eigenvalues: NDArray[Any]

    @property
    def slowest(self) -> complex:
        """Eigenvalue with the smallest real part, lambda_min: the loop settles at the rate w_u times it, where positive."""
        return slowest_eigenvalue(self.eigenvalues)

    @property
    def damping(self) -> float:
        """Above 0, the loop also settles with amplifiers that have a second pole."""
        return float(damping(self.eigenvalues))

    @property
    def unstable(self) -> str:
        """Why the loop must not be connected; empty when it may."""
        if self.slowest.real > 0.0:
            return ""
        return (
            f"the programmed INV circuit would be unstable: eigenvalue {self.slowest:.4g} of D^-1 G has no positive real "
            "part; it was not connected"
        )


@dataclass(frozen=True)
class LoopOnCells:
    """An encoding on cells of a chip.

    Attributes
    ----------
    chip : ChipMap
    encoding : InverseEncoding
    levels : Levels
        What its digits stand for: the chip's levels, or finer targets.
    positive, negative : Block
        Cells of its digits; no second block where no entry needs it.
    second_slice : SecondSlice or None
        Cells that hold what those leave of the matrix.
    """

    chip: ChipMap
    encoding: InverseEncoding
    levels: Levels
    positive: Block
    negative: Block | None
    second_slice: SecondSlice | None = None

    @classmethod
    def on(
        cls,
        chip: ChipMap,
        placed: Placement,
        encoding: InverseEncoding,
        levels: Levels,
        slice_ratio: float | None = None,
    ) -> Self:
        """Put an encoding on lines of the inverting arrays, with a second slice where a ratio is given.

        Raises
        ------
        ChipMapError
            As `check_second_slice`.
        """
        negative = None
        if encoding.negative is not None:
            negative = Block(replace(placed, array=chip.arrays_for("invert")[1].name), encoding.negative)
        second = None if slice_ratio is None else SecondSlice.on(chip, placed, slice_ratio)
        return cls(chip, encoding, levels, Block(placed, encoding.positive), negative, second)

    def holding(self, encoding: InverseEncoding, placed: Placement | None = None) -> Self:
        """Return another encoding of the same order on the same cells, or on the same lines in another order."""
        ratio = None if self.second_slice is None else self.second_slice.ratio
        return self.on(self.chip, placed or self.positive.placement, encoding, self.levels, ratio)

    @property
    def step(self) -> float:
        """Conductance of one digit, S."""
        return self.levels.step

    def first_slice(self) -> list[Block]:
        """Blocks of its digits."""
        return [self.positive] if self.negative is None else [self.positive, self.negative]

    def blocks(self) -> list[Block]:
        """All its blocks; those of a second slice have their targets after `aim_second_slice` only."""
        return self.first_slice() + ([] if self.second_slice is None else self.second_slice.blocks())

    def aim_second_slice(self) -> list[Block]:
        """Set the second slice's targets by the first one as achieved, and return its blocks; none without it."""
        if self.second_slice is None:
            return []
        self.second_slice.aim(self.positive, self.negative, self.levels, self._with_wires)
        return self.second_slice.blocks()

    def second_targets(
        self, wanted: Mapping[str, Floats], read: Mapping[str, Floats], *, wires: bool = True
    ) -> dict[str, Floats]:
        """Return the targets of the second slice's cells, S, by array, before they are rounded; none without it.

        Parameters
        ----------
        wanted, read : mappings of (k, k) arrays
            What the cells of each array of the first slice were to hold, and what they are read as, S.
        wires : bool
            Whether there are wires, as the chip map has them.
        """
        if self.second_slice is None:
            return {}
        held = [
            self._between_wires(block, read[block.placement.array], wires) for block in self.first_slice()
        ]
        # Rounded, no entry is beyond the top; before, it may be by half a digit, which no cell holds.
        top = float(self.levels.nominal[-1])
        asked = [np.minimum(wanted[block.placement.array], top) for block in self.first_slice()]
        return dict(zip(self.second_slice.arrays, self.second_slice.left(asked, held, top), strict=True))

    def achieved(self, input_conductance: float) -> AchievedLoop:
        """Return the loop as its cells came out, with `input_conductance` (S) at each row."""
        encoding, diagonal = self.encoding, self.encoding.diagonal_conductance(self.step)
        bias = encoding.bias_conductance(self.step)
        positive = self._with_wires(self.positive)
        negative = None if self.negative is None else self._with_wires(self.negative)
        network = encoding.network(positive, negative, diagonal, bias)
        load = encoding.row_load(positive, negative, diagonal, input_conductance, bias)
        if self.second_slice is not None:
            network = network + self.second_slice.network(self._with_wires)
            load = load + self.second_slice.row_load(self._with_wires)
        matrix = encoding.represented(network, self.step)
        return AchievedLoop(matrix, network, load, loop_eigenvalues(network, load))

    def targets(self, matrix: Floats) -> dict[str, tuple[Floats, Floats]]:
        """Return what the cells (k, k) of each array of the first slice are to hold, S: as rounded, and before.

        Parameters
        ----------
        matrix : (n, n) array
            What the loop holds, with its shift.
        """
        exact = self.encoding.unrounded(matrix)
        return {
            block.placement.array: (self.levels.conductance(block.digits), digits * self.step)
            for block, digits in zip((self.positive, self.negative), exact, strict=True)
            if block is not None and digits is not None
        }

    def connect(self, bench: Bench) -> None:
        """Close the loop."""
        bench.connect_invert(
            self.positive.placement.array,
            self.positive.placement.rows,
            self.positive.placement.columns,
            negative=None if self.negative is None else self.negative.placement.array,
            second_slice=None if self.second_slice is None else self.second_slice.arrays,
            diagonal=self.encoding.diagonal_conductance(self.step),
            diagonal_count=self.encoding.size if self.encoding.diagonal else 0,
            bias=self.encoding.bias_conductance(self.step),
        )

    def _with_wires(self, block: Block) -> Floats:
        return self._between_wires(block, block.achieved)

    def _between_wires(self, block: Block, read: Floats, wires: bool = True) -> Floats:
        """Return the conductances of a block between its wires, S, whose cells are read as `read` one by one."""
        array = self.chip.array(block.placement.array)
        ohms = array.wire_resistance if wires else 0.0
        return with_all_lines(read, block.placement.within_segment(array), ohms)


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


LADDER = 2.0 ** -np.arange(12)  # input scales played in one exchange
RAILS = (
    "the INV loop rails: its outputs sit in the clamps at every input scale; check the programmed cells and the stability "
    "of the matrix"
)
LINEAR = 0.3  # V: outputs up to here are not affected by the +-0.4 V diode clamps


def loop_inputs(encoding: InverseEncoding, volts: Floats) -> Floats:
    """Return the loop's inputs (..., order), V, with `volts` (..., n) at the matrix's rows and none at a bias column's."""
    inputs = np.zeros((*volts.shape[:-1], encoding.order))
    inputs[..., : encoding.size] = volts
    return inputs


def largest_linear(outputs: Floats) -> int | None:
    """Return the first of the outputs (scales, n), V, that are all in their linear range; None where there are none."""
    linear = np.flatnonzero(np.abs(outputs).max(axis=1) < LINEAR)
    return int(linear[0]) if linear.size else None


class AnalogueInverse:
    """The programmed inverting loop as a function r -> about A^-1 r.

    Parameters
    ----------
    bench : Bench
    cells : LoopOnCells
        The programmed loop.
    full_scale : float
        Largest input voltage, V.

    Attributes
    ----------
    last : tuple of (n,) arrays
        Input and output of the last inversion, V.
    clamped : int
        Number of inversions in which the largest input drove an output out of its linear range, so that a smaller one
        was used.
    """

    def __init__(self, bench: Bench, cells: LoopOnCells, full_scale: float) -> None:
        self._bench, self._cells, self._full_scale = bench, cells, full_scale
        self.last: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
        self.clamped = 0

    def __call__(self, residual: Floats) -> Floats:
        """Return A0^-1 r as the circuit computes it.

        The output range is not known beforehand, so one exchange plays r at a ladder of scales and the
        largest answer outside the clamps is used.

        Raises
        ------
        ConvergenceError
            When even the smallest input drives an output into its clamp: the loop rails.
        """
        encoding = self._cells.encoding
        self._cells.connect(self._bench)
        n, peak = encoding.size, float(np.abs(residual).max())
        inputs = loop_inputs(encoding, LADDER[:, None] * (residual / peak * self._full_scale))
        outputs = self._bench.invert(inputs)
        best = largest_linear(outputs)
        if best is None:
            raise ConvergenceError(RAILS)
        self.clamped += int(best > 0)
        self.last = (inputs[best, :n], outputs[best, :n])
        amperes_per_unit = self._bench.input_conductance * LADDER[best] * self._full_scale / peak
        return np.asarray(-outputs[best, :n] * (self._cells.step / encoding.unit) / amperes_per_unit)

    def columns(self, residuals: Floats) -> Floats:
        """Return A0^-1 R of many vectors (n, k) as the circuit computes them; zeros give zeros.

        Each is played at the full scale first, all in one exchange; those whose outputs left their linear range are played
        again, each time at half the scale. Errors as of one vector.
        """
        encoding = self._cells.encoding
        self._cells.connect(self._bench)
        peaks = np.abs(residuals).max(axis=0)
        answers, left = np.zeros_like(residuals), np.flatnonzero(peaks)
        for scale in LADDER:
            if not left.size:
                break
            volts = (residuals[:, left] / peaks[left]).T * (scale * self._full_scale)
            outputs = self._bench.invert(loop_inputs(encoding, volts))
            linear = np.abs(outputs).max(axis=1) < LINEAR  # False of a clamped one, which is NaN
            siemens = self._bench.input_conductance * scale * self._full_scale / peaks[left[linear]]
            found = -outputs[linear, : encoding.size] * (self._cells.step / encoding.unit) / siemens[:, None]
            answers[:, left[linear]] = found.T
            left = left[~linear]
            self.clamped += left.size if scale == LADDER[0] else 0
        if left.size:
            raise ConvergenceError(RAILS)
        return answers
