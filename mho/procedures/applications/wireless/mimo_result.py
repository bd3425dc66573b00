"""Results of massive MIMO: what came of each signal-to-noise ratio, and of all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mho.procedures.applications.wireless.error_rates import ErrorRate, Paired


@dataclass(frozen=True)
class Point:
    """What came of one signal-to-noise ratio: of float32 first, then of the chip after each cycle.

    Attributes
    ----------
    snr : float
        dB.
    rates : tuple of ErrorRate
    pairs : tuple of Paired
        Each receiver beside float32.
    deviations : tuple of float
        ||x - x64|| / ||x64|| of all solutions after each cycle, beside float64.
    closed_form : float
        Bit error rate expected of exact detection; NaN where there is no formula.
    """

    snr: float
    rates: tuple[ErrorRate, ...]
    pairs: tuple[Paired, ...]
    deviations: tuple[float, ...]
    closed_form: float

    @property
    def agrees(self) -> bool:
        """Whether float32's rate lies within the interval of the chip's after the last cycle."""
        return self.rates[-1].holds(self.rates[0].rate)

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Return it as numbers by name, for a run's result; `names` are those of the receivers."""
        last = self.pairs[-1]
        return {
            "snr": self.snr,
            "bits": self.rates[0].bits,
            "closed_form": None if math.isnan(self.closed_form) else self.closed_form,
            **{name: rate.rate for name, rate in zip(names, self.rates, strict=True)},
            "interval": [self.rates[-1].low, self.rates[-1].high],
            "agrees": self.agrees,
            "difference": last.difference,
            "difference_interval": [last.low, last.high] if math.isfinite(last.high) else None,
            "p": last.p,
            "deviation": self.deviations[-1],
        }


def shortcomings(points: Sequence[Point]) -> list[str]:
    """Return what is to be warned of: ratios at which the chip is not as good as float32, cycles that do not converge."""
    said = []
    cycles = len(points[0].deviations)
    if off := [point.snr for point in points if not point.agrees]:
        said.append(
            f"after cycle {cycles} the bit error rate differs from that of float32 at "
            f"{', '.join(f'{snr:g}' for snr in off)} dB; allow more --cycles"
        )
    if any(point.deviations[-1] > point.deviations[0] > 0.0 for point in points):
        said.append("the cycles do not converge: the solutions are worse after the last than after the first")
    return said


def summary_of(points: Sequence[Point], names: Sequence[str]) -> dict[str, Any]:
    """Return what all points came to, and each of them."""
    return {
        "points": len(points),
        "agree": sum(point.agrees for point in points),
        "bits_sent": sum(point.rates[0].bits for point in points),
        **{
            f"errors_{name.replace(' ', '_')}": sum(point.rates[number].errors for point in points)
            for number, name in enumerate(names)
        },
        "deviation": max(point.deviations[-1] for point in points),
        "by_snr": [point.plain(names) for point in points],
    }
