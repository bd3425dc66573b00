"""What is of no kind that a call takes is refused in a sentence, by all of them alike; nothing is ignored in silence."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import mho

MATRIX, RHS = 4.0 * np.eye(4) + 0.1, np.arange(1.0, 5.0)
CALLS = {
    "run": lambda **how: mho.run(mho.Read(rows="0:2"), **how),
    "solve": lambda **how: mho.solve(MATRIX, RHS, **how),
    "forecast": lambda **how: mho.forecast(MATRIX, RHS, draws=19, alternatives=False, **how),
    "linalg.solve": lambda **how: mho.linalg.solve(MATRIX, RHS, **how),
    "open_bench": mho.open_bench,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("bench", [None, 3, b"arrays", mho, ["arrays"]], ids=lambda one: type(one).__name__)
def test_a_bench_of_another_kind_is_refused(call, bench) -> None:
    with pytest.raises(mho.InputError, match=r"^bench is .*give the name of a bench"):
        call(bench=bench)


@pytest.mark.parametrize("name", ["run", "solve", "linalg.solve"])
@pytest.mark.parametrize("preset", ["quiet", "nope", 3])
def test_cells_for_a_bench_that_is_open_are_refused(name: str, preset: object) -> None:
    with (
        mho.open_bench("arrays", preset="relaxing", seed=1) as bench,
        pytest.raises(mho.InputError, match="open already, with cells of its own; leave out preset"),
    ):
        CALLS[name](bench=bench, preset=preset)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_empty_preset_is_none_of_the_known(call) -> None:
    with pytest.raises(mho.MhoError, match="preset"):
        call(bench="arrays", preset="")


def test_a_forecast_has_the_cells_of_an_open_bench_and_none_of_a_closed_one() -> None:
    with mho.open_bench("arrays", preset="relaxing", seed=1) as bench:
        assert CALLS["forecast"](bench=bench, seed=1).preset == "relaxing"
        assert CALLS["forecast"](bench=bench, seed=1, preset="quiet").preset == "quiet"
    with pytest.raises(mho.BenchError, match="closed"):
        CALLS["forecast"](bench=bench, seed=1)


def test_a_procedure_of_another_kind_is_refused() -> None:
    with pytest.raises(mho.InputError, match=r"the class Read itself; give Read\(\.\.\.\)"):
        mho.run(mho.Read, "arrays")
    with pytest.raises(mho.InputError, match="the procedure is 'read'"):
        mho.run("read", "arrays")


@pytest.mark.parametrize("output", [1, b"x", "a\0.h5", "", 2.0])
@pytest.mark.parametrize("name", ["run", "solve"])
def test_an_output_of_another_kind_is_refused(name: str, output: object) -> None:
    with pytest.raises(mho.InputError, match=r"^output is .*give a run file"):
        CALLS[name](bench="arrays", output=output)


def test_masked_values_and_a_row_for_a_column_are_refused() -> None:
    masked = np.ma.array(RHS, mask=[0, 1, 0, 0])
    for solve in (mho.solve, mho.linalg.solve):
        with pytest.raises(ValueError, match="masked"):
            solve(MATRIX, masked, bench="arrays")
        with pytest.raises(ValueError, match=r"rhs has the shape \(1, 4\)"):
            solve(MATRIX, RHS[None], bench="arrays")
    whole = np.ma.array(RHS, mask=False)
    np.testing.assert_allclose(
        mho.linalg.solve(MATRIX, whole, bench="arrays", seed=1), np.linalg.solve(MATRIX, RHS), rtol=1e-6
    )


def test_numbers_as_objects_are_numbers_and_others_are_refused_alike() -> None:
    for matrix, rhs in ((MATRIX.astype(object), RHS), (MATRIX, [Fraction(one) for one in RHS])):
        ours = mho.solve(matrix, rhs, bench="arrays", seed=1).solution
        np.testing.assert_allclose(ours, np.linalg.solve(MATRIX, RHS), rtol=1e-6)
        np.testing.assert_allclose(mho.linalg.solve(matrix, rhs, bench="arrays", seed=1), ours, rtol=1e-6)
    for wrong, words in (
        ([[1.0], [1.0, 2.0]], "list does not become"),
        ([["a"]], "holds <U1"),
        ([[None]], "NaN"),
    ):
        for solve in (mho.solve, mho.linalg.solve):
            with pytest.raises(mho.InputError, match=f"matrix .*{words}"):
                solve(wrong, RHS, bench="arrays")


def test_a_complex_right_hand_side_in_single_precision_loses_none_of_the_matrixs() -> None:
    rhs = (RHS + 1j * RHS[::-1]).astype(np.complex64)
    answer = mho.linalg.solve(MATRIX, rhs, bench="arrays", seed=1, bits=40)
    assert answer.dtype == np.complex128
    np.testing.assert_allclose(answer, np.linalg.solve(MATRIX, rhs.astype(complex)), rtol=1e-11)
