"""Schwarz preconditioners on plain arrays: their closed forms, their costs, and what overlap and a coarse level save."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, gmres

from mho.errors import ConvergenceError, InputError
from mho.procedures.equations.blocks import schwarz
from mho.procedures.equations.blocks.schwarz import Schwarz, SchwarzPlan, plan_schwarz

Floats = np.ndarray


def operator(plan: SchwarzPlan, matrix: Floats | None = None) -> Schwarz:
    """The operator of a plan with exact loops, and exact products with `matrix` for its coarse level."""
    return Schwarz(
        plan,
        lambda k, r: np.linalg.solve(plan.leaves[k], r[..., None])[..., 0],
        None if matrix is None else lambda x: x @ matrix.T,
    )


@pytest.fixture
def stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subdomains that are stretches of the unknowns in the order given."""
    monkeypatch.setattr(
        schwarz, "graph_parts", lambda pattern, count: np.array_split(np.arange(pattern.shape[0]), count)
    )


def as_matrix(inverse: Schwarz) -> Floats:
    return inverse(np.eye(inverse.plan.size)).T


def poisson(side: int) -> Floats:
    line = 2.0 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)


def sparse_dominant(n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    matrix = sparse.random_array((n, n), density=min(1.0, 3.0 / n), rng=rng).toarray() - 0.2 * np.eye(n)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + 0.5)


def selection(size: int, unknowns: Floats) -> Floats:
    return np.eye(size)[unknowns]


# --- closed forms ---


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 100))
@settings(max_examples=40)
def test_without_overlap_it_is_block_jacobi(n, leaf, seed):
    matrix = sparse_dominant(n, seed)
    plan = plan_schwarz(sparse.csr_array(matrix), leaf)
    assert len(plan.subdomains) == plan.inversions == -(-n // leaf)
    same = np.zeros((n, n), dtype=bool)
    for one in plan.subdomains:
        assert len(one.own) == len(one.unknowns) <= leaf
        same[np.ix_(one.unknowns, one.unknowns)] = True
    np.testing.assert_allclose(
        as_matrix(operator(plan)), np.linalg.inv(np.where(same, matrix, 0.0)), atol=1e-12
    )


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_it_is_the_sum_over_its_subdomains(overlap):
    matrix = poisson(6)
    plan = plan_schwarz(matrix, 18, overlap=overlap)
    expected = np.zeros((36, 36))
    for one in plan.subdomains:
        taken = selection(36, one.unknowns)
        own, back = selection(36, one.unknowns[one.own]), selection(len(one.unknowns), one.own)
        expected += own.T @ back @ np.linalg.inv(taken @ matrix @ taken.T) @ taken
    found = as_matrix(operator(plan))
    np.testing.assert_allclose(found, expected, atol=1e-13)
    assert np.allclose(found, found.T) or overlap
    assert sorted(u for one in plan.subdomains for u in one.unknowns[one.own]) == list(range(36))


def test_a_coarse_level_corrects_the_means_before_the_subdomains():
    matrix = poisson(6)
    plan = plan_schwarz(matrix, 8, coarse=True)
    groups = np.eye(plan.coarse.size)[plan.coarse.group]
    coarse = groups @ np.linalg.inv(groups.T @ matrix @ groups) @ groups.T
    subdomains = as_matrix(operator(plan_schwarz(matrix, 8)))
    expected = coarse + subdomains @ (np.eye(36) - matrix @ coarse)
    np.testing.assert_allclose(as_matrix(operator(plan, matrix)), expected, atol=1e-12)
    assert plan.inversions == len(plan.subdomains) + 1


def test_a_matrix_that_fits_on_a_loop_is_inverted_by_it():
    matrix = sparse_dominant(12, 0)
    inverse = operator(plan_schwarz(matrix, 12, overlap=3, coarse=True))
    np.testing.assert_allclose(as_matrix(inverse), np.linalg.inv(matrix), atol=1e-13)
    assert inverse.plan.coarse is None


# --- what it costs and what it is worth ---


@pytest.mark.usefixtures("stretches")
def test_inversions_are_counted_by_the_vector_and_zero_parts_left_out():
    matrix = poisson(6)
    plan = plan_schwarz(matrix, 9)
    inverse = operator(plan)
    inverse(np.ones((3, 36)))
    assert inverse.inversions == 3 * plan.inversions == 12
    inverse(np.eye(36)[5])
    assert inverse.inversions == 13


@pytest.mark.usefixtures("stretches")
def test_equal_subdomains_are_programmed_once():
    assert len(plan_schwarz(poisson(8), 8).leaves) == 1


def cycles(matrix: Floats, inverse: Schwarz) -> int:
    """Cycles of GMRES around a preconditioner to a residual of 1e-8."""
    count = 0

    def note(_: float) -> None:
        nonlocal count
        count += 1

    n = len(matrix)
    around = LinearOperator((n, n), matvec=lambda r: inverse(np.ravel(r)), dtype=float)
    rhs = np.random.default_rng(0).standard_normal(n)
    _, failed = gmres(matrix, rhs, M=around, rtol=1e-8, restart=n, callback=note, callback_type="pr_norm")
    assert not failed
    return count


def test_overlap_and_a_coarse_level_save_cycles_on_an_elliptic_problem():
    matrix = poisson(20)
    jacobi, overlapping, both = (
        cycles(matrix, operator(plan_schwarz(matrix, 32, overlap=overlap, coarse=coarse), matrix))
        for overlap, coarse in ((0, False), (1, False), (1, True))
    )
    assert both < overlapping < jacobi


def test_compact_subdomains_save_cycles_over_stretches_of_a_shuffled_grid(request):
    order = np.random.default_rng(1).permutation(256)
    matrix = poisson(16)[np.ix_(order, order)]
    compact = cycles(matrix, operator(plan_schwarz(matrix, 32)))
    request.getfixturevalue("stretches")
    assert compact < 0.7 * cycles(matrix, operator(plan_schwarz(matrix, 32)))


@pytest.mark.parametrize("leaf", range(13, 33))
def test_subdomains_fit_on_a_loop_with_their_overlap(leaf):
    sizes = [len(one.unknowns) for one in plan_schwarz(poisson(9), leaf, overlap=1).subdomains]
    assert max(sizes) <= leaf


# --- what cannot be used ---


@pytest.mark.usefixtures("stretches")
def test_a_singular_subdomain_is_named():
    matrix = np.kron(np.array([[1.0, 1.0], [1.0, 0.0]]), np.eye(3))
    with pytest.raises(ConvergenceError, match=r"subdomain 1 \(3 x 3\) is singular"):
        plan_schwarz(matrix, 3)


@pytest.mark.parametrize(
    ("matrix", "options", "said"),
    [
        (np.ones((2, 3)), {}, "shape"),
        (np.eye(2) * 1j, {}, "complex"),
        (np.diag([1.0, np.inf]), {}, "not finite"),
        (np.eye(2), {"leaf": 0}, "at least 1 and 0"),
        (np.eye(2), {"overlap": -1}, "at least 1 and 0"),
        (
            np.ones((9, 9)) + np.eye(9),
            {"leaf": 4, "overlap": 1},
            "8 others .* loop of 4: give a smaller overlap",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(matrix, options, said):
    with pytest.raises(InputError, match=said):
        plan_schwarz(matrix, **{"leaf": 1, **options})


def test_a_coarse_level_without_a_product_and_another_size_are_refused():
    plan = plan_schwarz(poisson(4), 4, coarse=True)
    with pytest.raises(InputError, match="pass `multiply`"):
        operator(plan)
    with pytest.raises(InputError, match="5 entries, the matrix 16 rows"):
        operator(plan, poisson(4))(np.ones(5))
