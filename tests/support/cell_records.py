"""What must hold of the whole record of a programmed block, however often it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.chip_maps.chip import parse_chip_map
from mho.procedures.cells.programming.strategy import Strategy
from mho.runs import RunFile


@dataclass(frozen=True)
class CellRecord:
    """The rows of a run's pulses, cell by cell.

    Attributes
    ----------
    cells, pulses, reads : int
        Cells of the block, and rows with a pulse and with a read.
    verified : int
        Cells whose last read lies in their window.
    needless : int
        Pulses on a cell whose last read before lay in the window that programming aims for.
    unread : int
        Pulses on a cell that was not read before, or whose last verify read is missing.
    """

    cells: int
    pulses: int
    reads: int
    verified: int
    needless: int
    unread: int


def cell_record(path: Path) -> CellRecord:
    """Follow each cell through the whole record."""
    with RunFile(path) as run:
        rows, digits = run.table("pulses"), run.array("digits")
        array = next(name for name in run.maps if name.endswith("_target"))
        lines = run.map_axes(array)
        chip = parse_chip_map(run.chip)
    levels = chip.level_scale()
    place = [np.searchsorted(line, rows[name]) for line, name in zip(lines, ("row", "column"), strict=True)]
    where, wanted = place[0] * digits.shape[1] + place[1], digits.ravel()
    order = np.argsort(where, kind="stable")
    where, kind, read = where[order], rows["kind"][order], rows["conductance"][order]
    aim = Strategy.towards(levels.nominal[wanted], levels.low[wanted], levels.high[wanted], chip.write_verify)
    known = np.isfinite(read)
    in_aim = known & (aim.low[where] <= read) & (read <= aim.high[where])
    same = np.append(False, where[1:] == where[:-1])
    before = np.append(False, in_aim[:-1])
    was_read = np.append(False, known[:-1])
    pulsed = kind > 0
    last = np.full(digits.size, np.nan)
    last[where] = read
    return CellRecord(
        cells=digits.size,
        pulses=int(pulsed.sum()),
        reads=int(known.sum()),
        verified=int(levels.inside(last, wanted).sum()),
        needless=int((pulsed & same & before).sum()),
        unread=int((pulsed & ~(same & was_read)).sum()),
    )
