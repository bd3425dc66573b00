"""A process that writes a run for the tests to follow, to kill or to starve of disk; see `main`."""

from __future__ import annotations

import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

import mho.runs.writing.live_file as live_file
from mho.errors import RunFileError
from mho.runs import Array, Column, Layout, Map, RunHeader, RunWriter, Table

with suppress(ImportError):  # Windows limits no file's size
    import resource

LAYOUT = Layout(
    tables=(
        Table("points", tuple(Column(name) for name in ("index", "time", "a", "b")), "a", "index"),
        Table("blocks", (Column("index"), Column("twice")), "twice", "index"),
    ),
    maps=(Map("image", "S", np.arange(3), np.arange(4)),),
    arrays=(Array("solution", np.full(2, np.nan)),),
)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def steady(run: RunWriter, report: Path) -> None:
    """Emit until killed; each row's index and time go to `report`, which the kernel keeps after a kill."""
    with report.open("ab", buffering=0) as told:
        index = 0
        say("ready")
        while True:
            now = time.monotonic()
            run.emit("points", index=index, time=now, a=index + 0.25, b=-index)
            told.write(struct.pack("dd", index, now))
            if index % 50 == 0:
                run.emit_block("blocks", {"index": np.arange(index, index + 50.0), "twice": np.arange(50.0)})
                run.snapshot("image", np.full((3, 4), index), time=now)
                run.log("INFO", f"row {index}")
                time.sleep(0.001)
            index += 1


def brief(run: RunWriter) -> None:
    """Emit a known number of rows in uneven portions, then finish."""
    random = np.random.default_rng(5)
    say("ready")
    done = 0
    while done < 30_000:
        portion = int(random.integers(1, 1000))
        index = np.arange(done, done + portion, dtype=float)
        run.emit_block("points", {"index": index, "time": index, "a": index + 0.25, "b": -index})
        done += portion
        if random.random() < 0.2:
            time.sleep(0.02)
    run.snapshot("image", np.full((3, 4), done))
    run.set_array("solution", [1.0, 2.0])
    run.log("INFO", "done")
    run.set_result({"rows": done})


def silent(run: RunWriter) -> None:
    """Emit three rows, then wait for a message to continue."""
    for index in range(3):
        run.emit("points", index=index, time=0.0, a=index + 0.25, b=-index)
    say("ready")
    sys.stdin.readline()


def starving(run: RunWriter) -> None:
    """Emit against a limit of the file's size, as a quota or a broken disk would set one."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    say("ready")
    for index in range(10**6):
        run.emit("points", index=index, time=0.0, a=index + 0.25, b=-index)
        if index % 1000 == 0:
            time.sleep(0.01)


def filling(run: RunWriter) -> None:
    """Emit until the disk itself is full, with no reserve to stop at."""
    say("ready")
    for index in range(10**6):
        run.emit("points", index=index, time=0.0, a=index + 0.25, b=-index)
        if index % 1000 == 0:
            run.flush()


def homeless(run: RunWriter) -> None:
    """Emit, continue after the message that the folder is gone, and end after the next message."""
    for index in range(1000):
        run.emit("points", index=index, time=0.0, a=index + 0.25, b=-index)
        if index == 500:
            run.flush()
            say("ready")
            sys.stdin.readline()
            time.sleep(1.2)  # a heartbeat comes, and looks around


def filling_in(run: RunWriter) -> None:
    """Fill in an array on a message, and then repeatedly until killed."""
    say("ready")
    sys.stdin.readline()
    number = 0
    while True:
        run.set_array("solution", [float(number), 2.0])
        time.sleep(0.001)
        number += 1


def main() -> None:
    """``child_writer.py WHAT PATH``: write the run WHAT to PATH; a `RunFileError` is the last line said."""
    what, path = sys.argv[1], Path(sys.argv[2])
    if what == "filling":
        live_file.RESERVE = 0
    if what.startswith("cramped"):
        say("ready")
        kilobytes = what.partition("-")[2]
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(kilobytes) * 1000,) * 2)
    try:
        with RunWriter.create(path, RunHeader("child", what, "1", {}), LAYOUT) as run:
            if what == "steady":
                steady(run, path.with_suffix(".told"))
            else:
                {
                    "brief": brief,
                    "silent": silent,
                    "starving": starving,
                    "filling": filling,
                    "filling in": filling_in,
                    "homeless": homeless,
                }[what](run)
    except RunFileError as error:
        say(str(error))


if __name__ == "__main__":
    main()
