"""Raw products: matrices of any shape on cells, answered in batches with the chip's errors, and with nothing repaired."""

from __future__ import annotations

import numpy as np
import pytest

import mho
import mho.extensions.linalg
from mho.errors import BenchError, ChipMapError, InputError
from mho.procedures import FreeTiles

RNG = np.random.default_rng(4)
A = RNG.standard_normal((20, 50))
X = RNG.standard_normal((50, 40))


def off(found, exact):
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


@pytest.fixture(scope="module")
def bench():
    with mho.open_bench("arrays", seed=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def raw(bench):
    return mho.extensions.linalg.on_bench(A, bench, exact=False, adjoint_on=bench)


def test_products_are_as_accurate_as_the_cells_and_no_more(raw):
    error = raw.summary()["relative_error"]
    assert 0.02 < error < 0.1
    np.testing.assert_allclose(off(raw @ X, A @ X), error, rtol=0.3)
    assert off(raw @ X, raw.measured @ X) < 0.4 * error
    assert 0.0 < off(raw @ X, raw @ X) < 0.4 * error  # readings have noise


def test_vectors_columns_and_rows(raw):
    for found, exact in (
        (raw @ X[:, 0], A @ X[:, 0]),
        (raw @ X, A @ X),
        (raw(X[:, 0]), A @ X[:, 0]),
        (raw(X.T), X.T @ A.T),
        (raw(X.T.tolist()), X.T @ A.T),
        (raw.T @ A[:, 0], A.T @ A[:, 0]),
    ):
        assert found.shape == exact.shape
        assert off(found, exact) < 0.15
    assert (raw @ np.zeros((50, 2))).tolist() == [[0.0, 0.0]] * 20
    assert (raw @ np.empty((50, 0))).shape == (20, 0)
    assert (raw @ X.astype(np.float32)).dtype == np.float32


def test_a_stack_is_multiplied_as_numpy_s_matmul_does(raw):
    stack = X[:, :24].T.reshape(4, 6, 50).swapaxes(1, 2)
    for found, exact in (
        (raw @ stack, A @ stack),
        (raw(stack.swapaxes(1, 2)), stack.swapaxes(1, 2) @ A.T),
        (stack.swapaxes(1, 2)[..., :20] @ raw, stack.swapaxes(1, 2)[..., :20] @ A),
    ):
        assert found.shape == exact.shape
        assert off(found, exact) < 0.1


def test_each_vector_is_scaled_to_its_own_range(raw):
    sizes = 10.0 ** np.arange(-20, 20)
    np.testing.assert_allclose(
        [off(one, exact) for one, exact in zip((raw @ (X * sizes)).T, (A @ (X * sizes)).T, strict=True)],
        raw.summary()["relative_error"], rtol=0.8,
    )  # fmt: skip


def test_more_vectors_than_one_exchange_takes(raw):
    many = np.tile(X, 30)[:, :1100]
    assert off(raw @ many, A @ many) < 0.1


def test_few_bits_of_a_vector_are_seen_in_its_products(bench):
    M = mho.extensions.linalg.on_bench(np.eye(4), bench, exact=False, bits=1)
    x = np.array([1.0, 0.6, 0.4, -0.8])
    np.testing.assert_allclose(M @ x, [1.0, 1.0, 0.0, -1.0], atol=0.15)


def test_several_matrices_share_a_chip_until_one_is_inverted_on_it():
    with mho.open_bench("arrays", seed=2) as bench:
        first = mho.extensions.linalg.on_bench(A, bench, exact=False)
        second = mho.extensions.linalg.on_bench(-A.T, bench, exact=False)
        assert off(first @ X, A @ X) < 0.1
        assert off(second @ A[:, 0], -A.T @ A[:, 0]) < 0.15
        with pytest.raises(InputError, match="no-such"):
            mho.extensions.linalg.on_bench(A, bench, exact=False, write_verify="no-such = 1")
        held = mho.extensions.linalg.on_bench(np.eye(2), bench, seed=0)
        with pytest.raises(BenchError, match="another matrix was programmed"):
            first @ X
        mho.extensions.linalg.on_bench(A, bench, exact=False)
        with pytest.raises(BenchError, match="another matrix was programmed"):
            held.solve(np.ones(2))
    with pytest.raises(BenchError, match="the bench is closed"):
        second @ A[:, 0]


def test_the_same_cells_take_another_matrix(bench):
    M = mho.extensions.linalg.on_bench(A, bench, exact=False, adjoint_on=bench)
    pulses = M.summary()["pulses"]
    changed = np.where(np.arange(50) < 5, -A, A)
    M.reprogram(changed)
    assert off(M @ X, changed @ X) < 0.1
    assert off(M.T @ A[:, 0], changed.T @ A[:, 0]) < 0.15
    assert M.summary()["pulses"] < 1.5 * pulses  # cells that held their target had none
    with pytest.raises(ValueError, match=r"shape \(50, 20\), and the cells hold one of \(20, 50\)"):
        M.reprogram(A.T)
    M.T.reprogram(A.T)
    assert off(M @ X, A @ X) < 0.1
    assert off(M.T @ A[:, 0], A.T @ A[:, 0]) < 0.15


def test_the_transposed_of_the_transposed_is_the_matrix(raw):
    assert raw.T.T is raw
    assert raw.T.summary()["transposed"]["rows"] == 20


def test_rows_and_matrices_of_zeros(bench):
    matrix = np.array([[0.0, 0.0], [1.0, -2.0]])
    M = mho.extensions.linalg.on_bench(matrix, bench, exact=False)
    np.testing.assert_allclose(M @ np.array([1.0, 0.5]), [0.0, 0.0], atol=0.1)
    zeros = mho.extensions.linalg.on_bench(np.zeros((2, 3)), bench, exact=False)
    np.testing.assert_allclose(zeros @ np.ones(3), 0.0, atol=0.1)


def test_it_says_how_it_holds_the_matrix(raw):
    summary = raw.summary()
    assert (summary["rows"], summary["columns"], summary["tiles"], summary["cells"]) == (20, 50, 4, 2000)
    assert summary["products_from"] == "chip"
    assert summary["pulses"] > 1000
    assert summary["rms_error"] == pytest.approx(np.sqrt(np.mean((raw.measured - A) ** 2)))
    assert summary["transposed"]["rows"] == 50
    assert repr(raw) == f"<20 x 50 raw products of cells, which hold it to {summary['relative_error']:.2%}>"
    assert raw.shape == (20, 50)


def test_the_same_at_the_wire():
    matrix = A[:3, :12]
    with mho.open_bench("simulated", seed=1) as bench:
        M = mho.extensions.linalg.on_bench(matrix, bench, exact=False)
        assert off(M @ X[:12], matrix @ X[:12]) < 0.1
        with pytest.raises(InputError, match="no array holds the transposed"):
            M.T  # noqa: B018


def test_a_chip_without_room_is_refused():
    with mho.open_bench("simulated", seed=1) as bench:
        tiles = FreeTiles(bench)
        with pytest.raises(ChipMapError, match=r"100000 tiles of .* do not fit array .*, which has room for"):
            tiles.take(100_000)


def test_vectors_that_are_refused(raw):
    for wrong, words in (
        (np.ones(20), r"shape \(20,\), and the matrix 50 inputs: give real ones, \(50,\) or \(…, 50, k\)"),
        (np.ones((50, 1, 1)), r"shape \(50, 1, 1\)"),
        (np.ones(50) * 1j, r"complex128 \(50,\)"),
        (np.full(50, np.nan), "NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=words):
            raw @ wrong
    with pytest.raises(ValueError, match=r"shape \(7, 20\), .*give \(50,\) or \(…, k, 50\)"):
        raw(np.ones((7, 20)))
    with pytest.raises(ValueError, match=r"shape \(2, 7, 20\), and the matrix 50 inputs"):
        raw(np.ones((2, 7, 20)))
    with pytest.raises(
        ValueError, match=r"shape \(3, 20, 7\), and the matrix 50 inputs: give real ones, .*\(…, 50, k\)"
    ):
        raw @ np.ones((3, 20, 7))
    with pytest.raises(ValueError, match=r"shape \(\), and the matrix 50 inputs"):
        raw @ np.float64(1.0)


def test_matrices_and_options_that_are_refused(bench):
    for wrong, words in ((A * 1j, "complex128"), (np.ones(3), "dimensions"), (np.empty((0, 3)), "empty")):
        with pytest.raises(InputError, match=words):
            mho.extensions.linalg.on_bench(wrong, bench, exact=False)
    with pytest.raises(InputError, match=r"leaf: raw products \(exact=False\) take write_verify alone"):
        mho.extensions.linalg.on_bench(A, bench, exact=False, leaf=8)
    with pytest.raises(
        InputError, match="seed is 0, and raw products that are written draw nothing at random; leave it"
    ):
        mho.extensions.linalg.on_bench(A, bench, exact=False, seed=0)
    with pytest.raises(TypeError, match=r"on_bench\(\) has no 'preset': the bench is open already"):
        mho.extensions.linalg.on_bench(A, bench, exact=False, preset="quiet")


def test_tensors_have_the_gradient_of_the_matrix_as_given(raw):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(X.T).float().requires_grad_()
    y = raw(x)
    assert y.dtype == torch.float32
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.tile(A.sum(axis=0), (40, 1)), rtol=1e-4, atol=1e-5)
    batches = torch.from_numpy(X.T).reshape(4, 10, 50).requires_grad_()
    assert off(torch.vmap(raw)(batches).detach().reshape(40, 20).numpy(), X.T @ A.T) < 0.1
    assert off(torch.vmap(raw)(batches[None]).detach().reshape(40, 20).numpy(), X.T @ A.T) < 0.1
    raw(batches).sum().backward()
    np.testing.assert_allclose(batches.grad.numpy(), np.tile(A.sum(axis=0), (4, 10, 1)), rtol=1e-9)


def test_what_is_no_number_of_bits_and_no_scale_is_refused() -> None:
    weights = np.ones((3, 4))
    with mho.open_bench("arrays", seed=1) as bench:
        for bits in (True, "4", 4.5, 0, 60):
            with pytest.raises(InputError, match="bits is"):
                mho.linalg.on_bench(weights, bench, exact=False, bits=bits)
        with pytest.raises(InputError, match="the matrix has a largest entry of 1e\\+300"):
            mho.linalg.on_bench(1e300 * weights, bench, exact=False)
        raw = mho.linalg.on_bench(weights, bench, exact=False, adjoint_on=bench)
        with pytest.raises(InputError, match="the vectors have a largest entry of 1e-300"):
            raw @ np.full(4, 1e-300)
        np.testing.assert_allclose(np.ones(3) @ raw, np.full(4, 3.0), rtol=0.2)
        np.testing.assert_allclose(np.ones((2, 3)) @ raw, np.full((2, 4), 3.0), rtol=0.2)


def test_frames_come_back_with_the_names_of_their_batch() -> None:
    pandas = pytest.importorskip("pandas")
    with mho.open_bench("arrays", seed=1) as bench:
        raw = mho.linalg.on_bench(np.ones((3, 4)), bench, exact=False)
        batch = pandas.DataFrame(np.ones((2, 4)), index=["a", "b"])
        assert list(raw(batch).index) == ["a", "b"]
        assert raw(batch).shape == (2, 3)
        assert list((raw @ batch.T).columns) == ["a", "b"]
        assert (raw @ pandas.Series(np.ones(4), index=list("wxyz"))).shape == (3,)


def test_an_output_smaller_than_the_cells_are_off_keeps_the_scale_of_the_others():
    """Fitted to its own readings, its factor would be one of noise."""
    weights = np.random.default_rng(0).uniform(-1.0, 1.0, (100, 2))
    weights[::2] *= 1e-2
    with mho.open_bench("arrays", seed=0) as bench:
        raw = mho.extensions.linalg.on_bench(weights, bench, exact=False)
        found = raw @ np.ones(2)
    np.testing.assert_allclose(found, weights.sum(axis=1), atol=0.1)
    assert 0.0 < np.abs(raw.measured[::2] - weights[::2]).max() < 0.05


def test_a_matrix_that_does_not_fit_takes_no_tile():
    with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
        with pytest.raises(ChipMapError, match="give a smaller matrix"):
            mho.extensions.linalg.on_bench(np.ones((4000, 4000)), bench, exact=False)
        found = mho.extensions.linalg.on_bench(np.eye(3), bench, exact=False) @ np.ones(3)
    np.testing.assert_allclose(found, 1.0, atol=0.1)


PULSING = {
    "solve": lambda bench: mho.solve([[0.9, 0.1], [0.2, 0.8]], bench=bench, seed=1, bits=8),
    "program": lambda bench: mho.evaluate(mho.Program(digits=[[3, 4], [5, 6]]), bench, seed=1),
    "pulse": lambda bench: bench.pulse(("invert_positive", 0, 0), mho.Pulse("set", 1.0, 1e-6, 1.0)),
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("what", PULSING)
def test_a_matrix_whose_cells_something_else_may_have_pulsed_answers_no_more(what, exact):
    with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
        held = mho.extensions.linalg.on_bench(2.0 * np.eye(9) + 0.1 * A[:9, :9], bench, exact=exact)
        multiply = held.preconditioner.__matmul__ if exact else held.__matmul__
        first = multiply(X[:9, 0])
        mho.evaluate(mho.Read(rows="0:2", columns="0:2"), bench, seed=1)  # which pulses nothing
        np.testing.assert_allclose(multiply(X[:9, 0]), first, atol=0.3)
        PULSING[what](bench)
        with pytest.raises(BenchError, match="pulsed since by something else"):
            multiply(X[:9, 0])
        again = mho.extensions.linalg.on_bench(np.eye(3), bench, exact=False)
        np.testing.assert_allclose(again @ np.ones(3), 1.0, atol=0.1)


@pytest.mark.parametrize("bits", [-3, 0, 2.5, True, "a", np.nan])
def test_bits_of_a_held_solution_are_held_to_those_of_a_solve(bits):
    with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
        held = mho.extensions.linalg.on_bench(np.eye(2), bench)
        with pytest.raises(InputError, match=r"^bits is .*it must be a whole number from 3 to 50"):
            held.solve(np.ones(2), bits=bits)
