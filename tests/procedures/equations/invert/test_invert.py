"""Bare inversions: as good as the cells, worse with the condition number and with small inputs, and a file that adds up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from daily import daily
from numpy.testing import assert_allclose, assert_array_equal
from repository import ROOT

import mho
from mho import run
from mho.chip_maps.inverse_encoding import contraction
from mho.errors import ChipMapError, ConvergenceError, InputError, LimitError
from mho.instruments import open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Invert
from mho.procedures.equations.circuits.loop_on_cells import LINEAR
from mho.runs import RunFile

ZUO = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
LADDER = "2, 5, 20, 80, 320"
DIGITS = np.array([[6.0, 1.0, 0.0], [2.0, 7.0, 1.0], [0.0, 1.0, 5.0]])  # held exactly by digits


def invert(folder: Path, bench: str = "arrays", preset: str = "pku", **parameters: object) -> SimpleNamespace:
    """Run it, and read everything back."""
    result = run(Invert(**parameters), bench, preset=preset, seed=1, output=folder / "run.h5")
    with RunFile(result.path) as file:
        tables = {name: file.table(name) for name in ("inversions", "outputs", "solutions", "matrices")}
        arrays = {name: file.array(name) for name in ("matrices", "matrices_achieved", "rhs")}
        maps = {
            name: [file.map(name, index) for index in range(len(file.map_times(name)))] for name in file.maps
        }
        said = [entry.message for entry in file.log()]
        return SimpleNamespace(
            result=result,
            summary=result.summary,
            kept=file.summary,
            **tables,
            arrays=arrays,
            maps=maps,
            said=said,
        )


@pytest.fixture(scope="module", params=daily(["simulated", "arrays"], ["arrays"]))
def ideal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("ideal")
    return invert(folder, request.param, "ideal", matrix=DIGITS, vectors=6, encoding="differential")


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return invert(tmp_path_factory.mktemp("ladder"), conditions=LADDER, size=6, vectors=10)


# --- what comes out ---


@pytest.mark.thorough
def test_good_cells_invert_the_matrix_they_hold_to_the_error_of_the_circuit(ideal):
    (matrix,), (achieved,) = ideal.arrays["matrices"], ideal.arrays["matrices_achieved"]
    assert np.linalg.norm(achieved - matrix) < 0.05 * np.linalg.norm(matrix)
    assert ideal.summary["mean_achieved_error"] < 0.02
    assert ideal.summary["mean_error"] < 0.06
    assert abs(ideal.summary["gain_error"]) < 0.02
    assert abs(ideal.summary["offset"]) < 1e-3


def test_small_inputs_drown_in_what_does_not_grow_with_them(ideal):
    scale, error = ideal.inversions["scale"], ideal.inversions["achieved_error"]
    assert_array_equal(np.unique(scale), 2.0 ** -np.arange(11, -1, -1))
    largest, smallest = (np.median(error[scale == one]) for one in (0.25, 2.0**-11))
    assert smallest > 10 * largest


def test_the_error_grows_with_the_condition_number(ladder):
    assert_array_equal(ladder.matrices["condition"], [2, 5, 20, 80, 320])
    error, forecast = ladder.matrices["mean_error"], ladder.matrices["forecast_rho"]
    slope, _ = np.polyfit(np.log(ladder.matrices["condition"]), np.log(error), 1)
    assert 0.2 < slope < 1.2
    assert (np.diff(error[:3]) > 0).all()
    assert (np.diff(forecast[:3]) > 0).all()
    assert (np.diff(ladder.matrices["lambda_min"]) < 0).all()


def test_the_made_matrices_have_their_condition_numbers(ladder):
    assert_allclose(np.linalg.cond(ladder.arrays["matrices"]), [2, 5, 20, 80, 320], rtol=1e-9)


def test_the_forecasts_are_those_of_the_matrix_as_programmed(ladder):
    for row, (matrix, achieved) in enumerate(
        zip(ladder.arrays["matrices"], ladder.arrays["matrices_achieved"], strict=True)
    ):
        assert ladder.matrices["forecast_rho"][row] == pytest.approx(float(contraction(matrix, achieved)))


def test_an_output_in_reach_of_its_clamp_is_marked_and_gives_no_solution(ladder):
    inversions = ladder.inversions
    peak, clamped = inversions["output"], inversions["clamped"] == 1
    assert 0 < clamped.sum() < len(clamped)
    assert_array_equal(clamped, ~(peak < LINEAR))
    assert_array_equal(np.isnan(peak), np.isnan(inversions["error"]))
    chosen = {
        (m, r): s for m, r, s in zip(*(ladder.solutions[n] for n in ("matrix", "rhs", "scale")), strict=True)
    }
    for (matrix, rhs), scale in chosen.items():
        of_it = (inversions["matrix"] == matrix) & (inversions["rhs"] == rhs)
        assert scale == inversions["scale"][of_it & ~clamped].max()


@pytest.mark.thorough
def test_the_images_of_the_run_have_the_lines_of_all_loops(tmp_path):
    # The first loop has a bias column, one line more and no second array; the others are differential.
    found = invert(tmp_path, conditions="2, 10, 40", size=3, vectors=1, seed=11)
    kinds = [one["encoding"].partition(" ")[0] for one in found.kept["by_matrix"]]
    assert kinds == ["bias", "differential", "differential"]
    first, second = (found.maps[f"invert_{sign}_conductance"] for sign in ("positive", "negative"))
    assert (len(first), len(second)) == (6, 4)  # before and after each
    assert {image.shape for image in first} == {(4, 4)}
    assert [int(np.isfinite(image).sum()) for image in first] == [0, 16, 0, 9, 0, 9]
    assert found.summary["cells"] == 16 + 2 * 18


def test_a_bias_column_has_no_input(tmp_path):
    matrix = np.array([[6.0, -1.0, 0.0], [2.0, 7.0, 1.0], [0.0, 1.0, 5.0]])
    found = invert(tmp_path, preset="ideal", matrix=matrix, rhs="unit", encoding="bias")
    assert found.kept["encoding"].startswith("bias column")
    assert found.summary["mean_achieved_error"] < 0.02


@pytest.mark.thorough
def test_unit_vectors_give_the_inverse(tmp_path):
    found = invert(tmp_path, preset="ideal", matrix=ZUO, rhs="unit")
    assert_array_equal(found.arrays["rhs"], np.eye(4))
    assert len(found.solutions["error"]) == 4


@pytest.mark.thorough
def test_a_complex_system_is_inverted_as_a_real_one(tmp_path):
    rng = np.random.default_rng(4)
    matrix = 3.0 * np.eye(3) + 0.3 * (rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3)))
    found = invert(tmp_path, preset="ideal", matrix=matrix, rhs=np.array([1.0, 1j, -1.0]))
    assert found.arrays["matrices"].shape == (1, 6, 6)
    assert found.summary["mean_error"] < 0.2


# --- the file ---


@pytest.mark.thorough
def test_the_result_is_what_the_tables_say(ideal, ladder):
    assert_adds_up(ideal)
    assert_adds_up(ladder)


def assert_adds_up(found: SimpleNamespace) -> None:
    outputs, solutions, matrices = found.outputs, found.solutions, found.matrices
    linear = outputs["clamped"] == 0
    fit = np.polyfit(outputs["expected"][linear], outputs["measured"][linear], 1)
    assert found.summary["gain_error"] == pytest.approx(fit[0] - 1.0, abs=1e-9)
    assert found.summary["offset"] == pytest.approx(fit[1], abs=1e-9)
    for row, number in enumerate(matrices["matrix"]):
        mine = linear & (outputs["matrix"] == number)
        gain, offset = np.polyfit(outputs["expected"][mine], outputs["measured"][mine], 1)
        assert matrices["gain_error"][row] == pytest.approx(gain - 1.0, abs=1e-9)
        assert matrices["offset"][row] == pytest.approx(offset, abs=1e-9)
        errors = solutions["error"][solutions["matrix"] == number]
        assert matrices["mean_error"][row] == pytest.approx(errors.mean())
        assert matrices["bits"][row] == pytest.approx(-np.log2(errors.mean()))
    assert_allclose(solutions["bits"], -np.log2(solutions["error"]))
    assert found.summary["mean_error"] == pytest.approx(matrices["mean_error"].mean())
    assert found.summary["mean_achieved_error"] == pytest.approx(matrices["mean_achieved_error"].mean())
    assert found.summary["bits"] == pytest.approx(-np.log2(found.summary["mean_error"]))
    assert found.summary["forecast_rho"] == matrices["forecast_rho"].max()
    assert found.summary["lambda_min"] == matrices["lambda_min"].min()
    assert found.summary["condition"] == matrices["condition"].max()
    expected, measured = outputs["expected"][linear], outputs["measured"][linear]
    step = np.sqrt(12.0 * np.mean((measured - expected) ** 2))
    assert found.summary["enob"] == pytest.approx(np.log2(np.ptp(expected) / step))
    assert found.summary["inversions"] == len(found.inversions["error"])
    assert found.summary["clamped"] == found.inversions["clamped"].sum()
    assert found.kept["by_matrix"][0]["lambda_min"] == matrices["lambda_min"][0]


def test_the_errors_are_those_of_the_outputs(ladder):
    # The solution is the output over the volts that stand for 1, which the expected output and A0 tell.
    arrays, outputs, inversions = ladder.arrays, ladder.outputs, ladder.inversions
    size = arrays["rhs"].shape[1]
    expected, measured = (outputs[name].reshape(-1, size) for name in ("expected", "measured"))
    for row in range(0, len(measured), 7):
        matrix, rhs = inversions["matrix"][row], arrays["rhs"][inversions["rhs"][row]]
        exact = np.linalg.solve(arrays["matrices"][matrix], rhs)
        close = np.linalg.solve(arrays["matrices_achieved"][matrix], rhs)
        answer = measured[row] * (close[0] / expected[row][0])
        for name, reference in (("error", exact), ("achieved_error", close)):
            error = np.linalg.norm(answer - reference) / np.linalg.norm(reference)
            assert inversions[name][row] == pytest.approx(error, nan_ok=True, rel=1e-6)


def test_the_largest_input_is_the_scale_times_the_full_scale(ladder):
    full = load_bench_file("arrays").bench.limits["vector"].voltage
    assert_allclose(ladder.inversions["input"], ladder.inversions["scale"] * min(full, 1.0))


@pytest.mark.thorough
def test_its_figures_are_drawn(tmp_path, ladder):
    with mho.open_run(ladder.result.path) as file:
        names = [figure.name for figure in file.figures]
    assert names[:4] == ["error_by_scale", "achieved_error_by_scale", "error_by_condition", "outputs"]
    # All of them are drawn in tests/analysis/figures/test_figures_page.py.
    picture = mho.plot(ladder.result.path, tmp_path / "one.png", figure="error_by_condition")
    assert picture.stat().st_size > 10_000


# --- loops that cannot be used ---


@pytest.mark.thorough
def test_a_loop_that_cells_have_made_unstable_is_not_closed_and_the_others_go_on(tmp_path):
    found = invert(tmp_path, conditions=[3, 2000], vectors=1, preset="relaxing")
    assert found.summary["without_solution"] == 1
    assert np.isfinite(found.matrices["mean_error"]).tolist() == [True, False]
    assert found.matrices["lambda_min"][1] < 0.0
    assert set(found.solutions["matrix"]) == {0}
    assert any(
        "matrix 1 gives no solution: the programmed INV circuit would be unstable" in one
        for one in found.said
    )
    assert np.isfinite(found.summary["mean_error"])


def test_the_only_loop_being_unstable_fails_the_run(tmp_path):
    with pytest.raises(ConvergenceError, match=r"would be unstable: .* it was not connected"):
        invert(tmp_path, matrix=np.diag([1.0, 1e-3]), preset="ideal")


def test_a_loop_whose_outputs_stay_in_their_clamps_says_so(tmp_path):
    with pytest.raises(ConvergenceError, match=r"rails: .* or play smaller inputs \(scales\)"):
        invert(tmp_path, matrix=np.diag([1.0, 0.05]), rhs=np.array([0.0, 1.0]), scales=1, preset="ideal")


# --- what is refused ---


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({}, InputError, "give either a matrix, or the condition numbers"),
        ({"matrix": np.eye(2), "conditions": "3"}, InputError, "give either a matrix, or the condition numbers"),
        ({"matrix": " "}, InputError, "give either a matrix"),
        ({"matrix": "nowhere.npy"}, InputError, "nowhere.npy does not exist"),
        ({"matrix": np.ones((2, 3))}, InputError, "is not square"),
        ({"matrix": np.ones((2, 2))}, InputError, "the matrix is singular in float64"),
        ({"matrix": np.zeros((2, 2))}, InputError, r"singular in float64 \(condition number inf\)"),
        ({"conditions": "1, x"}, InputError, "conditions has 'x'"),
        ({"matrix": np.eye(2), "rhs": np.ones(3)}, InputError, "give one vector of 2 values"),
        ({"matrix": np.eye(2), "rhs": [[1.0, 0.0], [0.0, 0.0]]}, InputError, "right-hand side 1, .*is zero everywhere"),
        ({"matrix": np.eye(2), "write_verify": "max_pulse=3"}, InputError, "did you mean 'max_pulses'"),
        ({"conditions": "3", "size": 33}, ChipMapError, "the matrix is 33 x 33 .* take up to 32 x 32"),
        ({"matrix": -np.eye(2)}, ConvergenceError, "condition number 1: the INV circuit would be unstable"),
        ({"matrix": np.eye(2), "write_verify": "set_voltage=5"}, LimitError, "5 V exceeds the limit"),
    ],
)  # fmt: skip
def test_what_cannot_be_inverted_is_refused_before_anything_is_done(tmp_path, given, error, sentence):
    with open_bench("arrays", seed=1) as bench:
        with pytest.raises(error, match=sentence):
            run(Invert(**given), bench, output=tmp_path)
        assert bench.now() == 0.0
    assert not list(tmp_path.iterdir())


def chip_with(folder: Path, *changes: tuple[str, str]) -> str:
    """A bench on the reference chip with changes."""
    chip = (ROOT / "mho/chip_maps/maps/reference.toml").read_text("utf-8")
    for old, new in changes:
        assert old in chip
        chip = chip.replace(old, new)
    (folder / "chip.toml").write_text(chip, "utf-8")
    bench = load_bench_file("arrays").text.replace('chip = "segmented"', 'chip = "chip.toml"')
    (folder / "bench.toml").write_text(bench, "utf-8")
    return str(folder / "bench.toml")


def test_a_chip_without_an_inverting_array_is_refused(tmp_path):
    bench = chip_with(tmp_path, ('purpose = "invert"', 'purpose = "multiply"'))
    with pytest.raises(ChipMapError, match="has no inverting array; choose a bench whose chip has one"):
        run(Invert(matrix=np.eye(2)), bench, output=tmp_path / "run.h5")


def test_signs_need_a_bias_column_or_a_second_array(tmp_path):
    second = 'name = "invert_negative"\npurpose = "multiply"'
    bench = chip_with(tmp_path, ('name = "invert_negative"\npurpose = "invert"', second))
    run(Invert(conditions="3", size=6, vectors=1), bench, output=tmp_path / "run.h5")
    with pytest.raises(ChipMapError, match="no room for a signed 32 x 32 matrix"):
        run(Invert(conditions="3", size=32), bench, output=tmp_path / "run2.h5")


@pytest.mark.thorough
def test_a_differential_loop_avoids_the_bad_cells_of_both_arrays(tmp_path):
    for number, sign in enumerate(("positive", "negative")):
        name = f'name = "invert_{sign}"'
        bench = chip_with(tmp_path, (name, f"{name}\nbad_cells = [[1, 2]]"))
        found = invert(
            tmp_path / str(number), bench, conditions="10", size=3, vectors=1, encoding="differential"
        )
        with RunFile(found.result.path) as file:
            for each in ("positive", "negative"):
                rows, columns = file.map_axes(f"invert_{each}_conductance")
                assert (1 in rows) + (2 in columns) == 1


@pytest.mark.thorough
def test_with_two_slices_the_circuit_limits_a_step_and_not_the_cells(tmp_path):
    one, two = (
        run(
            Invert(conditions="3, 20", size=8, vectors=8, seed=1, loop_slices=slices),
            "arrays",
            seed=1,
            output=tmp_path / f"{slices}.h5",
        )
        for slices in (1, 2)
    )
    for without, found in zip(one.matrices, two.matrices, strict=True):
        assert found.forecast_rho < 0.2 * without.forecast_rho
        assert found.mean_error < 0.4 * without.mean_error
        assert found.mean_error < 2.0 * found.mean_achieved_error
    with pytest.raises(ChipMapError, match="takes four inverting arrays of one size"):
        run(Invert(matrix=np.eye(2), loop_slices=2), "simulated", output=tmp_path / "none.h5")
