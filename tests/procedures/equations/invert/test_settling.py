"""How loops settle: closed forms of one amplifier, and a run file whose settling adds up."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import mho
from mho import run
from mho.errors import ConvergenceError
from mho.instruments import Bench, open_bench
from mho.instruments.simulated import StepResponse
from mho.procedures import Invert
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop
from mho.procedures.equations.invert_measurement import STORED, one_pole_time, waveform_columns
from mho.running.execution import evaluate
from mho.runs import RunFile

CONDITIONS = "2, 10, 40"
UNITY = 2 * np.pi * 16e6  # rad/s, of an AD823
UNITY_OF_IDEAL, INPUT = 2 * np.pi * 1e9, 35e-6  # rad/s of the amplifier, S of an input
ONE = np.array([[1.0]])


def bench_file(folder: Path, *lines: str) -> str:
    """The bench `arrays` with these lines in its [simulation]."""
    text = (resources.files("mho.instruments") / "benches/arrays.toml").read_text("utf-8")
    names = {line.split(" ")[0] for line in lines}
    kept = [line for line in text.splitlines() if line.split(" ")[0] not in names]
    kept[kept.index("[simulation]") : kept.index("[simulation]") + 1] = ["[simulation]", *lines]
    (folder / "bench.toml").write_text("\n".join(kept), "utf-8")
    return str(folder / "bench.toml")


def settled(
    folder: Path, bench: str | Bench = "arrays", preset: str | None = "ideal", **given: object
) -> SimpleNamespace:
    """Run Invert, and read its settling back."""
    result = run(Invert(**given), bench, preset=preset, seed=1, output=folder / "run.h5")
    with RunFile(result.path) as file:
        return SimpleNamespace(
            result=result,
            summary=result.summary,
            **{
                name: file.table(name)
                for name in ("settling", "waveforms", "matrices", "outputs", "solutions")
            },
            said=[entry.message for entry in file.log()],
            figures=[figure.name for figure in file.figures],
        )


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return settled(
        tmp_path_factory.mktemp("ladder"), preset="pku", conditions=CONDITIONS, size=6, vectors=4, steps=3
    )


# --- closed forms ---


@pytest.mark.thorough
def test_one_amplifier_settles_as_one_pole(tmp_path: Path) -> None:
    bench = bench_file(tmp_path, 'amplifier = "ideal"')
    found = settled(tmp_path, bench, matrix=ONE, vectors=1, band=1e-3)
    (seconds,), (one_pole,), (lambda_min,) = (
        found.settling[name] for name in ("settling_time", "one_pole", "lambda_min")
    )
    assert one_pole == pytest.approx(np.log(1e3) / (UNITY_OF_IDEAL * lambda_min))
    assert seconds == pytest.approx(one_pole, rel=0.02)  # lambda_min is of the cell as it was read
    assert found.settling["overshoot"][0] == pytest.approx(0.0, abs=1e-5)
    expected = 1.0 - np.exp(-found.waveforms["time"] * np.log(1e3) / seconds)
    assert_allclose(found.waveforms["response"], expected, atol=2e-3)
    assert_allclose(found.waveforms["deviation"], 1.0 - expected, atol=2e-3)


@pytest.mark.thorough
def test_one_amplifier_with_a_capacitor_settles_as_two_poles(tmp_path: Path) -> None:
    # C_f s^2 + (D + w_u C_f) s + w_u G = 0, the slope being 0 at first; the row has a cell with its resistor and the input.
    bench = bench_file(tmp_path, 'amplifier = "ideal"', "feedback_capacitance = 1e-12")
    found = settled(tmp_path, bench, matrix=ONE, vectors=1, band=1e-3)
    (seconds,), (one_pole,), (lambda_min,) = (
        found.settling[name] for name in ("settling_time", "one_pole", "lambda_min")
    )
    load = INPUT / (1.0 - lambda_min)
    damping, network = load + UNITY_OF_IDEAL * 1e-12, lambda_min * load
    fast, slow = np.roots([1e-12, damping, UNITY_OF_IDEAL * network])
    assert one_pole == pytest.approx(np.log(1e3) * damping / (UNITY_OF_IDEAL * network))
    left = (fast * np.exp(slow * seconds) - slow * np.exp(fast * seconds)) / (fast - slow)
    assert left == pytest.approx(1e-3, rel=0.1)
    assert seconds == pytest.approx(one_pole, rel=0.1)


def test_the_time_of_one_pole_is_that_of_the_slowest_mode() -> None:
    network, load = np.diag([2e-5, 5e-6]), np.array([1e-4, 8e-5])
    achieved = AchievedLoop(network, network, load, np.diag(network) / load)
    assert one_pole_time(achieved, 0.01, 1e8) == pytest.approx(np.log(100) / (1e8 * 5e-6 / 8e-5))
    slower = one_pole_time(achieved, 0.01, 1e8, 2e-12)
    assert slower == pytest.approx(np.log(100) * (8e-5 + 1e8 * 2e-12) / (1e8 * 5e-6))
    assert np.isnan(one_pole_time(replace(achieved, network=-network), 0.01, 1e8))


@pytest.mark.parametrize("points", [1, 7, STORED, 4000])
def test_the_times_that_are_stored_are_few_and_reach_from_the_first_to_the_last(points: int) -> None:
    times = np.linspace(0.0, 12.0, points + 1)[1:]
    start, final = np.array([0.1, 0.0, 0.0]), np.array([0.3, 0.1, -0.3])
    decay = np.exp(-np.outer(times, [2.0, 1.0, 3.0]))
    columns = waveform_columns(StepResponse(times, final + decay * (start - final), start, final))
    kept = columns["time"]
    assert len(kept) <= STORED
    assert (np.diff(kept) > 0.0).all()
    assert set(kept) <= set(times)
    assert kept[-1] == times[-1]
    assert kept[0] <= max(times[0], 0.002 * times[-1])
    # The third output has the largest step, downwards; the second one, three times smaller, is the last to settle.
    assert_allclose(columns["response"], 1.0 - np.exp(-3.0 * kept), rtol=1e-9)
    assert_allclose(columns["output"], -0.3 * columns["response"], rtol=1e-9)
    far = np.abs(np.exp(-np.outer(kept, [2.0, 1.0, 3.0])) * [0.2, 0.1, 0.3]).max(axis=1)
    assert_allclose(columns["deviation"], far / 0.3, rtol=1e-9)


def test_few_times_leave_no_mode_out() -> None:
    times = np.linspace(0.0, 12.0, 4001)[1:]
    columns = waveform_columns(StepResponse(times, 1 - np.exp(-times)[:, None], np.zeros(1), np.ones(1)))
    for lowest, highest in ((0.0, 0.12), (0.12, 1.2), (1.2, 6.0), (6.0, 12.0)):
        assert ((columns["time"] > lowest) & (columns["time"] <= highest)).sum() > 30


# --- the run file ---


@pytest.mark.thorough
def test_settling_follows_lambda_min(ladder: SimpleNamespace) -> None:
    found = ladder.settling
    assert_array_equal(found["matrix"], np.repeat([0, 1, 2], 3))
    assert_array_equal(found["rhs"], np.tile([0, 1, 2], 3))
    assert_allclose(found["one_pole"], np.log(100) * found["inverse_lambda_min"] / UNITY)
    ratio = found["settling_time"] / found["one_pole"]
    assert ((ratio > 0.3) & (ratio < 1.5)).all()
    assert 0.7 < ladder.summary["settling_exponent"] < 1.3
    assert ((found["overshoot"] >= 0.0) & (found["overshoot"] < 0.5)).all()


@pytest.mark.thorough
def test_a_smaller_band_takes_longer(tmp_path: Path, ladder: SimpleNamespace) -> None:
    finer = settled(
        tmp_path, preset="pku", conditions=CONDITIONS, size=6, vectors=4, steps=3, band=1e-4
    ).settling
    assert_allclose(finer["one_pole"], 2.0 * ladder.settling["one_pole"])
    assert (finer["settling_time"] > 1.5 * ladder.settling["settling_time"]).all()
    assert_array_equal(finer["overshoot"], ladder.settling["overshoot"])


def test_its_numbers_are_those_of_the_tables(ladder: SimpleNamespace) -> None:
    found, matrices, summary = ladder.settling, ladder.matrices, ladder.summary
    assert_array_equal(found["inverse_lambda_min"], 1.0 / found["lambda_min"])
    medians = []
    for row, number in enumerate(matrices["matrix"]):
        mine = found["matrix"] == number
        assert set(found["lambda_min"][mine]) == {matrices["lambda_min"][row]}
        assert set(found["condition"][mine]) == {matrices["condition"][row]}
        for name in ("settling_time", "overshoot"):
            assert matrices[name][row] == np.median(found[name][mine])
        medians.append(np.median(found["settling_time"][mine]))
    assert summary["settling_time"] == np.median(found["settling_time"])
    assert summary["overshoot"] == np.median(found["overshoot"])
    assert summary["settling_over_one_pole"] == np.median(found["settling_time"] / found["one_pole"])
    slope, _ = np.polyfit(np.log(1.0 / matrices["lambda_min"]), np.log(medians), 1)
    assert summary["settling_exponent"] == pytest.approx(slope)
    assert summary["settling_band"] == 0.01
    assert ladder.result.units["settling_time"] == "s"
    scales = {
        (m, r): s for m, r, s in zip(*(ladder.solutions[n] for n in ("matrix", "rhs", "scale")), strict=True)
    }
    assert [scales[key] for key in zip(found["matrix"], found["rhs"], strict=True)] == found["scale"].tolist()


def test_the_waveforms_are_those_of_the_slowest_and_the_fastest_loop(ladder: SimpleNamespace) -> None:
    found, waves = ladder.settling, ladder.waveforms
    extremes = {
        int(found["matrix"][np.argmin(found["lambda_min"])]),
        int(found["matrix"][np.argmax(found["lambda_min"])]),
    }
    assert set(waves["matrix"]) == extremes == {0, 2}
    for number in extremes:
        wave = {name: values[waves["matrix"] == number] for name, values in waves.items()}
        steps = {name: values[found["matrix"] == number] for name, values in found.items()}
        last = int(np.argmax(steps["settling_time"]))
        assert set(wave["rhs"]) == {steps["rhs"][last]}
        assert set(wave["condition"]) == {steps["condition"][last]}
        seconds = steps["settling_time"][last]
        assert (wave["deviation"][wave["time"] >= seconds] <= 0.01).all()
        assert (wave["deviation"][wave["time"] < 0.97 * seconds] > 0.01).any()
        assert wave["response"].max() - 1.0 <= steps["overshoot"][last] + 1e-9
        assert np.abs(wave["response"][0]) < 0.05
        assert wave["response"][-1] == pytest.approx(1.0, abs=1e-3)
        outputs, scale = ladder.outputs, steps["scale"][last]
        of_it = (
            (outputs["matrix"] == number) & (outputs["rhs"] == wave["rhs"][0]) & (outputs["scale"] == scale)
        )
        largest = outputs["measured"][of_it][np.abs(outputs["measured"][of_it]).argmax()]
        assert wave["output"][-1] == pytest.approx(largest, rel=0.05)
        assert_allclose(wave["scaled_time"], wave["time"] * steps["lambda_min"][last])


@pytest.mark.thorough
def test_its_figures_are_declared_and_drawn(tmp_path: Path, ladder: SimpleNamespace) -> None:
    for name in ("settling_time", "waveforms", "deviations"):
        assert name in ladder.figures
        picture = mho.plot(ladder.result.path, tmp_path / f"{name}.png", figure=name)
        assert picture.stat().st_size > 10_000


@pytest.mark.thorough
def test_a_bench_at_the_wire_shows_the_same(tmp_path: Path) -> None:
    given = {"matrix": np.diag([1.0, 0.4]), "rhs": np.array([1.0, 0.2])}
    wire, arrays = (settled(tmp_path / name, name, **given) for name in ("simulated", "arrays"))
    for name in ("settling_time", "one_pole", "lambda_min"):
        assert_allclose(wire.settling[name], arrays.settling[name], rtol=0.1)
    assert wire.settling["overshoot"] == pytest.approx(arrays.settling["overshoot"], abs=0.05)


def test_a_call_without_a_file_gives_them_too() -> None:
    with open_bench("arrays", seed=1) as bench:
        found = evaluate(Invert(conditions="3, 10", size=4, vectors=2), bench, seed=1)
    assert found.summary["settling_time"] > 0.0
    times = [one.settling_time for one in found.matrices]
    assert times[0] < times[1]
    assert min(times) <= found.summary["settling_time"] <= max(times)


def test_loops_with_one_lambda_min_have_no_exponent() -> None:
    with open_bench("arrays", seed=1) as bench:
        found = evaluate(Invert(matrix=np.eye(2), vectors=1), bench, seed=1)
    assert found.summary["settling_over_one_pole"] > 0.0
    assert "settling_exponent" not in found.summary


# --- where nothing is seen ---


def assert_nothing(found: SimpleNamespace) -> None:
    assert len(found.settling["matrix"]) == len(found.waveforms["time"]) == 0
    assert np.isnan(found.matrices["settling_time"]).all()
    assert np.isnan(found.matrices["overshoot"]).all()
    assert not {name for name in found.summary if "settling" in name or name == "overshoot"}
    assert len(found.solutions["error"]) > 0


@pytest.mark.thorough
@pytest.mark.parametrize("real", [False, True])
def test_no_steps_are_made_where_none_are_wanted(tmp_path: Path, real: bool) -> None:
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        bench.simulated = None if real else bench.simulated
        found = settled(tmp_path, bench, None, matrix=np.eye(2), vectors=2, steps=0)
    assert_nothing(found)
    assert not any("settling" in one for one in found.said)


def test_instruments_that_show_no_waveforms_leave_the_tables_empty_and_say_so(tmp_path: Path) -> None:
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        bench.simulated = None  # as a bench of real instruments has it
        found = settled(tmp_path, bench, None, matrix=np.eye(2), vectors=2)
    assert_nothing(found)
    (said,) = [one for one in found.said if "settling" in one]
    assert said == (
        "settling is not measured: bench 'arrays' does not show its outputs over time, as simulated ones do; the tables "
        "settling and waveforms stay empty"
    )


def test_a_waveform_that_cannot_be_computed_costs_no_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConvergenceError("the waveform takes too long")

    with open_bench("arrays", preset="ideal", seed=1) as bench:
        monkeypatch.setattr(bench.simulated, "step_response", fail)
        found = settled(tmp_path, bench, None, matrix=np.eye(2), vectors=2)
    assert_nothing(found)
    assert sum("right-hand side" in one and "takes too long" in one for one in found.said) == 2
