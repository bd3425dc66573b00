"""Error budgets: a run repeated on its own twin with the causes of its error switched off, one by one and together.

The twin's causes are those of `mho.instruments.arrays`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.budget.budgets import Budget, CauseShare, budget
    from mho.running.budget.drawings import save_budget
    from mho.running.budget.shares import sampled_values, shapley_values
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Budget", "CauseShare", "budget", "sampled_values", "save_budget", "shapley_values",
]  # fmt: skip
