"""Retention time and its activation energy, from the rates at which cells lose their conductance at temperatures.

    rate(T) = exp(-E/k (1/T - 1/T_ref))/retention_time

All rates count, also those that are not told from none: were only those taken that stand out from their errors, a rate
would be in where chance has made it large, and energies would come out too low. Intervals are those of the profile
likelihood, in closed form, since at a given energy all rates are in proportion to 1/retention_time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import Estimate

Floats = NDArray[np.float64]

BOLTZMANN = 8.617333e-5  # eV/K
SURE = 2.5  # standard errors of a rate above 0 from which it counts as seen
DEVIATES = 1.959964
COMMON = 0.01  # of a rate, common to all cells: lines in series with a cell hide as much of what it loses
LARGEST, NODES = 3.0, 3001  # times the base's energy, and energies that are tried up to there
APART = 1e-5  # 1/K: temperatures that are nearer count as one


@dataclass(frozen=True)
class Rate:
    """How fast cells lose their conductance at a temperature (K): 1/s, with its standard error."""

    temperature: float
    rate: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether they lose any that the reads show."""
        return self.rate > SURE * self.error


def retention(rates: Sequence[Rate], base: Mapping[str, float]) -> list[Estimate]:
    """Return retention_energy and retention_time from rates at two temperatures and more; nothing where none is seen.

    Where the rates leave the energy open, as those at one temperature, the time is that at the temperature of the rate that
    is known best, which becomes the preset's `retention_temperature`: how it is elsewhere, nothing tells.
    """
    if not any(one.seen for one in rates):
        return []
    x = np.array([1.0 / one.temperature - 1.0 / base["retention_temperature"] for one in rates]) / BOLTZMANN
    rate = np.array([one.rate for one in rates])
    error = np.hypot([one.error for one in rates], COMMON * rate)
    energies = np.linspace(0.0, LARGEST * base["retention_energy"], NODES)
    misfit, log, half = _profiles(energies, x, rate, error)
    held = misfit <= misfit.min() + DEVIATES**2
    if np.ptp(x) * BOLTZMANN < APART or held[0] or held[-1]:
        best = int((rate / error).argmax())
        here = np.abs(x - x[best]) * BOLTZMANN < APART
        _, log, half = _profiles(np.zeros(1), x[here], rate[here], error[here])
        time = _time(log[0], log[0] - DEVIATES * half[0], log[0] + DEVIATES * half[0])
        return [replace(time, beside={"retention_temperature": rates[best].temperature})]
    best = int(misfit.argmin())
    left = np.sqrt(DEVIATES**2 - (misfit[held] - misfit[best])) * half[held]
    return [
        Estimate(
            "retention_energy", float(energies[best]), float(energies[held][0]), float(energies[held][-1])
        ),
        _time(log[best], (log[held] - left).min(), (log[held] + left).max()),
    ]


def _profiles(energies: Floats, x: Floats, rate: Floats, error: Floats) -> tuple[Floats, Floats, Floats]:
    """Return for each energy the misfit (chi squared) of the best retention time, ln of it (s), and its deviation."""
    factor = -energies[:, None] * x
    largest = factor.max(axis=1)
    shape = np.exp(factor - largest[:, None]) / error
    square, along = (shape**2).sum(axis=1), (shape * rate / error).sum(axis=1)
    level = np.maximum(along / square, 1e-300)  # the largest rate
    misfit = ((rate / error) ** 2).sum() - 2.0 * level * along + level**2 * square
    return misfit, largest - np.log(level), 1.0 / (level * np.sqrt(square))


def _time(log: float, low: float, high: float) -> Estimate:
    return Estimate("retention_time", math.exp(log), math.exp(low), math.exp(high))
