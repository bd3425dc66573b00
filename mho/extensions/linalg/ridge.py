"""Ridge regression whose equations are solved on a bench, as scikit-learn has its estimators.

Of weights s and penalty a, ridge regression minimises  sum_i s_i (y_i - x_i w - c)^2 + a |w|^2.  With data centred on their
weighted means and rows scaled by sqrt(s_i), the coefficients are

    w = (X^T X + a I)^-1 X^T y           (features x features), or, of fewer samples than features,
    w = X^T (X X^T + a I)^-1 y           (samples x samples),

and the intercept is c = mean(y) - mean(x) w (Hoerl and Kennard, Technometrics 12, 55 (1970); Saunders, Gammerman and Vovk,
ICML 1998, for the dual). Whoever solves these systems is passed in.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.linalg.estimator_bases import (
    BaseEstimator,
    MultiOutputMixin,
    NotFittedError,
    RegressorMixin,
)
from mho.extensions.linalg.holding import BITS, BenchLike, HoldingBench, Messages, bench_in_use, converged
from mho.foreign_arrays import ArrayError, to_numpy
from mho.instruments import Bench


def samples(X: Any) -> Floats:
    """Return samples as (samples, features) float64.

    Raises `TypeError`: for a sparse matrix; `ArrayError`: for another shape, and numbers that are complex or not
    finite.
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

    Raises `ArrayError`: without any, for another number of samples than `count`, and numbers that are complex or not
    finite.
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

    Raises `ArrayError`: for another shape, negative weights, or none that is positive.
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

    Raises `ArrayError`: for negative ones, and another number than 1 or that of the targets.
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

    Raises `TypeError`: where only some of them are text.
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


# Symmetric positive matrix (n, n) and right-hand sides (n, k) -> solutions (n, k)
SolveSymmetric = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class CentredData:
    """Data ready for the normal equations."""

    # (samples, features): centred where there is an intercept, rows scaled by the square roots of the weights
    x: Floats
    y: Floats  # (samples, targets): likewise
    x_means: Floats  # (features,): what was subtracted; zeros without an intercept
    y_means: Floats  # (targets,): likewise

    @classmethod
    def of(cls, x: Floats, y: Floats, weights: Floats | None, intercept: bool) -> CentredData:
        """Centre and weight (samples, features) and (samples, targets); `weights` (samples,), 1 each where left out."""
        x_means, y_means = np.zeros(x.shape[1]), np.zeros(y.shape[1])
        if intercept:
            x_means, y_means = np.average(x, axis=0, weights=weights), np.average(y, axis=0, weights=weights)
        x, y = x - x_means, y - y_means
        if weights is not None:
            scale = np.sqrt(weights)[:, None]
            x, y = x * scale, y * scale
        return cls(x, y, x_means, y_means)

    def intercepts(self, coefficients: Floats) -> Floats:
        """Return the intercepts (targets,) that belong to coefficients (targets, features)."""
        return self.y_means - coefficients @ self.x_means


def ridge_coefficients(data: CentredData, penalties: Floats, solve: SolveSymmetric) -> Floats:
    """Return the coefficients (targets, features) of ridge regression.

    `penalties` (targets,): not negative. Targets of one penalty share a matrix, which is solved for all of them
    together. Result (targets, features).
    """
    x, y = data.x, data.y
    dual = x.shape[0] < x.shape[1]
    gram = x @ x.T if dual else x.T @ x
    rhs = y if dual else x.T @ y
    coefficients = np.zeros((len(gram), y.shape[1]))
    for penalty in np.unique(penalties):
        same = penalties == penalty
        matrix = gram + penalty * np.eye(len(gram))
        scale = unit_diagonal(matrix)
        coefficients[:, same] = scale[:, None] * solve(
            scale[:, None] * matrix * scale, scale[:, None] * rhs[:, same]
        )
    return (x.T @ coefficients).T if dual else coefficients.T


def unit_diagonal(matrix: Floats) -> Floats:
    """Return the powers of two (n,) that bring a symmetric matrix (n, n) nearest to a diagonal of ones, on both sides.

    Features of different units then have the same weight on the chip, and the condition number is within n times the least
    that any scales reach (A. van der Sluis, Numerische Mathematik 14, 14 (1969)). Powers of two round nothing.
    """
    diagonal = np.diagonal(matrix)
    return np.exp2(-np.rint(0.5 * np.log2(np.where(diagonal > 0.0, diagonal, 1.0))))


class Ridge(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares with a penalty on the squared coefficients, its normal equations solved on a bench.

    It stands where `sklearn.linear_model.Ridge` does, in pipelines, grid searches and cross-validation, and works without
    scikit-learn, too. Centring, the normal equations and `predict` are digital; the systems are the bench's.

    Parameters
    ----------
    alpha : float or (targets,) array
        Penalty. Each different one is another matrix on the chip.
    fit_intercept : bool
    bench : str, path or Bench
        The name of a bench, opened for each fit, or an open one, which stays open. The default is the one without
        instruments, for an estimator is fitted many times.
    bits : int
        How accurate the coefficients solve the normal equations: relative error at most 2^-bits, proved.
    seed : int, optional
        Of a simulated bench opened by its name: the same seed, the same chip, the same fit.

    Attributes
    ----------
    coef_ : (features,) or (targets, features) array
    intercept_ : float or (targets,) array
    n_features_in_ : int
    feature_names_in_ : (features,) array of str
        Where `X` is a frame whose columns have names.
    n_iter_ : (targets,) array of int
        Cycles of refinement.
    on_chip_ : list of dict
        What each matrix was and took: `HeldMatrix.summary`.

    Examples
    --------
    >>> X, y = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]
    >>> mho.linalg.Ridge(alpha=0.5, bench="arrays").fit(X, y).predict([[4.0]]).round(3)
    array([3.6])
    """

    def __init__(
        self, alpha: Any = 1.0, *, fit_intercept: bool = True, bench: BenchLike = "arrays", bits: int = BITS,
        seed: int | None = 0,
    ) -> None:  # fmt: skip
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.bench = bench
        self.bits = bits
        self.seed = seed

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : (samples, features) array
        y : (samples,) or (samples, targets) array
        sample_weight : float or (samples,) array, optional

        Returns
        -------
        Ridge
            Itself.

        Raises
        ------
        ArrayError, TypeError
            For data that do not fit, and normal equations that are singular.
        ConvergenceError
            When they do not come to the bits.
        """
        names, x = feature_names(X), samples(X)
        responses = targets(y, len(x))
        weights = weights_of(sample_weight, len(x))
        columns = responses.reshape(len(x), -1)
        alphas = penalties(self.alpha, columns.shape[1])
        data = CentredData.of(x, columns, weights, self.fit_intercept)
        messages, cycles, summaries = Messages(), [], []
        with bench_in_use(self.bench, self.seed) as bench:

            def solve(matrix: Floats, rhs: Floats) -> Floats:
                try:
                    holder = HoldingBench(matrix, bench, messages, bits=self.bits, seed=self.seed)
                except InputError as error:
                    raise ArrayError(
                        f"the normal equations with alpha = {self.alpha} are refused: {error}; a larger alpha helps where "
                        "they are singular or too ill-conditioned"
                    ) from None
                answers = converged(holder.answers(rhs))
                cycles.append(answers.cycles)
                summaries.append(holder.summary())
                return answers.solutions

            coefficients = ridge_coefficients(data, alphas, solve)
        intercepts = data.intercepts(coefficients)
        single = responses.ndim == 1
        self.n_features_in_, self.on_chip_ = x.shape[1], summaries
        order = np.argsort(alphas, kind="stable")  # as the penalties were solved, one after the other
        self.n_iter_ = np.concatenate(cycles)[np.argsort(order)]
        self.coef_ = coefficients[0] if single else coefficients
        self.intercept_ = (float(intercepts[0]) if single else intercepts) if self.fit_intercept else 0.0
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def predict(self, X: Any) -> Floats:
        """Predict (samples,) or (samples, targets) for samples (samples, features), in float64.

        Raises `ArrayError` or `TypeError`: for samples that do not fit.
        """
        self._check_fitted()
        self._check_names(feature_names(X))
        x = samples(X)
        if x.shape[1] != self.n_features_in_:
            raise ArrayError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as "
                "input"
            )
        return np.asarray(x @ self.coef_.T + self.intercept_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet: call fit(X, y) before predict(X)"
            )

    def _check_names(self, names: NDArray[np.object_] | None) -> None:
        """Compare the names of features with those of `fit`, in scikit-learn's words, which its users know."""
        fitted, kind = getattr(self, "feature_names_in_", None), type(self).__name__
        if fitted is None and names is None:
            return
        if fitted is None:
            warnings.warn(
                f"X has feature names, but {kind} was fitted without feature names", UserWarning, stacklevel=3
            )
        elif names is None:
            warnings.warn(
                f"X does not have valid feature names, but {kind} was fitted with feature names",
                UserWarning,
                stacklevel=3,
            )
        elif list(names) != list(fitted):
            raise ArrayError(_names_differ(list(names), list(fitted)))

    def __sklearn_clone__(self) -> Self:
        """Return an estimator with the same parameters, not fitted; an open bench is the same one, not a copy."""
        params = self.get_params(deep=False)
        return type(self)(
            **{name: value if name == "bench" else deepcopy(value) for name, value in params.items()}
        )

    def __getstate__(self) -> Any:
        if isinstance(self.bench, Bench):
            raise TypeError(
                "this Ridge has an open bench, which cannot be copied to a file or another process: give the bench by its "
                "name, Ridge(bench='arrays')"
            )
        return super().__getstate__()


def _names_differ(names: list[str], fitted: list[str]) -> str:
    """Return in which way names are not those of `fit`."""
    text = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    for title, those in (("unseen at fit time", unseen), ("seen at fit time, yet now missing", missing)):
        if those:
            text += f"Feature names {title}:\n" + "".join(f"- {name}\n" for name in those[:5])
            text += "- ...\n" if len(those) > 5 else ""
    if not (unseen or missing):
        text += "Feature names must be in the same order as they were in fit.\n"
    return text
