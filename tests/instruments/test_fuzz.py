"""Whatever a program sends to a simulated SCPI instrument: no crash, no hang, and an error queue in order."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from instruments.simulated.array_board import SimulatedArrayBoard
from instruments.simulated.clock import VirtualClock
from instruments.simulated.keithley2450 import SimulatedKeithley2450
from instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510
from instruments.simulated.keysight33522b import SimulatedKeysight33522B
from instruments.simulated.keysightb2912a import SimulatedKeysightB2912A
from instruments.simulated.scpi import ScpiDevice
from instruments.simulated.scpi_language import SettingBase
from instruments.simulated.tektronixafg31000 import SimulatedTektronixAFG31000

ERROR = re.compile(rb'\A[+-]?\d+,"(?:[^"]|"")*"\n\Z')
PARAMETERS = (
    "", " 1", " 0", " -1", " 1e-3", " 1E400", " NAN", " MIN", " MAX", " DEF", " ON", " OFF", " 5,3", " 0.1,0.2,0.3",
    " VOLT", ' "CURR"', ' "defbuffer1"', " (@101:110)", " (@1)", " (@", " #15hello", " #9", " 200mV", " 10 US", " ,", " '",
    ' "multiply",1,2', " PULS", " IMM", " BUS", " 1,2500", " 1e9", " INF", " SQU",
)  # fmt: skip


class Port:
    """A resistor that also takes pulses and has arrays on it."""

    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return volts * 1e-5

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        pass

    def array_size(self, array: str) -> tuple[int, int] | None:
        return (8, 8) if array == "multiply" else None

    def switching(self, what: str) -> None:
        pass


PAIR = {1: Port(), 2: Port()}
TWINS: dict[str, Callable[[VirtualClock, np.random.Generator], ScpiDevice]] = {
    "2450": lambda clock, rng: SimulatedKeithley2450(clock, rng, Port()),
    "B2912A": lambda clock, rng: SimulatedKeysightB2912A(clock, rng, PAIR),
    "33522B": lambda clock, rng: SimulatedKeysight33522B(clock, rng, PAIR),
    "AFG31000": lambda clock, rng: SimulatedTektronixAFG31000(clock, rng, PAIR),
    "DAQ6510": lambda clock, rng: SimulatedKeithleyDAQ6510(clock, rng, {}),
    "array board": lambda clock, rng: SimulatedArrayBoard(clock, rng, Port()),
}


def headers(device: type) -> list[str]:
    """Every header a class understands, as declared."""
    found = ["*IDN", "*RST", "*CLS", "*OPC", "*TRG", "*ESE", "*STB", "*WAI"]
    for owner in device.__mro__:
        for member in vars(owner).values():
            if isinstance(member, SettingBase):
                found.append(member.header)
            found += [header for header, _, _ in getattr(member, "scpi_headers", ())]
    return sorted(set(found))


def message(chance: random.Random, known: list[str]) -> bytes:
    """One program message: mostly headers that exist with parameters that may not fit, sometimes noise."""
    if chance.random() < 0.05:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(1, 40)))
    units = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        header = chance.choice(known)
        header = re.sub(r"\[\d\|\d\]", lambda match: chance.choice(("", "1", "2", "3")), header)
        header = re.sub(r"\[([^]]*)\]", lambda match: chance.choice(("", match[1])), header)
        if chance.random() < 0.5:
            header = re.sub(r"[a-z]+", "", header)
        if chance.random() < 0.05:
            header = header[: chance.randrange(1, len(header) + 1)]
        units.append(header + chance.choice(("?", "", "")) + chance.choice(PARAMETERS))
    text = ";".join(units).encode()
    if chance.random() < 0.1:
        where = chance.randrange(len(text) + 1)
        text = text[:where] + bytes([chance.randrange(256)]) + text[where:]
    return text


def fuzz(name: str, count: int, seed: int) -> None:
    chance = random.Random(seed)
    device = TWINS[name](VirtualClock(), np.random.default_rng(seed))
    known = headers(type(device))
    slowest = 0.0
    for number in range(count):
        start = time.perf_counter()
        device.write(message(chance, known) + b"\n")
        device.read()
        device.status_byte()
        slowest = max(slowest, time.perf_counter() - start)
        if number % 50 == 0:
            in_order(device)
    # The longest work a message can ask for is a full buffer, 100,000 points: seconds here, minutes there.
    assert slowest < 30.0, f"one message took {slowest:.1f} s"


def in_order(device: ScpiDevice) -> None:
    """Every entry of the error queue is well formed, the queue is finite, and the instrument still answers."""
    device.clear()
    for _ in range(device.error_capacity + 2):
        device.write(b":SYST:ERR?\n")
        reply = device.read()
        assert ERROR.match(reply), reply
        if int(reply.split(b",")[0]) == 0:
            break
    else:
        pytest.fail("the error queue does not come to its end")
    device.write(b"*IDN?\n")
    assert device.read().count(b",") == 3


@pytest.mark.parametrize("name", TWINS)
def test_thousands_of_random_messages(name: str) -> None:
    fuzz(name, 3000, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TWINS)
def test_a_million_random_messages(name: str) -> None:
    fuzz(name, 1_000_000, seed=2)
