"""The meter of the simulated 2450: amperes, volts and ohms, filtered, into a reading buffer.

Model 2450 Reference Manual 2450-901-01, pp. 6-4 to 6-6 and 6-36 to 6-57. (?) from memory: the automatic delay, and that
the ohmmeter takes the source over.
"""

from __future__ import annotations

from statistics import fmean

import numpy as np

from mho.instruments.simulated.analogue.accuracy import OVERFLOW, SpecimenConverter, range_for
from mho.instruments.simulated.analogue.limited_sources import Regulated
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.accuracy import MEASURE, OHM_RANGES, OVERRANGE, TEST_CURRENTS
from mho.instruments.simulated.keithley2450.buffers import (
    DEFAULT,
    ELEMENTS,
    LIMITED,
    OUTPUT_ON,
    SENSED_REMOTELY,
    Record,
)
from mho.instruments.simulated.keithley2450.source import DELAY, SENSED, Source
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

AUTO_DELAY = 1e-3  # s
OVERHEAD = 3e-4  # s a reading takes beside its aperture
LARGEST_RUN = 100_000  # readings that one message may ask for here
UNITS = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}
_SENSE = "[:SENSe[1]]:<function>"


class Meter(Source):
    """The part of the instrument that measures: ``:SENSe``, ``:READ?``, ``:MEASure?`` and ``:FETCh?``."""

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

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        output: SourcePort,
        *,
        serial: str,
        accuracy: float,
        noise: float,
        interlock: bool,
    ) -> None:
        super().__init__(clock, rng, output, serial=serial, accuracy=accuracy, interlock=interlock)
        self._meters = {
            function: SpecimenConverter(rng, ranges, accuracy, noise=noise, overrange=OVERRANGE)
            for function, ranges in MEASURE.items()
        }
        self._averaged: list[float] = []

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
    def _aperture(self) -> float:
        return self.nplc / self.line_frequency

    # --- settings that depend on each other ---

    @Source.sensing.on_change
    def _sensing_changed(self, sensing: str) -> None:
        self._averaged.clear()
        if sensing == "RES" and self.function != "CURR":
            self.function = "CURR"
            self.output_on = False
        self._apply()

    @Source.measure_ranges.on_change
    def _measure_range_changed(self, function: str, value: float) -> None:
        self.measuring_auto[function] = False
        self._averaged.clear()
        self._take_range(function, value)
        span = self.measure_ranges[function]
        if function == "CURR":
            self.current_limit = min(self.current_limit, OVERRANGE * span)
        elif function == "VOLT":
            self.voltage_limit = min(self.voltage_limit, OVERRANGE * span)
        elif self.sensing == "RES":
            self._apply()

    def _take_range(self, function: str, value: float) -> None:
        ranges = OHM_RANGES if function == "RES" else self._meters[function].ranges
        self.measure_ranges[function] = range_for(ranges, value, OVERRANGE)

    @filtering.on_change
    @filter_count.on_change
    @filter_type.on_change
    def _filter_changed(self, function: str, value: object) -> None:
        self._averaged.clear()

    @command("[:SENSe[1]]:AZERo:ONCE")
    def _zero_once(self) -> None:
        """Measure new references; the simulated meter does not drift."""

    # --- readings ---

    def _measure(self, delay: float) -> Record:
        """Wait, integrate over the aperture, and report; advances the clock."""
        function = self.sensing.partition(":")[0]
        nplc = self.nplcs[function]
        repeated = self.filtering[function] and self.filter_type[function] == "REP"
        if repeated:  # as one longer integration
            nplc *= self.filter_count[function]
        aperture = nplc / self.line_frequency
        self.clock.advance(delay)
        flow = self._flow(aperture)
        status = SENSED_REMOTELY if self.remote_sense[function] else 0
        if self.output_on:
            status |= OUTPUT_ON
        if flow.limited:
            status |= LIMITED
        self._tripped = flow.limited
        reading = self._read(function, flow, nplc)
        if self.filtering[function] and not repeated:
            self._averaged = [*self._averaged, reading][-int(self.filter_count[function]) :]
            reading = fmean(self._averaged)
        self.clock.advance(aperture + OVERHEAD)
        source = self.level
        if self.readback[self.function]:
            source = flow.volts if self.function == "VOLT" else flow.amperes
        return Record(source, reading, UNITS[function], status, self.clock.now, UNITS[self.function])

    def _read(self, function: str, flow: Regulated, nplc: float) -> float:
        if function == "RES":
            return self._ohms(flow, nplc)
        value = flow.amperes if function == "CURR" else flow.volts
        meter = self._meters[function]
        if self.measuring_auto[function]:
            self._take_range(function, max(abs(value), self.lowest[function]))
        # What is sourced is measured on the source's range (p. 6-53).
        ranges = self.source_ranges if function == self.function else self.measure_ranges
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
            if not self.output_on or flow.limited or abs(ohms) > OVERRANGE * span:
                ohms = OVERFLOW
            if not self.measuring_auto["RES"] or not self.output_on:
                return ohms
            if ohms == OVERFLOW:
                better = next((each for each in OHM_RANGES if each > span), span)
            else:
                better = range_for(OHM_RANGES, max(abs(ohms), self.lowest["RES"]), OVERRANGE)
            if better == span:
                return ohms
            self.measure_ranges["RES"] = better
            self._apply()
            flow = self._flow(self._aperture)

    @property
    def _settling(self) -> float:
        function = self.function
        return AUTO_DELAY if self.delay_auto[function] else self.delays[function]

    def _take(self, name: str) -> Record:
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

    @query(":READ", Text(DEFAULT, required=False), ELEMENTS)
    @query(":MEASure", Text(DEFAULT, required=False), ELEMENTS)
    def _read_query(self, name: str, elements: list[str]) -> str:
        return self._reply([self._take(name)], elements)

    @query(":MEASure:<function>", Text(DEFAULT, required=False), ELEMENTS, functions=SENSED)
    def _measure_query(self, function: str, name: str, elements: list[str]) -> str:
        self._buffer(name)
        if function != self.sensed:
            Source.sensing.store(self, "RES" if function == "RES" else f"{function}:DC")
        return self._read_query(name, elements)

    @command(":TRACe:TRIGger", Text(DEFAULT, required=False))
    def _trigger_into(self, name: str) -> None:
        self._take(name)

    @query(":FETCh", Text(DEFAULT, required=False), ELEMENTS)
    def _fetch(self, name: str, elements: list[str]) -> str:
        buffer = self._buffer(name)
        return self._reply(buffer.slice(len(buffer), len(buffer)), elements)
