"""Parameters of a preset beyond those of pulses, each from the experiment that tells it."""

from mho.extensions.calibration.experiments.estimates import ParameterEstimate
from mho.extensions.calibration.experiments.evidence import GatheredEvidence, told_beyond_pulses

__all__ = ["GatheredEvidence", "ParameterEstimate", "told_beyond_pulses"]
