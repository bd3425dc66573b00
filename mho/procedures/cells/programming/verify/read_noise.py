"""The noise of verify reads, seen between two reads of the same cells, beside the windows that they are to resolve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.levels import Levels

Floats = NDArray[np.float64]

FEWEST = 16  # cells from which the noise is told
NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def read_noise(first: Floats, second: Floats) -> float | None:
    """Return the noise of a read, S, from two reads of the same cells; None for fewer than `FEWEST`.

    The first one is what write-verify accepted, and so lies in its window whatever the noise: the second alone tells the
    noise, by the median of its distance from the first (robust to cells that moved). Relaxation in between counts, too.
    """
    change = np.abs(second - first)
    change = change[np.isfinite(change)]
    return NORMAL * float(np.median(change)) if change.size >= FEWEST else None


def noise_warning(
    first: Sequence[Floats],
    second: Sequence[Floats],
    digits: Sequence[NDArray[np.int64]],
    levels: Levels,
    inner: float,
) -> str:
    """Return a warning when cells' reads differ by more than the half width of the windows aimed for; "" otherwise.

    Parameters
    ----------
    first, second : sequence of arrays
        Two reads of each block's cells, S.
    digits : sequence of arrays
        Only cells of digits above 0 count: of digit 0 the window is open below.
    inner : float
        Share of the windows that is aimed for.
    """
    raised = [d > 0 for d in digits]
    reads = ([value[some] for value, some in zip(values, raised, strict=True)] for values in (first, second))
    noise = read_noise(*(np.concatenate(list(values)) for values in reads))
    half_width = inner * float((levels.high - levels.nominal)[1:].min())
    if noise is None or noise <= half_width:
        return ""
    return (
        f"a verify read is less sure than its window: reads of the same cells differ by {1e6 * noise:.3g} uS (robust sd), "
        f"and the windows aimed for are +-{1e6 * half_width:.3g} uS; average reads (verify_reads), or read columns by "
        "Hadamard patterns (verify=hadamard) where the readout is noisy, or widen the windows"
    )
