"""Keithley 2450 source-measure unit, in its SCPI command set: reads cells, sweeps them, and drives gates.

Model 2450 Reference Manual, 2450-901-01; pages where given. (?) marks facts to be checked on hardware: that a sweep
leaves the output off, that ``:OUTP:INT:TRIP?`` exists in this form, and that ``:CAL:VER:DATE?`` does, which is that of the
2461 (Model 2461 Calibration and Adjustment Manual, 2461-905-01, p. 5-12).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from pymeasure.instruments import Instrument

from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, choice, control, switch, within
from mho.instruments.drivers.languages.source_meters import SingleSourceMeter, readings
from mho.instruments.roles import Reading

SHORTEST_DELAY = 5e-5  # s, if the sweep has a delay (p. 6-82)
LIMITED = 32  # bit 5 of a reading's source status: in compliance (p. 8-29)


class Keithley2450(SingleSourceMeter, ScpiInstrument):
    """A 2450 as `mho.instruments.roles.SourceMeter`: volts out, amperes in; constructed as `SingleSourceMeter`."""

    CURRENT_RANGE = Span(1e-8, 1.0, "current range", "A")
    SOURCE_RANGE = Span(-200.0, 200.0, "source range", "V")
    DELAY = Span(0.0, 1e4, "delay", "s")
    # Steps of its overvoltage protection, by V (p. 6-76 (?))
    PROTECTIONS = {
        **{float(volts): f"PROT{volts}" for volts in (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)},
        math.inf: "NONE",
    }
    LONGEST_READING, LIMITED = 0.2, LIMITED
    AFTER_A_SWEEP = ":SOUR:VOLT 0"  # it ends with the output off, at its last level (?)

    model = "MODEL 2450"
    several_languages = True
    recorded = (
        "source_voltage_range", "source_delay", "current_limit", "current_range", "nplc",
        "four_wire", "source_readback", "output_off_mode", "line_frequency", "output_enabled", "voltage_protection",
    )  # fmt: skip

    source_voltage_range = control(
        ":SOUR:VOLT:RANG", "Control the source range, V; setting it switches auto range off.", SOURCE_RANGE
    )
    source_voltage_range_auto = switch(":SOUR:VOLT:RANG:AUTO", "Control whether the range follows the level.")
    voltage_protection = choice(
        ":SOUR:VOLT:PROT", "Control beyond which voltage the source is held back (p. 6-76 (?)).",
        tuple(PROTECTIONS.values()),
    )  # fmt: skip
    source_delay = control(":SOUR:VOLT:DEL", "Control the wait between level and measurement, s.", DELAY)
    source_readback = switch(
        ":SOUR:VOLT:READ:BACK", "Control whether the source value of a reading is measured (p. 6-78)."
    )
    current_limit = control(
        ":SOUR:VOLT:ILIM", "Control the current limit, A.", SingleSourceMeter.CURRENT_LIMIT
    )
    current_limit_tripped = Instrument.measurement(
        ":SOUR:VOLT:ILIM:TRIP?", "Get whether the source is limited right now.", cast=bool
    )
    sense_function = choice(":SENS:FUNC", "Control what is measured.", ("CURR:DC", "VOLT:DC"), quoted=True)
    current_range = control(
        ":SENS:CURR:RANG", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    current_range_auto = switch(":SENS:CURR:RANG:AUTO", "Control whether the range follows the current.")
    measured = Instrument.measurement(
        ":READ?",
        "Measure once, V or A, as it is set and with the level that it has; the output has to be on (?).",
    )
    four_wire = switch(":SENS:CURR:RSEN", "Control whether the sense terminals are used.")
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

    _calibration: dict[str, str] | None = None  # until it is asked for

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
        within(voltage, SingleSourceMeter.VOLTAGE)
        reply = self.exchange(f':SOUR:VOLT {voltage:.9e};:READ? "defbuffer1",SOUR,READ,SOURSTAT;:SOUR:VOLT 0')
        return readings(map(float, reply.split(",")), LIMITED)[0]

    def check_sweep(self, voltages: Sequence[float], delay: float) -> None:
        """Raise when a sweep is not possible; this instrument also has a shortest delay."""
        super().check_sweep(voltages, delay)
        if 0.0 < delay < SHORTEST_DELAY:
            raise LimitError(
                f"{self._title}: a delay of {delay:g} s is too short; choose 0 or {SHORTEST_DELAY:g} s and more"
            )

    def _play(self, count: int, delay: float) -> str:
        self.exchange(f':TRAC:CLE "defbuffer1";:SOUR:SWE:VOLT:LIST 1,{delay:.9e},1,OFF,"defbuffer1"')
        reply: str = self.exchange(":INIT;*WAI")
        return reply

    def _swept(self, count: int, reply: str) -> str:
        with self._patience(count * 1e-3):
            data: str = self.exchange(f':TRAC:DATA? 1,{count},"defbuffer1",SOUR,READ,SOURSTAT')
        return data

    def _go_to_zero(self) -> None:
        self.interrupt()
        self.exchange("*CLS;:ABOR;:SOUR:VOLT 0")
