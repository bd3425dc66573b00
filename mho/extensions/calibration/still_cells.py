"""Cells that no pulse moved, and how likely those are to be stuck.

A cell that holds still need not be stuck: its pulses may have been too weak for it. So each such cell is held to the
strongest pulse that it had against its state, a RESET if it conducts, a SET if it does not: what share of the other cells
would such a pulse leave where they are, within what its own reads span? Of another cell may be known up to which voltage it
held still, by pulses no shorter and of no lower gate, and at which one it had moved, by pulses no longer and of no higher
gate. A normal distribution of voltages between these is fitted; where they do not tell one, cells are counted.

On a chip that is virgin, a cell that conducts from the beginning is stuck on, whatever its pulses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats
from mho.extensions.calibration.censored_normal import censored_normal
from mho.extensions.calibration.pulses_by_cell import RESET, SET, PulsesByCell, formed_above

MOVED = 0.3  # of ln G: a cell whose reads all lie within it held still
NOISE = 0.05  # of ln G: reads of a cell may span as much
TRIED = 10  # pulses that do not move a cell, below which nothing is said of it
FEWEST = 8  # other cells, below which nothing is said of how many a pulse moves
UNLIKELY = 0.01  # chance that another cell holds still so: a cell that does is stuck
LEFT_OUT = 0.05  # the same for a cell that tells nothing of how pulses move others
SHORTED = 0.001  # the same where pulses formed it


@dataclass(frozen=True)
class Unmoved:
    """Cells that pulses move, and those that they do not."""

    moving: Booleans  # (cells,): pulses moved it, if only from the virgin state
    # on, off: (cells,): of a cell that held still in LRS (HRS) since before the first pulse: the chance that
    # one that is not stuck does so under these pulses. 1 where that is not known, and for all other cells
    on: Floats
    off: Floats
    stuck: Booleans  # (cells,): cells that held still and tell nothing of how pulses move others
    high: Booleans  # (cells,): cells that were read in LRS

    @property
    def stuck_on(self) -> int:
        """Cells that are left out in LRS."""
        return int((self.stuck & self.high).sum())

    @property
    def stuck_off(self) -> int:
        """Cells that are left out in HRS."""
        return int((self.stuck & ~self.high).sum())


def unmoved_cells(pulses: PulsesByCell, base: Mapping[str, float]) -> Unmoved:
    """Tell the cells that held still from those that moved; half the base's `maximum` divides LRS from HRS."""
    half, formed, count = math.log(0.5 * base["maximum"]), pulses.formed, pulses.count
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    for read in (pulses.before, pulses.after):
        np.minimum.at(low, pulses.cell[formed], np.log(read[formed]))
        np.maximum.at(high, pulses.cell[formed], np.log(read[formed]))
    moves = high - low >= MOVED
    still = ~moves & (np.bincount(pulses.cell[formed], minlength=count) >= TRIED)
    lrs = high > half
    conducts = np.zeros(count, bool)
    conducts[pulses.cell[pulses.after >= formed_above(base)]] = True
    moving = moves | (pulses.young & conducts)
    spans = np.where(still, high - low, np.nan)
    resets, sets = (
        holding_still(pulses, kind, np.where(lrs == (kind == RESET), spans, np.nan), half)
        for kind in (RESET, SET)
    )
    chance = np.where(lrs, resets, sets)
    from_start = still & ~pulses.young
    conducting = from_start & lrs
    formed_before = float((moves & ~pulses.young).sum()) / max(float(moving.sum()), 1.0)
    on = np.where(conducting, chance, 1.0)
    if moving.sum() >= FEWEST:
        on[conducting] *= formed_before
    off = np.where(from_start & ~lrs, chance, 1.0)
    limit = np.where(pulses.young, SHORTED, LEFT_OUT)
    stuck = still & ((np.minimum(chance, on) <= limit) | (~pulses.young & (chance == 1.0)))
    return Unmoved(moving, on, off, stuck, lrs)


def holding_still(pulses: PulsesByCell, kind: int, spans: Floats, half: float) -> Floats:
    """Return for cells that held still the chance that others do, under the strongest pulse of a kind that each had.

    It is 1 where a cell had no such pulse or too few others tell. `spans` (cells,), of ln G, is within which the reads
    of such a cell lie, NaN for those that moved; `half` is ln of the conductance (S) between LRS and HRS.
    """
    chance = np.ones(len(spans))
    trials = _trials(pulses, kind, half)
    still = np.isfinite(spans)[trials.cell]
    tried = trials.cell[still]
    if not len(tried):
        return chance
    width, gate, voltage = trials.own[::-1, still]
    order = np.lexsort((width, gate, voltage, tried))
    last = order[np.append(np.diff(tried[order]) > 0, True)]  # the strongest of each cell
    halvings = np.floor(np.log2(MOVED / np.maximum(spans[tried[last]], NOISE)))  # few different spans
    pulses_of = np.stack([voltage[last], gate[last], width[last], MOVED / 2.0**halvings], axis=1)
    strongest, which = np.unique(pulses_of, axis=0, return_inverse=True)
    others = trials.of(~still)
    shares = np.array([others.share_unmoved(*pulse) for pulse in strongest.tolist()])
    chance[tried[last]] = shares[which.ravel()]
    return chance


@dataclass(frozen=True)
class Trials:
    """Pulses against the state of their cells; several of a kind, one after the other, count as the strongest of them."""

    cell: NDArray[np.int64]  # (pulses,)
    change: Floats  # (pulses,): of ln G, in the direction of the pulse, since before the first of them
    # own, so_far: (3, pulses): voltage (V), gate voltage (V) and width (s), and the highest of each since
    # that
    own: Floats
    so_far: Floats

    def of(self, some: Booleans) -> Trials:
        """Return some of them."""
        return Trials(self.cell[some], self.change[some], self.own[:, some], self.so_far[:, some])

    def share_unmoved(self, voltage: float, gate: float, width: float, span: float) -> float:
        """Return the share of cells that such a pulse (V, V, s) leaves within a span of ln G; 1 where they do not tell."""
        _, place = np.unique(self.cell, return_inverse=True)
        place, count = place.ravel(), int(place.max()) + 1 if len(place) else 0
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        moved = self.change >= span
        weaker = moved & (self.so_far[1] <= gate) & (self.so_far[2] <= width)
        np.minimum.at(high, place[weaker], self.so_far[0][weaker])
        stronger = ~moved & (self.own[1] >= gate) & (self.own[2] >= width) & (self.own[0] < high[place])
        np.maximum.at(low, place[stronger], self.own[0][stronger])
        fitted = censored_normal(low, high) if count >= FEWEST else None
        if fitted is not None:
            (mean, log_sd), _ = fitted
            return 0.5 * math.erfc((voltage - mean) / math.exp(log_sd) / math.sqrt(2.0))
        still, moves = int((low >= voltage).sum()), int((high <= voltage).sum())
        return (still + 0.5) / (still + moves + 1.0) if still + moves >= FEWEST else 1.0


def _trials(pulses: PulsesByCell, kind: int, half: float) -> Trials:
    """Return the pulses of a kind against a cell's state: RESETs of cells in LRS, SETs of cells in HRS."""
    here = pulses.formed & (pulses.kind == kind)
    begins = ~here | pulses.first  # what is before the first pulse of the kind
    run = np.cumsum(begins)
    level, now = np.log(pulses.after[begins][run - 1]), np.log(pulses.after)
    rows = np.flatnonzero(here & ((level > half) == (kind == RESET)))
    own, so_far = [], []
    for values in (pulses.voltage, pulses.gate, pulses.width):
        levels, code = np.unique(values, return_inverse=True)
        steps = np.where(begins, 0, code.ravel()) + run * len(levels)
        so_far.append(levels[(np.maximum.accumulate(steps) - run * len(levels))[rows]])
        own.append(values[rows])
    change = (level - now if kind == RESET else now - level)[rows]
    return Trials(pulses.cell[rows], change, np.stack(own), np.stack(so_far))
