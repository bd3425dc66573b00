"""When cells were pulsed, and what they read before the next pulse: from the runs before the one that watches them.

Write-verify reads cells again after a while and programs those anew that have left their window. So cells that a later run
finds are those that relaxed little. Nothing is chosen where their reads since the last pulse count, and those of the cells
that were programmed anew: which cells these are then follows from reads that count, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.calibration.pulse_records import pulses_of
from mho.runs import RunFile

Cell = tuple[int, int]

MOVED, PULSES = 0.02, 3  # of the conductance; a cell that its last pulses moved by less may be stuck


@dataclass(frozen=True)
class Undisturbed:
    """Reads of cells between two pulses, or after the last one: the first and the last."""

    cell: NDArray[np.int64]  # row and column
    begun: Floats  # time of the pulse, s: the middle between the reads before and after it
    times: Floats  # (2, stretches): s; both reads are one where there is no other
    conductance: Floats  # (2, stretches): S
    last: NDArray[np.bool_]  # no pulse came after
    still: frozenset[Cell]  # (row, column): cells that their last pulses did not move, as stuck ones

    def anew(self) -> tuple[Floats, Floats]:
        """Return ages (s) and conductances (2, stretches) of what was read again and then pulsed."""
        moving = np.array([tuple(cell) not in self.still for cell in self.cell.tolist()], bool)
        some = ~self.last & (self.times[1] > self.times[0]) & moving
        return self.times[:, some] - self.begun[some], self.conductance[:, some]

    def of(self, cells: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return times and conductances (2, cells) after the last pulse; NaN where there is none, or no second read."""
        times, reads = np.full((2, 2, len(cells)), np.nan)
        place = {cell: number for number, cell in enumerate(map(tuple, cells.tolist()))}
        for number in np.flatnonzero(self.last):
            cell = place.get(tuple(self.cell[number].tolist()))
            if cell is not None:
                times[:, cell], reads[:, cell] = self.times[:, number], self.conductance[:, number]
        alone = times[1] == times[0]
        times[1, alone] = reads[1, alone] = np.nan
        return times, reads


def undisturbed(columns: Mapping[str, NDArray[np.float64]]) -> Undisturbed:
    """Return the stretches without a pulse in a table of pulses, each row of which has a read after it."""
    order = np.lexsort((columns["time"], columns["column"], columns["row"]))
    row, column, time, kind, reads = (
        columns[name][order] for name in ("row", "column", "time", "kind", "conductance")
    )
    other = np.append(True, (np.diff(row) != 0.0) | (np.diff(column) != 0.0))
    starts = np.flatnonzero(other | (kind > 0))
    ends = np.append(starts[1:], len(order)) - 1
    last = np.append(other[starts[1:]], True)
    pulsed = kind[starts] > 0
    starts, ends, last = starts[pulsed], ends[pulsed], last[pulsed]
    before = np.where(other[starts], starts, starts - 1)
    both = np.stack([starts, ends])
    cell = np.stack([row[starts], column[starts]], axis=1).astype(np.int64)
    with np.errstate(invalid="ignore"):
        steady = (np.abs(reads[starts] - reads[before]) < MOVED * reads[before]) & (before < starts)
    still = last & steady
    for earlier in range(1, PULSES):  # of the same cell: else this was its first pulse
        same = np.zeros(len(cell), bool)
        same[earlier:] = (cell[earlier:] == cell[:-earlier]).all(axis=1)
        still &= ~same | np.append(np.zeros(earlier, bool), steady[:-earlier])[: len(cell)]
    return Undisturbed(
        cell, 0.5 * (time[before] + time[starts]), time[both], reads[both], last,
        frozenset((row, column) for row, column in cell[still].tolist()),
    )  # fmt: skip


@dataclass(frozen=True)
class Before:
    """What the runs before one tell of the cells that it finds."""

    # When each cell (row, column) had its last pulse, s on the clock of the run
    written: Mapping[Cell, float]
    # The reads of the last run that pulsed cells; None where cells were watched in between, or there is none
    pulsed: Undisturbed | None
    still: frozenset[Cell]  # (row, column): those of the last run with pulses


class EarlierRuns:
    """Runs, each of which may have gone on from another; the clock of their chip is one."""

    def __init__(self, paths: Sequence[str | os.PathLike[str]], watching: Sequence[str]) -> None:
        self._after: dict[Path, Path | None] = {}
        self._pulses: dict[Path, Undisturbed] = {}
        self._watched: set[Path] = set()
        for path in paths:
            with RunFile(path) as run:
                place = Path(path).resolve()
                self._after[place] = _after(run)
                if run.procedure in watching:
                    self._watched.add(place)
                elif (pulses := pulses_of(run)) is not None and (pulses["kind"] > 0).any():
                    self._pulses[place] = undisturbed(pulses)

    def before(self, run: RunFile) -> Before:
        """Return what the runs before `run` tell, as far back as there are files of them."""
        written: dict[Cell, float] = {}
        pulsed, watched, still = None, False, None
        earlier = _after(run)
        for _ in range(len(self._after)):
            if earlier is None or earlier not in self._after:
                break
            record = self._pulses.get(earlier)
            if record is not None:
                pulsed, watched = pulsed if watched else record, True  # what was before is of other states
                still = record.still if still is None else still
                rows = zip(
                    *(record.cell[record.last].T.tolist()), record.begun[record.last].tolist(), strict=True
                )
                written = {**{(row, column): time for row, column, time in rows}, **written}
            watched |= earlier in self._watched
            earlier = self._after[earlier]
        return Before(written, pulsed, still or frozenset())


def _after(run: RunFile) -> Path | None:
    """Return the run whose chip this one went on with."""
    after = run.provenance.get("after", "")
    return Path(run.provenance.get("folder", ""), after).resolve() if after else None
