"""Implausible limits: beyond what the instruments of a bench deliver, or beyond the ratings of the chip's cells.

A mistyped digit (46 V for 4.6 V) makes a limit ineffective, and no rehearsal shows it. Before a run, such a limit has
to be confirmed before anything is opened; making a bench safe needs no confirmation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchFile, BenchSource, LimitEntry
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.limits import RISE, SOURCE_EDGE

NI_OUTPUTS = 10.0  # V, output range of NI's devices
UNITS = {"voltage": "V", "current": "A", "pulse_width": "s", "slew": "V/s"}


def check_limits(source: BenchSource, force: bool = False) -> None:
    """Raise `BenchError` for implausible limits unless `force` is set; opens nothing."""
    if not force and (doubts := doubtful_limits(source)):
        raise BenchError(
            f"bench {source.bench.name!r}: {'; '.join(doubts)}. Correct what is a slip; insist with --force "
            "(in Python force=True), or with `insist = true` beside the limit"
        )


def doubtful_limits(source: BenchSource) -> tuple[str, ...]:
    """Return a message for each implausible limit; a limit with `insist = true` is skipped.

    `BenchError` when the chip map cannot be read.
    """
    borne = read_chip_text(source.chip_text, source.bench.chip).cells.bears
    return tuple(
        doubt for terminal, entry in source.bench.limits.items() if not entry.insist
        for doubt in _doubts(terminal, entry, borne, source.bench)
    )  # fmt: skip


def _doubts(terminal: str, entry: LimitEntry, borne: Mapping[str, float], bench: BenchFile) -> Iterator[str]:
    bears = {"voltage": borne.get(terminal.replace(" ", "_")), "current": borne.get("current")}
    if terminal == "vector":
        bears = {}
    able = _deliverable(terminal, bench)
    for quantity, unit in UNITS.items():
        limit, most, cell = getattr(entry, quantity), able.get(quantity), bears.get(quantity)
        said = f"{terminal}: {quantity.replace('_', ' ')} limit of"
        if limit is None:
            continue
        if cell is not None and limit > cell:
            yield f"{said} {limit:g} {unit} is beyond the {cell:g} {unit} that a cell bears by the chip map"
        elif most is not None and limit > most:
            yield f"{said} {limit:g} {unit} is beyond the {most:g} {unit} that the instruments there deliver"


def _deliverable(terminal: str, bench: BenchFile) -> dict[str, float]:
    """Return the largest values that the instruments at a terminal can deliver, by quantity; unknown ones are left out."""
    entries = bench.instruments
    if entries.lines is not None:
        return {"voltage": NI_OUTPUTS} if terminal != "word line" or entries.lines.gate else {}
    if terminal == "vector":
        by_ni = entries.daq is not None and bool(entries.daq.outputs)
        return {"voltage": NI_OUTPUTS} if by_ni else {}
    if bench.simulation is not None and not bench.simulation.instruments:
        return {}  # there is none; and its driver loads PyVISA
    abilities: list[dict[str, float]] = []
    for entry in (entries.smu, entries.gate):
        if entry is not None and entry.terminal == terminal:
            abilities.append(_meter(entry.model.load_driver()))
    if entries.pulser is not None and terminal in entries.pulser.channels.values():
        abilities.append(_generator(entries.pulser.model.load_driver()))
    known = {quantity for one in abilities for quantity in one}
    # Only the meter limits a current. For the rest, one source of unknown abilities makes the maximum unknown.
    return {
        quantity: max(one[quantity] for one in abilities if quantity in one)
        for quantity in known
        if quantity in ("current", "pulse_width") or all(quantity in one for one in abilities)
    }


def _meter(driver: Any) -> dict[str, float]:
    volts, amperes = (getattr(driver, name, None) for name in ("VOLTAGE", "CURRENT_LIMIT"))
    abilities = {} if amperes is None else {"current": float(amperes.maximum)}
    if volts is not None:
        abilities |= {"voltage": float(volts.maximum), "slew": 2.0 * float(volts.maximum) / SOURCE_EDGE}
    return abilities


def _generator(driver: Any) -> dict[str, float]:
    able = getattr(driver, "abilities", None)
    if able is None:
        return {}
    steepest = RISE * 2.0 * able.amplitude.maximum / able.edge.minimum
    abilities = {"voltage": able.amplitude.maximum, "pulse_width": able.width.maximum, "slew": steepest}
    return {name: float(value) for name, value in abilities.items() if math.isfinite(value)}
