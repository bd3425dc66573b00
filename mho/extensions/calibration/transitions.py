"""What pulses did to cells: before, pulse, after; each cell's in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.calibration.pulses_by_cell import RESET, SET, PulsesByCell, formed_above, pulses_by_cell
from mho.extensions.calibration.still_cells import Unmoved, unmoved_cells


@dataclass(frozen=True)
class Sequences:
    """Pulses of one kind on cells, padded to the longest sequence: each array is (pulses, cells)."""

    voltage: Floats  # V
    width: Floats  # s
    gate: Floats  # V
    before: Floats  # conductance read, S
    after: Floats  # likewise
    live: NDArray[np.bool_]  # where there is a pulse
    # still, landing: standard deviations of the difference of two reads of a cell that did not change, and of
    # a read from where the pulse led the cell, S
    still: Floats
    landing: Floats
    # (cells,): cells that were virgin when they were first read: their draws have nothing to remember yet
    young: NDArray[np.bool_]
    cell: NDArray[np.int64]  # (cells,): numbers of the cells in the `Transitions`

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
    """Pulses on cells that switch, apart from those that formed them."""

    sets: Sequences
    resets: Sequences
    forming: Sequences  # pulses on virgin cells; `after` tells which formed
    cells: int  # cells in the table
    unmoved: Unmoved  # cells that held still, and which of them are left out


def transitions_of(columns: Mapping[str, NDArray[Any]], base: Mapping[str, float]) -> Transitions:
    """Return what pulses did, from the columns of a table `pulses`, SI, and the base preset."""
    pulses = pulses_by_cell(columns, base)
    unmoved = unmoved_cells(pulses, base)
    lost = pulses.after < formed_above(base)  # by this pulse
    usable = pulses.formed & ~unmoved.stuck[pulses.cell] & ~lost
    meets_virgin = pulses.pulse & pulses.virgin & (pulses.kind == SET)
    sets, resets, forming = (
        _padded(np.flatnonzero(which), pulses, base)
        for which in (usable & (pulses.kind == SET), usable & (pulses.kind == RESET), meets_virgin)
    )
    return Transitions(sets, resets, forming, pulses.count, unmoved)


def _padded(which: NDArray[np.int64], pulses: PulsesByCell, base: Mapping[str, float]) -> Sequences:
    """Return the pulses `which`, sorted by cell and time, as columns of their cells."""
    numbers, place, counts = np.unique(pulses.cell[which], return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    rank = np.arange(len(which)) - starts[place] if len(which) else place
    shape = (int(counts.max()) if len(counts) else 0, len(numbers))

    def column(values: Floats, filling: float) -> Floats:
        padded = np.full(shape, filling)
        padded[rank, place] = values[which]
        return padded

    live = np.zeros(shape, bool)
    live[rank, place] = True
    before, after = column(pulses.before, 1e-5), column(pulses.after, 1e-5)
    elapsed = column(np.diff(pulses.time, prepend=np.nan), 1.0)
    still, landing = read_scatter(before, after, np.maximum(elapsed, 1e-6), base)
    return Sequences(
        column(pulses.voltage, 1.0), column(pulses.width, 1e-7), column(pulses.gate, 1.0), before, after, live,
        still, landing, pulses.young[numbers], numbers,
    )  # fmt: skip


def read_scatter(
    before: Floats, after: Floats, elapsed: Floats, base: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Return `still` and `landing` of `Sequences` (S): relaxation since the pulse, and read noise.

    Of a cell that did not change relaxation has slowed down, and the slow half of the noise is in both reads. Above
    `noise_full`, where a preset has it, noise grows no more with the conductance.
    """

    def scatter(conductance: Floats, relaxing: float, noise: float) -> Floats:
        moved = relaxing * relaxation_scatter(conductance, elapsed, base)
        full = base["noise_full"]
        read = noise * base["read_noise"] * conductance / (1.0 + (conductance / full if full else 0.0))
        return np.sqrt(moved**2 + read**2 + (1e-3 * conductance) ** 2)

    return scatter(before, 0.4, 0.8), scatter(after, 1.0, 1.0)


def relaxation_scatter(conductance: Floats, elapsed: Floats, base: Mapping[str, float]) -> Floats:
    """Return how far cells at `conductance` (S) have relaxed `elapsed` seconds after a pulse, as a standard deviation (S).

    Of jumps (docs/cells.md) there are as many rises as falls, in the mean m together. Early on most cells have had none,
    and what the others did belongs to the tails: the variance counts in proportion to the share 1 - exp(-m) that have
    jumped. Falls are taken as small beside the conductance; from seconds on that is up to 40 % too much scatter.
    """
    size = base["relaxation"]
    dose = np.log1p(elapsed / base["relaxation_time"]) ** base["relaxation_power"]
    if not base["relaxation_jumps"]:
        plain: Floats = size * dose * np.minimum(conductance / base["relaxation_full"], 1.0)
        return plain
    rises = size * conductance / (conductance + base["relaxation_full"])
    rises = rises * np.exp(-conductance / base["rise_fading"])
    falls = size * conductance / base["fall_full"] * np.exp(-conductance / base["fall_fading"])
    back, memory = base["jump_return"], base["jump_memory"]  # a share of them is undone
    number = base["relaxation_jumps"] * ((1.0 - back) * dose - back * memory * np.expm1(-dose / memory))
    return np.sqrt(-number * np.expm1(-2.0 * number) * (rises**2 + falls**2))
