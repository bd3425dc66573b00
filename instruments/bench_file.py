"""The bench description: which instruments, at which addresses, wired to which terminals, within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from instruments.limits import Limits, TerminalLimits
from instruments.models import PULSE_GENERATORS, SOURCE_METERS, Model
from mho_errors import BenchError
from mho_toml import StrictModel, parse_toml

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Terminal = Literal["bit line", "source line", "word line"]
LimitedTerminal = Literal["bit line", "source line", "word line", "vector"]


def _known(models: Mapping[str, Model], name: str) -> str:
    if name not in models:
        raise ValueError(f"no such driver here; there are {', '.join(models)}")
    return name


class Reconnect(StrictModel):
    """How often a lost connection is opened anew, and how long is waited before each try (s)."""

    tries: Annotated[int, Field(ge=1, le=100)]
    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.5


class Entry(StrictModel):
    """What every instrument may be given; without `reconnect` a lost connection ends the run."""

    reconnect: Reconnect | None = None


class SourceMeterEntry(Entry):
    """A source-measure unit and the terminal its output is wired to."""

    driver: Annotated[str, AfterValidator(partial(_known, SOURCE_METERS))]
    address: str
    channel: int = 1
    terminal: Terminal

    @model_validator(mode="after")
    def _channel_exists(self) -> SourceMeterEntry:
        count = SOURCE_METERS[self.driver].channels
        if not 1 <= self.channel <= count:
            raise ValueError(f"{self.driver} has no channel {self.channel}; it has {count}")
        return self


class PulserEntry(Entry):
    """A pulse generator and the terminal of each channel."""

    driver: Annotated[str, AfterValidator(partial(_known, PULSE_GENERATORS))]
    address: str
    channels: dict[int, Terminal]


class DaqEntry(Entry):
    """A data acquisition device: analogue outputs feed vectors in, inputs read vectors out."""

    driver: Literal["ni_daq"]
    outputs: str
    inputs: str
    rate: Positive = 100e3
    products: dict[str, str] = {}


class BoardEntry(Entry):
    """The array board that carries the chip."""

    driver: Literal["array_board"]
    address: str


class Instruments(StrictModel):
    """One instrument per role."""

    smu: SourceMeterEntry
    gate: SourceMeterEntry
    pulser: PulserEntry
    daq: DaqEntry
    board: BoardEntry

    @model_validator(mode="after")
    def _wired_as_the_bench_drives_them(self) -> Instruments:
        if (self.smu.terminal, self.gate.terminal) != ("bit line", "word line"):
            raise ValueError("`smu` must be wired to the bit line and `gate` to the word line")
        if sorted(self.pulser.channels.values()) != ["bit line", "source line"]:
            raise ValueError("`pulser.channels` must be wired to the bit line and the source line, one each")
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Instruments:
        used = self.addresses()
        if self.smu.address == self.gate.address:
            if self.smu.channel == self.gate.channel:
                raise ValueError(
                    f"`smu` and `gate` share the address {self.smu.address}: give each its own `channel`"
                )
            if self.smu.driver != self.gate.driver:
                raise ValueError("`smu` and `gate` name different drivers for one address")
            if self.smu.reconnect != self.gate.reconnect:
                raise ValueError("`smu` and `gate` share an address: give both the same `reconnect`")
            used.remove(self.gate.address)  # two channels of one instrument
        for address in used:
            if used.count(address) > 1:
                raise ValueError(f"two instruments share the address {address}")
        return self

    def addresses(self) -> list[str]:
        """VISA addresses in use."""
        return [self.smu.address, self.gate.address, self.pulser.address, self.board.address]


class ReadSettings(StrictModel):
    """How a cell is read: volts on the bit line, volts on the word line, NPLC, current limit and range (A)."""

    voltage: Positive = 0.2
    gate: Positive = 2.5
    nplc: Positive = 0.01
    current_limit: Positive = 1e-4
    current_range: Positive = 1e-4


class CheckSettings(StrictModel):
    """The known resistor for `mho bench check`: ohm, the cell in whose place it is, and its tolerance.

    Without `cell` it lies across the terminals of the source-measure unit, and no switch moves.
    """

    resistor: Annotated[float, Field(ge=20e3, le=100e6)]  # below, 100 mV drive more than a cell should carry
    cell: tuple[str, Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.1


class LimitEntry(StrictModel):
    """Limits of one terminal."""

    voltage: Positive
    current: Positive | None = None
    pulse_width: Positive | None = None


class Simulation(StrictModel):
    """What stands behind a simulated bench: the cells' preset and the amplifiers'."""

    preset: str = "pku"
    amplifier: str = "AD823"
    inverse_bits: Annotated[int, Field(ge=1, le=16)] | None = None
    seed: int = 0


class BenchFile(StrictModel):
    """A whole bench as its TOML file describes it."""

    name: str
    description: str = ""
    chip: str
    visa: str = ""
    simulation: Simulation | None = None
    instruments: Instruments
    read: ReadSettings = ReadSettings()
    check: CheckSettings | None = None
    limits: dict[LimitedTerminal, LimitEntry]

    def terminal_limits(self) -> Limits:
        """Return the limits to check against."""
        return Limits(
            {
                name: TerminalLimits(**entry.model_dump(exclude_none=True))
                for name, entry in self.limits.items()
            }
        )


class BenchSource(StrictModel):
    """A bench file with the texts it came from, as run files keep them."""

    bench: BenchFile
    text: str
    chip_text: str


def _packaged(package: str, folder: str) -> dict[str, str]:
    entries = (resources.files(package) / folder).iterdir()
    return {Path(f.name).stem: f.read_text("utf-8") for f in entries if f.name.endswith(".toml")}


def _read(name: str, what: str, packaged: dict[str, str], folder: Path) -> tuple[str, Path]:
    if name in packaged:
        return packaged[name], folder
    path = folder / name
    try:
        return path.read_text("utf-8"), path.parent
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise BenchError(
            f"cannot read {what} {name!r} ({reason}); name a TOML file or one of: {', '.join(sorted(packaged))}"
        ) from None


def load_bench_file(name: str) -> BenchSource:
    """Read and check a bench file by packaged name or path, and fetch the chip map it names.

    Raises
    ------
    BenchError
        Naming the file, the key, the line and what is wrong.
    """
    text, folder = _read(name, "bench", _packaged("instruments", "benches"), Path())
    bench = parse_toml(text, BenchFile, f"bench file {name}", BenchError)
    chip_text, _ = _read(bench.chip, "chip map", _packaged("chip_maps", "maps"), folder)
    return BenchSource(bench=bench, text=text, chip_text=chip_text)
