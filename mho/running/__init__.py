"""How procedures are carried out: now, by a plan, in a campaign, or from the queue.

- `execution`: runs one procedure in this process; `solving`: solves A x = b for arrays in one call;
- `supervisor`, `safety_statement`: a run in its own process, and whether it left its bench safe;
- `budget`: what made the answers of a run wrong, cause by cause;
- `forecasting`: what a solve is going to come to, before anything is programmed;
- `characterising`: the standard protocol over a sample of cells, one plan and one report;
- `calibrating`: a preset fitted to a chip, held to the runs that it is made from;
- `plan`, `campaign`: many runs from one TOML file, in sequence or on workers;
- `continuing`, `recipe`, `rerun`: an earlier run's chip again, and an earlier run repeated and compared;
- `resuming`: the rest of a run that was killed;
- `rehearsal`: the same procedure on the twins first; `trust`: which code a run file may load;
- `results`: what a run file keeps of a result; `notifications`: mail, chat or phone at the end of a run;
- `queue`: the durable list of jobs; `runner`: the process that carries them out.

`run`, `solve` and `forecast` are loaded when they are asked for (PEP 562): the supervisor, which comes first, is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.execution import evaluate, run
    from mho.running.forecasting import forecast
    from mho.running.solving import solve
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["evaluate", "forecast", "run", "solve"]
