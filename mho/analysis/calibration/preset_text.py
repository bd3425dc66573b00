"""The text of a preset file, with the posterior of what was fitted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.calibrating import Calibration
from mho.analysis.calibration.experiments import ParameterEstimate

MOST_SAID = 2000


def as_preset_file(
    found: Calibration, name: str, runs: Sequence[str], beyond: Sequence[ParameterEstimate] = (),
    checks: str = "none", says: str = "",
) -> str:  # fmt: skip
    """Return a preset file called `name`, with all parameters that were sought, of run files with the names `runs`.

    Those that the data do not tell lie near the base's values, and are listed; so are those without an interval. Its
    `checks` ``passed``, ``failed`` or are ``none``, `says` has that in words.
    """
    names = [*found.names, *(one.name for one in beyond)]
    mean, low, high = (
        np.append(values, [getattr(one, end) for one in beyond])
        for end, values in (("value", found.mean), ("low", found.low), ("high", found.high))
    )
    correlation = np.eye(len(names))
    correlation[: len(found.names), : len(found.names)] = found.correlation

    def row(values: NDArray[np.float64]) -> str:
        return "[" + ", ".join(f"{value:.6g}" for value in values.tolist()) + "]"

    lines = [f"name = {json.dumps(name)}", f"base = {json.dumps(found.base)}", "", "[parameters]"]
    lines += [f"{parameter} = {value:.6g}" for parameter, value in zip(names, mean.tolist(), strict=True)]
    lines += [f"{beside} = {value:.6g}" for one in beyond for beside, value in one.beside.items()]
    sure = np.isfinite(low) & np.isfinite(high)
    without = [one for one, known in zip(names, sure.tolist(), strict=True) if not known]
    lines += ["", "[checks]", f"state = {json.dumps(checks)}", f"says = {json.dumps(says[:MOST_SAID])}"]
    lines += ["", "[posterior]", f"parameters = {json.dumps([one for one in names if one not in without])}"]
    mean, low, high, correlation = mean[sure], low[sure], high[sure], correlation[np.ix_(sure, sure)]
    for key, values in (("mean", mean), ("interval_low", low), ("interval_high", high)):
        lines.append(f"{key} = {row(values)}")
    lines.append("correlation = [")
    lines += [f"  {row(values)}," for values in correlation]
    not_told = [one for one in found.not_told if one not in names[len(found.names) :]]
    lines += ["]", f"runs = {json.dumps(list(runs))}", f"not_told = {json.dumps(not_told)}"]
    lines += [f"no_interval = {json.dumps(without)}"] if without else []
    return "\n".join(lines) + "\n"
