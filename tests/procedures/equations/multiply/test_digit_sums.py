"""Sums of digits on tiles: calibration takes out what lines and columns have in common, and offsets are no errors."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from mho.chip_maps.placement import Placement
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.multiply_measurement import DigitSums

STEP, VOLTS = 5e-6, 0.2
DIGITS = np.random.default_rng(2).integers(0, 8, (6, 5))


class LinearBench:
    """Columns with gains, lines with losses, cells with errors, and in each exchange offsets of its own."""

    def __init__(self, errors: np.ndarray) -> None:
        rng = np.random.default_rng(3)
        lines, columns = rng.uniform(0.97, 1.0, 6), rng.uniform(0.98, 1.02, 5)
        self._conductances = (DIGITS + errors) * lines[:, None] * columns * STEP
        self._rng = rng
        self.connected: list[list[int]] = []

    def connect_multiply(self, array: str, rows: np.ndarray, columns: np.ndarray) -> None:
        assert array == "multiply"
        self.connected.append(columns.tolist())

    def multiply(self, volts: np.ndarray) -> np.ndarray:
        offset = 0.05 * STEP * VOLTS * self._rng.standard_normal(len(self.connected[-1]))
        return volts @ self._conductances[:, self.connected[-1]] + offset


def calibrated(errors: np.ndarray) -> tuple[DigitSums, LinearBench]:
    bench = LinearBench(errors)
    tiles = [
        Block(Placement("multiply", np.arange(6), np.array(columns)), DIGITS[:, columns])
        for columns in ([0, 1, 2], [3, 4])
    ]
    sums = DigitSums(bench, tiles, STEP, VOLTS)  # type: ignore[arg-type]
    sums.calibrate()
    return sums, bench


def test_offsets_of_an_exchange_are_no_errors_of_the_cells():
    sums, bench = calibrated(np.zeros(DIGITS.shape))
    assert_allclose(sums.errors, 0.0, atol=0.01)  # the offsets are 0.05
    assert_allclose(sums.noise, 0.0, atol=1e-9)
    assert bench.connected == [[0, 1, 2], [3, 4]]


def test_the_error_of_a_cell_is_told_from_gains_and_losses():
    errors = np.zeros(DIGITS.shape)
    errors[4, 3] = 0.3
    sums, _ = calibrated(errors)
    assert np.unravel_index(np.abs(sums.errors).argmax(), errors.shape) == (4, 3)


def test_patterns_give_the_sums_of_their_digits_on_all_tiles():
    sums, bench = calibrated(np.zeros(DIGITS.shape))
    patterns = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 1]])
    assert_array_equal(sums.expected(patterns), [[0] * 5, DIGITS.sum(axis=0), DIGITS[0] + DIGITS[5]])
    assert_allclose(sums.measured(patterns), sums.expected(patterns), atol=0.25)  # offsets of the exchange
    assert bench.connected[2:] == [[0, 1, 2], [3, 4]]
    assert sums.shots == 3
