"""Regressions on the bench: beside certified and digital values, at the wire too, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Regression
from mho.running import run
from mho.runs import RunFile

RNG = np.random.default_rng(6)
COLUMNS = RNG.standard_normal((14, 2))
SMALL = {
    "a": COLUMNS[:, 0],
    "b": 100.0 + 3.0 * COLUMNS[:, 1],
    "y": 2.0 * COLUMNS[:, 0] - COLUMNS[:, 1] + 0.1 * RNG.standard_normal(14),
}
CLASSES = {
    "a": SMALL["a"],
    "b": SMALL["b"],
    "y": (SMALL["y"] + 2.0 * RNG.standard_normal(14) > 0).astype(float),
}
LONGLEY = [-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359,
           -0.0511041056535807, 1829.15146461355]  # NIST StRD  # fmt: skip
LONGLEY_ERRORS = [890420.383607373, 84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675,
                  0.226073200069370, 455.478499142212]  # fmt: skip


def found(tmp_path, bench="arrays", **values):
    path = tmp_path / "run.h5"
    run(Regression(**values), bench, seed=1, output=path)
    return RunFile(path)


@pytest.mark.thorough
def test_linear_regression_has_the_certified_coefficients_and_errors(tmp_path):
    with found(tmp_path) as file:
        result, rows, predictions = file.summary, file.table("coefficients"), file.table("predictions")
    assert result["converged"]
    np.testing.assert_allclose(rows["coefficient"], LONGLEY, rtol=1e-5)
    np.testing.assert_allclose(rows["error"], LONGLEY_ERRORS, rtol=1e-6)
    assert result["determination"] == pytest.approx(0.995479004577296, rel=1e-7)
    assert result["deviation"] == pytest.approx(304.854073561965, rel=1e-6)
    assert result["relative_error"] < 2.0**-23
    assert result["one_step_error"] > 0.05  # the condition number is 1.2e4
    np.testing.assert_allclose(predictions["predicted"], predictions["digital"], rtol=1e-5, atol=0.1)


@pytest.mark.thorough
def test_the_circuit_of_the_generalised_inverse_has_the_same_answer(tmp_path):
    table = {"features": "gnp, unemployed, armed_forces", "circuit": "generalised-inverse", "bits": 16}
    with found(tmp_path, **table) as file:
        result, cycles = file.summary, file.table("cycles")
    assert result["converged"]
    assert result["relative_error"] < 2.0**-15
    assert 0.01 < result["one_step_error"] < 0.8
    assert cycles["published"][0] == pytest.approx(result["one_step_error"])
    assert cycles["published"][-1] < 1e-2 * cycles["published"][0]
    assert np.nanmin(cycles["gcr"]) < 1e-3


@pytest.mark.thorough
def test_a_ridge_takes_the_penalty_with_the_least_error_of_rows_left_out(tmp_path):
    with found(tmp_path, kind="ridge", penalty="10, 0.003, 1") as file:
        result, trace = file.summary, file.table("trace")
        names = [one.name for one in file.figures]
    assert trace["penalty"].tolist() == [0.003, 1.0, 10.0]
    assert result["penalty"] == trace["penalty"][np.argmin(trace["digital_left_out_error"])] == 0.003
    assert result["matrices"] == 3
    assert max(trace["relative_error"]) < 1e-6
    np.testing.assert_allclose(trace["left_out_error"], trace["digital_left_out_error"], rtol=1e-5)
    assert {"ridge_trace", "left_out", "predictions"} <= set(names)


@pytest.mark.thorough
@pytest.mark.parametrize("hessian", ["first", "each"])
def test_logistic_regression_has_the_digital_weights(tmp_path, hessian):
    with found(tmp_path, kind="logistic", hessian=hessian, penalty=0.5, bits=20) as file:
        result, newton, rows = file.summary, file.table("newton"), file.table("coefficients")
    assert result["converged"]
    assert result["classes"] == "versicolor, virginica"
    assert result["relative_error"] < 1e-5
    assert result["errors_error"] < 1e-4
    assert result["accuracy"] == result["digital_accuracy"] >= 0.95
    assert result["newton_steps"] <= result["digital_newton_steps"] + 3
    assert result["matrices"] == (1 if hessian == "first" else result["newton_steps"] + 1)
    assert np.all(np.diff(newton["loss"]) < 1e-12)
    assert len(rows["coefficient"]) == 5


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "table", "more"),
    [
        ("linear", SMALL, {}),
        (
            "linear",
            {name: column[:6] for name, column in SMALL.items()},
            {"circuit": "generalised-inverse"},
        ),
        ("ridge", SMALL, {"penalty": 1}),
        ("logistic", CLASSES, {"penalty": 1}),
    ],
)
def test_at_the_wire_too(tmp_path, kind, table, more):
    with found(tmp_path, "simulated", kind=kind, table=table, bits=9, cycles=2, **more) as file:
        result = file.summary
    assert result["converged"]
    assert result["relative_error"] < 2.0**-7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"target": "employment"}, "no column 'employment'; did you mean employed"),
        ({"features": "gnp, jobless"}, "no column 'jobless'"),
        ({"penalty": "1"}, "linear regression has none; give kind = ridge"),
        ({"kind": "ridge", "penalty": "0, 1"}, "penalty is 0, which is no ridge"),
        ({"kind": "ridge", "penalty": "a lot"}, "give numbers of 0 or more"),
        ({"kind": "ridge", "penalty": "-1"}, "give numbers of 0 or more"),
        ({"kind": "ridge", "penalty": "nan"}, "give numbers of 0 or more"),
        ({"kind": "logistic", "penalty": "1, 2"}, "logistic regression takes one"),
        ({"kind": "logistic", "table": "longley"}, "'employed' has 16 classes"),
        ({"table": {name: column[:3] for name, column in SMALL.items()}}, "has 3 rows for 2 columns and an intercept"),
        (
            {"table": {**SMALL, "c": SMALL["a"] + 2.0 * SMALL["b"]}, "target": "y"},
            "columns depend on one another .*, . on the rest: leave that out",
        ),
        (
            {"kind": "logistic", "table": {"a": np.arange(6.0), "y": np.arange(6) > 2}},
            "False and True can be separated by these columns",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_done(values, words):
    with pytest.raises(InputError, match=words):
        Regression(**values).check()


@pytest.mark.thorough
def test_a_ridge_takes_fewer_rows_than_columns(tmp_path):
    table = {name: RNG.standard_normal(5) for name in "abcdefg"}
    with found(tmp_path, kind="ridge", table=table, penalty="1", bits=12) as file:
        assert file.summary["converged"]
        assert file.summary["relative_error"] < 2.0**-11
