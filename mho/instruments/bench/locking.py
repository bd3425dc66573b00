"""The lock of a bench: one process at a time may use an instrument, and the next one learns which process holds it.

How a lock is taken for all users of a computer is the system's: see `mho.platforms`.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import ExitStack, suppress

from mho import platforms
from mho.errors import BenchError, BenchInUseError
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.entries import Instruments, daq_devices, every_spelling
from mho.platforms.system import LockHolder, LockTaken

COMMAND_SHOWN = 80  # characters


def this_process() -> LockHolder:
    """Return this process as a holder."""
    return LockHolder(os.getpid(), platforms.here.user(), round(time.time()))


def holder_words(holder: LockHolder) -> str:
    """``process 123 of anna, since 2026-11-25 18:40 (mho solve a.mtx),``."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    if holder.process == os.getpid():
        return f"this process, since {since},"
    command = _command(holder.process)
    user = platforms.here.user_name(holder.user)
    return f"process {holder.process} of {user}, since {since}{command and f' ({command})'},"


def lock_bench(source: BenchSource) -> ExitStack:
    """Lock every instrument of a real bench for this process, by its address; return a function that unlocks them.

    `BenchInUseError` when another process holds one, naming that process; `BenchError` when locking fails otherwise.
    """
    with ExitStack() as stack:
        for key, written in sorted(_keys(source.bench.instruments).items()):
            try:
                stack.callback(platforms.here.take_lock(_digest(key), this_process()))
            except LockTaken as error:
                holding = "another process" if error.holder is None else holder_words(error.holder)
                raise BenchInUseError(
                    f"bench {source.bench.name!r} is in use: {holding} has {written}; end it, or wait"
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
            times.append((platforms.here.shared_folder() / f"{_digest(key)}.taken").stat().st_mtime)
    return max(times, default=None)


def holder(source: BenchSource) -> LockHolder | None:
    """Return the process that has locked one of a bench's instruments; None when no such process is known.

    Like `last_taken`, this neither contacts nor blocks a process.
    """
    holders = (platforms.here.lock_holder(_digest(key)) for key in _keys(source.bench.instruments))
    return next(filter(None, holders), None)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _stamp(digest: str) -> None:
    with suppress(OSError):
        folder = platforms.here.shared_folder()
        folder.mkdir(exist_ok=True)
        platforms.here.open_to_all(folder)
        path = folder / f"{digest}.taken"
        if not path.exists():
            path.touch()
            platforms.here.open_to_all(path)  # every user may update its time stamp
        os.utime(path)


def _keys(entries: Instruments) -> dict[str, str]:
    """Return the lock name of each instrument, with its address as the bench file writes it."""
    keys = {key: written for written in entries.addresses() for key in every_spelling(written)}
    return keys | {device: written for written in entries.daqmx_lists() for device in daq_devices(written)}


def _command(process: int) -> str:
    """Return the command line of a process, or "" where the system does not provide it."""
    text = " ".join(platforms.here.command_of(process)).strip()
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= COMMAND_SHOWN else printable[: COMMAND_SHOWN - 1] + "…"
