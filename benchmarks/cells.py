"""Cells of the simulated chip: one pulse on each of a megabit, one pulse and one read of a single cell.

There is no peer: simulators of the field draw conductances, they do not pulse cells.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.registry import Figure, median_seconds
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS

ALL = slice(None)
CALLS = 2000  # of a single-cell operation, timed together


def run(repeat: int) -> list[Figure]:
    array, clock = _formed(1024)
    figures = []
    for name, work in (("SET", array.set_cells), ("RESET", array.reset_cells)):
        voltage, gate = (3.0, np.float32(1.6)) if name == "SET" else (1.5, np.float32(2.8))

        def pulse(work: Callable[..., None] = work, voltage: float = voltage, gate: float = gate) -> None:
            work(ALL, voltage, 100e-9, gate)

        seconds = median_seconds(pulse, repeat)
        figures.append(
            Figure(f"{name}, one pulse on each of 1024x1024 cells", 1e3 * seconds, "ms",
                   target="under 50 ms", met=seconds < 50e-3)
        )  # fmt: skip
    figures.extend(_single(_formed(8), (array, clock), repeat))
    rows, columns = np.arange(0, 64, 2)[:, None], np.arange(32)[None, :]
    seconds = median_seconds(lambda: array.noise_split((rows, columns), 1e-3, 1e-6), repeat)
    figures.append(Figure("noise of a 32x32 block for one batch", 1e3 * seconds, "ms"))
    return figures


def _formed(size: int) -> tuple[CellArray, VirtualClock]:
    clock = VirtualClock()
    array = CellArray(size, size, CELL_PRESETS["pku"], clock, np.random.default_rng(1))
    array.set_cells(ALL, 4.2, 10e-6, 1.6)
    return array, clock


def _single(
    small: tuple[CellArray, VirtualClock], large: tuple[CellArray, VirtualClock], repeat: int
) -> Iterator[Figure]:
    """One SET, RESET and read of one cell, the clock going on in between; both arrays in turn."""
    for name, act in _ACTS.items():
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeat):
            for (array, clock), seconds in zip((small, large), times, strict=True):
                start = time.perf_counter()
                for _ in range(CALLS):
                    clock.advance(1e-3)
                    act(array)
                seconds.append((time.perf_counter() - start) / CALLS)
        of_small, of_large = (statistics.median(t) for t in times)
        yield Figure(
            f"{name} of one cell of 1024x1024",
            1e6 * of_large,
            "us",
            peer_name="of 8x8",
            peer_value=1e6 * of_small,
            target="under 15 us, whatever the array" if name != "read" else None,
            met=of_large < 15e-6 and of_large < 1.3 * of_small if name != "read" else None,
        )


_ACTS: dict[str, Callable[[CellArray], object]] = {
    "SET": lambda array: array.set((3, 5), 3.0, 100e-9, 1.6),
    "RESET": lambda array: array.reset((3, 5), 1.5, 100e-9, 2.8),
    "read": lambda array: array.read((3, 5), 1.67e-4, 0.2),
}
