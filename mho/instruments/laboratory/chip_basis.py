"""What benches without hardware have in common, with twins or without: clock, seed, cells, and the chip map's geometry."""

from __future__ import annotations

from typing import cast

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.presets import Cells, cell_preset
from mho.instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip
from mho.instruments.simulated.physics.circuits.amplifiers import AmplifierPreset
from mho.instruments.simulated.physics.circuits.circuit_files import circuit_elements
from mho.instruments.simulated.physics.circuits.loop_network import StepResponse
from mho.instruments.simulated.physics.circuits.own_elements import CircuitElements

OF_ELEMENTS = 1 << 20  # key of the generator of own elements: beyond those of the others


class ChipBasis:
    """What benches without hardware have in common: the clock, the seed, cells of a preset, and the board's circuits.

    `source`, `preset`, `seed`: as for `Laboratory`.
    `count`: of independent generators.

    `elements`: of a user's own in the circuits; None where all are the bench's.
    """

    circuits: BlockCircuits

    def __init__(self, source: BenchSource, preset: Cells | None, seed: int | None, count: int) -> None:
        simulation = source.bench.simulation
        if simulation is None:
            raise BenchError(
                f"bench {source.bench.name!r} has no [simulation] section: it stands for real instruments"
            )
        self.clock = VirtualClock()
        sequence = np.random.SeedSequence(simulation.seed if seed is None else seed)
        self.seed = int(cast(int, sequence.entropy))
        self._simulation, self._rngs = simulation, [np.random.default_rng(s) for s in sequence.spawn(count)]
        own = source.own_circuit
        self.elements: CircuitElements | None = None if own is None else circuit_elements(own)
        # Of its own, so that own elements change nothing else that is drawn
        self._element_rng = np.random.default_rng(
            np.random.SeedSequence(sequence.entropy, spawn_key=(OF_ELEMENTS,))
        )
        self._cells = cell_preset(
            source.kind_of_cells if preset is None else preset, simulation.stuck, simulation.nonlinearity
        )

    def _wire(self, chip: SimulatedChip) -> None:
        """Give the chip wires of a user's own, if there are any."""
        if self.elements is not None:
            chip.wires = self.elements.wire_model()

    @property
    def amplifier(self) -> AmplifierPreset:
        """The type of the INV loop's amplifiers, and the capacitances around them."""
        return self.circuits.loop.preset

    def step_response(self, volts: Floats, duration: float | None = None, points: int = 2000) -> StepResponse:
        """Return the waveforms of the connected INV loop after a step to `volts`, as `BlockCircuits.step_response`."""
        return self.circuits.step_response(volts, duration, points)


def read_geometry(chip_text: str) -> tuple[ArrayGeometry, ...]:
    """Read the geometry of the chip from a chip map: array names, sizes and wires; raises `BenchError`."""
    arrays = read_chip_text(chip_text).arrays
    return tuple(ArrayGeometry(a.name, a.rows, a.columns, a.wire_resistance, a.segment) for a in arrays)
