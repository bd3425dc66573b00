"""The chip without instruments: the physics of the virtual bench, evaluated for many cells or vectors at once.

Cells, noise, wires, circuits and the converters' errors are those of the virtual bench (`laboratory`). Messages,
switches, generators and meters are not simulated. There is one clock and one seed.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from copy import copy
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.laboratory.block_circuits import BlockCircuits, ConnectedBlock
from mho.instruments.laboratory.chip_basis import ChipBasis, read_geometry
from mho.instruments.laboratory.monitor import AMPLIFIER_LIMIT, Incident, over_voltages
from mho.instruments.roles import CellPositions
from mho.instruments.simulated.analogue import SpecimenConverter
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.ranges import MEASURE, OVERRANGE
from mho.instruments.simulated.physics.blocks import as_slice
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.conduction import conductance_at
from mho.instruments.simulated.physics.cells.presets import Cells
from mho.instruments.simulated.physics.cells.switching import HeldLevel
from mho.instruments.simulated.physics.chip import SparseChip


class Halves:
    """Runs a function on both halves of a batch; numpy's operations on large arrays do not wait for each other.

    The result does not depend on the number of cores, nor on which half is done first.

    `rng`: whose children the halves draw from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rngs = rng.spawn(2)

    @cached_property
    def _other(self) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(1, thread_name_prefix="half of a batch")

    def run(
        self, function: Callable[[slice, np.random.Generator], Result], count: int, *, apart: bool
    ) -> tuple[Result, Result]:
        """Return what `function` does with each half of `count` items and its generator.

        `apart` says that neither half changes what the other one uses: only then are they done at the same time.
        """
        (first, mine), (second, its) = zip(
            (slice(0, count // 2), slice(count // 2, count)), self._rngs, strict=True
        )
        if not apart or _cores() < 2:
            return function(first, mine), function(second, its)
        other = self._other.submit(function, second, its)
        try:
            own = function(first, mine)
        finally:
            result = other.result()
        return own, result


def _cores() -> int:
    """Return the number of cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


log = logging.getLogger(__name__)


Result = TypeVar("Result")

LINE_FREQUENCY = 60.0  # Hz, of the meter's power line cycles
FEW = 3  # number of cells up to which evaluation one by one is faster
SETTLING = 1e-3  # s, wait of a 2450 at a new level before it measures
SWITCHING = 4e-6  # s, a path opened and another closed, before each pulse and each read
READ_OVERHEAD = 3e-4  # s, duration of a reading in addition to its aperture
LEAKAGE = 1e-12  # S, an open path
LARGE = 1 << 15  # cells, from which a visit is evaluated in halves
METER_ACCURACY, METER_NOISE = 0.2, 2e-6  # of a 2450's specification and range, as its twin has them


class ArrayLaboratory(ChipBasis):
    """One chip and its board's circuits, without instruments.

    `source`: the bench file.
    `preset`, `seed`: as for `Laboratory`.
    """

    def __init__(self, source: BenchSource, *, preset: Cells | None = None, seed: int | None = None) -> None:
        super().__init__(source, preset, seed, 4)
        simulation, read = self._simulation, source.bench.read
        chip_rng, board_rng, meter_rng, self.converter_rng = self._rngs
        self.chip = SparseChip(read_geometry(source.chip_text), self._cells, self.clock, chip_rng)
        self._wire(self.chip)
        self.halves = Halves(chip_rng)  # evaluates visits of many cells
        # The circuit that the board has closed around the chip
        self.connected = ConnectedBlock(slice_ratio=simulation.slice_ratio)
        # Number of outputs, and of inputs, of the board's own converters
        self.board_channels = simulation.converters
        limited, clock = [], self.clock

        # Holds no laboratory, so that its chip is freed with the bench.
        def report(sentence: str) -> None:
            log.warning(sentence)
            limited.append(Incident(clock.now, AMPLIFIER_LIMIT, sentence))

        self._limited: list[Incident] = limited
        # The board's amplifiers and the chip between them
        self.circuits = BlockCircuits.drawn(
            self.chip, self.connected, simulation, board_rng, read.gate, report,
            (self.elements, self._element_rng),
        )  # fmt: skip
        self._readout_noise, self._readout_rng = simulation.readout_noise, board_rng.spawn(1)[0]
        self._meter = SpecimenConverter(
            meter_rng, MEASURE["CURR"], METER_ACCURACY, noise=METER_NOISE, overrange=OVERRANGE
        )
        self.set_meter(read.current_range, read.nplc)

    def set_meter(self, current_range: float, nplc: float) -> None:
        """Set range (A) and integration time (power line cycles) of the meter."""
        self._nplc, self._range = nplc, self._meter.range_for(current_range)
        self.aperture = nplc / LINE_FREQUENCY

    def current(
        self, cell: tuple[str, int, int], volts: float, gate: float, limit: float = math.inf
    ) -> float:
        """Return the meter's reading (A) with `volts` on the bit line of one cell and `gate` (V) on its word line.

        Above the preset's `disturb_voltage` the read acts on the cell as a level as long as the aperture, of a source that
        gives `limit` (A) at most; the reading itself is not limited.
        """
        array, row, column = cell
        wires, index = self.chip.geometry[array].series_resistance(row, column), self.chip.one(*cell)
        preset, cells = self.chip.preset, self.chip.population
        if gate > preset.gate_threshold and abs(volts) > preset.disturb_voltage:
            act = cells.set if volts > 0 else cells.reset
            act(index, abs(volts), self.aperture, gate, current=limit, level=HeldLevel())
        return float(self._read(cells, index, wires, volts, gate))

    def currents(
        self, cells: CellArray, index: Any, wires: Any, volts: float, gate: float,
        rng: np.random.Generator | None = None,
    ) -> Floats:  # fmt: skip
        """Return the readings (A) of the cells at `index`, each through its `wires` (ohm); `rng` as for `measured`."""
        preset = self.chip.preset
        if gate > preset.gate_threshold and abs(volts) > preset.disturb_voltage:
            act = cells.set_cells if volts > 0 else cells.reset_cells
            act(index, abs(volts), self.aperture, gate)
        return self._read(cells, index, wires, volts, gate, rng)

    def _read(
        self, cells: CellArray, index: Any, wires: Any, volts: float, gate: float,
        rng: np.random.Generator | None = None,
    ) -> Floats:  # fmt: skip
        if gate <= self.chip.preset.gate_threshold:
            return self.measured(np.full(np.shape(wires), volts * LEAKAGE), rng)
        g = cells.read(index, self.aperture, volts)
        g = conductance_at(self.chip.preset, g, wires, volts, gate)
        return self.measured(volts * g / (1.0 + g * wires), rng)

    def measured(self, amperes: Floats, rng: np.random.Generator | None = None) -> Floats:
        """Return the meter's readings of currents (A); infinite beyond its range.

        Its noise is drawn from `rng` in place of the meter's own generator where that is given.
        """
        if self._readout_noise:
            draws = (rng or self._readout_rng).standard_normal(np.shape(amperes))
            amperes = amperes + self._readout_noise * draws
        reading = self._meter.convert(amperes, self._range, self._nplc, rng)
        return np.where(np.abs(reading) <= 1.01 * OVERRANGE * self._range, reading, np.inf)

    @property
    def incidents(self) -> list[Incident]:
        """Incidents that a bench without wires can have: destroyed cells, and amplifiers asked for more than they have."""
        return sorted([*self._limited, *over_voltages(self.chip)], key=lambda one: one.time)

    def live(self) -> tuple[str, ...]:
        """Return no role: a bench without instruments has no outputs."""
        return ()

    def visit(self, cells: Sequence[CellPositions], steps: float = 1.0) -> Visit:
        """Visit cells one after the other, each for about `steps` reads."""
        return Visit(self, cells, steps)


class Visit:
    """Many cells, visited one after the other and evaluated at once: each has its own time from its own first read.

    On a bench, a cell is read and pulsed as often as needed before the next one is connected. Here all cells are evaluated
    together, each at the same time after its own start. `leave` then places the visits one after the other on the chip's
    clock, so that later relaxation starts from the correct age.
    """

    def __init__(self, lab: ArrayLaboratory, cells: Sequence[CellPositions], steps: float) -> None:
        self._lab, self._clock, self._cells = lab, lab.clock, lab.chip.population
        self._slots = np.concatenate(lab.chip.slots_of(cells))
        self._wires = np.concatenate(
            [lab.chip.geometry[name].series_resistance(r, c) for name, r, c in cells]
        )
        self._each: float = SWITCHING + SETTLING + lab.aperture + READ_OVERHEAD
        self._begun = self._clock.now
        self._rng: np.random.Generator | None = None  # of the meter's noise, in place of its own
        self.spent = np.zeros(len(self._slots))  # (count,): seconds at each cell so far
        # Each cell has aged when its turn comes: until then its history is shifted back by that time.
        self._expected = steps * self._each * np.arange(len(self._slots))
        self._move(-self._expected, 0.0)

    def run(self, function: Callable[[Visit, slice], Result]) -> list[Result]:
        """Return what `function` does with the visit and the numbers of its cells; of many, with each half of them.

        A half is a visit with numbers, clock and generator of its own: both go on at the same time. What has been done
        to its cells is kept whether or not `function` fails.
        """
        count = len(self._slots)
        if count < LARGE or not _different(self._slots):
            return [function(self, slice(0, count))]
        halves: list[tuple[Any, Visit]] = []

        def act(part: slice, rng: np.random.Generator) -> Result:
            rows = as_slice(self._slots[part])
            half = self._half(part, rows, rng)
            halves.append((rows, half))
            return function(half, part)

        try:
            return list(self._lab.halves.run(act, count, apart=True))
        finally:
            for rows, half in halves:
                self._cells.put(rows, half._cells)

    def _half(self, part: slice, rows: Any, rng: np.random.Generator) -> Visit:
        half = copy(self)
        half._clock, half._rng = VirtualClock(), rng
        half._clock.advance(self._clock.now)
        half._cells = self._cells.taken(rows, half._clock, rng, min(SETTLING, READ_OVERHEAD))
        half._slots, half._wires = np.arange(part.stop - part.start), self._wires[part]
        half.spent = self.spent[part]  # a view: the whole visit's
        return half

    def read(self, which: Integers, volts: float, gate: float) -> tuple[Floats, Floats]:
        """Read some of the cells, by number; return the measured currents (A) and each cell's own time (s)."""
        lab = self._lab
        self._clock.advance(SWITCHING + SETTLING)
        slots, wires = self._slots[which], self._wires[which]
        if len(slots) <= FEW:
            each = zip(slots.tolist(), wires.tolist(), strict=True)
            amperes = np.array(
                [lab.currents(self._cells, (slot, 0), ohms, volts, gate, self._rng) for slot, ohms in each]
            )
        else:
            amperes = lab.currents(self._cells, (slots, 0), wires, volts, gate, self._rng)
        self._clock.advance(lab.aperture + READ_OVERHEAD)
        spent = self.spent[which] = self.spent[which] + self._each
        return amperes, spent

    def pulse(
        self, which: Integers, sets: NDArray[np.bool_], voltage: Floats, width: Floats, gate: Floats
    ) -> None:
        """Apply one pulse to each of some of the cells: SET (or forming) where `sets`, else RESET."""
        self._clock.advance(SWITCHING)
        self.spent[which] += SWITCHING
        if len(which) <= FEW:
            kinds, slots = sets.tolist(), self._slots[which].tolist()
            for kind, slot, *pulse in zip(
                kinds, slots, voltage.tolist(), width.tolist(), gate.tolist(), strict=True
            ):
                (self._cells.set if kind else self._cells.reset)((slot, 0), *pulse)
            return
        for act, chosen in ((self._cells.set_cells, sets), (self._cells.reset_cells, ~sets)):
            some = np.flatnonzero(chosen)  # numbers are taken several times faster than a mask
            if some.size:
                act((self._slots[which[some]], 0), voltage[some], width[some], gate[some])

    def wait(self, which: Integers, seconds: float) -> None:
        """Let `seconds` pass at each of some of the cells."""
        self._clock.advance(seconds)
        self.spent[which] += seconds

    def leave(self) -> Floats:
        """Place the visits one after the other on the clock; return the start of each, s."""
        starts = np.cumsum(self.spent) - self.spent
        self._move(self._expected, starts)
        self._clock.advance(max(self._begun + float(self.spent.sum()) - self._clock.now, 0.0))
        return self._begun + starts

    def _move(self, early: Any, late: Any) -> None:
        self._cells.postpone((self._slots, 0), self._begun, early, late)


def _different(slots: NDArray[np.int32]) -> bool:
    """Return whether none of the rows is there twice."""
    first = slots.min()
    there = np.zeros(slots.max() - first + 1, bool)
    there[slots - first] = True
    return bool(np.count_nonzero(there) == len(slots))
