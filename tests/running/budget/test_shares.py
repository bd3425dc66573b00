"""Which sets of causes are computed, and what follows from them; parts of the cells' errors."""

from __future__ import annotations

import numpy as np
import pytest

from mho.instruments.arrays import CAUSES, Causes
from mho.running.budget import shares
from mho.running.budget.conductances import PARTS, CellErrors, LastReads
from mho.running.budget.shares import StageProgress, decompose, moved_values, shapley_values

NAMES = tuple(CAUSES)


def silent(stage: str, done: int, total: int) -> None:
    """Hear nothing."""


class Additive:
    """The mean square of a sum of parts, one a cause, on a base; counts the sets that it is asked for."""

    def __init__(self, sizes: dict[str, float], base: float = 0.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.parts = {name: size * rng.normal(size=50) for name, size in sizes.items()}
        self.base, self.asked = base, 0

    def __call__(self, causes: Causes) -> float:
        self.asked += 1
        total = np.full(50, self.base)
        for name in causes:
            if name in self.parts:
                total = total + self.parts[name]
        return float(np.mean(total**2))


def decomposed(value: Additive, answers: int = 1, report: StageProgress = silent) -> shares.Decomposition:
    return decompose(value, answers, np.random.default_rng(0), report)


def test_the_values_and_the_rest_add_up_to_the_whole() -> None:
    found = decomposed(Additive({"wires": 1.0, "programming": 2.0, "gain": 0.1}, base=0.5))
    assert found.values.sum() + found.rest == pytest.approx(found.whole, rel=1e-12)
    assert found.rest == pytest.approx(0.25)
    assert found.orders == 0
    assert not found.errors.any()


def test_causes_that_do_nothing_have_no_share_and_cost_nothing() -> None:
    value = Additive({"wires": 1.0, "programming": 2.0})
    found = decomposed(value)
    idle = [name not in ("wires", "programming") for name in found.causes]
    assert not found.values[idle].any()
    assert value.asked == 2 + 2 * len(NAMES) + 4  # all, none, each alone and mended, and the sets of two


def test_alone_and_mended_are_what_they_say() -> None:
    value = Additive({"wires": 1.0, "programming": 2.0})
    found = decomposed(value)
    at = found.causes.index("wires")
    assert found.alone[at] == value(frozenset({"wires"}))
    assert found.mended[at] == value(frozenset({"programming"}))


def test_many_answers_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    value = Additive(dict.fromkeys(NAMES, 1.0))
    exact = decomposed(value)
    monkeypatch.setattr(shares, "MOST_ANSWERS", 100)
    sampled = decomposed(value)
    assert sampled.orders > 0
    np.testing.assert_allclose(sampled.values, exact.values, atol=1e-9)  # causes act by twos here


def test_it_is_told_how_far_it_is() -> None:
    report: list[tuple[str, int, int]] = []
    decomposed(Additive({"wires": 1.0, "gain": 1.0}), report=lambda *one: report.append(one))
    assert report[-1] == ("causes together", 4, 4)


def test_what_moves_between_moments_is_what_their_values_differ_by() -> None:
    sizes = {"wires": 1.0, "programming": 2.0, "read noise": 0.7}
    own, other = Additive(sizes, seed=0), Additive(sizes, seed=1)
    found = decomposed(own)
    moved = moved_values(own, [own, other], found, np.random.default_rng(0), silent)
    np.testing.assert_allclose(moved.values[0], found.values, atol=1e-12)
    np.testing.assert_allclose(moved.values[1], decomposed(other).values, atol=1e-12)  # exact by twos


def test_no_moments_are_no_rows() -> None:
    found = decomposed(Additive({"wires": 1.0}))
    assert moved_values(Additive({}), [], found, np.random.default_rng(0), silent).values.shape == (
        0,
        len(NAMES),
    )


def test_the_parts_of_cells_have_their_shares_in_closed_form() -> None:
    parts = np.random.default_rng(0).normal(size=(4, 400)) * np.array([[3.0], [0.5], [1.0], [0.2]])
    found = CellErrors(parts, 1.0).decomposed()
    sets = [np.mean(parts[[i for i in range(4) if s >> i & 1]].sum(axis=0) ** 2) for s in range(16)]
    np.testing.assert_allclose(found.values, shapley_values(sets), rtol=1e-12)
    assert found.values.sum() == pytest.approx(found.whole)


def test_cells_drawn_anew_have_shares_about_those_of_all() -> None:
    parts = np.random.default_rng(0).normal(size=(4, 400)) * np.array([[3.0], [0.5], [1.0], [0.2]])
    errors = CellErrors(parts, 1.0)
    moments = errors.redrawn(200, np.random.default_rng(1))
    drawn, own = moments.values, errors.decomposed().values
    np.testing.assert_allclose(moments.mended.mean(axis=0), errors.decomposed().mended, rtol=0.2)
    assert np.all(np.abs(drawn.mean(axis=0) - own) < 0.2 * own[0])
    assert np.all(drawn.sum(axis=1) == pytest.approx(own.sum()))


def test_cells_drawn_anew_have_the_whole_error_where_one_part_is_all_of_it() -> None:
    parts = np.zeros((4, 400))
    parts[PARTS.index("programming")] = np.random.default_rng(0).normal(size=400)
    errors = CellErrors(parts, 1.0)
    drawn = errors.redrawn(5, np.random.default_rng(1)).values
    np.testing.assert_allclose(drawn.sum(axis=1), errors.decomposed().whole, rtol=1e-12)


def test_without_read_noise_cells_are_those_that_were_programmed_without_it() -> None:
    """Noise of 1 misled write-verify by 2: mending it mends both, mending what was programmed leaves the noise."""
    parts = np.array([[2.0, -2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = CellErrors(parts, 5.0, np.array([[0.5, 0.5], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])).decomposed()
    noise, programming = PARTS.index("read noise"), PARTS.index("programming")
    assert found.whole == 5.0
    assert found.mended[noise] == found.alone[programming] == 0.25
    assert found.mended[programming] == found.alone[noise] == 1.0
    np.testing.assert_allclose(found.values[[noise, programming]], [2.875, 2.125])


def test_of_several_reads_the_last_one_counts() -> None:
    reads = LastReads({"first": (4, 4), "second": (2, 3)})
    rows = {
        "array": np.array([1, 1, 1, 0]),
        "row": np.array([0, 0, 1, 0]),
        "column": np.array([2, 2, 0, 0]),
        "time": np.array([2.0, 1.0, 3.0, 1.0]),  # of two of a cell the later one is written first
        "conductance": np.array([5.0, 4.0, np.nan, 1.0]),
    }
    reads.take(rows)
    times, read = reads.of("second", np.array([1, 0]), np.array([0, 2]))
    np.testing.assert_array_equal(times, [[np.nan, np.nan], [np.nan, 2.0]])
    np.testing.assert_array_equal(read, [[np.nan, np.nan], [np.nan, 5.0]])
    reads.take({"array": 1, "row": 0, "column": 2, "time": 9.0, "conductance": 6.0})
    assert reads.of("second", np.array([0]), np.array([2]))[1][0, 0] == 6.0


def test_an_array_without_reads_has_none() -> None:
    times, read = LastReads({"first": (4, 4)}).of("first", np.arange(2), np.arange(3))
    assert times.shape == read.shape == (2, 3)
    assert np.isnan(times).all()
    assert np.isnan(read).all()
