"""Which parameters of the standard experiments stand in the first table of a page, and by which words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mho.analysis.characterisation.extracted import Extracted

HEADLINES: dict[str, tuple[tuple[str, str], ...]] = {
    "Contact": (
        ("open", "open cells"),
        ("short", "shorted cells"),
        ("leaky", "cells with a leaky selector"),
        ("unformed", "unformed cells at the start"),
    ),
    "Form": (
        ("yield", "forming yield"),
        ("median", "forming voltage, median"),
        ("normal_sd", "forming voltage, standard deviation from cell to cell"),
        ("conductance_median", "conductance after forming, median"),
    ),
    "Map": (("deviation", "standard deviation of a read through the DAQ"),),
    "IV": (
        ("v_set", "SET voltage at DC, median"),
        ("v_set_device_sd", "SET voltage at DC, from cell to cell"),
        ("v_set_cycle_sd", "SET voltage at DC, from cycle to cycle"),
        ("v_reset", "RESET voltage at DC, median"),
        ("v_reset_device_sd", "RESET voltage at DC, from cell to cell"),
        ("v_reset_cycle_sd", "RESET voltage at DC, from cycle to cycle"),
        ("window", "window at DC, median of LRS/HRS"),
        ("peak_current", "RESET current"),
    ),
    "Response": (
        ("threshold", "word line at which a SET begins"),
        ("slope", "conductance per volt of word line"),
        ("top", "conductance at which a SET saturates"),
        ("device_spread", "response, from cell to cell"),
        ("cycle_spread", "response, from pulse to pulse"),
    ),
    "Response, V_SL": (
        ("threshold", "source line at which a RESET begins"),
        ("slope", "decrease of ln G per volt of source line"),
        ("floor", "conductance that a RESET leaves"),
        ("device_spread", "response to RESET, from cell to cell"),
        ("cycle_spread", "response to RESET, from pulse to pulse"),
    ),
    "Switching": (
        ("lrs.median", "LRS by pulses, median"),
        ("lrs.cycle_deviation", "LRS, from cycle to cycle"),
        ("lrs.device_deviation", "LRS, from cell to cell"),
        ("hrs.median", "HRS by pulses, median"),
        ("hrs.cycle_deviation", "HRS, from cycle to cycle"),
        ("hrs.device_deviation", "HRS, from cell to cell"),
        ("window", "window by pulses, median of LRS/HRS"),
        ("worst_window", "window by pulses, the worst"),
    ),
    "Program": (
        ("cells_failed", "cells outside their level after write-verify"),
        ("pulses", "pulses of all cells"),
    ),
    "Noise": (
        ("relative_deviation", "read noise of a cell over its conductance"),
        ("slope", "slope of the noise's spectrum (log S over log f)"),
        ("telegraph_share", "share of cells with telegraph noise"),
    ),
    "Disturb": ((r"level_(\d+)\.change", "change of level {} by all pulses of the stress, median"),),
    "Retention": (
        (r"level_(\d+)\.drift", "drift of level {} per decade of time, mean"),
        (r"level_(\d+)\.spread_per_decade", "spread that level {} gains per decade of time"),
        (r"level_(\d+)\.inside", "share of level {} in its window at the last read"),
    ),
    "Endurance": (
        ("failed", "cells whose window failed"),
        ("weibull_scale", "cycles to failure, Weibull's scale"),
        ("weibull_shape", "cycles to failure, Weibull's shape"),
        ("lrs_last", "LRS after all cycles, median"),
        ("hrs_last", "HRS after all cycles, median"),
    ),
}
"""By the procedure's class, and what a response varies but the word line: pattern of the name in the result, and words."""


def headline(procedure: str, found: Sequence[Extracted]) -> Iterator[tuple[str, Extracted]]:
    """Yield the parameters of a run that belong into the first table, each with its words."""
    for pattern, words in HEADLINES.get(procedure, ()):
        for one in found:
            match = re.fullmatch(pattern, one.name)
            if match and one.value is not None:
                yield words.format(*match.groups()), one
