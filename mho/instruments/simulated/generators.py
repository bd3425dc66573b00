"""Common part of the simulated pulse generators: levels in volts at a load, bursts and stored waveforms at the terminals.

A model declares the settings with the headers of its manual, and their conflicts. Its ports carry the pulses of triggered
bursts; `running` describes an output without a trigger: a waveform that repeats, and what of it falls into a span of time.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.excursions import MOST, Excursion, excursions, repeated, swings
from mho.instruments.simulated.ports import PulsePort
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiDevice, ScpiError
from mho.instruments.simulated.scpi.language import Call
from mho.instruments.simulated.scpi.parameters import Choice, CommandParameter, Keyword, Numeric

T = TypeVar("T")


UNITS = ("VPP", "VRMS", "DBM")
LOUDEST = 300.0  # dBm: far beyond any instrument, and still a number


def peak_to_peak(value: float, unit: str, rms: float, load: float) -> float:
    """Return V peak to peak of an amplitude in `unit`; `rms` is the waveform's for 1 Vpp, `load` in ohm."""
    if unit == "VPP":
        return value
    if unit == "DBM":
        value = math.sqrt(1e-3 * 10.0 ** (min(value, LOUDEST) / 10.0) * load)
    return value / rms


def in_unit(volts: float, unit: str, rms: float, load: float) -> float:
    """Return an amplitude of `volts` peak to peak in `unit`: the inverse of `peak_to_peak`."""
    if unit == "VPP":
        return volts
    volts *= rms
    return volts if unit == "VRMS" else 10.0 * math.log10(max(volts, 1e-12) ** 2 / load / 1e-3)


@dataclass(frozen=True)
class Amplitude(CommandParameter[float]):
    """An amplitude; the suffix says its unit, else the channel's unit holds. The handler receives Vpp.

    The device has `least_amplitude` and `most_amplitude`, functions of the channel, and `peak_to_peak`.
    """

    default: float
    required: bool = True
    depends: bool = True

    def parse(self, text: str) -> tuple[float | Keyword, str]:
        """Read a number and its unit."""
        unit = next((unit for unit in UNITS if text.upper().endswith(unit)), "")
        return self._numeric(unit).parse(text), unit

    def resolve(self, value: tuple[float | Keyword, str], device: Any, suffixes: tuple[int, ...]) -> float:
        """Return volts peak to peak."""
        number, unit = value
        if isinstance(number, Keyword):
            return self._numeric(unit).resolve(number, device, suffixes)
        return float(device.peak_to_peak(*suffixes, number, unit))

    def _numeric(self, unit: str) -> Numeric:
        return Numeric(self.default, least, most, unit=unit or UNITS[0])


def least(device: Any, channel: int) -> float:
    """Return the least amplitude of a channel, V peak to peak."""
    return float(device.least_amplitude(channel))


def most(device: Any, channel: int) -> float:
    """Return the largest amplitude of a channel, V peak to peak."""
    return float(device.most_amplitude(channel))


CHANNELS = (1, 2)
INFINITE = 9.9e37
SOURCE_RESISTANCE = 50.0
# Others begin in the middle, a stored one at its first sample (?)
FROM_THE_LOW_LEVEL = ("PULS", "SQU", "PRBS")


def source_setting(header: str, parameter: CommandParameter[T]) -> IndexedSetting[T]:
    """Declare a setting of each channel's source; its header goes on behind ``[:SOURce[1|2]]:``."""
    return IndexedSetting(f"[:SOURce[1|2]]:{header}", parameter)


@lru_cache(maxsize=16)
def load_factor(load: float) -> float:
    """Return volts at `load` (ohm) per volt into 50 ohm: 1 into 50 ohm, 2 into an open circuit."""
    return 2.0 if load >= INFINITE else 2.0 * load / (load + SOURCE_RESISTANCE)


if TYPE_CHECKING:
    _Beside = ScpiDevice
else:
    _Beside = object


class PulseOutputs(_Beside):
    """The output stage of a two-channel generator; a mixin for a `ScpiDevice`, placed before it.

    `ports` are what each channel's terminal is wired to; a high impedance, so the programmed voltage arrives when the load
    is set to INF, and twice that when it is left at 50 ohm. `at_rest` is whether both terminals are known to be open or at
    0 V until the next command or trigger; see `rests`.
    """

    rms: ClassVar[Mapping[str, float]] = {}
    """V rms of 1 Vpp, for each waveform whose amplitude has other units than VPP."""

    # The model's, each by channel.
    function: IndexedSetting[str]
    high: IndexedSetting[float]
    low: IndexedSetting[float]
    width: IndexedSetting[float]
    period: IndexedSetting[float]
    bursting: IndexedSetting[bool]
    cycles: IndexedSetting[float]
    output_on: IndexedSetting[bool]
    load: IndexedSetting[float]

    unit = source_setting("VOLTage:UNIT", Choice("VPP", UNITS))
    limit_high = source_setting("VOLTage:LIMit:HIGH", Numeric(10.0, -10.0, 10.0, unit="V"))
    limit_low = source_setting("VOLTage:LIMit:LOW", Numeric(-10.0, -10.0, 10.0, unit="V"))
    burst_mode = source_setting("BURSt:MODE", Choice("TRIG", ("TRIGgered", "GATed")))
    polarity = IndexedSetting(":OUTPut[1|2]:POLarity", Choice("NORM", ("NORMal", "INVerted")))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, ports: Mapping[int, PulsePort], *,
        serial: str = "SIM00000",
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.ports = ports
        self._endless: set[int] = set()  # channels that a trigger has set going for good
        self._running: dict[int, Waveform | None] = {}  # as long as no command has come since
        self.at_rest = False
        self.reset()

    def reset(self) -> None:
        """Power-on state; ``*RST`` has restored the settings."""
        super().reset()
        self._loads = dict(self.load)
        self._endless.clear()

    def _run(self, calls: list[Call]) -> None:
        self._running.clear()
        self.at_rest = False
        super()._run(calls)
        self._running.clear()
        self.at_rest = False

    def adjusted(self, what: str) -> None:
        """Report that a setting made another one change."""
        self.push_error(-221, what)

    # --- levels ---

    def least_amplitude(self, channel: int) -> float:
        """Return the least difference of high and low level, V at the load."""
        return 1e-3 * load_factor(self.load[channel])

    def highest_level(self, channel: int) -> float:
        """Return how far from 0 V a level may be, V at the load."""
        return 5.0 * load_factor(self.load[channel])

    def most_amplitude(self, channel: int) -> float:
        """Return the largest difference of high and low level, V at the load."""
        return 2.0 * self.highest_level(channel)

    def limits_hold(self, channel: int) -> bool:
        """Return whether the channel's voltage limits are in force."""
        return True

    def amplitude(self, channel: int) -> float:
        """Return high minus low level, V at the load."""
        return self.high[channel] - self.low[channel]

    def offset(self, channel: int) -> float:
        """Return the middle between the levels, V at the load."""
        return (self.high[channel] + self.low[channel]) / 2

    def reaches(self, channel: int) -> tuple[float, float]:
        """Return the highest and the lowest level of the waveform, V at the load; DC has an offset alone."""
        if self.function[channel] == "DC":
            return self.offset(channel), self.offset(channel)
        return self.high[channel], self.low[channel]

    def leave_dc(self, channel: int, lowest: float, highest: float) -> bool:
        """Make room between these levels for the amplitude, which DC lacks; return whether levels have changed."""
        if lowest <= self.low[channel] and self.high[channel] <= highest:
            return False
        half = min(self.amplitude(channel), highest - lowest) / 2
        middle = min(max(self.offset(channel), lowest + half), highest - half)
        self.high[channel], self.low[channel] = middle + half, middle - half
        return True

    def restate(self, channel: int, ohms: float) -> None:
        """Restate the levels for a new load: the signal itself stays."""
        ratio = load_factor(ohms) / load_factor(self._loads[channel])
        self._loads[channel] = ohms
        self.high[channel] *= ratio
        self.low[channel] *= ratio

    @limit_high.check
    def _check_limit_high(self, channel: int, volts: float) -> None:
        if self.limits_hold(channel) and volts < self.reaches(channel)[0]:
            raise ScpiError(-221, "signal exceeds the limits")

    @limit_low.check
    def _check_limit_low(self, channel: int, volts: float) -> None:
        if self.limits_hold(channel) and volts > self.reaches(channel)[1]:
            raise ScpiError(-221, "signal exceeds the limits")

    # --- units of the amplitude ---

    @unit.check
    def check_unit(self, channel: int, unit: str) -> None:
        """Refuse a unit that the waveform, or a load that takes no power, does not have."""
        if unit != "VPP" and self.function[channel] not in self.rms:
            raise ScpiError(-221, "this waveform's amplitude is in Vpp")
        if unit == "DBM" and self.load[channel] >= INFINITE:
            raise ScpiError(-221, "amplitude units are Vpp due to high-Z load")

    def peak_to_peak(self, channel: int, value: float, unit: str) -> float:
        """Return V peak to peak of an amplitude in `unit`, or in the channel's when that is empty."""
        unit = unit or self.unit[channel]
        self.check_unit(channel, unit)
        return peak_to_peak(value, unit, self.rms.get(self.function[channel], 0.5), self.load[channel])

    def amplitude_in_unit(self, channel: int) -> str:
        """Write the amplitude in the channel's unit."""
        rms = self.rms.get(self.function[channel], 0.5)
        return self.real(in_unit(self.amplitude(channel), self.unit[channel], rms, self.load[channel]))

    # --- terminals ---

    def idle_voltage(self, channel: int) -> float:
        """Return the open-circuit voltage between bursts: that at which the waveform begins."""
        if not self.output_on[channel]:
            return 0.0
        if self.function[channel] in FROM_THE_LOW_LEVEL:
            volts = (self.low if self.polarity[channel] == "NORM" else self.high)[channel]
        elif stored := self.stored(channel):
            volts = self._volts(channel, stored[0][0][:1])[0]
        else:
            volts = sum(self.reaches(channel)) / 2
        return self._open_circuit(channel, volts) if volts else 0.0

    def rests(self) -> bool:
        """Return, and keep in `at_rest`, whether both terminals are open or at 0 V until the next command or trigger."""
        for channel in CHANNELS:
            if self.output_on[channel] and not self._waits(channel) and self.running(channel) is not None:
                return False
        self.at_rest = True
        return True

    def _waits(self, channel: int) -> bool:
        """Return whether a channel waits for a trigger of pulses from 0 V, as it does most of the time."""
        return (
            self.function[channel] == "PULS" and self.bursting[channel]
            and not (self.low if self.polarity[channel] == "NORM" else self.high)[channel]
            and channel not in self._endless and self.fires_every(channel) == math.inf
        )  # fmt: skip

    def running(self, channel: int) -> Waveform | None:
        """Return what the terminal does until the next command or trigger; None when it is open or rests at 0 V."""
        try:
            return self._running[channel]
        except KeyError:
            waveform = self._running[channel] = self._runs(channel) if self.output_on[channel] else None
            return waveform

    def _runs(self, channel: int) -> Waveform | None:
        idle, interval = self.idle_voltage(channel), self.burst_interval(channel)
        if math.isinf(interval) or self.function[channel] == "DC":
            return Waveform.constant(idle) if idle else None
        cycle = self._whole_cycle(channel)
        if interval:
            burst = repeated(cycle, int(self.cycles[channel]))
            rest = interval - self.cycles[channel] * self.cycle(channel)
            cycle = [*burst, Excursion(idle, rest)] if rest > 0.0 else burst
        return Waveform(tuple(cycle)) if any(level.volts for level in cycle) else None

    def _whole_cycle(self, channel: int) -> list[Excursion]:
        """Return all levels of a cycle, V into an open line, and the level between pulses among them."""
        cycle = self.cycle(channel)
        levels = self.excursions(channel, cycle)
        rest = cycle - sum(level.seconds * level.times for level in levels)
        course = [each._replace(volts=self._open_circuit(channel, each.volts)) for each in levels]
        if self.function[channel] == "PULS" and rest > 0.0:
            course.append(Excursion(self.idle_voltage(channel), rest))
        return course

    def burst_interval(self, channel: int) -> float:
        """Return the time from burst to burst, s: 0 where cycles follow each other without end, infinite where it waits."""
        if not self.bursting[channel] or channel in self._endless:
            return 0.0
        every = self.fires_every(channel)
        if math.isinf(every):
            return math.inf
        endless = not every or self.cycles[channel] >= INFINITE
        return 0.0 if endless else max(every, self.cycles[channel] * self.cycle(channel))

    def fires_every(self, channel: int) -> float:
        """Return the time to the next automatic burst, s; 0 when its gate is open, infinite when it waits for a trigger."""
        return math.inf

    def _open_circuit(self, channel: int, volts: float) -> float:
        return volts * 2.0 / load_factor(self.load[channel])

    def triggers_burst(self, channel: int) -> bool:
        """Return whether a trigger fires a counted burst of a channel's generator."""
        return self.bursting[channel] and self.burst_mode[channel] == "TRIG"

    def fire(self, delays: Mapping[int, float]) -> None:
        """Put out a burst of each channel given, with its delay (s) after the trigger; advance the clock to their end."""
        if not delays:
            raise ScpiError(-211)
        endless = {channel for channel in delays if self.cycles[channel] >= INFINITE}
        self._running.clear()
        self.at_rest = False
        last = 0.0
        for channel, delay in delays.items():
            last = max(last, delay + (0.0 if channel in endless else self._deliver(channel)))
        self.clock.advance(last)
        self._endless |= endless

    def _deliver(self, channel: int) -> float:
        """Put one burst on the terminal; return its duration, s."""
        count, cycle = int(self.cycles[channel]), self.cycle(channel)
        port = self.ports.get(channel)
        if port is not None and self.output_on[channel]:
            if self.function[channel] == "PULS":
                level = (self.high if self.polarity[channel] == "NORM" else self.low)[channel]
                if level:
                    port.pulse(self._open_circuit(channel, level), self.width[channel], cycle, count)
                return cycle * count
            levels = [
                each._replace(volts=self._open_circuit(channel, each.volts))
                for each in self.excursions(channel, cycle)
                if each.volts
            ]
            train = getattr(port, "train", None)
            if train is not None and swings(levels) and len(levels) * count > MOST:
                train(levels, count)
                return cycle * count
            for volts, seconds, times in repeated(levels, count):
                port.pulse(volts, seconds, cycle, times)
        return cycle * count

    def cycle(self, channel: int) -> float:
        """Return how long one cycle of a burst takes, s."""
        return self.period[channel]

    def excursions(self, channel: int, cycle: float) -> list[Excursion]:
        """Return the levels that a cycle of so many seconds reaches, in V at the load.

        Pulses are exact, and so are stored waveforms; of another one the terminal sees half a cycle at either peak.
        """
        high, low = self.reaches(channel)
        if self.function[channel] == "PULS":
            level = high if self.polarity[channel] == "NORM" else low
            return [Excursion(level, self.width[channel])]
        course: list[Excursion] = []
        for fractions, share, times in self.stored(channel):
            volts = self._volts(channel, fractions)
            course += repeated(excursions(volts, share * cycle / times), times)
        share = self.high_share(channel)
        peaks = [Excursion(high, share * cycle), Excursion(low, (1.0 - share) * cycle)]
        return course or (peaks if self.polarity[channel] == "NORM" else peaks[::-1])

    def _volts(self, channel: int, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the levels (V at the load) of a stored waveform's samples, -1 to 1."""
        upright = fractions if self.polarity[channel] == "NORM" else -fractions
        return self.offset(channel) + self.amplitude(channel) / 2 * upright

    def high_share(self, channel: int) -> float:
        """Return the share of a cycle, of a waveform that is neither pulses nor stored, at its high level."""
        return 0.5

    def stored(self, channel: int) -> list[tuple[NDArray[np.float64], float, int]]:
        """Return the stored waveforms that a cycle plays; none where the waveform is not a stored one.

        Of each the samples, -1 for the low level to 1 for the high one, its share of the cycle, and how often it is played.
        """
        return []


SLIVER = 1e-9  # share of a level's length below which a difference is an error of rounding

Train = tuple[list[Excursion], int]
"""Levels that follow each other, and how often they all come."""


@dataclass(frozen=True)
class Waveform:
    """Repeating waveform of a terminal: the levels of one cycle in order, V into an open line, a constant one of
    infinite length.
    """

    cycle: tuple[Excursion, ...]

    @classmethod
    def constant(cls, volts: float) -> Waveform:
        """Return a level that stays."""
        return cls((Excursion(volts, math.inf),))

    @cached_property
    def period(self) -> float:
        """Duration of a cycle, s; infinite for a constant level."""
        return sum(level.seconds * level.times for level in self.cycle)

    @cached_property
    def extreme(self) -> float:
        """The level farthest from 0 V, V."""
        return max((level.volts for level in self.cycle), key=abs)

    @cached_property
    def mean(self) -> float:
        """The average level, V."""
        if math.isinf(self.period):
            return self.extreme
        return sum(level.volts * level.seconds * level.times for level in self.cycle) / self.period

    def place(self, seconds: float) -> tuple[int, int]:
        """Return the number of the cycle, and of the level in it, that is there `seconds` after the waveform began."""
        cycle, into = divmod(seconds, self.period)
        return int(cycle), min(bisect.bisect_right(self._ends, into), len(self.cycle) - 1)

    @cached_property
    def _ends(self) -> list[float]:
        return list(itertools.accumulate(level.seconds * level.times for level in self.cycle))

    def between(self, start: float, end: float) -> list[Train]:
        """Return what comes from `start` to `end` (s since the waveform began): a part, whole cycles, a part.

        However many cycles there are, this takes as long as a cycle has levels.
        """
        period = self.period
        if math.isinf(period):
            return [([Excursion(self.extreme, end - start)], 1)]
        first, last = math.floor(start / period), math.floor(end / period)
        into, out = start - first * period, end - last * period
        if first == last:
            trains = [(self._part(into, out), 1)]
        else:
            whole = last - first - 1
            trains = [(self._part(into, period), 1), (list(self.cycle), whole), (self._part(0.0, out), 1)]
        return [(levels, count) for levels, count in trains if levels and count]

    def _part(self, start: float, end: float) -> list[Excursion]:
        """Return the levels of a cycle from `start` to `end`, s since it began."""
        levels, passed = [], 0.0
        for volts, seconds, times in self.cycle:
            inside = min(end, passed + seconds * times) - max(start, passed)
            if inside > SLIVER * seconds:
                repeats = 1 if times == 1 or inside < seconds else round(inside / seconds)
                levels.append(Excursion(volts, inside / repeats, repeats))
            passed += seconds * times
        return levels


# Return the present waveform of a generator's channel; None when nothing drives its terminal, or it is at 0 V
Playing = Callable[[], Waveform | None]


class Resting(Protocol):
    """A pulse generator that says whether it puts out anything before the next command or trigger."""

    at_rest: bool
    """Whether it is known not to."""

    def rests(self) -> bool:
        """Find out, and keep it in `at_rest`."""


class NoGenerator:
    """What stands for a generator where there is none: it puts out nothing."""

    at_rest = True

    def rests(self) -> bool:
        """Return True."""
        return True


class RestlessTwin:
    """What stands for a twin that does not say so: its waveforms are asked for each time."""

    at_rest = False

    def rests(self) -> bool:
        """Return False: it is not known."""
        return False


def waveform_of(twin: Any, channel: int) -> Playing:
    """Return a function for the waveform of a pulse generator's channel; for a twin without one, its idle level."""
    running = getattr(twin, "running", None)
    if running is not None:
        return partial(running, channel)

    def idle() -> Waveform | None:
        volts = float(twin.idle_voltage(channel))
        return Waveform.constant(volts) if volts else None

    return idle
