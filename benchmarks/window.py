"""What the window costs while a run streams, how fast it draws, opens and starts; all of it offscreen.

A frame is a repaint of the map with everything around it. A blocked interval is the longest time between two beats of
a timer of 1 ms in the window's thread, so it holds what the machine gives to others, too; the longest work at once is
what that thread itself worked between two beats. Nothing is drawn by a graphics card: Qt's raster engine does it all,
within the time that is measured. The peer of the map is given values of which all are known, and finds its scale from
a sample, as ours does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py

from benchmarks._pulse_runs import PulseWriter
from benchmarks.registry import Figure

RATE, SECONDS = 5_000.0, 10.0
LONG = 10_000_000
HOUR = 3_600_000  # pulses of a millisecond
BLOCK = 50_000
FRAMES, BLOCKED, OPENED, STARTED, GROWTH = 30.0, 0.1, 1.0, 2.0, 20.0
READY = "ready"
"""What the window under observation says when a run may go on."""

WINDOW_THREADS = 3  # its own, the queue's listener and the runner's


def run(repeat: int) -> list[Figure]:
    """Watch the window in processes of its own, while this one writes run files."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        starts = [_start(place) for _ in range(repeat)]
        answered = [one for one, _ in starts]
        return [
            *_streaming(place / "stream.h5"),
            *_long(place / "long.h5"),
            *_memory(place / "hour.h5"),
            Figure(
                "start of `mho gui` to a window that answers",
                statistics.median(answered),
                "s",
                target=f"below {STARTED:.0f} s",
                met=statistics.median(answered) < STARTED,
                detail={
                    "slowest, s": max(answered),
                    "until a procedure can be chosen, s": statistics.median(offers for _, offers in starts),
                },
                threads=WINDOW_THREADS,
            ),
        ]


def _streaming(path: Path) -> list[Figure]:
    pulses = PulseWriter(path)
    pulses.emit(1000)
    pulses.writer.flush()
    watching = observe("stream", path, SECONDS)
    pulses.stream(RATE, lambda: watching.poll() is not None)
    seen = found(watching)
    pulses.finish()
    name = f"while {RATE:,.0f} pulses a second come"
    return [
        Figure(
            f"frames {name} and the view is moved",
            seen["frames"],
            "1/s",
            target=f"at least {FRAMES:.0f}",
            met=seen["frames"] >= FRAMES,
            detail={"CPU meanwhile, cores": seen["moved_cpu"], "map updates at rest, 1/s": seen["updates"]},
            threads=WINDOW_THREADS,
        ),
        Figure(
            f"longest blocked interval {name}",
            1e3 * max(seen["blocked"], seen["moved_blocked"]),
            "ms",
            target=f"below {1e3 * BLOCKED:.0f} ms",
            met=max(seen["blocked"], seen["moved_blocked"]) < BLOCKED,
            detail={
                "at rest, ms": 1e3 * seen["blocked"],
                "longest work at once, ms": 1e3 * max(seen["busiest"], seen["moved_busiest"]),
                "rows shown, 1/s": seen["rows"],
            },
            threads=WINDOW_THREADS,
        ),
        Figure(
            f"the window's CPU {name}",
            seen["cpu"],
            "cores",
            target="below 1",
            met=seen["cpu"] < 1.0,
            threads=WINDOW_THREADS,
        ),
    ]


def _long(path: Path) -> list[Figure]:
    pulses = PulseWriter(path)
    while pulses.rows < LONG:
        pulses.emit(BLOCK)
    pulses.picture()
    pulses.finish()
    drawn, opened = found(observe("redraw", path, 9.0)), found(observe("opening", path, 120.0))
    start = time.perf_counter()
    with h5py.File(path) as file:
        table = {name: file[f"entry/pulses/{name}"][()] for name in file["entry/pulses"]}
    whole = time.perf_counter() - start
    assert len(table["time"]) == LONG
    return [
        Figure(
            "map of 1024×1024, every cell of which changes",
            drawn["frames"],
            "frames/s",
            "pyqtgraph's ImageItem of float64",
            drawn["plain"],
            target=f"at least {FRAMES:.0f}",
            met=drawn["frames"] >= FRAMES,
            detail={"view, pixels": drawn["size"]},
        ),
        Figure(
            "map of 1024×1024, 256 cells of which change",
            drawn["partial"],
            "frames/s",
            "pyqtgraph's ImageItem of float64, drawn anew",
            drawn["plain"],
        ),
        Figure(
            f"open a run of {LONG:,} rows until its map is drawn",
            opened["opened"],
            "s",
            "h5py reads the table whole",
            whole,
            target=f"below {OPENED:.0f} s",
            met=opened["opened"] < OPENED,
            detail={
                "all its past, s": opened["whole"],
                "longest blocked meanwhile, ms": 1e3 * opened["blocked"],
                "longest work at once, ms": 1e3 * opened["busiest"],
                "history of one cell, s": opened["history"],
                "rows of the cell": opened["found"],
            },
            threads=WINDOW_THREADS,
        ),
    ]


def _memory(path: Path) -> list[Figure]:
    pulses = PulseWriter(path)
    pulses.emit(BLOCK)
    pulses.writer.flush()
    watching = observe("memory", path, HOUR)
    assert watching.stdout is not None
    while watching.stdout.readline().strip() not in (READY, ""):
        pass
    while pulses.rows < HOUR:
        pulses.emit(min(BLOCK, HOUR - pulses.rows))
        pulses.writer.flush()
        time.sleep(0.1)
    seen = found(watching)
    pulses.finish()
    growth = seen["taken"][-1] - seen["taken"][0]
    return [
        Figure(
            f"growth of the window's memory over an hour of bench time, {HOUR:,} pulses",
            growth,
            "MiB",
            target=f"below {GROWTH:.0f} MiB from the first fifth to the end",
            met=growth < GROWTH,
            detail={"resident on the way, MiB": seen["taken"], "rows shown": seen["rows"]},
            threads=WINDOW_THREADS,
        )
    ]


def _start(folder: Path) -> tuple[float, float]:
    """Return how long ``mho gui`` takes until it answers, and until a procedure can be chosen, s."""
    began = time.time()
    private = {"XDG_CONFIG_HOME": str(folder), "MHO_RUNS": str(folder)}
    times = found(_in_a_process("benchmarks._window_start", [], private))
    return times["answered"] - began, times["offers"] - began


def observe(what: str, path: Path, number: float) -> subprocess.Popen[str]:
    """Begin to observe a window, see `benchmarks._window`."""
    return _in_a_process("benchmarks._window", [what, str(path), str(number)], {})


def _in_a_process(module: str, words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"} | environment,
    )


def found(watching: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what was observed."""
    said, _ = watching.communicate()
    if watching.returncode:
        raise RuntimeError(f"the window under observation ended with {watching.returncode}")
    measured: dict[str, Any] = json.loads(said.splitlines()[-1])
    return measured
