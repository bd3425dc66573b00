"""All of SciPy's iterative methods on the problems that SciPy tests them with, on a bench, without INV and with it.

The cases come from SciPy's own tests, which its wheels hold: matrices, right-hand sides, methods that do not suit, and
those that cannot converge. Poisson's in two dimensions, of 1,600 unknowns, has a test of its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from daily import daily
from scipy.sparse.linalg import bicg, bicgstab, cg, cgs, gcrotmk, gmres, lgmres, minres, qmr, tfqmr

import mho
import mho.extensions.linalg

scipys = pytest.importorskip("scipy.sparse.linalg._isolve.tests.test_iterative")

METHODS = {one.__name__: one for one in (bicg, bicgstab, cg, cgs, gcrotmk, gmres, lgmres, minres, qmr, tfqmr)}
CASES = {
    case.name: case
    for case in scipys.IterativeParams().cases
    if case.name != "poisson2d" and not case.name.endswith("-F")  # the same in single precision
}
TOLERANCE = 1e-8
BITS = 32
SHORT = ("nonsymposdef", "rand", "rand-cmplx")  # cases of every day
LONG = ("poisson1d", "rand-cmplx-sym-pd")
"""Cases that take ten seconds; the negative of the one, and the other without imaginary parts, are not among them."""


@cache
def dense(name: str) -> np.ndarray:
    matrix = CASES[name].A
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def residual(name: str, x: np.ndarray) -> float:
    case = CASES[name]
    return float(np.linalg.norm(case.b - dense(name) @ x) / np.linalg.norm(case.b))


@pytest.fixture(
    params=daily(
        [pytest.param(one, marks=pytest.mark.slow) if one in LONG else one for one in sorted(CASES)], SHORT
    ),
    scope="module",
)
def held(request):
    """Yield a case's name, and its matrix on a bench, the adjoint on another."""
    with mho.open_bench("arrays", seed=1) as bench, mho.open_bench("arrays", seed=2) as other:
        yield (
            request.param,
            mho.extensions.linalg.on_bench(
                CASES[request.param].A, bench, bits=BITS, adjoint_on=other, seed=0
            ),
        )


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::mho.extensions.linalg.ProductsWarning")
def test_every_method_converges_that_does_in_float64(held):
    name, on_chip = held
    case = CASES[name]
    suited = [one for one in METHODS.values() if one not in case.skip and one not in case.nonconvergence]
    assert gcrotmk in suited
    for method in suited:
        absolute = {} if method is minres else {"atol": 0.0}
        x, info = method(on_chip.operator, case.b, rtol=TOLERANCE, **absolute)
        assert (method.__name__, info) == (method.__name__, 0)
        assert residual(name, x) <= 1.5 * TOLERANCE


@pytest.mark.thorough
def test_a_flexible_method_allows_for_a_step_of_inv(held):
    name, on_chip = held
    x, info = gcrotmk(on_chip.operator, CASES[name].b, M=on_chip.preconditioner, rtol=TOLERANCE, atol=0.0)
    assert info == 0
    assert residual(name, x) <= 1.5 * TOLERANCE


@pytest.mark.thorough
def test_methods_for_a_fixed_preconditioner_find_their_way_where_the_loop_is_not_shifted(held):
    name, on_chip = held
    if on_chip.summary()["shift"] > 0.0:
        return  # they may stall
    for method in (gmres, lgmres):
        x, info = method(
            on_chip.operator, CASES[name].b, M=on_chip.preconditioner, rtol=TOLERANCE, atol=0.0, maxiter=60
        )
        assert info == 0
        assert residual(name, x) <= 1.5 * TOLERANCE


@pytest.mark.thorough
def test_a_start_and_a_right_hand_side_of_zeros(held):
    name, on_chip = held
    size = len(CASES[name].b)
    for method in (gcrotmk, gmres, lgmres, bicgstab):
        x, info = method(on_chip.operator, np.zeros(size), M=on_chip.preconditioner)
        assert info == 0
        assert not x.any()
    close = np.linalg.solve(dense(name), CASES[name].b)
    x, info = gcrotmk(on_chip.operator, CASES[name].b, x0=close, rtol=1e-6, atol=0.0)
    assert info == 0
    np.testing.assert_array_equal(x, close)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings(
    "ignore::mho.extensions.linalg.bench_matrix.ProductsWarning"
)  # 1,600 unknowns go by blocks
def test_poissons_equation_in_two_dimensions():
    case = next(case for case in scipys.IterativeParams().cases if case.name == "poisson2d")
    matrix, b = case.A.toarray(), case.b
    with mho.open_bench("arrays", seed=1) as bench:
        on_chip = mho.extensions.linalg.on_bench(matrix, bench, seed=0)
        for method, precondition in ((cg, None), (gcrotmk, on_chip.preconditioner)):
            x, info = method(on_chip.operator, b, M=precondition, rtol=1e-5, atol=0.0)
            assert info == 0
            assert np.linalg.norm(b - matrix @ x) <= 1.5e-5 * np.linalg.norm(b)


def test_singular_ones_are_refused():
    neumann = np.diag([1.0, 2.0, 2.0, 1.0]) - np.eye(4, k=1) - np.eye(4, k=-1)
    with mho.open_bench("arrays", seed=1) as bench, pytest.raises(mho.MhoError, match="singular"):
        mho.extensions.linalg.on_bench(neumann, bench, seed=0)
