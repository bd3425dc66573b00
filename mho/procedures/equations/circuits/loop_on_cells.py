"""An inverting loop on its cells: the blocks that hold it, what it inverts once they are programmed, and its circuit.

A cell that is read alone has its wires in series, so its reading includes them. With all lines in use, the wire that two
cells share drops the current of both. To first order, for currents small beside those of a short,

    T = G / (1 + r (C G + G K)),    C_km = 1 + min(row_k, row_m),  K_lj = 1 + min(column_l, column_j),  0 for k = m, l = j,

with T the current into the end of row k per volt at the end of column j, the other ends at 0 V, and r the resistance of
wire between neighbouring cells. Bit lines end in front of column 0, source lines in front of row 0.

A loop whose outputs also drive two more arrays, divided by a ratio, inverts

    G+ - G- + (F+ - F-) / ratio.

With F, the second slice, programmed to `ratio` times what G+ and G- as achieved leave of the matrix, only a ratio-th of the
cells' errors remains, and of what the wires take (of products: Song et al., Science 383, 903, 2024). What moves after it
was read is not made up for: noise and relaxation of the first slice count in full. `ratio` is bounded by the windows: the
largest residue must fit the range of a cell.

`AnalogueInverse` is one-step inversion through the bench: scale, play, and select the largest answer that is not clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.inverse_encoding import InverseEncoding, damping, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.instruments import Bench
from mho.instruments.simulated import CLAMP
from mho.procedures.cells.programming.record import Block
from mho.procedures.stream import Stream
from mho.runs import Column, Table

Pair = tuple[Floats, Floats]  # conductances of the positive and of the negative cells, (m, n) each, S


def represented(slices: Sequence[Pair], ratio: float) -> Floats:
    """Return the sum of slices, the first with weight 1, in S.

    Raises `InputError` without slices, or for a ratio that is not above 1.
    """
    if not slices or not ratio > 1.0:
        raise InputError(f"{len(slices)} slices of ratio {ratio:g}; give at least one, and a ratio above 1")
    parts = [ratio**-number * (positive - negative) for number, (positive, negative) in enumerate(slices)]
    return np.asarray(np.sum(parts, axis=0))


def next_targets(matrix: Floats, achieved: Sequence[Pair], ratio: float, top: float) -> Pair:
    """Return the targets of the next slice: the residue of the slices as `achieved`, split by sign.

    `matrix` (m, n): A, scaled so that its largest entry is at most `top`, S. `achieved`: the slices so far, as read;
    none for the first slice. `ratio`: from the weight of a slice to that of the next. `top`: largest target, S. A
    residue beyond ends there, and is left to the slice after. Raises `InputError` for a ratio that is not above 1, a
    top that is not above 0, or an entry beyond it or not finite.
    """
    if not (ratio > 1.0 and 0.0 < top < np.inf):
        raise InputError(
            f"slices of ratio {ratio:g} up to {top:g} S; give a ratio above 1 and a largest target above 0 S"
        )
    peak = float(np.abs(matrix).max(initial=0.0))
    if not peak <= top * (1.0 + 1e-12):
        raise InputError(
            f"the largest entry is {peak:g} S, and the largest target {top:g} S; scale the matrix to that"
        )
    residue = matrix - represented(achieved, ratio) if achieved else np.asarray(matrix, np.float64)
    scaled = residue * ratio ** len(achieved)
    return np.clip(scaled, 0.0, top), np.clip(-scaled, 0.0, top)


Achieved = Callable[[Block], Floats]  # conductances of a block's cells between its wires, S


@dataclass(frozen=True)
class SecondSlice:
    """Cells on the lines of the loop."""

    # positive, negative: on the arrays that get the outputs and their inverses; without targets before `aim`
    positive: Block
    negative: Block
    ratio: float  # by which the board divides the outputs

    @classmethod
    def on(cls, chip: ChipMap, placed: Placement, ratio: float) -> Self:
        """Place a second slice on the lines of a loop; raises as `check_second_slice`."""
        check_second_slice(chip, ratio)
        nothing = np.zeros((len(placed.rows), len(placed.columns)), np.int64)
        positive, negative = (
            Block(replace(placed, array=array.name), nothing.copy()) for array in chip.second_slice
        )
        return cls(positive, negative, ratio)

    @property
    def arrays(self) -> tuple[str, str]:
        """Names of its arrays."""
        return self.positive.placement.array, self.negative.placement.array

    def blocks(self) -> list[Block]:
        """Both blocks."""
        return [self.positive, self.negative]

    def aim(self, positive: Block, negative: Block | None, levels: Levels, achieved: Achieved) -> None:
        """Set the targets to what the first slice's blocks leave of their own; the cells are not programmed yet."""
        first = [positive] if negative is None else [positive, negative]
        nominal = [levels.conductance(block.digits) for block in first]
        targets = self.residue(nominal, [achieved(block) for block in first], float(levels.nominal[-1]))
        for block, target in zip(self.blocks(), targets, strict=True):
            block.digits = np.rint(target / levels.step).astype(np.int64)

    def residue(
        self, targets: Sequence[Floats], achieved: Sequence[Floats], top: float
    ) -> tuple[Floats, Floats]:
        """Return what the first slice leaves for both blocks, (k, k) each, S, before it is rounded.

        `targets`, `achieved`, sequences of (k, k): what its cells were to hold, and do between the wires, S: on its first
        array, and on its second one where there is one; `top`: largest target, S.
        """
        none = np.zeros(targets[0].shape)
        (plus, minus), (above, below) = (([*some, none])[:2] for some in (targets, achieved))
        return next_targets(plus - minus, [(above, below)], self.ratio, top)

    def network(self, achieved: Achieved) -> Floats:
        """Return what it adds to the loop, (k, k), S."""
        return (achieved(self.positive) - achieved(self.negative)) / self.ratio

    def row_load(self, achieved: Achieved) -> Floats:
        """Return the sum of its conductances on each row, (k,), S."""
        return np.asarray(sum(achieved(block).sum(axis=1) for block in self.blocks()))


def largest_ratio(levels: Levels) -> float:
    """Return by how much a slice's residue can be enlarged: the windows are to fit the range of a cell."""
    return float(levels.nominal[-1] / (levels.high[-1] - levels.nominal[-1]))


def check_second_slice(chip: ChipMap, ratio: float) -> None:
    """Refuse a second slice where the chip or the board cannot hold it.

    Raises `ChipMapError`: saying what is missing.
    """
    if not chip.second_slice:
        count = len(chip.arrays_for("invert"))
        raise ChipMapError(
            f"a second slice of the loop takes four inverting arrays of one size; chip {chip.name!r} has {count}: give "
            "loop_slices = 1, or a bench whose chip has them, as `arrays`"
        )
    if not ratio > 1.0:
        raise ChipMapError(
            "a second slice of the loop takes dividers behind the outputs; the board has none (slice ratio 0): give "
            "loop_slices = 1"
        )
    if ratio > (most := largest_ratio(chip.level_scale())):
        raise ChipMapError(
            f"the board divides by {ratio:g} in front of a second slice, whose cells hold what the first ones leave up to "
            f"a ratio of {most:.3g}; give loop_slices = 1, or lower the chip map's `tolerance`"
        )


def with_all_lines(conductances: ArrayLike, placed: Placement, wire_resistance: float) -> Floats:
    """Return the conductances of a block between its row ends and column ends, S.

    `conductances` (rows, columns): as read, one cell at a time, S; `placed`: the physical lines; `wire_resistance`:
    between neighbouring cells, ohm. Returns (rows, columns), S.
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
    """A loop as its cells came out, between the array's wires."""

    matrix: Floats  # (n, n): A0, whose inverse it computes, in the units of the matrix
    network: Floats  # (k, k): G, signed, S: current into each amplifier per volt of each output
    load: Floats  # (k,): the diagonal of D, all conductances on a row, S
    eigenvalues: NDArray[Any]  # (k,): of D^-1 G

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
        cls, chip: ChipMap, placed: Placement, encoding: InverseEncoding, levels: Levels,
        slice_ratio: float | None = None,
    ) -> Self:  # fmt: skip
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
        self, targets: Mapping[str, Floats], read: Mapping[str, Floats], *, wires: bool = True
    ) -> dict[str, Floats]:
        """Return the targets of the second slice's cells, S, by array, before they are rounded; none without it.

        Parameters
        ----------
        targets, read : mappings of (k, k) arrays
            What the cells of each array of the first slice were to hold, and what they are read as, S.
        wires : bool
            Whether there are wires, as the chip map has them.
        """
        if self.second_slice is None:
            return {}
        actual = [
            self._between_wires(block, read[block.placement.array], wires) for block in self.first_slice()
        ]
        # Rounded, no entry is beyond the top; before, it may be by half a digit, which no cell holds.
        top = float(self.levels.nominal[-1])
        asked = [np.minimum(targets[block.placement.array], top) for block in self.first_slice()]
        return dict(zip(self.second_slice.arrays, self.second_slice.residue(asked, actual, top), strict=True))

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
                "drives", shape=(len(chip.arrays_for("invert")),),
                description="what that line gets per volt, on each inverting array of the chip map; 0: not connected",
            ),
            Column("input", "S", description="resistor from the input voltage to the row"),
            Column("diagonal", "S", description="resistor from the output to its own row"),
            Column("bias", "S", description="resistor from minus the sum of all outputs to the row"),
            *AMPLIFIER,
            Column("clamp", "V", description="largest output; NaN where it is not known"),
        ),
        signal="diagonal", axis="row", title="circuit around the cells", rows=rows,
    )  # fmt: skip


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
        "time": bench.now(), "number": number, "input": bench.input_conductance,
        "bias": encoding.bias_conductance(cells.step), **amplifier,
        "clamp": np.nan if known is None else CLAMP,
    }  # fmt: skip
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


INVERT_VOLTS = 1.0  # V, full scale of the INV inputs, which feed rows through resistors
LADDER = 2.0 ** -np.arange(12)  # input scales played in one exchange
RAILS = (
    "the INV loop rails: its outputs sit in the clamps at every input scale; check the programmed cells and the stability "
    "of the matrix"
)
LINEAR = 0.3  # V: outputs up to here are not affected by the +-0.4 V diode clamps


def full_scale(bench: Bench) -> float:
    """Return the largest input voltage of a loop, V."""
    return min(INVERT_VOLTS, bench.file.limits["vector"].voltage)


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

    `cells`: the programmed loop; `full_scale`: largest input voltage, V. `last`, tuple of (n,): input and output of
    the last inversion, V; `clamped`: number of inversions in which the largest input drove an output out of its
    linear range, so that a smaller one was used.
    """

    def __init__(self, bench: Bench, cells: LoopOnCells, full_scale: float) -> None:
        self._bench, self._cells, self._full_scale = bench, cells, full_scale
        self.last: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
        self.clamped = 0

    def __call__(self, residual: Floats) -> Floats:
        """Return A0^-1 r as the circuit computes it.

        The output range is not known beforehand, so one exchange plays r at a ladder of scales and the largest answer
        outside the clamps is used. `ConvergenceError` when even the smallest input drives an output into its clamp.
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
            solutions = (
                -outputs[linear, : encoding.size] * (self._cells.step / encoding.unit) / siemens[:, None]
            )
            answers[:, left[linear]] = solutions.T
            left = left[~linear]
            self.clamped += left.size if scale == LADDER[0] else 0
        if left.size:
            raise ConvergenceError(RAILS)
        return answers
