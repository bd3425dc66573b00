"""HP-INV as it was published: one digit an entry in the inverting loop, plain steps, a residual from exact products alone.

    x = 0, r = b;  repeat:  dx = INV(r);  x += dx;  r -= MVM(dx)

Zuo et al., Nature Electronics 8, 1222 (2025), Methods. Nothing is chosen here, unlike in `Solve`: no other order of the
rows, no other scale, no line search, no residual in float64. The loop holds the rounded leading digits, the products hold
the matrix in slices of three bits.

A complex matrix is inverted in two stages of blocks, all analogue: INV is the recursion over four blocks of
[[Re, -Im], [Im, Re]], whose leading block serves as the complement too, and over four of Re.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mho.array_types import Floats
from mho.chip_maps import (
    ChipMap,
    InverseEncoding,
    MultiplyEncoding,
    columns_to_fixed_point,
    encode_multiply,
    parse_chip_map,
)
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures import Block, BlockSolvePlan, NullStream, ProgrammedBlockMatrix, Programmer
from mho.procedures.equations import (
    INVERT_VOLTS,
    VECTOR_VOLTS,
    AnalogueInverse,
    BatchMethod,
    LoopSetup,
    SlicedProduct,
    place_product,
    plan_block_solve,
    refine_columns,
)

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
    setup = LoopSetup.of(bench, chip)
    plan = plan_block_solve(
        setup, matrix, rng, LEAF, recursion="blockamc", schur="complex", effort="one-step"
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

        def invert(residuals: Floats) -> Floats:
            return np.stack([on_chip.invert(one) for one in residuals.T], axis=1)

        solutions = _refined(product, invert, np.eye(len(matrix)), cycles)
    finally:
        bench.safe()
    return AllAnalogue(
        solutions, encoding.matrix, plan, **on_chip.operations,
        shots=product.shots, outputs=product.outputs, wrong=product.wrong,
    )  # fmt: skip


def _refined(
    product: SlicedProduct, invert: Callable[[Floats], Floats], rhs: Floats, cycles: int,
    method: BatchMethod = "plain", bits: int = CORRECTION_BITS,
) -> Floats:  # fmt: skip
    """Calibrate a product, and return the solutions (cycles, n, k) after each cycle."""
    product.calibrate()

    def multiply(corrections: Floats) -> tuple[Floats, Floats]:
        fixed = columns_to_fixed_point(corrections, bits)
        return fixed.values, product.columns(fixed.integers.T, fixed.bits, fixed.scales).T

    return np.stack([one.solutions for one in islice(refine_columns(rhs, invert, multiply, method), cycles)])


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


@dataclass(frozen=True)
class Refined:
    """Right-hand sides refined on one chip.

    Attributes
    ----------
    solutions : (cycles, n, k) array
        x after each cycle.
    outputs, wrong, shots : int
        Integers of the products, those that were wrong, and input patterns.
    slices : int
        Of the matrix in the products: each shot is so many one-step products.
    cells, failed, pulses : int
        Of programming: cells, those outside their windows, and pulses.
    """

    solutions: Floats
    outputs: int
    wrong: int
    shots: int
    slices: int
    cells: int
    failed: int
    pulses: int


def rounded_loop(matrix: Floats, bits: int = 3) -> InverseEncoding:
    """Return the published encoding of a matrix (n, n) without negative entries: A0, rounded, in units of 2^-bits.

    Raises `InputError` for an entry below 0, or one that rounds to 1 or more.
    """
    digits = np.rint(np.asarray(matrix) * 2.0**bits).astype(np.int64)
    if digits.min() < 0 or digits.max() >= 2**bits:
        raise InputError(
            f"an entry of the matrix rounds to {digits.min()} or {digits.max()} of 2^-{bits}; a loop of one array holds "
            f"0 to {2**bits - 1}: scale the matrix to below 1"
        )
    return InverseEncoding("differential", len(digits), digits, None, 2.0**-bits, 0.0)


def biased_loop(bench: Bench, matrix: Floats, rng: np.random.Generator) -> InverseEncoding:
    """Return the encoding of a signed matrix (n, n) with a bias column and n I in resistors, A = Ap + n I - m j j^T.

    The published m and n are those of a matrix that is not printed; here those with the smallest forecast rho are taken.

    Raises
    ------
    ChipMapError
        Where the chip has no room for it.
    ConvergenceError
        Where no such loop is stable.
    """
    setup = LoopSetup.of(bench, parse_chip_map(bench.chip_text, bench.file.chip), "bias")
    return setup.rank(matrix, setup.fitting_kinds(matrix), rng)[0].encoding


def truncated(matrix: Floats, bits: int) -> Floats:
    """Return a matrix with magnitudes below 1 cut off after so many bits: what its slices hold, its signs apart."""
    return np.asarray(np.trunc(np.asarray(matrix) * 2.0**bits) * 2.0**-bits)


def refine_as_published(
    bench: Bench, matrix: Floats, rhs: Floats, cycles: int, bits: int, *,
    loop: InverseEncoding | None = None, method: BatchMethod = "plain",
    correction_bits: int = CORRECTION_BITS, full_scale: float = INVERT_VOLTS,
) -> Refined:  # fmt: skip
    """Program loop and products of a matrix on an open bench, and refine right-hand sides together; then make it safe.

    Parameters
    ----------
    matrix : (n, n) array
        Entries below 1 in magnitude; those of `rounded_loop` not below 0.
    rhs : (n, k) array
    cycles, bits : int
        `bits` are those of the matrix in the products.
    loop, method, correction_bits, full_scale
        What else may have been done: another encoding than `rounded_loop`, as signed matrices need, a line search,
        corrections of other bits, and another largest input (V), from which inputs are halved until no output is near its
        clamp.
    """
    chip = parse_chip_map(bench.chip_text, bench.file.chip)
    levels, loop = chip.level_scale(), rounded_loop(matrix) if loop is None else loop
    encoding = encode_multiply(truncated(matrix, bits), bits, levels.bits)
    cells = LoopSetup.of(bench, chip).cells(loop)
    blocks = [*cells.blocks(), *(tiles := place_product(chip, encoding, bench.vector_size))]
    programmer = Programmer(bench, NullStream(), levels, [one.name for one in chip.arrays], chip.write_verify)
    try:
        programmer.program(blocks)
        invert = AnalogueInverse(bench, cells, min(full_scale, bench.file.limits["vector"].voltage))
        product = SlicedProduct(bench, encoding, tiles, levels.step, VECTOR_VOLTS)
        solutions = _refined(product, invert.columns, rhs, cycles, method, correction_bits)
    finally:
        bench.safe()
    return Refined(
        solutions, product.outputs, product.wrong, product.shots,
        bits // levels.bits, sum(block.digits.size for block in blocks), programmer.failed(blocks),
        programmer.pulses,
    )  # fmt: skip
