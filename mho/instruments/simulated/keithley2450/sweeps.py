"""What the trigger model of the simulated 2450 runs: sweeps, and the template loops of readings.

Model 2450 Reference Manual 2450-901-01, sweeps pp. 6-79 to 6-90. (?) from memory: that a sweep ends with the output off,
what the range types do to the source's range afterwards, how the state is written, and the template loops, which here leave
the output as it is. Trigger models of one's own, block by block, are not simulated, and refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue import staircase
from mho.instruments.simulated.keithley2450.buffers import BUFFER
from mho.instruments.simulated.keithley2450.meter import OVERHEAD, check_run
from mho.instruments.simulated.scpi.instrument import ScpiError, ScpiPart, command
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text
from mho.instruments.simulated.source_meters import LEVELS, LIST_SIZE, SOURCED

STEPS = {"VOLT": Numeric(0.0, -420.0, 420.0, unit="V"), "CURR": Numeric(0.0, -2.1, 2.1, unit="A")}
POINTS = Numeric(2, 2, 1e6, integer=True)
LIST_DELAY = Numeric(-1.0, -1.0, 1e4, unit="S", required=False)
COUNT = Numeric(1, 1, 268435455, integer=True, required=False)
RANGING = Choice("BEST", ("AUTO", "BEST", "FIXed"), required=False)
ABORT, DUAL = Boolean(True, required=False), Boolean(False, required=False)
FIRST = Numeric(1, 1, LIST_SIZE, integer=True)
SWEEP_OPTIONS = (LIST_DELAY, COUNT, RANGING, ABORT, DUAL, BUFFER)
_SWEEP = ":SOURce[1]:SWEep:<function>"


class TriggerModel(ScpiPart):
    """Holds one sweep or loop, which ``:INITiate`` runs: ``:SOURce:SWEep`` and ``:TRIGger``."""

    commands = {
        ":ABORt": lambda self: None,  # nothing runs between two messages on the virtual clock
        ":TRIGger:STATe?": lambda self: "EMPTY;EMPTY;0" if self._program is None else "IDLE;IDLE;0",
    }

    def reset(self) -> None:
        """Empty."""
        self._program: Callable[[], None] | None = None

    @command(":INITiate[1][:IMMediate]")
    def initiate(self) -> None:
        """Run what was loaded; -213 when nothing was."""
        if self._program is None:
            raise ScpiError(-213)
        self._program()

    # --- sweeps ---

    @command(f"{_SWEEP}:LIST", FIRST, LIST_DELAY, COUNT, ABORT, BUFFER, functions=SOURCED)
    def _sweep_list(
        self, function: str, first: float, delay: float, count: float, abort: bool, name: str
    ) -> None:
        levels = self.device.source.lists[function][int(first) - 1 :]
        if not levels:
            raise ScpiError(-221, "source list is empty")
        self._plan(function, levels, count, delay, name, abort)

    @command(f"{_SWEEP}:LINear", LEVELS, LEVELS, POINTS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_linear(self, function: str, start: float, stop: float, points: float, *options: Any) -> None:
        check_run(points)
        self._sweep_levels(function, staircase(start, stop, points, logarithmic=False), *options)

    @command(f"{_SWEEP}:LINear:STEP", LEVELS, LEVELS, STEPS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_steps(self, function: str, start: float, stop: float, step: float, *options: Any) -> None:
        if not step or (stop - start) * step < 0.0:
            raise ScpiError(-222)
        points = np.floor((stop - start) / step + 1e-9) + 1
        check_run(points)
        self._sweep_levels(function, (start + step * np.arange(points)).tolist(), *options)

    @command(f"{_SWEEP}:LOG", LEVELS, LEVELS, POINTS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_log(self, function: str, start: float, stop: float, points: float, *options: Any) -> None:
        if start * stop <= 0.0:
            raise ScpiError(-222)
        check_run(points)
        self._sweep_levels(function, staircase(start, stop, points, logarithmic=True), *options)

    def _sweep_levels(
        self, function: str, levels: list[float], delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        largest, source = max(map(abs, levels)), self.device.source
        converter = source.converters[function]
        if ranging == "FIX" and not converter.holds(largest, source.ranges[function]):
            raise ScpiError(-221)
        self._plan(function, levels + levels[::-1] if dual else levels, count, delay, name, abort)
        source.auto[function] = ranging == "AUTO"
        if ranging == "BEST":
            source.ranges[function] = converter.range_for(max(largest, abs(source.levels[function])))

    def _plan(
        self, function: str, levels: list[float], count: float, delay: float, name: str, abort: bool
    ) -> None:
        self.device.buffer(name)
        if 0.0 < delay < 5e-5 or -1.0 < delay < 0.0:
            raise ScpiError(-222)
        check_run(len(levels) * count)
        self._check_extremes(function, levels)
        seconds = self.device.source.settling if delay < 0.0 else delay
        self._program = partial(self._sweep, function, levels * int(count), seconds, name, abort)

    def _check_extremes(self, function: str, levels: list[float]) -> None:
        largest, source = max(map(abs, levels)), self.device.source
        if function == "VOLT":
            source.check_interlock(largest)
        source.check_power(**{function: largest})

    def _sweep(
        self, function: str, levels: list[float], delay: float, name: str, until_limited: bool
    ) -> None:
        source, meter = self.device.source, self.device.meter
        if function != source.function or meter.has_source:
            raise ScpiError(-221, "the sweep is for the other function")
        self._check_extremes(function, levels)  # the limit may have changed since
        buffer = self.device.buffer(name)
        source.output_on = True
        try:
            for level in levels:
                source.levels[function] = level
                source.apply()
                buffer.append(meter.measure(delay))
                if until_limited and source.terminals.tripped:
                    break
        finally:
            source.output_on = False
            source.apply()

    # --- templates ---

    @command(
        ":TRIGger:LOAD", Text(), Numeric(1.0, 1e-3, 1e5, required=False),
        Numeric(0.0, 0.0, 1e4, unit="S", required=False), BUFFER,
    )  # fmt: skip
    def _load(self, template: str, extent: float, delay: float, name: str) -> None:
        """Load a loop of `extent` readings, or of that many seconds."""
        self.device.buffer(name)
        match template.upper():
            case "EMPTY":
                self._program = None
            case "SIMPLELOOP":
                if not (count := round(extent)):
                    raise ScpiError(-222)
                self._program = partial(self._loop, count, 0.0, delay, name)
            case "DURATIONLOOP":
                self._program = partial(self._loop, 0, extent, delay, name)
            case _:
                raise ScpiError(-224, f"no template {template}")

    def _loop(self, count: int, seconds: float, delay: float, name: str) -> None:
        """Clear the buffer, and measure: `count` times, or until `seconds` have passed."""
        meter, clock = self.device.meter, self.device.clock
        if not count:
            count = int(np.ceil(seconds / (delay + meter.aperture + OVERHEAD)))
            check_run(count)
        buffer = self.device.buffer(name)
        buffer.records.clear()
        end = clock.now + (seconds or np.inf)
        for _ in range(count):
            buffer.append(meter.measure(delay))
            if clock.now >= end:
                break
