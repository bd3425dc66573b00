"""Checksum columns: right integers agree, wrong ones do not, and cells and costs are as promised."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mho.chip_maps.checksums import (
    SHARE,
    CheckedTile,
    checked_tiles,
    checksum_code,
    data_columns,
    place_checked,
)
from mho.chip_maps.chip import ArrayMap
from mho.errors import ChipMapError

SIZES = st.sampled_from([(1, 3), (6, 3), (14, 2), (20, 3), (28, 4), (28, 3)])
SEEDS = st.integers(0, 2**32 - 1)


def shot(size: tuple[int, int], seed: int) -> tuple[CheckedTile, np.ndarray, np.ndarray]:
    """Return a tile of random digits, a pattern of active lines, and the integers that they add up to."""
    rng = np.random.default_rng(seed)
    columns, checks = size
    digits, code = rng.integers(0, 8, (12, columns)), checksum_code(columns, checks)
    tile = CheckedTile(0, np.concatenate([digits, code.encode(digits)], axis=1), code)
    active = rng.integers(0, 2, 12)
    return tile, active, active @ tile.digits


@given(SIZES, SEEDS)
def test_right_integers_agree_with_their_checksum_for_any_lines(size, seed):
    tile, active, integers = shot(size, seed)
    assert tile.code.syndrome(integers, active.sum()) == 0
    assert tile.digits.min() >= 0
    assert tile.digits.max() <= 7


@given(SIZES, SEEDS, st.integers(0, 31), st.integers(-60, 60))
def test_one_wrong_integer_is_seen(size, seed, column, error):
    tile, active, integers = shot(size, seed)
    assume(error != 0)
    integers[column % len(integers)] += error
    assert tile.code.syndrome(integers, active.sum()) != 0


@given(SIZES, SEEDS, st.data())
def test_two_wrong_integers_within_the_reach_are_seen(size, seed, data):
    tile, active, integers = shot(size, seed)
    small = st.integers(1, tile.code.reach).flatmap(lambda e: st.sampled_from([e, -e]))
    both = data.draw(st.permutations(range(len(integers))))[:2]
    for column in both:
        integers[column] += data.draw(small)
    assert tile.code.syndrome(integers, active.sum()) != 0


@given(SIZES, SEEDS, st.integers(1, 7))
def test_lines_that_contribute_nothing_are_seen(size, seed, missing):
    tile, active, _ = shot(size, seed)
    assume(active.sum() >= missing)
    left = active.copy()
    left[np.flatnonzero(active)[:missing]] = 0
    assert tile.code.syndrome(left @ tile.digits, active.sum()) != 0


@pytest.mark.parametrize(("columns", "checks"), daily([(28, 4), (20, 3), (14, 2)], 1))
@pytest.mark.parametrize("wrong", [4, 12])
def test_of_many_wrong_integers_no_more_go_unseen_than_the_modulus_says(columns, checks, wrong):
    code, shots = checksum_code(columns, checks), 200_000
    rng = np.random.default_rng(5)
    errors = np.zeros((shots, columns + checks), np.int64)
    errors[:, :wrong] = rng.choice([-2, -1, 1, 2], (shots, wrong))
    errors = rng.permuted(errors, axis=1)
    unseen = np.count_nonzero(code.syndrome(errors, np.zeros(shots, np.int64)) == 0)
    expected = shots / code.modulus
    assert abs(unseen - expected) < 5.0 * expected**0.5


def test_moduli_are_the_largest_primes_that_the_check_cells_hold():
    assert [checksum_code(5, checks).modulus for checks in (2, 3, 4)] == [61, 509, 4093]
    assert checksum_code(5, 3, digit_bits=2).modulus == 61


@given(st.integers(1, 300), st.sampled_from([8, 16, 32]))
def test_tiles_hold_every_column_in_order_beside_its_checksum(columns, width):
    digits = np.random.default_rng(columns).integers(0, 8, (5, columns))
    tiles = checked_tiles(digits, width)
    assert_array_equal(np.concatenate([t.digits[:, : t.code.columns] for t in tiles], axis=1), digits)
    assert_array_equal([t.first for t in tiles], np.cumsum([0] + [t.code.columns for t in tiles])[:-1])
    for tile in tiles:
        assert tile.width == tile.code.columns + tile.code.checks <= width
        assert_array_equal(
            tile.digits[:, tile.code.columns :],
            tile.code.encode(digits[:, tile.first :][:, : tile.code.columns]),
        )
        own = tile.sums.difference(tile.digits[:, : tile.code.columns], np.eye(5, dtype=np.int64))
        assert not own.any()


@pytest.mark.parametrize("columns", [20, 64, 128, 254, 509])
def test_checks_cost_no_more_than_their_share_of_the_columns(columns):
    tiles = checked_tiles(np.ones((3, columns), np.int64), 32)
    assert sum(tile.code.checks for tile in tiles) <= SHARE * columns


def test_a_width_holds_as_many_data_columns_as_leave_room_for_their_checks():
    assert [data_columns(width) for width in (4, 16, 32)] == [1, 13, 28]


@pytest.mark.parametrize("digit_bits", [1, 2, 4])
def test_cells_of_other_bits_hold_checksums_of_as_many_bits(digit_bits):
    digits = np.random.default_rng(0).integers(0, 2**digit_bits, (6, 70))
    for tile in checked_tiles(digits, 32, digit_bits):
        assert 500 < tile.code.modulus < 5000
        assert tile.digits.max() < 2**digit_bits
        assert (tile.code.syndrome(tile.digits, np.ones(6, np.int64)) == 0).all()


def test_checked_tiles_share_no_cell():
    array = ArrayMap(name="m", purpose="multiply", rows=40, columns=70, wire_resistance=1.0)
    tiles = checked_tiles(np.ones((9, 57), np.int64), 32)
    places = place_checked(array, tiles)
    assert [place.shape for place in places] == [tile.digits.shape for tile in tiles]
    cells = [cell for p in places for cell in zip(*(i.ravel().tolist() for i in p.cells()), strict=True)]
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: checksum_code(28, 1), "28 columns cannot be told apart modulo 7; use more than 1"),
        (lambda: checksum_code(0, 4), "at least one of each is needed"),
        (lambda: checksum_code(5, 7), "at most 20 bits"),
        (lambda: checksum_code(5, 3).encode(np.ones((2, 4), np.int64)), "of 5 columns, the digits have 4"),
        (lambda: checked_tiles(np.ones((2, 0), np.int64), 32), "there is no column to check"),
        (lambda: data_columns(3), "3 columns measured at once leave no room"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ChipMapError, match=message):
        make()
