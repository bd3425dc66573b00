"""Which method is taken: the cheapest that needs hardly more cycles than GCR, held to the cells as programmed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from daily import daily

from mho.chip_maps.chip import load_chip_map
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.planning import solve_plan
from mho.procedures.equations.planning.linear_system import Goal
from mho.procedures.equations.planning.loop_choice import MOST_CYCLES, DrawnLoops, LoopSetup
from mho.procedures.equations.planning.method_choice import (
    BY_COST,
    CHOSEN,
    LATE,
    ExpectedCycles,
    Judging,
    MethodChoice,
    choose_method,
)
from mho.procedures.equations.planning.solve_plan import SolvePlan, plan_solve
from mho.procedures.equations.solve.programmed_matrix import ProgrammedMatrix
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate
from mho.runs.integrity import OF_THE_MOMENT

JUDGING = Judging(Goal(24, None), 12)


def loops(
    n: int = 8, error: float = 0.02, seed: int = 0, matrix: np.ndarray | None = None, draws: int = 6
) -> DrawnLoops:
    """Loops of a well-conditioned matrix, with inverses that are off by about `error`."""
    rng = np.random.default_rng(seed)
    held = np.eye(n) + 0.2 * rng.standard_normal((n, n)) / np.sqrt(n) if matrix is None else matrix
    n = len(held)
    inverses = np.linalg.inv(held + error * rng.standard_normal((draws, n, n)) / np.sqrt(n))
    return DrawnLoops(held, inverses, rng.standard_normal(n))


def spd(n: int = 8, condition: float = 30.0) -> np.ndarray:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))[0]
    found = turn @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn.T
    return (found + found.T) / 2.0


def chosen(
    drawn: DrawnLoops, held: np.ndarray | None = None, judging: Judging = JUDGING, how: Any = "auto"
) -> MethodChoice:
    return choose_method(how, drawn, drawn.matrix if held is None else held, judging)


@pytest.mark.parametrize("error", [1e-6, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("seed", daily(range(4), [0]))
@pytest.mark.parametrize("how", CHOSEN)
def test_it_takes_the_first_by_cost_of_those_that_take_hardly_more_cycles_than_gcr(error, seed, how):
    choice = chosen(loops(error=error, seed=seed, matrix=spd() if seed % 2 else None), how=how)
    expected = {one.method: one for one in choice.judged}
    gcr, taken = expected["gcr"], expected[choice.method]

    def few(one: Any) -> bool:
        slower, slowest = (1.0, 1.0) if one.method == "cg" else CHOSEN[how]  # CG is a Krylov method as well
        return one.median <= slower * gcr.median and one.most <= slowest * gcr.most

    assert few(taken)
    assert not any(map(few, itertools.takewhile(lambda one: one.method != choice.method, choice.judged)))
    assert [one.method for one in choice.judged] == [name for name in BY_COST if name in expected]


def test_with_products_on_the_chip_no_cycle_more_is_taken():
    drawn = loops(error=0.1)
    slow, fast = (choose_method("auto", drawn, drawn.matrix, JUDGING, slack=slack) for slack in (True, False))
    assert (slow.method, fast.method) == (
        "plain",
        choose_method("fewest cycles", drawn, drawn.matrix, JUDGING).method,
    )
    assert slow.method != fast.method


def test_a_nearly_exact_inverse_takes_plain_steps_and_a_far_one_gcr():
    assert chosen(loops(error=1e-6)).method == "plain"
    assert chosen(loops(error=1.0)).method == "gcr"


def test_one_loop_that_is_worse_for_the_cheaper_method_decides():
    good, bad = loops(error=1e-6), loops(error=0.3, draws=1)
    both = DrawnLoops(good.matrix, np.concatenate([good.inverses, bad.inverses]), good.rhs)
    choice = chosen(both)
    plain, gcr = choice.judged[0], choice.judged[-1]
    assert plain.median == gcr.median  # of seven loops one alone is off
    assert plain.most > gcr.most
    assert choice.method != "plain"


def test_cg_is_for_symmetric_positive_definite_matrices_alone():
    symmetric = spd()
    skewed = symmetric + 1e-9 * np.triu(np.ones((8, 8)), 1)
    indefinite = symmetric - 0.5 * np.eye(8)
    for matrix, considered in ((symmetric, True), (skewed, False), (indefinite, False)):
        judged = chosen(loops(matrix=matrix)).judged
        assert ("cg" in {one.method for one in judged}) is considered


def test_the_loops_are_judged_with_the_products_and_the_goal_of_the_run():
    drawn = loops(error=0.05)
    exact = chosen(drawn).judged
    coarse = np.round(drawn.matrix * 8.0) / 8.0
    assert sum(one.median for one in chosen(drawn, held=coarse).judged) > sum(one.median for one in exact)
    few = chosen(drawn, judging=Judging(Goal(24, 1e-2), 12)).judged
    assert all(one.median < more.median for one, more in zip(few, exact, strict=True))
    rough = chosen(drawn, judging=Judging(Goal(24, None), 3)).judged
    assert sum(one.median for one in rough) > sum(one.median for one in exact)


def test_gcr_stays_where_it_is_not_expected_to_get_there_either():
    drawn = loops()
    choice = chosen(DrawnLoops(drawn.matrix, np.zeros_like(drawn.inverses), drawn.rhs))
    assert choice.method == "gcr"
    assert {one.most for one in choice.judged} == {MOST_CYCLES}


def test_a_goal_that_float64_hides_is_judged_as_far_as_it_reaches():
    choice = chosen(loops(matrix=spd(8, 1e3), error=1e-6), judging=Judging(Goal(52, None), 12))
    assert choice.judged[-1].most < MOST_CYCLES


def test_the_cells_as_programmed_may_change_the_method_to_gcr():
    choice, matrix = chosen(loops(error=1e-6)), loops().matrix
    rhs = np.ones(len(matrix))
    assert choice.confirmed(DrawnLoops.programmed(matrix, matrix, rhs), matrix) == "plain"
    stuck = matrix.copy()
    stuck[0, 0] = -0.5
    assert choice.confirmed(DrawnLoops.programmed(matrix, stuck, rhs), matrix) == "gcr"
    given = choose_method("plain", loops(), matrix, JUDGING)
    assert given == MethodChoice("plain")
    assert given.confirmed(DrawnLoops.programmed(matrix, stuck, rhs), matrix) == "plain"


def cycle(number: int, end: Any = "") -> Cycle:
    return Cycle(number, np.ones(1), np.ones(1), 0.1, 0.1, 0.0, 1.0, end)


def test_a_method_that_takes_far_longer_than_expected_was_the_wrong_choice():
    choice = MethodChoice("plain", (ExpectedCycles("plain", 4.0, 5), ExpectedCycles("gcr", 4.0, 6)), JUDGING)
    assert not choice.outlasted(cycle(LATE * 5 - 1))
    assert choice.outlasted(cycle(LATE * 5))
    assert choice.outlasted(cycle(3, "stalled"))
    assert not MethodChoice("plain").outlasted(cycle(1000, "stalled"))


# --- in a plan and a run ---


def planned(method: Any, seed: int = 3) -> tuple[SolvePlan, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    plan = plan_solve(
        LoopSetup(load_chip_map("reference"), (32, 32), 35e-6),
        spd(6, 4.0),
        rng,
        slices=None,
        method=method,
    )
    return plan, rng.bit_generator.state


def test_choosing_changes_neither_the_loop_nor_what_is_drawn_after_it():
    (auto, after), (gcr, state) = planned("auto"), planned("gcr")
    assert after == state
    assert auto.loop.cycles == gcr.loop.cycles
    np.testing.assert_array_equal(auto.cells.positive.digits, gcr.cells.positive.digits)
    assert len(auto.choice.judged) == 4
    assert planned("auto")[0].choice == auto.choice
    for block in auto.cells.blocks():
        block.achieved[:] = auto.levels.conductance(block.digits)
    assert auto.shift_further(35e-6, np.random.default_rng(1)).choice is auto.choice


class Log(NullStream):
    """Keeps what a solve says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.say = lambda text, level="INFO": self.said.append(text)


NEAR = np.eye(4) + 0.1 * np.random.default_rng(2).standard_normal((4, 4))


def solved(matrix: np.ndarray = NEAR, **how: Any) -> tuple[dict[str, Any], list[str]]:
    log = Log()
    with open_bench("arrays", seed=1) as bench:
        solve = Solve(matrix=matrix, residual="float64", **how)
        plan = solve.prepare(solve.check(), bench, np.random.default_rng([1, 1]))
        told = solve.execute(plan, bench, log).summary
    return {name: value for name, value in told.items() if name not in OF_THE_MOMENT}, log.said


def test_a_run_says_and_keeps_what_was_judged_and_all_right_hand_sides_take_one_method():
    told, said = solved(count=3)
    judged = {one["method"]: one for one in told["methods_judged"]}
    assert told["converged"]
    assert list(judged) == ["plain", "line search", "gcr"]
    (line,) = (text for text in said if text.startswith("method: "))
    assert line.startswith(f"method: {told['method']}; cycles expected from drawn loops: plain ")
    assert solved(count=3) == (told, said)
    given, quiet = solved(method="line search")
    assert (given["method"], given["methods_judged"]) == ("line search", [])
    assert not any(text.startswith("method: ") for text in quiet)


def test_gcr_takes_over_from_a_method_that_does_not_get_there(monkeypatch: pytest.MonkeyPatch):
    wrong = MethodChoice("plain", (ExpectedCycles("plain", 2.0, 2), ExpectedCycles("gcr", 2.0, 2)), JUDGING)
    monkeypatch.setattr(solve_plan, "choose_method", lambda *given, **named: wrong)
    hard = spd(8, 200.0)
    told, said = solved(hard)
    assert (told["converged"], told["method"]) == (True, "gcr")  # by the cells as programmed
    assert any(
        "around the cells as programmed plain would take more cycles than GCR" in text for text in said
    )
    monkeypatch.setattr(ProgrammedMatrix, "_confirm_method", lambda matrix, trial: None)
    told, said = solved(hard)
    assert (told["converged"], told["method"]) == (True, "gcr")  # by the cycles that passed
    assert sum("GCR takes over" in text for text in said) == 1


def test_by_blocks_it_is_gcr():
    told, _ = solved(np.eye(8) + 0.1 * np.random.default_rng(4).standard_normal((8, 8)), leaf=4)
    assert (told["method"], told["methods_judged"]) == ("gcr", [])


@pytest.mark.parametrize(
    ("version", "values", "method"),
    [
        ("2", {}, "line search"),
        ("3", {}, "gcr"),
        ("3", {"method": "auto"}, "gcr"),
        ("3", {"method": "cg"}, "cg"),
        ("4", {"method": "auto"}, "fewest cycles"),
        ("5", {}, "fewest cycles"),
        ("5", {"method": "plain"}, "plain"),
        ("6", {"method": "auto"}, "auto"),
    ],
)
def test_a_run_of_an_earlier_version_is_repeated_by_the_method_it_had(version, values, method):
    assert Solve.from_version(version, values)["method"] == method


@pytest.mark.parametrize(
    ("version", "values", "blocks"),
    [
        ("3", {}, "blockamc"),
        ("4", {}, "blockamc"),
        ("4", {"blocks": "recursive"}, "blockamc"),
        ("4", {"blocks": "jacobi"}, "jacobi"),
        ("5", {"blocks": "recursive"}, "recursive"),
    ],
)
def test_a_run_of_an_earlier_version_is_repeated_by_the_blocks_it_had(version, values, blocks):
    assert Solve.from_version(version, values)["blocks"] == blocks


@pytest.mark.thorough
def test_evaluated_twice_it_is_the_same_method():
    found = []
    for _ in range(2):
        with open_bench("arrays", seed=5) as bench:
            found.append(evaluate(Solve(matrix=spd(8, 5.0), rhs=np.ones(8)), bench, seed=5).summary)
    assert found[0]["method"] == found[1]["method"]
    assert found[0]["methods_judged"] == found[1]["methods_judged"]
