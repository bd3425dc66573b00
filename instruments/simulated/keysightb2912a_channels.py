"""The channels of the simulated B2912A: voltage sources that measure their currents.

B2900 Series SCPI Command Reference, B2910-90030, edition 2. (?) from memory: the limits of pulses, and that a
small measurement range lowers the compliance. Sourcing current and staircase sweeps are not simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from instruments.simulated.accuracy import Converter
from instruments.simulated.clock import VirtualClock
from instruments.simulated.keysightb2912a_accuracy import MEASURE, SOURCE, largest_current
from instruments.simulated.keysightb2912a_data import LIMITED, OVERFLOW, MeasurementData, Point
from instruments.simulated.ports import SourcePort
from instruments.simulated.scpi import IndexedSetting, ScpiError, command, query
from instruments.simulated.scpi_parameters import Boolean, Choice, Numeric
from instruments.simulated.status import ERROR_TEXTS, QueuedError

INTERLOCK_VOLTAGE = 42.0
LIST_SIZE = 2500
LEVEL = Numeric(0.0, -210.0, 210.0, unit="V")
_SOURCE, _SENSE = "[:SOURce[1|2]]", ":SENSe[1|2]"


class SourceChannels(MeasurementData):
    """The part of the instrument that sources and measures: its two channels."""

    real_format = "%+.6E"
    line_frequency = 50.0

    function = IndexedSetting(f"{_SOURCE}:FUNCtion:MODE", Choice("VOLT", ("VOLTage", "CURRent")))
    shape = IndexedSetting(f"{_SOURCE}:FUNCtion[:SHAPe]", Choice("DC", ("DC", "PULSe")))
    level = IndexedSetting(f"{_SOURCE}:VOLTage[:LEVel][:IMMediate][:AMPLitude]", LEVEL)
    mode = IndexedSetting(f"{_SOURCE}:VOLTage:MODE", Choice("FIX", ("FIXed", "SWEep", "LIST")))
    range_auto = IndexedSetting(f"{_SOURCE}:VOLTage:RANGe:AUTO", Boolean(True))
    pulse_delay = IndexedSetting(f"{_SOURCE}:PULSe:DELay", Numeric(0.0, 0.0, 9.99e4, unit="S"))
    pulse_width = IndexedSetting(f"{_SOURCE}:PULSe:WIDTh", Numeric(5e-5, 5e-5, 1e5, unit="S"))
    limit = IndexedSetting(
        f"{_SENSE}:CURRent[:DC]:PROTection[:LEVel][:BOTH]", Numeric(1e-4, 1e-9, 3.03, unit="A")
    )
    measure_auto = IndexedSetting(f"{_SENSE}:CURRent[:DC]:RANGe:AUTO", Boolean(True))
    nplc = IndexedSetting(f"{_SENSE}:CURRent[:DC]:NPLCycles", Numeric(1.0, 4e-4, 100.0))
    remote_sense = IndexedSetting(f"{_SENSE}:REMote", Boolean(False))
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
        self._sources = {channel: Converter(rng, SOURCE, accuracy) for channel in (1, 2)}
        self._meters = {channel: Converter(rng, MEASURE, accuracy, noise=noise) for channel in (1, 2)}
        super().__init__(clock, rng, serial=serial)

    def reset(self) -> None:
        """Power-on state: 0 V, outputs off, automatic ranges, no data."""
        super().reset()
        self._source_range = dict.fromkeys((1, 2), min(SOURCE))
        self._actual = dict.fromkeys((1, 2), 0.0)  # what the sources put out, V
        self._measure_range = dict.fromkeys((1, 2), 1e-4)
        self._functions: dict[int, tuple[str, ...]] = dict.fromkeys((1, 2), ("VOLT", "CURR"))
        self._lists = {1: [0.0], 2: [0.0]}
        for channel in (1, 2):
            self._apply(channel)

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with SCPI's -230."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'

    # --- the sources ---

    @function.check
    def _check_function(self, channel: int, function: str) -> None:
        if function != "VOLT":
            raise ScpiError(-221, "sourcing current is not simulated")

    @mode.check
    def _check_mode(self, channel: int, mode: str) -> None:
        if mode == "SWE":
            raise ScpiError(-221, "the staircase sweep is not simulated; use a list")

    @level.check
    def _check_level(self, channel: int, volts: float) -> None:
        if not self.range_auto[channel] and not self._sources[channel].holds(
            volts, self._source_range[channel]
        ):
            raise ScpiError(-222)
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")
        if self.limit[channel] > largest_current(volts) * (1 + 1e-9):
            raise ScpiError(-221, "compliance beyond what this level allows")

    @level.on_change
    @output_on.on_change
    @off_mode.on_change
    @range_auto.on_change
    def _changed(self, channel: int, value: object) -> None:
        self._apply(channel)

    def _apply(self, channel: int, volts: float | None = None) -> None:
        """Put the terminals into the state that the settings describe, or to a level of a list (V)."""
        source, volts = self._sources[channel], self.level[channel] if volts is None else volts
        if self.range_auto[channel]:
            self._source_range[channel] = source.range_for(volts)
        self._actual[channel] = actual = source.convert(volts, self._source_range[channel])
        port = self.outputs.get(channel)
        if port is not None:
            if self.output_on[channel]:
                port.drive(actual, connected=True)
            else:
                port.drive(0.0, connected=self.off_mode[channel] != "HIZ")

    @command(f"{_SOURCE}:VOLTage:RANGe", Numeric(2.0, -210.0, 210.0, unit="V"))
    def _set_source_range(self, channel: int, volts: float) -> None:
        span = self._sources[channel].range_for(volts)
        if not self._sources[channel].holds(self.level[channel], span):
            raise ScpiError(-221)
        self.range_auto[channel] = False
        self._source_range[channel] = span
        self._apply(channel)

    @query(f"{_SOURCE}:VOLTage:RANGe")
    def _query_source_range(self, channel: int) -> str:
        return self.real(self._source_range[channel])

    @command(f"{_SOURCE}:LIST:VOLTage", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _set_list(self, channel: int, levels: list[float]) -> None:
        self._store_list(channel, levels)

    @command(f"{_SOURCE}:LIST:VOLTage:APPend", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _append_list(self, channel: int, levels: list[float]) -> None:
        self._store_list(channel, self._lists[channel] + levels)

    def _store_list(self, channel: int, levels: list[float]) -> None:
        if len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        for volts in levels:
            self._check_level(channel, volts)
        self._lists[channel] = levels

    @query(f"{_SOURCE}:LIST:VOLTage")
    def _query_list(self, channel: int) -> str:
        return ",".join(map(self.real, self._lists[channel]))

    @query(f"{_SOURCE}:LIST:VOLTage:POINts")
    def _query_list_points(self, channel: int) -> str:
        return str(len(self._lists[channel]))

    # --- the meters ---

    @limit.check
    def _check_limit(self, channel: int, amperes: float) -> None:
        if amperes > largest_current(self.level[channel]) * (1 + 1e-9):
            raise ScpiError(-222)
        if not self.measure_auto[channel] and not self._meters[channel].holds(
            amperes, self._measure_range[channel]
        ):
            raise ScpiError(-221)

    @command(f"{_SENSE}:CURRent[:DC]:RANGe[:UPPer]", Numeric(1e-4, 1e-8, 3.03, unit="A"))
    def _set_measure_range(self, channel: int, amperes: float) -> None:
        meter = self._meters[channel]
        self.measure_auto[channel] = False
        self._measure_range[channel] = meter.range_for(amperes)
        self.limit[channel] = min(self.limit[channel], meter.overrange * self._measure_range[channel])

    @query(f"{_SENSE}:CURRent[:DC]:RANGe[:UPPer]")
    def _query_measure_range(self, channel: int) -> str:
        return self.real(self._measure_range[channel])

    @command(
        f"{_SENSE}:FUNCtion[:ON]",
        Choice("CURR:DC", ("VOLTage[:DC]", "CURRent[:DC]", "RESistance"), quoted=True, repeated=True),
    )
    def _set_functions(self, channel: int, functions: list[str]) -> None:
        names = {name.removesuffix(":DC") for name in functions}
        self._functions[channel] = tuple(name for name in ("VOLT", "CURR", "RES") if name in names)

    @query(f"{_SENSE}:FUNCtion[:ON]")
    def _query_functions(self, channel: int) -> str:
        return ",".join(f'"{name}"' for name in self._functions[channel])

    @query(f"{_SENSE}:CURRent[:DC]:PROTection:TRIPped")
    def _query_tripped(self, channel: int) -> str:
        if not self.output_on[channel]:
            return "0"
        amperes = self._current(channel, self._actual[channel], self._aperture(channel))
        return "1" if abs(amperes) > self.limit[channel] else "0"

    @query(":SYSTem:LFRequency")
    def _query_line_frequency(self) -> str:
        return f"{self.line_frequency:.0f}"

    def _aperture(self, channel: int) -> float:
        return self.nplc[channel] / self.line_frequency

    def _current(self, channel: int, volts: float, aperture: float) -> float:
        port = self.outputs.get(channel)
        return 0.0 if port is None else port.current(volts, aperture)

    def _measure(self, channel: int, programmed: float) -> Point:
        """Integrate over the aperture and report; the caller advances the clock."""
        volts = amperes = 0.0
        status = 0
        if self.output_on[channel]:
            volts = self._actual[channel]
            amperes = self._current(channel, volts, self._aperture(channel))
            if abs(amperes) > self.limit[channel]:
                status |= LIMITED
                limited = math.copysign(self.limit[channel], amperes)
                volts, amperes = volts * limited / amperes, limited
        meter = self._meters[channel]
        if self.measure_auto[channel]:
            self._measure_range[channel] = meter.range_for(amperes)
        span = self._measure_range[channel]
        reading = meter.convert(amperes, span, self.nplc[channel])
        if abs(reading) > 1.01 * meter.overrange * span:
            status |= OVERFLOW
            reading = math.copysign(math.inf, reading)
        if status & LIMITED and self.protection[channel]:
            self.output_on[channel] = False
            self._apply(channel)
        functions = self._functions[channel]
        return Point(
            volts if "VOLT" in functions else math.nan,
            reading if "CURR" in functions else math.nan,
            self.clock.now,
            status,
            programmed,
        )


_TEXTS = {**ERROR_TEXTS, -230: "Data corrupt or stale"}
