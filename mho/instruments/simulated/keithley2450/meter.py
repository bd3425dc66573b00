"""The meter of the simulated 2450: volts, amperes or ohms, each with its own range, integration time and filter.

Model 2450 Reference Manual 2450-901-01, pp. 6-4 to 6-6 and 6-36 to 6-57. (?) from memory: that the ohmmeter takes the
source over.
"""

from __future__ import annotations

from mho.instruments.simulated.analogue import OVERFLOW, Regulated, range_for
from mho.instruments.simulated.keithley2450.buffers import (
    LIMITED,
    OUTPUT_ON,
    SENSED_REMOTELY,
    Buffer,
    BufferRecord,
)
from mho.instruments.simulated.keithley2450.ranges import MEASURE, OVERRANGE, TEST_CURRENTS
from mho.instruments.simulated.keithley2450.source import DELAY, Source
from mho.instruments.simulated.scpi.instrument import FunctionSetting, IndexedSetting, ScpiError, Setting
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric
from mho.instruments.simulated.source_meters import SENSED, MeterPart

OVERHEAD = 3e-4  # s a reading takes beside its aperture
LARGEST_RUN = 100_000  # readings that one message may ask for here
UNITS = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}
_SENSE = "[:SENSe[1]]:<function>"


def check_run(readings: float) -> None:
    """Refuse more readings at once than are simulated."""
    if readings > LARGEST_RUN:
        raise ScpiError(-221, f"more than {LARGEST_RUN} readings at once are not simulated")


class Meter(MeterPart):
    """Measures one function: ``:SENSe``."""

    RANGES, OVERRANGE, OHMS = MEASURE, OVERRANGE, TEST_CURRENTS
    source: Source

    sensing = Setting(
        "[:SENSe[1]]:FUNCtion[:ON]",
        Choice("CURR:DC", ("CURRent[:DC]", "VOLTage[:DC]", "RESistance"), quoted=True),
    )
    ranges = FunctionSetting(
        f"{_SENSE}:RANGe[:UPPer]",
        SENSED,
        {"CURR": Numeric(1e-4, 1e-8, 1.0, unit="A"), "VOLT": Numeric(20.0, 0.02, 200.0, unit="V"),
         "RES": Numeric(2e5, 2.0, 2e8, unit="OHM")},
    )  # fmt: skip
    count = Setting("[:SENSe[1]]:COUNt", Numeric(1, 1, 300_000, integer=True))
    lowest = FunctionSetting(
        f"{_SENSE}:RANGe:AUTO:LLIMit",
        SENSED,
        {"CURR": Numeric(1e-8, 1e-8, 1.0, unit="A"), "VOLT": Numeric(0.02, 0.02, 200.0, unit="V"),
         "RES": Numeric(20.0, 2.0, 2e8, unit="OHM")},
    )  # fmt: skip
    remote_sense = FunctionSetting(f"{_SENSE}:RSENse", SENSED, Boolean(False))
    autozero = FunctionSetting(f"{_SENSE}:AZERo[:STATe]", SENSED, Boolean(True))
    filtering = FunctionSetting(f"{_SENSE}:AVERage[:STATe]", SENSED, Boolean(False))
    filter_count = FunctionSetting(f"{_SENSE}:AVERage:COUNt", SENSED, Numeric(10, 1, 100, integer=True))
    filter_type = FunctionSetting(f"{_SENSE}:AVERage:TCONtrol", SENSED, Choice("REP", ("REPeat", "MOVing")))
    offset_compensated = Setting("[:SENSe[1]]:RESistance:OCOMpensated", Boolean(False))
    current_delay = IndexedSetting("[:SENSe[1]]:CURRent[:DC]:DELay:USER[1|2|3|4|5]", DELAY)
    voltage_delay = IndexedSetting("[:SENSe[1]]:VOLTage[:DC]:DELay:USER[1|2|3|4|5]", DELAY)
    resistance_delay = IndexedSetting("[:SENSe[1]]:RESistance:DELay:USER[1|2|3|4|5]", DELAY)

    commands = {"[:SENSe[1]]:AZERo:ONCE": lambda self: None}  # the simulated meter does not drift

    @property
    def sensed(self) -> str:
        """The function: ``CURR``, ``VOLT`` or ``RES``."""
        return self.sensing.partition(":")[0]

    @property
    def has_source(self) -> bool:
        """Whether the ohmmeter has the source."""
        return self.sensing == "RES"

    @property
    def aperture(self) -> float:
        """Integration time, s."""
        return float(self.nplcs[self.sensed] / self.device.line_frequency)

    @sensing.on_change
    def _sensing_changed(self, sensing: str) -> None:
        self._averaged.clear()
        if sensing == "RES" and self.source.function != "CURR":
            self.source.function = "CURR"
            self.source.output_on = False
        self.source.apply()

    def choose(self, function: str) -> None:
        """Measure this function from now on."""
        if function != self.sensed:
            type(self).sensing.store(self, "RES" if function == "RES" else f"{function}:DC")

    def range_changed(self, function: str, value: float) -> None:
        """The range is fixed, the average begins anew, and the ohmmeter changes its current."""
        super().range_changed(function, value)
        self._averaged.clear()
        if function == "RES" and self.has_source:
            self.source.apply()

    @filtering.on_change
    @filter_count.on_change
    @filter_type.on_change
    def _filter_changed(self, function: str, value: object) -> None:
        self._averaged.clear()

    def measure(self, delay: float) -> BufferRecord:
        """Wait, integrate over the aperture, and report; advances the clock."""
        device, source, function = self.device, self.source, self.sensing.partition(":")[0]
        nplc, filtering = self.nplcs[function], self.filtering[function]
        repeated = filtering and self.filter_type[function] == "REP"
        if repeated:  # as one longer integration
            nplc *= self.filter_count[function]
        aperture = nplc / device.line_frequency
        device.clock.advance(delay)
        if function == "RES":
            flow = self.ohm_flow(aperture)
            reading = self._ohms(flow, nplc)
        else:
            flow = source.flow(aperture)
            reading = self.read(function, flow.amperes if function == "CURR" else flow.volts, nplc)
        status = SENSED_REMOTELY if self.remote_sense[function] else 0
        if source.output_on:
            status |= OUTPUT_ON
        if flow.limited:
            status |= LIMITED
        if filtering and not repeated:
            (reading,) = self.average((reading,), self.filter_count[function])
        device.clock.advance(aperture + OVERHEAD)
        sourced, level = source.function, source.level
        if source.readback[sourced]:
            level = flow.volts if sourced == "VOLT" else flow.amperes
        return BufferRecord(level, reading, UNITS[function], status, device.clock.now, UNITS[sourced])

    def _ohms(self, flow: Regulated, nplc: float) -> float:
        """Return what the ohmmeter reads on its range."""
        meter, span = self.converters["VOLT"], self.ranges["RES"]
        drop = range_for(meter.ranges, span * self.OHMS[span], OVERRANGE)
        volts = meter.read(flow.volts, drop, nplc)
        if not flow.amperes or flow.limited or abs(volts) >= OVERFLOW:
            return OVERFLOW
        ohms = volts / flow.amperes
        return ohms if abs(ohms) <= OVERRANGE * span else OVERFLOW

    def measure_into(self, buffer: Buffer, delay: float) -> BufferRecord:
        """Measure as often as ``:SENS:COUN`` says, into a buffer; returns the last reading."""
        check_run(self.count)
        for _ in range(int(self.count)):
            record = self.measure(delay)
            buffer.append(record)
            delay = 0.0
        return record
