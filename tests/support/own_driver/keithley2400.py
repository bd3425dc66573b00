"""Keithley 2400 SourceMeter: reads cells, sweeps them, and drives gates.

Series 2400 SourceMeter User's Manual, 2400S-900-01, section 18. (?) marks what is to be checked on hardware.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymeasure.instruments import Instrument

from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, control, switch, within
from mho.instruments.drivers.languages.source_meters import VoltageSourceMeter, readings
from mho.instruments.roles import Reading

VOLTAGE = Span(-210.0, 210.0, "source voltage", "V")
CURRENT_LIMIT = Span(1e-9, 1.05, "current limit", "A")
CURRENT_RANGE = Span(1e-6, 1.05, "current range", "A")
NPLC = Span(0.01, 10.0, "integration time", "power line cycles")
DELAY = Span(0.0, 9999.998, "delay", "s")
LIMITED = 8  # bit 3 of a reading's status word: in compliance
MEASURED = ':SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR";:FORM:ELEM VOLT,CURR,STAT'


class Keithley2400(VoltageSourceMeter, ScpiInstrument):
    """A 2400 as `mho.instruments.roles.SourceMeter`; constructed as `ScpiInstrument`."""

    VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC = VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC

    model = "MODEL 2400"
    recorded = ("current_limit", "current_range", "nplc", "four_wire", "line_frequency", "output_enabled")

    source_voltage = control(":SOUR:VOLT", "Control the source level, V.", VOLTAGE)
    current_limit = control(":SENS:CURR:PROT", "Control the compliance, A.", CURRENT_LIMIT)
    current_range = control(":SENS:CURR:RANG", "Control the measurement range, A.", CURRENT_RANGE)
    nplc = control(":SENS:CURR:NPLC", "Control the integration time in power line cycles.", NPLC)
    four_wire = switch(":SYST:RSEN", "Control whether the sense terminals are used.")
    output_enabled = switch(":OUTP", "Control whether the output is on.")
    line_frequency = Instrument.measurement(":SYST:LFR?", "Get the power line frequency, Hz.")

    _aperture = 2 * 10 / 50  # s, the longest there is, until `configure` knows

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare as every source meter; a range beyond the limit, which the 2400 refuses, follows the limit."""
        within(current_range, CURRENT_RANGE)
        fitting = max(min(current_range, current_limit), CURRENT_RANGE.minimum)
        super().configure(current_limit=current_limit, current_range=fitting, nplc=nplc)

    def _prepare(self, current_limit: float) -> None:
        self.exchange(f":SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG:AUTO ON;{MEASURED}")
        self.current_range = CURRENT_RANGE.minimum  # which takes any limit
        self.current_limit = current_limit

    def _seconds(self, nplc: float) -> float:
        return float(2 * nplc / self.line_frequency)  # volts and amperes, one after the other

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        self.exchange(":SOUR:VOLT 0;:OUTP ON")

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond 210 V."""
        self.source_voltage = voltage

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, VOLTAGE)
        reply = self.exchange(f":SOUR:VOLT {voltage:.9e};:READ?;:SOUR:VOLT 0")
        return readings(map(float, reply.split(",")), LIMITED)[0]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as it was before.

        Parameters
        ----------
        voltages : sequence of float
            Levels, V; at most 2500.
        delay : float
            Wait at each level before its measurement, s.
        """
        within(delay, DELAY)
        pieces = self._listed(voltages)
        was_on = self.output_enabled
        for number, piece in enumerate(pieces):
            values = ",".join(f"{voltage:.9e}" for voltage in piece)
            self.exchange(f":SOUR:LIST:VOLT{':APP' if number else ''} {values}")
        count = len(voltages)
        try:
            with self._patience(count * (delay + self._aperture + 0.05)):
                reply = self.exchange(
                    f":SOUR:VOLT 0;:OUTP ON;:SOUR:DEL {delay:.9e};:TRIG:COUN {count};:SOUR:VOLT:MODE LIST;:READ?"
                )
        finally:
            back = ":SOUR:VOLT:MODE FIX;:SOUR:DEL:AUTO ON;:TRIG:COUN 1;:SOUR:VOLT 0"
            self.exchange(f"{back};:OUTP {'ON' if was_on else 'OFF'}")
        return readings(map(float, reply.split(",")), LIMITED)

    def _go_to_zero(self) -> None:
        self.interrupt()
        self.exchange("*CLS;:ABOR;:SOUR:VOLT:MODE FIX;:SOUR:VOLT 0")
