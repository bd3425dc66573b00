"""Functions of JAX on a bench: values, gradients and batches in compiled programs, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import mho
import mho.extensions.linalg
from mho.errors import BenchError, InputError

jax = pytest.importorskip("jax")

from mho.extensions.linalg.jax_functions import linear, solve  # noqa: E402

A = np.array([[0.5, 0.1, 0.0], [0.2, 0.4, -0.1], [0.0, 0.1, 0.3]])
B = np.array([0.1, 0.2, -0.1])


@pytest.fixture
def bench():
    with mho.open_bench("arrays", seed=1) as opened:
        yield opened


@pytest.fixture
def held(bench):
    """Return a matrix that is not its own adjoint, which a second bench holds."""
    with mho.open_bench("arrays", seed=2) as other:
        yield mho.extensions.linalg.on_bench(A, bench, adjoint_on=other)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def raw(bench, outputs=5, inputs=12):
    weight = np.random.default_rng(1).standard_normal((outputs, inputs))
    return weight, mho.extensions.linalg.on_bench(weight, bench, exact=False, programmed="drawn", seed=1)


def off(found, exact):
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def close(ours, theirs, tolerance=1e-6):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("compiled", [jax.jit, lambda function: function], ids=["compiled", "at once"])
def test_products_are_those_of_the_cells(bench, compiled):
    weight, cells = raw(bench)
    batch = np.random.default_rng(2).random((2, 7, 12), np.float32)
    found = compiled(linear(cells))(batch)
    assert isinstance(found, jax.Array)
    assert found.shape == (2, 7, 5)
    assert found.dtype == np.float32
    assert 0.005 < off(found, batch @ weight.T) < 0.1
    assert off(found, batch @ cells.measured.T) < 0.8 * off(found, batch @ weight.T)
    assert compiled(linear(cells))(batch[0, 0]).shape == (5,)
    assert compiled(linear(cells))(np.ones((0, 12))).shape == (0, 5)
    assert compiled(linear(cells))(np.ones(12, int)).dtype == np.float32


@pytest.mark.parametrize("gradient", ["straight-through", "measured"])
def test_gradients(bench, double, gradient):
    weight, cells = raw(bench)
    layer = linear(cells, gradient=gradient)
    batch, factors = np.random.default_rng(2).random((7, 12)), np.arange(1.0, 6.0)

    def loss(batch, weight):
        return (layer(batch, weight) * factors).sum()

    of_batch, of_weight = jax.jit(jax.grad(loss, argnums=(0, 1)))(batch, weight)
    held = weight if gradient == "straight-through" else cells.measured
    close(of_batch, np.tile(factors @ held, (7, 1)))
    close(of_weight, np.outer(factors, batch.sum(axis=0)))
    close(jax.grad(lambda batch: (layer(batch) * factors).sum())(batch), of_batch)
    change, along = jax.jvp(layer, (batch,), (batch,))
    close(along, batch @ held.T)
    assert off(change, along) > 1e-3


def test_a_mapped_batch_goes_in_one_exchange(bench):
    weight, cells = raw(bench)
    batch = np.random.default_rng(2).random((4, 6, 12), np.float32)
    exact, calls = batch @ weight.T, []
    multiply = cells._held.multiply
    cells._held.multiply = lambda vectors: calls.append(vectors.shape[1]) or multiply(vectors)
    mapped = jax.jit(jax.vmap(jax.vmap(linear(cells), in_axes=1), in_axes=2, out_axes=1))
    found = mapped(batch.transpose(2, 1, 0))
    assert calls == [24]
    assert off(found, exact.transpose(1, 0, 2)) < 0.1


def test_a_program_multiplies_by_what_was_programmed_last(bench):
    weight, cells = raw(bench)
    layer, batch = jax.jit(linear(cells)), np.eye(12)
    before, slope = layer(batch), jax.jit(jax.grad(lambda batch: linear(cells)(batch).sum()))
    assert off(slope(batch[0]), weight.sum(axis=0)) < 1e-6
    cells.reprogram(-weight)
    assert off(layer(batch), -before) < 0.2
    assert off(slope(batch[0]), -weight.sum(axis=0)) < 1e-6


def test_solutions_and_their_gradients(held, double):
    function = solve(held)

    def cubes(solver):
        return lambda b: (abs(solver(b)) ** 3).sum()

    def exact(b):
        return jax.numpy.linalg.solve(A.astype(b.dtype), b)

    for b in (B, np.stack([B, B[::-1]], axis=1), B + 1j * B[::-1]):
        close(jax.jit(function)(b), exact(b))
        close(jax.jit(jax.grad(cubes(function)))(b), jax.grad(cubes(exact))(b))
    close(jax.jacrev(jax.grad(cubes(function)))(B), jax.hessian(cubes(exact))(B), 1e-5)
    many = np.stack([B, 2.0 * B[::-1], B - 1.0], axis=1)
    close(
        jax.vmap(jax.grad(cubes(function)), in_axes=1)(many),
        jax.vmap(jax.grad(cubes(exact)), in_axes=1)(many),
    )


def test_a_hermitian_matrix_is_its_own_adjoint(bench, double):
    matrix = A + A.T + 0.1j * (A - A.T)
    function = solve(mho.extensions.linalg.on_bench(matrix, bench))
    weights = np.array([1.0 + 2.0j, -1.0, 0.5j])

    def loss(solver):
        return lambda b: (solver(b) * weights).real.sum()

    for b in (B, B + 1j * B[::-1]):
        close(
            jax.grad(loss(function))(b), jax.grad(loss(lambda b: jax.numpy.linalg.solve(matrix, b + 0j)))(b)
        )


def test_single_precision_stays_single(held):
    b = B.astype(np.float32)
    x = jax.jit(solve(held))(b)
    assert x.dtype == jax.grad(lambda b: solve(held)(b).sum())(b).dtype == np.float32
    close(x, np.linalg.solve(A, B), 1e-5)


def test_arrays_come_back_as_arrays_of_jax(held, bench):
    assert isinstance(held.solve(jax.numpy.asarray(B)), jax.Array)
    x = mho.solve(jax.numpy.asarray(A), jax.numpy.asarray(B), bench=bench, seed=1).solution
    assert isinstance(x, jax.Array)
    _, cells = raw(bench)
    assert isinstance(cells @ jax.numpy.ones(12), jax.Array)


def test_what_does_not_fit_is_refused_when_it_is_compiled(bench):
    _, cells = raw(bench)
    layer = jax.jit(linear(cells))
    with pytest.raises(
        InputError, match=r"batch has the shape \(2, 5\), which does not fit .*give \(…, 12\)"
    ):
        layer(np.ones((2, 5)))
    with pytest.raises(
        InputError, match=r"weight has the shape \(12, 5\), which does not fit .*give \(5, 12\)"
    ):
        layer(np.ones((2, 12)), np.ones((12, 5)))
    with pytest.raises(InputError, match=r"batch is complex; .*real and imaginary part"):
        layer(1j * np.ones((2, 12)))
    with pytest.raises(InputError, match="gradient is 'true'; give 'straight-through' or 'measured'"):
        linear(cells, gradient="true")
    with pytest.raises(
        InputError,
        match=r"mho\.jax\.solve takes the matrix of on_bench\(matrix, bench\), and not a RawMatrix",
    ):
        solve(cells)


def test_a_solver_refuses_too(bench):
    on_chip = mho.extensions.linalg.on_bench(A, bench)
    with pytest.raises(
        InputError, match=r"takes the matrix of on_bench\(matrix, bench, exact=False\), and not a BenchM"
    ):
        linear(on_chip)
    function = jax.jit(solve(on_chip))
    with pytest.raises(InputError, match=r"b has the shape \(2, 3\).*give \(3,\) or \(3, k\)"):
        function(np.ones((2, 3)))
    close(function(B), np.linalg.solve(A, B), 1e-5)
    with pytest.raises(InputError, match=r"mho\.jax\.solve: the adjoint is asked for.*adjoint_on=other"):
        jax.jit(jax.grad(lambda b: function(b).sum()))(B)


def test_what_only_the_bench_finds_out_is_said():
    with mho.open_bench("arrays", seed=1) as bench:
        _, cells = raw(bench)
        layer = linear(cells)
        with pytest.raises(InputError, match="NaN or infinity"):
            layer(np.full(12, np.nan))
        with pytest.raises(RuntimeError, match="contains NaN or infinity, first at"):
            jax.jit(layer)(np.full(12, np.nan)).block_until_ready()
    with pytest.raises(BenchError, match="the bench is closed"):
        layer(np.ones(12))
    with pytest.raises(RuntimeError, match="the bench is closed"):
        jax.jit(layer)(np.ones(12)).block_until_ready()


BIG = """
import numpy as np, jax, mho
from mho.jax import linear
with mho.open_bench("arrays", seed=1) as bench:
    layer = linear(mho.linalg.on_bench(np.eye(16), bench, exact=False, programmed="drawn"))
    batch = np.random.default_rng(1).random((2048, 16), np.float32)  # 128 KiB
    found = jax.jit(lambda batch: layer(layer(batch)) + layer(batch))(batch)
    print(float(abs(found - 2.0 * batch).max()))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to one core")
def test_one_core_is_enough_for_a_large_batch():
    """With one core JAX has one thread, which must not wait for itself to copy the batch."""
    code = f"import os; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n{BIG}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.5
