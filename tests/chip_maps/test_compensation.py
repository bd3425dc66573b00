"""Later slices hold what the earlier ones leave: only the error of the last one counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mho.chip_maps.chip import load_chip_map
from mho.errors import InputError
from mho.procedures.equations.circuits.loop_on_cells import Pair, largest_ratio, next_targets, represented

LEVELS = load_chip_map("reference").level_scale()
TOP = float(LEVELS.nominal[-1])
WINDOW = float(LEVELS.high[-1] - TOP)


def programmed(targets: Pair, rng: np.random.Generator) -> Pair:
    """Cells that end anywhere in their windows; what needs no conductance has none."""
    positive, negative = (np.where(t > 0.0, t + rng.uniform(-WINDOW, WINDOW, t.shape), 0.0) for t in targets)
    return positive, negative


@given(seed=st.integers(0, 2**32 - 1), ratio=st.floats(2.0, TOP / WINDOW), count=st.integers(1, 5))
def test_the_error_of_all_slices_is_that_of_the_last(seed: int, ratio: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(-TOP, TOP, (4, 5))
    slices: list[Pair] = []
    for _ in range(count):
        targets = next_targets(matrix, slices, ratio, TOP)
        assert all(np.all((part >= 0.0) & (part <= TOP)) for part in targets)
        assert not np.any((targets[0] > 0.0) & (targets[1] > 0.0))
        slices.append(programmed(targets, rng))
    error = np.abs(represented(slices, ratio) - matrix).max()
    assert error <= WINDOW * ratio ** (1 - count) * (1.0 + 1e-9)


def test_exact_cells_leave_nothing_to_the_next_slice() -> None:
    matrix = np.array([[0.5, -1.0], [0.0, 1.0]]) * TOP
    first = next_targets(matrix, [], 16.0, TOP)
    assert_allclose(first[0] - first[1], matrix)
    assert_allclose(next_targets(matrix, [first], 16.0, TOP), 0.0)


def test_a_lost_cell_is_made_up_for_as_far_as_the_range_goes() -> None:
    matrix = np.array([[0.5 * TOP]])
    lost = (np.zeros((1, 1)), np.zeros((1, 1)))
    second = next_targets(matrix, [lost], 16.0, TOP)
    assert_allclose(second, ([[TOP]], [[0.0]]))
    third = next_targets(matrix, [lost, second], 16.0, TOP)
    assert_allclose(third[0], TOP)


def test_the_ratio_is_what_the_windows_allow() -> None:
    assert largest_ratio(LEVELS) == pytest.approx(35.0 / 1.2)


@pytest.mark.parametrize(
    ("matrix", "ratio", "top", "said"),
    [
        ([[1.0]], 1.0, 1.0, "ratio 1 up to 1 S; give a ratio above 1"),
        ([[1.0]], 2.0, 0.0, "a largest target above 0 S"),
        ([[2.0]], 2.0, 1.0, "largest entry is 2 S, and the largest target 1 S; scale"),
        ([[np.nan]], 2.0, 1.0, "largest entry is nan S"),
    ],
)
def test_what_cannot_be_is_refused(matrix: list[list[float]], ratio: float, top: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        next_targets(np.array(matrix), [], ratio, top)


def test_no_slices_represent_nothing() -> None:
    with pytest.raises(InputError, match="0 slices of ratio 16; give at least one"):
        represented([], 16.0)
