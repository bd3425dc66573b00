"""Products on bad chips: checksums find what is wrong, and what is used is right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mho.chip_maps.checksums import checked_tiles, place_checked
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.multiply_encoding import encode_multiply, to_fixed_point
from mho.chip_maps.placement import place_tiles
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench, open_bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.products import EACH, SlicedProduct
from mho.procedures.stream import NullStream

VOLTS = 0.2


def bad_chip(
    checked: bool, preset: str = "relaxing", stuck: float | None = 0.02
) -> tuple[Bench, SlicedProduct, np.ndarray]:
    """Return a bench, the programmed product of a matrix on it, with check columns or without, and the matrix."""
    matrix = np.random.default_rng(4).standard_normal((8, 8))
    bench = open_bench("arrays", preset=preset, seed=7, stuck=stuck)
    encoding, chip = encode_multiply(matrix, 24), parse_chip_map(bench.chip_text)
    tiles = checked_tiles(encoding.digits, 32) if checked else ()
    digits = [t.digits for t in tiles] or np.split(
        encoding.digits, range(32, encoding.digits.shape[1], 32), 1
    )
    array = chip.arrays_for("multiply")[0]
    places = place_checked(array, tiles) if tiles else place_tiles(array, 8, encoding.digits.shape[1], 32)
    blocks = [Block(*one) for one in zip(places, digits, strict=True)]
    levels = chip.level_scale()
    arrays = [array.name for array in chip.arrays]
    Programmer(bench, NullStream(), levels, arrays, WriteVerifySettings()).program(blocks)
    product = SlicedProduct(bench, encoding, blocks, levels.step, VOLTS, checked=tiles)
    product.calibrate()
    return bench, product, encoding.matrix


def multiply_often(product: SlicedProduct, matrix: np.ndarray, times: int = 5) -> None:
    rng = np.random.default_rng(8)
    for _ in range(times):
        vector = to_fixed_point(rng.standard_normal(len(matrix)), 12)
        assert_allclose(product(vector), matrix @ vector.values, rtol=1e-12, atol=1e-14)


@pytest.mark.thorough
def test_products_on_a_bad_chip_are_right_with_check_columns_and_wrong_without():
    bench, product, matrix = bad_chip(checked=True)
    with bench:
        multiply_often(product, matrix, 10)
    assert product.wrong == 0
    assert product.wrong_read > 20
    assert product.wrong_found == product.wrong_read
    assert product.found > 0
    assert product.corrected + product.unresolved > 0
    assert 0 < product.repeated < 0.3 * product.checked_shots
    bench, plain, matrix = bad_chip(checked=False)
    with bench, pytest.raises(AssertionError):
        multiply_often(plain, matrix)
    assert plain.wrong > 0
    assert plain.checked_shots == plain.found == 0


def test_a_quiet_chip_raises_no_alarm():
    bench, product, matrix = bad_chip(checked=True, preset="pku", stuck=None)
    with bench:
        multiply_often(product, matrix)
    assert product.wrong == product.found == product.repeated == product.false_alarms == 0
    assert product.checked_shots == len(product._tiles) * product.shots


def test_known_errors_are_subtracted_so_that_stuck_cells_cost_no_lines():
    bench, product, matrix = bad_chip(checked=True, preset="pku", stuck=0.05)
    with bench:
        multiply_often(product, matrix)
    errors = np.concatenate([tile.trim.errors for tile in product._tiles], axis=1)
    assert np.abs(errors).max() > 2.0
    assert product.wrong_read == 0
    assert max(map(len, product.groups)) > 1
    assert 0.0 < product.subtracted_share < 0.3


def test_a_tile_whose_cells_have_relaxed_is_calibrated_again():
    bench, product, matrix = bad_chip(checked=True, stuck=None)
    with bench:
        multiply_often(product, matrix, 1)
        calibrated = product.recalibrated
        before = product.found / product.checked_shots
        bench.rest()
        bench.wait_until(bench.now() + 1e6)
        multiply_often(product, matrix, 1)
        assert product.recalibrated >= calibrated + len(product._tiles) // 2
        found, shots = product.found, product.checked_shots
        multiply_often(product, matrix, 8)
    assert product.wrong == 0
    assert (product.found - found) / (product.checked_shots - shots) < 3.0 * before


def fail(bench: Bench, product: SlicedProduct, cells: int) -> None:
    """Let `cells` cells of one line of a tile be stuck on."""
    block = product._tiles[2].block
    place, line = block.placement, int((block.digits == 3).sum(axis=1).argmax())
    for column in np.flatnonzero(block.digits[line] < 5)[:cells]:
        index = bench.arrays.chip.one(place.array, int(place.rows[line]), int(place.columns[column]))
        bench.arrays.chip.population.fix(index, 60e-6)


def test_two_cells_that_fail_after_the_calibration_are_corrected_without_another_shot():
    bench, product, matrix = bad_chip(checked=True, preset="pku", stuck=None)
    with bench:
        fail(bench, product, 2)
        multiply_often(product, matrix)
    assert product.found > 0
    assert product.corrected == product.wrong_read > product.found
    assert product.repeated == product.unresolved == product.wrong == 0


def test_cells_that_fail_after_the_calibration_are_learned_from_their_own_shots(monkeypatch):
    monkeypatch.setattr(
        "mho.procedures.equations.circuits.products.DRIFTED", 1.0
    )  # no tile is calibrated again
    bench, product, matrix = bad_chip(checked=True, preset="pku", stuck=None)
    with bench:
        fail(bench, product, 4)
        multiply_often(product, matrix, 1)
        assert product.found > 0
        assert product.unresolved > 0
        found, unresolved = product.found, product.unresolved
        multiply_often(product, matrix, 4)
    assert (product.found, product.unresolved) == (found, unresolved)
    assert product.recalibrated == product.wrong == 0


def test_check_columns_that_fail_raise_no_alarm_and_cost_no_shot():
    bench, product, matrix = bad_chip(checked=True, preset="pku", stuck=None)
    with bench:
        for tile, checked in zip(product._tiles, product._checked, strict=True):
            place = tile.block.placement
            for column in place.columns[checked.code.columns :]:
                index = bench.arrays.chip.one(place.array, int(place.rows[3]), int(column))
                bench.arrays.chip.population.fix(index, 60e-6)
        multiply_often(product, matrix)
    assert product.checks_wrong > 0.05 * product.checked_shots
    assert product.found == product.repeated == product.recalibrated == product.false_alarms == 0


def test_check_columns_do_not_hold_up_the_lines():
    bench, product, _ = bad_chip(checked=True)
    bench.close()
    groups = product.groups
    for tile, checked in zip(product._tiles, product._checked, strict=True):
        tile.trim.errors[:, checked.code.columns :] = 0.09
    product._use_trims()
    assert [group.tolist() for group in product.groups] == [group.tolist() for group in groups]


def test_restless_cells_do_not_hold_up_the_lines_of_checked_tiles(monkeypatch):
    bench, product, _ = bad_chip(checked=True, preset="quiet", stuck=None)
    bench.close()
    monkeypatch.setattr("mho.procedures.equations.circuits.products.RESTLESS", np.inf)
    bench, held_up, _ = bad_chip(checked=True, preset="quiet", stuck=None)
    bench.close()
    assert len(product.groups) < len(held_up.groups)


def test_repeating_costs_no_more_than_twice_a_calibration(monkeypatch):
    monkeypatch.setattr(
        "mho.procedures.equations.circuits.products.DRIFTED", 1.0
    )  # so that the count alone decides
    monkeypatch.setattr(
        "mho.procedures.equations.circuits.products.MOVED", np.inf
    )  # and nothing is learned on the way
    bench, product, _ = bad_chip(checked=True, stuck=None)
    with bench:
        bench.rest()
        bench.wait_until(bench.now() + 1e6)
        vector = to_fixed_point(np.random.default_rng(8).standard_normal(8), 12)
        for _ in range(12):
            product(vector)
            assert product._spent.max() <= EACH * product._tiles[0].calibration_shots
    assert product.recalibrated > 0
