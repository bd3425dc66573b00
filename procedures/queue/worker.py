"""The process that carries out one job: ``python -m procedures.queue.worker``, started by a runner.

It hears an `Assignment` (or `Safing`) and then commands as lines of JSON on standard input, and tells what happens as
lines of JSON on standard output. When its input ends the runner is gone: it stops at the next safe point.
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
from typing import Any, BinaryIO

from instruments.safing import make_bench_safe
from mho_errors import Aborted, BenchError, InstrumentError, MhoError, QueueError
from procedures.catalogue import make_procedure
from procedures.queue.messages import RUNNER_GONE, Assignment, Command, Done, Safing, decode
from procedures.queue.pace import Pace
from procedures.queue.sending import Outbox
from procedures.runner import run
from procedures.stream import Control, Ended, Event, Started
from runs import Status

LAST_WORDS = 10.0  # s that the runner may take to hear the end

log = logging.getLogger(__name__)


def main() -> None:
    """Carry out the one job that standard input names."""
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    told = io.FileIO(0, "r", closefd=False)  # unbuffered: a thread that reads it holds no lock when all ends
    assignment = told.readline()
    if not assignment.endswith(b"\n"):
        return  # the runner was gone before it could say what to do; nothing has begun
    outbox = Outbox(_private_output())
    try:
        outbox.send(_carry_out(decode(assignment), told, outbox.offer))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is safe: what comes now has nothing to break off
        outbox.close(LAST_WORDS)


def _private_output() -> BinaryIO:
    """Keep standard output for messages alone: what anything else prints goes to standard error."""
    messages = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return messages


def _carry_out(assignment: Any, told: io.FileIO, tell: Callable[[Event], None]) -> Done:
    if isinstance(assignment, Safing):
        return _make_safe(assignment)
    control = Control()
    threading.Thread(target=_obey, args=(told, control), name="commands", daemon=True).start()
    return _run(assignment, control, tell)


def _obey(told: io.FileIO, control: Control) -> None:
    """Take the runner's commands until there is no runner any more."""
    while (line := told.readline()).endswith(b"\n"):
        try:
            command: Command = decode(line)
        except QueueError as error:
            log.error("%s", error)
            continue
        if command.command in ("pause", "resume"):
            control.pausing = command.command == "pause"
        else:
            control.abort(command.reason)
            if command.command == "emergency":
                _interrupt()
    control.abort(RUNNER_GONE, lost=True)


def _interrupt() -> None:
    """Break off whatever the main thread is doing, a blocking read too: there it raises `KeyboardInterrupt`."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # Windows: as soon as the main thread is back in Python
        signal.raise_signal(signal.SIGINT)


class _Witness:
    """Passes the run's events on, and remembers what tells whether the bench is safe and how long it took."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._pace: Pace | None = None
        self.seconds: float | None = None
        self.ended: Ended | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._pace = Pace()
        elif self._pace is not None:
            self._pace.take(event)
            if isinstance(event, Ended):
                self.ended, self.seconds = event, self._pace.elapsed()
        self._tell(event)

    def done(self, status: Status, reason: str, error: BaseException) -> Done:
        """Return the last words on a run that did not come to its end; what its file says of it comes first."""
        return Done(self.ended.status if self.ended is not None else status, reason, self.left_safe(error))

    def left_safe(self, error: BaseException | None) -> bool:
        """Tell whether the bench is known to be safe: it was confirmed, or nothing was ever sent to it."""
        if str(error).startswith("NOT CONFIRMED SAFE"):
            return False
        if self.ended is not None:
            return self.ended.safe
        # Before the run file is there nothing acts; but an instrument may have been found in disorder.
        in_order = isinstance(error, MhoError) and not isinstance(error, BenchError | InstrumentError)
        return in_order and self._pace is None


def _run(job: Assignment, control: Control, tell: Callable[[Event], None]) -> Done:
    order, witness = job.order, _Witness(tell)
    try:
        os.chdir(order.folder)
        sys.path.append(str(order.folder))  # where procedures of the user's own are
        result = run(
            make_procedure(order.procedure, order.parameters),
            order.bench,
            seed=order.seed,
            preset=order.preset,
            after=job.after,
            output=job.run,
            observers=[witness],
            control=control,
            resume_of=job.resume_of,
            provenance={"queue_job": str(job.job), "queue_attempt": str(job.attempt)},
        )
    except (Aborted, KeyboardInterrupt) as error:
        status = Status.INTERRUPTED if control.lost else Status.ABORTED
        return witness.done(status, control.reason or str(error) or "interrupted", error)
    except (MhoError, OSError) as error:
        return witness.done(Status.FAILED, f"{type(error).__name__}: {error}", error)
    except Exception as error:  # a procedure's own fault: its traceback goes to the runner's log
        log.exception("job %d failed", job.job)
        return witness.done(Status.FAILED, f"{type(error).__name__}: {error}", error)
    pulses = getattr(result, "summary", {}).get("pulses")
    return Done(Status.FINISHED, "", witness.left_safe(None), witness.seconds, pulses)


def _make_safe(order: Safing) -> Done:
    """Make the bench safe, whichever of its instruments can be reached."""
    try:
        os.chdir(order.folder)
        make_bench_safe(order.bench)
    except (MhoError, OSError, KeyboardInterrupt) as error:
        return Done(Status.FAILED, str(error) or type(error).__name__, False)
    except Exception as error:
        log.exception("bench %s was not made safe", order.bench)
        return Done(Status.FAILED, f"{type(error).__name__}: {error}", False)
    return Done(Status.FINISHED, "", True)


if __name__ == "__main__":
    main()
