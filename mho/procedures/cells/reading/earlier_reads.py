"""Results of an earlier attempt at the same reads, so that a long retention run continues after an interruption."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import ReadSettings
from mho.procedures.attempt_clock import CLOCK_ZERO
from mho.procedures.stream import Stream
from mho.runs import RunFile
from mho.toml import load_toml


@dataclass(frozen=True)
class EarlierReads:
    """The complete repeats in a run file.

    Attributes
    ----------
    repeats : int
        Number of complete repeats.
    rows : dict
        Rows of these repeats in the table of reads, by column.
    times : (repeats,) array
        Start of each, s on the earlier bench's clock.
    elapsed : float
        Present time on that clock, s, derived from the computer's clock as the process has ended. Never before the
        last row.
    """

    repeats: int
    rows: dict[str, NDArray[Any]]
    times: NDArray[np.float64]
    elapsed: float


def earlier_attempt(
    stream: Stream, bench: Bench, parameters: Mapping[str, Any], per_repeat: int, image: str
) -> EarlierReads | None:
    """Return the reads to take over; None without any, or on a simulated bench, whose chip was another one.

    Parameters and errors are those of `earlier_reads`.
    """
    if stream.earlier is None or bench.simulated is not None:
        return None
    found = earlier_reads(stream.earlier, parameters, per_repeat, image)
    return found if found.repeats else None


def earlier_reads(path: Path, parameters: Mapping[str, Any], per_repeat: int, image: str) -> EarlierReads:
    """Read the complete repeats, with `per_repeat` reads each, and the map `image` from the run file at `path`.

    Raises
    ------
    RunFileError
        When it cannot be read.
    InputError
        When it was made with other `parameters`.
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
    """Return a parameter's value in `run`; `Read` version 1 stored 0 V for the read voltage of the bench file."""
    value = run.parameters[name].value if name in run.parameters else None
    if (name, run.version, value) == ("read_voltage", "1", 0.0):
        read = load_toml(run.bench, f"bench file in {run.path}", InputError).get("read")
        return (
            read.get("voltage", ReadSettings().voltage) if isinstance(read, dict) else ReadSettings().voltage
        )
    return value
