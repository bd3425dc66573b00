"""The state of all cells of one array, as images of the whole array that rows of a run's tables update."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers

DEFECTS = ("none", "known bad", "lost in this run")
"""What may be wrong with a cell."""


@dataclass(frozen=True)
class CellRows:
    """Rows of a table that are about cells of one array, oldest first.

    Attributes
    ----------
    cells : (n,) array of int
        Index of each row's cell in the flattened array.
    time : (n,) array
        Bench time, s.
    conductance : (n,) array
        What was read, S.
    pulsed : (n,) array of bool
        Whether a pulse went before the read.
    """

    cells: Integers
    time: Floats
    conductance: Floats
    pulsed: NDArray[np.bool_]

    def after(self, time: float) -> CellRows:
        """Return the rows later than `time`."""
        late = self.time > time
        if late.all():
            return self
        return CellRows(self.cells[late], self.time[late], self.conductance[late], self.pulsed[late])


@dataclass
class CellGrid:
    """An array's cells: images of the whole array, NaN where nothing is known, made when first asked for.

    `conductance_as_of` and `pulses_as_of` are the bench times of the images last taken over, s.
    """

    shape: tuple[int, int]
    conductance_as_of: float = -np.inf
    pulses_as_of: float = -np.inf

    @cached_property
    def conductance(self) -> Floats:
        """Last read conductance, S."""
        return self._nothing()

    @cached_property
    def target(self) -> Floats:
        """Wanted conductance, S."""
        return self._nothing()

    @cached_property
    def pulses(self) -> Floats:
        """Pulses the run gave each cell."""
        return self._nothing()

    @cached_property
    def touched(self) -> Floats:
        """Bench time of the last pulse or read, s."""
        return self._nothing()

    @cached_property
    def defects(self) -> Floats:
        """What is wrong with each cell, as a number of `DEFECTS`."""
        return np.zeros(self.shape)

    def _nothing(self) -> Floats:
        return np.full(self.shape, np.nan)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Mask of the cells that the run is known to use."""
        return np.isfinite(self.target) | np.isfinite(self.conductance)

    def apply(self, rows: CellRows) -> None:
        """Apply `rows`, which are later than all rows so far."""
        # Of several rows of one cell numpy keeps the last.
        self.conductance.flat[rows.cells] = rows.conductance
        self.touched.flat[rows.cells] = rows.time
        self._count(rows.after(self.pulses_as_of))

    def apply_earlier(self, rows: CellRows) -> None:
        """Apply `rows`, which are earlier than all rows so far, to cells for which no later row or image is known."""
        unseen = ~np.isfinite(self.touched.flat[rows.cells])
        newer = unseen & (rows.time > self.conductance_as_of)
        self.conductance.flat[rows.cells[newer]] = rows.conductance[newer]
        self.touched.flat[rows.cells[unseen]] = rows.time[unseen]
        self._count(rows.after(self.pulses_as_of))

    def take_image(self, quantity: str, image: Floats, lines: tuple[Integers, Integers], time: float) -> None:
        """Apply an image that the run took at bench time `time` (s), to cells for which no later row is known.

        `quantity` is "conductance", "target" or "pulses", `lines` the physical numbers of the image's rows and columns.
        """
        place = tuple(map(_span, lines)) if all(map(_adjoining, lines)) else np.ix_(*lines)
        known: Floats = getattr(self, quantity)
        stays = self.touched[place] > time if quantity != "target" else False
        known[place] = np.where(stays, known[place], image)
        if quantity != "target":
            setattr(self, f"{quantity}_as_of", time)

    def take_before(self, before: CellGrid) -> None:
        """Take what an earlier run on the same chip knew of cells that this one says nothing of."""
        unseen = ~np.isfinite(self.touched)
        for name in ("conductance", "target", "touched"):
            known: Floats = getattr(self, name)
            fill = unseen & ~np.isfinite(known)
            known[fill] = getattr(before, name)[fill]
        self.pulses[:] = np.where(
            np.isfinite(before.pulses), np.nan_to_num(self.pulses) + before.pulses, self.pulses
        )

    def _count(self, rows: CellRows) -> None:
        pulses = self.pulses.reshape(-1)
        pulses[rows.cells] = np.nan_to_num(pulses[rows.cells])
        np.add.at(pulses, rows.cells[rows.pulsed], 1.0)


def _adjoining(lines: Integers) -> bool:
    return bool(np.all(np.diff(lines) == 1))


def _span(lines: Integers) -> slice:
    return slice(int(lines[0]), int(lines[-1]) + 1) if len(lines) else slice(0)
