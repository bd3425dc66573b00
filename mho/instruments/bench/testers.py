"""The roles that a tester fills: an instrument that addresses cells by itself, by a class of a user's own.

Each operation is a method of its own (`mho.instruments.roles`: `CellReader`, `CellPulser`, ...). What comes back is
checked: nonsense is an `InstrumentError`, and nothing of it reaches a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from traceback import extract_tb
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError, InstrumentError, MhoError
from mho.instruments.limits import SOURCE_EDGE
from mho.instruments.roles import Cell, Mode, Path, ProgrammedCell, Pulse, PulseTrace, Reading

BEYOND = 2.0  # times the current limit, from which a current counts as an answer in another unit
MANY = 1 << 20  # lines of a tester that does not say how many it drives and reads


class TesterMeter:
    """Reads and sweeps the selected cell; by single reads where the tester has no sweep of its own.

    `wait`: lets seconds pass.
    """

    refused = staticmethod(math.isnan)  # a current (A) that is none

    def __init__(self, tester: Any, wait: Callable[[float], None]) -> None:
        self._tester, self._wait = tester, wait
        self._limit = math.inf  # A, as configured

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Hand on the settings of reads to a tester that takes them."""
        # One that survives the loss of its connection has every method, whatever its driver has.
        if hasattr(getattr(self._tester, "_instrument", self._tester), "configure"):
            settings = {"current_limit": current_limit, "current_range": current_range, "nplc": nplc}
            ask(self._tester, "configure", **settings)
        self._limit = current_limit

    def enable(self) -> None:
        """Do nothing: a tester is at 0 V between its operations."""

    def hold(self, voltage: float) -> None:
        """Do nothing: the bench holds the cell at 0 V only."""

    def read(self, voltage: float) -> Reading:
        """Return one reading at `voltage` (V); `InstrumentError` for what is none."""
        return self._reading("read", ask(self._tester, "read", voltage), voltage)

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Return a reading for each of `voltages` (V); `InstrumentError` for what are none."""
        if not hasattr(self._tester, "sweep"):
            return [self._read_after(delay, volts) for volts in voltages]
        answers = ask(self._tester, "sweep", voltages, delay)
        if not isinstance(answers, Sequence) or len(answers) != len(voltages):
            raise nonsense(self._tester, "sweep", answers, f"{len(voltages)} readings")
        return [self._reading("sweep", one, volts) for one, volts in zip(answers, voltages, strict=True)]

    def _read_after(self, delay: float, volts: float) -> Reading:
        self._wait(delay)
        return self.read(volts)

    def _reading(self, method: str, answer: Any, volts: float) -> Reading:
        """Return a reading from what a tester answers: a Reading, or the current alone (A); infinite beyond its range."""
        try:
            voltage, current, tripped = answer if isinstance(answer, tuple) else (volts, answer, False)
            reading = Reading(float(voltage), float(current), bool(tripped))
        except (TypeError, ValueError):
            raise nonsense(self._tester, method, answer, "a Reading, or a current in A") from None
        if isinstance(voltage, str) or isinstance(current, str):
            raise nonsense(self._tester, method, answer, "a Reading, or a current in A, for it is text")
        if not math.isfinite(reading.voltage) or self.refused(reading.current):
            raise nonsense(self._tester, method, answer, "a reading in V and A")
        if BEYOND * self._limit < abs(reading.current) < math.inf:
            raise nonsense(
                self._tester,
                method,
                answer,
                f"a current within its limit of {self._limit:g} A: does it answer in A?",
            )
        return reading


class TesterGate:
    """Holds the word line of the selected cell."""

    def __init__(self, tester: Any) -> None:
        self._tester = tester

    def configure(self, **settings: float) -> None:
        """Do nothing: a tester limits its currents by itself."""

    def enable(self) -> None:
        """Hold the word line at 0 V: it must not float."""
        ask(self._tester, "gate", 0.0)

    def hold(self, voltage: float) -> None:
        """Hold the word line at `voltage` (V)."""
        ask(self._tester, "gate", voltage)


class TesterPulser:
    """Pulses the selected cell; one channel for both signs."""

    def __init__(self, tester: Any) -> None:
        self._tester = tester
        self._volts = self._width = 0.0
        if hasattr(getattr(tester, "_instrument", tester), "check_shape"):
            self.check_shape = tester.check_shape  # what the bench asks before anything is sent

    @property
    def edge(self) -> float:
        """Edge time of the pulses (10 to 90 %), s: the tester's `edge`, or that of a source."""
        return float(getattr(self._tester, "edge", SOURCE_EDGE))

    def configure(self, channel: int) -> None:
        """Do nothing."""

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Take amplitude (V) and width (s) of the next pulses."""
        self._volts, self._width = voltage, width

    def fire(self, channel: int, count: int = 1) -> None:
        """Apply `count` pulses."""
        ask(self._tester, "pulse", self._volts, self._width, count)


class TesterProgrammer:
    """Has the selected cell brought to a conductance by the tester, a chip with write-verify of its own."""

    def __init__(self, tester: Any) -> None:
        self._tester = tester
        self.forms = hasattr(getattr(tester, "_instrument", tester), "form")  # whether it forms cells, too

    @property
    def edge(self) -> float:
        """Edge time of its pulses (10 to 90 %), s."""
        return float(getattr(self._tester, "edge", SOURCE_EDGE))

    def largest(self, attribute: str) -> tuple[Pulse, ...]:
        """Return the pulses of `program_pulses` or `forming_pulses`; `BenchError` when the tester does not say them."""
        pulses = getattr(self._tester, attribute, None)
        if not pulses:
            raise BenchError(
                f"{name_of(self._tester)} does not say the largest pulses that it applies by itself, against which limits "
                f'are checked: give it the attribute `{attribute}` = (Pulse("set", …), …)'
            )
        return tuple(pulses)

    def program(self, target: float, tolerance: float) -> ProgrammedCell:
        """Return what the tester says of the cell that it brought to `target` +- `tolerance` (S); `InstrumentError` for
        what cannot be."""
        answer = self._checked("program", ask(self._tester, "program", target, tolerance))
        if answer.reached and not abs(answer.conductance - target) <= tolerance * (1.0 + 1e-9):
            raise nonsense(
                self._tester, "program", tuple(answer), f"a conductance within {target:g} +- {tolerance:g} S: it says "
                "that it reached it",
            )  # fmt: skip
        return answer

    def form(self) -> ProgrammedCell:
        """Return what the tester says of the cell that it formed."""
        return self._checked("form", ask(self._tester, "form"))

    def _checked(self, method: str, answer: Any) -> ProgrammedCell:
        """Return an answer of finite conductance, whole pulses, and a yes or no."""
        try:
            conductance, pulses, reached = answer
            cell = ProgrammedCell(float(conductance), int(pulses), bool(reached))
        except (TypeError, ValueError, OverflowError):
            cell = None
        if cell is None or not (
            math.isfinite(cell.conductance) and 0 <= cell.pulses == pulses and reached in (0, 1)
        ):
            raise nonsense(
                self._tester,
                method,
                answer,
                "a ProgrammedCell: conductance in S, number of pulses, whether reached",
            )
        return cell


class TesterMeasurer:
    """Measures the selected cell while it is pulsed."""

    def __init__(self, tester: Any) -> None:
        self._tester = tester

    @property
    def edge(self) -> float:
        """Edge time of the pulses (10 to 90 %), s: the tester's `edge`, or that of a source."""
        return float(getattr(self._tester, "edge", SOURCE_EDGE))

    def pulse_measured(self, voltage: float, width: float, samples: int) -> PulseTrace:
        """Return what was measured while the pulse lasted; `InstrumentError` for what cannot be."""
        answer = ask(self._tester, "pulse_measured", voltage, width, samples)
        wanted = f"times, volts and amps of {samples} samples"
        try:
            times, volts, amps = (np.asarray(one, np.float64) for one in answer)
        except (TypeError, ValueError):
            raise nonsense(self._tester, "pulse_measured", answer, wanted) from None
        shapes = {one.shape for one in (times, volts, amps)}
        if shapes != {(samples,)} or not np.isfinite([times, volts]).all() or np.isnan(amps).any():
            raise nonsense(self._tester, "pulse_measured", answer, f"{wanted}, in s, V and A")
        if np.any(np.diff(times) <= 0.0):
            raise nonsense(self._tester, "pulse_measured", answer, f"{wanted}, one time after the other")
        return PulseTrace(times, volts, amps)


class TesterBoard:
    """Selects cells, and takes the block of the next products."""

    transimpedance = -1.0  # ohm: its answers are currents, not an amplifier's voltages
    slice_ratio = 0.0

    def __init__(self, tester: Any, bench: str) -> None:
        self._tester, self._bench = tester, bench
        self._vectors = hasattr(tester, "multiply")
        self._routes = hasattr(tester, "route")
        self.block: tuple[str, Sequence[int], Sequence[int]] | None = None

    def set_mode(self, mode: Mode) -> None:
        """Forget the connected block; `BenchError` for a mode that the tester has not."""
        self.block = None
        if mode == "INVERT" or (mode == "MULTIPLY" and not self._vectors):
            raise BenchError(f"the tester of bench {self._bench!r} has no mode {mode}")

    def select(self, cell: Cell) -> None:
        """Address one cell."""
        ask(self._tester, "select", cell)

    def route(self, path: Path) -> None:
        """Connect the cell to a source, where the tester has a method for it."""
        if self._routes:
            ask(self._tester, "route", path)

    def connect_multiply(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Take the lines of the next products."""
        self.block = array, rows, columns

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "connect_cell":
            raise AttributeError(name)
        raise BenchError(f"the tester of bench {self._bench!r} does not serve `invert`")


class TesterVectors:
    """Multiplies the block that `board` has taken."""

    def __init__(self, tester: Any, board: TesterBoard) -> None:
        self._tester, self._board = tester, board

    @property
    def output_count(self) -> int:
        """Number of rows that can be driven at once."""
        return int(getattr(self._tester, "output_count", MANY))

    @property
    def input_count(self) -> int:
        """Number of columns that can be read at once."""
        return int(getattr(self._tester, "input_count", MANY))

    @property
    def sample_period(self) -> float:
        """Shortest time from one vector to the next, s; `BenchError` when the tester does not say it."""
        period = getattr(self._tester, "sample_period", None)
        if period is None:
            raise BenchError(
                f"{name_of(self._tester)} does not say its `sample_period` (s), against which the slew of vectors is "
                "checked: give it the attribute, or take `slew` out of [limits.vector]"
            )
        return float(period)

    def exchange(self, volts: Floats) -> Floats:
        """Return the currents (samples, columns), A, for `volts` (samples, rows); `InstrumentError` for what are none."""
        assert self._board.block is not None  # the bench connects a block first
        array, rows, columns = self._board.block
        answers = ask(self._tester, "multiply", array, rows, columns, volts)
        wanted = (len(volts), len(columns))
        try:
            currents = np.asarray(answers, np.float64)
        except (TypeError, ValueError):
            raise nonsense(self._tester, "multiply", answers, f"currents {wanted}") from None
        if currents.shape != wanted or not np.isfinite(currents).all():
            raise nonsense(self._tester, "multiply", answers, f"finite currents of the shape {wanted}, in A")
        return currents


def ask(tester: Any, method: str, *arguments: Any, **settings: Any) -> Any:
    """Call a method of a user's own class; what it raises of its own is an `InstrumentError` that names it."""
    try:
        return getattr(tester, method)(*arguments, **settings)
    except MhoError:
        raise
    except Exception as error:  # of a driver of one's own: anything
        place = extract_tb(error.__traceback__)[-1]
        raise InstrumentError(
            f"{name_of(tester)}.{method} failed: {type(error).__name__}: {error} ({FilePath(place.filename).name}, line "
            f"{place.lineno}); correct the driver"
        ) from error


def name_of(tester: Any) -> str:
    """Return the name of the class behind an instrument."""
    return type(getattr(tester, "_instrument", tester)).__name__


def nonsense(tester: Any, method: str, answer: Any, wanted: str) -> InstrumentError:
    """Return the error for an answer of a user's own class that cannot be."""
    text = repr(answer)
    return InstrumentError(
        f"{name_of(tester)}.{method} answered {text if len(text) <= 60 else text[:57] + '...'}, not {wanted}: "
        "nothing of it is kept; correct the driver"
    )
