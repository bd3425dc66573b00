"""Shares of cells that no pulse moves, in LRS or in HRS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import TAIL, Estimate
from mho.analysis.calibration.transitions import MOVED, READ, formed_above

TRIED = 10  # pulses after which a cell that has not moved is stuck


@dataclass(frozen=True)
class StuckCells:
    """What became of the cells that were pulsed.

    Attributes
    ----------
    moving, on, off : int
        Cells that pulses move, and those that are stuck in LRS and in HRS. Cells with few pulses that moved nothing count
        nowhere.
    """

    moving: int
    on: int
    off: int

    @property
    def told(self) -> int:
        """Cells of which it is known."""
        return self.moving + self.on + self.off

    def shares(self) -> list[Estimate]:
        """Return `stuck_on` and `stuck_off`, each where there is such a cell: else its interval begins at 0.

        Values and intervals are those of the posterior of a share with the prior of Jeffreys (Brown, Cai and DasGupta,
        Statistical Science 16, 101 (2001), section 3.1 (?)).
        """
        return [
            Estimate(name, *_share(count, self.told))
            for name, count in (("stuck_on", self.on), ("stuck_off", self.off))
            if count
        ]

    def bound(self) -> float:
        """Return the share below which one of which no cell was seen lies with 95 %."""
        return 1.0 - 0.05 ** (1.0 / self.told) if self.told else 1.0


def _share(count: int, cells: int) -> tuple[float, float, float]:
    from scipy.special import betaincinv  # loads slowly

    value, low, high = (
        float(betaincinv(count + 0.5, cells - count + 0.5, part)) for part in (0.5, TAIL, 1.0 - TAIL)
    )
    return value, low, high


def stuck_cells(columns: Mapping[str, NDArray[Any]], base: Mapping[str, float], lost: int = 0) -> StuckCells:
    """Count the cells that pulses move and those that they do not.

    Parameters
    ----------
    columns : mapping
        Of pulses, as `read_pulses` has them.
    base : mapping
        The base preset: what a virgin cell conducts, and the top.
    lost : int
        Cells that no pulse formed although it had what forms all others: stuck in HRS.
    """
    place = np.stack([np.asarray(columns[name], dtype=np.int64) for name in ("array", "row", "column")])
    if not place.shape[1]:
        return StuckCells(0, 0, lost)
    _, cell = np.unique(place, axis=1, return_inverse=True)
    cell = cell.ravel()
    count = int(cell.max()) + 1
    read = np.asarray(columns["conductance"], dtype=float)
    formed = np.isfinite(read) & (read >= formed_above(base))
    pulses = np.bincount(cell[formed & (np.asarray(columns["kind"]) != READ)], minlength=count)
    log = np.log(np.maximum(np.nan_to_num(read, nan=1.0), base["unformed"]))
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, cell[formed], log[formed])
    np.maximum.at(high, cell[formed], log[formed])
    moves = high - low >= MOVED
    still = (pulses >= TRIED) & ~moves
    on = still & (high > np.log(0.5 * base["maximum"]))
    return StuckCells(int(moves.sum()), int(on.sum()), int((still & ~on).sum()) + lost)
