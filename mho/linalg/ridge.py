"""Ridge regression whose equations are solved on a bench, as scikit-learn has its estimators."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.linalg.arrays import ArrayError
from mho.linalg.benches import BenchLike, bench_in_use
from mho.linalg.estimator_bases import BaseEstimator, MultiOutputMixin, NotFittedError, RegressorMixin
from mho.linalg.estimator_input import feature_names, penalties, samples, targets, weights_of
from mho.linalg.holding import BITS, Holding, Messages, converged
from mho.linalg.normal_equations import CentredData, ridge_coefficients

Floats = NDArray[np.float64]


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
        The name of a bench, opened for each fit, or an open one, which stays open.
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
    >>> mho.linalg.Ridge(alpha=0.5).fit(X, y).predict(X)
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        bench: BenchLike = "arrays",
        bits: int = BITS,
        seed: int | None = 0,
    ) -> None:
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
        wanted = targets(y, len(x))
        weights = weights_of(sample_weight, len(x))
        columns = wanted.reshape(len(x), -1)
        alphas = penalties(self.alpha, columns.shape[1])
        data = CentredData.of(x, columns, weights, self.fit_intercept)
        messages, cycles, summaries = Messages(), [], []
        with bench_in_use(self.bench, self.seed) as bench:

            def solve(matrix: Floats, rhs: Floats) -> Floats:
                try:
                    held = Holding(matrix, bench, messages, bits=self.bits, seed=self.seed)
                except InputError as error:
                    raise ArrayError(
                        f"the normal equations with alpha = {self.alpha} are refused: {error}; a larger alpha helps where "
                        "they are singular or too ill-conditioned"
                    ) from None
                answers = converged(held.answers(rhs))
                cycles.append(answers.cycles)
                summaries.append(held.summary())
                return answers.solutions

            found = ridge_coefficients(data, alphas, solve)
        intercepts = data.intercepts(found)
        single = wanted.ndim == 1
        self.n_features_in_, self.on_chip_ = x.shape[1], summaries
        order = np.argsort(alphas, kind="stable")  # as the penalties were solved, one after the other
        self.n_iter_ = np.concatenate(cycles)[np.argsort(order)]
        self.coef_ = found[0] if single else found
        self.intercept_ = (float(intercepts[0]) if single else intercepts) if self.fit_intercept else 0.0
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def predict(self, X: Any) -> Floats:
        """Predict (samples,) or (samples, targets) for samples (samples, features), in float64.

        Raises
        ------
        ArrayError, TypeError
            For samples that do not fit.
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
