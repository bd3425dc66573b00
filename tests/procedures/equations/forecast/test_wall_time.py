"""Time on this machine: what a run tells of it, how it is forecast, and that it is scored but not compared."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest

from mho import run
from mho.analysis.reports import score_forecasts
from mho.errors import Aborted, InputError
from mho.instruments.bench_file import load_bench_file
from mho.procedures import DrawnSolve, Solve, wall_time
from mho.procedures.equations import forecast
from mho.procedures.equations.forecast import operations
from mho.procedures.stream import Control, Event, Paused, Progress
from mho.running.continuing import rerun
from mho.runs import RunFile

SYSTEM = {"matrix": np.array([[2.0, 0.4], [-0.3, 1.5]]), "rhs": np.array([1.0, -0.5]), "residual": "float64"}
DRAWS = 19


@pytest.mark.thorough
@pytest.mark.parametrize("bench", ["arrays", "simulated"])
def test_a_run_is_scored_by_the_time_of_its_solve_and_its_rerun_is_equal(bench: str, tmp_path: Path):
    path, again = tmp_path / "run.h5", tmp_path / "again.h5"
    run(Solve(**SYSTEM, draws=DRAWS), bench, seed=3, output=path)
    assert rerun(path, output=again).equal
    seconds = []
    for one in (path, again):
        with RunFile(one) as file:
            told = file.summary
            assert file.result_units["solve_seconds"] == "s"
        assert 0.0 < told["solve_seconds"] < told["wall_seconds"]
        assert told["forecast"]["solve_seconds"]["low"] > 0.0
        seconds.append((told["solve_seconds"], told["forecast"]["solve_seconds"]))
    assert seconds[0] != seconds[1]
    assert score_forecasts(tmp_path).coverages["solve_seconds"].runs == 2


@pytest.mark.thorough
def test_whoever_watches_a_run_is_not_in_the_time_of_its_solve(tmp_path: Path):
    slept = 0.0

    def sleep(event: Event) -> None:
        nonlocal slept
        started = time.perf_counter()
        time.sleep(0.1)
        slept += time.perf_counter() - started

    told = run(Solve(**SYSTEM), "arrays", seed=3, output=tmp_path / "run.h5", observers=[sleep]).summary
    assert told["solve_seconds"] < 0.5 * slept < told["wall_seconds"]


@pytest.mark.thorough
def test_a_pause_is_not_in_the_time_of_its_solve(tmp_path: Path):
    control, pause = Control(), 2.0

    def resume() -> None:
        control.pausing = False

    def watch(event: Event) -> None:
        if isinstance(event, Paused):
            Timer(pause, resume).start()
        elif isinstance(event, Progress) and event.done == event.total:
            control.pausing = True

    path = tmp_path / "run.h5"
    told = run(Solve(**SYSTEM), "arrays", seed=3, output=path, observers=[watch], control=control).summary
    assert told["solve_seconds"] < pause < told["wall_seconds"]


def drawn(operations: int) -> list[DrawnSolve]:
    return [
        DrawnSolve(True, "", {"bits": 24.0}, seconds, operations) for seconds in np.linspace(1.0, 2.0, DRAWS)
    ]


def test_without_instruments_it_is_the_time_of_the_draws():
    interval = wall_time(load_bench_file("arrays"), None, drawn(1000), Solve)
    assert (interval.low, interval.median, interval.high) == (1.0, 1.5, 2.0)
    assert wall_time(load_bench_file("arrays"), None, drawn(1000)[1:], Solve) is None  # too few


@pytest.mark.thorough
def test_at_the_wire_it_grows_with_the_operations_whatever_a_draw_took():
    few, many = (
        wall_time(load_bench_file("simulated"), "pku", drawn(count), Solve) for count in (1000, 100_000)
    )
    assert few.low > 0.0
    assert many.median > 10.0 * few.median


def test_at_the_wire_each_draw_takes_a_fixed_time_and_one_for_each_operation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecast, "_rates", lambda *_: iter([(3.0, 0.002)]))
    interval = wall_time(load_bench_file("simulated"), "pku", drawn(1000), Solve)
    assert (interval.low, interval.median, interval.high) == (5.0, 5.0, 5.0)
    monkeypatch.setattr(forecast, "_rates", lambda *_: iter([]))
    assert wall_time(load_bench_file("simulated"), "pku", drawn(1000), Solve) is None


def test_rates_at_the_wire_are_those_of_pairs_of_solves_with_few_and_many_operations(
    monkeypatch: pytest.MonkeyPatch,
):
    """Seconds of the analogue one of a pair, by seed; the first solve, which loads what others need, counts for nothing."""
    long = {0: 5.0, 1: None, 2: 1.0, 3: 7.0}
    opened: list[tuple[str, int]] = []

    @contextmanager
    def simulated(source, preset, seed):
        yield seed

    class Small:
        def __init__(self, matrix, rhs, residual):
            assert np.array_equal(matrix, [[1.3, 0.3], [0.3, 1.3]])
            assert np.array_equal(rhs, [1.0, 1.0])
            self.residual = residual

        def check(self):
            return "checked"

        def prepare(self, given, bench, rng):
            assert given == "checked"
            return bench

        def execute(self, seed, bench, stream):
            opened.append((self.residual, seed))
            seconds = long[seed] if self.residual == "analogue" else 2.0
            if seconds is None:
                raise InputError("most cells are stuck")
            count = 100 if self.residual == "analogue" else 40
            summary = {"reads": count, "pulses": 0, "vectors": 0, "solve_seconds": seconds}
            return SimpleNamespace(summary=summary)

    monkeypatch.setattr(forecast, "open_simulated", simulated)
    told: list[tuple[int, int]] = []
    rates = list(forecast._rates(None, "pku", Small, lambda done, total: told.append((done, total))))
    assert rates == [(pytest.approx(2.0 - 40 * each), pytest.approx(each)) for each in (0.05, 0.0, 5 / 60)]
    assert told == [(0, 4), (0, 4), (1, 4), (2, 4), (3, 4)]
    assert opened[:3] == [("float64", 1), ("float64", 0), ("analogue", 0)]
    assert [seed for kind, seed in opened if kind == "analogue"] == [0, 1, 2, 3]


def test_of_real_instruments_no_time_is_said():
    source = load_bench_file("arrays")
    real = source.model_copy(update={"bench": source.bench.model_copy(update={"simulation": None})})
    assert wall_time(real, None, drawn(1000), Solve) is None


def test_it_stops_between_solves_at_the_wire():
    def stop(done: int, total: int) -> None:
        raise Aborted("enough")

    with pytest.raises(Aborted):
        wall_time(load_bench_file("simulated"), "pku", drawn(1000), Solve, stop)


def test_reads_pulses_and_vectors_of_a_solve_are_its_operations():
    assert operations({"reads": 500, "pulses": 60, "vectors": 7, "cycles": 3}) == 567
