"""Soak a simulated instrument in random messages: it must not crash, not hang, and keep its error queue in order."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from unittest.mock import patch

import fuzz_messages
import numpy as np

from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500
from mho.instruments.simulated.array_board import SimulatedArrayBoard
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.generators import CHANNELS, PulseOutputs
from mho.instruments.simulated.keithley707b import SimulatedKeithley707B
from mho.instruments.simulated.keithley2400 import SimulatedKeithley2400
from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2602B, SimulatedKeithley2636B
from mho.instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510, SimulatedKeithleyDMM6500
from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)
from mho.instruments.simulated.keysightb2201a import SimulatedKeysightB2201A
from mho.instruments.simulated.keysightb2912a import SimulatedKeysightB2912A
from mho.instruments.simulated.lakeshore335 import SimulatedLakeShore336
from mho.instruments.simulated.physics.heated_stage import HeatedStage
from mho.instruments.simulated.scpi.instrument import ScpiDevice
from mho.instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.yokogawags210 import SimulatedYokogawaGS210

BATCH = 20  # messages between checks of the error queue
LIFETIME = 20_000  # messages until it is switched off and on
MOST_POINTS = 500  # of a list of the B2912A
MOST_STEPS = 10_000_000  # of clock and terminals in a message: three sweeps of 100,000 points on two channels, and more
LONGEST = 60.0  # s of the processor's time, for a message that takes them all
LATEST = 1e15  # s of virtual time in a lifetime: each message may wait 100,000 times, up to 1e5 s each
SCPI_ERROR = re.compile(rb'\A([+-]?\d+),"(?:[^"]|"")+"\n\Z')
EVENTS = re.compile(rb"\A(\d{3})\r\n\Z")
FLEX_ERROR = re.compile(rb'\A([+-]\d+),"[^"]+"\r\n\Z')


class CountingClock(VirtualClock):
    """A virtual clock that counts the steps of a message, and stops one that does not end."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def count(self) -> None:
        """Record a step."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise AssertionError(f"a message took more than {MOST_STEPS} steps")

    def advance(self, seconds: float) -> None:
        self.count()
        super().advance(seconds)


class Port:
    """A resistor that also takes pulses and has arrays on it; what it is driven with must be a voltage."""

    def __init__(self, clock: CountingClock) -> None:
        self.clock = clock

    def drive(self, volts: float, *, connected: bool) -> None:
        assert abs(volts) < 300.0, volts

    def current(self, volts: float, aperture: float) -> float:
        self.clock.count()
        assert abs(volts) < 300.0, volts
        assert 0.0 <= aperture < LATEST, aperture
        return volts * 1e-5

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        self.clock.count()
        assert abs(volts) < 300.0, volts
        assert width >= 0.0, width
        assert count >= 0, count

    def array_size(self, array: str) -> tuple[int, int] | None:
        return (8, 8) if array == "multiply" else None

    def switching(self, what: str) -> None:
        pass

    def exchange(self, volts: np.ndarray, input_count: int, period: float) -> np.ndarray:
        self.clock.count()
        assert np.abs(volts).max() < 300.0, volts
        return volts[:, :input_count]


class Queue(NamedTuple):
    """Access to a language's error queue.

    Query of the next entry, pattern of an entry, largest number of entries, and the bits of the status byte for a waiting
    error or reply.
    """

    ask: bytes
    entry: re.Pattern[bytes]
    capacity: int
    waiting: int = 4 | 16


def scpi_queue(device: ScpiDevice) -> Queue:
    return Queue(b":SYST:ERR?\n", SCPI_ERROR, device.error_capacity)


def tsp_queue(device: TspDevice) -> Queue:
    entry = re.compile(rb"\A([+-]?[\d.]+(?:e[+-]\d+)?)\t[^\t]+\t[^\t]+\t[^\t]+\n\Z", re.DOTALL)
    return Queue(b"print(errorqueue.next())\n", entry, device.status.capacity)


def shorten(device: SimulatedKeysightB2912A) -> None:
    """Cut short the lists of points that random counts make 50,000 long in the mean: one in a hundred messages runs one."""
    counts = device.trigger_system.count
    for channel, count in counts.items():
        counts[channel] = min(count, MOST_POINTS)


def follow(device: PulseOutputs) -> None:
    """Check that an output without a trigger lasts exactly as long as the evaluated time."""
    for channel in CHANNELS:
        waveform = device.running(channel)
        if waveform is not None:
            parts = waveform.between(1234.5, 1235.5)
            seconds = [each.seconds * each.times * count for levels, count in parts for each in levels]
            assert min(seconds) > 0.0
            assert abs(sum(seconds) - 1.0) < 1e-3


class Twin(NamedTuple):
    """A simulated instrument as the soak sees it; `calm` is done after each message."""

    make: Callable[[CountingClock, np.random.Generator, Port], Any]
    messages: Callable[[Any], fuzz_messages.Messages]
    queue: Callable[[Any], Queue]
    calm: Callable[[Any], None] = lambda device: None


def _scpi(make: Callable[[CountingClock, np.random.Generator, Port], ScpiDevice]) -> Twin:
    return Twin(make, fuzz_messages.scpi, scpi_queue)


def _pulser(make: Callable[[CountingClock, np.random.Generator, Port], PulseOutputs]) -> Twin:
    return Twin(make, fuzz_messages.scpi, scpi_queue, follow)


TWINS = {
    "2636B": Twin(
        lambda clock, rng, port: SimulatedKeithley2636B(clock, rng, {1: port, 2: port}),
        fuzz_messages.tsp,
        tsp_queue,
    ),
    "2602B": Twin(
        lambda clock, rng, port: SimulatedKeithley2602B(clock, rng, {1: port, 2: port}),
        fuzz_messages.tsp,
        tsp_queue,
    ),
    "707B": Twin(lambda clock, rng, port: SimulatedKeithley707B(clock, rng), fuzz_messages.tsp, tsp_queue),
    "336": Twin(
        lambda clock, rng, port: SimulatedLakeShore336(clock, rng, HeatedStage(clock, 298.15)),
        fuzz_messages.lake_shore,
        lambda device: Queue(b"*ESR?\n", EVENTS, 1, waiting=16),
        lambda device: device.clock.advance(0.5),
    ),
    "B1500": Twin(
        lambda clock, rng, port: SimulatedAgilentB1500(clock, rng, {1: port, 2: port}),
        fuzz_messages.flex,
        lambda device: Queue(b"ERRX?\r\n", FLEX_ERROR, 30, waiting=1 | 32),
    ),
    "B2912A": Twin(
        lambda clock, rng, port: SimulatedKeysightB2912A(clock, rng, {1: port, 2: port}),
        fuzz_messages.scpi,
        scpi_queue,
        shorten,
    ),
    "33522B": _pulser(lambda clock, rng, port: SimulatedKeysight33522B(clock, rng, {1: port, 2: port})),
    "33622A": _pulser(lambda clock, rng, port: SimulatedKeysight33622A(clock, rng, {1: port, 2: port})),
    "AFG31000": _pulser(lambda clock, rng, port: SimulatedTektronixAFG31000(clock, rng, {1: port, 2: port})),
    "2450": _scpi(lambda clock, rng, port: SimulatedKeithley2450(clock, rng, port)),
    "2400": _scpi(lambda clock, rng, port: SimulatedKeithley2400(clock, rng, port)),
    "DAQ6510": _scpi(lambda clock, rng, port: SimulatedKeithleyDAQ6510(clock, rng, {})),
    "DMM6500": _scpi(lambda clock, rng, port: SimulatedKeithleyDMM6500(clock, rng, {})),
    "GS210": _scpi(lambda clock, rng, port: SimulatedYokogawaGS210(clock, rng, port)),
    "B2201A": _scpi(lambda clock, rng, port: SimulatedKeysightB2201A(clock, rng, cards=2)),
    "array board": _scpi(lambda clock, rng, port: SimulatedArrayBoard(clock, rng, port)),
}


@dataclass
class Outcome:
    """Statistics of a soak test.

    Attributes
    ----------
    seconds, slowest : float
        Total wall time; processor time of the slowest message.
    virtual : float
        Seconds of virtual time that passed.
    replies : int
        Replies read, except those of the error queue.
    errors : Counter
        Number of times that each error number was found in the queue.
    restarts : int
        Number of Lua states that a script had spoilt (``print = nil``) and that were replaced.
    """

    name: str
    messages: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    virtual: float = 0.0
    replies: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    restarts: int = 0

    def __str__(self) -> str:
        common = "  ".join(f"{code}: {count:,}" for code, count in self.errors.most_common(12))
        rest = f"  and {len(self.errors) - 12} more" if len(self.errors) > 12 else ""
        restarts = f", {self.restarts:,} restarts" if self.restarts else ""
        return (
            f"{self.name:12}{self.messages:>10,} messages {self.seconds:>7.1f} s "
            f"{self.messages / self.seconds:>8,.0f}/s, slowest {self.slowest:.2f} s, "
            f"{self.replies:,} replies{restarts}\n{'':12}errors  {common}{rest}"
        )


def soak(name: str, count: int, seed: int) -> Outcome:
    """Send `count` random messages to a twin; raises `AssertionError`, or the twin's own error, with the last ones."""
    outcome = Outcome(name)
    chance = random.Random(seed)
    start = time.perf_counter()
    # Scripts that do not end are stopped sooner than usual: there are many among the messages.
    budget = {"CALLS": 20_000, "INSTRUCTIONS": 1_000_000}
    with patch.multiple("mho.instruments.simulated.tsp.lua", **budget):
        while outcome.messages < count:
            _live(outcome, min(LIFETIME, count - outcome.messages), chance)
    outcome.seconds = time.perf_counter() - start
    return outcome


def _live(outcome: Outcome, count: int, chance: random.Random) -> None:
    """Switch a twin on and send it `count` messages."""
    twin = TWINS[outcome.name]
    clock = CountingClock()
    device = twin.make(clock, np.random.default_rng(chance.randrange(1 << 32)), Port(clock))
    draw, queue = twin.messages(device), twin.queue(device)
    latest: list[bytes] = []
    try:
        for number in range(1, count + 1):
            clock.steps = 0
            message = draw(chance)
            latest = [*latest[-BATCH:], message]
            begun = time.process_time()
            outcome.replies += _send(device, message + b"\n", chance)
            twin.calm(device)
            outcome.slowest = max(outcome.slowest, time.process_time() - begun)
            assert clock.steps <= MOST_STEPS  # a script's pcall may have caught what the clock raised
            if number % BATCH == 0:
                clock.steps = 0
                in_order(device, queue, outcome)
                latest.clear()
        outcome.messages += count
        outcome.virtual += clock.now
        assert outcome.slowest < LONGEST
        assert clock.now < LATEST
    except Exception as error:
        error.add_note(f"{outcome.name}, message {outcome.messages + number}, after:")
        for message in latest:
            error.add_note(repr(message))
        raise


def _send(device: Any, message: bytes, chance: random.Random) -> int:
    """Send a message, some in pieces or with other things in between; returns how many replies were read."""
    luck = chance.random()
    if luck < 0.03:
        where = chance.randrange(len(message))
        device.write(message[:where], False)
        message = message[where:]
    device.write(message, luck < 0.95)
    if luck > 0.99:
        chance.choice((device.clear, device.trigger, device.status_byte))()
    asks = b"?" in message or b"print" in message or chance.random() < 0.1
    if luck > 0.9 or not asks:
        return 0
    reply = device.read()
    assert isinstance(reply, bytes)
    return bool(reply)


def in_order(device: Any, queue: Queue, outcome: Outcome) -> None:
    """Check that the instrument answers, and that each entry of its error queue is well formed and the queue ends."""
    device.clear()
    if isinstance(device, TspDevice) and not _speaks(device):
        device._lua = None  # a script has taken print or errorqueue away: as after power-up they are back
        outcome.restarts += 1
        assert _speaks(device)
    for _ in range(queue.capacity + 1):
        device.write(queue.ask)
        reply = device.read()
        entry = queue.entry.match(reply)
        assert entry is not None, reply
        if (code := round(float(entry[1]))) == 0:
            break
        outcome.errors[code] += 1
    else:
        raise AssertionError("the error queue does not come to its end")
    device.write(b"*IDN?\n")
    assert device.read().count(b",") == 3
    assert not device.status_byte() & queue.waiting


def _speaks(device: TspDevice) -> bool:
    """Return whether a script's globals can still print, and still find the error queue."""
    device.write(b'format.asciiprecision = 6 print("here", type(errorqueue.next), type(errorqueue.count))\n')
    replied = device.read()
    device.clear()
    return replied == b"here\tfunction\tnumber\n"
