"""Parameters of a preset beyond those of pulses, each from the experiment that tells it.

`estimates`: a number with its interval; `forming_voltages`, `stuck_cells`, `noise_levels`, `ageing`, `wear`: functions
of arrays; `gathering` reads run files. What a run tells nothing of is said, with the reason.
"""

from mho.analysis.calibration.experiments.estimates import Estimate
from mho.analysis.calibration.experiments.gathering import Told, told_beyond_pulses

__all__ = ["Estimate", "Told", "told_beyond_pulses"]
