"""Why cells ended outside their windows: the class that each has in a chip's list of defects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.defects import CLASSES
from mho.chip_maps.levels import Levels
from mho.chip_maps.write_verify_settings import WriteVerifySettings

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]
Codes = NDArray[np.uint8]

GOOD, STUCK_ON, STUCK_OFF, UNFORMED, UNSTEADY = (
    CLASSES.index(name) for name in ("good", "stuck on", "stuck off", "unformed", "unsteady")
)


def classify(
    conductance: Floats, digits: Digits, pulses: Digits, levels: Levels, settings: WriteVerifySettings
) -> Codes:
    """Return the class of cells whose write-verify has ended, as codes in `CLASSES`.

    A cell outside its window was given up. Where it had as many pulses as there may be, it is unsteady; where it does not
    conduct after the forming pulses alone, unformed; else stuck on the side on which it lies.

    Parameters
    ----------
    conductance : array
        Last verify read, S; NaN where there was none, which is good.
    digits, pulses : arrays
        Target digit, and pulses since the write-verify of the cell began.
    """
    above, below = conductance > levels.high[digits], conductance < levels.low[digits]
    silent = below & (conductance < settings.formed_above) & (pulses <= len(settings.forming_voltages))
    choices = [(above | below) & (pulses >= settings.max_pulses), silent, below, above]
    return np.select(choices, [UNSTEADY, UNFORMED, STUCK_OFF, STUCK_ON], GOOD).astype(np.uint8)


def given_up(
    conductance: Floats, digits: Digits, pulses: Digits, levels: Levels, settings: WriteVerifySettings
) -> NDArray[np.bool_]:
    """Return which cells had so many pulses, without a read in their window since, that write-verify gives them up.

    Parameters as `classify`, for cells whose write-verify may have been cut short.
    """
    codes = classify(conductance, digits, pulses, levels, settings)
    least = np.where(codes == UNFORMED, len(settings.forming_voltages), settings.futile)
    return np.asarray((codes != GOOD) & (pulses >= least))
