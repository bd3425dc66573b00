"""What an oscilloscope at the outputs of a connected INV loop would show, at the wire and without instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from changed_bench import opened

from mho.errors import BenchError, InputError
from mho.instruments.bench.bench import Bench

DIAGONAL, GIN = 20e-6, 35e-6  # S; the cells are not formed, so that the resistors are the matrix
VOLTS = np.array([0.05, -0.1])


def close_loop(bench: Bench) -> None:
    bench.connect_invert("invert_positive", [0, 1], [0, 1], diagonal=DIAGONAL, diagonal_count=2)


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_the_waveform_ends_where_the_bench_reads(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, name, 'amplifier = "AD823"') as bench:
        close_loop(bench)
        response = bench.simulated.step_response(VOLTS, points=500)
        assert response.outputs.shape == (500, 2)
        assert np.abs(response.outputs[0]).max() < 0.2 * np.abs(response.final).max()
        assert response.outputs[-1] == pytest.approx(response.final, abs=1e-5)
        assert bench.invert(VOLTS[None])[0] == pytest.approx(response.final, abs=2e-3)
        assert response.final == pytest.approx(-GIN / DIAGONAL * VOLTS, rel=0.02, abs=2e-3)


def test_a_board_with_a_feedback_capacitor_takes_longer(tmp_path: Path) -> None:
    times = []
    for lines in ((), ("row_capacitance = 2e-12", "feedback_capacitance = 5e-12")):
        with opened(tmp_path, "arrays", *lines) as bench:
            close_loop(bench)
            times.append(bench.simulated.step_response(VOLTS).settling_time())
    assert times[1] - times[0] > 2.0 * 5e-12 / DIAGONAL  # C_f / G is its time constant; 1 % takes 4.6 of them


def test_fast_amplifiers_ring_without_a_feedback_capacitor(tmp_path: Path) -> None:
    overshoots = []
    for feedback in ("0.0", "0.2e-12"):
        with opened(
            tmp_path, "arrays", 'amplifier = "OPA690"', f"feedback_capacitance = {feedback}"
        ) as bench:
            close_loop(bench)
            response = bench.simulated.step_response(0.1 * VOLTS)
            overshoots.append(response.overshoot)
            assert response.start == pytest.approx(-5e-6 / DIAGONAL, rel=0.05)  # of their bias current
    assert overshoots[0] > 0.7
    assert overshoots[1] < 0.3


def test_what_cannot_be_stepped_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with opened(tmp_path, "arrays") as bench:
        with pytest.raises(
            BenchError, match="no INV loop is connected, so none can be stepped; call connect_invert"
        ):
            bench.simulated.step_response(VOLTS)
        bench.connect_multiply("multiply", [0, 1], [0, 1])
        with pytest.raises(BenchError, match="no INV loop is connected"):
            bench.simulated.step_response(VOLTS)
        close_loop(bench)
        for wrong in (VOLTS[:1], np.array([0.1, np.nan]), VOLTS[None]):
            with pytest.raises(InputError, match="into a loop of 2 rows; give 2 finite voltages"):
                bench.simulated.step_response(wrong)
        for duration, points in ((0.0, 10), (np.nan, 10), (1e-6, 0)):
            with pytest.raises(InputError, match="give a number and a time above 0"):
                bench.simulated.step_response(VOLTS, duration, points)


@pytest.mark.parametrize("value", ["2.0", "-1e-12", "nan"])
def test_capacitances_are_in_farads(tmp_path: Path, value: str) -> None:
    with pytest.raises(BenchError, match="row_capacitance"):
        opened(tmp_path, "arrays", f"row_capacitance = {value}")


@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_a_bench_knows_its_amplifiers(tmp_path: Path, name: str) -> None:
    with opened(tmp_path, name, 'amplifier = "OPA690"', "row_capacitance = 8e-12") as bench:
        amplifier = bench.simulated.amplifier
        assert (amplifier.name, amplifier.bandwidth) == ("OPA690", 300e6)
        assert (amplifier.row_capacitance, amplifier.feedback_capacitance) == (8e-12, 0.2e-12)
