"""Procedures that treat their process badly, one way each: they read a cell, note that they begin, and do it."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from queue_procedures import CELL, Reading, be_deaf, leave_a_child, leave_a_daemon

from mho import platforms
from mho.instruments import Bench
from mho.procedures import Parameter
from mho.procedures.stream import Stream

LONG = 600.0  # s


class Bad(Reading):
    """Forms and reads a cell, all outputs on, and then does what `how` names."""

    how = Parameter("How", default="")

    def execute(self, plan: None, bench: Bench, stream: Stream) -> Any:
        super().execute(plan, bench, stream)
        bench.read(CELL)
        Path(self.marker).touch()
        return WAYS[self.how](bench, stream)


def busy(bench: Bench, stream: Stream) -> None:
    """Computes in Python."""
    for _ in itertools.count():
        pass


def busy_in_c(bench: Bench, stream: Stream) -> None:
    """Computes in C without releasing the interpreter: no thread of this process runs, no handler is called."""
    sum(range(10**13))


def ignore_signals(bench: Bench, stream: Stream) -> None:
    for number in platforms.here.stopping:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(LONG)


def handle_signals(bench: Bench, stream: Stream) -> None:
    for number in platforms.here.stopping:
        signal.signal(number, lambda *_: None)
    time.sleep(LONG)


def swallow(bench: Bench, stream: Stream) -> None:
    """Takes every error, a stop too, for one that passes."""
    while True:
        with suppress(Exception):
            stream.record("reads", time=0.0, conductance=bench.read(CELL))


def swallow_all(bench: Bench, stream: Stream) -> None:
    while True:
        with suppress(BaseException):
            stream.record("reads", time=0.0, conductance=bench.read(CELL))


def leave_a_thread(bench: Bench, stream: Stream) -> None:
    threading.Thread(target=time.sleep, args=(LONG,)).start()


def close_output(bench: Bench, stream: Stream) -> None:
    for number in (0, 1, 2):
        os.close(number)
    time.sleep(LONG)


def close_everything(bench: Bench, stream: Stream) -> None:
    """As who makes a daemon of himself does: connections, run file and all."""
    os.closerange(0, 256)
    time.sleep(LONG)


def change_folder(bench: Bench, stream: Stream) -> None:
    os.chdir("/")
    os._exit(1)


def fill_memory(bench: Bench, stream: Stream) -> None:
    filled = b"x" * 300_000_000
    time.sleep(LONG + len(filled) * 0)


def return_garbage(bench: Bench, stream: Stream) -> Any:
    return object()


def raise_in_the_end(bench: Bench, stream: Stream) -> Any:
    class Worse:
        def __del__(self) -> None:
            raise RuntimeError("worse")

    raise RuntimeError(Worse())


def recurse(bench: Bench, stream: Stream) -> None:
    recurse(bench, stream)


def delete_the_file(bench: Bench, stream: Stream) -> None:
    for path in Path(os.environ["RUN_FILE"]).parent.glob("*.h5"):
        path.unlink()
    raise RuntimeError("gone")


def raise_base(bench: Bench, stream: Stream) -> None:
    raise BaseException("not an Exception")


def become_another(bench: Bench, stream: Stream) -> None:
    os.execv(sys.executable, [sys.executable, "-c", f"import time; time.sleep({LONG})"])


def fork_late(bench: Bench, stream: Stream) -> None:
    """Leaves a child that uses the bench as soon as its parent is gone."""
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:
            time.sleep(0.001)
        use_all(bench)
        time.sleep(LONG)
        os._exit(0)


def leave_a_process(bench: Bench, stream: Stream) -> None:
    """Leaves a process that its parent waits for at its own end, and that uses the bench meanwhile."""
    over = Path(tempfile.mkdtemp()) / "over"  # the run: its bench has been made safe

    def use() -> None:
        while not over.exists():
            time.sleep(0.01)
        use_all(bench)

    multiprocessing.get_context("fork").Process(target=use).start()
    atexit.register(over.touch)


def fork_at_exit(bench: Bench, stream: Stream) -> None:
    """Forks after the run has ended and the bench is safe."""

    def leave() -> None:
        if os.fork() == 0:
            time.sleep(LONG)

    atexit.register(leave)


def use_all(bench: Bench) -> None:
    """Turn on what a read needs, whatever this process believes to be on."""
    for _ in range(3):  # replies to its parent may be in its way
        bench._mode = ""
        with suppress(Exception):
            bench.read(CELL)


WAYS: dict[str, Callable[[Bench, Stream], Any]] = {
    "sleep": lambda bench, stream: time.sleep(LONG),
    "busy": busy,
    "busy in C": busy_in_c,
    "deaf": lambda bench, stream: be_deaf(),
    "ignore signals": ignore_signals,
    "handle signals": handle_signals,
    "swallow stops": swallow,
    "swallow all": swallow_all,
    "os._exit": lambda bench, stream: os._exit(0),
    "sys.exit": lambda bench, stream: sys.exit(0),
    "segfault": lambda bench, stream: ctypes.string_at(0),
    "abort": lambda bench, stream: os.abort(),
    "kill group": lambda bench, stream: os.killpg(0, signal.SIGKILL),
    "stop itself": lambda bench, stream: os.kill(os.getpid(), signal.SIGSTOP),
    "kill parent": lambda bench, stream: (psutil.Process(os.getppid()).kill(), time.sleep(LONG)),
    "another program": become_another,
    "fork": lambda bench, stream: leave_a_child(),
    "fork a daemon": lambda bench, stream: leave_a_daemon(),
    "fork late": fork_late,
    "fork at exit": fork_at_exit,
    "process stays": leave_a_process,
    "thread stays": leave_a_thread,
    "close output": close_output,
    "close everything": close_everything,
    "change folder": change_folder,
    "fill memory": fill_memory,
    "return garbage": return_garbage,
    "raise in __del__": raise_in_the_end,
    "recurse": recurse,
    "delete the file": delete_the_file,
    "raise BaseException": raise_base,
}

FORKING = (
    "deaf",
    "kill group",
    "stop itself",
    "fork",
    "fork a daemon",
    "fork late",
    "fork at exit",
    "process stays",
)
"""Those that need POSIX."""
