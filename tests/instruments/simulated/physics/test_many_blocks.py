"""Blocks evaluated together have the transfer conductances of each alone, and blocks out of reach are done alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mho.errors import BenchError
from mho.instruments.simulated.physics import chip
from mho.instruments.simulated.physics.chip import transfers
from mho.instruments.simulated.physics.wires import WiredBlock

WIRE = 1.73
LEVELS = np.array([0.3, 5, 10, 15, 20, 25, 30, 35]) * 1e-6


def drawn(count: int, rows: int, columns: int, behind: int = 0, spread: int = 1):
    """Draw blocks, their lines unsorted and some apart, `behind` others of the segment."""
    rng = np.random.default_rng(rows + columns + behind)
    cells = rng.choice(LEVELS, (count, rows, columns)) * rng.uniform(0.98, 1.02, (count, rows, columns))
    lines = (
        behind + np.stack([rng.permutation(spread * lines)[:lines] for _ in range(count)])
        for lines in (rows, columns)
    )
    return cells, *lines


def alone(cells, rows, columns, wire: float = WIRE) -> np.ndarray:
    return np.stack(
        [WiredBlock.from_lines(*each, wire).transfer for each in zip(cells, rows, columns, strict=True)]
    )


@pytest.mark.parametrize("behind", [0, 96], ids=["near", "far"])
@pytest.mark.parametrize(
    ("rows", "columns", "spread"), [(32, 32, 1), (8, 20, 3), (20, 8, 3), (1, 5, 1), (5, 1, 1), (1, 1, 1)]
)
def test_blocks_together_are_those_alone(rows, columns, spread, behind):
    blocks = drawn(5, rows, columns, behind, spread)
    assert_allclose(transfers(*blocks, WIRE), alone(*blocks), rtol=1e-7 if behind else 1e-9)


def test_how_many_are_evaluated_together_changes_nothing(monkeypatch):
    blocks = drawn(7, 16, 12)
    together = transfers(*blocks, WIRE)
    monkeypatch.setattr(chip, "TOGETHER", 2 * 16 * 12)
    assert_array_equal(transfers(*blocks, WIRE), together)


def test_without_resistance_the_cells_are_left():
    cells, rows, columns = drawn(2, 4, 4)
    found = transfers(cells, rows, columns, 0.0)
    assert_array_equal(found, cells)
    assert not np.may_share_memory(found, cells)


def test_blocks_whose_rows_are_coupled_too_much_are_evaluated_one_by_one():
    cells, rows, columns = drawn(3, 32, 32, behind=96)
    cells[1] *= 10.0
    found, exact = transfers(cells, rows, columns, WIRE), alone(cells, rows, columns)
    assert_array_equal(found[1], exact[1])
    assert (found[[0, 2]] != exact[[0, 2]]).any()  # the others are not
    assert_allclose(found, exact, rtol=1e-7)


@pytest.mark.parametrize("lines", [[0, 1, 1, 3], [-1, 0, 1, 2]])
def test_a_line_that_cannot_be_is_refused(lines):
    cells, rows, columns = drawn(2, 4, 4)
    rows[1] = lines
    with pytest.raises(BenchError, match="row"):
        transfers(cells, rows, columns, WIRE)
    with pytest.raises(BenchError, match="column"):
        transfers(cells, columns, rows, WIRE)
    cells[0, 2, 3] = np.nan
    with pytest.raises(BenchError, match="conductance"):
        transfers(cells, columns, columns, WIRE)
