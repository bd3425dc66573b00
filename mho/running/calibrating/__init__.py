"""A fitted preset compared with the data: the same experiment on chips drawn from its posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.calibrating.checks import Check, Checks, check_runs, save_checks
    from mho.running.calibrating.posterior_draws import PosteriorDraws
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["Check", "Checks", "PosteriorDraws", "check_runs", "save_checks"]
