"""What mho asks of an operating system; what all answer alike is answered here."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import psutil  # imported only where needed: it would delay every start by a tenth of a second

MARK = "MHO_WORKER"
"""Environment variable that all descendants of a worker inherit, even those that leave its session."""

OF_FAMILY = "\n"
"""What stands between the mark of a family of workers and what distinguishes one of them."""

LOOPBACK = "127.0.0.1"

PREFIX = "mho-bench"
"""What the names of benches' locks begin with, and their folder is called."""


@dataclass(frozen=True)
class LockHolder:
    """The holder of a lock: process, user (a number on POSIX, a name on Windows), and since when (Unix time, s)."""

    process: int
    user: str
    since: float


class LockTaken(Exception):
    """Raised for a lock that is held: by `holder`, or None when that is not known."""

    def __init__(self, holder: LockHolder | None) -> None:
        super().__init__(holder)
        self.holder = holder


class Divided:
    """What became of a process that was divided in two by `System.divide`: one of the two sides."""


@dataclass(frozen=True)
class WorkerSide(Divided):
    """The side that works.

    `reports`: a descriptor to write to; the other side reads it.
    `obey`: for a thread: does what the other side asks for, and returns when that is gone.
    """

    reports: int
    obey: Callable[[], object]


class SupervisorSide(Divided, ABC):
    """The side that looks after the worker. Signals to this process are held for `wait`, but for those it ignores.

    `pid`: process id of the worker, not reused before `reap`.
    `mark`: value of `MARK` in the worker's environment, "" for none.
    `hurried`: whether this process will be ended by the system within seconds: its console was closed.
    """

    pid: int
    mark: str = ""
    hurried: bool = False

    @abstractmethod
    def runs(self) -> bool:
        """Return whether the worker is there."""

    @abstractmethod
    def wait(self, patience: float) -> list[signal.Signals]:
        """Wait until something happens, at most `patience` seconds; return the signals that came."""

    @abstractmethod
    def send(self, number: signal.Signals) -> None:
        """Send the worker a signal."""

    @abstractmethod
    def read(self) -> bytes:
        """Return what it has reported and was not read; b"" for nothing."""

    @abstractmethod
    def reap(self) -> int:
        """Return the exit status of a worker that is gone, negative for a signal."""


class System(ABC):
    """An operating system, as mho sees it."""

    name: ClassVar[str]
    stopping: ClassVar[tuple[signal.Signals, ...]]
    """Signals that ask a program to end: from the keyboard, from others, by a terminal that is closed."""
    keys: ClassVar[tuple[signal.Signals, ...]]
    """Signals from the keyboard."""

    # --- processes ---

    @abstractmethod
    def divide(self) -> Divided:
        """Go on as two processes: one that works, and this one, which looks after it.

        To be called before anything large is imported or any thread started; the arguments of the command line are the same
        on both sides.
        """

    @abstractmethod
    def apart(self) -> dict[str, Any]:
        """Return how `subprocess.Popen` starts a process that no Ctrl-C and no closed terminal of this one reaches."""

    def interpreter(self) -> tuple[str, dict[str, str]]:
        """Return how to start another Python like this one: its program, and what to add to the environment."""
        return sys.executable, {}

    def parent_lost(self) -> Callable[[], bool] | None:
        """Return a function that tells whether the program that started this one is gone, with which this one ends.

        None for a process that is meant to outlive it, and where programs outlive each other.
        """
        return None

    @abstractmethod
    def adopt_orphans(self, mark: str = "") -> None:
        """See that all descendants of this process can be found, even those whose parents are gone.

        `mark`: the value of `MARK` in the environment of this process, if it has one.
        """

    def hold_family(self, mark: str) -> object:
        """Return what must be kept so that what a worker leaves can be found when it is gone; before the worker starts.

        `mark`: the value of `MARK` in the worker's environment.
        """
        return None

    @abstractmethod
    def has_children(self) -> bool:
        """Return whether this process has children, including dead ones that it has not waited for."""

    @abstractmethod
    def relatives(self, leader: int | None, mark: str) -> set[psutil.Process]:
        """Return processes that belong to a leader without descending from it visibly: its session, or its job.

        `leader`: process id of a leader that was not waited for; None when it is gone.
        `mark`: as for `adopt_orphans`.
        """

    def is_the_systems(self, process: psutil.Process) -> bool:
        """Return whether a process is one that the system has given another, as a console."""
        return False

    @abstractmethod
    def still_runs(self, process: psutil.Process) -> bool:
        """Return whether any thread of a process runs; its files stay open as long.

        Raises
        ------
        psutil.Error
            When there is no such process, or its state cannot be read.
        """

    @abstractmethod
    def birth_of(self, pid: int) -> str:
        """Return a text that tells a process from all others that have or had its id; "" when there is none."""

    @abstractmethod
    def wait_unreaped(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of a child; its id is not reused before the child is waited for, or forgotten."""

    @abstractmethod
    def exit_words(self, status: int) -> str:
        """Return how a process ended, as ``was ended by SIGTERM``."""

    @abstractmethod
    def is_kill(self, status: int) -> bool:
        """Return whether an exit status is that of a process that was killed outright."""

    def shell_status(self, status: int) -> int:
        """Return the exit code with which a shell reports a process that ended with a status."""
        return status

    @abstractmethod
    def kill_this(self) -> None:
        """End this process at once; nothing of it runs any more."""

    # --- signals ---

    @abstractmethod
    def interrupt(self) -> None:
        """Raise `KeyboardInterrupt` in the main thread, which also interrupts a blocking read."""

    @abstractmethod
    def signal_name(self, number: int) -> str:
        """Return what a signal is called, as ``SIGTERM``: it "was received"."""

    @abstractmethod
    def watch_console(self) -> None:
        """See that the closing of the console, the end of a session and of the computer arrive as signals, too."""

    @abstractmethod
    def on_emergency(self, act: Callable[[], object]) -> None:
        """Have `act` called when another process calls `call_emergency` for this one; for the main thread."""

    @abstractmethod
    def call_emergency(self, pid: int) -> None:
        """Tell a process that its bench is to be made safe at once; nothing happens when it is gone."""

    # --- users, locks, sockets ---

    @abstractmethod
    def user(self) -> str:
        """Return the user of this process, as in `LockHolder`."""

    @abstractmethod
    def user_name(self, user: str) -> str:
        """Return the name of a user of a `LockHolder`."""

    def group_of(self, path: Path) -> str:
        """Return the name of the group that a device file belongs to; "" where it has none, or is gone."""
        return ""

    def command_of(self, process: int) -> list[str]:
        """Return the command line of a process; empty where it cannot be read."""
        import psutil

        try:
            return psutil.Process(process).cmdline()
        except psutil.Error:
            return []

    def users_of(self, device: str) -> list[int]:
        """Return the other processes that have a device open, as far as the system tells it this user."""
        return []

    def take_lock(self, key: str, holder: LockHolder) -> Callable[[], None]:
        """Take the lock `key`, one for all users of this computer, and return a function that releases it.

        The lock ends with this process; a child that was forked does not have it.

        Raises
        ------
        LockTaken
            When another process has it.
        OSError
            When it cannot be had for another reason.
        """
        from filelock import FileLock, Timeout  # only benches of real instruments are locked

        folder = self.shared_folder()
        folder.mkdir(exist_ok=True)
        self.open_to_all(folder)
        path, note = folder / f"{key}.lock", folder / f"{key}.json"
        lock = FileLock(path, mode=0o666)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise LockTaken(self._written(note)) from None
        with suppress(OSError):  # the holder's name is only information; the lock works without it
            note.unlink(missing_ok=True)
            note.write_text(json.dumps(asdict(holder)), "utf-8")

        def release() -> None:
            with suppress(OSError):
                note.unlink(missing_ok=True)
            lock.release()

        return release

    def lock_holder(self, key: str) -> LockHolder | None:
        """Return the process that has the lock `key`; None when no such process is known. Blocks and contacts none."""
        import psutil

        with suppress(OSError):  # a killed process leaves its name behind
            holder = self._written(self.shared_folder() / f"{key}.json")
            return holder if holder is not None and psutil.pid_exists(holder.process) else None
        return None

    def _written(self, note: Path) -> LockHolder | None:
        with suppress(OSError, ValueError, TypeError):
            return LockHolder(**json.loads(note.read_text("utf-8")))
        return None

    @abstractmethod
    def shared_folder(self) -> Path:
        """Return the folder of lock files, the same for every user and every environment.

        Raises
        ------
        FileNotFoundError
            When there is no folder to which every user may write.
        """

    @abstractmethod
    def open_to_all(self, path: Path) -> None:
        """Let every user of this computer write to a folder, and to what is in it, or to a file."""

    @abstractmethod
    def make_private(self, folder: Path) -> None:
        """Create a folder for this user alone, if it is missing."""

    @abstractmethod
    def is_private(self, folder: Path) -> bool:
        """Return whether a folder is this user's, and closed to all others."""

    def listen(self, beside: Path, elsewhere: Path) -> socket.socket:
        """Return a socket that listens for this user's processes: on loopback, where there are no other private ones.

        `beside`: the path of a Unix socket in a private folder; `elsewhere`: one to take where that is too long. The folder
        of `elsewhere` may be missing.
        """
        return socket.create_server((LOOPBACK, 0))

    @abstractmethod
    def connect_to(self, address: str | tuple[str, int]) -> socket.socket:
        """Return a socket for an address that `listen` has given, not yet connected."""

    @abstractmethod
    def set_patience(self, sock: socket.socket, seconds: float) -> None:
        """Set the timeout of connecting, reading and writing of a blocking socket, s; 0 is unlimited."""

    # --- files ---

    renames_open_files: ClassVar[bool]
    """Whether a file may be renamed, replaced and removed while a process has it open."""

    @abstractmethod
    def replace(self, draft: Path, target: Path) -> None:
        """Put a file or folder in the place of another in one step; `OSError` where this cannot be done."""

    def is_locked(self, error: BaseException | None) -> bool:
        """Return whether an error of HDF5's opening says that another program has locked the file."""
        return isinstance(error, BlockingIOError)

    @abstractmethod
    def path_trouble(self, path: Path) -> str:
        """Return why this system has no file at `path`, as the end of a sentence; "" when it can have one."""

    @abstractmethod
    def freeze(self, descriptor: int, path: Path) -> None:
        """Make an open descriptor one that cannot be written to, where this can be done."""

    # --- the computer ---

    @contextmanager
    def kept_awake(self, reason: str) -> Iterator[str]:
        """Ask the computer to stay awake within a block, which one thread enters and leaves; the reason is for its users.

        It yields why that was refused; "" when it was granted, or where none can be asked. It takes half a second at most,
        and ends with this process.
        """
        yield ""

    @abstractmethod
    def clocks(self) -> tuple[float, float]:
        """Return two clocks that cannot be set, s: one goes on while the computer sleeps, the other stands still."""

    @abstractmethod
    def put_icon(self, name: str, command: Sequence[str], folder: Path) -> list[Path]:
        """Write the icon `name`, which runs a command in a folder, where a user of this system finds it; return its files.

        Raises
        ------
        OSError
            When it cannot be written.
        """

    @abstractmethod
    def processor(self) -> str:
        """Return the model of the processor; "" where the system does not tell it."""
