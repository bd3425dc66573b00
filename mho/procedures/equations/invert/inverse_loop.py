"""The inverting loop of one matrix on a chip: encoding, placement, forecast from the programmed cells, and inversions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.forecast import contraction, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.inverse_encoding import Candidate, InverseEncoding, choose_encoding
from mho.errors import ChipMapError, ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming import Block
from mho.procedures.equations.circuits.inversion import connect_loop, loop_inputs
from mho.procedures.equations.planning.loop_on_cells import fitting_kinds, on_cells, place_loop

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
        kinds=fitting_kinds(chip, loops, matrix, encoding, lines),
        arrays=len(loops),
    )
    placed = place_loop(loops, candidate.encoding)
    positive, negative = on_cells(placed, loops, candidate.encoding)
    return InverseLoop(matrix, candidate, positive, negative, levels.step)
