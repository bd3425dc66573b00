"""Time and energy of one solve on each side, chip and digital, from its counts and the projection's assumptions.

The circuit's operations take the published times and the model's energies (`model`); the digital multiplications, each with
an addition, run on the core that the published figure compares with. Programming is left out on the one side, and what
fetches numbers from memory on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.analysis.projection.presets import PUBLISHED


@dataclass(frozen=True)
class Side:
    """Time and energy of one side of a solve.

    Attributes
    ----------
    seconds, joules : float
    """

    seconds: float
    joules: float


def digital_side(multiplications: float) -> Side:
    """Return what so many multiplications, each with an addition, take one core."""
    p = PUBLISHED.parameters
    return Side(float(2.0 * multiplications / p.core_rate), float(2.0 * multiplications / p.core_efficiency))


def chip_side(result: Mapping[str, Any]) -> Side:
    """Return what the circuit's operations in a solve's result take.

    A loop has as many lines as the root of the multiplications that an INV stands for.

    Parameters
    ----------
    result : mapping
        With ``multiplications``, ``inversions``, ``products`` (shots of MVM) and ``mvm_outputs``.
    """
    p, chip = PUBLISHED.parameters, result["multiplications"]["chip"]
    inversions, shots, integers = (
        float(result[name] or 0) for name in ("inversions", "products", "mvm_outputs")
    )
    lines = (chip.get("inversions", 0) / inversions) ** 0.5 if inversions else 0.0
    settling = inversions * (p.inv_time + p.conversion_time), shots * (p.mvm_time + p.conversion_time)
    # An MVM has an amplifier for each integer that it reads.
    amplifiers = p.amplifier_power * (
        settling[0] * p.inv_amplifiers * (lines + 1.0) + integers * (p.mvm_time + p.conversion_time)
    )
    conversions = p.conversion_energy * (2.0 * inversions * lines + integers + shots * lines)
    return Side(float(sum(settling)), float(amplifiers + conversions + integers * p.adding_energy))
