"""The blocks of cells to program, and how a run file holds them: the table of pulses and the maps.

Another run goes on with an interrupted one from its table of pulses: which cells are done is read off the last verify read
of each, and every read and pulse is taken over. A row is written after its verify read; what is killed before has sent a
pulse, or has not. So the pulses of a cell, or of a group, stand in an array of their own, numbered, before they are sent;
those whose number the table has not reached are taken over as sent and not confirmed.

The clock of a run that may be taken up: by the Unix time of its zero a later attempt counts on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures.cells.programming.strategy import SET, Outcome, Pulses, Strategy, batch_of
from mho.procedures.chip_in_use import check_same_chip, formed_cells_of
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Map, Table

if TYPE_CHECKING:  # HDF5 loads slowly, and most runs read no other run's file
    from mho.runs import RunFile

CLOCK_ZERO = "clock_zero"
"""Array with the Unix time (s) of the zero of the run's clock; NaN on a simulated bench."""


def clock_zero() -> Array:
    """Return its declaration."""
    return Array(
        CLOCK_ZERO, np.array([np.nan]), "s", "Unix time of the run's clock at 0; NaN on a simulated bench"
    )


SENT = "pulses_sent"
COLUMNS = ("number", "time", "array", "row", "column", "kind", "voltage", "width", "gate")


def most_at_once(settings: WriteVerifySettings, strategy: type[Strategy], placement: Placement) -> int:
    """Return how many pulses are sent at most before the next verify read, or the next products of a descent."""
    rows, columns = len(placement.rows), len(placement.columns)
    verified = 1 if settings.verify == "cell" else max(rows, columns)
    return max(verified, batch_of(rows * columns)) if strategy.descends else verified


def sent_pulses(most: int) -> Array:
    """Return the declaration of the array, for `most` pulses between two verify reads."""
    return Array(
        SENT,
        np.zeros((most, len(COLUMNS))),
        description=f"pulses that were sent last, written before: {', '.join(COLUMNS)} as in the table; 0 is none",
    )


class SentPulses:
    """Writes pulses to the run file before they are sent.

    `most`: as the array was declared for; `number`: pulses that the table holds so far.
    """

    def __init__(self, stream: Stream, most: int, number: int) -> None:
        self._stream, self._most, self._number = stream, most, number

    def announce(self, time: float, array: int, rows: Integers, columns: Integers, pulses: Pulses) -> None:
        """Write pulses that are sent next, from `time` (s) on, to these cells, and flush them to the disk."""
        count = len(rows)
        announced = np.zeros((self._most, len(COLUMNS)))
        number = self._number + 1 + np.arange(count)
        values = (number, time, array, rows, columns, *pulses)
        for place, column in enumerate(values):
            announced[:count, place] = column
        self._number += count
        self._stream.set_array(SENT, announced)
        self._stream.flush()


def not_confirmed(run: RunFile, rows: Rows) -> dict[str, NDArray[Any]]:
    """Return the pulses that a run announced and that are not among its rows, as rows without a verify read."""
    nothing: dict[str, NDArray[Any]] = {name: values[:0] for name, values in rows.items()}
    if SENT not in run.arrays:
        return nothing
    announced = run.array(SENT)
    lost = announced[announced[:, 0] > np.count_nonzero(rows["kind"])]
    sent = dict(zip(COLUMNS[1:], lost[:, 1:].T, strict=True)) | {"conductance": np.full(len(lost), np.nan)}
    return {name: sent[name].astype(values.dtype) for name, values in rows.items()}


Rows = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class CellsSoFar:
    """The cells of a block as a table of pulses leaves them, (rows, columns) each."""

    # first, last: first and last verify read, S; NaN where there was none, or it was cut short
    first: Floats
    last: Floats
    pulses: Integers  # pulses per cell
    # `Outcome` of each cell: in its window, given up, or left it; also of `untouched` ones
    outcome: Integers
    # Cells that are outside their window and not given up: not reached, or met by the interruption
    unfinished: Booleans

    @property
    def untouched(self) -> Booleans:
        """Cells of which there is no row."""
        return np.asarray(np.isnan(self.first) & (self.pulses == 0))


def cells_so_far(
    rows: Rows, where: Integers, digits: Integers, levels: Levels, settings: WriteVerifySettings,
    formed: Booleans | None = None,
) -> CellsSoFar:  # fmt: skip
    """Follow the cells of a block through a table of pulses.

    `rows`: ``kind`` and ``conductance`` of each row, those of one cell in the order in which they were made; `where`
    (n,): each row's cell, as flat index in the block; `digits` (rows, columns): wanted of the cells; `formed` (rows,
    columns), optional: which of them were formed before.
    """
    count, aims = digits.size, digits.ravel()
    kind, read = rows["kind"].astype(np.int64), rows["conductance"]
    first, last = np.full(count, np.nan), np.full(count, np.nan)
    first[where[::-1]], last[where] = (
        read[::-1],
        read,
    )  # of several rows of a cell the last one assigned stays
    pulses = np.bincount(where[kind > 0], minlength=count)
    verified = np.full(count, -1)
    inside = levels.inside(read, aims[where])
    verified[where[inside]] = np.flatnonzero(inside)
    since = (kind > 0) & (np.arange(len(where)) > verified[where])
    taken = np.bincount(where[since], minlength=count)
    in_a_row, raised = _last_kind(where[since], kind[since], count)
    s, outside = settings, ~levels.inside(last, aims)
    conducted = np.bincount(where[read >= s.formed_above], minlength=count) > 0
    unformed = ~conducted if formed is None else ~(conducted | formed.ravel())
    silent = unformed & (last < s.formed_above) & (taken >= len(s.forming_voltages))
    outcome = np.select(
        [silent, in_a_row >= s.futile, taken >= s.max_pulses],
        [Outcome.UNFORMED, np.where(raised, Outcome.STUCK_LOW, Outcome.STUCK_HIGH), Outcome.OUT_OF_PULSES],
        Outcome.IN_WINDOW,
    )
    outcome = np.where(outside & np.isfinite(last), outcome, Outcome.IN_WINDOW)
    unfinished = outside & (outcome == Outcome.IN_WINDOW)
    cells: list[NDArray[Any]] = [first, last, pulses, outcome, np.asarray(unfinished)]
    return CellsSoFar(*(one.reshape(digits.shape) for one in cells))


def _last_kind(where: Integers, kind: Integers, count: int) -> tuple[Integers, Booleans]:
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
    """What the run file of an interrupted attempt holds."""

    rows: dict[str, NDArray[Any]]  # its table of pulses, by column
    cells: CellsSoFar
    # Present time on its clock, s, by the computer's, as its process has ended; never before the last row
    elapsed: float
    in_doubt: int = 0  # pulses among them that were sent and not confirmed

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
    path: Path, chip: ChipMap, placement: Placement, digits: Integers, levels: Levels,
    settings: WriteVerifySettings,
) -> EarlierPulses:  # fmt: skip
    """Read what an interrupted run at the same cells did, from its file at `path`.

    Raises `RunFileError` when it cannot be read; `InputError` when it was made on another chip, at other cells, or
    with other digits.
    """
    from mho.runs import RunFile

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


def _check_same_cells(run: RunFile, placement: Placement, digits: Integers) -> None:
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


KINDS = {"read": 0, "set": 1, "reset": 2}  # codes of the `kind` column

PULSES_PER_CELL = 4.5  # seen on the simulated bench: 3.9 with 4 x 4 at 12 bits, 4.8 with 16 x 16 at 24

PULSES = Table(
    "pulses",
    (
        Column("time", "s", description="bench time"),
        Column("array", dtype="u1", description="index into the chip map's arrays"),
        Column("row", dtype="u2"),
        Column("column", dtype="u2"),
        Column(
            "kind", dtype="u1", description="0 read only, 1 SET or forming, 2 RESET, 3 by the chip itself"
        ),
        Column("voltage", "V", dtype="f4", description="amplitude at the driven line"),
        Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage"),
        Column("conductance", "S", description="verify read after the pulse"),
    ),
    signal="conductance",
    axis="time",
    title="every pulse and every verify read",
)


@dataclass
class Block:
    """A block of cells to program, and the result.

    Attributes
    ----------
    digits : (rows, columns) array
        Target digit of each cell.
    achieved : (rows, columns) array
        Last verify read, S; NaN before.
    pulses : (rows, columns) array
        Number of pulses per cell.
    outcome : (rows, columns) array
        `Outcome` of each cell.
    """

    placement: Placement
    digits: Integers
    achieved: Floats = field(init=False)
    pulses: Integers = field(init=False)
    outcome: Integers = field(init=False)

    def __post_init__(self) -> None:
        self.achieved = np.full(self.digits.shape, np.nan)
        self.pulses = np.zeros(self.digits.shape, dtype=np.int64)
        self.outcome = np.zeros(self.digits.shape, dtype=np.int64)


@dataclass(frozen=True)
class BlockMaps:
    """The run file's images of all blocks on one array: the bounding lines of the cells in use."""

    array: str
    rows: Integers
    columns: Integers

    @classmethod
    def covering(cls, array: str, blocks: Sequence[Block]) -> BlockMaps:
        """Create the maps with the lines that the blocks on `array` use."""
        placed = [block.placement for block in blocks if block.placement.array == array]
        return cls(array, _in_use([p.rows for p in placed]), _in_use([p.columns for p in placed]))

    def declared(self) -> tuple[Map, ...]:
        """Return the maps for the layout."""
        named = ("conductance", "S", "conductance"), ("target", "S", "target conductance")
        return tuple(
            Map(f"{self.array}_{name}", unit, self.rows, self.columns, f"{self.array}: {title}")
            for name, unit, title in (*named, ("pulses", "", "pulses per cell"))
        )

    def outcome_map(self) -> Map:
        """Return the map of how each cell ended."""
        codes = ", ".join(f"{outcome.value} {outcome.words.partition(':')[0]}" for outcome in Outcome)
        return Map(f"{self.array}_outcome", "", self.rows, self.columns, f"{self.array}: {codes}")

    def image(self, blocks: Sequence[Block], values: Sequence[Floats]) -> Floats:
        """Combine the blocks' `values` into one image, NaN where no cell is in use."""
        image = np.full((len(self.rows), len(self.columns)), np.nan)
        for block, value in zip(blocks, values, strict=True):
            if block.placement.array == self.array:
                rows = np.searchsorted(self.rows, block.placement.rows)
                columns = np.searchsorted(self.columns, block.placement.columns)
                image[np.ix_(rows, columns)] = value
        return image


def _in_use(lines: Sequence[Integers]) -> Integers:
    """Return the distinct ones of some lines in order; `numpy.unique` loads ``numpy.ma`` when it is first called."""
    return np.array(sorted(set(np.concatenate(lines).tolist())), dtype=np.int64)
