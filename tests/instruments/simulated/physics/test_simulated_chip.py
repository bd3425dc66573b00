"""A chip's cells are drawn when one is needed: that costs a bench that asks for none nothing, and changes no number."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from mho.instruments import Cell, open_bench
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS
from mho.instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip

ARRAYS = (ArrayGeometry("small", 4, 6, 1.73), ArrayGeometry("large", 40, 30, 1.73))
RELAXING = CELL_PRESETS["relaxing"]


def chip(clock: VirtualClock) -> SimulatedChip:
    return SimulatedChip(ARRAYS, RELAXING, clock, np.random.default_rng(11))


def formed(cells: CellArray) -> np.ndarray:
    cells.set_cells(slice(None), 4.0, 1e-6, 2.0)
    return cells.conductance()


def test_the_cells_are_the_same_whenever_and_wherever_they_are_asked_for_first():
    rng, clock = np.random.default_rng(11), VirtualClock()
    directly = {a.name: CellArray(a.rows, a.columns, RELAXING, clock, rng) for a in ARRAYS}
    expected = formed(directly["large"])
    early, late = VirtualClock(), VirtualClock()
    assert_array_equal(formed(chip(early).cells["large"]), expected)
    waited = chip(late)
    late.advance(1000.0)
    assert_array_equal(formed(waited.cells["large"]), expected)


def test_a_bench_that_asks_for_no_cell_draws_none():
    with open_bench(seed=1) as bench:
        bench.safe()
        chip = bench.laboratory.chip
        assert "cells" not in vars(chip)
        bench.read(Cell("multiply", 3, 4))
        assert list(chip.cells) == list(chip.geometry)
