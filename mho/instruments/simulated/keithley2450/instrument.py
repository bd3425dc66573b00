"""The simulated Keithley 2450 (SCPI command set): a source of volts or amperes that measures volts, amperes and ohms.

Model 2450 Reference Manual 2450-901-01: meter pp. 6-4 to 6-6 and 6-36 to 6-57, sweeps pp. 6-79 to 6-90, front panel
pp. 6-22 to 6-31, 6-35 and 6-91. (?) from memory: the error texts, the automatic delay, that the ohmmeter takes the source
over, that a sweep ends with the output off, what the range types do to the source's range afterwards, which screens there
are, and that a change of the terminals switches the output off. Not simulated: configuration lists, trigger models, limit
tests, math and digital I/O. The wires are on the front and on the rear terminals alike.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from mho.instruments.simulated.analogue import (
    OVERFLOW,
    TEST_CURRENTS,
    Regulated,
    SpecimenConverter,
    range_for,
    staircase,
)
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.buffers import (
    BUFFER,
    ELEMENTS,
    FULL,
    LIMITED,
    NAME_TAKEN,
    OUTPUT_ON,
    SENSED_REMOTELY,
    BufferRecord,
    ReadingBuffers,
    reading_queries,
)
from mho.instruments.simulated.keithley2450.ranges import MEASURE, OHM_RANGES, OVERRANGE
from mho.instruments.simulated.keithley2450.source import DELAY, LEVELS, SOURCED, Source
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import (
    FunctionSetting,
    IndexedSetting,
    ScpiError,
    Setting,
    command,
    query,
)
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS

AUTO_DELAY = 1e-3  # s
CALIBRATED = "2024,10,3"  # 90 days before the virtual clock starts
OVERHEAD = 3e-4  # s a reading takes beside its aperture
LARGEST_RUN = 100_000  # readings that one message may ask for here
SENSED = {"CURR": "CURRent[:DC]", "VOLT": "VOLTage[:DC]", "RES": "RESistance"}
UNITS = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}
_SENSE = "[:SENSe[1]]:<function>"


LIST_SIZE = 2500
LISTED_AT_ONCE = 100
LISTED = {
    "VOLT": Numeric(0.0, -210.0, 210.0, unit="V", repeated=True),
    "CURR": Numeric(0.0, -1.05, 1.05, unit="A", repeated=True),
}
STEPS = {"VOLT": Numeric(0.0, -420.0, 420.0, unit="V"), "CURR": Numeric(0.0, -2.1, 2.1, unit="A")}
POINTS = Numeric(2, 2, 1e6, integer=True)
LIST_DELAY = Numeric(-1.0, -1.0, 1e4, unit="S", required=False)
COUNT = Numeric(1, 1, 268435455, integer=True, required=False)
RANGING = Choice("BEST", ("AUTO", "BEST", "FIXed"), required=False)
ABORT, DUAL = Boolean(True, required=False), Boolean(False, required=False)
FIRST = Numeric(1, 1, LIST_SIZE, integer=True)
SWEEP_OPTIONS = (LIST_DELAY, COUNT, RANGING, ABORT, DUAL, BUFFER)
_SWEEP = ":SOURce[1]:SWEep:<function>"


class SweepSettings(NamedTuple):
    """The sweep that ``:INITiate`` runs: levels, delay before each reading (s), buffer, and abort conditions."""

    function: str
    levels: list[float]
    delay: float
    buffer: str
    until_limited: bool


SCREENS = (
    "HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "HISTogram", "GRAPH_SWIPE", "SETTINGS_SWIPE",
    "SOURCE_SWIPE", "STATS_SWIPE", "USER_SWIPE",
)  # fmt: skip
LINES, LONGEST_TEXTS = {"1": "USER1", "2": "USER2"}, {"1": 20, "2": 32}


class SimulatedKeithley2450(ReadingBuffers):
    """A 2450 on a bench; `clock`, `rng` and `serial` as for `ScpiDevice`.

    `output`: what its terminals are wired to.
    `accuracy`: standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    `noise`: standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    `interlock`: whether the interlock is closed, which more than 42 V need.
    """

    identity = "KEITHLEY INSTRUMENTS,MODEL 2450,{serial},1.7.12b"
    line_frequency = 60.0
    parts = (Source,)

    commands = {
        ":CALibration:VERify:DATE?": lambda self: CALIBRATED,
        "[:SENSe[1]]:AZERo:ONCE": lambda self: None,  # the simulated meter does not drift
        ":SOURce[1]:LIST:<function>?": (
            SOURCED, lambda self, function: ",".join(map(self.real, self._lists[function])),
        ),
        ":SOURce[1]:LIST:<function>:POINts?": (SOURCED, lambda self, function: str(len(self._lists[function]))),
        ":DISPlay:SCReen": (Choice("HOME", SCREENS), lambda self, screen: setattr(self, "screen", screen)),
        ":DISPlay:<function>:TEXT[:DATA]": (
            LINES, Text(), lambda self, line, text: self.shown.update({line: text[: LONGEST_TEXTS[line]]}),
        ),
        ":ABORt": lambda self: None,  # nothing runs between two messages on the virtual clock
        **reading_queries(ELEMENTS),
    }  # fmt: skip

    language = Setting("*LANG", Choice("SCPI", ("SCPI", "TSP", "SCPI2400")))

    sensing = Setting(
        "[:SENSe[1]]:FUNCtion[:ON]",
        Choice("CURR:DC", ("CURRent[:DC]", "VOLTage[:DC]", "RESistance"), quoted=True),
    )
    measure_ranges = FunctionSetting(
        "[:SENSe[1]]:<function>:RANGe[:UPPer]",
        SENSED,
        {"CURR": Numeric(1e-4, 1e-8, 1.0, unit="A"), "VOLT": Numeric(20.0, 0.02, 200.0, unit="V"),
         "RES": Numeric(2e5, 20.0, 2e8, unit="OHM")},
    )  # fmt: skip
    measuring_auto = FunctionSetting("[:SENSe[1]]:<function>:RANGe:AUTO", SENSED, Boolean(True))
    count = Setting("[:SENSe[1]]:COUNt", Numeric(1, 1, 300_000, integer=True))
    lowest = FunctionSetting(
        f"{_SENSE}:RANGe:AUTO:LLIMit",
        SENSED,
        {"CURR": Numeric(1e-8, 1e-8, 1.0, unit="A"), "VOLT": Numeric(0.02, 0.02, 200.0, unit="V"),
         "RES": Numeric(20.0, 2.0, 2e8, unit="OHM")},
    )  # fmt: skip
    nplcs = FunctionSetting(f"{_SENSE}:NPLCycles", SENSED, Numeric(1.0, 0.01, 10.0))
    remote_sense = FunctionSetting(f"{_SENSE}:RSENse", SENSED, Boolean(False))
    autozero = FunctionSetting(f"{_SENSE}:AZERo[:STATe]", SENSED, Boolean(True))
    filtering = FunctionSetting(f"{_SENSE}:AVERage[:STATe]", SENSED, Boolean(False))
    filter_count = FunctionSetting(f"{_SENSE}:AVERage:COUNt", SENSED, Numeric(10, 1, 100, integer=True))
    filter_type = FunctionSetting(f"{_SENSE}:AVERage:TCONtrol", SENSED, Choice("REP", ("REPeat", "MOVing")))
    offset_compensated = Setting("[:SENSe[1]]:RESistance:OCOMpensated", Boolean(False))
    current_delay = IndexedSetting("[:SENSe[1]]:CURRent[:DC]:DELay:USER[1|2|3|4|5]", DELAY)
    voltage_delay = IndexedSetting("[:SENSe[1]]:VOLTage[:DC]:DELay:USER[1|2|3|4|5]", DELAY)
    resistance_delay = IndexedSetting("[:SENSe[1]]:RESistance:DELay:USER[1|2|3|4|5]", DELAY)

    terminals = Setting(":ROUTe:TERMinals", Choice("FRON", ("FRONt", "REAR")))
    digits = FunctionSetting(":DISPlay:<function>:DIGits", SENSED, Numeric(5, 3, 6, integer=True))
    reading_format = Setting(":DISPlay:READing:FORMat", Choice("PREF", ("PREFix", "EXPonent")))
    light = Setting(
        ":DISPlay:LIGHt:STATe", Choice("ON50", ("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"))
    )

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6, interlock: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.source = Source(self, rng, output, accuracy=accuracy, interlock=interlock)
        self._meters = SpecimenConverter.of_each(rng, MEASURE, accuracy, noise=noise, overrange=OVERRANGE)
        self._averaged: list[float] = []
        self.reset()

    def reset(self) -> None:
        """Power-on state: 0 V, output off, automatic ranges, empty buffers."""
        self.screen = "HOME"
        self._clear_display()
        self._forget_buffers()
        self._forget_sweeps()
        self._averaged.clear()
        self.source.apply()

    @property
    def output(self) -> SourcePort:
        """What its terminals are wired to."""
        return self.source.output

    @property
    def interlock(self) -> bool:
        """Whether the interlock is closed; somebody may open it."""
        return self.source.interlock

    @interlock.setter
    def interlock(self, closed: bool) -> None:
        self.source.interlock = closed

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return self.source.output_on

    @property
    def level(self) -> float:
        """The programmed source level, V or A."""
        return self.source.level

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.source.limit

    @property
    def sensed(self) -> str:
        """The measurement's function: ``CURR``, ``VOLT`` or ``RES``."""
        return self.sensing.partition(":")[0]

    @property
    def nplc(self) -> float:
        """Integration time of the selected function in power line cycles."""
        return self.nplcs[self.sensed]

    @property
    def measure_auto(self) -> bool:
        """Whether the range of the selected function is automatic."""
        return self.measuring_auto[self.sensed]

    @property
    def aperture(self) -> float:
        """Integration time, s."""
        return self.nplc / self.line_frequency

    # --- settings that depend on each other ---

    @sensing.on_change
    def _sensing_changed(self, sensing: str) -> None:
        self._averaged.clear()
        if sensing == "RES" and self.source.function != "CURR":
            self.source.function = "CURR"
            self.source.output_on = False
        self.source.apply()

    @measure_ranges.on_change
    def _measure_range_changed(self, function: str, value: float) -> None:
        self.measuring_auto[function] = False
        self._averaged.clear()
        self._take_range(function, value)
        span = self.measure_ranges[function]
        if function == "CURR":
            self.source.current_limit = min(self.source.current_limit, OVERRANGE * span)
        elif function == "VOLT":
            self.source.voltage_limit = min(self.source.voltage_limit, OVERRANGE * span)
        elif self.sensing == "RES":
            self.source.apply()

    def _take_range(self, function: str, value: float) -> None:
        ranges = OHM_RANGES if function == "RES" else self._meters[function].ranges
        self.measure_ranges[function] = range_for(ranges, value, OVERRANGE)

    @filtering.on_change
    @filter_count.on_change
    @filter_type.on_change
    def _filter_changed(self, function: str, value: object) -> None:
        self._averaged.clear()

    # --- readings ---

    def _measure(self, delay: float) -> BufferRecord:
        """Wait, integrate over the aperture, and report; advances the clock."""
        function = self.sensing.partition(":")[0]
        nplc = self.nplcs[function]
        repeated = self.filtering[function] and self.filter_type[function] == "REP"
        if repeated:  # as one longer integration
            nplc *= self.filter_count[function]
        aperture = nplc / self.line_frequency
        self.clock.advance(delay)
        source = self.source
        flow = source.flow(aperture)
        status = SENSED_REMOTELY if self.remote_sense[function] else 0
        if source.output_on:
            status |= OUTPUT_ON
        if flow.limited:
            status |= LIMITED
        reading = self._read(function, flow, nplc)
        if self.filtering[function] and not repeated:
            self._averaged = [*self._averaged, reading][-int(self.filter_count[function]) :]
            reading = fmean(self._averaged)
        self.clock.advance(aperture + OVERHEAD)
        sourced, level = source.function, source.level
        if source.readback[sourced]:
            level = flow.volts if sourced == "VOLT" else flow.amperes
        return BufferRecord(level, reading, UNITS[function], status, self.clock.now, UNITS[sourced])

    def _read(self, function: str, flow: Regulated, nplc: float) -> float:
        if function == "RES":
            return self._ohms(flow, nplc)
        value = flow.amperes if function == "CURR" else flow.volts
        meter = self._meters[function]
        if self.measuring_auto[function]:
            self._take_range(function, max(abs(value), self.lowest[function]))
        # What is sourced is measured on the source's range (p. 6-53).
        ranges = self.source.ranges if function == self.source.function else self.measure_ranges
        return meter.read(value, ranges[function], nplc)

    def _ohms(self, flow: Regulated, nplc: float) -> float:
        """Return what the ohmmeter reads; with an automatic range, after it has found its own."""
        while True:
            span = self.measure_ranges["RES"]
            drop = span * TEST_CURRENTS[span]
            volts = self._meters["VOLT"].read(
                flow.volts, range_for(self._meters["VOLT"].ranges, drop, OVERRANGE), nplc
            )
            ohms = volts / flow.amperes if flow.amperes and abs(volts) < OVERFLOW else OVERFLOW
            if not self.source.output_on or flow.limited or abs(ohms) > OVERRANGE * span:
                ohms = OVERFLOW
            if not self.measuring_auto["RES"] or not self.source.output_on:
                return ohms
            if ohms == OVERFLOW:
                better = next((each for each in OHM_RANGES if each > span), span)
            else:
                better = range_for(OHM_RANGES, max(abs(ohms), self.lowest["RES"]), OVERRANGE)
            if better == span:
                return ohms
            self.measure_ranges["RES"] = better
            self.source.apply()
            flow = self.source.flow(self.aperture)

    @property
    def _settling(self) -> float:
        function = self.source.function
        return AUTO_DELAY if self.source.delay_auto[function] else self.source.delays[function]

    def _take(self, name: str) -> BufferRecord:
        """Measure as often as ``:SENS:COUN`` says, into a buffer; returns the last reading."""
        buffer = self._buffer(name)
        if self.count > LARGEST_RUN:
            raise ScpiError(-221, f"more than {LARGEST_RUN} readings at once are not simulated")
        delay = self._settling
        for _ in range(int(self.count)):
            record = self._measure(delay)
            buffer.append(record)
            delay = 0.0
        return record

    @query(":READ", BUFFER, ELEMENTS)
    @query(":MEASure", BUFFER, ELEMENTS)
    def _read_query(self, name: str, elements: list[str]) -> str:
        return self._reply([self._take(name)], elements)

    @query(":MEASure:<function>", BUFFER, ELEMENTS, functions=SENSED)
    def _measure_query(self, function: str, name: str, elements: list[str]) -> str:
        self._buffer(name)
        if function != self.sensed:
            type(self).sensing.store(self, "RES" if function == "RES" else f"{function}:DC")
        return self._read_query(name, elements)

    @command(":TRACe:TRIGger", BUFFER)
    def _trigger_into(self, name: str) -> None:
        self._take(name)

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
            self.source.check_level(function, level)

    @command(f"{_SWEEP}:LIST", FIRST, LIST_DELAY, COUNT, ABORT, BUFFER, functions=SOURCED)
    def _sweep_list(
        self, function: str, first: float, delay: float, count: float, abort: bool, name: str
    ) -> None:
        levels = self._lists[function][int(first) - 1 :]
        if not levels:
            raise ScpiError(-221, "source list is empty")
        self._plan(function, levels, count, delay, name, abort)

    @command(f"{_SWEEP}:LINear", LEVELS, LEVELS, POINTS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_linear(self, function: str, start: float, stop: float, points: float, *options: Any) -> None:
        self._check_run(points)
        self._sweep_levels(function, staircase(start, stop, points, logarithmic=False), *options)

    @command(f"{_SWEEP}:LINear:STEP", LEVELS, LEVELS, STEPS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_steps(self, function: str, start: float, stop: float, step: float, *options: Any) -> None:
        if not step or (stop - start) * step < 0.0:
            raise ScpiError(-222)
        points = np.floor((stop - start) / step + 1e-9) + 1
        self._check_run(points)
        self._sweep_levels(function, (start + step * np.arange(points)).tolist(), *options)

    @command(f"{_SWEEP}:LOG", LEVELS, LEVELS, POINTS, *SWEEP_OPTIONS, functions=SOURCED)
    def _sweep_log(self, function: str, start: float, stop: float, points: float, *options: Any) -> None:
        if start * stop <= 0.0:
            raise ScpiError(-222)
        self._check_run(points)
        self._sweep_levels(function, staircase(start, stop, points, logarithmic=True), *options)

    def _sweep_levels(
        self, function: str, levels: list[float], delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        largest = max(map(abs, levels))
        source = self.source
        converter = source.converters[function]
        if ranging == "FIX" and not converter.holds(largest, source.ranges[function]):
            raise ScpiError(-221)
        self._plan(function, levels + levels[::-1] if dual else levels, count, delay, name, abort)
        source.auto[function] = ranging == "AUTO"
        if ranging == "BEST":
            source.ranges[function] = converter.range_for(max(largest, abs(source.levels[function])))

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
        largest, source = max(map(abs, levels)), self.source
        if function == "VOLT":
            source.check_interlock(largest)
            source.check_power(largest, source.current_limit)
        else:
            source.check_power(source.voltage_limit, largest)

    @command(":INITiate[1][:IMMediate]")
    def _initiate(self) -> None:
        sweep, source = self._sweep, self.source
        if sweep is None:
            raise ScpiError(-213)
        if sweep.function != source.function or self.sensing == "RES":
            raise ScpiError(-221, "the sweep is for the other function")
        self._check_extremes(sweep.function, sweep.levels)  # the limit may have changed since
        buffer = self._buffer(sweep.buffer)
        source.output_on = True
        try:
            for level in sweep.levels:
                source.levels[sweep.function] = level
                source.apply()
                buffer.append(self._measure(sweep.delay))
                if sweep.until_limited and source.terminals.tripped:
                    break
        finally:
            source.output_on = False
            source.apply()

    @terminals.on_change
    def _terminals_changed(self, terminals: str) -> None:
        self.source.output_on = False
        self.source.apply()

    @command(":DISPlay:CLEar")
    def _clear_display(self) -> None:
        self.shown = {"1": "", "2": ""}

    @command(":STATus:CLEar")
    def _clear_events(self) -> None:
        """Clear the event registers; the queue of errors stays."""
        self.status.take_events()
        self.status.operation.take()
        self.status.questionable.take()

    def error_texts(self) -> dict[int, str]:
        """Return the texts as the 2450 words them."""
        return _TEXTS


_TEXTS = {
    **ERROR_TEXTS,
    -222: "Parameter data out of range",
    1133: "Parameter 4, Syntax error, expected valid name parameters",
    NAME_TAKEN: "Parameter error: TRACe:MAKE cannot take an existing reading buffer name",
    FULL: "Attempting to store past capacity of reading buffer",
}
