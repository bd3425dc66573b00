"""Runs a procedure on the twins of a bench first: what it will do to the chip, and how long it will take."""

from __future__ import annotations

import itertools
import logging
import math
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import Aborted, BenchError, ChipMapError, InputError, LimitError, MhoError
from mho.instruments import Bench, TerminalLimits
from mho.instruments.bench_file import BenchFile, BenchSource, load_bench_file, packaged_benches
from mho.instruments.laboratory import SLACK, Extremes, Incident, Laboratory, missing_twins
from mho.instruments.opening import open_rehearsal, open_simulated
from mho.instruments.simulated import Cells
from mho.procedures.base import Procedure
from mho.procedures.chip_in_use import on_chip
from mho.procedures.needs import check_needs
from mho.procedures.stream import Ended, Event, Observer, Started
from mho.running.phases import already_open, carry_out
from mho.runs import returned

log = logging.getLogger(__name__)

# What a message and its reply take beside the work they ask for, s by interface. Assumed (?), not measured: of
# the size that drivers see with USB and LAN instruments; a DAQ's is the start and stop of its tasks.
MESSAGE_TIMES: Mapping[str, float] = {"USB": 1e-3, "TCPIP": 1e-3, "GPIB": 2e-3, "ASRL": 2e-3, "DAQ": 5e-3}
_OTHER = 2e-3

# The twins are wired by the bench file that is being rehearsed, and begin as they are after power-on.
# Properties that no rehearsal can check
UNSEEN = (
    "wires and channels other than the bench file says",
    "contacts",
    "your chip's own cells",
    "how the instruments stand now",
)


def check_on_twins(
    procedure: Procedure, given: Any, source: BenchSource, preset: Cells | None = None
) -> Mapping[str, tuple[float | str, str]]:
    """Refuse a run that the bench cannot carry out, by planning it on the bench's twins; nothing is sent, no lock taken.

    Return the values that the plan uses for parameters that were not given, as `Procedure.in_use` of it; none where it
    could not be planned.

    `source`: the bench file, whose limits were checked.
    `preset`: cells of a simulated bench.
    `BenchError`, `ChipMapError`, `InputError`, `LimitError`: as the procedure's `prepare`; for a chip map
    with the packaged benches on which it can run. Where no twins stand in for the bench, it is left to the
    bench itself.
    """
    try:
        return _prepare_on_twins(procedure, given, source, preset)
    except ChipMapError as error:
        able = able_benches(procedure, given)
        if not able:
            raise
        raise ChipMapError(f"{error}; it can be carried out on the bench {' or '.join(able)}") from error


def able_benches(procedure: Procedure, given: Any) -> list[str]:
    """Return the packaged benches that can carry out a run, from the procedure and what its `check` returned."""
    return [name for name in packaged_benches() if _can_prepare(procedure, given, name)]


def _prepare_on_twins(
    procedure: Procedure, given: Any, source: BenchSource, preset: Cells | None
) -> Mapping[str, tuple[float | str, str]]:
    check_needs(procedure, source.bench)
    simulated = source.bench.simulation is not None
    try:
        bench = open_simulated(source, preset, 0) if simulated else open_rehearsal(source, seed=0, force=True)
    except (MhoError, ValueError):
        return {}
    try:
        with bench:
            plan = procedure.prepare(given, bench, np.random.default_rng([0, 1]))
            return procedure.in_use(plan)
    except (BenchError, ChipMapError, InputError, LimitError):
        raise
    except Exception as error:  # what depends on the seed, or a fault of a procedure: the run itself tells
        log.debug("planning %s on twins: %s", type(procedure).__name__, error)
    return {}


def _can_prepare(procedure: Procedure, given: Any, bench: str) -> bool:
    try:
        _prepare_on_twins(procedure, given, load_bench_file(bench), None)
    except MhoError:
        return False
    return True


@dataclass(frozen=True)
class TerminalQuantity:
    """One quantity at one terminal, beside its limit."""

    terminal: str  # ``bit line``
    name: str  # ``voltage``, ``current``, ``pulse width`` or ``slew``
    unit: str  # V, A, s or V/s
    lowest: float  # of what was seen
    highest: float  # of what was seen
    limit: float  # of the magnitude; infinite where the bench file gives none

    @property
    def margin(self) -> float:
        """Limit less magnitude."""
        return self.limit - max(abs(self.lowest), abs(self.highest))

    @property
    def within(self) -> bool:
        """Whether the limit was kept, to the sources' accuracy."""
        return math.isinf(self.limit) or self.margin >= -SLACK * self.limit


@dataclass(frozen=True)
class BusReport:
    """Messages to one instrument."""

    roles: str  # who it is on the bench
    address: str  # its VISA address, or a DAQ's outputs
    messages: int  # sent
    message_time: float  # assumed for a message and its reply beside the work, s

    @property
    def seconds(self) -> float:
        """Duration of the messages, s."""
        return self.messages * self.message_time


@dataclass(frozen=True)
class Rehearsal:
    """The report of a rehearsal."""

    bench: str  # name of the bench
    procedure: str  # title of the run
    preset: str  # cells of the simulated chip
    seed: int  # of everything random
    finished: bool  # whether the procedure came to its end
    reason: str  # why not, in the words that the bench would have used
    quantities: tuple[TerminalQuantity, ...]  # what every terminal saw
    incidents: tuple[Incident, ...]  # what would have hurt
    buses: tuple[BusReport, ...]
    pulses: int  # pulses that reached cells
    instrument_seconds: float  # on the instruments' clock: apertures, delays, pulses, settling, s
    result: Any  # what the procedure returned, or None
    run_file: Path | None  # where it was asked to leave one
    untwinned: tuple[str, ...] = ()  # sentences on instruments that have no twin: they were not rehearsed

    @property
    def bus_seconds(self) -> float:
        """Assumed duration of all messages on hardware, s."""
        return sum(bus.seconds for bus in self.buses)

    @property
    def hardware_seconds(self) -> float:
        """Expected duration of the run on hardware, s, without the computer's own work."""
        return self.instrument_seconds + self.bus_seconds

    @property
    def passed(self) -> bool:
        """Whether it finished, within all limits and without an incident."""
        return self.finished and not self.incidents and all(one.within for one in self.quantities)


def rehearse(
    procedure: Procedure,
    bench: str,
    *,
    seed: int | None = None,
    preset: Cells | None = None,
    output: str | Path | None = None,
    beyond: bool = False,
    force: bool = False,
    message_times: Mapping[str, float] = MESSAGE_TIMES,
    observers: Sequence[Observer] = (),
) -> Rehearsal:
    """Run `procedure` on the twins of the instruments that a bench file names.

    The drivers are those of the bench. No hardware is opened and no lock is taken, so the bench may be in use. Where its
    limits or instruments stop the procedure, the `reason` of the rehearsal says where.

    `bench`: a bench file, or a packaged bench.
    `seed`: of everything random; a fresh one is drawn, and is in the report.
    `preset`: cells of the simulated chip (one of `CELL_PRESETS`); default "pku", or the bench file's.
    `output`: where to leave the run file; without it none is left.
    `beyond`: go on beyond the bench's limits, which stop the procedure otherwise; what exceeds them, and by
        how much, is in the report.
    `force`: take limits of the bench file that can hardly be meant as they are.
    `message_times`: assumed time (s) of a message by interface, as `MESSAGE_TIMES`.
    `observers`: as for `run`; without `output` they hear nothing of the file that is not kept.
    `BenchError` for a wrong bench file, or one that misses an operation that the procedure needs, `InputError` for input
    that cannot be used on any bench, `Aborted` when the user stops it.
    """
    source = load_bench_file(bench)
    procedure = on_chip(procedure, source.chip_text, f"chip map {source.bench.chip}")
    check_needs(procedure, source.bench)
    missing = (
        tuple(missing_twins(source.bench.instruments).values()) if source.bench.simulation is None else ()
    )
    seed = secrets.randbits(32) if seed is None else seed
    with open_rehearsal(source, preset=preset, seed=seed, beyond=beyond, force=force) as opened:
        lab = opened.laboratory
        assert lab is not None  # a rehearsal always has one
        result, path, reason = _carry_out(procedure, opened, seed, output, observers)
    limits = source.bench.terminal_limits().terminals
    quantities = (
        _quantities(name, seen, limits.get(name, TerminalLimits(math.inf)))
        for name, seen in lab.monitor.extremes().items()
    )
    return Rehearsal(
        bench=source.bench.name, procedure=str(procedure.run_title()), preset=lab.chip.preset.name, seed=seed,
        finished=not reason, reason=reason, quantities=tuple(itertools.chain.from_iterable(quantities)),
        incidents=tuple(lab.incidents), buses=bus_reports(source.bench, lab, message_times),
        pulses=lab.monitor.pulses, instrument_seconds=lab.clock.now, result=result, run_file=path, untwinned=missing,
    )  # fmt: skip


def _carry_out(
    procedure: Procedure, bench: Bench, seed: int, output: str | Path | None, observers: Sequence[Observer]
) -> tuple[Any, Path | None, str]:
    """Return the result of a run, its file where one is left, and why it did not come to its end, "" where it did."""
    with ExitStack() as stack:
        if output is None:
            output, is_left = stack.enter_context(tempfile.TemporaryDirectory(prefix="mho-rehearsal-")), False
            observers = [_unless_of_a_file(one) for one in observers]
        else:
            is_left = True
        try:
            result = carry_out(procedure, already_open(bench), seed=seed, output=output, observers=observers)
        except (InputError, Aborted):
            raise
        except MhoError as error:
            return None, None, f"{type(error).__name__}: {error}"
    path: Path | None = getattr(result, "path", None)
    if path is not None and not is_left:
        return returned(result, None), None, ""
    return result, path, ""


def _unless_of_a_file(observer: Observer) -> Observer:
    """Drop events that only name the run file."""

    def observe(event: Event) -> None:
        if not isinstance(event, Started | Ended):
            observer(event)

    return observe


def _quantities(terminal: str, seen: Extremes, limits: TerminalLimits) -> list[TerminalQuantity]:
    """Return what a terminal saw; a current or a pulse that never came is left out."""
    result = [TerminalQuantity(terminal, "voltage", "V", seen.lowest, seen.highest, limits.voltage)]
    if seen.current:
        result.append(TerminalQuantity(terminal, "current", "A", 0.0, seen.current, limits.current))
    if seen.pulses:
        result.append(
            TerminalQuantity(
                terminal, "pulse width", "s", seen.shortest_pulse, seen.longest_pulse, limits.pulse_width
            )
        )
    if seen.slew:
        result.append(TerminalQuantity(terminal, "slew", "V/s", 0.0, seen.slew, limits.slew))
    return result


def bus_reports(
    bench: BenchFile, lab: Laboratory, times: Mapping[str, float] = MESSAGE_TIMES
) -> tuple[BusReport, ...]:
    """Return what was sent to each instrument of a bench's twins; `times` as `MESSAGE_TIMES`."""
    addresses = bench.instruments.buses()
    reports = []
    for address in dict.fromkeys(addresses.values()):
        roles = [role for role, used in addresses.items() if used == address]
        interface = "DAQ" if roles == ["daq"] else address.partition("::")[0].rstrip("0123456789").upper()
        messages = lab.traffic[address].messages
        named = ", ".join(map(bench.instruments.title, roles))
        reports.append(BusReport(named, address, messages, times.get(interface, _OTHER)))
    return tuple(reports)
