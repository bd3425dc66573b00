"""Linux, macOS and other POSIX systems."""

from __future__ import annotations

import errno
import os
import re
import select
import shlex
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mho.platforms import system
from mho.platforms.system import Divided, LockHolder, LockTaken, SupervisorSide, System, WorkerSide

assert sys.platform != "win32"  # for type checkers

if TYPE_CHECKING:
    import psutil

SHARED = ("/var/lock", "/var/tmp", "/tmp")  # the first one that is writable for every user
SOCKET_NAME_LIMIT = 100  # bytes; the system takes little more (sun_path, 108 on Linux and 104 on macOS)


class _Forked(SupervisorSide):
    """The parent of a worker that was forked."""

    def __init__(self, pid: int, reports: int) -> None:
        self.pid = pid
        self._reports = reports
        os.set_blocking(reports, False)
        self._signals = self._take_signals()

    def _take_signals(self) -> int:
        """Route signals into a pipe, one byte each, so that none of them interrupts anything."""
        out, into = os.pipe()
        os.set_blocking(out, False)
        os.set_blocking(into, False)
        signal.set_wakeup_fd(into, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, frame: None)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a stopped supervisor cannot react
        return out

    def runs(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self, patience: float) -> list[signal.Signals]:
        select.select([self._signals], [], [], patience)
        try:
            came = os.read(self._signals, 1 << 10)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in came if number != signal.SIGCHLD]

    def send(self, number: signal.Signals) -> None:
        os.kill(
            self.pid, signal.SIGINT if number is signal.SIGQUIT else number
        )  # SIGQUIT would dump its core

    def read(self) -> bytes:
        try:
            return os.read(self._reports, 1 << 12)
        except BlockingIOError:
            return b""

    def reap(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Posix(System):
    """What all of them have; locks of benches are locked files."""

    name = "POSIX"
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    keys = (signal.SIGINT, signal.SIGQUIT)
    renames_open_files: ClassVar[bool] = True

    # --- processes ---

    def divide(self) -> Divided:
        reports, tell = os.pipe()
        leash, write_end = os.pipe()  # ends for the worker when the other end is closed
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.adopt_orphans()
        worker = os.fork()
        if worker:
            os.close(tell)
            os.close(leash)
            return _Forked(worker, reports)
        os.close(reports)
        os.close(write_end)
        os.setsid()  # Ctrl-C in the terminal is the supervisor's to hand on
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.adopt_orphans()
        return WorkerSide(tell, lambda: os.read(leash, 1))

    def apart(self) -> dict[str, Any]:
        return {"start_new_session": True}

    def parent_lost(self) -> Callable[[], bool] | None:
        # A job of an interactive shell and a daemon lead a process group of their own, and `nohup` ignores SIGHUP. A
        # parent that is gone already (`sh -c "run &"`) cannot be lost.
        parent = os.getppid()
        try:
            together = os.getpgid(parent) == os.getpgrp()
        except OSError:  # gone, or another user's
            return None
        if not together or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            return None
        return lambda: os.getppid() != parent

    def adopt_orphans(self, mark: str = "") -> None:
        """See `System.adopt_orphans`; without a system call for it, only sessions and marks tell them."""

    def has_children(self) -> bool:
        # A forked child inherits all open files, hence the connections to the instruments.
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def relatives(self, leader: int | None, mark: str) -> set[psutil.Process]:
        import psutil

        result: set[psutil.Process] = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if leader is not None and os.getsid(process.pid) == leader:
                    result.add(process)
        return result

    def still_runs(self, process: psutil.Process) -> bool:
        import psutil

        # A process whose first thread has ended is listed as a zombie while others still end; so is a killed one briefly.
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)

    def birth_of(self, pid: int) -> str:
        import psutil

        try:
            return repr(psutil.Process(pid).create_time())
        except psutil.Error:
            return ""

    def wait_unreaped(self, process: subprocess.Popen[bytes]) -> None:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    def exit_words(self, status: int) -> str:
        if status >= 0:
            return f"ended with exit code {status}"
        return f"was ended by {signal.Signals(-status).name}"

    def is_kill(self, status: int) -> bool:
        return status == -signal.SIGKILL

    def shell_status(self, status: int) -> int:
        return status if status >= 0 else 128 - status

    def kill_this(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    # --- signals ---

    def interrupt(self) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def signal_name(self, number: int) -> str:
        return signal.Signals(number).name

    def watch_console(self) -> None:
        pass  # a closed terminal is SIGHUP, the end of a session SIGTERM

    def on_emergency(self, act: Callable[[], object]) -> None:
        signal.signal(signal.SIGUSR1, lambda number, frame: act())

    def call_emergency(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)

    # --- users, locks, sockets ---

    def user(self) -> str:
        return str(os.getuid())

    def user_name(self, user: str) -> str:
        try:
            import pwd

            return pwd.getpwuid(int(user)).pw_name
        except (ImportError, KeyError, OverflowError, ValueError):
            return f"user {user}"

    def group_of(self, path: Path) -> str:
        with suppress(KeyError, OSError, NotImplementedError):
            return path.group()
        return ""

    def shared_folder(self) -> Path:
        for name in SHARED:
            with suppress(OSError):
                if (mode := os.stat(name).st_mode) & stat.S_IWOTH and stat.S_ISDIR(mode):
                    return Path(name) / system.PREFIX
        raise FileNotFoundError(errno.ENOENT, "there is no folder to which every user may write")

    def open_to_all(self, path: Path) -> None:
        with suppress(PermissionError):  # it belongs to another user, whose process has set this
            path.chmod(0o1777 if path.is_dir() else 0o666)

    def make_private(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)

    def is_private(self, folder: Path) -> bool:
        status = folder.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077

    def listen(self, beside: Path, elsewhere: Path) -> socket.socket:
        if len(os.fsencode(beside)) <= SOCKET_NAME_LIMIT:
            with suppress(OSError):  # not every file system has sockets
                return _listening(beside)
        self.make_private(elsewhere.parent)
        if not self.is_private(elsewhere.parent):
            raise PermissionError(
                errno.EPERM, "it is another user's, or open to others", str(elsewhere.parent)
            )
        return _listening(elsewhere)

    def connect_to(self, address: str | tuple[str, int]) -> socket.socket:
        return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)

    def set_patience(self, sock: socket.socket, seconds: float) -> None:
        time = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time)

    # --- files ---

    def replace(self, draft: Path, target: Path) -> None:
        os.replace(draft, target)

    def path_trouble(self, path: Path) -> str:
        return ""  # the system says it of each

    def freeze(self, descriptor: int, path: Path) -> None:
        # The file itself may have been removed meanwhile; any that cannot be written serves.
        frozen = os.open(path if path.exists() else os.devnull, os.O_RDONLY)
        os.dup2(frozen, descriptor, inheritable=False)
        os.close(frozen)

    # --- the computer ---

    def put_icon(self, name: str, command: Sequence[str], folder: Path) -> list[Path]:
        """Write an entry for the menu of programs (freedesktop.org, Desktop Entry Specification 1.5)."""
        words = (re.sub(r'(["`$\\])', r"\\\1", word).replace("%", "%%") for word in command)
        entry = {
            "Type": "Application", "Name": name, "Exec": " ".join(f'"{word}"' for word in words), "Path": str(folder),
        }  # fmt: skip
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        file = data / "applications" / f"{name}.desktop"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={value}\n".replace("\\", "\\\\") for key, value in entry.items()]
        file.write_text("".join(["[Desktop Entry]\n", *lines]), "utf-8")
        return [file]

    def clocks(self) -> tuple[float, float]:
        now = time.monotonic()  # does not tell sleep
        return now, now

    def processor(self) -> str:
        return ""


def _listening(path: Path) -> socket.socket:
    """Return a Unix socket that listens at `path`, for its user alone."""
    path.unlink(missing_ok=True)  # left by a runner that was killed
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class MacOS(Posix):
    """macOS, which was not tried: what differs from Linux there is what `Posix` does without it."""

    name = "macOS"

    def put_icon(self, name: str, command: Sequence[str], folder: Path) -> list[Path]:
        file = Path.home() / "Desktop" / f"{name}.command"
        file.write_text(f"#!/bin/sh\ncd {shlex.quote(str(folder))} && exec {shlex.join(command)}\n", "utf-8")
        file.chmod(0o755)
        return [file]

    @contextmanager
    def kept_awake(self, reason: str) -> Iterator[str]:
        import ctypes

        power = ctypes.CDLL("/System/Library/Frameworks/IOKit.framework/IOKit")  # IOKit/pwr_mgt/IOPMLib.h
        texts = ctypes.CDLL("/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation")
        texts.CFStringCreateWithCString.restype = ctypes.c_void_p
        utf_8, on, assertion = 0x08000100, 255, ctypes.c_uint32()
        what, why = (
            ctypes.c_void_p(texts.CFStringCreateWithCString(None, text.encode(), utf_8))
            for text in ("PreventUserIdleSystemSleep", reason)
        )
        failed = power.IOPMAssertionCreateWithName(what, on, why, ctypes.byref(assertion))
        try:
            yield f"macOS refuses ({failed:#x})" if failed else ""
        finally:
            if not failed:
                power.IOPMAssertionRelease(assertion)

    def clocks(self) -> tuple[float, float]:
        going, standing = 4, 8  # CLOCK_MONOTONIC_RAW, CLOCK_UPTIME_RAW: clock_gettime(3) of macOS
        return time.clock_gettime(going), time.clock_gettime(standing)


AWAKE_WITHIN = 0.1  # s for each of logind's answers: what asks has others to serve

NAMES = Path("/proc/net/unix")  # where Linux lists the names of sockets

_held: weakref.WeakSet[socket.socket] = weakref.WeakSet()


class Linux(Posix):
    """Linux.

    A lock of a bench is an abstract socket name, which the kernel keeps for any user while the process lives. It needs no
    file: no folder that an environment variable moves, no permissions, nothing that a clean-up removes. A second name tells
    the holder.
    """

    name = "Linux"

    def adopt_orphans(self, mark: str = "") -> None:
        import ctypes

        set_child_subreaper = 36  # prctl(2)
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)

    def birth_of(self, pid: int) -> str:
        """Return the boot, and how many ticks after it the process started: no setting of the clock changes them.

        From ``/proc/PID/stat``, field 22 (proc_pid_stat(5)), counted behind the command's name, which may hold blanks and
        parentheses.
        """
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return f"{boot} {fields[22 - 3]}"
        except (OSError, IndexError):
            return ""

    def users_of(self, device: str) -> list[int]:
        real = os.path.realpath(device)
        found = []
        for process in Path("/proc").glob("[1-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                if int(process.name) != os.getpid() and real in map(os.readlink, (process / "fd").iterdir()):
                    found.append(int(process.name))
        return found

    def take_lock(self, key: str, holder: LockHolder) -> Callable[[], None]:
        name = f"\0{system.PREFIX}/{key}"
        lock = _bound(name)
        if lock is None:
            raise LockTaken(self.lock_holder(key))
        # Names are readable for every user, and vanish with the process.
        notice = _bound(f"{name}/{holder.process}/{holder.user}/{holder.since:.0f}")

        def release() -> None:
            lock.close()
            if notice is not None:
                notice.close()

        return release

    def lock_holder(self, key: str) -> LockHolder | None:
        with suppress(OSError):
            for line in NAMES.read_text("utf-8", "replace").splitlines():
                prefix, separator, details = line.partition(f"@{system.PREFIX}/{key}/")
                with suppress(ValueError):
                    if prefix and separator:
                        process, user, since = details.split("/")
                        return LockHolder(int(process), user, int(since))
        return None

    @contextmanager
    def kept_awake(self, reason: str) -> Iterator[str]:
        from mho.platforms.logind import inhibit

        descriptor, refusal = -1, ""
        try:
            descriptor = inhibit(reason, AWAKE_WITHIN)
        except PermissionError as error:
            refusal = str(error)
        except OSError:  # no logind, as on many servers, which do not fall asleep either
            pass
        try:
            yield refusal
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def clocks(self) -> tuple[float, float]:
        return time.clock_gettime(time.CLOCK_BOOTTIME), time.clock_gettime(time.CLOCK_MONOTONIC)

    def processor(self) -> str:
        with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
        return ""


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


os.register_at_fork(after_in_child=_let_go_in_a_child)

SYSTEMS: dict[str, type[Posix]] = {"linux": Linux, "darwin": MacOS}
"""By `sys.platform`."""
