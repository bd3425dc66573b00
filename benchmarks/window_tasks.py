"""Ten tasks of a device researcher, done in the window with mouse and keys by a real runner: how many clicks, how long.

Each task is done by Qt's mouse and key events (offscreen); typing counts as no click. What a test cannot reach by events
(a tab brought to the front, a list's entry, the name in a file dialog) is called and counted as the clicks it takes.
A task counts as done when what it was for is there: a run file with the conductance, a job that says why it failed, a
bench that was read back as safe. What the window cannot do yet is listed as not done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.registry import Figure

MOST_CLICKS = 6
TASKS = 10
PATIENCE = 420.0  # s


def run(repeat: int) -> list[Figure]:
    """Do the tasks in a window of its own process."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._window_tasks", folder],
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "MHO_RUNS": str(Path(folder, "runs"))},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"the window said nothing: {done.stderr[-2000:]}")
    tasks = json.loads(lines[-1])
    within = [name for name, one in tasks.items() if one["done"] and one["clicks"] <= MOST_CLICKS]
    return [
        Figure(
            "ten tasks done in the window, in at most six clicks each",
            len(within),
            "tasks",
            target=f"{TASKS}",
            met=len(within) == TASKS,
            detail=tasks,
        )
    ]
