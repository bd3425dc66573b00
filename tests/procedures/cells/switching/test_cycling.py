"""SET and RESET distributions on both benches: what is measured is what the twin's cells do; what cannot be is said."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from daily import daily
from formed_cells import bench_with, changed_preset

from mho import run
from mho.errors import Aborted, ChipMapError, InputError, LimitError
from mho.instruments import open_bench
from mho.procedures import Switching
from mho.procedures.stream import Control, Progress
from mho.runs import RunFile

SEVENS = np.full((2, 2), 7)


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_every_read_is_a_row_and_the_result_tells_of_them(name, tmp_path):
    with bench_with(SEVENS, name) as bench:
        switched = run(Switching(rows="0:2", columns="0:2", cycles=6), bench, seed=1, output=tmp_path)
    assert switched.conductance.shape == (2, 2, 2, 6)
    assert (switched.conductance[:, :, 0] > 10 * switched.conductance[:, :, 1]).all()
    with RunFile(switched.path) as file:
        table = file.table("cycles")
        found = np.full(switched.conductance.shape, np.nan)
        found[table["row"], table["column"], table["state"], table["cycle"]] = table["conductance"]
        np.testing.assert_array_equal(found, switched.conductance)
        assert len(table["time"]) == 48
        assert (np.diff(table["time"][table["row"] + table["column"] == 0]) > 0.0).any()
        lrs = np.median(switched.conductance[:, :, 0], axis=-1)
        np.testing.assert_allclose(file.map("multiply_lrs"), lrs)
        assert {figure.name for figure in file.figures} >= {"distributions", "cycles"}
        assert file.parameters["set_gate"].value == pytest.approx(1.8)
        assert file.parameters["set_gate"].origin == "the chip map's"


def test_the_spread_of_the_twin_s_cells_is_found_with_its_intervals(monkeypatch, tmp_path):
    changed_preset(
        monkeypatch, "pku", set_cycle_spread=0.05, set_device_spread=0.04, read_noise=0.0, rtn_share=0.0,
        relaxation=0.0, maximum=1e-3, set_time=1e-9, reset_cycle_spread=0.0,
    )  # fmt: skip
    with bench_with(np.full((8, 10), 7), "arrays") as bench:
        lrs = run(Switching(rows="0:8", columns="0:10", cycles=60), bench, seed=1, output=tmp_path).summary[
            "lrs"
        ]
    assert lrs["cycle_deviation"] == pytest.approx(0.05, rel=0.06)
    assert lrs["device_deviation"] == pytest.approx(0.04, rel=0.25)
    assert lrs["device_deviation_low"] < 0.04 < lrs["device_deviation_high"]
    assert lrs["autocorrelation"] == pytest.approx(0.0, abs=0.06)


@pytest.mark.thorough
def test_both_benches_tell_the_same(tmp_path):
    found = []
    for name in ("simulated", "arrays"):
        with bench_with(np.full((3, 4), 7), name, "ideal") as bench:
            found.append(
                run(
                    Switching(rows="0:3", columns="0:4", cycles=4),
                    bench,
                    seed=1,
                    output=tmp_path / f"{name}.h5",
                )
            )
    wire, arrays = (one.summary for one in found)
    for state in ("lrs", "hrs"):
        assert arrays[state]["median"] == pytest.approx(wire[state]["median"], rel=0.02, abs=0.06e-6)


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_cells_that_were_never_formed_are_left_out_and_it_is_said(name, tmp_path):
    with bench_with([[7]], name) as bench:
        switched = run(
            Switching(rows="0", columns="0:3", cycles=2, forming="no"), bench, seed=1, output=tmp_path
        )
    assert switched.formed.tolist() == [[True, False, False]]
    assert switched.summary["unformed"] == 2
    with RunFile(switched.path) as file:
        assert set(file.table("cycles")["column"]) == {0}
        assert any("2 of 3 cells were never formed and are left out" in entry.message for entry in file.log())


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_what_was_measured_is_kept_when_the_run_is_stopped(name, tmp_path):
    control = Control()

    def stop(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "switching" and event.done >= 3:
            control.abort("enough")

    path = tmp_path / "stopped.h5"
    procedure = Switching(rows="0", columns="0:2", cycles=4000)
    with bench_with([[7, 7]], name) as bench, pytest.raises(Aborted):
        run(procedure, bench, seed=1, output=path, observers=[stop], control=control)
    with RunFile(path) as file:
        assert file.status == "aborted"
        assert 6 <= file.length("cycles") < 8000
        assert np.isfinite(file.table("cycles")["time"]).all()


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Switching(rows="0:2000"), ChipMapError, "row 1999 is not among them"),
        (Switching(set_voltage=9.0), LimitError, "bit line: voltage of 9 V"),
        (Switching(reset_gate=9.0), LimitError, "word line"),
        (Switching(width=1e-3), LimitError, "pulse width"),
        (Switching(rows="0:1000", cycles=100_000), InputError, "are more than the 50,000,000 a run may have"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_sent(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench:
        with pytest.raises(error, match=said):
            run(procedure, bench, output=tmp_path)
        assert bench.now() == 0.0
    assert not list(tmp_path.iterdir())


def test_no_cycle_is_refused():
    with pytest.raises(InputError, match="cycles is 0; it must be a whole number from 1"):
        Switching(cycles=0)


@pytest.mark.parametrize(("hrs", "told"), [(1e-9, False), (3e-8, True), (1e-7, True)])
def test_no_window_and_no_worst_one_is_told_of_an_hrs_below_the_noise(hrs, told):
    rng, said = np.random.default_rng(1), []
    states = np.array([3e-5, hrs])[:, None] * 10.0 ** (0.2 * rng.standard_normal((40, 2, 20)))
    surveyed = SimpleNamespace(least=lambda count: 2e-8, formed=np.ones((5, 8), bool), unformed=0)
    found = Switching()._strict(states, surveyed, SimpleNamespace(say=lambda *one: said.append(one)))
    assert found["hrs_below_noise"] == (states[:, 1] < 2e-8).mean()
    for name in ("window", "worst_window"):
        assert (found[name] is not None) == (found[f"{name}_low"] is not None) == told
        assert (name in found["not_extracted"]) != told
    assert bool(said) == bool(found["not_extracted"])
