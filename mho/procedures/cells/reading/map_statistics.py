"""What a map of an array says: how many cells are of which class, and which lines stand out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.levels import Levels
from mho.procedures.cells.levels_of_cells import UNKNOWN, in_windows, nearest_levels

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

NORMAL_MAD = 0.6744898  # median magnitude of a normal deviate of unit deviation
OUTLIER = 5.0  # robust standard deviations: one of two million normal lines
FEWEST_LINES = 5
"""Lines below which none can be told from the others."""


def classes(
    conductance: Floats, levels: Levels, formed_above: float, formed: NDArray[np.bool_] | None = None
) -> dict[str, int]:
    """Return how many cells of a map (S) there are of each class.

    Parameters
    ----------
    conductance : array
        S.
    levels : Levels
    formed_above : float
        Conductance (S) of a cell that has been formed for certain.
    formed : array of bool, optional
        Cells that were formed before, whatever they read now.

    Returns
    -------
    dict
        ``unformed`` below `formed_above` (S), which also is what is open; ``in_window`` of any level, and of each
        as ``level_K``; ``between`` windows; ``above`` the highest window.
    """
    conducts = conductance > formed_above
    digits = nearest_levels(conductance, levels, conducts if formed is None else conducts | formed)
    inside = in_windows(conductance, digits, levels)
    above = conductance > levels.high[-1]
    formed = digits != UNKNOWN
    found = {
        "unformed": int((~formed).sum()),
        "in_window": int(inside.sum()),
        "between": int((formed & ~inside & ~above).sum()),
        "above": int(above.sum()),
    }
    counts = np.bincount(digits[inside], minlength=levels.top + 1)
    return found | {f"level_{digit}": int(count) for digit, count in enumerate(counts)}


def line_scores(conductance: Floats) -> tuple[Floats, Floats]:
    """Return how far each row's and each column's mean lies from that of a usual one, in robust standard deviations.

    The spread of lines is that of the median magnitude, but no less than a line's own standard error: lines of an array
    whose cells differ must differ by that much.
    """
    return _scores(conductance), _scores(conductance.T)


def _scores(lines: Floats) -> Floats:
    means = lines.mean(axis=1)
    if len(means) < FEWEST_LINES:
        return np.zeros(len(means))
    away = means - np.median(means)
    spread = float(np.median(np.abs(away))) / NORMAL_MAD
    usual = float(np.median(lines.std(axis=1))) / np.sqrt(lines.shape[1])
    floor = max(spread, usual)
    scores: Floats = away / floor if floor > 0.0 else np.where(away != 0.0, np.sign(away) * np.inf, 0.0)
    return scores


def outliers(scores: Floats, lines: Numbers) -> list[int]:
    """Return the numbers of the `lines` whose scores stand out, the farthest first."""
    far = np.flatnonzero(np.abs(scores) > OUTLIER)
    order = np.argsort(-np.abs(scores[far]), kind="stable")
    return [int(line) for line in lines[far[order]]]
