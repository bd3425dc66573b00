"""A matrix held on a chip: what it answers is what NumPy answers, real and complex, one vector and many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from daily import daily
from scipy.linalg import hadamard

from mho.errors import ConvergenceError, InputError
from mho.instruments import open_bench
from mho.procedures.equations.held_matrix import HeldMatrix
from mho.procedures.equations.solve.programmed_matrix import ProgrammedMatrix

RNG = np.random.default_rng(5)
REAL = RNG.standard_normal((6, 6)) + 5.0 * np.eye(6)
COMPLEX = REAL[:4, :4] + 1j * RNG.standard_normal((4, 4))


@pytest.fixture(scope="module")
def bench():
    with open_bench("arrays", seed=1) as bench:
        yield bench


def vectors(n: int, count: int | None, complex_: bool) -> np.ndarray:
    shape = (n,) if count is None else (n, count)
    values = RNG.standard_normal(shape)
    return values + 1j * RNG.standard_normal(shape) if complex_ else values


@pytest.mark.parametrize(
    ("matrix", "rhs", "count"),
    daily(
        itertools.product(["real", "complex"], ["real", "complex"], [None, 1, 3, 9]),
        [("real", "real", None), ("real", "complex", 3), ("complex", "real", 3)],
    ),
)
def test_solutions_have_the_bits_that_are_proved(bench, matrix: str, rhs: str, count: int | None):
    given = REAL if matrix == "real" else COMPLEX
    b = vectors(len(given), count, rhs == "complex")
    found = HeldMatrix.programmed(given, bench).solve(b, bits=20)
    exact = np.linalg.solve(given, b)
    assert found.solutions.shape == exact.shape
    assert np.iscomplexobj(found.solutions) == np.iscomplexobj(exact)
    columns = 1 if count is None else count
    assert found.converged.shape == (columns,)
    assert found.converged.all()
    assert (found.bits >= 20.0).all()
    off = np.linalg.norm((found.solutions - exact).reshape(len(given), -1), axis=0)
    length = np.linalg.norm(exact.reshape(len(given), -1), axis=0)
    assert (off <= 2.0**-19 * length).all()
    residual = np.linalg.norm((b - given @ found.solutions).reshape(len(given), -1), axis=0)
    np.testing.assert_allclose(
        found.residuals, residual / np.linalg.norm(b.reshape(len(given), -1), axis=0), rtol=1e-6
    )


def test_cycles_of_the_published_loop_gain_bits_each(bench):
    held = HeldMatrix.programmed(COMPLEX, bench)
    b = vectors(4, 6, True)
    found = held.solve(b, cycles=4)
    exact = np.linalg.solve(COMPLEX, b)
    errors = [np.linalg.norm(one - exact) / np.linalg.norm(exact) for one in found.each]
    assert all(later < 0.5 * before for before, later in itertools.pairwise(errors))
    np.testing.assert_array_equal(found.solutions, found.each[-1])
    assert not found.converged.any()
    assert (found.cycles == 4).all()


@pytest.mark.parametrize("matrix", [REAL, COMPLEX], ids=["real", "complex"])
def test_its_condition_number_is_told(bench, matrix):
    found = HeldMatrix.programmed(matrix, bench).summary()["condition"]
    assert found == pytest.approx(np.linalg.cond(matrix), rel=1e-9)


def test_the_last_of_so_many_cycles_takes_no_product(bench):
    held = HeldMatrix.programmed(REAL, bench)
    held.solve(np.ones((6, 2)), cycles=1)
    assert held.summary()["products"] == 0
    held.solve(np.ones((6, 2)), cycles=1, method="line search")
    assert held.summary()["products"] > 0


def test_one_step_is_near_and_products_are_as_accurate_as_their_bits(bench):
    held = HeldMatrix.programmed(REAL, bench)
    x = vectors(6, 5, False)
    b = REAL @ x
    assert 0.0 < np.linalg.norm(held.invert(b) - x) < 0.3 * np.linalg.norm(x)
    assert np.linalg.norm(held.multiply(x) - b) < 1e-6 * np.linalg.norm(b)
    assert 1e-4 < np.linalg.norm(held.multiply(x, bits=6) - b) / np.linalg.norm(b) < 0.05
    assert held.multiply(x[:, 0]).shape == (6,)


def test_many_products_are_those_of_one_after_the_other(bench):
    held = HeldMatrix.programmed(REAL, bench)
    x = vectors(6, 4, False)
    together = held.multiply(x, bits=10)
    alone = np.stack([held.multiply(one, bits=10) for one in x.T], axis=1)
    assert held.summary()["mvm_wrong"] == 0
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)


def test_zeros_are_answered_by_zeros(bench):
    held = HeldMatrix.programmed(REAL, bench)
    b = vectors(6, 5, False)
    b[:, 2] = 0.0
    found = held.solve(b, bits=16)
    assert found.converged.all()
    assert not found.solutions[:, 2].any()
    assert found.residuals[2] == 0.0
    assert not held.solve(np.zeros(6), cycles=2).solutions.any()
    assert not held.multiply(np.zeros(6)).any()
    assert not held.invert(np.zeros(6)).any()


def test_a_matrix_beyond_a_loop_is_held_by_blocks(bench):
    matrix = RNG.standard_normal((12, 12)) + 12.0 * np.eye(12)
    held = HeldMatrix.programmed(matrix, bench, leaf=4)
    b = matrix @ vectors(12, 6, False)
    found = held.solve(b, bits=20)
    assert found.converged.all()
    assert not held.products_on_chip
    np.testing.assert_allclose(matrix @ found.solutions, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())
    assert held.solve(b, cycles=2).residuals.max() < 0.1
    assert np.linalg.norm(matrix @ held.invert(b[:, 0]) - b[:, 0]) < 0.5 * np.linalg.norm(b[:, 0])


@pytest.mark.thorough
def test_at_the_wire_it_answers_the_same(tmp_path):
    with open_bench("simulated", seed=2) as bench:
        held = HeldMatrix.programmed(REAL[:3, :3], bench, bits=12)
        b = vectors(3, 5, False)
        found = held.solve(b)
        assert found.converged.all()
        exact = np.linalg.solve(REAL[:3, :3], b)
        assert np.linalg.norm(found.solutions - exact) < 2.0**-11 * np.linalg.norm(exact)
        assert held.summary()["pulses"] > 0


def test_what_cannot_be_held_or_asked_is_refused(bench):
    with pytest.raises(InputError, match="4 rows and 3 columns"):
        HeldMatrix.programmed(np.ones((4, 3)), bench)
    with pytest.raises(InputError, match="singular"):
        HeldMatrix.programmed(np.ones((4, 4)), bench)
    held = HeldMatrix.programmed(REAL, bench)
    for wrong in (np.ones(5), np.ones((6, 2, 2)), np.array(["a"] * 6), np.full(6, np.nan)):
        with pytest.raises(InputError, match="vectors"):
            held.solve(wrong)
    with pytest.raises(InputError, match="cycles is 0"):
        held.solve(np.ones(6), cycles=0)
    with pytest.raises(InputError, match="bits"):
        held.solve(np.ones(6), bits=60)


@pytest.mark.parametrize("effort", daily(["one-step", "integers", "refined leaves"], ["one-step"]))
def test_columns_of_a_matrix_by_blocks_are_answered_together_as_each_alone(bench, effort: str):
    matrix = RNG.standard_normal((12, 12)) + 8.0 * np.eye(12)
    held = HeldMatrix.programmed(matrix, bench, bits=12, leaf=4, effort=effort)
    rhs = RNG.standard_normal((12, 6))
    rhs[:, 2] = 0.0
    rhs[:6, 3] = 0.0  # a part that plays nothing in the first leaf
    before = held.summary()["inversions"]
    together = held.invert(rhs)
    between = held.summary()["inversions"]
    alone = np.stack([held.invert(one) for one in rhs.T], axis=1)
    exact = np.linalg.solve(matrix, rhs)
    assert not together[:, 2].any()
    for found in (together, alone):
        off = np.linalg.norm(found - exact, axis=0)
        assert (off <= 0.2 * np.linalg.norm(exact, axis=0)).all()
    if effort != "refined leaves":  # there a batch goes on until its worst vector is good enough
        assert between - before == held.summary()["inversions"] - between


@pytest.mark.parametrize("count", [None, 5])
def test_a_loop_that_rails_later_is_shifted_without_a_pulse(bench, monkeypatch, count):
    held = HeldMatrix.programmed(REAL, bench)
    before = held.summary()
    rails = iter((True, False))
    columns = ProgrammedMatrix.invert_columns

    def moved(matrix, residuals):
        if next(rails, False):
            raise ConvergenceError("the INV loop rails")
        return columns(matrix, residuals)

    monkeypatch.setattr(ProgrammedMatrix, "invert_columns", moved)
    b = vectors(6, count, False)
    off = np.linalg.norm(held.invert(b) - np.linalg.solve(REAL, b)) / np.linalg.norm(np.linalg.solve(REAL, b))
    assert off < 0.9
    after = held.summary()
    assert after["shift"] > before["shift"]
    assert after["pulses"] == before["pulses"]
    assert held.solve(b).converged.all()


def test_a_loop_that_never_settles_is_given_up(bench, monkeypatch):
    held = HeldMatrix.programmed(REAL, bench)

    def moved(matrix, residuals):
        raise ConvergenceError("the INV loop rails")

    monkeypatch.setattr(ProgrammedMatrix, "invert_columns", moved)
    with pytest.raises(ConvergenceError, match="neither did 12 other loops settle"):
        held.invert(np.ones(6))


def test_it_is_held_against_gcr_without_the_chip_and_a_direct_solve(bench):
    held = HeldMatrix.programmed(REAL, bench)
    assert set(held.worth()) == {"multiplications"}
    found = held.solve(vectors(6, 9, False), bits=20)
    worth = held.worth()
    without = worth["without_chip"]
    assert without["cycles_with"] == found.cycles[[0, 3, 5, 8]].mean()  # these stand for all
    assert 4 <= without["cycles"] <= 7  # of six unknowns, GCR ends within six, but for rounding
    assert without["right_hand_sides"] == 4
    direct = worth["direct"]
    assert direct["method"] == "LU"
    assert direct["digital"] == 70 + 9 * 36  # n (n^2 - 1) / 3, and n^2 each
    digital = worth["multiplications"]["digital"]
    assert direct["digital_with"] == sum(digital.values()) - digital["certificate"]


def test_right_hand_sides_of_all_that_are_asked_for_at_once_stand_for_them(bench):
    turn = hadamard(4) / 2.0
    held = HeldMatrix.programmed(turn @ np.diag([1.0, 2.0, 4.0, 5.0]) @ turn.T, bench)
    rhs = np.tile(turn[:, :1], 10)
    rhs[:, 7:] = turn @ np.ones((4, 1))
    held.solve(rhs, bits=20)
    taken = [one.cycles for one in held.sampled_worth().solves]
    assert taken == [1, 1, 1, 4]  # one eigenvector is one cycle; the last column has four


def test_what_shows_the_loop_counts_for_nothing_that_the_chip_was_worth(bench):
    held = HeldMatrix.programmed(REAL, bench)
    before = held.worth()
    with held.showing():
        held.solve(np.ones((6, 3)), cycles=3, method="line search")
        held.solve(np.ones(6), bits=20)
        held.invert(np.ones(6))
    after = held.worth()
    assert "without_chip" not in after
    assert "direct" not in after
    assert after["multiplications"]["chip"] == before["multiplications"]["chip"]
    assert held.summary()["answered"] == 4
    assert held.summary()["inversions"] > 9
    held.solve(np.ones(6), bits=20)
    assert held.worth()["without_chip"]["right_hand_sides"] == 1


def test_cycles_of_the_published_loop_are_held_against_gcr_to_the_same_residual(bench):
    held = HeldMatrix.programmed(REAL, bench)
    b = vectors(6, None, False)
    few, many = held.solve(b, cycles=1), held.solve(b, cycles=4)
    solves = held.sampled_worth().solves
    assert 1 <= solves[0].cycles < solves[1].cycles <= 7
    assert few.residuals[0] > many.residuals[0]
