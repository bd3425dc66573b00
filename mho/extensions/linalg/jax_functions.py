"""Functions of JAX whose values come from a bench: under `jax.jit`, `jax.vmap` and `jax.grad`.

A compiled program calls the bench back. The products of cells have no derivative; what takes its place is that of the same
product in float, as in `mho.extensions.linalg.layers`. The gradient of a solution is a solve of the adjoint, as in
`mho.extensions.linalg.gradients`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np

from mho.errors import InputError
from mho.extensions.linalg.bench_matrix import BenchMatrix, solvers, without_adjoint
from mho.extensions.linalg.raw_products import RawMatrix
from mho.foreign_arrays import ArrayError, Numbers

try:
    jax: Any = import_module("jax")
except ModuleNotFoundError:
    raise ImportError(
        "mho.jax needs JAX, which is not installed: pip install jax; without it, matrices of on_bench take arrays of NumPy"
    ) from None

__all__ = ["linear", "solve"]

# Takes vectors as rows, (k, n), and returns (k, m)
OnRows: TypeAlias = Callable[[Numbers], Numbers]

AT_ONCE = 2**13
"""Numbers in one argument of a callback, 64 KiB in double precision. JAX copies more than 100 kB later, by the very thread
that waits for the callback: with one core it waits for ever (jax-ml/jax, issues 24255 and 25861)."""

# A program may call twice at once, from two threads, and a bench does one thing after the other
_ONE_AT_A_TIME = Lock()


def linear(
    cells: RawMatrix, *, gradient: Literal["straight-through", "measured"] = "straight-through"
) -> Callable[..., Any]:
    """Return a function of JAX, ``y = function(batch, weight)``, whose products are those of cells.

    Parameters
    ----------
    cells : RawMatrix
        Of ``on_bench(weight, bench, exact=False)``, (m, n). After a step of an optimiser call ``cells.reprogram(weight)``,
        outside of the compiled function, and once its answer is there (`jax.block_until_ready`): JAX returns before.
    gradient : str
        "straight-through": as if the cells held the weights; "measured": with what they were measured to hold, in the
        gradient of the batch.

    Returns
    -------
    callable
        Of a batch (..., n), real, and of the weights (m, n) that it is differentiated by; without them they are those that
        were programmed last, as a constant. It returns (..., m), in single precision at least. All vectors of a call go in
        one exchange, those of `jax.vmap` as well.

    Raises
    ------
    InputError
        For another matrix or gradient; by the function, for a batch or weights that do not fit. What only the bench finds
        out, as NaN in a batch or a bench that is closed, reaches the caller of a compiled function as a `RuntimeError` of
        JAX, or a `ValueError` where it has run before, with its sentence at the end.

    Examples
    --------
    >>> layer = linear(on_bench(weight, bench, exact=False))
    >>> jax.grad(lambda weight: (layer(batch, weight) ** 2).mean())(weight)
    """
    _check_kind(cells, RawMatrix, "linear", "on_bench(matrix, bench, exact=False)")
    if gradient not in ("straight-through", "measured"):
        raise InputError(f"gradient is {gradient!r}; give 'straight-through' or 'measured'")

    def function(batch: Any, weight: Any = None) -> Any:
        batch = _numbers(batch, "the batch")
        if batch.shape[-1:] != cells.shape[1:]:
            raise _misfit("the batch", batch, f"(…, {cells.shape[1]})")
        if weight is None:
            weight = _fetched(lambda: cells._held.matrix, cells.shape, batch.dtype)
        weight = _numbers(weight, "the weight")
        if weight.shape != cells.shape:
            raise _misfit("the weight", weight, f"{cells.shape}")
        if gradient == "measured":
            measured = _fetched(lambda: cells.measured, cells.shape, weight.dtype)
            weight = weight + jax.lax.stop_gradient(measured - weight)
        exact = batch @ weight.T
        products = _on_host(cells, jax.lax.stop_gradient(batch), cells.shape[0])
        return exact + jax.lax.stop_gradient(products - exact)

    return function


def solve(held: BenchMatrix, *, bits: int | None = None) -> Callable[[Any], Any]:
    """Return a function of JAX, ``x = function(b)``, that solves A x = b on a bench as ``held.solve(b, bits)`` does.

    Parameters
    ----------
    held : BenchMatrix
        Of ``on_bench(matrix, bench)``, (n, n).
    bits : int, optional
        How accurate x is to be: its relative error at most 2^-bits. Those of the matrix where left out.

    Returns
    -------
    callable
        Of b (n,) or (n, k); differentiated backwards, also again, by a solve of the adjoint on the bench. Single precision
        of single precision; the right-hand sides of `jax.vmap` go together.

    Raises
    ------
    InputError
        For another matrix; by the function, for b that does not fit, and backwards where no chip holds the adjoint. Other
        errors as those of `linear`; `ConvergenceError` as well.
    """
    _check_kind(held, BenchMatrix, "solve", "on_bench(matrix, bench)")
    size = held.shape[0]

    def on_rows(solver: OnRows) -> Callable[[Any], Any]:
        return lambda rows: _on_host(lambda given: solver(given.T).T, rows, size)

    there, back = solvers(held, bits)
    solution = _linear_map(on_rows(there), on_rows(back) if back else without_adjoint("mho.jax.solve"))

    def function(b: Any) -> Any:
        b = _numbers(b, "b", complex_too=True)
        if b.shape[:1] != (size,) or b.ndim > 2:
            raise _misfit("b", b, f"({size},) or ({size}, k)")
        if held.dtype.kind == "c":
            b = b.astype(jax.numpy.promote_types(b.dtype, np.complex64))
        return solution(b.T).T

    return function


def _linear_map(there: Callable[[Any], Any], back: Callable[[Any], Any]) -> Any:
    """Return a linear function of rows with a gradient; `back` is that of the adjoint, and is called for gradients only."""
    function = jax.custom_vjp(there)

    def backward(_: None, gradient: Any) -> tuple[Any]:
        # JAX wants the transpose, and the adjoint is conjugate as well
        return (_linear_map(back, there)(gradient.conj()).conj(),)

    function.defvjp(lambda rows: (function(rows), None), backward)
    return function


def _on_host(function: OnRows, rows: Any, outputs: int) -> Any:
    """Return what a function of NumPy makes of rows (..., n), (..., outputs), in their precision."""
    kind = np.dtype(rows.dtype)

    def on_numpy(*parts: Any) -> Numbers:
        given = np.concatenate([np.asarray(part) for part in parts]).reshape(-1, rows.shape[-1])
        with _ONE_AT_A_TIME:
            return function(given).astype(kind)

    if not isinstance(rows, jax.core.Tracer):  # nothing is compiled, and an error comes as it is
        return jax.numpy.asarray(on_numpy(np.ravel(rows)).reshape(*rows.shape[:-1], outputs))

    def call(rows: Any) -> Any:
        def on_parts(*parts: Any) -> Numbers:
            return on_numpy(*parts).reshape(*rows.shape[:-1], outputs)

        flat = rows.ravel()
        parts = [flat[start : start + AT_ONCE] for start in range(0, max(flat.size, 1), AT_ONCE)]
        return jax.pure_callback(on_parts, jax.ShapeDtypeStruct((*rows.shape[:-1], outputs), kind), *parts)

    mapped = jax.custom_batching.custom_vmap(call)  # more vectors of the same exchange
    mapped.def_vmap(lambda _size, _batched, rows: (_on_host(function, rows, outputs), True))
    return mapped(rows)


def _fetched(matrix: Callable[[], Numbers], shape: tuple[int, ...], kind: Any) -> Any:
    """Return a matrix as it is when the program runs, and not when it was compiled."""
    return jax.pure_callback(lambda: matrix().astype(kind), jax.ShapeDtypeStruct(shape, kind))


def _numbers(values: Any, name: str, complex_too: bool = False) -> Any:
    """Return values as an array of JAX, in single precision at least."""
    array = jax.numpy.asarray(values)
    kind = jax.numpy.promote_types(array.dtype, np.float32)
    if kind.kind == "c" and not complex_too:
        raise ArrayError(
            f"{name} is complex; cells multiply real numbers: give real and imaginary part one by one"
        )
    return array.astype(kind)


def _misfit(name: str, array: Any, fitting: str) -> ArrayError:
    return ArrayError(f"{name} has the shape {array.shape}, which does not fit the matrix; give {fitting}")


def _check_kind(held: Any, kind: type, name: str, call: str) -> None:
    if not isinstance(held, kind):
        raise InputError(f"mho.jax.{name} takes the matrix of {call}, and not a {type(held).__name__}")
