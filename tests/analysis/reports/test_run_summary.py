"""What `summarise` says of a run, however it ended and whatever it was."""

import numpy as np
import pytest
import run_samples
from repository import ROOT
from run_samples import SampleRun

from mho import run
from mho.analysis import summarise
from mho.errors import RunFileError
from mho.procedures import Solve
from mho.runs import RunFile, Status


def read(path):
    with RunFile(path) as opened:
        return summarise(opened)


def test_programming_is_counted_cell_by_cell(solved):
    cells = {each.name: each for each in run_samples.sample_cells()}
    facts = {array.name: array for array in read(solved).arrays}

    assert list(facts) == ["invert_positive", "multiply"]
    assert facts["multiply"].cells == facts["multiply"].programmed == 12 * 20 - run_samples.UNUSED
    assert facts["multiply"].pulses == 2 * facts["multiply"].cells
    assert {name: array.outside for name, array in facts.items()} == run_samples.OUTSIDE
    for name, array in facts.items():
        error = cells[name].achieved - cells[name].target
        assert array.error_mean == pytest.approx(np.nanmean(error), rel=1e-12)
        assert array.error_sd == pytest.approx(np.nanstd(error), rel=1e-12)


def test_refinement_and_circumstances(solved):
    summary = read(solved)

    assert summary.status is Status.FINISHED
    assert (summary.converged, summary.encoding, summary.bench_seconds) == (True, "differential", 41.0)
    assert (summary.mvm_outputs, summary.mvm_wrong) == (500, 1)
    assert summary.convergence.rho == run_samples.RHO
    np.testing.assert_allclose(summary.convergence.residual, 0.05 ** np.arange(1, 6))
    assert (summary.bench.name, summary.bench.preset, summary.seed) == ("simulated", "pku", 7)
    assert summary.chip == "reference"
    assert 0.0 <= summary.duration < 10.0
    assert [entry.level for entry in summary.warnings] == ["WARNING"]


def test_forecast_comes_from_the_matrices_while_there_is_no_summary(tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.plan()
        run.forecast()
    summary = read(tmp_path / "run.h5")

    assert summary.convergence.rho == pytest.approx(run_samples.RHO)
    assert summary.converged is None


def test_no_forecast_before_the_cells_are_programmed(tmp_path):
    with SampleRun(tmp_path / "run.h5") as run:
        run.plan()
    summary = read(tmp_path / "run.h5")

    assert summary.convergence.rho is None
    assert len(summary.convergence.cycle) == 0
    assert {array.programmed for array in summary.arrays} == {0}
    assert {array.error_mean for array in summary.arrays} == {None}


def test_an_interrupted_run_tells_what_it_got_to(interrupted):
    summary = read(interrupted)

    assert summary.status is Status.INTERRUPTED
    assert summary.duration is None
    assert sum(array.programmed for array in summary.arrays) > 0
    assert summary.convergence.forecast(1) is None


def test_a_running_run_has_lasted_until_now(tmp_path, start_writer):
    path = tmp_path / "live.h5"
    writer = start_writer(path)
    writer.tell("cycle")
    summary = read(path)

    assert summary.status is Status.RUNNING
    assert 0.0 < summary.duration < 60.0
    assert len(summary.convergence.cycle) == 1


def test_a_failed_run_says_why(tmp_path):
    summary = read(run_samples.failed_run(tmp_path / "run.h5"))

    assert (summary.status, summary.reason) == (Status.FAILED, "ValueError: boom")


def test_another_procedure_s_run(tmp_path):
    summary = read(run_samples.other_run(tmp_path / "sweep.h5"))

    assert summary.arrays == ()
    assert summary.convergence is None
    assert summary.mvm_outputs is None
    assert (summary.bench.name, summary.bench.preset) == ("probe station", None)
    assert summary.contents == {"points": 11, "maps/heat": 1}


def test_a_run_without_anything(tmp_path):
    summary = read(run_samples.empty_run(tmp_path / "empty.h5"))

    assert (summary.bench.name, summary.chip, summary.seed) == ("", "", None)
    assert summary.contents == {}


def test_without_a_chip_map_nobody_knows_the_windows(tmp_path):
    summary = read(run_samples.whole_run(tmp_path / "run.h5", chip="name = 3"))

    assert summary.chip == ""
    assert {array.outside for array in summary.arrays} == {None}
    assert all(array.error_sd > 0.0 for array in summary.arrays)


@pytest.mark.thorough
def test_summary_agrees_with_what_a_real_solve_says_of_itself(tmp_path):
    solve = Solve(
        matrix=str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx"),
        rhs=str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4-rhs.mtx"),
        bits=12,
    )
    told = run(solve, seed=3, output=tmp_path / "real.h5").summary
    summary = read(tmp_path / "real.h5")

    assert sum(array.cells for array in summary.arrays) == told["cells"]
    assert sum(array.programmed for array in summary.arrays) == told["cells"]
    assert sum(array.pulses for array in summary.arrays) == told["pulses"]
    assert sum(array.outside for array in summary.arrays) == told["cells_failed"]
    assert (summary.mvm_outputs, summary.mvm_wrong) == (told["mvm_outputs"], told["mvm_wrong"])
    assert summary.convergence.relative_error[-1] == told["relative_error"]
    assert summary.convergence.rho == told["forecast_rho"]
    assert summary.convergence.bits == 12


def test_a_damaged_file_is_a_run_file_error(solved):
    data = bytearray(solved.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    solved.write_bytes(data)

    with pytest.raises(RunFileError, match="damaged"):
        read(solved)
