"""The multiplications of a solve: those that its chip stands for, and those done digitally, by kind.

A number of multiplications is what the operation takes in float64, to its leading order. An INV of n lines stands for
n^2, a product with a stored inverse; an MVM of n x n, with all its slices and bits, for n^2, a product with the matrix.
Integers that are shifted and added into a product are additions and not counted. What an application does "beside" its
solves is the same with a chip and without it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

OnChip = Literal["inversions", "products"]
Digital = Literal[
    "products",
    "residual",
    "orthogonalisation",
    "cell errors",
    "Schur complements",
    "certificate",
    "preconditioning",
    "beside",
]

EXACT = 6
"""Multiplications a double takes in a product without rounding errors (Dekker): itself, two halves, four parts of these."""


class Work:
    """Counts multiplications.

    Attributes
    ----------
    chip, digital : Counter
        By kind, the names of `OnChip` and `Digital`.
    """

    def __init__(self) -> None:
        self.chip: Counter[OnChip] = Counter()
        self.digital: Counter[Digital] = Counter()

    def __add__(self, other: Work) -> Work:
        """Return the work of both."""
        both = Work()
        both.chip, both.digital = self.chip + other.chip, self.digital + other.digital
        return both

    @property
    def share_on_chip(self) -> float | None:
        """Share of all multiplications that the chip does; None of none at all."""
        chip, digital = self.chip.total(), self.digital.total()
        return chip / (chip + digital) if chip + digital else None

    def plain(self) -> dict[str, Any]:
        """Return the numbers by name, for a run's result."""
        return {
            "chip": {kind: int(count) for kind, count in sorted(self.chip.items())},
            "digital": {kind: int(count) for kind, count in sorted(self.digital.items())},
            "share_on_chip": self.share_on_chip,
        }
