"""The runner of one bench takes jobs from the queue, each into a process of its own; clients watch and command it.

The names are loaded when they are asked for (PEP 562): a worker, which every job starts anew, needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.runner.announcements import notifying
    from mho.running.runner.client import NoRunnerError, RunnerBusyError, RunnerClient, Watch
    from mho.running.runner.emergency import emergency_stop
    from mho.running.runner.messages import Event, JobChanged, RunnerState
    from mho.running.runner.outcome import as_it_stands
    from mho.running.runner.runner import Runner
    from mho.running.runner.worker_process import StopTimeouts
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Event", "JobChanged", "NoRunnerError", "Runner", "RunnerBusyError", "RunnerClient", "RunnerState",
    "StopTimeouts", "Watch", "as_it_stands", "emergency_stop", "notifying",
]  # fmt: skip
