"""What a chip was worth in a solve: its cycles and its digital work beside those of the same solve without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.directions import Method
from mho.procedures.equations.certificates.certificate import norm
from mho.procedures.equations.worth.without_chip import UnaidedSolve, WithoutChip
from mho.procedures.equations.worth.work import Work

Floats = NDArray[np.float64]
Verdict = Literal["saved", "saved nothing", "contributed nothing", "needed", "unknown"]

INDEPENDENT = 0.003
"""Singular value, relative to the largest, down to which normalised residuals count as independent of each other: what is
below is the noise of INV."""


def contraction_of(residuals: Sequence[Floats], remainders: Sequence[Floats]) -> float | None:
    """Return the largest Ritz value's magnitude of M = I - A A0^-1 over the residuals that INV was asked for.

    INV(r) of a known r, multiplied by A, leaves r - A INV(r) = M r. Over the span of several r the eigenvalues of M's
    projection are near its outermost ones, as those of Arnoldi's method; unlike the factor by which a Krylov method reduces
    the residual, they are the loop's own. Of one r it is |M r| / |r|.

    Parameters
    ----------
    residuals, remainders : sequences of (n,) arrays
        r and M r.

    Returns
    -------
    float or None
        None without any.
    """
    known = [
        (one, other, size) for one, other in zip(residuals, remainders, strict=True) if (size := norm(one))
    ]
    if not known:
        return None
    basis = np.stack([one / size for one, _, size in known], axis=1)
    images = np.stack([other / size for _, other, size in known], axis=1)
    if len(known) == 1:
        return norm(images[:, 0])
    left, sizes, right = np.linalg.svd(basis, full_matrices=False)
    kept = sizes > INDEPENDENT * sizes[0]
    projected = left[:, kept].T @ images @ (right[kept].T / sizes[kept])
    return float(np.abs(np.linalg.eigvals(projected)).max()) if np.isfinite(projected).all() else None


@dataclass(frozen=True)
class Worth:
    """What a chip was worth.

    Attributes
    ----------
    method : str
        Of the solves without the chip.
    most : int
        Cycles that a right-hand side was allowed without the chip.
    allowed : int
        Cycles that it was allowed with the chip.
    cycles, without : tuple of int or None
        Of each sampled right-hand side with the chip and without it; None where the goal was not met.
    same_method : tuple of int or None
        Without it, by the method of the solve; of the first one alone where another method counts.
    work : Work
        Of the whole solve.
    digital_without : int
        Multiplications of the whole solve without the chip, its certificate included.
    nothing : bool
        Whether the loop by itself is worth nothing: it contracts no error, or most of its cells are outside their windows.
    """

    method: Method
    most: int
    allowed: int
    cycles: tuple[int | None, ...]
    without: tuple[int | None, ...]
    same_method: tuple[int | None, ...]
    work: Work
    digital_without: int
    nothing: bool

    @classmethod
    def of(
        cls,
        baseline: WithoutChip,
        cycles: Sequence[int | None],
        work: Work,
        *,
        most: int,
        allowed: int,
        digital_without: int,
        nothing: bool,
    ) -> Worth:
        """Return what the solves of the same right-hand sides with the chip and without it come to.

        Parameters
        ----------
        baseline : WithoutChip
        cycles : sequence of int or None
            Of its columns, with the chip.
        work : Work
            Of the whole solve with the chip.
        most, allowed, digital_without, nothing
            As the attributes.
        """
        return cls(
            baseline.method,
            most,
            allowed,
            tuple(cycles),
            tuple(one.cycles for one in baseline.solves),
            baseline.same_method,
            work,
            digital_without,
            nothing,
        )

    @property
    def saved(self) -> float | None:
        """Cycles saved a right-hand side, in the mean; at least so many where it is not solved without the chip.

        None where a right-hand side is not solved with the chip.
        """
        if None in self.cycles:
            return None
        count, without = len(self.cycles), [self.most if one is None else one for one in self.without]
        return sum(without) / count - sum(one or 0 for one in self.cycles) / count

    @property
    def verdict(self) -> Verdict:
        """Whether the chip saved cycles; "needed" where nothing converges without it in as many as were allowed."""
        if (
            None in self.cycles
        ):  # the chip was allowed fewer cycles, so that more of them without it say nothing
            fewer = all(one is not None and one <= self.allowed for one in self.without)
            return "saved nothing" if fewer else "unknown"
        if None in self.without:
            return "needed"
        if (self.saved or 0.0) > 0.0:
            return "saved"
        return "contributed nothing" if self.nothing else "saved nothing"

    def in_words(self) -> str:
        """Return it as a part of a run's line."""
        with_it, without = _mean(self.cycles), _mean(self.without)
        return {
            "saved": f"{with_it} cycles, {without} without the chip",
            "needed": f"{with_it} cycles, more than {self.most} without the chip",
            "saved nothing": (
                f"without the chip {without} cycles do"
                if None in self.cycles
                else f"the chip saved no cycle ({with_it}, {without} without it)"
            ),
            "contributed nothing": f"the chip contributed nothing ({with_it} cycles, {without} without it)",
            "unknown": f"without the chip {without} cycles do"
            if None not in self.without
            else f"nor does it without the chip in {self.most} cycles",
        }[self.verdict]

    def plain(self) -> dict[str, Any]:
        """Return the numbers by name, for a run's result; cycles are means over right-hand sides, None of one not met."""
        digital, unmet = self.work.digital.total(), None in self.cycles or None in self.without
        return {
            "verdict": self.verdict,
            "method": self.method,
            "right_hand_sides": len(self.cycles),
            "cycles_with": _mean_or_none(self.cycles),
            "cycles": _mean_or_none(self.without),
            "cycles_same_method": _mean_or_none(self.same_method),
            "most_cycles": self.most,
            "saved": self.saved,
            "cycles_ratio": _ratio(_mean_or_none(self.cycles), _mean_or_none(self.without)),
            "digital_with": digital,
            "digital": self.digital_without,
            "digital_ratio": None if unmet else _ratio(digital, self.digital_without),
        }


@dataclass(frozen=True)
class SampledWorth:
    """Sampled right-hand sides of held matrices with the chip and without it, to be added up.

    Attributes
    ----------
    solves : tuple of UnaidedSolve
    cycles : tuple of int or None
        Of the same right-hand sides with the chip.
    work : Work
        Of all right-hand sides with the chip.
    digital_without : int
        Multiplications of all right-hand sides without the chip, their certificates included.
    most, allowed : int
        Cycles allowed without the chip, and with it.
    lost : bool
        Whether most cells of every loop are outside their windows.
    """

    solves: tuple[UnaidedSolve, ...] = ()
    cycles: tuple[int | None, ...] = ()
    work: Work = field(default_factory=Work)
    digital_without: int = 0
    most: int = 0
    allowed: int = 0
    lost: bool = True

    def __add__(self, other: SampledWorth) -> SampledWorth:
        """Return both together."""
        return SampledWorth(
            self.solves + other.solves,
            self.cycles + other.cycles,
            self.work + other.work,
            self.digital_without + other.digital_without,
            max(self.most, other.most),
            max(self.allowed, other.allowed),
            self.lost and other.lost,
        )

    def worth(self, beside: int = 0) -> Worth | None:
        """Return what the chip was worth, with `beside` digital multiplications that are the same without it.

        None where nothing was refined on it.
        """
        if not self.solves:
            return None
        work = self.work + Work()
        work.digital["beside"] = beside
        return Worth.of(
            WithoutChip("gcr", self.solves, tuple(one.cycles for one in self.solves)),
            self.cycles,
            work,
            most=self.most,
            allowed=self.allowed,
            digital_without=self.digital_without + beside,
            nothing=self.lost,
        )


def _mean(cycles: Sequence[int | None]) -> str:
    found = _mean_or_none(cycles)
    return "more" if found is None else _number(found)


def _number(cycles: float) -> str:
    return f"{cycles:.4g}"


def _mean_or_none(cycles: Sequence[int | None]) -> float | int | None:
    known = [one for one in cycles if one is not None]
    if len(known) < len(cycles) or not known:
        return None
    return known[0] if len(known) == 1 else sum(known) / len(known)


def _ratio(with_it: float | None, without: float | None) -> float | None:
    return with_it / without if with_it is not None and without else None
