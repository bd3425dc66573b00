"""How procedures are carried out: now, by a plan, in a campaign, or from the queue.

`run`, `solve` and `forecast` are loaded when they are asked for (PEP 562): the supervisor, which comes first, is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.execution import run
    from mho.running.forecasting import forecast
    from mho.running.solving import solve
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["forecast", "run", "solve"]
