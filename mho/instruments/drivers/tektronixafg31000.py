"""Tektronix AFG31000 series function generator as a pulser: pulses on a 0 V base, fired by ``*TRG``.

One trigger fires both channels (TRIGger subsystem), so only the channel that is to pulse has its output on.

AFG31000 Series Programmer Manual, 077-1148. (?) marks facts from memory, to be checked on hardware: the limits of widths,
edges and waveforms (a two-channel AFG31052's), that a burst idles at the first point of its waveform, that bit 5 of the
operation condition means that bursts wait for their trigger, and that an output's relay has settled when its command
is done.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.instruments import Instrument

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BusChannel
from mho.instruments.drivers.languages.scpi import (
    ScpiInstrument,
    Span,
    choice,
    control,
    counted,
    switch,
    whole,
)
from mho.instruments.drivers.languages.scpi_pulses import (
    AMPLITUDE,
    REST_LEVELS,
    PulseAbilities,
    PulseSettings,
    VoltagePulser,
    full_scale,
    pulse_commands,
)

WIDTH = Span(16e-9, 4e5, "pulse width", "s")
PERIOD = Span(25e-9, 1e6, "pulse period", "s")
DELAY = Span(0.0, 85.0, "delay", "s")
EDGE = Span(7e-9, 1e-3, "edge time", "s")
CYCLES = Span(1, 1e6, "burst cycles")
FULL_SCALE = 16382  # the largest sample of a waveform; the smallest is 0
WAVEFORM_SIZE = Span(2, 131072, "waveform length", "samples")
PULSE = ":SOUR{ch}:PULS"
SAMPLE_INTERVAL = Span(1e-9, 1e6, "interval from sample to sample", "s")
EDIT_MEMORIES = {1: "EMEM", 2: "EMEM2"}  # memory in which each channel's `shape_waveform` stores its waveform
USER_MEMORIES = Span(1, 255, "user waveform")
WAITING = 32  # operation condition: bursts wait for their trigger (?)


class TektronixAFG31000Channel(PulseSettings, BusChannel):
    """Settings of one channel, named as in the manual; use `TektronixAFG31000.shape` to set pulses safely."""

    recorded = (
        "function", "high", "low", "width", "period", "leading", "trailing", "impedance", "polarity",
        "limit_high", "limit_low", "burst_enabled", "burst_cycles", "output_enabled",
    )  # fmt: skip

    function = choice(
        ":SOUR{ch}:FUNC:SHAP", "Control the waveform.",
        ("SIN", "SQU", "PULS", "RAMP", "PRN", "DC", "EMEM", "EMEM2",
         *(f"USER{n}" for n in range(1, int(USER_MEMORIES.maximum) + 1))),
    )  # fmt: skip
    width = control(":SOUR{ch}:PULS:WIDT", "Control the pulse width at half height, s.", WIDTH)
    period = control(":SOUR{ch}:PULS:PER", "Control the pulse period, s.", PERIOD)
    lead_delay = control(":SOUR{ch}:PULS:DEL", "Control the wait before the leading edge, s.", DELAY)
    leading = control(":SOUR{ch}:PULS:TRAN:LEAD", "Control the leading edge time (10 to 90 %), s.", EDGE)
    trailing = control(":SOUR{ch}:PULS:TRAN:TRA", "Control the trailing edge time (10 to 90 %), s.", EDGE)
    hold = choice(":SOUR{ch}:PULS:HOLD", "Control what stays when the period changes.", ("WIDT", "DUTY"))
    burst_cycles = counted(":SOUR{ch}:BURS:NCYC", "Control the periods in a burst.", CYCLES)
    burst_delay = control(":SOUR{ch}:BURS:TDEL", "Control the wait from trigger to burst, s.", DELAY)
    output_enabled = switch(":OUTP{ch}:STAT", "Control whether the output relay is closed.")
    impedance = Instrument.measurement(
        ":OUTP{ch}:IMP?", "Get the load that levels refer to, ohm (9.9e37: open)."
    )


class TektronixAFG31000(VoltagePulser, ScpiInstrument):
    """A two-channel AFG31000 as `mho.instruments.roles.PulseGenerator`; edges of at most 0.8 of the shortest width."""

    model = "AFG31"
    ch_1: TektronixAFG31000Channel = Instrument.ChannelCreator(TektronixAFG31000Channel, 1)
    ch_2: TektronixAFG31000Channel = Instrument.ChannelCreator(TektronixAFG31000Channel, 2)
    # The width is at least 0.625 of both edges, the fastest cycle half the sine's highest frequency.
    abilities = PulseAbilities(
        AMPLITUDE, WIDTH, PERIOD, EDGE, CYCLES, edge_share=0.8, dead_time=200e-9, samples=WAVEFORM_SIZE,
        interval=SAMPLE_INTERVAL, fastest_cycle=40e-9, pulse=PULSE,
        # With the timer, the default source, bursts would fire by themselves.
        idle=(
            ":OUTP{ch} OFF", ":TRIG:SOUR EXT", ":SOUR{ch}:VOLT:UNIT VPP", ":OUTP{ch}:IMP INF",
            ":OUTP{ch}:POL NORM",
        ),
        shape=(
            REST_LEVELS,
            (
                ":SOUR{ch}:FUNC:SHAP PULS", f"{PULSE}:HOLD WIDT", f"{PULSE}:DEL 0",
                *pulse_commands(PULSE, f"{PULSE}:TRAN:LEAD", f"{PULSE}:TRAN:TRA"),
            ),
        ),
        arm=(
            ":SOUR{ch}:BURS:MODE TRIG", ":SOUR{ch}:BURS:NCYC 1", ":SOUR{ch}:BURS:TDEL 0",
            ":SOUR{ch}:BURS:STAT ON", ":OUTP{ch} ON",
        ),
    )  # fmt: skip

    trigger_source = choice(
        ":TRIG:SOUR",
        "Control what triggers: an external signal (and ``*TRG``), or the timer.",
        ("EXT", "TIM"),
    )
    operation_condition = Instrument.measurement(
        ":STAT:OPER:COND?", "Get the operation condition register.", cast=int
    )

    def _stored(self, channel: int, fractions: Floats, interval: float) -> list[str]:
        """Store the waveform in the channel's edit memory; the user memories are not changed."""
        memory, source = EDIT_MEMORIES[channel], f":SOUR{channel}"
        self._send_waveform(f":DATA:DATA {memory}", _integers(fractions))
        pulse = f"{source}:PULS"
        return [
            f"{source}:FUNC:SHAP {memory}",
            # Pulses share the period; the shortest pulse always fits.
            f"{pulse}:HOLD WIDT", f"{pulse}:DEL 0", f"{pulse}:PER {PERIOD.maximum:.9e}",
            f"{pulse}:TRAN:LEAD {EDGE.minimum:.9e}", f"{pulse}:TRAN:TRA {EDGE.minimum:.9e}",
            f"{pulse}:WIDT {WIDTH.minimum:.9e}",
            f"{source}:FREQ {1.0 / (fractions.size * interval):.9e}",
        ]  # fmt: skip

    def _trigger(self, channel: int, seconds: float) -> None:
        """Fire and wait; ``*OPC?`` does not wait for bursts (?), but the operation condition reports their end."""
        others = self._live - {channel}
        if others or channel not in self._live:
            self._live.add(channel)
            self.exchange(";".join([*(f":OUTP{other} OFF" for other in others), f":OUTP{channel} ON"]))
            self._live -= others
        # The other channel's burst runs as well, behind its open relay.
        burst = max([seconds, *(self._duration(shape) for shape in self._shapes.values() if shape)])
        deadline = time.monotonic() + burst + 5.0
        waiting = int(self.exchange("*TRG;:STAT:OPER:COND?")) & WAITING
        while not waiting:
            if time.monotonic() > deadline:
                raise InstrumentError(f"{self._title}: the burst has not ended after {burst + 5.0:.3g} s")
            time.sleep(min(burst / 10.0, 0.05))
            waiting = self.operation_condition & WAITING

    def upload(self, memory: int, samples: ArrayLike) -> None:
        """Store an arbitrary waveform in user memory 1 to 255; ``channel.function = "USER<n>"`` selects it.

        This uses the first edit memory: a waveform of channel 1 set by `shape_waveform` has to be shaped anew.

        `samples`: waveform between -1 (low level) and 1 (high level), 2 to 131072 samples; 14 bits are kept.
        """
        whole(memory, USER_MEMORIES)
        values = full_scale(samples, WAVEFORM_SIZE)
        self._forget_waveform(1)
        self._send_waveform(f":DATA:DATA {EDIT_MEMORIES[1]}", _integers(values))
        self.exchange(f":DATA:COPY USER{int(memory)},EMEM")

    def settings(self) -> dict[str, str]:
        """Return levels, widths, limits and outputs of both channels, and the trigger's source, as text."""
        return {**super().settings(), "trigger_source": str(self.trigger_source)}


def _integers(fractions: Floats) -> bytes:
    """Convert samples of -1 to 1 to the converter's integers."""
    return np.rint((fractions + 1.0) / 2.0 * FULL_SCALE).astype(">u2").tobytes()
