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
    PULSE_GENERATORS,
    SOURCE_METERS,
    VOLTAGE_SOURCES,
    Model,
    load_bench_file,
    offered_drivers,
)

EDGE = 10e-9  # s, of the pulser, 10 to 90 %
STEEPEST = 1.2 * 0.8 / EDGE  # V/s for each volt of a pulse: its edges, and a fifth more
GATE_STEEPEST = 1.2 / 50e-6  # V/s for each volt of a source's step, which counts as taking 50 us
VECTOR = (1.0, 250e3)  # V and V/s at the DAQ's outputs
SERVING: Mapping[str, Mapping[str, Model]] = {
    "read": SOURCE_METERS, "gate": {**SOURCE_METERS, **VOLTAGE_SOURCES}, "pulse": PULSE_GENERATORS,
}  # fmt: skip
BY_HAND = (
    "An instrument of your own is described by hand: docs/bench.md; one that addresses cells by itself: "
    "docs/benches/microcontroller.md"
)
NAMES = {"read": "smu", "gate": "gate", "pulse": "pulser"}  # of instruments that are given none
_WIRED = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<driver>[^@\s=]+?)(?::(?P<channel>\d+))?@(?P<address>\S.*)"
)


@dataclass(frozen=True)
class Wired:
    """An instrument: its driver, its VISA address, the channel where it has several, and its name in the file."""

    driver: str
    address: str
    channel: int = 1
    name: str = ""

    @classmethod
    def parse(cls, text: str, what: str) -> Wired:
        """Return what ``keithley2450@ADDRESS`` or ``analyser=keithley2636b:2@ADDRESS`` names, as an answer to `what`.

        `what`: a key of `SERVING`. `InputError` for another spelling, or a driver that is no such instrument's.
        """
        match = _WIRED.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"--{what} is {text!r}; write DRIVER@ADDRESS, or NAME=DRIVER:CHANNEL@ADDRESS, as in "
                "keithley2450@GPIB0::4::INSTR"
            )
        model = SERVING[what].get(match["driver"])
        if model is None:
            offered = "".join(f", {name} of {package}" for name, package in offered_drivers().items())
            also = f" Installed packages offer {offered[2:]}, by hand, too." if offered else ""
            raise InputError(
                f"--{what} names {match['driver']!r}, and there is no such driver here; there are "
                f"{', '.join(SERVING[what])}. {BY_HAND}.{also}"
            )
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
        return cls(match["driver"], match["address"].strip(), channel, match["name"] or NAMES[what])

    def is_unit_of(self, other: Wired) -> bool:
        """Return whether both are one instrument."""
        return (self.driver, self.address.upper()) == (other.driver, other.address.upper())


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
    both "" for the board's own converters, None where nothing plays vectors. `visa` is PyVISA's choice of a library, ""
    for the system's.
    """

    name: str
    chip: str
    read: Wired
    ratings: Ratings
    gate: Wired | None = None
    pulse: Wired | None = None
    bias_tee: bool = False
    board: str = ""
    vectors: tuple[str, str] | None = None
    visa: str = ""

    def __post_init__(self) -> None:
        used = {"board": "the board", "daq": "what plays vectors"}
        for what, one in (("read", self.read), ("gate", self.gate), ("pulse", self.pulse)):
            if one is None or (what != "read" and one.is_unit_of(self.read)):
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


def bench_text(bench: NewBench, simulated: Mapping[str, str] | None = None) -> str:
    """Return the text of a bench file; with `simulated`, the products of NI devices by name, one of twins."""
    own_map = (
        "" if bench.gate is not None or bench.chip != "device"
        else ". For two terminals copy docs/benches/two-terminals.toml"
    )  # fmt: skip
    return (
        "# Written by `mho bench new`. What each key means: docs/bench.md.\n"
        f"name = {_quoted(bench.name)}\n"
        f"chip = {_quoted(bench.chip)}  # a packaged chip map, or the path of one{own_map}\n"
        + (f"visa = {_quoted(bench.visa)}  # PyVISA's library\n" if bench.visa and simulated is None else "")
        + ("" if simulated is None else "\n[simulation]\n")
        + _sources(bench)
        + _pulser(bench)
        + _board(bench, simulated or {})
        + "\n# By hand: a switch matrix, a chuck, gauges, a tester of your own: docs/bench.md, docs/benches.\n"
        + _settings(bench)
    )  # fmt: skip


def _quoted(text: str) -> str:
    return json.dumps(text)  # a TOML string


def _head(one: Wired) -> str:
    return f"[instruments.{one.name}]\ndriver = {_quoted(one.driver)}\naddress = {_quoted(one.address)}\n"


def _sources(bench: NewBench) -> str:
    """Return the sections of what reads and of what holds the gate: one, where they are channels of one unit."""
    read, gate = bench.read, bench.gate
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
    return text


def _pulser(bench: NewBench) -> str:
    if bench.pulse is None or bench.pulse == bench.read:
        return ""
    both = bench.ratings.source_line is not None
    done = "SET by the bit line, RESET by the source line" if both else "RESET by negative pulses"
    lines = ["bit line", "source line"] if both else ["bit line"]
    tee = "bias_tee = true  # it joins the unit that reads in one\n" if bench.bias_tee else ""
    return (
        f"\n# Pulses cells: {done}.\n{_head(bench.pulse)}"
        f"channels = {json.dumps(lines)}\nedge = {EDGE:g}  # s\n{tee}"
    )


def _board(bench: NewBench, products: Mapping[str, str]) -> str:
    if not bench.board:
        return ""
    text = ""
    if bench.vectors is not None:
        outputs, inputs = bench.vectors
        text = "\n# Plays vectors, and reads their answers.\n[instruments.daq]\n"
        text += f"driver = {_quoted('ni_daq' if outputs else 'array_board')}\n"
        text += f"outputs = {_quoted(outputs)}\ninputs = {_quoted(inputs)}\n" if outputs else ""
        if products:
            named = ", ".join(f"{_quoted(name)} = {_quoted(one)}" for name, one in products.items())
            text += f"products = {{ {named} }}\n"
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
    if limits.word_line is not None and bench.gate is not None:
        bare = bench.gate.driver in VOLTAGE_SOURCES  # whose current limit is in its own section
        lines.append(limit("word line", limits.word_line, "" if bare else current, GATE_STEEPEST))
    if bench.vectors is not None:
        lines.append(f"[limits.vector]\nvoltage = {VECTOR[0]:g}  # V\nslew = {VECTOR[1]:g}  # V/s\n")
    return text + "\n".join(lines)


def check_on_twins(bench: NewBench, path: Path) -> checks.BenchReport:
    """Check a new bench as `mho bench check` does, on the twins of its instruments; nothing is sent to any of them.

    `path`: where its file is to lie, from whose folder its chip map is found. `BenchError` for what a bench file refuses.
    """
    draft = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.toml")
    try:
        draft.write_text(bench_text(bench), "utf-8")
        daq = laboratory.stand_in(load_bench_file(str(draft))).bench.instruments.daq
        draft.write_text(bench_text(bench, {} if daq is None else daq.products), "utf-8")
        return checks.check_bench(str(draft))
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
