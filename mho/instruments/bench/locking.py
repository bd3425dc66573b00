"""The lock of a bench: one process at a time may use an instrument, and the next one learns which process holds it.

On Linux a lock is an abstract socket name, which the kernel keeps for any user while the process lives. It needs no
file: no folder that an environment variable moves, no permissions, nothing that a clean-up removes. A second name tells
the holder. Elsewhere a lock is a locked file in a folder that all users share and no clean-up empties.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mho.errors import BenchError, BenchInUseError
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.entries import Instruments, daq_devices, every_spelling

PREFIX = "mho-bench"
NAMES = Path("/proc/net/unix")  # where Linux lists them
COMMAND_SHOWN = 80  # characters
SHARED = ("/var/lock", "/var/tmp", "/tmp")  # the first one that is writable for every user

_held: weakref.WeakSet[socket.socket] = weakref.WeakSet()


@dataclass(frozen=True)
class LockHolder:
    """The holder of a lock: process, user's number (-1 on Windows), and since when (Unix time, s)."""

    process: int
    user: int
    since: float

    @classmethod
    def this(cls) -> LockHolder:
        """Return this process as a holder."""
        return cls(os.getpid(), os.getuid() if hasattr(os, "getuid") else -1, round(time.time()))

    def __str__(self) -> str:
        """``process 123 of anna, since 2026-11-25 18:40 (mho solve a.mtx)``."""
        if self.process == os.getpid():
            return f"this process, since {self._time()},"
        command = _command(self.process)
        return f"process {self.process} of {_user_name(self.user)}, since {self._time()}{command and f' ({command})'},"

    def _time(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))


class LockTaken(Exception):
    """Raised for a lock that is held: by `holder`, or None when that is not known."""

    def __init__(self, holder: LockHolder | None) -> None:
        super().__init__(holder)
        self.holder = holder


def lock_bench(source: BenchSource) -> ExitStack:
    """Lock every instrument of a real bench for this process, by its address; return a function that unlocks them.

    `BenchInUseError` when another process holds one, naming that process; `BenchError` when locking fails otherwise.
    """
    take = take_name if sys.platform == "linux" else take_file
    with ExitStack() as stack:
        for key, written in sorted(_keys(source.bench.instruments).items()):
            try:
                stack.callback(take(_digest(key), LockHolder.this()))
            except LockTaken as error:
                raise BenchInUseError(
                    f"bench {source.bench.name!r} is in use: {error.holder or 'another process'} has {written}; "
                    "end it, or wait"
                ) from None
            except OSError as error:
                raise BenchError(
                    f"bench {source.bench.name!r} cannot be locked for this process ({error}), so another one could use "
                    "it, too; let mho take a Unix socket's name on Linux, and write to the shared folder elsewhere"
                ) from None
        for key in _keys(source.bench.instruments):
            _stamp(_digest(key))
        return stack.pop_all()


def last_taken(source: BenchSource) -> float | None:
    """Return when a process last locked one of a bench's instruments, Unix time, s; None when this is not known.

    Each lock leaves a time stamp on disk, so this neither contacts nor blocks a process; a clean-up may remove stamps.
    """
    times = []
    for key in _keys(source.bench.instruments):
        with suppress(OSError):
            times.append((shared_folder() / f"{_digest(key)}.taken").stat().st_mtime)
    return max(times, default=None)


def holder(source: BenchSource) -> LockHolder | None:
    """Return the process that has locked one of a bench's instruments; None when no such process is known.

    Like `last_taken`, this neither contacts nor blocks a process.
    """
    find = _named if sys.platform == "linux" else _noted
    holders = (find(_digest(key)) for key in _keys(source.bench.instruments))
    return next(filter(None, holders), None)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _stamp(digest: str) -> None:
    with suppress(OSError):
        path = _made(shared_folder()) / f"{digest}.taken"
        if not path.exists():
            path.touch(0o666)
            path.chmod(0o666)  # every user may update its time stamp
        os.utime(path)


def _made(folder: Path) -> Path:
    """Return a folder that is writable for every user; create it when it is missing."""
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # it belongs to another user, whose process has set this
        folder.chmod(0o1777)
    return folder


def _keys(entries: Instruments) -> dict[str, str]:
    """Return the lock name of each instrument, with its address as the bench file writes it."""
    keys = {key: written for written in entries.addresses() for key in every_spelling(written)}
    return keys | {device: written for written in entries.daqmx_lists() for device in daq_devices(written)}


def take_name(key: str, holder: LockHolder) -> Callable[[], None]:
    """Take the socket name for `key` (Linux) and return a function that releases it; raises `LockTaken` or `OSError`."""
    name = f"\0{PREFIX}/{key}"
    lock = _bound(name)
    if lock is None:
        raise LockTaken(_named(key))
    # Names are readable for every user, and vanish with the process.
    notice = _bound(f"{name}/{holder.process}/{holder.user}/{holder.since:.0f}")

    def release() -> None:
        lock.close()
        if notice is not None:
            notice.close()

    return release


def _bound(name: str) -> socket.socket | None:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        one.bind(name)
    except OSError as error:
        one.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    _held.add(one)
    return one


def _let_go_in_a_child() -> None:
    """Close the inherited sockets in a forked child: a lock ends with the process that took it."""
    for one in list(_held):
        one.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_a_child)


def _named(key: str) -> LockHolder | None:
    with suppress(OSError):
        for line in NAMES.read_text("utf-8", "replace").splitlines():
            prefix, separator, details = line.partition(f"@{PREFIX}/{key}/")
            with suppress(ValueError):
                if prefix and separator:
                    process, user, since = map(int, details.split("/"))
                    return LockHolder(process, user, since)
    return None


def take_file(key: str, holder: LockHolder, folder: Path | None = None) -> Callable[[], None]:
    """Lock the file for `key` in `folder` (default the shared one); return and raise as `take_name`."""
    from filelock import FileLock, Timeout  # only benches of real instruments are locked

    folder = _made(folder or shared_folder())
    path, note = folder / f"{key}.lock", folder / f"{key}.json"
    lock = FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockTaken(_written(note)) from None
    with suppress(OSError):  # the holder's name is only information; the lock works without it
        note.unlink(missing_ok=True)
        note.write_text(json.dumps(asdict(holder)), "utf-8")

    def release() -> None:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()

    return release


def shared_folder() -> Path:
    """Return the folder of lock files, the same for every user and every environment."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / PREFIX
    for name in SHARED:
        with suppress(OSError):
            if (mode := os.stat(name).st_mode) & stat.S_IWOTH and stat.S_ISDIR(mode):
                return Path(name) / PREFIX
    raise FileNotFoundError(errno.ENOENT, "there is no folder to which every user may write")


def _written(path: Path) -> LockHolder | None:
    with suppress(OSError, ValueError, TypeError):
        return LockHolder(**json.loads(path.read_text("utf-8")))
    return None


def _noted(key: str, folder: Path | None = None) -> LockHolder | None:
    """Return the holder that a lock file names, if its process lives: a killed process leaves its name behind."""
    import psutil

    with suppress(OSError):
        holder = _written((folder or shared_folder()) / f"{key}.json")
        return holder if holder is not None and psutil.pid_exists(holder.process) else None
    return None


def _user_name(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError, OverflowError):
        return "a user without a name" if number < 0 else f"user {number}"


def _command(process: int) -> str:
    """Return the command line of a process, or "" where the system does not provide it."""
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        text = " ".join(words).strip()
        printable = "".join(c if c.isprintable() else "?" for c in text)
        return printable if len(printable) <= COMMAND_SHOWN else printable[: COMMAND_SHOWN - 1] + "…"
    return ""
