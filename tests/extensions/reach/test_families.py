"""The families of systems that reach is counted over: each is what its name says, at every size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import circulant, toeplitz

from mho.extensions.reach.families import APPLIED, BASIC, FAMILIES, NUGGET, RIDGE, STRUCTURED, draw

SIZES = (1, 2, 3, 4, 8)
COMPLEX = {"complex Gram", "complex dominant", "Fourier", "MMSE", "square channel"}
SYMMETRIC = {
    "Gram", "condition 100", "arrowhead", "saddle point", "Poisson 1-D", "Poisson 2-D", "Helmholtz", "graph Laplacian",
    "kriging", "ridge regression", "MMSE",
}  # fmt: skip
DEFINITE = SYMMETRIC - {"arrowhead", "saddle point", "Helmholtz"}


def matrix(family: str, n: int = 8, seed: int = 3) -> np.ndarray:
    return draw(family, n, seed).matrix


def dominance(found: np.ndarray) -> float:
    """Return by how much the diagonal exceeds the rest of its row, at least."""
    sizes = np.abs(found)
    return float((2.0 * np.diag(sizes) - sizes.sum(axis=1)).min())


def test_there_are_36_and_the_first_twelve_are_those_of_the_verdicts():
    assert len(FAMILIES) == len(BASIC) + len(STRUCTURED) + len(APPLIED) == 36
    assert list(FAMILIES)[:12] == list(BASIC)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_regular_at_every_size(family):
    for n in SIZES:
        system = draw(family, n, 0)
        size = max(n // 2, 1) if family in COMPLEX else n
        assert system.matrix.shape == (size, size)
        assert system.rhs.shape == (size,)
        assert np.iscomplexobj(system.matrix) == np.iscomplexobj(system.rhs) == (family in COMPLEX)
        assert np.isfinite(system.matrix).all()
        assert system.condition < 1e12


@pytest.mark.parametrize("family", sorted(SYMMETRIC))
def test_a_symmetric_one_is_symmetric_and_the_definite_ones_definite(family):
    found = matrix(family)
    np.testing.assert_allclose(found, found.conj().T, atol=1e-15)
    assert bool((np.linalg.eigvalsh(found) > 0.0).all()) == (family in DEFINITE)


@pytest.mark.parametrize(("family", "condition"), [("general 100", 1e2), ("general 1e3", 1e3)])
def test_a_general_one_has_its_condition_number_and_no_symmetry(family, condition):
    found = matrix(family)
    assert np.linalg.cond(found) == pytest.approx(condition)
    assert np.abs(found - found.T).max() > 0.01


def test_toeplitz_and_circulant_repeat_along_their_diagonals():
    filtering, blur = matrix("Toeplitz"), matrix("circulant")
    assert np.array_equal(filtering, toeplitz(filtering[:, 0], filtering[0]))
    assert np.array_equal(blur, circulant(blur[:, 0]))
    np.testing.assert_allclose(blur.sum(axis=1), 1.0)


def test_triangular_and_arrowhead_have_their_zeros():
    assert not np.triu(matrix("triangular"), 1).any()
    inside = matrix("arrowhead")[1:, 1:]
    assert not (inside - np.diag(np.diag(inside))).any()


def test_sparse_has_about_three_entries_a_row():
    found = matrix("sparse", 32)
    assert 2 * 32 < np.count_nonzero(found) < 4 * 32


def test_fourier_keeps_lengths():
    found = matrix("Fourier")
    np.testing.assert_allclose(found @ found.conj().T, np.eye(4), atol=1e-14)


def test_vandermonde_holds_powers():
    found = matrix("Vandermonde")
    np.testing.assert_allclose(found[:, 3], found[:, 1] ** 3)
    assert np.linalg.cond(matrix("Vandermonde", 32)) > 1e8


def test_permuted_is_dominant_in_another_order():
    found = matrix("permuted")
    assert dominance(found) < 0.0 < dominance(found[np.argsort(np.abs(found).argmax(axis=1))])


def test_badly_scaled_is_so_by_its_units_alone():
    found = matrix("badly scaled")
    assert np.linalg.cond(found) > 1e4
    for _ in range(20):
        found = found / np.abs(found).max(axis=1, keepdims=True)
        found = found / np.abs(found).max(axis=0)
    assert np.linalg.cond(found) < 20.0


def test_skew_dominant_turns_more_than_it_stretches():
    values = np.linalg.eigvals(matrix("skew dominant"))
    np.testing.assert_allclose(values.real, 1.0)
    assert np.abs(values.imag).max() > 2.0


def test_saddle_point_has_no_entry_for_its_multipliers():
    found = matrix("saddle point")
    assert not found[6:, 6:].any()
    assert (np.linalg.eigvalsh(found) < 0.0).sum() == 2


def test_poisson_and_graph_conserve_what_flows():
    line = matrix("Poisson 1-D")
    assert not np.triu(line, 2).any()
    np.testing.assert_allclose(line[1:-1].sum(axis=1), 0.0, atol=1e-14)
    np.testing.assert_allclose(matrix("graph Laplacian").sum(axis=1), RIDGE)
    assert np.count_nonzero(matrix("Poisson 2-D")[0]) == 3


def test_chains_lose_no_probability():
    pagerank, markov = matrix("PageRank"), matrix("Markov")
    np.testing.assert_allclose(pagerank.sum(axis=0), 0.15)
    steady = np.linalg.solve(markov, np.eye(8)[-1])
    assert steady.sum() == pytest.approx(1.0)
    assert (steady > 0.0).all()


def test_a_covariance_has_its_variance_on_the_diagonal():
    np.testing.assert_allclose(np.diag(matrix("kriging")), 1.0 + NUGGET)


def test_the_noise_of_mmse_lies_below_its_eigenvalues():
    assert np.linalg.eigvalsh(matrix("MMSE")).min() > 0.1
