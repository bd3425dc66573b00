"""Keysight 33522B and 33622A waveform generators as pulsers: pulses on a 0 V base, a trigger for each channel.

33500 and 33600 Series Operating and Service Guide, 33500-90901, and data sheet 5991-3272EN. ``TRIGger<n>`` triggers its
channel whatever its source and leaves the other one alone; ``*OPC?`` answers when the burst is over (both: TRIGger
subsystem, p 318). (?) to be checked on hardware: how long an edge may be for a given width (0.625 of it), and all limits of
the 33622A.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.instruments import Instrument

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BusChannel
from mho.instruments.drivers.languages.scpi import (
    CHECK,
    ScpiInstrument,
    Span,
    choice,
    control,
    counted,
    one_of,
    switch,
    whole,
)
from mho.instruments.drivers.languages.scpi_pulses import (
    AMPLITUDE,
    CHANNELS,
    LIMITS,
    REST_LEVELS,
    PulseAbilities,
    PulseSettings,
    VoltagePulser,
    full_scale,
    pulse_commands,
)

WIDTH = Span(16e-9, 4e5, "pulse width", "s")
PERIOD = Span(34e-9, 1e6, "pulse period", "s")
EDGE = Span(8.4e-9, 1e-6, "edge time", "s")
CYCLES = Span(1, 1e8, "burst cycles")
SAMPLE_RATE = Span(1e-6, 2.5e8, "sample rate", "samples/s")
SAMPLE_INTERVAL = Span(4e-9, 1e6, "interval from sample to sample", "s")
WAVEFORM_SIZE = Span(8, 1_000_000, "waveform length", "samples")
REPEATS = Span(1, 1_000_000, "repetitions of a waveform")
MARKER_POINT = 4  # the first one that may exist; its output is not used
DELAY = Span(0.0, 1e3, "trigger delay", "s")
INTERVAL = Span(1e-6, 8e3, "interval", "s")
OPEN = 9.9e37  # ohm, stands for high impedance
PULSE = ":SOUR{ch}:FUNC:PULS"
NAME = re.compile(r"[A-Za-z]\w{0,11}", re.ASCII)


def _waveform_name(name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(name):
        raise InstrumentError(
            f"{name!r} is no name of a waveform; take a letter and up to 11 letters, digits or underscores"
        )
    return name


class WaveformChannel(PulseSettings, BusChannel):
    """Settings of one channel, named as in the manual; use `Keysight33522B.shape` to set pulses safely."""

    recorded = (
        "function", "high", "low", "width", "period", "edge", "load", "polarity", "output_enabled",
        "trigger_source", "limits_enabled", "limit_high", "limit_low",
    )  # fmt: skip

    function = choice(
        ":SOUR{ch}:FUNC", "Control the waveform.",
        ("SIN", "SQU", "TRI", "RAMP", "PULS", "PRBS", "NOIS", "ARB", "DC"),
    )  # fmt: skip
    limits_enabled = switch(":SOUR{ch}:VOLT:LIM:STAT", "Control whether the voltage limits hold.")
    burst_cycles = counted(":SOUR{ch}:BURS:NCYC", "Control the periods in a burst.", CYCLES)
    burst_period = control(
        ":SOUR{ch}:BURS:INT:PER", "Control the time between bursts that fire by themselves, s.", INTERVAL
    )
    output_enabled = switch(":OUTP{ch}", "Control whether the output relay is closed.")
    load = Instrument.measurement(":OUTP{ch}:LOAD?", "Get the load that levels refer to, ohm (9.9e37: open).")
    trigger_source = choice(":TRIG{ch}:SOUR", "Control what triggers.", ("IMM", "EXT", "TIM", "BUS"))
    trigger_slope = choice(":TRIG{ch}:SLOP", "Control the edge of an external trigger.", ("POS", "NEG"))
    trigger_delay = control(":TRIG{ch}:DEL", "Control the wait from trigger to burst, s.", DELAY)
    trigger_timer = control(":TRIG{ch}:TIM", "Control the time between triggers of the timer, s.", INTERVAL)
    sample_filter = choice(
        ":SOUR{ch}:FUNC:ARB:FILT", "Control how samples are joined.", ("NORM", "STEP", "OFF")
    )
    waveform = Instrument.control(
        ":SOUR{ch}:FUNC:ARB?", f':SOUR{{ch}}:FUNC:ARB "%s"{CHECK}',
        "Control which waveform in memory ``function = \"ARB\"`` plays, by name.",
        validator=_waveform_name, values=NAME,
        cast=lambda text: text.strip().strip('"'), check_set_errors=True,
    )  # fmt: skip


def _timing(width: Span, period: Span, edge: Span, sample_rate: Span) -> tuple[Any, ...]:
    """Declare the properties of a channel whose limits differ from model to model."""
    return (
        control(":SOUR{ch}:FUNC:PULS:WIDT", "Control the pulse width at half height, s.", width),
        control(":SOUR{ch}:FUNC:PULS:PER", "Control the pulse period, s.", period),
        control(":SOUR{ch}:FUNC:PULS:TRAN", "Control both edge times (10 to 90 %), s.", edge),
        control(
            ":SOUR{ch}:FUNC:ARB:SRAT", "Control the samples a second of an arbitrary waveform.", sample_rate
        ),
    )


class WaveformGenerator(VoltagePulser):
    """What the models of both series share: a trigger for each channel, and waveforms in its memory."""

    def _idling(self, channel: int) -> list[str]:
        """Return the commands of a channel's idle state; those that change the load only where it has to change.

        With voltage limits in force the instrument refuses to change it (p 61).
        """
        is_open = self._channels()[channel - 1].load >= OPEN
        return [command for command in super()._idling(channel) if not (is_open and ":LOAD" in command)]

    def _trigger(self, channel: int, seconds: float) -> None:
        message = f":TRIG{channel};*OPC?"
        if seconds < 1.0:
            self.exchange(message)
        else:
            with self._patience(seconds):
                self.exchange(message)

    # --- waveforms ---

    def _stored(self, channel: int, fractions: Floats, interval: float) -> list[str]:
        """Store the waveform under a name derived from its samples: one that is in memory is not sent again."""
        name = f"MHO{zlib.crc32(_integers(fractions)):08X}"
        if name not in self.waveforms(channel):
            self.upload(channel, name, fractions)
        source = f":SOUR{channel}"
        arb = f"{source}:FUNC:ARB"
        return [
            f'{arb} "{name}"',
            # This filter joins samples without overshoot, which would stress a cell.
            f"{arb}:ADV SRAT", f"{arb}:FILT STEP", f"{arb}:SRAT {1.0 / interval:.9e}", f"{source}:FUNC ARB",
        ]  # fmt: skip

    def waveforms(self, channel: int) -> tuple[str, ...]:
        """Return the names of the waveforms and sequences in the channel's volatile memory."""
        one_of(channel, CHANNELS, f"channel of {self._title}")
        reply = self.ask(f":SOUR{channel}:DATA:VOL:CAT?")
        return tuple(name.strip().strip('"') for name in reply.split(","))

    def upload(self, channel: int, name: str, samples: ArrayLike) -> None:
        """Store an arbitrary waveform in the channel's volatile memory; ``channel.waveform = name`` chooses it.

        `name`: a letter and up to 11 letters, digits and underscores; must be new to the instrument.
        `samples`: waveform between -1 (low level) and 1 (high level), `abilities.samples` of them; 16 bits are kept.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        data = _integers(full_scale(samples, self.abilities.samples))
        _waveform_name(name, NAME)
        self._send_waveform(f":FORM:BORD SWAP;:SOUR{channel}:DATA:ARB:DAC {name}", data)

    def upload_sequence(self, channel: int, name: str, steps: Sequence[tuple[str, int]]) -> None:
        """Store a sequence of waveforms from the channel's memory; ``channel.waveform = name`` selects it.

        `name`: as for `upload`.
        `steps`: names of waveforms, and how often each is played, 1 to 1,000,000 times.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        if not steps:
            raise InstrumentError(
                f"{self._title}: the sequence {name!r} has no steps; name waveforms to play"
            )
        fields = [_waveform_name(name, NAME)]
        for waveform, times in steps:
            count = int(whole(times, REPEATS))
            play = "repeat" if count > 1 else "once"
            fields.append(f"{_waveform_name(waveform, NAME)},{count},{play},maintain,{MARKER_POINT}")
        block = ",".join(fields)
        length = str(len(block))
        self.exchange(f":SOUR{channel}:DATA:SEQ #{len(length)}{length}{block}")

    def clear_waveforms(self, channel: int) -> None:
        """Empty the channel's volatile waveform memory; a waveform set by `shape_waveform` has to be shaped anew."""
        one_of(channel, CHANNELS, f"channel of {self._title}")
        self._forget_waveform(channel)
        self.exchange(f":SOUR{channel}:DATA:VOL:CLE")


def _integers(fractions: Floats) -> bytes:
    """Convert samples of -1 to 1 to the converter's integers."""
    return np.rint(fractions * 32767).astype("<i2").tobytes()


class Keysight33522BChannel(WaveformChannel):
    """One channel of a 33522B."""

    width, period, edge, sample_rate = _timing(WIDTH, PERIOD, EDGE, SAMPLE_RATE)


class Keysight33522B(WaveformGenerator, ScpiInstrument):
    """A 33522B as `mho.instruments.roles.PulseGenerator`; edges of at most 0.625 of the shortest width."""

    model = "33522B"
    ch_1: Keysight33522BChannel = Instrument.ChannelCreator(Keysight33522BChannel, 1)
    ch_2: Keysight33522BChannel = Instrument.ChannelCreator(Keysight33522BChannel, 2)
    abilities = PulseAbilities(
        AMPLITUDE, WIDTH, PERIOD, EDGE, CYCLES, edge_share=0.625, dead_time=100e-9,
        samples=WAVEFORM_SIZE, interval=SAMPLE_INTERVAL, pulse=PULSE,
        idle=(
            ":OUTP{ch} OFF", ":SOUR{ch}:BURS:STAT OFF", ":SOUR{ch}:FREQ:MODE CW", ":SOUR{ch}:VOLT:UNIT VPP",
            ":OUTP{ch}:LOAD INF", ":OUTP{ch}:POL NORM",
        ),
        shape=(
            # An offset of 0 V is valid for every waveform, and selecting a pulse that fits causes no conflict.
            (
                ":SOUR{ch}:VOLT:OFFS 0", f"{PULSE}:HOLD WIDT", *pulse_commands(PULSE, f"{PULSE}:TRAN"),
                ":SOUR{ch}:FUNC PULS",
            ),
            REST_LEVELS,
        ),
        arm=(
            ":TRIG{ch}:SOUR BUS", ":TRIG{ch}:DEL 0", ":SOUR{ch}:BURS:MODE TRIG", ":SOUR{ch}:BURS:NCYC 1",
            ":SOUR{ch}:BURS:STAT ON", ":OUTP{ch} ON",
        ),
        # The limits are set while they do not hold; the signal lies within.
        limit=(":SOUR{ch}:VOLT:LIM:STAT OFF", *LIMITS, ":SOUR{ch}:VOLT:LIM:STAT ON"),
    )  # fmt: skip


FAST_WIDTH = Span(5e-9, 4e5, "pulse width", "s")
FAST_PERIOD = Span(10e-9, 1e6, "pulse period", "s")
FAST_EDGE = Span(2.9e-9, 1e-6, "edge time", "s")
FAST_SAMPLE_RATE = Span(1e-6, 1e9, "sample rate", "samples/s")


class Keysight33622AChannel(WaveformChannel):
    """One channel of a 33622A."""

    width, period, edge, sample_rate = _timing(FAST_WIDTH, FAST_PERIOD, FAST_EDGE, FAST_SAMPLE_RATE)


class Keysight33622A(WaveformGenerator, ScpiInstrument):
    """A 33622A as `mho.instruments.roles.PulseGenerator`; constructed as `Keysight33522B`."""

    model = "33622A"
    ch_1: Keysight33622AChannel = Instrument.ChannelCreator(Keysight33622AChannel, 1)
    ch_2: Keysight33622AChannel = Instrument.ChannelCreator(Keysight33622AChannel, 2)
    abilities = replace(
        Keysight33522B.abilities, width=FAST_WIDTH, period=FAST_PERIOD, edge=FAST_EDGE, dead_time=50e-9,
        samples=Span(32, 4_000_000, "waveform length", "samples"),
        interval=Span(1e-9, 1e6, "interval from sample to sample", "s"),
    )  # fmt: skip
