"""How procedures are carried out: now, by a plan, in a campaign, or from the queue.

- `execution`: runs one procedure in this process; `phases`: bench open, file written, everything safe on every way out;
- `supervisor`, `safety_statement`: a run in its own process, and whether it left its bench safe;
- `rehearsal`: the same procedure on the twins first; `trust`: which code a run file may load;
- `continuing`, `recipe`: an earlier run's chip again, the rest of a killed run, and a run repeated and compared;
- `queue`: the durable list of jobs; `runner`: the process that carries them out; `plan`, `campaign`: many runs from a file;
- `budget`: what made the answers of a run wrong; `forecasting`: what a solve is going to come to;
- `results`: what a run file keeps of a result; `notifications`: mail, chat or phone at the end of a run.

The names are loaded when they are asked for (PEP 562): the supervisor, which comes first, is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.continuing import chip_after
    from mho.running.execution import evaluate, run
    from mho.running.forecasting import Forecast, forecast
    from mho.running.phases import Opening, opener_of
    from mho.running.plan import PlannedRun, load_plan
    from mho.running.rehearsal import bus_reports
    from mho.running.safety_statement import observed_safety
    from mho.running.solving import solve
    from mho.running.supervisor import Report
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Forecast", "Opening", "PlannedRun", "Report", "bus_reports", "chip_after", "evaluate", "forecast",
    "load_plan", "observed_safety", "opener_of", "run", "solve",
]  # fmt: skip
