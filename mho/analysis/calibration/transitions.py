"""What pulses did to cells: before, pulse, after; each cell's in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

READ, SET, RESET = range(3)  # codes of the column `kind`
FORMED = 0.2  # of the floor: a cell that was never read above is unformed, however far off zero its meter is
MOVED = 0.3  # of ln G: a cell whose reads all lie within it is stuck


def formed_above(base: Mapping[str, float]) -> float:
    """Return the conductance (S) between cells that were never formed and any state of others.

    A meter's offset on the range for formed cells may be tens of nS, so that it lies well above what virgin cells conduct.
    """
    return float((base["unformed"] * base["floor"]) ** 0.5)


@dataclass(frozen=True)
class Sequences:
    """Pulses of one kind on cells, padded to the longest sequence: each array is (pulses, cells).

    Attributes
    ----------
    voltage, width, gate : array
        V, s, V.
    before, after : array
        Conductances read, S.
    live : array of bool
        Where there is a pulse.
    still, landing : array
        Standard deviations of the difference of two reads of a cell that did not change, and of a read from where the pulse
        led the cell, S.
    young : (cells,) array of bool
        Cells that were virgin when they were first read: their draws have nothing to remember yet.
    cell : (cells,) array
        Numbers of the cells in the `Transitions`.
    """

    voltage: Floats
    width: Floats
    gate: Floats
    before: Floats
    after: Floats
    live: NDArray[np.bool_]
    still: Floats
    landing: Floats
    young: NDArray[np.bool_]
    cell: NDArray[np.int64]

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.live.shape[1])

    @property
    def count(self) -> int:
        """Number of pulses."""
        return int(self.live.sum())

    def of(self, cells: NDArray[np.int64]) -> Sequences:
        """Return the pulses on some of the cells, by number."""
        return Sequences(*(getattr(self, one.name)[..., cells] for one in fields(self)))

    def unchanged(self) -> Floats:
        """Return ln of the density (1/S) of the reads, if the pulses changed nothing."""
        z = (self.after - self.before) / self.still
        parts = [np.log(share / width) - 0.5 * (z / width) ** 2 for share, width in NOISE]
        density: Floats = np.logaddexp.reduce(parts) - np.log(self.still) - 0.5 * np.log(2.0 * np.pi)
        return density


NOISE = ((0.97, 0.9), (0.03, 6.0))
"""Shares of reads, and how far they scatter in units of the standard deviation: telegraph noise, heavy tails."""


@dataclass(frozen=True)
class Transitions:
    """Pulses on cells that switch, apart from those that formed them.

    Attributes
    ----------
    sets, resets : Sequences
    forming : Sequences
        Pulses on virgin cells; `after` tells which formed.
    cells, stuck_on, stuck_off : int
        Cells that were pulsed at all, and those of them that no pulse moved.
    """

    sets: Sequences
    resets: Sequences
    forming: Sequences
    cells: int
    stuck_on: int
    stuck_off: int


def transitions_of(columns: Mapping[str, NDArray[Any]], base: Mapping[str, float]) -> Transitions:
    """Return what pulses did, from the columns of a table `pulses`.

    Parameters
    ----------
    columns : mapping
        ``time``, ``array``, ``row``, ``column``, ``kind``, ``voltage``, ``width``, ``gate``, ``conductance``, in SI.
    base : mapping
        The base preset: what a virgin cell conducts, and how reads scatter.
    """
    place = [np.asarray(columns[name], dtype=np.int64) for name in ("array", "row", "column")]
    order = np.lexsort((np.asarray(columns["time"]), *reversed(place)))
    array, row, column = (one[order] for one in place)
    kept = {
        name: np.asarray(columns[name], dtype=float)[order]
        for name in ("time", "kind", "voltage", "width", "gate", "conductance")
    }
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(array) != 0) | (np.diff(row) != 0) | (np.diff(column) != 0)
    cell = np.cumsum(first) - 1
    count = int(cell[-1]) + 1 if len(cell) else 0
    read = np.maximum(kept["conductance"], base["unformed"])
    before = np.concatenate([[np.nan], read[:-1]])
    before[first] = np.nan
    elapsed = np.concatenate([[np.nan], np.diff(kept["time"])])

    virgin_below = formed_above(base)
    pulse = (kept["kind"] != READ) & np.isfinite(before) & np.isfinite(kept["conductance"])
    conducts = max(FORMED * base["floor"], virgin_below)
    high_so_far = np.cumsum(read > conducts) - (read > conducts)  # reads before this one
    never = high_so_far == high_so_far[first][cell] if count else np.zeros(0, bool)
    virgin = (before < virgin_below) | (never & (before < conducts))
    young = read[first] < conducts
    formed = pulse & ~virgin
    pulsed = np.bincount(cell[formed], minlength=count) > 0
    low, high = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(low, cell[formed], np.log(read[formed]))
    np.maximum.at(high, cell[formed], read[formed])
    np.minimum.at(low, cell[formed], np.log(before[formed]))
    high = np.log(np.maximum(high, base["unformed"]))
    tried = np.bincount(cell[formed], minlength=count) >= 10
    stuck = pulsed & tried & (high - low < MOVED)
    usable = formed & ~stuck[cell] & (read >= virgin_below)  # below it, the cell was lost by this pulse
    on = stuck & (high > np.log(0.5 * base["maximum"]))

    def sequences(which: NDArray[np.bool_]) -> Sequences:
        return _padded(
            np.flatnonzero(which),
            cell,
            kept | {"before": before, "after": read, "elapsed": elapsed},
            base,
            young,
        )

    kind = kept["kind"]
    return Transitions(
        sequences(usable & (kind == SET)),
        sequences(usable & (kind == RESET)),
        sequences(pulse & virgin & (kind == SET)),
        count,
        int(on.sum()),
        int((stuck & ~on).sum()),
    )


def _padded(
    which: NDArray[np.int64],
    cell: NDArray[np.int64],
    values: Mapping[str, Floats],
    base: Mapping[str, float],
    young: NDArray[np.bool_],
) -> Sequences:
    """Return the pulses `which`, sorted by cell and time, as columns of their cells."""
    numbers, place, counts = np.unique(cell[which], return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    rank = np.arange(len(which)) - starts[place] if len(which) else place
    shape = (int(counts.max()) if len(counts) else 0, len(numbers))

    def column(name: str, filling: float) -> Floats:
        padded = np.full(shape, filling)
        padded[rank, place] = values[name][which]
        return padded

    live = np.zeros(shape, bool)
    live[rank, place] = True
    before, after = column("before", 1e-5), column("after", 1e-5)
    elapsed = column("elapsed", 1.0)
    still, landing = read_scatter(before, after, np.maximum(elapsed, 1e-6), base)
    return Sequences(
        column("voltage", 1.0), column("width", 1e-7), column("gate", 1.0), before, after, live, still, landing,
        young[numbers], numbers,
    )  # fmt: skip


def read_scatter(
    before: Floats, after: Floats, elapsed: Floats, base: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Return `still` and `landing` of `Sequences` (S): relaxation since the pulse, and read noise.

    Of a cell that did not change relaxation has slowed down, and the slow half of the noise is in both reads.
    """
    spread = base["relaxation"] * np.log1p(elapsed / base["relaxation_time"]) ** base["relaxation_power"]

    def scatter(conductance: Floats, relaxing: float, noise: float) -> Floats:
        weight = np.minimum(conductance / base["relaxation_full"], 1.0)
        moved = relaxing * weight * spread
        read = noise * base["read_noise"] * conductance
        scatter: Floats = np.sqrt(moved**2 + read**2 + (1e-3 * conductance) ** 2)
        return scatter

    return scatter(before, 0.4, 0.8), scatter(after, 1.0, 1.0)
