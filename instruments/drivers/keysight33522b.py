"""Keysight 33522B waveform generator as a pulser: single pulses on a 0 V base, fired by a bus trigger.

33500 Series Operating and Service Guide, 33500-90901. (?) to be checked on hardware: how long an edge may be
for a given width (0.625 of it), and that ``*OPC?`` waits for the end of a burst started by ``*TRG``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from instruments.drivers.scpi import CHECK, ScpiChannel, ScpiInstrument, Span, choice, control, switch, within
from mho_errors import InstrumentError, LimitError

AMPLITUDE = Span(2e-3, 10.0, "pulse amplitude", "V")
WIDTH = Span(16e-9, 4e5, "pulse width", "s")
LEVEL = Span(-10.0, 10.0, "level", "V")
PERIOD = Span(34e-9, 1e6, "pulse period", "s")
EDGE = Span(8.4e-9, 1e-6, "edge time", "s")
REST = 10e-3  # V, the amplitude that a channel is configured with
DEAD_TIME = 100e-9  # s, what the period leaves beside twice the width


@dataclass(frozen=True)
class _Shape:
    """What the instrument has confirmed of a channel."""

    voltage: float
    width: float


class PulseChannel(ScpiChannel):
    """Settings of one channel, as the manual has them; `Keysight33522B.shape` is the safe way to pulses."""

    function = choice(
        ":SOUR{ch}:FUNC", "Control the waveform.",
        ("SIN", "SQU", "TRI", "RAMP", "PULS", "PRBS", "NOIS", "ARB", "DC"),
    )  # fmt: skip
    high = control(":SOUR{ch}:VOLT:HIGH", "Control the high level, V at the load.", LEVEL)
    low = control(":SOUR{ch}:VOLT:LOW", "Control the low level, V at the load.", LEVEL)
    width = control(":SOUR{ch}:FUNC:PULS:WIDT", "Control the pulse width at half height, s.", WIDTH)
    period = control(":SOUR{ch}:FUNC:PULS:PER", "Control the pulse period, s.", PERIOD)
    edge = control(":SOUR{ch}:FUNC:PULS:TRAN", "Control both edge times (10 to 90 %), s.", EDGE)
    limit_high = control(":SOUR{ch}:VOLT:LIM:HIGH", "Control the upper voltage limit, V.", LEVEL)
    limit_low = control(":SOUR{ch}:VOLT:LIM:LOW", "Control the lower voltage limit, V.", LEVEL)
    limits_enabled = switch(":SOUR{ch}:VOLT:LIM:STAT", "Control whether the voltage limits hold.")
    burst_enabled = switch(":SOUR{ch}:BURS:STAT", "Control whether triggers fire bursts.")
    burst_cycles = control(
        ":SOUR{ch}:BURS:NCYC", "Control the periods in a burst.", Span(1, 1e8, "burst cycles")
    )
    output_enabled = switch(":OUTP{ch}", "Control whether the output relay is closed.")
    polarity = choice(":OUTP{ch}:POL", "Control whether the waveform is inverted.", ("NORM", "INV"))
    trigger_source = choice(":TRIG{ch}:SOUR", "Control what triggers.", ("IMM", "EXT", "TIM", "BUS"))
    load = Instrument.measurement(":OUTP{ch}:LOAD?", "Get the load that levels refer to, ohm (9.9e37: open).")


class Keysight33522B(ScpiInstrument):
    """A 33522B as `instruments.roles.PulseGenerator`; channels 1 and 2.

    Parameters
    ----------
    address, visa_library, timeout, **connection
        As for `ScpiInstrument`.
    edge : float
        Edge time (10 to 90 %) of the pulses, s; at most 0.625 of the shortest width.
    """

    model = "33522B"
    ch_1: PulseChannel = Instrument.ChannelCreator(PulseChannel, 1)
    ch_2: PulseChannel = Instrument.ChannelCreator(PulseChannel, 2)

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
        self._burst = 0.0  # s, the longest burst that a trigger can start
        super().__init__(address, visa_library, timeout=timeout, **connection)

    # --- roles.PulseGenerator ---

    def configure(self, channel: int) -> None:
        """Prepare triggered single pulses of 0 V base level on `channel` and switch its output on.

        Each command is legal whatever the channel did before; the output is off meanwhile.

        Raises
        ------
        InstrumentError
            When the instrument refuses; the output is off then.
        """
        if channel not in (1, 2):
            raise InstrumentError(f"{self._title} has channels 1 and 2, not {channel}")
        source, output = f":SOUR{channel}", f":OUTP{channel}"
        self._shapes[channel] = None
        width = 1e-6
        self.exchange(
            f"{output} OFF;{source}:BURS:STAT OFF;{source}:FUNC PULS;{output}:LOAD INF;{output}:POL NORM"
        )
        # Amplitude and offset shrink from any levels to a base of 0 V; the shortest edge fits any width, and
        # the longest period takes any width.
        self.exchange(f"{source}:VOLT {REST:.9e};{source}:VOLT:OFFS {REST / 2:.9e};{source}:VOLT:LOW 0")
        self.exchange(
            f"{source}:FUNC:PULS:TRAN {EDGE.minimum:.9e};{source}:FUNC:PULS:PER {PERIOD.maximum:.9e};"
            f"{source}:FUNC:PULS:WIDT {width:.9e};{source}:FUNC:PULS:PER {_period(width):.9e};"
            f"{source}:FUNC:PULS:TRAN {self.edge:.9e}"
        )
        self.exchange(
            f":TRIG{channel}:SOUR BUS;:TRIG{channel}:DEL 0;{source}:BURS:MODE TRIG;{source}:BURS:NCYC 1;"
            f"{source}:BURS:STAT ON;{output} ON"
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
        if self.edge > 0.625 * width:
            raise LimitError(
                f"pulse width {width:g} s is too short for edges of {self.edge:g} s; choose a width of "
                f"{self.edge / 0.625:.3g} s or more, or faster edges"
            )
        before = self._shapes[channel]
        if before is None:  # an earlier command failed: what the channel does is not known
            self.configure(channel)
            before = self._shapes[channel]
            assert before is not None
        commands = _level_commands(channel, before.voltage, voltage) + _width_commands(
            channel, before.width, width
        )
        if not commands:
            return
        self._shapes[channel] = None
        self.exchange(";".join(commands))
        self._shapes[channel] = _Shape(voltage, width)
        self._burst = max(_period(shape.width) for shape in self._shapes.values() if shape is not None)

    def fire(self) -> None:
        """Trigger the configured channels once; return when the pulse is over.

        Raises
        ------
        InstrumentError
            When no channel is configured.
        """
        if not self._shapes:
            raise InstrumentError(f"{self._title}: configure a channel before firing")
        if self._burst < 1.0:
            self.exchange("*TRG;*OPC?")
        else:
            with self._patience(self._burst):
                self.exchange("*TRG;*OPC?")

    def upload(self, channel: int, name: str, samples: ArrayLike) -> None:
        """Store an arbitrary waveform in the channel's volatile memory.

        Parameters
        ----------
        name : str
            A word of letters, digits and underscores, at most 12 long; must be new to the instrument.
        samples : array_like of float, shape (n,)
            Waveform between -1 and 1 (full scale); at least 8 samples.

        Raises
        ------
        LimitError
            When a sample is beyond -1 to 1.
        InstrumentError
            When the instrument refuses.
        """
        values = np.asarray(samples, dtype=np.float64)
        if not np.all(np.abs(values) <= 1.0):
            raise LimitError(f"waveform {name!r} reaches {np.abs(values).max():g}; scale it to -1 to 1")
        data = np.rint(values * 32767).astype("<i2").tobytes()
        length = str(len(data))
        header = f":FORM:BORD SWAP;:SOUR{channel}:DATA:ARB:DAC {name},#{len(length)}{length}"
        # Terminated here: PyVISA adds its termination to text only.
        self.write_bytes(header.encode() + data + f"{CHECK}\n".encode())
        self.check_set_errors()

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return levels, widths, limits and outputs of both channels, as text."""
        names = ("function", "high", "low", "width", "period", "edge", "load", "polarity", "output_enabled",
                 "trigger_source", "limits_enabled", "limit_high", "limit_low")  # fmt: skip
        channels: Sequence[tuple[int, PulseChannel]] = ((1, self.ch_1), (2, self.ch_2))
        return {f"ch{n}_{name}": str(getattr(channel, name)) for n, channel in channels for name in names}

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
            lambda: self.exchange("*CLS;:OUTP1 OFF"),
            lambda: self.exchange(":OUTP2 OFF"),
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
    source, output = f":SOUR{channel}:VOLT", f":OUTP{channel}"
    if after > 0.0 and before > 0.0:
        return [f"{source}:HIGH {after:.9e}"]
    if after < 0.0 and before < 0.0:
        return [f"{source}:LOW {after:.9e}"]
    # An inverted pulse idles at the high level. Between the two the idle level is not 0 V: output off.
    if after < 0.0:
        change = [f"{source}:LOW {after:.9e}", f"{source}:HIGH 0", f"{output}:POL INV"]
    else:
        change = [f"{source}:HIGH {after:.9e}", f"{source}:LOW 0", f"{output}:POL NORM"]
    return [f"{output} OFF", *change, f"{output} ON"]


def _width_commands(channel: int, before: float, after: float) -> list[str]:
    """Change width and period such that the width fits the period all the time."""
    if after == before:
        return []
    pulse = f":SOUR{channel}:FUNC:PULS"
    commands = [f"{pulse}:WIDT {after:.9e}", f"{pulse}:PER {_period(after):.9e}"]
    return commands if after < before else commands[::-1]
