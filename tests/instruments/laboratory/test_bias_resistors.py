"""A bias column in resistors of the board: the loop inverts what its cells hold less the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.instruments import open_bench
from mho.instruments.bench import Bench

DIAGONAL, BIAS, GIN = 30e-6, 8e-6, 35e-6  # S; the cells are not formed, so that the resistors are the matrix
LINES = [0, 1, 2]
VOLTS = np.array([[0.05, -0.1, 0.02], [0.0, 0.04, 0.0]])


def answer(bench: Bench, bias: float) -> np.ndarray:
    bench.connect_invert("invert_positive", LINES, LINES, diagonal=DIAGONAL, diagonal_count=3, bias=bias)
    return bench.invert(VOLTS)


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_the_loop_inverts_the_diagonal_less_the_bias_of_all(name: str) -> None:
    with open_bench(name, preset="ideal", seed=1) as bench:
        network = DIAGONAL * np.eye(3) - BIAS
        expected = -GIN * np.linalg.solve(network, VOLTS.T).T
        np.testing.assert_allclose(answer(bench, BIAS), expected, atol=8e-3)
        alone = answer(bench, 0.0)
        np.testing.assert_allclose(alone, -GIN / DIAGONAL * VOLTS, atol=4e-3, err_msg="nothing is left of it")
        assert np.abs(expected - alone).max() > 0.04
        with pytest.raises(InputError, match="bias is -1e-06"):
            answer(bench, -1e-6)


def test_the_resistors_have_a_tolerance_and_it_is_the_boards_own() -> None:
    errors = []
    for seed in (1, 2):
        with open_bench("arrays", preset="ideal", seed=seed) as bench:
            errors.append(bench.arrays.circuits.bias_errors[:, :3])
    assert 0.0 < np.abs(errors).max() < 0.01
    assert np.all(errors[0] != errors[1])
