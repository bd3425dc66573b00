"""Keysight 33622A waveform generator: a 33522B with shorter pulses, faster edges and a larger waveform memory.

33500 and 33600 Series Operating and Service Guide, 33500-90901, and data sheet 5991-3272EN. (?) to be checked on
hardware: all limits here.
"""

from __future__ import annotations

from dataclasses import replace

from pymeasure.instruments import Instrument

from mho.instruments.drivers.keysight33522b import CYCLES, Keysight33522B, PulseChannel
from mho.instruments.drivers.languages.scpi import Span, control

WIDTH = Span(5e-9, 4e5, "pulse width", "s")
PERIOD = Span(10e-9, 1e6, "pulse period", "s")
EDGE = Span(2.9e-9, 1e-6, "edge time", "s")
SAMPLE_RATE = Span(1e-6, 1e9, "sample rate", "samples/s")
SAMPLE_INTERVAL = Span(1e-9, 1e6, "interval from sample to sample", "s")


class FastPulseChannel(PulseChannel):
    """Settings of one channel where they differ from a 33522B's."""

    width = control(":SOUR{ch}:FUNC:PULS:WIDT", "Control the pulse width at half height, s.", WIDTH)
    period = control(":SOUR{ch}:FUNC:PULS:PER", "Control the pulse period, s.", PERIOD)
    edge = control(":SOUR{ch}:FUNC:PULS:TRAN", "Control both edge times (10 to 90 %), s.", EDGE)
    sample_rate = control(
        ":SOUR{ch}:FUNC:ARB:SRAT", "Control the samples a second of an arbitrary waveform.", SAMPLE_RATE
    )


class Keysight33622A(Keysight33522B):
    """A 33622A as `mho.instruments.roles.PulseGenerator`; constructed as `Keysight33522B`."""

    model = "33622A"
    ch_1: FastPulseChannel = Instrument.ChannelCreator(FastPulseChannel, 1)
    ch_2: FastPulseChannel = Instrument.ChannelCreator(FastPulseChannel, 2)
    abilities = replace(
        Keysight33522B.abilities, width=WIDTH, period=PERIOD, edge=EDGE, cycles=CYCLES, dead_time=50e-9
    )
    waveform_size = Span(32, 4_000_000, "waveform length", "samples")
    interval = SAMPLE_INTERVAL
