"""Runs are carried out in a process of their own, which the command line looks after."""

from __future__ import annotations

from contextlib import chdir
from typing import TYPE_CHECKING, Any

from mho.cli.terminal.sentences import complain_of_run
from mho.running.supervisor import Report, supervise

if TYPE_CHECKING:
    from mho.processes import SafetyResult

REPORT = "mho.cli.report"
"""Key of a context under which the report of its process is stored."""


def apart(context: Any) -> Report:
    """Continue in a separate process, once, before anything large is imported; return that process's report.

    The context's object states whether runs are supervised.
    """
    meta: dict[str, Any] = context.meta
    if REPORT not in meta:
        meta[REPORT] = supervise(_tell_queue, complain_of_run) if context.obj else Report()
    report: Report = meta[REPORT]
    return report


def _tell_queue(bench: str, folder: str, result: SafetyResult) -> str:
    """Record in the queue, if there is one, the state of a bench that a run did not leave safe itself."""
    from mho.running.queue import tell_queue  # by the supervisor, which is small until then

    with chdir(folder):
        return tell_queue(bench, result)
