"""The clock of a run that may be taken up: by the Unix time of its zero a later attempt counts on."""

from __future__ import annotations

import numpy as np

from mho.runs import Array

CLOCK_ZERO = "clock_zero"
"""Array with the Unix time (s) of the zero of the run's clock; NaN on a simulated bench."""


def clock_zero() -> Array:
    """Return its declaration."""
    return Array(
        CLOCK_ZERO, np.array([np.nan]), "s", "Unix time of the run's clock at 0; NaN on a simulated bench"
    )
