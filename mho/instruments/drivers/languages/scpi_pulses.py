"""Common part of the SCPI pulse generators: pulses on a 0 V base, and waveforms from 0 V and back, one channel at a time.

Settings change in an order in which every intermediate state is legal: the high level exceeds the low one, the width
fits the period, and the output idles at 0 V or is off. A model is a table of commands, `PulseAbilities`, and a driver that
adds how it is triggered and how it stores a waveform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import CHECK, Span, choice, control, one_of, switch, whole, within

CHANNELS = (1, 2)
REST = 10e-3  # V, amplitude after `configure`
BOUND = Span(REST, math.inf, "limit", "V")
AMPLITUDE = Span(2e-3, 10.0, "pulse amplitude", "V")
LEVEL = Span(-10.0, 10.0, "level", "V")


class PulseSettings:
    """Settings that a channel of any generator has, named as in the manuals; a mixin for a channel of PyMeasure."""

    high = control(":SOUR{ch}:VOLT:HIGH", "Control the high level, V at the load.", LEVEL)
    low = control(":SOUR{ch}:VOLT:LOW", "Control the low level, V at the load.", LEVEL)
    limit_high = control(":SOUR{ch}:VOLT:LIM:HIGH", "Control the upper voltage limit, V.", LEVEL)
    limit_low = control(":SOUR{ch}:VOLT:LIM:LOW", "Control the lower voltage limit, V.", LEVEL)
    burst_enabled = switch(":SOUR{ch}:BURS:STAT", "Control whether triggers fire bursts.")
    burst_mode = choice(":SOUR{ch}:BURS:MODE", "Control what a trigger does.", ("TRIG", "GAT"))
    polarity = choice(":OUTP{ch}:POL", "Control whether the waveform is inverted.", ("NORM", "INV"))


REST_LEVELS = (  # from any levels to a base of 0 V
    f":SOUR{{ch}}:VOLT {REST:.9e}", f":SOUR{{ch}}:VOLT:OFFS {REST / 2:.9e}", ":SOUR{ch}:VOLT:LOW 0",
)  # fmt: skip
LIMITS = (":SOUR{ch}:VOLT:LIM:HIGH {volts:.9e}", ":SOUR{ch}:VOLT:LIM:LOW -{volts:.9e}")


def pulse_commands(pulse: str, *edges: str) -> tuple[str, ...]:
    """Return the commands from any pulse to another; the longest period and the shortest edges fit any width.

    `pulse`, `edges`: the headers of width and period, and of the edge times.
    """
    return (
        f"{pulse}:PER {{longest:.9e}}",
        *(f"{edge} {{fastest:.9e}}" for edge in edges),
        f"{pulse}:WIDT {{width:.9e}}",
        f"{pulse}:PER {{period:.9e}}",
        *(f"{edge} {{edge:.9e}}" for edge in edges),
    )


@dataclass(frozen=True)
class PulseAbilities:
    """Abilities of a model, and its commands, in which ``{ch}`` is the channel."""

    # amplitude, width, period, edge: of a pulse into high impedance (V), at half height, from start to start, 10 to
    # 90 % (s)
    amplitude: Span
    width: Span
    period: Span
    edge: Span
    cycles: Span  # pulses in a burst
    edge_share: float  # longest edge, in units of the width
    dead_time: float  # least difference between the period and twice the width, s
    samples: Span  # of a waveform
    interval: Span  # from sample to sample, s
    pulse: str  # the header of width and period
    idle: tuple[str, ...]  # output off; then any waveform and any level may be set
    shape: tuple[tuple[str, ...], ...]  # messages from idle to pulses of `REST` volts
    arm: tuple[str, ...]  # a single burst per trigger, and the output's relay closed
    limit: tuple[str, ...] = LIMITS  # levels within ``{volts}`` of 0 V
    fastest_cycle: float = 0.0  # shortest duration of a waveform, s


@dataclass(frozen=True)
class Shape:
    """Confirmed pulses of a channel: amplitude (V), times (s), and number per trigger."""

    voltage: float
    width: float
    count: int = 1


@dataclass(frozen=True)
class ConfirmedWaveform:
    """Confirmed waveform of a channel: duration (s), and number of repetitions per trigger."""

    cycle: float
    count: int = 1


class VoltagePulser:
    """Two-channel generator: the part of `mho.instruments.roles.PulseGenerator` common to all models.

    A mixin for a driver of SCPI, placed before its base.

    `edge`: both edge times (10 to 90 %) of the pulses, s; `LimitError` for edges that the instrument does not have. All
        others: as for `BusInstrument`.
    """

    abilities: ClassVar[PulseAbilities]
    voltage_span: ClassVar[Span] = LEVEL
    _title: Any
    _patience: Any
    ask: Any
    exchange: Any
    interrupt: Any
    write_bytes: Any
    check_set_errors: Any

    def __init__(self, *arguments: Any, edge: float = 10e-9, **options: Any) -> None:
        self.edge = within(edge, self.abilities.edge)
        self._possible: tuple[float, float, int] | None = None  # the last that `check_shape` let pass
        self._shapes: dict[int, Shape | ConfirmedWaveform | None] = {}
        self._bounds: dict[int, float] = {}  # V, limit of a channel set by `protect`
        self._live: set[int] = set()  # channels whose output is not confirmed off
        super().__init__(*arguments, **options)

    # --- roles.PulseGenerator ---

    def protect(self, channel: int, voltage: float) -> None:
        """Limit `channel` to -`voltage` to `voltage` (V) by the instrument's own limits, from its next `configure` on.

        Nothing is sent now: the limits are sent and read back while the output is off. They remain set afterwards.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        within(voltage, BOUND)
        self._bounds[channel] = min(float(voltage), self.abilities.amplitude.maximum)

    def configure(self, channel: int) -> None:
        """Prepare triggered pulses of 0 V base level on `channel` and switch its output on.

        Each command is legal in any previous state; the output is off meanwhile.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        self._shapes[channel] = None
        self._live.add(channel)
        width = max(1e-6, 2.0 * self.edge)
        *shaping, last = (self._commands(message, channel, width) for message in self.abilities.shape)
        for commands in (self._idling(channel), *shaping, last + self._bounding(channel)):
            self.exchange(";".join(commands))
        self._confirm_bound(channel)
        self.exchange(";".join(self._commands(self.abilities.arm, channel)))
        self._shapes[channel] = Shape(REST, width)

    def check_shape(self, *, voltage: float, width: float, count: int = 1) -> None:
        """Raise `LimitError` for pulses beyond the instrument's abilities; nothing is sent."""
        if (voltage, width, count) == self._possible:
            return
        within(abs(voltage), self.abilities.amplitude)
        within(width, self.abilities.width)
        whole(count, self.abilities.cycles)
        if self.edge > self.abilities.edge_share * width:
            raise LimitError(
                f"pulse width {width:g} s is too short for edges of {self.edge:g} s; choose a width of "
                f"{self.edge / self.abilities.edge_share:.3g} s or more, or faster edges"
            )
        self._possible = voltage, width, count

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Set amplitude (V into high impedance, 2 mV to 10 V, of either sign) and width (s, at half height) of the next
        pulses.

        Only what changes is sent, in a message of its own that is checked before `fire`: in one with the trigger, the
        instrument would fire its last pulse where it refuses the new one, and perhaps before a new level has settled (?).

        `LimitError` for a value beyond the instrument's abilities; `InstrumentError` when the channel is not
        configured, or the instrument refuses.
        """
        if channel not in self._shapes:
            raise InstrumentError(f"{self._title}: configure channel {channel} before shaping its pulses")
        self.check_shape(voltage=voltage, width=width)
        self._check_bound(channel, abs(voltage))
        before = self._shapes[channel]
        if isinstance(before, Shape) and before.voltage == voltage and before.width == width:
            return
        if not isinstance(before, Shape):  # a waveform, or unknown after a failed command
            self.configure(channel)
            before = self._shapes[channel]
            assert isinstance(before, Shape)
        commands = self._level_commands(channel, before.voltage, voltage)
        commands += self._width_commands(channel, before.width, width)
        if commands:
            self._shapes[channel] = None
            self.exchange(";".join(commands))
            self._shapes[channel] = Shape(voltage, width, before.count)

    def fire(self, channel: int, count: int = 1) -> None:
        """Fire `count` pulses, or the waveform `count` times, on `channel` alone; return when they are over.

        `LimitError` when `count` exceeds the longest burst; `InstrumentError` when the channel is not shaped, the
        instrument refuses, or the burst does not end.
        """
        shape = self._shapes.get(channel)
        if shape is None:
            raise InstrumentError(
                f"{self._title}: configure channel {channel} and shape its pulses before firing"
            )
        if count != shape.count:
            cycles = int(whole(count, self.abilities.cycles))
            self._shapes[channel] = None
            self.exchange(f":SOUR{channel}:BURS:NCYC {cycles}")
            shape = replace(shape, count=cycles)
        self._shapes[channel] = None  # until the burst is known to be over
        self._trigger(channel, self._duration(shape))
        self._shapes[channel] = shape

    def _check_bound(self, channel: int, highest: float) -> None:
        bound = self._bounds.get(channel)
        if bound is not None and highest > bound:
            raise LimitError(
                f"{self._title}, channel {channel}: {highest:g} V is beyond the {bound:g} V that the bench's limits allow "
                "there; lower it, or raise the limit in the bench file if the chip allows"
            )

    def _bounding(self, channel: int) -> list[str]:
        """Return the commands for the limits set by `protect`; the output is off and the signal at `REST`."""
        bound = self._bounds.get(channel)
        return [] if bound is None else self._commands(self.abilities.limit, channel, volts=bound)

    def _confirm_bound(self, channel: int) -> None:
        """Read the limits back before the output is switched on."""
        bound = self._bounds.get(channel)
        if bound is None:
            return
        settings = self._channels()[channel - 1]
        high, low = settings.limit_high, settings.limit_low
        if max(abs(high - bound), abs(low + bound)) > 1e-3 * bound + 1e-3:
            raise InstrumentError(
                f"{self._title} set limits of {low:g} V and {high:g} V on channel {channel} instead of {bound:g} V"
            )

    # --- commands ---

    def _commands(
        self, templates: Sequence[str], channel: int, width: float = 0.0, volts: float = 0.0
    ) -> list[str]:
        """Fill in templates of `PulseAbilities`."""
        able = self.abilities
        return [
            template.format(
                ch=channel, width=width, volts=volts, period=self._period(width), edge=self.edge,
                longest=able.period.maximum, fastest=able.edge.minimum,
            )
            for template in templates
        ]  # fmt: skip

    def _idling(self, channel: int) -> list[str]:
        """Return the commands that switch the output off and allow any waveform and any level to be set."""
        return self._commands(self.abilities.idle, channel)

    def _trigger(self, channel: int, seconds: float) -> None:
        """Fire a burst on `channel` alone, and wait until its `seconds` are over."""
        raise NotImplementedError

    def _period(self, width: float) -> float:
        """Return the period for pulses of `width` (s), the shortest time from one pulse to the next."""
        return 2.0 * width + self.abilities.dead_time

    def _duration(self, shape: Shape | ConfirmedWaveform) -> float:
        return shape.count * (
            shape.cycle if isinstance(shape, ConfirmedWaveform) else self._period(shape.width)
        )

    def _level_commands(self, channel: int, before: float, after: float) -> list[str]:
        """Return the commands that change the amplitude while the idle level stays at 0 V."""
        if after == before:
            return []
        level, output = f":SOUR{channel}:VOLT", f":OUTP{channel}"
        moved, base, polarity = ("HIGH", "LOW", "NORM") if after > 0.0 else ("LOW", "HIGH", "INV")
        move = f"{level}:{moved} {after:.9e}"
        if after * before > 0.0:
            return [move]
        # An inverted pulse idles at the high level. Between the two the idle level is not 0 V: output off.
        change = [move, f"{level}:{base} 0", f"{output}:POL {polarity}"]
        return [f"{output} OFF", *change, f"{output} ON"] if channel in self._live else change

    def _width_commands(self, channel: int, before: float, after: float) -> list[str]:
        """Return the commands that change width and period while the width always fits the period."""
        if after == before:
            return []
        pulse = self.abilities.pulse.format(ch=channel)
        commands = [f"{pulse}:WIDT {after:.9e}", f"{pulse}:PER {self._period(after):.9e}"]
        return commands if after < before else commands[::-1]

    # --- roles.Instrument ---

    def settings(self) -> dict[str, str]:
        """Return levels, widths, limits and outputs of both channels, as text."""
        return {
            f"ch{channel.id}_{name}": str(getattr(channel, name))
            for channel in self._channels()
            for name in channel.recorded
        }

    @property
    def output_enabled(self) -> bool:
        """Get whether one of the outputs is on."""
        return any(channel.output_enabled for channel in self._channels())

    def make_safe(self) -> None:
        """Switch both outputs off; raises `InstrumentError` when that cannot be confirmed by query."""
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
        if self.output_enabled:
            raise InstrumentError(
                f"{self._title} still has an output on; switch it off by hand ({'; '.join(failures)})"
            )
        self._live.clear()

    def _channels(self) -> Sequence[Any]:
        return [getattr(self, f"ch_{channel}") for channel in CHANNELS]

    # --- waveforms ---

    @property
    def step_edge(self) -> float:
        """Shortest transition time (10 to 90 %) of the output between samples, s."""
        return self.abilities.edge.minimum

    def check_waveform(self, volts: ArrayLike, *, interval: float, count: int = 1) -> Floats:
        """Return the samples as they will be played, from 0 V and back, or raise `LimitError`; nothing is sent."""
        able = self.abilities
        values = _framed(_waveform(volts), int(able.samples.minimum))
        within(values.size, able.samples)
        within(interval, able.interval)
        within(float(np.abs(values).max()), able.amplitude)
        whole(count, able.cycles)
        cycle = values.size * interval
        if cycle < able.fastest_cycle:
            raise LimitError(
                f"{self._title} takes {able.fastest_cycle:g} s for a waveform at least, not {cycle:g} s; "
                "choose a longer interval, or more samples"
            )
        return values

    def shape_waveform(self, channel: int, volts: ArrayLike, *, interval: float) -> None:
        """Set a waveform on `channel`, which `fire` then plays instead of pulses; its output is on afterwards.

        The output idles at the waveform's first sample. Samples of 0 V are therefore added at the ends where the waveform
        is not at 0 V, and at its end when it is too short. A waveform of both signs is played between levels of the same
        magnitude, so that 0 V is exact.

        `volts`: volts into high impedance; the largest of them is at least 2 mV and at most 10 V.
        `interval`: from sample to sample, s.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        values = self.check_waveform(volts, interval=interval)
        self._check_bound(channel, float(np.abs(values).max()))
        cycle = values.size * interval
        high, low = _levels(values)
        self._shapes[channel] = None
        self._live.add(channel)
        fractions = np.clip((values - low) / (high - low) * 2.0 - 1.0, -1.0, 1.0)
        self.exchange(";".join(self._idling(channel)))
        self.exchange(";".join(self._stored(channel, fractions, interval)))
        level = f":SOUR{channel}:VOLT"
        levels = [f"{level}:LOW {low:.9e}", f"{level}:HIGH {high:.9e}"]
        self.exchange(";".join([*self._commands(REST_LEVELS, channel), *self._bounding(channel), *levels]))
        self._confirm_bound(channel)
        self.exchange(";".join(self._commands(self.abilities.arm, channel)))
        self._shapes[channel] = ConfirmedWaveform(cycle)

    def _forget_waveform(self, channel: int) -> None:
        """Require a new shape before the channel fires: its waveform is no longer in memory."""
        if isinstance(self._shapes.get(channel), ConfirmedWaveform):
            self._shapes[channel] = None

    def _stored(self, channel: int, fractions: Floats, interval: float) -> list[str]:
        """Store a waveform of -1 (low level) to 1, and return the commands that select it; the output is off."""
        raise NotImplementedError

    def _send_waveform(self, header: str, data: bytes) -> None:
        """Send samples in a definite block (IEEE 488.2-1992, 7.7.6.2)."""
        length = str(len(data))
        # Terminated here: PyVISA adds its termination to text only.
        self.write_bytes(f"{header},#{len(length)}{length}".encode() + data + f"{CHECK}\n".encode())
        self.check_set_errors()


def full_scale(samples: ArrayLike, length: Span) -> Floats:
    """Return `samples`, shape (n,), as an array; raises `LimitError` unless there are enough and all lie in -1 to 1."""
    values = _waveform(samples)
    within(values.size, length)
    if not np.all(np.abs(values) <= 1.0):
        raise LimitError(f"the waveform reaches {np.abs(values).max():g}; scale it to -1 to 1")
    return values


def _waveform(samples: ArrayLike) -> Floats:
    try:
        values = np.asarray(samples, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LimitError("a waveform is a list of numbers; this one holds something else") from error
    if values.ndim != 1:
        raise LimitError(f"a waveform has one axis, not {values.ndim}; send one a channel")
    if not values.size:
        raise LimitError("the waveform has no samples; give some")
    return values


def _framed(values: Floats, least: int) -> Floats:
    """Add 0 V before and after `values`, and more after them until there are `least` samples."""
    before = int(values[0] != 0.0)
    behind = max(int(values[-1] != 0.0), least - before - values.size)
    return np.pad(values, (before, behind))


def _levels(values: Floats) -> tuple[float, float]:
    """Return a high and a low level (V) between which 0 V is exactly a converter code."""
    highest, lowest = float(values.max()), float(values.min())
    if highest > 0.0 > lowest:
        highest = max(highest, -lowest)
        return highest, -highest
    return max(highest, 0.0), min(lowest, 0.0)
