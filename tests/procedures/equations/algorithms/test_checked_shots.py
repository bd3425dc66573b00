"""Shots that disagree with their checksum come out right: corrected, repeated with fewer lines, or from the digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho.chip_maps.checksums import CheckedTile, checksum_code
from mho.procedures.equations.circuits.products import TRIES, CheckedShots, check_shots

LINES, COLUMNS = 8, 28
CODE = checksum_code(COLUMNS, 4)
DATA = np.random.default_rng(1).integers(0, 8, (LINES, COLUMNS))
DIGITS = np.concatenate([DATA, CODE.encode(DATA)], axis=1)
TILE = CheckedTile(0, DIGITS, CODE)
ALL = np.ones((1, LINES), np.int64)

Fault = Callable[[np.ndarray, np.ndarray, int], None]


class Bench:
    """A tile as programmed, whose `fault` changes the sums of each batch in place; it keeps the patterns played."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.played: list[np.ndarray] = []

    def __call__(self, patterns: np.ndarray) -> np.ndarray:
        sums = (patterns @ DIGITS).astype(float)
        self.fault(sums, patterns, len(self.played))
        self.played.append(patterns)
        return sums


def checked(fault: Fault, shots: np.ndarray = ALL) -> tuple[CheckedShots, Bench]:
    bench = Bench(fault)
    return check_shots(TILE, shots, bench), bench


def cell(line: int, column: int, error: float) -> Fault:
    """A cell that holds `error` digits too much."""

    def fault(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums[:, column] += error * patterns[:, line]

    return fault


def test_right_shots_are_played_once():
    shots = np.random.default_rng(0).integers(0, 2, (50, LINES))
    found, bench = checked(lambda *_: None, shots)
    assert_array_equal(found.integers, shots @ DATA)
    assert not found.alarmed.any()
    assert len(bench.played) == 1
    assert found.repeated == 0


@pytest.mark.parametrize("error", [0.6, -0.6, 1.2, -12.0])
def test_one_wrong_integer_is_corrected_without_another_shot(error):
    found, bench = checked(cell(3, 5, error))
    assert_array_equal(found.integers, ALL @ DATA)
    assert found.read[0, 5] != found.integers[0, 5]
    assert (found.corrected, found.repeated, len(bench.played)) == (1, 0, 1)
    assert found.alarmed.all()


def test_two_wrong_integers_are_corrected_though_check_columns_are_wrong_as_well():
    def several(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums[:, [0, 9, COLUMNS, COLUMNS + 3]] += [1.0, -3.0, 2.0, -1.0]

    found, bench = checked(several)
    assert_array_equal(found.integers, ALL @ DATA)
    assert (found.corrected, found.repeated, len(bench.played)) == (2, 0, 1)


@given(st.lists(st.integers(-12, 12), min_size=CODE.checks, max_size=CODE.checks), st.integers(0, 2**32 - 1))
def test_check_columns_wrong_by_anything_raise_no_alarm(errors, seed):
    def fault(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums[:, COLUMNS:] += errors

    shots = np.random.default_rng(seed).integers(0, 2, (20, LINES))
    found, bench = checked(fault, shots)
    assert_array_equal(found.integers, shots @ DATA)
    assert not found.alarmed.any()
    assert (found.corrected, found.repeated, len(bench.played)) == (0, 0, 1)
    seen = CODE.syndrome(np.array([0] * COLUMNS + errors), np.int64(0)) != 0
    assert found.checks_wrong == (20 if seen else 0)


def unseen() -> np.ndarray:
    """Return errors of three columns that the checksum takes for none."""
    for errors in np.ndindex(8, 8, 8):
        pattern = np.zeros(TILE.width, np.int64)
        pattern[[3, 9, 21]] = errors
        if any(errors) and CODE.syndrome(pattern, np.int64(0)) == 0:
            return pattern
    raise AssertionError("there is no such pattern; take other columns")


@pytest.mark.parametrize(("beyond", "seen"), [(0.05, False), (-0.45, True)])
def test_a_pattern_that_the_checksum_does_not_see_is_found_where_an_integer_is_in_doubt(beyond, seen):
    def fault(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        if batch == 0:
            sums += unseen()
            sums[:, 3] += beyond

    found, _ = checked(fault)
    assert (found.alarmed.all(), found.compared) == (seen, int(seen))
    assert np.array_equal(found.integers, ALL @ DATA) is seen


def test_doubt_alone_raises_no_alarm():
    found, bench = checked(cell(3, 5, 0.45))
    assert_array_equal(found.integers, ALL @ DATA)
    assert (found.alarmed.any(), found.compared, found.checks_wrong, len(bench.played)) == (False, 1, 0, 1)


def test_a_burst_is_played_again_with_half_the_lines():
    def burst(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        if batch == 0:
            sums[:, :9] += np.linspace(-3.0, 3.0, 9)

    found, bench = checked(burst)
    assert_array_equal(found.integers, ALL @ DATA)
    assert [len(patterns) for patterns in bench.played] == [1, 2]
    assert bench.played[1].sum(axis=1).tolist() == [4, 4]
    assert not found.unresolved.any()


def test_a_line_that_disagrees_alone_is_taken_from_its_digits_and_told():
    def moved(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums[:, [2, 11, 20]] += patterns[:, [6]] * [3.3, -1.2, 2.0]

    found, bench = checked(moved)
    assert_array_equal(found.integers, ALL @ DATA)
    assert found.unresolved.all()
    assert found.lasting.tolist() == [6]
    np.testing.assert_allclose(found.shift[0, [2, 11, 20, 0]], [3.3, -1.2, 2.0, 0.0], atol=1e-12)
    assert sum(int((p.sum(axis=1) == 1)[p[:, 6] == 1].sum()) for p in bench.played) == TRIES


def test_what_is_left_over_of_many_shots_is_played_once():
    def moved(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums[:, 4:7] += 3.3 * patterns[:, [0]]

    found, _ = checked(moved, np.tile(ALL, (100, 1)))
    assert_array_equal(found.integers, np.tile(ALL @ DATA, (100, 1)))
    assert found.repeated < 3 * LINES


def test_a_line_that_contributes_nothing_is_seen_and_made_up_for():
    def dead(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums -= patterns[:, [2]] * DIGITS[2]

    found, _ = checked(dead)
    assert found.alarmed.all()
    assert_array_equal(found.integers, ALL @ DATA)


@given(
    st.integers(0, LINES - 1),
    st.integers(0, COLUMNS + 3),
    st.floats(-20.0, 20.0).filter(lambda error: abs(abs(error) % 1.0 - 0.5) > 1e-6),
    st.integers(0, 2**32 - 1),
)
def test_any_one_bad_cell_leaves_all_integers_right(line, column, error, seed):
    shots = np.random.default_rng(seed).integers(0, 2, (20, LINES))
    found, bench = checked(cell(line, column, error), shots)
    assert_array_equal(found.integers, shots @ DATA)
    assert len(bench.played) <= 2 + np.log2(LINES) + TRIES
    wrong = (found.read != shots @ DATA).any(axis=1)
    assert found.alarmed[wrong].all()


@given(st.integers(0, 2**32 - 1))
def test_noise_on_all_columns_is_settled_within_few_repeats(seed):
    rng = np.random.default_rng(seed)

    def noise(sums: np.ndarray, patterns: np.ndarray, batch: int) -> None:
        sums += 0.06 * patterns.sum(axis=1, keepdims=True) ** 0.5 * rng.standard_normal(sums.shape)

    shots = rng.integers(0, 2, (30, LINES))
    found, _ = checked(noise, shots)
    assert_array_equal(found.integers, shots @ DATA)


def test_shots_played_again_after_a_calibration_keep_what_was_read_first_and_count_twice():
    first, _ = checked(cell(3, 5, 0.6))
    again, _ = checked(cell(3, COLUMNS + 1, 0.6))
    both = first.followed_by(again)
    assert_array_equal(both.integers, ALL @ DATA)
    assert_array_equal(both.read, first.read)
    assert both.alarmed.all()
    assert (both.corrected, both.checks_wrong, both.compared, both.repeated) == (1, 1, 2, 1)
