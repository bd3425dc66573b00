"""Levels that a terminal is at, one after the other: what waveforms of many samples, and their bursts, amount to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 1000  # excursions of a burst that are played one by one


class Excursion(NamedTuple):
    """A level (V) that a terminal is at for `seconds`, `times` times."""

    volts: float
    seconds: float
    times: int = 1


def excursions(volts: NDArray[np.float64], seconds: float) -> list[Excursion]:
    """Return what samples amount to, which take `seconds` together: equal neighbours are one excursion.

    A waveform of more than `MOST` levels is cut into so many parts, each of which is as high as its highest sample:
    rather more stress on a cell than less.
    """
    interval = seconds / len(volts)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(volts)) + 1])
    if len(starts) > MOST:
        starts = np.arange(MOST) * len(volts) // MOST
        highest, lowest = np.maximum.reduceat(volts, starts), np.minimum.reduceat(volts, starts)
        levels = np.where(highest >= -lowest, highest, lowest)
    else:
        levels = volts[starts]
    lengths = np.diff([*starts, len(volts)])
    return [
        Excursion(level, length * interval)
        for level, length in zip(levels.tolist(), lengths.tolist(), strict=True)
    ]


def swings(cycle: list[Excursion]) -> bool:
    """Return whether a cycle goes up and down, so that its levels must not be grouped."""
    return len({each.volts > 0.0 for each in cycle}) > 1


def repeated(cycle: list[Excursion], times: int) -> list[Excursion]:
    """Return a cycle repeated `times` times: in order up to `MOST` levels, else with each level grouped."""
    if times == 1:
        return cycle
    if len(cycle) > 1 and len(cycle) * times <= MOST:
        return cycle * times
    return [each._replace(times=each.times * times) for each in cycle]
