"""A fitted preset held to the data: the same experiment on chips drawn from its posterior, and what comes out beside them.

- `measured`: the runs that are to be repeated, and what was found in them;
- `replicas`: one of them repeated on a drawn chip;
- `compared_numbers`: the numbers that are compared, functions of arrays;
- `checks`: each measured number beside the drawn ones, with its probability; `drawings`: the same as a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.calibrating.checks import Check, Checks, check_runs
    from mho.running.calibrating.drawings import save_checks
    from mho.running.calibrating.posterior_draws import PosteriorDraws
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["Check", "Checks", "PosteriorDraws", "check_runs", "save_checks"]
