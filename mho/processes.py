"""Ending the process that controls a bench with all its descendants, and making the bench safe from a new process."""

from __future__ import annotations

import atexit
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mho import platforms
from mho.platforms.system import MARK, OF_FAMILY

if TYPE_CHECKING:
    import psutil  # imported only where needed: it would delay every start by a tenth of a second

CHECKOUT = Path(__file__).resolve().parents[1]
ROUNDS = 5  # rounds of killing: a process that starts others meanwhile must be ended as well
LINGER = 1.0  # s for a thread that a procedure has left to end by itself
GONE = 2.0  # s, wait for killed processes to vanish, per round
SAFING = 60.0  # s for a new process to make a bench safe: each instrument may take several timeouts
ABORT = 5.0  # s to reach a safe point: longer than most operations of a bench, but short for a waiting user
BREAK_OFF = 5.0  # s to make the bench safe after that, before the process is killed

log = logging.getLogger(__name__)


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a new Python process that finds this mho and has no mark but the given one."""
    house = "" if is_installed() else str(CHECKOUT)
    path = os.pathsep.join(filter(None, [house, os.environ.get("PYTHONPATH", "")]))
    inherited = {k: v for k, v in os.environ.items() if k != MARK}
    return inherited | platforms.here.interpreter()[1] | {"PYTHONPATH": path} | more


def python() -> str:
    """Return the program of this Python, to be started with `environment`."""
    return platforms.here.interpreter()[0]


@cache
def is_installed() -> bool:
    """Return whether this checkout is installed as editable, so that its folder need not be on the path.

    On the path, the folder would hide a user's own modules with the name of one of its links, such as ``analysis.py``.
    """
    from importlib.metadata import distributions  # which would delay every start

    for installed in distributions(name="mho"):
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable") and origin.get("url") == CHECKOUT.as_uri():
            return True
    return False


def end_children() -> bool:
    """End the remaining children of this process; return whether there were any, dead or alive."""
    if not platforms.here.has_children():
        return False
    log.warning("what the procedure had started was not over with it, could use the bench, and is ended")
    end_whole(None, children=True)
    return True


def left_threads(before: Collection[threading.Thread]) -> list[str]:
    """Return the names of the threads that were started since and keep this process from ending, after a moment's wait."""
    others = {threading.current_thread(), threading.main_thread(), *before}
    left = [thread for thread in threading.enumerate() if thread not in others and not thread.daemon]
    deadline = time.monotonic() + LINGER
    for thread in left:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return [thread.name for thread in left if thread.is_alive()]


def leave(code: int) -> NoReturn:
    """End this process with the exit code, whatever threads still run."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def end_whole(leader: int | None, mark: str = "", *, children: bool = False) -> bool:
    """Kill a process and its descendants, and wait until they are dead; return whether there were any descendants.

    A descendant may have used the process's bench until now, even if the process reported it safe.

    Processes are found by session or job, by descent, and by `mark` in their initial environment. A process that left its
    session and parents and has another environment cannot be found on POSIX.

    `leader`: process id of a session leader that was not waited for; None when it is gone.
    `mark`: value of the variable `MARK`: of one worker, or of a family.
    `children`: whether to end all children of this process as well, that is, the orphans that it has adopted.
    """
    import psutil

    others = False
    for _ in range(ROUNDS):
        family = _family(leader, mark, children)
        if not family:
            return others
        others |= any(process.pid != leader for process in family)
        for process in family:
            with suppress(psutil.Error, OSError):
                process.kill()
        deadline = time.monotonic() + GONE
        while any(map(_lives, family)) and time.monotonic() < deadline:
            time.sleep(0.01)
    left = [process.pid for process in _family(leader, mark, children)]
    if left:
        log.critical("processes %s do not end: see to them by hand", ", ".join(map(str, left)))
    return others


def _family(leader: int | None, mark: str, children: bool) -> set[psutil.Process]:
    """Return a leader, its living descendants and relatives and the marked ones; never this process."""
    import psutil

    result = platforms.here.relatives(leader, mark)
    for root in filter(None, (leader, os.getpid() if children else None)):
        with suppress(psutil.Error, OSError):
            result.update(psutil.Process(root).children(recursive=True))
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == leader or _has_mark(process, mark):
                result.add(process)
    systems = platforms.here.is_the_systems
    return {one for one in result if one.pid != os.getpid() and _lives(one) and not systems(one)}


def _has_mark(process: psutil.Process, mark: str) -> bool:
    """Return whether a process descends from the worker, or a worker of the family, that `mark` names."""
    value = process.environ().get(MARK, "") if mark else ""
    return bool(value) and (value == mark or value.startswith(mark + OF_FAMILY))


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return platforms.here.still_runs(process)
    except (
        psutil.Error,
        OSError,
    ):  # psutil does not know each of Windows's errors for one that ends at this moment
        return False


@dataclass(frozen=True)
class SafetyResult:
    """Result of making a bench safe."""

    safe: bool  # whether every output was confirmed at 0 V and off
    reason: str = ""  # why not
    live: tuple[str, ...] = ()  # roles that are not confirmed; empty when no role is known
    confirmed: float | None = None  # time of the confirmation of a safe bench, Unix time, s
    left_on: tuple[str, ...] = ()  # roles whose outputs a new process read as on, before it made them safe


def make_safe_apart(bench: str, folder: str | Path = ".", patience: float = SAFING) -> SafetyResult:
    """Make a bench safe from a new process, independent of the one that left it; kill that one first.

    `bench`: a packaged bench or a bench file, as seen from `folder`.
    """
    process = _start_safing(bench, folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        end_whole(process.pid)
        process.communicate()
        return SafetyResult(False, f"the process that was to make it safe did not end within {patience:g} s")
    for line in err.decode("utf-8", "replace").splitlines():
        log.warning("making bench %s safe: %s", bench, line)
    try:
        result = json.loads(out.splitlines()[-1])
        return SafetyResult(
            result["safe"], result["reason"], tuple(result["live"]), result["confirmed"],
            tuple(result["left_on"]),
        )  # fmt: skip
    except (ValueError, LookupError):
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        return SafetyResult(
            False, f"the process that was to make it safe ended with {process.returncode}: {' '.join(last)}"
        )


def _start_safing(
    bench: str, folder: str | Path, *more: str, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    # Without the current folder on its path (-P): a file there must not replace one of mho's modules.
    return subprocess.Popen(
        [python(), "-P", "-m", "mho.instruments.opening.safing", bench, *more], cwd=folder,
        env=environment(), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, **platforms.here.apart(),
    )  # fmt: skip


def end_alone(abort: Callable[[], object], bench: Callable[[], str]) -> None:
    """End this worker after its supervisor is gone: at a safe point, else by interrupting it, else by killing it.

    Called in another thread than the one that works. A new process kills this one and makes the bench safe.

    `abort`: requests a stop at the next safe point.
    `bench`: returns the real bench in use; empty when there is none.
    """
    abort()
    time.sleep(ABORT)
    platforms.here.interrupt()
    time.sleep(BREAK_OFF)
    name = bench()
    if not name:
        platforms.here.kill_this()
    log.critical("the run does not end by itself: a fresh process ends it and makes bench %s safe", name)
    mine = (str(os.getpid()), os.environ.get(MARK, ""))
    _start_safing(name, ".", *mine, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
