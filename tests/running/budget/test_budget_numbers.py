"""What a budget says of given numbers, and what it asks of its twins: in closed form, without a run."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mho.errors import Aborted, ConvergenceError, InputError
from mho.instruments.arrays import CAUSES, CELLS, Cause, Causes
from mho.running.budget import budgets, questions, replaying, shares
from mho.running.budget.budgets import Budget, CauseShare, acting, budget
from mho.running.budget.conductances import CellErrors
from mho.running.budget.drawings import errors_drawing, shares_drawing
from mho.running.budget.questions import (
    AllAnswered,
    Answers,
    InversionAnswers,
    LoopQuestion,
    LoopTargets,
    Question,
    Railed,
    RepeatedBench,
)
from mho.running.budget.shares import Decomposition, Moments, decompose, moved_values, sampled_values
from mho.runs import Status

# --- what is said of shares ---


def share(cause: Cause, mended: float, gain: float = 0.0, **others: Any) -> CauseShare:
    values = {
        "share": 0.5,
        "low": 0.4,
        "high": 0.6,
        "alone": 0.2,
        "mended_low": mended,
        "mended_high": mended,
    }
    return CauseShare(cause=cause, mended=mended, gain=gain, acts="", **values | others)


def made(*of: CauseShare, **others: Any) -> Budget:
    values = {
        "path": Path("run.h5"), "title": "t", "procedure": "Invert", "bench": "arrays", "preset": "pku",
        "status": Status.FINISHED, "error": "error", "answers": 2, "counted": "answers", "drawn": "noise",
        "measured": 0.2, "twin": 0.1, "again": (0.05, 0.15), "rest": 0.0, "unexplained": 0.0, "orders": 0,
        "draws": 16, "seed": 0, "remarks": (),
    }  # fmt: skip
    return Budget(shares=of, **values | others)


WIRES, NOISE = share("wires", 0.08), share("read noise", 0.09, 0.46)


@pytest.mark.parametrize(
    ("of", "first"),
    [
        ((WIRES, NOISE), "wires"),
        ((share("programming", 0.05, 0.5), NOISE), "read noise"),  # 92 % of the gain
        ((share("stuck cells", 0.05, 0.5), NOISE), "read noise"),
        ((share("programming", 0.05, 0.5), share("read noise", 0.09, 0.45)), "read noise"),
        ((share("programming", 0.05, 0.5), share("read noise", 0.09, 0.44)), "programming"),
        ((share("wires", 0.05, 0.5), NOISE), "wires"),  # which read noise does not act through
        ((share("wires", 0.1), share("read noise", 0.11)), None),
    ],
)
def test_the_cause_to_mend_first(of: tuple[CauseShare, ...], first: str | None) -> None:
    found = made(*of).first
    assert (found and found.cause) == first


def test_causes_whose_ends_meet_may_do_as_much() -> None:
    first = share("wires", 0.05, mended_low=0.04, mended_high=0.07)
    near, far = (
        share(cause, 0.08, mended_low=low, mended_high=0.09)
        for cause, low in (("relaxation", 0.07), ("gain", 0.0701))
    )
    none = share("offset", 0.1, mended_low=0.01)
    found = made(far, none, first, near, NOISE)
    assert found.as_good == (near,)
    assert found.advice == (
        "mend wires first: that alone would take 50 % off the error, from 0.1 to 0.05 (95 %: 0.04 to 0.07); "
        "relaxation may do as much"
    )
    alone = replace(found, draws=0)
    assert alone.as_good == ()
    assert alone.advice.endswith("from 0.1 to 0.05")
    assert made(none, NOISE, twin=0.01).advice == "no single cause lowers the error when it is mended"


@pytest.mark.parametrize(
    ("value", "gain", "acts"),
    [
        (-0.00049, 0.0, ""), (-0.00051, 0.0, "makes up for others"),
        (1.00049, 1.0, ""), (1.00051, 1.0, "others make up for it"),
        (0.25, 0.4 - 1e-9, ""), (0.25, 0.41, "acts with others"),
        (0.4 - 1e-9, 0.25, ""), (0.41, 0.25, "gains less alone"),
        (-5e-4, 0.0, ""), (1.0 + 5e-4, 1.0, ""), (0.0, 0.15, ""), (0.15, 0.0, ""),
    ],
)  # fmt: skip
def test_a_gain_differs_from_a_share_by_more_than_15_percent_of_the_error(
    value: float, gain: float, acts: str
) -> None:
    assert acting("wires", value, gain) == acts


def test_a_budget_has_roots_of_squared_errors_and_shares_of_the_measured_one() -> None:
    of = Decomposition(
        ("wires", "gain"), np.array([0.03, 0.09]), np.zeros(2), np.array([0.04, 0.16]),
        np.array([0.12, 0.01]), 0.13, 0.01, 7,
    )  # fmt: skip
    moved = Moments(
        np.array([[0.03, 0.11], [0.03, 0.07]]), np.array([[0.12, 0.01], [0.12, 0.01]])
    )  # whole: 0.15, 0.11, 0.13
    explained = budgets._Explained(of, moved, 3, 0.16)
    recipe: Any = SimpleNamespace(
        path=Path("run.h5"), kind=SimpleNamespace(__name__="Invert"), provenance={"preset": "pku"},
        source=SimpleNamespace(bench=SimpleNamespace(name="arrays")), remarks=("a", "b"),
    )  # fmt: skip
    kind = replaying.AnswerKind(Answers, "of a kind")
    found = budgets._as_budget(explained, kind, recipe, "title", Status.FINISHED, 2, 5)
    assert [one.cause for one in found.shares] == ["gain", "wires"]
    gain, wires = found.shares
    assert (gain.share, wires.share) == pytest.approx((0.5625, 0.1875))
    assert (gain.alone, gain.mended, wires.alone) == pytest.approx((0.4, 0.1, 0.2))
    assert (gain.gain, wires.gain) == pytest.approx((0.75, 0.0625))
    assert (wires.low, wires.high) == pytest.approx((0.1875, 0.1875))
    student, scatter = 4.302653, math.sqrt((1 + 1 / 3) * 0.02**2)  # two degrees of freedom, deviation 0.02
    assert gain.high == pytest.approx((0.09 + student * scatter) / 0.16, rel=1e-6)
    assert gain.low == pytest.approx((0.09 - student * scatter) / 0.16, rel=1e-6)
    assert (gain.mended_low, gain.mended_high) == pytest.approx((0.1, 0.1))
    assert (found.measured, found.twin) == pytest.approx((0.4, math.sqrt(0.13)))
    assert found.again == pytest.approx(
        [math.sqrt(0.13 - student * scatter), math.sqrt(0.13 + student * scatter)], rel=1e-6
    )
    assert (found.rest, found.unexplained) == pytest.approx((0.0625, 0.1875))
    assert (found.answers, found.counted, found.orders, found.draws, found.seed) == (3, "answers", 7, 2, 5)
    none = budgets._Explained(of, Moments(np.zeros((0, 2)), np.zeros((0, 2))), 1, 0.0)
    found = budgets._as_budget(none, kind, recipe, "title", Status.FINISHED, 0, 5)
    assert found.counted == "answer"
    assert found.again == (found.twin, found.twin)
    assert all(math.isnan(one.share) for one in found.shares)
    assert all(one.mended_low == one.mended == one.mended_high for one in found.shares)


def test_the_bars_of_a_budget_are_in_per_cent_and_a_thousandth_of_the_error_is_not_drawn() -> None:
    of = (
        share("wires", 0.05, share=0.7, low=0.6, high=0.8, alone=0.1),
        share("gain", 0.09, share=0.2, low=0.1, high=0.3, alone=1.99e-4),
        share("offset", 0.09, share=0.1, low=0.0, high=0.2, alone=2.01e-4),
        NOISE,
    )
    found = made(*of, rest=0.0005, unexplained=-0.00049)
    drawn = shares_drawing(found)
    assert drawn.names == ("encoding", "read noise", "offset", "gain", "wires")
    first, second, third, _, rest = drawn.marks
    assert first.label == "to be mended first"
    assert [mark.label for mark in drawn.marks[1:]] == [""] * 4
    assert (first.x, first.low, first.high, first.y) == pytest.approx((70.0, 60.0, 80.0, 4.0))
    assert (second.y, third.y, rest.y, rest.x) == pytest.approx((3.0, 2.0, 0.0, 0.05))
    assert [level.x for level in drawn.levels] == [0.0]
    errors = errors_drawing(found)
    alone, mended = errors.marks
    np.testing.assert_allclose(alone.x, [0.1, 2.01e-4, 0.2])
    np.testing.assert_allclose(alone.y, [4.0, 2.0, 1.0])
    np.testing.assert_allclose(mended.x, [0.05, 0.09, 0.09, 0.09])
    np.testing.assert_allclose(mended.y, [4.0, 3.0, 2.0, 1.0])
    assert errors.names == ("", "read noise", "offset", "gain", "wires")
    assert (errors.levels[0].x, errors.x_scale) == (0.2, "log")
    assert len(shares_drawing(made(*of, rest=0.0, unexplained=0.0)).marks) == 4


# --- how a run is explained ---


class ReachedError(Exception):
    """What was given is taken, and the run would be repeated."""


def test_up_to_a_thousand_moments_are_drawn_16_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setattr(budgets, "_recipe_of", reached)
    assert inspect.signature(budget).parameters["draws"].default == 16
    for draws in (0, 1000):
        with pytest.raises(ReachedError):
            budget("run.h5", draws=draws, seed=0)
    for draws in (-1, 1001):
        with pytest.raises(InputError, match=f"draws is {draws}; give 0 to 1000"):
            budget("run.h5", draws=draws)


@dataclass(frozen=True)
class Asked(Question):
    """A question whose error is a number for each set of causes."""

    errors: Callable[[Causes], float] = len

    def error(self, circuits: Any, causes: Causes) -> float:
        return circuits * self.errors(causes)

    def redrawn(self, moment: int, number: int) -> Asked:
        return replace(self, errors=lambda causes: 1.0 + number)


@dataclass(frozen=True)
class Recipe:
    """A run of nothing."""

    path: str = "run.h5"
    remarks: tuple[str, ...] = ("recipe",)


@pytest.mark.parametrize(
    ("off", "silent", "remarks"),
    [
        (1.0, True, []),
        (1.00099, True, []),
        (1.00101, True, ["the twin does not repeat"]),
        (0.9989, False, ["read noise counts as", "the twin does not repeat"]),
    ],
)
def test_a_twin_that_does_not_repeat_its_run_or_has_no_quiet_one_is_remarked_on(
    off: float, silent: bool, remarks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: Any = Recipe()
    replayed = replaying.Replayed(replaying._ONE_STEP, (Asked(4.0), Asked(2.0)), 1.0, ("replay",))
    of = Decomposition(("wires",), np.ones(1), np.zeros(1), np.ones(1), np.ones(1), 3.0 * off, 0.0, 0)
    told: list[Any] = []

    def explain(answers: Any, quiet: Any, *rest: Any) -> Any:
        told.append(quiet)
        return budgets._Explained(of, Moments(np.zeros((0, 1)), np.zeros((0, 1))), 2, 3.0)

    class File:
        title, status = "title", Status.FINISHED

        def __init__(self, path: str) -> None:
            pass

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def replay(one: Any, *_: Any) -> Any:
        if one == "quiet":
            raise ConvergenceError("no answer")
        return replayed

    for name, value in {
        "_recipe_of": lambda path, trust: recipe, "_twins_of": lambda *_: [recipe], "RunFile": File,
        "_explain": explain, "_as_budget": lambda explained, kind, recipe, *rest: recipe.remarks,
    }.items():  # fmt: skip
        monkeypatch.setattr(budgets, name, value)
    monkeypatch.setattr(replaying, "replay", replay)
    monkeypatch.setattr(replaying, "without_read_noise", lambda one: recipe if silent else "quiet")
    found = budget("run.h5")
    assert found[:2] == ("recipe", "replay")  # type: ignore[index]
    assert [any(text.startswith(one) for one in remarks) for text in found[2:]] == [True] * len(remarks)  # type: ignore[index]
    assert told == [[replayed]]


def test_a_stop_while_the_quiet_twin_is_repeated_stops_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise Aborted("enough")

    monkeypatch.setattr(replaying, "replay", stop)
    monkeypatch.setattr(replaying, "without_read_noise", lambda one: one)
    with pytest.raises(Aborted):
        budgets._silent_replays([1], None, None, None)  # type: ignore[list-item, arg-type]
    monkeypatch.setattr(replaying, "without_read_noise", lambda one: None)
    assert budgets._silent_replays([1], None, None, None) == []  # type: ignore[list-item, arg-type]


def test_answers_are_explained_by_their_mean_and_without_read_noise_by_those_of_the_quiet_twin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loud = replaying.Replayed(replaying._ONE_STEP, (Asked(0.3), Asked(0.1)), 2.0)
    quiet = replace(loud, circuits=0.5)
    seen: dict[str, Any] = {}
    result = SimpleNamespace(whole=1.0)

    def decomposing(value: Any, answers: int, rng: Any, report: Any) -> Any:
        seen["own"], seen["answers"], seen["rng"] = value, answers, rng
        return result

    def moving(value: Any, redrawn: Any, of: Any, rng: Any, report: Any) -> Any:
        assert of is result
        seen["redrawn"] = redrawn
        assert rng.integers(2**62) != seen["rng"].integers(2**62)
        return "moved"

    monkeypatch.setattr(budgets, "decompose", decomposing)
    monkeypatch.setattr(budgets, "moved_values", moving)
    found = budgets._explain([loud], [quiet], 3, 1, lambda *_: None)
    assert (found.answers, found.measured, found.moved) == (2, pytest.approx(0.2), "moved")
    assert seen["answers"] == 2
    assert seen["own"](frozenset({"wires", "read noise"})) == 4.0
    assert seen["own"](frozenset({"wires"})) == 0.5
    assert len(seen["redrawn"]) == 3
    assert seen["redrawn"][0](frozenset({"read noise"})) == 3.0  # the mean of answers 0 and 1, twice


def test_cells_of_several_chips_are_joined() -> None:
    one = CellErrors(np.ones((4, 3)), 0.5)
    joined = budgets._joined([one, one], [])
    assert (joined.cells, joined.measured, joined.quiet) == (6, 0.5, None)
    quiet = CellErrors(np.zeros((4, 2)), 0.1)
    assert budgets._joined([one], [quiet, quiet]).quiet.shape == (4, 4)  # type: ignore[union-attr]


def test_a_real_chip_is_stood_for_by_four_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Real:
        source: Any
        preset: str | None = None
        chip_seed: int = 0
        after: Any = "earlier"
        remarks: tuple[str, ...] = ("before",)
        provenance: Any = None
        kind: Any = None

    simulated = SimpleNamespace(kind_of_cells="quiet")
    monkeypatch.setattr(budgets, "as_arrays", lambda source, preset: simulated)
    lab, kind = SimpleNamespace(name="lab", simulation=None), SimpleNamespace(cell_record="")
    real: Any = Real(SimpleNamespace(bench=lab), provenance={"a": "b"}, kind=kind)
    twins = budgets._twins_of(real, None, 3)
    assert len({one.chip_seed for one in twins}) == len(twins) == 4
    assert [one.chip_seed for one in budgets._twins_of(real, None, 4)] != [one.chip_seed for one in twins]
    assert {(one.preset, one.after, one.provenance["preset"]) for one in twins} == {("quiet", None, "quiet")}
    assert "on 4 chips that are drawn" in twins[0].remarks[1]


# --- sets of causes ---


@pytest.mark.parametrize(("answers", "sampled"), [(2048, False), (2049, True)])
def test_up_to_8192_answers_all_sets_are_computed(answers: int, sampled: bool) -> None:
    told: list[tuple[str, int, int]] = []

    def value(causes: Causes) -> float:
        return float("wires" in causes) + 2.0 * ("gain" in causes)

    rng = np.random.default_rng(0)
    found = decompose(value, answers, rng, lambda *one: told.append(one))
    assert bool(found.orders) is sampled
    assert (found.whole, found.rest) == (3.0, 0.0)
    count = len(CAUSES)
    assert told[: 2 * count] == [("each cause", number, 2 * count) for number in range(2 * count)]
    assert told[2 * count] == ("causes together", 1, 4)


@pytest.mark.parametrize(("moves", "active"), [(0.9e-5, False), (1.1e-5, True)])
def test_a_cause_that_moves_a_hundred_thousandth_of_the_error_has_a_share(moves: float, active: bool) -> None:
    def value(causes: Causes) -> float:
        return 1.0 + moves * ("wires" in causes)

    found = decompose(value, 1, np.random.default_rng(0), lambda *_: None)
    assert bool(found.values.any()) is active
    nothing = decompose(lambda causes: 0.0, 1, np.random.default_rng(0), lambda *_: None)
    assert not nothing.values.any()


def test_sampling_ends_at_half_a_percent_or_after_64_pairs() -> None:
    def value(causes: Causes, scale: float) -> float:
        number = sum(1 << place for place, one in enumerate(CAUSES) if one in causes)
        return 20.0 * len(causes) + scale * (number * 7919 % 97 - 48.0)

    wild, mild = (partial(value, scale=scale) for scale in (10.0, 1e-2))
    for one, least, most in ((wild, 128, 128), (mild, 4, 100)):
        found, above = (
            decompose(some, 10**9, np.random.default_rng(0), lambda *_: None)
            for some in (one, lambda causes, one=one: one(causes) + 1000.0)
        )
        assert least <= found.orders <= most
        assert above.orders == found.orders  # of what causes add
    assert found.errors.max() <= 0.005 * abs(found.whole - found.rest)
    once = sampled_values(lambda members: float(members**2), 3, np.random.default_rng(0), 0.0, 1)
    assert once.orders == 4  # two pairs at least, or there is no error
    one = sampled_values(
        lambda members: 100.0 * (members & 1) + (0.1 if members.bit_count() == 2 else 0.0), 4,
        np.random.default_rng(0), 0.01, 50,
    )  # fmt: skip
    assert one.orders < 100  # an error is a share of what all causes add, whichever of them does


def test_at_other_moments_what_is_mended_is_the_error_without_the_cause() -> None:
    def value(causes: Causes, scale: float = 1.0) -> float:
        return scale * (("wires" in causes) + 2.0 * ("gain" in causes) + 0.5)

    told: list[tuple[str, int, int]] = []
    of = decompose(value, 1, np.random.default_rng(0), lambda *_: None)
    redrawn = [lambda causes, scale=scale: value(causes, scale) for scale in (2.0, 3.0)]
    found = moved_values(value, redrawn, of, np.random.default_rng(0), lambda *one: told.append(one))
    wires, gain = of.causes.index("wires"), of.causes.index("gain")
    for row, scale in enumerate((2.0, 3.0)):
        assert found.values[row, [wires, gain]] == pytest.approx([scale, 2.0 * scale])
        assert found.mended[row, [wires, gain]] == pytest.approx([2.5 * scale, 1.5 * scale])
        others = np.delete(found.mended[row], [wires, gain])
        assert others == pytest.approx(np.full(len(CAUSES) - 2, 3.5 * scale))
    assert told == [("other moments", 0, 2), ("other moments", 1, 2)]


# --- answers again ---


@dataclass(frozen=True)
class Played:
    """An exchange by name, which notes how it was changed."""

    name: str
    place: Any = ("MULT", "a", (0,), (1,))

    def later(self, number: int) -> Played:
        return replace(self, name=f"{self.name}+{number}")

    def redrawn(self, moment: int, number: int) -> Played:
        return replace(self, name=f"{self.name} at {moment}.{number}")


class Circuits:
    """Circuits that answer nothing, or clamp, and note what they repeated."""

    def __init__(self, *answers: float) -> None:
        self.asked: list[str] = []
        self.answers = np.array([answers or (0.0,)])

    def repeat(self, exchange: Played, targets: Any, causes: Any, volts: Any = None) -> np.ndarray:
        self.asked.append(exchange.name)
        return self.answers


def test_a_block_answers_as_it_did_and_then_with_noise_of_its_own() -> None:
    circuits, other = Circuits(), ("INV", "a", (0,), (1,))
    bench = RepeatedBench(circuits, {("MULT", "a", (0,), (1,)): None, other: None}, frozenset())  # type: ignore[arg-type]
    bench.follow([Played("first"), Played("second"), Played("loop", other)])
    bench.connect_multiply("a", [0], [1])
    for _ in range(4):
        bench.multiply(np.ones((1, 1)))
    bench.connect_invert("a", [0], [1])
    bench.invert(np.ones((1, 1)))
    bench.follow([Played("third")])
    bench.invert(np.ones((1, 1)))
    bench.connect_multiply("a", [0], [1])
    bench.multiply(np.ones((1, 1)))
    assert circuits.asked == ["first", "second", "second+1", "second+2", "loop", "loop+1", "third"]
    circuits.answers = np.full((1, 1), np.nan)
    bench.connect_invert("a", [0], [1])
    with pytest.raises(Railed):
        bench.invert(np.ones((1, 1)))


def test_the_error_of_a_loop_is_that_of_its_largest_scale_that_clamps_nothing() -> None:
    question = LoopQuestion(
        0.1, Played("loop"), None, np.array([0.1, 0.05]), np.array([1.0, 2.0]), np.asarray, 2  # type: ignore[arg-type]
    )  # fmt: skip
    exact = np.array([[np.nan, 0.2, 0.1], [0.05, 0.1, 0.1]])
    assert question.error_of(exact) == 0.0
    assert question.error_of(exact + np.array([[0.0], [0.05]])) == pytest.approx(2.0 / 5.0)
    assert question.error_of(np.full((2, 3), np.nan)) == 1.0
    assert (question.effort, question.redrawn(7, 3).exchange.name) == (1, "loop at 7.3")
    assert questions.squared_error(np.array([3.0, 5.0]), np.array([3.0, 4.0])) == pytest.approx(1.0 / 25.0)


@pytest.mark.parametrize(
    ("causes", "aimed"),
    [(CELLS | {"wires"}, False), (frozenset({"wires"}), True), (CELLS, True), (frozenset(), True)],
)
def test_a_second_slice_is_as_it_was_where_the_first_and_its_wires_are(causes: Causes, aimed: bool) -> None:
    class AimedError(Exception):
        """The second slice is aimed anew."""

    class Loop:
        def second_targets(self, targets: Any, read: Any, wires: bool) -> Any:
            assert wires == ("wires" in causes)
            assert targets == {"a": "rounded" if "quantisation" in causes else "exact"}
            raise AimedError

    first: Any = SimpleNamespace(
        held=lambda *_: "held", read_as=lambda *_: "read", rounded="rounded", exact="exact"
    )
    targets = LoopTargets(Loop(), {"a": first}, {"b": first})  # type: ignore[arg-type]
    cells: Any = {"a": None, "b": SimpleNamespace(now="now")}
    if aimed:
        with pytest.raises(AimedError):
            targets.held(cells, causes)
    else:
        assert targets.held(cells, causes) == {"a": "held", "b": "now"}
    assert LoopTargets(Loop(), {"a": first}, {}).held(cells, causes) == {"a": "held"}  # type: ignore[arg-type]


def test_volts_that_stand_for_one_in_a_solution() -> None:
    cells: Any = SimpleNamespace(encoding=SimpleNamespace(unit=0.5), step=2e-6)
    volts, rhs = np.array([[0.3, 0.4, 0.0], [0.03, 0.04, 0.0]]), np.array([3.0, 4.0])
    found = questions.volts_per_unit(volts, rhs, cells, 40e-6)
    assert found == pytest.approx([-40e-6 * 0.1 * 0.5 / 2e-6, -40e-6 * 0.01 * 0.5 / 2e-6])


@pytest.mark.parametrize(
    ("answers", "most", "added"), [(2, None, 2), (100, None, 64), (100, 8, 8), (1, 8, 1)]
)
def test_the_first_64_answers_are_explained(answers: int, most: int | None, added: int) -> None:
    stream: Any = SimpleNamespace(questions=[])
    more = () if most is None else (most,)
    for _ in range(added - 1):
        Answers.add(stream, Question(0.0), answers, *more)
    with pytest.raises(AllAnswered):
        Answers.add(stream, Question(0.0), answers, *more)
    assert replaying.MOST_BLOCK_ANSWERS == 8  # each takes many loops


def test_answers_by_blocks_count_by_their_exchanges_and_have_noise_of_their_own() -> None:
    calibration = tuple(Played(f"c{number}") for number in range(9))
    blocks = replaying.Blocks(None, None, None, {}, (Played("b"),), calibration)  # type: ignore[arg-type]
    question = replaying.BlockQuestion(0.1, blocks, 2, tuple(Played(f"e{number}") for number in range(7)))
    assert question.effort == 1 + 16 // 8
    assert replace(question, exchanges=question.exchanges[:6]).effort == 1 + 15 // 8
    moved = question.redrawn(5, 1)
    assert [one.name for one in moved.exchanges[:2]] == [f"e0 at 5.{2 << 20}", f"e1 at 5.{(2 << 20) + 1}"]
    again = question.redrawn(5, 0)
    assert again.exchanges[0].name == f"e0 at 5.{1 << 20}"
    assert moved.blocks is again.blocks is not question.redrawn(6, 0).blocks
    assert [one.name for one in moved.blocks._before] == ["b at 5.0"]
    assert [one.name for one in moved.blocks._calibration[:2]] == ["c0 at 5.0", "c1 at 5.1"]


def test_a_loop_by_blocks_that_rails_answers_nothing() -> None:
    def answer(*_: object) -> np.ndarray:
        if not answers:
            raise Railed
        return answers.pop()

    plan = SimpleNamespace(system=SimpleNamespace(reference=np.array([[1.0, 3.0], [1.0, 4.0]])))
    blocks: Any = SimpleNamespace(answer=answer, plan=plan)
    answers = [np.array([3.0, 5.0])]
    question = replaying.BlockQuestion(0.1, blocks, 1, ())
    errors = [question.error(None, frozenset()) for _ in range(2)]  # type: ignore[arg-type]
    assert errors == [pytest.approx(1.0 / 25.0), 1.0]


def test_shares_of_all_sets_are_of_sixteen_causes_at_most() -> None:
    assert len(CAUSES) < shares.MOST_EXACT


def test_only_rows_of_inversions_that_an_exchange_came_before_are_matched() -> None:
    answers = InversionAnswers.__new__(InversionAnswers)
    for table, last in (("solutions", object()), ("solutions", None), ("inversions", None)):
        answers.last = last
        answers.match(table, {})  # none of its columns is asked for
