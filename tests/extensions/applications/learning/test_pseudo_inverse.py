"""Pseudo-inverses on the bench: tall and wide, in one step and refined, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications import PseudoInverse
from mho.extensions.applications.learning.pseudo_inverse import generalised_inverse_system
from mho.running import run
from mho.runs import RunFile

TALL = np.random.default_rng(2).standard_normal((6, 2))


def test_the_circuit_s_solutions_are_the_pseudo_inverse_and_its_loop_is_stable():
    matrix, rhs = generalised_inverse_system(TALL)
    np.testing.assert_allclose(np.linalg.solve(matrix, rhs)[6:], np.linalg.pinv(TALL), rtol=1e-12)
    assert np.linalg.eigvals(matrix).real.min() > 0.0
    assert np.linalg.cond(matrix) < 2.0 * np.linalg.cond(TALL)


@pytest.mark.thorough
@pytest.mark.parametrize("wide", [False, True])
def test_the_chip_has_it_to_the_bits_in_either_form(tmp_path, wide):
    path, given = tmp_path / "run.h5", TALL.T if wide else TALL
    run(PseudoInverse(matrix=given, bits=20), "arrays", seed=1, output=path)
    with RunFile(path) as file:
        result, refined, one_step, cycles = (
            file.summary,
            file.map("refined"),
            file.map("one_step"),
            file.table("cycles"),
        )
    exact = np.linalg.pinv(given)
    assert result["converged"]
    assert (result["rows"], result["columns"]) == given.shape
    np.testing.assert_allclose(refined, exact, atol=2.0**-18 * np.abs(exact).max())
    off = np.linalg.norm(one_step - exact) / np.linalg.norm(exact)
    assert result["one_step_error"] == pytest.approx(off, rel=1e-9) == cycles["relative_error"][0]
    assert 2.0**-18 < off < 0.8
    assert result["relative_error"] < 2.0**-19


@pytest.mark.thorough
def test_at_the_wire_too(tmp_path):
    path = tmp_path / "run.h5"
    run(PseudoInverse(matrix=TALL[:4], bits=9, cycles=2), "simulated", seed=1, output=path)
    with RunFile(path) as file:
        assert file.summary["converged"]
        assert file.summary["relative_error"] < 2.0**-7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"matrix": np.ones((3, 2))}, "3 rows and 2 columns .* some of them depend on the others"),
        ({"matrix": 1j * TALL}, "the matrix is complex"),
        ({"matrix": TALL, "features": "a"}, "features are columns of a sample table"),
        ({"features": "gdp"}, "longley has no column 'gdp'; did you mean gnp"),
    ],
)
def test_bad_input_is_refused_before_anything_is_done(values, words):
    with pytest.raises(InputError, match=words):
        PseudoInverse(**values).check()
