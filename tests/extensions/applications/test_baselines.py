"""What each application tells of its best digital rival: counts by closed forms, and a chip that is worth nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.analysis.reports import worth_rows
from mho.extensions.applications import (
    Eigenvector,
    Factorisation,
    Kalman,
    Mimo,
    PageRank,
    PowerFlow,
    PseudoInverse,
    Regression,
)
from mho.extensions.applications.graphs.graph_files import load_graph
from mho.extensions.applications.graphs.page_rank import (
    page_rank_system,
    restart_vector,
    steps_of_gcr,
    transition_matrix,
)
from mho.extensions.applications.wireless.detection import share_of_a_vector
from mho.instruments.bench_file import load_bench_file
from mho.running import run
from mho.runs import RunFile


def ran(procedure: Any, folder: Path, bench: str = "arrays") -> tuple[dict[str, Any], str]:
    """Run, and return the result and its line."""
    path = folder / "run.h5"
    run(procedure, bench, seed=1, output=path)
    with RunFile(path) as file:
        return file.summary, file.conclusion.line


def without_certificate(result: dict[str, Any]) -> int:
    digital = result["multiplications"]["digital"]
    return sum(digital.values()) - digital["certificate"]


@pytest.mark.thorough
def test_of_page_rank_gcr_stands_beside_the_power_iteration(tmp_path: Path) -> None:
    result, line = ran(PageRank(), tmp_path)
    graph = load_graph("karate")
    restart = restart_vector(graph.nodes)
    matrix, rhs = page_rank_system(transition_matrix(graph.weights, restart), restart, 0.85)
    steps = steps_of_gcr(matrix, rhs, result["relative_error"])
    assert steps == result["digital_gcr_products"] < result["digital_products"] / 3
    without = result["without_chip"]
    assert without["right_hand_sides"] == 1  # the loop that is shown is none of them
    assert abs(without["cycles"] - steps) <= 1
    assert without["cycles_with"] == result["cycles"]
    assert f"{result['cycles']} cycles, {without['cycles']} without the chip" in line
    with RunFile(tmp_path / "run.h5") as file:
        curve = file.table("cycles")["without_chip"]
    assert np.all(np.diff(curve) < 0.0)
    assert curve[-1] > result["relative_error"]


@pytest.mark.thorough
def test_the_share_of_a_vector_that_a_chip_multiplies_is_27_percent_at_128_antennas_and_8_users(
    tmp_path: Path,
) -> None:
    assert share_of_a_vector(128, 8, 3) == pytest.approx(3.0 / 11.0)  # 1,536 beside 4,096
    result, line = ran(Mimo(antennas=16, users=3, snr="12", bits_per_point=3600), tmp_path)
    vectors = 3600 // (3 * 8)
    work = result["multiplications"]
    assert result["share_of_a_vector_on_chip"] == pytest.approx(6 * 36 / (6 * 36 + 4 * 16 * 3))
    assert work["digital"]["beside"] == 4 * 16 * 3 * (3 + vectors)  # H^H H, and H^H y
    assert work["chip"]["products"] >= 2 * 36 * vectors  # the last cycle takes none
    assert work["share_on_chip"] < result["share_of_a_vector_on_chip"]
    direct = result["direct"]
    # Cholesky of a complex 3 x 3: 3 + 4 multiplications, two triangles of 6 a vector; a complex one is four.
    assert direct["digital"] - work["digital"]["beside"] == 4 * (7 + 12 * vectors)
    assert direct["digital_with"] == without_certificate(result)
    assert "times the digital multiplications of Cholesky" in line


@pytest.mark.thorough
def test_inv_saves_a_factorisation_only_the_cholesky_of_its_gram_matrices(tmp_path: Path) -> None:
    picture = np.random.default_rng(3).random((12, 4)) @ np.random.default_rng(4).random((4, 10))
    result, line = ran(Factorisation(picture=picture, ranks="4", iterations=2, solves=3), tmp_path)
    digital, direct = result["multiplications"]["digital"], result["direct"]
    beside = 2 * 4 * (4 * 22 + 2 * 120)
    assert digital["beside"] == beside
    assert digital["residual"] == 2 * 3 * 16 * 22
    # Of 4 x 4 Cholesky takes 6 + 10, four times; its two triangles 20 a column.
    assert direct["digital"] - beside == 4 * 16 + 2 * 3 * 20 * 22
    assert "without_chip" not in result
    assert "times the digital multiplications of Cholesky" in line
    rows = dict(worth_rows(result))
    assert rows["directly"].startswith(f"Cholesky, {direct['digital']:,} multiplications")
    assert f"{without_certificate(result):,} beside the chip" in rows["directly"]


@pytest.mark.thorough
def test_an_eigenvector_stands_beside_lanczos_and_lapack(tmp_path: Path) -> None:
    result, line = ran(Eigenvector(), tmp_path)
    with RunFile(tmp_path / "run.h5") as file:
        steps = file.table("steps")
    without = result["without_chip"]
    assert without["cycles_with"] == result["davidson_steps"] + 1
    assert without["cycles"] == np.isfinite(steps["without_chip"]).sum() <= 15
    assert np.nanmin(steps["without_chip"]) <= 2.0**-24
    assert result["direct"]["method"] == "LAPACK"
    assert f"{without['cycles_with']} cycles, {without['cycles']} without the chip" in line


@pytest.mark.thorough
@pytest.mark.parametrize("gain", ["held", "every step"])
def test_a_filter_stands_beside_cholesky_of_each_covariance(gain: str, tmp_path: Path) -> None:
    result, _ = ran(
        Kalman(track="random", tracks=3, steps=12, sensors=2, gap=2, gain=gain, bits=16), tmp_path
    )
    steps, columns = 10, 3 + 4
    dense = steps * (6 + 10 + 20 * columns)  # of 4 x 4
    own = result["direct"]["digital"] - result["multiplications"]["digital"]["beside"]
    assert 0.4 * dense < own <= dense  # x and y are apart, which a sparse one takes for less
    # Held, all columns are solved again but the two of the first step's speeds, which are zero; else four of each matrix.
    assert result["without_chip"]["right_hand_sides"] == (
        steps * columns - 2 if gain == "held" else steps * 4
    )


@pytest.mark.thorough
def test_a_pseudo_inverse_and_a_fit_stand_beside_qr_and_their_normal_equations(tmp_path: Path) -> None:
    result, line = ran(PseudoInverse(bits=12), tmp_path)
    assert result["direct"]["method"] == "QR"
    assert result["without_chip"]["right_hand_sides"] == 4
    assert "of QR" in line
    result, _ = ran(Regression(bits=12), tmp_path / "normal")
    beside = 16 * 6 + 16 * 21  # Z^T y and half of Z^T Z: Longley's 16 rows and 6 columns
    assert result["multiplications"]["digital"]["beside"] == beside
    assert result["direct"]["digital"] - beside == 15 + 35 + 7 * 42  # Cholesky, and 7 right-hand sides


@pytest.mark.thorough
def test_a_chip_of_stuck_cells_is_said_to_be_worth_nothing(tmp_path: Path) -> None:
    bench = tmp_path / "stuck.toml"
    bench.write_text(load_bench_file("arrays").text.replace('preset = "pku"', 'preset = "pku"\nstuck = 1.0'))
    for number, procedure in enumerate(
        (PowerFlow(scenarios=1, outages=False, bits=16), Eigenvector(bits=12, steps=20))
    ):
        result, line = ran(procedure, tmp_path / str(number), str(bench))
        assert result["without_chip"]["verdict"] in ("saved nothing", "contributed nothing")
        assert result["without_chip"]["in_words"] in line
        assert "saved no cycle" in line or "contributed nothing" in line or "without the chip" in line
