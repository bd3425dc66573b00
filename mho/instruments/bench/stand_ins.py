"""What a bench uses where an instrument is absent: nothing to select, a line that nothing drives, refusals.

The bench calls the same methods on every bench; which object answers is decided once, when it is opened. Nothing here is
an instrument: nothing is sent, and there is nothing to make safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from mho.errors import BenchError, LimitError
from mho.instruments.bench_file.chip_requirements import MOST_LINES
from mho.instruments.bench_file.operations import OPERATIONS, SERVED_BY, Operation
from mho.instruments.limits import SOURCE_EDGE
from mho.instruments.roles import Cell, Mode, Path, PulseTrace, SweepingMeter

SHORTEST_PULSE = 200e-6  # s, of a source-measure unit: four of its steps
MOST_PULSES = 1250  # in a list sweep of 2500 levels
MEASURED = 0.9  # share of a pulse that a measurement may take
NEAR = 0.1  # relative deviation of a level from what was asked
SHORTEST_DELAY = 50e-6  # s, at a level of a sweep, unless there is none


class Absent:
    """Stands for an instrument that would serve an operation; whatever is asked of it is refused.

    `bench`: the bench's name, for the sentence.
    """

    serves: Operation

    def __init__(self, bench: str) -> None:
        self._bench = bench

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise BenchError(
            f"bench {self._bench!r} has nothing that serves `{self.serves}` ({OPERATIONS[self.serves]}): describe "
            f"{SERVED_BY[self.serves]} in its file"
        )


class NoMeter(Absent):
    """No source-measure unit: the bit line is at 0 V by itself."""

    serves = "read"

    def configure(self, **settings: float) -> None:
        """Do nothing."""

    def enable(self) -> None:
        """Do nothing."""

    def hold(self, voltage: float) -> None:
        """Do nothing: the bench holds the bit line at 0 V only."""


class NoProgrammer(Absent):
    """No chip that programs itself."""

    serves = "program"
    forms = False


class NoGate(Absent):
    """No source at the word line, or no word line: a device of two terminals."""

    serves = "gate"

    def configure(self, **settings: float) -> None:
        """Do nothing."""

    def enable(self) -> None:
        """Do nothing."""

    def hold(self, voltage: float) -> None:
        """Do nothing at 0 V; `BenchError` for any other voltage."""
        if voltage:
            self.refuse()

    def refuse(self) -> NoReturn:
        """Raise the `BenchError` of what is absent."""
        self.__getattr__("hold")


class NoPulser(Absent):
    """No pulse generator."""

    serves = "pulse"

    def configure(self, channel: int) -> None:
        """Do nothing."""


class NoMeasurer(Absent):
    """Nothing that measures while it pulses."""

    serves = "pulse_measured"


class NoDaq(Absent):
    """No converters for vectors."""

    serves = "multiply"
    output_count = 0
    input_count = 0


class ProductsFromReads(NoDaq):
    """No converters: products come from reads of the cells of a block of any size, one in `sample_period` (s)."""

    output_count = input_count = MOST_LINES

    def __init__(self, bench: str, sample_period: float) -> None:
        super().__init__(bench)
        self.sample_period = sample_period


class OneDevice(Absent):
    """No array board: one device, which probes touch, is always selected."""

    serves = "multiply"
    slice_ratio = 0.0

    def set_mode(self, mode: Mode) -> None:
        """Do nothing for a mode without vectors."""
        if mode not in ("SAFE", "PROGRAM"):
            self.__getattr__("set_mode")

    def select(self, cell: Cell) -> None:
        """Do nothing."""

    def route(self, path: Path) -> None:
        """Do nothing."""

    def connect_cell(self, cell: Cell, path: Path) -> None:
        """Do nothing."""


class MeterPulses:
    """Pulses by a source-measure unit, of 200 us and more: its own, or a list sweep of one level and 0 V.

    It measures while it pulses, and its current limit holds: the one with which the bench reads.

    `meter`: the unit at the bit line.
    `aperture`: duration of a reading with the bench's settings, s, at most.

    `applied`: told of pulses that were applied: width (s) and number; a rehearsal counts them.
    """

    edge = SOURCE_EDGE

    def __init__(self, meter: SweepingMeter, aperture: float) -> None:
        self._meter, self._assumed = meter, aperture
        self.applied: Callable[[float, int], object] = lambda width, count: None
        self._volts = self._width = 0.0

    def configure(self, channel: int) -> None:
        """Do nothing: the bench has configured the meter."""

    def check_shape(self, *, voltage: float, width: float, count: int) -> None:
        """Raise `LimitError` for pulses that the unit cannot apply; nothing is sent."""
        shortest = max(SHORTEST_PULSE, self._assumed / MEASURED)
        if width < shortest:
            raise LimitError(
                f"pulses are applied by the source-measure unit here, and one of {width:g} s is too short for it: give "
                f"{shortest:g} s or more, a shorter `nplc` in [read], or the bench a pulse generator"
            )
        if count > MOST_PULSES:
            raise LimitError(
                f"{count} pulses at once are too many for the source-measure unit: give {MOST_PULSES} or fewer"
            )

    def shape(self, channel: int, *, voltage: float, width: float) -> None:
        """Take amplitude (V, of either sign) and width (s) of the next pulses; nothing is sent."""
        self._volts, self._width = voltage, width

    def fire(self, channel: int, count: int = 1) -> None:
        """Apply `count` pulses; return when they are over."""
        own: Any = getattr(self._meter, "pulse", None)
        if own is not None:
            own([self._volts] * count, width=self._width, period=2.0 * self._width)
        else:
            wait = self._width - self._aperture
            self._meter.sweep([self._volts, 0.0] * count, wait if wait >= SHORTEST_DELAY else 0.0)
        self.applied(self._width, count)

    def check_measured(self, *, width: float, samples: int, reading: float | None = None) -> None:
        """Raise `LimitError` for a pulse that the unit cannot measure at so many times; nothing is sent.

        `reading`: duration of one, s; by default as short as it can be with the bench's settings.
        """
        each = (self._assumed if reading is None else reading) + SHORTEST_DELAY
        if width < SHORTEST_PULSE or samples * each > width:
            raise LimitError(
                f"a pulse of {width:g} s measured at {samples} times is too short for the source-measure unit, which takes "
                f"{each:.3g} s for each, and {SHORTEST_PULSE:g} s at least: give a longer one, fewer samples, or a shorter "
                "`nplc` in [read]"
            )

    def pulse_measured(self, voltage: float, width: float, samples: int) -> PulseTrace:
        """Return what a list sweep at one level measures; times are nominal, by its delay and its aperture.

        `LimitError` as of `check_measured`, by the unit's own aperture. `BenchError` when a sample is missing, or was not
        taken at the level without being limited.
        """
        self.check_measured(width=width, samples=samples, reading=self._aperture)
        delay = width / samples - self._aperture
        if steps := getattr(
            self._meter, "delay_step", 0.0
        ):  # a unit that waits in whole steps is done sooner
            delay = steps * int(delay / steps + 1e-6)
        step = delay + self._aperture
        readings = self._meter.sweep([voltage] * samples, delay)
        off = [
            one for one in readings if not one.tripped and abs(one.voltage - voltage) > NEAR * abs(voltage)
        ]
        if off or len(readings) != samples:
            what = f"at {off[0].voltage:.3g} V" if off else f"{len(readings)} times instead of {samples}"
            raise BenchError(
                f"a pulse of {voltage:.3g} V was measured {what}; check whether the output of the source-measure unit was "
                "switched off by hand"
            )
        times = step * np.arange(1, samples + 1) - self._aperture / 2.0
        volts, amps = np.array([(one.voltage, one.current) for one in readings]).T
        return PulseTrace(times.astype(np.float64), volts, amps)

    @property
    def _aperture(self) -> float:
        return float(getattr(self._meter, "aperture", self._assumed))
