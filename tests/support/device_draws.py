"""The devices of large simulated arrays, drawn once for all tests that draw the same ones: a million take 35 ms."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from mho.instruments.simulated.physics.cells.cells import Devices, draw_devices
from mho.instruments.simulated.physics.cells.presets import CellPreset

LARGE = 100_000  # cells
KEPT = 12  # arrays of devices, of 20 MB each for a million cells

_remembered: OrderedDict[tuple[Any, ...], tuple[Devices, dict[str, Any]]] = OrderedDict()


def remembered(preset: CellPreset, shape: tuple[int, int], rng: np.random.Generator) -> Devices:
    """Return what `draw_devices` would draw, and leave `rng` as it would."""
    if shape[0] * shape[1] < LARGE:
        return draw_devices(preset, shape, rng)
    key = (preset, shape, repr(rng.bit_generator.state))
    if key not in _remembered:
        devices = draw_devices(preset, shape, rng)
        for drawn in devices:
            drawn.flags.writeable = False  # shared from now on
        _remembered[key] = (devices, rng.bit_generator.state)
    _remembered.move_to_end(key)
    if len(_remembered) > KEPT:
        _remembered.popitem(last=False)
    devices, rng.bit_generator.state = _remembered[key]
    return devices
