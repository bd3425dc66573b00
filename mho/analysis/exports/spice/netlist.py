"""The netlist of a loop: what `mho.instruments.simulated` solves, for ngspice and other SPICEs.

Row k of the loop is the inverting input of amplifier k, whose output drives column k of each array: node ``row_k``,
``out_k``. Bit lines begin at column 0, source lines at row 0, with wire in front of the first cell. The macromodel is that
of docs/inv-circuit.md:

    dz/dt = w_a (Vos - x - v/A - z),      dv/dt = w_u z, at most the slew rate, nothing further outward in a clamp,

with C_in from a row to ground and C_f from an output to its own row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

import h5py
import numpy as np

from mho.analysis.exports.spice.loop_circuit import FIRST, CellBlock, LoopCircuit, Played, read_loop
from mho.runs import RunFile

TIME_CONSTANTS = 60.0  # of the slowest mode, were it alone: real loops ring for some more
POINTS = 1000  # of the transient, at least
LAST = 0.999  # of the transient, where outputs are measured: rounding may put its very end outside
EDGE = 1e-4  # of the transient, in which the inputs step

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


def write_netlist(run: RunFile, file: h5py.File, target: Path, played: Played = FIRST) -> None:
    """Write the loop of a run as a netlist; raises as `read_loop`."""
    target.write_text(netlist(read_loop(run, played)), encoding="utf-8")


def netlist(circuit: LoopCircuit) -> str:
    """Return the netlist of a loop."""
    k = len(circuit.rows)
    arrays = ", ".join(f"{block.tag} is {block.array}" for block in circuit.blocks)
    head = HEAD.format(title=circuit.title, source=circuit.source, k=k, last=k - 1, arrays=arrays)
    parts = [
        head.rstrip(),
        *_parameters(circuit),
        MACROMODEL.rstrip(),
        *_amplifiers(circuit),
        *_resistors(circuit),
        *(line for block in circuit.blocks for line in _array(circuit, block)),
        *_analyses(circuit),
        ".end",
    ]
    return "\n".join(parts) + "\n"


def _parameters(circuit: LoopCircuit) -> Iterator[str]:
    """Yield everything that a designer would change."""
    one = circuit.amplifier
    yield "*"
    yield "* amplifiers: " + (
        "the simulated bench's preset, [simulation] of the bench file"
        if one.known
        else "ASSUMED, the bench does not know them: put in the data sheet's numbers"
    )
    for name, value, words in (
        ("gain", one.gain, "open-loop gain at DC"),
        ("bandwidth", one.bandwidth, "Hz, gain-bandwidth product"),
        ("second_pole", one.second_pole, "Hz, of the open loop"),
        ("slew", one.slew, "V/s, slew rate"),
        ("bias_current", one.bias_current, "A, into each row"),
        ("row_capacitance", one.row_capacitance, "F, C_in"),
        ("feedback_capacitance", one.feedback_capacitance, "F, C_f"),
        ("clamp", one.clamp, "V, largest output"),
        ("two_pi", 2.0 * np.pi, ""),
    ):
        yield _parameter(name, value, words)
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
    """Yield the board's resistors, nominal."""
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
            name, held = f"R{tag}_r{row}_c{column}", float(block.conductance[i, j])
            nodes = (
                f"{tag}b_{row}_{column} {tag}s_{row}_{column}"
                if block.wire_resistance > 0.0
                else f"{rows[i]} {ends[j]}"
            )
            if held > 0.0:
                yield f"{name} {nodes} {_ohms(held)} ; {1e6 * held:.4g} uS"
            else:
                yield f"* {name} {nodes} is left out: it read as {1e6 * held:.4g} uS"


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
