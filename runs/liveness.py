"""Whether the process that writes a run file still lives: running and interrupted differ by nothing else."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

HEARTBEAT_PERIOD = 1.0
"""How often a writer beats, s."""

HEARTBEAT_LIMIT = 10.0
"""Age of the heartbeat beyond which a writer on another host counts as gone, s."""

START_TOLERANCE = 2.0
"""How far two readings of one process's start time may differ, s: it is derived from the wall clock."""


@dataclass(frozen=True)
class Writer:
    """The process that writes a run file.

    Attributes
    ----------
    host : str
        Host name.
    pid : int
        Process id on that host.
    started : float
        When the process started, Unix time in s; it tells apart two processes that had the same id.
    birth : str
        The same, told without the wall clock, which may be set while a run lasts; see `birth_of`.
    """

    host: str
    pid: int
    started: float
    birth: str = ""

    @classmethod
    def this_process(cls) -> Writer:
        """Return the calling process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, psutil.Process().create_time(), birth_of(pid))

    def lives(self, heartbeat: float, now: float) -> bool:
        """Return whether the process is still there.

        On the writer's own host its process is looked up; elsewhere the age of its `heartbeat` at `now`
        (both Unix time, s) decides.
        """
        if self.host != socket.gethostname():
            return now - heartbeat <= HEARTBEAT_LIMIT
        try:
            process = psutil.Process(self.pid)
            # A killed child whose parent has not noticed yet still has an entry in the process table.
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if self.birth and (birth := birth_of(self.pid)):
                return birth == self.birth
            return abs(process.create_time() - self.started) <= START_TOLERANCE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def birth_of(pid: int) -> str:
    """Return which boot of Linux a process belongs to and how many ticks after it started; "" elsewhere.

    From ``/proc/PID/stat``, field 22 (proc_pid_stat(5)), counted behind the command's name, which may hold
    blanks and parentheses.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {fields[22 - 3]}"
    except (OSError, IndexError):
        return ""
