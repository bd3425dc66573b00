"""The sources of the simulated B2912A: volts or amperes, with the other one limited.

B2900 Series SCPI Command Reference, B2910-90030, edition 2. (?) from memory: the limits of pulses, the voltage limit
after a reset, and that a change of the function switches the output off.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mho.instruments.simulated.analogue.accuracy import SpecimenConverter
from mho.instruments.simulated.analogue.limited_sources import OFF, Regulated, carry, regulate
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keysightb2912a.accuracy import (
    MEASURE,
    MEASURE_VOLTAGE,
    SOURCE,
    SOURCE_CURRENT,
    largest_current,
)
from mho.instruments.simulated.keysightb2912a.data import MeasurementData
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric

INTERLOCK_VOLTAGE = 42.0
LEVEL = Numeric(0.0, -210.0, 210.0, unit="V")
AMPERES = Numeric(0.0, -3.03, 3.03, unit="A")
SETTLING = 1e-4  # s in which a current source finds its voltage
SOURCES, SENSE = "[:SOURce[1|2]]", ":SENSe[1|2]"


class Sources(MeasurementData):
    """The part of the instrument that sources: its two channels."""

    real_format = "%+.6E"
    line_frequency = 50.0

    function = IndexedSetting(f"{SOURCES}:FUNCtion:MODE", Choice("VOLT", ("VOLTage", "CURRent")))
    shape = IndexedSetting(f"{SOURCES}:FUNCtion[:SHAPe]", Choice("DC", ("DC", "PULSe")))
    level = IndexedSetting(f"{SOURCES}:VOLTage[:LEVel][:IMMediate][:AMPLitude]", LEVEL)
    mode = IndexedSetting(f"{SOURCES}:VOLTage:MODE", Choice("FIX", ("FIXed", "SWEep", "LIST")))
    range_auto = IndexedSetting(f"{SOURCES}:VOLTage:RANGe:AUTO", Boolean(True))
    pulse_delay = IndexedSetting(f"{SOURCES}:PULSe:DELay", Numeric(0.0, 0.0, 9.99e4, unit="S"))
    pulse_width = IndexedSetting(f"{SOURCES}:PULSe:WIDTh", Numeric(5e-5, 5e-5, 1e5, unit="S"))
    amperes = IndexedSetting(f"{SOURCES}:CURRent[:LEVel][:IMMediate][:AMPLitude]", AMPERES)
    current_auto = IndexedSetting(f"{SOURCES}:CURRent:RANGe:AUTO", Boolean(True))
    current_limit = IndexedSetting(
        f"{SENSE}:CURRent[:DC]:PROTection[:LEVel][:BOTH]", Numeric(1e-4, 1e-9, 3.03, unit="A")
    )
    voltage_limit = IndexedSetting(
        f"{SENSE}:VOLTage[:DC]:PROTection[:LEVel][:BOTH]", Numeric(2.0, 1e-3, 210.0, unit="V")
    )
    measure_auto = IndexedSetting(f"{SENSE}:CURRent[:DC]:RANGe:AUTO", Boolean(True))
    nplc = IndexedSetting(f"{SENSE}:CURRent[:DC]:NPLCycles", Numeric(1.0, 4e-4, 100.0))
    remote_sense = IndexedSetting(f"{SENSE}:REMote", Boolean(False))
    output_on = IndexedSetting(":OUTPut[1|2][:STATe]", Boolean(False))
    auto_on = IndexedSetting(":OUTPut[1|2]:ON:AUTO", Boolean(True))
    off_mode = IndexedSetting(":OUTPut[1|2]:OFF:MODE", Choice("NORM", ("ZERO", "HIZ", "NORMal")))
    protection = IndexedSetting(":OUTPut[1|2]:PROTection[:STATe]", Boolean(False))

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        outputs: Mapping[int, SourcePort],
        *,
        serial: str = "SIM00000",
        accuracy: float = 0.2,
        noise: float = 2e-6,
        interlock: bool = True,
    ) -> None:
        self.outputs = outputs
        self.interlock = interlock
        self._sources = {channel: SpecimenConverter(rng, SOURCE, accuracy) for channel in (1, 2)}
        self._current_sources = {
            channel: SpecimenConverter(rng, SOURCE_CURRENT, accuracy) for channel in (1, 2)
        }
        self._meters = {channel: SpecimenConverter(rng, MEASURE, accuracy, noise=noise) for channel in (1, 2)}
        self._voltmeters = {channel: SpecimenConverter(rng, MEASURE_VOLTAGE, accuracy) for channel in (1, 2)}
        super().__init__(clock, rng, serial=serial)

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges, no data."""
        super().reset()
        self._source_range = dict.fromkeys((1, 2), min(SOURCE))
        self._current_range = dict.fromkeys((1, 2), min(SOURCE_CURRENT))
        self._actual = dict.fromkeys((1, 2), 0.0)  # at the terminals, V
        self._driven = dict.fromkeys((1, 2), 0.0)  # output of a current source, A
        self._measure_range = dict.fromkeys((1, 2), 1e-4)
        self._functions: dict[int, tuple[str, ...]] = dict.fromkeys((1, 2), ("VOLT", "CURR"))
        for channel in (1, 2):
            self._apply(channel)

    # --- the sources ---

    @function.on_change
    def _function_changed(self, channel: int, function: str) -> None:
        self.output_on[channel] = False
        self._apply(channel)

    @level.check
    def check_level(self, channel: int, volts: float) -> None:
        """Refuse a level that range, interlock or compliance do not allow."""
        if not self.range_auto[channel] and not self._sources[channel].holds(
            volts, self._source_range[channel]
        ):
            raise ScpiError(-222)
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")
        if self.current_limit[channel] > largest_current(volts) * (1 + 1e-9):
            raise ScpiError(-221, "compliance beyond what this level allows")

    @amperes.check
    def _check_amperes(self, channel: int, amperes: float) -> None:
        source = self._current_sources[channel]
        if not self.current_auto[channel] and not source.holds(amperes, self._current_range[channel]):
            raise ScpiError(-222)
        if abs(amperes) > largest_current(self.voltage_limit[channel]) * (1 + 1e-9):
            raise ScpiError(-221, "current beyond what the voltage limit allows")

    @voltage_limit.check
    def _check_voltage_limit(self, channel: int, volts: float) -> None:
        if volts > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")
        if abs(self.amperes[channel]) > largest_current(volts) * (1 + 1e-9):
            raise ScpiError(-221, "voltage limit beyond what the current allows")

    @level.on_change
    @amperes.on_change
    @current_auto.on_change
    @output_on.on_change
    @off_mode.on_change
    @range_auto.on_change
    def _changed(self, channel: int, value: object) -> None:
        self._apply(channel)

    @property
    def limit(self) -> dict[int, float]:
        """The largest current that can flow, A, by channel."""
        return {
            channel: limit if self.function[channel] == "VOLT" else abs(self._driven[channel])
            for channel, limit in self.current_limit.items()
        }

    def _apply(self, channel: int, volts: float | None = None) -> None:
        """Set the terminals to the state of the settings, or to a level of a list (V)."""
        port, on = self.outputs.get(channel), self.output_on[channel]
        if self.function[channel] == "CURR":
            driver, amperes = self._current_sources[channel], self.amperes[channel]
            if self.current_auto[channel]:
                self._current_range[channel] = driver.range_for(amperes)
            self._driven[channel] = driver.convert(amperes, self._current_range[channel])
            if on:
                self._regulate(channel, SETTLING)
        else:
            source, volts = self._sources[channel], self.level[channel] if volts is None else volts
            if self.range_auto[channel]:
                self._source_range[channel] = source.range_for(volts)
            self._actual[channel] = actual = source.convert(volts, self._source_range[channel])
            if on and port is not None:
                port.drive(actual, connected=True)
        if not on and port is not None:
            port.drive(0.0, connected=self.off_mode[channel] != "HIZ")

    def _regulate(self, channel: int, aperture: float) -> Regulated:
        """Find the voltage of a current source."""
        found = regulate(
            lambda volts: self._current(channel, volts, aperture),
            self._driven[channel],
            self.voltage_limit[channel],
            self._actual[channel],
        )
        self._actual[channel] = found.volts
        port = self.outputs.get(channel)
        if port is not None:
            port.drive(found.volts, connected=True)
        return found

    def _flow(self, channel: int) -> Regulated:
        """Return the volts and amperes at the terminals, and whether a limit stops the source."""
        aperture = self._aperture(channel)
        if not self.output_on[channel]:
            return OFF
        if self.function[channel] == "CURR":
            return self._regulate(channel, aperture)
        volts = self._actual[channel]
        return carry(volts, self._current(channel, volts, aperture), self.current_limit[channel])

    def _aperture(self, channel: int) -> float:
        return self.nplc[channel] / self.line_frequency

    def _current(self, channel: int, volts: float, aperture: float) -> float:
        port = self.outputs.get(channel)
        return 0.0 if port is None else port.current(volts, aperture)

    def _is_tripped(self, channel: int, function: str) -> str:
        return "1" if self.function[channel] == function and self._flow(channel).limited else "0"

    @command(f"{SENSE}:CURRent[:DC]:APERture", Numeric(0.02, 8e-6, 2.0, unit="S"))
    def _set_aperture(self, channel: int, seconds: float) -> None:
        self.nplc[channel] = seconds * self.line_frequency

    @query(f"{SENSE}:CURRent[:DC]:APERture")
    def _query_aperture(self, channel: int) -> str:
        return self.real(self._aperture(channel))

    @query(f"{SENSE}:CURRent[:DC]:PROTection:TRIPped")
    def _query_current_limited(self, channel: int) -> str:
        return self._is_tripped(channel, "VOLT")

    @query(f"{SENSE}:VOLTage[:DC]:PROTection:TRIPped")
    def _query_voltage_limited(self, channel: int) -> str:
        return self._is_tripped(channel, "CURR")

    @command(f"{SOURCES}:CURRent:RANGe", Numeric(1e-8, -3.03, 3.03, unit="A"))
    def _set_current_range(self, channel: int, amperes: float) -> None:
        span = self._current_sources[channel].range_for(amperes)
        if not self._current_sources[channel].holds(self.amperes[channel], span):
            raise ScpiError(-221)
        self.current_auto[channel] = False
        self._current_range[channel] = span
        self._apply(channel)

    @query(f"{SOURCES}:CURRent:RANGe")
    def _query_current_range(self, channel: int) -> str:
        return self.real(self._current_range[channel])

    @command(f"{SOURCES}:VOLTage:RANGe", Numeric(2.0, -210.0, 210.0, unit="V"))
    def _set_source_range(self, channel: int, volts: float) -> None:
        span = self._sources[channel].range_for(volts)
        if not self._sources[channel].holds(self.level[channel], span):
            raise ScpiError(-221)
        self.range_auto[channel] = False
        self._source_range[channel] = span
        self._apply(channel)

    @query(f"{SOURCES}:VOLTage:RANGe")
    def _query_source_range(self, channel: int) -> str:
        return self.real(self._source_range[channel])
