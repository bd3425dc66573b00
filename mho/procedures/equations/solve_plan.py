"""Plan of a matrix on a chip for a solve: encoding, blocks and placement, made before any operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.checksums import CheckedTile, checked_tiles, place_checked
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.forecast import contraction, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.inverse_encoding import KINDS, Candidate, InverseEncoding, Kind, choose_encoding
from mho.chip_maps.levels import Levels
from mho.chip_maps.multiply_encoding import MultiplyEncoding, encode_multiply
from mho.chip_maps.placement import place
from mho.chip_maps.row_exchange import RowExchange
from mho.errors import ChipMapError, ConvergenceError
from mho.procedures.cells.programming import Block

Floats = NDArray[np.float64]

TILE_WIDTH = 32  # columns measured at once, check columns included; limits the current in one line's wire


@dataclass
class SolvePlan:
    """A matrix on a chip.

    Attributes
    ----------
    multiply : MultiplyEncoding
        The matrix in digit slices, for the products.
    tiles : list of Block
        Its columns in order, split into tiles with check columns.
    checked : tuple of CheckedTile
        The checksums of the tiles.
    candidate : Candidate
        The inverting encoding chosen; `ranked` holds the best of each name.
    exchange : RowExchange
        Order and signs of the matrix's rows in the inverting loop; the products hold them unchanged.
    positive, negative : Block
        The inverting arrays' cells; no second block when no entry needs it.
    """

    chip: ChipMap
    levels: Levels
    multiply: MultiplyEncoding
    tiles: list[Block]
    checked: tuple[CheckedTile, ...]
    candidate: Candidate
    ranked: tuple[Candidate, ...]
    exchange: RowExchange
    positive: Block
    negative: Block | None

    @property
    def encoding(self) -> InverseEncoding:
        """The inverting encoding."""
        return self.candidate.encoding

    def blocks(self) -> list[Block]:
        """All blocks to program."""
        inverse = [self.positive] if self.negative is None else [self.positive, self.negative]
        return inverse + self.tiles

    def forecast(self, input_conductance: float) -> tuple[Floats, float]:
        """Return A0, with rows in the matrix's order, and rho(I - A A0^-1), from the achieved conductances.

        Raises
        ------
        ConvergenceError
            When the loop as programmed would be unstable: it must not be connected.
        """
        encoding, step = self.encoding, self.levels.step
        positive = self.positive.achieved
        negative = None if self.negative is None else self.negative.achieved
        diagonal = encoding.diagonal_conductance(step)
        network = encoding.network(positive, negative, diagonal)
        load = encoding.row_load(positive, negative, diagonal, input_conductance)
        slowest = slowest_eigenvalue(loop_eigenvalues(network, load))
        if slowest.real <= 0.0:
            raise ConvergenceError(
                f"the programmed INV circuit would be unstable: eigenvalue {slowest:.4g} of D^-1 G has no "
                "positive real part; it was not connected"
            )
        achieved = self.exchange.undone(encoding.represented(network, step))
        return achieved, float(contraction(self.multiply.matrix, achieved))


def plan_solve(
    chip: ChipMap,
    multiply: MultiplyEncoding,
    rng: np.random.Generator,
    *,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
) -> SolvePlan:
    """Choose the loop's encoding and order of rows by their forecast, and place every block on good cells.

    Parameters
    ----------
    encoding : str
        "auto", or the only kind to consider.
    lines : tuple of int
        Numbers of lines that the converters can drive and read.
    input_conductance : float
        g_in of the inverting loop, S.

    Raises
    ------
    ChipMapError
        When the matrix does not fit, with the size that would.
        ConvergenceError
            When no encoding gives a stable loop, neither with the rows as given nor with the largest diagonal.
    """
    loops, products = chip.arrays_for("invert"), chip.arrays_for("multiply")
    if not loops or not products:
        raise ChipMapError(f"chip {chip.name!r} lacks an inverting or a multiplying array; both are needed")
    matrix, levels = multiply.matrix, chip.level_scale()

    def choose(exchange: RowExchange) -> tuple[Candidate, tuple[Candidate, ...]]:
        held = exchange.of(matrix)
        return choose_encoding(
            held,
            levels,
            rng,
            input_conductance=input_conductance,
            kinds=_fitting_kinds(chip, loops, held, encoding, lines),
            arrays=len(loops),
        )

    orders = [RowExchange.none(len(matrix))]
    if (exchanged := RowExchange.to_diagonal(matrix)).changes:
        orders.append(exchanged)
    found = []
    for order in orders:
        try:
            found.append((*choose(order), order))
        except ConvergenceError:
            if order is orders[-1] and not found:
                raise
    best, ranked, exchange = min(found, key=lambda one: (not one[0].damped, one[0].rho))
    positive, negative = _place_loop(loops, best.encoding)
    checked = _checked(products[0], multiply, lines[1], levels.bits)
    places = place_checked(products[0], checked)
    tiles = [Block(at, tile.digits) for at, tile in zip(places, checked, strict=True)]
    return SolvePlan(chip, levels, multiply, tiles, checked, best, ranked, exchange, positive, negative)


def encode_fitting(
    chip: ChipMap, matrix: Floats, slices: int, least: int, lines: tuple[int, int]
) -> MultiplyEncoding:
    """Slice a matrix for the products into `slices` slices, or into as many as fit, but at least `least`.

    `lines` as for `plan_solve`.

    Raises
    ------
    ChipMapError
        When even `least` slices do not fit, with the size that would.
    """
    products, digit_bits = chip.arrays_for("multiply"), chip.level_scale().bits
    for count in range(slices, least - 1, -1):
        encoding = encode_multiply(matrix, count * digit_bits, digit_bits)
        try:
            if products:  # without any, `plan_solve` raises
                place_checked(products[0], _checked(products[0], encoding, lines[1], digit_bits))
        except ChipMapError:
            if count == least:
                raise
        else:
            break
    return encoding


def _checked(
    array: ArrayMap, encoding: MultiplyEncoding, inputs: int, digit_bits: int
) -> tuple[CheckedTile, ...]:
    """Cut the products' columns into tiles that converters with so many inputs and the array take."""
    return checked_tiles(encoding.digits, min(TILE_WIDTH, inputs, array.columns), digit_bits)


def _fitting_kinds(
    chip: ChipMap, loops: Sequence[ArrayMap], matrix: Floats, encoding: str, lines: tuple[int, int]
) -> tuple[Kind, ...]:
    """Return the kinds of encoding that fit: a bias column needs one more line, signs without it a second array."""
    n = len(matrix)
    room = min(loops[0].rows, loops[0].columns, *lines)
    if n > room:
        raise ChipMapError(
            f"the matrix is {n} x {n} (as a real one); the inverting arrays of chip {chip.name!r} take up to "
            f"{room} x {room} with the differential encoding and {room - 1} x {room - 1} with the bias column"
        )
    kinds: tuple[Kind, ...] = tuple(kind for kind in KINDS if encoding in ("auto", kind))
    if n + 1 > room:
        kinds = tuple(kind for kind in kinds if kind != "bias")
    if len(loops) < 2 and bool((matrix < 0.0).any()):
        kinds = tuple(kind for kind in kinds if kind != "differential")
    if not kinds:
        raise ChipMapError(
            f"no room for a signed {n} x {n} matrix on chip {chip.name!r}: it takes a second inverting array "
            f"(differential) or one row and column more than the {room} there are (bias column)"
        )
    return kinds


def _place_loop(loops: Sequence[ArrayMap], encoding: InverseEncoding) -> tuple[Block, Block | None]:
    if encoding.negative is None:
        return Block(place(loops[0], encoding.order, encoding.order), encoding.positive), None
    # Both arrays of a differential loop share rows and columns, so a bad cell of either one counts.
    joined = loops[0].model_copy(update={"bad_cells": loops[0].bad_cells + loops[1].bad_cells})
    shared = place(joined, encoding.order, encoding.order)
    return (
        Block(shared, encoding.positive),
        Block(replace(shared, array=loops[1].name), encoding.negative),
    )
