"""The figures of what several procedures write alike: cells programmed by write-verify, and a refinement.

Procedures declare them; for files from before figures were declared they are made up from what the file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mho.runs.figures import Band, Figure, ReferenceLine

IDEAL_RATIO = 2.0**-3
"""Best typical factor by which an INV circuit of 3-bit cells reduces an error per cycle (Zuo 2025, Fig. 3)."""


def convergence_figure(bits: int | None, tolerance: float | None = None, *, columns: int = 1) -> Figure:
    """Return residual and relative error over the cycles, from x = 0, beside the forecast and 3 bits a cycle.

    Parameters
    ----------
    bits : int or None
        Precision asked for.
    tolerance : float or None
        Relative residual to stop at, where that was asked for.
    columns : int
        Number of right-hand sides; of several, each has a curve of its relative error.
    """
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
        y=("residual", "relative_error") if columns == 1 else "relative_error",
        by=() if columns == 1 else "rhs",
        y_scale="log",
        lines=tuple(lines),
        start=(0.0, 1.0),
        title="Convergence",
    )


def programming_figures(
    arrays: Sequence[str], windows: Iterable[tuple[float, float]] = (), *, pulses: bool = True
) -> tuple[Figure, ...]:
    """Return how cells were programmed: their levels, the pulses they took, and by how much they miss their targets.

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
    levels = Figure(
        "levels",
        kind="histogram",
        map=conductances,
        by=targets,
        y_scale="log",
        bands=bands,
        title="Levels of the programmed cells",
    )
    taken = Figure("pulses_per_cell", kind="histogram", map=counts, y_scale="log", title="Pulses per cell")
    errors = Figure("errors", map=conductances, minus=targets, title="Conductance errors")
    return (levels, *((taken,) if pulses else ()), errors)
