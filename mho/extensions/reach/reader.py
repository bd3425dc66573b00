"""Reads the systems of `mho reach --export`, and scores what a solver, simulator or chip made of them.

Needs numpy, and nothing else:

    import reach

    package = reach.load(".")
    answers = [my_solver(system) for system in package.select(size=32)]      # reach.Answer of each
    print(reach.score(package, answers))

or, of answers in a file, ``python reach.py ANSWERS.json``. The rule is in README.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

FORMAT, VERSION = "mho-reach", 1
ANSWERS = "mho-reach answers"
GOAL_BITS, MOST_CYCLES = 24, 40
MOST_WORK = sys.float_info.max  # an integer above it has no ratio
BINS = (10.0, 1e2, 1e3, 1e4, math.inf)  # upper ends of the condition numbers counted together
VERDICTS = ("converged", "not converged", "refused")
GROUPS = ("condition", "family", "size")


class ReachError(ValueError):
    """A package or answers that cannot be used, in one sentence."""


@dataclass(frozen=True)
class WithoutChip:
    """GCR in float64 without any preconditioner, on the same system, equilibrated and permuted."""

    converged: bool
    cycles: int
    multiplications: int
    bits: float


@dataclass(frozen=True, eq=False)
class System:
    """A system A x = b, real or complex."""

    id: str
    family: str
    size: int  # unknowns of the real system: of a complex one twice the order of its matrix
    seed: int
    condition: float
    certified_bits: float  # -log2 of the proved ||x - x*|| / ||x*||, at most 53
    without_chip: WithoutChip
    # matrix, rhs: (n, n), (n,): A and b
    matrix: NDArray[Any]
    rhs: NDArray[Any]
    # solution, error: (n,): x, and a proved bound of |x - x*|, element by element
    solution: NDArray[Any]
    error: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a solver made of a system."""

    id: str  # of the system
    # "converged", "not converged", "refused": what it says of its solution: "converged" claims 24 bits
    verdict: str
    solution: NDArray[Any] | None = None  # (n,): x; None where it refused
    cycles: int = 0  # corrections added to the solution
    multiplications: int | None = None  # digital ones, by the rule; None where they were not counted
    reason: str = ""  # why it did not converge, or refused


@dataclass(frozen=True)
class Package:
    """The systems of a data package, and what `package.json` says of it."""

    facts: dict[str, Any]
    systems: tuple[System, ...]

    def select(
        self, family: str | None = None, size: int | None = None, seed: int | None = None
    ) -> list[System]:
        """Return the systems of a family, a size and a seed; of all where one is left out."""
        return [
            one
            for one in self.systems
            if family in (None, one.family) and size in (None, one.size) and seed in (None, one.seed)
        ]


def load(folder: str | os.PathLike[str] = ".") -> Package:
    """Read a data package.

    Raises
    ------
    ReachError
        It is none, of another version, or damaged.
    """
    path = Path(folder)
    try:
        facts = json.loads((path / "package.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReachError(f"{path} holds no data package: package.json cannot be read ({error})") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ReachError(f"{path} holds no data package of {FORMAT}: its package.json says otherwise")
    if facts.get("version") != VERSION:
        raise ReachError(
            f"{path} is a data package of version {facts.get('version')}, and this reader reads version {VERSION}: use the "
            "reach.py that came with it"
        )
    files = facts.get("files")
    if not isinstance(files, dict):
        raise ReachError(f"{path} is damaged: package.json names no files; copy the package again")
    _check_files(path, files.values())
    try:
        arrays = {name: _arrays(path / file) for name, file in files.items()}
        systems = tuple(_system(row, arrays[row["family"]]) for row in facts["systems"])
    except (AttributeError, LookupError, OSError, TypeError, ValueError, BadZipFile) as error:
        raise ReachError(
            f"{path} is damaged: package.json and the arrays do not go together ({error!r}); copy the package again"
        ) from None
    return Package(facts, systems)


def _check_files(path: Path, files: Iterable[str]) -> None:
    """Raise `ReachError` for the first file that is not as it was written."""
    try:
        lines = (path / "SHA256SUMS").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReachError(f"{path} is damaged: SHA256SUMS cannot be read ({error})") from None
    listed = {line.partition("  ")[2] for line in lines}
    if missing := [name for name in ("package.json", *files) if name not in listed]:
        raise ReachError(f"{path} is damaged: SHA256SUMS has no line of {missing[0]}; copy the package again")
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            actual = hashlib.sha256((path / name).read_bytes()).hexdigest()
        except OSError:
            raise ReachError(f"{path} is damaged: {name} is missing; copy the package again") from None
        if actual != digest:
            raise ReachError(
                f"{path} is damaged: {name} is not as it was written; copy the package again"
            ) from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _system(row: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> System:
    parts = {
        name: arrays[f"{name}_{row['size']}"][row["index"]] for name in ("matrix", "rhs", "solution", "error")
    }
    facts = {name: row[name] for name in ("id", "family", "size", "seed", "condition", "certified_bits")}
    return System(**facts, **parts, without_chip=WithoutChip(**row["without_chip"]))


# --- answers ---


def write_answers(path: str | os.PathLike[str], solver: str, answers: Iterable[Answer]) -> None:
    """Write answers as JSON; numbers are read back exactly."""
    rows = []
    for one in answers:
        row = asdict(one)
        if one.solution is not None:
            real, imaginary = np.real(one.solution).tolist(), np.imag(one.solution).tolist()
            row["solution"] = (
                list(zip(real, imaginary, strict=True)) if np.iscomplexobj(one.solution) else real
            )
        rows.append(row)
    facts = {"format": ANSWERS, "version": VERSION, "solver": solver, "answers": rows}
    Path(path).write_text(json.dumps(facts, indent=1, allow_nan=True) + "\n", "utf-8")


def read_answers(path: str | os.PathLike[str]) -> tuple[str, list[Answer]]:
    """Return the solver's name and its answers.

    Raises `ReachError`: they cannot be read, or are of another version.
    """
    try:
        facts = json.loads(Path(path).read_text("utf-8"))
        kind = facts["format"], facts["version"]
        rows = [{**row, "solution": _vector(row.get("solution"))} for row in facts["answers"]]
        answers = [Answer(**row) for row in rows]
        solver = str(facts["solver"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise ReachError(f"{path} holds no answers ({error!r}); write_answers writes them") from None
    if kind != (ANSWERS, VERSION):
        raise ReachError(
            f"{path} is {kind[0]!r}, version {kind[1]}; answers are {ANSWERS!r}, version {VERSION}"
        )
    return solver, answers


def _vector(values: Any) -> NDArray[Any] | None:
    if values is None:
        return None
    vector = np.asarray(values, np.float64)
    if vector.ndim == 1:
        return vector
    if vector.ndim != 2 or vector.shape[1] != 2:
        raise ValueError(
            f"a solution has shape {vector.shape}; give numbers, or pairs of real and imaginary parts"
        )
    return vector[:, 0] + 1j * vector[:, 1]


# --- score ---


@dataclass(frozen=True)
class Scored:
    """An answer beside its system."""

    system: System
    answer: Answer
    bits: float  # -log2 of ||x - x*|| / ||x*||, as few as the certified solution allows; NaN of no solution
    false: bool  # whether it says converged, and errs by more than 2^-24 for sure

    @property
    def solved(self) -> bool:
        """Whether it converged, rightly and within the cycles that are allowed."""
        return self.answer.verdict == "converged" and not self.false and self.answer.cycles <= MOST_CYCLES


@dataclass(frozen=True)
class Score:
    """The table of a solver: a row a group of systems, the last of all of them."""

    rows: tuple[dict[str, Any], ...]
    scored: tuple[Scored, ...]
    systems: int

    def __str__(self) -> str:
        names = list(self.rows[0])
        cells = [names, *([_text(row[name]) for name in names] for row in self.rows)]
        widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells
        ]
        return "\n".join(
            [*lines, f"{len(self.scored)} of the package's {self.systems} systems were answered"]
        )


def score(package: Package, answers: Iterable[Answer], by: str = "condition") -> Score:
    """Score answers, beside no chip at all.

    Parameters
    ----------
    package : Package
    answers : iterable of Answer
        Of all systems, or of some.
    by : {"condition", "family", "size"}
        What the rows are.

    Raises
    ------
    ReachError
        An answer to a system that there is not, a second one to the same, one of another length, or none at all.
    """
    if by not in GROUPS:
        raise ReachError(f"there are no rows by {by!r}; there are {', '.join(GROUPS)}")
    known = {one.id: one for one in package.systems}
    scored: dict[str, Scored] = {}
    for answer in answers:
        if not isinstance(answer.id, str) or answer.id not in known:
            raise ReachError(f"the package has no system {answer.id!r}; leave that answer out")
        if answer.id in scored:
            raise ReachError(f"there are two answers to system {answer.id}; give one of each")
        scored[answer.id] = _judged(known[answer.id], answer)
    if not scored:
        raise ReachError("there are no answers to score; give one at least")
    every = [scored[one.id] for one in package.systems if one.id in scored]
    groups: dict[str, list[Scored]] = {}
    for one in sorted(every, key=lambda one: _order(one.system, by)):
        groups.setdefault(_group(one.system, by), []).append(one)
    rows = [{by: name, **_row(group)} for name, group in (*groups.items(), ("all", every))]
    return Score(tuple(rows), tuple(every), len(known))


def _judged(system: System, answer: Answer) -> Scored:
    if answer.verdict not in VERDICTS:
        raise ReachError(
            f"the answer to system {system.id} says {answer.verdict!r}; a verdict is one of {', '.join(VERDICTS)}"
        )
    if answer.solution is None:
        if answer.verdict == "converged":
            raise ReachError(f"the answer to system {system.id} says converged and has no solution; give it")
        return Scored(system, answer, math.nan, False)
    try:
        x = np.asarray(answer.solution)
    except ValueError:
        raise ReachError(f"the answer to system {system.id} is no vector; give numbers") from None
    if x.dtype.kind not in "iufc":
        raise ReachError(f"the answer to system {system.id} is {x.dtype}; give numbers")
    if x.shape != system.solution.shape:
        raise ReachError(
            f"the answer to system {system.id} has shape {x.shape}; its solution has {system.solution.shape}"
        )
    _check_counts(answer)
    with np.errstate(over="ignore"):  # of numbers far from any solution
        apart = float(np.linalg.norm(x - system.solution))
    unsure = float(np.linalg.norm(system.error))
    size = float(np.linalg.norm(system.solution))
    if not math.isfinite(apart):
        return Scored(system, answer, 0.0, answer.verdict == "converged")
    most = (apart + unsure) / (size - unsure) if unsure < size else math.inf
    least = max(apart - unsure, 0.0) / (size + unsure)
    bits = min(max(-math.log2(most), 0.0), 53.0) if most > 0.0 else 53.0
    return Scored(system, answer, bits, answer.verdict == "converged" and least > 2.0**-GOAL_BITS)


def _check_counts(answer: Answer) -> None:
    """Refuse numbers of cycles and multiplications that cannot be."""
    cycles, work = answer.cycles, answer.multiplications
    least = 1 if answer.verdict == "converged" else 0
    if isinstance(cycles, bool) or not isinstance(cycles, int | np.integer) or cycles < least:
        raise ReachError(
            f"the answer to system {answer.id} took {cycles!r} cycles; give a whole number from {least}"
        )
    if work is not None and not (isinstance(work, int | float | np.number) and 0 <= work <= MOST_WORK):
        raise ReachError(
            f"the answer to system {answer.id} took {work!r} multiplications; give a number from 0, or None"
        )


def _row(group: Sequence[Scored]) -> dict[str, Any]:
    """Return the columns of a group; medians are over what converged, with and without a chip."""
    solved = [one for one in group if one.solved]
    plain = [one.system.without_chip for one in group if one.system.without_chip.converged]
    both = [one for one in solved if one.system.without_chip.converged]
    fewer = [one for one in both if one.answer.cycles < one.system.without_chip.cycles]
    work = [
        one.answer.multiplications / one.system.without_chip.multiplications
        for one in both
        if one.answer.multiplications is not None and one.system.without_chip.multiplications
    ]
    return {
        "systems": len(group), "converged": len(solved), "false": sum(one.false for one in group),
        "refused": sum(one.answer.verdict == "refused" for one in group),
        "cycles": _median([one.answer.cycles for one in solved]),
        "most cycles": max((one.answer.cycles for one in solved), default=None),
        "least bits": min((one.bits for one in solved), default=None), "no chip: converged": len(plain),
        "no chip: cycles": _median([one.cycles for one in plain]),
        "fewer cycles than no chip": f"{len(fewer)} of {len(both)}", "work / no chip": _median(work),
    }  # fmt: skip


def _median(values: Sequence[float]) -> float | None:
    return float(median(values)) if values else None


def _order(system: System, by: str) -> Any:
    return _bin(system) if by == "condition" else getattr(system, by)


def _group(system: System, by: str) -> str:
    if by != "condition":
        return str(getattr(system, by))
    number = _bin(system)
    return f"up to {BINS[number]:g}" if number < len(BINS) - 1 else f"above {BINS[-2]:g}"


def _bin(system: System) -> int:
    # One that was drawn to be 10 may be 10 and a rounding error.
    return next(k for k, end in enumerate(BINS) if system.condition <= end * (1.0 + 1e-6))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str]) -> int:
    """Print the table of the answers in a file; the package is the folder of this file."""
    if len(arguments) not in (1, 2):
        print(f"usage: python reach.py ANSWERS.json [{'|'.join(GROUPS)}]", file=sys.stderr)
        return 2
    try:
        solver, answers = read_answers(arguments[0])
        scores = score(load(Path(__file__).parent), answers, *arguments[1:])
    except ReachError as error:
        print(f"reach: {error}", file=sys.stderr)
        return 1
    print(f"{solver}\n{scores}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
