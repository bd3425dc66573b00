"""What an interrupted run did to its cells, from its table of pulses, so that another one goes on with them.

Which cells are done is read off the last verify read of each; the cells that were not reached, and the one that the
interruption met, are left to do. Every read and pulse that the file holds is taken over into the new one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures.attempt_clock import CLOCK_ZERO
from mho.procedures.cells.programming.record.sent_pulses import not_confirmed
from mho.procedures.cells.programming.strategy import SET, Outcome
from mho.procedures.chip_in_use import check_same_chip, formed_cells_of
from mho.procedures.stream import Stream
from mho.runs import RunFile

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]
Rows = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class CellsSoFar:
    """The cells of a block as a table of pulses leaves them, (rows, columns) each.

    Attributes
    ----------
    first, last : array of float
        First and last verify read, S; NaN where there was none, or it was cut short.
    pulses : array of int
        Pulses per cell.
    outcome : array of int
        `Outcome` of each cell: in its window, given up, or left it; also where nothing was done, see `untouched`.
    unfinished : array of bool
        Cells that are outside their window and not given up: not reached, or met by the interruption.
    """

    first: Floats
    last: Floats
    pulses: Digits
    outcome: Digits
    unfinished: NDArray[np.bool_]

    @property
    def untouched(self) -> NDArray[np.bool_]:
        """Cells of which there is no row."""
        return np.asarray(np.isnan(self.first) & (self.pulses == 0))


def cells_so_far(
    rows: Rows,
    where: Digits,
    digits: Digits,
    levels: Levels,
    settings: WriteVerifySettings,
    formed: NDArray[np.bool_] | None = None,
) -> CellsSoFar:
    """Follow the cells of a block through a table of pulses.

    Parameters
    ----------
    rows : mapping
        ``kind`` and ``conductance`` of each row, those of one cell in the order in which they were made.
    where : (n,) array of int
        Each row's cell, as flat index in the block.
    digits : (rows, columns) array
        Wanted of the cells.
    formed : (rows, columns) array of bool, optional
        Which of them were formed before.
    """
    count, wanted = digits.size, digits.ravel()
    kind, read = rows["kind"].astype(np.int64), rows["conductance"]
    first, last = np.full(count, np.nan), np.full(count, np.nan)
    first[where[::-1]], last[where] = (
        read[::-1],
        read,
    )  # of several rows of a cell the last one assigned stays
    pulses = np.bincount(where[kind > 0], minlength=count)
    verified = np.full(count, -1)
    inside = levels.inside(read, wanted[where])
    verified[where[inside]] = np.flatnonzero(inside)
    since = (kind > 0) & (np.arange(len(where)) > verified[where])
    taken = np.bincount(where[since], minlength=count)
    in_a_row, raised = _last_kind(where[since], kind[since], count)
    s, outside = settings, ~levels.inside(last, wanted)
    conducted = np.bincount(where[read >= s.formed_above], minlength=count) > 0
    unformed = ~conducted if formed is None else ~(conducted | formed.ravel())
    silent = unformed & (last < s.formed_above) & (taken >= len(s.forming_voltages))
    outcome = np.select(
        [silent, in_a_row >= s.futile, taken >= s.max_pulses],
        [Outcome.UNFORMED, np.where(raised, Outcome.STUCK_LOW, Outcome.STUCK_HIGH), Outcome.OUT_OF_PULSES],
        Outcome.IN_WINDOW,
    )
    known = outside & np.isfinite(last)
    outcome = np.where(known, outcome, Outcome.IN_WINDOW)
    unfinished = outside & (outcome == Outcome.IN_WINDOW)
    shape = digits.shape
    return CellsSoFar(
        first.reshape(shape),
        last.reshape(shape),
        pulses.reshape(shape),
        outcome.reshape(shape),
        np.asarray(unfinished).reshape(shape),
    )


def _last_kind(where: Digits, kind: Digits, count: int) -> tuple[Digits, NDArray[np.bool_]]:
    """Return how many pulses of one kind each cell had in a row at the end, and whether they were SETs."""
    in_a_row, raised = np.zeros(count, np.int64), np.zeros(count, bool)
    order = np.argsort(where, kind="stable")
    where, kind = where[order], kind[order]
    begins = np.flatnonzero(np.diff(where, prepend=-1) | np.diff(kind, prepend=-1))
    in_a_row[where[begins]] = np.diff(begins, append=len(where))  # the last stretch of a cell stays
    raised[where] = kind == SET
    return in_a_row, raised


@dataclass(frozen=True)
class EarlierPulses:
    """What the run file of an interrupted attempt holds.

    Attributes
    ----------
    rows : dict
        Its table of pulses, by column.
    cells : CellsSoFar
    in_doubt : int
        Pulses among them that were sent and not confirmed.
    elapsed : float
        Present time on its clock, s, from the computer's clock as its process has ended; never before the last row.
    """

    rows: dict[str, NDArray[Any]]
    cells: CellsSoFar
    elapsed: float
    in_doubt: int = 0

    @property
    def reads(self) -> int:
        """Number of reads."""
        return int(np.isfinite(self.rows["conductance"]).sum())

    @property
    def joined(self) -> str:
        """What is taken over, in words."""
        done = int((~self.cells.unfinished).sum())
        pulses = int(self.cells.pulses.sum())
        doubt = f", {self.in_doubt} of them sent and not confirmed," if self.in_doubt else ""
        return (
            f"{done} of {self.cells.unfinished.size} cells with {pulses} pulses{doubt} and {self.reads} reads"
        )


def earlier_pulses(
    path: Path,
    chip: ChipMap,
    placement: Placement,
    digits: Digits,
    levels: Levels,
    settings: WriteVerifySettings,
) -> EarlierPulses:
    """Read what an interrupted run at the same cells did, from its file at `path`.

    Raises
    ------
    RunFileError
        When it cannot be read.
    InputError
        When it was made on another chip, at other cells, or with other digits.
    """
    with RunFile(path) as run:
        check_same_chip(run, chip)
        _check_same_cells(run, placement, digits)
        rows = run.table("pulses")
        lost = not_confirmed(run, rows)
        rows = {name: np.concatenate([values, lost[name]]) for name, values in rows.items()}
        zero = float(run.array(CLOCK_ZERO)[0]) if CLOCK_ZERO in run.arrays else np.nan
        known = {one.array: one.mask for one in formed_cells_of(run)}.get(placement.array)
    formed = None if known is None else known[np.ix_(placement.rows, placement.columns)]
    last = float(rows["time"].max()) if len(rows["time"]) else 0.0
    row, column = (
        np.searchsorted(lines, rows[name])
        for name, lines in (("row", placement.rows), ("column", placement.columns))
    )
    cells = cells_so_far(rows, row * digits.shape[1] + column, digits, levels, settings, formed)
    return EarlierPulses(rows, cells, float(np.fmax(time.time() - zero, last)), len(lost["time"]))


def takes_up(stream: Stream) -> bool:
    """Return whether the cells are those of the earlier attempt, as it left them; say so where they are not."""
    if not stream.chip_kept:
        stream.say(
            f"the cells are not those that {stream.earlier} programmed, but of a fresh simulated chip: all is done anew; "
            "`mho resume` goes on with its chip",
            "WARNING",
        )
    return stream.chip_kept


def _check_same_cells(run: RunFile, placement: Placement, digits: Digits) -> None:
    image = f"{placement.array}_target"
    if image not in run.maps or "digits" not in run.arrays or "pulses" not in run.tables:
        raise InputError(
            f"{run.path} ({run.procedure}) cannot be taken up: it holds no programming of array {placement.array!r}; "
            "name a run of the same procedure at the same cells, or begin anew"
        )
    rows, columns = run.map_axes(image)
    if not (np.array_equal(rows, placement.rows) and np.array_equal(columns, placement.columns)):
        raise InputError(
            f"{run.path} cannot be taken up: it is at {run.cells}, and this run elsewhere; take the same, or begin anew"
        )
    if not np.array_equal(run.array("digits"), digits):
        raise InputError(
            f"{run.path} cannot be taken up: its digits are others; take the same, or begin anew"
        )
