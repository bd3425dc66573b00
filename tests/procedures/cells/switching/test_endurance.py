"""Endurance on both benches: windows fail where the twin's wear has it, with the reason; the stress is the bench's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from formed_cells import bench_with, changed_preset

from mho import run
from mho.errors import Aborted, BenchError, InputError, LimitError
from mho.instruments import open_bench
from mho.procedures import Endurance
from mho.procedures.cells.extraction.lifetimes import (
    NARROW,
    SPREAD,
    STUCK_HRS,
    STUCK_LRS,
    has_worn,
    sustainable_ratios,
)
from mho.procedures.stream import Control, Progress
from mho.runs import RunFile


def wears_fast(monkeypatch: pytest.MonkeyPatch, cycles: float) -> None:
    """Let the HRS floor rise by its own value, and nothing else wear, in so many cycles."""
    changed_preset(monkeypatch, "ideal", endurance=cycles, wear_top=0.0, wear_floor=1.0)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_a_window_fails_when_the_floor_has_risen_to_it(name, monkeypatch, tmp_path):
    wears_fast(monkeypatch, 1000.0)
    # LRS is 35 uS, the floor 0.36 uS (1 + wear): the ratio is 10 at a wear of 8.7.
    with bench_with([[7, 7]], name, "ideal") as bench:
        procedure = Endurance(rows="0", columns="0:2", cycles=10**6, window=10.0, per_decade=12)
        endured = run(procedure, bench, seed=1, output=tmp_path)
        assert bench.simulated is not None
        cells, index = bench.simulated.chip.at("multiply", np.array([0]), np.array([0, 1]))
        wear = cells.wear(index).ravel() / 1000.0
    assert (endured.reason == NARROW).all()
    assert wear == pytest.approx(8.7, rel=0.35)
    assert (endured.good < endured.failed).all()
    assert (endured.failed < 1.3 * endured.good).all()
    summary = endured.summary
    assert (summary["failed"], summary["window_below_the_ratio"]) == (2, 2)
    assert summary["weibull_scale_low"] <= endured.failed.max()
    with RunFile(endured.path) as file:
        table, lives = file.table("endurance"), file.table("lifetimes")
        np.testing.assert_array_equal(lives["failed"], endured.failed.ravel())
        # A failure is seen three times in a row before it counts, and then in twenty more windows.
        assert table["cycles"].max() == endured.failed.max() + 20 * 20
        last = table["conductance"][(table["column"] == 0) & (table["state"] == 1)][-23:]
        assert (35e-6 / last < 11.0).all()


def test_cells_that_last_are_censored_and_pulses_one_by_one_are_counted(tmp_path):
    with bench_with([[7]], "simulated") as bench:
        before = bench.laboratory.monitor.pulses
        procedure = Endurance(rows="0", columns="0", cycles=30, between="pulses")
        endured = run(procedure, bench, seed=1, output=tmp_path)
        assert bench.laboratory.monitor.pulses - before == 60
        assert not bench.laboratory.monitor.incidents
    assert endured.counts.tolist() == [1, 2, 3, 6, 10, 18, 30]
    assert (endured.good[0, 0], endured.failed[0, 0]) == (30.0, math.inf)
    assert (endured.summary["failed"], endured.summary["weibull_scale"]) == (0, None)


def test_bursts_go_up_and_down_on_the_bit_line_within_its_limits_as_often_as_asked(tmp_path):
    with bench_with([[7]], "simulated") as bench:
        before = bench.laboratory.monitor.pulses
        run(Endurance(rows="0", columns="0", cycles=2_500_000, per_decade=1), bench, seed=1, output=tmp_path)
        trace = bench.laboratory.monitor.terminals["bit line"].extremes()
        assert bench.laboratory.monitor.pulses - before == 5_000_000
        assert (trace.lowest, trace.highest) == (pytest.approx(-3.0, rel=0.01), pytest.approx(3.3, rel=0.4))
        assert not bench.laboratory.monitor.incidents


@pytest.mark.parametrize(("volts", "reason"), [("set_voltage", STUCK_HRS), ("reset_voltage", STUCK_LRS)])
def test_a_cell_that_no_longer_switches_is_stuck_in_its_state(volts, reason, tmp_path):
    with bench_with([[7]], "arrays", "ideal") as bench:
        # The pulse that is too weak leaves the cell where the other one has put it.
        first = Endurance(rows="0", columns="0", cycles=5, between="pulses", **{volts: 0.3})
        endured = run(first, bench, seed=1, output=tmp_path)
    assert endured.reason[0, 0] == reason
    assert endured.good[0, 0] <= 1.0


def test_cells_that_were_never_formed_are_left_out_and_it_is_said(tmp_path):
    with open_bench("arrays", seed=1) as bench:
        endured = run(
            Endurance(rows="0", columns="0:2", cycles=10, forming="no"), bench, seed=1, output=tmp_path
        )
    assert endured.summary["unformed"] == 2
    assert np.isnan(endured.good).all()
    with RunFile(endured.path) as file:
        assert file.length("endurance") == 0
        assert any("none of 2 cells was ever formed" in entry.message for entry in file.log())


def test_what_was_measured_is_kept_when_the_run_is_stopped(tmp_path):
    control = Control()

    def stop(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "cycling" and event.done == 1:
            control.abort("enough")

    path = tmp_path / "stopped.h5"
    procedure = Endurance(rows="0", columns="0:2", cycles=100)
    with bench_with([[7, 7]], "arrays") as bench, pytest.raises(Aborted):
        run(procedure, bench, seed=1, output=path, observers=[stop], control=control)
    with RunFile(path) as file:
        assert file.length("lifetimes") == 1
        table = file.table("endurance")
        assert table["cycles"][table["column"] == 1].max() == 20  # its first cycles, and no more
        assert table["cycles"][table["column"] == 0].max() == 100


def test_a_generator_without_waveforms_is_refused_before_anything_is_sent_and_pulses_still_go(tmp_path):
    with bench_with([[7]], "arrays") as bench:
        bench.instruments.pulser.shape_waveform = None
        with pytest.raises(BenchError, match="plays no waveforms; use pulses"):
            run(Endurance(rows="0", columns="0", cycles=100), bench, output=tmp_path)
        procedure = Endurance(rows="0", columns="0", cycles=10, between="pulses")
        assert run(procedure, bench, seed=1, output=tmp_path).good[0, 0] == 10.0


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Endurance(burst_reset=4.9), LimitError, "bit line: voltage of -4.9 V"),
        (Endurance(set_gate=4.5), LimitError, "word line"),
        (
            Endurance(between="pulses", cycles=10**7),
            InputError,
            "at most 1,000,000 are applied pulse by pulse",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench, pytest.raises(error, match=said):
        run(procedure, bench, output=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_windows_that_scatter_have_not_failed_and_a_criterion_that_cells_hold_is_given_first(tmp_path):
    """The cells of `stanford` last a million cycles, and their windows scatter by half a decade about 20."""
    with open_bench("stanford-arrays", seed=1) as bench:
        endured = run(Endurance(rows="0:2", columns="0:4", cycles=3000), bench, seed=1, output=tmp_path)
    summary = endured.summary
    assert summary["failed"] == 0
    assert summary["weibull_scale"] is None
    assert summary["cannot_hold"] >= 4
    assert 0.0 < summary["window_held"] < 5.0
    assert "0 of 8 cells have worn out" in summary["not_extracted"]["weibull_scale"]
    with RunFile(endured.path) as file:
        said = [
            entry.message
            for entry in file.log()
            if "cannot hold LRS/HRS >= 5 from the start" in entry.message
        ]
        lives = file.table("lifetimes")
    assert len(said) == 1
    assert ((lives["reason"] == SPREAD) == (lives["missed"] > 0)).all()
    assert np.isinf(lives["failed"]).all()


def test_a_cell_that_never_switched_has_no_lifetime(tmp_path):
    with bench_with([[7, 7]], "arrays", "ideal") as bench:
        weak = Endurance(rows="0", columns="0:2", cycles=1000, reset_voltage=0.3)
        endured = run(weak, bench, seed=1, output=tmp_path)
    assert (endured.summary["never_switched"], endured.summary["failed"]) == (2, 0)
    assert endured.summary["weibull_scale"] is endured.summary["lrs_first"] is None
    assert np.isnan(endured.failed).all()


def test_the_ratio_that_cells_hold_is_missed_as_rarely_as_it_says():
    rng = np.random.default_rng(1)
    looks, confirmations, taken = 25, 3, 0
    for _ in range(300):
        windows = rng.normal(1.3, 0.3, (1, 20))
        held = np.log10(sustainable_ratios(windows, looks, confirmations)[0])
        taken += bool((rng.normal(1.3, 0.3, (looks, confirmations)) < held).all(axis=1).any())
    assert taken <= 15  # 3 expected


@pytest.mark.thorough
def test_what_has_worn_lies_below_its_first_windows():
    rng = np.random.default_rng(1)
    first, lower, higher = (rng.normal(middle, 0.3, 20) for middle in (1.3, 0.6, 2.0))
    taken = [
        has_worn(rng.normal(1.3, 0.5, 20), rng.normal(1.3, 0.5, 20), 25, holds=True) for _ in range(1000)
    ]
    assert sum(taken) <= 3  # 0.4 expected
    assert has_worn(first, lower, 25, holds=True)
    assert not has_worn(first, higher, 25, holds=True)
    assert not has_worn(first, lower, 25, holds=False)  # it never held the criterion, and it still switches
    assert has_worn(first, np.zeros(20), 25, holds=False)
