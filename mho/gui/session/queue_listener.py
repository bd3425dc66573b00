"""Listens to the queue and to its runner, each in its own thread, so that the window never waits for them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mho.errors import MhoError, QueueError
from mho.gui.session.bench_safety import Use, use_of
from mho.gui.session.loading import load_procedures
from mho.running import queue as job_queue
from mho.running import runner as runners

KEPT = 5000
"""Largest number of events that wait to be shown; beyond this the oldest are dropped, as the run file has them all."""

LOOK = 0.2  # s between looks into the queue
USE_LOOK = 0.5  # s between checks of the bench's lock
RETRY = 0.5  # s between attempts to find a runner
ANSWER_WITHIN = 2.0  # s, timeout of a runner's answer to a status request


@dataclass(frozen=True)
class WatchRefused:
    """A runner that cannot be watched: the reason, and its state; None when it does not answer."""

    reason: str
    state: runners.RunnerState | None = None


class RunnerListener:
    """Receives the events of a bench's runner; when the runner ends, it waits for the next one.

    A runner that has too many watchers is asked for its state from time to time.
    """

    def __init__(self, queue: Path, bench: str) -> None:
        self._queue, self._bench = queue, bench
        self._heard: deque[runners.Event | WatchRefused | None] = deque(maxlen=KEPT)
        self._over = threading.Event()
        self._watch: runners.Watch | None = None
        threading.Thread(target=self._listen, name="runner", daemon=True).start()

    def take(self, most: int) -> list[runners.Event | WatchRefused | None]:
        """Return at most `most` events since the last call, the oldest first.

        None among them means that there is no runner, or no longer one.
        """
        heard: list[runners.Event | WatchRefused | None] = []
        with suppress(IndexError):
            while len(heard) < most:
                heard.append(self._heard.popleft())
        return heard

    def close(self) -> None:
        """Stop listening; the thread ends soon by itself."""
        self._over.set()
        if self._watch is not None:
            self._watch.close()

    def _listen(self) -> None:
        load_procedures()

        client = runners.RunnerClient(self._queue, self._bench)
        last: object = self  # nothing was received yet
        while not self._over.is_set():
            now = None
            try:
                with client.watch() as self._watch:
                    while not self._over.is_set() and not self._watch.over:
                        event = self._watch.receive(RETRY)
                        if event is not None:
                            self._heard.append(event)
                            last = event
            except QueueError as error:
                now = _asked(client, error)
            self._watch = None
            if now != last and not self._over.is_set():
                self._heard.append(now)
                last = now
            self._over.wait(RETRY)


def _asked(client: runners.RunnerClient, error: QueueError) -> WatchRefused | None:
    """Ask a runner that refuses watchers with `error` for its state; None when there is no runner."""
    try:
        return WatchRefused(str(error), client.status(ANSWER_WITHIN))
    except runners.NoRunnerError:
        return None
    except QueueError as silent:
        return WatchRefused(str(silent))


class QueueListener:
    """Reads a bench's jobs whenever the queue has changed, or any process has taken the bench for itself.

    Parameters
    ----------
    queue : Path
        The queue's file, made if it is not there.
    bench : str
        Packaged name or bench file.
    changed : callable
        Called in the listening thread with the jobs, how their lane stands, and who uses the bench.
    failed : callable
        Called in the listening thread with an error, once until it is resolved.
    """

    def __init__(
        self,
        queue: Path,
        bench: str,
        changed: Callable[[list[job_queue.Job], job_queue.Lane, Use], None],
        failed: Callable[[MhoError], None],
    ) -> None:
        self._path, self._bench, self._changed, self._failed = queue, bench, changed, failed
        self._over = threading.Event()
        threading.Thread(target=self._listen, name="queue", daemon=True).start()

    def close(self) -> None:
        """Stop listening; the thread ends soon by itself."""
        self._over.set()

    def _listen(self) -> None:
        load_procedures()
        said = ""
        while not self._over.is_set():
            try:
                self._follow()
            except MhoError as error:
                if str(error) != said and not self._over.is_set():
                    said = str(error)
                    self._failed(error)
            self._over.wait(RETRY)

    def _follow(self) -> None:
        from mho.input_files import bench_key

        bench = bench_key(self._bench)
        look = use_of(self._bench)
        known: dict[int, job_queue.Job] = {}  # by number, as they stood at `revision`
        revision = job_queue.NO_REVISION
        active: dict[int, job_queue.Job] = {}  # jobs that are being run, as they stand
        use, look_at = Use(), 0.0
        with job_queue.Queue(self._path) as queue:
            fresh = True
            while not self._over.is_set():
                if fresh:
                    revision, changed, order = queue.changes(bench, revision)
                    known |= {job.id: job for job in changed}
                    known = {number: known[number] for number in order}
                    begun = {number: job for number, job in known.items() if job.status in job_queue.ACTIVE}
                    active = {number: runners.as_it_stands(job) for number, job in begun.items()}
                    lane = queue.lane(bench)
                    use = look(
                        begun
                    )  # last of all: who has left the bench meanwhile is no more said to have it
                    self._changed([*(known | active).values()], lane, use)
                self._over.wait(LOOK)
                fresh = queue.changed()
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + USE_LOOK
                    fresh |= look(begun) != use or any(
                        runners.as_it_stands(job).status != active[number].status
                        for number, job in begun.items()
                    )
