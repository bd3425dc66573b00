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
from mho.instruments.bench_file import load_bench_file

# What of an identity tells the driver, in the order in which it is looked for
DRIVERS = {
    "2450": "keithley2450", "2636B": "keithley2636b", "B2912A": "keysightb2912a", "B1500A": "agilentb1500",
    "33522B": "keysight33522b", "33622A": "keysight33622a", "AFG31": "tektronixafg31000",
}  # fmt: skip
EDGE = 10e-9  # s, of the pulser, 10 to 90 %
STEEPEST = 1.2 * 0.8 / EDGE  # V/s for each volt of a pulse: its edges, and a fifth more
GATE_SLEW = 100e3  # V/s: the step of a source-measure unit counts as taking 50 us
VECTOR = (1.0, 250e3)  # V and V/s at the DAQ's outputs
_WIRED = re.compile(r"(?P<driver>[^@\s]+?)(?::(?P<channel>\d+))?@(?P<address>\S.*)")


@dataclass(frozen=True)
class Wired:
    """An instrument: its driver, its VISA address, and the channel where it has several."""

    driver: str
    address: str
    channel: int = 1

    @classmethod
    def parse(cls, text: str, option: str) -> Wired:
        """Return what ``keithley2450@ADDRESS`` or ``keithley2636b:2@ADDRESS`` names; raises `InputError`."""
        match = _WIRED.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"{option} is {text!r}; write DRIVER@ADDRESS, or DRIVER:CHANNEL@ADDRESS, as in keithley2450@GPIB0::4::INSTR"
            )
        return cls(match["driver"], match["address"].strip(), int(match["channel"] or 1))


@dataclass(frozen=True)
class Ratings:
    """What the chip bears: V at each line, A through a cell, and the longest pulse, s."""

    bit_line: float
    source_line: float
    word_line: float
    current: float
    pulse_width: float


@dataclass(frozen=True)
class NewBench:
    """A bench to be written.

    `read` is wired to the bit line, `gate` to the word line, `pulse` to the bit line by its channel 1 and to the source
    line by its channel 2. `board` is the array board's address; `outputs` and `inputs` are channels of an NI DAQ, both
    "" for the board's own converters. `visa` is PyVISA's choice of a library, "" for the system's.
    """

    name: str
    chip: str
    read: Wired
    gate: Wired
    pulse: Wired
    board: str
    ratings: Ratings
    outputs: str = ""
    inputs: str = ""
    visa: str = ""


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
    """Return the driver for an instrument with this reply to ``*IDN?``; "" for one that mho does not know."""
    return next((driver for model, driver in DRIVERS.items() if model in identity.upper()), "")


def chip_bears(chip: str) -> dict[str, float]:
    """Return what a chip map says of its cells, by `Ratings`' names, V and A; nothing where it is silent.

    `ChipMapError` when there is no such map.
    """
    bears = load_chip_map(chip).cells.bears.model_dump()
    return {name: value for name, value in bears.items() if value is not None}


def bench_text(bench: NewBench, simulated: Mapping[str, str] | None = None) -> str:
    """Return the text of a bench file; with `simulated`, the products of NI devices by name, one of twins."""
    quoted = json.dumps  # a TOML string
    limits = bench.ratings
    own = not bench.outputs
    vectors = "" if own else f"outputs = {quoted(bench.outputs)}\ninputs = {quoted(bench.inputs)}\n"
    if simulated:
        vectors += f"products = {{ {', '.join(f'{quoted(name)} = {quoted(one)}' for name, one in simulated.items())} }}\n"

    def meter(role: str, one: Wired, line: str) -> str:
        return (
            f"[instruments.{role}]\ndriver = {quoted(one.driver)}\naddress = {quoted(one.address)}\n"
            f'channel = {one.channel}\nterminal = "{line}"\n\n'
        )

    def limit(line: str, volts: float, *, pulses: bool) -> str:
        width = f"pulse_width = {limits.pulse_width:g}  # s\n" if pulses else ""
        slew = STEEPEST * volts if pulses else GATE_SLEW
        current = f"current = {limits.current:g}  # A\n"
        return f'[limits."{line}"]\nvoltage = {volts:g}  # V\n{current}{width}slew = {slew:g}  # V/s\n\n'

    return (
        "# Written by `mho bench new`. What each key means: docs/bench.md.\n"
        f"name = {quoted(bench.name)}\n"
        f"chip = {quoted(bench.chip)}  # a packaged chip map, or the path of one\n"
        + (f"visa = {quoted(bench.visa)}  # PyVISA's library\n" if bench.visa and simulated is None else "")
        + ("" if simulated is None else "\n[simulation]\n")
        + "\n# Reads cells: wired to the bit lines.\n"
        + meter("smu", bench.read, "bit line")
        + "# Holds the gate: wired to the word lines.\n"
        + meter("gate", bench.gate, "word line")
        + "# Pulses cells: SET by the bit line, RESET by the source line.\n"
        f"[instruments.pulser]\ndriver = {quoted(bench.pulse.driver)}\naddress = {quoted(bench.pulse.address)}\n"
        f'channels = {{ 1 = "bit line", 2 = "source line" }}\nedge = {EDGE:g}  # s\n\n'
        "# Plays vectors, and reads their answers.\n"
        f"[instruments.daq]\ndriver = {quoted('array_board' if own else 'ni_daq')}\n{vectors}\n"
        "# Selects cells; grounds its lines by itself after so many seconds without a message.\n"
        f'[instruments.board]\ndriver = "array_board"\naddress = {quoted(bench.board)}\nwatchdog = 2.0\n\n'
        "[read]\nvoltage = 0.2  # V on the bit line\n"
        f"gate = {min(2.5, limits.word_line):g}  # V on the word line\nnplc = 0.01\n"
        f"current_limit = {min(1e-4, limits.current):g}  # A\ncurrent_range = {min(1e-4, limits.current):g}  # A\n\n"
        "# What the chip bears: nothing beyond is ever sent.\n"
        + limit("bit line", limits.bit_line, pulses=True)
        + limit("source line", limits.source_line, pulses=True)
        + limit("word line", limits.word_line, pulses=False)
        + f"[limits.vector]\nvoltage = {VECTOR[0]:g}  # V\nslew = {VECTOR[1]:g}  # V/s\n"
    )  # fmt: skip


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
    """Return what may be meant for `read`, `gate`, `pulse`, as ``DRIVER@ADDRESS``, by what instruments say they are."""
    known = {address: driver_of(identity) for address, identity in identities.items()}
    meters = [
        wired
        for address, driver in known.items()
        if driver in DRIVERS.values() and driver not in _GENERATORS
        for wired in _channels(driver, address)
    ]
    pulsers = [f"{driver}@{address}" for address, driver in known.items() if driver in _GENERATORS]
    return {
        **dict(zip(("read", "gate"), meters, strict=False)), **dict(zip(("pulse",), pulsers, strict=False)),
    }  # fmt: skip


_GENERATORS = ("keysight33522b", "keysight33622a", "tektronixafg31000")


def _channels(driver: str, address: str) -> Iterable[str]:
    """Return the instrument, or each of the two channels of one that has them."""
    if driver in ("keithley2636b", "keysightb2912a"):
        return [f"{driver}:{channel}@{address}" for channel in (1, 2)]
    return [f"{driver}@{address}"]
