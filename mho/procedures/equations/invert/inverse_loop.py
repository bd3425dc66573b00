"""The inverting loop of one matrix on a chip: encoding, placement, forecast from the programmed cells, and inversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.forecast import contraction, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.inverse_encoding import KINDS, Candidate, InverseEncoding, Kind, choose_encoding
from mho.chip_maps.placement import place
from mho.errors import ChipMapError, ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming import Block
from mho.procedures.equations.circuits.inversion import connect_loop, loop_inputs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LoopForecast:
    """What the programmed cells promise.

    Attributes
    ----------
    achieved : (n, n) array
        A0, the matrix whose inverse the loop computes.
    rho : float
        rho(I - A A0^-1), by which a cycle of refinement would reduce an error.
    slowest : complex
        Eigenvalue of D^-1 G with the smallest real part, lambda_min: the loop settles at the rate w_u times it, and only
        where it is positive.
    network, load : (k, k), (k,) array
        G, signed, and the diagonal of D, S.
    """

    achieved: Floats
    rho: float
    slowest: complex
    network: Floats
    load: Floats

    def require_stable(self) -> None:
        """Raise `ConvergenceError` when the loop would be unstable: it must not be closed."""
        if not self.slowest.real > 0.0:
            raise ConvergenceError(
                f"the programmed INV circuit would be unstable: eigenvalue {self.slowest:.4g} of D^-1 G has no "
                "positive real part; it was not connected"
            )


@dataclass(frozen=True)
class InverseLoop:
    """A matrix on the inverting arrays.

    Attributes
    ----------
    matrix : (n, n) array
        A.
    candidate : Candidate
        The encoding chosen, with its forecast before programming.
    positive, negative : Block
        The cells; no second block where no entry needs it.
    step : float
        Conductance of one digit, S.
    """

    matrix: Floats
    candidate: Candidate
    positive: Block
    negative: Block | None
    step: float

    @property
    def encoding(self) -> InverseEncoding:
        """The encoding."""
        return self.candidate.encoding

    def blocks(self) -> list[Block]:
        """Return the blocks to program."""
        return [self.positive] if self.negative is None else [self.positive, self.negative]

    def forecast(self, input_conductance: float) -> LoopForecast:
        """Forecast from the achieved conductances, with `input_conductance` (S) at each row."""
        encoding, diagonal = self.encoding, self.encoding.diagonal_conductance(self.step)
        positive = self.positive.achieved
        negative = None if self.negative is None else self.negative.achieved
        network = encoding.network(positive, negative, diagonal)
        load = encoding.row_load(positive, negative, diagonal, input_conductance)
        achieved = encoding.represented(network, self.step)
        rho = float(contraction(self.matrix, achieved))
        slowest = slowest_eigenvalue(loop_eigenvalues(network, load))
        return LoopForecast(achieved, rho, slowest, network, load)

    def connect(self, bench: Bench) -> None:
        """Close the loop."""
        connect_loop(bench, self.encoding, self.positive, self.negative, self.step)

    def invert(self, bench: Bench, volts: Floats) -> Floats:
        """Return settled outputs (samples, order), V, for `volts` (samples, n) at the inputs of the matrix's rows.

        The first n are those of the solution. Errors and clamped outputs as `Bench.invert`; the loop is closed.
        """
        return bench.invert(self.inputs(volts))

    def inputs(self, volts: Floats) -> Floats:
        """Return the loop's inputs (..., order), V, for `volts` (..., n) at the inputs of the matrix's rows."""
        return loop_inputs(self.encoding, volts)

    def volts_per_unit(self, input_conductance: float, volts: Floats) -> Floats:
        """Return the outputs (V) that stand for minus 1 in the solution where `volts` at an input stand for 1 in b."""
        return input_conductance * volts * self.encoding.unit / self.step


@dataclass(frozen=True)
class ProgrammedLoop:
    """A loop whose cells are programmed, what they promise, and how many of them are outside their window."""

    loop: InverseLoop
    forecast: LoopForecast
    cells_failed: int


def plan_loop(
    chip: ChipMap,
    matrix: Floats,
    rng: np.random.Generator,
    *,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
) -> InverseLoop:
    """Choose a matrix's encoding by its forecast, and place it on good cells.

    Parameters
    ----------
    encoding : str
        "auto", or the only kind to consider.
    lines : tuple of int
        Numbers of lines that the converters can drive and read.
    input_conductance : float
        g_in of the loop, S.

    Raises
    ------
    ChipMapError
        When the matrix does not fit, with the size that would.
    ConvergenceError
        When no encoding gives a stable loop.
    """
    loops, levels = chip.arrays_for("invert"), chip.level_scale()
    if not loops:
        raise ChipMapError(f"chip {chip.name!r} has no inverting array; choose a bench whose chip has one")
    candidate, _ = choose_encoding(
        matrix,
        levels,
        rng,
        input_conductance=input_conductance,
        kinds=_fitting_kinds(chip, loops, matrix, encoding, lines),
        arrays=len(loops),
    )
    positive, negative = _placed(loops, candidate.encoding)
    return InverseLoop(matrix, candidate, positive, negative, levels.step)


def _fitting_kinds(
    chip: ChipMap, loops: Sequence[ArrayMap], matrix: Floats, encoding: str, lines: tuple[int, int]
) -> tuple[Kind, ...]:
    """Return the kinds that fit: a bias column needs one line more, signs without it a second array."""
    n, room = len(matrix), min(*loops[0].stretch, *lines)
    if n > room:
        raise ChipMapError(
            f"the matrix is {n} x {n} (as a real one); the inverting arrays of chip {chip.name!r} take up to "
            f"{room} x {room} with the differential encoding and {room - 1} x {room - 1} with the bias column"
        )
    signed = bool((matrix < 0.0).any())
    kinds: tuple[Kind, ...] = tuple(
        kind
        for kind in KINDS
        if encoding in ("auto", kind) and (n < room if kind == "bias" else len(loops) > 1 or not signed)
    )
    if not kinds:
        raise ChipMapError(
            f"no room for a signed {n} x {n} matrix on chip {chip.name!r}: it takes a second inverting array "
            f"(differential) or one row and column more than the {room} there are (bias column)"
        )
    return kinds


def _placed(loops: Sequence[ArrayMap], encoding: InverseEncoding) -> tuple[Block, Block | None]:
    if encoding.negative is None:
        return Block(place(loops[0], encoding.order, encoding.order), encoding.positive), None
    # Both arrays of a differential loop share rows and columns, so a bad cell of either one counts.
    joined = loops[0].model_copy(update={"bad_cells": loops[0].bad_cells + loops[1].bad_cells})
    shared = place(joined, encoding.order, encoding.order)
    second = replace(shared, array=loops[1].name)
    return Block(shared, encoding.positive), Block(second, encoding.negative)
