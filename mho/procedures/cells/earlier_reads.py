"""What an earlier attempt at the same reads has measured: a retention run of a week goes on where it was interrupted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments.bench_file import ReadSettings
from mho.runs import RunFile
from mho.toml import load_toml

CLOCK_ZERO = "clock_zero"
"""Name of the array that holds the Unix time (s) at which the run's clock showed 0; NaN on a simulated bench."""


@dataclass(frozen=True)
class EarlierReads:
    """The whole repeats in a run file.

    Attributes
    ----------
    repeats : int
        How many.
    rows : dict
        Of its table of reads, those of these repeats, by column.
    times : (repeats,) array
        When each began, s on the earlier bench's clock.
    elapsed : float
        What its clock would show now, s: it ended with its process, so the computer's is asked. Never before the last
        row.
    """

    repeats: int
    rows: dict[str, NDArray[Any]]
    times: NDArray[np.float64]
    elapsed: float


def earlier_reads(path: Path, parameters: Mapping[str, Any], per_repeat: int, image: str) -> EarlierReads:
    """Read what the run file at `path` holds of `per_repeat` reads a repeat, and of the map `image`.

    Raises
    ------
    RunFileError
        It cannot be read.
    InputError
        It was made with other `parameters`.
    """
    with RunFile(path) as run:
        for name, value in parameters.items():
            before = _in_use(run, name)
            if before != value:
                raise InputError(
                    f"{path} cannot be taken up: its {name} is {before!r}, not {value!r}; take the same, or begin anew"
                )
        repeats = min(run.length("reads") // per_repeat, len(run.map_times(image)))
        rows = {name: values[: repeats * per_repeat] for name, values in run.table("reads").items()}
        since = time.time() - float(run.array(CLOCK_ZERO)[0]) if CLOCK_ZERO in run.arrays else 0.0
        last = float(rows["time"][-1]) if repeats else 0.0
        return EarlierReads(repeats, rows, run.map_times(image)[:repeats], float(np.fmax(since, last)))


def _in_use(run: RunFile, name: str) -> Any:
    """Return what a parameter was in `run`; `Read` version 1 kept 0 V for the read voltage of its bench file."""
    value = run.parameters[name].value if name in run.parameters else None
    if (name, run.version, value) == ("read_voltage", "1", 0.0):
        read = load_toml(run.bench, f"bench file in {run.path}", InputError).get("read")
        return (
            read.get("voltage", ReadSettings().voltage) if isinstance(read, dict) else ReadSettings().voltage
        )
    return value
