"""Checks and estimates the form's orders, in another thread because the procedures take long to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mho.procedures.manifest import ProcedureEntry
from mho.running import queue as job_queue


def in_words(expected: job_queue.Expected) -> str:
    """Format duration and number of pulses."""
    pulses = {None: "", 0: ", no pulses"}.get(expected.pulses, f", about {expected.pulses or 0:,} pulses")
    return f"duration {job_queue.expected_text(expected.seconds)}{pulses}"


def check_of(entry: ProcedureEntry) -> Callable[[str, Any], None]:
    """Return what raises `MhoError` for the name of a parameter of a procedure and a value that it refuses."""
    from mho.procedures.catalogue import accepted, parameters_of

    parameters = parameters_of(entry)

    def check(key: str, value: Any) -> None:
        if value is not None or parameters[key].default is not None:
            accepted(parameters[key], key, value)

    return check


def words_of(entry: ProcedureEntry, values: Mapping[str, Any]) -> list[str]:
    """Return arguments for the command line that give a procedure these values."""
    options, places = [], []
    for key, value in values.items():
        option = key.replace("_", "-")
        if entry.parameters[key].required:
            places.append(str(value))
        elif isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            options.append(f"--{option}={value}")
    return [*places, *options]


def is_simulated(bench: str) -> bool:
    """Return whether a bench is simulated; `BenchError` for a wrong bench file."""
    from mho.instruments.bench_file import load_bench_file

    return load_bench_file(bench).bench.simulation is not None


def expect_at(order: job_queue.Order, path: Path) -> job_queue.Expected:
    """Check an order as the queue at `path` would, and say what it will take; `MhoError` for what is wrong with it."""
    with job_queue.Queue(path) as queue:
        return job_queue.expect(order, queue)
