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

SET, RESET, BY_CHIP = 1, 2, 3  # codes of `kind` in a table of pulses (`record.PULSES`)


@dataclass(frozen=True)
class DescribedInstrument:
    """An instrument as the bench file names it; `terminals` are where its outputs lead."""

    role: str
    driver: str
    address: str
    terminals: str
    title: str  # its name in the file, with the role where that is another


def instruments_of(file: BenchFile) -> Iterator[DescribedInstrument]:
    """Yield the instruments of a bench file."""
    tools = file.instruments
    addresses = tools.buses()
    for role, entry in tools.by_role().items():
        wired = getattr(entry, "terminal", None) or ", ".join(
            f"{name} (ch {channel})" for channel, name in (getattr(entry, "channels", None) or {}).items()
        )
        if role == "chuck":
            wired = f"{entry.lowest:g} to {entry.highest:g} K"
        driver = getattr(entry, "driver", "")
        yield DescribedInstrument(
            role,
            driver,
            addresses.get(role, ""),
            wired or ("vector" if role == "daq" else ""),
            tools.title(role),
        )


@dataclass
class RunExtremes:
    """The largest magnitudes that a run has put on each terminal, read as the run goes on.

    `seen` has them by terminal and unit: V, A of the reads, and s of the longest pulse. `last` has the columns of the last
    pulse or read.
    """

    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    last: dict[str, Any] | None = None
    _pulses: int = 0
    _cycles: int = 0

    MOST = 200_000  # rows at once: some milliseconds

    def take(self, run: RunFile, reading: tuple[float, float]) -> bool:
        """Read what `run` has written since the last time, at most `MOST` rows; return whether there was any.

        `reading` is the voltage on bit line and word line while a cell is read, V.
        """
        is_new = False
        if "pulses" in run.tables and {"kind", "voltage", "width", "gate", "conductance"} <= set(
            run.units("pulses")
        ):
            is_new = self._take_pulses(run, reading)
        if "cycles" in run.tables and "input" in run.units("cycles"):
            inputs = run.column("cycles", "input", self._cycles)
            self._cycles += len(inputs)
            if inputs.size:
                self._see("vector", "V", float(np.nanmax(np.abs(inputs))))
                is_new = True
        return is_new

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
                self._see(terminal, "V", float(np.abs(rows["voltage"][driven]).max()))
                self._see(terminal, "s", float(rows["width"][driven].max()))
        self._see("bit line", "V", reading[0])
        largest = reading[0] * float(np.nanmax(np.abs(rows["conductance"]), initial=0.0))
        self._see("bit line", "A", largest)
        self._see("word line", "V", max(float(np.nanmax(np.abs(rows["gate"]), initial=0.0)), reading[1]))
        self.last = {name: column[-1] for name, column in rows.items()}
        return True

    def _see(self, terminal: str, unit: str, value: float) -> None:
        self.seen[terminal, unit] = max(self.seen.get((terminal, unit), 0.0), value)


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
    if int(last["kind"]) == BY_CHIP:
        return f"programmed by the chip itself, {cell}: {in_units(float(last['conductance']), 'S')}"
    gate = in_units(float(last["gate"]), "V")
    return f"{kind}{pulse}, word line {gate}, at {cell}: {in_units(float(last['conductance']), 'S')}"
