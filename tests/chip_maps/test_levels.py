"""Digits become conductances and drawn cells look like verified ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mho.chip_maps.chip import load_chip_map, packaged_chip_maps, parse_chip_map, read_chip_text
from mho.chip_maps.levels import Levels, in_windows, nearest_levels
from mho.errors import ChipMapError

LEVELS = load_chip_map("reference").level_scale()


def test_the_reference_levels_are_the_published_ones():
    assert_allclose(LEVELS.conductance([1, 4, 7]), [5e-6, 20e-6, 35e-6])
    assert 0.22e-6 <= LEVELS.conductance(0) <= 0.52e-6
    assert LEVELS.step == pytest.approx(5e-6)
    assert (LEVELS.top, LEVELS.bits) == (7, 3)


@pytest.mark.parametrize("digits", [[8], [-1], [0, 9]])
def test_a_digit_outside_the_range_is_refused(digits):
    with pytest.raises(ChipMapError, match=r"digit -?\d is outside 0\.\.7"):
        LEVELS.conductance(digits)


@pytest.mark.parametrize("digits", [[-3, 5], [5, -3, 9]])
def test_the_first_refused_digit_is_named(digits):
    with pytest.raises(ChipMapError, match="digit -3 is outside"):
        LEVELS.conductance(digits)


@pytest.mark.parametrize("conductances", [[1e-6, 3e-6, 2e-6], [1e-6, 1e-6, 2e-6]])
def test_levels_must_ascend(conductances):
    with pytest.raises(ChipMapError, match="must ascend"):
        Levels.from_values(
            conductances, tolerance=0.1e-6, spread=0.1e-6, zero_range=(0.0, 1e-6), zero_limit=1e-6
        )


def test_windows_hold_their_level_and_no_neighbour():
    digits = np.arange(8)
    assert LEVELS.inside(LEVELS.nominal, digits).all()
    assert not LEVELS.inside(LEVELS.nominal[1:], digits[:-1]).any()
    assert not LEVELS.inside(LEVELS.nominal[:-1], digits[1:]).any()
    assert LEVELS.inside(-1e-8, 0)  # a meter may read a little below zero
    assert not LEVELS.inside(np.nan, 3)


def test_drawn_cells_lie_in_their_windows_with_the_spread_of_verified_ones():
    digits = np.arange(8)
    drawn = LEVELS.draw(digits, 4000, np.random.default_rng(0))
    assert drawn.shape == (4000, 8)
    assert LEVELS.inside(drawn, np.broadcast_to(digits, drawn.shape)).all()
    assert_allclose(drawn[:, 1:].mean(axis=0), LEVELS.nominal[1:], atol=0.05e-6)
    # The cut at 1.2 uS takes a little off the spread of 0.65 uS.
    assert np.all((drawn[:, 1:].std(axis=0) > 0.55e-6) & (drawn[:, 1:].std(axis=0) < 0.65e-6))
    assert drawn[:, 0].min() >= 0.22e-6
    assert drawn[:, 0].max() <= 0.52e-6


def test_refined_targets_lie_between_the_digits_with_windows_as_wide():
    fine = LEVELS.refined(20)
    assert (fine.top, fine.step) == (140, pytest.approx(0.25e-6))
    assert_allclose(fine.nominal[20::20], LEVELS.nominal[1:])
    assert_allclose(fine.high[20::20], LEVELS.high[1:])
    assert_allclose(fine.low[20::20], LEVELS.low[1:])
    assert np.all(fine.low[fine.nominal < 0.6e-6] == -np.inf)  # met by a cell that does not conduct
    assert fine.inside(fine.nominal, np.arange(141)).all()


def test_a_target_below_half_a_half_width_is_met_by_a_cell_that_does_not_conduct():
    fine = LEVELS.refined(20)
    half = float(LEVELS.high[-1] - LEVELS.nominal[-1])
    untouched = fine.low == -np.inf
    assert_allclose(fine.nominal[untouched].max(), 0.25e-6 * np.floor(0.5 * half / 0.25e-6))
    assert_allclose((fine.high - fine.nominal)[1:], half)
    assert_allclose((fine.nominal - fine.low)[40:], half)
    assert fine.inside(0.0, 2)
    assert not fine.inside(0.0, 20)
    assert fine.high[0] == LEVELS.high[0]


def test_windows_of_refined_targets_by_hand():
    levels = Levels.from_values(
        [0.0, 1.0, 2.0, 3.0], tolerance=1.0, spread=0.5, zero_range=(0.0, 0.25), zero_limit=0.75
    )
    fine = levels.refined(2)
    assert_allclose(fine.nominal, np.arange(0.0, 3.1, 0.5))
    assert_allclose(fine.low, [-np.inf, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0])
    assert_allclose(fine.high, [0.75, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    assert (fine.step, fine.spread, fine.zero_range) == (0.5, 0.5, (0.0, 0.25))
    assert levels.refined().top == 60  # 20 parts of each of three digits
    assert levels.refined(1).top == 3


def test_the_ends_of_a_window_belong_to_it():
    assert LEVELS.inside(LEVELS.low[1:], np.arange(1, 8)).all()
    assert LEVELS.inside(LEVELS.high, np.arange(8)).all()


def test_refined_targets_are_drawn_without_negative_conductances():
    fine = LEVELS.refined()
    drawn = fine.draw(np.arange(len(fine.nominal)), 500, np.random.default_rng(1))
    assert drawn.min() >= 0.0
    assert_allclose(drawn[:, 40:].mean(axis=0), fine.nominal[40:], atol=0.12e-6)


def test_a_second_slice_narrows_all_that_is_expected_of_a_cell():
    seen = LEVELS.compensated(4.0)
    assert seen.spread == pytest.approx(LEVELS.spread / 4.0)
    assert_allclose(seen.zero_range, np.array(LEVELS.zero_range) / 4.0)
    assert_allclose((seen.high - seen.nominal)[1:], (LEVELS.high - LEVELS.nominal)[1:] / 4.0)
    with pytest.raises(ChipMapError, match="a second slice of ratio 1; give one above 1"):
        LEVELS.compensated(1.0)


def test_a_digit_has_at_least_one_part():
    with pytest.raises(ChipMapError, match="cannot be divided into 0 parts; give at least 1"):
        LEVELS.refined(0)


def test_what_a_second_slice_leaves_is_a_share_of_the_errors():
    """Drawn cells are nearly as far from their targets as pairs of slices are, whose idle cell adds a little."""
    ratio, digits, rng = 16.0, np.arange(8), np.random.default_rng(2)
    fine = LEVELS.refined(160)
    seen = fine.compensated(ratio).draw(160 * digits, 4000, rng) - fine.nominal[160 * digits]
    first = fine.draw(160 * digits, 4000, rng)
    rest = np.rint((fine.nominal[160 * digits] - first) * ratio / fine.step).astype(np.int64)
    second = fine.draw(np.maximum(rest, 0), 1, rng)[0] - fine.draw(np.maximum(-rest, 0), 1, rng)[0]
    error = first + second / ratio - fine.nominal[160 * digits]
    assert_allclose(error[:, 1:].std(), seen[:, 1:].std(), rtol=0.2)
    assert seen[:, 1:].std() < 1.1 * LEVELS.spread / ratio
    assert (fine.compensated(ratio).step, fine.compensated(ratio).top) == (fine.step, fine.top)


def test_a_second_slice_is_smaller_than_the_first():
    with pytest.raises(ChipMapError, match="a second slice of ratio 1; give one above 1"):
        LEVELS.compensated(1.0)


def chip_levels(zero: str):
    text = read_chip_text("reference").replace("zero_limit = 0.6e-6", f'zero_limit = 0.6e-6\nzero = "{zero}"')
    return parse_chip_map(text).level_scale()


def test_digit_0_is_what_the_chip_map_says():
    either, reset, virgin = map(chip_levels, ("either", "reset", "virgin"))
    reads = np.array([-1e-9, 1e-9, 0.37e-6, 0.7e-6])
    digits = np.zeros(4, np.int64)
    assert either.inside(reads, digits).tolist() == [True, True, True, False]
    assert reset.inside(reads, digits).tolist() == [False, False, True, False]
    assert virgin.inside(reads, digits).tolist() == [True, True, True, False]
    assert virgin.nominal[0] == 0.0
    assert reset.refined().low[0] == reset.low[0] > 0.0
    rng = np.random.default_rng(1)
    assert not virgin.draw(digits, 5, rng).any()
    assert reset.draw(digits, 5, rng).min() >= 0.22e-6


def test_the_packaged_maps_leave_a_virgin_cell_as_a_zero_but_for_the_published_chip():
    for name in packaged_chip_maps():
        levels = load_chip_map(name).level_scale()
        assert levels.low[0] == (0.1e-6 if name == "zuo2025" else -np.inf)
        if not name.startswith("stanford"):
            assert levels.zero_range == (0.22e-6, 0.52e-6)


def test_a_reset_zero_that_cannot_be_told_from_a_virgin_cell_is_refused():
    text = read_chip_text("reference").replace("zero_limit = 0.6e-6", 'zero_limit = 0.1e-6\nzero = "reset"')
    with pytest.raises(ChipMapError, match="reads between `formed_above`"):
        parse_chip_map(text)


def test_a_reading_counts_for_the_nearest_level_up_to_the_middle_and_of_no_unformed_cell():
    levels = Levels.from_values(
        [0.0, 1.0, 3.0], tolerance=0.25, spread=0.1, zero_range=(0.0, 0.1), zero_limit=0.25
    )
    reads = np.array([-1.0, 0.4, 0.6, 1.9, 2.1, 9.0, 9.0])
    digits = nearest_levels(reads, levels, np.arange(7) < 6)
    assert digits.tolist() == [0, 0, 1, 1, 2, 2, -1]
    inside = in_windows(np.array([[0.2], [0.8], [3.25], [1.0]]), np.array([0, 1, 2, -1]), levels)
    assert inside.tolist() == [
        [True, False, False, False],
        [False, True, False, False],
        [False, False, True, False],
        [False, True, False, False],
    ]
