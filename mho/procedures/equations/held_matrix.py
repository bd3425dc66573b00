"""A matrix held on a chip, which answers many vectors: one-step inverses, products, refined solutions.

`Solve` is one run that answers its right-hand sides and records everything about them. Here the chip is a means: an
application, or an iterative method of another library, asks again and again, many vectors at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.matrix_files import from_real_vector, load_matrix, to_real_vector
from mho.chip_maps.multiply_encoding import columns_to_fixed_point
from mho.errors import ConvergenceError, InputError
from mho.instruments import Bench
from mho.procedures.equations.algorithms.refinement import (
    RECHECK,
    STALL_FACTOR,
    BatchMethod,
    Columns,
    refine_columns,
)
from mho.procedures.equations.certificates.certificate import Certificate, norm
from mho.procedures.equations.planning.linear_system import Goal, LinearSystem
from mho.procedures.equations.solve.prepared_solve import PreparedSolve
from mho.procedures.equations.solve.programmed_block_matrix import MatrixOnChip
from mho.procedures.equations.solve.programmed_matrix import ProgrammedMatrix
from mho.procedures.equations.solve.refined_answers import RefinedAnswers
from mho.procedures.equations.solve.solve import Solve
from mho.procedures.equations.worth import (
    EXACT,
    DirectSolve,
    DirectWork,
    SampledWorth,
    UnaidedSolve,
    Work,
    mean_digital,
    solve_directly,
    solve_unaided,
    worth_in_numbers,
)
from mho.procedures.stream import Event, NullStream, Progress, Stream


@dataclass(frozen=True)
class HeldAnswers:
    """What a held matrix answered.

    Attributes
    ----------
    solutions : (n,) or (n, k) array
        As the right-hand sides were given; complex where they or the matrix are.
    residuals : (k,) array
        ||b - A x|| / ||b||, recomputed in float64 from the matrix as given; 0 of a right-hand side of zeros.
    cycles : (k,) array of int
    converged : (k,) array of bool
        Whether the bits asked for are proved; where cycles were asked for, always False: nothing is proved then.
    bits : (k,) array
        Bits that are proved of each solution; NaN where cycles were asked for.
    each : (cycles, n, k) array
        Solutions after each cycle where cycles were asked for; else none, (0, n, k).
    reason : str
        Why the first column that did not converge did not; empty where all did, and where cycles were asked for.
    """

    solutions: NDArray[Any]
    residuals: Floats
    cycles: NDArray[np.int64]
    converged: NDArray[np.bool_]
    bits: Floats
    each: NDArray[Any]
    reason: str = ""


class WarningsOnly(NullStream):
    """The words and safe points of another stream, whose run file has tables of its own.

    `stream`: that of the run.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._whole = stream
        self.check = stream.check

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Hand on what is no mere information."""
        if level != "INFO":
            self._whole.say(text, level, unsafe=unsafe)

    def announce(self, event: Event) -> None:
        """Hand on progress; rows are those of tables that the run does not have."""
        if isinstance(event, Progress):
            self._whole.announce(event)


SAMPLED = 4
"""Right-hand sides of a matrix that are solved without the chip as well, evenly spaced among the first ones asked for."""


Numbers = NDArray[Any]

TOGETHER = 4  # right-hand sides from which on they are refined together; fewer take fewer cycles in turn

AT_ONCE = 128  # right-hand sides in one exchange: the bit patterns of more leave the processor's cache


@dataclass
class _Sampled:
    """A right-hand side, its cycles with the chip (None where it was not solved), and its solve without."""

    system: LinearSystem
    cycles: int | None
    unaided: UnaidedSolve | None = None


class HeldMatrix:
    """A square matrix on a chip; made by `programmed`.

    Attributes
    ----------
    bits : int
        Bits of a solution where no others are asked for, and of the vectors that `multiply` takes.
    """

    def __init__(
        self, procedure: Solve, plan: PreparedSolve, matrix: MatrixOnChip, bench: Bench, stream: Stream
    ) -> None:
        self._procedure, self._plan, self._matrix = procedure, plan, matrix
        self._bench, self._stream = bench, stream
        self.bits = int(procedure.bits)
        self._correction_bits = int(procedure.correction_bits)
        self._answered = self._proved = self._shown = 0
        self._refining, self._showing = Work(), Work()
        self._sampled: list[_Sampled] = []

    @classmethod
    def programmed(
        cls, matrix: Any, bench: Bench, stream: Stream | None = None, rng: np.random.Generator | None = None,
        *, bits: int = 24, **options: Any,
    ) -> Self:  # fmt: skip
        """Plan, program, settle and calibrate a matrix on a bench.

        Parameters
        ----------
        matrix
            (n, n), real or complex, as `load_matrix` takes it; one larger than a loop is held by blocks.
        bench : Bench
            Open.
        stream : Stream, optional
            Of the run; warnings and progress go there, and nothing is recorded.
        rng : numpy.random.Generator, optional
            Of the planning; seeded with 0 where left out.
        bits : int
            Bits of the solutions that will be asked for: they decide how many slices hold the matrix.
        **options
            Parameters of `Solve`: encoding, leaf, residual, write_verify, ...

        Raises
        ------
        InputError
            For a matrix that is not square, singular, or too ill-conditioned for the bits.
        ConvergenceError
            When no loop settles.
        LimitError, ChipMapError
            When the bench or the chip cannot do it.
        """
        inner = WarningsOnly(NullStream() if stream is None else stream)
        procedure, plan = cls._planned(matrix, bench, rng or np.random.default_rng(0), bits=bits, **options)
        programmed = procedure.matrix_on(plan, bench, inner)
        programmed.program()
        programmed.settle(plan.system.rhs[:, 0])
        programmed.calibrate()
        return cls(procedure, plan, programmed, bench, inner)

    @classmethod
    def check(cls, matrix: Any, bench: Bench, *, bits: int = 24, **options: Any) -> None:
        """Refuse a matrix that the bench cannot hold, as `programmed`; sends nothing that acts.

        Whether a loop settles depends on how it is planned, which is left to `programmed`.
        """
        with suppress(ConvergenceError):
            cls._planned(matrix, bench, np.random.default_rng(0), bits=bits, **options)

    @staticmethod
    def _planned(
        matrix: Any, bench: Bench, rng: np.random.Generator, **options: Any
    ) -> tuple[Solve, PreparedSolve]:
        given = load_matrix(matrix, square=False)
        if given.shape[0] != given.shape[1]:
            raise InputError(
                f"the matrix has {given.shape[0]} rows and {given.shape[1]} columns; one that is held and inverted is "
                "square: hold that of the normal equations, or solve by least squares (mho solve)"
            )
        procedure = Solve(matrix=given, rhs=np.ones(len(given)), **options)
        return procedure, procedure.prepare(procedure.check(), bench, rng)

    @property
    def matrix(self) -> Numbers:
        """The matrix (n, n) as given."""
        return self._plan.system.given_matrix

    @property
    def size(self) -> int:
        """Number of its lines."""
        return len(self.matrix)

    @property
    def products_on_chip(self) -> bool:
        """Whether products are taken on the chip; by blocks, and where the chip's are worth too little, in float64."""
        return self._matrix.on_chip

    def invert(self, rhs: Numbers) -> Numbers:
        """Return about A^-1 B of (n,) or (n, k) right-hand sides, by one step of INV: a preconditioner.

        It is not quite linear, and not the same twice: cells are noisy.

        Raises
        ------
        ConvergenceError
            When the loop rails, and so does every other that is programmed in its place.
        """
        form = self._matrix.plan.preconditioning
        return self._in_reals(rhs, lambda columns: form.solution(self._inverted(form.equations(columns))))

    def multiply(self, vectors: Numbers, bits: int | None = None) -> Numbers:
        """Return A X of (n,) or (n, k) vectors, rounded to `bits` bits, by the integers of the chip's slices.

        In float64 where `products_on_chip` is False.
        """
        form = self._matrix.plan.preconditioning
        digits = self.bits if bits is None else bits

        def multiplied(columns: Floats) -> Floats:
            unknowns = (columns.T / form.column_factors).T
            return form.given_equations(self._multiplied(unknowns, digits)[1])

        return self._in_reals(vectors, multiplied)

    def solve(
        self, rhs: Numbers, bits: int | None = None, *, cycles: int | None = None,
        method: BatchMethod = "plain",
    ) -> HeldAnswers:  # fmt: skip
        """Solve A X = B for (n,) or (n, k) right-hand sides.

        Parameters
        ----------
        bits : int, optional
            Until so many are proved of each; those of the matrix where left out.
        cycles : int, optional
            So many cycles of the published loop instead, for all columns together, whatever they come to.
        method : str
            Of these: "plain" or "line search".

        Raises
        ------
        InputError
            For right-hand sides of another size, and bits that float64 cannot prove.
        ConvergenceError
            When the loop rails, and so does every other that is programmed in its place.
        """
        columns, as_given = self._real_columns(rhs)
        bits = self.bits if bits is None else type(self._procedure)(bits=bits).bits  # which is checked so
        answers = self._solved(columns, bits) if cycles is None else self._cycled(columns, cycles, method)
        self._answered += columns.shape[1]
        self._sample(columns, answers, None if cycles is not None else bits)
        each = np.stack([as_given(one, True) for one in answers.each]) if len(answers.each) else answers.each
        if columns.shape[1] == (1 if np.ndim(rhs) == 1 else np.shape(rhs)[1]):
            return replace(answers, solutions=as_given(answers.solutions, False), each=each)
        # Real and imaginary parts
        residuals, proved = (np.split(values, 2) for values in (answers.residuals, answers.bits))
        lengths = np.split(np.linalg.norm(columns, axis=0), 2)
        whole = np.hypot(*lengths)
        off = np.hypot(residuals[0] * lengths[0], residuals[1] * lengths[1])
        return HeldAnswers(
            as_given(answers.solutions, False), np.divide(off, whole, out=np.zeros_like(whole), where=whole > 0.0),
            np.maximum(*np.split(answers.cycles, 2)), np.logical_and(*np.split(answers.converged, 2)),
            np.minimum(*proved), each, answers.reason,
        )  # fmt: skip

    def certify(self, solutions: Numbers, rhs: Numbers) -> Certificate:
        """Return what is proved of solutions X, wherever they come from: for who writes the loop outside.

        The residual is taken in float64 from the matrix as given and X as given; the chip is not asked.

        Parameters
        ----------
        solutions, rhs : (n,) or (n, k) arrays
            X and B.

        Returns
        -------
        Certificate
            Of several columns that with the fewest bits; ``bits`` is 0 where nothing is proved.

        Raises
        ------
        InputError
            For shapes that do not fit, or numbers that are not finite.
        """
        if np.shape(solutions) != np.shape(rhs):
            raise InputError(
                f"the solutions have the shape {np.shape(solutions)}, and the right-hand sides {np.shape(rhs)}; give both "
                "alike"
            )
        kind = np.result_type(solutions, rhs)
        columns, answers = (self._real_columns(np.asarray(one, dtype=kind))[0] for one in (rhs, solutions))
        system = self._plan.system.for_right_hand_sides(columns, columns, Goal(0, None))
        found = [system.certify(x, system.residual(x, column), column) for column, x in enumerate(answers.T)]
        return min(found, key=lambda one: (one.bits, -one.relative_residual))

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Leave what is done within out of the chip's worth: it shows how the loop converges, and no answer needs it.

        Its operations and its energy count all the same.
        """
        answered, before = self._answered, self.work
        sampled, self._sampled = self._sampled, []
        try:
            yield
        finally:
            after = self.work
            self._shown += self._answered - answered
            self._showing.chip += after.chip - before.chip
            self._showing.digital += after.digital - before.digital
            self._sampled = sampled

    @cached_property
    def direct(self) -> DirectSolve:
        """The digital factorisation that solves it with the fewest multiplications."""
        return solve_directly(self.matrix)

    @property
    def solved(self) -> int:
        """Real right-hand sides that were answered, without those that show the loop."""
        return self._answered - self._shown

    def sampled_worth(self) -> SampledWorth:
        """Return what the chip was worth over a few of the right-hand sides so far.

        Each is solved by GCR without the chip to the same goal: its bits, or the residual that so many cycles came to.
        """
        plan, form = self._plan, self._matrix.plan.preconditioning
        matrix = form.matrix(plan.system.matrix)
        for one in self._sampled:
            if one.unaided is None:
                one.unaided = solve_unaided(one.system, form, matrix, 0, "gcr", plan.most_unaided)
        unaided = tuple(one.unaided for one in self._sampled if one.unaided is not None)
        work = self.work
        return SampledWorth(
            unaided, tuple(one.cycles for one in self._sampled), work,
            round(mean_digital(unaided) * self.solved) + work.digital["certificate"], plan.most_unaided,
            plan.most, self._matrix.loops_lost,
        )  # fmt: skip

    def worth(self) -> dict[str, Any]:
        """Return multiplications, and what the chip was worth beside the same solves without it and a direct one."""
        return worth_in_numbers(self.sampled_worth(), DirectWork().plus(self.direct, self.solved), Work())

    def summary(self) -> dict[str, Any]:
        """Return what it took so far, for a run's result."""
        matrix, plan = self._matrix, self._matrix.plan
        condition = self._plan.system.certifier.condition_as_given
        return {
            "size": self.size, "condition": condition if np.isfinite(condition) else None,
            "encoding": plan.encoding_name, "shift": plan.shift,
            "forecast_rho": matrix.rho if np.isfinite(matrix.rho) else None,
            "products_from": "analogue" if matrix.on_chip else "float64",
            "cells": sum(block.digits.size for block in plan.blocks()), "cells_failed": matrix.failed,
            "pulses": matrix.pulses, "reads": matrix.reads, "joules": matrix.joules, **matrix.operations,
            "mvm_outputs": matrix.counts["outputs"], "mvm_wrong": matrix.counts["wrong"],
            "answered": self._answered,
        }  # fmt: skip

    @property
    def work(self) -> Work:
        """Multiplications so far, on the chip and digital ones, without those that show the loop."""
        certifier = self._plan.system.certifier
        work = self._matrix.work + self._refining
        work.digital["certificate"] = certifier.once + certifier.each * self._proved
        work.chip -= self._showing.chip
        work.digital -= self._showing.digital
        return work

    def _sample(self, columns: Floats, answers: HeldAnswers, bits: int | None) -> None:
        """Keep a few right-hand sides with their cycles, to be solved without the chip."""
        whole, system = np.linalg.norm(columns, axis=0), self._plan.system
        nonzero, room = np.flatnonzero(whole), SAMPLED - len(self._sampled)
        places = np.linspace(0, nonzero.size - 1, min(room, nonzero.size)).round().astype(int)
        for column in nonzero[np.unique(places)]:
            rhs, residual = columns[:, column, None], float(answers.residuals[column])
            goal = Goal(self.bits, residual) if bits is None else Goal(bits, self._procedure.tolerance)
            one = system.for_right_hand_sides(rhs, rhs, goal)
            met = bits is None or bool(answers.converged[column])
            self._sampled.append(_Sampled(one, int(answers.cycles[column]) if met else None))

    def _in_reals(self, vectors: Numbers, operate: Callable[[Floats], Floats]) -> Numbers:
        """Return what an operation on real columns makes of vectors (n,) or (n, k), in their own form."""
        columns, as_given = self._real_columns(vectors)
        return as_given(operate(columns), False)

    def _real_columns(self, vectors: Numbers) -> tuple[Floats, Callable[[Floats, bool], Numbers]]:
        """Return vectors as real columns, and what brings such columns back into the vectors' form, or into columns."""
        given = np.asarray(vectors)
        if given.dtype.kind not in "iufcb" or given.ndim not in (1, 2) or len(given) != self.size:
            raise InputError(
                f"the vectors have the shape {given.shape} and the type {given.dtype}; give numbers, ({self.size},) or "
                f"({self.size}, k), as the matrix has {self.size} lines"
            )
        if not np.isfinite(given).all():
            raise InputError("the vectors hold a value that is not finite; give finite numbers")
        block = given.reshape(self.size, -1)
        count = block.shape[1]
        if np.iscomplexobj(self.matrix):
            columns = to_real_vector(block.astype(np.complex128).T).T
        elif np.iscomplexobj(block):
            columns = np.concatenate([block.real, block.imag], axis=1).astype(np.float64)
        else:
            columns = block.astype(np.float64)

        def as_given(reals: Floats, as_columns: bool) -> Numbers:
            values: Numbers = reals
            if np.iscomplexobj(self.matrix):
                values = from_real_vector(reals.T).T
            elif np.iscomplexobj(block):
                values = reals[:, :count] + 1j * reals[:, count:]
            return values[:, 0] if given.ndim == 1 and not as_columns else values

        return columns, as_given

    def _inverted(self, residuals: Floats) -> Floats:
        """Return about S^-1 R, (n, k). A loop that rails meanwhile, as cells move, is shifted further."""
        self._stream.check()
        while True:
            try:
                return self._matrix.invert_columns(residuals)
            except ConvergenceError as error:
                self._matrix.shift_further(str(error))
                self._matrix.settle(self._plan.system.rhs[:, 0])

    def _multiplied(self, unknowns: Floats, bits: int) -> tuple[Floats, Floats]:
        """Return unknowns (n, k) rounded to `bits` bits, and S times these."""
        fixed = columns_to_fixed_point(unknowns, bits)
        return fixed.values, self._matrix.multiply_columns(fixed)

    def _cycled(self, columns: Floats, cycles: int, method: BatchMethod) -> HeldAnswers:
        """Carry out so many cycles of the published loop."""
        if cycles < 1:
            raise InputError(f"cycles is {cycles}; one cycle is the least")
        form, system = self._matrix.plan.preconditioning, self._plan.system
        each = np.empty((cycles, *columns.shape))
        for first in range(0, columns.shape[1], AT_ONCE):
            part = slice(first, first + AT_ONCE)
            rhs = form.equations(columns[:, part])
            now, loop = Columns(np.zeros_like(rhs), rhs), self._loop(rhs, method)
            for number in range(cycles):
                if method == "plain" and number == cycles - 1:  # its product would serve nobody
                    correction = columns_to_fixed_point(self._inverted(now.residuals), self._correction_bits)
                    now = Columns(now.solutions + correction.values, now.residuals)
                else:
                    now = next(loop)
                each[number][:, part] = form.solution(now.solutions)
        off = np.linalg.norm(columns - system.matrix @ each[-1], axis=0)
        self._refining.digital["residual"] += system.matrix.size * columns.shape[1]
        if method != "plain":
            self._refining.digital["orthogonalisation"] += 4 * cycles * columns.size  # of a line search
        lengths = np.linalg.norm(columns, axis=0)
        count = columns.shape[1]
        return HeldAnswers(
            each[-1], np.divide(off, lengths, out=np.zeros(count), where=lengths > 0.0),
            np.full(count, cycles), np.zeros(count, dtype=bool), np.full(count, np.nan), each,
        )  # fmt: skip

    def _loop(self, rhs: Floats, method: BatchMethod, start: Columns | None = None) -> Any:
        return refine_columns(
            rhs, self._inverted, lambda one: self._multiplied(one, self._correction_bits), method, start
        )

    def _solved(self, columns: Floats, bits: int) -> HeldAnswers:
        """Solve until the bits are proved: many columns together, and one by one where that does not do."""
        goal = Goal(bits, self._procedure.tolerance)
        system = self._plan.system.for_right_hand_sides(columns, columns, goal)
        count = columns.shape[1]
        solutions, cycles = np.zeros_like(columns), np.zeros(count, np.int64)
        open_ = ~system.zeros
        together = isinstance(self._matrix.method, str)  # one's own refines one right-hand side
        if count >= TOGETHER and together and isinstance(self._matrix, ProgrammedMatrix):
            for begin in range(0, count, AT_ONCE):
                part = np.arange(begin, min(begin + AT_ONCE, count))
                self._together(system, part[open_[part]], solutions, cycles, open_)
        one_by_one = RefinedAnswers(
            system, system.reference, self._matrix, self._bench, self._stream,
            correction_bits=self._correction_bits, most=int(self._procedure.max_cycles),
            either=self._procedure.residual == "auto", work=self._refining,
        )  # fmt: skip
        reason = ""
        for column in np.flatnonzero(open_):
            self._stream.check()
            answer = one_by_one.answer(int(column))
            solutions[:, column], cycles[column] = answer.solution, cycles[column] + answer.cycles
            open_[column] = not answer.converged
            reason = reason or answer.reason
        self._proved += count
        residuals, proved = self._certified(system, solutions)
        empty = np.empty((0, *columns.shape))
        return HeldAnswers(solutions, residuals, cycles, ~open_, proved, empty, reason)

    def _together(
        self, system: LinearSystem, numbers: NDArray[np.int64], solutions: Floats, cycles: NDArray[np.int64],
        open_: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Refine the columns of these numbers together; those that come to their bits are no longer `open_`."""
        form = self._matrix.plan.preconditioning
        method: BatchMethod = "gcr" if self._matrix.method in ("gcr", "cg") else "line search"
        now = Columns(np.zeros((system.size, numbers.size)), form.equations(system.rhs[:, numbers]))
        sure = np.linalg.norm(now.residuals, axis=0)
        done, most = 0, int(self._procedure.max_cycles)
        while numbers.size and done < most:
            loop = self._loop(now.residuals, method, now)
            for _ in range(RECHECK):
                now, done = next(loop), done + 1
                # A line search, or a direction made orthogonal to the earlier ones, and the step along it.
                each = 4 if method == "line search" else 7 + 3 * (len(now.directions) - 1)
                self._refining.digital["orthogonalisation"] += each * system.size * numbers.size
                unscaled = form.solution(now.solutions)
                sizes = form.given_equations(now.residuals).T
                if any(
                    system.good_enough(unscaled[:, k], system.measure(sizes[k]), int(numbers[k]))
                    for k in range(numbers.size)
                ):
                    break
            exact = np.stack(
                [system.residual(x, int(k)) for x, k in zip(unscaled.T, numbers, strict=True)], axis=1
            )
            good = np.array(
                [
                    system.good_enough(x, system.measure(r), int(k))
                    for x, r, k in zip(unscaled.T, exact.T, numbers, strict=True)
                ]
            )
            self._refining.digital["residual"] += EXACT * system.certifier.residual_size * numbers.size
            solutions[:, numbers], cycles[numbers] = unscaled, done
            open_[numbers[good]] = False
            residuals = form.equations(exact)
            lengths = np.linalg.norm(residuals, axis=0)
            left = ~good & (lengths < STALL_FACTOR * sure)  # the others are taken up one by one
            numbers, sure = numbers[left], lengths[left]
            now = now._replace(residuals=residuals).of(left)

    def _certified(self, system: LinearSystem, solutions: Floats) -> tuple[Floats, Floats]:
        """Return the recomputed residuals, relative to the right-hand sides, and the bits that they prove."""
        residuals, bits = np.zeros(system.count), np.zeros(system.count)
        for column in range(system.count):
            off = system.residual(solutions[:, column], column)
            residuals[column] = norm(off) / (norm(system.rhs[:, column]) or 1.0)
            bits[column] = system.certify(solutions[:, column], off, column).bits
        return residuals, bits
