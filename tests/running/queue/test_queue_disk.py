"""A full or broken disk under the queue: the runner goes on, says so, and settles everything when there is room."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from queue_runners import ROOT, SUPPORT, Desk, eventually, order, running

from mho.errors import QueueError
from mho.procedures.stream import Ended, Message, Resumed, Started
from mho.running.queue import JobStatus, Queue
from mho.running.runner import Runner
from mho.running.runner.messages import QueueChanged


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite")


class Disk:
    """Makes the runner's queue read-only from an event on, and writable again; heard in the runner's thread."""

    def __init__(self, runner: Runner, fails_at: type) -> None:
        self._connection = runner._queue._database._connection
        self._fails_at = fails_at
        self.broken: bool | None = None
        runner._presence._listeners += (self,)

    def __call__(self, event: object) -> None:
        if self.broken is None and isinstance(event, self._fails_at):
            self.broken = True
        self._connection.execute(f"PRAGMA query_only = {'ON' if self.broken else 'OFF'}")


def mend(disk: Disk, desk: Desk) -> None:
    disk.broken = False
    desk.add(order(seconds=0))  # the change of another process brings the runner an event


@pytest.mark.thorough
def test_a_job_that_ends_while_the_disk_is_full_is_settled_when_there_is_room(desk):
    with running(desk, drain=False) as runner:
        disk = Disk(runner, Started)
        (number,) = desk.add(order(seconds=0.2))
        eventually(lambda: any(isinstance(event, Ended) for event in desk.heard))
        eventually(lambda: "cannot be used: attempt to write a readonly database" in desk.said())
        assert desk.job(number).status is JobStatus.RUNNING  # as it could be noted last
        state = eventually(lambda: (s := desk.client.status()).state == "idle" and s)
        assert state.held
        assert "readonly database" in state.reason
        mend(disk, desk)
        assert desk.wait(number, JobStatus.FINISHED).reason == ""
        assert desk.wait(number + 1, JobStatus.FINISHED)  # and the queue goes on
    said = [event.text for event in desk.heard if isinstance(event, Message)]
    assert [("written again" in text) for text in said] == [False, True]


@pytest.mark.thorough
def test_what_others_change_meanwhile_is_followed_when_there_is_room(desk):
    with running(desk, drain=False) as runner:
        disk = Disk(runner, Started)
        (number,) = desk.add(order(seconds=600))
        eventually(lambda: any(isinstance(event, Started) for event in desk.heard))
        desk.change(lambda queue: queue.hold("simulated", "tea"))
        eventually(lambda: "cannot be used" in desk.said())  # that the job rests is to be noted
        desk.change(lambda queue: queue.release("simulated"))
        mend(disk, desk)
        eventually(lambda: any(isinstance(event, Resumed) for event in desk.heard))
        desk.wait(number, JobStatus.RUNNING)
        desk.client.abort(number)
        desk.wait(number, JobStatus.ABORTED)


@pytest.mark.thorough
def test_an_emergency_stop_on_a_full_disk_breaks_off_first_and_is_noted_later(desk):
    with running(desk, drain=False) as runner:
        disk = Disk(runner, Started)
        (number,) = desk.add(order(seconds=600))
        eventually(lambda: any(isinstance(event, Started) for event in desk.heard))
        assert desk.client.emergency_stop().unsafe
        assert desk.client.confirm_safe().endswith("is safe, the queue is held")
        assert desk.client.status().held
        mend(disk, desk)
        assert desk.wait(number, JobStatus.ABORTED).reason == "emergency stop"
        lane = desk.change(lambda queue: queue.lane("simulated"))
        assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)
        assert desk.job(number + 1).status is JobStatus.QUEUED


@pytest.mark.thorough
def test_a_job_that_cannot_be_noted_is_not_begun(desk):
    with running(desk, drain=False) as runner:
        disk = Disk(runner, QueueChanged)
        desk.change(lambda queue: queue.hold("simulated", "tea"))
        eventually(lambda: disk.broken)
        (number,) = desk.add(order(seconds=0))
        desk.change(lambda queue: queue.release("simulated"))
        eventually(lambda: "cannot be used" in desk.said())
        assert desk.job(number).status is JobStatus.QUEUED
        with pytest.raises(QueueError, match="readonly database"):
            desk.client.resume()
        mend(disk, desk)
        assert desk.wait(number, JobStatus.FINISHED).attempts == 1


ON_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from queue_runners import Desk, eventually, order, running
from dataclasses import replace
from mho.running.queue import JobStatus, Queue
from mho.procedures.stream import Started

disk, runs = Path(sys.argv[1]), Path(sys.argv[2])
desk = Desk(disk / "queue.sqlite")
first, second = desk.add(*[replace(order(seconds=1.0), output=runs)] * 2)
with running(desk) as runner:
    eventually(lambda: any(isinstance(event, Started) for event in desk.heard))
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            assert error.errno == 28, error
    eventually(lambda: "cannot be used" in desk.said())
    (disk / "filler").unlink()
assert [desk.job(number).status for number in (first, second)] == [JobStatus.FINISHED] * 2, desk.said()
assert "written again" in desk.said()
print("settled")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs a mount of its own")
def test_a_disk_that_is_really_full(tmp_path):
    disk, script = tmp_path / "disk", tmp_path / "script.py"
    disk.mkdir()
    script.write_text(ON_A_SMALL_DISK, "utf-8")
    mount = f"mount -t tmpfs -o size=300k none {disk} && exec {sys.executable} {script} {disk} {tmp_path}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
        env={"PYTHONPATH": f"{ROOT}:{SUPPORT}", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout == "settled\n", done.stderr


def test_a_log_that_cannot_be_opened_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """As on Windows, where a process that ends, or a virus scanner, holds it."""
    with Queue(tmp_path / "queue.sqlite") as queue:
        assert queue.jobs() == []
    held = tmp_path / "queue.sqlite-wal"
    held.mkdir()
    threading.Timer(0.3, held.rmdir).start()
    with Queue(tmp_path / "queue.sqlite") as queue:
        assert queue.jobs() == []
