"""What wires leave of a block's conductances: the first order of the nodal equations, from cells read one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mho.chip_maps.placement import Placement
from mho.instruments.simulated.physics.wires import WiredBlock, series_resistance
from mho.procedures.equations.circuits.loop_on_cells import with_all_lines

OHM = 1.73  # of the reference chip
TOP = 35e-6


def exact(g: np.ndarray, placed: Placement, ohm: float) -> np.ndarray:
    return WiredBlock.from_lines(g, placed.rows, placed.columns, ohm).transfer


def read_one_by_one(g: np.ndarray, placed: Placement, ohm: float) -> np.ndarray:
    return g / (1.0 + g * series_resistance(*placed.cells(), ohm))


@pytest.mark.parametrize(("n", "within"), [(8, 1e-6), (32, 3e-4), (64, 4e-3)])
def test_a_full_block_is_that_of_the_nodal_equations(n: int, within: float) -> None:
    rng = np.random.default_rng(n)
    placed = Placement("a", rng.permutation(n), rng.permutation(n))
    g = rng.uniform(0.0, TOP, (n, n))
    read, wired = read_one_by_one(g, placed, OHM), exact(g, placed, OHM)
    error = np.abs(with_all_lines(read, placed, OHM) - wired).max()
    assert error < within * TOP
    assert error < 0.03 * np.abs(read - wired).max()  # what it is without


def test_its_error_falls_with_the_square_of_the_wire_s_resistance() -> None:
    placed = Placement("a", np.arange(3, 19), np.arange(5, 21))
    g = np.random.default_rng(1).uniform(0.0, TOP, (16, 16))

    def error(ohm: float) -> float:
        read = read_one_by_one(g, placed, ohm)
        return float(np.abs(with_all_lines(read, placed, ohm) - exact(g, placed, ohm)).max())

    assert error(2.0) / error(1.0) == pytest.approx(4.0, rel=0.05)


def test_one_cell_alone_is_what_was_read() -> None:
    g = np.zeros((4, 4))
    g[2, 1] = TOP
    assert_allclose(with_all_lines(g, Placement("a", np.arange(4), np.arange(4)), OHM), g)


def test_two_cells_of_a_line_share_the_wire_up_to_the_nearer_one() -> None:
    placed = Placement("a", np.array([0]), np.array([2, 9]))
    a, b = 20e-6, 30e-6
    shared = 3 * OHM
    expected = [a / (1.0 + shared * b), b / (1.0 + shared * a)]
    assert_allclose(with_all_lines([[a, b]], placed, OHM), [expected])
