"""Wires obey the closed forms of ladders and single cells, and agree with a general sparse solver."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._nodal_solver import NodalSolver, port_matrix
from benchmarks._sparse_network import solve_block
from mho.errors import BenchError
from mho.instruments.simulated.physics import wires as wires
from mho.instruments.simulated.physics.wires import WiredBlock, series_resistance

WIRE = 1.73
LEVELS = np.array([0.3, 5, 10, 15, 20, 25, 30, 35]) * 1e-6


def draw_block(rng: np.random.Generator, rows: int, columns: int, spread: int = 1):
    """Draw cells and the unsorted numbers of their lines."""
    cells = rng.choice(LEVELS, (rows, columns))
    return cells, rng.permutation(spread * rows)[:rows], rng.permutation(spread * columns)[:columns]


def deviation(value, expected) -> float:
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def test_a_cell_alone_is_in_series_with_its_wires():
    block = WiredBlock.from_lines([[20e-6]], [6], [11], 100.0)
    expected = 1.0 / (1.0 / 20e-6 + series_resistance(6, 11, 100.0))
    assert series_resistance(6, 11, 100.0) == 1900.0
    assert block.admittance.transfer[0, 0] == pytest.approx(expected, rel=1e-14)
    assert block.admittance.row_row[0, 0] == pytest.approx(expected, rel=1e-14)
    assert NodalSolver(block).solve(1.0).row_currents[0] == pytest.approx(expected, rel=1e-14)


def test_two_cells_of_a_row_share_its_first_segment():
    near, far, wire = 1e-4, 2e-4, 500.0  # each cell with one wire below it
    branch_near, branch_far = 1 / (1 / near + wire), 1 / (1 / far + 2 * wire)
    node = (1 / wire) / (1 / wire + branch_near + branch_far)
    expected = [[node * branch_near, node * branch_far]]
    np.testing.assert_allclose(port_matrix([[near, far]], [0], [0, 1], wire), expected, rtol=1e-13)


def test_cells_on_a_diagonal_do_not_meet():
    transfer = port_matrix(np.diag([1e-4, 3e-4]), [0, 1], [0, 1], 50.0)
    expected = np.diag([1 / (1e4 + 100.0), 1 / (1e4 / 3 + 200.0)])
    np.testing.assert_allclose(transfer, expected, rtol=1e-13)


def test_a_row_is_a_ladder():
    rng = np.random.default_rng(1)
    cells = rng.choice(LEVELS, 40) * 10
    admittance = 0.0
    for g in cells[::-1]:
        admittance += 1 / (1 / g + WIRE)
        admittance = 1 / (1 / admittance + WIRE)
    block = WiredBlock.from_lines(cells[None], [0], np.arange(40), WIRE)
    assert block.admittance.row_row[0, 0] == pytest.approx(admittance, rel=1e-13)
    assert NodalSolver(block).solve(1.0).row_currents[0] == pytest.approx(admittance, rel=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (40, 30)])
def test_without_resistance_a_block_is_its_cells(shape):
    rng = np.random.default_rng(2)
    cells, rows, columns = draw_block(rng, *shape)
    block = WiredBlock.from_lines(cells, rows, columns, 0.0)
    np.testing.assert_array_equal(port_matrix(cells, rows, columns, 0.0), cells)
    np.testing.assert_allclose(block.admittance.row_row, np.diag(cells.sum(axis=1)), rtol=1e-14)
    volts = rng.uniform(-1, 1, shape[0])
    solution = NodalSolver(block).solve(volts, 0.1, nodes=True)
    np.testing.assert_allclose(
        solution.column_currents, -cells.T @ volts + 0.1 * cells.sum(axis=0), rtol=1e-12
    )
    np.testing.assert_array_equal(solution.bit_volts, np.broadcast_to(volts[:, None], shape))
    np.testing.assert_array_equal(solution.source_volts, np.full(shape, 0.1))


def test_vanishing_resistance_ends_where_none_begins():
    cells, rows, columns = draw_block(np.random.default_rng(3), 12, 12)
    drop = [np.abs(port_matrix(cells, rows, columns, r) - cells).max() / r for r in (1e-9, 1e-6, 1e-3)]
    np.testing.assert_allclose(drop, drop[0], rtol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    wire=st.floats(1e-3, 1e5),
    dead=st.floats(0.0, 1.0),
)
def test_any_block_agrees_with_a_sparse_solver(seed, rows, columns, wire, dead):
    rng = np.random.default_rng(seed)
    cells, row_lines, column_lines = draw_block(rng, rows, columns, spread=3)
    cells[rng.random(cells.shape) < dead] = 0.0
    u, w = rng.uniform(-1, 1, rows), rng.uniform(-1, 1, columns)
    expected = solve_block(cells, row_lines, column_lines, wire, u, w)
    block = WiredBlock.from_lines(cells, row_lines, column_lines, wire)
    solution = NodalSolver(block).solve(u, w, nodes=True)
    scale = np.abs(cells).sum() + 1e-30
    pairs = [
        (solution.bit_volts, expected.bit, 1.0),
        (solution.source_volts, expected.source, 1.0),
        (solution.row_currents, expected.row_currents, scale),
        (solution.column_currents, expected.column_currents, scale),
        (block.admittance.row_row @ u - block.admittance.transfer @ w, expected.row_currents, scale),
        (
            block.transposed().admittance.row_row @ w - block.admittance.transfer.T @ u,
            expected.column_currents,
            scale,
        ),
        (port_matrix(cells, row_lines, column_lines, wire), block.admittance.transfer, scale),
    ]
    for value, reference, size in pairs:
        np.testing.assert_allclose(value, reference, rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize(("wire", "most"), daily([(WIRE, 5), (100 * WIRE, 15), (2000 * WIRE, 25)], 1))
def test_iterations_stay_few_however_heavy_the_load(wire, most):
    rng = np.random.default_rng(4)
    cells, rows, columns = draw_block(rng, 96, 80)
    u, w = rng.uniform(-0.2, 0.2, 96), rng.uniform(-0.2, 0.2, 80)
    solution = NodalSolver(WiredBlock.from_lines(cells, rows, columns, wire)).solve(u, w, nodes=True)
    expected = solve_block(cells, rows, columns, wire, u, w)
    assert solution.iterations <= most
    assert deviation(solution.row_currents, expected.row_currents) < 1e-10
    assert deviation(solution.column_currents, expected.column_currents) < 1e-10
    assert deviation(solution.bit_volts, expected.bit) < 1e-10
    assert deviation(solution.source_volts, expected.source) < 1e-10


def test_columns_may_be_eliminated_in_pieces(monkeypatch):
    cells, rows, columns = draw_block(np.random.default_rng(12), 10, 23, spread=2)
    whole = WiredBlock.from_lines(cells, rows, columns, 100 * WIRE).admittance
    monkeypatch.setattr(wires, "CHUNK", 10 * 14 * 4)
    pieces = WiredBlock.from_lines(cells, rows, columns, 100 * WIRE).admittance
    np.testing.assert_allclose(pieces.transfer, whole.transfer, rtol=1e-13)
    np.testing.assert_allclose(pieces.row_row, whole.row_row, rtol=1e-13)


def test_shorted_and_open_cells_are_solved_too():
    rng = np.random.default_rng(5)
    cells, rows, columns = draw_block(rng, 48, 48)
    cells[rng.random(cells.shape) < 0.05] = 0.0
    cells[rng.random(cells.shape) < 0.01] = 0.1
    u = rng.uniform(-0.2, 0.2, 48)
    expected = solve_block(cells, rows, columns, WIRE, u, np.zeros(48))
    block = WiredBlock.from_lines(cells, rows, columns, WIRE)
    assert deviation(NodalSolver(block).solve(u).column_currents, expected.column_currents) < 1e-10
    assert deviation(-block.admittance.transfer.T @ u, expected.column_currents) < 1e-10


def test_both_ways_through_a_block_are_the_same():
    cells, rows, columns = draw_block(np.random.default_rng(6), 20, 14, spread=2)
    block = WiredBlock.from_lines(cells, rows, columns, 50 * WIRE)
    solver = NodalSolver(block)
    forth = -solver.solve(np.eye(20)).column_currents
    back = -solver.solve(0.0, np.eye(14)).row_currents
    np.testing.assert_allclose(forth, back.T, rtol=1e-9)
    np.testing.assert_allclose(forth, block.admittance.transfer, rtol=1e-9)
    np.testing.assert_allclose(block.admittance.row_row, block.admittance.row_row.T, rtol=1e-12)


def test_voltages_superpose():
    rng = np.random.default_rng(7)
    cells, rows, columns = draw_block(rng, 33, 47)
    solver = NodalSolver(WiredBlock.from_lines(cells, rows, columns, 10 * WIRE))
    u, w = rng.uniform(-1, 1, 33), rng.uniform(-1, 1, 47)
    both, one, other = solver.solve(u, w), solver.solve(u), solver.solve(0.0, w)
    np.testing.assert_allclose(
        both.row_currents, one.row_currents + other.row_currents, rtol=1e-9, atol=1e-15
    )
    batch = solver.solve(np.stack([u, 2 * u]), w)
    np.testing.assert_array_equal(batch.row_currents[0], both.row_currents)
    assert batch.column_currents.shape == (2, 47)


def test_what_the_ends_deliver_is_what_cells_and_wires_burn():
    rng = np.random.default_rng(8)
    cells = rng.choice(LEVELS, (30, 40))
    u, w = rng.uniform(-1, 1, 30), rng.uniform(-1, 1, 40)
    block = WiredBlock.from_lines(cells, np.arange(30), np.arange(40), 100 * WIRE)
    x = NodalSolver(block).solve(u, w, nodes=True)
    assert x.bit_volts is not None
    assert x.source_volts is not None
    delivered = u @ x.row_currents + w @ x.column_currents
    along_bits = np.diff(np.column_stack([u, x.bit_volts]), axis=1)
    along_sources = np.diff(np.vstack([w, x.source_volts]), axis=0)
    in_wires = ((along_bits**2).sum() + (along_sources**2).sum()) / (100 * WIRE)
    assert delivered == pytest.approx(
        (cells * (x.bit_volts - x.source_volts) ** 2).sum() + in_wires, rel=1e-11
    )
    assert x.row_currents.sum() + x.column_currents.sum() == pytest.approx(0.0, abs=1e-15)


def test_the_order_in_which_lines_are_named_does_not_matter():
    rng = np.random.default_rng(9)
    cells, rows, columns = draw_block(rng, 11, 13, spread=2)
    p, q = rng.permutation(11), rng.permutation(13)
    one = WiredBlock.from_lines(cells, rows, columns, WIRE)
    other = WiredBlock.from_lines(cells[np.ix_(p, q)], rows[p], columns[q], WIRE)
    np.testing.assert_array_equal(other.admittance.transfer, one.admittance.transfer[np.ix_(p, q)])
    np.testing.assert_array_equal(other.admittance.row_row, one.admittance.row_row[np.ix_(p, p)])
    u = rng.uniform(-1, 1, 11)
    solutions = [NodalSolver(block).solve(volts, nodes=True) for block, volts in ((one, u), (other, u[p]))]
    np.testing.assert_array_equal(solutions[1].bit_volts, solutions[0].bit_volts[np.ix_(p, q)])


def test_skipped_lines_are_longer_wires():
    cells, _, _ = draw_block(np.random.default_rng(10), 9, 7)
    close = port_matrix(cells, np.arange(9), np.arange(7), 3 * WIRE)
    apart = port_matrix(cells, 3 * np.arange(1, 10) - 1, 3 * np.arange(1, 8) - 1, WIRE)
    np.testing.assert_allclose(apart, close, rtol=1e-13)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wire_resistance": -1.0}, r"wire_resistance is -1\.0 ohm"),
        ({"wire_resistance": np.nan}, r"wire_resistance is nan ohm"),
        ({"conductance": [[1e-6, np.inf], [0, 0]]}, r"conductance at \(0, 1\) is inf S"),
        ({"conductance": [[1e-6, 0], [-2e-6, 0]]}, r"conductance at \(1, 0\) is -2e-06 S"),
        ({"conductance": [1e-6, 0]}, r"shape \(2,\)"),
        ({"rows": [0, 0]}, "row 0 is there twice"),
        ({"columns": [3, -1]}, "column -1 is negative"),
        ({"columns": [1, 2, 3]}, "3 column numbers"),
    ],
)
def test_a_block_that_cannot_be_is_refused(change, said):
    good = {"conductance": np.full((2, 2), 1e-6), "rows": [0, 1], "columns": [0, 1], "wire_resistance": WIRE}
    with pytest.raises(BenchError, match=said):
        WiredBlock.from_lines(**{**good, **change})


@pytest.mark.parametrize(
    ("volts", "said"),
    [
        ({"row_volts": [0.1, np.nan]}, "row_volts at 1 is nan V"),
        ({"row_volts": [0.1] * 3}, "row_volts has 3 values a vector, but the block has 2"),
        ({"row_volts": 0.1, "column_volts": np.inf}, "column_volts is inf V"),
    ],
)
def test_voltages_that_cannot_be_are_refused(volts, said):
    solver = NodalSolver(WiredBlock.from_lines(np.full((2, 2), 1e-6), [0, 1], [0, 1], WIRE))
    with pytest.raises(BenchError, match=said):
        solver.solve(**volts)


@pytest.mark.slow
@pytest.mark.parametrize("wire", [WIRE, 100 * WIRE])
def test_a_megabit_array_fits_in_a_gibibyte(wire):
    rng = np.random.default_rng(11)
    cells, u = rng.choice(LEVELS, (1024, 1024)), rng.uniform(-0.2, 0.2, 1024)
    tracemalloc.start()
    try:
        block = WiredBlock.from_lines(cells, np.arange(1024), np.arange(1024), wire)
        solution = NodalSolver(block).solve(u)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert solution.iterations <= 25
    assert peak < 2**30
    assert abs(solution.row_currents.sum() + solution.column_currents.sum()) < 1e-12


@pytest.mark.parametrize("shape", [(4, 32), (40, 3), (16, 16)])
def test_the_cheaper_way_round_leads_to_the_same_transfer(shape: tuple[int, int]):
    rng = np.random.default_rng(1)
    lines = np.arange(shape[0]) * 2, rng.permutation(shape[1])
    block = WiredBlock.from_lines(rng.uniform(0.0, 35e-6, shape), *lines, 1.73)
    np.testing.assert_allclose(block.transfer, block.admittance.transfer, rtol=1e-12)
