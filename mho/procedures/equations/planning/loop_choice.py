"""Choice of the inverting loop: in which form it holds the matrix, how it makes signs, and by how much it is shifted.

A loop whose eigenvalues do not all have positive real parts rails. Another order of the rows, other signs or scales give
most matrices a loop that settles (`Preconditioning`). Where none does, the loop holds A + s I with the smallest s that
settles: its inverse is no longer near that of A, but serves a Krylov method as preconditioner. Each way is judged by the
cycles that it is expected to take, from the same refinement as on the chip around inverses with drawn cell errors.

What cells hold is known once they are programmed, and D^-1 (G + s I) tends to the identity as s grows. So a programmed loop
that does not settle is shifted further by its diagonal resistors: some s settles whatever the cells hold, and no cell is
programmed again for it. Of those that settle, the one is taken around which the fewest cycles are expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple, Self

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ArrayMap, ChipMap
from mho.chip_maps.inverse_encoding import (
    KINDS,
    Encoding,
    EncodingForecast,
    InverseEncoding,
    Kind,
    choose_encoding,
)
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement, place, shared
from mho.chip_maps.preconditioning import OwnPreconditioning, Preconditioning, own_forms
from mho.errors import ChipMapError, ConvergenceError
from mho.instruments import Bench
from mho.procedures.equations.algorithms.refinement import CORRECTION_BITS, Method, refine
from mho.procedures.equations.certificates.certificate import WORTH, norm
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop, LoopOnCells, check_second_slice

PARTS = 10  # of a digit and the ratio, that targets of a loop with a second slice are apart


@dataclass(frozen=True)
class LoopSetup:
    """What inverting loops are made of: a chip's arrays, the board around them, and the encodings to consider."""

    chip: ChipMap
    lines: tuple[int, int]  # numbers of lines that the converters can drive and read
    input_conductance: float  # g_in, S
    encoding: str | type[Encoding] = "auto"  # "auto", the only kind to consider, or a user's own
    slice_ratio: float | None = None  # the board's, for loops with a second slice, whose cells hold no digits
    # Whether cells are programmed to the entries themselves instead of the nearest digits
    analogue: bool = False
    preconditioning: type[OwnPreconditioning] | None = None  # a user's own, in place of mho's

    @classmethod
    def of(
        cls, bench: Bench, chip: ChipMap, encoding: str | type[Encoding] = "auto", *, slices: int = 1,
        analogue: bool = False, preconditioning: type[OwnPreconditioning] | None = None,
    ) -> Self:  # fmt: skip
        """Return that of a bench with this chip, for loops of one slice or two."""
        ratio = bench.slice_ratio if slices == 2 else None
        return cls(
            chip, bench.vector_size, bench.input_conductance, encoding, ratio, analogue, preconditioning
        )

    @property
    def arrays(self) -> tuple[ArrayMap, ...]:
        """The inverting arrays."""
        return self.chip.arrays_for("invert")

    @property
    def room(self) -> int:
        """Lines each way that a loop can have."""
        return min(*self.arrays[0].stretch, *self.lines)

    @cached_property
    def digits(self) -> Levels:
        """The chip's levels, to which cells that hold digits are programmed."""
        return self.chip.level_scale()

    @cached_property
    def levels(self) -> Levels:
        """The levels that a loop's cells are programmed to: the chip's, or finer ones where they hold no digits.

        With a second slice they are so fine that what the first slice's round off is none of the second one's. Raises
        `ChipMapError` as `check_second_slice`.
        """
        if self.slice_ratio is None:
            return self.digits.refined() if self.analogue else self.digits
        check_second_slice(self.chip, self.slice_ratio)
        return self.digits.refined(round(PARTS * self.slice_ratio))

    @cached_property
    def forecast_levels(self) -> Levels:
        """The levels in forecasts: errors are a ratio-th of the cells' with a second slice."""
        return self.levels if self.slice_ratio is None else self.levels.compensated(self.slice_ratio)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of encoding asked for; the bias column may be of resistors."""
        bias: Kind = "bias" if self.arrays[0].bias == "cells" else "bias resistors"
        wanted = KINDS if isinstance(self.encoding, type) or self.encoding == "auto" else (self.encoding,)
        return tuple(bias if kind == "bias" else kind for kind in KINDS if kind in wanted)

    def fitting_kinds(self, matrix: Floats) -> tuple[Kind, ...]:
        """Return the kinds that fit: a bias column needs one more line, signs without it a second array.

        Raises `ChipMapError` when none fits, with the size that would.
        """
        n, room, name = len(matrix), self.room, self.chip.name
        if n > room:
            biased = room - (self.arrays[0].bias == "cells")
            raise ChipMapError(
                f"the matrix is {n} x {n} (as a real one); the inverting arrays of chip {name!r} take up to "
                f"{room} x {room} with the differential encoding and {biased} x {biased} with the bias column"
            )
        if isinstance(self.encoding, type):  # what it makes is asked for its lines
            return self.kinds
        alone = len(self.arrays) < 2 and bool((matrix < 0.0).any())
        left_out = {"bias" if n + 1 > room else "", "differential" if alone else ""}
        if not (kinds := tuple(kind for kind in self.kinds if kind not in left_out)):
            raise ChipMapError(
                f"no room for a signed {n} x {n} matrix on chip {name!r}: it takes a second inverting array "
                f"(differential) or one row and column more than the {room} there are (bias column)"
            )
        return kinds

    def rank(
        self, matrix: Floats, kinds: Sequence[Kind], rng: np.random.Generator, shift: float = 0.0
    ) -> tuple[EncodingForecast, ...]:
        """Return the best encoding of each name, best first, as `choose_encoding`."""
        _, ranked = choose_encoding(
            matrix, self.forecast_levels, rng, input_conductance=self.input_conductance, kinds=kinds,
            arrays=len(self.arrays), shift=shift, room=self.room,
            own=self.encoding if isinstance(self.encoding, type) else None,
        )  # fmt: skip
        return ranked

    def cells(self, encoding: InverseEncoding, placed: Placement | None = None) -> LoopOnCells:
        """Put a loop on lines of the inverting arrays: those given, or some whose crossings hold no known bad cell."""
        if placed is None:
            # All arrays of a loop share rows and columns, so a bad cell of any one counts.
            first = self.arrays[: 2 if encoding.kind == "differential" else 1]
            used = first if self.slice_ratio is None else (*first, *self.chip.second_slice)
            placed = place(shared(used), encoding.order, encoding.order)
        return LoopOnCells.on(self.chip, placed, encoding, self.levels, self.slice_ratio)


DRAWS = 6  # inverses with drawn cell errors that a loop is judged by
JUDGED_BITS = 24  # to which the residual falls in the judged refinements by which loops are compared
MOST_CYCLES = 60  # of a judged refinement; one that takes more counts as that many


@dataclass(frozen=True)
class DrawnLoops:
    """What a loop may come out as, and a right-hand side to try it with."""

    matrix: Floats  # (n, n): S, the matrix in the form that the loop holds
    inverses: Floats  # (draws, n, n): of the loops; zero for singular ones
    rhs: Floats  # (n,)

    @classmethod
    def of(
        cls, matrix: Floats, candidate: EncodingForecast, levels: Levels, rng: np.random.Generator
    ) -> Self:
        """Draw loops of an encoding, and a right-hand side."""
        inverses = draw_inverses(candidate, levels, DRAWS, rng)
        return cls(matrix, inverses, rng.standard_normal(len(matrix)))

    @classmethod
    def programmed(cls, matrix: Floats, achieved: Floats, rhs: Floats) -> Self:
        """Return the one loop that inverts A0 (n, n), `achieved`, in the form of S."""
        return cls(matrix, _inverses(achieved[None]), rhs)

    def cycles(
        self, method: Method, *, sliced: Floats | None = None, limit: float | None = None,
        correction_bits: int = CORRECTION_BITS,
    ) -> tuple[int, ...]:  # fmt: skip
        """Return, of each loop, the cycles after which the residual's norm is at most a limit.

        `sliced` (n, n), optional: S as the products hold it; S itself where left out. `limit`: 2^-24 of the right-hand
        side's norm where left out. `correction_bits`: of the vectors that are multiplied.
        """
        enough = 2.0**-JUDGED_BITS * norm(self.rhs) if limit is None else limit
        around = partial(cycles_around, sliced=sliced, correction_bits=correction_bits)
        return tuple(
            min(around(one.__matmul__, self.matrix, self.rhs, enough, method, MOST_CYCLES), MOST_CYCLES)
            for one in self.inverses
        )


def cycles_around(
    inverse: Callable[[Floats], Floats], matrix: Floats, rhs: Floats, limit: float, method: Method,
    most: int, *, sliced: Floats | None = None, correction_bits: int = CORRECTION_BITS,
) -> int:  # fmt: skip
    """Return the cycles after which the residual's norm is at most `limit`, around r -> about A^-1 r.

    `most`: one more than that is returned where it takes more. `sliced` (n, n), optional: the matrix as the products
    hold it; the matrix itself where left out.
    """
    multiplied = matrix if sliced is None else sliced
    for cycle in refine(
        rhs,
        inverse,
        lambda vector: multiplied @ vector.values,
        lambda solution: rhs - matrix @ solution,
        lambda solution, size: size <= limit,
        method=method,
        correction_bits=correction_bits,
        max_cycles=most,
    ):
        if cycle.end == "converged":
            return cycle.number
    return most + 1


def draw_inverses(
    candidate: EncodingForecast, levels: Levels, draws: int, rng: np.random.Generator
) -> Floats:
    """Return inverses of loops with drawn cell errors, (draws, n, n), in the matrix's units; zero for singular ones."""
    encoding, step = candidate.encoding, levels.step
    positive = levels.draw(encoding.positive, draws, rng)
    negative = None if encoding.negative is None else levels.draw(encoding.negative, draws, rng)
    networks = encoding.network(
        positive, negative, encoding.diagonal_conductance(step), encoding.bias_conductance(step)
    )
    return _inverses(encoding.represented(networks, step))


def _inverses(matrices: Floats) -> Floats:
    """Return the inverses of matrices (draws, n, n); zero for singular ones."""
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:  # at least one is singular: each by itself
        if len(matrices) == 1:
            return np.zeros_like(matrices)
        return np.concatenate([_inverses(one[None]) for one in matrices])


SHIFTS = (0.1, 0.3, 0.6, 1.0, 1.5)  # tried in turn, in units of the largest eigenvalue's magnitude


@dataclass(frozen=True)
class PlannedLoop:
    """One way to hold a matrix in the inverting loop."""

    preconditioning: Preconditioning
    matrix: Floats  # (n, n): S, the matrix in that form
    candidate: EncodingForecast  # the encoding, with its forecast and shift
    ranked: tuple[EncodingForecast, ...]  # the best of each name in this form, best first
    cycles: float  # median of the expected cycles to 24 bits of the residual
    drawn: DrawnLoops  # the loops with drawn cell errors that this one was judged by


@dataclass(frozen=True)
class LoopOption:
    """A form and an encoding that were considered.

    Attributes
    ----------
    shift : float
        In the matrix's units.
    candidate : EncodingForecast or None
        The best of one name of encoding; None where no encoding gives a stable loop.
    cycles : float
        As `PlannedLoop.cycles`; infinite for a loop that is not taken.
    why_not : str
        Why it is not taken whatever the others are; empty for a loop that is expected to settle.
    """

    preconditioning: Preconditioning
    shift: float
    candidate: EncodingForecast | None
    cycles: float
    why_not: str


@dataclass(frozen=True)
class LoopChooser:
    """Finds loops of some kinds, by the cycles of one method of refinement; `tried` is what was considered, in order."""

    setup: LoopSetup
    kinds: tuple[Kind, ...]
    method: Method = "gcr"
    tried: list[LoopOption] = field(default_factory=list, compare=False)

    def choose(self, matrix: Floats, rng: np.random.Generator) -> PlannedLoop:
        """Return the loop with the fewest expected cycles among those that settle as they are, else the least shifted one.

        Of equals the first counts: the matrix as given before one with other rows, and that before a scaled one.
        `matrix` (n, n): A, regular.
        """
        forms = self._forms(matrix)
        return self._unshifted(forms, rng) or self._shifted(forms, rng)

    def unshifted(self, matrix: Floats, rng: np.random.Generator) -> PlannedLoop | None:
        """Return the loop with the fewest expected cycles among those that settle as they are; None where none does."""
        return self._unshifted(self._forms(matrix), rng)

    def _forms(self, matrix: Floats) -> list[MatrixForm]:
        if (own := self.setup.preconditioning) is None:
            return _forms(matrix)
        return [MatrixForm(form, form.matrix(matrix)) for form in own_forms(own, matrix)]

    def _unshifted(self, forms: Sequence[MatrixForm], rng: np.random.Generator) -> PlannedLoop | None:
        loops = [loop for form in forms for loop in self._settling(form, 0.0, rng)]
        return min(loops, key=lambda loop: loop.cycles) if loops else None

    def _shifted(self, forms: Sequence[MatrixForm], rng: np.random.Generator) -> PlannedLoop:
        """Return the loop with the smallest shift that settles; of several forms the one with fewest cycles.

        The last shift tried makes the matrix diagonally dominant: its loop settles whatever the matrix is.
        """
        for share in (*SHIFTS, None):
            loops = []
            for form in forms:
                shift = form.dominating if share is None else share * form.spectral_radius
                loops += self._settling(form, shift, rng)
            if loops:
                return min(loops, key=lambda loop: loop.cycles)
        raise ConvergenceError(
            "no INV loop settles, however far the matrix is shifted: the cells' errors are as large as its entries; "
            "use a chip with tighter cells, or a smaller matrix"
        )

    def _settling(self, form: MatrixForm, shift: float, rng: np.random.Generator) -> list[PlannedLoop]:
        """Return the loops of one form that are expected to settle: the best of each encoding's name."""
        option = partial(LoopOption, form.preconditioning, shift)
        try:
            ranked = self.setup.rank(form.matrix, self.kinds, rng, shift)
        except ConvergenceError as error:
            self.tried.append(option(None, np.inf, str(error)))
            return []
        loops = [self._judged(form, one, ranked, rng) for one in ranked if one.damped]
        self.tried.extend(option(one.candidate, one.cycles, "") for one in loops)
        self.tried.extend(option(one, np.inf, _why_not(one)) for one in ranked if not one.damped)
        return loops

    def _judged(
        self, form: MatrixForm, candidate: EncodingForecast, ranked: tuple[EncodingForecast, ...],
        rng: np.random.Generator,
    ) -> PlannedLoop:  # fmt: skip
        drawn = DrawnLoops.of(form.matrix, candidate, self.setup.forecast_levels, rng)
        cycles = float(np.median(drawn.cycles(self.method)))
        return PlannedLoop(form.preconditioning, form.matrix, candidate, ranked, cycles, drawn)


class MatrixForm(NamedTuple):
    """A matrix in one form, with what shifts are measured by."""

    preconditioning: Preconditioning
    matrix: Floats

    @property
    def spectral_radius(self) -> float:
        """Magnitude of the largest eigenvalue."""
        return float(np.abs(np.linalg.eigvals(self.matrix)).max())

    @property
    def dominating(self) -> float:
        """Shift that makes each diagonal entry twice as large as its row's others together."""
        sizes = np.abs(self.matrix)
        others = sizes.sum(axis=1) - np.diag(sizes)
        return float(max((2.0 * others - np.diag(self.matrix)).max(), sizes.max()))


def _why_not(candidate: EncodingForecast) -> str:
    """Return why a loop that is not damped is left out."""
    if candidate.damping <= 0.0:
        return "it may oscillate with real amplifiers: eigenvalues of D^-1 G lie far from the real axis"
    return f"only {candidate.settling:.0%} of loops with drawn cell errors settle"


def _forms(matrix: Floats) -> list[MatrixForm]:
    """Return the forms to try: as given, with exchanged rows, and equilibrated with exchanged rows.

    Where scaling lowers the condition number by far, the last alone: a residual that is small in the other forms, by which
    they would be judged, is small in the largest rows only.
    """
    tried = [Preconditioning.none(len(matrix))]
    exchanging, equilibrating = Preconditioning.exchanging(matrix), Preconditioning.equilibrating(matrix)
    if exchanging.exchanges:
        tried.append(exchanging)
    if equilibrating.scales:
        scaled = equilibrating.matrix(matrix)
        if np.linalg.cond(scaled) * WORTH < np.linalg.cond(matrix):
            return [MatrixForm(equilibrating, scaled)]
        tried.append(equilibrating)
    return [MatrixForm(form, form.matrix(matrix)) for form in tried]


FIRST, RATIO, STEPS = 0.1, 1.5, 36
"""Smallest of the shifts that are tried, in units of the matrix's largest eigenvalue; from one to the next; how many."""

COMPARED = 5  # shifts that settle, of which the best is taken: those beyond are only more like a unit matrix


def shifted_in_resistors(
    loop: PlannedLoop, cells: LoopOnCells, input_conductance: float, rng: np.random.Generator
) -> tuple[PlannedLoop, LoopOnCells]:
    """Return the loop on the same cells as achieved with larger diagonal resistors, with which it settles.

    `loop`: as planned, or as shifted before; `cells`: that hold it; `input_conductance`: g_in, S; `rng`: of the
    right-hand side by which shifts are compared. Raises `ConvergenceError` when none settles: a row of the loop has
    lost its cells.
    """
    rhs = rng.standard_normal(len(loop.matrix))
    radius = float(np.abs(np.linalg.eigvals(loop.matrix)).max())
    # A loop that rails although it should have settled is shifted by a multiple of its shift, lest there be no end.
    first = max(FIRST * radius, (RATIO - 1.0) * loop.candidate.shift)
    loops: list[tuple[PlannedLoop, LoopOnCells]] = []
    for step in range(STEPS):
        larger = cells.encoding.diagonal + first * RATIO**step
        shifted = replace(cells, encoding=replace(cells.encoding, diagonal=larger))
        achieved = shifted.achieved(input_conductance)
        if not achieved.unstable and achieved.damping > 0.0:
            loops.append((_judged(loop, shifted, achieved, rhs), shifted))
        if len(loops) == COMPARED:
            break
    if not loops:
        raise ConvergenceError(
            "no INV loop settles, however far its diagonal resistors shift it: a row has lost its cells; check the "
            "programmed cells"
        )
    return min(loops, key=lambda one: one[0].cycles)


def _judged(loop: PlannedLoop, cells: LoopOnCells, achieved: AchievedLoop, rhs: Floats) -> PlannedLoop:
    """Return the loop that these cells are, with the cycles that are expected around it."""
    before = loop.candidate
    further = cells.encoding.diagonal - before.encoding.diagonal
    candidate = replace(
        before, encoding=cells.encoding, slowest=achieved.slowest, damping=achieved.damping,
        shift=before.shift + further,
    )  # fmt: skip
    drawn = DrawnLoops.programmed(loop.matrix, achieved.matrix, rhs)
    return replace(loop, candidate=candidate, cycles=float(np.median(drawn.cycles("gcr"))), drawn=drawn)
