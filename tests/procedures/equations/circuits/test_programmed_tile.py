"""A programmed tile: offsets of an exchange are no response, and its sums are those of its digits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mho.chip_maps.placement import Placement
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.tiles import ProgrammedTile

STEP, VOLTS = 5e-6, 0.2
DIGITS = np.random.default_rng(2).integers(0, 8, (6, 5))
OFFSETS = STEP * VOLTS * np.array([0.3, -0.2, 0.0, 0.1, 0.5])


class OffsetBench:
    """Cells as programmed, and an offset of each column."""

    def __init__(self) -> None:
        self.shots = 0

    def connect_multiply(self, array: str, rows: np.ndarray, columns: np.ndarray) -> None:
        assert (array, rows.tolist(), columns.tolist()) == ("multiply", list(range(6)), list(range(3, 8)))

    def multiply(self, volts: np.ndarray) -> np.ndarray:
        self.shots += len(volts)
        return volts @ (STEP * DIGITS) + OFFSETS


@pytest.fixture
def tile() -> ProgrammedTile:
    block = Block(Placement("multiply", np.arange(6), np.arange(3, 8)), DIGITS)
    return ProgrammedTile(OffsetBench(), block, STEP, VOLTS)  # type: ignore[arg-type]


def test_a_response_is_without_the_offsets_and_costs_the_shots_that_are_told(tile):
    assert_allclose(tile.respond(3), np.tile(STEP * DIGITS, (3, 1, 1)), atol=1e-12 * STEP)
    assert tile._bench.shots == 3 * tile.calibration_shots


def test_sums_are_those_of_the_digits_with_the_offsets_of_their_exchange(tile):
    tile.fit(tile.respond(2))
    tile.connect()
    patterns = np.random.default_rng(1).integers(0, 2, (9, 6))
    assert_allclose(tile.sums(patterns), patterns @ DIGITS + OFFSETS / (STEP * VOLTS), atol=1e-9)
    assert_allclose(tile.trim.errors, 0.0, atol=1e-9)
