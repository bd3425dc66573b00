"""The answer of a block of the virtual bench's chip to vectors, in the circuit that the board has closed around it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from operator import is_not
from typing import TYPE_CHECKING, Self

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import BenchError, InputError
from mho.instruments.bench_file.bench_file import CLAMPED, Simulation
from mho.instruments.simulated.physics.cells.conduction import ExcessCurrents, excess_currents
from mho.instruments.simulated.physics.chip import SimulatedChip
from mho.instruments.simulated.physics.circuits.amplifiers import (
    CLAMP,
    AmplifierBank,
    Converter,
    amplifier_preset,
    mid_tread_range,
)
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
from mho.instruments.simulated.physics.circuits.loop_network import LoopDynamics, LoopNetwork, StepResponse
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit
from mho.instruments.simulated.physics.circuits.own_elements import CircuitElements
from mho.instruments.simulated.physics.wires import WiredBlock

if TYPE_CHECKING:
    from mho.instruments.simulated.array_board import SimulatedArrayBoard


Block = tuple[str, tuple[int, ...], tuple[int, ...]]

CONVERSION_DELAY = 20e-6  # s between an update and its conversion, as the DAQ's driver sets it
RESISTORS = 1e-3  # relative error of the board's resistors
BANDWIDTH = 1e6  # Hz, noise bandwidth of the board's amplifiers behind their filters
KEPT, VARIANTS = 1024, 8  # loops whose modes are kept, oldest dropped first: by place, and by resistors
LINES = 4096  # amplifiers on the board: more than any block has lines
SMALL = 0.1  # V, least range over which cells that are no lines are described in MULTIPLY
RATED_GATE = 2.5  # V on the word lines of a block, where no bench says otherwise


def _drop(sentence: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class _Loop:
    """A loop without noise: what noise is added to, and what does not change with it.

    `transfers`: of each of its blocks, as driven, S per volt of each output, and their squares. `network`, `load` (n, n):
    of all, S. `drawn` (n,): the current that an output drives a volt, S.
    """

    blocks: list[WiredBlock]
    transfers: list[tuple[Floats, Floats]]
    network: Floats
    load: Floats
    dynamics: LoopDynamics
    excess: ExcessCurrents | None
    drawn: Floats


@dataclass
class ConnectedBlock:
    """The circuit around the chip, for a laboratory without a simulated board; names and units as in that board."""

    mode: str = "SAFE"
    block: Block | None = None
    negative: str | None = None
    second_slice: tuple[str, str] | None = None
    slice_ratio: float = 0.0
    diagonal: float = 0.0
    diagonal_count: int = 0
    bias: float = 0.0
    transimpedance: float = 20e3
    input_conductance: float = 35e-6


@dataclass(frozen=True)
class BlockCircuits:
    """The board's amplifiers and the chip between them."""

    chip: SimulatedChip
    board: (
        SimulatedArrayBoard | ConnectedBlock
    )  # never asked where probes stand for the board: no block is connected
    rng: np.random.Generator
    # inverters, loop, transimpedance: behind the second array, in the inverting loop, and at the columns of MULTIPLY
    inverters: AmplifierBank
    loop: AmplifierBank
    transimpedance: AmplifierBank
    diagonal_errors: Floats  # (lines,): relative errors of the loop's resistors
    # (2, lines): relative errors of the dividers in front of a second slice, and of the inverting ones beside them
    divider_errors: Floats
    # (2, lines): relative errors of the bias resistors to the rows, and of those through which outputs are summed
    bias_errors: Floats
    inverse_adc: Converter | None  # the board's own converters at the INV outputs
    readout_noise: float = 0.0  # of each column in MULTIPLY, beyond the amplifiers' own, A
    gate: float = RATED_GATE  # on the word lines of a connected block, V
    # Takes a sentence, once for a block: what its amplifiers were asked for and do not give
    report: Callable[[str], None] = _drop
    _loops: dict[Hashable, dict[tuple[float, ...], _Loop]] = field(default_factory=dict, init=False)
    _reported: set[Hashable] = field(default_factory=set, init=False)

    @classmethod
    def drawn(
        cls, chip: SimulatedChip, board: SimulatedArrayBoard | ConnectedBlock, simulation: Simulation,
        rng: np.random.Generator, gate: float = RATED_GATE, report: Callable[[str], None] = _drop,
        own: tuple[CircuitElements | None, np.random.Generator] | None = None,
    ) -> Self:  # fmt: skip
        """Draw the board's amplifiers and resistors, as the bench file's ``[simulation]`` has them.

        `own`: elements of a user's own in their place, and the generator that they draw from.
        """
        elements, own_rng = own if own is not None else (None, rng)
        preset = None if elements is None else elements.preset
        amplifier = (
            (preset or amplifier_preset(simulation.amplifier))
            .at(simulation.amplifier_corner, simulation.amplifier_temperature, simulation.amplifier_supply)
            .with_capacitances(simulation.row_capacitance, simulation.feedback_capacitance)
        )
        if simulation.amplifier_current is not None:
            amplifier = replace(amplifier, output_current=simulation.amplifier_current)
        banks = [AmplifierBank.draw(amplifier, LINES, rng) for _ in range(3)]
        diagonal_errors = RESISTORS * rng.standard_normal(LINES)
        # From a generator of their own, so that whether there are dividers changes nothing else that is drawn.
        further = rng.spawn(1)[0]
        divider_errors, bias_errors = (RESISTORS * further.standard_normal((2, LINES)) for _ in range(2))
        inverters, loop, transimpedance = (bank.warmed(further) for bank in banks)
        adc = _inverse_converter(simulation, rng.spawn(1)[0])
        if elements is not None:
            loop = elements.bank(loop, "INVERT", own_rng)
            transimpedance = elements.bank(transimpedance, "MULTIPLY", own_rng)
            adc = adc if elements.adc is None else None  # an own one takes the place of all
        return cls(
            chip, board, rng, inverters, loop, transimpedance, diagonal_errors, divider_errors, bias_errors,
            adc, simulation.readout_noise, gate, report,
        )  # fmt: skip

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the answer of the connected block to input vectors (samples, inputs), V; zeros when none is connected."""
        answer = np.zeros((len(volts), input_count))
        block = self.board.block
        if block is None:
            return answer
        driven = volts[:, : len(block[1])]
        window = len(volts) * period
        if self.board.mode == "MULT":
            multiply = self._multiply_circuit(block, window, driven)
            outputs = multiply.outputs(driven, self.rng)
            self.report_multiply(block[0], multiply)
        else:
            currents = driven * self.board.input_conductance
            circuit = self._inverse_circuit(block, window)
            outputs = circuit.sampled(currents, CONVERSION_DELAY, period, self.rng)
            self._report_inverse(block, circuit)
        answer[:, : outputs.shape[1]] = outputs[:, :input_count]
        return answer

    def step_response(self, volts: Floats, duration: float | None = None, points: int = 2000) -> StepResponse:
        """Return what an oscilloscope at the outputs of the connected INV loop shows of a step from 0 V to `volts` (n,), V.

        The loop has settled before the step; cells have the noise of this moment, the outputs none.

        `duration`: of the waveforms, s; by default, 12 time constants of the loop's slowest mode.
        `points`: number of times.
        `BenchError` when no INV loop is connected; `InputError` for voltages that are not finite or not one for each
        row, or a duration or number that is not above 0.
        """
        block = self.board.block
        if block is None or self.board.mode == "MULT":
            raise BenchError("no INV loop is connected, so none can be stepped; call connect_invert first")
        volts, n = np.asarray(volts, np.float64), len(block[1])
        if volts.shape != (n,) or not np.all(np.isfinite(volts)):
            raise InputError(
                f"volts of shape {volts.shape} into a loop of {n} rows; give {n} finite voltages"
            )
        if points < 1 or not (duration is None or 0.0 < duration < np.inf):
            raise InputError(
                f"a waveform of {points} points in {duration} s; give a number and a time above 0"
            )
        circuit = self._inverse_circuit(block, 1.0 / BANDWIDTH)
        before = circuit.settled(np.zeros((1, n)))[0] if circuit.stable else np.zeros(n)
        return circuit.step_response(volts * self.board.input_conductance, duration, points, before)

    def multiply_blocks(
        self, array: str, rows: Integers, columns: Integers, volts: Floats, period: float,
        rng: np.random.Generator | None = None,
    ) -> Floats:  # fmt: skip
        """Return what the columns of many blocks of one shape answer in MULTIPLY, (blocks, samples, C), V.

        `rows`, `columns`: (blocks, R), (blocks, C).
        `volts` (blocks, samples, R): V; blocks are played one after the other.
        `period`: from one sample to the next, s.
        `rng`: of all noise, in place of the generators of the chip and of the board.
        """
        window = volts.shape[1] * period
        transfer = self.chip.transfer_of_blocks(array, rows, columns)
        frozen, variance = self.chip.noise_of_blocks(array, rows, columns, window, 1.0 / BANDWIDTH, rng)
        circuit = MultiplyCircuit(
            transfer * (1.0 + frozen), transfer**2 * variance, self.transimpedance, self.board.transimpedance,
            BANDWIDTH, readout=self.readout_noise,
            excess=self._excess_of_columns(
                lambda: self.chip.conductance_of_blocks(array, rows, columns), transfer, volts
            ),
        )  # fmt: skip
        outputs = circuit.outputs(volts, rng or self.rng)
        self.report_multiply(array, circuit)
        return outputs

    def _multiply_circuit(self, block: Block, window: float, volts: Floats) -> MultiplyCircuit:
        array, rows, columns = block
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        transfer = self.chip.transfer(array, *lines)
        noise = self.chip.noise(array, *lines, window, 1.0 / BANDWIDTH)
        ports = transfer * (1.0 + noise.frozen)
        return MultiplyCircuit(
            ports, transfer**2 * noise.variance, self.transimpedance, self.board.transimpedance, BANDWIDTH,
            readout=self.readout_noise,
            excess=self._excess_of_columns(lambda: self.chip.conductance(array, *lines), transfer, volts),
        )  # fmt: skip

    def _excess_of_columns(
        self, cells: Callable[[], Floats], transfer: Floats, volts: Floats
    ) -> ExcessCurrents | None:
        """Return what the cells of blocks carry beyond G u with their rows at `volts`; None of linear ones."""
        preset = self.chip.preset
        if not preset.nonlinearity:
            return None
        largest = max(float(np.abs(volts).max(initial=0.0)), SMALL)
        octaves = np.ceil(np.log2(largest / SMALL))  # few, as each has polynomials of its own
        return excess_currents(preset, cells(), transfer, self.gate, "bit line", float(SMALL * 2.0**octaves))

    def _inverse_circuit(self, block: Block, window: float) -> InverseCircuit:
        """Return the connected loop, wires included, with the present noise."""
        array, rows, columns = block
        board, n = self.board, len(rows)
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        drives = self._drives(array, n)
        names = list(drives)
        blocks = [self.chip.block(name, *lines) for name in names]
        count = min(int(board.diagonal_count), n)
        quiet = self._without_noise((*block, *names[1:], count), blocks, drives)
        network, variance = quiet.network.copy(), np.zeros((n, n))
        for name, (transfer, square) in zip(names, quiet.transfers, strict=True):
            noise = self.chip.noise(name, *lines, window, 1.0 / BANDWIDTH)
            network += transfer * noise.frozen
            variance += square * noise.variance
        if board.bias:
            network -= self._bias(n)
        return InverseCircuit(
            network, quiet.load, variance, self.loop, BANDWIDTH, self.inverse_adc, quiet.dynamics, quiet.excess,
            quiet.drawn,
        )  # fmt: skip

    def _bias(self, n: int) -> Floats:
        """Return the current into each row per volt of each output, S, that the bias resistors take away."""
        rows, outputs = 1.0 + self.bias_errors[:, :n]
        return np.asarray(self.board.bias * np.outer(rows, outputs))

    def _drives(self, positive: str, n: int) -> dict[str, Floats]:
        """Return the arrays of the connected loop, and what their columns get per volt of each output (n,)."""
        board = self.board
        drives = {positive: np.ones(n)}
        if board.negative is not None:
            drives[board.negative] = -1.0 - self.inverters.gain_errors[:n]
        for name, sign, errors in zip(
            board.second_slice or (), (1.0, -1.0), self.divider_errors, strict=False
        ):
            drives[name] = sign / board.slice_ratio * (1.0 + errors[:n])
        return drives

    def _without_noise(
        self, key: tuple[Hashable, ...], blocks: list[WiredBlock], drives: dict[str, Floats]
    ) -> _Loop:
        """Return the loop without noise: the same object while its blocks and resistors are the same."""
        board = self.board
        resistors = (board.diagonal, board.bias, board.input_conductance, board.slice_ratio)
        loops = self._loops.pop(key, {})
        if len(loops) > VARIANTS or any(any(map(is_not, one.blocks, blocks)) for one in loops.values()):
            loops = {}  # of the cells that were there
        if resistors not in loops:
            loops[resistors] = self._evaluated(blocks, drives)
        self._loops[key] = loops
        if len(self._loops) > KEPT:
            del self._loops[next(iter(self._loops))]
        return loops[resistors]

    def _evaluated(self, blocks: list[WiredBlock], drives: dict[str, Floats]) -> _Loop:
        """Evaluate the connected loop without noise."""
        board, n = self.board, blocks[0].shape[0]
        count = min(int(board.diagonal_count), n)
        diagonal = np.zeros(n)
        diagonal[:count] = board.diagonal * (1.0 + self.diagonal_errors[:count])
        loop = LoopNetwork(
            list(zip(blocks, drives.values(), strict=True)),
            input_conductance=board.input_conductance,
            diagonal=diagonal,
        )
        network, load = loop.matrix(), loop.load()
        biased = network
        if (
            board.bias
        ):  # the amplifier that sums is as fast as the inverters, which are taken to be ideal in time
            biased = network - self._bias(n)
            load = load + board.bias * np.diag(1.0 + self.bias_errors[0, :n])
        columns = np.array([block.admittance.transfer.sum(axis=0) for block in blocks])
        drawn = np.maximum(columns[0] + diagonal + board.bias, columns.max(axis=0))
        driven = [
            block.admittance.transfer * drive for block, drive in zip(blocks, drives.values(), strict=True)
        ]
        return _Loop(
            blocks, [(one, one**2) for one in driven], network, load,
            LoopDynamics(biased, load, self.loop.first(n)), self._excess_of_rows(blocks, drives), drawn,
        )  # fmt: skip

    def _excess_of_rows(self, blocks: list[WiredBlock], drives: dict[str, Floats]) -> ExcessCurrents | None:
        """Return what the cells of a loop carry beyond G v, with their columns at their nominal voltages."""
        preset = self.chip.preset
        if not preset.nonlinearity:
            return None
        total: ExcessCurrents | None = None
        for block, drive in zip(blocks, drives.values(), strict=True):
            cells, transfer = block.as_asked(block.conductance).T, block.admittance.transfer.T
            nominal = float(f"{np.mean(drive):.2g}")  # each has polynomials of its own
            one = excess_currents(preset, cells, transfer, self.gate, "source line", CLAMP, nominal)
            total = one if total is None or one is None else total + one
        return total

    # --- what an amplifier does not give ---

    def _report_inverse(self, block: Block, circuit: InverseCircuit) -> None:
        """Report that outputs of a loop were asked for more current than their amplifiers have, and the worst of them."""
        if not circuit.asked.any():
            return
        preset = self.loop.preset
        weak = (circuit.asked > 0.0) & (circuit.levels < np.minimum(CLAMP, circuit.bank.swing))
        if not weak.any():  # the diodes hold the outputs, which the answer shows
            return
        asked = np.where(weak, preset.output_current * circuit.asked / circuit.levels, 0.0)
        worst, others = int(np.argmax(asked)), np.count_nonzero(weak) - 1
        array, rows, _ = block
        self._report_once(
            ("INV", array, rows),
            f"INV on {array}: the amplifier of row {rows[worst]} was asked for {1e3 * asked[worst]:.3g} mA, but an "
            f"{preset.name} gives {1e3 * preset.output_current:.3g} mA: its output stayed at {circuit.levels[worst]:.3g} V"
            + (f", and {others} more did likewise" if others else "")
            + ", so the answer is wrong; take fewer rows, smaller conductances or inputs, or another amplifier",
        )

    def report_multiply(self, array: str, circuit: MultiplyCircuit) -> None:
        """Report that an output of MULTIPLY was asked for more than its amplifier's supply or current allows."""
        if circuit.asked:
            preset = self.transimpedance.preset
            self._report_once(
                ("MULT", array),
                f"MULTIPLY on {array}: an amplifier was asked for {circuit.asked:.3g} V, but an {preset.name} reaches "
                f"{circuit.level:.3g} V across {self.board.transimpedance:g} ohm: its output stayed there, so the product "
                "is wrong; drive fewer rows at once or smaller voltages, or take a smaller transimpedance",
            )

    def _report_once(self, key: Hashable, sentence: str) -> None:
        if key not in self._reported:
            self._reported.add(key)
            self.report(sentence)


def _inverse_converter(simulation: Simulation, rng: np.random.Generator) -> Converter | None:
    """Draw the board's own converter at the INV outputs; None where the instrument outside converts."""
    bits = simulation.inverse_bits
    if bits is None:
        return None
    tread = simulation.inverse_codes == "mid-tread"
    drawn = Converter.draw(
        bits, *(mid_tread_range(bits, CLAMP) if tread else (-CLAMP, CLAMP)), simulation.inverse_dnl, rng,
        bow=simulation.inverse_inl, noise=simulation.inverse_noise,
        beyond=int(tread),  # the range is that of the clamps, so that an output in its clamp is read as such
    )  # fmt: skip
    nothing = float(drawn.readings(np.zeros(1))[0])
    if abs(nothing) > CLAMPED:
        raise BenchError(
            f"[simulation]: the converter drawn for the INV outputs reads 0 V as {nothing:.2f} V, which counts as clamped; "
            "give a smaller inverse_inl or inverse_dnl, or more inverse_bits"
        )
    return drawn
