"""Products of blocks with exact integers: what the digits say, to the vector's rounding, in one play as one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.levels import Levels
from mho.chip_maps.multiply_encoding import MultiplyEncoding, encode_multiply, encode_offset, to_fixed_point
from mho.chip_maps.placement import Placement
from mho.instruments import Bench, open_bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.products import IntegerProducts
from mho.procedures.equations.circuits.tiles import ProductOnChip, TilesOnChip
from mho.procedures.equations.solve.programmed_block_matrix import AnalogueProducts
from mho.procedures.stream import NullStream

VOLTS = 0.2
SIZES = ((8, 8), (8, 8), (5, 7))


def levels() -> Levels:
    return load_chip_map("segmented").level_scale()


def placed(
    matrices: list[np.ndarray], slices: int, encode: Callable[..., MultiplyEncoding] = encode_multiply
) -> list[ProductOnChip]:
    """Return each matrix in its own segment of the chip's last array, cut into tiles of 16 columns."""
    found, bits = [], levels().bits
    for number, matrix in enumerate(matrices):
        encoding = encode(matrix, slices * bits, bits)
        tiles = []
        for start in range(0, encoding.digits.shape[1], 16):
            digits = encoding.digits[:, start : start + 16]
            rows, columns = np.arange(len(digits)) + 128 * number, np.arange(digits.shape[1]) + start
            tiles.append(Block(Placement("multiply_blocks", rows, columns), digits))
        found.append(ProductOnChip(encoding, tiles))
    return found


def programmed(bench: Bench, products: list[ProductOnChip]) -> TilesOnChip:
    chip = load_chip_map("segmented")
    names = [array.name for array in chip.arrays]
    programmer = Programmer(bench, NullStream(), levels(), names, chip.write_verify, recorded=False)
    programmer.program([tile for one in products for tile in one.tiles])
    return TilesOnChip(bench, products, levels().step, VOLTS)


@pytest.fixture
def matrices() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(size) for size in SIZES]


@pytest.mark.parametrize("encode", [encode_multiply, encode_offset], ids=["two signs", "offset"])
@pytest.mark.parametrize("preset", ["ideal", "pku"])
def test_integers_are_exact_and_products_those_of_the_digits(matrices, preset, encode):
    rng = np.random.default_rng(1)
    vectors = [rng.standard_normal(size[1]) for size in SIZES]
    with open_bench("arrays", preset=preset, seed=2) as bench:
        products = IntegerProducts(programmed(bench, placed(matrices, 3, encode)), 9)
        products.calibrate()
        found = products(range(3), vectors)
        again = products([1], [vectors[1]])[0]
    assert products.wrong == 0 < products.outputs
    assert products.shots > 3 * 9
    for matrix, vector, product in zip(matrices, vectors, found, strict=True):
        held = encode(matrix, 9).matrix
        np.testing.assert_allclose(product, held @ to_fixed_point(vector, 9).values, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(again, found[1])  # alone as among others of other shapes


def test_products_of_one_step_err_as_the_cells_do_and_integers_do_not(matrices):
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(8)
    with open_bench("arrays", preset="pku", seed=2) as bench:
        tiles = programmed(bench, placed(matrices, 4))
        one_step, exact = AnalogueProducts(tiles), IntegerProducts(tiles, 12)
        errors = []
        for products in (one_step, exact):
            products.calibrate()
            off = products([0], [vector])[0] - matrices[0] @ vector
            errors.append(np.linalg.norm(off) / np.linalg.norm(matrices[0] @ vector))
    assert errors[1] < 2.0**-9 < errors[0] < 0.2


def test_a_cell_that_lies_counts_as_wrong_only_where_it_is_not_known(matrices):
    """What a calibration sees is subtracted; what moves after it makes integers wrong, and is counted."""
    products = placed(matrices[:1], 2)
    with open_bench("arrays", preset="ideal", seed=2) as bench:
        exact = IntegerProducts(programmed(bench, products), 6)
        exact.calibrate()
        lying = products[0].tiles[0].digits
        place = products[0].tiles[0].placement
        row, column = (int(axis[0]) for axis in np.nonzero(lying >= 3))
        chip = bench.simulated.chip
        slot = chip.slots(place.array, place.rows[row : row + 1], place.columns[column : column + 1])
        chip.population._programmed[slot, 0] = 0.37e-6
        exact([0], [np.ones(8)])
        assert exact.wrong > 0
        before = exact.wrong
        exact.calibrate()
        exact([0], [np.ones(8)])
        assert exact.wrong == before
