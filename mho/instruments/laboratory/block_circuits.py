"""The answer of a block of the virtual bench's chip to vectors, in the circuit that the board has closed around it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mho.errors import BenchError, InputError
from mho.instruments.bench_file.bench_file import Simulation
from mho.instruments.simulated.physics.chip import SimulatedChip
from mho.instruments.simulated.physics.circuits.amplifiers import CLAMP, AmplifierBank, amplifier_preset
from mho.instruments.simulated.physics.circuits.converters import Converter, mid_tread_range
from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
from mho.instruments.simulated.physics.circuits.loop_dynamics import LoopDynamics
from mho.instruments.simulated.physics.circuits.loop_network import LoopNetwork
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit
from mho.instruments.simulated.physics.circuits.step_response import StepResponse
from mho.instruments.simulated.physics.wires.wires import WiredBlock

if TYPE_CHECKING:
    from mho.instruments.simulated.array_board.instrument import SimulatedArrayBoard

Floats = NDArray[np.float64]
Lines = NDArray[np.int64]
Block = tuple[str, tuple[int, ...], tuple[int, ...]]

CONVERSION_DELAY = 20e-6  # s between an update and its conversion, as the DAQ's driver sets it
RESISTORS = 1e-3  # relative error of the board's resistors
BANDWIDTH = 1e6  # Hz, noise bandwidth of the board's amplifiers behind their filters
KEPT = 1024  # loops whose modes are kept, oldest dropped first
LINES = 4096  # amplifiers on the board: more than any block has lines


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
    """The board's amplifiers and the chip between them.

    Attributes
    ----------
    inverters, loop, transimpedance : AmplifierBank
        Behind the second array, in the inverting loop, and at the columns of MULTIPLY.
    diagonal_errors : (lines,) array
        Relative errors of the loop's resistors.
    divider_errors : (2, lines) array
        Relative errors of the dividers in front of a second slice, and of the inverting ones beside them.
    bias_errors : (2, lines) array
        Relative errors of the bias resistors to the rows, and of those through which outputs are summed.
    inverse_adc : Converter or None
        The board's own converters at the INV outputs.
    readout_noise : float
        Of each column in MULTIPLY, beyond the amplifiers' own, A.
    """

    chip: SimulatedChip
    board: SimulatedArrayBoard | ConnectedBlock
    rng: np.random.Generator
    inverters: AmplifierBank
    loop: AmplifierBank
    transimpedance: AmplifierBank
    diagonal_errors: Floats
    divider_errors: Floats
    bias_errors: Floats
    inverse_adc: Converter | None
    readout_noise: float = 0.0
    _loops: dict[Hashable, tuple[list[WiredBlock], LoopDynamics]] = field(default_factory=dict, init=False)

    @classmethod
    def drawn(
        cls,
        chip: SimulatedChip,
        board: SimulatedArrayBoard | ConnectedBlock,
        simulation: Simulation,
        rng: np.random.Generator,
    ) -> Self:
        """Draw the board's amplifiers and resistors, as the bench file's ``[simulation]`` has them."""
        amplifier = amplifier_preset(simulation.amplifier).with_capacitances(
            simulation.row_capacitance, simulation.feedback_capacitance
        )
        inverters, loop, transimpedance = (AmplifierBank.draw(amplifier, LINES, rng) for _ in range(3))
        diagonal_errors = RESISTORS * rng.standard_normal(LINES)
        # From a generator of their own, so that whether there are dividers changes nothing else that is drawn.
        further = rng.spawn(1)[0]
        divider_errors, bias_errors = (RESISTORS * further.standard_normal((2, LINES)) for _ in range(2))
        adc = _inverse_converter(simulation, rng.spawn(1)[0])
        return cls(
            chip,
            board,
            rng,
            inverters,
            loop,
            transimpedance,
            diagonal_errors,
            divider_errors,
            bias_errors,
            adc,
            simulation.readout_noise,
        )

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the answer of the connected block to input vectors (samples, inputs), V; zeros when none is connected."""
        answer = np.zeros((len(volts), input_count))
        block = self.board.block
        if block is None:
            return answer
        driven = volts[:, : len(block[1])]
        window = len(volts) * period
        if self.board.mode == "MULT":
            outputs = self._multiply_circuit(block, window).outputs(driven, self.rng)
        else:
            currents = driven * self.board.input_conductance
            circuit = self._inverse_circuit(block, window)
            outputs = circuit.sampled(currents, CONVERSION_DELAY, period, self.rng)
        answer[:, : outputs.shape[1]] = outputs[:, :input_count]
        return answer

    def step_response(self, volts: Floats, duration: float | None = None, points: int = 2000) -> StepResponse:
        """Return what an oscilloscope at the outputs of the connected INV loop shows of a step from 0 V to `volts` (n,), V.

        The loop has settled before the step; cells have the noise of this moment, the outputs none.

        Parameters
        ----------
        duration : float, optional
            Of the waveforms, s; by default, 12 time constants of the loop's slowest mode.
        points : int
            Number of times.

        Raises
        ------
        BenchError
            When no INV loop is connected.
        InputError
            For voltages that are not finite or not one for each row, or a duration or number that is not above 0.
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
        self,
        array: str,
        rows: Lines,
        columns: Lines,
        volts: Floats,
        period: float,
        rng: np.random.Generator | None = None,
    ) -> Floats:
        """Return what the columns of many blocks of one shape answer in MULTIPLY, (blocks, samples, C), V.

        Parameters
        ----------
        rows, columns : (blocks, R), (blocks, C) arrays
        volts : (blocks, samples, R) array
            V; blocks are played one after the other.
        period : float
            From one sample to the next, s.
        rng : numpy.random.Generator, optional
            Of all noise, in place of the generators of the chip and of the board.
        """
        window = volts.shape[1] * period
        transfer = self.chip.transfer_of_blocks(array, rows, columns)
        frozen, variance = self.chip.noise_of_blocks(array, rows, columns, window, 1.0 / BANDWIDTH, rng)
        circuit = MultiplyCircuit(
            transfer * (1.0 + frozen),
            transfer**2 * variance,
            self.transimpedance,
            self.board.transimpedance,
            BANDWIDTH,
            readout=self.readout_noise,
        )
        return circuit.outputs(volts, rng or self.rng)

    def _multiply_circuit(self, block: Block, window: float) -> MultiplyCircuit:
        array, rows, columns = block
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        transfer = self.chip.transfer(array, *lines)
        noise = self.chip.noise(array, *lines, window, 1.0 / BANDWIDTH)
        ports = transfer * (1.0 + noise.frozen)
        return MultiplyCircuit(
            ports,
            transfer**2 * noise.variance,
            self.transimpedance,
            self.board.transimpedance,
            BANDWIDTH,
            readout=self.readout_noise,
        )

    def _inverse_circuit(self, block: Block, window: float) -> InverseCircuit:
        """Return the connected loop, wires included, with the present noise."""
        array, rows, columns = block
        board, n = self.board, len(rows)
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        drives = self._drives(array, n)
        names = list(drives)
        blocks = [self.chip.block(name, *lines) for name in names]
        count = min(int(board.diagonal_count), n)
        diagonal = np.zeros(n)
        diagonal[:count] = board.diagonal * (1.0 + self.diagonal_errors[:count])
        loop = LoopNetwork(
            list(zip(blocks, drives.values(), strict=True)),
            input_conductance=board.input_conductance,
            diagonal=diagonal,
        )
        quiet = loop.matrix()
        network, variance = quiet.copy(), np.zeros((n, n))
        for (name, drive), wired in zip(drives.items(), blocks, strict=True):
            transfer = wired.admittance.transfer * drive
            noise = self.chip.noise(name, *lines, window, 1.0 / BANDWIDTH)
            network += transfer * noise.frozen
            variance += transfer**2 * noise.variance
        load = loop.load()
        if (
            board.bias
        ):  # the amplifier that sums is as fast as the inverters, which are taken to be ideal in time
            rows, outputs = 1.0 + self.bias_errors[:, :n]
            quiet = quiet - board.bias * np.outer(rows, outputs)
            network = network - board.bias * np.outer(rows, outputs)
            load = load + board.bias * np.diag(rows)
        near = self._without_noise((*block, *names[1:], count), blocks, quiet, load)
        return InverseCircuit(network, load, variance, self.loop, BANDWIDTH, self.inverse_adc, near)

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
        self, key: tuple[Hashable, ...], blocks: list[WiredBlock], network: Floats, load: Floats
    ) -> LoopDynamics:
        """Return the dynamics of a loop without noise: the same object while its blocks and resistors are the same."""
        key = (*key, self.board.diagonal, self.board.bias, self.board.input_conductance)
        kept = self._loops.pop(key, None)
        if kept is None or any(old is not new for old, new in zip(kept[0], blocks, strict=True)):
            kept = blocks, LoopDynamics(network, load, self.loop.first(len(network)))
        self._loops[key] = kept
        if len(self._loops) > KEPT:
            del self._loops[next(iter(self._loops))]
        return kept[1]


def _inverse_converter(simulation: Simulation, rng: np.random.Generator) -> Converter | None:
    """Draw the board's own converter at the INV outputs; None where the instrument outside converts."""
    bits = simulation.inverse_bits
    if bits is None:
        return None
    ends = (-CLAMP, CLAMP) if simulation.inverse_codes == "mid-rise" else mid_tread_range(bits, CLAMP)
    return Converter.draw(
        bits, *ends, simulation.inverse_dnl, rng, bow=simulation.inverse_inl, noise=simulation.inverse_noise
    )
