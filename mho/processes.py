"""Processes that drive a bench: ended whole, with all that they started, and a bench made safe from a fresh one."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil  # at run time only when it is needed: it would cost every start a tenth of a second

HOUSE = Path(__file__).resolve().parents[1]
MARK = "MHO_WORKER"
"""The environment variable that a worker hands on to all that it starts, however far that moves away."""

ROUNDS = 5  # of killing: one that starts others meanwhile must come to an end, too
GONE = 2.0  # s that the killed may take to vanish, a round
SAFING = 60.0  # s for a fresh process to make a bench safe: each instrument may take several time-outs
ABORT = 5.0  # s to come to a safe point: more than most operations of a bench, less than one waits with a hand on a plug
BREAK_OFF = 5.0  # s to make the bench safe after that; what hangs so long is not waited for any more

log = logging.getLogger(__name__)


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a Python of ours: one that finds this mho, with no mark but the one given."""
    house = "" if is_installed() else str(HOUSE)
    path = os.pathsep.join(filter(None, [house, os.environ.get("PYTHONPATH", "")]))
    return {k: v for k, v in os.environ.items() if k != MARK} | {"PYTHONPATH": path} | more


@cache
def is_installed() -> bool:
    """Return whether this checkout is installed, editable: then its folder need not be on the path.

    On the path it would hide a user's own modules that are called as one of its links, such as ``analysis.py``.
    """
    for installed in distributions(name="mho"):
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable") and origin.get("url") == HOUSE.as_uri():
            return True
    return False


def shares_group(process: int) -> bool:
    """Tell whether a process is in the process group of this one."""
    try:
        return os.getpgid(process) == os.getpgrp()
    except OSError:  # gone, or another user's
        return False


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own among the descendants (Linux, prctl(2)), so that none is lost."""
    if sys.platform == "linux":
        import ctypes

        set_child_subreaper = 36
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def has_children() -> bool:
    """Tell whether this process has children, dead ones too that it has not waited for.

    A forked child has all that its parent had open, and so the connections to the instruments.
    """
    if not hasattr(os, "waitid"):  # nor is there a fork
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def end_heirs() -> bool:
    """End what this process has started and not seen to its end; tell whether there was anything, dead or alive."""
    if not has_children():
        return False
    log.warning("what the procedure had started was not over with it, could use the bench, and is ended")
    end_whole(None, heirs=True)
    return True


def end_whole(leader: int | None, mark: str = "", *, heirs: bool = False) -> bool:
    """Kill a process and all that it started, and wait until they are dead; tell whether there was more than itself.

    What there was besides may have used the process's bench until now, whatever the process has said of it.

    Found are its session, its descendants, and what carries `mark` in the environment that it was started with. A
    process that left session and parents and has another environment cannot be found.

    Parameters
    ----------
    leader : int or None
        Process id of one that leads a session and has not been waited for; None when it is gone.
    mark : str
        Value of the variable `MARK`.
    heirs : bool
        Whether all children of this very process go as well: those that a reaper of orphans was left with.
    """
    import psutil

    others = False
    for _ in range(ROUNDS):
        found = _family(leader, mark, heirs)
        if not found:
            return others
        others |= any(process.pid != leader for process in found)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        deadline = time.monotonic() + GONE
        while any(map(_lives, found)) and time.monotonic() < deadline:
            time.sleep(0.01)
    left = [process.pid for process in _family(leader, mark, heirs)]
    if left:
        log.critical("processes %s do not end: see to them by hand", ", ".join(map(str, left)))
    return others


def _family(leader: int | None, mark: str, heirs: bool) -> set[psutil.Process]:
    """Return what lives of a leader, its session, its descendants and what is marked; never this process."""
    import psutil

    found: set[psutil.Process] = set()
    for root in filter(None, (leader, os.getpid() if heirs else None)):
        with suppress(psutil.Error):
            found.update(psutil.Process(root).children(recursive=True))
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            of_session = leader is not None and hasattr(os, "getsid") and os.getsid(process.pid) == leader
            if of_session or process.pid == leader or (mark and process.environ().get(MARK) == mark):
                found.add(process)
    return {process for process in found if process.pid != os.getpid() and _lives(process)}


def still_runs(process: psutil.Process) -> bool:
    """Tell whether any thread of a process runs; what it has open, it keeps as long.

    Raises
    ------
    psutil.Error
        There is no such process, or it cannot be asked.
    """
    import psutil

    # One whose first thread has ended is a zombie by name while others still end; so is every killed one for a moment.
    return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return still_runs(process)
    except psutil.Error:
        return False


@dataclass(frozen=True)
class Safed:
    """What making a bench safe came to.

    Attributes
    ----------
    safe : bool
        Every output was confirmed at 0 V and off.
    reason : str
        Why not.
    live : tuple of str
        Roles that are not confirmed; empty when nothing is known of any.
    confirmed : float or None
        When it was, Unix time, s; of a bench that is safe.
    """

    safe: bool
    reason: str = ""
    live: tuple[str, ...] = ()
    confirmed: float | None = None


def make_safe_apart(bench: str, folder: str | Path = ".", patience: float = SAFING) -> Safed:
    """Make a bench safe from a fresh process, which owes nothing to the one that left it; kill that one before.

    Parameters
    ----------
    bench : str
        A packaged bench or a bench file, as seen from `folder`.
    patience : float
        How long it may take, s.
    """
    process = _start_safing(bench, folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        end_whole(process.pid)
        process.communicate()
        return Safed(False, f"the process that was to make it safe did not end within {patience:g} s")
    for line in err.decode("utf-8", "replace").splitlines():
        log.warning("making bench %s safe: %s", bench, line)
    try:
        found = json.loads(out.splitlines()[-1])
        return Safed(found["safe"], found["reason"], tuple(found["live"]), found["confirmed"])
    except (ValueError, LookupError):
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        return Safed(
            False, f"the process that was to make it safe ended with {process.returncode}: {' '.join(last)}"
        )


def _start_safing(
    bench: str, folder: str | Path, *more: str, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    # Without the current folder on its path (-P), for a file there must not pass for one of our modules.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mho.instruments.opening.safing", bench, *more],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def end_alone(abort: Callable[[], object], bench: Callable[[], str]) -> None:
    """End this worker, whose supervisor is gone: at a safe point, else broken off, else killed by who makes the bench safe.

    For a thread beside the one that works.

    Parameters
    ----------
    abort : callable
        Asks the work to stop at its next safe point.
    bench : callable
        Returns which bench is in use; empty for none that is real.
    """
    abort()
    time.sleep(ABORT)
    interrupt()
    time.sleep(BREAK_OFF)
    name = bench()
    if not name:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    log.critical("the run does not end by itself: a fresh process ends it and makes bench %s safe", name)
    mine = (str(os.getpid()), os.environ.get(MARK, ""))
    _start_safing(name, ".", *mine, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def interrupt() -> None:
    """Break off whatever the main thread is doing, a blocking read too: there it raises `KeyboardInterrupt`."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # Windows: as soon as the main thread is back in Python
        signal.raise_signal(signal.SIGINT)
