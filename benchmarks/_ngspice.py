"""A loop in ngspice, by its exported netlist, and the same loop in our own simulation."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mho.analysis.exports.spice import LoopCircuit, netlist
from mho.array_types import Floats
from mho.instruments.simulated import AmplifierBank, InverseCircuit, StepResponse, amplifier_preset
from mho.instruments.simulated.physics.circuits.loop_network import LoopNetwork
from mho.instruments.simulated.physics.wires import WiredBlock

NGSPICE = shutil.which("ngspice")
BAND = 1e-2  # in which outputs have settled, as a share of the largest step
STEPPED = 0.02  # of the transient, when the netlist's inputs step


@dataclass(frozen=True)
class Answers:
    """Settled outputs (k,), V, and the way there."""

    outputs: Floats
    response: StepResponse

    @property
    def settling(self) -> float:
        """Settling time, s."""
        return float(self.response.settling_time(BAND))


def with_amplifier(circuit: LoopCircuit, preset: str) -> LoopCircuit:
    """Return the loop with other amplifiers, their offsets drawn, and with inputs that these can answer."""
    one = amplifier_preset(preset)
    names = [name for name in circuit.amplifier.__dataclass_fields__ if hasattr(one, name)]
    return replace(
        circuit,
        amplifier=replace(circuit.amplifier, **{name: getattr(one, name) for name in names}),
        offsets=1e-3 * np.random.default_rng(2).standard_normal(len(circuit.rows)),
        volts=(0.05 if one.bias_current > 1e-6 else 1.0) * circuit.volts,
    )


def simulated(circuit: LoopCircuit, preset: str) -> InverseCircuit:
    """Return the loop as the virtual bench solves it, without noise and with nominal resistors."""
    k = len(circuit.rows)
    arrays = []
    for block in circuit.blocks:
        cells = np.maximum(block.conductance, 0.0)
        wired = WiredBlock.from_lines(cells, block.rows, block.columns, block.wire_resistance)
        arrays.append((wired, block.drives))
    loop = LoopNetwork(arrays, input_conductance=circuit.inputs, diagonal=circuit.diagonal)
    offsets = np.zeros(k) if circuit.offsets is None else circuit.offsets
    return InverseCircuit(
        loop.matrix() - np.outer(circuit.bias, np.ones(k)),
        loop.load() + np.diag(circuit.bias),
        np.zeros((k, k)),
        AmplifierBank(amplifier_preset(preset), offsets, np.zeros(k)),
        1e6,
    )


def in_simulation(circuit: LoopCircuit, preset: str, duration: float) -> Answers:
    """Return what our simulation finds, its waveform over `duration`, s."""
    ours, currents = simulated(circuit, preset), circuit.volts * circuit.inputs
    start = ours.settled(np.zeros((1, len(currents))))[0]
    return Answers(ours.settled(currents[None])[0], ours.step_response(currents, duration, 4000, start))


def in_ngspice(text: str, folder: Path) -> Answers:
    """Return what ngspice finds of a netlist: of its .op and of its .tran from the step on."""
    (folder / "loop.cir").write_text(text, "utf-8")
    command = [str(NGSPICE), "-b", "-r", "loop.raw", "loop.cir"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=300)
    rest, plots = (folder / "loop.raw").read_bytes(), []
    while rest:
        head, _, rest = rest.partition(b"Binary:\n")
        facts = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        shape = int(facts["No. Points"]), int(facts["No. Variables"])
        plots.append(np.frombuffer(rest[: 8 * shape[0] * shape[1]]).reshape(shape))
        rest = rest[8 * shape[0] * shape[1] :]
    (outputs,), transient = plots
    times, waves = transient[:, 0] - STEPPED * transient[-1, 0], transient[:, 1:]
    after = times > 0.0
    return Answers(outputs, StepResponse(times[after], waves[after], waves[0], outputs))


def measured(text: str, folder: Path) -> Floats:
    """Return what ngspice's .meas lines of a netlist print, (k,), V; they are left out where it writes waveforms."""
    (folder / "loop.cir").write_text(text, "utf-8")
    command = [str(NGSPICE), "-b", "loop.cir"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300).stdout
    found = dict(re.findall(r"^final_out_(\d+)\s*=\s*(\S+)", said, re.MULTILINE))
    return np.array([float(found[str(k)]) for k in range(text.count("\nXamp_"))])


def both(circuit: LoopCircuit, preset: str, folder: Path) -> tuple[Answers, Answers]:
    """Return what ngspice and our simulation find of a loop."""
    theirs = in_ngspice(netlist(circuit), folder)
    return theirs, in_simulation(circuit, preset, float(theirs.response.times[-1]))
