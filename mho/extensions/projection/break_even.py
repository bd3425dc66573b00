"""From how many right-hand sides of one matrix analogue inversion pays: where two straight lines cross.

Both sides pay once for a matrix and once for each right-hand side: an analogue circuit writes its cells, a processor
makes the inverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.extensions.projection.assumptions import Parameters
from mho.extensions.projection.digital import Processor, cpu, gpu, inversion, kept_matrix, new_matrix
from mho.extensions.projection.model import Cost, cost_in_one_loop


def crossing(setup: ArrayLike, each: ArrayLike, other_setup: ArrayLike, other_each: ArrayLike) -> Floats:
    """Return the number from which ``setup + n each`` is below ``other_setup + n other_each``, at least 1.

    Infinite where it never is: where each one costs no less. Where the first is below for few and not for many, which
    no number "from which" can say, it is infinite, too.
    """
    setup, each, other_setup, other_each = np.broadcast_arrays(setup, each, other_setup, other_each)
    gain = np.asarray(other_each - each, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = np.asarray(setup - other_setup, dtype=np.float64) / gain
    return np.where(gain > 0.0, np.maximum(meet, 1.0), np.inf)


@dataclass(frozen=True)
class BreakEven:
    """Right-hand sides of a matrix from which the circuit beats the whole GPU; infinite for never.

    The GPU takes the cheaper of two ways: it makes the inverse and keeps it, or it factorises anew for each one.
    """

    energy: float
    time: float
    time_by_area: float
    time_of_core: float
    energy_of_new: float
    energy_of_cpu: float


def break_even(size: int, p: Parameters) -> BreakEven:
    """Return where a circuit of one loop pays."""
    ours, whole = cost_in_one_loop(size, p), gpu(p)
    circuits = circuits_on(p, ours)
    new = new_matrix(size, whole)
    return BreakEven(
        energy=_in_energy(size, ours, whole),
        time=_in_time(size, ours, whole, 1.0),
        time_by_area=_in_time(size, ours, whole, circuits),
        time_of_core=_in_time(size, ours, whole, whole.cores),
        energy_of_new=float(crossing(ours.write_energy, ours.energy, 0.0, new.joules)),
        energy_of_cpu=_in_energy(size, ours, cpu(p)),
    )


def _in_energy(size: int, ours: Cost, one: Processor) -> float:
    made, kept, new = inversion(size, one), kept_matrix(size, one), new_matrix(size, one)
    against_kept = crossing(ours.write_energy, ours.energy, made.joules, kept.joules)
    return float(np.maximum(against_kept, crossing(ours.write_energy, ours.energy, 0.0, new.joules)))


def _in_time(size: int, ours: Cost, one: Processor, circuits: ArrayLike) -> float:
    """Return where circuits beat a processor in time; as many circuits as it has cores are one circuit a core."""
    made, kept, new = inversion(size, one), kept_matrix(size, one), new_matrix(size, one)
    setup, each = np.divide(ours.write_time, circuits), np.divide(ours.time, circuits)
    against_kept = crossing(setup, each, made.seconds, kept.seconds)
    return float(np.maximum(against_kept, crossing(setup, each, 0.0, new.seconds)))


def circuits_on(p: Parameters, ours: Cost) -> Floats:
    """Return how many circuits take the area of the GPU's die, at least one."""
    return np.maximum(np.floor(np.divide(p.gpu_area, ours.area)), 1.0)
