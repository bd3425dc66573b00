"""Calibrates a cell preset on run files: a twin of one's own chip, and how well it is known.

From the ground up: `pulses_by_cell`, `still_cells`, `transitions` (what pulses did), `likelihoods`, `posterior`,
`calibrating`; `pulse_records` reads run files, `experiments` has what they tell beyond pulses, `preset_text` writes.
"""

from mho.analysis.calibration.advice import COMMANDS, check_range
from mho.analysis.calibration.calibrating import Calibration, as_preset_file, calibrate, sought
from mho.analysis.calibration.experiments import GatheredEvidence, told_beyond_pulses
from mho.analysis.calibration.likelihoods.threshold_reset import FITTED as RESETS
from mho.analysis.calibration.likelihoods.threshold_set import FITTED as SETS
from mho.analysis.calibration.pulse_records import (
    PulseTable,
    Records,
    check_one_chip,
    pulse_table,
    read_records,
)
from mho.analysis.calibration.pulses_by_cell import formed_above
from mho.analysis.calibration.transitions import Transitions, transitions_of

FITTED = {**SETS, **RESETS}  # the parameters that are sought, and the kinds of their coordinates

__all__ = [
    "COMMANDS", "FITTED", "Calibration", "GatheredEvidence", "PulseTable", "Records", "Transitions",
    "as_preset_file", "calibrate", "check_one_chip", "check_range", "formed_above", "pulse_table",
    "read_records", "sought", "told_beyond_pulses", "transitions_of",
]  # fmt: skip
