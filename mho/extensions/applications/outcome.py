"""What an application came to: its numbers with units, its answers beside the digital ones, and its conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.procedures import HeldAnswers, Stream, counted, joined, lost_cells, verified_cells
from mho.runs import Conclusion


def digital_solution(matrix: Floats, rhs: Floats) -> Floats:
    """Return A^-1 B of (n,) or (n, k) right-hand sides by LAPACK in float64: the answer to compare with."""
    return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)


def relative_error(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return |found - exact| / |exact| of all entries together; the difference itself where `exact` is zero."""
    return float(np.linalg.norm(found - exact) / (np.linalg.norm(exact) or 1.0))


def worst_error(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return the largest |found - exact| of an entry over its own size; entries of zero count as they are."""
    sizes = np.abs(exact)
    return float(np.max(np.abs(found - exact) / np.where(sizes > 0.0, sizes, 1.0)))


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
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Return the outcome of values, or pairs of value and unit, by name."""
        pairs = {name: one if isinstance(one, tuple) else (one, "") for name, one in found.items()}
        return cls(
            {name: value for name, (value, _) in pairs.items()},
            {name: unit for name, (_, unit) in pairs.items() if unit},
        )

    def __getitem__(self, name: str) -> Any:
        """Return one value of the summary."""
        return self.summary[name]
