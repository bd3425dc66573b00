"""The figures of what several procedures write alike: cells programmed by write-verify, and a refinement.

Procedures declare them; for files from before figures were declared they are made up from what the file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mho.runs.figures import Band, Figure, ReferenceLine

IDEAL_RATIO = 2.0**-3
"""Best typical factor by which an INV circuit of 3-bit cells reduces an error per cycle (Zuo 2025, Fig. 3)."""


IDENTITY = ReferenceLine(1.0, power=1.0, label="as expected")
"""The line on which measured values lie that are as expected."""

OF_LEVELS = ("levels", "level_shares", "confusion", "inside", "pulses_by_level")
"""Names of the figures of programmed cells that show levels."""


def convergence_figure(
    bits: int | None,
    tolerance: float | None = None,
    *,
    columns: int = 1,
    errors: bool = True,
    beside: str = "",
) -> Figure:
    """Return residual and relative error over the cycles, from x = 0, beside the forecast and 3 bits a cycle.

    Parameters
    ----------
    bits : int or None
        Precision asked for.
    tolerance : float or None
        Relative residual to stop at, where that was asked for.
    columns : int
        Number of right-hand sides; of several, each has a curve of its relative error.
    errors : bool
        Whether relative errors are known; else residuals alone are shown.
    beside : str
        Table of the same without the chip, where there is one.
    """
    error = "relative_error" if errors else "residual"
    lines = [
        ReferenceLine(1.0, ratio=IDEAL_RATIO, label="3 bits a cycle"),
        ReferenceLine(1.0, ratio="forecast_rho", label="forecast, rho"),
    ]
    if bits is not None:
        lines.append(ReferenceLine(2.0**-bits, label=f"{bits} bits"))
    if tolerance:
        lines.append(ReferenceLine(float(tolerance), label="tolerance of the residual"))
    return Figure(
        "convergence",
        table="cycles",
        x="cycle",
        y=("residual", "relative_error") if columns == 1 and errors else error,
        by=() if columns == 1 else "rhs",
        y_scale="log",
        lines=tuple(lines),
        start=(0.0, 1.0),
        title="Convergence",
        beside=beside,
    )


def cycle_figures(bits: int | None, *, columns: int = 1, beside: str = "") -> tuple[Figure, ...]:
    """Return bits found over the cycles, from x = 0, beside the forecast, and how often integers were wrong in each.

    Parameters are those of `convergence_figure`.
    """
    lines = [
        ReferenceLine(-np.log2(IDEAL_RATIO), power=1.0, label="3 bits a cycle"),
        ReferenceLine("forecast_bits_a_cycle", power=1.0, label="forecast, bits a cycle"),
    ]
    if bits is not None:
        lines.append(ReferenceLine(float(bits), label=f"{bits} bits"))
    return (
        Figure(
            "bits_by_cycle",
            table="cycles",
            x="cycle",
            y="bits",
            by=() if columns == 1 else "rhs",
            lines=tuple(lines),
            start=(0.0, 0.0),
            title="Bits over the cycles",
            beside=beside,
        ),
        Figure(
            "wrong_by_cycle",
            kind="share",
            table="cycles",
            x="cycle",
            y=("mvm_wrong", "mvm_outputs"),
            y_scale="log",
            title="Wrong integers by cycle",
        ),
    )


def programming_figures(
    arrays: Sequence[str], windows: Iterable[tuple[float, float]] = (), *, pulses: bool = True
) -> tuple[Figure, ...]:
    """Return how cells were programmed: their levels, the pulses they took, and by how much they miss their targets.

    `OF_LEVELS` are those that make sense only where there are few levels, and many cells of each.

    Parameters
    ----------
    arrays : sequence of str
        Their maps are ``ARRAY_conductance``, ``ARRAY_target`` and ``ARRAY_pulses``.
    windows : iterable of (low, high)
        The verify window of each digit, S; an infinite end is open.
    pulses : bool
        Whether there are maps of pulses.
    """
    conductances, targets, counts = (
        tuple(f"{array}_{quantity}" for array in arrays) for quantity in ("conductance", "target", "pulses")
    )
    bands = tuple(
        Band(low if np.isfinite(low) else None, high if np.isfinite(high) else None, str(digit))
        for digit, (low, high) in enumerate(windows)
    )
    targeted: dict[str, Any] = {"map": conductances, "by": targets, "bands": bands}
    levels = Figure(
        "levels", kind="histogram", y_scale="log", title="Levels of the programmed cells", **targeted
    )
    shares = Figure(
        "level_shares",
        kind="distribution",
        y_scale="probability",
        title="Cumulative share of the cells, by level",
        **targeted,
    )
    taken = Figure("pulses_per_cell", kind="histogram", map=counts, y_scale="log", title="Pulses per cell")
    finished = Figure(
        "pulses_by_level",
        kind="distribution",
        map=counts,
        by=targets,
        title="Share of the cells finished, by pulses and level",
    )
    errors = Figure("errors", map=conductances, minus=targets, title="Conductance errors")
    correlation = Figure(
        "error_correlation",
        kind="correlation",
        map=conductances,
        minus=targets,
        by=targets,
        title="Correlation of errors between cells, less each level's median",
    )
    of_levels: tuple[Figure, ...] = ()
    if bands:
        of_levels = (
            Figure("confusion", kind="confusion", title="Levels wanted and read", **targeted),
            Figure("inside", kind="share", title="Share of the cells inside their window", **targeted),
        )
    return (levels, shares, *of_levels, *((taken, finished) if pulses else ()), errors, correlation)
