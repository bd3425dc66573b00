"""The INV loop of a run as a circuit: its cells, wires, resistors and amplifiers, and what was played into it.

The run file's table ``loop`` has what is around the cells, its maps the cells, its chip map the wires. A verify read has
the wires to its cell in series, which are taken off: a cell here is the cell alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap, parse_chip_map
from mho.chip_maps.forecast import loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.matrix_files import to_real_vector
from mho.errors import InputError
from mho.runs import RunFile

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

TAGS = ("p", "n", "p2", "n2")  # of the inverting arrays in the chip map's order: first and second slice
PROBE = 0.1  # V at the first row, where nothing was played


class Played(NamedTuple):
    """Which inputs of a run: of a right-hand side, of a solve those of a cycle, of bare inversions those of a matrix."""

    rhs: int = 0
    cycle: int | None = None
    matrix: int | None = None


FIRST = Played()


@dataclass(frozen=True)
class Amplifier:
    """The macromodel's numbers; those of a board that is not simulated are assumed.

    Attributes
    ----------
    offset : float
        Standard deviation of the offsets, V.
    gain, bandwidth, second_pole, slew, bias_current, row_capacitance, feedback_capacitance, clamp : float
        Open-loop gain, Hz, Hz, V/s, A, F, F, V.
    """

    offset: float = 0.0
    gain: float = 1e5
    bandwidth: float = 10e6
    second_pole: float = 20e6
    slew: float = 20e6
    bias_current: float = 0.0
    row_capacitance: float = 2e-12
    feedback_capacitance: float = 0.0
    clamp: float = 0.4
    known: bool = False


@dataclass(frozen=True)
class CellBlock:
    """The loop's cells on one array.

    Attributes
    ----------
    array, tag : str
        The chip map's name, and what it is called in the netlist.
    conductance : (k, k) array
        Of the cells alone, S, by row and column of the loop.
    drives : (k,) array
        What its columns get per volt of the outputs: 1, or -1 behind inverters, or less behind dividers.
    wire_resistance : float
        Between neighbouring cells, ohm.
    rows, columns : (k,) arrays of int
        Places of the lines along the wires that cross them, counted from 0.
    """

    array: str
    tag: str
    conductance: Floats
    drives: Floats
    wire_resistance: float
    rows: Index
    columns: Index


@dataclass(frozen=True)
class LoopCircuit:
    """A loop of k amplifiers and what is played into it.

    Attributes
    ----------
    title, source : str
        Of the run, and where the inputs are from.
    rows, columns : (k,) arrays of int
        Physical lines at the inputs and outputs of the amplifiers.
    blocks : tuple of CellBlock
    inputs, diagonal, bias : (k,) arrays
        Resistors as conductances, S: to the input voltages, to the own output, to minus the sum of all outputs.
    amplifier : Amplifier
    volts : (k,) array
        At the inputs, V.
    outputs : array
        As the run read them, less their offsets, V; of the first amplifiers, or none.
    offsets : (k,) array
        Of the amplifiers, V: no run knows them.
    """

    title: str
    source: str
    rows: Index
    columns: Index
    blocks: tuple[CellBlock, ...]
    inputs: Floats
    diagonal: Floats
    bias: Floats
    amplifier: Amplifier
    volts: Floats
    outputs: Floats = field(default_factory=lambda: np.zeros(0))
    offsets: Floats | None = None

    @property
    def slowest(self) -> complex:
        """The smallest eigenvalue of (D + w_u C_f)^-1 G, without wires: above 0, the loop settles at w_u times it."""
        network = np.diag(self.diagonal) - np.outer(self.bias, np.ones(len(self.rows)))
        load = self.inputs + self.diagonal + self.bias
        for block in self.blocks:
            network = network + block.conductance * block.drives
            load = load + block.conductance.sum(axis=1)
        held = 2.0 * np.pi * self.amplifier.bandwidth * self.amplifier.feedback_capacitance
        return slowest_eigenvalue(loop_eigenvalues(network, load + held))


def read_loop(run: RunFile, played: Played = FIRST) -> LoopCircuit:
    """Return the loop of a solve or of bare inversions as it was when `played` was played.

    Raises
    ------
    InputError
        The run closed no loop, or its loop was never programmed; there is no such cycle, right-hand side or matrix.
    """
    _check_has_loop(run)
    table = run.table("loop")
    moment = _of_inversions(run, played) if run.procedure == "Invert" else _of_solve(run, played)
    began = np.flatnonzero(np.diff(table["number"].astype(np.int64), prepend=-1))
    known = [k for k in began if _within(table, int(k), moment)]
    if not known:
        raise InputError(
            f"{run.path} has no loop of {moment.source}: it was never programmed; choose another one of it"
        )
    start = int(known[-1])
    stop = int(next((k for k in began if k > start), len(table["number"])))
    rows = {name: values[start:stop] for name, values in table.items()}
    lines = rows["row"].astype(np.int64), rows["column"].astype(np.int64)
    k = len(lines[0])
    volts = np.zeros(k)
    volts[: len(moment.volts)] = moment.volts
    return LoopCircuit(
        run.title,
        moment.source,
        *lines,
        _blocks(run, rows, *lines),
        rows["input"],
        rows["diagonal"],
        rows["bias"],
        _amplifier(rows),
        volts,
        moment.outputs,
    )


def _check_has_loop(run: RunFile) -> None:
    """Refuse a run that has no loop, saying why."""
    if run.procedure not in ("Solve", "Invert"):
        raise InputError(
            f"{run.path} is a run of {run.procedure}, which keeps no INV loop; give the run file of a solve or an invert"
        )
    if "loop" not in run.tables:
        if run.procedure == "Solve" and "digits_invert" not in run.arrays:
            raise InputError(
                f"{run.path} inverted its matrix by blocks, on many loops of which its file keeps none; give a solve of a "
                "matrix that one loop holds"
            )
        raise InputError(
            f"{run.path} is of an older mho, which did not keep what is around the cells of a loop; run it again (mho "
            "rerun does on a simulated bench)"
        )
    if not run.length("loop"):
        raise InputError(
            f"{run.path} has no loop to write: it was never programmed (status {run.status}"
            f"{f': {run.reason}' if run.reason else ''})"
        )


class _Moment(NamedTuple):
    """What was played, and when; or of which loop."""

    source: str
    volts: Floats
    outputs: Floats
    time: float = np.inf
    number: int | None = None


def _within(table: dict[str, Any], row: int, moment: _Moment) -> bool:
    """Return whether the loop that begins at a row of the table is the moment's, or before it."""
    if moment.number is not None:
        return int(table["number"][row]) == moment.number
    return bool(table["time"][row] <= moment.time)


def _of_solve(run: RunFile, played: Played) -> _Moment:
    if played.matrix is not None:
        raise InputError(f"matrix {played.matrix} is of bare inversions; {run.path} is a solve: leave it out")
    cycles = run.table("cycles")
    if not len(cycles["cycle"]) and played == FIRST:
        return _Moment(f"no cycle: {PROBE:g} V at the first row", np.array([PROBE]), np.zeros(0))
    cycle = 1 if played.cycle is None else played.cycle
    found = np.flatnonzero((cycles["rhs"] == played.rhs) & (cycles["cycle"] == cycle))
    if not found.size:
        raise InputError(
            f"{run.path} has no cycle {cycle} of right-hand side {played.rhs}; its table cycles has {len(cycles['cycle'])} "
            "cycles: right-hand sides are counted from 0, cycles from 1"
        )
    at = int(found[-1])
    return _Moment(
        f"cycle {cycle} of right-hand side {played.rhs}",
        cycles["input"][at],
        cycles["output"][at],
        float(cycles["time"][at]),
    )


def _of_inversions(run: RunFile, played: Played) -> _Moment:
    if played.cycle is not None:
        raise InputError(f"cycle {played.cycle} is of a solve; {run.path} has bare inversions: leave it out")
    matrix = 0 if played.matrix is None else played.matrix
    table, outputs = run.table("inversions"), run.table("outputs")
    of_rhs = (table["matrix"] == matrix) & (table["rhs"] == played.rhs)
    rhs = np.asarray(to_real_vector(run.array("rhs")), np.float64)
    if not (of_rhs.any() and played.rhs < len(rhs)):
        if played == FIRST:
            return _Moment(
                f"no inversion: {PROBE:g} V at the first row", np.array([PROBE]), np.zeros(0), number=matrix
            )
        raise InputError(
            f"{run.path} has no inversion of right-hand side {played.rhs} by matrix {matrix}; both are counted from 0"
        )
    largest = np.flatnonzero(of_rhs & (table["clamped"] == 0))
    at = int(largest[0] if largest.size else np.flatnonzero(of_rhs)[-1])
    scale = table["scale"][at]
    of_scale = (outputs["matrix"] == matrix) & (outputs["rhs"] == played.rhs) & (outputs["scale"] == scale)
    return _Moment(
        f"right-hand side {played.rhs} of matrix {matrix}, at {scale:g} of the full scale",
        rhs[played.rhs] / np.abs(rhs[played.rhs]).max() * table["input"][at],
        outputs["measured"][of_scale],
        number=matrix,
    )


def _blocks(run: RunFile, loop: dict[str, Any], rows: Index, columns: Index) -> tuple[CellBlock, ...]:
    """Return the cells of the connected arrays as they were when the loop was programmed."""
    arrays = parse_chip_map(run.chip, f"chip map of {run.path}").arrays_for("invert")
    blocks = []
    for number, (array, tag) in enumerate(zip(arrays, TAGS, strict=False)):
        drives = loop["drives"][:, number]
        if not drives.any():
            continue
        along = tuple(lines if array.segment is None else lines % array.segment for lines in (rows, columns))
        read = _read(run, array, float(loop["time"][0]), rows, columns)
        length = along[0][:, None] + along[1] + 2
        alone = read / (1.0 - read * array.wire_resistance * length)
        blocks.append(CellBlock(array.name, tag, alone, drives, array.wire_resistance, *along))
    return tuple(blocks)


def _read(run: RunFile, array: ArrayMap, time: float, rows: Index, columns: Index) -> Floats:
    """Return the verify reads of a block's cells, S, as of `time`, s."""
    name = f"{array.name}_conductance"
    taken = int(np.flatnonzero(run.map_times(name) <= time)[-1])
    axes = run.map_axes(name)
    image = run.map(name, taken)
    read = image[np.ix_(np.searchsorted(axes[0], rows), np.searchsorted(axes[1], columns))]
    if not np.isfinite(read).all():
        unread = int((~np.isfinite(read)).sum())
        raise InputError(
            f"{run.path} has no loop to write: it was never programmed, {unread} cells of array {array.name} were not read"
        )
    return np.asarray(read)


def _amplifier(loop: dict[str, Any]) -> Amplifier:
    """Return the amplifiers' numbers, assumed where the bench does not know them."""
    names = [name for name in Amplifier.__dataclass_fields__ if name != "known"]
    if not np.isfinite(loop["gain"][0]):
        return Amplifier()
    return Amplifier(**{name: float(loop[name][0]) for name in names}, known=True)
