"""Solves on drawn chips: what is forecast is what comes, the bench is not touched, and the run keeps both."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mho import run
from mho.errors import Aborted, ConvergenceError
from mho.instruments import ArrayBench, open_bench
from mho.instruments.arrays import as_arrays
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.procedures import Solve
from mho.procedures.cells.programming.array_programming import pulse_energy
from mho.procedures.equations import forecast
from mho.procedures.equations.forecast import (
    QUANTITIES,
    DrawnSolve,
    EnergyModel,
    SolveForecast,
    VectorMeter,
    draw_solves,
    metering,
)
from mho.procedures.equations.solve.programmed_matrix import ProgrammedMatrix
from mho.procedures.stream import Control, Message, NullStream, Progress
from mho.running.execution import evaluate
from mho.runs import RunFile, Status
from mho.runs.intervals import Interval

MATRIX = np.array([[2.0, 0.4], [-0.3, 1.5]])
RHS = np.array([1.0, -0.5])
DRAWS = 19
FEW_CELLS = {"residual": "float64"}  # the chip inverts: a solve takes a third of the time


def solved(seed: int, preset: str = "pku", matrix: np.ndarray = MATRIX, **parameters: Any) -> dict[str, Any]:
    with open_bench("arrays", preset=preset, seed=seed) as bench:
        found = evaluate(
            Solve(matrix=matrix, rhs=np.ones(len(matrix)), **FEW_CELLS, **parameters), bench, seed=1
        )
    return dict(found.summary)


@pytest.mark.thorough
def test_the_outcome_of_forty_solves_lies_in_their_intervals_about_as_often_as_said():
    rng = np.random.default_rng(5)
    held, count, inside_all = 0.0, 0, True
    for case in range(8):
        preset = ("pku", "quiet", "relaxing")[case % 3]
        matrix = rng.uniform(-1.0, 1.0, (2, 2)) + 2.0 * np.eye(2)
        told = solved(100 * case, preset, matrix, draws=DRAWS)
        intervals = {name: Interval.from_plain(told["forecast"][name]) for name in QUANTITIES}
        outcomes = [told] + [solved(100 * case + chip, preset, matrix) for chip in range(1, 5)]
        for outcome in outcomes:
            for name in ("forecast_rho", "bits", "pulses", "virtual_seconds", "joules", "loop_slowest"):
                held += intervals[name].share(outcome[name])
                inside_all &= intervals[name].holds(outcome[name])
                count += 1
    assert 0.78 < held / count < 0.98
    assert not inside_all  # intervals so wide that they hold everything say nothing


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_forecast_and_another_another():
    first, again, other = (SolveForecast.of(drawn(seed)).plain() for seed in (1, 1, 2))
    assert first == again
    assert first["pulses"] != other["pulses"]


def drawn(seed: int, count: int = DRAWS, preset: str = "pku") -> list[DrawnSolve]:
    solve = Solve(matrix=MATRIX, rhs=RHS, **FEW_CELLS)
    given = solve.check()
    source = as_arrays(load_bench_file("simulated"), preset)
    return list(
        draw_solves(
            lambda bench, rng: solve.prepare(given, bench, rng),
            solve.execute,
            source,
            count,
            np.random.default_rng(seed),
        )
    )


@pytest.mark.thorough
def test_a_forecast_of_ideal_cells_is_tight_and_right():
    forecast = SolveForecast.of(drawn(1, preset="ideal"))
    assert forecast.converging == DRAWS
    rho, pulses = forecast.intervals["forecast_rho"], forecast.intervals["pulses"]
    noisy = SolveForecast.of(drawn(1, preset="relaxing")).intervals["pulses"]
    assert rho.high - rho.low < 0.02
    assert pulses.high - pulses.low < noisy.high - noisy.low
    outcome = solved(77, "ideal", MATRIX)
    assert rho.low - 0.01 <= outcome["forecast_rho"] <= rho.high + 0.01
    assert forecast.intervals["cycles_to_goal"].holds(outcome["cycles_to_goal"])


@pytest.mark.thorough
def test_a_run_keeps_its_forecast_which_changes_nothing_of_the_run(tmp_path: Path):
    events: list[object] = []
    plain = run(Solve(matrix=MATRIX, rhs=RHS, **FEW_CELLS), "arrays", seed=3, output=tmp_path / "plain.h5")
    told = run(
        Solve(matrix=MATRIX, rhs=RHS, draws=DRAWS, **FEW_CELLS),
        "arrays",
        seed=3,
        output=tmp_path / "told.h5",
        observers=[events.append],
    )
    assert "forecast" not in plain.summary
    for name in QUANTITIES:
        assert told.summary[name] == plain.summary[name], name
    with RunFile(tmp_path / "told.h5") as file:
        kept = file.summary["forecast"]
    assert kept == told.summary["forecast"]
    assert kept["draws"] == kept["converging"] == DRAWS
    stages = [one for one in events if isinstance(one, Progress) and one.stage == "forecast"]
    assert [one.done for one in stages] == list(range(1, DRAWS + 1))
    said = [one.text for one in events if isinstance(one, Message)]
    assert any(text.startswith(f"forecast: converges on {DRAWS} of {DRAWS} drawn chips") for text in said)


@pytest.mark.thorough
def test_a_run_whose_loop_does_not_settle_keeps_its_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settle = ProgrammedMatrix.settle

    def railing(matrix: ProgrammedMatrix, trial: np.ndarray) -> None:
        if isinstance(matrix._stream, NullStream):  # on a drawn chip
            settle(matrix, trial)
        else:
            raise ConvergenceError("the INV loop rails")

    monkeypatch.setattr(ProgrammedMatrix, "settle", railing)
    with pytest.raises(ConvergenceError):
        run(
            Solve(matrix=MATRIX, rhs=RHS, draws=DRAWS, **FEW_CELLS),
            "arrays",
            seed=3,
            output=tmp_path / "run.h5",
        )
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FAILED
        assert file.summary["forecast"]["converging"] == DRAWS


def test_a_forecast_can_be_stopped_before_anything_is_programmed(tmp_path: Path):
    control = Control()

    def stop(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "forecast":
            control.abort("enough")

    with open_bench("arrays", seed=3) as bench, pytest.raises(Aborted):
        run(
            Solve(matrix=MATRIX, rhs=RHS, draws=DRAWS, **FEW_CELLS),
            bench,
            output=tmp_path / "run.h5",
            observers=[stop],
            control=control,
        )
    with RunFile(tmp_path / "run.h5") as file:
        assert file.length("pulses") == 0


def test_chips_on_which_no_loop_settles_count_as_not_converging(monkeypatch: pytest.MonkeyPatch):
    made = 0
    settle = ProgrammedMatrix.settle

    def sometimes(matrix: ProgrammedMatrix, trial: np.ndarray) -> None:
        nonlocal made
        made += 1
        if made % 2:
            raise ConvergenceError("the INV loop rails, at every scale; check the cells")
        settle(matrix, trial)

    monkeypatch.setattr(ProgrammedMatrix, "settle", sometimes)
    forecast = SolveForecast.of(drawn(1, 20))
    assert (forecast.draws, forecast.converging) == (20, 10)
    assert forecast.intervals == {}  # ten chips bound nothing with 90 %
    assert forecast.reasons == {"the INV loop rails": 10}
    probability, low, high = forecast.probability
    assert low < 0.5 == probability < high


def test_cycles_that_are_not_enough_are_out_of_reach():
    def made(converged: bool, cycles: float) -> DrawnSolve:
        values = dict.fromkeys(QUANTITIES, 1.0) | {"cycles_to_goal": cycles}
        return DrawnSolve(converged, "" if converged else "all used up, 3 bits", values)

    forecast = SolveForecast.of([made(True, 5.0)] * 15 + [made(False, math.inf)] * 5)
    assert forecast.intervals["cycles_to_goal"].high == math.inf
    assert forecast.plain()["cycles_to_goal"]["high"] is None


def test_energy_of_pulses_and_reads_is_voltage_squared_times_conductance_times_time():
    bench = load_bench_file("arrays").bench
    read = bench.read.voltage**2 * bench.read.nplc / 60.0
    found = pulse_energy(bench, [0, 1, 2], [0.2, 3.0, 2.0], [0.0, 1e-7, 1e-7], [1e-5, 2e-5, -3e-5])
    assert found == pytest.approx(9.0 * 2e-5 * 1e-7 + 4.0 * 3e-5 * 1e-7 + read * 6e-5)


def test_energy_of_vectors_is_that_of_cells_amplifiers_and_converters():
    with ArrayBench(as_arrays(load_bench_file("arrays"), "ideal"), seed=1) as bench, metering(bench) as meter:
        bench.connect_multiply("multiply", [0, 1, 2], [0, 1])
        amperes = bench.multiply(0.2 * np.ones((5, 3)))
        period, model = bench.instruments.daq.sample_period, EnergyModel()
    cells = 0.2 * np.abs(amperes).sum() * period
    around = 7 * (2 * model.amplifier * period + 5 * model.conversion)
    assert meter.joules == pytest.approx(cells + around)
    assert meter.vectors == 5


def test_cells_take_the_peak_of_a_vector_that_is_multiplied_times_its_currents():
    volts, amperes = (
        np.array([[0.1, -0.3], [0.2, 0.0], [0.0, 0.0]]),
        np.array([[1.0, -2.0], [0.0, 4.0], [5.0, 6.0]]),
    )
    multiplied, inverted = VectorMeter(1e-3), VectorMeter(1e-3)
    multiplied("MULTIPLY", volts, amperes)
    inverted("INVERT", volts, amperes)
    assert multiplied.joules - inverted.joules == pytest.approx((0.3 * 3.0 + 0.2 * 4.0) * 1e-3)
    assert multiplied.vectors == inverted.vectors == 3
    assert inverted.joules == pytest.approx(5 * (2 * 26e-3 * 1e-3 + 4 * 100e-3 / 8 / 200e3))  # data sheets


def test_the_assumptions_of_the_energy_are_said():
    assert EnergyModel().in_words().startswith("26 mW an amplifier and 62.5 nJ a conversion while")


def test_a_bench_is_metered_beside_who_listens_and_only_meanwhile():
    class Played:
        heard: list[str] = []
        vector_period = 1e-3

        def on_vectors(self, mode, volts, answers):
            self.heard.append(mode)

    bench, vectors = Played(), np.ones((2, 1))
    before = bench.on_vectors
    with metering(bench) as meter:
        bench.on_vectors("MULTIPLY", vectors, vectors)
    with pytest.raises(Aborted), metering(bench):
        raise Aborted("enough")
    bench.on_vectors("INVERT", vectors, vectors)
    assert (bench.heard, meter.vectors, bench.on_vectors) == (["MULTIPLY", "INVERT"], 2, before)
    assert meter.joules > 0.0


def test_what_a_drawn_solve_keeps_of_its_summary(monkeypatch: pytest.MonkeyPatch):
    """A goal out of reach takes infinitely long; without the chip only what converges is compared."""
    summaries = [
        {"cycles_to_goal": None, "cycles_saved": None, "bits": 3, "other": 1.0},
        ConvergenceError("no loop settles"),
        {"cycles_to_goal": 7, "cycles_saved": 2, "digital_ratio": None, "bits": 24},
    ]
    common = {"reason": "", "solve_seconds": 1.5, "reads": 500, "pulses": 60, "vectors": 7}

    def execute(plan, bench, stream):
        summary = summaries.pop(0)
        if isinstance(summary, Exception):
            raise summary
        return SimpleNamespace(summary=common | summary | {"converged": summary["bits"] > 10})

    seeds: list[int] = []

    class Chip:
        def __init__(self, source, seed):
            seeds.append(seed)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(forecast, "ArrayBench", Chip)
    rng = np.random.default_rng(1)
    first, second, third = draw_solves(lambda bench, rng: None, execute, None, 3, rng)
    assert first == DrawnSolve(False, "", {"cycles_to_goal": math.inf, "bits": 3.0, "pulses": 60.0}, 1.5, 567)
    assert (second.converged, second.reason, second.values) == (False, "no loop settles", {})
    assert (second.operations, math.isnan(second.seconds)) == (0, True)
    assert third.values == {"cycles_to_goal": 7.0, "cycles_saved": 2.0, "bits": 24.0, "pulses": 60.0}
    assert len(set(seeds)) == 3
    assert max(seeds) > 2**33  # of the whole range


def test_a_forecast_is_said_and_kept_as_it_was_drawn():
    def one(number: int) -> DrawnSolve:
        values = {"forecast_rho": 0.1 + 0.01 * number, "cycles_to_goal": 5.0 + number, "bits": 24.0}
        return DrawnSolve(
            number > 0, "used up, 3 bits; none" if number % 2 else "used up; 3", values, 2.0 + number
        )

    solves = SolveForecast.of([one(number) for number in range(19)] + [DrawnSolve(False, "it rails")])
    assert (solves.draws, solves.converging, solves.reasons) == (20, 18, {"used up": 1, "it rails": 1})
    assert solves.wall == Interval(2.0, 11.0, 20.0, *[solves.wall.at_low] * 2)
    assert solves.in_words() == (
        "forecast: converges on 18 of 20 drawn chips, 0.100 to 0.280 rho, 5 to 23 cycles"
    )
    probability, low, high = solves.probability
    assert probability == pytest.approx(19 / 22)
    kept = solves.plain()
    assert (kept["draws"], kept["converging"]) == (20, 18)
    assert (kept["probability"], kept["probability_low"], kept["probability_high"]) == (
        probability,
        low,
        high,
    )
    assert set(kept) - {"forecast_rho", "cycles_to_goal", "bits"} == {
        "draws", "converging", "probability", "probability_low", "probability_high"
    }  # fmt: skip
    assert kept["cycles_to_goal"] == solves.intervals["cycles_to_goal"].plain()


def test_a_run_tells_its_energy_which_its_file_s_pulses_are_part_of(tmp_path: Path):
    with open_bench("arrays", seed=3) as bench:
        told = run(Solve(matrix=MATRIX, rhs=RHS), bench, seed=1, output=tmp_path / "run.h5").summary
    with RunFile(tmp_path / "run.h5") as file:
        rows = file.table("pulses")
    columns = (rows[name] for name in ("kind", "voltage", "width", "conductance"))
    pulses = pulse_energy(load_bench_file("arrays").bench, *columns)
    assert 0.0 < pulses < told["joules"]
    assert told["vectors"] > told["inversions"] + told["products"]


def test_a_bench_with_instruments_becomes_one_of_the_same_chip_and_converters():
    for name in ("simulated", "switched", "zuo2025"):
        source = load_bench_file(name)
        without = as_arrays(source, "quiet")
        assert without.bench.simulation is not None
        assert not without.bench.simulation.instruments
        assert without.bench.simulation.preset == "quiet"
        assert without.chip_text == source.chip_text
        assert without.bench.instruments.daq == source.bench.instruments.daq
        with ArrayBench(without, seed=1) as bench:
            assert bench.simulated is not None
            assert bench.simulated.chip.preset.name == "quiet"
