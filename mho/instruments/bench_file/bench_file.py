"""The bench description: which instruments, at which addresses, wired to which terminals, within which limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from mho.errors import BenchError, MhoError
from mho.input_files import read_text
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.entries import (
    LINES,
    Amperes,
    Instruments,
    LinesEntry,
    Positive,
    Seconds,
    SourceEntry,
    Volts,
)
from mho.instruments.bench_file.operations import OPERATIONS, SELDOM, WITHOUT, Operation
from mho.instruments.bench_file.switch_paths import CellWiring
from mho.instruments.limits import Limits, TerminalLimits
from mho.own_code import modules_beside, names_file
from mho.toml import StrictModel, in_unit, load_toml, parse_toml

CLAMPED = 0.39  # V: an INV output beyond this is in its clamp of +-0.4 V
Capacitance = Annotated[float, Field(ge=0.0, le=1e-9)]  # F; beyond, picofarads were meant


def _limited(line: str, info: ValidationInfo) -> str:
    """Return the name of a terminal of this bench; raises `ValueError`."""
    instruments = info.data.get("instruments")
    there = [*LINES, "vector", *(() if instruments is None else instruments.contacts)]
    if line not in there:
        raise ValueError(
            f"Input should be {', '.join(map(repr, there))}: nothing is wired to another terminal"
        )
    return line


LimitedTerminal = Annotated[str, AfterValidator(_limited)]  # a line, or a further terminal of the chip map


class ReadSettings(StrictModel):
    """How a cell is read: volts on the bit line, volts on the word line, NPLC, current limit and range (A)."""

    voltage: Volts = 0.2
    gate: Volts = 2.5
    nplc: Positive = 0.01
    current_limit: Amperes = 1e-4
    current_range: Amperes = 1e-4


class CheckSettings(StrictModel):
    """The known resistor for `mho bench check`: ohm, the cell in whose place it is, and its tolerance.

    Without `cell` it lies across the terminals of the source-measure unit, and no switch moves.
    """

    # For less, 100 mV drive too much current
    resistor: Annotated[float, BeforeValidator(in_unit("ohm")), Field(ge=20e3, le=100e6)]
    cell: tuple[str, Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.03


class LimitEntry(StrictModel):
    """Limits of one terminal; `insist` confirms an implausible one (see `plausibility`)."""

    voltage: Volts
    current: Amperes | None = None
    pulse_width: Seconds | None = None
    slew: Annotated[float, BeforeValidator(in_unit("V/s")), Field(gt=0, allow_inf_nan=False)] | None = None
    insist: bool = False


class Simulation(StrictModel):
    """The simulated chip and board of a bench: the cells' preset and the amplifiers'.

    Without `instruments` no instrument is simulated, and the chip is evaluated a whole array at a time. `stuck` is the
    share of cells that no pulse changes, instead of the preset's; the chip map does not list them. `row_capacitance` and
    `feedback_capacitance` (F) of the INV loop replace those with which the amplifier comes. `converters` is the number of
    outputs, and of inputs, of the board's own converters. Those at the INV outputs have `inverse_bits`; without them the
    DAQ's convert. Their `inverse_codes` lie on either side of 0 V (``mid-rise``) or have one there (``mid-tread``); widths
    of codes deviate by `inverse_dnl` (standard deviation, in codes), the curve is bent by `inverse_inl` codes at most, and
    a sample has noise of `inverse_noise` (V). `slice_ratio` is that of the board's dividers in front of a
    second slice of an INV loop; 0 for a board without. `readout_noise` (A) is the standard deviation of further white
    noise of every current that is read: of a cell by the source-measure unit, of a column by its amplifier and converter.
    `circuit` names elements of a user's own in the circuits, as `circuit_elements` takes them.
    `nonlinearity` is the share of the cells' I-V law that counts, 0 to 1, instead of the preset's. `amplifier_corner`,
    `amplifier_temperature` (K) and `amplifier_supply` (V of either sign) say under what conditions all amplifiers work;
    `amplifier_current` (A) is the largest that their outputs give, instead of the data sheet's.
    """

    instruments: bool = True

    preset: str = "pku"
    nonlinearity: Annotated[float, Field(ge=0, le=1)] | None = None
    circuit: str = ""
    amplifier: str = "AD823"
    amplifier_corner: Literal["slow", "typical", "fast"] = "typical"
    amplifier_temperature: Annotated[float, Field(ge=233.15, le=358.15)] = 298.15
    amplifier_supply: Annotated[float, Field(gt=0, le=50)] = 5.0
    amplifier_current: Annotated[float, Field(gt=0, le=10)] | None = None
    row_capacitance: Capacitance | None = None
    feedback_capacitance: Capacitance | None = None
    inverse_bits: Annotated[int, Field(ge=1, le=16)] | None = None
    inverse_codes: Literal["mid-rise", "mid-tread"] = "mid-rise"
    inverse_dnl: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    inverse_inl: Annotated[float, Field(ge=0, le=64, allow_inf_nan=False)] = 0.0
    inverse_noise: Annotated[float, Field(ge=0, le=0.1, allow_inf_nan=False)] = 0.0
    converters: Annotated[int, Field(ge=1, le=4096)] = 32
    slice_ratio: Annotated[float, Field(ge=0, le=1024)] = 16.0
    stuck: Annotated[float, Field(ge=0, le=1)] | None = None
    readout_noise: Annotated[float, Field(ge=0, le=1e-3, allow_inf_nan=False)] = 0.0
    seed: int = 0

    @field_validator("slice_ratio")
    @classmethod
    def _dividers_divide(cls, ratio: float) -> float:
        if 0.0 < ratio <= 1.0:
            raise ValueError(
                f"dividers of ratio {ratio:g} divide nothing: give a ratio above 1, or 0 for none"
            )
        return ratio

    @model_validator(mode="after")
    def _converters_at_inv_are_there(self) -> Self:
        given = sorted(
            name for name in ("codes", "dnl", "inl", "noise") if f"inverse_{name}" in self.model_fields_set
        )
        if given and self.inverse_bits is None:
            raise ValueError(
                f"`inverse_{given[0]}` is of the board's own converters at the INV outputs: give `inverse_bits`, or take "
                "it out"
            )
        if self.inverse_bits == 1:
            raise ValueError(
                "`inverse_bits` is 1: a converter of one bit reads everything as clamped; give at least 2"
            )
        return self


class InverseSettings(StrictModel):
    """How the zero of INV's outputs, which is subtracted from every answer, is measured.

    It is the mean of `zero_readings` with nothing at the inputs; 0 of a board that trims it: then nothing is subtracted.
    With a `zero_dither` (V) the inputs get so much at most, in pairs of either sign: outputs then fall between the codes of
    a coarse converter, which errs by half a step without.
    """

    zero_readings: Annotated[int, Field(ge=0, le=4096)] = 1
    zero_dither: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _dither_comes_in_pairs(self) -> Self:
        if self.zero_dither and (self.zero_readings < 2 or self.zero_readings % 2):
            raise ValueError(
                f"`zero_readings` is {self.zero_readings}: readings with `zero_dither` come in pairs of either "
                "sign, so give an even number above 0, or no dither"
            )
        return self


class BenchFile(StrictModel):
    """A whole bench as its TOML file describes it.

    `chip` is a packaged chip map or a file. `defects` is the list of that chip's defects, unless the chip map names it.
    """

    name: str
    description: str = ""
    chip: str
    defects: str = ""
    visa: str = ""
    simulation: Simulation | None = None
    instruments: Instruments
    read: ReadSettings = ReadSettings()
    inverse: InverseSettings = InverseSettings()
    check: CheckSettings | None = None
    limits: dict[LimitedTerminal, LimitEntry]

    @model_validator(mode="after")
    def _dither_is_within_the_limits(self) -> Self:
        most, dither = self.limits.get("vector"), self.inverse.zero_dither
        if most is not None and dither > most.voltage:
            raise ValueError(
                f"`zero_dither` is {dither:g} V, beyond the limit of {most.voltage:g} V in [limits.vector]: lower it"
            )
        return self

    @model_validator(mode="after")
    def _further_terminals_have_limits(self) -> Self:
        for line, entry in self.instruments.contacts.items():
            most = self.limits.get(line)
            if most is None or abs(entry.hold or 0.0) > most.voltage:
                beyond = "there is none" if most is None else f"it is {most.voltage:g} V"
                raise ValueError(
                    f"`{self.instruments.name_of(line)}` holds the {line} at {entry.hold:g} V, which has to be within "
                    f'`voltage` in [limits."{line}"], and {beyond}'
                )
            if not math.isfinite(self.contact_current(line)):
                raise ValueError(
                    f"`{self.instruments.name_of(line)}` needs a `current_limit` (A), for nothing else limits its current"
                )
        return self

    @model_validator(mode="after")
    def _a_gate_is_there_to_be_held(self) -> BenchFile:
        if not self.instruments.serves("gate"):
            if "gate" in self.read.model_fields_set and self.read.gate:
                raise ValueError(
                    "`gate` in [read] is the word line's voltage, and no instrument serves `gate`: take it out, or "
                    "describe the source at the word line"
                )
            object.__setattr__(self, "read", self.read.model_copy(update={"gate": 0.0}))
        elif not math.isfinite(self.gate_current):
            raise ValueError(
                f"`{self.instruments.name_of('gate')}` needs a `current_limit` (A), for nothing else limits its current"
            )
        return self

    @property
    def gate_current(self) -> float:
        """Current limit of the source at the word line, A: its own, else that of reads, or for a bare source the line's."""
        gate = self.instruments.gate
        if gate is not None and gate.current_limit is not None:
            return gate.current_limit
        if self.instruments.by_tester("gate"):
            return 0.0  # of the tester's own choice
        if gate is None or gate.kind == "source meter":
            return self.read.current_limit
        most = self.limits.get("word line")
        return math.inf if most is None or most.current is None else most.current

    @property
    def row_current(self) -> float:
        """Current limit of the source at the bit line, A: where another unit measures, its own, if it has one."""
        smu, both = self.instruments.smu, self.instruments.sink is not None
        own = smu.current_limit if smu is not None and both else None
        return self.read.current_limit if own is None else own

    def contact_current(self, line: str) -> float:
        """Current limit of the source at a further terminal, A: its own, or the terminal's."""
        own, most = self.instruments.contacts[line].current_limit, self.limits.get(line)
        if own is None and most is not None:
            own = most.current
        return math.inf if own is None else own

    def operations(self) -> dict[Operation, str]:
        """Return what serves each operation that the bench offers; a simulated chip is at any temperature at once."""
        offered = self.instruments.operations()
        if self.simulation is not None:
            offered.setdefault("temperature", "the simulated chip")
        return offered

    def unguarded(self) -> str:
        """Return a sentence that names what would hold its level without this computer; "" where a watchdog guards all."""
        names = self.instruments.unguarded()
        if not names:
            return ""
        *others, last = names
        who = f"{', '.join(others)} and {last} hold their" if others else f"{last} holds its"
        return f"no watchdog: if the computer dies, {who} last level"

    @property
    def offers_everything(self) -> bool:
        """Whether the bench offers every operation that a procedure of mho's own asks for, or what does the same."""
        return OPERATIONS.keys() <= {*self.operations(), *WITHOUT, *SELDOM}

    def surely_offers(self, needs: Iterable[Operation]) -> bool:
        """Return whether the bench offers `needs` as it offers everything, so that nobody has to look."""
        return self.offers_everything and SELDOM.isdisjoint(needs)

    def terminal_limits(self) -> Limits:
        """Return the limits to check against.

        Where no source is at the source line, RESET pulses are negative, at the bit line: the stricter limits hold.
        """
        limits: dict[str, TerminalLimits] = {
            name: TerminalLimits(**entry.model_dump(exclude_none=True, exclude={"insist"}))
            for name, entry in self.limits.items()
        }
        if not self.instruments.serves("gate"):
            driven = self.instruments.serves("program") and "word line" in limits  # by the chip itself
            limits["word line"] = limits["word line"] if driven else TerminalLimits(math.inf)
        if not self.instruments.serves("multiply") or "multiply" in self.instruments.composed():
            limits.setdefault("vector", TerminalLimits(math.inf))  # which nothing plays
        if not self.instruments.drives_source_line and "bit line" in limits:
            own = limits.get("source line", limits["bit line"])
            limits["source line"] = limits["bit line"].stricter(own)
        return Limits(limits)


class BenchSource(StrictModel):
    """A bench file with the texts it came from, as run files keep them; `defects_text` is "" without a list of defects.

    `cells` is a `CellPreset` in place of the file's preset, where a script has given one; `circuit` are `CircuitElements`
    of a user's own in the circuits of a simulated bench.
    """

    bench: BenchFile
    text: str
    chip_text: str
    defects_text: str = ""
    cells: Any = None
    circuit: Any = None

    @property
    def kind_of_cells(self) -> Any:
        """The simulated cells, as `cell_preset` takes them; "" for real instruments."""
        simulation = self.bench.simulation
        return self.cells or (simulation.preset if simulation is not None else "")

    @property
    def own_circuit(self) -> Any:
        """The elements of a user's own in its circuits, as `circuit_elements` takes them; None where there are none."""
        simulation = self.bench.simulation
        return self.circuit or (simulation.circuit if simulation is not None else "") or None


def with_stuck_cells(source: BenchSource, share: float) -> BenchSource:
    """Return a simulated bench with a `share` of its cells stuck, drawn at random; its text records the share.

    `BenchError` for a share outside 0 to 1, or a bench of real instruments.
    """
    simulation = source.bench.simulation
    if simulation is None:
        raise BenchError(
            f"bench {source.bench.name!r} has real instruments: `stuck` is for simulated cells only"
        )
    if not 0.0 <= share <= 1.0:
        raise BenchError(f"stuck is {share:g}; give the share of stuck cells, 0 to 1")
    bench = source.bench.model_copy(update={"simulation": simulation.model_copy(update={"stuck": share})})
    others = re.sub(r"(?m)^stuck\s*=.*\n", "", source.text)
    text = re.sub(r"(?m)^(\[simulation\].*)$", rf"\1\nstuck = {share!r}", others, count=1)
    return source.model_copy(update={"bench": bench, "text": text})


def with_circuit(source: BenchSource, circuit: Any) -> BenchSource:
    """Return a simulated bench with elements of a user's own in its circuits, as `circuit_elements` takes them.

    Errors as of `circuit_elements`; `BenchError` for a bench of real instruments.
    """
    if source.bench.simulation is None:
        raise BenchError(
            f"bench {source.bench.name!r} has real instruments: a circuit of one's own is for simulated benches only"
        )
    from mho.instruments.simulated import circuit_elements  # the physics: only where it is asked for

    return source.model_copy(update={"circuit": circuit_elements(circuit)})


@cache
def _packaged(package: str, folder: str) -> dict[str, str]:
    entries = (resources.files(package) / folder).iterdir()
    return {Path(f.name).stem: f.read_text("utf-8") for f in entries if f.name.endswith(".toml")}


def _read(name: str, what: str, packaged: dict[str, str], folder: Path) -> tuple[str, Path]:
    if name in packaged:
        return packaged[name], folder
    path = folder / name
    advice = f"; name a TOML file or one of: {', '.join(sorted(packaged))}"
    return read_text(path, BenchError, f"cannot read {what} {name!r}", advice), path.parent


def packaged_benches() -> list[str]:
    """Return the names of the benches that come with mho."""
    return sorted(_packaged("mho.instruments", "benches"))


def _bench_text(name: str) -> tuple[str, Path]:
    return _read(name, "bench", _packaged("mho.instruments", "benches"), Path())


def read_bench_texts(name: str) -> tuple[str, str]:
    """Return the texts of a bench file and of its chip map, without importing any driver.

    `BenchError` when one of them cannot be read, or the bench file is not valid TOML.
    """
    text, folder = _bench_text(name)
    chip = load_toml(text, f"bench file {name}", BenchError).get("chip", "")
    return text, _read(str(chip), "chip map", _packaged("mho.chip_maps", "maps"), folder)[0]


def _with_files_beside(bench: BenchFile, folder: Path) -> BenchFile:
    """Return the bench with the paths of the files of cells and circuit, where it names some, taken from its folder."""
    simulation = bench.simulation
    if simulation is None:
        return bench
    named = {"preset": simulation.preset, "circuit": simulation.circuit}
    beside = {
        name: str(folder / path)
        for name, path in named.items()
        if (path.endswith(".toml") or names_file(path)) and not Path(path).is_absolute()
    }
    return bench.model_copy(update={"simulation": simulation.model_copy(update=beside)}) if beside else bench


def load_bench_file(name: str) -> BenchSource:
    """Read and check a bench file by packaged name or path, together with its chip map.

    `BenchError` naming the file, the key, the line and what is wrong.
    """
    text, folder = _bench_text(name)
    with modules_beside(folder):  # the folder of a user's own driver
        bench = parse_toml(text, BenchFile, f"bench file {name}", BenchError)
    bench = _with_files_beside(bench, folder)
    chip_text, beside = _read(bench.chip, "chip map", _packaged("mho.chip_maps", "maps"), folder)
    _check_terminals(name, bench, chip_text)
    if bench.instruments.one_device:
        _check_one_device(name, bench, chip_text)
    if bench.instruments.cell_wiring is not None:
        _check_lines(name, bench, chip_text, bench.instruments.cell_wiring)
    if bench.instruments.lines is not None:
        _check_channels(name, bench, chip_text, bench.instruments.lines)
    defects_text = _defects_text(name, bench, folder, chip_text, beside)
    return BenchSource(bench=bench, text=text, chip_text=chip_text, defects_text=defects_text)


def _check_terminals(name: str, bench: BenchFile, chip_text: str) -> None:
    """Raise `BenchError` when a source is wired to a terminal that the chip does not have."""
    there = read_chip_text(chip_text, bench.chip).terminals
    for source, entry in bench.instruments.root.items():
        wired = [*entry.wiring().values()] if isinstance(entry, SourceEntry) else []
        for line in wired:
            if line not in there:
                raise BenchError(
                    f"bench file {name}: `{source}` is wired to the {line}, and chip map {bench.chip} has the terminals "
                    f"{', '.join(there)}: wire it to one of them, or add the {line} to `terminals` of the chip map"
                )


def _check_one_device(name: str, bench: BenchFile, chip_text: str) -> None:
    """Raise `BenchError` when nothing selects cells on this bench, and its chip has more than one."""
    arrays = read_chip_text(chip_text, bench.chip).arrays
    cells = sum(array.rows * array.columns for array in arrays)
    if cells != 1:
        raise BenchError(
            f"bench file {name} has nothing that serves `select`, and its chip map {bench.chip} has {cells} cells: name a "
            'chip map of one cell, such as chip = "device", or describe the board that selects them'
        )


def _check_lines(name: str, bench: BenchFile, chip_text: str, wiring: CellWiring) -> None:
    """Raise `BenchError` when the lines at a switch matrix are not those of the chip."""
    where = f"bench file {name}: [instruments.{bench.instruments.name_of('switch')}]"
    arrays = read_chip_text(chip_text, bench.chip).arrays
    if len(arrays) != 1:
        raise BenchError(
            f"{where} selects cells of one array, and chip map {bench.chip} has {len(arrays)}: name a map of one array"
        )
    rows, columns = arrays[0].rows, arrays[0].columns
    sizes = (
        ("bit_lines", len(wiring.bit_lines), {rows}, f"{rows} rows"),
        ("source_lines", len(wiring.source_lines) or 1, {columns}, f"{columns} columns"),
        ("word_lines", len(wiring.word_lines) or 1, {1, rows}, f"{rows} rows"),
    )
    for key, count, fitting, there in sizes:
        if count not in fitting:
            raise BenchError(
                f"{where} has {count} in `{key}`, and chip map {bench.chip} has {there}: list one column of the matrix for "
                "each"
            )
    if bench.check is not None and bench.check.cell is not None:
        array, row, column = bench.check.cell
        if array != arrays[0].name or row >= rows or column >= columns:
            raise BenchError(
                f"bench file {name}: `cell` in [check] is {array}[{row}, {column}], and the array is {arrays[0].name} with "
                f"{rows} rows and {columns} columns: name one of its cells"
            )


def _check_channels(name: str, bench: BenchFile, chip_text: str, lines: LinesEntry) -> None:
    """Raise `BenchError` when a DAQ at the lines has not one channel for each, or would switch a whole row at once."""
    where = f"bench file {name}: [instruments.{bench.instruments.name_of('tester')}]"
    arrays = read_chip_text(chip_text, bench.chip).arrays
    if len(arrays) != 1:
        raise BenchError(
            f"{where} is wired to one array, and chip map {bench.chip} has {len(arrays)}: name a map of one array"
        )
    rows, columns = arrays[0].rows, arrays[0].columns
    for key, count, there, line in zip(
        ("outputs", "inputs"), lines.counts(), (rows, columns), ("row", "column"), strict=True
    ):
        if count != there:
            raise BenchError(
                f"{where} has {count} `{key}`, and the array of chip map {bench.chip} has {there} {line}s: name one "
                f"channel for each {line}"
            )
    if columns == 1:
        return
    if bench.instruments.serves("pulse"):
        raise BenchError(
            f"{where} names `pulse` in `serves`, and a pulse on a row reaches all its {columns} cells, for the amplifiers "
            "hold every column at 0 V: take `pulse` out, or name a chip map of one column"
        )
    vector, bit_line = (
        bench.limits[one].voltage if one in bench.limits else math.inf for one in ("vector", "bit line")
    )
    if bit_line > vector:
        raise BenchError(
            f"{where}: what is applied to a cell reaches all {columns} of its row: the limit of {bit_line:g} V in "
            f'[limits."bit line"] must not be above the {vector:g} V of [limits.vector]; lower it'
        )


def is_real(name: str) -> bool:
    """Return whether a bench, by packaged name or path, has real instruments; False also for one that cannot be read."""
    try:
        return load_bench_file(name).bench.simulation is None
    except MhoError:  # nor can a run open it
        return False


def _defects_text(name: str, bench: BenchFile, folder: Path, chip_text: str, beside: Path) -> str:
    """Return the text of the list of defects that the bench file or the chip map names; "" where neither does."""
    named = [
        (place / one, what)
        for one, place, what in (
            (bench.defects, folder, f"bench file {name}"),
            (read_chip_text(chip_text, bench.chip).defects, beside, f"chip map {bench.chip}"),
        )
        if one
    ]
    if len({path for path, _ in named}) > 1:
        raise BenchError(
            f"bench file {name} names the list of defects {bench.defects}, and its chip map another one, "
            f"{named[1][0].name}: take one of the two keys `defects` out"
        )
    for path, what in named[:1]:
        return read_text(
            path, BenchError, f"{what} names the list of defects {str(path)!r}, which cannot be read",
            "; make one with `mho chip defects RUN.h5 --to FILE`, or take the key `defects` out",
        )  # fmt: skip
    return ""
