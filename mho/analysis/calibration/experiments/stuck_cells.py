"""Shares of cells that no pulse moves, in LRS or in HRS.

A share s of the cells is stuck: a cell that moved has the likelihood 1 - s, and one that held still, as one that is not
stuck does with the chance q, has s + (1 - s) q. It counts as stuck for q = 0, and not at all for 1; with these only it is
the binomial likelihood of a count. Cells that pulses formed moved, whatever they do afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import TAIL, Estimate
from mho.analysis.calibration.unmoved import UNLIKELY, Unmoved

Floats = NDArray[np.float64]

ODDS = np.linspace(-25.0, 25.0, 5001)  # ln of s/(1 - s)


@dataclass(frozen=True)
class StuckCells:
    """What became of the cells that were pulsed.

    Attributes
    ----------
    moving : int
        Cells that pulses move. Those of which nothing is known count nowhere.
    held_on, held_off : array
        Of the cells that held still in LRS and in HRS, the chances that ones that are not stuck do.
    """

    moving: int
    held_on: Floats = field(default_factory=lambda: np.zeros(0))
    held_off: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def on(self) -> int:
        """Cells that are stuck in LRS."""
        return int((self.held_on <= UNLIKELY).sum())

    @property
    def off(self) -> int:
        """Cells that are stuck in HRS."""
        return int((self.held_off <= UNLIKELY).sum())

    @property
    def told(self) -> int:
        """Cells of which it is known."""
        return self.moving + self.on + self.off

    def shares(self) -> list[Estimate]:
        """Return `stuck_on` and `stuck_off`, each where there is such a cell: else its interval begins at 0.

        Values and intervals are those of the posterior of a share with the prior of Jeffreys (Brown, Cai and DasGupta,
        Statistical Science 16, 101 (2001), section 3.1 (?)).
        """
        found = []
        for name, held, count, others in (
            ("stuck_on", self.held_on, self.on, self.off),
            ("stuck_off", self.held_off, self.off, self.on),
        ):
            if count:
                found.append(Estimate(name, *share_of(self.moving + others, held)))
        return found

    def bound(self) -> float:
        """Return the share below which one of which no cell was seen lies with 95 %."""
        return 1.0 - 0.05 ** (1.0 / self.told) if self.told else 1.0


def share_of(moving: int, held: Floats) -> tuple[float, float, float]:
    """Return the median of the posterior of a share, and the ends of its 95 % interval.

    Parameters
    ----------
    moving : int
        Cells that are not stuck.
    held : (cells,) array
        Chances with which those would have held still that did.
    """
    share = 1.0 / (1.0 + np.exp(-ODDS))
    density = 0.5 * np.log(share) + (moving + 0.5) * np.log1p(-share)  # by the odds
    density += np.log(share[:, None] + (1.0 - share[:, None]) * held).sum(axis=1)
    weight = np.exp(density - density.max())
    below = np.cumsum(weight) - 0.5 * weight
    value, low, high = np.interp([0.5, TAIL, 1.0 - TAIL], below / weight.sum(), share)
    return float(value), float(low), float(high)


def stuck_cells(unmoved: Unmoved, lost: int = 0) -> StuckCells:
    """Count the cells that pulses move and those that they do not.

    Parameters
    ----------
    unmoved : Unmoved
    lost : int
        Cells that no pulse formed although it had what forms all others: stuck in HRS.
    """
    on, off = (held[held < 1.0] for held in (unmoved.on, unmoved.off))
    return StuckCells(int(unmoved.moving.sum()), on, np.concatenate([off, np.zeros(lost)]))
