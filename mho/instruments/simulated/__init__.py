"""The virtual bench: simulated instruments at the wire, one chip, one clock and one seed behind them.

A library of its own, from the ground up:

- `clock`, `ports`, `faults`: time; the seams to the wires and to the transports; what can go wrong;
- `scpi`, `tsp`, `lines`: the languages; `visa`, `nidaqmx`: the transports;
- `excursions`: levels one after the other;
- `analogue`, `generators`: what source-measure units share, and what pulse generators share;
- `physics`: the chip's cells, wires and circuits;
- `keithley2450` and the like: a model each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.simulated.clock import VirtualClock
    from mho.instruments.simulated.physics.cells.cells import CellArray
    from mho.instruments.simulated.physics.cells.level_fit import levels_not_held
    from mho.instruments.simulated.physics.cells.own_answers import OwnLawError
    from mho.instruments.simulated.physics.cells.own_laws import (
        Conduction,
        DeviceSpread,
        ReadNoise,
        Relaxation,
        SwitchingLaw,
    )
    from mho.instruments.simulated.physics.cells.posterior_draws import PosteriorDraws
    from mho.instruments.simulated.physics.cells.presets import (
        CELL_PRESETS,
        CellPreset,
        Cells,
        cell_preset,
        own_code_of,
        preset_text,
    )
    from mho.instruments.simulated.physics.circuits.amplifiers import CLAMP, AmplifierBank, amplifier_preset
    from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
    from mho.instruments.simulated.physics.circuits.loop_network import StepResponse
else:
    from mho.lazy_names import lazy_names

    # Loaded when they are asked for (PEP 562): who only names a preset need not wait for the cells' noise.
    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "CELL_PRESETS", "CLAMP", "AmplifierBank", "CellArray", "CellPreset", "Cells", "Conduction", "DeviceSpread",
    "InverseCircuit", "OwnLawError", "PosteriorDraws", "ReadNoise", "Relaxation", "StepResponse", "SwitchingLaw",
    "VirtualClock", "amplifier_preset", "cell_preset", "levels_not_held", "own_code_of", "preset_text",
]  # fmt: skip
