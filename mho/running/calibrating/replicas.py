"""A run repeated on a chip drawn from a preset: by its procedure on a bench without instruments, or pulse by pulse."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration import formed_above
from mho.chip_maps.chip import ChipMap
from mho.instruments import ArrayBench
from mho.instruments.arrays import CellPositions, as_arrays
from mho.instruments.simulated import CellArray, VirtualClock, cell_preset
from mho.procedures.stream import NullStream
from mho.running.calibrating.measured import Columns, MeasuredRun

FORMING, SHORTEST = 4.3, 1e-5  # V, on line and gate, below what destroys a cell; s
HIGH = 0.3  # of the top: a cell that was found above it is left as forming leaves it, one below is RESET


class KeptTables(NullStream):
    """Keeps the rows of one table, and nothing else."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self._table = table
        self._blocks: list[dict[str, NDArray[Any]]] = []
        self.record, self.record_block = self._row, self._block

    def _row(self, table: str, /, **values: Any) -> None:
        if table == self._table:
            self._blocks.append({name: np.array([value]) for name, value in values.items()})

    def _block(self, table: str, columns: Any) -> None:
        if table == self._table:
            lengths = [np.shape(value)[0] for value in columns.values() if np.ndim(value)]
            count = lengths[0] if lengths else 1
            self._blocks.append(
                {name: np.broadcast_to(np.asarray(value), (count,)) for name, value in columns.items()}
            )

    def rows(self) -> dict[str, NDArray[Any]]:
        """Return the rows, by column."""
        if not self._blocks:
            return {}
        return {name: np.concatenate([block[name] for block in self._blocks]) for name in self._blocks[0]}


def repeat(run: MeasuredRun, preset: str, seed: int) -> Columns:
    """Repeat a run on cells of a preset, and return its pulses.

    Parameters
    ----------
    run : MeasuredRun
        One that can be repeated.
    preset : str
        A name, a file, or the text of one.
    seed : int
        Of everything random.
    """
    if run.kind is None:
        return _replayed(run.columns, preset, seed)
    assert run.source is not None  # a procedure has a bench
    assert run.chip is not None
    stream = KeptTables(run.how.table)
    with ArrayBench(as_arrays(run.source, preset), preset, seed) as bench:
        _as_found(bench, run, run.chip, preset)
        procedure = run.kind(**run.values)
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng([seed, 1]))
        procedure.execute(plan, bench, stream)
    rows = stream.rows()
    return run.how.columns(rows) if rows else {name: np.empty(0) for name in run.columns}


def first_reads(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return places (3, cells) and first finite reads (cells,), S, of the cells of a table of pulses."""
    known = np.isfinite(columns["conductance"])
    place = np.stack([columns[name][known] for name in ("array", "row", "column")]).astype(np.int64)
    order = np.argsort(columns["time"][known], kind="stable")
    cells, first = np.unique(place[:, order], axis=1, return_index=True)
    return cells, columns["conductance"][known][order][first]


def _as_found(bench: ArrayBench, run: MeasuredRun, chip: ChipMap, preset: str) -> None:
    """Bring the chip to where the run found it: which cells were formed, and which of them were low."""
    cells = cell_preset(preset)
    places, reads = first_reads(run.columns)
    s = chip.write_verify
    for number in np.unique(places[0]).tolist():
        here = (places[0] == number) & (reads > formed_above(asdict(cells)))
        if not here.any():
            continue
        rows, columns = places[1, here], places[2, here]
        low = np.flatnonzero(reads[here] < HIGH * cells.maximum)
        with bench.visit([CellPositions(chip.arrays[number].name, rows, columns)]) as visit:
            which, ones = np.arange(len(rows)), np.ones(len(rows))
            for volts in s.forming_voltages:
                virgin = np.flatnonzero(visit.read(which)[0] < s.formed_above)
                some = ones[virgin]
                visit.pulse(virgin, some > 0, volts * some, s.forming_width * some, s.forming_gate * some)
            some = ones[low]
            visit.pulse(low, some < 0, s.reset_full * some, s.width * some, s.reset_gate * some)


def _replayed(columns: Columns, preset: str, seed: int) -> Columns:
    """Apply the pulses of a table to simulated cells, in the order and at the distances that they had."""
    order = np.lexsort((columns["time"], columns["column"], columns["row"], columns["array"]))
    kept = {name: values[order] for name, values in columns.items()}
    place = np.stack([kept[name] for name in ("array", "row", "column")])
    first = np.append(True, (np.diff(place, axis=1) != 0).any(axis=0))
    cell = np.cumsum(first) - 1
    begins = np.flatnonzero(first)
    rank = np.arange(len(order)) - begins[cell]
    cells_preset = cell_preset(preset)
    clock = VirtualClock()
    cells = CellArray(int(cell[-1]) + 1, 1, cells_preset, clock, np.random.default_rng(seed))
    finite = np.where(np.isfinite(kept["conductance"]), np.arange(len(order)), len(order) - 1)
    found = kept["conductance"][np.minimum.reduceat(finite, begins)]
    formed = np.flatnonzero(found > formed_above(asdict(cells_preset)))
    if formed.size:
        cells.set_cells((formed, 0), FORMING, 1e-5, FORMING)
    apart = np.concatenate([[0.0], np.diff(kept["time"])])
    read = np.empty(len(order))
    for step in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == step)
        clock.advance(max(float(np.median(apart[rows])) if step else 0.0, SHORTEST))
        kind = kept["kind"][rows]
        for code, act in ((1, cells.set_cells), (2, cells.reset_cells)):
            some = rows[kind == code]
            if some.size:
                act((cell[some], 0), kept["voltage"][some], kept["width"][some], kept["gate"][some])
        read[rows] = cells.read((cell[rows], 0))
    read[~np.isfinite(kept["conductance"])] = np.nan  # what was not read there is not read here
    return {**kept, "conductance": read}
