"""Noise on both benches: the instrument's own time, tables, the traps that the twin knows of, what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from formed_cells import bench_with, changed_preset

from mho import run
from mho.errors import ChipMapError, InputError, LimitError
from mho.instruments import Cell, open_bench
from mho.procedures import Noise, Switching
from mho.procedures.cells.reading.noise import stands_out
from mho.runs import RunFile


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["simulated"]))
def test_series_spectra_and_what_they_tell_are_in_the_file(name, tmp_path):
    with bench_with([[3, 7]], name) as bench:
        procedure = Noise(rows="0", columns="0:3", samples=300, series=2, forming="no")
        noises = run(procedure, bench, seed=1, output=tmp_path)
        moments = [bench.now()]
        for count in (110, 10):
            bench.read_list(Cell("multiply", 0, 0), count)
            moments.append(bench.now())
    assert noises.series.shape == (1, 3, 2, 300)
    assert noises.interval == pytest.approx((2 * moments[1] - moments[0] - moments[2]) / 100, rel=0.05)
    with RunFile(noises.path) as file:
        table = file.table("series")
        assert len(table["time"]) == 1200
        assert np.diff(table["time"][:300]) == pytest.approx(noises.interval, rel=1e-6)
        np.testing.assert_array_equal(table["conductance"][:300], noises.series[0, 0, 0])
        assert set(file.table("spectra")["column"]) == set(file.table("allan")["column"]) == {0, 1}
        found = file.table("noise")
        assert found["mean"] == pytest.approx(noises.series[0, :2].mean(axis=(1, 2)), abs=50e-9)  # an offset
        assert found["meter_deviation"] == pytest.approx(10e-9, rel=0.2)
        assert noises.summary["unformed"] == 1
        assert any("1 of 3 cells were never formed" in entry.message for entry in file.log())


@pytest.mark.thorough
def test_a_trap_is_found_at_the_wire_with_its_dwell_times(monkeypatch, tmp_path):
    changed_preset(monkeypatch, "pku", rtn_share=1.0, rtn_fastest=8e-3, rtn_slowest=12e-3)
    with bench_with([[5]], "simulated") as bench:
        noises = run(Noise(rows="0", columns="0", series=1), bench, seed=1, output=tmp_path)
    (telegraph,) = noises.telegraph.values()
    rate = 1.0 / telegraph.dwell_low + 1.0 / telegraph.dwell_high
    assert 5e-3 < 1.0 / rate < 20e-3
    assert noises.summary["telegraph_share"] == 1.0
    assert noises.summary["telegraph_share_low"] < 1.0
    with RunFile(noises.path) as file:
        found = file.table("noise")
        assert (found["levels"][0], found["high"][0]) == (2, telegraph.high)


def test_a_wait_before_each_read_is_the_instrument_s(tmp_path):
    with bench_with([[5]], "simulated") as bench:
        noises = run(Noise(rows="0", columns="0", samples=64, series=1, delay=0.05), bench, output=tmp_path)
    assert noises.interval == pytest.approx(0.0505, abs=0.001)


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Noise(rows="1999"), ChipMapError, "row 1999"),
        (Noise(read_voltage=5.0), LimitError, "bit line"),
        (Noise(read_voltage=0.0), InputError, "read_voltage is 0 V"),
        (Noise(rows="0:100", columns="0:100"), InputError, "are more than the 20,000,000 a run may have"),
    ],
)
def test_what_cannot_be_done_is_refused(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench, pytest.raises(error, match=said):
        run(procedure, bench, output=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["simulated", "arrays"])
def test_the_meter_s_noise_is_not_told_for_that_of_cells_in_hrs(name, tmp_path):
    """At 0.37 uS the cell's own 0.25 % are 1 nS; the meter's are 10 nS."""
    with bench_with([[7, 7]], name) as bench:
        run(Switching(rows="0", columns="0", cycles=1), bench, seed=1, output=tmp_path / "hrs.h5")
        noises = run(Noise(rows="0", columns="0:2", samples=300, series=2), bench, seed=1, output=tmp_path)
    assert (noises.summary["measured"], noises.summary["own_noise"]) == (2, 1)
    with RunFile(noises.path) as file:
        cells = file.table("noise")
    assert cells["own"].tolist() == [0, 1]
    assert np.isnan(cells["deviation"][0])
    assert np.isnan(cells["slope"][0])
    assert cells["deviation"][1] / cells["mean"][1] == pytest.approx(0.0025, rel=0.3)
    assert noises.summary["relative_deviation"] == pytest.approx(0.0025, rel=0.3)


def test_what_stands_out_is_controlled_over_all_cells():
    rng = np.random.default_rng(1)
    meter = rng.normal(size=500)
    alone = [stands_out(rng.normal(size=(4, 500)), meter, 1000) for _ in range(1000)]
    assert not any(alone)
    assert all(stands_out(1.3 * rng.normal(size=(4, 500)), meter, 1000) for _ in range(100))


def test_runs_of_before_are_repeated_as_they_were():
    assert Noise.from_version("1", {"rows": "0"}) == {"rows": "0", "forming": "no", "blanks": 0}
    assert Noise.from_version("2", {"rows": "0"}) == {"rows": "0"}
