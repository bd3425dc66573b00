"""Retention: drift and spread as the twin's laws have them, temperature, taking up what was interrupted, what cannot be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from formed_cells import bench_with, changed_preset

from mho import run
from mho.errors import Aborted, BenchError, ChipMapError, InputError
from mho.instruments import Cell, open_bench
from mho.instruments.bench import at_temperature
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server, served_text, write_served
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.procedures import Form, Retention, Switching
from mho.procedures.cells.reading.drift import (
    curvature_p,
    drift_coefficients,
    level_rows,
    line,
    loss_rate,
    without_misfits,
)
from mho.procedures.stream import Control, Progress
from mho.runs import RunFile

AGE = 1000.0  # s
LEVELS = 1 + np.arange(21 * 20).reshape(21, 20) % 7


def test_the_slope_over_log_time_is_found_for_each_cell_from_the_reads_that_have_an_age():
    ages = np.array([0.0, 1.0, 10.0, 100.0, 1000.0])[:, None] * np.ones(3)
    true = np.array([-0.2e-6, 0.0, 0.1e-6])
    conductance = 20e-6 + true * np.log10(np.maximum(ages, 1.0))
    conductance[0] = 99.0  # at age 0 there is no logarithm
    conductance[2, 1] = np.nan
    np.testing.assert_allclose(drift_coefficients(ages, conductance), true, atol=1e-18)
    assert np.isnan(drift_coefficients(ages[:2], conductance[:2])).all()
    assert line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])) == pytest.approx((1.0, 2.0))


def test_a_loss_is_told_from_a_drift_with_log_time_and_is_none_where_it_is_lost_in_noise():
    rng = np.random.default_rng(1)
    elapsed = np.concatenate([[0.0], np.geomspace(1.0, 1e5, 21)])
    drift = np.concatenate([[0.0], -0.02 * np.log10(elapsed[1:]) - 0.01])
    for rate in (1e-4, 3e-6):
        cells = 2e-5 * np.exp(drift - rate * elapsed)[:, None] * np.linspace(0.5, 1.5, 7)
        assert loss_rate(elapsed, cells) == pytest.approx(rate, rel=1e-6)
    noisy = 2e-5 * np.exp(drift - 1e-8 * elapsed)[:, None] * (1.0 + 0.02 * rng.standard_normal((22, 7)))
    assert loss_rate(elapsed, noisy) is None
    assert loss_rate(elapsed[:4], cells[:4]) is None  # three numbers of three points
    assert loss_rate(elapsed, np.empty((22, 0))) is None


@pytest.mark.thorough
def test_the_loss_rate_follows_arrhenius_over_temperature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    changed_preset(
        monkeypatch, "ideal", retention_time=1e5, retention_temperature=398.15, retention_energy=1.5
    )
    rates = []
    for kelvin in (398.15, 423.15):
        with bench_with(LEVELS[:4, :4], "arrays", "ideal") as bench:
            bake = Retention(rows="0:4", columns="0:4", last=3e4, per_decade=3, temperature=kelvin)
            rates.append(run(bake, bench, seed=1, output=tmp_path / f"{kelvin:.0f}.h5").summary["loss_rate"])
    assert rates[0] == pytest.approx(1e-5, rel=0.02)
    boltzmann = 8.617333e-5  # eV/K
    energy = boltzmann * np.log(rates[1] / rates[0]) / (1 / 398.15 - 1 / 423.15)
    assert energy == pytest.approx(1.5, rel=0.02)


def test_the_rows_of_a_level_are_changes_since_the_first_read_and_the_share_inside():
    conductance = np.array([[1.0, 2.0, 9.0], [2.0, 5.0, 9.0]])
    inside = np.array([[True, True, True], [True, False, True]])
    rows = level_rows(np.array([0.0, 7.0]), conductance, np.array([3, 3, -1]), inside)
    assert rows["level"].tolist() == [3, 3]
    assert rows["elapsed"].tolist() == [0.0, 7.0]
    assert rows["change"].tolist() == [0.0, 2.0]
    assert rows["deviation"][1] == pytest.approx(np.sqrt(2.0))
    assert rows["inside"].tolist() == [1.0, 0.5]


def test_drift_and_spread_of_the_twin_s_cells_are_those_of_its_law(monkeypatch, tmp_path):
    """Of `quiet`: mean -0.089 ln(1 + t) uS, deviation 0.042 ln(1 + t/5.8e-5 s) uS (arXiv 2502.04524)."""
    changed_preset(monkeypatch, "quiet", read_noise=0.0, rtn_share=0.0, white_noise=0.0)
    with bench_with(LEVELS, "arrays", "quiet") as bench:
        bench.wait_until(bench.now() + AGE)
        procedure = Retention(rows="0:21", columns="0:20", first=10.0, last=1e6, age=AGE)
        retained = run(procedure, bench, seed=1, output=tmp_path)
    decade = np.log(10.0)
    drifts = [retained.summary[f"level_{level}"] for level in range(2, 8)]
    assert np.mean([one["drift"] for one in drifts]) == pytest.approx(-0.089e-6 * decade, rel=0.08)
    assert np.mean([one["drift_deviation"] for one in drifts]) == pytest.approx(0.042e-6 * decade, rel=0.1)
    held = [one["drift_low"] < -0.089e-6 * decade < one["drift_high"] for one in drifts]
    assert sum(held) >= 4
    spread = 0.042e-6 * np.log((1e6 + AGE) / AGE)
    assert np.mean([one["spread"] for one in drifts]) == pytest.approx(spread, rel=0.1)
    assert all(one["inside"] < one["inside_at_start"] for one in drifts)
    with RunFile(retained.path) as file:
        assert file.length("retention") % len(retained.elapsed) == 0
        assert {figure.name for figure in file.figures} >= {"drift", "spread", "inside"}


def test_reads_come_at_log_spaced_moments_of_the_bench_s_clock_and_before_the_first(tmp_path):
    with bench_with([[3, 5]], "simulated") as bench:
        procedure = Retention(rows="0", columns="0:2", first=1.0, last=1000.0, per_decade=1)
        retained = run(procedure, bench, seed=1, output=tmp_path)
    assert retained.elapsed == pytest.approx([0.0, 1.0, 10.0, 100.0, 1000.0], abs=1e-6)
    assert retained.digits.tolist() == [[3, 5]]


@pytest.mark.thorough
def test_hot_cells_lose_what_the_activation_energy_says_and_the_chip_cools_again(monkeypatch, tmp_path):
    changed_preset(monkeypatch, "ideal", retention_time=1e5, retention_temperature=398.15)
    with bench_with([[7, 7]], "simulated", "ideal") as bench:
        left = []
        for number, kelvin in enumerate((None, 398.15)):
            procedure = Retention(rows="0", columns="0:2", last=1e4, per_decade=1, temperature=kelvin)
            retained = run(procedure, bench, seed=1, output=tmp_path / f"{number}.h5")
            left.append(float((retained.conductance[-1] / retained.conductance[0]).mean()))
            assert bench.simulated.chip.temperature == pytest.approx(298.15)
    assert left[0] == pytest.approx(1.0, abs=1e-3)
    assert left[1] == pytest.approx(np.exp(-0.1), rel=0.01)
    assert retained.summary["temperature"] == 398.15


def test_cells_that_were_never_formed_are_left_out_and_it_is_said(tmp_path):
    with bench_with([[3]], "arrays") as bench:
        procedure = Retention(rows="0", columns="0:2", last=2.0, forming="no")
        retained = run(procedure, bench, seed=1, output=tmp_path)
    assert retained.digits.tolist() == [[3, -1]]
    assert retained.summary["level_3"]["cells"] == 1
    with RunFile(retained.path) as file:
        assert any("1 of 2 cells were never formed" in entry.message for entry in file.log())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    source = load_bench_file("switched")
    with Server(Laboratory(stand_in(source), preset="ideal", seed=1), 0) as server:
        write_served(tmp_path / "served.toml", served_text(source, server.endpoints))
        yield str(tmp_path / "served.toml")


@pytest.mark.thorough
def test_on_instruments_an_interrupted_run_goes_on_at_the_moments_of_the_first(served, tmp_path):
    def procedure() -> Retention:
        return Retention(rows="0", columns="0:2", first=0.3, last=1.5, per_decade=4)

    control = Control()

    def look(event: object) -> None:
        with RunFile(tmp_path / "1.h5") as file:
            if len(file.map_times("multiply_conductance")) >= 2:
                control.abort("enough")

    with pytest.raises(Aborted):
        run(procedure(), served, seed=1, output=tmp_path / "1.h5", observers=[look], control=control)
    with RunFile(tmp_path / "1.h5") as file:
        done, before = len(file.map_times("multiply_conductance")), file.table("reads")
    assert 2 <= done < 5
    whole = run(procedure(), served, seed=1, output=tmp_path / "2.h5", resume_of=tmp_path / "1.h5")
    with RunFile(whole.path) as file:
        assert any(f"{done} of 5 repeats are taken over" in entry.message for entry in file.log())
        np.testing.assert_array_equal(file.table("reads")["time"][: 2 * done], before["time"][: 2 * done])
    assert (np.diff(whole.elapsed) > 0.0).all()
    assert whole.elapsed[-1] >= 1.5


@pytest.mark.thorough
def test_on_a_chuck_the_chip_ages_hotter_and_the_file_has_what_was_read(monkeypatch, tmp_path):
    changed_preset(monkeypatch, "ideal", retention_time=1e5, retention_temperature=398.15)
    left = []
    for kelvin in (None, 398.15):
        with bench_with([[7, 7]], "heated", "ideal") as bench:
            procedure = Retention(rows="0", columns="0:2", last=1e4, per_decade=1, temperature=kelvin)
            retained = run(procedure, bench, seed=1, output=tmp_path / f"{kelvin}.h5")
            left.append(float((retained.conductance[-1] / retained.conductance[0]).mean()))
    assert left[0] == pytest.approx(1.0, abs=1e-3)
    assert left[1] == pytest.approx(np.exp(-0.1), rel=0.01)
    assert retained.summary["temperature"] == 398.15
    assert retained.summary["temperature_read"] == pytest.approx(398.15, abs=0.1)
    assert 0.0 < retained.summary["temperature_deviation"] < 0.5
    with RunFile(retained.path) as file:
        assert any("the heater is off; the chip, at 398." in entry.message for entry in file.log())
        assert file.instruments["chuck"]["identity"].startswith("LSCI,MODEL336")


def test_the_way_to_the_temperature_ages_the_cells_as_much_as_its_ramp_is_hot(monkeypatch, tmp_path):
    """The integral of exp(E/k (1/T0 - 1/T)) along a ramp that is followed a lag behind, and the dwell at its end."""
    energy, hot, lag, rate = 2.25, 398.15, 20.0, 10.0 / 60.0
    changed_preset(
        monkeypatch, "ideal", retention_time=3e3, retention_temperature=hot, retention_energy=energy
    )
    with bench_with([[7, 7]], "heated", "ideal") as bench:
        before = bench.read(Cell("multiply", 0, 0))
        begun = bench.now()
        with at_temperature(bench, hot):
            taken = bench.now() - begun
            after = bench.read(Cell("multiply", 0, 0))
    times = np.linspace(0.0, taken, 100_001)
    ramp = (hot - 298.15) / rate
    following = 298.15 + rate * times - rate * lag * (1.0 - np.exp(-times / lag))
    settling = hot - rate * lag * np.exp(-(times - ramp) / lag)
    kelvins = np.where(times < ramp, following, settling)
    aged = np.trapezoid(np.exp(energy / 8.617333e-5 * (1.0 / hot - 1.0 / kelvins)), times)
    assert after / before == pytest.approx(np.exp(-aged / 3e3), rel=2e-3)
    assert after / before < 0.99


@pytest.mark.thorough
def test_on_instruments_an_interrupted_run_heats_up_again_before_it_goes_on(monkeypatch, tmp_path):
    def procedure() -> Retention:
        return Retention(rows="0", columns="0:2", first=0.3, last=1.5, per_decade=4, temperature=302.15)

    source = load_bench_file("heated")
    text = source.text.replace("ramp = 10.0 ", "ramp = 100.0 ").replace("dwell = 60.0 ", "dwell = 0.0 ")
    switched = load_bench_file("switched").text
    start, end = text.index("[instruments.chuck]"), text.index("[read]")
    (tmp_path / "bench.toml").write_text(
        switched.replace("[read]", f"{text[start:end]}\n[read]"), encoding="utf-8"
    )
    lab = Laboratory(stand_in(load_bench_file(str(tmp_path / "bench.toml"))), preset="ideal", seed=1)
    monkeypatch.setattr("mho.instruments.bench.temperature.POLL", 0.1)
    heated: list[tuple[int, float]] = []
    control = Control()

    def look(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "heating":
            heated.append((event.done, time.monotonic()))
            lab.clock.advance(5.0)  # as time passes for a chuck
        with RunFile(tmp_path / "1.h5") as file:
            if len(file.map_times("multiply_conductance")) >= 2:
                control.abort("enough")

    with Server(lab, 0) as server:
        served = str(tmp_path / "served.toml")
        write_served(
            Path(served), served_text(load_bench_file(str(tmp_path / "bench.toml")), server.endpoints)
        )
        with pytest.raises(Aborted):
            run(procedure(), served, seed=1, output=tmp_path / "1.h5", observers=[look], control=control)
        assert lab.devices["GPIB0::12::INSTR"].loops[1].heater == 0
        with RunFile(tmp_path / "1.h5") as file:
            done = len(file.map_times("multiply_conductance"))
        assert heated[-1][0] == 100
        heated.clear()
        lab.clock.advance(1e5)  # it has cooled meanwhile
        whole = run(
            procedure(), served, seed=1, output=tmp_path / "2.h5", resume_of=tmp_path / "1.h5",
            observers=[lambda event: look(event) if isinstance(event, Progress) else None],
        )  # fmt: skip
    (first, begun), (last, ended) = heated[0], heated[-1]
    assert first < 20
    assert last == 100
    with RunFile(whole.path) as file:
        assert any(f"{done} of 5 repeats are taken over" in entry.message for entry in file.log())
    assert whole.summary["temperature_read"] == pytest.approx(302.15, abs=0.5)
    assert (
        whole.elapsed[done] - whole.elapsed[done - 1] > ended - begun
    )  # the time that it took to heat up counts
    assert lab.devices["GPIB0::12::INSTR"].loops[1].heater == 0


def test_the_time_on_instruments_counts_the_way_to_the_temperature(tmp_path):
    text = load_bench_file("heated").text
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    (tmp_path / "real.toml").write_text(text[:start] + "\n" + text[end:], encoding="utf-8")
    source = load_bench_file(str(tmp_path / "real.toml"))
    plain, hot = (Retention(rows="0", columns="0:2", temperature=kelvin) for kelvin in (None, 398.15))
    longer = hot.estimate(hot.check(), source).seconds - plain.estimate(plain.check(), source).seconds
    assert longer == pytest.approx(60.0 * 100.0 / 10.0 + 60.0)


@pytest.mark.thorough
def test_on_instruments_a_temperature_is_refused_with_what_to_do(served, tmp_path):
    with pytest.raises(
        BenchError, match=r"nothing there serves `temperature`.*a temperature controller.*set by hand"
    ):
        run(Retention(temperature=398.0), served, output=tmp_path / "hot.h5")
    assert not (tmp_path / "hot.h5").exists()


@pytest.mark.parametrize(
    ("procedure", "error", "said"),
    [
        (Retention(first=10.0, last=1.0), InputError, "last is 1 s, before first, which is 10 s"),
        (Retention(temperature=0.0), InputError, "temperature is 0 K"),
        (Retention(rows="0:2000"), ChipMapError, "row 1999"),
    ],
)
def test_what_cannot_be_done_is_refused(procedure, error, said, tmp_path):
    with open_bench(seed=1) as bench, pytest.raises(error, match=said):
        run(procedure, bench, output=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_loss_is_no_drift_a_decade_and_a_walk_in_log_time_is():
    """Cells of the reference chip's noise that lose 10 % of their conductance do not drift along a line over log t."""
    rng = np.random.default_rng(1)
    ages = np.concatenate([[0.0], np.geomspace(1.0, 1e4, 13)])[:, None] * np.ones(32)
    logs = np.log10(np.maximum(ages, 1.0))
    chances = []
    for _ in range(400):
        steps = rng.normal(0.0, 0.1e-6, ages.shape) + 0.004 * 20e-6 * rng.standard_normal(ages.shape)
        chances.append(curvature_p(ages, 20e-6 - 0.2e-6 * logs + np.cumsum(steps, axis=0)))
    assert np.mean(np.array(chances) < 0.05) < 0.08  # 5 % by design, less as two looks share it
    lost = 20e-6 * np.exp(-1e-5 * ages) + 0.004 * 20e-6 * rng.standard_normal(ages.shape)
    assert curvature_p(ages, lost) < 1e-6
    digits = np.full(32, 4)
    numbers = {"level_4": {"drift": 1.0, "drift_low": 0.5, "spread_per_decade": 2.0, "spread": 3.0}}
    left, missing = without_misfits(numbers, ages, lost, digits)
    assert (
        left["level_4"]["drift"]
        is left["level_4"]["drift_low"]
        is left["level_4"]["spread_per_decade"]
        is None
    )
    assert left["level_4"]["spread"] == 3.0
    assert "do not drift along a line over log10 of time (p = " in missing["level_4.drift"]
    straight, none = without_misfits(numbers, ages, 20e-6 - 0.2e-6 * logs + 0.0 * lost, digits)
    assert (straight["level_4"]["drift"], none) == (1.0, {})
    assert np.isnan(curvature_p(ages[:, :2], lost[:, :2]))


def test_a_bake_tells_its_loss_and_no_drift(tmp_path):
    with bench_with(LEVELS, "arrays", "pku") as bench:
        bake = Retention(rows="0:21", columns="0:20", last=1e7, temperature=425.0)
        baked = run(bake, bench, seed=1, output=tmp_path)
    assert baked.summary["loss_rate"] is not None
    for level in range(2, 8):
        assert baked.summary[f"level_{level}"]["drift"] is None
        assert baked.summary[f"level_{level}"]["drift_fit_p"] < 1e-4
        assert f"level_{level}.drift" in baked.summary["not_extracted"]


@pytest.mark.thorough
def test_cells_in_hrs_are_measured_and_a_virgin_one_is_not(tmp_path):
    """On the bench `stanford` every HRS lies below `formed_above`, 20 uS."""
    with open_bench("stanford-arrays", seed=2) as bench:
        run(Form(rows="0:4", columns="0:3"), bench, seed=1, output=tmp_path / "formed.h5")
        run(Switching(rows="0:4", columns="0:3", cycles=1), bench, seed=1, output=tmp_path / "hrs.h5")
        kept = Retention(rows="0:4", columns="0:4", last=10.0, forming="no")
        retained = run(kept, bench, seed=1, output=tmp_path / "kept.h5")
    assert (retained.digits[:, 3] == -1).all()
    assert (retained.digits[:, :3] == 0).sum() > 6
    assert (retained.digits[:, :3] >= 0).all()
    assert (retained.summary["unformed"], retained.summary["measured"]) == (4, 12)


@pytest.mark.thorough
def test_a_fresh_simulated_chip_is_formed_first_and_a_real_one_only_if_that_is_wanted(served, tmp_path):
    fresh = run(Retention(rows="0", columns="0:2", last=2.0), "arrays", seed=1, output=tmp_path / "1.h5")
    assert (fresh.summary["formed_first"], fresh.summary["unformed"]) == (2, 0)
    with RunFile(fresh.path) as file:
        assert set(file.table("forming")["column"]) == {0, 1}
    for forming, formed in (("auto", 0), ("yes", 2)):
        kept = Retention(rows="0", columns="0:2", first=0.01, last=0.02, forming=forming)
        real = run(kept, served, seed=1, output=tmp_path / f"{forming}.h5")
        assert real.summary["formed_first"] == formed
    with RunFile(tmp_path / "auto.h5") as file:
        said = [entry.message for entry in file.log()]
    assert any(
        "none of 2 cells was ever formed: nothing was measured; form them first: mho run" in text
        for text in said
    )


def test_runs_of_before_are_repeated_as_they_were():
    assert Retention.from_version("1", {"rows": "0"}) == {"rows": "0", "forming": "no", "blanks": 0}
    assert Retention.from_version("2", {"rows": "0"}) == {"rows": "0"}
