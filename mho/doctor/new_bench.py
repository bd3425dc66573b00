"""A bench file for instruments that are there: which serves what, what is wired where, and what the chip bears.

It is written whole or not at all, and never over another file. `bench_text` alone knows the keys of a bench file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mho.chip_maps import load_chip_map
from mho.doctor.buses import NO_TRAFFIC, is_measuring
from mho.doctor.machine import Machine
from mho.errors import BenchError, BenchInUseError, InputError
from mho.instruments import checks, laboratory
from mho.instruments.bench_file import (
    OPERATIONS,
    PULSE_GENERATORS,
    SOURCE_METERS,
    SWITCH_MATRICES,
    VOLTAGE_SOURCES,
    Model,
    find_model,
    lacking,
    load_bench_file,
    offered_drivers,
)
from mho.instruments.roles import SourceMeter

EDGE = 10e-9  # s, of the pulser, 10 to 90 %
STEEPEST = 1.2 * 0.8 / EDGE  # V/s for each volt of a pulse: its edges, and a fifth more
GATE_STEEPEST = 1.2 / 50e-6  # V/s for each volt of a source's step, which counts as taking 50 us
VECTOR = (1.0, 250e3)  # V and V/s at the DAQ's outputs
SERVING: Mapping[str, Mapping[str, Model]] = {
    "read": SOURCE_METERS, "gate": {**SOURCE_METERS, **VOLTAGE_SOURCES}, "pulse": PULSE_GENERATORS,
}  # fmt: skip
BY_HAND = (
    "One of your own is module:Class or path/file.py:Class, and its twin after a comma: docs/writing-a-driver.md; one that "
    "addresses cells by itself: --read none and --tester, docs/benches/microcontroller.md"
)
MODELS: Mapping[str, Mapping[str, Model]] = {**SERVING, "matrix": SWITCH_MATRICES, "tester": {}}
NAMES = {"read": "smu", "gate": "gate", "pulse": "pulser", "matrix": "matrix", "tester": "tester"}
"""Of instruments that are given none."""
KINDS = {"read": "source meter", "pulse": "pulse generator", "matrix": "switch matrix", "tester": "tester"}
SOURCES = {"read": "smu", "gate": "gate", "pulse": "pulser 1", "pulse 2": "pulser 2", "ground": "ground"}
"""What a bench file calls the sources at the rows of a switch matrix, by what they are called when one is asked for."""
_WIRED = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<driver>[^@\s=,]+?)(?::(?P<channel>\d+))?(?:,\s*(?P<twin>[^@\s=,]+))?"
    r"@(?P<address>\S.*)"
)
OUTPUTS = 12  # of a card of a B2201A
_COLUMNS = re.compile(r"(?:output\s+)?(\d+)(?::(\d+))?")


@dataclass(frozen=True)
class Wired:
    """An instrument: its driver, its VISA address, the channel where it has several, and its name in the file.

    `twin` and `kind` are those of a driver of one's own; "" for one of mho's.
    """

    driver: str
    address: str
    channel: int = 1
    name: str = ""
    twin: str = ""
    kind: str = ""

    @classmethod
    def parse(cls, text: str, what: str) -> Wired:
        """Return what ``keithley2450@ADDRESS`` or ``analyser=keithley2636b:2@ADDRESS`` names, as an answer to `what`.

        A class of one's own, ``own.py:Meter,own.py:SimulatedMeter@ADDRESS``, is imported. `what`: a key of `MODELS`.
        `InputError` for another spelling, or a driver that is no such instrument's.
        """
        match = _WIRED.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"--{what} is {text!r}; write DRIVER@ADDRESS, or NAME=DRIVER:CHANNEL@ADDRESS, as in "
                "keithley2450@GPIB0::4::INSTR"
            )
        driver, twin = match["driver"], match["twin"] or ""
        model, kind = _model_of(what, driver, twin)
        if what == "pulse" and match["channel"]:
            raise InputError(
                f"--pulse is {text!r}, with a channel: channel 1 of a generator is at the bit line, 2 at the source line "
                "or nowhere; leave the channel out"
            )
        channel = int(match["channel"] or 1)
        if not 1 <= channel <= model.channels:
            raise InputError(
                f"--{what} names channel {channel} of a {match['driver']}, which has {model.channels}; name one of those"
            )
        return cls(driver, match["address"].strip(), channel, match["name"] or NAMES[what], twin, kind)

    @property
    def is_bare(self) -> bool:
        """Whether it is a voltage source that measures nothing."""
        return self.driver in VOLTAGE_SOURCES or self.kind == "voltage source"

    def is_unit_of(self, other: Wired) -> bool:
        """Return whether both are one instrument."""
        return (self.driver, self.address.upper()) == (other.driver, other.address.upper())


def _model_of(what: str, driver: str, twin: str) -> tuple[Model, str]:
    """Return the model of a driver that is to serve `what`, and its kind where it is one's own."""
    models = MODELS[what]
    if driver in models:
        if twin:
            raise InputError(f"--{what} names a twin, and {driver} has its own: leave {twin} out")
        return models[driver], ""
    if ":" not in driver:
        there = f"; there are {', '.join(models)}" if models else ""
        offered = "".join(f", {name} of {package}" for name, package in offered_drivers().items())
        also = f" Installed packages offer {offered[2:]}, by hand, too." if offered else ""
        raise InputError(
            f"--{what} names {driver!r}, and there is no such driver here{there}. {BY_HAND}{also}"
        )
    try:
        model = find_model(models, driver, twin)
        if what in KINDS:
            return model, KINDS[what]
        measures = model.channels > 1 or not lacking(model.load_driver(), SourceMeter)
        return model, "source meter" if measures else "voltage source"
    except ValueError as error:
        raise InputError(f"--{what} names {driver}: {error}") from None


@dataclass(frozen=True)
class Matrix:
    """A switch matrix that selects cells: what is at its rows, and the columns at which the chip's lines are."""

    unit: Wired
    rows: Mapping[str, str]  # source by row
    bit_lines: tuple[str, ...]
    source_lines: tuple[str, ...] = ()  # of none: they are grounded for good
    word_lines: tuple[str, ...] = ()  # of none: they are not switched


def rows_of(text: str) -> dict[str, str]:
    """Return the sources at the rows of a matrix, as in ``read=1A, gate=1B``, by row; `InputError` for another spelling."""
    rows: dict[str, str] = {}
    for part in text.split(","):
        source, equals, row = (one.strip() for one in part.partition("="))
        if source not in SOURCES or not equals or not row or row in rows:
            raise InputError(
                f"--rows is {text!r}; write what is at which row, each once, of {', '.join(SOURCES)}: read=1A, ground=1B"
            )
        rows[row] = SOURCES[source]
    return rows


def columns_of(text: str, driver: str, what: str) -> tuple[str, ...]:
    """Return the columns in ``101:108, 201`` (the last included) as the matrix calls them; `InputError` for none."""
    columns: list[str] = []
    before = "output " if driver == "keysightb2201a" else ""
    for part in text.split(","):
        match = _COLUMNS.fullmatch(part.strip())
        if match is None:
            raise InputError(f"--{what} is {text!r}; write columns and ranges of them, as in 101:108,201")
        columns += [f"{before}{number}" for number in range(int(match[1]), int(match[2] or match[1]) + 1)]
    return tuple(columns)


def operations_of(text: str) -> tuple[str, ...]:
    """Return the operations in a list; `InputError` for one that is none."""
    named = tuple(one.strip() for one in text.split(","))
    for one in named:
        if one not in OPERATIONS:
            raise InputError(f"--serves names {one!r}, and a bench has {', '.join(OPERATIONS)}")
    return named


@dataclass(frozen=True)
class Ratings:
    """What the chip bears: V at each line, A through a cell, the longest pulse, s; None at lines that nothing drives."""

    bit_line: float
    current: float
    source_line: float | None = None
    word_line: float | None = None
    pulse_width: float | None = None


@dataclass(frozen=True)
class NewBench:
    """A bench to be written.

    `read` is wired to the bit line, `gate` to the word line. `pulse` is a generator, with channel 1 at the bit line and,
    where the source line is rated, channel 2 there; or `read` itself, which then pulses, too. `bias_tee` joins it with
    `read`. `board` is the array board's address, "" where there is none; `vectors` are outputs and inputs of an NI DAQ,
    both "" for the board's own converters, None where nothing plays vectors. `matrix` selects cells where no board does.
    `visa` is PyVISA's choice of a library, "" for the system's. A `tester` addresses cells by itself and `serves`
    operations; then all others are None.
    """

    name: str
    chip: str
    read: Wired | None
    ratings: Ratings
    gate: Wired | None = None
    pulse: Wired | None = None
    bias_tee: bool = False
    board: str = ""
    vectors: tuple[str, str] | None = None
    visa: str = ""
    matrix: Matrix | None = None
    tester: Wired | None = None
    serves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        used = {"board": "the board", "daq": "what plays vectors"}
        matrix = None if self.matrix is None else self.matrix.unit
        named = {"read": self.read, "gate": self.gate, "pulse": self.pulse, "matrix": matrix}
        for what, one in named.items():
            if one is None or (what != "read" and self.read is not None and one.is_unit_of(self.read)):
                continue
            if one.name in used:
                raise InputError(
                    f"--{what} is called {one.name!r}, and so is {used[one.name]}; give it another name"
                )
            used[one.name] = f"--{what}"


def found_instruments(machine: Machine) -> tuple[str, list[str]]:
    """Return the VISA library to use, and the resources that `mho doctor` lists; nothing is sent to any of them.

    `BenchInUseError` while a bench is in use: listing addresses every place on a GPIB bus.
    """
    if is_measuring(machine):
        raise BenchInUseError(NO_TRAFFIC)
    there = machine.probe("visa_ivi")
    if there["paths"]:
        return "", list(there["resources"])
    return "@py", list(machine.probe("visa_py")["resources"])


def driver_of(identity: str) -> str:
    """Return the driver for an instrument with this reply to ``*IDN?``; "" for one that mho does not know.

    Each driver's `model` is what it looks for in that reply itself.
    """
    for models in SERVING.values():
        for driver, model in models.items():
            if model.load_driver().model.upper() in identity.upper():
                return driver
    return ""


def chip_suggests(chip: str) -> dict[str, float]:
    """Return what a chip map says of its cells, by `Ratings`' names, V, A and s; nothing where it is silent.

    The longest pulse is ten times that with which its cells are formed and programmed. `ChipMapError` when there is no
    such map.
    """
    chip_map = load_chip_map(chip)
    bears = chip_map.cells.bears.model_dump()
    widths = chip_map.write_verify
    longest = 10.0 * max(widths.width, widths.forming_width)
    return {name: value for name, value in bears.items() if value is not None} | {"pulse_width": longest}


def bench_text(bench: NewBench) -> str:
    """Return the text of a bench file."""
    own_map = (
        "" if bench.gate is not None or bench.chip != "device"
        else ". For two terminals copy docs/benches/two-terminals.toml"
    )  # fmt: skip
    return (
        "# Written by `mho bench new`. What each key means: docs/bench.md.\n"
        f"name = {_quoted(bench.name)}\n"
        f"chip = {_quoted(bench.chip)}  # a packaged chip map, or the path of one{own_map}\n"
        + (f"visa = {_quoted(bench.visa)}  # PyVISA's library\n" if bench.visa else "")
        + _tester(bench)
        + _sources(bench)
        + _pulser(bench)
        + _board(bench)
        + _matrix(bench)
        + "\n# By hand: a switch matrix in front of a board, a chuck, gauges: docs/bench.md, docs/benches.\n"
        + _settings(bench)
    )  # fmt: skip


def _quoted(text: str) -> str:
    return json.dumps(text)  # a TOML string


def _head(one: Wired) -> str:
    text = f"[instruments.{one.name}]\ndriver = {_quoted(one.driver)}\n"
    if one.kind:
        text += (
            f"twin = {_quoted(one.twin)}\n"
            if one.twin
            else '# twin = "module:Class"  # then it is rehearsed, too\n'
        )
        text += f"kind = {_quoted(one.kind)}\n"
    return f"{text}address = {_quoted(one.address)}\n"


def _tester(bench: NewBench) -> str:
    if bench.tester is None:
        return ""
    return f"\n# Addresses cells by itself.\n{_head(bench.tester)}serves = {json.dumps(bench.serves)}\n"


def _matrix(bench: NewBench) -> str:
    if (matrix := bench.matrix) is None:
        return ""
    rows = ", ".join(f"{_quoted(row)} = {_quoted(source)}" for row, source in matrix.rows.items())
    text = "\n# Connects one cell at a time: sources at its rows, the chip's lines at its columns, in their order.\n"
    text += _head(matrix.unit)
    if matrix.unit.driver == "keysightb2201a":  # which has to be told how many cards it has
        lines = [*matrix.bit_lines, *matrix.source_lines, *matrix.word_lines]
        cards = max(-(-int(one.split()[1]) // OUTPUTS) for one in lines)
        text += f"options = {{ cards = {cards} }}\n" if cards > 1 else ""
    text += f"rows = {{ {rows} }}\nbit_lines = {json.dumps(matrix.bit_lines)}\n"
    text += f"source_lines = {json.dumps(matrix.source_lines)}\n" if matrix.source_lines else ""
    return text + (f"word_lines = {json.dumps(matrix.word_lines)}\n" if matrix.word_lines else "")


def _sources(bench: NewBench) -> str:
    """Return the sections of what reads and of what holds the gate: one, where they are channels of one unit."""
    read, gate = bench.read, bench.gate
    if read is None:
        return ""
    shared = gate is not None and gate.is_unit_of(read)
    text = "\n# Reads cells: wired to the bit line." + (
        " Another channel is at the word line.\n" if shared else "\n"
    )
    text += _head(read)
    if shared and gate is not None:
        if (read.channel, gate.channel) == (1, 2):
            text += 'channels = ["bit line", "word line"]\n'
        else:
            text += f'channels = {{ {read.channel} = "bit line", {gate.channel} = "word line" }}\n'
    else:
        text += f'channel = {read.channel}\nterminal = "bit line"\n'
    if bench.pulse == read:
        serves = ["read", "sweep", "pulse", *(["gate"] if shared else [])]
        text += f"serves = {json.dumps(serves)}  # pulses only where it is said: they take 200 us and more\n"
    if gate is None or shared:
        return text
    text += "\n# Holds the gate: wired to the word line.\n" + _head(gate)
    text += f'channel = {gate.channel}\nterminal = "word line"\n'
    if gate.driver in VOLTAGE_SOURCES:  # it limits by itself, and to no less than it can
        least = float(VOLTAGE_SOURCES[gate.driver].load_driver().CURRENT_LIMIT.minimum)
        text += f"current_limit = {max(least, bench.ratings.current):g}  # A: its own, {least:g} at least\n"
    elif gate.is_bare:
        text += f"current_limit = {bench.ratings.current:g}  # A: its own\n"
    return text


def _pulser(bench: NewBench) -> str:
    if bench.pulse is None or bench.pulse == bench.read:
        return ""
    both = bench.ratings.source_line is not None
    done = "SET by the bit line, RESET by the source line" if both else "RESET by negative pulses"
    lines = ["bit line", "source line"] if both else ["bit line"]
    tee = "bias_tee = true  # it joins the unit that reads in one\n" if bench.bias_tee else ""
    if bench.pulse.kind:
        tee += 'serves = ["pulse"]  # and "waveform", if its class plays them\n'
    return (
        f"\n# Pulses cells: {done}.\n{_head(bench.pulse)}"
        f"channels = {json.dumps(lines)}\nedge = {EDGE:g}  # s\n{tee}"
    )


def _board(bench: NewBench) -> str:
    if not bench.board:
        return ""
    text = ""
    if bench.vectors is not None:
        outputs, inputs = bench.vectors
        text = "\n# Plays vectors, and reads their answers.\n[instruments.daq]\n"
        text += f"driver = {_quoted('ni_daq' if outputs else 'array_board')}\n"
        text += f"outputs = {_quoted(outputs)}\ninputs = {_quoted(inputs)}\n" if outputs else ""
    return (
        f"{text}\n# Selects cells; grounds its lines by itself after so many seconds without a message.\n"
        f'[instruments.board]\ndriver = "array_board"\naddress = {_quoted(bench.board)}\nwatchdog = 2.0\n'
    )


def _settings(bench: NewBench) -> str:
    """Return how cells are read, and the limits of the lines that something drives."""
    limits = bench.ratings
    pulses = bench.pulse is not None and bench.pulse != bench.read
    most = min(1e-4, limits.current)
    gate = (
        "" if limits.word_line is None else f"gate = {min(2.5, limits.word_line):g}  # V on the word line\n"
    )
    text = (
        f"\n[read]\nvoltage = 0.2  # V on the bit line\n{gate}nplc = 0.01\n"
        f"current_limit = {most:g}  # A\ncurrent_range = {most:g}  # A\n"
        "\n# What the chip bears: nothing beyond is ever sent.\n"
    )
    current = f"current = {limits.current:g}  # A\n"
    width = "" if limits.pulse_width is None else f"pulse_width = {limits.pulse_width:g}  # s\n"

    def limit(line: str, volts: float, others: str, steepest: float) -> str:
        slew = f"slew = {steepest * volts:g}  # V/s\n" if steepest else ""
        return f'[limits."{line}"]\nvoltage = {volts:g}  # V\n{others}{slew}'

    lines = [limit("bit line", limits.bit_line, current + width, STEEPEST if pulses else 0.0)]
    if limits.source_line is not None:
        lines.append(limit("source line", limits.source_line, current + width, STEEPEST))
    if limits.word_line is not None:
        itself = bench.gate is None or bench.gate.is_bare  # whose current limit is its own
        steepest = 0.0 if bench.gate is None else GATE_STEEPEST
        lines.append(limit("word line", limits.word_line, "" if itself else current, steepest))
    if bench.vectors is not None or "multiply" in bench.serves:
        lines.append(f"[limits.vector]\nvoltage = {VECTOR[0]:g}  # V\nslew = {VECTOR[1]:g}  # V/s\n")
    return text + "\n".join(lines)


def check_on_twins(bench: NewBench, path: Path) -> checks.BenchReport:
    """Check a new bench as `mho bench check` does, on the twins of its instruments; nothing is sent to any of them.

    `path`: where its file is to lie, from whose folder its chip map is found. `BenchError` for what a bench file refuses.
    """
    draft = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.toml")
    try:
        draft.write_text(bench_text(bench), "utf-8")
        return checks.check_source(laboratory.stand_in(load_bench_file(str(draft))))
    except BenchError as error:
        raise BenchError(str(error).replace(str(draft), str(path))) from error
    finally:
        draft.unlink(missing_ok=True)


def write_new(path: Path, text: str) -> None:
    """Write a file whole, or not at all; `InputError` where there is one already, or it cannot be written."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        draft.write_text(text, "utf-8")
        try:
            os.link(draft, path)  # unlike renaming, it never takes the place of another file
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError:
        raise InputError(f"{path} is there already, and stays as it is; name another file") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}; name another place"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def suggestions(identities: Mapping[str, str]) -> dict[str, str]:
    """Return what may be meant for `read`, `gate`, `pulse`, as ``DRIVER@ADDRESS``, by what instruments say they are.

    A bare voltage source is suggested as the gate before a second source-measure unit.
    """
    known = [(driver_of(identity), address) for address, identity in identities.items()]
    reads, *others = [*_outputs(known, SOURCE_METERS), ""]
    gates = [*_outputs(known, VOLTAGE_SOURCES), *others]
    found = {
        "read": reads, "gate": gates[0] if gates else "",
        "pulse": next((f"{driver}@{address}" for driver, address in known if driver in PULSE_GENERATORS), ""),
    }  # fmt: skip
    return {name: one for name, one in found.items() if one}


def _outputs(known: Iterable[tuple[str, str]], models: Mapping[str, Model]) -> list[str]:
    """Return those of `models` among drivers and their addresses; one of several channels twice, by its first two."""
    return [
        f"{driver}:{channel}@{address}" if models[driver].channels > 1 else f"{driver}@{address}"
        for driver, address in known if driver in models
        for channel in range(1, min(models[driver].channels, 2) + 1)
    ]  # fmt: skip
