"""What an estimator is given, checked at the edge as scikit-learn checks it, and named in messages as there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.linalg.arrays import ArrayError, to_numpy

Floats = NDArray[np.float64]


def samples(X: Any) -> Floats:
    """Return samples as (samples, features) float64.

    Raises
    ------
    TypeError
        For a sparse matrix.
    ArrayError
        For another shape, and numbers that are complex or not finite.
    """
    if hasattr(X, "toarray") or hasattr(X, "tocoo"):
        raise TypeError(
            "X is sparse, and its normal equations are not: give X.toarray(), which a bench's matrix is small enough for"
        )
    array = _reals(X, "X")
    if array.ndim != 2:
        raise ArrayError(
            f"Expected 2D array, got {'scalar' if array.ndim == 0 else f'{array.ndim}D'} array instead: X has the shape "
            f"{array.shape}. Reshape your data to (samples, features): X.reshape(-1, 1) for one feature, "
            "X.reshape(1, -1) for one sample"
        )
    if array.shape[0] == 0:
        raise ArrayError(
            f"Found array with 0 sample(s) (shape={array.shape}) while a minimum of 1 is required"
        )
    if array.shape[1] == 0:
        raise ArrayError(
            f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required."
        )
    return array


def targets(y: Any, count: int) -> Floats:
    """Return targets as (samples,) or (samples, targets) float64.

    Raises
    ------
    ArrayError
        Without any, for another number of samples than `count`, and numbers that are complex or not finite.
    """
    if y is None:
        raise ArrayError("Ridge requires y to be passed, but the target y is None")
    if hasattr(y, "toarray"):
        raise TypeError("y is sparse; give y.toarray()")
    array = _reals(y, "y")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ArrayError(
            f"y should be a 1d array, or (samples, targets); got an array of shape {array.shape} instead"
        )
    if len(array) != count:
        raise ArrayError(
            f"Found input variables with inconsistent numbers of samples: {count} in X, {len(array)} in y"
        )
    return array


def weights_of(sample_weight: Any, count: int) -> Floats | None:
    """Return the samples' weights (samples,) float64, None where none were given; a number counts for all.

    Raises
    ------
    ArrayError
        For another shape, negative weights, or none that is positive.
    """
    if sample_weight is None:
        return None
    weights = _reals(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(count, float(weights))
    if weights.ndim != 1:
        raise ArrayError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array of shape {weights.shape}"
        )
    if len(weights) != count:
        raise ArrayError(f"sample_weight.shape == {weights.shape}, expected {(count,)}: one for each sample")
    if weights.min() < 0.0 or not weights.any():
        raise ArrayError(
            "sample_weight is negative or zero for all samples; give weights of 0 and more, one above 0"
        )
    return weights


def penalties(alpha: Any, count: int) -> Floats:
    """Return the penalty of each of so many targets, (targets,).

    Raises
    ------
    ArrayError
        For negative ones, and another number than 1 or that of the targets.
    """
    values = _reals(alpha, "alpha")
    if values.ndim > 1 or values.size not in (1, count):
        raise ArrayError(
            f"Number of targets and number of penalties do not correspond: {count} and {values.size}; give one alpha, or "
            "one for each target"
        )
    if values.min() < 0.0:
        raise ArrayError(f"alpha == {values.min():g}, must be >= 0")
    return np.broadcast_to(values.ravel(), count).astype(np.float64)


def feature_names(X: Any) -> NDArray[np.object_] | None:
    """Return the names of a frame's columns, None of what has none, or names that are not text.

    Raises
    ------
    TypeError
        Where only some of them are text.
    """
    columns = getattr(X, "columns", None)
    if columns is None or callable(columns):
        return None
    names = np.asarray(columns, dtype=object)
    text = [isinstance(name, str) for name in names]
    if any(text) and not all(text):
        raise TypeError(
            "Feature names are only supported if all input features have string names, but some columns of X have names "
            "of other types; convert them: X.columns = X.columns.astype(str)"
        )
    return names if len(names) and all(text) else None


def _reals(values: Any, what: str) -> Floats:
    if getattr(values, "dtype", None) == np.dtype(object):
        try:
            values = np.asarray(values).astype(np.float64)
        except TypeError as error:  # its callers expect that type; text that is no number is a ValueError
            raise TypeError(f"{what} holds objects that are no numbers: {error}") from None
        except ValueError as error:
            raise ArrayError(f"{what} holds text that is no number: {error}") from None
    array = to_numpy(values, what)
    if array.dtype.kind == "c":
        raise ArrayError(
            f"Complex data not supported: {what} is complex, and ridge regression here is of real numbers"
        )
    return array.astype(np.float64)
