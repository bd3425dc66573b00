"""Facts about a bench without touching it: from its file, and from the shown run's record of its instruments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.runs import RunFile

if TYPE_CHECKING:
    from mho.instruments.bench_file import BenchFile

SET, RESET = 1, 2  # codes of the `kind` column, see `mho.procedures.cells.programming.programmer.KINDS`


@dataclass(frozen=True)
class DescribedInstrument:
    """An instrument as the bench file names it; `terminals` are where its outputs lead."""

    role: str
    driver: str
    address: str
    terminals: str


@dataclass(frozen=True)
class BenchDescription:
    """The contents of a bench file, as the panel shows them.

    Attributes
    ----------
    name, description, chip : str
    key, text : str
        The one name under which runs and the queue know the bench, and its file.
    preset : str or None
        Of the simulated cells; None for a bench of real instruments.
    instruments : tuple of DescribedInstrument
    limits : mapping
        By terminal: volts, amperes and seconds that nothing may go beyond; infinite where none is given.
    reading : (float, float)
        Volts on the bit line and the word line while a cell is read.
    """

    name: str
    description: str
    chip: str
    key: str
    text: str
    preset: str | None
    instruments: tuple[DescribedInstrument, ...]
    limits: Mapping[str, tuple[float, float, float]]
    reading: tuple[float, float]


def read_facts(bench: str) -> BenchDescription:
    """Return what the bench file says; `BenchError` for a wrong one."""
    from mho.input_files import bench_key
    from mho.instruments.bench_file import load_bench_file

    source = load_bench_file(bench)
    file = source.bench
    limits = {
        name: (one.voltage, one.current, one.pulse_width)
        for name, one in file.terminal_limits().terminals.items()
    }
    return BenchDescription(
        file.name,
        file.description,
        file.chip,
        bench_key(bench),
        source.text,
        None if file.simulation is None else file.simulation.preset,
        tuple(_instruments(file)),
        limits,
        (file.read.voltage, file.read.gate),
    )


def _instruments(file: BenchFile) -> Iterator[DescribedInstrument]:
    tools = file.instruments
    addresses = tools.buses()
    for role in type(tools).model_fields:
        entry = getattr(tools, role)
        if entry is None:
            continue
        wired = getattr(entry, "terminal", None) or ", ".join(
            f"{name} (ch {channel})" for channel, name in (getattr(entry, "channels", None) or {}).items()
        )
        if role == "chuck":
            wired = f"{entry.lowest:g} to {entry.highest:g} K"
        driver = getattr(entry, "driver", "")
        yield DescribedInstrument(
            role, driver, addresses.get(role, ""), wired or ("vector" if role == "daq" else "")
        )


@dataclass
class RunExtremes:
    """The largest magnitudes that a run has put on each terminal, read as the run goes on.

    By terminal: V, A of the reads, and s of the longest pulse. `last` has the columns of the last pulse or read.
    """

    volts: dict[str, float] = field(default_factory=dict)
    amperes: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    last: dict[str, Any] | None = None
    _pulses: int = 0
    _cycles: int = 0

    MOST = 200_000  # rows at once: some milliseconds

    def take(self, run: RunFile, reading: tuple[float, float]) -> bool:
        """Read what `run` has written since the last time, at most `MOST` rows; return whether there was any."""
        found = False
        if "pulses" in run.tables and {"kind", "voltage", "width", "gate", "conductance"} <= set(
            run.units("pulses")
        ):
            found = self._take_pulses(run, reading)
        if "cycles" in run.tables and "input" in run.units("cycles"):
            inputs = run.column("cycles", "input", self._cycles)
            self._cycles += len(inputs)
            if inputs.size:
                self._see("vector", float(np.nanmax(np.abs(inputs))))
                found = True
        return found

    def _take_pulses(self, run: RunFile, reading: tuple[float, float]) -> bool:
        length = run.length("pulses")
        if length == self._pulses:
            return False
        start = max(self._pulses, length - self.MOST)
        rows = run.table("pulses", start)
        self._pulses = start + len(rows["kind"])
        if not len(rows["kind"]):
            return False
        for kind, terminal in ((SET, "bit line"), (RESET, "source line")):
            driven = rows["kind"] == kind
            if driven.any():
                self._see(terminal, float(np.abs(rows["voltage"][driven]).max()))
                longest = float(rows["width"][driven].max())
                self.seconds[terminal] = max(self.seconds.get(terminal, 0.0), longest)
        self._see("bit line", reading[0])
        largest = reading[0] * float(np.nanmax(np.abs(rows["conductance"]), initial=0.0))
        self.amperes["bit line"] = max(self.amperes.get("bit line", 0.0), largest)
        self._see("word line", max(float(np.abs(rows["gate"]).max()), reading[1]))
        self.last = {name: column[-1] for name, column in rows.items()}
        return True

    def _see(self, terminal: str, volts: float) -> None:
        self.volts[terminal] = max(self.volts.get(terminal, 0.0), volts)


def margin(limit: float, seen: float) -> str:
    """Return how much of a limit is left, in per cent; empty without a limit."""
    return "" if math.isinf(limit) else f"{100.0 * (limit - seen) / limit:.0f} %"


def in_units(value: float, unit: str) -> str:
    """Return a quantity with an SI prefix: ``10 µs``, ``4.6 V``; ``none`` for what is infinite."""
    if math.isinf(value):
        return "none"
    for power, prefix in ((0, ""), (-3, "m"), (-6, "µ"), (-9, "n")):
        if abs(value) >= 0.9995 * 10.0**power or power == -9 or not value:
            return f"{value / 10.0**power:.4g} {prefix}{unit}"
    raise AssertionError("unreachable")


def last_in_words(last: Mapping[str, Any], arrays: tuple[str, ...]) -> str:
    """Describe the last pulse or read of a run."""
    kind = {SET: "SET", RESET: "RESET"}.get(int(last["kind"]), "read")
    index = int(last.get("array", -1))
    place = arrays[index] if 0 <= index < len(arrays) else f"array {index}"
    cell = f"{place}[{last['row']}, {last['column']}]" if {"row", "column"} <= set(last) else place
    pulse = (
        f" {in_units(float(last['voltage']), 'V')}, {in_units(float(last['width']), 's')}"
        if kind != "read"
        else ""
    )
    gate = in_units(float(last["gate"]), "V")
    return f"{kind}{pulse}, word line {gate}, at {cell}: {in_units(float(last['conductance']), 'S')}"
