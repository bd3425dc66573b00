"""Eigenvectors on the bench: beside LAPACK, at the wire too, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import Eigenvector
from mho.extensions.applications.graphs.graph_files import load_graph
from mho.running import run
from mho.runs import RunFile


def found(tmp_path, bench="arrays", seed=1, **values):
    path = tmp_path / "run.h5"
    run(Eigenvector(**values), bench, seed=seed, output=path)
    with RunFile(path) as file:
        return file.summary, file.array("eigenvector"), file.table("steps"), file.table("angles")


@pytest.mark.thorough
def test_the_dominant_pair_is_lapacks_by_three_iterations(tmp_path):
    result, vector, steps, angles = found(tmp_path)
    matrix = load_graph("florentine").weights
    values, vectors = np.linalg.eigh(matrix)
    assert result["converged"]
    assert result["dominant"]
    assert result["products_from"] == "analogue"
    assert result["eigenvalue"] == pytest.approx(values[-1], rel=1e-12)
    np.testing.assert_allclose(vector, np.abs(vectors[:, -1]), atol=1e-7)
    assert steps["davidson"][result["davidson_steps"]] <= 2.0**-24
    assert np.nanmin(angles["inverse"]) < 1e-5
    # Power iteration falls by the ratio of the eigenvalues with each product.
    ratio = steps["power"][-1] / steps["power"][-2]
    assert ratio == pytest.approx(np.sort(np.abs(values))[-2] / values[-1], rel=0.05)
    assert result["power_steps"] > 3 * result["davidson_steps"]


@pytest.mark.thorough
def test_an_inner_pair_is_found_near_a_shift(tmp_path):
    values = np.linalg.eigvalsh(load_graph("florentine").weights)
    near = float(values[-3] + 0.2 * (values[-2] - values[-3]))
    result, *_ = found(tmp_path, shift=near, steps=15, bits=16)
    assert result["converged"]
    assert not result["dominant"]
    assert result["eigenvalue"] == pytest.approx(values[-3], rel=1e-8)


@pytest.mark.thorough
def test_at_the_wire_too(tmp_path):
    matrix = np.array(
        [[2.0, 1.0, 0.0, 0.2], [1.0, 3.0, 0.5, 0.0], [0.0, 0.4, 1.0, 0.1], [0.3, 0.0, 0.1, 1.5]]
    )
    result, vector, *_ = found(tmp_path, "simulated", matrix=matrix, bits=12, steps=4)
    assert result["converged"]
    assert np.linalg.norm(matrix @ vector - result["eigenvalue"] * vector) < 4 * 2.0**-12
    assert result["angle"] < 1e-3


@pytest.mark.thorough
def test_a_shared_eigenvalue_has_a_space_and_the_angle_is_to_it(tmp_path):
    matrix = np.diag([3.0, 3.0, 1.0, 0.5])
    result, *_ = found(tmp_path, matrix=matrix, bits=16)
    assert result["multiplicity"] == 2
    assert result["angle"] < 1e-4
    assert result["eigenvalue"] == pytest.approx(3.0, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"matrix": np.diag([1.0, 2.0, 3.0]), "shift": 2.0},
            "the shift 2 is an eigenvalue of the matrix.*such as 2.1",
        ),
        ({"matrix": [[0.0, 1.0], [-1.0, 0.0]], "shift": 0.5}, "one of a complex pair"),
        ({"matrix": np.zeros((2, 2))}, "the matrix is zero"),
        ({"matrix": [[2.0]]}, "has one row"),
        ({"matrix": [[1j, 0], [0, 1]]}, "the matrix is complex"),
        ({"matrix": np.ones((2, 3))}, "not square"),
        ({"matrix": "florence"}, "there is no sample called florence"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(values, words):
    with pytest.raises(InputError, match=words):
        Eigenvector(**values).check()


@pytest.mark.thorough
def test_a_matrix_beyond_a_loop_says_that_its_products_are_digital(tmp_path):
    path = tmp_path / "run.h5"
    run(Eigenvector(matrix="karate", bits=12, steps=3), "arrays", seed=1, output=path)
    with RunFile(path) as file:
        assert file.summary["products_from"] == "float64"
        assert any("products are taken in float64" in one.message for one in file.log())
