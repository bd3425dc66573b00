"""Tektronix AFG31000 series function generator as a pulser: single pulses on a 0 V base, fired by ``*TRG``.

AFG31000 Series Programmer Manual, 077-1148. (?) marks what is from memory of it and to be checked on hardware:
the limits of widths and edges (a two-channel AFG31052's), that a burst idles at the first point of its
waveform, and that bit 5 of the operation condition says that bursts wait for their trigger.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from instruments.drivers.scpi import (
    CHECK,
    ScpiChannel,
    ScpiInstrument,
    Span,
    choice,
    control,
    one_of,
    switch,
    within,
)
from mho_errors import InstrumentError, LimitError

AMPLITUDE = Span(2e-3, 10.0, "pulse amplitude", "V")
LEVEL = Span(-10.0, 10.0, "level", "V")
WIDTH = Span(16e-9, 4e5, "pulse width", "s")
PERIOD = Span(25e-9, 1e6, "pulse period", "s")
DELAY = Span(0.0, 85.0, "delay", "s")
EDGE = Span(7e-9, 1e-3, "edge time", "s")
CYCLES = Span(1, 1e6, "burst cycles")
EDGE_SHARE = 0.625  # of both edges (10 to 90 %) that a pulse is wider than at least, and its period longer
REST = 10e-3  # V, the amplitude that a channel is configured with
DEAD_TIME = 200e-9  # s, what the period leaves beside twice the width
FULL_SCALE = 16382  # the largest sample of a waveform; the smallest is 0
WAVEFORM_SIZE = Span(2, 131072, "waveform length", "samples")
USER_MEMORIES = Span(1, 255, "user waveform")
WAITING = 32  # operation condition: bursts wait for their trigger (?)


@dataclass(frozen=True)
class _Shape:
    """What the instrument has confirmed of a channel."""

    voltage: float
    width: float


class PulseChannel(ScpiChannel):
    """Settings of one channel, as the manual has them; `TektronixAFG31000.shape` is the safe way to pulses."""

    recorded = (
        "function", "high", "low", "width", "period", "leading", "trailing", "impedance", "polarity",
        "limit_high", "limit_low", "burst_enabled", "burst_cycles", "output_enabled",
    )  # fmt: skip

    function = choice(
        ":SOUR{ch}:FUNC:SHAP", "Control the waveform.",
        ("SIN", "SQU", "PULS", "RAMP", "PRN", "DC", "EMEM", "EMEM2",
         *(f"USER{n}" for n in range(1, int(USER_MEMORIES.maximum) + 1))),
    )  # fmt: skip
    high = control(":SOUR{ch}:VOLT:HIGH", "Control the high level, V at the load.", LEVEL)
    low = control(":SOUR{ch}:VOLT:LOW", "Control the low level, V at the load.", LEVEL)
    limit_high = control(":SOUR{ch}:VOLT:LIM:HIGH", "Control the upper limit of the high level, V.", LEVEL)
    limit_low = control(":SOUR{ch}:VOLT:LIM:LOW", "Control the lower limit of the low level, V.", LEVEL)
    width = control(":SOUR{ch}:PULS:WIDT", "Control the pulse width at half height, s.", WIDTH)
    period = control(":SOUR{ch}:PULS:PER", "Control the pulse period, s.", PERIOD)
    lead_delay = control(":SOUR{ch}:PULS:DEL", "Control the wait before the leading edge, s.", DELAY)
    leading = control(":SOUR{ch}:PULS:TRAN:LEAD", "Control the leading edge time (10 to 90 %), s.", EDGE)
    trailing = control(":SOUR{ch}:PULS:TRAN:TRA", "Control the trailing edge time (10 to 90 %), s.", EDGE)
    hold = choice(":SOUR{ch}:PULS:HOLD", "Control what stays when the period changes.", ("WIDT", "DUTY"))
    burst_enabled = switch(":SOUR{ch}:BURS:STAT", "Control whether triggers fire bursts.")
    burst_mode = choice(":SOUR{ch}:BURS:MODE", "Control what a trigger does.", ("TRIG", "GAT"))
    burst_cycles = control(":SOUR{ch}:BURS:NCYC", "Control the periods in a burst.", CYCLES)
    burst_delay = control(":SOUR{ch}:BURS:TDEL", "Control the wait from trigger to burst, s.", DELAY)
    output_enabled = switch(":OUTP{ch}:STAT", "Control whether the output relay is closed.")
    polarity = choice(":OUTP{ch}:POL", "Control whether the waveform is inverted.", ("NORM", "INV"))
    impedance = Instrument.measurement(
        ":OUTP{ch}:IMP?", "Get the load that levels refer to, ohm (9.9e37: open)."
    )


class TektronixAFG31000(ScpiInstrument):
    """A two-channel AFG31000 as `instruments.roles.PulseGenerator`.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `ScpiInstrument`.
    edge : float
        Both edge times (10 to 90 %) of the pulses, s; at most 0.8 of the shortest width.
    """

    model = "AFG31"
    ch_1: PulseChannel = Instrument.ChannelCreator(PulseChannel, 1)
    ch_2: PulseChannel = Instrument.ChannelCreator(PulseChannel, 2)

    trigger_source = choice(
        ":TRIG:SOUR",
        "Control what triggers: an external signal (and ``*TRG``), or the timer.",
        ("EXT", "TIM"),
    )
    operation_condition = Instrument.measurement(
        ":STAT:OPER:COND?", "Get the operation condition register.", cast=int
    )

    def __init__(
        self,
        address: str | Adapter,
        visa_library: str = "",
        *,
        edge: float = 10e-9,
        timeout: float = 5.0,
        **connection: Any,
    ) -> None:
        self.edge = within(edge, EDGE)
        self._shapes: dict[int, _Shape | None] = {}
        super().__init__(address, visa_library, timeout=timeout, **connection)

    # --- roles.PulseGenerator ---

    def configure(self, channel: int) -> None:
        """Prepare triggered single pulses of 0 V base level on `channel` and switch its output on.

        Each command is legal whatever the channel did before; the output is off meanwhile. The trigger source
        is set before the burst is switched on: from the timer, the default, bursts would fire by themselves.

        Raises
        ------
        InstrumentError
            When the instrument refuses; the output is off then.
        """
        one_of(channel, (1, 2), f"channel of {self._title}")
        source, output = f":SOUR{channel}", f":OUTP{channel}"
        pulse, width = f"{source}:PULS", max(1e-6, 2.0 * self.edge)
        self._shapes[channel] = None
        self.exchange(f"{output}:STAT OFF;:TRIG:SOUR EXT;{output}:IMP INF;{output}:POL NORM")
        # Amplitude and offset shrink from any levels to a base of 0 V; the shortest edges fit any width, and
        # the longest period takes any width.
        self.exchange(f"{source}:VOLT {REST:.9e};{source}:VOLT:OFFS {REST / 2:.9e};{source}:VOLT:LOW 0")
        self.exchange(
            f"{source}:FUNC:SHAP PULS;{pulse}:HOLD WIDT;{pulse}:DEL 0;"
            f"{pulse}:TRAN:LEAD {EDGE.minimum:.9e};{pulse}:TRAN:TRA {EDGE.minimum:.9e};"
            f"{pulse}:PER {PERIOD.maximum:.9e};{pulse}:WIDT {width:.9e};{pulse}:PER {_period(width):.9e};"
            f"{pulse}:TRAN:LEAD {self.edge:.9e};{pulse}:TRAN:TRA {self.edge:.9e}"
        )
        self.exchange(
            f"{source}:BURS:MODE TRIG;{source}:BURS:NCYC 1;{source}:BURS:TDEL 0;{source}:BURS:STAT ON;"
            f"{output}:STAT ON"
        )
        self._shapes[channel] = _Shape(REST, width)

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Set amplitude and width of the next pulses; sends only what changes.

        Parameters
        ----------
        voltage : float
            Pulse top into high impedance, V: 2 mV to 10 V, of either sign; the base stays at 0 V.
        width : float
            Width at half height, s.

        Raises
        ------
        LimitError
            For a value beyond the instrument's abilities.
        InstrumentError
            When the channel is not configured, or the instrument refuses.
        """
        if channel not in self._shapes:
            raise InstrumentError(f"{self._title}: configure channel {channel} before shaping its pulses")
        within(abs(voltage), AMPLITUDE)
        within(width, WIDTH)
        if 2.0 * EDGE_SHARE * self.edge > width:
            raise LimitError(
                f"pulse width {width:g} s is too short for edges of {self.edge:g} s; choose a width of "
                f"{2.0 * EDGE_SHARE * self.edge:.3g} s or more, or faster edges"
            )
        before = self._shapes[channel]
        if before is None:  # an earlier command failed: what the channel does is not known
            self.configure(channel)
            before = self._shapes[channel]
            assert before is not None
        commands = _level_commands(channel, before.voltage, voltage)
        commands += _width_commands(channel, before.width, width)
        if not commands:
            return
        self._shapes[channel] = None
        self.exchange(";".join(commands))
        self._shapes[channel] = _Shape(voltage, width)

    def fire(self) -> None:
        """Trigger the configured channels once; return when the pulse is over.

        ``*OPC?`` does not wait for bursts (?): the operation condition tells when they wait for the next
        trigger.

        Raises
        ------
        InstrumentError
            When no channel is configured, or the burst does not end.
        """
        if not self._shapes:
            raise InstrumentError(f"{self._title}: configure a channel before firing")
        burst = max((_period(shape.width) for shape in self._shapes.values() if shape), default=0.0)
        deadline = time.monotonic() + burst + 5.0
        waiting = int(self.exchange("*TRG;:STAT:OPER:COND?")) & WAITING
        while not waiting:
            if time.monotonic() > deadline:
                raise InstrumentError(f"{self._title}: the burst has not ended after {burst + 5.0:.3g} s")
            time.sleep(min(burst / 10.0, 0.05))
            waiting = self.operation_condition & WAITING

    def upload(self, memory: int, samples: ArrayLike) -> None:
        """Store an arbitrary waveform in user memory; ``channel.function = "USER<n>"`` selects it.

        Parameters
        ----------
        memory : int
            Number of the user memory, 1 to 255.
        samples : array_like of float, shape (n,)
            Waveform between -1 (low level) and 1 (high level), 2 to 131072 samples; 14 bits are kept.

        Raises
        ------
        LimitError
            When a sample is beyond -1 to 1, or there are too many or too few.
        InstrumentError
            When the instrument refuses.
        """
        within(memory, USER_MEMORIES)
        values = np.asarray(samples, dtype=np.float64)
        within(values.size, WAVEFORM_SIZE)
        if not np.all(np.abs(values) <= 1.0):
            raise LimitError(f"waveform {memory} reaches {np.abs(values).max():g}; scale it to -1 to 1")
        data = np.rint((values + 1.0) / 2.0 * FULL_SCALE).astype(">u2").tobytes()
        length = str(len(data))
        # Terminated here: PyVISA adds its termination to text only.
        self.write_bytes(f":DATA:DATA EMEM,#{len(length)}{length}".encode() + data + f"{CHECK}\n".encode())
        self.check_set_errors()
        self.exchange(f":DATA:COPY USER{memory:d},EMEM")

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return levels, widths, limits and outputs of both channels, as text."""
        texts = {
            f"ch{channel.id}_{name}": str(getattr(channel, name))
            for channel in (self.ch_1, self.ch_2)
            for name in channel.recorded
        }
        return {**texts, "trigger_source": str(self.trigger_source)}

    def make_safe(self) -> None:
        """Switch both outputs off, confirmed by query.

        Raises
        ------
        InstrumentError
            When it cannot be confirmed.
        """
        self._shapes.clear()
        failures = []
        for step in (
            self.interrupt,
            lambda: self.exchange("*CLS;:OUTP1:STAT OFF"),
            lambda: self.exchange(":OUTP2:STAT OFF"),
        ):
            try:
                step()
            except InstrumentError as error:
                failures.append(str(error))
        if self.ch_1.output_enabled or self.ch_2.output_enabled:
            raise InstrumentError(
                f"{self._title} still has an output on; switch it off by hand ({'; '.join(failures)})"
            )


def _period(width: float) -> float:
    """Return the period for single pulses of `width` (s): it bounds how soon the next may follow."""
    return 2.0 * width + DEAD_TIME


def _level_commands(channel: int, before: float, after: float) -> list[str]:
    """Change the amplitude such that the idle level is 0 V all the time."""
    if after == before:
        return []
    level, output = f":SOUR{channel}:VOLT", f":OUTP{channel}"
    moved, base, polarity = ("HIGH", "LOW", "NORM") if after > 0.0 else ("LOW", "HIGH", "INV")
    if after * before > 0.0:
        return [f"{level}:{moved} {after:.9e}"]
    # An inverted pulse idles at the high level. Between the two the idle level is not 0 V: output off.
    return [
        f"{output}:STAT OFF", f"{level}:{moved} {after:.9e}", f"{level}:{base} 0", f"{output}:POL {polarity}",
        f"{output}:STAT ON",
    ]  # fmt: skip


def _width_commands(channel: int, before: float, after: float) -> list[str]:
    """Change width and period such that the width fits the period all the time."""
    if after == before:
        return []
    pulse = f":SOUR{channel}:PULS"
    commands = [f"{pulse}:WIDT {after:.9e}", f"{pulse}:PER {_period(after):.9e}"]
    return commands if after < before else commands[::-1]
