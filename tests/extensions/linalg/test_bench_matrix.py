"""SciPy's solvers, and a stranger's, on a bench: all families of problems come to their tolerance, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from scipy.sparse import csr_array
from scipy.sparse.linalg import (
    aslinearoperator,
    bicg,
    bicgstab,
    cg,
    eigsh,
    gcrotmk,
    gmres,
    lgmres,
    lsqr,
    minres,
)

import mho
import mho.extensions.linalg
from benchmarks._krylov_problems import Problem, advection, fgmres, poisson_1d, poisson_2d, problems
from mho.errors import BenchError, ConvergenceError, InputError
from mho.extensions.linalg.holding import converged
from mho.procedures import HeldAnswers

PROBLEMS = problems()
NAMES = sorted(PROBLEMS)
TOLERANCE = 1e-7


def residual(problem: Problem, x: np.ndarray) -> float:
    return float(np.linalg.norm(problem.rhs - problem.matrix @ x) / np.linalg.norm(problem.rhs))


@pytest.fixture(params=daily(NAMES, 3), scope="module")
def held(request):
    """Yield a problem, and its matrix on a bench."""
    problem = PROBLEMS[request.param]
    with mho.open_bench("arrays", seed=3) as bench:
        yield problem, mho.extensions.linalg.on_bench(problem.matrix, bench, seed=0)


@pytest.mark.thorough
def test_products_are_those_of_the_matrix(held):
    problem, on_chip = held
    assert on_chip.operator.dtype == problem.matrix.dtype
    x = np.random.default_rng(1).standard_normal((len(problem.rhs), 3))
    exact = problem.matrix @ x
    off = np.linalg.norm(on_chip.operator @ x - exact) / np.linalg.norm(exact)
    assert off < 2.0**-22
    np.testing.assert_array_equal(on_chip.operator @ x[:, 0], on_chip.operator.matmat(x[:, :1])[:, 0])


def test_one_step_of_inv_is_an_approximate_inverse_and_not_twice_the_same(held):
    problem, on_chip = held
    exact = np.linalg.solve(problem.matrix, problem.rhs)
    once, twice = (on_chip.preconditioner @ problem.rhs for _ in range(2))
    shifted = on_chip.summary()["shift"] > 0.0  # the loop holds A + s I
    assert np.linalg.norm(once - exact) < (1.2 if shifted else 0.9) * np.linalg.norm(exact)
    assert 0.0 < np.linalg.norm(once - twice) < 0.2 * np.linalg.norm(exact)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("solver", "preconditioned"),
    [(gcrotmk, False), (gcrotmk, True), (gmres, False), (lgmres, True)],
    ids=["gcrotmk", "gcrotmk with INV", "gmres", "lgmres with INV"],
)
def test_general_methods_of_scipy(held, solver, preconditioned):
    problem, on_chip = held
    step = on_chip.preconditioner if preconditioned else None
    x, info = solver(on_chip.operator, problem.rhs, M=step, rtol=TOLERANCE, atol=0.0)
    assert info == 0
    assert residual(problem, x) < 1.5 * TOLERANCE


@pytest.mark.thorough
def test_methods_of_scipy_for_some_matrices(held):
    problem, on_chip = held
    suited = [bicgstab]
    suited += [cg] if problem.positive else []
    suited += [minres] if problem.hermitian and not np.iscomplexobj(problem.rhs) else []
    for solver in suited:
        absolute = {} if solver is minres else {"atol": 0.0}  # it has none
        x, info = solver(on_chip.operator, problem.rhs, rtol=TOLERANCE / 10, **absolute)
        assert info == 0
        assert residual(problem, x) < TOLERANCE


@pytest.mark.thorough
def test_a_strangers_fgmres_takes_no_more_iterations_with_the_bench(held):
    problem, on_chip = held
    x, residuals = fgmres(on_chip.operator.matvec, problem.rhs, on_chip.preconditioner.matvec, TOLERANCE)
    assert residual(problem, x) < 1.5 * TOLERANCE
    _, plain = fgmres(on_chip.operator.matvec, problem.rhs, lambda vector: vector, TOLERANCE)
    assert len(residuals) <= (len(problem.rhs) if on_chip.summary()["shift"] else len(plain))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::mho.extensions.linalg.ProductsWarning")
def test_smaller_leaves_where_the_loop_is_shifted(caplog):
    problem = PROBLEMS["Helmholtz 2D"]
    iterations = {}
    for options in ({}, {"leaf": 8}):
        with mho.open_bench("arrays", seed=3) as bench:
            A = mho.extensions.linalg.on_bench(problem.matrix, bench, **options, seed=0)
            x, residuals = fgmres(A.operator.matvec, problem.rhs, A.preconditioner.matvec, TOLERANCE)
        assert residual(problem, x) < 1.5 * TOLERANCE
        iterations[A.summary()["shift"] > 0.0] = len(residuals)
    assert iterations[False] < iterations[True]
    (advice,) = (one for one in caplog.messages if "leaf" in one)
    assert "shifted by 1.42" in advice
    assert "a leaf of fewer lines than the matrix's 16, as 8" in advice


@pytest.mark.thorough
def test_solve_proves_its_bits(held):
    problem, on_chip = held
    rhs = np.stack([problem.rhs, 2.0 * problem.rhs, problem.rhs[::-1]], axis=1)
    x = on_chip.solve(rhs)
    exact = np.linalg.solve(problem.matrix, rhs)
    assert (np.linalg.norm(x - exact, axis=0) <= 2.0**-24 * np.linalg.norm(exact, axis=0)).all()
    answers = on_chip.answers(problem.rhs, bits=16)
    assert answers.converged.tolist() == [True]
    assert answers.bits[0] >= 16


@pytest.mark.thorough
def test_ten_lines():
    matrix, b = advection(16), np.ones(16)
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(matrix, bench, seed=0)
        x, info = gcrotmk(A.operator, b, M=A.preconditioner, rtol=1e-7)
    assert info == 0
    assert np.linalg.norm(b - matrix @ x) <= 1e-7 * np.linalg.norm(b)


def test_the_fgmres_of_another_library():
    krylov = pytest.importorskip("pyamg.krylov")
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(16), bench, seed=0)
        x, info = krylov.fgmres(A.operator, np.ones(16), M=A.preconditioner, tol=TOLERANCE)
    assert info == 0
    assert np.linalg.norm(np.ones(16) - poisson_1d(16) @ x) <= 2 * TOLERANCE * 4


@pytest.mark.thorough
def test_eigenvalues_by_products_on_the_chip():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_2d(4), bench, seed=0)
        found = eigsh(A.operator, k=3, which="LA", return_eigenvectors=False, v0=np.ones(16), tol=1e-8)
    np.testing.assert_allclose(found, np.linalg.eigvalsh(poisson_2d(4))[-3:], rtol=1e-6)


@pytest.mark.thorough
def test_the_adjoint_is_on_a_second_bench():
    matrix, b = advection(12), np.arange(1.0, 13.0)
    with mho.open_bench("arrays", seed=1) as bench, mho.open_bench("arrays", seed=2) as other:
        A = mho.extensions.linalg.on_bench(matrix, bench, adjoint_on=other, seed=0)
        np.testing.assert_allclose(A.operator.H @ b, matrix.T @ b, rtol=1e-6)
        np.testing.assert_allclose(A.operator.H @ np.eye(12), matrix.T, atol=1e-6)
        for x in (bicg(A.operator, b, rtol=TOLERANCE)[0], lsqr(A.operator, b, atol=1e-8, btol=1e-8)[0]):
            assert np.linalg.norm(b - matrix @ x) <= 1e-6 * np.linalg.norm(b)
        assert A.summary()["adjoint"]["size"] == 12


@pytest.mark.thorough
def test_a_hermitian_matrix_is_its_own_adjoint():
    problem = PROBLEMS["complex Hermitian"]
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(problem.matrix, bench, seed=0)
        np.testing.assert_allclose(A.operator.H @ problem.rhs, problem.matrix @ problem.rhs, rtol=1e-6)


@pytest.mark.thorough
def test_without_the_adjoint_a_method_that_needs_it_is_refused():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(advection(8), bench, seed=0)
        with pytest.raises(InputError, match="adjoint_on=other"):
            bicg(A.operator, np.ones(8))
        with pytest.raises(InputError, match="one step of INV on a bench: the adjoint"):
            A.preconditioner.rmatvec(np.ones(8))


@pytest.mark.thorough
def test_operators_of_scipy_compose():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(8), bench, seed=0)
        shifted = A.operator + 0.5 * aslinearoperator(np.eye(8))
        x, info = cg(shifted, np.ones(8), rtol=TOLERANCE, atol=0.0)
    assert info == 0
    np.testing.assert_allclose((poisson_1d(8) + 0.5 * np.eye(8)) @ x, 1.0, atol=1e-6)


@pytest.mark.thorough
def test_a_matrix_larger_than_a_loop_is_held_by_blocks():
    matrix, b = np.diag(np.linspace(2.0, 3.0, 40)) + poisson_1d(40), np.ones(40)
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(csr_array(matrix), bench, seed=0)
        assert A.products_from == A.summary()["products_from"] == "float64"
        with pytest.warns(mho.extensions.linalg.ProductsWarning, match="40 x 40 operator are float64's"):
            operator = A.operator
        x, info = gcrotmk(operator, b, M=A.preconditioner, rtol=TOLERANCE)  # it was said once
    assert info == 0
    assert np.linalg.norm(b - matrix @ x) <= TOLERANCE * np.linalg.norm(b)


def test_the_same_at_the_wire():
    matrix, b = np.array([[0.5, 0.1], [-0.2, 0.4]]), np.array([0.1, 0.2])
    with mho.open_bench("simulated", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(matrix, bench, bits=12, seed=0)
        x, info = gcrotmk(A.operator, b, M=A.preconditioner, rtol=1e-3)
    assert info == 0
    np.testing.assert_allclose(matrix @ x, b, rtol=2e-3)


def test_an_interrupted_solver_leaves_the_bench_safe():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(8), bench, seed=0)

        def stop(x):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), bench:
            cg(A.operator, np.ones(8), M=A.preconditioner, callback=stop)
        assert bench.live() == ()
        assert bench.closed


def test_a_request_to_stop_ends_a_solver_between_two_operations():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(8), bench, seed=0)

        def stop():
            raise mho.MhoError("stopped")

        bench.checkpoint = stop
        with pytest.raises(mho.MhoError, match="stopped"):
            A.operator @ np.ones(8)


def test_a_matrix_does_not_answer_with_the_cells_of_another():
    with mho.open_bench("arrays", seed=1) as bench:
        first = mho.extensions.linalg.on_bench(poisson_1d(4), bench, seed=0)
        second = mho.extensions.linalg.on_bench(advection(4), bench, seed=0)
        for use in (lambda: first.operator @ np.ones(4), lambda: first.solve(np.ones(4))):
            with pytest.raises(BenchError, match="another matrix was programmed on this bench"):
                use()
        with pytest.raises(InputError, match="singular"):
            mho.extensions.linalg.on_bench(np.ones((2, 2)), bench, seed=0)
        second.solve(np.ones(4))  # nothing was programmed in its place
        mho.extensions.linalg.solve(np.eye(2), np.ones(2), bench=bench)
        with pytest.raises(BenchError, match="another matrix"):
            second.solve(np.ones(4))


def test_a_closed_bench_is_refused():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(4), bench, seed=0)
    with pytest.raises(BenchError, match="the bench is closed"):
        A.operator @ np.ones(4)
    with pytest.raises(BenchError, match="the bench is closed"):
        mho.extensions.linalg.on_bench(poisson_1d(4), bench, seed=0)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.ones((2, 3)), "2 rows and 3 columns"),
        (np.ones(3), "1 dimensions"),
        (np.ones((3, 3)), "singular"),
        (poisson_1d(4) - np.diag([1.0, 0.0, 0.0, 1.0]), "singular"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), r"NaN or infinity, first at \[0, 1\]"),
        (np.array([["a", "b"], ["c", "d"]]), "holds <U1 and not numbers"),
        (np.array([[1.0, None], [2.0, 1.0]], dtype=object), "first at|not numbers"),
        ("no-such-matrix", "no-such-matrix"),
    ],
    ids=["not square", "a vector", "singular", "Neumann", "NaN", "text", "objects", "name"],
)
def test_matrices_that_are_refused(matrix, words):
    with mho.open_bench("arrays", seed=1) as bench, pytest.raises(InputError, match=words):
        mho.extensions.linalg.on_bench(matrix, bench, seed=0)


def test_options_of_a_solve_are_taken():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(8), bench, residual="float64", encoding="bias", seed=0)
        assert A.summary()["products_from"] == "float64"
        assert "products from float64" in repr(A)
        with pytest.warns(mho.extensions.linalg.ProductsWarning, match="residual='float64'"):
            A.operator  # noqa: B018
        assert A.summary()["encoding"].startswith("bias column")
        for option, words in (
            ("colour", "it has blocks, "),
            ("leaff", "did you mean 'leaf'"),
            ("rhs", "it has blocks, "),
        ):
            with pytest.raises(TypeError, match=rf"on_bench\(\) has no '{option}'; {words}"):
                mho.extensions.linalg.on_bench(poisson_1d(8), bench, **{option: 3})
        with pytest.raises(
            TypeError, match=r"on_bench\(\) has no 'preset': the bench is open already.*preset='quiet'"
        ):
            mho.extensions.linalg.on_bench(poisson_1d(8), bench, preset="quiet")


def test_benches_that_are_refused():
    with pytest.raises(InputError, match="give an open bench"):
        mho.extensions.linalg.on_bench(np.eye(2), "arrays", seed=0)
    with mho.open_bench("arrays", seed=1) as bench:
        with pytest.raises(InputError, match="adjoint_on is 'arrays'"):
            mho.extensions.linalg.on_bench(np.eye(2), bench, adjoint_on="arrays", seed=0)
        with pytest.raises(InputError, match="the bench of the matrix itself"):
            mho.extensions.linalg.on_bench(np.eye(2), bench, adjoint_on=bench, seed=0)


def test_right_hand_sides_that_are_refused():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(4), bench, seed=0)
        for wrong in (np.ones(3), np.ones((3, 4)), np.ones((4, 1, 1)), 1.0):
            with pytest.raises(ValueError, match="b has the shape"):
                A.solve(wrong)
        with pytest.raises(ValueError, match="NaN or infinity"):
            A.solve(np.full(4, np.inf))
        with pytest.raises(InputError, match="bits is 60; it must be a whole number from 3 to 50"):
            A.solve(np.ones(4), bits=60)
        with pytest.raises(InputError, match="not finite"):
            A.operator @ np.full(4, np.nan)
        with pytest.raises(ValueError, match="dimension mismatch"):
            A.operator @ np.ones(5)
        assert A.solve(np.zeros(4)).tolist() == [0.0] * 4
        assert A.solve(np.ones((4, 0))).shape == (4, 0)
        assert (A.operator @ np.zeros(4)).tolist() == [0.0] * 4
        assert (A.preconditioner @ np.zeros(4)).tolist() == [0.0] * 4


def test_an_answer_that_falls_short_is_no_array():
    came_to = {
        "solutions": np.ones((2, 3)),
        "residuals": np.array([1e-9, 2e-3, 1e-4]),
        "cycles": np.array([4, 50, 50]),
        "bits": np.array([25.0, 7.0, 10.0]),
        "each": np.empty((0, 2, 3)),
    }
    short = HeldAnswers(converged=np.array([True, False, False]), reason="it stalls", **came_to)
    with pytest.raises(
        ConvergenceError, match=r"2 of 3 solutions.*number 1.*residual of 0.002 after 50 cycles \(it stalls"
    ):
        converged(short)
    proved = HeldAnswers(converged=np.array([True, True, True]), **came_to)
    assert converged(proved) is proved


def test_it_shows_itself_in_a_line_and_in_a_notebook():
    with mho.open_bench("arrays", seed=1) as bench:
        A = mho.extensions.linalg.on_bench(poisson_1d(4), bench, seed=0)
        A.operator @ np.ones(4)
        assert repr(A) == f"<4 x 4 float64 matrix on a bench: {A.summary()['encoding']}, products from chip>"
        assert A.shape == (4, 4)
        page = A._repr_html_()
        assert page.startswith("<table><caption>4 x 4 float64")
        assert "mvm_wrong" in page


def test_what_is_said_goes_to_the_log(caplog):
    with mho.open_bench("arrays", seed=1) as bench, caplog.at_level("INFO", logger="mho.extensions.linalg"):
        A = mho.extensions.linalg.on_bench(poisson_1d(12), bench, seed=0)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == A.messages.said


@pytest.mark.thorough
def test_solutions_are_held_against_gcr_and_a_direct_solve():
    matrix = 4.0 * np.eye(6) + np.random.default_rng(7).standard_normal((6, 6))
    with mho.open_bench("arrays", seed=3) as bench:
        on_chip = mho.extensions.linalg.on_bench(matrix, bench, seed=0)
        assert on_chip.preconditioner @ np.ones(6) is not None
        assert set(on_chip.worth()) == {"multiplications"}  # a preconditioner's worth is its method's to tell
        found = on_chip.answers(np.ones(6))
        worth = on_chip.worth()
    assert worth["without_chip"]["cycles_with"] == found.cycles[0]
    assert 5 <= worth["without_chip"]["cycles"] <= 8
    assert worth["direct"]["digital"] == 70 + 36  # LU: n (n^2 - 1) / 3, and n^2
