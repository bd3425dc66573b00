"""The runner of one bench takes jobs from the queue, each into a process of its own; clients watch and command it.

The names are loaded when they are asked for (PEP 562): a worker, which every job starts anew, needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mho.running.runner.client import NoRunnerError, RunnerBusyError, RunnerClient, Watch
    from mho.running.runner.runner import Runner
    from mho.running.runner.worker_process import Grace

_HOMES = {
    "Grace": "worker_process",
    "NoRunnerError": "client",
    "Runner": "runner",
    "RunnerBusyError": "client",
    "RunnerClient": "client",
    "Watch": "client",
}

__all__ = ["Grace", "NoRunnerError", "Runner", "RunnerBusyError", "RunnerClient", "Watch"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
