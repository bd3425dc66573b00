"""The bench without instruments: the chip of a simulated bench, evaluated a whole array at a time.

Procedures use it like any bench: small objects fill the roles and evaluate the chip's physics directly, so that limits,
order, clamps and offsets remain those of `Bench`. `visit` evaluates many cells at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import BenchError
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.cell_connection import conductance
from mho.instruments.bench.cell_record import FORMED, UNKNOWN, after_reads
from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.entries import PulserEntry
from mho.instruments.limits import Limits
from mho.instruments.roles import Cell, CellPositions, Reading

if TYPE_CHECKING:  # for its name only: see `ArrayBench.__init__`
    from mho.instruments.arrays.laboratory import ArrayLaboratory, Visit
    from mho.instruments.simulated import Cells
    from mho.instruments.simulated.physics.cells.cells import CellStates

Result = TypeVar("Result")

# Array, rows (blocks, R), columns (blocks, C), V (blocks, samples, R) and A (blocks, samples, C)
OnBlocks = Callable[[str, NDArray[np.int64], NDArray[np.int64], Floats, Floats], None]


def _unheard(array: str, rows: Any, columns: Any, volts: Floats, currents: Floats) -> None:
    """Tell nobody."""


class ArrayBench(Bench):
    """A `Bench` whose roles are filled by models of the chip instead of instruments.

    Parameters
    ----------
    source : BenchSource
        A bench file whose ``[simulation]`` says ``instruments = false``.
    preset, seed
        As for `open_bench`.
    limits : Limits, optional
        Instead of the file's own.

    Attributes
    ----------
    another_chip : callable
        Seed -> an open bench of the same kind, with another chip.
    on_blocks : callable
        Told of every call of `multiply_blocks`, with its answer, before `on_vectors` is.

    Examples
    --------
    >>> from mho.instruments import ArrayBench
    >>> with mho.open_bench("arrays", seed=1) as bench, bench.another_chip(2) as other:
    ...     isinstance(bench, ArrayBench), isinstance(other, ArrayBench)
    (True, True)
    """

    def __init__(
        self, source: BenchSource, preset: Cells | None = None, seed: int | None = None,
        limits: Limits | None = None,
    ) -> None:  # fmt: skip
        # Imported here: a check for this type of bench need not wait for the physics to load.
        from mho.instruments.arrays.laboratory import ArrayLaboratory
        from mho.instruments.arrays.roles import ArrayDaq, ArrayGate, ArrayMeter, ArrayPulser, ModelBoard

        entries = source.bench.instruments
        if entries.smu is None or entries.gate is None or entries.daq is None:
            raise BenchError(
                f"bench {source.bench.name!r} cannot be evaluated a whole array at a time: that needs cells that are read "
                "and gated, and vectors; name a bench with a board and a DAQ, as 'arrays'"
            )
        self.on_blocks: OnBlocks = _unheard
        self.another_chip = partial(ArrayBench, source, preset)
        self.arrays: ArrayLaboratory = ArrayLaboratory(source, preset=preset, seed=seed)
        arrays = self.arrays
        board = ModelBoard(arrays)
        daq = self.daq = ArrayDaq(arrays, entries.daq)
        edge = PulserEntry.model_fields["edge"].default if entries.pulser is None else entries.pulser.edge
        roles = BenchInstruments(
            smu=ArrayMeter(arrays, board), gate=ArrayGate(arrays, board),
            pulser=ArrayPulser(arrays, board, edge), daq=daq, board=board,
        )  # fmt: skip
        super().__init__(
            source, roles, now=lambda: arrays.clock.now, simulated=arrays, limits=limits,
            every=lambda period, act: lambda: None,  # nothing here can stop answering
        )  # fmt: skip

    def multiply_blocks(
        self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64], volts: Floats
    ) -> Floats:
        """Multiply with many blocks of one shape, as `connect_multiply` and `multiply` do one after the other.

        `rows`, `columns`: (blocks, R), (blocks, C).
        `volts` (blocks, samples, R): V.

        Returns
        -------
        (blocks, samples, C) array
            Currents, A.

        `BenchError` when the converters have too few lines, or the chip not these ones.
        `LimitError` for voltages that are not allowed.
        """
        samples = self.begin_exchange(volts, columns.shape[1])
        answers = self.daq.exchange_blocks(array, rows, columns, samples)
        currents: Floats = (answers[:, 1:] - answers[:, :1]) / -self._tools.board.transimpedance
        self.on_blocks(array, rows, columns, volts, currents)
        self.on_vectors(
            "MULTIPLY", volts.reshape(-1, volts.shape[2]), currents.reshape(-1, currents.shape[2])
        )
        return currents

    def begin_exchange(self, volts: Floats, columns: int) -> Floats:
        """Check `volts` (blocks, samples, R), V, for blocks of so many columns, and take the bench into MULTIPLY.

        Returns what is played: a zero in front of those of each block. Errors as `multiply_blocks`.
        """
        self.checkpoint()
        if volts.shape[2] > self.daq.output_count or columns > self.daq.input_count:
            raise BenchError(
                f"blocks of {volts.shape[2]} rows and {columns} columns do not fit the DAQ's {self.daq.output_count} "
                f"outputs and {self.daq.input_count} inputs; multiply with smaller ones"
            )
        samples = np.zeros((volts.shape[0], volts.shape[1] + 1, volts.shape[2]))
        samples[:, 1:] = volts
        flat = samples.reshape(-1, volts.shape[2])
        self.limits.check_vectors("vector", flat, lambda: self.daq.sample_period)
        self._enter("MULTIPLY")
        self._vectors.forget()
        return samples

    @property
    def transimpedance(self) -> float:
        """Feedback resistance of the amplifiers at the columns, ohm."""
        return float(self._tools.board.transimpedance)

    @property
    def is_recorded(self) -> bool:
        """Whether somebody is told of every call of `multiply_blocks`."""
        return self.on_blocks is not _unheard

    def draw(self, cells: Sequence[CellPositions]) -> None:
        """Draw those of the cells that were never used, in order: many at once cost less than when each is visited."""
        self.arrays.chip.slots_of(cells)

    def cell_states(self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> CellStates:
        """Return what pulses made of the cells (R, C) at the crossings of these lines; no reading, which is noisy."""
        cells, index = self.arrays.chip.at(array, rows, columns)
        return cells.states(index)

    def put_cell_states(
        self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64], states: CellStates
    ) -> None:
        """Put the cells (R, C) at the crossings of these lines into states of others, as if they had had their pulses.

        Or those of many blocks, (blocks, R, C), at lines (blocks, R) and (blocks, C).
        """
        self.damage.acts += 1
        chip, down, across = self.arrays.chip, rows[..., :, None], columns[..., None, :]
        index = chip.slots(array, down, across), 0
        chip.population.put_states(index, states)
        conducting = np.asarray(chip.population.conductance(index)).ravel() >= self.forming.formed_above
        known = np.where(conducting, FORMED, UNKNOWN).astype(np.int8)
        places = [lines.ravel() for lines in np.broadcast_arrays(down, across)]
        self.forming.put([CellPositions(array, *places)], known)

    def visit(self, cells: Sequence[CellPositions], steps: float = 1.0) -> CellVisit:
        """Visit many cells, one after the other in bench time but evaluated at once; a context manager.

        Parameters
        ----------
        cells : sequence of CellPositions
        steps : float
            Expected number of reads of each cell; it sets the age of the later ones.
        """
        self.checkpoint()
        self.check_read()
        if self._mode != "PROGRAM":
            self.prepare()
        return CellVisit(self, cells, steps)


class CellVisit:
    """Reads and pulses many cells; each has its own time, counted from its first read.

    Cells are given by their number among all visited cells.

    `begun` (count,): start of each cell's turn, s on the bench's clock; known once the visit has ended.
    """

    def __init__(self, bench: ArrayBench, cells: Sequence[CellPositions], steps: float) -> None:
        self._bench, self._cells = bench, cells
        self._visit = bench.arrays.visit(cells, steps)
        self._states = bench.forming.states(cells)
        self._first = 0  # number among all cells of the first one here
        self.begun: Floats = np.zeros(len(self._visit.spent))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.begun = self._visit.leave()
        self._bench.forming.put(self._cells, self._states)

    @property
    def formed(self) -> NDArray[np.bool_]:
        """Which of the cells are known to be formed."""
        return np.asarray(self._states == FORMED)

    def run(self, function: Callable[[CellVisit, slice], Result]) -> list[Result]:
        """Return what `function` does with this visit and the numbers of its cells; of many, with each half of them.

        Both halves go on at the same time where there are two cores. Each is a visit whose cells are numbered from 0,
        with a generator of its own, so that the results do not depend on the number of cores.
        """

        def act(visit: Visit, part: slice) -> Result:
            some = copy(self)
            some._visit, some._first = visit, part.start
            some._states = self._states[part]  # a view: the whole visit's
            return function(some, part)

        return self._visit.run(act)

    def read(self, which: Integers, voltage: float | None = None) -> tuple[Floats, Floats]:
        """Return conductances (S) of some of the cells, and the time of each read, s after the start of the cell's turn.

        `InputError`, `LimitError`, `BenchError` as `Bench.read`.
        """
        bench = self._bench
        volts = bench._checks.read_voltage(voltage)
        amperes, limited, times = self.measure(which, volts)
        beyond = np.flatnonzero(limited)
        if beyond.size:
            first = Reading(volts, float(amperes[beyond[0]]), True)
            conductance(self._name(int(which[beyond[0]])), first, volts, bench._meter)
        return amperes / volts, times

    def measure(
        self, which: Integers, voltage: float | None = None, gate: float | None = None
    ) -> tuple[Floats, NDArray[np.bool_], Floats]:
        """Return currents (A) of some of the cells, which were limited, and the time of each read; see `Bench.measure`.

        A limited current is the limit; errors as `Bench.measure`.
        """
        bench = self._bench
        volts = bench._checks.read_voltage(voltage)
        gate = bench.file.read.gate if gate is None else gate
        bench.limits.check_level("word line", gate)
        bench.forming.check("bit line", volts)
        self._checkpoint()
        amperes, times = self._visit.read(which, volts, gate)
        limit = bench._meter.current_limit
        limited = ~(np.abs(amperes) <= limit)
        if gate >= bench.file.read.gate:
            conducting = limited | (amperes / volts >= bench.forming.formed_above)
            self._states[which] = after_reads(self._states[which], conducting)
        return np.where(limited, np.copysign(limit, volts), amperes), limited, times

    def pulse(
        self, which: Integers, sets: NDArray[np.bool_], voltage: Floats, width: Floats, gate: Floats
    ) -> None:
        """Apply one pulse to each of some of the cells: on the bit line where `sets`, else on the source line.

        `LimitError` when one of the pulses is not allowed, or beyond what a formed cell bears on one that is formed, or
        may be; none is applied.
        """
        bench = self._bench
        self._checkpoint()
        edge = bench._tools.pulser.edge
        for line, chosen in (("bit line", sets), ("source line", ~sets)):
            some = np.flatnonzero(chosen)  # numbers are taken several times faster than a mask
            if some.size:
                highest = float(np.abs(voltage[some]).max())
                bench.limits.check_pulse(line, highest, float(width[some].max()), edge)
                if highest > bench.forming.bears[line]:
                    bench.forming.permit(self._states[which[some]], line, voltage[some])
        bench.limits.check_level("word line", float(np.abs(gate).max(initial=0.0)))
        bench.damage.acts += 1
        states = self._states[which]
        self._states[which] = np.where(states == FORMED, states, UNKNOWN)
        self._visit.pulse(which, sets, voltage, width, gate)

    def wait(self, which: Integers, seconds: float) -> None:
        """Let `seconds` pass at each of some of the cells."""
        self._checkpoint()
        self._visit.wait(which, seconds)

    def _checkpoint(self) -> None:
        if not self._first:  # whoever pauses or ends a run expects to be called in its thread
            self._bench.checkpoint()

    def _name(self, number: int) -> Cell:
        number += self._first
        for array, rows, columns in self._cells:
            if number < len(rows):
                return Cell(array, int(rows[number]), int(columns[number]))
            number -= len(rows)
        raise IndexError(number)
