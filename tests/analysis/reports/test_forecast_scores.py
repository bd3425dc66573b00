"""Past runs are held to their forecasts; what holds none, or is damaged, is told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import run_samples

from mho.analysis.reports import ForecastScores, score_forecasts
from mho.errors import InputError, RunFileError
from mho.runs import Layout, RunHeader, RunWriter, Status
from mho.runs.intervals import Interval, prediction_interval

CYCLES = prediction_interval([4.0] * 10 + [5.0] * 9)
PULSES = Interval(100.0, 110.0, 120.0)
assert CYCLES is not None
FORECAST = {"draws": 19, "converging": 18, "cycles_to_goal": CYCLES.plain(), "pulses": PULSES.plain()}


def keep(path: Path, summary: dict[str, Any], status: Status = Status.FINISHED, reason: str = "") -> None:
    with RunWriter.create(path, RunHeader("Solve", "Solve", "3", {}), Layout()) as run:
        run.set_result(summary)
        run.finish(status, reason)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (cycles, pulses) in enumerate([(4, 105), (5, 119), (6, 121), (None, 110)]):
        outcome = {"converged": cycles is not None, "cycles_to_goal": cycles, "pulses": pulses}
        keep(tmp_path / f"{number}.h5", outcome | {"forecast": FORECAST})
    return tmp_path


def test_outcomes_are_held_to_their_intervals(folder: Path):
    scores = score_forecasts(folder)
    assert (scores.runs, scores.converged, scores.expected) == (4, 3, pytest.approx(4 * 18 / 19))
    pulses, cycles = scores.coverages["pulses"], scores.coverages["cycles_to_goal"]
    assert (pulses.runs, pulses.inside, pulses.coverage) == (4, 3, 0.75)
    assert cycles.inside == 2
    assert cycles.coverage == pytest.approx((CYCLES.at_low + CYCLES.at_high) / 4)
    assert not pulses.met
    low, high = pulses.uncertainty
    assert low < 0.75 < high


def test_files_without_a_forecast_and_damaged_ones_are_told_apart(folder: Path):
    run_samples.whole_run(folder / "none.h5")
    run_samples.failed_run(folder / "failed.h5")
    keep(folder / "aborted.h5", {"forecast": FORECAST}, Status.ABORTED, "enough")
    keep(folder / "wrong.h5", {"converged": True, "forecast": {"draws": 19, "converging": "often"}})
    keep(folder / "odd.h5", {"converged": True, "pulses": "many", "forecast": FORECAST})
    (folder / "damaged.h5").write_bytes(b"not HDF5")
    scores = score_forecasts(folder)
    assert (scores.runs, scores.without) == (4, 3)
    assert {one.path.name for one in scores.unreadable} == {"wrong.h5", "odd.h5", "damaged.h5"}
    assert all(one.reason for one in scores.unreadable)


def test_a_loop_that_did_not_settle_did_not_converge_and_has_no_other_outcome(folder: Path):
    keep(folder / "rails.h5", {"forecast": FORECAST}, Status.FAILED, "ConvergenceError: the INV loop rails")
    keep(folder / "bug.h5", {"forecast": FORECAST}, Status.FAILED, "ValueError: boom")
    scores = score_forecasts(folder)
    assert (scores.runs, scores.converged, scores.without) == (5, 3, 1)
    assert scores.coverages["pulses"].runs == 4


def test_a_place_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        score_forecasts(tmp_path / "nowhere")


def test_what_is_no_forecast_counts_nothing():
    scores = ForecastScores()
    with pytest.raises(RunFileError):
        scores.add({"draws": 19, "converging": 19, "pulses": {"low": 3.0}}, {"converged": True, "pulses": 3})
    assert (scores.runs, scores.coverages) == (0, {})
