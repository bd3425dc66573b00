"""The reference paper's experiments repeated on the virtual bench, each beside the published numbers.

- `as_published`: the paper's own loops, in which nothing is chosen;
- `curves`, `devices`: the experiments; `experiments`: all of them by name; `command`: `mho published`;
- `comparisons`: a bench with a chip of its own for every seed, and what is found there beside what is published, which
  `paper_numbers.toml` has, with how it was read;
- `rejection`: is a published curve one of an ensemble's? Functions of arrays;
- `repeating`: all of it, into one run file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.published.comparisons import (
        ExperimentOutcome,
        PublishedComparison,
        Setup,
        published_numbers,
    )
    from mho.extensions.published.devices import peak_time, step_of
    from mho.extensions.published.experiments import EXPERIMENTS
    from mho.extensions.published.rejection import Rejection, detectable, reject
    from mho.extensions.published.repeating import Repeated, repeat_published
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "EXPERIMENTS", "ExperimentOutcome", "PublishedComparison", "Rejection", "Repeated", "Setup", "detectable",
    "peak_time", "published_numbers", "reject", "repeat_published", "step_of",
]  # fmt: skip
