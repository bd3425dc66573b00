"""A twin of one's own chip: a cell preset fitted to run files, how well it is known, and whether its chips do the same.

- `pulse_records`: the pulses in run files; `pulses_by_cell`, `still_cells`, `transitions`: what they did;
- `likelihoods`, `posterior`, `residuals`, `calibrating`: the fit, and the preset file that is written;
- `experiments`: what runs tell beyond pulses; `advice`: which experiment would tell more;
- `checks`, `compared_numbers`: the same runs on chips drawn from the posterior; `command`: `mho calibrate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.calibration.advice import COMMANDS, check_range
    from mho.extensions.calibration.calibrating import Calibration, as_preset_file, calibrate, sought
    from mho.extensions.calibration.checks import Check, Checks, check_runs, save_checks
    from mho.extensions.calibration.experiments import GatheredEvidence, told_beyond_pulses
    from mho.extensions.calibration.pulse_records import Records, check_one_chip, read_records
    from mho.extensions.calibration.transitions import Transitions, transitions_of
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "COMMANDS", "Calibration", "Check", "Checks", "GatheredEvidence", "Records", "Transitions", "as_preset_file",
    "calibrate", "check_one_chip", "check_range", "check_runs", "read_records", "save_checks", "sought",
    "told_beyond_pulses", "transitions_of",
]  # fmt: skip
