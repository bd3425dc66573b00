"""Calibrates a cell preset on run files: a twin of one's own chip, and how well it is known.

From the ground up: `transitions` (what pulses did), `coordinates`, `nodes` and `memory` (what is integrated over), the
likelihoods `threshold_set` and `threshold_reset`, `posterior`, `calibrating`; `pulse_records` reads run files,
`preset_text` writes the preset.
"""

from mho.analysis.calibration.calibrating import Calibration, calibrate, sought
from mho.analysis.calibration.preset_text import as_preset_file
from mho.analysis.calibration.pulse_records import read_pulses
from mho.analysis.calibration.threshold_reset import FITTED as RESETS
from mho.analysis.calibration.threshold_set import FITTED as SETS
from mho.analysis.calibration.transitions import Transitions, transitions_of

FITTED = {**SETS, **RESETS}
"""The parameters that are sought, and the kinds of their coordinates."""

__all__ = [
    "FITTED",
    "Calibration",
    "Transitions",
    "as_preset_file",
    "calibrate",
    "read_pulses",
    "sought",
    "transitions_of",
]
