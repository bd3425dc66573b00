"""The bench: all instruments together as a procedure uses them, operated in an order that protects the chip."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar
from weakref import proxy

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError, InputError
from mho.instruments.bench import arguments as given
from mho.instruments.bench.arguments import CellChecks
from mho.instruments.bench.cell_connection import (
    REST,
    CellLines,
    Drive,
    MatrixLines,
    check_levels,
    conductance,
    drives,
    gate_settings,
)
from mho.instruments.bench.cell_record import FormingRecord, PulseDamage
from mho.instruments.bench.guarded_bench import GuardedBench
from mho.instruments.bench.instruments import BenchInstruments, Simulated, operators
from mho.instruments.bench.protection import Every, Watchdog, every, protect
from mho.instruments.bench.reconnection import once_more
from mho.instruments.bench.stand_ins import MeterPulses, NoProgrammer
from mho.instruments.bench.vectors import CellwiseProducts, Index, OnVectors, Vectors, inverse_zero, unheard
from mho.instruments.bench_file.bench_file import BenchFile, BenchSource, ReadSettings
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.operations import check_operations
from mho.instruments.limits import Limits
from mho.instruments.roles import Cell, Mode, Observation, Path, ProgrammedCell, Pulse, PulseTrace, Reading

if TYPE_CHECKING:  # for type checking only: a bench of real instruments does not load the twins
    from mho.instruments.laboratory.laboratory import Laboratory

T = TypeVar("T")

NOTHING: frozenset[str] = frozenset()  # no crosspoint
# What a closed bench still does: it sends nothing, or says that nothing can be sent
AFTER_CLOSING = {"close", "safe", "forget", "states", "live", "note_state", "standing"}
MOST_SAMPLES = 10**6  # of a channel of an oscilloscope
BETWEEN_VECTORS = "0 V between vectors"  # where an exchange ends


class Bench(GuardedBench):
    """All instruments of a bench: reads, pulses, multiplies and inverts within the limits of the bench file.

    Use it as a context manager: leaving it always makes the bench safe. `open_bench` returns one.

    Attributes
    ----------
    file : BenchFile
        The checked bench description.
    text, chip_text, defects_text : str
        The bench file, the chip map and the list of its defects ("" for none) as written, for the run file.
    now : callable
        Seconds on the bench's clock since it was opened; virtual on a simulated bench.
    laboratory : Laboratory or None
        The simulated laboratory behind simulated instruments.
    simulated : Simulated or None
        The chip, clock and seed of any simulated bench; None with real instruments.
    forming : FormingRecord
        Which cells have been formed, and what these bear.
    checkpoint : callable
        Called by `read`, `sweep`, `pulse`, `multiply` and `invert` before anything is sent. The caller of a procedure
        may pause there (`rest`, then wait) or raise an exception that ends it. By default it does nothing.
    on_vectors : callable
        Told of every exchange of `multiply` and `invert`: mode, voltages, answers. By default it does nothing.
    damage : PulseDamage
        The cells that its pulses and levels have destroyed.
    programs : bool
        Whether the chip programs cells by itself: `program` then, in place of write-verify.

    Examples
    --------
    >>> with mho.open_bench("simulated", seed=1) as bench:
    ...     bench.pulse(mho.Cell("multiply", 0, 0), mho.Pulse("set", 3.5, 1e-6, gate=1.6))
    ...     seconds = bench.now()
    >>> seconds > 0.0
    True
    """

    def __init__(
        self, source: BenchSource, instruments: BenchInstruments, *,
        now: Callable[[], float] = time.monotonic, laboratory: Laboratory | None = None,
        simulated: Simulated | None = None, limits: Limits | None = None,
        release: Callable[[], None] = lambda: None, every: Every = every,
    ) -> None:  # fmt: skip
        self.file: BenchFile = source.bench
        self.text, self.chip_text, self.defects_text = source.text, source.chip_text, source.defects_text
        self._limits = source.bench.terminal_limits() if limits is None else limits
        self._arrays = given.shapes_of_arrays(source.chip_text)
        # A simulated chip is drawn anew, with no cell formed, whatever a list says of the chip that it stands for.
        known = source.defects_text if source.bench.simulation is None else ""
        self._insisted = {terminal for terminal, entry in source.bench.limits.items() if entry.insist}
        self.forming = FormingRecord(source.chip_text, known, self._insisted)
        self._dies: dict[str, FormingRecord] = {}  # of those that a prober has brought
        board = source.bench.instruments.board
        watchdog = Watchdog(instruments.board, None if board is None else board.watchdog, every, now)
        super().__init__(instruments, watchdog, release, now, source.bench.instruments.title)
        self.laboratory = laboratory
        self.simulated: Simulated | None = laboratory if simulated is None else simulated
        cells = read_chip_text(source.chip_text).cells
        self.damage = PulseDamage(self.simulated, cells.bears | cells.bears_formed)
        self.checkpoint: Callable[[], None] = lambda: None
        self.on_vectors: OnVectors = unheard
        self._mode: Mode | Literal[""] = ""
        self._last: Reading | None = None
        self._meter: ReadSettings = source.bench.read
        switch = source.bench.instruments.switch
        self._crosspoints = switch.crosspoints() if switch is not None else {}
        tools = self._tools = operators(instruments, source.bench, self._let_pass)
        if laboratory is not None and isinstance(tools.pulser, MeterPulses):
            tools.pulser.applied = laboratory.monitor.count_meter_pulses
        self._checks = CellChecks(self._limits, tools, source.bench)
        self.programs = instruments.tester is not None and source.bench.instruments.by_tester("program")
        lines = CellLines if source.bench.instruments.cell_wiring is None else MatrixLines
        self._cells = lines(tools, self._crosspoints, self._limits, self._states)
        self._hold_contacts: Callable[[], None] = lambda: None
        if instruments.contacts:
            from mho.instruments.bench.contacts import HeldContacts  # only benches with some

            self._hold_contacts = HeldContacts(instruments, source.bench, self._limits, self._states).hold
        bench = proxy(self)  # a bench that refers to itself would keep its chip until the collector runs
        self._vectors: Vectors | CellwiseProducts = Vectors(
            tools.daq, tools.board, self._limits, lambda mode: bool(bench._enter(mode)),
            inverse_zero(source.bench),
        )  # fmt: skip
        if "multiply" in source.bench.instruments.composed():
            self._vectors = CellwiseProducts(lambda cell: float(bench.read(cell)), source.bench.name)
        self._drives = drives(source.bench)
        self._reader, self._pulsing, self._player = (tools.roles[one] for one in ("smu", "pulser", "daq"))

    @property
    def limits(self) -> Limits:
        """The limits of the terminals; fixed while the bench is open."""
        return self._limits

    def close(self) -> None:
        """Release the connections and the lock, and refuse what the bench could do; changes no output.

        An armed watchdog is no longer fed. From here on every operation raises `BenchError`.
        """
        name = self.file.name

        def refused(*arguments: object, **named: object) -> NoReturn:
            raise BenchError(f"bench {name!r} is closed, and does nothing any more; open it again")

        # Bound here, not asked in every operation: an open bench pays nothing for it.
        for operation in dir(type(self)):
            acts = not operation.startswith(("_", "check_")) and operation not in AFTER_CLOSING
            if acts and isinstance(getattr(type(self), operation), FunctionType):
                setattr(self, operation, refused)
        self.checkpoint = refused  # of a visit that has begun
        super().close()

    # --- time and rest ---

    def _let_pass(self, seconds: float) -> None:
        if self.simulated is not None:
            self.simulated.clock.advance(seconds)
        else:
            time.sleep(seconds)

    def wait_until(self, moment: float) -> None:
        """Wait until `moment` on the bench's clock (s); a simulated bench advances its clock at once."""
        moment = given.finite(moment, "moment to wait for", "s")
        self.checkpoint()
        while (left := moment - self.now()) > 0.0:
            if self.simulated is not None:
                self.simulated.clock.advance(left)
            else:
                time.sleep(min(left, 0.05))
            self.checkpoint()

    def forget(self) -> None:
        """Discard what is known of the setup, so that the next use prepares the bench anew."""
        self._mode = ""
        self._states.forget()
        self._cells.forget()
        self._vectors.forget()

    def rest(self) -> None:
        """Take the outputs to their idle state, for a pause; the next operation restores what it needs.

        With a cell connected, the bench opens the path, confirms this by read-back, and takes the source-measure unit and
        the word line to 0 V with outputs on. A connected block is disconnected and all lines are grounded; `multiply` and
        `invert` connect it again. A bench that was not used since it was opened or made safe is made safe. A chuck keeps
        its temperature.

        Raises `InstrumentError` or `BenchError` when an instrument refuses or does not confirm this.
        """

        once_more(self._rest)

    def _rest(self) -> None:
        if not self._mode:
            self.forget()
            self._make_lines_safe()
        elif self._mode == "PROGRAM":
            self._cells.idle()
            self._cells.switch_to(NOTHING)
        elif self._mode != "SAFE":
            self._enter("SAFE")

    def standing(self) -> dict[str, str]:
        """Return the state of each role's output in words, as known from `states`, or ``unknown``."""
        words = {role: state.value for role, state in self.states().items()}
        if self._mode == "PROGRAM" and "board" in words:
            words["board"] += f", {self._cells.where()}"
        if self._last is not None and self._reader in words:
            words[self._reader] += (
                f"; last read {self._last.voltage:.3g} V, {1e6 * self._last.current:.3g} µA"
            )
        return words

    # --- cells ---

    def prepare(self) -> None:
        """Set up reading and pulsing: current limits read back, outputs on at 0 V, then the board in PROGRAM mode."""
        self.check_read()
        self._watchdog.arm()
        protect(self.instruments, self.file, self.limits)
        self._hold_contacts()
        channels = sorted({drive.channel for drive in self._drives.values()})
        self._cells.prepare(self.file.read, gate_settings(self.file), channels)
        self._mode = "PROGRAM"
        if self._meter is not self.file.read:
            self._set_meter(self._meter)
        self._states.note("board", "PROGRAM", "read")

    def read(self, cell: Cell, voltage: float | None = None) -> float:
        """Return the conductance (S) of one cell at `voltage` (V, default the bench's read voltage), word line on.

        Raises
        ------
        InputError, LimitError
            When there is no such cell, or the voltage is no number or not allowed on the bit line; nothing is sent.
        BenchError
            When the reading ran into compliance, overflowed its range, or was not taken at the read voltage.
        """
        cell, settings = given.cell(cell, self._arrays), self.file.read
        volts = settings.voltage if voltage is None else self._checks.read_voltage(voltage)
        self.forming.check("bit line", volts)
        self.checkpoint()
        reading = self._last = once_more(self._read, cell, settings.gate, volts)
        self._saw(cell, reading, volts)
        return conductance(cell, reading, volts, self._meter)

    def measure(self, cell: Cell, voltage: float | None = None, gate: float | None = None) -> Reading:
        """Return one reading of a cell as it came: in compliance or beyond the range, which `read` refuses, it is a result.

        Parameters
        ----------
        cell : Cell
        voltage, gate : float, optional
            At bit line and word line, V; without them the bench's for reads. The current is NaN beyond the range.

        Raises
        ------
        InputError, LimitError
            As `read`, and for a word-line voltage that is not allowed; nothing is sent.
        BenchError
            When the reading was not taken at its voltage without being limited.
        """
        cell = given.cell(cell, self._arrays)
        volts = self._checks.read_voltage(voltage)
        gate = self.file.read.gate if gate is None else given.number(gate, "word-line voltage", "V")
        self._checks.gate(gate)
        self.forming.check("bit line", volts)
        self.checkpoint()
        self.damage.note_voltage(cell, "bit line", volts)
        reading = self._last = once_more(self._read, cell, gate, volts)
        check_levels(cell, [reading], [volts])
        self.damage.note_current(cell, reading.current)
        if gate >= self.file.read.gate:
            self._saw(cell, reading, volts)
        return reading

    def _saw(self, cell: Cell, reading: Reading, volts: float) -> None:
        """Let the record of formed cells take a reading; one in compliance, or beyond the range, conducts."""
        if reading.tripped or not math.isfinite(reading.current):
            self.forming.saw_one(cell, math.inf)
        elif abs(reading.voltage - volts) <= 0.1 * abs(volts):
            self.forming.saw_one(cell, reading.current / reading.voltage)

    @contextmanager
    def metering(
        self, *, current_limit: float | None = None, current_range: float | None = None,
        nplc: float | None = None,
    ) -> Iterator[None]:  # fmt: skip
        """Within the block, cells are read and swept with another compliance (A), range (A) or integration time (cycles).

        What is left out stays the bench file's. Raises `LimitError` for a compliance beyond the limit of the bit line.
        """
        changed = {"current_limit": current_limit, "current_range": current_range, "nplc": nplc}
        changes = {name: value for name, value in changed.items() if value is not None}
        before, settings = self._meter, self.file.read.model_copy(update=changes)
        self.limits.check_current("bit line", settings.current_limit)
        try:
            once_more(self._set_meter, settings)
            yield
        except BaseException:
            self._meter, self._mode = before, ""  # whatever comes next prepares the bench anew
            raise
        once_more(self._set_meter, before)

    def _set_meter(self, meter: ReadSettings) -> None:
        """Set the source-measure unit as the present block wants it; one that is not prepared yet will be."""
        self._meter = meter
        if self._mode == "PROGRAM":
            self._tools.smu.configure(
                current_limit=meter.current_limit, current_range=meter.current_range, nplc=meter.nplc
            )

    def read_list(
        self, cell: Cell, count: int, voltage: float | None = None, *, delay: float = 0.0
    ) -> Floats:
        """Return conductances (S) of one cell, read `count` times at the source-measure unit's own speed, or one by one.

        `count` is 1 to 2500; each waits `delay` (s) first. One `read` precedes them, see `sweep`. Errors as `read`: one
        bad reading fails them all.
        """
        count = given.count(count, "count of reads", given.MOST_LEVELS)
        volts = self._checks.read_voltage(voltage)
        if not self.file.instruments.serves("sweep"):
            return np.array([self._read_after(delay, cell, volts) for _ in range(count)])
        readings = self.sweep(cell, [volts] * count, delay=delay)
        return np.array([conductance(cell, reading, volts, self._meter) for reading in readings])

    def _read_after(self, delay: float, cell: Cell, volts: float) -> float:
        self._let_pass(delay)
        return self.read(cell, volts)

    def _read(self, cell: Cell, gate: float, volts: float) -> Reading:
        self._program(cell, "READ", gate)
        reading: Reading = self._act(self._reader, REST, self._tools.smu.read, volts)
        return reading

    def sweep(
        self, cell: Cell, volts: Sequence[float], *, gate: float | None = None, delay: float = 0.0
    ) -> list[Reading]:
        """Sweep one cell through `volts` (V), timed by the source-measure unit; one message starts all points.

        One read at the bench's read voltage precedes it: a sweep would switch on an output that was switched off
        by hand.

        Parameters
        ----------
        cell : Cell
        volts : sequence of float
            Levels at the bit line, 1 to 2500; the unit returns to 0 V after the last.
        gate : float, optional
            Word-line voltage, V; without it, the bench's for reads.
        delay : float
            Wait at each level before it is measured, s.

        Returns
        -------
        list of Reading
            One per level. A point in compliance is marked as such; it is a result here, not an error.

        Raises
        ------
        InputError, LimitError
            When there is no such cell, or a level, the gate or the delay is invalid or not allowed; nothing is sent.
        BenchError
            When points are missing or were not taken at their levels.
        """
        cell = given.cell(cell, self._arrays)
        gate = self.file.read.gate if gate is None else given.number(gate, "word-line voltage", "V")
        delay = given.finite(delay, "wait at each level", "s", least=0.0)
        self.check_read()
        volts = self._checks.sweep(volts, gate, delay)
        self.forming.permit_one(cell, "bit line", max(volts, key=abs), once=False)
        self.checkpoint()
        low = self.file.read.voltage
        check_levels(cell, [once_more(self._read, cell, gate, low)], [low])
        highest = max(map(abs, volts))
        self.damage.acts += highest > low
        self.damage.note_voltage(cell, "bit line", highest)
        readings: list[Reading] = self._act(self._reader, REST, lambda: self._tools.smu.sweep(volts, delay))
        check_levels(cell, readings, volts)
        self.damage.note_current(cell, max(abs(one.current) for one in readings))
        self._last = readings[-1]
        return readings

    def check_sweep(self, volts: Sequence[float], gate: float) -> list[float]:
        """Return the levels of a sweep through `volts` (V) at this `gate` (V); nothing is sent.

        Raises `InputError` for what is no list of voltages, and `LimitError` for what is not allowed on a formed cell.
        """
        levels = self._checks.sweep(volts, gate)
        self.forming.check("bit line", max(levels, key=abs))
        return levels

    def pulse(self, cell: Cell, pulse: Pulse, count: int = 1) -> None:
        """Apply `count` equal pulses: word line on first, then the path closed at 0 V, then the pulses as one burst.

        Raises `InputError` for an invalid cell, pulse or count, and `LimitError` beyond a limit, or beyond what a formed
        cell bears on one that is formed, or may be; then nothing is sent.
        """
        cell = given.cell(cell, self._arrays)
        count = given.count(count, "count of pulses")
        pulse = self._checks.pulse(pulse, count)
        line = given.LINES[pulse.kind]
        self.forming.permit_one(cell, line, pulse.voltage, once=count == 1)
        self.checkpoint()

        self.damage.acts += 1
        self.damage.note_voltage(cell, line, pulse.voltage)
        drive = self._drives[pulse.kind]
        once_more(self._aim, cell, pulse, drive)
        self._act(self._pulsing, REST, self._tools.pulser.fire, drive.channel, count)

    def pulse_measured(self, cell: Cell, pulse: Pulse, *, samples: int = 100) -> PulseTrace:
        """Apply one pulse and measure the current while it lasts; by the bit line, a RESET pulse is a negative one.

        Parameters
        ----------
        cell : Cell
        pulse : Pulse
        samples : int
            Measurements within the pulse, 1 to 2500.

        Returns
        -------
        PulseTrace
            Times (s), voltages (V) and currents (A), (samples,) each.

        Raises
        ------
        InputError, LimitError
            As `pulse`, and for a pulse too short for so many measurements; then nothing is sent.
        BenchError
            When nothing serves `pulse_measured`, or the pulse was not measured as asked.
        """
        cell = given.cell(cell, self._arrays)
        samples = given.count(samples, "count of samples", given.MOST_LEVELS)
        pulse = self._checks.measured_pulse(pulse, samples)
        line = given.LINES[pulse.kind]
        self.forming.permit_one(cell, line, pulse.voltage, once=True)
        self.checkpoint()
        self.damage.acts += 1
        self.damage.note_voltage(cell, line, pulse.voltage)
        once_more(self._program, cell, "READ", pulse.gate)
        volts = pulse.voltage if pulse.kind == "set" else -pulse.voltage
        measure = self._tools.measurer.pulse_measured
        trace: PulseTrace = self._act(
            self._tools.roles["measurer"], REST, measure, volts, pulse.width, samples
        )
        self.damage.note_current(cell, float(np.abs(trace.amps).max()))
        return trace

    def _aim(self, cell: Cell, pulse: Pulse, drive: Drive) -> None:
        self._program(cell, drive.path, pulse.gate)
        self._tools.pulser.shape(drive.channel, voltage=drive.sign * pulse.voltage, width=pulse.width)

    def program(self, cell: Cell, target: float, tolerance: float) -> ProgrammedCell:
        """Have a chip with write-verify of its own bring a cell to a conductance; return what it read at the end.

        A cell that is not known as formed is read first, and formed where it does not conduct and the chip forms cells by
        itself. One that cannot be formed, or does not reach its window, is no error: `reached` says it.

        Parameters
        ----------
        cell : Cell
        target, tolerance : float
            Conductance and half width of its window, S.

        Raises
        ------
        InputError, LimitError
            When there is no such cell, the chip has no level there, or it applies pulses that the limits, or a formed cell,
            do not allow; nothing is sent.
        InstrumentError
            When the chip does not answer, or answers nonsense.
        BenchError
            When nothing on the bench serves `program`, or the chip does not say what it applies.
        """
        cell = given.cell(cell, self._arrays)
        target = given.finite(target, "target conductance", "S", least=0.0)
        tolerance = given.finite(tolerance, "tolerance of a target conductance", "S", least=0.0)
        self.check_program()
        chip, before = self._programmer, 0
        if chip.forms and not self.forming.is_formed(cell):
            self.measure(cell)
            if not self.forming.is_formed(cell):
                formed = self._by_itself(cell, "forming_pulses", chip.form)
                if not formed.reached:
                    return formed
                before = formed.pulses
        answer = self._by_itself(cell, "program_pulses", chip.program, target, tolerance)
        return answer._replace(pulses=before + answer.pulses)

    def _by_itself(
        self, cell: Cell, attribute: str, act: Callable[..., ProgrammedCell], *aims: float
    ) -> ProgrammedCell:
        """Let the chip pulse a cell, with verify reads of its own after each pulse."""
        pulses = self._programmer.largest(attribute)
        for pulse in pulses:
            self.forming.permit_one(cell, given.LINES[pulse.kind], pulse.voltage)
        self.checkpoint()

        self.damage.acts += 1
        for pulse in pulses:
            self.damage.note_voltage(cell, given.LINES[pulse.kind], pulse.voltage)
        once_more(self._program, cell, "READ", 0.0)
        answer: ProgrammedCell = self._act("tester", REST, act, *aims)
        self.forming.saw_one(cell, answer.conductance)
        return answer

    @property
    def _programmer(self) -> Any:
        return self._tools.programmer or NoProgrammer(self.file.name)

    def check_program(self) -> None:
        """Raise `LimitError` where a chip that programs itself applies pulses that are not allowed; nothing is sent.

        `BenchError` where nothing on the bench serves `program`.
        """
        chip = self._programmer
        for attribute in ("program_pulses", *(["forming_pulses"] if chip.forms else [])):
            for pulse in map(given.pulse, chip.largest(attribute)):
                line = given.LINES[pulse.kind]
                self._limits.check_pulse(line, pulse.voltage, pulse.width, chip.edge)
                self._limits.check_level("word line", pulse.gate)
                if attribute == "program_pulses":
                    self.forming.check(line, pulse.voltage)

    def waveform(
        self, cell: Cell, kind: Literal["set", "reset"], volts: Sequence[float] | Floats, *, interval: float,
        gate: float, count: int = 1,
    ) -> None:  # fmt: skip
        """Play a waveform at one cell `count` times, connected as for `pulse`; it begins and ends at 0 V.

        Parameters
        ----------
        cell : Cell
        kind : {"set", "reset"}
            Bit line or source line; the other one is grounded.
        volts : (n,) array_like
            Samples, V.
        interval : float
            From sample to sample, s.
        gate : float
            Word-line voltage, V.

        Raises
        ------
        InputError, LimitError
            For an invalid argument, a waveform beyond the limits (a step between samples counts as the generator's fastest
            edge, a stretch away from 0 V as a pulse), or one beyond the generator's abilities.
        BenchError
            When the bench's generator cannot play waveforms.
        """
        cell = given.cell(cell, self._arrays)
        values = self.check_waveform(kind, volts, interval=interval, gate=gate, count=count)
        line, pulser = given.driven_line(kind), self._checks.player()
        self.forming.permit_one(cell, line, float(values[np.argmax(np.abs(values))]), once=False)
        self.checkpoint()

        self.damage.acts += 1
        self.damage.note_voltage(cell, line, float(np.abs(values).max()))

        drive = self._drives[kind]

        def aim() -> None:
            self._program(cell, drive.path, gate)
            pulser.shape_waveform(drive.channel, drive.sign * values, interval=interval)

        once_more(aim)
        self._act(self._pulsing, REST, lambda: pulser.fire(drive.channel, count))

    def check_waveform(
        self, kind: str, volts: Sequence[float] | Floats, *, interval: float, gate: float, count: int = 1
    ) -> Floats:
        """Return the samples (V) of a waveform that is allowed here; errors as `waveform`; nothing is sent."""
        values = self._checks.waveform(kind, volts, interval=interval, gate=gate, times=count)
        self.forming.check(given.driven_line(kind), float(values[np.argmax(np.abs(values))]))
        return values

    def _act(self, role: str, afterwards: str, act: Callable[..., T], *arguments: Any) -> T:
        """Return the result of an action of a role, which is valid only if the board kept its mode meanwhile.

        The role is unknown while it acts, and `afterwards` when that has succeeded.
        """
        result = self._states.during(role, afterwards, act, *arguments)
        self._watchdog.confirm(self._mode)
        return result

    def _program(self, cell: Cell, path: Path, gate: float) -> None:
        if self._mode != "PROGRAM":
            self.prepare()
        self._cells.reach(cell, path, gate)

    def connect(self, cell: Cell, path: Path = "READ", gate: float | None = None) -> None:
        """Connect a cell by a path and leave it so, every source on at 0 V, its word line at `gate` (V, as for reads).

        Raises `InputError` or `LimitError` for a cell or a word-line voltage that is none, or not allowed; nothing is sent.
        """
        cell = given.cell(cell, self._arrays)
        gate = self.file.read.gate if gate is None else given.number(gate, "word-line voltage", "V")
        self._checks.gate(gate)
        self.checkpoint()
        once_more(self._program, cell, path, gate)

    def check_pulse(self, pulse: Pulse, count: int = 1, *, forming: bool = False) -> Pulse:
        """Return a pulse that is allowed here; raises `InputError` or `LimitError`; nothing is sent.

        Unless it is `forming` cells that have not conducted yet, a formed cell has to bear it.
        """
        pulse = self._checks.pulse(pulse, count)
        if not forming:
            self.forming.check(given.LINES[pulse.kind], pulse.voltage)
        return pulse

    def at_word_line(self, volts: float) -> float:
        """Return the word-line voltage (V) of an operation for which `volts` are usual: 0 where nothing serves `gate`."""
        return volts if self.file.instruments.serves("gate") else 0.0

    def check_read(self) -> None:
        """Raise `LimitError` when the bench file's read settings exceed its limits; nothing is sent."""
        self._checks.read()

    # --- prober and oscilloscope ---

    def position(self, die: str) -> None:
        """Bring another die under the probes: every source at 0 V and off, probes up, move, probes down, each read back.

        What is known of formed cells is kept die by die; of a die that the bench has not seen nothing is known.

        Raises
        ------
        InputError
            For a die that is no text, or none of the prober's `dies`; nothing is sent.
        BenchError
            When nothing serves `position`.
        InstrumentError
            When the prober is not where it was sent; `UnsafeError` when an output is not confirmed off: then nothing moves.
        """
        from mho.instruments.bench.probing import bring_die, standing_at

        prober, entry = self.instruments.prober, self.file.instruments.prober
        if prober is None or entry is None:
            check_operations(self.file, ["position"], "a move to another die")
        assert prober is not None
        assert entry is not None
        if not isinstance(die, str) or (entry.dies and die not in entry.dies):
            there = f"; there are {', '.join(entry.dies)}" if entry.dies else "; give a name, as '3,-2'"
            raise InputError(f"{die!r} is no die of the prober{there}")
        self.checkpoint()
        self.forget()
        self._make_lines_safe()
        self._dies[standing_at(prober)[0]] = self.forming
        bring_die(prober, die)
        self.forming = self._dies.setdefault(die, FormingRecord(self.chip_text, "", self._insisted))

    def observe(self, act: Callable[[], object], *, duration: float, samples: int = 1000) -> Observation:
        """Record with the oscilloscope what an act does, as ``lambda: bench.pulse(cell, pulse)``.

        Parameters
        ----------
        act : callable
            Called once the oscilloscope waits for its trigger; what it does is within the bench's limits as ever.
        duration : float
            From the trigger on, s.
        samples : int
            Points of each channel, up to a million.

        Returns
        -------
        Observation
            Times (samples,), s, and voltages (channels, samples), V.

        Raises
        ------
        InputError
            For a duration or number that is none; nothing is sent.
        BenchError
            When nothing serves `observe`.
        InstrumentError
            When no trigger came, or the answer cannot be.
        """
        from mho.instruments.bench.probing import recorded

        scope, entry = self.instruments.scope, self.file.instruments.scope
        if scope is None or entry is None:
            check_operations(self.file, ["observe"], "a record of an oscilloscope")
        assert scope is not None
        assert entry is not None
        duration = given.finite(duration, "duration of a record", "s", least=0.0)
        if not duration:
            raise InputError("duration of a record is 0 s; give a time above 0")
        samples = given.count(samples, "count of samples", MOST_SAMPLES)
        self.checkpoint()
        return recorded(scope, act, duration, samples, len(entry.channels))

    # --- vectors ---

    @property
    def vector_size(self) -> tuple[int, int]:
        """Numbers of lines that can be driven and read at once."""
        return self._tools.daq.output_count, self._tools.daq.input_count

    @property
    def vector_period(self) -> float:
        """Shortest time from one vector to the next, s."""
        return float(self._tools.daq.sample_period)

    @property
    def input_conductance(self) -> float:
        """Input conductance g_in (S) between a DAQ output and an INVERT row."""
        return float(self._tools.board.input_conductance)

    @property
    def slice_ratio(self) -> float:
        """Ratio by which outputs are divided in front of a loop's second slice; 0 where the board has no dividers."""
        return float(self._tools.board.slice_ratio)

    def connect_multiply(self, array: str, rows: Index, columns: Index) -> None:
        """Connect a block for `multiply`; `rows` are driven, `columns` measured.

        Raises `InputError` for lines outside the array, `BenchError` when the DAQ has too few outputs or inputs.
        """
        self._vectors.connect_multiply(array, *given.block_lines(array, rows, columns, self._arrays))

    def multiply(self, volts: Floats) -> Floats:
        """Return currents (samples, columns), A, out of the connected columns for `volts` (samples, rows).

        The first sample played is zero; its answer, the amplifiers' offsets, is subtracted.

        Raises `InputError` or `LimitError` when `volts` are not real numbers, not one for each row, or not allowed (nothing
        is sent), and `BenchError` when no block is connected for this operation.
        """
        volts = given.vectors(volts, "voltages to multiply")
        self.checkpoint()
        amperes = self._act(self._player, BETWEEN_VECTORS, lambda: self._vectors.multiply(volts))
        self.on_vectors("MULTIPLY", volts, amperes)
        return amperes

    def connect_invert(
        self, positive: str, rows: Index, columns: Index, *, negative: str | None = None,
        second_slice: tuple[str, str] | None = None, diagonal: float = 0.0, diagonal_count: int = 0,
        bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the inverting loop around a block; the caller has checked that it is stable.

        `negative` is a second array behind inverters. `second_slice` are two more, on the same lines: their columns get
        the outputs, and their inverses, divided by `slice_ratio`. `bias` is the conductance (S) of a resistor to each row
        from an amplifier that outputs minus the sum of the outputs; 0 for none.

        Raises `InputError` for lines that the arrays have not, as many rows as columns not given, or resistors that cannot
        be; `BenchError` when the DAQ has not so many outputs or inputs.
        """
        arrays = (positive, *(() if negative is None else (negative,)), *(second_slice or ()))
        driven, read = given.loop_lines(arrays, rows, columns, self._arrays)
        siemens = given.finite(diagonal, "diagonal", "S", least=0.0)
        if diagonal_count != 0:
            diagonal_count = given.count(diagonal_count, "rows with a diagonal", len(driven))
        self._vectors.connect_invert(
            positive, driven, read, negative=negative, second_slice=second_slice, diagonal=siemens,
            diagonal_count=diagonal_count, bias=given.finite(bias, "bias", "S", least=0.0),
        )  # fmt: skip

    def invert(self, volts: Floats) -> Floats:
        """Settled outputs (samples, n), V, for `volts` (samples, n) at the inputs: v = -G^-1 g_in u.

        The first samples played are zeros, or dither around it, as the bench file's ``[inverse]`` says; their mean answer,
        the amplifiers' offsets, is subtracted. A row is NaN where an output was in its clamp: that is no answer, even if
        the difference appears small.

        Raises
        ------
        InputError, LimitError
            When `volts` are not real numbers, not one for each row, or not allowed; nothing is sent.
        BenchError
            When no block is connected for this operation.
        ConvergenceError
            When an output sits in its clamp with nothing at the inputs: the loop rails, whatever is played.
        """
        volts = given.vectors(volts, "voltages to invert")
        self.checkpoint()
        outputs = self._act(self._player, BETWEEN_VECTORS, lambda: self._vectors.invert(volts))
        self.on_vectors("INVERT", volts, outputs)
        return outputs

    def _enter(self, mode: Mode) -> bool:
        """Take the bench into a mode for vectors; return whether it was in another one."""
        if self._mode == mode:
            return False
        if not self._mode:
            self._make_lines_safe()  # what drives the lines is not known, and switches will move
            if mode != "SAFE":
                self._hold_contacts()
        elif self._mode == "PROGRAM":
            self._cells.idle()
        self._mode = ""
        self._states.forget("board")
        self._cells.switch_to(self._crosspoints.get(mode, NOTHING))
        self._watchdog.arm()
        self._tools.board.set_mode(mode)
        self._mode = mode
        self._states.note("board", mode, "read")
        return True
