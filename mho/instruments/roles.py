"""Interfaces of a bench's instruments: one small Protocol per role, and the data they exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from mho.array_types import Floats, Integers


class Cell(NamedTuple):
    """One cell of the chip.

    Attributes
    ----------
    array : str
        The array's name in the chip map.
    row, column : int
        Bit line and source line, from 0.

    Examples
    --------
    >>> cell = mho.Cell("multiply", 3, 5)
    >>> cell.array, cell.column
    ('multiply', 5)
    """

    array: str
    row: int
    column: int


class CellPositions(NamedTuple):
    """Cells of one array, by their lines: rows and columns, (count,) each."""

    array: str
    rows: Integers
    columns: Integers


@dataclass(frozen=True)
class Pulse:
    """One programming pulse on a selected cell.

    Attributes
    ----------
    kind : {"set", "reset"}
        SET (and forming) drives the bit line, RESET the source line; the other line is grounded.
    voltage : float
        Amplitude at the driven line, V.
    width : float
        Width at half height, s.
    gate : float
        Word-line voltage during the pulse, V. It limits the current, so it sets the level.

    Examples
    --------
    >>> mho.Pulse("set", 3.0, 100e-9, gate=1.6).width
    1e-07
    """

    kind: Literal["set", "reset"]
    voltage: float
    width: float
    gate: float


class Reading(NamedTuple):
    """One point of a source-measure unit.

    Attributes
    ----------
    voltage : float
        As sourced, V.
    current : float
        As measured, A.
    tripped : bool
        Whether compliance tripped.

    Examples
    --------
    >>> reading = mho.Reading(0.2, 4e-7, False)
    >>> f"{reading.current / reading.voltage:.1e} S"
    '2.0e-06 S'
    """

    voltage: float
    current: float
    tripped: bool


@runtime_checkable
class Instrument(Protocol):
    """Interface common to all instruments of a bench."""

    def identify(self) -> str:
        """Return the identification string (``*IDN?`` or its equivalent)."""

    def settings(self) -> dict[str, str]:
        """Return the settings to store in a run file, as text by name."""

    def make_safe(self) -> None:
        """Bring every output to 0 V and off; raise `InstrumentError` when that cannot be confirmed."""

    def close(self) -> None:
        """Release the connection; never changes an output."""


@runtime_checkable
class SourceMeter(Instrument, Protocol):
    """Sources a voltage, limits and measures the current."""

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare sourcing volts and measuring amperes; the limit (A) is read back after it is set."""

    def enable(self) -> None:
        """Switch the output on at 0 V."""

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command."""

    def read(self, voltage: float) -> Reading:
        """Step to `voltage`, measure once, return to 0 V: one message on the bus."""


@runtime_checkable
class SweepingMeter(SourceMeter, Protocol):
    """A source-measure unit that steps through a list by itself."""

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, `delay` seconds a point, ending at 0 V."""


@runtime_checkable
class VoltageSource(Instrument, Protocol):
    """Sources a voltage, limits the current, and measures nothing.

    With the property `output_enabled` it is asked whether it is on, and believed when it is made safe.
    """

    def configure(self, *, current_limit: float) -> None:
        """Prepare sourcing volts on a fixed range; the limit (A) is read back after it is set."""

    def enable(self) -> None:
        """Switch the output on at 0 V."""

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command."""


@runtime_checkable
class PulseGenerator(Instrument, Protocol):
    """Fires voltage pulses from an idle level of 0 V; channels count from 1."""

    @property
    def edge(self) -> float:
        """Edge time (10 to 90 %) of the pulses, s."""

    def configure(self, channel: int) -> None:
        """Prepare triggered pulses of 0 V base level on `channel` and switch its output on."""

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Set amplitude (V into high impedance) and width (s) of the next pulses."""

    def fire(self, channel: int, count: int = 1) -> None:
        """Fire `count` pulses on `channel`, and none on another; return when they are over."""


@runtime_checkable
class Daq(Instrument, Protocol):
    """Writes vectors and reads vectors, timed by one hardware clock."""

    @property
    def output_count(self) -> int:
        """Number of analogue outputs (vector elements in)."""

    @property
    def input_count(self) -> int:
        """Number of analogue inputs (vector elements out)."""

    @property
    def sample_period(self) -> float:
        """Shortest time from one vector to the next, s."""

    def exchange(self, volts: Floats) -> Floats:
        """Play `volts` (samples, outputs) and return what the inputs read, (samples, inputs), in V.

        Fewer outputs than the instrument has leave the others at 0 V. All outputs end at 0 V.
        """


@runtime_checkable
class SwitchMatrix(Instrument, Protocol):
    """Connects sources to ports through relays."""

    def close_paths(self, paths: Sequence[str]) -> None:
        """Close crosspoints, read back; the caller has brought the sources to 0 V."""

    def open_paths(self, paths: Sequence[str]) -> None:
        """Open crosspoints, read back; the caller has brought the sources to 0 V."""

    def open_all(self) -> None:
        """Open every crosspoint."""

    def closed(self) -> tuple[str, ...]:
        """Return the crosspoints that are closed, as the instrument reports them."""


@runtime_checkable
class TemperatureController(Instrument, Protocol):
    """Heats the stage under the chip and measures its temperature; made safe, its heater is off."""

    def temperature(self) -> float:
        """Return the temperature, K; raises `InstrumentError` for a sensor or a heater with a fault."""

    def ramp_to(self, kelvin: float, rate: float) -> None:
        """Heat from the present temperature to `kelvin` at `rate` (K/min); return while it ramps."""


@runtime_checkable
class Prober(Instrument, Protocol):
    """Brings dies under the probes; made safe, it stops and moves no more: the probes stay where they are."""

    def move_to(self, die: str) -> None:
        """Bring a die under the probes, which are apart; return when it is there."""

    def contact(self) -> None:
        """Let the probes touch."""

    def separate(self) -> None:
        """Lift the probes."""

    def where(self) -> tuple[str, bool]:
        """Return the die under the probes and whether they touch it, as the prober reports both."""


class Observation(NamedTuple):
    """What an oscilloscope recorded: `times` (samples,), s, from the trigger on; `volts` (channels, samples), V."""

    times: Floats
    volts: Floats


@runtime_checkable
class Oscilloscope(Instrument, Protocol):
    """Records voltages of the channels that its bench file wires, in their order; it has no output."""

    def arm(self, duration: float, samples: int) -> None:
        """Wait for the next trigger, to record `duration` (s) in `samples` points; return when it waits."""

    def fetch(self) -> Observation:
        """Return what was recorded; raises `InstrumentError` when no trigger came."""


Path = Literal["OPEN", "READ", "SET", "RESET"]
Mode = Literal["SAFE", "PROGRAM", "MULTIPLY", "INVERT"]


@runtime_checkable
class BoardSelector(Instrument, Protocol):
    """Serves `select` on a board: grounds all lines, or brings the sources to one cell."""

    def set_mode(self, mode: Mode) -> None:
        """Ground all lines, then connect the arrays for `mode`; confirmed by read-back."""

    def select(self, cell: Cell) -> None:
        """Address one cell for PROGRAM mode."""

    def route(self, path: Path) -> None:
        """Connect the selected cell to a source: open, read back, close `path`, read back."""


@runtime_checkable
class BoardMultiplier(Protocol):
    """Serves `multiply` on a board, together with a DAQ."""

    def connect_multiply(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Put `rows` on the DAQ's outputs, `columns` on the transimpedance amplifiers."""

    @property
    def transimpedance(self) -> float:
        """Feedback resistance of the MULTIPLY amplifiers, ohm: v = -R i."""


@runtime_checkable
class BoardInverter(Protocol):
    """Serves `invert` on a board, together with a DAQ."""

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, negative: str | None,
        second_slice: tuple[str, str] | None = None, diagonal: float, diagonal_count: int, bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Close the loop around `rows` and `columns` of the positive (and negative) array.

        `second_slice` are a positive and a negative array on the same lines, whose columns get the outputs divided by
        `slice_ratio`; it is given where there are some. `diagonal` is the conductance (S) of the resistors from output k to
        row k, fitted to the first `diagonal_count` rows. `bias` is that of the resistors to all rows from an amplifier that
        outputs minus the sum of the outputs, and is given where there are some.
        """

    @property
    def input_conductance(self) -> float:
        """Conductance g_in through which a DAQ output feeds a row in INVERT mode, S."""


@runtime_checkable
class BoardWatchdog(Protocol):
    """Grounds the lines of a board when nothing is heard."""

    def arm_watchdog(self, seconds: float) -> None:
        """Set the watchdog: the board makes itself safe after `seconds` without a message; 0 disarms. Read back."""

    def beat(self, patience: float) -> None:
        """Send a sign of life, from any thread, and wait `patience` (s) for an answer; not needed during other traffic."""

    def standing_mode(self) -> Mode:
        """Query the mode of the board."""


@runtime_checkable
class ArrayBoard(BoardSelector, BoardMultiplier, BoardInverter, BoardWatchdog, Protocol):
    """The chip's carrier with all that there may be: decoders, analogue switches, amplifiers, watchdog."""

    @property
    def slice_ratio(self) -> float:
        """Ratio by which outputs are divided in front of a loop's second slice; 0 where the board has no dividers."""


# --- what an instrument serves that addresses cells by itself: a board of one's own, a tester, a chip with converters ---


@runtime_checkable
class CellSelector(Protocol):
    """Serves `select`."""

    def select(self, cell: Cell) -> None:
        """Address one cell: what follows reaches this one."""


@runtime_checkable
class CellReader(Protocol):
    """Serves `read`."""

    def read(self, voltage: float) -> Reading:
        """Apply `voltage` (V) to the selected cell, measure once, return to 0 V."""


@runtime_checkable
class CellSweeper(Protocol):
    """Serves `sweep`."""

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Step the selected cell through `voltages` (V), wait `delay` (s) at each and measure, end at 0 V."""


@runtime_checkable
class CellPulser(Protocol):
    """Serves `pulse`."""

    def pulse(self, voltage: float, width: float, count: int = 1) -> None:
        """Apply `count` pulses of `voltage` (V; a negative one RESETs) and `width` (s) to the selected cell."""


class ProgrammedCell(NamedTuple):
    """What a chip answers that has programmed a cell by itself.

    Attributes
    ----------
    conductance : float
        As the chip read it last, S.
    pulses : int
        That it took.
    reached : bool
        Whether the chip read it in its window at the end.
    """

    conductance: float
    pulses: int
    reached: bool


@runtime_checkable
class CellProgrammer(Protocol):
    """Serves `program`: a chip with write-verify of its own.

    Its attribute `program_pulses` has the largest pulses that it applies, a `Pulse` of each kind, against which limits are
    checked. One that forms cells by itself has a method ``form()``, which returns the same, and `forming_pulses`.
    """

    def program(self, target: float, tolerance: float) -> ProgrammedCell:
        """Bring the selected cell to `target` (S) within +- `tolerance` (S), and read it; `InputError` where it cannot."""


class PulseTrace(NamedTuple):
    """What was measured while a pulse lasted: `times` (s, from its beginning), `volts`, `amps`, (samples,) each."""

    times: Floats
    volts: Floats
    amps: Floats


@runtime_checkable
class PulseMeasurer(Protocol):
    """Serves `pulse_measured`."""

    def pulse_measured(self, voltage: float, width: float, samples: int) -> PulseTrace:
        """Apply a pulse of `voltage` (V; a negative one RESETs) and `width` (s), measured at `samples` times within it."""


@runtime_checkable
class WordLine(Protocol):
    """Serves `gate`."""

    def gate(self, voltage: float) -> None:
        """Hold the word line of the selected cell at `voltage` (V)."""


@runtime_checkable
class Multiplier(Protocol):
    """Serves `multiply`."""

    def multiply(self, array: str, rows: Sequence[int], columns: Sequence[int], volts: Floats) -> Floats:
        """Return currents (samples, columns), A, out of `columns` for `volts` (samples, rows), V, at `rows`; end at 0 V."""
