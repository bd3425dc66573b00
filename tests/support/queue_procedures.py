"""Procedures for the workers in tests of a queue: they read one cell until stopped, or fail."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from mho import platforms
from mho.errors import InputError, InstrumentError
from mho.instruments import Bench, Cell, Pulse
from mho.procedures import FloatParameter, IntegerParameter, Parameter, Procedure
from mho.procedures.stream import Stream
from mho.runs import Column, Layout, Table

CELL = Cell("multiply", 0, 0)
FORM = Pulse("set", 4.0, 1e-6, 1.6)


class Reading(Procedure):
    """Forms a cell and reads it for some seconds of wall time, a row a read."""

    title = "Read a cell"
    seconds = FloatParameter("Time", units="s", minimum=0.0, maximum=1e4, default=0.0)
    marker = Parameter("Where one that goes wrong notes that it is about to", default=" ")

    def layout(self, plan: None) -> Layout:
        reads = Table("reads", (Column("time", "s"), Column("conductance", "S")), "conductance", "time")
        return Layout((reads,), default="reads")

    def execute(self, plan: None, bench: Bench, stream: Stream) -> None:
        if stream.earlier is not None:
            stream.say(f"taking up {stream.earlier.name}")
        bench.pulse(CELL, FORM)
        began = told = time.monotonic()
        while (now := time.monotonic()) < began + self.seconds:
            stream.record("reads", time=now, conductance=bench.read(CELL))
            if now > told + 0.05:
                told = now
                stream.progress("reading", int(1e3 * (now - began)), int(1e3 * self.seconds))


class Going(Reading):
    """Goes wrong in one way or another."""

    how = Parameter("How", default="")
    until = IntegerParameter("Succeed from this attempt on", default=100)

    def check(self) -> None:
        if self.how == "refuse":
            raise InputError("no")

    def execute(self, plan: None, bench: Bench, stream: Stream) -> None:
        super().execute(plan, bench, stream)
        bench.read(CELL)
        stream.emit("reads", time=0.0, conductance=1.0)
        attempt = 1
        if self.marker.strip():
            note = Path(self.marker)
            attempt += int(note.read_text("utf-8")) if note.is_file() else 0
            note.write_text(str(attempt), encoding="utf-8")
        if attempt < self.until:
            WAYS[self.how]()


def fail() -> None:
    raise InstrumentError("the instrument is cross")


def segfault() -> None:
    ctypes.string_at(0)


def kill() -> None:
    platforms.here.kill_this()


def leave() -> None:
    os._exit(3)


def block() -> None:
    """As a read that waits for an answer does."""
    time.sleep(600)


def be_deaf() -> None:
    """As a library that is stuck does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    time.sleep(600)


def deceive() -> None:
    """As a procedure does that replaces what makes its bench safe: the bench says that it is, and is not."""
    Bench.safe = lambda self: None  # type: ignore[method-assign]


def leave_a_child() -> None:
    """As a library does that forks: its child has the connections, the bench's lock and all pipes, and lives on."""
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(600)


def start_a_program() -> None:
    """And comes to its end, while that goes on."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def leave_a_daemon() -> None:
    """The same of a child that has left session, group and parent behind."""
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(600)
    os.wait()
    time.sleep(600)


WAYS: dict[str, Any] = {
    "start": start_a_program,
    "deceive": deceive,
    "child": leave_a_child, "daemon": leave_a_daemon,
    "fail": fail, "segfault": segfault, "kill": kill, "leave": leave, "block": block, "deaf": be_deaf,
    "bug": lambda: np.zeros(1)[2],
}  # fmt: skip
