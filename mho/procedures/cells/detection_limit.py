"""The limit of detection of a reading: what a meter shows of nothing, and from where on a conductance is told from that.

A blank is a reading with the select transistor off: the meter's offset and noise on its range and integration time, and
what the lines leak. A reading is told from nothing above the critical level of Currie (Anal. Chem. 40, 586 (1968)),

    offset + t sd sqrt(1/reads + 1/blanks)

with Student's t for the number of blanks. The chance that nothing is told for something is `CHANCE` in a whole run: it is
divided among all readings that are looked at (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments import Bench, Cell
from mho.procedures.parameters import IntegerParameter

CHANCE = 1e-4  # that noise alone is told for a property of a cell anywhere in a run
NORMAL_MAD = 0.6744898  # median magnitude of a normal deviate of unit deviation
EFFICIENCY = 0.37  # of that median, against the standard deviation of normal readings


def blanks_parameter() -> IntegerParameter[int]:
    """Return the parameter ``blanks`` for a procedure's class."""
    return IntegerParameter(
        "Blank readings, transistor off, that tell the noise (0 extracts all)",
        minimum=0,
        maximum=2500,
        default=64,
    )


@dataclass(frozen=True)
class Blank:
    """What a reading shows of nothing.

    Attributes
    ----------
    offset, deviation : float
        Mean and standard deviation of a reading, in its unit.
    freedom : float
        Degrees of freedom of the deviation.
    share : float
        Variance of the offset, of that of a reading.
    """

    offset: float
    deviation: float
    freedom: float
    share: float

    @classmethod
    def of(cls, readings: Floats) -> Blank:
        """Return the blank of readings (n,), of which a few may be of leaky cells: median and median magnitude.

        Raises
        ------
        BenchError
            When less than half of them are within the meter's range.
        """
        known = readings[np.isfinite(readings)]
        if len(known) < max(len(readings) / 2.0, 2.0):
            raise BenchError(
                f"{len(readings) - len(known)} of {len(readings)} blank readings, with the transistor off, are beyond the "
                "meter's range: the cells leak, or the word line is not connected; `mho run contact` tells, and "
                "blanks = 0 leaves them out"
            )
        middle = float(np.median(known))
        deviation = float(np.median(np.abs(known - middle))) / NORMAL_MAD
        freedom = max(EFFICIENCY * (len(known) - 1), 1.0)
        return cls(middle, deviation, freedom, math.pi / 2.0 / len(known))

    def quantile(self, looks: int) -> float:
        """Return how many deviations noise alone stays below, with one look of many wrong by `CHANCE`."""
        from scipy.stats import t as student  # loads slowly

        return float(student.isf(CHANCE / max(looks, 1), self.freedom))

    def limit(self, looks: int, reads: float = 1.0) -> float:
        """Return the critical level: from there on the mean of so many reads is told from nothing."""
        return self.offset + self.quantile(looks) * self.deviation * math.sqrt(1.0 / reads + self.share)


def read_blanks(
    bench: Bench, cells: Sequence[Cell], count: int, voltage: float | None = None
) -> Blank | None:
    """Return the blank (S) of reads of cells at `voltage` (V), or as the bench reads; None for a count of 0.

    The reads go round the cells, so that one which leaks does not stand for all.
    """
    if not count:
        return None
    volts = bench.file.read.voltage if voltage is None else voltage
    currents = [bench.measure(cells[number % len(cells)], volts, 0.0).current for number in range(count)]
    return Blank.of(np.array(currents) / volts)
