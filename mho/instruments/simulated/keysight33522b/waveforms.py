"""Waveform memory of the simulated 33522B: arbitrary waveforms and sequences of them by name, one memory a channel.

33500 Series Operating and Service Guide, 33500-90901, p 191 and DATA subsystem; numbers that are clipped pp 69, 215 and
324. (?) the error numbers, which the E1441A of the same family has (its manual, p 79), and the size of the built-in
waveform.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.generators import least, most, source_setting
from mho.instruments.simulated.scpi.instrument import ScpiError, ScpiPart, Setting, command
from mho.instruments.simulated.scpi.parameters import (
    BlockParameter,
    Choice,
    CommandParameter,
    Keyword,
    Numeric,
    Text,
    quote,
    unquote,
)
from mho.instruments.simulated.scpi.status import ERROR_TEXTS

INFINITY = "9.9E+37"


@dataclass(frozen=True)
class Clipped(Numeric):
    """A number that is clipped to its limits: beyond one it is set to the limit, and the device's `push_error`
    gets -222.
    """

    @property
    def depends(self) -> bool:  # type: ignore[override]
        """To clip, it needs the device."""
        return True

    def resolve(self, value: float | Keyword, device: Any, suffixes: tuple[int, ...]) -> float:
        """Return the number, or the limit that it is beyond."""
        if isinstance(value, Keyword) or value in self.names.values():
            return super().resolve(value, device, suffixes)
        minimum, maximum = self.limits(device, suffixes)
        if value < minimum:
            device.push_error(-222, "value clipped to lower limit")
            return minimum
        if value > maximum:
            device.push_error(-222, "value clipped to upper limit")
            return maximum
        return value

    def format(self, value: float, device: Any) -> str:
        """Write it as a real number, a count as well; infinity has a spelling of its own."""
        return INFINITY if value in self.names.values() else str(device.real_format % value)


FULL_SCALE = 32767
BUILT_IN = "INT:\\BUILTIN\\EXP_RISE.ARB"  # content of the memory after a reset
MEMORY_FULL, NAME_TOO_LONG, ARB_UNKNOWN, ARB_EXISTS, BLOCK_ODD = 781, 783, 785, 786, 800
PLAYS = ("ONCE", "ONCEWAITTRIG", "REPEAT", "REPEATINF", "REPEATTILTRIG")
MARKERS = ("MAINTAIN", "LOWATSTART", "HIGHATSTART", "HIGHATSTARTGOLOW")


class SequenceStep(NamedTuple):
    """One step of a sequence: which waveform, how often, how it goes on, and the marker on the sync output."""

    waveform: str
    times: int
    play: str
    marker: str
    marker_point: int


@dataclass(frozen=True)
class Name(Text):
    """A waveform's name, with or without quotes; it comes back in capitals."""

    bare: bool = True

    def parse(self, text: str) -> str:
        """Read a name."""
        return super().parse(text).upper()


@dataclass(frozen=True)
class Samples(CommandParameter[list[float | bytes]]):
    """Samples, as a list of numbers or as one block."""

    default: tuple[()] = ()  # type: ignore[assignment]
    required: bool = True
    repeated: bool = True

    def parse(self, text: str) -> float | bytes:
        """Read a sample, or the block."""
        return BlockParameter().parse(text) if text[:1] == "#" else Numeric().parse(text)  # type: ignore[return-value]


class MemoryAbilities(NamedTuple):
    """Samples in one channel's memory, and in a waveform at least; samples a second, with a filter and without."""

    size: int
    shortest: int
    fastest: float
    fastest_unfiltered: float


def _fastest(memory: WaveformMemory, channel: int) -> float:
    abilities = memory.abilities
    return abilities.fastest_unfiltered if memory.sample_filter[channel] == "OFF" else abilities.fastest


class WaveformMemory(ScpiPart):
    """The part of the instrument that stores arbitrary waveforms, and says how one is played."""

    sample_rate = source_setting("FUNCtion:ARBitrary:SRATe", Clipped(4e4, 1e-6, _fastest, unit="HZ"))
    sample_filter = source_setting("FUNCtion:ARBitrary:FILTer", Choice("NORM", ("NORMal", "STEP", "OFF")))
    advance = source_setting("FUNCtion:ARBitrary:ADVance", Choice("SRAT", ("TRIGger", "SRATe")))
    swing = source_setting(
        "FUNCtion:ARBitrary:PTPeak",
        Clipped(
            0.1, lambda memory, channel: least(memory.device, channel),
            lambda memory, channel: most(memory.device, channel), unit="V",
        ),
    )  # fmt: skip
    byte_order = Setting(":FORMat:BORDer", Choice("NORM", ("NORMal", "SWAPped")))

    commands = {
        "[:SOURce[1|2]]:DATA:VOLatile:CATalog?": lambda self, channel: ",".join(
            map(quote, (*self.waveforms[channel], *self.sequences[channel]))
        ),
        "[:SOURce[1|2]]:DATA:VOLatile:FREE?": lambda self, channel: f"{self.abilities.size - self._used(channel):+d}",
        "[:SOURce[1|2]]:DATA:ATTRibute:POINts?": (
            Name(required=False), lambda self, channel, name: f"{self.points(channel, name or self.chosen[channel]):+d}",
        ),
        "[:SOURce[1|2]]:FUNCtion:ARBitrary?": lambda self, channel: quote(self.chosen[channel]),
    }  # fmt: skip

    def __init__(self, device: Any, abilities: MemoryAbilities) -> None:
        super().__init__(device)
        self.abilities = abilities
        self.waveforms: dict[int, dict[str, NDArray[np.int16]]] = {1: {}, 2: {}}
        self.sequences: dict[int, dict[str, list[SequenceStep]]] = {1: {}, 2: {}}
        self.chosen: dict[int, str] = {}
        self.reset()

    def reset(self) -> None:
        """Empty the memory, but for the built-in waveform."""
        for channel in self.waveforms:
            self._clear(channel)

    @command("[:SOURce[1|2]]:DATA:VOLatile:CLEar")
    def _clear(self, channel: int) -> None:
        rise = 1.0 - np.exp(-np.linspace(0.0, 5.0, 100))
        self.waveforms[channel] = {BUILT_IN: np.rint(FULL_SCALE * rise).astype(np.int16)}
        self.sequences[channel] = {}
        self.chosen[channel] = BUILT_IN

    @command("[:SOURce[1|2]]:DATA:ARBitrary:DAC", Name(), Samples())
    def _load_integers(self, channel: int, name: str, samples: list[float | bytes]) -> None:
        integer = "<i2" if self.byte_order == "SWAP" else ">i2"
        values = self._values(samples, integer)
        if np.any(values != np.rint(values)) or np.any(np.abs(values) > FULL_SCALE):
            raise ScpiError(-222, "sample")
        self._store(channel, name, values)

    @command("[:SOURce[1|2]]:DATA:ARBitrary", Name(), Samples())
    def _load_fractions(self, channel: int, name: str, samples: list[float | bytes]) -> None:
        fraction = "<f4" if self.byte_order == "SWAP" else ">f4"
        values = self._values(samples, fraction)
        if not np.all(np.abs(values) <= 1.0):
            raise ScpiError(-222, "sample")
        self._store(channel, name, np.rint(FULL_SCALE * values))

    def _values(self, samples: list[float | bytes], kind: str) -> NDArray[np.float64]:
        """Return what a list of numbers or a block says."""
        data = samples[0]
        if not isinstance(data, bytes):
            if any(isinstance(sample, bytes) for sample in samples):
                raise ScpiError(-104)
            return np.array(samples, dtype=np.float64)
        if len(samples) > 1:
            raise ScpiError(-108)
        if len(data) % np.dtype(kind).itemsize:
            raise ScpiError(BLOCK_ODD)
        return np.frombuffer(data, kind).astype(np.float64)

    def _store(self, channel: int, name: str, values: NDArray[np.float64]) -> None:
        self._check_name(channel, name)
        if len(values) < self.abilities.shortest:
            raise ScpiError(-161)
        if self._used(channel) + len(values) > self.abilities.size:
            raise ScpiError(MEMORY_FULL)
        self.waveforms[channel][name] = values.astype(np.int16)

    def _used(self, channel: int) -> int:
        return sum(map(len, self.waveforms[channel].values()))

    def _check_name(self, channel: int, name: str) -> None:
        if not re.fullmatch(r"[A-Z]\w*", name, re.ASCII):
            raise ScpiError(-224)
        if len(name) > 12:
            raise ScpiError(NAME_TOO_LONG)
        if name in self.waveforms[channel] or name in self.sequences[channel]:
            raise ScpiError(ARB_EXISTS)

    @command("[:SOURce[1|2]]:DATA:SEQuence", BlockParameter())
    def _load_sequence(self, channel: int, data: bytes) -> None:
        """Read ``name`` and, for each step, waveform, count, play control, marker mode and marker point."""
        name, *fields = (unquoted(part) for part in data.decode("latin-1").split(","))
        if not fields or len(fields) % 5:
            raise ScpiError(-161)
        self._check_name(channel, name)
        steps = [self._step(channel, *fields[i : i + 5]) for i in range(0, len(fields), 5)]
        self.sequences[channel][name] = steps

    def _step(
        self, channel: int, waveform: str, count: str, play: str, marker: str, point: str
    ) -> SequenceStep:
        samples = self.waveforms[channel].get(waveform)
        if samples is None:
            raise ScpiError(ARB_UNKNOWN)
        if play not in PLAYS or marker not in MARKERS:
            raise ScpiError(-224)
        if not (count.isdecimal() and point.isdecimal()):
            raise ScpiError(-104)
        if (
            len(count) > 7
            or int(count) > 1_000_000
            or not (len(point) < 8 and 4 <= int(point) <= len(samples) - 3)
        ):
            raise ScpiError(-222)
        return SequenceStep(waveform, int(count), play, marker, int(point))

    def points(self, channel: int, name: str) -> int:
        """Return how many samples a waveform has, or the waveforms of a sequence have together."""
        memory, steps = self.waveforms[channel], self.sequences[channel].get(name)
        names = [name] if steps is None else [step.waveform for step in steps]
        if not memory.keys() >= set(names):
            raise ScpiError(ARB_UNKNOWN)
        return sum(len(memory[waveform]) for waveform in names)

    def played(self, channel: int) -> list[tuple[NDArray[np.int16], int]]:
        """Return the samples of what is chosen, and how often a cycle plays them; of a sequence, of each step.

        A step that waits for a trigger, or that repeats until something comes, is played once.
        """
        name, memory = self.chosen[channel], self.waveforms[channel]
        steps = self.sequences[channel].get(name)
        if steps is None:
            return [(memory[name], 1)]
        return [(memory[step.waveform], max(step.times, 1) if step.play == "REPEAT" else 1) for step in steps]

    @command("[:SOURce[1|2]]:FUNCtion:ARBitrary", Name())
    def _choose_waveform(self, channel: int, name: str) -> None:
        if name not in self.waveforms[channel] and name not in self.sequences[channel]:
            raise ScpiError(ARB_UNKNOWN)
        self.chosen[channel] = name

    @sample_filter.on_change
    def _filter_changed(self, channel: int, name: str) -> None:
        if self.sample_rate[channel] > _fastest(self, channel):
            self.sample_rate[channel] = _fastest(self, channel)
            self.push_error(-221, "sample rate reduced due to filter")


def unquoted(text: str) -> str:
    """Read a field of a sequence, with or without quotes, in capitals."""
    text = text.strip()
    return (unquote(text) if text[:1] in ("'", '"') else text).upper()


TEXTS = {
    **ERROR_TEXTS, MEMORY_FULL: "Not enough memory to store new arb waveform",
    NAME_TOO_LONG: "Arb waveform name too long", ARB_UNKNOWN: "Specified arb waveform does not exist",
    ARB_EXISTS: "Specified arb waveform already exists", BLOCK_ODD: "Block length must be even",
}  # fmt: skip
