"""Arrays of any library in, the same kind out; in between they are NumPy's.

No library is imported here: an array brings its own. What it is, and where, it says by the array API standard
(``__array_namespace__``, ``__dlpack_device__``; data-apis.org/array-api, 2024.12) or, for PyTorch, by its methods.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

Numbers = NDArray[Any]

# Devices of DLPack whose memory NumPy can read: the CPU's, and that which a GPU's driver has pinned
HOST = (1, 3)
LONG = (np.dtype(np.longdouble), np.dtype(np.clongdouble))
SINGLE = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.complex64))


class ArrayError(InputError):
    """Numbers that cannot be used as given."""


def library_of(values: Any) -> str:
    """Return the name of the library that an array comes from: "numpy" for lists, frames and all that becomes one."""
    if hasattr(values, "__array_namespace__") or is_torch(values):
        return type(values).__module__.partition(".")[0]
    return "numpy"


def is_torch(values: Any) -> bool:
    """Return whether this is a tensor of PyTorch; it is never imported for that."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(values, tensor)


def is_pandas(values: Any) -> bool:
    """Return whether this is a Series or a DataFrame of pandas; it is never imported for that."""
    pandas = sys.modules.get("pandas")
    kind = getattr(pandas, "Series", None)
    return kind is not None and isinstance(values, (kind, sys.modules["pandas"].DataFrame))


def is_masked_array(values: Any) -> bool:
    """Return whether this is a masked array of NumPy; ``numpy.ma``, which NumPy loads late, is never imported for that."""
    return "numpy.ma" in sys.modules and isinstance(values, np.ma.MaskedArray)


def labelled_as(matrix: Any, rhs: Any) -> Callable[[Numbers], Any]:
    """Return what makes a solution a Series or DataFrame, as the right-hand side is one.

    Its rows are called as the columns of a DataFrame `matrix`, else as the rows of `rhs`. Raises `ArrayError`: where the
    rows of both have names, and not the same in the same order, for they are matched by their places.
    """
    pandas = sys.modules["pandas"]
    index = rhs.index
    if is_pandas(matrix):
        named = not isinstance(index, pandas.RangeIndex) and not isinstance(matrix.index, pandas.RangeIndex)
        if named and not index.equals(matrix.index):
            raise ArrayError(
                "the rows of the matrix and of the right-hand side are not called the same in the same order; give "
                "rhs.reindex(matrix.index), or rhs.to_numpy() where only their places count"
            )
        index = matrix.columns

    def labelled(solution: Numbers) -> Any:
        rows = index if len(index) == len(solution) else None  # of least squares there are fewer
        if solution.ndim == 1 and rhs.ndim == 1:
            return pandas.Series(solution, index=rows, name=rhs.name)
        return pandas.DataFrame(solution, index=rows, columns=getattr(rhs, "columns", None))

    return labelled


def to_numpy(values: Any, what: str) -> Numbers:
    """Return an array of any library as NumPy's, of numbers, finite.

    `values`: memory is shared where possible; `what`: its name in messages. Raises `ArrayError`: for arrays in the
    memory of a GPU, of objects or text, or with entries that are not finite.
    """
    _check_device(values, what)
    if is_masked_array(values) and np.ma.is_masked(values):
        raise ArrayError(
            f"{what}: some of its values are masked; give numbers in their place, as .filled(0) does"
        )
    if is_torch(values):
        values = values.detach().resolve_conj().resolve_neg()
    elif hasattr(values, "toarray"):  # sparse arrays of SciPy
        values = values.toarray()
    try:
        array = np.asarray(values)
    except Exception as error:  # each library has its own
        raise ArrayError(
            f"{what} of type {type(values).__name__} does not become a NumPy array ({_first_line(error)}); give one on the "
            "host, with numbers that NumPy has, outside of compiled functions (within JAX's: mho.jax)"
        ) from None
    if array.dtype.kind not in "biufc":
        array = _numbers(array, what)
    if array.dtype in LONG:  # what no solver of NumPy takes
        array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ArrayError(
            f"{what} contains NaN or infinity, first at {where}, counted from 0; only finite numbers will do"
        )
    return array


def common_kind(first: Any, second: Any) -> Callable[[Numbers], Any]:
    """Return what makes a solution of NumPy one of the library that both come from; NumPy gives way to another.

    `first`: the matrix; `second`: the right-hand side, whose kind decides where it is of pandas (`labelled_as`).

    Raises `ArrayError`: when both come from libraries that are not NumPy, and not from the same.
    """
    libraries = {library_of(one): one for one in (first, second) if library_of(one) != "numpy"}
    if len(libraries) > 1:
        names = " and ".join(libraries)
        raise ArrayError(f"the arrays come from {names}; give both from one library, or from NumPy")
    if is_pandas(second):
        return labelled_as(first, second)
    for example in libraries.values():
        if is_torch(example):
            made: Callable[[Numbers], Any] = sys.modules["torch"].from_numpy
            return made
        namespace = example.__array_namespace__()
        return lambda array: namespace.asarray(array)
    return np.asarray


def in_precision_of(answer: Numbers, *given: Numbers) -> Numbers:
    """Return an answer in single precision where all that was given is at most that, as NumPy does; else in double."""
    if all(array.dtype in SINGLE for array in given):
        return answer.astype(np.complex64 if answer.dtype.kind == "c" else np.float32)
    return answer


def _check_device(values: Any, what: str) -> None:
    """Raise `ArrayError` for an array whose memory NumPy cannot read."""
    place = getattr(values, "__dlpack_device__", None)
    if place is None:
        return
    try:
        kind = int(place()[0])
    except Exception:  # an array that a compiler traces is nowhere: `np.asarray` says so
        return
    if kind not in HOST:
        device = getattr(values, "device", "another device")
        raise ArrayError(
            f"{what} lies on {device}; a bench takes arrays from the host's memory: give {what}.cpu() (PyTorch) or "
            f"cupy.asnumpy({what}), and bring the answer back as you need it"
        )


def _numbers(array: Numbers, what: str) -> Numbers:
    """Return an array of objects as numbers, where each of them is one."""
    if array.dtype.kind == "O":
        for kind in (np.float64, np.complex128):
            try:
                return array.astype(kind)
            except (TypeError, ValueError):
                continue
    raise ArrayError(
        f"{what} holds {array.dtype} and not numbers; convert it, as by numpy.asarray(…, dtype=float)"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
