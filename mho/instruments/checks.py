"""Check of a bench before use: every instrument separately, then a known resistor through all of them.

Only the contact check changes an output; it needs a ``[check]`` section in the bench file and ends at 0 V.
Switches of the array board move only while the outputs of all sources are known to be off.

The slope between the two readings is the conductance, so that offsets do not matter. (The `contact.check()` of a
2600 takes 1 mA: not for cells.)
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Literal, NamedTuple

from mho.errors import LimitError, MhoError
from mho.instruments.bench.arguments import check_reading
from mho.instruments.bench.cell_connection import gate_settings
from mho.instruments.bench.instruments import make_safe, read_back
from mho.instruments.bench.stop_requests import signals_held
from mho.instruments.bench_file.bench_file import BenchFile, BenchSource, CheckSettings, load_bench_file
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.plausibility import doubtful_limits
from mho.instruments.limits import RISE
from mho.instruments.opening.opening import bench_openers, need_instruments
from mho.instruments.roles import ArrayBoard, Cell, Reading, SourceMeter, SwitchMatrix, VoltageSource

__all__ = ["BenchReport", "CheckFinding", "check_bench"]

Verdict = Literal["ok", "note", "wrong"]

INTERLOCKED = 42.0  # V above which source-measure units require a closed interlock (2450, B2900)


class InspectionResult(NamedTuple):
    """Result of one inspection; `live` is whether an output, or the board, is on, and None for all else."""

    verdict: Verdict
    detail: str
    advice: str = ""
    live: bool | None = None


_ok, _note, _wrong = (partial(InspectionResult, verdict) for verdict in ("ok", "note", "wrong"))


def look_at_reading(bench: BenchFile) -> InspectionResult:
    """Check that the bench file's read settings are within its own limits; raises `LimitError`."""
    read = bench.read
    check_reading(bench.terminal_limits(), bench)
    gate = "" if not bench.instruments.serves("gate") else f"word line {read.gate:g} V, "
    return _ok(f"{read.voltage:g} V, {gate}at most {read.current_limit:g} A: within limits")


def _identity(bench: BenchFile, role: str, instrument: Any) -> InspectionResult:
    identity = instrument.identify()
    fields = [field.strip() for field in identity.split(",")]
    if len(fields) != 4:  # not IEEE 488.2: a DAQ
        return _ok(identity)
    maker, model, serial, firmware = fields
    return _ok(f"{maker} {model}, serial {serial}, firmware {firmware}")


def _errors(bench: BenchFile, role: str, instrument: Any) -> InspectionResult | None:
    whole = getattr(instrument, "parent", None) or instrument
    if not hasattr(whole, "found_errors"):
        return None  # it has no queue
    errors = whole.found_errors
    if errors is None:
        return _note("what was in the queue is gone unread", "look at the instrument's own event log")
    if errors:
        return _note(f"{len(errors)} in the queue, first {errors[0]}", "left by somebody else; taken out now")
    return _ok("none in the queue")


def _interlock(bench: BenchFile, role: str, instrument: Any) -> InspectionResult | None:
    closed = getattr(instrument, "interlock_closed", None)
    if closed is None or role in bench.instruments.beside:
        return None
    if closed:
        return _ok("closed")
    limit = bench.limits[_terminals(bench, role)[0]].voltage
    detail = f"open: more than {INTERLOCKED:g} V are refused"
    if limit > INTERLOCKED:
        return _wrong(detail, "close the fixture, or lower the limit in the bench file")
    return _note(detail, "no more is allowed here; close it all the same if the fixture has one")


def _abilities(bench: BenchFile, role: str, instrument: Any) -> InspectionResult | None:
    """Compare the bench file with the abilities of the instrument as its driver, or the driver's module, states them."""
    if role in bench.instruments.beside:  # it is wired to none of the bench's lines
        return None
    spans = {**vars(sys.modules[type(instrument).__module__]), **_stated_by(type(instrument))}
    able = {
        name: spans[name]
        for name in ("VOLTAGE", "LEVEL", "WIDTH", "CURRENT_LIMIT")
        if hasattr(spans.get(name), "unit")
    }
    if (abilities := getattr(instrument, "abilities", None)) is not None:  # of this model of a family
        able["WIDTH"] = abilities.width
    top = able.get("LEVEL") or able.get("VOLTAGE") or getattr(instrument, "voltage_span", None)
    most = top.maximum if top is not None else _output_range(role, instrument)
    beyond = []
    for terminal in _terminals(bench, role):
        limits = bench.terminal_limits().terminals.get(terminal)
        if limits is None:
            raise LimitError(f'{terminal} has no limits; add [limits."{terminal}"] to the bench file')
        if most is not None and limits.voltage > most:
            beyond.append(f"{terminal}: limit of {limits.voltage:g} V, the instrument gives {most:g} V")
        if role == "pulser" and RISE * limits.voltage / instrument.edge > limits.slew:
            steep = f"edges of {instrument.edge:g} s exceed the slew limit of {limits.slew:g} V/s"
            beyond.append(f"{terminal}: above {limits.slew * instrument.edge / RISE:.3g} V {steep}")
        if "WIDTH" in able and limits.pulse_width < able["WIDTH"].minimum:
            beyond.append(f"{terminal}: no pulse is as short as its limit of {limits.pulse_width:g} s")
    currents = {"smu": bench.row_current, "sink": bench.read.current_limit, "gate": bench.gate_current}
    if role in currents and "CURRENT_LIMIT" in able:
        span, asked = able["CURRENT_LIMIT"], currents[role]
        if not span.minimum <= asked <= span.maximum:
            advice = f"choose another `current_limit` in [{'instruments.gate' if role == 'gate' else 'read'}]"
            return _wrong(f"cannot limit the current to {asked:g} A", advice)
    if beyond:
        return _note("; ".join(beyond), "values in between will be refused before they are sent")
    return None if most is None else _ok(f"up to {most:g} V; the bench's limits are within")


def _stated_by(driver: type) -> dict[str, Any]:
    """Return the spans that a driver's class, or what it is made of, states."""
    return {
        name: one
        for base in reversed(driver.__mro__)
        for name, one in vars(base).items()
        if hasattr(one, "unit")
    }


def _output(bench: BenchFile, role: str, instrument: Any) -> InspectionResult | None:
    if role == "tester" and not hasattr(instrument, "output_enabled"):
        advice = "give its driver the property `output_enabled`: else it is not believed when it says that it is safe"
        return _note("cannot be asked", advice)
    if role in ("tester", "gate") and instrument.output_enabled is None:
        return _note("cannot be asked", "it cannot measure its own outputs: look with a voltmeter")
    asked = ("smu", "sink", "gate", "tester", "chuck", *bench.instruments.contacts)
    channels = [instrument] if role in asked else []
    if role == "pulser" and bench.instruments.pulser is not None:
        channels = [
            getattr(instrument, f"ch_{number}", instrument) for number in bench.instruments.pulser.channels
        ]
        if not all(hasattr(one, "output_enabled") for one in channels):  # of a class of one's own
            return _note(
                "cannot be asked",
                "give its driver the property `output_enabled`, which asks whether it is on",
            )
    if not channels:
        return None
    if any(channel.output_enabled for channel in channels):
        return _wrong("on", "left on by somebody: `mho bench safe` switches it off", live=True)
    return _ok("off", live=False)


def _state(bench: BenchFile, role: str, instrument: Any) -> InspectionResult | None:
    if role == "switch":
        closed = instrument.closed()
        if closed:
            return _note(f"{', '.join(closed)} closed", "left by somebody; `mho bench safe` opens them")
        return _ok("every crosspoint is open")
    if role == "chuck":
        if (check_loop := getattr(instrument, "check_loop", None)) is not None:
            check_loop()
        return _ok(f"{instrument.temperature():.2f} K")
    if role != "board":
        return None
    if not hasattr(instrument, "mode"):  # of a board of one's own
        on = read_back(role, instrument)
        if on is None:
            advice = "give its driver `standing_mode()`: else it is not believed when it says that it is safe"
            return _note("cannot be asked", advice)
        if on:
            return _wrong("not SAFE", "left by somebody: `mho bench safe` grounds it", live=True)
        return _ok("SAFE", live=False)
    if instrument.mode != "SAFE":
        return _wrong(f"mode {instrument.mode}, path {instrument.path}",
            "left by somebody: `mho bench safe` grounds it", live=True,
        )  # fmt: skip
    return _ok("SAFE", live=False)


LOOKS: Mapping[str, Callable[[BenchFile, str, Any], InspectionResult | None]] = {
    "identity": _identity, "errors": _errors, "interlock": _interlock, "limits": _abilities, "output": _output,
    "mode": _state,
}  # fmt: skip


def _terminals(bench: BenchFile, role: str) -> list[str]:
    tools = bench.instruments
    wired: dict[str, list[str]] = {"smu": ["bit line"], "gate": ["word line"], "daq": ["vector"]}
    wired |= {"sink": ["source line"]} | {line: [line] for line in tools.contacts}
    if tools.pulser is not None:
        wired["pulser"] = [*tools.pulser.channels.values()]
    return wired.get(role, [])


def _output_range(role: str, instrument: Any) -> float | None:
    """Return the smaller magnitude of a DAQ's output range limits, V."""
    bounds = (
        re.fullmatch(r"(\S+) V to (\S+) V", instrument.settings().get("output_range", ""))
        if role == "daq"
        else None
    )
    return None if bounds is None else min(-float(bounds[1]), float(bounds[2]))


VOLTAGES = (0.05, 0.1)  # V
CURRENT = 10e-6  # A
FAR = 10.0  # ratio to the resistor, either way, beyond which contact resistance is no explanation


class ContactCheck(StrEnum):
    """Possible results of a contact check."""

    OK = "ok"
    OPEN = "open"
    SHORT = "short"
    OFF = "off"


def classify_contact(
    readings: Sequence[Reading], resistor: float, tolerance: float
) -> tuple[ContactCheck, float]:
    """Classify a resistor (nominal, ohm) from readings at two voltages; `tolerance` is the relative deviation accepted.

    The resistance is returned as measured, ohm: 0 where a reading ran into its limit, infinite where nothing flows.
    """
    if any(reading.tripped or not math.isfinite(reading.current) for reading in readings):
        return ContactCheck.SHORT, 0.0
    (v1, i1), (v2, i2) = ((reading.voltage, reading.current) for reading in readings)
    resistance = (v2 - v1) / (i2 - i1) if i2 > i1 else math.inf
    if resistance > FAR * resistor or not resistance > 0.0:
        return ContactCheck.OPEN, math.inf if resistance <= 0.0 else resistance
    if resistance < resistor / FAR:
        return ContactCheck.SHORT, resistance
    right = abs(resistance / resistor - 1.0) <= tolerance
    return ContactCheck.OK if right else ContactCheck.OFF, resistance


def read_contact(
    bench: BenchFile, check: CheckSettings, smu: SourceMeter, gate: SourceMeter | VoltageSource | None,
    board: ArrayBoard | None, switch: SwitchMatrix | None = None, sink: SourceMeter | None = None,
) -> list[Reading]:  # fmt: skip
    """Take the two readings. The caller has checked that all outputs are off, and makes everything safe afterwards.

    Word line, board and switch matrix are not used when the resistor is not in a cell's place.

    `LimitError` when the bench's limits do not allow the readings; nothing is sent; `InstrumentError` when an
    instrument refuses or does not answer.
    """
    limits, read = bench.terminal_limits(), bench.read
    limits.check_level("bit line", max(VOLTAGES))
    limits.check_current("bit line", CURRENT)
    wiring = bench.instruments.cell_wiring
    smu.configure(current_limit=CURRENT, current_range=CURRENT, nplc=1.0)
    if check.cell is not None and wiring is not None and switch is not None:
        _, row, column = check.cell
        switch.open_all()
        switch.close_paths(sorted(wiring.crosspoints("READ", row, column)))
        if sink is not None:  # the cell's other end
            limits.check_current("source line", CURRENT)
            sink.configure(current_limit=CURRENT, current_range=CURRENT, nplc=1.0)
            sink.enable()
    if check.cell is None or gate is None or (board is None and wiring is None):
        smu.enable()
        return [smu.read(volts) for volts in VOLTAGES]
    limits.check_level("word line", read.gate)
    limits.check_current("word line", bench.gate_current)
    gate.configure(**gate_settings(bench))
    if board is None:
        gate.enable()
        gate.hold(read.gate)
        smu.enable()
        return [smu.read(volts) for volts in VOLTAGES]
    board.set_mode("PROGRAM")
    board.select(Cell(*check.cell))
    if switch is not None and bench.instruments.switch is not None:
        switch.open_all()
        switch.close_paths(sorted(bench.instruments.switch.crosspoints()["READ"]))
    gate.enable()
    gate.hold(read.gate)  # word line first, and off last
    smu.enable()
    board.route("READ")
    return [smu.read(volts) for volts in VOLTAGES]


ADVICE = {
    ContactCheck.SHORT: "look for a bridge between bit line and source line; do not mate a chip before it is gone",
    ContactCheck.OPEN: "check cables, probes and the socket, and that the resistor is where the bench file says",
    ContactCheck.OFF: "check the resistor's value in the bench file, and clean the contacts",
}


@dataclass(frozen=True)
class CheckFinding:
    """Result of one check."""

    subject: str  # role of the instrument, or ``bench``
    what: str  # subject of the check: connection, identity, errors…
    # "ok", "note", "wrong": a note is worth reading; a wrong result must be corrected before use
    verdict: Verdict
    detail: str  # what was found
    advice: str = ""  # what to do about it
    # Whether an output, or the board, is on. None where that could not be read, and for all other checks.
    live: bool | None = None
    title: str = ""  # of the subject, where the file calls it otherwise than its role


@dataclass(frozen=True)
class BenchReport:
    """The findings on a bench."""

    bench: str
    findings: tuple[CheckFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.verdict != "wrong" for finding in self.findings)


def check_bench(
    name: str = "simulated", *, preset: str | None = None, seed: int | None = None, force: bool = False
) -> BenchReport:
    """Open and check every instrument of a bench separately; a failure does not keep the others from being checked.

    `name`: a packaged bench or a bench file.
    `preset`, `seed`: of a simulated bench, as for `open_bench`. The known resistor is also on the simulated chip.
    `force`: report implausible limits as notes instead of as wrong.
    `BenchError` for a wrong bench file, or a bench in use.
    """
    return check_source(load_bench_file(name), preset=preset, seed=seed, force=force)


def check_source(
    source: BenchSource, *, preset: str | None = None, seed: int | None = None, force: bool = False
) -> BenchReport:
    """Check a bench file that is loaded, as `check_bench`."""
    need_instruments(source)
    check = source.bench.check
    with ExitStack() as stack:
        openers, laboratory = stack.enter_context(bench_openers(source, preset, seed))
        if laboratory is not None and check is not None and check.cell is not None:
            array, row, column = check.cell
            laboratory.chip.cells[array].fix((row, column), 1.0 / check.resistor)
        checker = _Checker(source, stack, force)
        checker.check(openers)
    titles = {role: source.bench.instruments.title(role) for role in openers}
    findings = (replace(one, title=titles.get(one.subject, "")) for one in checker.findings)
    return BenchReport(source.bench.name, tuple(findings))


class _Checker:
    """Performs the checks one by one and collects the findings."""

    def __init__(self, source: BenchSource, stack: ExitStack, force: bool = False) -> None:
        self.findings: list[CheckFinding] = []
        self._source, self._bench, self._stack = source, source.bench, stack
        self._opened: dict[str, Any] = {}
        self._force = force

    def check(self, openers: Mapping[str, Callable[[], Any]]) -> None:
        """Run all checks; the exit stack closes the instruments."""
        self._look("bench", "reading", lambda: look_at_reading(self._bench))
        self._look("bench", "limits", self._limits)
        for role, open_role in openers.items():
            self._check_instrument(role, open_role)
        reasons, left_on = self._live()
        if reasons:
            moved = "not tried: " + "; ".join(reasons)
            advice = f"{'`mho bench safe`' if left_on else 'mend the connection'}, then check again"
            if self._bench.instruments.board is not None:
                self.findings.append(CheckFinding("board", "switches", "note", moved, advice))
            if self._bench.check is not None:
                self.findings.append(CheckFinding("bench", "contact", "note", moved, advice))
            return
        if "board" in self._opened:
            self._look("board", "switches", self._switches)
        if "switch" in self._opened:
            self._look("switch", "relays", self._relays)
        self._look("bench", "contact", self._contact)

    def _limits(self) -> InspectionResult:
        doubts = doubtful_limits(self._source)
        if not doubts:
            return _ok("within what instruments deliver and cells bear, as far as known")
        advice = "correct what is a slip; --force insists, `insist = true` beside the limit for good"
        return InspectionResult("note" if self._force else "wrong", "; ".join(doubts), advice)

    def _check_instrument(self, role: str, open_role: Callable[[], Any]) -> None:
        def connect() -> InspectionResult:
            self._opened[role] = open_role()
            self._stack.callback(self._opened[role].close)
            return _ok("answers")

        self._look(role, "connection", connect)
        if role in self._opened:
            instrument = self._opened[role]
            for what, look in LOOKS.items():
                self._look(role, what, lambda look=look: look(self._bench, role, instrument))  # type: ignore[misc]

    def _look(self, subject: str, what: str, look: Callable[[], InspectionResult | None]) -> None:
        try:
            seen = look()
        except MhoError as error:
            problem, separator, advice = str(error).partition("; ")
            seen = _wrong(problem, advice if separator else "check cable, power and the bench file's entry")
        except Exception as error:  # a driver's bug must not keep the other instruments from being checked
            seen = _wrong(f"{type(error).__name__}: {error}", "this is a defect of the driver: report it")
        if seen is not None:
            self.findings.append(CheckFinding(subject, what, *seen))

    def _live(self) -> tuple[list[str], bool]:
        """Return why switches must not move (sources that may be on), and whether `mho bench safe` helps."""
        live = {(finding.subject, finding.what): finding.live for finding in self.findings}
        there = [
            role
            for role in ("smu", "sink", "gate", "pulser")
            if self._bench.instruments.entry(role) is not None
        ]
        outputs = {role: live.get((role, "output")) for role in there}
        reasons = [
            f"the output of {self._bench.instruments.title(role)} is {'on' if on else 'not known to be off'}"
            for role, on in outputs.items()
            if on is not False
        ]
        unsafe = "board" in self._opened and live.get(("board", "mode")) is not False
        if unsafe:
            reasons.append("the board is not SAFE")  # and the level of the DAQ's outputs is not known
        return reasons, unsafe or any(outputs.values())

    def _switches(self) -> InspectionResult:
        """Close every path once; the driver reads each back."""
        board = self._opened["board"]
        with self._safe_afterwards({"board": board}):
            board.set_mode("PROGRAM")
            board.select(self._some_cell())
            for path in ("READ", "SET", "RESET", "OPEN"):
                board.route(path)
        return _ok("every path closes and opens as read back; SAFE again")

    def _relays(self) -> InspectionResult:
        """Close the crosspoints of every path once; the driver reads each back."""
        switch, entry = self._opened["switch"], self._bench.instruments.switch
        assert entry is not None
        with self._safe_afterwards({"switch": switch}):
            switch.open_all()
            wiring = self._bench.instruments.cell_wiring
            paths = entry.crosspoints().values() if wiring is None else wiring.every_path()
            for crosspoints in paths:
                switch.close_paths(sorted(crosspoints))
                switch.open_all()
        return _ok("every path closes and opens as read back; all open again")

    def _some_cell(self) -> Cell:
        check = self._bench.check
        if check is not None and check.cell is not None:
            return Cell(*check.cell)
        return Cell(read_chip_text(self._source.chip_text, self._source.bench.chip).arrays[0].name, 0, 0)

    def _contact(self) -> InspectionResult:
        check = self._bench.check
        if check is None:
            return _note("no known resistor", "put one in and name it under [check] in the bench file")
        roles = ["smu"]
        if check.cell is not None:  # made safe in this order
            there = self._bench.instruments
            roles += [role for role in ("sink", "board", "gate", "switch") if there.entry(role) is not None]
        missing = [role for role in roles if role not in self._opened]
        if missing:
            named = ", ".join(map(self._bench.instruments.title, missing))
            return _wrong(f"not tried without {named}", "mend the connection first")
        used = {role: self._opened[role] for role in roles}
        with self._safe_afterwards(used):
            readings = read_contact(
                self._bench, check, used["smu"], used.get("gate"), used.get("board"), used.get("switch"),
                used.get("sink"),
            )  # fmt: skip
        contact, ohms = classify_contact(readings, check.resistor, check.tolerance)
        detail = f"{contact}: {ohms / 1e3:.4g} kohm where {check.resistor / 1e3:.4g} kohm are expected"
        if contact is ContactCheck.SHORT and not ohms:
            detail = f"{contact}: more than {CURRENT:g} A at {readings[-1].voltage:.2g} V"
        return InspectionResult(
            "ok" if contact is ContactCheck.OK else "wrong", detail, ADVICE.get(contact, "")
        )

    @contextmanager
    def _safe_afterwards(self, used: Mapping[str, Any]) -> Iterator[None]:
        """Use instruments, then make them safe; signals that would end the program are held back meanwhile."""
        with signals_held():
            try:
                yield
            finally:
                for role, error in make_safe(used).items():
                    self.findings.append(
                        CheckFinding(role, "safe", "wrong", str(error), "switch it off by hand")
                    )
