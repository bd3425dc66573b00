"""Check whether the writer of a run file still lives: only this distinguishes a running from an interrupted run."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil

from mho import platforms

HEARTBEAT_PERIOD = 1.0  # how often a writer beats, s
HEARTBEAT_LIMIT = 10.0  # age of the heartbeat beyond which a writer on another host counts as gone, s

# How far two readings of one process's start time may differ, s: it is derived from the wall clock
START_TOLERANCE = 2.0


@dataclass(frozen=True)
class Writer:
    """The process that writes a run file."""

    host: str  # host name
    pid: int  # process id on that host
    started: float  # Unix time, s; it tells apart two processes that had the same id
    birth: str = ""  # the same, whatever becomes of the wall clock, see `System.birth_of`; "" in older files

    @classmethod
    def this_process(cls) -> Writer:
        """Return the calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, psutil.Process().create_time(), platforms.here.birth_of(pid))

    @property
    def is_of_this_host(self) -> bool:
        """Whether the process ran on this host, where it can be looked up."""
        return self.host == socket.gethostname()

    def lives(self, heartbeat: float, now: float) -> bool:
        """Return whether the process is still there.

        On the writer's own host its process is looked up; elsewhere the age of its `heartbeat` at `now`
        (both Unix time, s) decides.
        """
        if not self.is_of_this_host:
            return now - heartbeat <= HEARTBEAT_LIMIT
        if self.birth:
            return lives(self.pid, self.birth)
        return _runs(self.pid, self.started)  # of a file that does not say it


def lives(pid: int, birth: str) -> bool:
    """Return whether the process that had this id and this birth is still there; of an unknown birth there is none."""
    return bool(birth) and platforms.here.birth_of(pid) == birth and _runs(pid)


def _runs(pid: int, started: float | None = None) -> bool:
    """Return whether a process of this id, and start (Unix time, s) if that is known, is still there."""
    try:  # a killed child whose parent has not noticed yet still has an entry in the process table
        process = psutil.Process(pid)
        same = started is None or abs(process.create_time() - started) <= START_TOLERANCE
        return same and platforms.here.still_runs(process)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
