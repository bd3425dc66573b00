"""The simulated Keysight 33622A: a 33522B with shorter pulses, faster edges and a larger waveform memory.

33500 and 33600 Series Operating and Service Guide, 33500-90901, and data sheet 5991-3272EN; the limits are from
memory (?).
"""

from __future__ import annotations

from mho.instruments.simulated.keysight33522b.instrument import SimulatedKeysight33522B


class SimulatedKeysight33622A(SimulatedKeysight33522B):
    """A 33622A on a bench; constructed as `PulseOutputs`."""

    identity = "Keysight Technologies,33622A,{serial},A.02.03-3.15-03-64-02"
    shortest_width = 5e-9
    shortest_edge = 2.9e-9
    highest_frequency = {"SIN": 120e6, "SQU": 120e6, "PULS": 100e6, "TRI": 800e3, "RAMP": 800e3}
    memory_size = 4_000_000
    shortest_waveform = 32
    fastest = 1e9
    fastest_unfiltered = 2.5e8
