"""Parameters of a preset beyond those of pulses, each from the experiment that tells it.

`estimates`: a number with its interval; `forming_voltages`, `stuck_cells`, `noise_levels`, `ageing`, `bakes`, `wear`:
functions of arrays; `programming_times` has what runs before tell of the cells that one watches; `gathering` reads run
files. What a run tells nothing of is said, with the reason.
"""

from mho.analysis.calibration.experiments.estimates import ParameterEstimate
from mho.analysis.calibration.experiments.gathering import GatheredEvidence, told_beyond_pulses

__all__ = ["GatheredEvidence", "ParameterEstimate", "told_beyond_pulses"]
