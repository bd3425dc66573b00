"""The virtual bench: simulated instruments at the wire, one chip, one clock and one seed behind them.

A library of its own, from the ground up:

- `clock`, `ports`, `faults`: time; the seams to the wires and to the transports; what can go wrong;
- `scpi`, `tsp`, `lines`: the languages; `visa`, `nidaqmx`: the transports;
- `excursions`: levels one after the other;
- `analogue`, `generators`: what source-measure units share, and what pulse generators share;
- `physics`: the chip's cells, wires and circuits;
- `keithley2450` and the like: a model each;
- `loads`, `racks`, `pytest_fixtures`: instruments without a chip, for tests of drivers of other projects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.simulated.clock import VirtualClock
    from mho.instruments.simulated.faults import Fault
    from mho.instruments.simulated.loads import Diode, Load, Open, Resistor, Short
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
    from mho.instruments.simulated.physics.circuits.amplifiers import (
        AMPLIFIER_PRESETS,
        CLAMP,
        AmplifierBank,
        AmplifierPreset,
        amplifier_preset,
    )
    from mho.instruments.simulated.physics.circuits.circuit_files import (
        Circuit,
        circuit_code_of,
        circuit_elements,
        circuit_text,
    )
    from mho.instruments.simulated.physics.circuits.inverse_circuit import InverseCircuit
    from mho.instruments.simulated.physics.circuits.loop_network import StepResponse
    from mho.instruments.simulated.physics.circuits.own_elements import (
        Adc,
        Amplifier,
        CircuitElements,
        CircuitMode,
        Dac,
        OwnCircuitError,
        Wires,
    )
    from mho.instruments.simulated.racks import BareRack, rack
else:
    from mho.lazy_names import lazy_names

    # Loaded when they are asked for (PEP 562): who only names a preset need not wait for the cells' noise.
    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "AMPLIFIER_PRESETS", "CELL_PRESETS", "CLAMP", "Adc", "Amplifier", "AmplifierBank", "AmplifierPreset", "BareRack",
    "CellArray", "CellPreset", "Cells", "Circuit", "CircuitElements", "CircuitMode", "Conduction", "Dac",
    "DeviceSpread", "Diode", "Fault", "InverseCircuit", "Load", "Open", "OwnCircuitError", "OwnLawError",
    "PosteriorDraws", "ReadNoise", "Relaxation", "Resistor", "Short", "StepResponse", "SwitchingLaw", "VirtualClock",
    "Wires", "amplifier_preset", "cell_preset", "circuit_code_of", "circuit_elements", "circuit_text",
    "levels_not_held", "own_code_of", "preset_text", "rack",
]  # fmt: skip
