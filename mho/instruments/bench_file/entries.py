"""The instruments of a bench file by their names: what each is, where it is wired, and which operations it serves.

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
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    RootModel,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mho.errors import BenchError, LimitError
from mho.instruments.bench_file.models import (
    BESIDE,
    BOARDS,
    DAQS,
    PULSE_GENERATORS,
    SOURCE_METERS,
    SWITCH_MATRICES,
    TEMPERATURE_CONTROLLERS,
    TESTERS,
    VOLTAGE_SOURCES,
    Model,
    can_be_asked,
    check_driver,
    check_twin,
    find_model,
    is_offered,
    lacking,
    load_class,
    own_driver,
    twin_of,
)
from mho.instruments.bench_file.operations import OPERATIONS, Operation
from mho.instruments.bench_file.switch_paths import (
    NAMES,
    PATHS,
    SLOTS,
    Bias,
    CellWiring,
    CrosspointNames,
    check_paths,
)
from mho.instruments.roles import (
    BoardInverter,
    BoardMultiplier,
    BoardSelector,
    BoardWatchdog,
    CellProgrammer,
    CellPulser,
    CellReader,
    CellSelector,
    CellSweeper,
    Daq,
    Instrument,
    Multiplier,
    Oscilloscope,
    Prober,
    PulseGenerator,
    PulseMeasurer,
    SourceMeter,
    SweepingMeter,
    SwitchMatrix,
    TemperatureController,
    VoltageSource,
    WordLine,
)
from mho.toml import StrictModel, in_unit

HERE = "localhost"
NI_OUTPUT = "ni_output"  # whose address is a channel of NI-DAQmx, and none of VISA
LONGEST_UNIT = 40  # characters
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
Kelvin = Annotated[float, BeforeValidator(in_unit("K")), Field(ge=1, le=1000)]
Volts = Annotated[float, BeforeValidator(in_unit("V")), Field(gt=0, allow_inf_nan=False)]
Amperes = Annotated[float, BeforeValidator(in_unit("A")), Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, BeforeValidator(in_unit("s")), Field(gt=0, allow_inf_nan=False)]
SECONDS = BeforeValidator(in_unit("s"))
Terminal = Literal["bit line", "source line", "word line"]
AnyTerminal = Annotated[str, Field(pattern="^[a-z][a-z0-9 -]*$")]  # a further one is named by the chip map
LINES: tuple[str, ...] = get_args(Terminal)

# What instruments fill
ROLES = (
    "smu", "sink", "gate", "pulser", "daq", "tester", "board", "switch", "chuck", "prober", "scope",
)  # fmt: skip


class Reconnect(StrictModel):
    """Number of tries to reopen a lost connection, and the wait before each (s)."""

    tries: Annotated[int, Field(ge=1, le=100)]
    wait: Annotated[float, SECONDS, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5


class Entry(StrictModel):
    """An instrument of a bench: `driver` is the name of one of several models, or ``module:Class`` with its own `twin`.

    An entry point of the group ``mho.instruments`` is a name, too. Without `twin` the class's attribute `twin` counts.

    `serves` are the operations that it does here; left out, all that its kind does at the terminals that it is wired to.
    `options` go to the driver as keywords, and to the twin those that it takes. Without `reconnect` a lost connection ends
    the run.
    """

    # None: the drivers are listed where `driver` is declared
    models: ClassVar[Mapping[str, Model] | None] = None
    role: ClassVar[type] = Instrument
    can: ClassVar[tuple[Operation, ...]] = ()  # serve, whatever it is wired to
    # What it does in place of the proper instrument: only where `serves` says so
    in_place: ClassVar[tuple[Operation, ...]] = ()

    kind: str
    reconnect: Reconnect | None = None
    serves: tuple[Operation, ...] | None = None
    driver: str
    twin: str = ""
    options: dict[str, Any] = {}

    @field_validator("driver")
    @classmethod
    def _can_play_the_role(cls, name: str, info: ValidationInfo) -> str:
        models, role = cls._known(info.data.get("kind", ""))
        return name if models is None else check_driver(models, role, name)

    @classmethod
    def _known(cls, kind: str) -> tuple[Mapping[str, Model] | None, type]:
        """Return the models of a kind, and what a class of one's own has to be."""
        return cls.models, cls.role

    @model_validator(mode="after")
    def _twin_goes_with_the_driver(self) -> Self:
        models, _ = self._known(self.kind)
        if self.options and models is None:
            raise ValueError(f"driver {self.driver} takes no `options`: leave them out")
        if self.twin and (models is None or self.driver in models):
            raise ValueError(f"driver {self.driver} has its own twin: leave `twin` out")
        if not self.twin and models is not None and self.driver not in models:
            driver = load_class(self.driver)
            if twin := twin_of(driver):
                object.__setattr__(self, "twin", check_twin(twin, driver))
        return self

    @field_validator("twin")
    @classmethod
    def _can_stand_for_the_driver(cls, name: str, info: ValidationInfo) -> str:
        driver = info.data.get("driver", "")
        return check_twin(name, load_class(driver)) if name and ":" in driver else name

    @property
    def model(self) -> Model:
        """The model that `driver` names."""
        return find_model(self._known(self.kind)[0] or {}, self.driver, self.twin)

    def served(self) -> tuple[Operation, ...]:
        """Return the operations that it serves; `ValueError` for one that it cannot."""
        able = self._able()
        for operation in self.serves or ():
            if operation not in able:
                raise ValueError(self._unable(operation, able))
        return tuple(one for one in able if one not in self.in_place) if self.serves is None else self.serves

    def _able(self) -> tuple[Operation, ...]:
        return self.can

    def _unable(self, operation: Operation, able: Iterable[Operation]) -> str:
        there = ", ".join(f"`{one}`" for one in able) or "none: give it `serves = []`"
        return f"`serves` names `{operation}`, which this instrument does not do as it is wired here; it does {there}"


def _numbered(channels: Any) -> Any:
    """Return a list of terminals as a table by channel, from 1."""
    return dict(enumerate(channels, 1)) if isinstance(channels, list) else channels


Channels = Annotated[dict[int, Terminal], BeforeValidator(_numbered)]
AnyChannels = Annotated[dict[int, AnyTerminal], BeforeValidator(_numbered)]


class SourceKind(NamedTuple):
    """What is known of sources of a kind: their models, what a driver has to be, and what they serve at a terminal."""

    models: Mapping[str, Model]
    role: type
    at: Mapping[str, tuple[Operation, ...]]


SOURCES = {
    "source meter": SourceKind(
        SOURCE_METERS, SourceMeter,
        {
            "bit line": ("read", "sweep", "pulse", "multiply", "pulse_measured"), "word line": ("gate",),
            "source line": (),
        },
    ),
    "voltage source": SourceKind(VOLTAGE_SOURCES, VoltageSource, {"word line": ("gate",)}),
}  # fmt: skip


class SourceEntry(Entry):
    """A source whose outputs are wired to terminals: one to `terminal`, or several by `channels`, as a table or a list.

    A source-measure unit reads and sweeps at the bit line, and pulses there if `serves` says so; it, or a voltage source,
    which measures nothing, is a gate at the word line. A second unit, at the source line, measures there. At a further
    terminal of the chip map, as its body, a source is at `hold` (V) while the bench is in use. `current_limit` (A) is that
    of the output at the word line, at a further terminal, or at a bit line where the second unit measures, instead of the
    one with which cells are read.
    """

    kind: Literal["source meter", "voltage source"] = "source meter"
    in_place = ("pulse", "multiply", "pulse_measured")

    address: str
    channel: int = 1
    terminal: AnyTerminal | None = None
    channels: AnyChannels = {}
    current_limit: Amperes | None = None
    hold: Annotated[float, BeforeValidator(in_unit("V")), Field(allow_inf_nan=False)] | None = None

    @classmethod
    def _known(cls, kind: str) -> tuple[Mapping[str, Model] | None, type]:
        return SOURCES[kind].models, SOURCES[kind].role

    @property
    def at(self) -> Mapping[str, tuple[Operation, ...]]:
        """Operations by the terminal at which it serves them."""
        return SOURCES[self.kind].at

    @model_validator(mode="after")
    def _channels_exist_and_are_wired(self) -> Self:
        if self.terminal is None and not self.channels:
            raise ValueError(
                'say which terminal it is wired to: terminal = "bit line", or channels = ["bit line", "word line"]'
            )
        if self.channels and (self.terminal is not None or "channel" in self.model_fields_set):
            raise ValueError("`channels` wires every output: leave `terminal` and `channel` out")
        count = self.model.channels
        for channel in self.wiring():
            if not 1 <= channel <= count:
                raise ValueError(f"{self.driver} has no channel {channel}; it has {count}")
        lines = list(self.wiring().values())
        for line in lines:
            if lines.count(line) > 1:
                raise ValueError(f"two of its channels are wired to the {line}: wire each to its own")
            if line not in self.at and (line in (*LINES, *ROLES, "vector") or self.hold is None):
                raise ValueError(
                    f"its output is wired to the {line}, where nothing of it is used: it serves the "
                    f"{' and the '.join(self.at)}; at a further terminal of the chip map, as 'body', give the voltage to "
                    "`hold` there"
                )
        if self.hold is not None and set(lines) <= set(LINES):
            raise ValueError(
                "`hold` is of a source at a further terminal of the chip map, as 'body': take it out"
            )
        return self

    @property
    def line(self) -> str:
        """The terminal of the one output of an entry that `output_at` returned."""
        return str(self.terminal)

    def wiring(self) -> dict[int, str]:
        """Return the terminal of each channel in use."""
        return self.channels or ({} if self.terminal is None else {self.channel: self.terminal})

    def output_at(self, terminal: str) -> Self | None:
        """Return the entry of the one output that is wired to `terminal`; None where none is."""
        for channel, line in self.wiring().items():
            if line == terminal:
                return self.model_copy(update={"channel": channel, "terminal": line, "channels": {}})
        return None

    @property
    def by_steps(self) -> bool:
        """Whether its class, one's own, reads and has no sweep."""
        own = self.driver not in (self._known(self.kind)[0] or {}) and "read" in self._able()
        return own and self.model.channels == 1 and bool(lacking(self.model.load_driver(), SweepingMeter))

    def served(self) -> tuple[Operation, ...]:
        """Return the operations that it serves; without a sweep of its own, it sweeps only where `serves` says so."""
        served = super().served()
        if not self.by_steps:
            return served
        driver = self.model.load_driver()
        for one in ("pulse", "pulse_measured"):
            if one in served and not hasattr(driver, one):
                raise ValueError(
                    f"`serves` names `{one}`, and {self.driver} cannot: give it {', '.join(lacking(driver, SweepingMeter))}"
                )
        return tuple(one for one in served if one != "sweep" or self.serves is not None)

    def _able(self) -> tuple[Operation, ...]:
        return tuple(one for line in self.wiring().values() for one in self.at.get(line, ()))


class PulserEntry(Entry):
    """A pulse generator, the terminal of each channel, and the edge time (10 to 90 %) of its pulses, s.

    With a channel at the bit line and none at the source line, RESET pulses are negative ones at the bit line. Behind a
    `bias_tee` it shares the bit line with a source-measure unit, and nothing has to switch between them.
    """

    kind: Literal["pulse generator"] = "pulse generator"
    models, role = PULSE_GENERATORS, PulseGenerator
    can = ("pulse", "waveform")

    address: str
    channels: Channels
    edge: Seconds = 10e-9
    bias_tee: bool = False


class DaqEntry(Entry):
    """The instruments that play vectors and read the answers.

    ``ni_daq``: channels of NI devices both ways. ``keithleydaq6510``: `outputs` of an NI device, and `inputs`
    scanned by a DAQ6510 at `address` (``"101:108,110"``), at `nplc` in the range that holds `full_scale` (V).
    ``array_board``: the board's own converters, over the board's connection. A class of one's own takes `options`.
    """

    kind: Literal["daq"] = "daq"
    models, role = DAQS, Daq
    can = ("multiply", "invert")

    address: str = ""
    outputs: str = ""
    inputs: str = ""
    rate: Positive = 100e3
    nplc: Annotated[float, Field(ge=5e-4, le=12)] = 0.1
    full_scale: Annotated[float, BeforeValidator(in_unit("V")), Field(gt=0, le=1000)] = 10.0
    products: dict[str, str] = {}

    @property
    def is_own(self) -> bool:
        """Whether its driver is a class of one's own."""
        return self.driver not in DAQS

    @model_validator(mode="after")
    def _has_what_its_driver_needs(self) -> DaqEntry:
        if self.is_own:
            for key in ("outputs", "inputs", "rate", "nplc", "full_scale", "products"):
                if key in self.model_fields_set:
                    raise ValueError(f"driver {self.driver} has no use for `{key}`: give it in `options`")
            return self
        if self.options:
            raise ValueError(f"driver {self.driver} takes no `options`: leave them out")
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


class SwitchEntry(Entry):
    """A switch matrix between the sources and the board, or the lines of a chip whose cells it selects.

    `rows` names the source at a row (``1A``: slot 1, row A). In front of a board, `columns` names the terminal at a column
    (``103``: slot 1, column 03), `paths` the crosspoints (``1A03``) to close for each use of the bench; all others are
    open. Without one, `bit_lines`, `source_lines` and `word_lines` are the columns of the chip's lines, in their order;
    `bias` says what the lines are at that are not selected: they float, or are grounded while half of each pulse is put on
    the row and minus half on the column.
    """

    kind: Literal["switch matrix"] = "switch matrix"
    models, role = SWITCH_MATRICES, SwitchMatrix

    address: str
    rows: dict[str, str]
    columns: dict[str, Terminal] = {}
    paths: dict[str, tuple[str, ...]] = {}
    bit_lines: tuple[str, ...] = ()
    source_lines: tuple[str, ...] = ()
    word_lines: tuple[str, ...] = ()
    bias: Bias = "float"

    @field_validator("bias", mode="before")
    @classmethod
    def _three_levels(cls, bias: Any) -> Any:
        if bias == "V/3":
            raise ValueError(
                "V/3 needs four levels at once, V, 2V/3, V/3 and 0 V, and two sources and ground are three: write 'V/2', "
                "or 'float'"
            )
        return bias

    @model_validator(mode="after")
    def _is_before_a_board_or_at_the_lines(self) -> Self:
        lines, board = self.bit_lines + self.source_lines + self.word_lines, {*self.columns, *self.paths}
        if lines and board:
            raise ValueError(
                "`columns` and `paths` are of a matrix in front of a board, `bit_lines` of one that selects cells: leave "
                "one or the other out"
            )
        if lines and not self.bit_lines:
            raise ValueError(
                "`bit_lines` is missing: list the columns at which the bit lines are, row by row"
            )
        if self.bias != "float" and not lines:
            raise ValueError("`bias` is of a matrix that selects cells: give `bit_lines`, or leave it out")
        if not lines and not (self.columns and self.paths):
            raise ValueError(
                "what is at its columns is missing: give `columns` and `paths` in front of a board, or `bit_lines`"
            )
        return self

    def _able(self) -> tuple[Operation, ...]:
        return ("select",) if self.bit_lines else ()

    @property
    def names(self) -> CrosspointNames:
        """How its crosspoints are named."""
        return NAMES.get(self.driver, SLOTS)

    def crosspoints(self) -> dict[str, frozenset[str]]:
        """Return the crosspoints to close, by path; a path that is not given closes none."""
        return {path: frozenset(self.paths.get(path, ())) for path in PATHS}


class ChuckEntry(Entry):
    """The temperature controller of the chuck, or stage, under the chip, and the limits within which it is used.

    `output` and `input` are those of heater and sensor, `heater_range` is 1 (low) to 3 (high). `lowest` and `highest` are
    temperatures, K; `ramp` is in K/min. The chip is at a temperature when it has stayed within `tolerance` (K) for `dwell`
    (s), for which a run waits no longer than `longest` (s).
    """

    kind: Literal["temperature controller"] = "temperature controller"
    models, role = TEMPERATURE_CONTROLLERS, TemperatureController
    can = ("temperature",)

    address: str
    output: Annotated[int, Field(ge=1)] = 1
    input: Annotated[str, Field(pattern="^[A-Z][0-9]?$")] = "A"
    heater_range: Annotated[int, Field(ge=1, le=3)] = 3
    lowest: Kelvin = 273.15
    highest: Kelvin
    ramp: Annotated[float, Field(ge=0.1, le=100)] = 10.0
    tolerance: Annotated[float, Field(gt=0, le=20)] = 0.5
    dwell: Annotated[float, SECONDS, Field(ge=0, le=1e5)] = 60.0
    longest: Annotated[float, SECONDS, Field(gt=0, le=1e6)] = 7200.0

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


class ProberEntry(Entry):
    """A prober that brings one die after the other under the probes, by a class of one's own.

    `dies` are those that it may go to; left out, any that it knows.
    """

    kind: Literal["prober"] = "prober"
    models, role = {}, Prober
    can = ("position",)

    address: str = ""
    dies: tuple[str, ...] = ()


class ScopeEntry(Entry):
    """An oscilloscope, by a class of one's own, and what each of its channels probes."""

    kind: Literal["oscilloscope"] = "oscilloscope"
    models, role = {}, Oscilloscope
    can = ("observe",)

    address: str = ""
    channels: Channels


class BoardEntry(Entry):
    """The array board that carries the chip; `watchdog` is the time (s) without a message after which it grounds itself.

    A class of one's own selects at least; which blocks it connects for a DAQ, its methods say.
    """

    kind: Literal["board"] = "board"
    models, role = BOARDS, BoardSelector
    can = ("select",)

    address: str = ""
    watchdog: Annotated[float, SECONDS, Field(ge=0.1, le=3600)] | None = None

    @property
    def is_own(self) -> bool:
        """Whether its driver is a class of one's own."""
        return self.driver not in BOARDS

    @model_validator(mode="after")
    def _has_what_its_driver_needs(self) -> Self:
        if not self.is_own and not self.address:
            raise ValueError(f"`address` is missing: driver {self.driver} needs it")
        if not self.is_own and self.options:
            raise ValueError(f"driver {self.driver} takes no `options`: leave them out")
        if self.watchdog is not None and (missing := self.lacking(BoardWatchdog)):
            raise ValueError(f"`watchdog` is given, and {self.driver} has none: give it {', '.join(missing)}")
        return self

    def lacking(self, protocol: type) -> list[str]:
        """Return what its class, where that is one's own, lacks of a Protocol."""
        return lacking(self.model.load_driver(), protocol) if self.is_own else []


OF_BOARDS: Mapping[Operation, type] = {"multiply": BoardMultiplier, "invert": BoardInverter}
"""The Protocol by which a board connects what a DAQ serves."""


OF_TESTERS: Mapping[Operation, type] = {
    "select": CellSelector, "read": CellReader, "sweep": CellSweeper, "gate": WordLine, "pulse": CellPulser,
    "program": CellProgrammer, "multiply": Multiplier, "pulse_measured": PulseMeasurer,
}  # fmt: skip
"""The Protocol of each operation that a tester may serve."""
FROM_READS: tuple[Operation, ...] = ("sweep", "multiply")
"""What is put together from single reads where the tester, or the source-measure unit, has no method of its own for it."""


class TesterEntry(Entry):
    """An instrument that addresses cells by itself and serves several operations, by a class of one's own."""

    kind: Literal["tester"] = "tester"
    models: ClassVar[Mapping[str, Model] | None] = TESTERS
    role = Instrument

    address: str = ""

    @model_validator(mode="after")
    def _does_what_it_serves(self) -> Self:
        if not self.serves:
            raise ValueError(
                'say what it does: serves = ["select", "read", …], of '
                + ", ".join(f"`{one}`" for one in OF_TESTERS)
            )
        kind = self.model.load_driver()
        for operation in self.serves:
            if operation not in OF_TESTERS:
                raise ValueError(self._unable(operation, OF_TESTERS))
            needed = OF_TESTERS[operation]
            if operation in FROM_READS and lacking(kind, needed):
                needed = CellReader
            if missing := lacking(kind, needed):
                raise ValueError(
                    f"`serves` names `{operation}`, and {self.driver} cannot: give it {', '.join(missing)}"
                )
        return self

    def _able(self) -> tuple[Operation, ...]:
        return tuple(OF_TESTERS)


AT_THE_LINES = Model("mho.instruments.drivers.ni_lines:NILines", "")  # simulated at NI-DAQmx's interpreter
Ohms = Annotated[float, BeforeValidator(in_unit("ohm")), Field(gt=0, le=1e12)]


class LinesEntry(Entry):
    """A DAQ without a board: outputs at the rows of a chip, inputs behind transimpedance amplifiers at its columns.

    `outputs` and `inputs` are NI channels of row, and column, 0, 1, …, in any order, of any devices; `gate` is the one at
    the word lines. `transimpedance` is the amplifiers' (ohm), `full_scale` where they end (V), `rate` the wanted sample
    rate (1/s), `products` the simulated ones by device. It pulses only where `serves` says so.
    """

    kind: Literal["daq at the lines"] = "daq at the lines"
    in_place = ("pulse",)
    driver: Literal["ni_daq"]
    address: Literal[""] = ""
    outputs: Annotated[str, Field(min_length=1)]
    inputs: Annotated[str, Field(min_length=1)]
    gate: str = ""
    transimpedance: Ohms
    full_scale: Annotated[float, BeforeValidator(in_unit("V")), Field(gt=0, le=10)] = 10.0
    rate: Annotated[float, BeforeValidator(in_unit("Hz")), Field(gt=0, allow_inf_nan=False)] = 20e3
    products: dict[str, str] = {}

    @property
    def model(self) -> Model:
        """The driver; its twin is NI-DAQmx itself."""
        return AT_THE_LINES

    @property
    def driven(self) -> str:
        """Channels of all outputs, the gate's last."""
        return f"{self.outputs}, {self.gate}" if self.gate else self.outputs

    @model_validator(mode="after")
    def _does_what_it_serves(self) -> Self:
        for key, channels in (("outputs", self.driven), ("inputs", self.inputs)):
            names = [name.lower().lstrip("/") for name in _channels(channels)]
            if twice := next((name for name in names if names.count(name) > 1), ""):
                raise ValueError(f"`{key}` names {twice} twice: each line has a channel of its own")
        if len(_channels(self.gate)) > 1:
            raise ValueError(f"`gate` is {self.gate!r}: give the one output at the word lines")
        if self.gate and "gate" not in self.served():
            raise ValueError(
                "`gate` names an output, and `serves` does not name `gate`: add it, or leave the output out"
            )
        return self

    def _able(self) -> tuple[Operation, ...]:
        held: tuple[Operation, ...] = ("gate",) if self.gate else ()
        return ("select", "read", "sweep", "pulse", "multiply", *held)

    def reached(self) -> tuple[str, ...]:
        """Return the terminals whose voltages its outputs put out."""
        return (
            "bit line",
            *(["vector"] if "multiply" in self.served() else []),
            *(["word line"] if self.gate else []),
        )

    def counts(self) -> tuple[int, int]:
        """Return how many rows and columns have a channel."""
        return len(_channels(self.outputs)), len(_channels(self.inputs))


def _channels(text: str) -> list[str]:
    from mho.instruments.simulated.nidaqmx.converters import channel_names  # where a DAQ has no board only

    try:
        return channel_names(text)
    except BenchError as error:
        raise ValueError(str(error)) from None


NO_READING = ("identify", "settings", "make_safe", "close")  # what the bench calls at moments of its own


class BesideEntry(Entry):
    """An instrument beside the bench, of any class that says who it is: its identity and settings are in every run.

    `readings` are attributes of the driver, or methods without arguments, and the unit of each. During a run they are read
    `every` so many seconds.
    """

    kind: Literal["beside"] = "beside"
    models, role = BESIDE, Instrument

    address: str = ""
    readings: dict[str, str] = {}
    every: Annotated[float, SECONDS, Field(ge=0.1, le=1e6, allow_inf_nan=False)] = 10.0

    @field_validator("readings", mode="before")
    @classmethod
    def _columns_of_a_table(cls, readings: Any) -> Any:
        if not isinstance(readings, dict):
            raise ValueError(
                f"it is {readings!r}; name each with its unit, {{ pressure = 'mbar', humidity = '%' }}"
            )
        for name, unit in readings.items():
            if not name.isidentifier() or name.startswith("_"):
                raise ValueError(
                    f"{name!r} names no attribute of a driver: write readings = {{ pressure = 'mbar' }}"
                )
            if name == "time" or name in NO_READING:
                raise ValueError(
                    f"`{name}` is no reading: the bench uses this name itself; give the driver another"
                )
            if not isinstance(unit, str) or not unit.isprintable() or len(unit) > LONGEST_UNIT:
                raise ValueError(
                    f"the unit of `{name}` is {unit!r}; give text of at most {LONGEST_UNIT} characters, 'mbar', or '' for "
                    "a pure number"
                )
        return readings

    @model_validator(mode="after")
    def _driver_has_its_readings(self) -> Self:
        if "every" in self.model_fields_set and not self.readings:
            raise ValueError("`every` is given, and nothing to read: name some `readings`, or leave it out")
        kind = self.model.load_driver()
        if missing := [f"`{name}`" for name in self.readings if not can_be_asked(kind, name)]:
            raise ValueError(
                f"`readings` names {', '.join(missing)}, and {self.driver} has no such attribute, nor a method of that "
                "name that takes no arguments"
            )
        return self


KINDS: tuple[type[Entry], ...] = (
    SourceEntry, PulserEntry, BoardEntry, DaqEntry, SwitchEntry, ChuckEntry, TesterEntry,
    LinesEntry, ProberEntry, ScopeEntry, BesideEntry,
)  # fmt: skip


def kinds_of(entry: type[Entry]) -> tuple[str, ...]:
    """Return the names of the kinds that an entry may have."""
    return get_args(entry.model_fields["kind"].annotation)


# What is meant by a name that says it, and by an operation, where the driver is one's own
BY_NAME = {
    "smu": "source meter", "gate": "source meter", "pulser": "pulse generator", "daq": "daq", "board": "board",
    "switch": "switch matrix", "chuck": "temperature controller",
}  # fmt: skip
BY_OPERATION: Mapping[str, str] = {
    "read": "source meter", "sweep": "source meter", "gate": "voltage source", "pulse": "pulse generator",
    "waveform": "pulse generator", "temperature": "temperature controller", "pulse_measured": "source meter",
    "position": "prober", "observe": "oscilloscope",
}  # fmt: skip
WIRED = frozenset((
    "terminal", "channel", "channels", "rows", "columns", "paths", "bit_lines", "highest", "outputs", "inputs",
))  # fmt: skip
"""Keys that say where an instrument is wired to: with one of them it is no instrument beside the bench."""


def _kind_of(name: str, written: Mapping[str, Any]) -> str | None:
    """Return the kind of an instrument as a bench file writes it; None where nothing says it."""
    driver, serves = written.get("driver"), written.get("serves")
    if driver == "ni_daq" and "transimpedance" in written and written.get("kind", "daq") == "daq":
        return kinds_of(LinesEntry)[0]
    if "kind" in written:
        return str(written["kind"])
    if serves == [] and isinstance(driver, str) and driver in BESIDE and not WIRED.intersection(written):
        return "beside"
    if name == "daq":  # whose driver may be the board's
        return "daq"
    for kind in KINDS:
        for name_of_kind in kinds_of(kind) if kind is not BesideEntry else ():
            if isinstance(driver, str) and driver in (kind._known(name_of_kind)[0] or {}):
                return name_of_kind
    if name in BY_NAME:
        return BY_NAME[name]
    if isinstance(serves, list):
        if {"select", "multiply", "program"}.intersection(one for one in serves if isinstance(one, str)):
            return "tester"
        return next(
            (BY_OPERATION[one] for one in serves if one in BY_OPERATION), None if serves else "beside"
        )
    return _kind_of_class(driver) if isinstance(driver, str) else None


def _kind_of_class(driver: str) -> str | None:
    """Return the kind of which a class of one's own has every method; None where it is of none, or cannot be loaded."""
    try:
        kind = load_class(own_driver(driver))
    except ValueError:  # the reason is told where the driver is checked
        return "beside" if ":" in driver or is_offered(driver) else None
    complete = (
        name for entry in KINDS for name in kinds_of(entry)
        if (role := entry._known(name)[1]) is not Instrument and not lacking(kind, role)
    )  # fmt: skip
    return next(complete, None)


def _tag(entry: Any) -> str | None:
    kind = entry.get("kind") if isinstance(entry, dict) else getattr(entry, "kind", None)
    return None if kind is None else f"[{kind}]"


AnyEntry = Annotated[
    Annotated[SourceEntry, Tag("[source meter]")]
    | Annotated[SourceEntry, Tag("[voltage source]")]
    | Annotated[PulserEntry, Tag("[pulse generator]")]
    | Annotated[DaqEntry, Tag("[daq]")]
    | Annotated[SwitchEntry, Tag("[switch matrix]")]
    | Annotated[ChuckEntry, Tag("[temperature controller]")]
    | Annotated[BoardEntry, Tag("[board]")]
    | Annotated[TesterEntry, Tag("[tester]")]
    | Annotated[LinesEntry, Tag("[daq at the lines]")]
    | Annotated[ProberEntry, Tag("[prober]")]
    | Annotated[ScopeEntry, Tag("[oscilloscope]")]
    | Annotated[BesideEntry, Tag("[beside]")],
    Discriminator(
        _tag,
        custom_error_type="kind_not_said",
        custom_error_message="what this instrument is, is not said: give `driver` one of mho's, `serves` what it does, "
        "or `kind` one of " + ", ".join(f"'{name}'" for kind in KINDS for name in kinds_of(kind)),
    ),
]


class Instruments(RootModel[dict[str, AnyEntry]]):
    """The instruments of a bench by their names in the file, and which of them serves what.

    Each operation is served by one of them; `multiply` and `invert` by a DAQ and a board together. What each attribute
    gives is the entry of the output that serves an operation, or None:

    - `smu`: `read` and `sweep`; `gate`; `pulser`: `pulse`; `daq`: `multiply`, `invert`; `chuck`: `temperature`;
    - `tester`: whatever it serves, in place of the others;
    - `board` selects cells and connects blocks; `switch` is between the sources and the chip;
    - `sink`: the second source-measure unit, at the source line; `contacts`: sources at further terminals.
    """

    model_config = ConfigDict(frozen=True)
    _seats: dict[str, tuple[str, Any]] = PrivateAttr(default_factory=dict)
    _served: dict[Operation, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _kinds_are_known(cls, named: Any) -> Any:
        if not isinstance(named, dict):
            return named
        return {
            name: {**one, "kind": _kind_of(name, one)} if isinstance(one, dict) else one
            for name, one in named.items()
        }

    @model_validator(mode="after")
    def _a_line_has_one_source(self) -> Self:
        every = [
            line
            for one in self.root.values()
            if isinstance(one, SourceEntry)
            for line in one.wiring().values()
        ]
        for line in dict.fromkeys(every):
            wired = [
                name for name, entry in self.root.items()
                if isinstance(entry, SourceEntry) and line in entry.wiring().values()
            ]  # fmt: skip
            if len(wired) > 1:
                raise ValueError(
                    f"`{wired[0]}` and `{wired[1]}` are both wired to the {line}: the one that reads has to be wired "
                    "to the bit line, and the gate to the word line"
                )
            if isinstance(self.root.get(line), BesideEntry):
                raise ValueError(
                    f"`{line}` is an instrument beside the bench, and the terminal of `{wired[0]}`: rename the instrument"
                )
            for name in wired[:1] if line not in ("bit line", "word line") else ():
                entry = self.root[name]
                assert isinstance(entry, SourceEntry)
                self._seats["sink" if line == "source line" else line] = name, entry.output_at(line)
        return self

    @model_validator(mode="after")
    def _served_once(self) -> Self:
        for name, entry in self.root.items():
            if isinstance(entry, SwitchEntry):
                self._seat("switch", name, entry, "is the switch matrix")
            if isinstance(entry, BoardEntry):
                self._seat("board", name, entry, "is the array board")
            if isinstance(entry, TesterEntry | LinesEntry):
                self._seat("tester", name, entry, "is a tester")
            served = entry.served()
            if isinstance(entry, DaqEntry):
                served = self._as_the_board_connects(name, entry, served)
            self._nothing_is_left_out(name, entry, served)
            for operation in served:
                self._serve(operation, name, entry)
        if "daq" in self._seats and self.board is None:
            name = self.name_of("daq")
            raise ValueError(
                f"`{name}` plays vectors, and no array board connects the chip to it: describe the board, or give the "
                f"`transimpedance` of the amplifiers if its lines are wired straight to the chip, or take `{name}` out"
            )
        return self

    def _as_the_board_connects(
        self, name: str, daq: DaqEntry, served: tuple[Operation, ...]
    ) -> tuple[Operation, ...]:
        """Return what a DAQ serves at a board of one's own, which need not connect all; `ValueError` for what it cannot."""
        board = next((one for one in self.root.values() if isinstance(one, BoardEntry)), None)
        if board is None or not board.is_own:
            return served
        if daq.driver == "array_board" and not can_be_asked(board.model.load_driver(), "converters"):
            raise ValueError(
                f"`{name}` is the converters of the board, and {board.driver} has none: give it the property "
                "`converters`, a Daq, or describe the DAQ"
            )
        able = tuple(one for one in served if not board.lacking(OF_BOARDS[one]))
        for one in daq.serves or (() if able else served):
            if missing := board.lacking(OF_BOARDS[one]):
                raise ValueError(
                    f"`{name}` serves `{one}`, and {board.driver} connects nothing for it: give it {', '.join(missing)}"
                )
        return able

    @staticmethod
    def _nothing_is_left_out(name: str, entry: Entry, served: tuple[Operation, ...]) -> None:
        """Raise `ValueError` for an output that serves nothing: it would be wired, and never opened or made safe."""
        if isinstance(entry, SourceEntry):
            for line in entry.wiring().values():
                if entry.at.get(line) and not set(served) & set(entry.at[line]):
                    raise ValueError(
                        f"`{name}` is wired to the {line} and serves nothing there, so that nothing would make it safe: "
                        f"name one of {', '.join(f'`{one}`' for one in entry.at[line])} in `serves`, or leave it out"
                    )
        elif not served and not isinstance(entry, SwitchEntry | BoardEntry | BesideEntry):
            raise ValueError(
                f"`{name}` serves nothing, so that nothing would open it or make it safe: name an operation, or take it out"
            )

    def _serve(self, operation: Operation, name: str, entry: Any) -> None:
        other = self._served.setdefault(operation, name)
        if other != name:
            raise ValueError(
                f"`{other}` and `{name}` both serve `{operation}`: take it out of `serves` of one of them"
            )
        if isinstance(entry, TesterEntry | LinesEntry):
            return
        match operation:
            case "gate":
                self._seats["gate"] = name, entry.output_at("word line")
            case _ if isinstance(entry, SourceEntry):
                self._seats["smu"] = name, entry.output_at("bit line")
            case "pulse" | "waveform" if isinstance(entry, PulserEntry):
                self._seats["pulser"] = name, entry
            case "multiply" | "invert" if isinstance(entry, DaqEntry):
                self._seats["daq"] = name, entry
            case "temperature":
                self._seats["chuck"] = name, entry
            case "position":
                self._seats["prober"] = name, entry
            case "observe":
                self._seats["scope"] = name, entry

    def _seat(self, seat: str, name: str, entry: Any, what: str) -> None:
        other, _ = self._seats.setdefault(seat, (name, entry))
        if other != name:
            raise ValueError(f"`{other}` {what}, and so is `{name}`: a bench has one")

    @model_validator(mode="after")
    def _wired_as_the_bench_drives_them(self) -> Self:
        if self.pulser is not None:
            self._pulser_has_its_lines(self.pulser)
        if self.sink is not None:
            self._source_line_is_free()
        if self.switch is not None and self.board is None:
            self._matrix_selects()
        elif self.switch is not None:
            check_paths(
                self.switch.rows, self.switch.columns, self.switch.paths, self.sources(), self.switch.names
            )
        return self

    def _matrix_selects(self) -> None:
        name, wiring = self.name_of("switch"), self.cell_wiring
        if wiring is None:
            raise ValueError(
                f"`{name}` is a switch matrix, and there is no array board behind it: describe the board, or list the "
                "columns at which the bit lines of the chip are, `bit_lines`"
            )
        if self.tester is not None:
            raise ValueError(
                f"`{name}` selects cells by relays, which open and close for sources only, and `{self.name_of('tester')}` "
                "is a tester: take one out"
            )
        if self.pulser is not None and self.pulser.bias_tee:
            raise ValueError(
                f"`{self.name_of('pulser')}` has a bias tee, and `{name}` switches: give the generator a row of its own, "
                "and leave `bias_tee` out"
            )
        wiring.check()
        if wiring.bias != "float" and self.sink is None:
            raise ValueError(
                f'`bias` of `{name}` is "{wiring.bias}", and no source is at the source line for the other half of a '
                'pulse: wire a second source-measure unit there, terminal = "source line", or leave `bias` out'
            )
        if wiring.bias != "float" and self.pulser is not None:
            raise ValueError(
                f"`bias` of `{name}` is for pulses by the two source-measure units, and `{self.name_of('pulser')}` pulses: "
                "take one out"
            )

    def _source_line_is_free(self) -> None:
        """Raise `ValueError` unless the second source-measure unit has the source line for itself, and a way to it."""
        name = self.name_of("sink")
        if self.drives_source_line:
            raise ValueError(
                f"`{name}` and `{self.name_of('pulser')}` are both wired to the source line: wire one of them there"
            )
        if self.cell_wiring is None:
            raise ValueError(
                f"`{name}` is at the source line, and no switch matrix brings it to one: give the matrix `source_lines` "
                f"and a row for it, or take `{name}` out"
            )
        if self.smu is None:
            raise ValueError(
                f"`{name}` is at the source line, and no source-measure unit at the bit line reads with it: describe one"
            )

    def _pulser_has_its_lines(self, pulser: PulserEntry) -> None:
        name, wired = self._seats["pulser"][0], sorted(pulser.channels.values())
        if wired not in (["bit line", "source line"], ["bit line"]):
            raise ValueError(
                f"`{name}.channels` must be wired to the bit line and the source line, one each, or to the bit line alone"
            )
        if self.smu is not None and self.board is None and self.switch is None and not pulser.bias_tee:
            raise ValueError(
                f"the bit line is wired to two sources, `{self.name_of('smu')}` and `{name}`, and nothing switches between "
                f"them: describe the board or switch matrix, or give `{name}` bias_tee = true if they join in one"
            )

    @model_validator(mode="after")
    def _readings_can_name_a_table(self) -> Self:
        for name, entry in self.beside.items():
            if entry.readings and not name.isidentifier():
                raise ValueError(
                    f"`{name}` has readings, and their table in the run file is named after it: take letters, digits and _"
                )
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        used: dict[str, str] = {}
        for name, entry in self.root.items():
            address = canonical_address(getattr(entry, "address", ""))
            if not getattr(entry, "address", ""):
                continue
            if address in used:
                self._two_channels(used[address], name)
            used.setdefault(address, name)
        return self

    def _two_channels(self, name: str, other: str) -> None:
        """Raise `ValueError` unless two entries of one address are different channels of one source."""
        one, two = self.root[name], self.root[other]
        both = f"`{name}` and `{other}`"
        address = getattr(one, "address", "")
        if not (isinstance(one, SourceEntry) and isinstance(two, SourceEntry)):
            raise ValueError(f"two instruments share the address {canonical_address(address)}: {both}")
        if address != two.address:
            raise ValueError(f"{both} name one instrument as {address} and {two.address}: write it alike")
        if set(one.wiring()) & set(two.wiring()):
            raise ValueError(f"{both} share the address {address}: give each its own `channel`")
        if one.driver != two.driver:
            raise ValueError(f"{both} name different drivers for one address")
        for key in ("reconnect", "options"):
            if getattr(one, key) != getattr(two, key):
                raise ValueError(f"{both} share an address: give both the same `{key}`")

    @property
    def smu(self) -> SourceEntry | None:
        """The output that reads and sweeps."""
        found: SourceEntry | None = self._entry("smu")
        return found

    @property
    def gate(self) -> SourceEntry | None:
        """The output at the word line."""
        found: SourceEntry | None = self._entry("gate")
        return found

    @property
    def sink(self) -> SourceEntry | None:
        """The source-measure unit at the source line."""
        found: SourceEntry | None = self._entry("sink")
        return found

    @property
    def contacts(self) -> dict[str, SourceEntry]:
        """Sources at further terminals of the chip map, by terminal."""
        return {seat: entry for seat, (_, entry) in self._seats.items() if seat not in ROLES}

    @property
    def pulser(self) -> PulserEntry | None:
        """The pulse generator."""
        found: PulserEntry | None = self._entry("pulser")
        return found

    @property
    def daq(self) -> DaqEntry | None:
        """What plays vectors and reads the answers."""
        found: DaqEntry | None = self._entry("daq")
        return found

    @property
    def board(self) -> BoardEntry | None:
        """The array board."""
        found: BoardEntry | None = self._entry("board")
        return found

    @property
    def switch(self) -> SwitchEntry | None:
        """The switch matrix."""
        found: SwitchEntry | None = self._entry("switch")
        return found

    @property
    def cell_wiring(self) -> CellWiring | None:
        """What a switch matrix that selects cells connects; None where it does not."""
        switch = self.switch
        if switch is None or "select" not in switch.served():
            return None
        return CellWiring(
            switch.rows,
            switch.bit_lines,
            switch.source_lines,
            switch.word_lines,
            self.sources(),
            switch.names,
            switch.bias,
        )

    @property
    def chuck(self) -> ChuckEntry | None:
        """The temperature controller."""
        found: ChuckEntry | None = self._entry("chuck")
        return found

    @property
    def prober(self) -> ProberEntry | None:
        """The prober."""
        found: ProberEntry | None = self._entry("prober")
        return found

    @property
    def scope(self) -> ScopeEntry | None:
        """The oscilloscope."""
        found: ScopeEntry | None = self._entry("scope")
        return found

    @property
    def tester(self) -> TesterEntry | LinesEntry | None:
        """What addresses cells by itself and serves several operations."""
        found: TesterEntry | LinesEntry | None = self._entry("tester")
        return found

    @property
    def lines(self) -> LinesEntry | None:
        """The tester, where it is a DAQ wired straight to the chip."""
        return self.tester if isinstance(self.tester, LinesEntry) else None

    def serves(self, operation: Operation) -> bool:
        """Return whether something on the bench serves an operation."""
        return operation in self._served

    def by_tester(self, operation: Operation) -> bool:
        """Return whether the tester serves an operation."""
        return self.tester is not None and self._served.get(operation) == self.name_of("tester")

    def _entry(self, seat: str) -> Any:
        return self._seats.get(seat, ("", None))[1]

    def entry(self, role: str) -> Any:
        """Return the entry of what fills `smu`, `gate`, ..., or of the instrument beside the bench of that name."""
        return self._entry(role) or self.root.get(role)

    def by_role(self) -> dict[str, Any]:
        """Return the entry of what fills each of `smu`, `gate`, ..., then those beside the bench by their names."""
        filled = {role: self._entry(role) for role in ROLES if self._entry(role) is not None}
        return filled | self.contacts | self.beside

    @property
    def beside(self) -> dict[str, BesideEntry]:
        """Instruments beside the bench, by name."""
        return {name: entry for name, entry in self.root.items() if isinstance(entry, BesideEntry)}

    def name_of(self, seat: str) -> str:
        """Return the name in the file of what fills `smu`, `gate`, ...; the attribute's own where nothing does."""
        return self._seats.get(seat, (seat, None))[0]

    def title(self, role: str) -> str:
        """Return what a reader is told of `smu`, `gate`, ...: the name in the file, with the role where that is another."""
        name = self.name_of(role)
        return role if name == role else f"{name} ({role})"

    def unguarded(self) -> tuple[str, ...]:
        """Return the names of what holds its last level when the computer dies: no board's watchdog grounds the lines."""
        if self.board is not None and self.board.watchdog is not None:
            return ()
        holding = [seat for seat in ("smu", "gate", "daq", "tester") if self._entry(seat) is not None]
        return tuple(dict.fromkeys(map(self.name_of, holding)))

    @property
    def pulses_by_meter(self) -> bool:
        """Whether the source-measure unit applies the pulses, as its `serves` allows."""
        return self.serves("pulse") and self.pulser is None and not self.by_tester("pulse")

    @property
    def board_converts(self) -> bool:
        """Whether vectors are played and read by the board's own converters."""
        return self.daq is not None and self.daq.driver == "array_board"

    @property
    def one_device(self) -> bool:
        """Whether nothing selects: the chip is one device under probes."""
        return self.board is None and self.switch is None and not self.serves("select")

    @property
    def drives_source_line(self) -> bool:
        """Whether a source is at the source line."""
        return self.pulser is not None and "source line" in self.pulser.channels.values()

    def changed(self, name: str, entry: Any) -> Instruments:
        """Return these instruments with another entry for the one called `name`."""
        return Instruments({**self.root, name: entry})

    def operations(self) -> dict[Operation, str]:
        """Return which instruments serve each operation that the bench offers, in words."""
        served: dict[Operation, str] = {one: self._served[one] for one in OPERATIONS if one in self._served}
        if self.one_device:
            served = {"select": "nobody, there is one device", **served}
        for one in ("multiply", "invert"):
            if one in served and self.daq is not None:
                served[one] = f"{served[one]} and {self.name_of('board')}"
        for one, how in self.composed().items():
            served[one] += f" ({how})"
        return served

    def composed(self) -> dict[Operation, str]:
        """Return the operations that are put together from others, as the file allows, and from which."""
        composed: dict[Operation, str] = {}
        if self.pulses_by_meter:
            halves = self.switch is not None and self.switch.bias == "V/2"
            composed["pulse"] = (
                "V/2 by two source-measure units" if halves else "pulses by a source-measure unit"
            )
        if self.serves("sweep") and not self._has_method("sweep"):
            composed["sweep"] = "by single reads"
        if self.serves("pulse_measured") and not self._has_method("pulse_measured"):
            composed["pulse_measured"] = "by a list sweep at one level"
        if self.serves("multiply") and not self._has_method("multiply"):
            composed["multiply"] = "cell by cell, from reads"
        return composed

    def _has_method(self, operation: Operation) -> bool:
        if self.by_tester(operation) and self.tester is not None:
            return not lacking(self.tester.model.load_driver(), OF_TESTERS[operation])
        if operation == "sweep":
            return self.sink is None and not (self.smu is not None and self.smu.by_steps)
        if operation == "pulse_measured":
            smu = self.smu if self.smu is not None and ":" in self.smu.driver else None
            return smu is not None and not lacking(smu.model.load_driver(), PulseMeasurer)
        return operation != "multiply" or self.daq is not None

    def sources(self) -> dict[str, str]:
        """Return the terminal of every source that is wired to the chip's lines."""
        lines: dict[str, str] = {}
        for seat, source in (("smu", self.smu), ("gate", self.gate), ("sink", self.sink)):
            if source is not None and source.terminal is not None:
                lines[seat] = source.terminal
        if self.pulser is not None:
            lines |= {f"pulser {channel}": line for channel, line in self.pulser.channels.items()}
        return lines

    def addresses(self) -> list[str]:
        """VISA addresses in use."""
        used = [
            entry.address for entry in self.root.values() if getattr(entry, "address", "") and entry.driver != NI_OUTPUT
        ]  # fmt: skip
        return list(dict.fromkeys(used))

    def daqmx_lists(self) -> list[str]:
        """Lists of NI-DAQmx channels in use."""
        single = [
            entry.address for entry in self.root.values()
            if isinstance(entry, SourceEntry) and entry.driver == NI_OUTPUT
        ]  # fmt: skip
        if (lines := self.lines) is not None:
            return [lines.driven, lines.inputs, *single]
        return single if self.daq is None else [*self.daq.daqmx_lists(), *single]

    def buses(self) -> dict[str, str]:
        """The name, by role, under which an instrument's traffic is counted: its address, or an NI DAQ's outputs."""
        named: dict[str, str] = {}
        seats = (*ROLES, "daq inputs")
        for seat in seats:
            entry = self._entry(seat.partition(" ")[0])
            outputs = getattr(entry, "outputs", "") if seat in ("daq", "tester") else ""
            named[seat] = outputs or getattr(entry, "address", "")
        named |= {line: entry.address for line, entry in self.contacts.items()}
        named |= {name: entry.address for name, entry in self.beside.items()}
        return {role: name for role, name in named.items() if name}
