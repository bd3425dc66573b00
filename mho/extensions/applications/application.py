"""Base of applications: a problem whose matrices are held on the chip one after another, what they cost, and
what the application came to: numbers with units beside the digital ones, and a conclusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import WriteVerifySettings
from mho.extensions.applications.near_matrix import MOST, NearAnswers, solve_near, worth_near
from mho.instruments import Bench
from mho.instruments.bench_file import Operation
from mho.procedures import (
    HeldAnswers,
    HeldMatrix,
    IntegerParameter,
    Parameter,
    Procedure,
    Stream,
    chip_of,
    counted,
    joined,
    lost_cells,
    read_settings,
    settings_in_use,
    settings_text,
    verified_cells,
    verified_needs,
)
from mho.procedures.equations import (
    VECTOR_VOLTS,
    DirectSolve,
    DirectWork,
    SampledWorth,
    VectorMeter,
    Work,
    check_limits,
    metering,
    solve_directly,
    worth_in_numbers,
)
from mho.runs import Column, Conclusion, Table

Result = TypeVar("Result", covariant=True)


def digital_solution(matrix: Floats, rhs: Floats) -> Floats:
    """Return A^-1 B of (n,) or (n, k) right-hand sides by LAPACK in float64: the answer to compare with."""
    return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)


def relative_error(answer: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return |answer - exact| / |exact| of all entries together; the difference itself where `exact` is zero."""
    return float(np.linalg.norm(answer - exact) / (np.linalg.norm(exact) or 1.0))


def worst_error(answer: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return the largest |answer - exact| of an entry over its own size; entries of zero count as they are."""
    sizes = np.abs(exact)
    return float(np.max(np.abs(answer - exact) / np.where(sizes > 0.0, sizes, 1.0)))


def say_unconverged(stream: Stream, answers: HeldAnswers, bits: int, what: str) -> None:
    """Warn where answers did not come to their bits."""
    count = int((~answers.converged).sum())
    if count:
        stream.say(
            f"{what}: {count} of {answers.converged.size} solutions did not come to {bits} bits within "
            f"{int(answers.cycles.max())} cycles; the largest residual is {answers.residuals.max():.2g} ({answers.reason})",
            "WARNING",
        )


def is_blank(value: Any) -> bool:
    """Return whether a parameter was left out, or is an empty text."""
    return value is None or (isinstance(value, str) and not value.strip())


def name_of(source: Any, otherwise: str) -> str:
    """Return the name of a file or a sample, for titles; of anything else what it is."""
    return Path(source).name if isinstance(source, str | Path) else otherwise


# Numbers of a result that count what does not have the bits asked for, and what these are
SHORT = {
    "steps_short_of_bits": "step", "systems_short_of_bits": "system", "solutions_short_of_bits": "solution",
    "portfolios_short_of_bits": "portfolio",
}  # fmt: skip


def concluded(summary: Mapping[str, Any], *parts: str) -> Conclusion:
    """Return the conclusion of an application: whether it converged, its own `parts`, and the cells that failed."""
    counts = ((summary.get(name), what) for name, what in SHORT.items())
    short = joined(*(f"{counted(count, what)} short of bits" for count, what in counts if count))
    converged = {True: "converged", False: "not converged", None: ""}[summary.get("converged")]
    failed = summary.get("cells_failed") or 0
    return Conclusion(
        joined(f"{converged}: {short}" if short else converged, *parts,
               *((summary.get(one) or {}).get("in_words", "") for one in ("without_chip", "direct")),
               verified_cells(summary["cells"], failed) if failed else "", lost_cells(summary)),
    )  # fmt: skip


def beside_digital(summary: Mapping[str, Any], name: str) -> str:
    """Return the relative error of that name of a result, as a part of a line."""
    return f"error {summary[name]:.2g} beside the digital answer"


@dataclass(frozen=True)
class ApplicationResult:
    """What an application found; ``outcome["name"]`` is one of it."""

    summary: dict[str, Any]  # in the run file and of ``--json``
    units: dict[str, str]  # by name, of those that have one
    path: Path = field(default=Path())  # the run file

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the outcome of values, or pairs of value and unit, by name."""
        pairs = {name: one if isinstance(one, tuple) else (one, "") for name, one in values.items()}
        return cls(
            {name: value for name, (value, _) in pairs.items()},
            {name: unit for name, (_, unit) in pairs.items() if unit},
        )

    def __getitem__(self, name: str) -> Any:
        """Return one value of the summary."""
        return self.summary[name]


# The matrices that were held, a row each; every application's layout has it
MATRICES = Table(
    "matrices",
    (
        Column("number", dtype="u4"), Column("time", "s"), Column("size", dtype="u4"),
        Column("cells", dtype="u4"), Column("cells_failed", dtype="u4"), Column("pulses", dtype="u4"),
        Column("joules", "J"), Column("condition", digital=1e-6), Column("forecast_rho"),
    ),
)  # fmt: skip
COUNTED = (
    "cells", "cells_failed", "pulses", "reads", "inversions", "products", "mvm_outputs", "mvm_wrong",
    "answered",
)  # fmt: skip


class MatrixHolder:
    """Holds one matrix after another on a bench; made by `Application.holding`.

    `beside`: digital multiplications of the application beside those of its solves, which it adds itself.
    """

    def __init__(
        self, bench: Bench, stream: Stream, rng: np.random.Generator, meter: VectorMeter, **options: Any
    ) -> None:
        self._bench, self._stream, self._rng, self._meter = bench, stream, rng, meter
        self._options = options
        self._chip_matrix: HeldMatrix | None = None
        self._ended: list[dict[str, Any]] = []
        self._worth = SampledWorth()
        self._direct, self._instead = DirectWork(), DirectWork()
        self.beside = Work()

    def hold(self, matrix: Any, **options: Any) -> HeldMatrix:
        """Program a matrix in the place of the one before, which answers no more; arguments as `HeldMatrix.programmed`."""
        self._end()
        chip_matrix = HeldMatrix.programmed(
            matrix, self._bench, self._stream, self._rng, **(self._options | options)
        )
        self._chip_matrix = chip_matrix
        summary = chip_matrix.summary()
        row = {name: summary[name] for name in ("size", "cells", "cells_failed", "pulses", "joules")}
        unknown = {
            name: np.nan if summary[name] is None else summary[name] for name in ("condition", "forecast_rho")
        }
        self._stream.record("matrices", number=len(self._ended), time=self._bench.now(), **row, **unknown)
        return chip_matrix

    def solve_near(
        self, chip_matrix: HeldMatrix, matrix: Floats, rhs: Floats, tolerance: float, most: int = MOST
    ) -> NearAnswers:
        """Solve with a matrix near the one that is held, around its INV; else as `near_matrix.solve_near`."""
        answers = solve_near(matrix, rhs, chip_matrix.invert, tolerance, most)
        self._worth += worth_near(matrix, rhs, answers, tolerance, most)
        self.add_direct(solve_directly(matrix), answers.converged.size)
        return answers

    def add_worth(self, worth: SampledWorth) -> None:
        """Add what the chip was worth in an iteration of the application's own."""
        self._worth += worth

    def add_direct(self, way: DirectSolve, count: int) -> None:
        """Add a factorisation that would solve digitally what the application's own iteration solves by INV."""
        self._direct = self._direct.plus(way, count)

    def replace_direct(self, way: DirectSolve, count: int) -> None:
        """Hold the chip against this digital way of the whole problem, not against factorisations of its matrices."""
        self._instead = DirectWork().plus(way, count)

    def costs(self) -> dict[str, Any]:
        """Return what all matrices have cost so far, and what the chip was worth, for a run's result; with units."""
        return self.operations() | self._worths()

    def operations(self) -> dict[str, Any]:
        """Return what all matrices have cost so far; numbers with their units."""
        every = [*self._ended, *([] if self._chip_matrix is None else [self._chip_matrix.summary()])]
        spent = sum(one["joules"] for one in every)
        return {
            "matrices": len(every), **{name: sum(one[name] for one in every) for name in COUNTED},
            "programming_joules": (spent, "J"), "vectors": self._meter.vectors,
            "joules": (spent + self._meter.joules, "J"), "virtual_seconds": (self._bench.now(), "s"),
        }  # fmt: skip

    def _worths(self) -> dict[str, Any]:
        """Return multiplications, and what the chip was worth beside the same solves without it and a direct one."""
        total, direct = self._worth, self._direct
        if self._chip_matrix is not None:
            total, direct = (
                total + self._chip_matrix.sampled_worth(),
                direct.plus(self._chip_matrix.direct, self._chip_matrix.solved),
            )
        return worth_in_numbers(total, self._instead or direct, self.beside)

    def _end(self) -> None:
        if self._chip_matrix is not None:
            self._ended.append(self._chip_matrix.summary())
            self._worth += self._chip_matrix.sampled_worth()
            self.add_direct(self._chip_matrix.direct, self._chip_matrix.solved)
            self._chip_matrix = None


class SystemSolver:
    """Solves the systems of an iteration one after the other, anew or near the matrix that is held."""

    def __init__(self, chip: MatrixHolder, bits: int) -> None:
        self._chip, self._tolerance = chip, 2.0**-bits
        self.held: HeldMatrix | None = None
        self.cycles: list[int] = []  # of each system
        self.short: list[str] = []  # why systems are short of their bits

    def anew(self, matrix: Floats, rhs: Floats, **options: Any) -> Floats:
        """Program the matrix and solve; options as `MatrixHolder.hold`."""
        return self.take(self.hold(matrix, **options).solve(rhs))

    def hold(self, matrix: Floats, **options: Any) -> HeldMatrix:
        """Program a matrix that others are near to."""
        self.held = self._chip.hold(matrix, **options)
        return self.held

    def near(self, matrix: Floats, rhs: Floats) -> NearAnswers:
        """Solve near the matrix that is held; what is used of it, `take` counts."""
        assert self.held is not None
        return self._chip.solve_near(self.held, matrix, rhs, self._tolerance)

    def take(self, answers: HeldAnswers | NearAnswers) -> Floats:
        """Return solutions, and count them."""
        self.cycles.append(int(answers.cycles.max()))
        if answers.reason:
            self.short.append(answers.reason)
        return np.asarray(answers.solutions)


def record_rows(stream: Stream, table: str, **columns: Any) -> None:
    """Record rows of a table: columns of one length, and numbers that all rows have."""
    count = max(len(one) for one in columns.values() if np.ndim(one))
    stream.record_block(
        table,
        {name: one if np.ndim(one) else np.full(count, one) for name, one in columns.items()},
    )


@dataclass(frozen=True)
class Prepared:
    """An application on one bench."""

    given: Any  # what `check` returned
    rng: np.random.Generator  # the run's
    settings: WriteVerifySettings


class Application(Procedure[Result]):
    """A problem solved with matrices on the chip.

    `layout` declares the table `MATRICES` beside its own, and `execute` answers within `holding`.
    """

    group: ClassVar[str] = "Applications"
    needs: ClassVar[tuple[Operation, ...]] = (
        "select", "read", "program", "multiply", "invert",
    )  # fmt: skip
    compared: ClassVar[str] = "error_to_digital"
    """The number of the result that says how far it is from the digital answer."""
    held: ClassVar[str] = ""
    """What the one matrix is that the run holds."""

    bits = IntegerParameter("Precision of each solution", units="bit", minimum=3, maximum=44, default=24)
    seed = IntegerParameter("Seed of what is drawn", minimum=0, default=0)
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> Any:
        """Check the settings of write-verify; an application checks its own input after it."""
        read_settings(self.write_verify)

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, with what verifies cells."""
        return verified_needs(type(self).needs, self.write_verify)

    def matrices(self, given: Any) -> Sequence[Any]:
        """Return matrices that the run is going to hold, as far as they are known before anything is measured."""
        return ()

    def prepare(self, given: Any, bench: Bench, rng: np.random.Generator) -> Prepared:
        """Check the limits of programming and products, and that the chip holds what is known of the matrices.

        Returns what `check` returned, with the run's generator, of which nothing is drawn.
        """
        settings = settings_in_use(chip_of(bench).write_verify, self.write_verify)
        check_limits(bench, settings, VECTOR_VOLTS)
        for matrix in self.matrices(given):
            HeldMatrix.check(matrix, bench, bits=int(self.bits), write_verify=self.write_verify)
        return Prepared(given, rng, settings)

    def in_use(self, plan: Prepared) -> Mapping[str, tuple[float | str, str]]:
        """Return the settings of write-verify."""
        return {"write_verify": (settings_text(plan.settings), "the chip map's")}

    def describe_cells(self, plan: Prepared) -> str:
        """Return how the arrays are used; which cells hold a matrix is planned when it is known."""
        if self.held:
            (matrix,) = self.matrices(plan.given)
            return f"{len(matrix)} x {len(matrix)} {self.held}, placed when it is programmed"
        return "matrices held one after another, by blocks where they are larger than a loop"

    def conclude(self, plan: Prepared, result: Any) -> Conclusion:
        """Return whether all that was asked for was reached, what `findings` says, and the cells that failed."""
        return concluded(result.summary, *self.findings(result.summary))

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return the parts of the conclusion that are the application's own: the error beside the digital answer."""
        return (beside_digital(summary, self.compared),)

    def say_short(self, stream: Stream, count: int, of: int, what: str, reason: str = "") -> None:
        """Warn where so many of all do not have their bits."""
        if count:
            stream.say(f"{count} of {of} {what} do not have their {self.bits} bits: {reason}", "WARNING")

    @contextmanager
    def holding(self, plan: Prepared, bench: Bench, stream: Stream) -> Iterator[MatrixHolder]:
        """Hold matrices within the block; the energy of all vectors played meanwhile is counted."""
        with metering(bench) as meter:
            yield MatrixHolder(
                bench, stream, plan.rng, meter, bits=int(self.bits), write_verify=self.write_verify
            )
