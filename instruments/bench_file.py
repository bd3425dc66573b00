"""The bench description: which instruments, at which addresses, wired to which terminals, within which limits."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from instruments.bench_entries import Instruments, Positive
from instruments.limits import Limits, TerminalLimits
from instruments.models import modules_beside
from mho_errors import BenchError
from mho_toml import StrictModel, parse_toml

LimitedTerminal = Literal["bit line", "source line", "word line", "vector"]


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
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.03


class LimitEntry(StrictModel):
    """Limits of one terminal; `insist` says that one which can hardly be meant is (`instruments.plausibility`)."""

    voltage: Positive
    current: Positive | None = None
    pulse_width: Positive | None = None
    slew: Positive | None = None
    insist: bool = False


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
                name: TerminalLimits(**entry.model_dump(exclude_none=True, exclude={"insist"}))
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
    with modules_beside(folder):  # a driver of the user's own lies there
        bench = parse_toml(text, BenchFile, f"bench file {name}", BenchError)
    chip_text, _ = _read(bench.chip, "chip map", _packaged("chip_maps", "maps"), folder)
    return BenchSource(bench=bench, text=text, chip_text=chip_text)
