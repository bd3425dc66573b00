"""Checks made before anything is sent: the arguments of the bench's methods, and what may be done to a cell of this bench.

The functions concern the type and the shape of a value: numbers, counts, cells, lines, vectors. No value is rounded,
truncated or converted to another type silently. `CellChecks` adds the limits and the instruments' abilities.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import BenchError, InputError
from mho.instruments.bench.instruments import Operators
from mho.instruments.bench.stand_ins import NoMeasurer
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.operations import check_operations
from mho.instruments.limits import Limits
from mho.instruments.roles import Cell, Pulse

Shapes = Mapping[str, tuple[int, int]]

LINES = {"set": "bit line", "reset": "source line"}  # that a pulse of a kind drives
MOST_LEVELS = 2500  # list length that every source-measure unit supports


def number(value: Any, name: str, unit: str) -> float:
    """Return `value` as a float when it is one real number, finite or not; raises `InputError`."""
    if type(value) is float:
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, numbers.Real | np.floating | np.integer) and not isinstance(value, bool | np.bool_):
        return float(value)
    raise InputError(f"{name} is {_shown(value)}; give one number, in {unit}")


def finite(value: Any, name: str, unit: str, least: float = -math.inf) -> float:
    """Return `value` as a float when it is one finite real number from `least` on; raises `InputError`."""
    plain = number(value, name, unit)
    if not (math.isfinite(plain) and plain >= least):
        raise InputError(
            f"{name} is {_shown(value)}; give a finite number"
            + (f" from {least:g}" if math.isfinite(least) else "")
            + f", in {unit}"
        )
    return plain


def count(value: Any, name: str, most: float = math.inf) -> int:
    """Return `value` as an int when it is a whole number from 1 to `most`; raises `InputError`."""
    if type(value) is int and 1 <= value <= most:
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= value <= most:
        return int(value)
    raise InputError(
        f"{name} is {_shown(value)}; give a whole number from 1"
        + (f" to {most:g}" if math.isfinite(most) else "")
    )


def levels(volts: Any, name: str) -> list[float]:
    """Return 1 to 2500 voltages as floats; raises `InputError`."""
    values = _real(volts, name)
    if values.ndim != 1 or not 1 <= values.size <= MOST_LEVELS:
        raise InputError(f"{name} have the shape {values.shape}; give a list of 1 to {MOST_LEVELS} voltages")
    return [float(value) for value in values]


def vectors(volts: Any, name: str) -> Floats:
    """Return real vectors as an array (samples, lines); raises `InputError`."""
    values = _real(volts, name)
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(f"{name} have the shape {values.shape}; give (samples, lines), a row a vector")
    return values


def samples(volts: Any, name: str) -> Floats:
    """Return the samples of a waveform, shape (n,); raises `InputError`."""
    values = _real(volts, name)
    if values.ndim != 1 or not values.size:
        raise InputError(f"{name} has the shape {values.shape}; give a list of voltages")
    return values


def _real(volts: Any, name: str) -> Floats:
    try:
        values = np.asarray(volts)
    except ValueError as error:  # rows of different length
        raise InputError(f"{name}: {error}; give numbers, in V") from None
    if values.dtype.kind not in "iuf":
        raise InputError(
            f"{name} are {values.dtype}; give real numbers, in V"
            + ", the parts apart" * (values.dtype.kind == "c")
        )
    return np.asarray(values, dtype=np.float64)


def cell(given: Any, arrays: Shapes) -> Cell:
    """Return a cell of the chip with plain integers; raises `InputError` when it is no cell, or none of this chip."""
    if not isinstance(given, tuple) or len(given) != 3:
        raise InputError(f"{_shown(given)} is no cell; give Cell(array, row, column)")
    array, row, column = given
    rows, columns = (
        arrays.get(array) or _shape(array, arrays) if type(array) is str else _shape(array, arrays)
    )
    if type(given) is Cell and type(row) is int is type(column) and 0 <= row < rows and 0 <= column < columns:
        return given
    return Cell(array, _line(row, rows, f"row of {array}"), _line(column, columns, f"column of {array}"))


def lines(given: Any, available: float, name: str) -> list[int]:
    """Return line numbers, each from 0 to `available` - 1 and none twice; raises `InputError`."""
    try:
        plain = isinstance(given, np.ndarray) and given.dtype.kind in "iu" and given.ndim == 1
        choice = given.tolist() if plain else list(given)
    except TypeError:
        raise InputError(f"{name}: {_shown(given)} is no list of line numbers") from None
    if plain and choice and min(choice) >= 0 and max(choice) < available:
        numbers = choice
    else:
        numbers = [_line(line, available, name) for line in choice]
    if not numbers or len(set(numbers)) != len(numbers):
        raise InputError(f"{name}: no line, or one twice; name each once")
    return numbers


def _line(given: Any, available: float, name: str) -> int:
    if (
        isinstance(given, bool | np.bool_)
        or not isinstance(given, int | np.integer)
        or not 0 <= given < available
    ):
        there = f" from 0 to {available - 1:g}" if math.isfinite(available) else " from 0"
        raise InputError(f"there is no {name} {_shown(given)}; give one{there}")
    return int(given)


def block_lines(array: Any, rows: Any, columns: Any, arrays: Shapes) -> tuple[list[int], list[int]]:
    """Return the rows and columns of a block of `array`; raises `InputError`."""
    most = _shape(array, arrays)
    return lines(rows, most[0], f"row of {array}"), lines(columns, most[1], f"column of {array}")


def loop_lines(arrays: Sequence[str], rows: Any, columns: Any, shapes: Shapes) -> tuple[list[int], list[int]]:
    """Return the rows and columns of an inverting loop on `arrays`, its positive one first; raises `InputError`."""
    driven, read = block_lines(arrays[0], rows, columns, shapes)
    for name in arrays[1:]:
        block_lines(name, rows, columns, shapes)
    if len(set(arrays)) < len(arrays):
        raise InputError(f"the loop's arrays are {', '.join(arrays)}; each serves once: name different ones")
    if len(driven) != len(read):
        raise InputError(
            f"an inverting loop has as many rows as columns, not {len(driven)} and {len(read)}; give as many"
        )
    return driven, read


def _shape(array: Any, arrays: Shapes) -> tuple[float, float]:
    if not isinstance(array, str):
        raise InputError(f"{_shown(array)} is no array's name; give a text")
    if not arrays:  # the chip map does not give the shape
        return math.inf, math.inf
    if array not in arrays:
        raise InputError(f"the chip has no array {array!r}; it has {', '.join(arrays)}")
    return arrays[array]


def pulse(given: Any) -> Pulse:
    """Return a pulse of a known kind, with numbers as values and a width above 0; raises `InputError`."""
    if not isinstance(given, Pulse):
        raise InputError(f"{_shown(given)} is no pulse; give Pulse(kind, voltage, width, gate)")
    driven_line(given.kind)
    width = number(given.width, "pulse width", "s")
    if width <= 0.0:
        raise InputError(f"pulse width is {width:g} s; give a time above 0")
    if type(given) is Pulse and type(given.width) is type(given.voltage) is type(given.gate) is float:
        return given  # frozen: what is checked here is what is applied
    return Pulse(
        given.kind, number(given.voltage, "pulse voltage", "V"), width,
        number(given.gate, "word-line voltage", "V"),
    )  # fmt: skip


def driven_line(kind: Any) -> str:
    """Return the terminal that a SET or RESET pulse drives; raises `InputError` for another kind."""
    if not isinstance(kind, str) or kind not in LINES:
        raise InputError(f"a pulse of the kind {_shown(kind)} does not exist; choose set or reset")
    return LINES[kind]


def shapes_of_arrays(chip_text: str) -> Shapes:
    """Return rows and columns of each array in a chip map; empty when the map cannot be read.

    An unreadable chip map must not keep a bench from being made safe.
    """
    try:
        return {one.name: (one.rows, one.columns) for one in read_chip_text(chip_text).arrays}
    except BenchError:
        return {}


def check_fits(rows: Sequence[int] | NDArray[np.int64], volts: Floats, name: str) -> None:
    """Raise `InputError` when vectors do not have one voltage for each driven row."""
    if volts.shape[1] != len(rows):
        raise InputError(
            f"{name} have {volts.shape[1]} lines and {len(rows)} rows are connected; give one voltage a row"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_reading(limits: Limits, file: BenchFile) -> None:
    """Raise `LimitError` when the read settings of a bench file are beyond its own limits."""
    read = file.read
    sink = [] if file.instruments.sink is None else [("source line", 0.0, read.current_limit)]
    for line, volts, amperes in (
        ("bit line", read.voltage, file.row_current), ("word line", read.gate, file.gate_current), *sink,
    ):  # fmt: skip
        limits.check_level(line, volts)
        limits.check_current(line, amperes)


class CellChecks:
    """Checks before reads, sweeps, pulses and waveforms; the methods of `Bench` of the same names say what they raise.

    `instruments`: a driver may know more of its abilities than the limits: `check_shape`, `check_sweep`,
        `check_waveform`.
    """

    def __init__(self, limits: Limits, instruments: Operators, file: BenchFile) -> None:
        self._limits, self._instruments, self._file = limits, instruments, file
        self._sweeps = file.instruments.serves("sweep")
        self._settings, self._gated = file.read, file.instruments.serves("gate")

    def read(self) -> None:
        """Check the settings of the bench file."""
        check_reading(self._limits, self._file)

    def gate(self, volts: float) -> None:
        """Check a word-line voltage (V); `BenchError` for one above 0 V where no source is at the word line."""
        if volts and not self._gated:
            self._instruments.gate.refuse()
        self._limits.check_level("word line", volts)

    def read_voltage(self, voltage: float | None) -> float:
        """Return the voltage (V) of a read, the bench file's unless given."""
        if voltage is None:
            return self._settings.voltage
        volts = number(voltage, "read voltage", "V")
        if volts == 0.0:
            raise InputError(
                "read voltage is 0 V, at which no current flows; leave it out for the bench's own"
            )
        self._limits.check_level("bit line", volts)
        return volts

    def sweep(self, volts: Sequence[float], gate: float, delay: float | None = None) -> list[float]:
        """Return the levels (V) of a sweep with a wait (s) at each."""
        if not self._sweeps:
            check_operations(self._file, ["sweep"], "a sweep")
        volts = levels(volts, "levels of a sweep")
        self._limits.check_voltage("bit line", max(volts, key=abs, default=0.0))  # report the worst one
        for before, level in pairwise([0.0, *volts, 0.0]):
            self._limits.check_level("bit line", level, before)
        self.gate(number(gate, "word-line voltage", "V"))
        able = getattr(self._instruments.smu, "check_sweep", None)
        # A user's own driver need not know its sample times beforehand.
        if able is not None and delay is not None:
            able(volts, delay)
        return volts

    def pulse(self, given: Pulse, count: int) -> Pulse:
        """Return a pulse."""
        checked = pulse(given)
        pulser = self._instruments.pulser
        self._limits.check_pulse(LINES[checked.kind], checked.voltage, checked.width, pulser.edge)
        self.gate(checked.gate)
        able = getattr(pulser, "check_shape", None)
        if able is not None:
            able(voltage=checked.voltage, width=checked.width, count=count)
        return checked

    def measured_pulse(self, given: Pulse, samples: int) -> Pulse:
        """Return a pulse that is measured; it comes by the bit line whatever its kind, whose limits hold, too."""
        checked, measurer = pulse(given), self._instruments.measurer or NoMeasurer(self._file.name)
        for line in dict.fromkeys((LINES[checked.kind], "bit line")):
            self._limits.check_pulse(line, checked.voltage, checked.width, measurer.edge)
        self.gate(checked.gate)
        able = getattr(measurer, "check_measured", None)
        if able is not None:
            able(width=checked.width, samples=samples)
        return checked

    def waveform(
        self, kind: str, volts: Sequence[float] | Floats, *, interval: float, gate: float, times: int
    ) -> Floats:
        """Return the samples (V) of a waveform."""
        times = count(times, "count of waveforms")
        line = driven_line(kind)
        values = samples(volts, "waveform")
        interval = finite(interval, "interval from sample to sample", "s")
        gate = number(gate, "word-line voltage", "V")
        pulser = self.player()
        self._limits.check_waveform(line, values, interval, pulser.step_edge)
        self.gate(gate)
        pulser.check_waveform(values, interval=interval, count=times)
        return values

    def player(self) -> Any:
        """Return the pulse generator, if it plays waveforms."""
        if getattr(self._instruments.pulser, "shape_waveform", None) is None:
            raise BenchError("this bench's pulse generator plays no waveforms; use pulses")
        return self._instruments.pulser
