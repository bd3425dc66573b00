"""PyTorch's gradients through a bench: of closed forms and of `torch.linalg.solve`, again, forwards, in batches."""

from __future__ import annotations

import numpy as np
import pytest

import mho
import mho.extensions.linalg
from mho.errors import InputError

torch = pytest.importorskip("torch")

# PyTorch says it of itself when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

A = np.array([[0.5, 0.1, 0.0], [0.2, 0.4, -0.1], [0.0, 0.1, 0.3]])
B = torch.tensor([0.1, 0.2, -0.1], dtype=torch.float64)
ROUGH = {"atol": 1e-3, "eps": 1e-3, "nondet_tol": 1e-5}  # differences of answers that are proved to 24 bits


@pytest.fixture
def bench():
    with mho.open_bench("arrays", seed=1) as opened:
        yield opened


@pytest.fixture
def held(bench):
    """Return a matrix that is not its own adjoint, which a second bench holds."""
    with mho.open_bench("arrays", seed=2) as other:
        yield mho.extensions.linalg.on_bench(A, bench, adjoint_on=other, seed=0)


def close(ours, theirs, tolerance=1e-6):
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def cubes(solve):
    return lambda *given: solve(*given).abs().pow(3).sum()


def reference(b):
    return torch.linalg.solve(torch.from_numpy(A), b)


def test_a_loss_of_the_solution_and_of_the_right_hand_side(bench):
    """d(x^2 + b^2 / 100)/db with x = b / 1.4 is 2 / 1.96 + 0.02 = 1.0404 at b = 1, and not 0.02."""
    on_chip = mho.extensions.linalg.on_bench([[1.4]], bench, seed=0)
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    b = 1.0 * weight
    (on_chip.solve(b).square() + b.square() / 100.0).sum().backward()
    close(weight.grad, torch.tensor([2.0 / 1.96 + 0.02], dtype=torch.float64))


@pytest.mark.parametrize("change", [torch.func.grad, torch.func.hessian, torch.func.jacfwd])
def test_gradients_of_a_held_matrix_are_those_of_torch(held, change):
    close(change(cubes(held.solve))(B), change(cubes(reference))(B))


def test_a_held_matrix_is_differentiated_twice(held):
    b = B.clone().requires_grad_()
    (first,) = torch.autograd.grad(cubes(held.solve)(b), b, create_graph=True)
    first.square().sum().backward()
    exact = B.clone().requires_grad_()
    torch.func.grad(cubes(reference))(exact).square().sum().backward()
    close(b.grad, exact.grad, 1e-5)
    assert torch.autograd.gradcheck(held.solve, b, **ROUGH)
    assert torch.autograd.gradgradcheck(held.solve, b, **ROUGH)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_batch_of_right_hand_sides_goes_through_in_one_exchange(held, axis):
    many = torch.stack([B, 2.0 * B.flip(0), B - 1.0, B + 1.0], dim=axis)
    close(torch.vmap(held.solve, in_dims=axis)(many), torch.vmap(reference, in_dims=axis)(many))
    ours, theirs = (
        torch.vmap(torch.func.grad(cubes(one)), in_dims=axis)(many) for one in (held.solve, reference)
    )
    close(ours, theirs)


def test_columns_and_complex_right_hand_sides(held):
    for b in (torch.stack([B, B.flip(0)], dim=1), torch.complex(B, B.flip(0))):
        mine, exact = b.clone().requires_grad_(), b.clone().requires_grad_()
        cubes(held.solve)(mine).backward()
        cubes(lambda b: torch.linalg.solve(torch.from_numpy(A).to(b.dtype), b))(exact).backward()
        close(mine.grad, exact.grad)


def test_a_hermitian_matrix_needs_no_second_bench(bench):
    matrix = A + A.T + 0.1j * (A - A.T)
    on_chip = mho.extensions.linalg.on_bench(matrix, bench, seed=0)
    b = torch.complex(B, B).requires_grad_()
    on_chip.solve(b).real.sum().backward()
    ones = torch.ones(3, dtype=torch.complex128)
    close(b.grad, torch.linalg.solve(torch.from_numpy(matrix), ones))


def test_without_the_adjoint_a_gradient_is_refused_and_not_wrong(bench):
    on_chip = mho.extensions.linalg.on_bench(A, bench, seed=0)
    b = B.clone().requires_grad_()
    x = on_chip.solve(b)
    close(x.detach(), reference(B))
    with pytest.raises(InputError, match=r"A\.solve: the adjoint is asked for.*adjoint_on=other"):
        x.sum().backward()
    with pytest.raises(InputError, match="adjoint_on=other"):
        (on_chip.operator @ b).sum().backward()


def test_operators_of_tensors(held):
    b = B.clone().requires_grad_()
    product = held.operator @ b
    close(product.detach(), torch.from_numpy(A) @ B)
    product.sum().backward()
    close(b.grad, torch.from_numpy(A.sum(axis=0)))
    close(held.operator.H @ B, torch.from_numpy(A.T) @ B)
    b.grad = None
    (held.preconditioner @ b).sum().backward()  # a step of the adjoint's loop, as inaccurate as the product
    exact = np.linalg.solve(A.T, np.ones(3))
    assert np.linalg.norm(b.grad.numpy() - exact) < 0.5 * np.linalg.norm(exact)


@pytest.mark.parametrize("kind", [torch.float32, torch.complex64])
def test_single_precision_stays_single(held, kind):
    b = B.to(kind).requires_grad_()
    x = held.solve(b)
    x.abs().sum().backward()
    assert x.dtype == b.grad.dtype == kind


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [torch.float64, torch.complex128])
def test_solve_is_differentiated_twice_in_both(bench, kind):
    def solve(a, b):
        return mho.extensions.linalg.solve(a, b, bench=bench)

    a = torch.from_numpy(A[:2, :2]).to(kind)
    a = (a + 0.1j * a.T if kind.is_complex else a).requires_grad_()
    b = B[:2].to(kind).requires_grad_()
    assert torch.autograd.gradcheck(solve, (a, b), **ROUGH)
    assert torch.autograd.gradgradcheck(solve, (a, b), **ROUGH)


def test_the_methods_of_an_operator_take_a_tensor_as_its_products_do(held):
    operator, columns = held.operator, torch.stack([B, -B], dim=1)
    for found, exact in (
        (operator.matvec, lambda b: torch.from_numpy(A) @ b),
        (operator.rmatvec, lambda b: torch.from_numpy(A).T @ b),
    ):
        close(torch.func.grad(cubes(found))(B), torch.func.grad(cubes(exact))(B))
        close(found(B), exact(B))
    close(operator.matmat(columns), torch.from_numpy(A) @ columns)
    close(operator.rmatmat(columns), torch.from_numpy(A).T @ columns)


def test_hessians_of_solve(bench):
    def solve(a, b):
        return mho.extensions.linalg.solve(a, b, bench=bench)

    a = torch.from_numpy(A)
    for argument in (0, 1):
        ours, theirs = (
            torch.func.hessian(cubes(one), argnums=argument)(a, B) for one in (solve, torch.linalg.solve)
        )
        close(ours / theirs.abs().max(), theirs / theirs.abs().max())


@pytest.mark.parametrize("rhs", [B, torch.stack([B, B - 1.0], dim=1)], ids=["vectors", "columns"])
@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0)], ids=["both", "matrices", "right-hand sides"])
def test_solve_in_batches(bench, rhs, dims):
    def solve(a, b):
        return mho.extensions.linalg.solve(a, b, bench=bench)

    a = torch.from_numpy(A)
    given = [
        one if dim is None else torch.stack([one, 0.5 * one + 0.2])
        for one, dim in zip((a, rhs), dims, strict=True)
    ]
    for change in (
        lambda function: function,
        lambda function: torch.func.grad(cubes(function), argnums=(0, 1)),
    ):
        ours, theirs = (torch.vmap(change(one), in_dims=dims)(*given) for one in (solve, torch.linalg.solve))
        for mine, exact in zip(ours, theirs, strict=True):
            close(mine / exact.abs().max(), exact / exact.abs().max())
