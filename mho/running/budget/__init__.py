"""Error budgets: a run repeated on its own twin with the causes of its error switched off, one by one and together.

- `shapley`: from a number for every set of causes to each cause's part in it, functions of arrays;
- `questions`: the answers of a run, their errors as measured and as a twin with some causes gives them;
- `answers`, `block_answers`: hears of them while the run is repeated; by blocks, many loops an answer;
- `loop_targets`: what the cells of a loop hold to which only some causes happened; `repeated_bench`: a bench of such cells;
- `replaying`: the run repeated as far as its answers;
- `shares`: which sets of causes are computed, and how well the parts are known;
- `budgets`: all of it for one run file; `drawings`: the same as a picture.

The twin's causes are those of `mho.instruments.arrays`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.budget.budgets import Budget, CauseShare, budget
    from mho.running.budget.drawings import save_budget
    from mho.running.budget.shapley import sampled_values, shapley_values
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Budget",
    "CauseShare",
    "budget",
    "sampled_values",
    "save_budget",
    "shapley_values",
]
