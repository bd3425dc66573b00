"""A forecast by name of a bench: planned as the run will be, from a file alone where instruments are real."""

from __future__ import annotations

import math
import re
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mho
from mho.chip_maps.chip import read_chip_text
from mho.errors import BenchError, ChipMapError, ConvergenceError, InputError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.opening import opening
from mho.procedures import Solve, SolveForecast
from mho.running import forecasting
from mho.running.forecasting import DRAWS, Alternative, Forecast, _changes, alternatives_to, forecast
from mho.runs.intervals import Interval, prediction_interval

MATRIX = np.array([[0.2, 1.4], [1.6, -0.3]])  # its rows must be exchanged
RHS = np.array([1.0, 2.0])
FEW_CELLS = {"residual": "float64"}  # the chip inverts: a solve takes a third of the time
UNCERTAIN = np.array([[1.0, 0.999], [0.999, 1.0]])


@pytest.fixture(scope="module")
def found() -> Forecast:
    return forecast(MATRIX, RHS, bench="arrays", seed=4, draws=19)


@pytest.mark.thorough
def test_it_plans_as_the_run_with_the_same_seed_does(found: Forecast):
    with open_bench("arrays", seed=4) as bench:
        solve = Solve(matrix=MATRIX, rhs=RHS)
        plan = solve.prepare(solve.check(), bench, np.random.default_rng([4, 1]))
    assert found.plan is not None
    assert found.plan.candidate is not None
    assert found.plan.candidate.rho == plan.on_chip.candidate.rho
    assert found.plan.preconditioning.exchanges
    assert found.cells == sum(block.digits.size for block in plan.on_chip.blocks())
    assert found.held_bits == plan.on_chip.multiply.fixed.bits


def test_the_loops_that_were_considered_are_ranked_with_reasons(found: Forecast):
    assert [one.cycles for one in found.tried] == sorted(one.cycles for one in found.tried)
    refused = [one for one in found.tried if one.why_not]
    assert any("unstable" in one.why_not for one in refused)  # as given
    assert all(math.isinf(one.cycles) for one in refused)
    assert found.plan is not None
    assert not found.plan.why_not


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_forecast_but_for_this_machines_time(found: Forecast):
    again = forecast(MATRIX, RHS, bench="arrays", seed=4, draws=19)
    assert again.solves.plain() == found.solves.plain()
    assert again.solves.intervals["joules"].low > 0.0
    assert again.seed == 4


@pytest.mark.thorough
def test_without_a_seed_each_draw_plans_anew():
    first, second = (forecast(MATRIX, RHS, bench="arrays", draws=19, **FEW_CELLS) for _ in range(2))
    assert first.seed != second.seed
    one, other = first.solves.plain(), second.solves.plain()
    assert (one["pulses"], one["joules"]) != (other["pulses"], other["joules"])  # whole pulses may be as many


@pytest.mark.thorough
def test_real_instruments_are_not_connected_and_their_cells_an_assumption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    path = tmp_path / "lab.toml"
    path.write_text(f"{text[:start]}\n{text[end:]}".replace('name = "simulated"', 'name = "lab"'), "utf-8")

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("an instrument was connected")

    for module, name in (
        (opening, "connect_instruments"),
        (opening, "lock_bench"),
        (opening, "connect_instruments"),
    ):
        monkeypatch.setattr(module, name, never)
    told = forecast(MATRIX, RHS, bench=str(path), seed=4, draws=19, **FEW_CELLS)
    assert (told.bench, told.real, told.preset, told.wall) == ("lab", True, "pku", None)
    ideal = forecast(MATRIX, RHS, bench=str(path), preset="ideal", seed=4, draws=19, **FEW_CELLS)
    assert ideal.preset == "ideal"


@pytest.mark.thorough
def test_at_the_wire_the_time_here_is_longer_than_that_of_a_draw(found: Forecast):
    told = forecast(MATRIX, RHS, seed=4, draws=19)
    assert told.wall is not None
    assert told.solves.wall is not None
    assert told.wall.median > told.solves.wall.median
    assert told.solves.plain() == found.solves.plain()  # the same chip and converters


def test_where_no_loop_settles_it_says_why_there_is_no_plan(tmp_path: Path):
    bench = load_bench_file("arrays")
    two_levels = re.sub(
        r"conductances = \[.*\]", "conductances = [0.37e-6, 35e-6]", read_chip_text(bench.bench.chip)
    )
    (tmp_path / "chip.toml").write_text(two_levels, "utf-8")
    path = tmp_path / "bench.toml"
    path.write_text(bench.text.replace(f'chip = "{bench.bench.chip}"', 'chip = "chip.toml"'), "utf-8")
    found = forecast(
        np.eye(2), bench=str(path), seed=4, draws=19, encoding="bias", alternatives=False, **FEW_CELLS
    )
    assert found.refused.startswith("no INV loop settles, however far the matrix is shifted")
    assert (found.plan, found.cells, found.solves.draws) == (None, 0, 0)


@pytest.mark.thorough
def test_what_would_help_is_said_with_what_it_gains():
    given = {"bench": "arrays", "preset": "relaxing", "seed": 1, "draws": 19, "max_cycles": 1, **FEW_CELLS}
    told = forecast(UNCERTAIN, RHS, **given)
    assert told.solves.converging == 0
    assert told.solves.reasons == {"all cycles allowed (1) are used up": 19}
    best = told.alternatives[0]
    assert best.converging > 0
    assert any("max_cycles = 4" in one.change for one in told.alternatives)
    quick = forecast(UNCERTAIN, RHS, **given, alternatives=False)
    assert quick.alternatives == ()
    assert quick.solves.plain() == told.solves.plain()


@pytest.mark.thorough
def test_what_helps_no_chip_is_not_said_to_help():
    # No cells make plain steps end after one cycle.
    given = {"bench": "arrays", "preset": "ideal", "seed": 1, "draws": 19, "max_cycles": 1, "method": "plain"}
    told = forecast(np.array([[1.0, 0.95], [0.95, 1.0]]), RHS, **given, **FEW_CELLS)
    assert told.solves.converging == 0
    assert all(one.converging for one in told.alternatives)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"draws": 18}, InputError, r"draws is 18; give a whole number from 19"),
        ({"draws": 20.5}, InputError, r"draws is 20.5"),
        ({"draws": True}, InputError, r"draws is True"),
        ({"draws": 10_001}, InputError, r"draws is 10001; .*to 10000"),
        ({"seed": -1}, InputError, r"seed is -1"),
        ({"bench": "nowhere.toml"}, BenchError, r"cannot read bench 'nowhere.toml'"),
        ({"preset": "golden"}, BenchError, r"unknown cell preset 'golden'"),
        ({"matrix": np.ones((2, 2))}, InputError, r"singular in float64"),
        (
            {"matrix": np.diag(np.arange(1.0, 41.0)), "rhs": np.ones(40), "bench": "simulated"},
            ChipMapError,
            r"40 x 40",
        ),
        ({"bits": 60}, InputError, r"bits is 60"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    given: dict[str, object], error: type[Exception], said: str
):
    with pytest.raises(error, match=said) as caught:
        forecast(**{"matrix": MATRIX, "rhs": RHS, "bench": "arrays", "draws": 19} | given)
    assert "\n" not in str(caught.value)


def test_of_as_many_draws_as_are_usual_an_interval_leaves_one_out_at_each_end():
    interval = prediction_interval([float(one) for one in range(DRAWS)])
    assert (interval.low, interval.high) == (1.0, DRAWS - 2.0)


def test_it_is_at_the_front_door():
    assert mho.forecast is forecast


class ReachedError(Exception):
    """What was given is taken, and solves would be drawn."""


@pytest.mark.parametrize("draws", [19, 10_000, None])
def test_so_many_draws_may_be_asked_for_and_39_are_usual(draws: int | None, monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def draw(*given: Any) -> None:
        asked.extend(given)
        raise ReachedError

    monkeypatch.setattr(forecasting, "_plan_and_draw", draw)
    how = {"rhs_seed": 5, **FEW_CELLS} | ({} if draws is None else {"draws": draws})
    for seed in (4, None):
        with pytest.raises(ReachedError):
            forecast(MATRIX, bench="arrays", seed=seed, **how)
        at, solve, _, count, _ = asked
        assert (count, at.replan, solve.seed) == (draws or 39, seed is None, 5)
        assert at.seed == 4 or seed is None
        assert at.seed < 2**32
        asked.clear()


def test_chips_are_drawn_by_the_plan_or_none_where_no_loop_settles():
    shown: list[tuple[str, int, int]] = []
    given: list[Any] = []

    class At:
        def planned(self, solve, one):
            if solve == "rails":
                raise ConvergenceError("no loop settles")
            return "plan"

        def drawn(self, *those):
            given.extend(those)
            return iter("abc")

    def show(*those):
        shown.append(those)

    assert forecasting._plan_and_draw(At(), "settles", "x", 3, show) == ("plan", ["a", "b", "c"], "")
    assert given == ["settles", "x", "plan", 3]
    assert shown == [("drawing chips", done, 3) for done in (1, 2, 3)]
    assert forecasting._plan_and_draw(At(), "rails", "x", 3, show) == (None, [], "no loop settles")
    assert len(shown) == 3


def solves(converging: int, draws: int, cycles: float | None) -> SolveForecast:
    intervals = {} if cycles is None else {"cycles_to_goal": Interval(cycles, cycles, cycles)}
    return SolveForecast(draws, converging, intervals, None, {})


def tried(
    now: SolveForecast, monkeypatch: pytest.MonkeyPatch, *found: Alternative | None
) -> tuple[list[str], list[tuple[str, int, int]]]:
    """What of some alternatives is named, and the progress that was shown."""
    shown: list[tuple[str, int, int]] = []
    by_name = {str(number): one for number, one in enumerate(found)}
    monkeypatch.setattr(forecasting, "_changes", lambda at, values: [(name, {}, at) for name in by_name])
    monkeypatch.setattr(forecasting, "_try", lambda at, change, values: by_name[change])
    named = [one.change for one in alternatives_to(None, {}, now, lambda *given: shown.append(given))]
    return named, shown


@pytest.mark.parametrize(
    ("converging", "cycles", "needed"),
    [(38, 11.9, False), (38, 12.0, True), (37, 5.0, True), (40, None, True), (40, 3.0, False)],
)
def test_nothing_else_is_tried_where_nearly_all_converge_in_few_cycles(
    converging: int, cycles: float | None, needed: bool, monkeypatch: pytest.MonkeyPatch
):
    best = Alternative("best", 19, 19, 1.0)
    named, shown = tried(solves(converging, 40, cycles), monkeypatch, best, None)
    assert bool(named) is needed
    assert shown == [("trying what would help", done, 2) for done in (1, 2)] * needed


def test_what_helps_makes_more_chips_converge_or_all_in_fewer_cycles_the_best_first(
    monkeypatch: pytest.MonkeyPatch,
):
    named, _ = tried(
        solves(8, 16, 20.0), monkeypatch,
        Alternative("as many in as many cycles", 8, 16, 20.0),
        Alternative("as many in four fifths", 8, 16, 16.0),
        Alternative("fewer in half", 7, 16, 10.0),
        Alternative("one more", 9, 16, 30.0),
        Alternative("two more", 10, 16, 30.0),
        None,
        Alternative("as many in half", 8, 16, 10.0),
        Alternative("as many, most of them never", 8, 16, math.inf),
        Alternative("as many in more than four fifths", 8, 16, 16.1),
    )  # fmt: skip
    assert named == ["two more", "as many in half", "as many in four fifths"]
    never = solves(0, 0, None)
    named, _ = tried(never, monkeypatch, Alternative("some", 3, 16, math.inf), Alternative("1", 0, 16, 1.0))
    assert named == ["some", "1"]


def test_a_change_that_cannot_be_is_not_tried(monkeypatch: pytest.MonkeyPatch):
    class At:
        def planned(self, solve, given):
            return solve.bits

        def drawn(self, solve, given, plan, draws):
            assert (plan, draws) == (20, 19)
            return iter(())

    monkeypatch.setattr(forecasting.procedures.SolveForecast, "of", lambda drawn: solves(7, 19, 4.0))
    values = {"matrix": MATRIX, "rhs": RHS, "bits": 20}
    assert forecasting._try(At(), "change", values) == Alternative("change", 7, 19, 4.0)
    assert forecasting._try(At(), "change", values | {"matrix": np.ones((2, 2))}) is None


def test_what_is_known_of_a_plan_and_of_none():
    fine, coarse, other = (
        SimpleNamespace(candidate=candidate, cycles=cycles)
        for candidate, cycles in (
            (SimpleNamespace(rho=0.1), 9.0),
            (SimpleNamespace(rho=0.3), 4.0),
            (None, 4.0),
        )
    )
    blocks = [SimpleNamespace(digits=np.zeros(shape)) for shape in ((2, 3), (4, 1))]
    judged = [SimpleNamespace(method=name) for name in ("plain", "gmres", "plain")]
    baselines = {"plain": 30, "gmres": None, "gcr": 5}
    plan = SimpleNamespace(
        on_chip=SimpleNamespace(
            held_bits=24, choice=SimpleNamespace(judged=judged, method="plain"), candidate=fine.candidate,
            tried=[other, coarse, fine], blocks=lambda: blocks,
        ),
        without_chip=lambda name: (
                SimpleNamespace(same_method=(baselines[name], 0)) if name in baselines else None
            ),
    )  # fmt: skip
    given = SimpleNamespace(zeros=np.array([True, False]))
    facts = forecasting._facts_of_plan(plan, given)
    assert facts == {
        "held_bits": 24, "plan": fine, "tried": (coarse, other), "choice": plan.on_chip.choice,
        "without_chip": {"plain": 30, "gmres": None, "gcr": 5}, "cells": 10,
    }  # fmt: skip
    given.zeros[:] = True
    plan.on_chip.tried, plan.on_chip.choice.judged = [], []
    del baselines["gcr"]
    facts = forecasting._facts_of_plan(plan, given)
    assert (facts["plan"], facts["tried"], facts["cells"]) == (None, (), 0)
    assert facts["without_chip"] == {"plain": 30}
    assert forecasting._facts_of_plan(None, given) == {
        "held_bits": None, "plan": None, "choice": None, "tried": (), "without_chip": {}, "cells": 0
    }  # fmt: skip


def test_what_could_be_changed_is_what_is_not_so_already(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecasting, "as_arrays", lambda source, preset: (source, preset))
    monkeypatch.setattr(forecasting, "replace", lambda at, source: source)
    pku, ideal = (SimpleNamespace(preset=preset, source="bench") for preset in ("pku", "ideal"))
    changes = list(_changes(pku, {"bits": 24}))
    assert [values for _, values, _ in changes] == [
        {"bits": 24} | one
        for one in (
            {"residual": "float64"}, {"max_cycles": 200}, {"encoding": "bias"}, {"encoding": "differential"},
            {"loop_slices": 2}, {},
        )
    ]  # fmt: skip
    assert [at for _, _, at in changes] == [pku] * 5 + [("bench", "ideal")]
    assert changes[-1][0] == "cells without errors (preset ideal)"
    assert len(list(_changes(ideal, {"residual": "float64", "loop_slices": 2, "encoding": "bias"}))) == 2


def test_the_words_of_a_change_are_the_parameters_that_it_gives():
    values = {"max_cycles": 30, "encoding": "bias", "loop_slices": 2, "residual": "float64"}
    changes = _changes(None, values)  # type: ignore[arg-type]
    assert next(changes)[:2] == ("120 cycles allowed (max_cycles = 120)", values | {"max_cycles": 120})
    words = "the differential encoding alone (encoding = differential)"
    assert next(changes)[:2] == (words, values | {"encoding": "differential"})
