"""A matrix of any shape whose products are those of a chip's cells, with nothing of them repaired."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.errors import InputError
from mho.extensions.linalg.gradients import map_tensor
from mho.extensions.linalg.holding import Messages, at_work, check_held, free_tiles, programming
from mho.foreign_arrays import (
    ArrayError,
    Numbers,
    common_kind,
    in_precision_of,
    is_pandas,
    is_torch,
    to_numpy,
)
from mho.instruments import Bench
from mho.procedures import AnalogueMatrix

SMALLEST = 1e-250  # largest entry, and the inverse of it


class RawMatrix:
    """A matrix (m, n) of cells on an open bench; `on_bench(matrix, bench, exact=False)` makes one.

    ``M @ X`` takes vectors as columns, (n,) or (..., n, k), and ``M(batch)`` as rows, (n,) or (..., k, n): all in one
    exchange. The inputs are voltages and the weights conductances, each as accurate as the bench and its cells are; the
    same vector has another product each time. A tensor of PyTorch gives a tensor, whose gradient is that of the matrix as
    given.

    Attributes
    ----------
    messages : Messages
        What was said since it was programmed.

    Examples
    --------
    >>> with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
    ...     M = mho.linalg.on_bench(np.eye(3, 8), bench, exact=False)
    ...     vector, columns, batch = M @ np.ones(8), M @ np.ones((8, 5)), M(np.ones((5, 8)))
    >>> vector.round(), columns.shape, batch.shape
    (array([1., 1., 1.]), (3, 5), (5, 3))
    """

    def __init__(
        self, matrix: Numbers, bench: Bench, messages: Messages, transposed: RawMatrix | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        self._bench, self.messages, self._transposed = bench, messages, transposed
        if transposed is not None:
            transposed._transposed = self
        self._tiles = free_tiles(bench)
        with programming(bench, self._tiles):
            self._held = AnalogueMatrix(matrix, bench, self._tiles, messages, **options)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns: outputs, and inputs."""
        rows, columns = self._held.matrix.shape
        return rows, columns

    @property
    def measured(self) -> Numbers:
        """The matrix (m, n) that the cells hold, as they were measured after they were programmed."""
        return self._held.measured.copy()

    @property
    def T(self) -> RawMatrix:  # noqa: N802
        """The transposed matrix, on cells of its own, whose `T` is this one; refused where no array holds it."""
        if self._transposed is None:
            raise InputError(
                "no array holds the transposed matrix, and a chip drives its rows alone: give "
                "on_bench(matrix, bench, exact=False, adjoint_on=bench), which takes cells of this bench, or another one"
            )
        return self._transposed

    def __matmul__(self, vectors: Any) -> Any:
        """Return the products (m,) or (..., m, k) with vectors (n,) or (..., n, k), in their library and precision.

        Raises
        ------
        InputError
            For vectors of another shape, complex ones and those that are not finite.
        BenchError
            When the bench is closed, or holds something else by now.
        """
        if is_torch(vectors):
            return map_tensor(self._products, lambda gradients: self._held.matrix.T @ gradients, vectors)
        given = to_numpy(vectors, "the vectors")
        if is_pandas(vectors):  # an output is called by its number
            products = in_precision_of(self._products(given), given)
            return type(vectors)(products, **({} if given.ndim == 1 else {"columns": vectors.columns}))
        return common_kind(vectors, vectors)(in_precision_of(self._products(given), given))

    __array_ufunc__ = None  # or NumPy would take the matrix apart in ``x @ M``

    def __rmatmul__(self, vectors: Any) -> Any:
        """Return ``x @ M``, by the transposed matrix: (n,) or (..., k, n) of vectors (m,) or (..., k, m). Errors as `T`."""
        turned = (
            vectors
            if isinstance(vectors, np.ndarray) or is_torch(vectors)
            else to_numpy(vectors, "the vectors")
        )
        return _by_rows(self.T, turned)

    def __call__(self, batch: Any) -> Any:
        """Return the products (m,) or (..., k, m) of one vector (n,), or of a batch with one a row, (..., k, n).

        Errors as ``M @ batch.T``, which it is.
        """
        if is_pandas(batch) and batch.ndim == 2:
            return type(batch)(self(batch.to_numpy()), index=batch.index)
        turned = batch if isinstance(batch, np.ndarray) or is_torch(batch) else to_numpy(batch, "the batch")
        if turned.ndim > 1 and turned.shape[-1] != self.shape[1]:
            raise ArrayError(
                self._misfit(tuple(turned.shape), f"({self.shape[1]},) or (…, k, {self.shape[1]})")
            )
        return _by_rows(self, turned)

    def reprogram(self, matrix: Any) -> None:
        """Program another matrix (m, n) into the same cells, and into those of the transposed one.

        Errors as `on_bench`.
        """
        pair = [self] if self._transposed is None else [self, self._transposed]
        for one in pair:
            check_held(one._bench, one._tiles)
        given = real_matrix(matrix)
        if given.shape != self.shape:
            raise ArrayError(
                f"the matrix has the shape {given.shape}, and the cells hold one of {self.shape}"
            )
        for one, part in zip(pair, (given, given.T), strict=False):
            with at_work(one._bench, one._tiles):
                one._held.program(part)

    def summary(self) -> dict[str, Any]:
        """Return how the chip holds it, its rms error against the matrix as given, and what it has cost so far."""
        own = self._held.summary()
        if self._transposed is not None:
            own["transposed"] = self._transposed._held.summary()
        return own

    def __repr__(self) -> str:
        """Return shape, error and where products come from."""
        error = f"{self._held.relative_error:.2%}"
        return f"<{self.shape[0]} x {self.shape[1]} raw products of cells, which hold it to {error}>"

    def _products(self, vectors: Numbers) -> Numbers:
        check_held(self._bench, self._tiles)
        inputs = vectors.shape[-2:][0] if vectors.ndim else None
        if inputs != self.shape[1] or vectors.dtype.kind == "c":
            shape = f"{vectors.dtype} {vectors.shape}" if vectors.dtype.kind == "c" else vectors.shape
            raise ArrayError(self._misfit(shape, f"real ones, ({self.shape[1]},) or (…, {self.shape[1]}, k)"))
        _check_peak(vectors, "the vectors have")
        stack = vectors if vectors.ndim < 3 else np.moveaxis(vectors, -2, 0)
        products = self._held.multiply(stack.reshape(self.shape[1], -1).astype(np.float64))
        products = products.reshape(self.shape[0], *stack.shape[1:])
        return products if vectors.ndim < 3 else np.moveaxis(products, 0, -2)

    def _misfit(self, shape: Any, fitting: str) -> str:
        return f"the vectors have the shape {shape}, and the matrix {self.shape[1]} inputs: give {fitting}"


def _by_rows(matrix: RawMatrix, vectors: Any) -> Any:
    """Return the products with vectors (n,), or (..., k, n) as rows, of NumPy or PyTorch."""
    return matrix @ vectors if vectors.ndim < 2 else (matrix @ vectors.swapaxes(-1, -2)).swapaxes(-1, -2)


def real_matrix(matrix: Any) -> Numbers:
    """Return a matrix (m, n) of numbers for raw products; raises `ArrayError` for another shape, or complex numbers."""
    given = to_numpy(matrix, "the matrix")
    if given.ndim != 2 or given.size == 0 or given.dtype.kind == "c":
        raise ArrayError(
            f"the matrix is of {given.dtype} and the shape {given.shape}; raw products take a real one, (m, n)"
        )
    _check_peak(given, "the matrix has")
    return given.astype(np.float64)


def _check_peak(values: Numbers, what: str) -> None:
    """Raise `ArrayError` for numbers whose scale leaves the range of a double; zeros have none."""
    peak = float(np.abs(values).max(initial=0.0))
    if peak and not SMALLEST <= peak <= 1.0 / SMALLEST:
        raise ArrayError(
            f"{what} a largest entry of {peak:.3g}; scale it to between {SMALLEST:g} and {1.0 / SMALLEST:g}"
        )
