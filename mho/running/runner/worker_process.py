"""The runner's side of a worker: starts the process, sends it commands, receives its events, and enforces its end."""

from __future__ import annotations

import logging
import queue
import secrets
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mho import platforms
from mho.errors import QueueError
from mho.platforms.system import MARK, OF_FAMILY
from mho.procedures.stream import MakingSafe
from mho.processes import CHECKOUT, SAFING, end_whole, environment, python
from mho.running.runner.messages import Command, JobDone, decode, encode

FAREWELL = 10.0  # s from its last words to its end: a thread of its own must not keep it
UNREAD = 2.0  # s to read what a process that is gone has still said
LAST_LINES = 50  # last part of its standard error, kept to explain its end
WORDS = 200  # characters of the line that explains it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StopTimeouts:
    """Time limits of a worker before the next, harder step, s."""

    abort: float = 20.0  # to reach a safe point when its job is to end; then it is interrupted
    emergency: float = 5.0  # to make the bench safe after that; then it is killed, and a new process does it
    safing: float = 60.0  # for that new process
    orphan: float = 30.0  # for a worker of a killed runner to end; then it is killed


STOP_TIMEOUTS = StopTimeouts()


@dataclass(frozen=True)
class ChildMessage:
    """An event of the run."""

    child: Child
    event: Any


@dataclass(frozen=True)
class ChildEnded:
    """The process is gone."""

    child: Child


class Child:
    """A worker process that was started, and waits for its assignment.

    `inbox`: gets a `ChildMessage` for every event and one `ChildEnded`.
    `family`: identifies it and its descendants together with others, as for `mho.processes.end_whole`.
    `modules`: of mho, which it imports while it waits.
    """

    def __init__(self, inbox: queue.SimpleQueue[Any], family: str = "", modules: Sequence[str] = ()) -> None:
        # A mark of its own: what the worker of one job has left is ended with it, and the next worker waits meanwhile.
        self._inbox, self._mark = inbox, f"{family}{OF_FAMILY}{secrets.token_hex(8)}"
        self._started = time.time()
        # A session of its own: Ctrl-C in the terminal is the runner's to pass on, in good order. Without the
        # current folder on its path (-P), for a file there must not pass for one of our modules.
        self._kept = platforms.here.hold_family(self._mark)
        self._process = subprocess.Popen(
            [python(), "-P", "-m", "mho.running.runner.worker", *modules], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment(**{MARK: self._mark}),
            **platforms.here.apart(),
        )  # fmt: skip
        self.pid = self._process.pid  # process id
        self.done: JobDone | None = None  # its last message
        # children: whether descendants were ended with it; they could use its bench, whatever its last
        # message says
        # ended: whether the process is gone
        self.ended = self.children = False
        self.asked = ""  # reason for a requested stop, and the steps taken; empty otherwise
        self._due: float | None = None
        self._patience = 0.0
        self._broken_off = self._killed = False
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._listeners = [
            threading.Thread(target=listen, name="worker's words", daemon=True)
            for listen in (self._listen, self._listen_to_errors)
        ]
        self._end = threading.Thread(target=self._see_end, name="its end", daemon=True)
        for thread in (*self._listeners, self._end):
            thread.start()

    @property
    def usable(self) -> bool:
        """Whether it still waits, with mho's code as it is now: a run file states the code that its run had."""
        try:
            changed = max(path.stat().st_mtime for path in CHECKOUT.glob("mho/**/*.py"))
        except OSError:  # a file goes at this moment, or an editor's lock is a link to nowhere
            return False
        return self._process.poll() is None and changed < self._started

    def discard(self) -> None:
        """End the process, which had no assignment, at once."""
        self._process.kill()
        self._end.join()

    def tell(self, message: Any) -> None:
        """Send a message to the worker; nothing happens when it is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(message) + b"\n")
        except (OSError, ValueError) as error:  # ValueError: hung up already
            log.debug("worker %d hears nothing any more: %s", self.pid, error)

    def stop(self, reason: str, *, emergency: bool = False, patience: float | None = None) -> None:
        """Request the worker to stop, at its next safe point or at once; `press` goes further after `patience` seconds."""
        again = bool(self.asked)
        self.asked = self.asked or reason
        self.tell(Command("emergency" if emergency else "abort", reason))
        further = emergency and not self._broken_off
        if patience is not None and (further or not again):  # asking again grants no more time
            self.expect_end(patience)
        self._broken_off |= emergency

    def expect_end(self, patience: float) -> None:
        """Expect the worker to end within `patience` seconds; after that `press` goes further."""
        self._patience, self._due = patience, time.monotonic() + patience

    def press(self, patience: float) -> str:
        """Break the run off when the worker has not ended in time; kill it when it has not `patience` seconds later.

        Returns what was done, in words; empty for nothing.
        """
        if self._due is None or time.monotonic() < self._due or self.ended:
            return ""
        self._due = None
        if self.asked and not self._broken_off:
            done = f"it did not stop within {self._patience:g} s and was broken off"
            self.asked += f"; {done}"
            self.stop(self.asked, emergency=True, patience=patience)
            return done
        self._killed = True
        self.children |= end_whole(self.pid, self._mark)
        return "it did not end in time and was killed"

    def close_stdin(self) -> None:
        """Close the worker's input: it stops at its next safe point, as when the runner is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def exit_description(self) -> str:
        """Return how the process ended without a last message, with its last line on standard error."""
        code = self._process.returncode
        text = f"the worker {platforms.here.exit_words(code)}"
        if platforms.here.is_kill(code):
            text += ", for it did not end" if self._killed else " (by hand, or for want of memory)"
        lines = [line.strip() for line in self._last_lines if line.strip()]
        # Header of faulthandler, followed by traces
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        words = (fatal or lines or [""])[-1]
        return f"{text}: {words[:WORDS]}" if words else text

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in _lines(lines):
                try:
                    event = decode(line)
                except QueueError as error:
                    log.error("worker %d: %s", self.pid, error)
                    continue
                if isinstance(event, JobDone):
                    self.done = event
                    self.expect_end(FAREWELL)
                    continue
                if isinstance(event, MakingSafe) and self._due is not None:
                    self.expect_end(SAFING)  # impossible before
                self._inbox.put(ChildMessage(self, event))

    def _see_end(self) -> None:
        """Wait for the process, not for the end of its pipes, which its descendants may keep open."""
        assert self._process.stdin is not None
        # its process id, hence its session's, is not reused before it is waited for
        platforms.here.wait_unreaped(self._process)
        self.children |= end_whole(self.pid, self._mark)
        self._process.wait()
        for thread in self._listeners:
            thread.join(UNREAD)
        self._process.stdin.close()
        self._inbox.put(ChildEnded(self))

    def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in _lines(lines):
                text = line.decode("utf-8", "replace").rstrip()
                self._last_lines.append(text)
                log.warning("worker %d: %s", self.pid, text)


def _lines(pipe: Any) -> Any:
    """Yield the lines that come out of an unbuffered pipe, as they come."""
    rest = b""
    while chunk := pipe.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
