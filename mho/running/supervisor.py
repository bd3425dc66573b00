"""Supervises a run in its own process: ends the process if it does not end itself, and makes its bench safe.

The supervisor is this process, small and without instruments, and divides itself before anything large is imported: the
worker is forked, or the command line started again where there is no fork. Signals arrive here and are forwarded, so a
worker that hangs or has changed its signal handlers is ended too.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, NoReturn

from mho import platforms, processes
from mho.platforms.system import SupervisorSide, WorkerSide

EXIT_LOST, EXIT_STOPPED = 1, 130
GLANCE = 0.5  # s from one look at the parent to the next
HURRY = 1.5  # s for a run to end by itself, when the system will end this process within 5 s
LARGEST = 100_000_000  # bytes of a run file that is closed at once: a second's work
# Code of the user's own runs, whose reports are not believed; the procedure has ended and the bench is being made safe;
# it had left processes that could use the bench, and were ended, or a thread that could; this process ends regularly.
ReportedEvent = Literal["own_code", "making_safe", "heirs", "thread", "leaving"]
Note = Callable[[str, str, processes.SafetyResult], str]
Say = Callable[[str], object]


class Report:
    """The worker's end of the pipe: reports the bench in use and whether it was left safe.

    Without a pipe, in an unsupervised process, it does nothing.
    """

    def __init__(self, pipe: int | None = None) -> None:
        self._pipe, self._pid = pipe, os.getpid()
        self._node = None if pipe is None else os.fstat(pipe).st_ino
        self.supervised = pipe is not None
        self.bench = ""
        self.lost = False  # whether the supervisor is gone
        self.when_lost: Callable[[], object] = lambda: os.kill(os.getpid(), signal.SIGTERM)

    def lose(self) -> None:
        """Stop reporting, since the supervisor is gone, and ask the run to stop."""
        self.lost = True
        self.when_lost()

    def using(self, bench: str) -> None:
        """Report that a bench of real instruments is about to be opened."""
        self.bench = bench
        self._say(bench=bench, folder=os.getcwd())

    def writing(self, path: str) -> None:
        """Report the run file that was created; it is closed by the end of this process, or never."""
        self._say(file=os.path.abspath(path))

    def left(self, bench: str) -> None:
        """Report that the bench was closed, and is known to be safe."""
        self.bench = ""
        self._say(safe=bench)

    def note(self, event: ReportedEvent) -> None:
        """Report an event of the worker."""
        self._say(**{event: True})

    def _say(self, **words: Any) -> None:
        if self._pipe is None or os.getpid() != self._pid:  # a child that was forked does not speak for it
            return
        with suppress(OSError):  # the supervisor is gone, or other code has closed the pipe
            if os.fstat(self._pipe).st_ino == self._node:
                os.write(self._pipe, json.dumps(words).encode() + b"\n")


def supervise(note: Note, say: Say) -> Report:
    """Start a worker and supervise it. Only the worker returns from here; this process exits with the worker's status.

    Signals that this process ignores stay ignored: `nohup`, a job in the background.

    `note`: called for every bench that a new process had to make safe, with the folder of its name and the
        result; returns a message for the user.
    `say`: called with a message about a run that could not report its own end.
    """
    side = platforms.here.divide()
    if isinstance(side, SupervisorSide):
        _Supervisor(side, note, say).serve()
    assert isinstance(side, WorkerSide)
    report, obey = Report(side.reports), side.obey
    atexit.register(report.note, "leaving")

    def watch() -> None:
        obey()
        processes.end_alone(report.lose, lambda: report.bench)

    threading.Thread(target=watch, name="watching the supervisor", daemon=True).start()
    return report


class _Supervisor:
    """Waits for a worker, forwards signals, and makes sure that the bench is safe."""

    def __init__(self, worker: SupervisorSide, note: Note, say: Say) -> None:
        self._worker, self._note, self._say = worker, note, say
        self._rest = b""
        self._used: dict[str, str] = {}  # benches, with the folder they were named from
        self._safe: set[str] = set()  # those that the worker has left safe
        self._thread = False  # whether it had a thread that could use them after that
        self._children = False  # whether the worker had descendants that could use them
        self._own_code = False  # whether code of the user's own ran there
        self._leaving = self._safing = False
        self._file = ""  # the last run file that was begun
        self._asked = ""  # by which signal the run was asked to stop
        self._stage = 0  # 1: asked to stop, 2: broken off, 3: killed
        self._due = float("inf")
        self._lost = platforms.here.parent_lost()

    def serve(self) -> NoReturn:
        """Supervise the worker until it is gone and the bench is safe; exit with its status."""
        while self._worker.runs():
            for number in self._worker.wait(max(0.0, min(self._due - time.monotonic(), GLANCE))):
                self._forward(number)
            if self._lost is not None and self._lost():  # as without a supervisor
                self._lost = None
                self._forward(signal.SIGTERM)
            self._hear()
            if time.monotonic() >= self._due:
                self._escalate()
        self._end_whole()
        status = self._worker.reap()
        self._children |= platforms.here.has_children()  # dead by now
        self._hear()
        sys.exit(self._settle(status))

    def _hear(self) -> None:
        """Read the worker's reports; the pipe may outlive the worker, and any process may have written to it."""
        while chunk := self._worker.read():
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                with suppress(ValueError, TypeError, AttributeError):
                    words = json.loads(line)
                    self._leaving |= "leaving" in words
                    self._children |= "heirs" in words
                    self._thread |= "thread" in words
                    self._own_code |= "own_code" in words
                    self._safe.add(words.get("safe"))
                    self._safing = "making_safe" in words
                    self._file = words.get("file", self._file)
                    if self._safing and self._stage:
                        self._expect(processes.SAFING)  # impossible before
                    if "bench" in words:
                        self._used[words["bench"]] = words["folder"]
                        self._safe.discard(words["bench"])

    # --- stopping ---

    def _forward(self, number: signal.Signals) -> None:
        """Forward a signal; a key after that does not wait for a safe point, nor does a process with no time left."""
        if self._stage == 0:
            self._asked, self._stage = platforms.here.signal_name(number), 1
            self._worker.send(number)
            self._expect(processes.SAFING if self._safing else processes.ABORT)
        elif self._stage == 1 and number in platforms.here.keys:
            self._escalate()

    def _expect(self, seconds: float) -> None:
        """Grant the worker so many seconds before the next, harder step."""
        self._due = time.monotonic() + (HURRY if self._worker.hurried else seconds)

    def _escalate(self) -> None:
        """Break the run off; the next time, kill it."""
        self._stage += 1
        if self._stage == 2:
            self._worker.send(signal.SIGINT)
            self._expect(processes.BREAK_OFF)
        else:
            self._due = float("inf")
            self._end_whole()

    def _end_whole(self) -> None:
        self._children |= processes.end_whole(self._worker.pid, self._worker.mark, children=True)

    # --- the end ---

    def _settle(self, status: int) -> int:
        """Ensure that the bench is safe, report what happened unless the worker did, and return the exit status."""
        words = [] if self._leaving else [self._exit_description(status)]
        if self._children and self._used:  # descendants may have used them after the worker made them safe
            self._safe.clear()
            words.append("processes that the run had left could use its bench, and were ended")
        if self._thread and self._used:
            self._safe.clear()
            words.append("a thread that the run had left could use its bench, and was ended")
        safe = True
        for bench, folder in self._used.items():
            if bench in self._safe and not self._own_code:
                continue
            state = processes.make_safe_apart(bench, folder)
            disbelieved = bench in self._safe
            if not disbelieved or state.left_on or not state.safe:
                words.append(self._made_safe(bench, folder, state))
            safe &= state.safe and not (disbelieved and state.left_on)
        if words:
            self._say("; ".join(words))
        if not self._leaving:
            self._keep_reason("; ".join(words))
        if self._leaving and (status > 0 or safe):
            return status
        if self._asked and words:
            return EXIT_STOPPED
        return platforms.here.shell_status(status) or EXIT_LOST

    def _exit_description(self, status: int) -> str:
        if self._stage == 3:
            within = processes.ABORT + processes.BREAK_OFF
            return f"{self._asked} received; the run did not stop within {within:g} s and was killed"
        how = platforms.here.exit_words(status)
        return f"{self._asked} received; the run {how}" if self._asked else f"the run {how}"

    def _made_safe(self, bench: str, folder: str, safety: processes.SafetyResult) -> str:
        """Record in the queue whether the bench was made safe, and return a sentence about it."""
        try:
            more = self._note(bench, folder, safety)
        except Exception as error:  # whatever it is, the rest is to be said
            more = f"the queue was not told: {error}"
        made = (
            "was made safe by a fresh process" if safety.safe else f"is NOT confirmed safe: {safety.reason}"
        )
        left = f", before which {' and '.join(safety.left_on)} was on" if safety.left_on else ""
        return f"bench {bench} {made}{left}" + (f"; {more}" if more else "")

    def _keep_reason(self, words: str) -> None:
        """Close the run file that the worker has left, with the reason, unless that takes long: it is `interrupted`."""
        path = self._file
        try:
            if path and os.path.getsize(path) <= LARGEST:
                from mho.runs import recover

                recover(path, words)
        except Exception as error:  # it reads as interrupted all the same
            self._say(f"{path} does not say why: {error}; `mho recover` closes it")
