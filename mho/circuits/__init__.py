"""Elements of the circuits of one's own: amplifiers, converters and wires of a simulated bench, in INV and MVM.

An element is any object with the method of `Amplifier`, `Adc`, `Dac` or `Wires`, or an amplifier with other numbers; what
it does not bring is the bench's. It is given beside a preset: ``circuit=MyAdc()``, ``circuit=[MyAdc(), MyWires]``,
``circuit=amplifier_preset("AD823").but(gain=1e3)``, ``circuit="path/file.py:MyAdc"``.
"""

from mho.instruments.simulated import (
    AMPLIFIER_PRESETS,
    Adc,
    Amplifier,
    AmplifierPreset,
    Circuit,
    CircuitElements,
    CircuitMode,
    Dac,
    OwnCircuitError,
    Wires,
    amplifier_preset,
    circuit_elements,
)

__all__ = [
    "AMPLIFIER_PRESETS", "Adc", "Amplifier", "AmplifierPreset", "Circuit", "CircuitElements", "CircuitMode", "Dac",
    "OwnCircuitError", "Wires", "amplifier_preset", "circuit_elements",
]  # fmt: skip
