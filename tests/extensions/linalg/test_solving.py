"""`linalg.solve` for arrays of several libraries: values, kinds, precision, gradients, and what is refused."""

from __future__ import annotations

import importlib
import inspect
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mho
import mho.extensions.linalg
from mho.errors import BenchError, InputError
from mho.extensions.linalg.solving import stacked
from mho.foreign_arrays import common_kind, in_precision_of, library_of, to_numpy

A = np.array([[0.5, 0.1, 0.0], [0.2, 0.4, -0.1], [0.0, 0.1, 0.3]])
B = np.array([0.1, 0.2, -0.1])
on_arrays = partial(mho.extensions.linalg.solve, bench="arrays", seed=1)
CLOSE = {"rtol": 2.0**-23, "atol": 2.0**-23}


class Duck:
    """An array that follows the standard: a namespace, a device of DLPack, and what NumPy needs to read it."""

    def __init__(self, values, device=1):
        self.values, self.device = np.asarray(values), f"device {device}"
        self._device = device

    def __array_namespace__(self, api_version=None):
        return SimpleNamespace(asarray=Duck)

    def __dlpack_device__(self):
        return (self._device, 0)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


@pytest.mark.thorough
def test_vectors_columns_and_lists():
    exact = np.linalg.solve(A, B)
    np.testing.assert_allclose(on_arrays(A, B), exact, **CLOSE)
    np.testing.assert_allclose(on_arrays(A.tolist(), B.tolist()), exact, **CLOSE)
    columns = np.stack([B, 2 * B, B[::-1], B - 1.0], axis=1)
    np.testing.assert_allclose(on_arrays(A, columns), np.linalg.solve(A, columns), **CLOSE)


@pytest.mark.thorough
def test_complex_numbers():
    a, b = A + 0.1j * A.T, B - 1j
    np.testing.assert_allclose(on_arrays(a, b), np.linalg.solve(a, b), **CLOSE)
    np.testing.assert_allclose(on_arrays(A, b), np.linalg.solve(A, b), **CLOSE)
    assert on_arrays(a.astype(np.complex64), b.astype(np.complex64)).dtype == np.complex64


@pytest.mark.thorough
def test_a_stack_is_solved_one_after_the_other():
    a = np.stack([A, A.T, 2.0 * A, A @ A + np.eye(3)]).reshape(2, 2, 3, 3)
    b = np.random.default_rng(1).standard_normal((2, 2, 3, 2))
    np.testing.assert_allclose(on_arrays(a, b), np.linalg.solve(a, b), **CLOSE)


def test_single_precision_in_and_out():
    assert on_arrays(A.astype(np.float32), B.astype(np.float32)).dtype == np.float32
    assert on_arrays(A.astype(np.float32), B).dtype == np.float64
    assert on_arrays(np.eye(2, dtype=int), [1, 2]).dtype == np.float64


def test_more_bits_are_more_accurate():
    x = on_arrays(A, B, bits=44)
    np.testing.assert_allclose(x, np.linalg.solve(A, B), rtol=2.0**-43)


@pytest.mark.thorough
def test_a_bench_by_name_file_or_open_one(tmp_path):
    named = mho.extensions.linalg.solve(A, B, bench="arrays", seed=4)
    np.testing.assert_array_equal(named, on_arrays(A, B, seed=4))
    with mho.open_bench("arrays", seed=4) as bench:
        opened = mho.extensions.linalg.solve(A, B, bench=bench)
        assert not bench.closed
    np.testing.assert_allclose(opened, named, **CLOSE)
    exact = np.linalg.solve(A[:2, :2], B[:2])
    x = mho.extensions.linalg.solve(A[:2, :2], B[:2], bench="simulated", bits=10)
    assert np.linalg.norm(x - exact) <= 2.0**-10 * np.linalg.norm(exact)  # what bits mean: of the vector


@pytest.mark.thorough
def test_an_array_of_the_standard_comes_back_as_its_own_kind():
    x = on_arrays(Duck(A), Duck(B))
    assert type(x) is Duck
    np.testing.assert_allclose(x.values, np.linalg.solve(A, B), **CLOSE)
    assert type(on_arrays(A, Duck(B))) is Duck
    assert on_arrays(Duck(A.astype(np.float32)), Duck(B.astype(np.float32))).values.dtype == np.float32
    with mho.open_bench("arrays", seed=1) as bench:
        assert type(mho.extensions.linalg.on_bench(Duck(A), bench, seed=0).solve(Duck(B))) is Duck


def test_an_array_on_a_gpu_is_refused():
    with pytest.raises(InputError, match=r"rhs lies on device 2; .*rhs\.cpu\(\).*cupy\.asnumpy\(rhs\)"):
        on_arrays(A, Duck(B, device=2))
    to_numpy(Duck(B, device=3), "b")  # pinned by a driver, but the host's


def test_arrays_of_two_libraries_are_refused(monkeypatch):
    other = type("Other", (Duck,), {"__module__": "elsewhere.arrays"})
    assert library_of(other(B)) == "elsewhere"
    with pytest.raises(InputError, match=r"the arrays come from \w+ and elsewhere"):
        common_kind(Duck(A), other(B))


def test_the_array_api_standards_own_library():
    strict = pytest.importorskip("array_api_strict")
    x = on_arrays(strict.asarray(A), strict.asarray(B))
    assert type(x) is type(strict.asarray(B))
    np.testing.assert_allclose(np.asarray(x), np.linalg.solve(A, B), **CLOSE)


def test_jax():
    jax = pytest.importorskip("jax")
    x = on_arrays(jax.numpy.asarray(A), jax.numpy.asarray(B))
    assert isinstance(x, jax.Array)
    assert x.dtype == jax.numpy.asarray(B).dtype
    np.testing.assert_allclose(np.asarray(x), np.linalg.solve(A, B), rtol=1e-6)
    with pytest.raises(InputError, match="outside of compiled functions"):
        jax.jit(lambda b: on_arrays(A, b))(jax.numpy.asarray(B))


@pytest.mark.parametrize(("library", "name"), [("torch", "PyTorch"), ("jax", "JAX")])
def test_what_needs_a_library_says_so_without_it(monkeypatch, library, name):
    module = {"torch": "layers", "jax": "jax_functions"}[library]
    for one in (f"mho.{library}", f"mho.extensions.linalg.{module}"):
        monkeypatch.delitem(sys.modules, one, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ImportError, match=f"needs {name}, which is not installed: pip install {library}; without"
    ):
        importlib.import_module(f"mho.{library}")


class TestTorch:
    torch = property(lambda self: pytest.importorskip("torch"))

    def test_tensors_in_and_out(self):
        torch = self.torch
        x = on_arrays(torch.from_numpy(A), torch.from_numpy(B))
        assert x.dtype == torch.float64
        np.testing.assert_allclose(x.numpy(), np.linalg.solve(A, B), **CLOSE)
        single = on_arrays(torch.from_numpy(A).float(), torch.from_numpy(B).float())
        assert single.dtype == torch.float32
        assert not single.requires_grad
        assert isinstance(on_arrays(A, torch.from_numpy(B)), torch.Tensor)

    def test_gradients_are_those_of_torch(self):
        torch = self.torch
        rhs = np.stack([B, B[::-1] + 1.0], axis=1)
        for a, b in (
            (A, B),
            (A, rhs),
            (A + 0.1j * A.T, rhs + 0.5j),
            (np.stack([A, A.T]), np.stack([rhs, rhs])),
        ):
            pairs = []
            for solve in (on_arrays, torch.linalg.solve):
                given = [torch.tensor(one, requires_grad=True) for one in (a, b)]
                weights = torch.arange(1.0, b.size + 1.0, dtype=torch.float64).reshape(b.shape)
                (solve(*given).abs() * weights).sum().backward()
                pairs.append([one.grad.numpy() for one in given])
            for ours, theirs in zip(*pairs, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())

    def test_the_gradient_of_one_alone(self):
        torch = self.torch
        b = torch.tensor(B, requires_grad=True)
        on_arrays(A, b).sum().backward()
        np.testing.assert_allclose(b.grad.numpy(), np.linalg.solve(A.T, np.ones(3)), **CLOSE)

    # What Dynamo says of itself when it goes on after a part that it leaves out
    @pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
    def test_a_compiled_function_leaves_the_bench_out(self):
        torch = self.torch
        b = torch.tensor(B, requires_grad=True)

        def doubled(b):
            return (2.0 * on_arrays(A, 1.0 * b)).sum()

        torch.compile(doubled, backend="eager")(b).backward()
        np.testing.assert_allclose(b.grad.numpy(), 2.0 * np.linalg.solve(A.T, np.ones(3)), **CLOSE)

    def test_a_tensor_without_data_is_refused(self):
        torch = self.torch
        with pytest.raises(InputError, match=r"rhs .*(lies on|does not become)"):
            on_arrays(torch.from_numpy(A), torch.empty(3, device="meta"))


def test_torch_is_never_imported():
    assert "torch" in sys.modules or not mho.foreign_arrays.is_torch(B)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (A[:2], B, r"matrix has the shape \(2, 3\); give a square"),
        (B, B, r"matrix has the shape \(3,\)"),
        (np.empty((0, 0)), [], r"matrix has the shape \(0, 0\)"),
        (A, B[:2], r"rhs has the shape \(2,\), and matrix \(3, 3\); give rhs as \(3, k\) or \(3,\)"),
        (A, 1.0, r"rhs has the shape \(\)"),
        (np.stack([A, A]), B, r"rhs has the shape \(3,\), and matrix \(2, 3, 3\); give rhs as \(2, 3, k\)"),
        (np.stack([A, A]), np.ones((2, 3)), r"give rhs as \(2, 3, k\)"),
        (np.ones((2, 2)), [1, 2], "singular"),
        (A, [1, np.nan, 2], r"rhs contains NaN or infinity, first at \[1\]"),
        (A, [1, None, 2], "rhs "),
        (A, ["x", "y", "z"], "rhs holds <U1 and not numbers"),
        ([[1, 2], [3]], [1, 2], "matrix of type list does not become"),
    ],
)
def test_what_is_refused(a, b, words):
    with pytest.raises(InputError, match=words):
        on_arrays(a, b)


def test_what_it_takes_by_default_is_what_others_take():
    """One dialect: the same defaults in all that solve, run or open a bench."""
    for name in ("bench", "preset", "seed", "bits"):
        ours, theirs = (inspect.signature(one).parameters[name] for one in (mho.linalg.solve, mho.solve))
        assert (ours.default, ours.kind) == (theirs.default, theirs.kind)
    assert inspect.signature(mho.run).parameters["bench"].default == "simulated"
    assert inspect.signature(mho.linalg.on_bench).parameters["seed"].default is None


def test_benches_that_are_refused():
    with pytest.raises(InputError, match="bench is 3; give the name"):
        mho.extensions.linalg.solve(A, B, bench=3)
    with pytest.raises(BenchError, match="no-such-bench"):
        mho.extensions.linalg.solve(A, B, bench="no-such-bench")


def test_objects_that_are_numbers_are_numbers():
    assert to_numpy(np.array([1, 2.5], dtype=object), "b").tolist() == [1.0, 2.5]
    assert to_numpy(np.array([1, 2j], dtype=object), "b").tolist() == [1.0, 2j]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.complex64, np.complex128]),
        min_size=1,
    )
)
def test_an_answer_is_single_only_where_all_are(kinds):
    answer = in_precision_of(np.ones(2), *(np.ones(2, kind) for kind in kinds))
    single = all(np.finfo(kind).bits <= 32 if np.issubdtype(kind, np.inexact) else False for kind in kinds)
    assert answer.dtype == (np.float32 if single else np.float64)


@given(st.lists(st.integers(1, 3), max_size=3), st.integers(1, 4), st.integers(1, 3))
def test_stacks_keep_their_order(stack, n, count):
    a = np.arange(np.prod(stack, dtype=int) * n * n, dtype=float).reshape(*stack, n, n)
    b = np.arange(np.prod(stack, dtype=int) * n * count, dtype=float).reshape(*stack, n, count)
    matrices, rhs = stacked(a, b)
    np.testing.assert_array_equal(np.stack(list(matrices)).ravel(), a.ravel())
    np.testing.assert_array_equal(np.stack(list(rhs)).reshape(b.shape), b)
