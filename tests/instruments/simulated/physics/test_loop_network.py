"""The INVERT loop with wires, finite gain and inverters agrees with the textbook and with a sparse solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._loop_solver import LoopSolver
from benchmarks._sparse_network import solve_loop
from mho.errors import BenchError, ConvergenceError
from mho.instruments.simulated.physics.wires import WiredBlock

WIRE = 1.73
GAIN = 5e4
INPUT = 1e-4


def signed_cells(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a well-conditioned matrix, split into a positive and a negative array, S."""
    matrix = np.eye(n) + 0.3 * rng.standard_normal((n, n)) / np.sqrt(n)
    matrix *= 35e-6 / np.abs(matrix).max()
    return np.maximum(matrix, 0.3e-6), np.maximum(-matrix, 0.3e-6)


class Case:
    """One loop, as ours and as the sparse solver's."""

    def __init__(
        self, seed: int, n: int, wire: float, *, differential: bool, spread: int = 1, second: bool = False
    ) -> None:
        rng = np.random.default_rng(seed)
        self.cells = signed_cells(rng, n) if differential else (rng.uniform(0.3e-6, 35e-6, (n, n)),)
        if second:
            self.cells += tuple(rng.uniform(0.3e-6, 35e-6, (2, n, n)))
        self.lines = rng.permutation(spread * n)[:n], rng.permutation(spread * n)[:n]
        self.wire = wire
        self.errors = 1e-2 * rng.standard_normal(n)
        self.drives = [np.ones(n), -1 - self.errors, (1 + self.errors) / 16, -(1 - self.errors) / 16]
        self.inputs, self.offsets = rng.uniform(-0.1, 0.1, (3, n)), 8e-4 * rng.standard_normal(n)
        ballast = 0.0 if differential else 35e-6 * np.sqrt(n)
        self.parts = {
            "input_conductance": INPUT * (1 + 0.01 * rng.standard_normal(n)),
            "diagonal": ballast + 5e-6 * rng.random(n),
            "gain": GAIN,
        }

    def loop(self) -> LoopSolver:
        blocks = [WiredBlock.from_lines(cells, *self.lines, self.wire) for cells in self.cells]
        return LoopSolver(list(zip(blocks, self.drives, strict=False)), **self.parts)

    def expected(self, sample: int) -> np.ndarray:
        arrays = list(zip(self.cells, self.drives, strict=False))
        inputs, offsets = self.inputs[sample], self.offsets
        return solve_loop(arrays, *self.lines, self.wire, inputs=inputs, offsets=offsets, **self.parts)[0]


def deviation(value, expected) -> float:
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def test_an_ideal_loop_inverts_the_matrix():
    positive, negative = signed_cells(np.random.default_rng(1), 24)
    lines = np.arange(24)
    blocks = [WiredBlock.from_lines(cells, lines, lines, 0.0) for cells in (positive, negative)]
    loop = LoopSolver(list(zip(blocks, (1.0, -1.0), strict=True)), input_conductance=INPUT)
    inputs = np.random.default_rng(2).uniform(-0.1, 0.1, (5, 24))
    expected = -np.linalg.solve(positive - negative, INPUT * inputs.T).T
    np.testing.assert_allclose(loop.solve(inputs), expected, rtol=1e-10)


@pytest.mark.parametrize("n", [8, 100])
def test_finite_gain_and_offsets_load_the_rows(n):
    rng = np.random.default_rng(3)
    cells, offsets = np.diag(np.full(n, 30e-6)) + rng.uniform(0, 10e-6 / n, (n, n)), rng.normal(0, 1e-3, n)
    inputs = rng.uniform(-0.1, 0.1, (1, n))
    loop = LoopSolver(
        [(WiredBlock.from_lines(cells, np.arange(n), np.arange(n), 0.0), 1.0)],
        input_conductance=INPUT,
        gain=100.0,
    )
    load = np.diag(cells.sum(axis=1) + INPUT)
    expected = np.linalg.solve(cells + load / 100.0, load @ offsets - INPUT * inputs[0])
    np.testing.assert_allclose(loop.solve(inputs, offsets)[0], expected, rtol=1e-10)


def test_one_amplifier_by_hand():
    block = WiredBlock.from_lines([[20e-6]], [0], [0], 1000.0)
    loop = LoopSolver([(block, 1.0)], input_conductance=10e-6, diagonal=5e-6, gain=50.0)
    feedback = 1 / (1 / 20e-6 + 2000.0) + 5e-6
    load = feedback + 10e-6
    expected = (-10e-6 * 0.1 + load * 2e-3) / (feedback + load / 50.0)
    assert loop.solve([[0.1]], 2e-3)[0, 0] == pytest.approx(expected, rel=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    wire=st.floats(1e-2, 1e3),
    arrays=st.sampled_from([1, 2, 4]),
)
def test_any_small_loop_agrees_with_a_sparse_solver(seed, n, wire, arrays):
    case = Case(seed, n, wire, differential=arrays > 1, second=arrays > 2, spread=2)
    assert deviation(case.loop().solve(case.inputs, case.offsets)[0], case.expected(0)) < 1e-10


@pytest.mark.thorough
@pytest.mark.parametrize("arrays", [1, 2, 4])
@pytest.mark.parametrize("wire", [WIRE, 100 * WIRE])
def test_a_large_loop_agrees_with_a_sparse_solver(arrays, wire):
    case = Case(4, 90, wire, differential=arrays > 1, second=arrays > 2, spread=2)
    loop = case.loop()
    outputs = loop.solve(case.inputs, case.offsets)
    assert "_dense" not in vars(loop), "a few vectors should not need the admittances"
    for sample in range(3):
        assert deviation(outputs[sample], case.expected(sample)) < 1e-10


def test_many_vectors_go_through_the_admittances_and_agree():
    case = Case(5, 70, WIRE, differential=True)
    loop = case.loop()
    few = loop.solve(case.inputs, case.offsets)
    many = loop.solve(np.tile(case.inputs, (10, 1)), case.offsets)
    assert "_dense" in vars(loop)
    np.testing.assert_allclose(many[-3:], few, rtol=1e-10, atol=1e-12)


def test_admittances_that_are_there_are_used():
    case = Case(5, 70, WIRE, differential=False)
    loop = case.loop()
    assert loop.matrix().shape == loop.load().shape == (70, 70)
    outputs = loop.solve(case.inputs, case.offsets)
    assert "_sweeps" not in vars(loop)
    np.testing.assert_allclose(outputs, case.loop().solve(case.inputs, case.offsets), rtol=1e-10, atol=1e-12)


def test_no_current_is_left_over_at_the_amplifiers_inputs():
    case = Case(6, 20, 50 * WIRE, differential=True)
    loop = case.loop()
    outputs = loop.solve(case.inputs, case.offsets)
    rows = case.offsets - outputs / GAIN
    into = case.parts["input_conductance"] * case.inputs + outputs @ loop.matrix().T - rows @ loop.load().T
    np.testing.assert_allclose(into, 0.0, atol=1e-12 * INPUT)


def test_inputs_that_do_nothing_leave_the_offsets_alone():
    case = Case(7, 80, WIRE, differential=False)
    assert not case.loop().solve(np.zeros((1, 80))).any()
    assert case.loop().solve(np.zeros((0, 80))).shape == (0, 80)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gain": 0.0}, r"gain is 0\.0"),
        ({"gain": np.nan}, "gain is nan"),
        ({"diagonal": -1e-6}, "diagonal is -1e-06 S"),
        ({"input_conductance": [1e-4, np.inf]}, "input_conductance at 1 is inf S"),
        ({"drive": [1.0, 1.0, 1.0]}, r"drive of array 0 has shape \(3,\)"),
        ({"drive": np.nan}, "drive of array 0 is nan; give"),
    ],
)
def test_parts_that_cannot_be_are_refused(change, said):
    block = WiredBlock.from_lines(np.eye(2) * 1e-5, [0, 1], [0, 1], WIRE)
    parts = {"drive": 1.0, "input_conductance": INPUT, **change}
    arrays = [(block, parts.pop("drive"))]
    with pytest.raises(BenchError, match=said):
        LoopSolver(arrays, **parts)


def test_arrays_that_do_not_match_are_refused():
    square, wide = (WiredBlock.from_lines(np.ones((2, n)), [0, 1], range(n), WIRE) for n in (2, 3))
    with pytest.raises(BenchError, match="array 0 has 2 x 3 cells"):
        LoopSolver([(wide, 1.0)], input_conductance=INPUT)
    with pytest.raises(BenchError, match="array 1 has 2 x 3 cells"):
        LoopSolver([(square, 1.0), (wide, -1.0)], input_conductance=INPUT)


def test_voltages_that_cannot_be_are_refused():
    block = WiredBlock.from_lines(np.eye(2), [0, 1], [0, 1], WIRE)
    loop = LoopSolver([(block, 1.0)], input_conductance=INPUT)
    with pytest.raises(BenchError, match=r"input_volts at \(0, 1\) is inf V"):
        loop.solve([[0.0, np.inf]])
    with pytest.raises(BenchError, match=r"input_volts has shape \(2,\)"):
        loop.solve([0.0, 0.1])
    with pytest.raises(BenchError, match="offsets is nan V"):
        loop.solve([[0.0, 0.1]], np.nan)


@pytest.mark.parametrize("n", [2, 80])
def test_a_loop_without_a_solution_says_so(n):
    block = WiredBlock.from_lines(np.zeros((n, n)), np.arange(n), np.arange(n), WIRE)
    with pytest.raises(ConvergenceError, match="singular at row 0"):
        LoopSolver([(block, 1.0)], input_conductance=INPUT).solve(np.full((1, n), 0.1))
