"""The bench by hand: what a person can do with each instrument and read of it, made from what it serves.

A touch is checked against the limits of the terminal, and against what a formed cell bears, before anything is sent. A cell
is connected with every source at 0 V. What a run does afterwards begins with the lines safe, see `Hands.rest`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mho.errors import InputError, InstrumentError, MhoError
from mho.instruments.bench import arguments as given
from mho.instruments.bench.bench import Bench
from mho.instruments.bench.protection import protect_chuck
from mho.instruments.bench.testers import ask
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.roles import Cell

FIRST_PULSE, FIRST_WIDTH = 0.1, 1e-6  # V and s: a form's first values
MOST_PULSES = 1_000_000
WATCH = "watch"
"""The touch by which an instrument is read again and again; whoever holds the bench does that."""


class Value(NamedTuple):
    """One value that a touch takes.

    Attributes
    ----------
    name, unit : str
        ``voltage`` in ``V``; "" for a pure number.
    first : float or str
        What a form shows first; text of a text.
    lowest, highest : float
        Limits of a number, in its unit.
    choices : tuple of str
        What a text may be; empty for any.
    whole : bool
        Whether a number has to be whole.
    """

    name: str
    unit: str
    first: float | str
    lowest: float = -math.inf
    highest: float = math.inf
    choices: tuple[str, ...] = ()
    whole: bool = False

    def checked(self, value: Any, who: str) -> float | str:
        """Return a value of this kind within its limits; `InputError` for any other."""
        if isinstance(self.first, str):
            if not isinstance(value, str) or (self.choices and value not in self.choices):
                there = f"; there are {', '.join(self.choices)}" if self.choices else "; give text"
                raise InputError(f"{who}: {self.name} is {value!r}{there}")
            return value
        number = given.finite(value, f"{who}: {self.name}", self.unit)
        if self.whole and number != int(number):
            raise InputError(f"{who}: {self.name} is {number:g}; give a whole number")
        if not self.lowest <= number <= self.highest:
            unit = f" {self.unit}" if self.unit else ""
            raise InputError(
                f"{who}: {self.name} is {number:g}{unit}, beyond {self.lowest:g} to {self.highest:g}{unit}"
            )
        return number


class Touched(NamedTuple):
    """What a touch came to: in words, and what was read by name, in the units of `Touchable.readings`."""

    words: str
    readings: Mapping[str, float] = {}


class Touch(NamedTuple):
    """One thing that can be done with an instrument by hand: a name, what it does in one line, and what it takes."""

    name: str
    tip: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Touchable:
    """An instrument as a person can use it.

    Attributes
    ----------
    role, title : str
        As the bench knows it, and as the bench file names it.
    terminals : str
        Where it leads.
    touches : tuple of Touch
    readings : mapping of str to str
        What can be read of it, each with its unit.
    beside : bool
        Whether it stands beside the bench: the run itself reads it.
    """

    role: str
    title: str
    terminals: str = ""
    touches: tuple[Touch, ...] = ()
    readings: Mapping[str, str] = field(default_factory=dict)
    beside: bool = False

    def touch(self, name: str) -> Touch:
        """Return the touch of that name; `InputError` where there is none."""
        for touch in self.touches:
            if touch.name == name:
                return touch
        raise InputError(
            f"{self.title} cannot {name!r}; it can {', '.join(one.name for one in self.touches)}"
        )


def touchables(file: BenchFile, chip_text: str) -> tuple[Touchable, ...]:
    """Return the instruments of a bench with what can be done by hand, from its description and chip map alone."""
    tools, arrays = file.instruments, given.shapes_of_arrays(chip_text)
    if file.simulation is not None and not file.simulation.instruments:
        return ()
    makers: dict[str, Callable[[], tuple[str, tuple[Touch, ...], Mapping[str, str]]]] = {
        "pulser": lambda: _of_pulser(file), "daq": lambda: _of_daq(file), "board": lambda: _of_board(file, arrays),
        "switch": lambda: _of_switch(file, arrays), "chuck": lambda: _of_chuck(file),
        "prober": lambda: _of_prober(file),
    }  # fmt: skip
    found = []
    for role, entry in tools.by_role().items():
        beside = role in tools.beside
        if beside:
            made: tuple[str, tuple[Touch, ...], Mapping[str, str]] = ("", (), entry.readings)
        elif role in ("smu", "sink", "gate") or role in tools.contacts:
            made = _of_source(file, role, entry)
        else:
            made = makers[role]() if role in makers else ("", (), {})
        terminals, touches, readings = made
        safe = () if beside or role in ("prober", "scope") else (Touch("off", "0 V and off, read back"),)
        look = Touch("look", "ask it who it is and how it is set; changes nothing")
        often = Touch(WATCH, "read it again and again", (Value("every", "s", 1.0, 0.0, 3600.0),))
        watch = (often,) if readings and not beside else ()
        found.append(
            Touchable(role, tools.title(role), terminals, (*touches, *safe, look, *watch), readings, beside)
        )
    return tuple(found)


def _of_source(file: BenchFile, role: str, entry: Any) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    line = str(entry.terminal)
    limits = file.terminal_limits().terminals.get(line)
    volts = math.inf if limits is None else limits.voltage
    amperes = math.inf if limits is None else limits.current
    usual = {"smu": file.row_current, "gate": file.gate_current}.get(role)
    limit = min(amperes, file.read.current_limit if usual is None else usual)
    compliance = Value("current_limit", "A", limit, 0.0, amperes)
    at = Value("voltage", "V", 0.0, -volts, volts)
    hold = Touch("source", f"hold a voltage at the {line}, output on", (at, compliance))
    if entry.kind == "voltage source":
        return line, (hold,), {}
    first = file.read.voltage if line == "bit line" else 0.0
    step = Touch(
        "measure", "step to a voltage, measure once, and go back to what is held",
        (Value("voltage", "V", first, -volts, volts), compliance),
    )  # fmt: skip
    # Others are not read again and again: a reading goes through 0 V, and a word line must not.
    return line, (hold, step), {"voltage": "V", "current": "A"} if role in ("smu", "sink") else {}


def _of_pulser(file: BenchFile) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    entry = file.instruments.pulser
    assert entry is not None
    lines = tuple(entry.channels.values())
    limits = [file.terminal_limits().terminals[line] for line in lines]
    highest = max(one.voltage for one in limits)
    longest = max(one.pulse_width for one in limits)
    return ", ".join(lines), (
        Touch(
            "pulse", "fire equal pulses from 0 V at one line",
            (
                Value("line", "", lines[0], choices=lines),
                Value("voltage", "V", FIRST_PULSE, -highest, highest),
                Value("width", "s", min(FIRST_WIDTH, longest), 0.0, longest),
                Value("count", "", 1.0, 1.0, MOST_PULSES, whole=True),
            ),
        ),
    ), {}  # fmt: skip


def _of_daq(file: BenchFile) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    if file.instruments.board_converts:
        return "vector", (), {}  # such converters play only into a block that is connected
    most = file.terminal_limits().highest("vector")
    tip = f"play one vector, at most {most:g} V, and read the inputs; all outputs end at 0 V"
    return "vector", (Touch("exchange", tip, (Value("voltages", "V", "0, 0"),)),), {}


def _of_cell(file: BenchFile, arrays: Mapping[str, tuple[int, int]]) -> Touch:
    names = tuple(arrays)
    rows, columns = (max(shape[axis] for shape in arrays.values()) - 1.0 for axis in (0, 1))
    highest = file.terminal_limits().highest("word line")
    gate = file.read.gate if file.instruments.serves("gate") else 0.0
    paths = ("READ", "SET", "RESET") if file.instruments.cell_wiring is None else ("READ",)
    return Touch(
        "connect", "take every source to 0 V and connect a cell, its word line on",
        (
            Value("array", "", names[0], choices=names),
            Value("row", "", 0.0, 0.0, rows, whole=True),
            Value("column", "", 0.0, 0.0, columns, whole=True),
            Value("path", "", paths[0], choices=paths),
            Value("gate", "V", gate, -highest, highest),
        ),
    )  # fmt: skip


def _of_board(
    file: BenchFile, arrays: Mapping[str, tuple[int, int]]
) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    return "", (_of_cell(file, arrays),), {}


def _of_switch(
    file: BenchFile, arrays: Mapping[str, tuple[int, int]]
) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    if file.instruments.cell_wiring is not None:
        return "lines of the chip", (_of_cell(file, arrays),), {}
    points = (Value("crosspoints", "", ""),)
    return "", (
        Touch("close", "close crosspoints, every source at 0 V, read back", points),
        Touch("open", "open crosspoints, every source at 0 V, read back", points),
    ), {}  # fmt: skip


def _of_chuck(file: BenchFile) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    entry = file.instruments.chuck
    assert entry is not None
    to = Value("temperature", "K", min(max(entry.lowest, 298.15), entry.highest), entry.lowest, entry.highest)
    ramp = Value("rate", "K/min", entry.ramp, 0.1, entry.ramp)
    touch = Touch("heat", "ramp to a temperature, and hold it until the heater is switched off", (to, ramp))
    return f"{entry.lowest:g} to {entry.highest:g} K", (touch,), {"temperature": "K"}


def _of_prober(file: BenchFile) -> tuple[str, tuple[Touch, ...], Mapping[str, str]]:
    entry = file.instruments.prober
    assert entry is not None
    die = Value("die", "", entry.dies[0] if entry.dies else "", choices=entry.dies)
    return "", (Touch("move", "probes up, another die under them, probes down, each read back", (die,)),), {}


class Hands:
    """Carries out touches on an open bench, and reads its instruments.

    Parameters
    ----------
    bench : Bench

    Attributes
    ----------
    touchables : dict of str to Touchable
        By role.
    touched : bool
        Whether anything but a look was done since the lines were last safe.
    now : callable
        Seconds on the bench's clock.
    """

    def __init__(self, bench: Bench) -> None:
        opened = bench.instruments.by_name()
        self.touchables = {
            one.role: one for one in touchables(bench.file, bench.chip_text) if one.role in opened
        }
        self.touched = False
        self._bench, self._opened = bench, opened
        self.now = bench.now
        self._volts: dict[str, float] = {}  # what each source holds that is on
        self._limits: dict[str, float] = {}  # with which compliance
        self._channels: set[int] = set()  # of the pulser, that are set up
        self._cell: Cell | None = None
        self._path = ""
        self._heated: tuple[float, float] | None = None  # temperature and rate, K and K/min
        self._tripped = False  # whether the last measurement ran into compliance

    def touch(self, role: str, name: str, values: Mapping[str, Any]) -> Touched:
        """Carry out one touch, and return what it came to.

        Parameters
        ----------
        role, name : str
            The instrument, and what to do.
        values : mapping
            By name, in the units of `Touch.values`; what is left out is as a form shows it first.

        Raises
        ------
        InputError, LimitError
            For what is not there, or not allowed; nothing is sent.
        InstrumentError, BenchError
            When the instrument refuses, or does not confirm; the lines are safe then.
        """
        one = self._find(role)
        touch = one.touch(name)
        unknown = set(values) - {value.name for value in touch.values}
        if unknown:
            raise InputError(f"{one.title}: {name} takes no {', '.join(sorted(unknown))}")
        checked = {
            value.name: value.checked(values.get(value.name, value.first), f"{one.title}, {name}")
            for value in touch.values
        }
        self._bench.checkpoint()
        acts: dict[str, Callable[..., Touched]] = {
            "source": self._source, "measure": self._measure, "pulse": self._pulse, "exchange": self._exchange,
            "connect": self._connect, "close": self._close, "open": self._open, "heat": self._heat,
            "move": self._move, "off": self._off, "look": self._look,
        }  # fmt: skip
        try:
            return acts[name](role, **checked)
        except MhoError as error:
            if isinstance(error, InstrumentError):  # how the instrument stands is not known any more
                self.rest()
            raise
        except Exception as error:  # a driver of the user's own may raise anything
            self.rest()
            raise InstrumentError(f"{one.title}: {name} failed ({type(error).__name__}: {error})") from error

    def interval(self, role: str, values: Mapping[str, Any]) -> float:
        """Return how often an instrument is to be read, s; 0 for not. `InputError` for one that has nothing to read."""
        one = self._find(role)
        (every,) = one.touch(WATCH).values
        return float(every.checked(values.get("every", every.first), f"{one.title}, {WATCH}"))

    def read(self, role: str) -> dict[str, float]:
        """Return the present readings of an instrument by name, in their units; NaN for what it cannot say now."""
        one, instrument = self._find(role), self._opened[role]
        if role == "chuck":
            kelvin = float(instrument.temperature())  # type: ignore[attr-defined]
            on = getattr(instrument, "output_enabled", True)
            self._bench.note_state("chuck", f"ON, {kelvin:.2f} K" if on else "off")
            return {"temperature": kelvin}
        if one.readings and not one.beside:
            if role not in self._volts:
                return dict.fromkeys(one.readings, math.nan)
            return self._measured(role, self._volts[role])
        return dict.fromkeys(one.readings, math.nan)

    def rest(self) -> None:
        """Take what was touched to 0 V and off, confirmed, so that a run can begin; a chuck keeps its temperature."""
        if self.touched:
            self._bench.forget()
            self._bench.rest()
            self._forget()

    def heat_again(self) -> None:
        """Go on heating what was heated by hand: a run that has ended has switched the heater off."""
        if self._heated is not None:
            self._opened["chuck"].ramp_to(*self._heated)  # type: ignore[attr-defined]
            self._bench.note_state("chuck", None)

    def _forget(self) -> None:
        self.touched = False
        self._volts, self._limits, self._channels, self._cell = {}, {}, set(), None

    def _find(self, role: str) -> Touchable:
        if role not in self.touchables:
            there = ", ".join(self.touchables) or "none of it can be used by hand"
            raise InputError(f"the bench has no instrument {role!r}; there are {there}")
        return self.touchables[role]

    # --- what is done ---

    def _look(self, role: str) -> Touched:
        instrument = self._opened[role]
        identity, settings = ask(instrument, "identify"), ask(instrument, "settings")
        told = (f"{name.replace('_', ' ')} {value}" for name, value in settings.items() if value)
        return Touched("; ".join([str(identity), *told]))

    def _off(self, role: str) -> Touched:
        if role in ("board", "switch", "tester"):
            self.touched = True  # relays move only with all sources at 0 V
            self.rest()
            return Touched("every source is off, the lines are apart, read back")
        if role == "chuck":
            self._heated = None
        instrument = self._opened[role]
        for source, volts in self._volts.items():
            if volts and role in (source, "gate"):  # nothing is driven past a word line that floats
                self._opened[source].hold(0.0)  # type: ignore[attr-defined]
                self._volts[source] = 0.0
                self._bench.note_state(source, "ON, 0 V")
        self._volts.pop(role, None)
        self._limits.pop(role, None)
        if role == "pulser":
            self._channels = set()
        self._bench.note_state(role, None)
        instrument.make_safe()
        self._bench.note_state(role, "off")
        return Touched("off, read back")

    def _source(self, role: str, voltage: float, current_limit: float) -> Touched:
        bench = self._bench
        self._switch_on(role, voltage, current_limit)
        bench.note_state(role, None)
        self._opened[role].hold(voltage)  # type: ignore[attr-defined]
        self._volts[role] = voltage
        bench.note_state(role, f"ON, {voltage:g} V")
        return Touched(f"holds {voltage:g} V, at most {current_limit:g} A")

    def _measure(self, role: str, voltage: float, current_limit: float) -> Touched:
        self._switch_on(role, voltage, current_limit)
        reading = self._measured(role, voltage)
        tripped = "; in compliance" if self._tripped else ""
        return Touched(f"{reading['current']:.6g} A at {reading['voltage']:.6g} V{tripped}", reading)

    def _permit(self, line: str, volts: float, *, once: bool = False) -> None:
        """Raise `LimitError` where the cell that is connected, or any, does not bear a voltage at a line; note it."""
        forming = self._bench.forming
        if line not in forming.bears:  # the word line, and further terminals
            return
        if self._cell is None:
            forming.check(line, volts)
            return
        forming.permit_one(self._cell, line, volts, once=once)
        self._bench.damage.acts += 1
        self._bench.damage.note_voltage(self._cell, line, volts)

    def _check_gate(self, role: str) -> None:
        """Refuse a source at a device whose word line floats; where a board connects the cell, that holds it."""
        one_device = self._bench.file.instruments.one_device
        if one_device and role != "gate" and "gate" in self.touchables and "gate" not in self._volts:
            gate = self.touchables["gate"].title
            raise InputError(f"the word line floats, for {gate} is off: source there first, 0 V or more")

    def _switch_on(self, role: str, voltage: float, current_limit: float) -> None:
        """Switch a source on with a compliance (A), if a voltage may be; nothing is sent for what is so already."""
        line, limits = self.touchables[role].terminals, self._bench.limits
        for before in {0.0, self._volts.get(role, 0.0)}:
            limits.check_level(line, voltage, before)
        limits.check_current(line, current_limit)
        self._permit(line, voltage)
        self._check_gate(role)
        self.touched = True
        if self._limits.get(role) == current_limit:
            return
        instrument: Any = self._opened[role]
        settings = {"current_limit": current_limit}
        if self._bench.file.instruments.by_role()[role].kind == "source meter":
            read = self._bench.file.read
            settings |= {"current_range": current_limit, "nplc": read.nplc}
        instrument.configure(**settings)
        if role not in self._volts:
            instrument.enable()
            self._volts[role] = 0.0
        self._limits[role] = current_limit

    def _measured(self, role: str, voltage: float) -> dict[str, float]:
        """Measure at a voltage, and go back to what is held; a current beyond the range is NaN."""
        instrument: Any = self._opened[role]
        reading = instrument.read(voltage)
        held = self._volts.get(role, 0.0)
        if held:
            instrument.hold(held)
        self._bench.note_state(role, f"ON, {held:g} V")
        self._tripped = bool(reading.tripped)
        current = float(reading.current) if math.isfinite(reading.current) else math.nan
        if self._cell is not None and role == "smu":
            self._bench.damage.note_current(self._cell, current)
        return {"voltage": float(reading.voltage), "current": current}

    def _pulse(self, role: str, line: str, voltage: float, width: float, count: float) -> Touched:
        times = int(count)
        entry, pulser = self._bench.file.instruments.pulser, self._opened[role]
        assert entry is not None
        channel = next(number for number, name in entry.channels.items() if name == line)
        self._bench.limits.check_pulse(line, voltage, width, pulser.edge)  # type: ignore[attr-defined]
        self._permit(line, voltage, once=times == 1)
        self._check_gate(role)
        self.touched = True
        self._bench.note_state(role, None)
        if channel not in self._channels:
            pulser.configure(channel)  # type: ignore[attr-defined]
            self._channels.add(channel)
        pulser.shape(channel, voltage=voltage, width=width)  # type: ignore[attr-defined]
        pulser.fire(channel, times)  # type: ignore[attr-defined]
        self._bench.note_state(role, "ON, at rest at 0 V")
        reached = "no cell is connected"
        if self._cell is not None:
            reached = (
                f"connected is {self._cell.array}[{self._cell.row}, {self._cell.column}] by {self._path}"
            )
        return Touched(f"{times} of {voltage:g} V, {width:g} s, at the {line}; {reached}")

    def _exchange(self, role: str, voltages: str) -> Touched:
        try:
            volts = np.array([[float(one) for one in voltages.split(",")]])
        except ValueError:
            raise InputError(
                f"voltages are {voltages!r}; give numbers with commas between them, in V"
            ) from None
        daq: Any = self._opened[role]
        if not np.isfinite(volts).all() or volts.shape[1] > daq.output_count:
            raise InputError(
                f"{volts.shape[1]} voltages are given; give at most {daq.output_count}, each a finite number of volts"
            )
        self._bench.limits.check_vectors("vector", volts, lambda: daq.sample_period)
        self.touched = True
        answers = daq.exchange(volts)
        self._bench.note_state(role, "off")
        return Touched("inputs " + ", ".join(f"{one:.5g}" for one in answers[0]) + " V")

    def _connect(self, role: str, array: str, row: float, column: float, path: Any, gate: float) -> Touched:
        shapes = given.shapes_of_arrays(self._bench.chip_text)
        cell = given.cell(Cell(array, int(row), int(column)), shapes)  # the arrays may differ in size
        self.rest()
        self.touched = True
        self._bench.connect(cell, path, gate)
        self._cell, self._path = cell, path
        for source in ("smu", "gate"):  # they are on now, as for a read
            if source in self.touchables:
                self._volts[source] = gate if source == "gate" else 0.0
        return Touched(f"{array}[{cell.row}, {cell.column}] by {path}, word line at {gate:g} V")

    def _close(self, role: str, crosspoints: str) -> Touched:
        return self._move_relays(role, "close_paths", crosspoints)

    def _open(self, role: str, crosspoints: str) -> Touched:
        return self._move_relays(role, "open_paths", crosspoints)

    def _move_relays(self, role: str, method: str, crosspoints: str) -> Touched:
        points = [one.strip() for one in crosspoints.split(",") if one.strip()]
        if not points:
            raise InputError("no crosspoint is given; give some, as 1A03, 1B04")
        live = [self.touchables[source].title for source, volts in self._volts.items() if volts]
        if live:
            raise InputError(
                f"{' and '.join(live)} are not at 0 V, and a relay that moves under a voltage may weld: switch them off "
                "first"
            )
        switch: Any = self._opened[role]
        self._cell = None
        self.touched = True
        getattr(switch, method)(points)
        closed = switch.closed()
        return Touched(f"closed: {', '.join(closed) or 'none'}")

    def _heat(self, role: str, temperature: float, rate: float) -> Touched:
        entry, chuck = self._bench.file.instruments.chuck, self._opened[role]
        assert entry is not None
        entry.check(temperature)
        protect_chuck(chuck, entry)  # type: ignore[arg-type]
        self._bench.note_state("chuck", None)
        chuck.ramp_to(temperature, rate)  # type: ignore[attr-defined]
        self._heated = temperature, rate
        read = self.read(role)
        kelvin = read["temperature"]
        return Touched(f"ramps from {kelvin:.2f} K to {temperature:g} K at {rate:g} K/min", read)

    def _move(self, role: str, die: str) -> Touched:
        self._forget()
        self._bench.position(die)
        return Touched(f"die {die} is under the probes, and they touch")
