"""The process that carries out one job: ``python -m mho.running.runner.worker MODULE…``, started by a runner.

It imports the modules, which are mho's own, and waits: the worker of the next job is started ahead. It reads a
`JobAssignment` and commands from standard input, and writes events to standard output, each a line of JSON. When its input
ends, the runner is gone: the worker stops at the next safe point.
"""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from mho import platforms
from mho.errors import Aborted, MhoError, QueueError, recorded_name
from mho.instruments.bench_file import is_real
from mho.own_code import search_also
from mho.platforms.system import MARK
from mho.procedures.catalogue import make_procedure
from mho.procedures.stream import ActWanted, Control, Ended, Event, Started
from mho.processes import end_alone, end_children, leave, left_threads
from mho.running.execution import run
from mho.running.queue.progress import Pace
from mho.running.results import failure_reason
from mho.running.runner import messages
from mho.running.safety_statement import SafetyObserver
from mho.running.trust import allow_all
from mho.runs import Status

LAST_WORDS = 10.0  # s that the runner may take to hear the end

log = logging.getLogger(__name__)


def main() -> None:
    """Carry out the one job that standard input names."""
    faulthandler.enable()
    platforms.here.adopt_orphans(os.environ.get(MARK, ""))
    # A runner in the background ignores SIGINT, and so would this process, which is broken off by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    for name in sys.argv[1:]:
        with suppress(ImportError):  # the run says what is wrong with it
            import_module(name)
    commands = _commands()
    assignment = commands.readline()
    if not assignment.endswith(b"\n"):
        return  # the runner was gone before it could say what to do; nothing has begun
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what else is written to standard output goes to standard error
    outbox = messages.Outbox(output)
    threads = threading.enumerate()
    try:
        outbox.send(_carry_out(messages.decode(assignment), commands, outbox.offer))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is safe: what comes now has nothing to break off
        outbox.close(LAST_WORDS)
    if left_threads(threads):  # of the procedure; Python would wait for them
        leave(0)


def _commands() -> io.FileIO:
    """Return what standard input has been: from now on nothing can be read there.

    On Windows a library that is loaded asks what its standard input is, and waits as long as another thread reads there.
    """
    commands = io.FileIO(os.dup(0), "r")  # unbuffered: a thread that reads it holds no lock when all ends
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return commands


def _carry_out(assignment: Any, commands: io.FileIO, tell: Callable[[Event], None]) -> messages.JobDone:
    control = Control()
    # An emergency stop without a runner, see `outcome.break_off`
    platforms.here.on_emergency(lambda: _break_off(control, messages.EMERGENCY))
    bench = assignment.order.bench
    obey = partial(_obey, commands, control, bench if is_real(bench) else "")
    threading.Thread(target=obey, name="commands", daemon=True).start()
    threads = threading.enumerate()
    done = _run(assignment, control, tell)
    if left := left_threads(threads):
        log.warning(
            "%s, a thread of the procedure, still runs: it ends with this process", " and ".join(left)
        )
    # What the procedure has left has the bench's connections.
    return replace(done, safe=False) if end_children() or left else done


def _obey(commands: io.FileIO, control: Control, bench: str) -> None:
    """Obey the runner's commands until the runner is gone; then end, if need be by force."""
    while (line := commands.readline()).endswith(b"\n"):
        try:
            command: messages.Command = messages.decode(line)
        except QueueError as error:
            log.error("%s", error)
            continue
        if command.command in ("pause", "resume"):
            control.pausing = command.command == "pause"
        elif command.command == "act":
            control.acts.put(command.act or ActWanted())
        else:
            control.abort(command.reason)
            if command.command == "emergency":
                _break_off(control, command.reason or control.reason)  # it says to what the first one came
    end_alone(lambda: control.abort(messages.RUNNER_GONE, lost=True), lambda: bench)


def _break_off(control: Control, reason: str) -> None:
    """Break the run off on request, without waiting for a safe point."""
    control.lost, control.reason = False, reason
    platforms.here.interrupt()


class _Watch(SafetyObserver):
    """Passes the run's events on, and remembers how long it took as well."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        super().__init__()
        self._tell = tell
        self._pace: Pace | None = None
        self.seconds: float | None = None

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Started):
            self._pace = Pace()
        elif self._pace is not None:
            self._pace.take(event)
            if isinstance(event, Ended):
                self.seconds = self._pace.elapsed()
        self._tell(event)

    def done(self, status: Status, reason: str, error: BaseException) -> messages.JobDone:
        """Return the last message on a run that did not finish; what its file says goes first."""
        name = recorded_name(error) if status is Status.FAILED else ""
        status = self.ended.status if self.ended is not None else status
        bench = self.bench_state(error)
        return messages.JobDone(
            status, reason, bench.safe, error=name, live=bench.live, confirmed=bench.confirmed, conclusion=self.conclusion
        )  # fmt: skip


def _run(job: messages.JobAssignment, control: Control, tell: Callable[[Event], None]) -> messages.JobDone:
    order, safety = job.order, _Watch(tell)
    try:
        os.chdir(order.folder)
        search_also(str(order.folder))  # the folder of a user's own procedures
        result = run(
            make_procedure(order.procedure, order.parameters),
            order.bench,
            seed=order.seed,
            preset=order.preset,
            after=job.after,
            same_chip=job.same_chip,
            force=order.force,
            output=job.run,
            observers=[safety],
            control=control,
            resume_of=job.resume_of,
            provenance={"queue_job": str(job.job), "queue_attempt": str(job.attempt)},
            labels=order.labels,
            trust=allow_all,  # who ordered the job was asked, see `orders.checked`
        )
    except (Aborted, KeyboardInterrupt) as error:
        status = Status.INTERRUPTED if control.lost else Status.ABORTED
        return safety.done(status, control.reason or str(error) or "interrupted", error)
    except (MhoError, OSError) as error:
        return safety.done(Status.FAILED, failure_reason(error), error)
    except Exception as error:  # a procedure's own fault: its traceback goes to the runner's log
        log.exception("job %d failed", job.job)
        return safety.done(Status.FAILED, failure_reason(error), error)
    pulses = getattr(result, "summary", {}).get("pulses")
    safe, confirmed = safety.left_safe(None), safety.confirmed(None)
    return messages.JobDone(
        Status.FINISHED, "", safe, safety.seconds, pulses, confirmed=confirmed, conclusion=safety.conclusion
    )


if __name__ == "__main__":
    main()
