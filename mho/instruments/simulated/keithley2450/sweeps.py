"""Sweeps of the simulated 2450: lists, lines and steps that ``:INITiate`` runs.

Model 2450 Reference Manual 2450-901-01, pp. 6-79 to 6-90. (?) from memory: that a sweep ends with the output off, and
what the range types do to the source's range afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mho.instruments.simulated.keithley2450.buffers import DEFAULT
from mho.instruments.simulated.keithley2450.meter import LARGEST_RUN, Meter
from mho.instruments.simulated.keithley2450.source import LEVELS, SOURCED
from mho.instruments.simulated.scpi.instrument import ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text

LIST_SIZE = 2500
LISTED_AT_ONCE = 100
LISTED = {
    "VOLT": Numeric(0.0, -210.0, 210.0, unit="V", repeated=True),
    "CURR": Numeric(0.0, -1.05, 1.05, unit="A", repeated=True),
}
STEPS = {"VOLT": Numeric(0.0, -420.0, 420.0, unit="V"), "CURR": Numeric(0.0, -2.1, 2.1, unit="A")}
POINTS = Numeric(2, 2, 1e6, integer=True)
DELAY = Numeric(-1.0, -1.0, 1e4, unit="S", required=False)
COUNT = Numeric(1, 1, 268435455, integer=True, required=False)
RANGING = Choice("BEST", ("AUTO", "BEST", "FIXed"), required=False)
ABORT, DUAL = Boolean(True, required=False), Boolean(False, required=False)
BUFFER = Text(DEFAULT, required=False)
_SWEEP = ":SOURce[1]:SWEep:<function>"


class SweepSettings(NamedTuple):
    """The sweep that ``:INITiate`` runs: levels, delay before each reading (s), buffer, and abort conditions."""

    function: str
    levels: list[float]
    delay: float
    buffer: str
    until_limited: bool


class SourceSweeps(Meter):
    """The part of the instrument that sweeps its source."""

    def _forget_sweeps(self) -> None:
        self._lists: dict[str, list[float]] = {function: [] for function in SOURCED}
        self._sweep: SweepSettings | None = None

    @command(":SOURce[1]:LIST:<function>", LISTED, functions=SOURCED)
    def _set_list(self, function: str, levels: list[float]) -> None:
        self._check_list(function, levels)
        self._lists[function] = levels

    @command(":SOURce[1]:LIST:<function>:APPend", LISTED, functions=SOURCED)
    def _append_list(self, function: str, levels: list[float]) -> None:
        self._check_list(function, levels)
        if len(self._lists[function]) + len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        self._lists[function] = self._lists[function] + levels

    def _check_list(self, function: str, levels: list[float]) -> None:
        if len(levels) > LISTED_AT_ONCE:
            raise ScpiError(-223)
        for level in levels:
            self._check_level(function, level)

    @query(":SOURce[1]:LIST:<function>", functions=SOURCED)
    def _query_list(self, function: str) -> str:
        return ",".join(map(self.real, self._lists[function]))

    @query(":SOURce[1]:LIST:<function>:POINts", functions=SOURCED)
    def _query_list_points(self, function: str) -> str:
        return str(len(self._lists[function]))

    @command(
        f"{_SWEEP}:LIST",
        Numeric(1, 1, LIST_SIZE, integer=True), DELAY, COUNT, ABORT, BUFFER,
        functions=SOURCED,
    )  # fmt: skip
    def _sweep_list(
        self, function: str, first: float, delay: float, count: float, abort: bool, name: str
    ) -> None:
        levels = self._lists[function][int(first) - 1 :]
        if not levels:
            raise ScpiError(-221, "source list is empty")
        self._plan(function, levels, count, delay, name, abort)

    @command(
        f"{_SWEEP}:LINear",
        LEVELS, LEVELS, POINTS, DELAY, COUNT, RANGING, ABORT, DUAL, BUFFER,
        functions=SOURCED,
    )  # fmt: skip
    def _sweep_linear(
        self, function: str, start: float, stop: float, points: float, delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        self._check_run(points)
        self._sweep_levels(
            function, np.linspace(start, stop, int(points)).tolist(), delay, count, ranging, abort, dual, name
        )

    @command(
        f"{_SWEEP}:LINear:STEP",
        LEVELS, LEVELS, STEPS, DELAY, COUNT, RANGING, ABORT, DUAL, BUFFER,
        functions=SOURCED,
    )  # fmt: skip
    def _sweep_steps(
        self, function: str, start: float, stop: float, step: float, delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        if not step or (stop - start) * step < 0.0:
            raise ScpiError(-222)
        points = np.floor((stop - start) / step + 1e-9) + 1
        self._check_run(points)
        levels = (start + step * np.arange(points)).tolist()
        self._sweep_levels(function, levels, delay, count, ranging, abort, dual, name)

    @command(
        f"{_SWEEP}:LOG",
        LEVELS, LEVELS, POINTS, DELAY, COUNT, RANGING, ABORT, DUAL, BUFFER,
        functions=SOURCED,
    )  # fmt: skip
    def _sweep_log(
        self, function: str, start: float, stop: float, points: float, delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        if start * stop <= 0.0:
            raise ScpiError(-222)
        self._check_run(points)
        levels = np.copysign(np.geomspace(abs(start), abs(stop), int(points)), start).tolist()
        self._sweep_levels(function, levels, delay, count, ranging, abort, dual, name)

    def _sweep_levels(
        self, function: str, levels: list[float], delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        largest = max(map(abs, levels))
        source = self._sources[function]
        if ranging == "FIX" and not source.holds(largest, self.source_ranges[function]):
            raise ScpiError(-221)
        self._plan(function, levels + levels[::-1] if dual else levels, count, delay, name, abort)
        self.source_auto[function] = ranging == "AUTO"
        if ranging == "BEST":
            span = source.range_for(max(largest, abs(self.levels[function])))
            self.source_ranges[function] = span

    def _check_run(self, points: float) -> None:
        if points > LARGEST_RUN:
            raise ScpiError(-221, f"more than {LARGEST_RUN} readings at once are not simulated")

    def _plan(
        self, function: str, levels: list[float], count: float, delay: float, name: str, abort: bool
    ) -> None:
        self._buffer(name)
        if 0.0 < delay < 5e-5 or -1.0 < delay < 0.0:
            raise ScpiError(-222)
        self._check_run(len(levels) * count)
        self._check_extremes(function, levels)
        seconds = self._settling if delay < 0.0 else delay
        self._sweep = SweepSettings(function, levels * int(count), seconds, name, abort)

    def _check_extremes(self, function: str, levels: list[float]) -> None:
        largest = max(map(abs, levels))
        if function == "VOLT":
            self._check_interlock(largest)
            self._check_power(largest, self.current_limit)
        else:
            self._check_power(self.voltage_limit, largest)

    @command(":INITiate[1][:IMMediate]")
    def _initiate(self) -> None:
        sweep = self._sweep
        if sweep is None:
            raise ScpiError(-213)
        if sweep.function != self.function or self.sensing == "RES":
            raise ScpiError(-221, "the sweep is for the other function")
        self._check_extremes(sweep.function, sweep.levels)  # the limit may have changed since
        buffer = self._buffer(sweep.buffer)
        self.output_on = True
        try:
            for level in sweep.levels:
                self.levels[sweep.function] = level
                self._apply()
                buffer.append(self._measure(sweep.delay))
                if sweep.until_limited and self._tripped:
                    break
        finally:
            self.output_on = False
            self._apply()

    @command(":ABORt")
    def _abort(self) -> None:
        """Nothing runs between two messages on the virtual clock."""
