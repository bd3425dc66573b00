"""Programming policies found on the twin of a chip: settings, their gain, and what they are predicted to take.

- `policies`: the search, and the comparison with the present settings;
- `search_space`: which settings are searched, between which bounds, and which are tried next;
- `twin`: the chips on which they are tried; `predictions`: means and savings with intervals, and a run beside them;
- `settings_files`: what is written; `command`: `mho optimise`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.optimise.policies import COSTS, PolicySearch, ProgrammingPolicy, Trial, optimise
    from mho.extensions.optimise.predictions import GainEstimate, PredictedQuantity, Prediction, compare
    from mho.extensions.optimise.search_space import SEARCHES
    from mho.extensions.optimise.settings_files import check_writable, facts, write_settings
    from mho.extensions.optimise.twin import Twin
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "COSTS", "SEARCHES", "GainEstimate", "PolicySearch", "PredictedQuantity", "Prediction", "ProgrammingPolicy", "Trial",
    "Twin", "check_writable", "compare", "facts", "optimise", "write_settings",
]  # fmt: skip
