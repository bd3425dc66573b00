"""Keithley 2400 SourceMeter: reads cells, sweeps them, and drives gates.

Series 2400 SourceMeter User's Manual, 2400S-900-01, section 18. (?) marks what is to be checked on hardware: the bits of
the status word, that lists of more than 100 levels are stored in pieces, and that ``:READ?`` needs the output to be on.
"""

from __future__ import annotations

import math

from pymeasure.instruments import Instrument

from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, choice, control, switch, within
from mho.instruments.drivers.languages.source_meters import SingleSourceMeter, readings
from mho.instruments.roles import Reading

SMALLEST_RANGE = 1e-6  # A; it serves for less
# Bits 3 and 16 of a reading's status word: the compliance holds the source, or the end of the fixed range does (?)
LIMITED = 8 | 65536
MEASURED = ':SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR";:FORM:ELEM VOLT,CURR,STAT'


class Keithley2400(SingleSourceMeter, ScpiInstrument):
    """A 2400 as `mho.instruments.roles.SourceMeter`: volts out, amperes in; constructed as `SingleSourceMeter`."""

    CURRENT_RANGE = Span(1e-9, 1.05, "current range", "A")
    SOURCE_RANGE = Span(-210.0, 210.0, "source range", "V")
    DELAY = Span(0.0, 999.9999, "delay", "s")
    # Steps of its overvoltage protection, by V; beyond 160 V there is none (?)
    PROTECTIONS = {volts: volts for volts in (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)} | {
        math.inf: 210.0
    }
    LONGEST_READING, LIMITED = 2 * 10 / 50, LIMITED
    AFTER_A_SWEEP = ":SOUR:VOLT:MODE FIX;:SOUR:DEL:AUTO ON;:TRIG:COUN 1;:SOUR:VOLT 0"

    model = "MODEL 2400"
    recorded = (
        "source_voltage_range", "current_limit", "current_range", "nplc", "four_wire", "auto_zero", "terminals",
        "output_off_mode", "line_frequency", "output_enabled", "voltage_protection",
    )  # fmt: skip

    source_voltage_range = control(
        ":SOUR:VOLT:RANG", "Control the source range, V; setting it ends auto range.", SOURCE_RANGE
    )
    voltage_protection = control(
        ":SOUR:VOLT:PROT",
        "Control beyond which voltage the source is held back, V; 210 is none.",
        SingleSourceMeter.VOLTAGE,
    )
    current_limit = control(":SENS:CURR:PROT", "Control the compliance, A.", SingleSourceMeter.CURRENT_LIMIT)
    current_limit_tripped = Instrument.measurement(
        ":SENS:CURR:PROT:TRIP?", "Get whether the compliance holds the source right now.", cast=bool
    )
    current_range = control(
        ":SENS:CURR:RANG", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    four_wire = switch(":SYST:RSEN", "Control whether the sense terminals are used.")
    auto_zero = switch(":SYST:AZER", "Control whether zero is measured with each reading.")
    output_off_mode = choice(
        ":OUTP:SMOD", "Control what the output is when off (HIMP opens the relay).",
        ("NORM", "HIMP", "ZERO", "GUAR"),
    )  # fmt: skip

    # --- roles.SourceMeter ---

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare as every source meter; a range beyond the limit, which the 2400 refuses, follows the limit."""
        within(current_range, self.CURRENT_RANGE)
        fitting = max(min(current_range, current_limit), SMALLEST_RANGE)
        super().configure(current_limit=current_limit, current_range=fitting, nplc=nplc)

    def _prepare(self, current_limit: float) -> None:
        if self.source_function != "VOLT":
            self.source_function = "VOLT"
        chosen = ":AUTO ON" if self.voltage_range is None else f" {self.voltage_range:.9e}"
        self.exchange(f":SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG{chosen};:SOUR:CLE:AUTO OFF;{MEASURED}")
        self.current_range = SMALLEST_RANGE  # which takes any limit
        self.current_limit = current_limit

    def _seconds(self, nplc: float) -> float:
        return float(2 * nplc / self.line_frequency)  # volts and amperes, one after the other

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, SingleSourceMeter.VOLTAGE)
        reply = self.exchange(f":SOUR:VOLT {voltage:.9e};:READ?;:SOUR:VOLT 0")
        return readings(map(float, reply.split(",")), LIMITED)[0]

    def _play(self, count: int, delay: float) -> str:
        reply: str = self.exchange(
            f":SOUR:VOLT 0;:OUTP ON;:SOUR:DEL {delay:.9e};:TRIG:COUN {count};:SOUR:VOLT:MODE LIST;:READ?"
        )
        return reply

    def _go_to_zero(self) -> None:
        self.interrupt()
        self.exchange("*CLS;:ABOR;:SOUR:VOLT:MODE FIX;:SOUR:VOLT 0")
