"""Ridge within scikit-learn: its checks of estimators, its own Ridge beside, and what is built on estimators."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mho
from mho.extensions.linalg import Ridge

pytest.importorskip("sklearn")

from sklearn.base import clone, is_regressor
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import Ridge as DigitalRidge
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks


@pytest.mark.thorough
@parametrize_with_checks([Ridge()])
def test_scikit_learns_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks' own
        check(estimator)


@pytest.mark.thorough
def test_it_is_a_regressor_that_clones_with_its_open_bench():
    assert is_regressor(Ridge())
    with mho.open_bench("arrays", seed=1) as bench:
        model = Ridge(alpha=np.array([1.0, 2.0]), bench=bench)
        copy = clone(model)
        assert copy.bench is bench
        assert copy.alpha is not model.alpha
        search = GridSearchCV(Ridge(bench=bench), {"alpha": [0.1, 10.0]}, cv=2)
        search.fit(*make_regression(20, 3, noise=1.0, random_state=0))
    assert search.best_params_ == {"alpha": 0.1}


@pytest.mark.thorough
@pytest.mark.parametrize("alpha", [0.01, 1.0, 100.0])
def test_the_diabetes_data(alpha):
    x, y = load_diabetes(return_X_y=True)
    ours, theirs = Ridge(alpha=alpha).fit(x, y), DigitalRidge(alpha=alpha).fit(x, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=2.0**-22 * np.abs(theirs.coef_).max())
    assert ours.score(x, y) == pytest.approx(theirs.score(x, y), rel=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("shape", [(6, 5), (5, 10)], ids=["overdetermined", "underdetermined"])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_penalty_takes_the_place_of_copies(shape, intercept):
    """Samples repeated k times with k times the penalty give the same coefficients."""
    x, y = make_regression(*shape, n_targets=2, random_state=1)
    once = Ridge(alpha=0.3, fit_intercept=intercept).fit(x, y)
    thrice = Ridge(alpha=0.9, fit_intercept=intercept).fit(np.tile(x, (3, 1)), np.tile(y, (3, 1)))
    np.testing.assert_allclose(thrice.coef_, once.coef_, rtol=0, atol=2.0**-21 * np.abs(once.coef_).max())


@pytest.mark.thorough
def test_in_a_pipeline_with_its_own_scores():
    x, y = load_diabetes(return_X_y=True)
    chain = [make_pipeline(StandardScaler(), model(alpha=3.0)) for model in (Ridge, DigitalRidge)]
    ours, theirs = (cross_val_predict(one, x, y, cv=3) for one in chain)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.thorough
def test_correlated_features_of_many_scales():
    x, y = load_diabetes(return_X_y=True)
    wide = PolynomialFeatures(2, include_bias=False).fit_transform(x[:, :3] * [1.0, 100.0, 0.01])
    ours, theirs = Ridge(alpha=1e-3).fit(wide, y), DigitalRidge(alpha=1e-3, solver="svd").fit(wide, y)
    np.testing.assert_allclose(ours.predict(wide), theirs.predict(wide), rtol=1e-5)
