"""The inverse of a complex matrix in two stages of blocks, all analogue: refined by exact products on the chip alone.

    x = 0, r = e;  ten times:  dx = INV(r);  x += dx;  r -= MVM(dx)

INV is the recursion over four blocks of [[Re, -Im], [Im, Re]], whose leading block serves as the complement too, and over
four of Re; MVM are the bit-sliced products of the matrix held in 24 bits. Nothing is recomputed digitally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.fixed_point import columns_to_fixed_point
from mho.chip_maps.multiply_encoding import MultiplyEncoding, encode_multiply
from mho.instruments import Bench
from mho.procedures.cells.programming.record.blocks import Block
from mho.procedures.equations.algorithms.batch_refinement import refine_columns
from mho.procedures.equations.circuits.products import SlicedProduct
from mho.procedures.equations.multiply.multiply_plan import place_product
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan, plan_block_solve
from mho.procedures.equations.solve.programmed_block_matrix import ProgrammedBlockMatrix
from mho.procedures.equations.solve.programmed_matrix import VECTOR_VOLTS
from mho.procedures.stream import NullStream

Floats = NDArray[np.float64]

LEAF = 4
CORRECTION_BITS = 12


@dataclass(frozen=True)
class AllAnalogue:
    """An inverse that was refined on the chip alone.

    Attributes
    ----------
    inverses : (cycles, n, n) array
        X after each cycle.
    held : (n, n) array
        The matrix as the digits of the products hold it.
    plan : BlockSolvePlan
    inversions, products : int
        INV of leaves and MVM of blocks.
    shots, outputs, wrong : int
        Of the exact products: input patterns, integers, and those that were wrong.
    """

    inverses: Floats
    held: Floats
    plan: BlockSolvePlan
    inversions: int
    products: int
    shots: int
    outputs: int
    wrong: int


def refine_on_chip(bench: Bench, matrix: Floats, cycles: int, bits: int, seed: int) -> AllAnalogue:
    """Invert [[Re, -Im], [Im, Re]], (n, n), a unit vector a column, in so many cycles on an open bench; then make it safe.

    `bits` are those of the matrix in the products, `seed` is of the plan.
    """
    rng, chip = np.random.default_rng([seed, 1]), parse_chip_map(bench.chip_text, bench.file.chip)
    plan = plan_block_solve(
        chip,
        matrix,
        rng,
        leaf=LEAF,
        encoding="auto",
        lines=bench.vector_size,
        input_conductance=bench.input_conductance,
        recursion="blockamc",
        schur="complex",
        effort="one-step",
    )
    encoding = encode_multiply(matrix, bits, plan.levels.bits)
    tiles = place_beside(chip, encoding, plan.blocks(), bench.vector_size)
    on_chip = ProgrammedBlockMatrix(bench, NullStream(), plan, chip.write_verify, rng)
    try:
        on_chip.program()
        on_chip.programmer.program(tiles)
        on_chip.settle(np.ones(len(matrix)))
        on_chip.calibrate()
        product = SlicedProduct(bench, encoding, tiles, plan.levels.step, VECTOR_VOLTS)
        product.calibrate()

        def invert(residuals: Floats) -> Floats:
            return np.stack([on_chip.invert(one) for one in residuals.T], axis=1)

        def multiply(corrections: Floats) -> tuple[Floats, Floats]:
            fixed = columns_to_fixed_point(corrections, CORRECTION_BITS)
            return fixed.values, product.columns(fixed.integers.T, fixed.bits, fixed.scales).T

        steps = list(islice(refine_columns(np.eye(len(matrix)), invert, multiply), cycles))
    finally:
        bench.safe()
    return AllAnalogue(
        np.stack([one.solutions for one in steps]),
        encoding.matrix,
        plan,
        **on_chip.operations,
        shots=product.shots,
        outputs=product.outputs,
        wrong=product.wrong,
    )


def place_beside(
    chip: ChipMap, encoding: MultiplyEncoding, blocks: Sequence[Block], lines: tuple[int, int]
) -> tuple[Block, ...]:
    """Place the tiles of exact products on cells of the multiplying array that no block takes."""
    first = chip.arrays_for("multiply")[0]
    places = [block.placement for block in blocks if block.placement.array == first.name]
    taken = [(int(r), int(c)) for place in places for r in place.rows for c in place.columns]
    free = first.model_copy(update={"bad_cells": (*first.bad_cells, *taken)})
    arrays = tuple(free if array is first else array for array in chip.arrays)
    return place_product(chip.model_copy(update={"arrays": arrays}), encoding, lines)
