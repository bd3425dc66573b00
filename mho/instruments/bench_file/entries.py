"""The instruments of a bench file: one entry per role, with the wiring of their terminals.

VISA Library Specification VPP-4.3, section 4.3.1.1: resource names are read without regard to case, boards default to 0,
the resource class to INSTR. An alias of VISA's own configuration, or a second connection to an instrument (a GPIB address
and a network address), cannot be recognised from the text.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from mho.errors import LimitError
from mho.instruments.bench_file.models import (
    PULSE_GENERATORS,
    SOURCE_METERS,
    SWITCH_MATRICES,
    TEMPERATURE_CONTROLLERS,
    Model,
    check_driver,
    check_twin,
    find_model,
)
from mho.instruments.bench_file.operations import Operation
from mho.instruments.bench_file.switch_paths import PATHS, check_paths
from mho.instruments.roles import PulseGenerator, SourceMeter, SwitchMatrix, TemperatureController
from mho.toml import StrictModel

HERE = "localhost"
RAW_PORT = "5025"  # of SCPI over a plain socket (IANA `scpi-raw`): the instrument behind it is that of inst0
CLASSES = ("INSTR", "SOCKET", "RAW", "INTFC", "SERVANT", "MEMACC", "BACKPLANE")
SERIAL = re.compile(r"(?:\\\\\.\\)?(?:ASRL)?COM(\d+)|ASRL(\d+)", re.IGNORECASE)
HEAD = re.compile(r"(GPIB|USB|TCPIP|VICP|PXI|VXI|ASRL)(\d*)", re.IGNORECASE)
BETWEEN = re.compile(r"::(?![^\[]*\])")  # an IPv6 address in brackets contains colons
NUMBER = re.compile(r"(?<=,)0+(?=\d)")  # zeros before an address behind a gateway: gpib0,05 (VXI-11.2)
NO_SECONDARY = "65535"  # VI_NO_SEC_ADDR
ONE_UNIT = re.compile(r"(?:inst|hislip)0(?:,\d+)?", re.IGNORECASE)

# Returns the numeric addresses of a host name; empty when the name is unknown
Resolve = Callable[[str], Iterable[str]]


def canonical_address(address: str) -> str:
    """Return the canonical spelling of a VISA resource name; an alias is returned in capitals."""
    parts = [part for part in BETWEEN.split(address.strip()) if part] or [""]
    kind = parts.pop().upper() if parts[-1].upper() in CLASSES and len(parts) > 1 else "INSTR"
    if match := SERIAL.fullmatch(parts[0]):
        return f"ASRL{int(match[1] or match[2])}::{kind}"
    if parts[0][:4].upper() == "ASRL":  # a device file, whose name is case-sensitive
        return f"ASRL{parts[0][4:]}::{kind}"
    match = HEAD.fullmatch(parts[0])
    if match is None:
        return "::".join([*map(str.upper, parts), kind])
    head, board, rest = match[1].upper(), int(match[2] or 0), parts[1:]
    if head in ("TCPIP", "VICP"):
        return _on_the_network(head, rest, kind)
    if head == "USB":  # maker, model and serial number identify a unit, whatever the board
        numbers = [_number(part) for part in rest[:2]]
        interface = [part for part in rest[3:] if part.strip("0")]
        kind = "INSTR" if kind == "RAW" else kind  # the other protocol of the same unit
        return "::".join(["USB0", *numbers, *map(str.upper, [*rest[2:3], *interface]), kind])
    if head == "GPIB" and rest[1:] == [NO_SECONDARY]:
        rest = rest[:1]
    plain = (str(int(part)) if part.isdecimal() else part.upper() for part in rest)
    return "::".join([f"{head}{board}", *plain, kind])


def _on_the_network(head: str, rest: list[str], kind: str) -> str:
    host, *others = rest or [""]
    host = canonical_host(host)
    if kind == "SOCKET":
        port = str(int(others[0])) if others and others[0].isdecimal() else "".join(others[:1])
        if port != RAW_PORT:
            return f"{head}0::{host}::{port}::SOCKET"
        return f"{head}0::{host}::INSTR"
    device = [NUMBER.sub("", part.lower()) for part in others if not ONE_UNIT.fullmatch(part)]
    return "::".join([f"{head}0", host, *device, kind])


def _number(part: str) -> str:
    try:
        return f"0x{int(part, 0):04X}"
    except ValueError:
        return part.upper()


def canonical_host(host: str) -> str:
    """Return the canonical spelling of a host's name or number; `HERE` for every name of this machine's loopback."""
    plain = host.strip("[] ").rstrip(".").lower()
    try:
        number = ipaddress.ip_address(plain)
    except ValueError:
        own = {socket.gethostname().lower(), socket.gethostname().partition(".")[0].lower()}
        loopback = plain.partition(".")[0] in (HERE, "ip6-localhost") or plain.endswith(f".{HERE}")
        return HERE if loopback or plain in own else plain
    mapped = getattr(number, "ipv4_mapped", None) or number
    if mapped.is_loopback:
        return HERE
    return f"[{mapped}]" if mapped.version == 6 else str(mapped)


def every_spelling(address: str, resolve: Resolve | None = None) -> set[str]:
    """Return the canonical spelling of an address, and those with each number of its host, or with the device file.

    `address`: VISA address.
    `resolve`: by default the system's own resolver, which may query the network.
    """
    plain = canonical_address(address)
    head, *rest = BETWEEN.split(plain)
    if head.startswith("ASRL/"):
        return {plain, "::".join([f"ASRL{os.path.realpath(head[4:])}", *rest])}
    if head not in ("TCPIP0", "VICP0") or rest[0] == HERE:
        return {plain}
    host, *tail = rest
    numbers = set((resolve or _resolved)(host.strip("[]")))
    names = {HERE if _is_here(number) else canonical_host(number) for number in numbers}
    return {"::".join([head, name, *tail]) for name in {host, *names}}


def _resolved(host: str) -> set[str]:
    try:
        return {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()  # then it cannot be connected to either


def _is_here(number: str) -> bool:
    """Return whether a numeric address is one of this machine's own: only those can be bound. Nothing is sent."""
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((number, 0))
    except OSError:
        return False
    return True


def daq_devices(channels: str) -> set[str]:
    """Return the devices of a list of NI-DAQmx channels: ``dev1/ao0:3, /Dev1/ao7`` is ``DAQ DEV1``."""
    names = (part.strip().lstrip("/").partition("/")[0] for part in channels.split(","))
    return {f"DAQ {name.upper()}" for name in names if name}


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Kelvin = Annotated[float, Field(ge=1, le=1000)]
Terminal = Literal["bit line", "source line", "word line"]


class Reconnect(StrictModel):
    """Number of tries to reopen a lost connection, and the wait before each (s)."""

    tries: Annotated[int, Field(ge=1, le=100)]
    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5


class ModelEntry(StrictModel):
    """An instrument of one of several models: `driver` is a model's name, or ``module:Class`` with its own `twin`.

    Without `reconnect` a lost connection ends the run.
    """

    models: ClassVar[Mapping[str, Model]]
    role: ClassVar[type]

    reconnect: Reconnect | None = None
    driver: str
    twin: Annotated[str, AfterValidator(check_twin)] = ""

    @field_validator("driver")
    @classmethod
    def _can_play_the_role(cls, name: str) -> str:
        return check_driver(cls.models, cls.role, name)

    @model_validator(mode="after")
    def _twin_goes_with_the_driver(self) -> Self:
        if self.twin and self.driver in self.models:
            raise ValueError(f"driver {self.driver} has its own twin: leave `twin` out")
        return self

    @property
    def model(self) -> Model:
        """The model that `driver` names."""
        return find_model(self.models, self.driver, self.twin)


class SourceMeterEntry(ModelEntry):
    """A source-measure unit and the terminal its output is wired to."""

    models, role = SOURCE_METERS, SourceMeter

    address: str
    channel: int = 1
    terminal: Terminal

    @model_validator(mode="after")
    def _channel_exists(self) -> SourceMeterEntry:
        count = self.model.channels
        if not 1 <= self.channel <= count:
            raise ValueError(f"{self.driver} has no channel {self.channel}; it has {count}")
        return self


class PulserEntry(ModelEntry):
    """A pulse generator, the terminal of each channel, and the edge time (10 to 90 %) of its pulses, s."""

    models, role = PULSE_GENERATORS, PulseGenerator

    address: str
    channels: dict[int, Terminal]
    edge: Positive = 10e-9


class DaqEntry(StrictModel):
    """The instruments that play vectors and read the answers.

    ``ni_daq``: channels of NI devices both ways. ``keithleydaq6510``: `outputs` of an NI device, and `inputs`
    scanned by a DAQ6510 at `address` (``"101:108,110"``), at `nplc` in the range that holds `full_scale` (V).
    ``array_board``: the board's own converters, over the board's connection.
    """

    reconnect: Reconnect | None = None
    driver: Literal["ni_daq", "keithleydaq6510", "array_board"]
    address: str = ""
    outputs: str = ""
    inputs: str = ""
    rate: Positive = 100e3
    nplc: Annotated[float, Field(ge=5e-4, le=12)] = 0.1
    full_scale: Annotated[float, Field(gt=0, le=1000)] = 10.0
    products: dict[str, str] = {}

    @model_validator(mode="after")
    def _has_what_its_driver_needs(self) -> DaqEntry:
        needed = {"ni_daq": ("outputs", "inputs"), "keithleydaq6510": ("address", "outputs", "inputs")}
        for key in needed.get(self.driver, ()):
            if not getattr(self, key):
                raise ValueError(
                    f"`{key}` is missing: driver {self.driver} needs {' and '.join(needed[self.driver])}"
                )
        for key in ("address", "outputs", "inputs"):
            if getattr(self, key) and key not in needed.get(self.driver, ()):
                raise ValueError(f"driver {self.driver} has no use for `{key}`: leave it out")
        if self.driver == "array_board" and self.reconnect is not None:
            raise ValueError("the board's converters share its connection: give `reconnect` to the board")
        if self.driver == "keithleydaq6510":
            self.scanned_channels()
        return self

    def scanned_channels(self) -> list[int]:
        """Return the channels that a DAQ6510 scans, in the order of its answers."""
        channels: list[int] = []
        for part in self.inputs.split(","):
            first, _, last = part.strip().partition(":")
            if not (first.isdecimal() and (last or first).isdecimal()):
                raise ValueError(f"inputs {self.inputs!r} are no channels of a DAQ6510; write '101:108,110'")
            channels.extend(range(int(first), int(last or first) + 1))
        if not channels or len(set(channels)) != len(channels):
            raise ValueError(f"inputs {self.inputs!r}: no channel, or one twice")
        return channels

    def daqmx_lists(self) -> list[str]:
        """Return the lists of NI-DAQmx channels in use."""
        used = {"ni_daq": [self.outputs, self.inputs], "keithleydaq6510": [self.outputs]}
        return used.get(self.driver, [])


class SwitchEntry(ModelEntry):
    """A switch matrix between the sources and the board or the probes.

    `rows` names the source at a row (``1A``: slot 1, row A), `columns` the terminal at a column (``103``: slot 1,
    column 03), `paths` the crosspoints (``1A03``) to close for each use of the bench; all others are open.
    """

    models, role = SWITCH_MATRICES, SwitchMatrix

    address: str
    rows: dict[str, str]
    columns: dict[str, Terminal]
    paths: dict[str, tuple[str, ...]]

    def crosspoints(self) -> dict[str, frozenset[str]]:
        """Return the crosspoints to close, by path; a path that is not given closes none."""
        return {path: frozenset(self.paths.get(path, ())) for path in PATHS}


class ChuckEntry(ModelEntry):
    """The temperature controller of the chuck, or stage, under the chip, and the limits within which it is used.

    `output` and `input` are those of heater and sensor, `heater_range` is 1 (low) to 3 (high). `lowest` and `highest` are
    temperatures, K; `ramp` is in K/min. The chip is at a temperature when it has stayed within `tolerance` (K) for `dwell`
    (s), for which a run waits no longer than `longest` (s).
    """

    models, role = TEMPERATURE_CONTROLLERS, TemperatureController

    address: str
    output: Annotated[int, Field(ge=1)] = 1
    input: Annotated[str, Field(pattern="^[A-Z][0-9]?$")] = "A"
    heater_range: Annotated[int, Field(ge=1, le=3)] = 3
    lowest: Kelvin = 273.15
    highest: Kelvin
    ramp: Annotated[float, Field(ge=0.1, le=100)] = 10.0
    tolerance: Annotated[float, Field(gt=0, le=20)] = 0.5
    dwell: Annotated[float, Field(ge=0, le=1e5)] = 60.0
    longest: Annotated[float, Field(gt=0, le=1e6)] = 7200.0

    @model_validator(mode="after")
    def _its_limits_agree(self) -> Self:
        if self.driver in self.models:
            inputs = "ABCD"[: self.model.channels]
            if self.output > len(inputs) or self.input not in inputs:
                raise ValueError(
                    f"{self.driver} has no output {self.output} or no input {self.input}; it has outputs 1 to "
                    f"{len(inputs)} and inputs {', '.join(inputs)}"
                )
            if self.output > 2 and self.heater_range > 1:
                raise ValueError(
                    f"output {self.output} of a {self.driver} is on or off: give `heater_range = 1`"
                )
        if self.lowest >= self.highest:
            raise ValueError(
                f"`lowest` is {self.lowest:g} K, not below `highest`, which is {self.highest:g} K"
            )
        needed = 60.0 * (self.highest - self.lowest) / self.ramp + self.dwell
        if needed > self.longest:
            raise ValueError(
                f"a ramp of {self.ramp:g} K/min from `lowest` to `highest` and `dwell` take {needed:.0f} s, and `longest` "
                f"is {self.longest:g} s: raise `longest` or `ramp`"
            )
        return self

    def check(self, kelvin: float) -> None:
        """Raise `LimitError` for a temperature (K) beyond the limits."""
        if not self.lowest <= kelvin <= self.highest:
            raise LimitError(
                f"chuck: temperature of {kelvin:g} K is beyond the limits of {self.lowest:g} to {self.highest:g} K; choose "
                "one within, or change `lowest` and `highest` in [instruments.chuck] if chip and chuck allow"
            )


class BoardEntry(StrictModel):
    """The array board that carries the chip; `watchdog` is the time (s) without a message after which it grounds itself."""

    reconnect: Reconnect | None = None
    driver: Literal["array_board"]
    address: str
    watchdog: Annotated[float, Field(ge=0.1, le=3600)] | None = None


class Instruments(StrictModel):
    """One instrument per role."""

    smu: SourceMeterEntry
    gate: SourceMeterEntry
    pulser: PulserEntry
    daq: DaqEntry
    board: BoardEntry
    switch: SwitchEntry | None = None
    chuck: ChuckEntry | None = None

    @model_validator(mode="after")
    def _wired_as_the_bench_drives_them(self) -> Instruments:
        if (self.smu.terminal, self.gate.terminal) != ("bit line", "word line"):
            raise ValueError("`smu` must be wired to the bit line and `gate` to the word line")
        if sorted(self.pulser.channels.values()) != ["bit line", "source line"]:
            raise ValueError("`pulser.channels` must be wired to the bit line and the source line, one each")
        if self.switch is not None:
            check_paths(self.switch.rows, self.switch.columns, self.switch.paths, self.sources())
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Instruments:
        used = [canonical_address(address) for address in self.addresses()]
        one = canonical_address(self.smu.address)
        if one == canonical_address(self.gate.address):
            if self.smu.address != self.gate.address:
                raise ValueError(
                    f"`smu` and `gate` name one instrument as {self.smu.address} and {self.gate.address}: write it alike"
                )
            if self.smu.channel == self.gate.channel:
                raise ValueError(
                    f"`smu` and `gate` share the address {self.smu.address}: give each its own `channel`"
                )
            if self.smu.driver != self.gate.driver:
                raise ValueError("`smu` and `gate` name different drivers for one address")
            if self.smu.reconnect != self.gate.reconnect:
                raise ValueError("`smu` and `gate` share an address: give both the same `reconnect`")
            used.remove(one)  # two channels of one instrument
        for address in used:
            if used.count(address) > 1:
                raise ValueError(f"two instruments share the address {address}")
        return self

    def operations(self) -> dict[Operation, str]:
        """Return which instruments serve each operation that the bench offers."""
        served: dict[Operation, str] = {
            "select": "board", "read": "smu", "sweep": "smu", "gate": "gate", "pulse": "pulser", "waveform": "pulser",
            "multiply": "daq and board", "invert": "daq and board",
        }  # fmt: skip
        if self.chuck is not None:
            served["temperature"] = "chuck"
        return served

    def sources(self) -> dict[str, str]:
        """Return the terminal of every source that is wired to the chip's lines."""
        channels = {f"pulser {channel}": line for channel, line in self.pulser.channels.items()}
        return {"smu": self.smu.terminal, "gate": self.gate.terminal, **channels}

    def addresses(self) -> list[str]:
        """VISA addresses in use, one per role."""
        return [address for role, address in self.buses().items() if role != "daq"]

    def buses(self) -> dict[str, str]:
        """The name, by role, under which an instrument's traffic is counted: its address, or an NI DAQ's outputs."""
        named = {
            "smu": self.smu.address, "gate": self.gate.address, "pulser": self.pulser.address,
            "daq": self.daq.outputs, "daq inputs": self.daq.address, "board": self.board.address,
            "switch": "" if self.switch is None else self.switch.address,
            "chuck": "" if self.chuck is None else self.chuck.address,
        }  # fmt: skip
        return {role: name for role, name in named.items() if name}
