"""Keithley 2450 source-measure unit, in its SCPI command set: reads cells, sweeps them, and drives gates.

Model 2450 Reference Manual, 2450-901-01; pages where given. (?) marks facts to be checked on hardware: that a sweep
leaves the output off, that ``:OUTP:INT:TRIP?`` exists in this form, and that ``:CAL:VER:DATE?`` does, which is that of the
2461 (Model 2461 Calibration and Adjustment Manual, 2461-905-01, p. 5-12).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, choice, control, switch, within
from mho.instruments.drivers.languages.source_meters import VoltageSourceMeter, readings
from mho.instruments.roles import Reading

VOLTAGE = Span(-210.0, 210.0, "source voltage", "V")
CURRENT_LIMIT = Span(1e-9, 1.05, "current limit", "A")
CURRENT_RANGE = Span(1e-8, 1.0, "current range", "A")
SOURCE_RANGE = Span(-200.0, 200.0, "source range", "V")
DELAY = Span(0.0, 1e4, "delay", "s")
SHORTEST_DELAY = 5e-5  # s, if the sweep has a delay (p. 6-82)
NPLC = Span(0.01, 10.0, "integration time", "power line cycles")
# Steps of its overvoltage protection, by V (p. 6-76 (?))
PROTECTIONS = {
    **{float(volts): f"PROT{volts}" for volts in (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)},
    math.inf: "NONE",
}
LIMITED = 32  # bit 5 of a reading's source status: in compliance (p. 8-29)


class Keithley2450(VoltageSourceMeter, ScpiInstrument):
    """A 2450 as `mho.instruments.roles.SourceMeter`: volts out, amperes in.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `voltage_range`: fixed source range, V; `LimitError` for one that it does not have. Without it the instrument
        chooses the range for each level, which is more accurate at small voltages, but the output may glitch where
        the range changes.
    """

    VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY = VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY
    PROTECTIONS = PROTECTIONS

    model = "MODEL 2450"
    several_languages = True
    recorded = (
        "source_voltage_range", "source_delay", "current_limit", "current_range", "nplc",
        "four_wire", "source_readback", "output_off_mode", "line_frequency", "output_enabled", "voltage_protection",
    )  # fmt: skip

    source_function = choice(
        ":SOUR:FUNC", "Control what is sourced: ``VOLT`` or ``CURR`` (p. 6-66).", ("VOLT", "CURR")
    )
    source_voltage = control(":SOUR:VOLT", "Control the source level, V (p. 6-67).", VOLTAGE)
    source_voltage_range = control(
        ":SOUR:VOLT:RANG", "Control the source range, V; setting it switches auto range off.", SOURCE_RANGE
    )
    source_voltage_range_auto = switch(":SOUR:VOLT:RANG:AUTO", "Control whether the range follows the level.")
    voltage_protection = choice(
        ":SOUR:VOLT:PROT", "Control beyond which voltage the source is held back (p. 6-76 (?)).",
        tuple(PROTECTIONS.values()),
    )  # fmt: skip
    protection_tripped = Instrument.measurement(
        ":SOUR:VOLT:PROT:TRIP?", "Get whether the source is held back right now (?).", cast=bool
    )
    source_delay = control(":SOUR:VOLT:DEL", "Control the wait between level and measurement, s.", DELAY)
    source_readback = switch(
        ":SOUR:VOLT:READ:BACK", "Control whether the source value of a reading is measured (p. 6-78)."
    )
    current_limit = control(":SOUR:VOLT:ILIM", "Control the current limit, A.", CURRENT_LIMIT)
    current_limit_tripped = Instrument.measurement(
        ":SOUR:VOLT:ILIM:TRIP?", "Get whether the source is limited right now.", cast=bool
    )
    sense_function = choice(":SENS:FUNC", "Control what is measured.", ("CURR:DC", "VOLT:DC"), quoted=True)
    current_range = control(
        ":SENS:CURR:RANG", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    current_range_auto = switch(":SENS:CURR:RANG:AUTO", "Control whether the range follows the current.")
    nplc = control(":SENS:CURR:NPLC", "Control the integration time in power line cycles.", NPLC)
    measured = Instrument.measurement(
        ":READ?",
        "Measure once, V or A, as it is set and with the level that it has; the output has to be on (?).",
    )
    four_wire = switch(":SENS:CURR:RSEN", "Control whether the sense terminals are used.")
    # The triaxial ones are on the rear.
    terminals = choice(
        ":ROUT:TERM", "Control which terminals are used; a change switches the output off.", ("FRON", "REAR")
    )
    output_enabled = switch(":OUTP", "Control whether the output is on.")
    output_off_mode = choice(
        ":OUTP:VOLT:SMOD", "Control what the output is when off (HIMP opens the relay).",
        ("NORM", "HIMP", "ZERO", "GUAR"),
    )  # fmt: skip
    interlock_closed = Instrument.measurement(
        ":OUTP:INT:TRIP?", "Get whether the interlock permits more than 42 V (?).", cast=bool
    )
    calibration_date = Instrument.measurement(
        ":CAL:VER:DATE?", "Get year, month and day of the last verification of the calibration (?)."
    )
    points_in_buffer = Instrument.measurement(
        ":TRAC:ACT?", "Get how many readings the buffer holds.", cast=int
    )

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, voltage_range: float | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        self.voltage_range = None if voltage_range is None else within(voltage_range, SOURCE_RANGE)
        self._aperture = 0.2  # s, the longest possible one, until `configure` sets it
        self._calibration: dict[str, str] | None = None  # until it is asked for
        super().__init__(address, visa_library, timeout=timeout, **connection)

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, and the day of calibration where the instrument tells it, as text.

        It is asked once a connection: an instrument without that query answers nothing, and would be waited for each time.
        """
        settings = super().settings()
        if self._calibration is None:
            try:
                self._calibration = {"calibration_date": date(*map(int, self.calibration_date)).isoformat()}
            except (InstrumentError, TypeError, ValueError):  # no such query, or no date set
                self._calibration = {}
        return settings | self._calibration

    # --- roles.SourceMeter ---

    def _prepare(self, current_limit: float) -> None:
        if self.source_function != "VOLT":
            self.source_function = "VOLT"
        if self.voltage_range is None:
            self.source_voltage_range_auto = True
        else:
            self.source_voltage_range = self.voltage_range
        self.source_readback = True
        self.sense_function = "CURR:DC"

    def _seconds(self, nplc: float) -> float:
        return float(nplc / self.line_frequency)

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, VOLTAGE)
        reply = self.exchange(f':SOUR:VOLT {voltage:.9e};:READ? "defbuffer1",SOUR,READ,SOURSTAT;:SOUR:VOLT 0')
        return readings(map(float, reply.split(",")), LIMITED)[0]

    def check_sweep(self, voltages: Sequence[float], delay: float) -> None:
        """Raise when a sweep is not possible; this instrument also has a shortest delay."""
        super().check_sweep(voltages, delay)
        if 0.0 < delay < SHORTEST_DELAY:
            raise LimitError(
                f"{self._title}: a delay of {delay:g} s is too short; choose 0 or {SHORTEST_DELAY:g} s and more"
            )

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as before; `delay` (s) is 0 or 50 us and
        more.
        """
        self.check_sweep(voltages, delay)
        was_on, count = self.output_enabled, len(voltages)
        for command in self._list_commands(":SOUR:LIST:VOLT", voltages):
            self.exchange(command)
        try:
            self.exchange(f':TRAC:CLE "defbuffer1";:SOUR:SWE:VOLT:LIST 1,{delay:.9e},1,OFF,"defbuffer1"')
            with self._patience(count * (delay + self._aperture + 0.05)):
                self.exchange(":INIT;*WAI")
        finally:
            # A sweep ends with the output off, at its last level (?).
            self.exchange(f":SOUR:VOLT 0;:OUTP {'ON' if was_on else 'OFF'}")
        with self._patience(count * 1e-3):
            reply = self.exchange(f':TRAC:DATA? 1,{count},"defbuffer1",SOUR,READ,SOURSTAT')
        return readings(map(float, reply.split(",")), LIMITED)

    def abort(self) -> None:
        """Stop a running sweep."""
        self.exchange(":ABOR")

    def _go_to_zero(self) -> None:
        self.interrupt()
        self.exchange("*CLS;:ABOR;:SOUR:VOLT 0")
