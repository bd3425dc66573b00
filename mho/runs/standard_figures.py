"""The figures of cells programmed by write-verify, which several procedures declare.

For files from before figures were declared they are made up from what the file holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mho.runs.figures import Band, Figure, ReferenceLine

# The line on which measured values lie that are as expected
IDENTITY = ReferenceLine(1.0, power=1.0, label="as expected")
# Names of the figures of programmed cells that show levels
OF_LEVELS = ("levels", "level_shares", "confusion", "inside", "pulses_by_level")


def leading_first(*groups: Sequence[Figure]) -> tuple[Figure, ...]:
    """Return figures of several groups, the first two of each before all others."""
    return tuple(one for part in (slice(2), slice(2, None)) for group in groups for one in group[part])


def programming_figures(
    arrays: Sequence[str], windows: Iterable[tuple[float, float]] = ()
) -> tuple[Figure, ...]:
    """Return how cells were programmed: their levels, the pulses they took, and by how much they miss their targets.

    The first two are the leading ones. `OF_LEVELS` are those that make sense only where there are few levels, and many
    cells of each.

    `arrays`: their maps are ``ARRAY_conductance``, ``ARRAY_target`` and ``ARRAY_pulses``.
    `windows` (low, high): the verify window of each digit, S; an infinite end is open.
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
        "level_shares", kind="distribution", y_scale="probability",
        title="Cumulative share of the cells, by level", **targeted,
    )  # fmt: skip
    taken = Figure("pulses_per_cell", kind="histogram", map=counts, y_scale="log", title="Pulses per cell")
    finished = Figure(
        "pulses_by_level", kind="distribution", map=counts, by=targets,
        title="Share of the cells finished, by pulses and level",
    )  # fmt: skip
    errors = Figure("errors", map=conductances, minus=targets, title="Conductance errors")
    correlation = Figure(
        "error_correlation", kind="correlation", map=conductances, minus=targets, by=targets,
        title="Correlation of errors between cells, less each level's median",
    )  # fmt: skip
    of_levels: tuple[Figure, ...] = ()
    if bands:
        of_levels = (
            Figure("confusion", kind="confusion", title="Levels wanted and read", **targeted),
            Figure("inside", kind="share", title="Share of the cells inside their window", **targeted),
        )
    return (levels, errors, taken, shares, *of_levels, finished, correlation)
