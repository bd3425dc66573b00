"""Twin of an ArC TWO: what stands for the module pyarc2 (0.6.0), with one instrument behind it.

Its functions have the names, arguments and answers of pyarc2's; what they do to the channels, and how long it takes, is
what libarc2 0.6 sends for them. What is not simulated is an `ArC2Error` that says so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from operator import index
from typing import Any

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import CellsPort

ARRAY = "multiply"  # of the chip map, whose lines are wired
CHANNELS = 64
ROWS = np.array([*range(16, 32), *range(48, 64)])  # word-line channels, as libarc2 has them whatever is wired
COLUMNS = np.array([*range(16), *range(32, 48)])
STEP = 3.05179e-4  # V of a DAC, of 16 bits around 0
CONVERTER = 10.24, 2**17  # V at full scale, and steps to there
TRANSIMPEDANCES = 15e6, 110e3, 830.0  # ohm: 0.68 uA, 93 uA and 12 mA at full scale
NOISE = (
    170e-12  # A (Foster et al., Scientific Reports 12, 13912 (2022)); in the coarser ranges at least a step
)
VOLTAGE_NOISE = 1e-4  # V (?)
SETTLE, PREPARE = 30_000, 130_000  # ns, of the DACs, and of amplifiers before they drive again
APERTURE = 320e-6  # s of a reading: of an averaged voltage, and (?) of a current
WRITE = 2.5e-3  # s for the host to send what is queued
FAST = 500_000_000  # ns, from which on pulses are made by the DACs alone
SHORTEST = 40  # ns
STRESS = 0.5  # V (?): what is less changes no cell in the time that it lasts


class ArC2Error(Exception):
    """An error of the instrument."""


class NotSimulated(ArC2Error, AttributeError):
    """Something of pyarc2 that this twin does not have."""


ControlMode = Enum("ControlMode", ["Internal", "Header"])
DataMode = Enum("DataMode", ["Words", "Bits", "All"])
ReadType = Enum("ReadType", ["Current", "Voltage"])
BiasOrder = Enum("BiasOrder", ["Rows", "Cols"])


class IdleMode(Enum):
    """What channels are left at."""

    Float, SoftGnd, HardGnd = 0b01, 0b10, 0b11


class SimulatedArcTwo:
    """The module.

    `words`, `bits`: channels at the rows and the columns of the chip.
    `ids`: numbers of the instruments that are connected.
    """

    ArC2Error, LIBARC2_VERSION = ArC2Error, "0.6.0"
    ControlMode, DataMode, ReadType, BiasOrder, IdleMode = (
        ControlMode,
        DataMode,
        ReadType,
        BiasOrder,
        IdleMode,
    )

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, cells: CellsPort, *, serial: str = "",
        words: Sequence[int], bits: Sequence[int],
    ) -> None:  # fmt: skip
        self.ids = [0]
        self.channels = Channels(clock, rng, cells, list(words), list(bits))
        self.Instrument = partial(SimulatedInstrument, self)

    def find_ids(self) -> list[int]:
        """Return the numbers of all instruments."""
        return list(self.ids)

    def __getattr__(self, name: str) -> Any:
        raise NotSimulated(f"the twin of pyarc2 has no {name}")


class Channels:
    """The channels, and the cells between those that are wired to rows and to columns.

    A channel is at the level of its DAC while it is driven, at 0 V while it is grounded, and else floats.
    """

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        cells: CellsPort,
        words: list[int],
        bits: list[int],
    ) -> None:
        self.clock, self._rng, self._cells = clock, rng, cells
        self._words, self._bits = words, bits
        self._gain = 1.0 + 1e-3 * rng.standard_normal(CHANNELS)  # (?): of the amplifiers
        self.control: ControlMode | None = None  # what the daughterboard connects
        self.dacs = np.zeros(CHANNELS)
        self.driven, self.grounded = np.zeros(CHANNELS, bool), np.zeros(CHANNELS, bool)
        self.prepared = np.zeros(CHANNELS, bool)  # amplifiers that need no time before they drive again

    @property
    def volts(self) -> np.ndarray[Any, Any]:
        """Level of each channel, V; NaN where it floats."""
        return np.where(self.grounded, 0.0, np.where(self.driven, self.dacs, np.nan))

    def set(self, levels: Iterable[tuple[int, float]]) -> None:
        """Set DACs to the nearest levels that they have."""
        for channel, volts in levels:
            self.dacs[channel] = STEP * min(max(round(volts / STEP), -(2**15)), 2**15 - 1)

    def drive(self, channels: Any) -> None:
        """Connect channels to their DACs; amplifiers that were off are prepared first, at ground."""
        if not self.prepared[channels].all():
            self.clock.advance(1e-9 * PREPARE)
        self.driven[channels] = self.prepared[channels] = True

    def wait(self, seconds: float) -> None:
        """Let time pass, and the cells feel what is across them."""
        volts = self.volts
        across = volts[self._words][:, None] - volts[self._bits]
        cells = np.argwhere(np.abs(across) >= STRESS)
        for row, column in sorted(cells.tolist(), key=lambda cell: abs(across[*cell])):
            self._cells.pulse((ARRAY, row, column), float(across[row, column]), seconds, 1)
        self.clock.advance(seconds)

    def currents(self, channels: Sequence[int]) -> np.ndarray[Any, Any]:
        """Return what converters tell of the currents into `channels`, A; NaN for the others."""
        answer = np.full(CHANNELS, np.nan)
        volts = self.volts
        across = np.nan_to_num(volts[self._words][:, None] - volts[self._bits])
        columns = [self._bits.index(one) for one in channels if one in self._bits]
        rows = np.flatnonzero(across[:, columns].any(axis=1))
        alike = len({float(volts[self._bits[one]]) for one in columns}) <= 1
        if len(rows) > 1 and columns and alike:
            vector = across[rows, columns[0]][None, :]
            into = self._cells.multiply(ARRAY, rows.tolist(), columns, vector, APERTURE)[0]
        else:
            into = [self._sum(across, [(row, column) for row in rows.tolist()]) for column in columns]
        answer[[self._bits[one] for one in columns]] = into
        for row in (self._words.index(one) for one in channels if one in self._words):
            at = [(row, column) for column in np.flatnonzero(across[row]).tolist()]
            answer[self._words[row]] = -self._sum(across, at)
        read = np.isin(np.arange(CHANNELS), channels)
        answer[read] = np.nan_to_num(answer[read])  # nothing is wired to these
        self.clock.advance(APERTURE)
        return np.array([self._converted(one) for one in answer * self._gain])

    def _sum(self, across: np.ndarray[Any, Any], cells: list[tuple[int, int]]) -> float:
        return sum(self._cells.read((ARRAY, *cell), float(across[cell]), APERTURE) for cell in cells)

    def _converted(self, amperes: float) -> float:
        full, steps = CONVERTER
        for ohms in TRANSIMPEDANCES:
            if abs(amperes) < full / ohms:
                break
        step = full / ohms / steps
        noisy = amperes + max(NOISE, step) * float(self._rng.standard_normal())
        return noisy if math.isnan(noisy) else step * min(max(round(noisy / step), -steps), steps - 1)

    def voltages(self, channels: Sequence[int], averaging: bool) -> np.ndarray[Any, Any]:
        """Return what converters tell of the voltages at `channels`, V; NaN for the others."""
        self.clock.advance(APERTURE if averaging else 10e-6)
        answer = np.full(CHANNELS, np.nan)
        noise = VOLTAGE_NOISE * self._rng.standard_normal(CHANNELS)
        answer[channels] = (np.nan_to_num(self.volts) + noise)[channels]
        return answer


def _channels(channels: Iterable[int]) -> list[int]:
    """Return numbers of channels; `TypeError` for what cannot be iterated, `ArC2Error` for no channels."""
    numbers = [int(one) for one in channels]
    if any(not 0 <= one < CHANNELS for one in numbers):
        raise ArC2Error(f"no such channels: {numbers}")
    return numbers


class SimulatedInstrument:
    """The instrument: what is not answered at once is queued until `execute`, and its results until `pick_one`."""

    def __init__(self, module: SimulatedArcTwo, port: int, firmware: str, init: bool = True) -> None:
        if port not in module.ids:
            raise ArC2Error(f"Invalid ArC2 device id: {port}")
        self._do, self._queue = module.channels, deque[Callable[[], None]]()
        self._results = deque[tuple[ReadType, np.ndarray[Any, Any]]]()
        if init:
            self._do.dacs[:] = 0.0

    def __getattr__(self, name: str) -> Any:
        raise NotSimulated(f"the twin of pyarc2's Instrument has no {name}")

    def _later(self, act: Callable[..., Any], *arguments: Any) -> SimulatedInstrument:
        self._queue.append(partial(act, *arguments))
        return self

    # --- the queue ---

    def execute(self) -> SimulatedInstrument:
        """Do what is queued."""
        self._do.clock.advance(WRITE)
        while self._queue:
            self._queue.popleft()()
        return self

    def busy(self) -> bool:
        """Return whether something queued is not done: never, as `execute` does it all."""
        return False

    def wait(self) -> None:
        """Do nothing: `execute` has done it all."""

    def delay(self, nanos: int) -> SimulatedInstrument:
        """Wait."""
        return self._later(self._do.wait, 1e-9 * index(nanos))

    def pick_one(self, mode: DataMode, rtype: ReadType) -> np.ndarray[Any, Any] | None:
        """Return the oldest result, or None."""
        if not self._results:
            return None
        kind, values = self._results.popleft()
        # pyarc2 converts a current as if it were a voltage, into a number that means nothing
        return _slab(values if kind is rtype else np.full(CHANNELS, np.nan), mode)

    def get_iter(self, mode: DataMode, rtype: ReadType | None = None) -> Iterator[list[Any]]:
        """Return an iterator over the results; each is in a list of its own, as pyarc2 0.6 has it."""
        pick = partial(self.pick_one, mode, rtype or ReadType.Current)
        return iter(lambda: None if (found := pick()) is None else [found], None)

    # --- levels ---

    def ground_all_fast(self) -> SimulatedInstrument:
        """Set all DACs to 0 V."""
        return self._later(self._do.dacs.fill, 0.0).delay(SETTLE)

    def ground_all(self) -> SimulatedInstrument:
        """Set all DACs to 0 V and connect them."""
        return self.ground_all_fast()._later(self._do.drive, slice(None))

    def float_all(self) -> SimulatedInstrument:
        """Disconnect all channels."""
        return self.open_channels(range(CHANNELS))

    def open_channels(self, channels: Iterable[int]) -> SimulatedInstrument:
        """Disconnect channels, from ground, too."""
        return self._later(self._open, _channels(channels))

    def _open(self, channels: list[int]) -> None:
        for state in (self._do.driven, self._do.prepared, self._do.grounded):
            state[channels] = False

    def connect_to_gnd(self, chans: Iterable[int]) -> SimulatedInstrument:
        """Connect these channels to ground, and no others."""
        return self._later(self._do.grounded.fill, False).gnd_add(chans)

    def gnd_add(self, chans: Iterable[int]) -> SimulatedInstrument:
        """Connect channels to ground."""
        return self._later(self._do.grounded.__setitem__, _channels(chans), True)

    def gnd_remove(self, chans: Iterable[int]) -> SimulatedInstrument:
        """Disconnect channels from ground."""
        return self._later(self._do.grounded.__setitem__, _channels(chans), False)

    def config_channels(
        self, input: Sequence[tuple[int, float]], base: float | None = None
    ) -> SimulatedInstrument:
        """Drive channels at voltages, and with a `base` all others at that."""
        named = _channels(channel for channel, _ in input)
        others = [] if base is None else [(one, base) for one in range(CHANNELS) if one not in named]
        levels = [*zip(named, (float(volts) for _, volts in input), strict=True), *others]
        self._later(self._do.drive, [channel for channel, _ in levels])
        return self._later(self._do.set, levels).delay(SETTLE)

    def set_control_mode(self, mode: ControlMode) -> SimulatedInstrument:
        """Connect the socket, or the pins."""
        if not isinstance(mode, ControlMode):
            raise TypeError(f"{mode!r} is no ControlMode")
        return self._later(setattr, self._do, "control", mode)

    def finalise_operation(self, mode: IdleMode | None = None, control: ControlMode | None = None) -> None:
        """Do what is queued, and leave the channels at 0 V; with None nothing."""
        if mode is IdleMode.SoftGnd:
            self.connect_to_gnd([]).ground_all().execute()
        elif mode is not None:
            self.connect_to_gnd([]).ground_all_fast().float_all()
            self.connect_to_gnd(range(CHANNELS if mode is IdleMode.HardGnd else 0)).execute()
        if control is not None:
            self.set_control_mode(control)

    # --- pulses ---

    def pulse_one(self, low: int, high: int, voltage: float, nanos: int) -> SimulatedInstrument:
        """Pulse between two channels."""
        return self.pulse_slice_masked(low, voltage, nanos, [high])

    def pulse_slice(self, chan: int, voltage: float, nanos: int) -> SimulatedInstrument:
        """Pulse between a channel and all on the other side."""
        return self.pulse_slice_masked(chan, voltage, nanos, _opposite(chan))

    def pulse_slice_masked(
        self, chan: int, voltage: float, nanos: int, mask: Iterable[int]
    ) -> SimulatedInstrument:
        """Pulse between a channel and some on the other side; from 0.5 s on it lasts until the next level."""
        highs = _channels(mask)
        both = [*_channels([chan]), *highs]
        others = [(one, 0.0) for one in range(CHANNELS) if one not in both]
        levels = [(chan, -0.5 * voltage), *((one, 0.5 * voltage) for one in highs), *others]
        if nanos < FAST:
            self._later(self._do.driven.__setitem__, both, True)._later(self._do.dacs.fill, 0.0)
            self._later(self._do.prepared.__setitem__, both, False).delay(SETTLE)
            self._later(self._do.set, levels).delay(max(nanos, SHORTEST))
            return self._later(self._do.set, [(one, 0.0) for one in both])
        self._later(self._do.drive, both)
        return self._later(self._do.set, levels).delay(nanos + SETTLE)

    # --- readings ---

    def read_slice_open_deferred(self, highs: Iterable[int], ground_after: bool) -> SimulatedInstrument:
        """Read the currents of channels as they are."""
        return self._read(_channels(highs), ground_after)

    def _read(self, channels: list[int], ground: bool) -> SimulatedInstrument:
        self._later(self._do.drive, channels)
        self._later(lambda: self._results.append((ReadType.Current, self._do.currents(channels))))
        if ground:
            self._later(self._do.set, [(one, 0.0) for one in channels]).delay(PREPARE)
        return self

    def read_slice_open(self, highs: Iterable[int], ground_after: bool) -> np.ndarray[Any, Any]:
        """Do what is queued, read the currents of channels as they are and return them."""
        return self._last(self.read_slice_open_deferred(highs, ground_after))

    def read_one(self, low: int, high: int, vread: float) -> float:
        """Read the current into one channel, with another at ``-vread`` and the rest at 0 V."""
        return float(self._biased(low, [high], vread)[high])

    def read_slice(self, chan: int, vread: float) -> np.ndarray[Any, Any]:
        """Read the currents into all channels on the other side, with one at ``-vread``."""
        return self.read_slice_masked(chan, _opposite(chan), vread)

    def read_slice_masked(self, chan: int, mask: Iterable[int], vread: float) -> np.ndarray[Any, Any]:
        """Read the currents into some channels on the other side, with one at ``-vread``."""
        values = self._biased(chan, _channels(mask), vread)
        return values[_opposite(chan)]

    def read_all(self, vread: float, order: BiasOrder) -> np.ndarray[Any, Any]:
        """Read slice after slice."""
        lows = ROWS if order is BiasOrder.Rows else COLUMNS
        return np.array([self.read_slice(int(low), vread) for low in lows])

    def _biased(self, low: int, highs: list[int], vread: float) -> np.ndarray[Any, Any]:
        self.ground_all_fast().config_channels([(low, -vread)], 0.0)
        return self._last(self._read(highs, False).ground_all_fast())

    def pulseread_one(self, low: int, high: int, vpulse: float, nanos: int, vread: float) -> float:
        """Pulse, then read."""
        self.pulse_one(low, high, vpulse, nanos)
        return self.read_one(low, high, vread)

    def vread_channels_deferred(self, chans: Iterable[int], averaging: bool) -> SimulatedInstrument:
        """Read the voltages of channels as they are."""
        numbers = _channels(chans)
        return self._later(
            lambda: self._results.append((ReadType.Voltage, self._do.voltages(numbers, averaging)))
        )

    def vread_channels(self, chans: Iterable[int], averaging: bool) -> list[float]:
        """Do what is queued, read the voltages of channels as they are and return them."""
        numbers = sorted(_channels(chans))
        values = self._last(self.vread_channels_deferred(numbers, averaging))[numbers]
        return [float(one) for one in values]

    def _last(self, _: SimulatedInstrument) -> np.ndarray[Any, Any]:
        """Do what is queued and return its last result."""
        self.execute()
        return _slab(self._results.pop()[1], DataMode.All)


def _opposite(channel: int) -> list[int]:
    """Return the channels of the other side of a 32 x 32 array, as libarc2 has them."""
    return [int(one) for one in (COLUMNS if channel in ROWS else ROWS)]


def _slab(values: np.ndarray[Any, Any], mode: DataMode) -> np.ndarray[Any, Any]:
    lines = {DataMode.Words: ROWS, DataMode.Bits: COLUMNS, DataMode.All: np.arange(CHANNELS)}
    return np.asarray(values[lines[mode]], np.float32)
