"""A whole projection: the columns of every table, and the numbers of the result, from one set of assumptions.

Rows and second pole being fast, the loop of `mho.instruments.simulated` obeys (docs/inv-circuit.md)

    (D + w_u C_f) dv/dt = -w_u (G v + i),      w_u = 2 pi GBW

so that the slowest part of an answer decays with the time ``(D / w_u + C_f) / lambda_min(G)``. The first term is the
gain-bandwidth product's, the second that of the feedback capacitance, which no faster amplifier takes away by itself.
The number of lines is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.projection.assumptions import Assumption, Assumptions, Parameters, Value
from mho.extensions.projection.digital import gpu, in_double, kept_matrix, new_matrix, published_core
from mho.extensions.projection.model import (
    FASTER,
    LARGEST,
    MEASURED,
    PUBLISHED_POINTS,
    cost,
    cost_in_blocks,
    cost_in_one_loop,
    cycles,
    in_blocks,
    published_deviations,
    solve_operations,
)
from mho.extensions.projection.readings import (
    Headline,
    NamedReading,
    Rival,
    break_even,
    headline,
    not_in_blocks,
    readings,
    rivals,
)


def settling_time(
    eigenvalue: ArrayLike, bandwidth: ArrayLike, feedback_capacitance: ArrayLike, load: ArrayLike,
    error: ArrayLike = 0.01,
) -> Floats:  # fmt: skip
    """Return the time until an answer is within `error` of its end, s.

    `eigenvalue`: the smallest eigenvalue of G, S; `bandwidth`: gain-bandwidth product, Hz. `feedback_capacitance`: C_f,
    F; 0 for none. `load`: D, all conductance on a row, S; `error`: relative to the whole step. Result: as the
    parameters are broadcast together. The simulated circuit, which overshoots, settles 1.4 times sooner at the median,
    and 0.9 to 2 times (``python -m benchmarks projection``).
    """
    unity = 2.0 * np.pi * np.asarray(bandwidth, dtype=np.float64)
    slowest = (np.asarray(load) / unity + np.asarray(feedback_capacitance)) / np.asarray(eigenvalue)
    return np.asarray(slowest * np.log(1.0 / np.asarray(error)), dtype=np.float64)


def least_feedback(row_capacitance: ArrayLike, conductance: ArrayLike, bandwidth: ArrayLike) -> Floats:
    """Return the C_f that keeps a loop stable, F: ``sqrt(C_in G / w_u)``, the rule for transimpedance amplifiers.

    Settling that is decided by C_f shrinks as the square root of the gain-bandwidth product: amplifiers six times faster
    settle 2.4 times sooner.

    `row_capacitance`: C_in of a row: amplifier, pad and board, F; `conductance`: G of the strongest cell between an
    output and its row, S; `bandwidth`: gain-bandwidth product, Hz.
    """
    unity = 2.0 * np.pi * np.asarray(bandwidth, dtype=np.float64)
    return np.asarray(np.sqrt(np.asarray(row_capacitance) * np.asarray(conductance) / unity))


LEVELS = (0.05, 0.95)  # quantiles that a band lies between


@dataclass(frozen=True)
class UncertaintyBand:
    """The range in which 90 % of the draws lie, and their median."""

    low: float
    median: float
    high: float


def draw(assumptions: Assumptions, rng: np.random.Generator, draws: int) -> Parameters:
    """Return values drawn independently of each other from triangles over low, value and high.

    Of logarithms where a range spans more than a factor of three and holds no 0; what counts something is rounded.
    """
    return Parameters(**{name: _drawn(one, rng, draws) for name, one in assumptions.items()})


def _drawn(one: Assumption, rng: np.random.Generator, draws: int) -> Value:
    if one.low == one.high:
        return one.value
    if one.low > 0.0 and one.high > 3.0 * one.low:
        values = np.exp(rng.triangular(np.log(one.low), np.log(one.value), np.log(one.high), draws))
    else:
        values = rng.triangular(one.low, one.value, one.high, draws)
    return np.clip(np.round(values) if one.whole else values, one.low, one.high)


def band(answer: Callable[[Parameters], Any], drawn: Parameters) -> UncertaintyBand:
    """Return the band of an answer that is computed of all draws at once."""
    values = np.asarray(answer(drawn), dtype=np.float64)
    low, middle, high = np.quantile(values, (LEVELS[0], 0.5, LEVELS[1]))
    return UncertaintyBand(float(low), float(middle), float(high))


@dataclass(frozen=True)
class Bar:
    """What one assumption changes: the answer at its low and at its high value, relative to the answer as it is."""

    name: str
    low: float
    high: float

    @property
    def span(self) -> float:
        """How many times the larger is the smaller."""
        small, large = sorted((self.low, self.high))
        return large / small


def tornado(answer: Callable[[Parameters], float], assumptions: Assumptions) -> list[Bar]:
    """Return the assumptions that change an answer, that which changes it most first.

    `answer`: of the values: a positive number, such as the energy of a solve.
    """
    middle = answer(assumptions.parameters)
    bars = [
        Bar(name, answer(assumptions.at(name, one.low)) / middle,
            answer(assumptions.at(name, one.high)) / middle)
        for name, one in assumptions.items() if one.low < one.high
    ]  # fmt: skip
    return sorted((bar for bar in bars if bar.span > 1.0), key=lambda bar: bar.span, reverse=True)


Columns = Mapping[str, NDArray[Any]]

SIZES = tuple(2**k for k in range(2, 11))  # of the curves, 4 to 1,024 unknowns
LARGEST_LOOP = 128  # lines beyond which nobody has proposed one loop: its curves end there
BLOCK_SIZES_TO = 1 << 20
EIGENVALUES = np.geomspace(0.5e-6, 50e-6, 21)  # S
SHOWN_EIGENVALUES = (0.5e-6, 5e-6, 20e-6)
# Exponent of N with which the conductance at a row grows, measured on loops of 4 to 128 lines
# (docs/inv-circuit.md)
LOAD_GROWTH = 0.28
MOST_DRAWS = 100_000
MOST_BARS = 9  # assumptions in the figure of the tornado; more curves have no names

# Processors of the figure in FP64
IN_DOUBLE = ("H100 in FP64 on tensor cores", "GH200 in FP64 on tensor cores", "GH200 in emulated FP64")
OF_CIRCUIT = (
    "one loop", "low end of 90 % of draws", "high end of 90 % of draws", "by blocks", "writing A each time",
)  # fmt: skip
OF_PROCESSORS = ("published GPU core", "whole GPU with new A", "whole GPU with A kept")
# Names of the curves of each table, in the order of their codes
CURVES: Mapping[str, Sequence[str]] = {
    "throughput": (*OF_CIRCUIT, "published circuit", *OF_PROCESSORS),
    "energy": (*OF_CIRCUIT, "published circuit", *OF_PROCESSORS),
    "fp64_energy": (
        "one loop", "one loop with faster amplifiers",
        *(f"{name} with {kept}" for name in IN_DOUBLE for kept in ("new A", "A kept")),
    ),
    "published": tuple(dict.fromkeys(one.words for one in PUBLISHED_POINTS)),
    "break_even": (
        "energy against whole GPU", "energy against GPU with new A", "energy against whole CPU", "time against whole GPU",
        "time on GPU's area", "time against one GPU core",
    ),
    "settling": (
        "least stable C_f", "six times faster with same C_f", "six times faster with least C_f", "if no C_f were needed",
    ),
    "settling_by_size": tuple(f"lambda_min {1e6 * value:g} uS" for value in SHOWN_EIGENVALUES),
}  # fmt: skip


@dataclass(frozen=True)
class Projection:
    """What follows from a set of assumptions."""

    assumptions: Assumptions
    size: int
    tables: Mapping[str, Columns]
    readings: Mapping[int, Sequence[NamedReading]]
    rivals: Mapping[int, Sequence[Rival]]
    bars: Sequence[Bar]
    headline: Headline
    seed: int
    draws: int

    @property
    def remarks(self) -> list[str]:
        """What is not there, and why, a sentence each."""
        reasons = (not_in_blocks(size, self.assumptions) for size in self.readings)
        return [f"no reading by blocks: {reason}" for reason in reasons if reason]

    @property
    def result(self) -> dict[str, Any]:
        """The numbers of a run's result."""
        p = self.assumptions.parameters
        ours = cost_in_one_loop(self.size, p)
        even = break_even(self.size, p)
        values: dict[str, Any] = {
            "size": self.size, "solves_per_second": 1.0 / float(ours.time), "solve_time": float(ours.time),
            "solve_energy": float(ours.energy), "throughput": float(ours.throughput),
            "efficiency": float(ours.efficiency), "cycles": float(cycles(p)),
            "write_time": float(ours.write_time), "write_energy": float(ours.write_energy),
            "area": float(ours.area), "break_even_energy": _or_never(even.energy),
            "break_even_time": _or_never(even.time), "break_even_time_by_area": _or_never(even.time_by_area),
            "break_even_time_of_core": _or_never(even.time_of_core),
            "break_even_energy_of_new_a": _or_never(even.energy_of_new),
            "thousand_times": {
                "over_published_core": self.headline.over_core,
                "without_converters": self.headline.without_converters,
                "with_times_as_assumed": self.headline.as_assumed,
                "over_whole_gpu_new_a": self.headline.over_gpu_new,
                "over_whole_gpu_a_kept": self.headline.over_gpu_kept,
                "efficiency_over_published_core": self.headline.efficiency,
                "published_efficiency_over_published_core": self.headline.published_efficiency,
            },
            "where_a_thousand_comes_from": self.headline.sentence,
            "readings": [
                {
                    "size": size, "reading": one.words, "solves_per_second": one.rate,
                    "joules": one.joules if np.isfinite(one.joules) else None,
                }
                for size, each in self.readings.items() for one in each
            ],
            "fp64": [
                {
                    "size": size, "processor": one.words, "cores": one.cores,
                    "solves_per_second_new_a": float(one.new.rate), "joules_new_a": float(one.new.joules),
                    "solves_per_second_a_kept": float(one.kept.rate), "joules_a_kept": float(one.kept.joules),
                }
                for size, each in self.rivals.items() for one in each
            ],
            "published": [
                {
                    "of": one.words, "size": one.size, "published": one.value, "model": one.model(p),
                    "deviation": one.deviation(p),
                }
                for one in PUBLISHED_POINTS
            ],
            "tornado": [bar.name for bar in self.bars],
        }  # fmt: skip
        if self.assumptions.name == "published":
            for quantity in ("throughput", "energy"):
                deviations = published_deviations(self.assumptions, quantity)
                values[f"published_{quantity}_deviation"] = max(map(abs, deviations))
        return values


# Of the numbers of the result
UNITS = {
    "solves_per_second": "1/s", "solve_time": "s", "solve_energy": "J", "throughput": "1/s", "efficiency": "1/J",
    "write_time": "s", "write_energy": "J", "area": "m^2",
}  # fmt: skip


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
        A size, a number of draws or a seed out of range.
    """
    if not sizes:
        raise InputError("no size is given; name at least one, such as 32")
    for size in sizes:
        if not 2 <= size <= LARGEST:
            raise InputError(f"size {size}: give a whole number of unknowns, 2 to {LARGEST}")
    if not 10 <= draws <= MOST_DRAWS:
        raise InputError(f"--draws {draws}: give 10 to {MOST_DRAWS}")
    if not 0 <= seed < 2**63:  # a generator takes no other, and no file holds a larger one
        raise InputError(f"--seed {seed}: give a whole number from 0 to 2^63 - 1")
    p = assumptions.parameters
    drawn = draw(assumptions, np.random.default_rng(seed), draws)
    bars = tornado(lambda values: float(cost_in_one_loop(sizes[0], values).energy), assumptions)
    more, headlines = measured or {}, headline(assumptions)
    tables = {
        "throughput": _throughput(p, drawn), "energy": _energy(p, drawn), "fp64_energy": _energy_in_double(p),
        "published": _published(p), "break_even": _break_even(p), "thousand": _ladder(headlines),
        "tornado": _tornado(bars), "settling": _settling(p), "settling_by_size": _settling_by_size(p),
        "blocks": _blocks(p),
    }  # fmt: skip
    return Projection(
        assumptions, sizes[0], tables, {size: readings(size, assumptions, more.get(size, ())) for size in sizes},
        {size: rivals(size, assumptions) for size in sizes}, bars, headlines, seed, draws,
    )  # fmt: skip


def _in_one_loop(size: int) -> bool:
    return size <= LARGEST_LOOP


def _cost_of(size: int, name: str) -> Callable[[Parameters], Any]:
    return lambda values: getattr(cost_in_one_loop(size, values), name)


def _throughput(p: Parameters, drawn: Parameters) -> Columns:
    whole, rows = gpu(p), []
    for size in SIZES:
        ours, worth = cost_in_one_loop(size, p), float(solve_operations(size))
        spread = band(_cost_of(size, "throughput"), drawn)
        loop = [ours.throughput, spread.low, spread.high, worth / np.add(ours.time, ours.write_time)]
        one, low, high, writing = loop if _in_one_loop(size) else [np.nan] * 4
        new, reused = new_matrix(size, whole), kept_matrix(size, whole)
        blocks = _by_blocks(size, p, "throughput")
        there = _there("throughput", size)
        rows.append(
            [one, low, high, blocks, writing, there, p.core_rate, worth * new.rate, worth * reused.rate]
        )
    return _curves(rows, "size", SIZES, "throughput")


def _energy(p: Parameters, drawn: Parameters) -> Columns:
    whole, rows = gpu(p), []
    for size in SIZES:
        ours = cost_in_one_loop(size, p)
        spread = band(_cost_of(size, "energy"), drawn)
        loop = [ours.energy, spread.low, spread.high, np.add(ours.energy, ours.write_energy)]
        one, low, high, writing = loop if _in_one_loop(size) else [np.nan] * 4
        new, reused = new_matrix(size, whole), kept_matrix(size, whole)
        core = published_core(size, p).joules
        blocks, there = _by_blocks(size, p, "energy"), _there("energy", size)
        rows.append([one, low, high, blocks, writing, there, core, new.joules, reused.joules])
    return _curves(rows, "size", SIZES, "energy")


def _there(words: str, size: int) -> float:
    """Return what is published at a size; NaN for nothing."""
    return next((one.value for one in PUBLISHED_POINTS if (one.words, one.size) == (words, size)), np.nan)


def _energy_in_double(p: Parameters) -> Columns:
    fast, rows = replace(p, inv_time=FASTER[0], mvm_time=FASTER[1]), []
    for size in SIZES:
        ours = [cost_in_one_loop(size, one).energy if _in_one_loop(size) else np.nan for one in (p, fast)]
        each = [in_double(p)[name] for name in IN_DOUBLE]
        rows.append([*ours, *(way(size, one).joules for one in each for way in (new_matrix, kept_matrix))])
    return _curves(rows, "size", SIZES, "energy")


def _published(p: Parameters) -> Columns:
    """Return how far the model is off each published point."""
    kinds = CURVES["published"]
    return {
        "curve": np.array([kinds.index(one.words) for one in PUBLISHED_POINTS]),
        "size": np.array([one.size for one in PUBLISHED_POINTS]),
        "deviation": np.array([one.deviation(p) for one in PUBLISHED_POINTS]),
    }


def _break_even(p: Parameters) -> Columns:
    sizes = [one for one in SIZES if _in_one_loop(one)]
    points = [break_even(size, p) for size in sizes]
    rows = [
        [one.energy, one.energy_of_new, one.energy_of_cpu, one.time, one.time_by_area, one.time_of_core]
        for one in points
    ]
    return _curves(rows, "size", sizes, "right_hand_sides")


def _ladder(headline: Headline) -> Columns:
    count = len(headline.ladder)
    return {
        "against": np.arange(count),
        "place": np.arange(count, 0, -1),
        "ratio": np.array([ratio for _, ratio in headline.ladder]),
    }


def _tornado(bars: Sequence[Bar]) -> Columns:
    """Return the two ends of each bar, the longest highest up."""
    shown = bars[:MOST_BARS]
    return {
        "assumption": np.repeat(np.arange(len(shown)), 2),
        "place": np.repeat(np.arange(len(shown), 0, -1), 2),
        "relative": np.array([end for bar in shown for end in (bar.low, bar.high)]),
    }


def _settling(p: Parameters) -> Columns:
    least = least_feedback(p.row_capacitance, p.cell_conductance, p.bandwidth)
    faster = np.multiply(p.bandwidth, MEASURED[0] / FASTER[0])
    stable = least_feedback(p.row_capacitance, p.cell_conductance, faster)
    cases = ((p.bandwidth, least), (faster, least), (faster, stable), (p.bandwidth, 0.0))
    times = [settling_time(EIGENVALUES, width, c, p.row_conductance, p.settling_error) for width, c in cases]
    return _curves(np.transpose(times), "eigenvalue", EIGENVALUES, "time")


def _settling_by_size(p: Parameters) -> Columns:
    least = least_feedback(p.row_capacitance, p.cell_conductance, p.bandwidth)
    rows = [
        settling_time(SHOWN_EIGENVALUES, p.bandwidth, least,
                      p.row_conductance * (size / SIZES[0]) ** LOAD_GROWTH, p.settling_error)
        for size in SIZES
    ]  # fmt: skip
    return _curves(rows, "size", SIZES, "time")


def _blocks(p: Parameters) -> Columns:
    loop, rows = int(p.loop_size), []
    size = loop
    while size <= BLOCK_SIZES_TO:
        calls = in_blocks(size, loop)
        ours = cost(size, calls, p)
        rows.append({
            "size": size, "inversions": calls.inversions, "products": calls.products,
            "cells": float(ours.cells_written),
            "chips": float(np.ceil(np.divide(ours.cells_written, p.cells_per_chip))),
            "time": float(ours.time), "energy": float(ours.energy), "write_time": float(ours.write_time),
            "write_energy": float(ours.write_energy), "GPU_new_A": float(new_matrix(size, gpu(p)).joules),
            "GPU_memory": 4.0 * float(size) ** 2,
        })  # fmt: skip
        size *= 2
    return _columns(rows)


def _by_blocks(size: int, p: Parameters, name: str) -> float:
    """Return a cost by blocks; NaN where a loop of this size is none of the recursion's."""
    loop = int(p.loop_size)
    ratio = size / loop
    if ratio > 1.0 and (not ratio.is_integer() or int(ratio).bit_count() != 1):
        return float("nan")
    return float(getattr(cost_in_blocks(size, p), name))


def _curves(rows: Any, along: str, values: Sequence[float] | Floats, name: str) -> Columns:
    """Return a table of curves, one below the other: rows have a value of each curve."""
    numbers = np.array([[float(one) for one in row] for row in rows])
    count = numbers.shape[1]
    return {
        "curve": np.repeat(np.arange(count), len(numbers)),
        along: np.tile(np.asarray(values), count),
        name: numbers.T.ravel(),
    }


def _columns(rows: Sequence[Mapping[str, float]]) -> Columns:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _or_never(number: float) -> float | str:
    return number if np.isfinite(number) else "never"
