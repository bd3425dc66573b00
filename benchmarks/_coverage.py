"""Samples whose truth is known, of every kind of number with an interval of 95 %, and how often that holds it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho import confidence
from mho.analysis.comparisons.effects import cliffs_delta, difference_interval, hedges_g
from mho.analysis.figures.fitting import Fit, fit_curve, fit_distribution
from mho.analysis.figures.values.statistics import autocorrelation
from mho.array_types import Floats
from mho.extensions.optimise.predictions import Prediction
from mho.extensions.optimise.twin import Programming
from mho.procedures.cells.extraction.forming_extraction import NEVER, fit_normal, fit_weibull, quantile
from mho.procedures.cells.extraction.lifetimes import fit_weibull as fit_lifetimes
from mho.procedures.cells.extraction.response_curve import fit_response
from mho.procedures.cells.extraction.switching_statistics import (
    BY_CELLS,
    CELLS_OF_A_SPREAD,
    distribution,
    distribution_with_intervals,
    window,
    window_with_intervals,
)
from mho.procedures.cells.log_spacing import log_counts
from mho.procedures.cells.reading.drift import by_level
from mho.procedures.cells.reading.spectrum import slope, spectrum
from mho.procedures.cells.reading.telegraph import dwell_times

Generator = np.random.Generator
Intervals = tuple[Floats, Floats]
Statistic = Callable[[Floats], Floats]

SIZES = (5, 8, 16, 64)
RESAMPLES = 400
"""Of the percentile bootstrap, as it was used before."""

CYCLES, DEVICE, CYCLE = 20, 0.05, 0.06  # of a switching run; decades
CORNER = 0.06  # V, over which a response begins and saturates
TAIL = 0.12  # Tukey's h of relaxing cells of `stanford`


@dataclass(frozen=True)
class Case:
    """A number of samples of one size and law.

    Attributes
    ----------
    number, law, method : str
        What it is of, what the values are drawn from, and whose interval it has.
    draw : callable
        Of a generator, how many samples, and their size: the samples, and the truth, one for all or one each.
    interval : callable
        Of the samples: both ends. An end that is NaN is open; of a sample with two such ends there is no interval.
    statistic : callable, optional
        The number itself, of samples along the last axis: for the percentile bootstrap beside it.
    wide : bool
        Exactness is not to be had: it may hold more often than in 97 %.
    fewest : int
        Size from which there is an interval.
    slow : bool
        Samples are evaluated one by one.
    """

    number: str
    law: str
    method: str
    draw: Callable[[Generator, int, int], tuple[Any, Any]]
    interval: Callable[[Any], Any]
    statistic: Statistic | None = None
    wide: bool = False
    fewest: int = 5
    slow: bool = False

    @property
    def name(self) -> str:
        """Number and law."""
        return f"{self.number}, {self.law}"

    def holds(self, rng: Generator, draws: int, size: int) -> NDArray[np.bool_]:
        """Return for each sample with an interval whether this holds the truth."""
        samples, truth = self.draw(rng, draws, size)
        return held(self.interval(samples), truth)

    def percentiles_hold(self, rng: Generator, draws: int, size: int) -> float:
        """Return how often the percentiles of a bootstrap hold the truth; NaN where they were not used."""
        if self.statistic is None:
            return math.nan
        samples, truth = self.draw(rng, draws, size)
        return float(held(percentiles(samples, self.statistic, rng), truth).mean())


def held(ends: Any, truth: Any) -> NDArray[np.bool_]:
    """Return where intervals hold the truth, without those that are none."""
    low, high = (np.asarray(end, np.float64) for end in ends)
    some = np.isfinite(low) | np.isfinite(high)
    found: NDArray[np.bool_] = (~(low > truth) & ~(high < truth))[some]
    return found


def percentiles(samples: Floats, statistic: Statistic, rng: Generator) -> Intervals:
    """Return the intervals that were given before: percentiles of the number of values drawn with replacement."""
    count = samples.shape[-1]
    drawn = [statistic(one[rng.integers(0, count, (RESAMPLES, count))]) for one in samples]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    return low, high


def each(interval: Callable[[Any], tuple[Any, Any] | None]) -> Callable[[Any], Intervals]:
    """Return the interval of samples one by one; none where it is None."""

    def ends(samples: Any) -> Intervals:
        found = [interval(one) or (math.nan, math.nan) for one in samples]
        low, high = np.array(
            [[math.nan if end is None else end for end in one] for one in found], np.float64
        ).T
        return low, high

    return ends


def tailed(rng: Generator, shape: tuple[int, ...], tail: float) -> Floats:
    """Return values of Tukey's h distribution, of unit variance."""
    normal = rng.standard_normal(shape)
    return np.asarray((1.0 - 2.0 * tail) ** 0.75 * normal * np.exp(0.5 * tail * normal**2))


def _deviation(values: Floats) -> Floats:
    return np.asarray(values.std(axis=-1, ddof=1))


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def _median(values: Floats) -> Floats:
    return np.asarray(np.median(values, axis=-1))


def _shares() -> list[Case]:
    found = []
    for p in (0.5, 0.9, 0.99):

        def draw(rng: Generator, draws: int, size: int, p: float = p) -> tuple[Floats, float]:
            return (rng.random((draws, size)) < p).astype(float), p

        def vectors(rng: Generator, draws: int, size: int, p: float = p) -> tuple[Floats, float]:
            return rng.binomial(64, rng.beta(8.0 * p, 8.0 * (1.0 - p), (draws, size))) / 64.0, p

        found += [
            Case(
                "share",
                f"binomial, {p:g}",
                "Clopper and Pearson",
                draw,
                lambda x: confidence.binomial_interval(x.sum(axis=-1), x.shape[-1]),
                _mean,
                wide=True,
            ),
            Case(
                "share of bits, or of cells of chips",
                f"64 a cluster that vary together, {p:g}",
                "Korn and Graubard",
                vectors,
                lambda x: confidence.clustered_binomial_interval(64.0 * x, np.full(x.shape[-1], 64.0)),
                _mean,
                wide=True,
            ),
        ]

    def twice(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        both = rng.binomial(
            64, np.stack([rng.beta(1.0, 15.0, (draws, size)), rng.beta(0.4, 15.6, (draws, size))], axis=1)
        )
        return both.astype(float), 1.0 / 16.0 - 0.4 / 16.0

    def apart(x: Floats) -> Any:
        all_bits = np.full(x.shape[-1], 64.0)
        first, second = (confidence.clustered_binomial_interval(x[:, one], all_bits) for one in (0, 1))
        return confidence.difference_of(second, first, (_mean(x[:, 1]) / 64.0, _mean(x[:, 0]) / 64.0))

    found.append(
        Case("difference of bit error rates", "0.06 and 0.025", "Zou and Donner", twice, apart, wide=True)
    )
    return found


def _centres() -> list[Case]:
    def normal(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.standard_normal((draws, size)), 0.0

    def relaxing(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return tailed(rng, (draws, size), TAIL), 0.0

    def lognormal(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.lognormal(0.0, 0.5, (draws, size)), 1.0

    def pairs(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        before = rng.lognormal(0.0, 0.2, (draws, size))
        return np.stack([before, 0.7 * before * rng.lognormal(-0.005, 0.1, (draws, size))], axis=-2), 0.7

    def other_means(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return np.stack(
            [rng.normal(0.0, 1.0, (draws, size)), rng.normal(1.0, 2.0, (draws, size))], axis=1
        ), 1.0

    def other_medians(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return np.stack(
            [rng.lognormal(0.0, 0.5, (draws, size)), rng.lognormal(0.7, 0.5, (draws, size))], axis=1
        ), math.exp(0.7) - 1.0

    def repeated(rng: Generator, draws: int, size: int) -> tuple[Floats, Floats]:
        return rng.standard_normal((draws, size)), rng.standard_normal(draws)

    return [
        Case("mean", "normal", "Student", normal, confidence.mean_interval, _mean),
        Case("mean drift", f"Tukey's h {TAIL:g}", "Student", relaxing, confidence.mean_interval, _mean),
        Case(
            "median",
            "log-normal, 0.5",
            "Hettmansperger and Sheather",
            lognormal,
            confidence.median_interval,
            _median,
        ),
        Case(
            "ratio of means, in pairs",
            "log-normal costs, 0.2",
            "Fieller",
            pairs,
            lambda x: confidence.ratio_interval(x[..., 1, :], x[..., 0, :]),
        ),
        Case(
            "difference of means",
            "normal, 1 and 2",
            "Welch",
            other_means,
            lambda x: confidence.difference_of_means(x[:, 0], x[:, 1]),
        ),
        Case(
            "difference of medians",
            "log-normal, 0.5",
            "Zou and Donner",
            other_medians,
            each(lambda x: difference_interval(x[0], x[1])),
            wide=True,
            slow=True,
        ),
        Case("Hedges' g", "normal, 1", "Hedges and Olkin", _shifted, each(_hedges), slow=True),
        Case(
            "Cliff's delta",
            "normal, 2 of 0.3",
            "Feng and Cliff, Newcombe",
            _apart,
            each(_cliff),
            wide=True,
            slow=True,
        ),
        Case(
            "Cliff's delta",
            "normal, 1",
            "Feng and Cliff, Newcombe",
            _shifted_ranks,
            each(_cliff),
            wide=True,
            slow=True,
        ),
        Case(
            "share of a budget, drawn again",
            "normal",
            "Student, of a repetition",
            repeated,
            confidence.repetition_interval,
        ),
    ]


def _shifted(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
    return rng.standard_normal((draws, 2, size)) + np.array([[0.0], [1.0]]), 1.0


def _shifted_ranks(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
    return _shifted(rng, draws, size)[0], math.erf(0.5)


def _apart(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
    """Samples that hardly overlap, of which the second scatters little."""
    both = rng.standard_normal((draws, 2, size)) * np.array([[1.0], [0.3]]) + np.array([[0.0], [2.0]])
    return both, math.erf(2.0 / math.sqrt(2.0 * 1.09))


def _hedges(pair: Floats) -> tuple[float, float]:
    found = hedges_g(pair[0], pair[1])
    return found.low, found.high


def _cliff(pair: Floats) -> tuple[float, float]:
    found = cliffs_delta(pair[0], pair[1])
    return found.low, found.high


def _spreads() -> list[Case]:
    found = []
    for law, tail in (("normal", 0.0), ("Tukey's h 0.05", 0.05), (f"Tukey's h {TAIL:g}", TAIL)):

        def draw(rng: Generator, draws: int, size: int, tail: float = tail) -> tuple[Floats, float]:
            return tailed(rng, (draws, size), tail), 1.0

        found.append(
            Case(
                "spread among cells",
                law,
                "chi-square by kurtosis",
                draw,
                confidence.deviation_interval,
                _deviation,
                wide=True,
            )
        )

    def drifts(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        logs = np.arange(5.0)
        walks = (
            np.cumsum(rng.standard_normal((draws, size, 5)), axis=-1) * 0.02
            + tailed(rng, (draws, size, 1), TAIL) * logs
        )
        big = np.cumsum(np.random.default_rng(0).standard_normal((200_000, 5)), axis=-1) * 0.02
        big += tailed(np.random.default_rng(1), (200_000, 1), TAIL) * logs
        deviations = (big - big[:, :1]).std(axis=0)
        return walks, float(np.polyfit(logs[1:], deviations[1:], 1)[0])

    def growth(walk: Floats) -> tuple[float, float]:
        reads = 20.0 + walk.T
        of_level = by_level(
            np.repeat(10.0 ** np.arange(5.0)[:, None], walk.shape[0], axis=1),
            reads,
            np.ones(walk.shape[0], np.int64),
            np.ones(reads.shape, bool),
        )["level_1"]
        return of_level["spread_per_decade_low"], of_level["spread_per_decade_high"]

    found.append(
        Case(
            "growth of a spread",
            f"Tukey's h {TAIL:g}",
            "jackknife",
            drifts,
            each(growth),
            wide=True,
            slow=True,
        )
    )
    return found


def _switching() -> list[Case]:
    numbers: dict[str, Callable[[Floats], dict[str, Any]]] = {
        "median": _of_hrs,
        "cycle_deviation": _of_hrs,
        "device_deviation": _of_hrs,
        "robust_deviation": _of_hrs,
        "autocorrelation": _of_hrs,
        "window": window_with_intervals,
        "worst_window": window_with_intervals,
        "correlation": window_with_intervals,
    }
    laws = {"log-normal": switched, "HRS with a tail": switched_with_a_tail}
    return [
        _of_switching(name, of, f"{law}, {CYCLES} cycles", drawn)
        for law, drawn in laws.items()
        for name, of in numbers.items()
    ]


def _of_hrs(states: Floats) -> dict[str, float | None]:
    return distribution_with_intervals(states[:, 1])


ORDER = "order statistics, cells as clusters"
METHODS = {
    "median": ORDER,
    "robust_deviation": f"{ORDER}; Zou and Donner",
    "window": f"{ORDER}; Zou and Donner",
    "worst_window": f"{ORDER}; Zou and Donner",
    "device_deviation": "Ting et al.",
}


def _of_switching(
    name: str,
    numbers: Callable[[Floats], dict[str, Any]],
    law: str,
    drawn: Callable[[Generator, int], Floats],
) -> Case:
    def draw(rng: Generator, draws: int, size: int) -> tuple[list[Floats], float]:
        return [drawn(rng, size) for _ in range(draws)], _numbers_of_many(drawn)[name]

    def interval(states: Floats) -> tuple[float, float]:
        found = numbers(states)
        return found[f"{name}_low"], found[f"{name}_high"]

    return Case(
        f"switching: {name.replace('_', ' ')}",
        law,
        METHODS.get(name, "jackknife"),
        draw,
        each(interval),
        fewest=CELLS_OF_A_SPREAD if name in BY_CELLS else 5,
        slow=True,
        wide=METHODS.get(name, "").startswith(ORDER),
    )


def switched(rng: Generator, cells: int) -> Floats:
    """Return LRS and HRS (cells, 2, cycles), S, log-normal, with a memory of 0.2 from cycle to cycle."""
    noise = rng.standard_normal((cells, 2, CYCLES + 20))
    for place in range(1, noise.shape[-1]):
        noise[..., place] = 0.2 * noise[..., place - 1] + math.sqrt(1.0 - 0.04) * noise[..., place]
    device, scale = rng.standard_normal((cells, 2, 1)), np.array([1.0, 3.0])[:, None]
    found: Floats = 10.0 ** (
        np.array([-4.0, -5.5])[:, None] + scale * (DEVICE * device + CYCLE * noise[..., 20:])
    )
    return found


def switched_with_a_tail(rng: Generator, cells: int) -> Floats:
    """Return LRS and HRS (cells, 2, cycles), S, with HRS as that of `pku`: a quarter of its cycles end far above."""
    found = switched(rng, cells)
    shape = found[:, 1].shape
    body = DEVICE * rng.standard_normal((cells, 1)) + 0.08 * rng.standard_normal(shape)
    tail = np.where(rng.random(shape) < 0.25, rng.exponential(0.3, shape), 0.0)
    found[:, 1] = 10.0 ** (-6.4 + body + tail)
    return found


@cache
def _numbers_of_many(drawn: Callable[[Generator, int], Floats]) -> dict[str, float]:
    many = drawn(np.random.default_rng(0), 40_000)
    return {**distribution(many[:, 1]), **window(many)}


def _predictions() -> list[Case]:
    """Runs of 256 cells on a chip that is none of those from which they are predicted."""

    def chip(rng: Generator) -> Programming:
        digits = rng.integers(0, 4, 256)
        pulses = rng.negative_binomial(
            4, 4.0 / (4.0 + np.array([2.0, 5.0, 6.0, 7.0])[digits] * rng.normal(1.0, 0.05))
        )
        inside = rng.random(256) < rng.beta(97.0, 3.0)
        return Programming(digits, pulses, pulses + 2.0, inside, inside, 0.0, 0.0)

    def of(name: str) -> Case:
        def draw(rng: Generator, draws: int, size: int) -> tuple[list[Any], Floats]:
            chips = [[chip(rng) for _ in range(size + 1)] for _ in range(draws)]
            return chips, np.array([getattr(one[-1], MEASURED[name]).mean() for one in chips])

        def interval(chips: list[Programming]) -> tuple[float, float]:
            found = Prediction.of(chips[:-1], 4, 1).of_run(name, chips[-1].digits)
            return found.low, found.high

        return Case(
            f"prediction of a run: {name}",
            "256 cells, chips that differ",
            "Student over chips",
            draw,
            each(interval),
            wide=True,
            slow=True,
        )

    return [of(name) for name in MEASURED]


MEASURED = {"pulses": "pulses", "success": "lasting"}


def _lifetimes() -> list[Case]:
    looks = np.concatenate([[0], log_counts(10**6, 4)]).astype(float)
    found = []
    for shape, last in ((1.0, 10.0**6), (2.5, 10.0**6), (1.0, 1e5)):
        seen = looks[looks <= last]

        def draw(
            rng: Generator, draws: int, size: int, shape: float = shape, seen: Floats = seen
        ) -> tuple[Floats, Any]:
            lives = 1e5 * rng.weibull(shape, (draws, size))
            place = np.searchsorted(seen, lives)
            bad = np.where(place < len(seen), seen[np.minimum(place, len(seen) - 1)], np.inf)
            return np.stack([seen[place - 1], bad], axis=1), 0.0

        law = f"Weibull {shape:g}, 4 looks a decade" + (", a third censored" if last < 10**6 else "")
        for name, truth in (("scale", 1e5), ("shape", shape)):

            def interval(ends: Floats, name: str = name) -> tuple[float, float] | None:
                fit = fit_lifetimes(ends[0], ends[1])
                return None if fit is None else getattr(fit, f"{name}_interval")

            def with_truth(
                rng: Generator, draws: int, size: int, draw: Any = draw, truth: float = truth
            ) -> tuple[Floats, float]:
                return draw(rng, draws, size)[0], truth

            found.append(
                Case(
                    f"lifetimes: {name}",
                    law,
                    "profile, Student",
                    with_truth,
                    each(interval),
                    wide=True,
                    slow=True,
                )
            )
    return found


RAMP = np.arange(2.5, 4.0, 0.1)


def _forming() -> list[Case]:
    def brackets(volts: Floats) -> Any:
        place = np.searchsorted(RAMP, volts)
        return np.where(place < len(RAMP), place, NEVER)

    def normal(rng: Generator, draws: int, size: int) -> Any:
        return brackets(rng.normal(3.15, 0.25, (draws, size)))

    def weibull(rng: Generator, draws: int, size: int) -> Any:
        return brackets(3.2 * rng.weibull(12.0, (draws, size)))

    def of(
        number: str, law: str, draw: Any, truth: float, interval: Any, method: str = "profile, Student"
    ) -> Case:
        return Case(
            f"forming: {number}",
            law,
            method,
            lambda rng, draws, size: (draw(rng, draws, size), truth),
            each(interval),
            wide=True,
            slow=True,
        )

    def fitted(fit: Any, which: str) -> Any:
        def interval(formed_by: Any) -> tuple[float, float] | None:
            found = fit(formed_by, RAMP)
            return None if found is None else (getattr(found, which).low, getattr(found, which).high)

        return interval

    def at(share: float) -> Any:
        def interval(formed_by: Any) -> tuple[float, float]:
            found = quantile(share, formed_by, RAMP)
            return found.low, found.high

        return interval

    return [
        of("mean", "normal, brackets of 0.1 V", normal, 3.15, fitted(fit_normal, "first")),
        of("deviation", "normal, brackets of 0.1 V", normal, 0.25, fitted(fit_normal, "second")),
        of("scale", "Weibull 12, brackets of 0.1 V", weibull, 3.2, fitted(fit_weibull, "first")),
        of("shape", "Weibull 12, brackets of 0.1 V", weibull, 12.0, fitted(fit_weibull, "second")),
        of(
            "upper quartile",
            "normal, brackets of 0.1 V",
            normal,
            3.15 + 0.67449 * 0.25,
            at(0.75),
            "order statistics",
        ),
    ]


def _figures() -> list[Case]:
    def straight(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        x = np.broadcast_to(np.linspace(0.0, 1.0, size), (draws, size))
        return np.stack([x, 3.0 + 2.0 * x + 0.3 * rng.standard_normal((draws, size))], axis=1), 2.0

    def slope_of(pair: Floats) -> tuple[float, float] | None:
        fit = fit_curve("linear", pair[0], pair[1])
        return (fit.numbers[1].low, fit.numbers[1].high) if isinstance(fit, Fit) else None

    def of_law(kind: str, number: int) -> Any:
        def interval(values: Floats) -> tuple[float, float] | None:
            fit = fit_distribution(kind, values)
            return (fit.numbers[number].low, fit.numbers[number].high) if isinstance(fit, Fit) else None

        return interval

    def weibull(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.weibull(2.0, (draws, size)), 2.0

    def scales(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.weibull(2.0, (draws, size)), 1.0

    def lognormal(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.lognormal(0.0, 0.4, (draws, size)), 0.4

    def maps(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        return rng.standard_normal((draws, size, size)), 0.0

    def band(image: Floats) -> tuple[float, float]:
        _, found, reach = autocorrelation([image], 1)
        return float(found[0] - reach[0]), float(found[0] + reach[0])

    return [
        Case("figure: slope", "normal errors", "Student", straight, each(slope_of), slow=True),
        Case(
            "figure: Weibull scale",
            "Weibull 2",
            "profile, Student",
            scales,
            each(of_law("weibull", 0)),
            fewest=8,
            slow=True,
        ),
        Case(
            "figure: Weibull shape",
            "Weibull 2",
            "profile, Student",
            weibull,
            each(of_law("weibull", 1)),
            fewest=8,
            slow=True,
        ),
        Case(
            "figure: sigma of ln",
            "log-normal, 0.4",
            "chi-square",
            lognormal,
            each(of_law("lognormal", 1)),
            fewest=8,
            slow=True,
        ),
        Case(
            "figure: correlation of neighbours", "n x n map", "normal", maps, each(band), fewest=8, slow=True
        ),
    ]


def _series() -> list[Case]:
    def pulses(rng: Generator, draws: int, size: int) -> list[Floats]:
        x = np.tile(np.linspace(0.8, 2.0, 13), size)
        cell = np.repeat(np.arange(size), 13)
        found = []
        for _ in range(draws):
            own = 0.05 * rng.standard_normal(size)[cell]
            ends = [np.logaddexp(0.0, (x - own - end) / CORNER) for end in (1.1, 1.7)]
            y = 40.0 * CORNER * (ends[0] - ends[1]) * (1.0 + 0.05 * rng.standard_normal(x.size)) + 0.05
            found.append(np.stack([x, y, cell]))
        return found

    def response(name: str, truth: float) -> Case:
        def interval(data: Floats) -> tuple[float, float] | None:
            curve = fit_response(data[0], data[1], data[2].astype(np.int64), 0.05)
            found = None if curve is None else getattr(curve, name)
            return None if found is None else (found.low, found.high)

        return Case(
            f"response: {name}",
            "cells differ by 0.05 V",
            "jackknife of cells, Student",
            lambda rng, draws, size: (pulses(rng, draws, size), truth),
            each(interval),
            wide=True,
            slow=True,
        )

    steepest = 40.0 * math.tanh(0.3 / (2.0 * CORNER))  # of a cell's own curve: the corners make it less steep

    def chains(rng: Generator, draws: int, size: int) -> tuple[NDArray[np.bool_], float]:
        samples = 2 * 10 * size
        leaves = rng.random((draws, samples)) < 0.5 * (1.0 - math.exp(-0.2))
        first = rng.random((draws, 1)) < 0.5
        return (np.cumsum(leaves, axis=1) % 2 == 1) ^ first, 10.0

    def dwell(up: NDArray[np.bool_]) -> tuple[float, float] | None:
        times, ends = dwell_times(up[None], 1.0)
        return (float(ends[0, 0]), float(ends[0, 1])) if np.isfinite(times).all() else None

    def flicker(rng: Generator, draws: int, size: int) -> tuple[Floats, float]:
        samples = 2048
        frequency = np.fft.rfftfreq(2 * samples)
        weight = np.where(frequency > 0.0, 1.0 / np.sqrt(np.maximum(frequency, 1e-9)), 0.0)
        drawn = rng.standard_normal((draws, size, 2, len(frequency))) * weight
        series = np.fft.irfft(drawn[..., 0, :] + 1j * drawn[..., 1, :], axis=-1)[..., :samples]
        return 1.0 + 0.01 * series / series.std(), -1.0

    def tilt(series: Floats) -> tuple[float, float]:
        found = slope(*spectrum(series, 1e-3))
        return found.low, found.high

    return [
        response("threshold", 1.4 - 12.0 / steepest),  # where the tangent in the middle leaves the bottom
        response("slope", steepest),
        response("top", 24.05),
        Case(
            "telegraph: dwell time",
            "n exits, two-state chain",
            "Garwood",
            chains,
            each(dwell),
            slow=True,
            wide=True,
        ),
        Case("noise: slope of a cell", "1/f, n series", "Student", flicker, each(tilt), slow=True, wide=True),
    ]


CASES: tuple[Case, ...] = (
    *_shares(),
    *_centres(),
    *_spreads(),
    *_switching(),
    *_predictions(),
    *_lifetimes(),
    *_forming(),
    *_figures(),
    *_series(),
)
