"""What makes one cell of an array differ from the next for life, drawn once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.cells.pages import zeros_by_page
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.switching.pulse_effects import LN10


class Devices(NamedTuple):
    """Properties in which the cells of an array differ for life, each an array of its shape; `lot` is uniform in [0, 1)."""

    set_factor: NDArray[np.float32]
    set_threshold: NDArray[np.float32]
    reset_deviate: NDArray[np.float32]
    forming_voltage: NDArray[np.float32]
    gate_shift: NDArray[np.float32]
    lot: NDArray[np.float32]


def draw_devices(preset: CellPreset, shape: tuple[int, int], rng: np.random.Generator) -> Devices:
    """Draw the devices of an array; they are only read afterwards."""

    def normal(mean: float, spread: float) -> NDArray[np.float32]:
        drawn = rng.standard_normal(shape, np.float32)
        drawn *= np.float32(spread)
        drawn += np.float32(mean)
        return drawn

    return Devices(
        np.exp(normal(0.0, LN10 * preset.set_device_spread)),
        normal(preset.set_threshold, preset.set_threshold_spread),
        normal(0.0, 1.0),
        normal(preset.forming_voltage, preset.forming_spread),
        # a page that is never written takes no memory
        normal(0.0, preset.gate_spread) if preset.gate_spread else zeros_by_page(shape, np.float32),
        rng.random(shape, np.float32),
    )
