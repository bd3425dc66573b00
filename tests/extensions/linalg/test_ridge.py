"""Ridge on a bench: scikit-learn's estimator checks, its own on the same data, and work without scikit-learn."""

from __future__ import annotations

import pickle
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from repository import ROOT

import mho
from mho.errors import ConvergenceError, InputError
from mho.extensions.linalg import Ridge

PROVED = 2.0**-22
"""Relative error of coefficients: 24 bits of the scaled ones are proved, and features here are of one unit or two."""


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    x = rng.standard_normal((40, 6)) * np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]) + 0.3
    y = x @ rng.standard_normal((6, 3)) + 0.1 * rng.standard_normal((40, 3)) + np.array([5.0, 0.0, -2.0])
    return x, y


def reference(x, y, alpha, weights=None, intercept=True):
    """Return coefficients (targets, features) and intercepts of one augmented system, by least squares in float64."""
    weights = np.ones(len(x)) if weights is None else weights
    full = np.hstack([x, np.ones((len(x), 1))]) if intercept else x
    root = np.sqrt(weights)[:, None]
    penalty = np.sqrt(alpha) * np.eye(full.shape[1])[: x.shape[1]]
    rows, rhs = np.vstack([root * full, penalty]), np.vstack([root * y, np.zeros((x.shape[1], y.shape[1]))])
    found = np.linalg.lstsq(rows, rhs, rcond=None)[0].T
    return (found[:, :-1], found[:, -1]) if intercept else (found, np.zeros(y.shape[1]))


@pytest.mark.thorough
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows", [40, 4])
def test_coefficients_are_those_of_float64(data, intercept, weighted, rows):
    x, y = (one[:rows] for one in data)
    weights = np.linspace(0.5, 2.0, rows) if weighted else None
    model = Ridge(alpha=2.0, fit_intercept=intercept).fit(x, y, sample_weight=weights)
    coefficients, intercepts = reference(x, y, 2.0, weights, intercept)
    np.testing.assert_allclose(model.coef_, coefficients, rtol=0, atol=PROVED * np.abs(coefficients).max())
    np.testing.assert_allclose(model.intercept_, intercepts, rtol=0, atol=PROVED * np.abs(y).max() * 4)
    assert model.n_features_in_ == 6
    assert model.n_iter_.shape == (3,)
    assert [one["size"] for one in model.on_chip_] == [min(rows, 6)]


@pytest.mark.thorough
def test_a_penalty_for_each_target(data):
    x, y = data
    alphas = np.array([10.0, 0.1, 10.0])
    model = Ridge(alpha=alphas).fit(x, y)
    for target, alpha in enumerate(alphas):
        expected = reference(x, y[:, [target]], alpha)[0][0]
        np.testing.assert_allclose(model.coef_[target], expected, atol=PROVED * np.abs(expected).max())
    assert len(model.on_chip_) == 2


@pytest.mark.thorough
def test_shapes_follow_the_targets(data):
    x, y = data
    one, column, several = (Ridge().fit(x, those) for those in (y[:, 0], y[:, :1], y))
    assert one.coef_.shape == (6,)
    assert isinstance(one.intercept_, float)
    assert (column.coef_.shape, column.intercept_.shape) == ((1, 6), (1,))
    assert (several.coef_.shape, several.intercept_.shape) == ((3, 6), (3,))
    assert [model.predict(x).shape for model in (one, column, several)] == [(40,), (40, 1), (40, 3)]
    assert Ridge(fit_intercept=False).fit(x, y[:, 0]).intercept_ == 0.0


@pytest.mark.thorough
def test_targets_that_are_constant(data):
    model = Ridge().fit(data[0], np.full(40, 7.0))
    assert model.coef_.tolist() == [0.0] * 6
    assert model.intercept_ == 7.0


@pytest.mark.thorough
def test_the_same_seed_fits_the_same_and_an_open_bench_stays_open(data):
    x, y = data
    with mho.open_bench("arrays", seed=5) as bench:
        open_one = Ridge(bench=bench).fit(x, y)
        assert not bench.closed
    again, other = Ridge(seed=5).fit(x, y), Ridge(seed=6).fit(x, y)
    np.testing.assert_array_equal(Ridge(seed=5).fit(x, y).coef_, again.coef_)
    assert (other.coef_ != again.coef_).any()
    np.testing.assert_allclose(open_one.coef_, again.coef_, atol=PROVED * np.abs(again.coef_).max())


@pytest.mark.thorough
def test_at_the_wire():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = np.array([1.0, 2.0, 3.0])
    model = Ridge(alpha=1.0, fit_intercept=False, bench="simulated", bits=10).fit(x, y)
    np.testing.assert_allclose(model.coef_, np.linalg.solve(x.T @ x + np.eye(2), x.T @ y), rtol=2.0**-9)


@pytest.mark.thorough
def test_singular_normal_equations_are_refused():
    x = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    with pytest.raises(InputError, match=r"alpha = 0.0 are refused: .*singular.*a larger alpha"):
        Ridge(alpha=0.0).fit(x, np.arange(3.0))
    Ridge(alpha=1e-3).fit(x, np.arange(3.0))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"X": np.ones(4)}, "Expected 2D array, got 1D"),
        ({"X": np.ones((0, 2))}, r"0 sample\(s\)"),
        ({"X": np.ones((4, 0))}, r"0 feature\(s\)"),
        ({"X": np.full((4, 2), np.nan)}, "NaN or infinity"),
        ({"X": np.ones((4, 2)) * 1j}, "Complex data not supported"),
        ({"X": np.full((4, 2), "a")}, "not numbers"),
        ({"y": None}, "requires y"),
        ({"y": np.ones(3)}, "inconsistent numbers of samples: 4 in X, 3 in y"),
        ({"y": np.ones((4, 1, 1))}, "should be a 1d array"),
        ({"sample_weight": np.ones(3)}, r"expected \(4,\)"),
        ({"sample_weight": np.ones((4, 1))}, "1D array or scalar"),
        ({"sample_weight": -np.ones(4)}, "negative or zero"),
        ({"alpha": -1.0}, "alpha == -1, must be >= 0"),
        ({"alpha": [1.0, 2.0]}, "do not correspond: 1 and 2"),
        ({"alpha": np.nan}, "alpha contains NaN"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_data_that_are_refused(changed, words):
    given = {"X": np.eye(4)[:, :2], "y": np.arange(4.0), "sample_weight": None, "alpha": 1.0} | changed
    model = Ridge(alpha=given.pop("alpha"))
    with pytest.raises(ValueError, match=words):
        model.fit(**given)
    assert not hasattr(model, "coef_")


def test_sparse_data_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"sparse.*X\.toarray\(\)"):
        Ridge().fit(sparse.eye_array(3).tocsr(), np.ones(3))


@pytest.mark.thorough
def test_what_predict_refuses(data):
    x, y = data
    with pytest.raises(ValueError, match="not fitted yet"):
        Ridge().predict(x)
    with pytest.raises(ValueError, match="X has 5 features, but Ridge is expecting 6"):
        Ridge().fit(x, y).predict(x[:, :5])


@pytest.mark.thorough
def test_names_of_features(data):
    pandas = pytest.importorskip("pandas")
    x, y = data
    names = list("abcdef")
    frame = pandas.DataFrame(x, columns=names)
    model = Ridge().fit(frame, y)
    assert model.feature_names_in_.tolist() == names
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(x)
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[names[::-1]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- z\n(.|\n)*missing:\n- a\n"):
        model.predict(frame.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="fitted without feature names"):
        model.fit(x, y).predict(frame)


@pytest.mark.thorough
def test_an_open_bench_is_neither_copied_nor_pickled(data):
    with mho.open_bench("arrays", seed=1) as bench:
        model = Ridge(bench=bench)
        for copying in (deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="give the bench by its name"):
                copying(model)
    fitted = Ridge().fit(*data)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).coef_, fitted.coef_)


@pytest.mark.thorough
def test_a_fit_that_fails_keeps_the_one_before(data, monkeypatch):
    model = Ridge().fit(*data)
    before = model.coef_

    def never(answers):
        raise ConvergenceError("not today")

    monkeypatch.setattr("mho.extensions.linalg.ridge.converged", never)
    with pytest.raises(ConvergenceError):
        model.fit(*data)
    assert model.coef_ is before


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from mho.extensions.linalg import Ridge
x = np.arange(12.0).reshape(6, 2) ** 2
y = x @ [1.0, -2.0] + 3.0
model = Ridge(alpha=0.5).set_params(bits=20)
assert model.get_params()["bits"] == 20 and repr(model) == "Ridge(alpha=0.5, bits=20)", repr(model)
try:
    model.set_params(colour=1)
except ValueError as error:
    assert "colour" in str(error)
print(model.fit(x, y).score(x, y), model.score(x, y, sample_weight=np.ones(6)), type(model).__mro__[1].__module__)
"""


@pytest.mark.thorough
def test_without_scikit_learn():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    score, weighted, module = done.stdout.split()
    assert module == "mho.extensions.linalg.estimator_bases"
    assert float(score) == float(weighted)
    assert 0.99 < float(score) < 1.0
