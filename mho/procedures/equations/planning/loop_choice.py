"""Choice of the inverting loop: in which form it holds the matrix, how it makes signs, and by how much it is shifted.

A loop whose eigenvalues do not all have positive real parts rails. Another order of the rows, other signs or scales give
most matrices a loop that settles (`Preconditioning`). Where none does, the loop holds A + s I with the smallest s that
settles: its inverse is no longer near that of A, but serves a Krylov method as preconditioner. Each way is judged by the
cycles that it is expected to take, from the same refinement as on the chip around inverses with drawn cell errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import Candidate, Kind, choose_encoding
from mho.chip_maps.levels import Levels
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import ConvergenceError
from mho.procedures.equations.algorithms.directions import Method
from mho.procedures.equations.certificates.certificate import WORTH
from mho.procedures.equations.planning.drawn_loops import DrawnLoops

SHIFTS = (0.1, 0.3, 0.6, 1.0, 1.5)
"""Shifts that are tried in turn, in units of the largest eigenvalue's magnitude."""


@dataclass(frozen=True)
class Loop:
    """One way to hold a matrix in the inverting loop.

    Attributes
    ----------
    preconditioning : Preconditioning
    matrix : (n, n) array
        S, the matrix in that form.
    candidate : Candidate
        The encoding, with its forecast and shift.
    ranked : tuple of Candidate
        The best of each name in this form, best first.
    cycles : float
        Median of the expected cycles to 24 bits of the residual.
    drawn : DrawnLoops
        The loops with drawn cell errors that this one was judged by.
    """

    preconditioning: Preconditioning
    matrix: Floats
    candidate: Candidate
    ranked: tuple[Candidate, ...]
    cycles: float
    drawn: DrawnLoops


@dataclass(frozen=True)
class Tried:
    """A form and an encoding that were considered.

    Attributes
    ----------
    preconditioning : Preconditioning
    shift : float
        In the matrix's units.
    candidate : Candidate or None
        The best of one name of encoding; None where no encoding gives a stable loop.
    cycles : float
        As `Loop.cycles`; infinite for a loop that is not taken.
    why_not : str
        Why it is not taken whatever the others are; empty for a loop that is expected to settle.
    """

    preconditioning: Preconditioning
    shift: float
    candidate: Candidate | None
    cycles: float
    why_not: str


@dataclass(frozen=True)
class LoopChooser:
    """Finds loops on one chip.

    Attributes
    ----------
    levels : Levels
    kinds : tuple of str
        Encodings to consider.
    arrays : int
        Number of inverting arrays.
    input_conductance : float
        g_in of the loop, S.
    method : str
        Method of the refinement.
    tried : list of Tried
        What was considered so far, in order.
    """

    levels: Levels
    kinds: tuple[Kind, ...]
    arrays: int
    input_conductance: float
    method: Method = "gcr"
    tried: list[Tried] = field(default_factory=list, compare=False)

    def choose(self, matrix: Floats, rng: np.random.Generator) -> Loop:
        """Return the loop with the fewest expected cycles among those that settle as they are, else the least shifted one.

        Of equals the first counts: the matrix as given before one with other rows, and that before a scaled one.

        Parameters
        ----------
        matrix : (n, n) array
            A, regular.
        """
        forms = _forms(matrix)
        return self._unshifted(forms, rng) or self._shifted(forms, rng)

    def unshifted(self, matrix: Floats, rng: np.random.Generator) -> Loop | None:
        """Return the loop with the fewest expected cycles among those that settle as they are; None where none does."""
        return self._unshifted(_forms(matrix), rng)

    def _unshifted(self, forms: Sequence[Form], rng: np.random.Generator) -> Loop | None:
        found = [loop for form in forms for loop in self._settling(form, 0.0, rng)]
        return min(found, key=lambda loop: loop.cycles) if found else None

    def _shifted(self, forms: Sequence[Form], rng: np.random.Generator) -> Loop:
        """Return the loop with the smallest shift that settles; of several forms the one with fewest cycles.

        The last shift tried makes the matrix diagonally dominant: its loop settles whatever the matrix is.
        """
        for share in (*SHIFTS, None):
            found = []
            for form in forms:
                shift = form.dominating if share is None else share * form.spectral_radius
                found += self._settling(form, shift, rng)
            if found:
                return min(found, key=lambda loop: loop.cycles)
        raise ConvergenceError(
            "no INV loop settles, however far the matrix is shifted: the cells' errors are as large as its entries; "
            "use a chip with tighter cells, or a smaller matrix"
        )

    def _settling(self, form: Form, shift: float, rng: np.random.Generator) -> list[Loop]:
        """Return the loops of one form that are expected to settle: the best of each encoding's name."""
        try:
            _, ranked = choose_encoding(
                form.matrix,
                self.levels,
                rng,
                input_conductance=self.input_conductance,
                kinds=self.kinds,
                arrays=self.arrays,
                shift=shift,
            )
        except ConvergenceError as error:
            self.tried.append(Tried(form.preconditioning, shift, None, np.inf, str(error)))
            return []
        loops = [self._judged(form, one, ranked, rng) for one in ranked if one.damped]
        self.tried.extend(Tried(form.preconditioning, shift, one.candidate, one.cycles, "") for one in loops)
        self.tried.extend(
            Tried(form.preconditioning, shift, one, np.inf, _why_not(one)) for one in ranked if not one.damped
        )
        return loops

    def _judged(
        self, form: Form, candidate: Candidate, ranked: tuple[Candidate, ...], rng: np.random.Generator
    ) -> Loop:
        drawn = DrawnLoops.of(form.matrix, candidate, self.levels, rng)
        cycles = float(np.median(drawn.cycles(self.method)))
        return Loop(form.preconditioning, form.matrix, candidate, ranked, cycles, drawn)


class Form:
    """A matrix in one form, with what shifts are measured by."""

    def __init__(self, preconditioning: Preconditioning, matrix: Floats) -> None:
        self.preconditioning, self.matrix = preconditioning, matrix

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


def _why_not(candidate: Candidate) -> str:
    """Return why a loop that is not damped is left out."""
    if candidate.damping <= 0.0:
        return "it may oscillate with real amplifiers: eigenvalues of D^-1 G lie far from the real axis"
    return f"only {candidate.settling:.0%} of loops with drawn cell errors settle"


def _forms(matrix: Floats) -> list[Form]:
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
            return [Form(equilibrating, scaled)]
        tried.append(equilibrating)
    return [Form(form, form.matrix(matrix)) for form in tried]
