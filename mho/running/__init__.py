"""How procedures are carried out: now, by a plan, in a campaign, or from the queue.

- `execution`: runs one procedure in this process; `solving`: solves A x = b for arrays in one call;
- `supervisor`, `safety_statement`: a run in its own process, and whether it left its bench safe;
- `plan`, `campaign`: many runs from one TOML file, in sequence or on workers;
- `continuing`, `recipe`, `rerun`: an earlier run's chip again, and an earlier run repeated and compared;
- `rehearsal`: the same procedure on the twins first; `trust`: which code a run file may load;
- `results`: what a run file keeps of a result; `notifications`: mail, chat or phone at the end of a run;
- `queue`: the durable list of jobs; `runner`: the process that carries them out.

`run` and `solve` are loaded when they are asked for (PEP 562): the supervisor, which comes before all else, is small.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mho.running.execution import run
    from mho.running.solving import solve

_HOMES = {"run": "mho.running.execution", "solve": "mho.running.solving"}

__all__ = ["run", "solve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
