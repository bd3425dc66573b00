"""What an estimator inherits: scikit-learn's bases where it is installed, else the little of them that one needs."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

try:
    from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
    from sklearn.exceptions import NotFittedError
except ImportError:

    class BaseEstimator:  # type: ignore[no-redef]
        """Parameters by name, as scikit-learn's base has them."""

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Return the parameters of the constructor by name."""
            return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

        def set_params(self, **params: Any) -> Self:
            """Set parameters of the constructor.

            Raises `ValueError`: for one that it does not have.
            """
            known = self.get_params()
            for name, value in params.items():
                if name not in known:
                    raise ValueError(f"Invalid parameter {name!r} for {self!r}; it has {', '.join(known)}")
                setattr(self, name, value)
            return self

        def __repr__(self) -> str:
            """Return the class and the parameters that are not the default ones."""
            defaults = inspect.signature(type(self)).parameters
            own = [
                f"{name}={value!r}"
                for name, value in self.get_params().items()
                if value is not defaults[name].default
            ]
            return f"{type(self).__name__}({', '.join(own)})"

    class NotFittedError(ValueError, AttributeError):  # type: ignore[no-redef]
        """An estimator that is asked before it was fitted."""

    class MultiOutputMixin:  # type: ignore[no-redef]
        """Nothing to inherit without scikit-learn."""

    class RegressorMixin:  # type: ignore[no-redef]
        """The score of regressors."""

        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
            """Return R^2, the share of the variance of `y` that is predicted, averaged over the targets."""
            found = np.asarray(self.predict(X), dtype=np.float64)  # type: ignore[attr-defined]
            truth = np.asarray(y, dtype=np.float64).reshape(found.shape)
            weights = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight)
            left = np.average((truth - found) ** 2, axis=0, weights=weights)
            whole = np.average(
                (truth - np.average(truth, axis=0, weights=weights)) ** 2, axis=0, weights=weights
            )
            constant = whole == 0.0  # as scikit-learn: 1 where it is met, 0 where not
            shares = 1.0 - left / np.where(constant, 1.0, whole)
            return float(np.mean(np.where(constant, np.where(left == 0.0, 1.0, 0.0), shares)))


__all__ = ["BaseEstimator", "MultiOutputMixin", "NotFittedError", "RegressorMixin"]
