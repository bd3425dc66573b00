"""Energy that cells take from pulses and verify reads: V^2 G w, G the read that follows, w the width or the aperture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mho.instruments.bench_file import BenchFile

LINE_FREQUENCY = 60.0  # Hz, of the meter's power line cycles


def cell_energy(read: BenchFile, voltage: float, width: float, conductance: float, reads: int = 1) -> float:
    """Return the energy, J, of verify reads and of the pulse before them: V, s (both 0 without a pulse), S."""
    return abs(conductance) * (voltage * voltage * width + reads * _of_read(read))


def pulse_energy(
    read: BenchFile,
    kind: ArrayLike,
    voltage: ArrayLike,
    width: ArrayLike,
    conductance: ArrayLike,
    reads: int = 1,
) -> float:
    """Return the energy, J, of rows of the table of pulses.

    Parameters
    ----------
    read : BenchFile
        With the voltage and aperture of a verify read, of which each row has one.
    kind, voltage, width, conductance : (n,) arrays
        0 for a read alone; V; s; S.
    reads : int
        Verify reads of each row.
    """
    pulses = np.where(np.asarray(kind) > 0, np.square(voltage) * np.asarray(width), 0.0)
    return float((np.abs(conductance) * (pulses + reads * _of_read(read))).sum())


def _of_read(read: BenchFile) -> float:
    """Return the energy of a verify read for each siemens, J/S."""
    return read.read.voltage**2 * read.read.nplc / LINE_FREQUENCY
