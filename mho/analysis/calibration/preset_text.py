"""The text of a preset file, with the posterior of what was fitted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.calibrating import Calibration


def as_preset_file(found: Calibration, name: str, runs: Sequence[str]) -> str:
    """Return a preset file called `name`, with all parameters that were sought.

    Those that the data do not tell lie near the base's values, and are listed.

    Parameters
    ----------
    runs : sequence of str
        Names of the run files that it comes from.
    """

    def row(values: NDArray[np.float64]) -> str:
        return "[" + ", ".join(f"{value:.6g}" for value in values.tolist()) + "]"

    lines = [f"name = {json.dumps(name)}", f"base = {json.dumps(found.base)}", "", "[parameters]"]
    lines += [f"{parameter} = {value:.6g}" for parameter, value in found.values.items()]
    lines += ["", "[posterior]", f"parameters = {json.dumps(list(found.names))}"]
    for key, values in (("mean", found.mean), ("interval_low", found.low), ("interval_high", found.high)):
        lines.append(f"{key} = {row(values)}")
    lines.append("correlation = [")
    lines += [f"  {row(values)}," for values in found.correlation]
    lines += ["]", f"runs = {json.dumps(list(runs))}", f"not_told = {json.dumps(list(found.not_told))}"]
    return "\n".join(lines) + "\n"
