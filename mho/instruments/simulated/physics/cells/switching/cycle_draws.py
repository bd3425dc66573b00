"""What a pulse draws: a standard normal number for each cell, a part of which it may remember from pulse to pulse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.switching.pulse_effects import deepest_of

Values = Any  # numpy scalar or array


def normal(rng: np.random.Generator, like: Values) -> Values:
    """Return one standard normal draw per cell, as many as `like` has."""
    return rng.standard_normal(like.shape, np.float32) if like.ndim else rng.standard_normal()


def largest(rng: np.random.Generator, like: Values, times: int) -> Values:
    """Return the largest of `times` standard normal draws per cell: the deviate of U^(1/times), with U uniform."""
    if times == 1:
        return normal(rng, like)
    if not like.ndim:
        return deepest_of(times, rng.random())
    found = [deepest_of(times, one) for one in rng.random(like.shape).ravel().tolist()]
    return np.array(found, np.float32).reshape(like.shape)


def remembering(
    preset: CellPreset, rng: np.random.Generator, like: Values, memory: Values, index: Any, times: int = 1
) -> Values:
    """Return the largest of the draws of `times` pulses per cell; those of a cell share a part, kept in `memory[index]`.

    The part that is kept changes by a step of its own with every pulse; of many pulses all have that of the last one.
    """
    drawn = largest(rng, like, times)
    if not preset.cycle_memory:
        return drawn
    kept = math.exp(-times / preset.memory_pulses)
    slow = kept * memory[index] + math.sqrt(1.0 - kept * kept) * normal(rng, like)
    memory[index] = slow
    return math.sqrt(preset.cycle_memory) * slow + math.sqrt(1.0 - preset.cycle_memory) * drawn
