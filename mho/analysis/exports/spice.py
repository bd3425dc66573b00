"""The INV loop of a run as a circuit: its cells, wires, resistors and amplifiers, and what was played into it.

The run file's table ``loop`` has what is around the cells, its maps the cells, its chip map the wires. A verify read has
the wires to its cell in series, which are taken off: a cell here is the cell alone.

Row k of the loop is the inverting input of amplifier k, whose output drives column k of each array: node ``row_k``,
``out_k``. Bit lines begin at column 0, source lines at row 0, with wire in front of the first cell. The macromodel is that
of docs/inv-circuit.md:

    dz/dt = w_a (Vos - x - v/A - z),      dv/dt = w_u z, at most the slew rate, nothing further outward in a clamp,

with C_in from a row to ground and C_f from an output to its own row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.chip import ArrayMap, parse_chip_map
from mho.chip_maps.inverse_encoding import loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.matrix_files import to_real_vector
from mho.errors import InputError, RunFileError
from mho.runs import RunFile
from mho.toml import load_toml

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
    """The macromodel's numbers; those of a board that is not simulated are assumed."""

    offset: float = 0.0  # standard deviation of the offsets, V
    gain: float = 1e5  # of the open loop, at DC
    bandwidth: float = 10e6  # Hz, gain-bandwidth product
    second_pole: float = 20e6  # Hz, of the open loop
    slew: float = 20e6  # V/s
    bias_current: float = 0.0  # A, into each row
    row_capacitance: float = 2e-12  # F
    feedback_capacitance: float = 0.0  # F
    clamp: float = 0.4  # V, largest output
    known: bool = False


@dataclass(frozen=True)
class CellBlock:
    """The loop's cells on one array."""

    array: str  # the chip map's name
    tag: str  # what it is called in the netlist
    conductance: Floats  # (k, k): of the cells alone, S, by row and column of the loop
    # (k,): what its columns get per volt of the outputs: 1, or -1 behind inverters, or less behind dividers
    drives: Floats
    wire_resistance: float  # between neighbouring cells, ohm
    rows: Integers  # (k,): places of the lines along the wires that cross them, counted from 0
    columns: Integers  # (k,): likewise


@dataclass(frozen=True)
class LoopCircuit:
    """A loop of k amplifiers and what is played into it."""

    title: str  # of the run
    source: str  # where the inputs are from
    rows: Integers  # (k,): physical lines at the inputs of the amplifiers
    columns: Integers  # (k,): those at their outputs
    blocks: tuple[CellBlock, ...]
    inputs: Floats  # (k,): resistors as conductances, S: to the input voltages
    diagonal: Floats  # (k,): to the own output
    bias: Floats  # (k,): to minus the sum of all outputs
    amplifier: Amplifier
    volts: Floats  # (k,): at the inputs, V
    # As the run read them, less their offsets, V; of the first amplifiers, or none
    outputs: Floats = field(default_factory=lambda: np.zeros(0))
    offsets: Floats | None = None  # (k,): of the amplifiers, V: no run knows them
    own: str = ""  # names of a user's own elements in the run's circuits, which a netlist cannot have

    @property
    def slowest(self) -> complex:
        """The smallest eigenvalue of (D + w_u C_f)^-1 G, without wires: above 0, the loop settles at w_u times it."""
        network = np.diag(self.diagonal) - np.outer(self.bias, np.ones(len(self.rows)))
        load = self.inputs + self.diagonal + self.bias
        for block in self.blocks:
            network = network + block.conductance * block.drives
            load = load + block.conductance.sum(axis=1)
        feedback = 2.0 * np.pi * self.amplifier.bandwidth * self.amplifier.feedback_capacitance
        return slowest_eigenvalue(loop_eigenvalues(network, load + feedback))


def read_loop(run: RunFile, played: Played = FIRST) -> LoopCircuit:
    """Return the loop of a solve or of bare inversions as it was when `played` was played.

    Raises `InputError`: the run closed no loop, or its loop was never programmed; there is no such cycle, right-hand
    side or matrix.
    """
    _check_has_loop(run)
    table = run.table("loop")
    moment = _of_inversions(run, played) if run.procedure == "Invert" else _of_solve(run, played)
    began = np.flatnonzero(np.diff(table["number"].astype(np.int64), prepend=-1))
    known = [  # loops that are the moment's, or before it
        k
        for k in began.tolist()
        if (
            table["time"][k] <= moment.time
            if moment.number is None
            else int(table["number"][k]) == moment.number
        )
    ]
    if not known:
        raise InputError(
            f"{run.path} has no loop of {moment.source}: it was never programmed; choose another one of it"
        )
    start = int(known[-1])
    stop = int(next((k for k in began if k > start), len(table["number"])))
    rows = {name: values[start:stop] for name, values in table.items()}
    lines = rows["row"].astype(np.int64), rows["column"].astype(np.int64)
    volts = np.zeros(len(lines[0]))
    volts[: len(moment.volts)] = moment.volts
    amplifier = Amplifier()  # assumed where the bench does not know it
    if np.isfinite(rows["gain"][0]):
        names = [name for name in Amplifier.__dataclass_fields__ if name != "known"]
        amplifier = Amplifier(**{name: float(rows[name][0]) for name in names}, known=True)
    return LoopCircuit(
        run.title, moment.source, *lines, _blocks(run, rows, *lines), rows["input"], rows["diagonal"],
        rows["bias"], amplifier, volts, moment.outputs, own=_own_elements(run),
    )  # fmt: skip


def _own_elements(run: RunFile) -> str:
    """Return the names of the classes of a user's own in the circuits of a run."""
    text = run.provenance.get("circuit_file", "")
    elements = load_toml(text, f"the circuit in {run.path}", RunFileError).get("elements", [])
    return ", ".join(str(one.get("name", "")) for one in elements)


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


def _of_solve(run: RunFile, played: Played) -> _Moment:
    if played.matrix is not None:
        raise InputError(f"matrix {played.matrix} is of bare inversions; {run.path} is a solve: leave it out")
    cycles = run.table("cycles")
    if not len(cycles["cycle"]) and played == FIRST:
        return _Moment(f"no cycle: {PROBE:g} V at the first row", np.array([PROBE]), np.zeros(0))
    cycle = 1 if played.cycle is None else played.cycle
    places = np.flatnonzero((cycles["rhs"] == played.rhs) & (cycles["cycle"] == cycle))
    if not places.size:
        raise InputError(
            f"{run.path} has no cycle {cycle} of right-hand side {played.rhs}; its table cycles has {len(cycles['cycle'])} "
            "cycles: right-hand sides are counted from 0, cycles from 1"
        )
    at = int(places[-1])
    source, time = f"cycle {cycle} of right-hand side {played.rhs}", float(cycles["time"][at])
    return _Moment(source, cycles["input"][at], cycles["output"][at], time)


def _of_inversions(run: RunFile, played: Played) -> _Moment:
    if played.cycle is not None:
        raise InputError(f"cycle {played.cycle} is of a solve; {run.path} has bare inversions: leave it out")
    matrix = 0 if played.matrix is None else played.matrix
    table, outputs = run.table("inversions"), run.table("outputs")
    of_rhs = (table["matrix"] == matrix) & (table["rhs"] == played.rhs)
    rhs = np.asarray(to_real_vector(run.array("rhs")), np.float64)
    if not (of_rhs.any() and played.rhs < len(rhs)):
        if played == FIRST:
            source = f"no inversion: {PROBE:g} V at the first row"
            return _Moment(source, np.array([PROBE]), np.zeros(0), number=matrix)
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


def _blocks(run: RunFile, loop: dict[str, Any], rows: Integers, columns: Integers) -> tuple[CellBlock, ...]:
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


def _read(run: RunFile, array: ArrayMap, time: float, rows: Integers, columns: Integers) -> Floats:
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


TIME_CONSTANTS = 60.0  # of the slowest mode, were it alone: real loops ring for some more
POINTS = 1000  # of the transient, at least
LAST = 0.999  # of the transient, where outputs are measured: rounding may put its very end outside
EDGE = 1e-4  # of the transient, in which the inputs step

IN_WORDS = {
    "gain": "open-loop gain at DC", "bandwidth": "Hz, gain-bandwidth product", "second_pole": "Hz, of the open loop",
    "slew": "V/s, slew rate", "bias_current": "A, into each row", "row_capacitance": "F, C_in",
    "feedback_capacitance": "F, C_f", "clamp": "V, largest output",
}  # fmt: skip
"""Numbers of an amplifier that are parameters of the netlist."""

HEAD = """\
* The INV loop of a run of mho: {title}
* inputs: {source}
*
* {k} amplifiers, k = 0 to {last}: row_k is the inverting input of amplifier k, out_k its output, in_k the input voltage.
* Cells: R<array>_r<row>_c<column>, lines by their physical numbers; arrays: {arrays}.
* Each is the last verify read before the inputs were played, less the wires to the cell; behind it in uS.
* Wires: Rwb along bit lines (rows), Rws along source lines (columns), from where a line begins.
* Cells are lines, without the I-V law of the bench; amplifiers have no limit of current: a loop that the bench
* warns of ("was asked for ... mA") stops here at its clamps alone.
* Analyses: .op with the inputs on; .tran with the inputs stepping from 0 V once the loop is at rest.
* Run it: ngspice -b FILE, or ngspice -b -r loop.raw FILE to keep the waveforms.
"""

MACROMODEL = """\
.subckt amplifier row out vos=0
* second pole: node z is the input error behind it
Bz 0 z I={vos}-V(row)-V(out)/{gain}
Rz z 0 1
Cz z 0 {1/(two_pi*second_pole)}
* gain-bandwidth product and slew rate: v integrates z
Bv 0 v I=min(max(V(z),-{slew/(two_pi*bandwidth)}),{slew/(two_pi*bandwidth)})
Cv v 0 {1/(two_pi*bandwidth)}
* diode pairs of the board, which stop the output
Bclamp v 0 I=1000*(max(V(v)-{clamp},0)+min(V(v)+{clamp},0))
Eout out 0 v 0 1
* at the row: bias current, the amplifier's, pad's and board's capacitance, and the compensation
Ibias 0 row {bias_current}
Cin row 0 {row_capacitance}
Cf out row {feedback_capacitance}
.ends
"""


def write_netlist(run: RunFile, target: Path, played: Played = FIRST) -> None:
    """Write the loop of a run as a netlist; raises as `read_loop`."""
    target.write_text(netlist(read_loop(run, played)), encoding="utf-8")


def netlist(circuit: LoopCircuit) -> str:
    """Return the netlist of a loop."""
    k = len(circuit.rows)
    arrays = ", ".join(f"{block.tag} is {block.array}" for block in circuit.blocks)
    head = HEAD.format(title=circuit.title, source=circuit.source, k=k, last=k - 1, arrays=arrays)
    parts = [
        head.rstrip(), *_parameters(circuit), MACROMODEL.rstrip(), *_amplifiers(circuit),
        *_resistors(circuit), *(line for block in circuit.blocks for line in _array(circuit, block)),
        *_analyses(circuit), ".end",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _parameters(circuit: LoopCircuit) -> Iterator[str]:
    """Yield everything that a designer would change."""
    one = circuit.amplifier
    yield "*"
    if circuit.own:
        yield f"* WARNING: the run's circuits had {circuit.own}, of a user's own, which a netlist cannot have: here"
        yield "* amplifiers, converters and wires are the bench's without them, and answers differ by as much"
    yield "* amplifiers: " + (
        "the simulated bench's preset, [simulation] of the bench file"
        if one.known
        else "ASSUMED, the bench does not know them: put in the data sheet's numbers"
    )
    yield from (_parameter(name, getattr(one, name), words) for name, words in IN_WORDS.items())
    yield _parameter("two_pi", 2.0 * np.pi)
    yield f"* offsets, V: no run knows them; their standard deviation is {one.offset:.3g} V"
    offsets = np.zeros(len(circuit.rows)) if circuit.offsets is None else circuit.offsets
    yield from (_parameter(f"vos_{k}", float(value)) for k, value in enumerate(offsets))
    yield f"* input voltages, V: {circuit.source}"
    yield from (_parameter(f"u_{k}", float(value)) for k, value in enumerate(circuit.volts))
    slowest = circuit.slowest
    yield f"* times, s: the inputs step at t_step; t_stop is {TIME_CONSTANTS:g} time constants of the slowest mode alone"
    yield f"* (eigenvalue {slowest if slowest.imag else slowest.real:.4g} of (D + w_u C_f)^-1 G)"
    if slowest.real <= 0.0:
        yield "* WARNING: that eigenvalue has no positive real part, so this loop rails"
    rate = 2.0 * np.pi * one.bandwidth * abs(slowest)
    yield _parameter("t_stop", TIME_CONSTANTS / rate)
    yield ".param t_step={0.02*t_stop}"
    yield f".param t_edge={{{EDGE:g}*t_stop}}"
    yield "*"


def _amplifiers(circuit: LoopCircuit) -> Iterator[str]:
    yield "*"
    yield "* inputs, and amplifiers with the lines of the chip at their input and output"
    for k, (row, column) in enumerate(zip(circuit.rows, circuit.columns, strict=True)):
        yield f"Vin_{k} in_{k} 0 DC {{u_{k}}} PWL(0 0 {{t_step}} 0 {{t_step+t_edge}} {{u_{k}}})"
        yield f"Xamp_{k} row_{k} out_{k} amplifier vos={{vos_{k}}} ; bit line {row}, source line {column}"


def _resistors(circuit: LoopCircuit) -> Iterator[str]:
    yield "*"
    yield "* the board's resistors, nominal, ohm: inputs, diagonal, bias"
    for k, (fed, own, bias) in enumerate(zip(circuit.inputs, circuit.diagonal, circuit.bias, strict=True)):
        yield f"Rin_{k} in_{k} row_{k} {_ohms(fed)}"
        if own > 0.0:
            yield f"Rdiag_{k} out_{k} row_{k} {_ohms(own)}"
        if bias > 0.0:
            yield f"Rbias_{k} minus_sum row_{k} {_ohms(bias)}"
    if circuit.bias.any():
        total = "-".join(f"V(out_{k})" for k in range(len(circuit.rows)))
        yield "* the summing amplifier, ideal"
        yield from wrap(
            f"Bsum minus_sum 0 V=-{total}", 100, subsequent_indent="+ ", break_long_words=False,
            break_on_hyphens=True,
        )  # fmt: skip


def _array(circuit: LoopCircuit, block: CellBlock) -> Iterator[str]:
    """Yield what drives an array's columns, its cells, and its wires."""
    tag, k = block.tag, len(circuit.rows)
    yield "*"
    yield f"* array {block.array}: {k} x {k} cells, {block.wire_resistance:g} ohm of wire from cell to cell"
    ends = [f"out_{j}" for j in range(k)]
    if not np.all(block.drives == 1.0):
        ends = [f"{tag}_drive_{j}" for j in range(k)]
        yield "* its columns get the outputs through ideal amplifiers: inverted, divided, or both"
        yield from (f"E{end} {end} 0 out_{j} 0 {block.drives[j]:.10g}" for j, end in enumerate(ends))
    rows = [f"row_{i}" for i in range(k)]
    if block.wire_resistance > 0.0:
        yield from _wires(circuit, block, rows, ends)
    for i, row in enumerate(circuit.rows):
        for j, column in enumerate(circuit.columns):
            name, siemens = f"R{tag}_r{row}_c{column}", float(block.conductance[i, j])
            wired = block.wire_resistance > 0.0
            nodes = f"{tag}b_{row}_{column} {tag}s_{row}_{column}" if wired else f"{rows[i]} {ends[j]}"
            if siemens > 0.0:
                yield f"{name} {nodes} {_ohms(siemens)} ; {1e6 * siemens:.4g} uS"
            else:
                yield f"* {name} {nodes} is left out: it read as {1e6 * siemens:.4g} uS"


def _wires(circuit: LoopCircuit, block: CellBlock, rows: list[str], ends: list[str]) -> Iterator[str]:
    """Yield the wires: from where a line begins to its first cell, and from cell to cell."""
    tag, ohms = block.tag, block.wire_resistance
    across, down = np.argsort(block.columns), np.argsort(block.rows)
    bit_gaps = np.diff(block.columns[across], prepend=-1) * ohms
    source_gaps = np.diff(block.rows[down], prepend=-1) * ohms
    for i, row in enumerate(circuit.rows):
        node = rows[i]
        for column, gap in zip(circuit.columns[across], bit_gaps, strict=True):
            after = f"{tag}b_{row}_{column}"
            yield f"Rwb_{after} {node} {after} {gap:.10g}"
            node = after
    for j, column in enumerate(circuit.columns):
        node = ends[j]
        for row, gap in zip(circuit.rows[down], source_gaps, strict=True):
            after = f"{tag}s_{row}_{column}"
            yield f"Rws_{after} {node} {after} {gap:.10g}"
            node = after


def _analyses(circuit: LoopCircuit) -> Iterator[str]:
    yield "*"
    names = [f"v(out_{k})" for k in range(len(circuit.rows))]
    if circuit.outputs.size:
        yield "* what the run read at the outputs, V, less what it read with nothing at the inputs:"
        yield from (f"* out_{k}: {volts:.6g}" for k, volts in enumerate(circuit.outputs))
    yield ".options klu reltol=1e-6 abstol=1e-15 vntol=1e-9 chgtol=1e-18 numdgt=8"
    yield ".op"
    yield f".tran {{t_stop/{POINTS}}} {{t_stop}} 0 {{t_stop/{POINTS}}}"
    for kind in (".save", ".print op"):
        yield from wrap(f"{kind} {' '.join(names)}", 100, subsequent_indent="+ ")
    for name in names:
        yield f".meas tran final_{name[2:-1]} find {name} at={{{LAST:g}*t_stop}}"


def _parameter(name: str, value: float, words: str = "") -> str:
    return f".param {name}={value:.10g}" + (f" ; {words}" if words else "")


def _ohms(conductance: float) -> str:
    return f"{1.0 / conductance:.10g}"
