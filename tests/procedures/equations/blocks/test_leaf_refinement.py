"""Leaves refined before they are used: each step minimises the residual, and costs one INV and one MVM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.procedures.equations.blocks.block_inverse import BlockInverse, RefinedLeaves
from mho.procedures.equations.blocks.block_plan import plan_blocks

Floats = np.ndarray


def leaves(matrix: Floats, achieved: Floats, steps: int) -> RefinedLeaves:
    inverse = np.linalg.inv(achieved)
    return RefinedLeaves(lambda k, r: r @ inverse.T, lambda k, v: v @ matrix.T, steps)


def system(seed: int, error: float, n: int = 6) -> tuple[Floats, Floats, Floats]:
    """A leaf, what its loop holds, and a right-hand side."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, n)) + 2.0 * np.eye(n)
    return matrix, matrix + error * rng.standard_normal((n, n)), rng.standard_normal(n)


@given(st.integers(0, 1000), st.sampled_from([0.03, 0.3, 3.0]), st.integers(1, 5))
@settings(max_examples=60)
def test_steps_minimise_the_residual_over_what_they_span(seed, error, steps):
    matrix, achieved, rhs = system(seed, error)
    found = leaves(matrix, achieved, steps)(0, rhs)
    power, span = np.linalg.inv(achieved), []
    for _ in range(steps):  # the Krylov space of A0^-1 A and A0^-1 r
        span.append(power @ rhs / np.linalg.norm(power @ rhs))
        power = np.linalg.inv(achieved) @ matrix @ power
    basis = np.linalg.qr(np.column_stack(span))[0]
    best = np.linalg.lstsq(matrix @ basis, rhs)[0]
    least = np.linalg.norm(rhs - matrix @ basis @ best)
    assert np.linalg.norm(rhs - matrix @ found) == pytest.approx(
        least, rel=1e-4, abs=1e-8 * np.linalg.norm(rhs)
    )


def test_as_many_steps_as_rows_are_exact_whatever_the_loop_holds():
    matrix, achieved, rhs = system(1, 3.0)
    np.testing.assert_allclose(leaves(matrix, achieved, 6)(0, rhs), np.linalg.solve(matrix, rhs), rtol=1e-8)


def test_a_batch_is_solved_as_its_vectors_one_by_one_and_counted_so():
    matrix, achieved, _ = system(2, 0.3)
    batch = np.random.default_rng(0).standard_normal((4, 6))
    batch[2] = 0.0
    together, apart = leaves(matrix, achieved, 3), leaves(matrix, achieved, 3)
    np.testing.assert_allclose(together(0, batch), [apart(0, vector) for vector in batch], rtol=1e-10)
    assert (together.inversions, together.products) == (12, 12)
    assert (apart.inversions, apart.products) == (9, 9)


def test_a_second_inversion_of_each_leaf_saves_more_cycles_than_it_costs():
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.standard_normal((128, 128)))[0]
    matrix = turn @ np.diag(np.geomspace(1.0, 1e-3, 128)) @ turn.T
    plan = plan_blocks(matrix, 16)
    inverses = [
        np.linalg.inv(leaf + 0.01 * leaf.std() * rng.standard_normal(leaf.shape)) for leaf in plan.leaves
    ]

    def contraction(steps: int) -> float:
        """Share of the residual that one application leaves, over 16 right-hand sides."""
        refined = RefinedLeaves(lambda k, r: r @ inverses[k].T, lambda k, v: v @ plan.leaves[k].T, steps)
        inverse = BlockInverse(
            plan, refined, lambda ks, vs: [v @ plan.blocks[k].T for k, v in zip(ks, vs, strict=True)]
        )
        rhs = np.random.default_rng(0).standard_normal((16, 128))
        return float(np.linalg.norm(rhs - inverse(rhs) @ matrix.T) / np.linalg.norm(rhs))

    assert contraction(2) < contraction(1) ** 2


@pytest.mark.parametrize("tolerance", [0.3, 1e-2, 1e-3])
def test_steps_end_when_the_residual_is_small_enough(tolerance):
    matrix, achieved, rhs = system(3, 0.1)
    inverse = np.linalg.inv(achieved)
    refined = RefinedLeaves(lambda k, r: r @ inverse.T, lambda k, v: v @ matrix.T, 20, tolerance=tolerance)
    batch = np.stack([rhs, 1e-6 * matrix @ rhs, 0.0 * rhs])

    def left(found: Floats) -> Floats:
        return np.linalg.norm(batch - found @ matrix.T, axis=-1)

    assert (left(refined(0, batch)) <= tolerance * np.linalg.norm(batch, axis=-1)).all()
    steps = refined.inversions // 3
    assert 1 <= steps <= 5
    if steps > 1:
        earlier = left(leaves(matrix, achieved, steps - 1)(0, batch))
        assert (earlier > tolerance * np.linalg.norm(batch, axis=-1)).any()


@pytest.mark.parametrize(("steps", "tolerance"), [(0, 0.0), (2, -0.1), (2, 1.0), (2, float("nan"))])
def test_steps_and_tolerances_that_cannot_be_are_refused(steps, tolerance):
    with pytest.raises(InputError, match="at least 1 step"):
        RefinedLeaves(lambda k, r: r, lambda k, v: v, steps, tolerance=tolerance)
