"""Multiplication on the chip: exact integers, errors as single lines forecast them, and a file that adds up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from repository import ROOT

import mho
from mho import run
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Multiply
from mho.runs import RunFile

ZUO = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
DENSE = np.random.default_rng(1).standard_normal((6, 32))


def multiply(
    folder: Path, bench: str = "arrays", preset: str = "pku", **parameters: object
) -> SimpleNamespace:
    """Run it, and read everything back."""
    result = run(Multiply(**parameters), bench, preset=preset, seed=1, output=folder / "run.h5")
    with RunFile(result.path) as file:
        names = ("patterns", "activity", "linearity", "outputs", "wrong_integers", "vectors")
        tables = {name: file.table(name) for name in names}
        arrays = {
            name: file.array(name)
            for name in ("matrix", "matrix_held", "digits", "vectors", "products", "exact_products")
        }
        return SimpleNamespace(
            result=result,
            summary=result.summary,
            kept=file.summary,
            parameters=file.parameters,
            **tables,
            arrays=arrays,
        )


@pytest.fixture(scope="module", params=["simulated", "arrays"])
def ideal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("ideal")
    return multiply(folder, request.param, "ideal", matrix=ZUO, vectors=5, shots=50, outputs_kept=10**6)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return multiply(tmp_path_factory.mktemp("noisy"), matrix=DENSE, vectors=3, outputs_kept=10**6, shots=200)


# --- what comes out ---


@pytest.mark.thorough
def test_products_of_good_cells_are_exact_in_every_integer(ideal):
    matrix, vectors = ideal.arrays["matrix_held"], ideal.arrays["vectors"]
    assert ideal.summary["wrong"] == 0
    assert ideal.summary["outputs"] > 1000
    top = np.abs(vectors).max(axis=1, keepdims=True) / (2**12 - 1)  # a step of the vector as it is played
    assert_allclose(ideal.arrays["products"], np.rint(vectors / top) * top @ matrix.T, rtol=1e-12, atol=1e-14)
    assert_array_equal(ideal.vectors["held_error"], 0.0)
    assert 0.0 < ideal.summary["relative_error"] < 2.0**-11  # what twelve bits of the vectors leave


def test_the_gain_of_good_cells_is_one_and_their_noise_that_of_the_converters(ideal):
    assert ideal.summary["gain"] == pytest.approx(1.0, abs=0.01)
    assert abs(ideal.summary["offset"]) < 0.05
    assert ideal.summary["exact_up_to"] == 4
    assert ideal.activity["sd_error"].max() < 0.15


def test_the_error_grows_as_the_root_of_the_active_lines_and_as_single_lines_forecast(noisy):
    active, error, forecast = (noisy.activity[name] for name in ("active", "sd_error", "forecast_sd"))
    assert_array_equal(active, [1, 2, 4, 8, 16, 32])
    slope, _ = np.polyfit(np.log(active[:4]), np.log(error[:4]), 1)
    assert slope == pytest.approx(0.5, abs=0.1)
    assert_allclose(error[:-1], forecast[:-1], rtol=0.2)
    # All lines make one pattern alone, whose ratio is 0.67 to 1.02 on 14 chips: the sums of errors that the fit leaves.
    assert 0.55 < error[-1] / forecast[-1] < 1.15
    assert_allclose(noisy.activity["root_law"], error[0] * np.sqrt(active))
    assert noisy.summary["exact_up_to"] < 16
    assert noisy.activity["wrong"][-1] > 0


@pytest.mark.thorough
def test_noisier_cells_give_larger_errors(tmp_path, noisy):
    worse = multiply(tmp_path, preset="relaxing", matrix=DENSE, vectors=1, wait=1e5)
    assert (worse.activity["sd_error"][:4] > 1.5 * noisy.activity["sd_error"][:4]).all()
    assert worse.summary["lines_at_once"] <= noisy.summary["lines_at_once"]


def test_products_use_no_more_lines_at_once_than_stay_exact(noisy):
    assert noisy.outputs["active"].max() <= noisy.summary["lines_at_once"] < 32
    assert noisy.summary["wrong"] == 0


@pytest.mark.thorough
def test_more_lines_at_once_than_stay_exact_give_wrong_integers_that_are_listed(tmp_path, noisy):
    forced = multiply(tmp_path, matrix=DENSE, vectors=3, lines_at_once=32, outputs_kept=10**6)
    assert (forced.summary["lines_at_once"], forced.summary["groups"]) == (32, 1)
    assert forced.summary["shots"] < noisy.summary["shots"]
    assert forced.summary["wrong"] == len(forced.wrong_integers["error"]) > 0
    assert_adds_up(forced)
    assert (np.abs(forced.wrong_integers["error"]) >= 0.5).all()
    assert forced.summary["relative_error"] > noisy.summary["relative_error"]
    assert (forced.vectors["held_error"] > 0.0).all()


@pytest.mark.thorough
def test_a_complex_matrix_of_any_shape_is_multiplied(tmp_path):
    rng = np.random.default_rng(4)
    matrix = rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3))
    vectors = rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3))
    found = multiply(tmp_path, "arrays", "ideal", matrix=matrix, vector=vectors, bits=15, vector_bits=15)
    exact = vectors @ matrix.T
    product = found.result.products[:, :2] + 1j * found.result.products[:, 2:]
    assert np.linalg.norm(product - exact) < 2.0**-13 * np.linalg.norm(exact)


@pytest.mark.thorough
def test_a_zero_vector_is_answered_with_zero_and_plays_nothing(tmp_path):
    vectors = np.array([[0.0, 0.0], [1.0, -0.5]])
    found = multiply(tmp_path, matrix=np.eye(2), vector=vectors, bits=3, vector_bits=4)
    assert_array_equal(found.arrays["products"][0], 0.0)
    assert_array_equal(found.vectors["shots"] > 0, [False, True])
    assert_array_equal(found.vectors["relative_error"][0], 0.0)
    alone = multiply(tmp_path / "alone", matrix=np.eye(2), vector=np.zeros(2), bits=3)
    assert (alone.summary["outputs"], alone.summary["relative_error"]) == (0, 0.0)


def test_an_error_of_what_should_be_zero_is_relative_to_nothing(tmp_path):
    # Rounded to two bits the vector is no longer in the matrix's null space.
    found = multiply(
        tmp_path, matrix=np.array([[3.0, -7.0]]), vector=np.array([7.0, 3.0]), bits=3, vector_bits=2
    )
    assert found.arrays["exact_products"] == 0.0
    assert found.arrays["products"] != 0.0
    assert np.isnan(found.vectors["relative_error"]).all()
    assert found.summary["relative_error"] is None


def test_unit_vectors_give_the_columns_of_the_matrix(tmp_path):
    found = multiply(tmp_path, preset="ideal", matrix=ZUO, vector="unit", vector_bits=1)
    assert_allclose(found.arrays["products"].T, found.arrays["matrix"], atol=1e-12)


# --- the file ---


def test_the_result_is_what_the_tables_say(ideal, noisy):
    assert_adds_up(ideal)
    assert_adds_up(noisy)


def assert_adds_up(found: SimpleNamespace) -> None:
    patterns, outputs, vectors = found.patterns, found.outputs, found.vectors
    for table in (patterns, outputs, found.wrong_integers):
        assert_array_equal(table["integer"], np.rint(table["measured"]))
        assert_allclose(table["error"], table["measured"] - table["expected"], atol=1e-12)
    gain, offset = np.polyfit(patterns["expected"], patterns["measured"], 1)
    assert found.summary["gain"] == pytest.approx(gain, rel=1e-9)
    assert found.summary["offset"] == pytest.approx(offset, abs=1e-9)
    for row in range(len(found.activity["active"])):
        chosen = patterns["active"] == found.activity["active"][row]
        errors, wrong = patterns["error"][chosen], (patterns["integer"] != patterns["expected"])[chosen]
        assert found.activity["outputs"][row] == chosen.sum()
        assert found.activity["mean_error"][row] == pytest.approx(errors.mean(), abs=1e-12)
        assert found.activity["sd_error"][row] == pytest.approx(errors.std())
        assert found.activity["wrong"][row] == wrong.sum()
        assert found.activity["wrong_rate"][row] == wrong.mean()
        # Digits go to 7: an ideal converter of the whole range would have steps of this many digits.
        step = np.sqrt(12.0 * np.mean(errors**2))
        enob = np.log2(7.0 * found.activity["active"][row] / step)
        assert found.activity["enob"][row] == pytest.approx(enob)
    assert found.summary["enob"] == found.activity["enob"][-1]
    below = found.activity["active"][np.cumsum(found.activity["wrong"]) == 0]
    assert found.summary["exact_up_to"] == below.max(initial=0)
    assert found.summary["outputs"] == vectors["outputs"].sum() == len(outputs["error"])
    assert (
        found.summary["wrong"] == vectors["wrong"].sum() == (outputs["integer"] != outputs["expected"]).sum()
    )
    exact, products = found.arrays["exact_products"], found.arrays["products"]
    assert_allclose(exact, found.arrays["vectors"] @ found.arrays["matrix"].T)
    errors = np.linalg.norm(products - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert_allclose(vectors["relative_error"], errors)
    assert found.summary["relative_error"] == pytest.approx(errors.mean())
    assert found.summary["largest_relative_error"] == pytest.approx(errors.max())
    assert found.kept["relative_error"] == found.summary["relative_error"]


def test_linearity_is_the_mean_by_expected_sum_beside_the_line(noisy):
    table, patterns = noisy.linearity, noisy.patterns
    assert_array_equal(table["expected"], np.unique(patterns["expected"]))
    for row, value in enumerate(table["expected"]):
        measured = patterns["measured"][patterns["expected"] == value]
        assert table["outputs"][row] == len(measured)
        assert table["mean_measured"][row] == pytest.approx(measured.mean())
        assert table["sd_measured"][row] == pytest.approx(measured.std(), abs=1e-9)
        line = noisy.summary["offset"] + noisy.summary["gain"] * value
        assert table["deviation"][row] == pytest.approx(measured.mean() - line, abs=1e-9)


def test_an_even_sample_is_kept_of_many_outputs_and_all_are_counted(tmp_path):
    few = multiply(tmp_path, matrix=ZUO, vectors=2, outputs_kept=30)
    assert_array_equal(np.bincount(few.outputs["vector"]), [30, 30])
    assert_array_equal(np.unique(few.patterns["active"], return_counts=True), ([1, 2, 4], [30, 30, 30]))
    assert few.summary["outputs"] > 60
    assert (few.activity["outputs"] > 30).all()


def test_what_was_not_given_is_in_the_file_with_whose_it_is(noisy):
    kept = noisy.parameters["lines_at_once"]
    assert (kept.value, kept.origin) == ("as many as stay exact", "the calibration's")
    assert "max_pulses=" in noisy.parameters["write_verify"].value


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_run(tmp_path):
    again = multiply(tmp_path, matrix=DENSE, vectors=1, shots=5)
    once_more = multiply(tmp_path / "b", matrix=DENSE, vectors=1, shots=5)
    assert_array_equal(again.outputs["measured"], once_more.outputs["measured"])
    other = multiply(tmp_path / "c", matrix=DENSE, vectors=1, shots=5, seed=2)
    assert (again.arrays["vectors"] != other.arrays["vectors"]).any()
    assert (again.patterns["expected"] != other.patterns["expected"]).any()


@pytest.mark.thorough
def test_its_figures_are_drawn(tmp_path):
    path = multiply(tmp_path, matrix=ZUO, vectors=2).result.path
    with mho.open_run(path) as file:
        names = [figure.name for figure in file.figures]
    assert names[:6] == [
        "measured_over_expected",
        "error_by_active_lines",
        "enob_by_active_lines",
        "wrong_by_active_lines",
        "errors_in_patterns",
        "errors_in_products",
    ]
    # All of them are drawn in tests/analysis/figures/test_figures_page.py.
    assert mho.plot(path, tmp_path / "one.png", figure="error_by_active_lines").stat().st_size > 10_000


# --- what is refused ---


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"matrix": "nowhere.npy"}, InputError, "nowhere.npy does not exist"),
        ({"matrix": np.zeros((2, 2))}, InputError, "nothing but zeros"),
        ({"matrix": np.ones(3)}, InputError, "has 1 dimensions"),
        ({"matrix": np.ones((2, 3)), "vector": np.ones(2)}, InputError, "give one vector of 3 values"),
        ({"matrix": np.eye(2), "vector": np.full(2, 1j)}, InputError, "is complex but the matrix is real"),
        ({"matrix": np.eye(2), "vector": np.full(2, 1e-300)}, InputError, "vector 0, .*: the largest magnitude is 1e-300"),
        ({"matrix": np.eye(2), "write_verify": "max_pulse=3"}, InputError, "did you mean 'max_pulses'"),
        ({"matrix": np.ones((2, 33))}, ChipMapError, "has 33 columns .* drives 32 lines at once; give a matrix of"),
        ({"matrix": np.random.default_rng(0).standard_normal((3000, 32)), "bits": 48}, ChipMapError, "use fewer bits"),
        ({"matrix": np.eye(2), "write_verify": "set_voltage=5"}, LimitError, "5 V exceeds the limit"),
    ],
)  # fmt: skip
def test_what_cannot_be_multiplied_is_refused_before_anything_is_done(tmp_path, given, error, sentence):
    with open_bench("arrays", seed=1) as bench:
        with pytest.raises(error, match=sentence):
            run(Multiply(**given), bench, output=tmp_path)
        assert bench.now() == 0.0
    assert not list(tmp_path.iterdir())


def test_a_chip_without_a_multiplying_array_is_refused(tmp_path):
    chip = (ROOT / "mho/chip_maps/maps/reference.toml").read_text("utf-8")
    (tmp_path / "chip.toml").write_text(chip.replace('purpose = "multiply"', 'purpose = "invert"'), "utf-8")
    bench = load_bench_file("arrays").text.replace('chip = "segmented"', 'chip = "chip.toml"')
    (tmp_path / "bench.toml").write_text(bench, "utf-8")
    with pytest.raises(ChipMapError, match="has no multiplying array; choose a bench whose chip has one"):
        run(Multiply(matrix=np.eye(2)), str(tmp_path / "bench.toml"), output=tmp_path / "run.h5")
