"""A whole projection: the columns of every table, and the numbers of the result, from one set of assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.projection.assumptions import Assumptions, Parameters
from mho.analysis.projection.break_even import break_even
from mho.analysis.projection.digital import gpu, kept_matrix, new_matrix, published_core
from mho.analysis.projection.model import cost, cost_in_blocks, cost_in_one_loop, cycles
from mho.analysis.projection.operations import LARGEST, in_blocks, solve_operations
from mho.analysis.projection.presets import PUBLISHED_SIZES, PUBLISHED_THROUGHPUT
from mho.analysis.projection.readings import Headline, NamedReading, headline, readings
from mho.analysis.projection.settling import least_feedback, settling_time
from mho.analysis.projection.tornado import Bar, tornado
from mho.analysis.projection.uncertainty import band, draw
from mho.errors import InputError

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

SIZES = tuple(2**k for k in range(2, 11))
"""Of the curves, 4 to 1,024 unknowns."""

LARGEST_LOOP = 128
"""Lines beyond which nobody has proposed one loop: its curves end there."""

BLOCK_SIZES_TO = 1 << 20
EIGENVALUES = np.geomspace(0.5e-6, 50e-6, 21)  # S
SHOWN_EIGENVALUES = (0.5e-6, 5e-6, 20e-6)
LOAD_GROWTH = 0.28
"""Exponent of N with which the conductance at a row grows, measured on loops of 4 to 128 lines (docs/inv-circuit.md)."""

MOST_DRAWS = 100_000


@dataclass(frozen=True)
class Projection:
    """What follows from a set of assumptions.

    Attributes
    ----------
    tables : columns by table, as `mho.analysis.projection.run_file` declares them
    readings : by size
    bars : the tornado of the energy of a solve of `size` unknowns
    """

    assumptions: Assumptions
    size: int
    tables: Mapping[str, Columns]
    readings: Mapping[int, Sequence[NamedReading]]
    bars: Sequence[Bar]
    headline: Headline
    seed: int
    draws: int

    @property
    def result(self) -> dict[str, Any]:
        """The numbers of a run's result."""
        p = self.assumptions.parameters
        ours = cost_in_one_loop(self.size, p)
        even = break_even(self.size, p)
        found: dict[str, Any] = {
            "size": self.size,
            "solves_per_second": 1.0 / float(ours.time),
            "solve_time": float(ours.time),
            "solve_energy": float(ours.energy),
            "throughput": float(ours.throughput),
            "efficiency": float(ours.efficiency),
            "cycles": float(cycles(p)),
            "write_time": float(ours.write_time),
            "write_energy": float(ours.write_energy),
            "area": float(ours.area),
            "break_even_energy": _or_never(even.energy),
            "break_even_time": _or_never(even.time),
            "break_even_time_by_area": _or_never(even.time_by_area),
            "break_even_energy_of_new_a": _or_never(even.energy_of_new),
            "thousand_times": {
                "over_published_core": self.headline.over_core,
                "without_converters": self.headline.without_converters,
                "with_measured_amplifiers": self.headline.as_measured,
                "over_whole_gpu_new_a": self.headline.over_gpu_new,
                "over_whole_gpu_a_kept": self.headline.over_gpu_kept,
                "efficiency_over_published_core": self.headline.efficiency,
            },
            "where_a_thousand_comes_from": self.headline.sentence,
            "readings": [
                {"size": size, "reading": one.words, "solves_per_second": one.rate, "joules": _or_unknown(one.joules)}
                for size, each in self.readings.items()
                for one in each
            ],
            "tornado": [bar.name for bar in self.bars],
        }  # fmt: skip
        deviations = published_deviations(self.assumptions)
        if self.assumptions.name == "published":
            found["published_deviation"] = max(map(abs, deviations))
        return found


UNITS = {
    "solves_per_second": "1/s", "solve_time": "s", "solve_energy": "J", "throughput": "1/s", "efficiency": "1/J",
    "write_time": "s", "write_energy": "J", "area": "m^2",
}  # fmt: skip
"""Of the numbers of the result."""


def published_deviations(assumptions: Assumptions) -> list[float]:
    """Return the relative deviation from the published throughput at each published N."""
    p = assumptions.parameters
    return [
        float(cost_in_one_loop(size, p).throughput) / there - 1.0
        for size, there in zip(PUBLISHED_SIZES, PUBLISHED_THROUGHPUT, strict=True)
    ]


def project(
    assumptions: Assumptions, sizes: Sequence[int] = (32, 128), *, draws: int = 2000, seed: int = 0,
    measured: Mapping[int, Sequence[NamedReading]] | None = None,
) -> Projection:  # fmt: skip
    """Return the projection of a set of assumptions.

    Parameters
    ----------
    sizes : sequence of int
        Unknowns of the readings; the first one also of tornado and result.
    draws, seed : int
        Of the uncertainty bands.
    measured : mapping, optional
        Readings that were measured, by size.

    Raises
    ------
    InputError
        A size or a number of draws out of range.
    """
    if not sizes:
        raise InputError("no size is given; name at least one, such as 32")
    for size in sizes:
        if not 2 <= size <= LARGEST:
            raise InputError(f"size {size}: give a whole number of unknowns, 2 to {LARGEST}")
    if not 10 <= draws <= MOST_DRAWS:
        raise InputError(f"--draws {draws}: give 10 to {MOST_DRAWS}")
    p = assumptions.parameters
    drawn = draw(assumptions, np.random.default_rng(seed), draws)
    bars = tornado(lambda values: float(cost_in_one_loop(sizes[0], values).energy), assumptions)
    more = measured or {}
    tables = {
        "throughput": _throughput(p, drawn),
        "energy": _energy(p, drawn),
        "break_even": _break_even(p),
        "tornado": {
            "rank": np.arange(1, len(bars) + 1),
            "low": np.array([bar.low for bar in bars]),
            "high": np.array([bar.high for bar in bars]),
        },
        "settling": _settling(p),
        "settling_by_size": _settling_by_size(p),
        "blocks": _blocks(p),
    }
    return Projection(
        assumptions, sizes[0], tables, {size: readings(size, assumptions, more.get(size, ())) for size in sizes},
        bars, headline(assumptions), seed, draws,
    )  # fmt: skip


def _in_one_loop(size: int) -> bool:
    return size <= LARGEST_LOOP


def _throughput(p: Parameters, drawn: Parameters) -> Columns:
    whole, rows = gpu(p), []
    published = dict(zip(PUBLISHED_SIZES, PUBLISHED_THROUGHPUT, strict=True))
    for size in SIZES:
        ours, worth = cost_in_one_loop(size, p), float(solve_operations(size))
        loop = _in_one_loop(size)
        spread = band(lambda values, n=size: cost_in_one_loop(n, values).throughput, drawn)
        rows.append(
            {
                "size": size,
                "one_loop": float(ours.throughput) if loop else np.nan,
                "low": spread.low if loop else np.nan,
                "high": spread.high if loop else np.nan,
                "by_blocks": _by_blocks(size, p, "throughput"),
                "writing_A_each_time": worth / float(np.add(ours.time, ours.write_time)) if loop else np.nan,
                "published": published.get(size, np.nan),
                "published_GPU_core": float(p.core_rate),
                "GPU_new_A": worth * float(new_matrix(size, whole).rate),
                "GPU_A_kept": worth * float(kept_matrix(size, whole).rate),
            }
        )
    return _columns(rows)


def _energy(p: Parameters, drawn: Parameters) -> Columns:
    whole, rows = gpu(p), []
    for size in SIZES:
        ours, loop = cost_in_one_loop(size, p), _in_one_loop(size)
        spread = band(lambda values, n=size: cost_in_one_loop(n, values).energy, drawn)
        rows.append(
            {
                "size": size,
                "one_loop": float(ours.energy) if loop else np.nan,
                "low": spread.low if loop else np.nan,
                "high": spread.high if loop else np.nan,
                "by_blocks": _by_blocks(size, p, "energy"),
                "writing_A_each_time": float(np.add(ours.energy, ours.write_energy)) if loop else np.nan,
                "published_GPU_core": float(published_core(size, p).joules),
                "GPU_new_A": float(new_matrix(size, whole).joules),
                "GPU_A_kept": float(kept_matrix(size, whole).joules),
            }
        )
    return _columns(rows)


def _break_even(p: Parameters) -> Columns:
    rows = []
    for size in (one for one in SIZES if _in_one_loop(one)):
        even = break_even(size, p)
        rows.append(
            {
                "size": size, "energy": even.energy, "time": even.time, "time_by_area": even.time_by_area,
                "energy_new_A": even.energy_of_new,
            }
        )  # fmt: skip
    return _columns(rows)


def _settling(p: Parameters) -> Columns:
    least = least_feedback(p.row_capacitance, p.cell_conductance, p.bandwidth)
    faster = np.multiply(p.bandwidth, 6.0)
    held = least_feedback(p.row_capacitance, p.cell_conductance, faster)
    times = {
        "with_feedback": (p.bandwidth, least),
        "without_feedback": (p.bandwidth, 0.0),
        "faster_same_feedback": (faster, least),
        "faster_least_feedback": (faster, held),
    }
    return {"eigenvalue": EIGENVALUES} | {
        name: settling_time(EIGENVALUES, width, feedback, p.row_conductance, p.settling_error)
        for name, (width, feedback) in times.items()
    }


def _settling_by_size(p: Parameters) -> Columns:
    sizes, values = (one.ravel() for one in np.meshgrid(np.array(SIZES), SHOWN_EIGENVALUES))
    least = least_feedback(p.row_capacitance, p.cell_conductance, p.bandwidth)
    load = p.row_conductance * (sizes / SIZES[0]) ** LOAD_GROWTH
    return {
        "eigenvalue": values,
        "size": sizes,
        "time": settling_time(values, p.bandwidth, least, load, p.settling_error),
    }


def _blocks(p: Parameters) -> Columns:
    loop, rows = int(p.loop_size), []
    size = loop
    while size <= BLOCK_SIZES_TO:
        calls = in_blocks(size, loop)
        ours = cost(size, calls, p)
        rows.append(
            {
                "size": size,
                "inversions": calls.inversions,
                "products": calls.products,
                "cells": float(ours.cells_written),
                "chips": float(np.ceil(np.divide(ours.cells_written, p.cells_per_chip))),
                "time": float(ours.time),
                "energy": float(ours.energy),
                "write_time": float(ours.write_time),
                "write_energy": float(ours.write_energy),
                "GPU_new_A": float(new_matrix(size, gpu(p)).joules),
                "GPU_memory": 4.0 * float(size) ** 2,
            }
        )
        size *= 2
    return _columns(rows)


def _by_blocks(size: int, p: Parameters, name: str) -> float:
    """Return a cost by blocks; NaN where a loop of this size is none of the recursion's."""
    loop = int(p.loop_size)
    ratio = size / loop
    if ratio > 1.0 and (not ratio.is_integer() or int(ratio).bit_count() != 1):
        return float("nan")
    return float(getattr(cost_in_blocks(size, p), name))


def _columns(rows: Sequence[Mapping[str, float]]) -> Columns:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _or_never(number: float) -> float | str:
    return number if np.isfinite(number) else "never"


def _or_unknown(number: float) -> float | None:
    return number if np.isfinite(number) else None
