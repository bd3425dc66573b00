"""An exchange repeated with some causes of error switched off, each at its root; all else is as it was.

The circuits are those of the bench (`BlockCircuits`), on cells that are held: nothing is drawn that was not drawn then.
Noise that is switched off is drawn all the same and weighs nothing, so every other draw remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import ConvergenceError
from mho.instruments.arrays.causes import Causes
from mho.instruments.arrays.converter_errors import ConverterErrors
from mho.instruments.arrays.exchanges import Exchange, HeldCells
from mho.instruments.bench.vectors import InverseZero
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.simulated.physics.chip import BlockNoise, SimulatedChip
from mho.instruments.simulated.physics.circuits.amplifiers import AMPLIFIER_PRESETS, AmplifierBank
from mho.instruments.simulated.physics.wires import WiredBlock

IDEAL = AMPLIFIER_PRESETS["ideal"]
LEAST = 0.05  # share of a read's voltage that a cell has at least, behind its wires
ONE_READING = InverseZero()
KEPT = 64  # states of cells and wires whose circuits are kept


CELLS: Causes = frozenset({"quantisation", "programming", "stuck cells", "relaxation", "read noise"})
"""What can happen to a cell itself."""


@dataclass(frozen=True)
class Targets:
    """What cells (R, C) of an array were to hold, S."""

    rounded: Floats  # their levels
    exact: Floats  # what those are rounded from

    def read_as(self, cells: HeldCells, causes: Causes) -> Floats:
        """Return what the last verify read of cells (R, C) says, S, to which only `causes` happened."""
        return self.missed(cells, causes, self.rounded if "quantisation" in causes else self.exact)

    def missed(self, cells: HeldCells, causes: Causes, aimed: Floats) -> Floats:
        """Return what that read says of cells that were aimed at other targets (R, C), S, and missed them by as much."""
        missing = np.where(cells.stuck, "stuck cells" in causes, "programming" in causes)
        return aimed + np.where(missing, cells.read - self.rounded, 0.0)

    def held(self, cells: HeldCells, causes: Causes) -> Floats:
        """Return the conductances (R, C), S, without noise, of cells to which only `causes` happened.

        Verify reads go through the wires and have noise of their own, and programming makes up for both. So a cell missed
        its target by what it was *read* as; without wires it holds what it is read as; and what that read saw and was not
        there is noise as well: slow noise was there at both times.
        """
        if "wires" in causes and causes >= CELLS:
            return cells.now
        return held_later(self.read_as(cells, causes), cells, causes)


def held_later(read: Floats, cells: HeldCells, causes: Causes) -> Floats:
    """Return what cells (R, C) hold now, S, whose last verify read said `read`, as `Targets.held`."""
    verified, now = (one / (1.0 + one * cells.series) for one in (cells.verified, cells.now))
    g = read
    if "read noise" in causes:
        g = g + (verified - cells.read)
    if "relaxation" in causes:
        g = g + (now - verified)
    g = np.maximum(g, 0.0)
    return g / np.maximum(1.0 - g * cells.series, LEAST) if "wires" in causes else g


class Holding(Protocol):
    """What the cells of connected blocks hold to which only some causes happened."""

    def held(self, cells: Mapping[str, HeldCells], causes: Causes) -> Mapping[str, Floats]:
        """Return the conductances (R, C) of the cells of each array, S, without noise."""


@dataclass(frozen=True)
class TargetsByArray:
    """Cells that each have a target of their own, whatever others came to hold."""

    arrays: Mapping[str, Targets]

    def held(self, cells: Mapping[str, HeldCells], causes: Causes) -> dict[str, Floats]:
        """Return the conductances (R, C) of the cells of each array, S, without noise, as `Targets.held`."""
        return {name: self.arrays[name].held(of_array, causes) for name, of_array in cells.items()}


class _Silent(np.random.Generator):
    """A generator whose normal deviates are all 0."""

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return zeros."""
        return np.zeros(() if size is None else size, dtype)


class _HeldChip:
    """The blocks of one exchange, as `BlockCircuits` asks a chip for them."""

    def __init__(self, chip: SimulatedChip, causes: Causes) -> None:
        straight = "nonlinearity" not in causes
        self.preset = replace(chip.preset, nonlinearity=0.0) if straight else chip.preset
        self._geometry, self._wires = chip.geometry, chip.wires
        self._blocks: dict[str, WiredBlock] = {}
        self._noises: dict[str, BlockNoise] = {}

    def hold(
        self, array: str, conductance: Floats, rows: Integers, columns: Integers, *, wires: bool
    ) -> None:
        """Put cells (R, C), S, between lines."""
        geometry = self._geometry[array]
        places = geometry.along(rows), geometry.along(columns)
        ohms = geometry.wire_resistance if wires else 0.0
        self._blocks[array] = WiredBlock.from_lines(
            conductance, *places, ohms, self._wires if wires else None
        )

    def set_noise(self, array: str, cells: HeldCells, *, on: bool) -> None:
        """Give the cells of an array their noise, or none."""
        share = 1.0 if on else 0.0
        self._noises[array] = BlockNoise(share * cells.frozen, share * cells.variance)

    def block(self, array: str, rows: Integers, columns: Integers) -> WiredBlock:
        """Return the block, between its wires."""
        return self._blocks[array]

    def transfer(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Return the transfer conductances (R, C), S."""
        return self._blocks[array].admittance.transfer

    def conductance(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Return the cells' conductances (R, C), S."""
        block = self._blocks[array]
        return block.as_asked(block.conductance)

    def noise(self, array: str, rows: Integers, columns: Integers, window: float, shot: float) -> BlockNoise:
        """Return the noise as it was."""
        return self._noises[array]


class SwitchedCircuits:
    """A bench's circuits and converters, on which exchanges are repeated with any causes on.

    `circuits`, `converters`: the bench's own.
    `zero`: how the bench measures that of INV.
    """

    def __init__(self, circuits: BlockCircuits, converters: ConverterErrors, zero: InverseZero) -> None:
        self._circuits, self._converters, self._zero = circuits, converters, zero
        self._cache: dict[Any, tuple[Mapping[str, Floats], BlockCircuits]] = {}

    def repeat(
        self, exchange: Exchange, targets: Holding, causes: Causes, volts: Floats | None = None
    ) -> Floats:
        """Return what a bench with only `causes` would have answered, as `Exchange.answers`.

        `targets`: of its cells.
        `causes`: those that are on.
        `volts` (samples, R): played in place of the exchange's own.

        Outputs (samples, C), V, in INVERT, with NaN in a row where an output is in its clamp; currents (samples, C), A, in
        MULTIPLY.
        """
        circuits = self._prepared(exchange, targets, causes)
        asked = exchange.volts if volts is None else volts
        lines, inverts = asked.shape[1], exchange.board.mode != "MULT"
        first = (self._zero if inverts else ONE_READING).samples(lines)  # for the offsets
        samples = np.concatenate([first, asked, np.zeros((1, lines))])
        ideal, converters = "converters" not in causes, self._converters
        played = samples if ideal else converters.played(samples, inverts=inverts)
        answers = circuits.answer(played, converters.input_count, converters.period)[:-1]
        if not ideal:
            answers = answers[:, : exchange.converted]
            answers = converters.sampled(answers, deepcopy(exchange.readings), inverts=inverts)
        answers = answers[:, : exchange.answers.shape[1]]
        if not inverts:
            return np.asarray((answers[1:] - answers[0]) / -exchange.board.transimpedance)
        try:
            return self._zero.subtracted(answers)
        except ConvergenceError:  # it rails
            return np.full((len(asked), answers.shape[1]), np.nan)

    def _prepared(self, exchange: Exchange, targets: Holding, causes: Causes) -> BlockCircuits:
        """Return circuits on the exchange's cells, with its noise and its generators."""
        conductances = targets.held(exchange.cells, causes)
        block = exchange.board.block
        assert block is not None  # nothing was played otherwise
        # Noise is set anew each time; a loop without it has the same modes as long as its cells are the same.
        board, others = exchange.board, causes - {"quantisation", "programming", "relaxation"}
        key = (
            block, board.mode, board.diagonal, board.bias, others,
            *(values.tobytes() for values in conductances.values()),
        )  # fmt: skip
        entry = self._cache.pop(key, None)
        if entry is None:
            lines = np.asarray(block[1], np.int64), np.asarray(block[2], np.int64)
            chip = _HeldChip(self._circuits.chip, causes)
            for name, values in conductances.items():
                chip.hold(name, values, *lines, wires="wires" in causes)
            entry = conductances, self._switched(exchange, chip, causes)
        self._cache[key] = entry
        if len(self._cache) > KEPT:
            del self._cache[next(iter(self._cache))]
        circuits = entry[1]
        chip = cast(_HeldChip, circuits.chip)
        for name, cells in exchange.cells.items():
            chip.set_noise(name, cells, on="read noise" in causes)
        if not isinstance(circuits.rng, _Silent):
            circuits.rng.bit_generator.state = exchange.shots.bit_generator.state
        return circuits

    def _switched(self, exchange: Exchange, chip: _HeldChip, causes: Causes) -> BlockCircuits:
        """Return the bench's circuits with the causes that are not among `causes` switched off."""
        own = self._circuits
        noisy = "read noise" in causes
        errors = 1.0 if "resistors" in causes else 0.0
        return replace(
            own, chip=cast(SimulatedChip, chip), board=exchange.board,
            rng=deepcopy(exchange.shots) if noisy else _Silent(np.random.PCG64(0)),
            inverters=_amplifiers(own.inverters, causes), loop=_amplifiers(own.loop, causes),
            transimpedance=_amplifiers(own.transimpedance, causes),
            diagonal_errors=errors * own.diagonal_errors, divider_errors=errors * own.divider_errors,
            bias_errors=errors * own.bias_errors,
            inverse_adc=own.inverse_adc if "converters" in causes else None,
            readout_noise=own.readout_noise if noisy else 0.0, report=_drop,
        )  # fmt: skip


def _drop(sentence: str) -> None:
    """Say nothing of an amplifier that was asked for too much: the bench has said it."""


def _amplifiers(bank: AmplifierBank, causes: Causes) -> AmplifierBank:
    """Return a bank of amplifiers with the causes that are not among `causes` switched off."""
    preset, offsets, errors, apart = bank.preset, bank.offsets, bank.gain_errors, dict(bank.apart)
    if "gain" not in causes:
        preset = replace(IDEAL, noise=preset.noise, bias_current=preset.bias_current, offset=preset.offset)
        preset, apart = replace(preset, gain=1e15), _without(apart, "gain", "swing")
    if "offset" not in causes:
        preset, offsets = replace(preset, bias_current=0.0), np.zeros_like(offsets)
        apart = _without(apart, "bias_current")
    if "read noise" not in causes:
        preset, apart = replace(preset, noise=0.0), _without(apart, "noise")
    if "resistors" not in causes:
        errors = np.zeros_like(errors)
    return AmplifierBank(preset, offsets, errors, apart)


def _without(apart: Mapping[str, Floats], *names: str) -> dict[str, Floats]:
    return {name: values for name, values in apart.items() if name not in names}
