"""Keithley 2400 SourceMeter: reads cells, sweeps them, and drives gates.

Series 2400 SourceMeter User's Manual, 2400S-900-01, section 18. (?) marks what is to be checked on hardware: the bits of
the status word, that lists of more than 100 levels are stored in pieces, and that ``:READ?`` needs the output to be on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.instruments.drivers.languages.scpi import ScpiInstrument, Span, choice, control, switch, within
from mho.instruments.drivers.languages.source_meters import VoltageSourceMeter, readings
from mho.instruments.roles import Reading

VOLTAGE = Span(-210.0, 210.0, "source voltage", "V")
CURRENT_LIMIT = Span(1e-9, 1.05, "current limit", "A")
CURRENT_RANGE = Span(1e-9, 1.05, "current range", "A")
SMALLEST_RANGE = 1e-6  # A; it serves for less
SOURCE_RANGE = Span(-210.0, 210.0, "source range", "V")
NPLC = Span(0.01, 10.0, "integration time", "power line cycles")
DELAY = Span(0.0, 999.9999, "delay", "s")
# Steps of its overvoltage protection, by V; beyond 160 V there is none (?)
PROTECTIONS = {volts: volts for volts in (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)} | {math.inf: 210.0}
# Bits 3 and 16 of a reading's status word: the compliance holds the source, or the end of the fixed range does (?)
LIMITED = 8 | 65536
MEASURED = ':SENS:FUNC:CONC ON;:SENS:FUNC "VOLT","CURR";:FORM:ELEM VOLT,CURR,STAT'


class Keithley2400(VoltageSourceMeter, ScpiInstrument):
    """A 2400 as `mho.instruments.roles.SourceMeter`: volts out, amperes in.

    `address`, `visa_library`, `timeout`, `connection`: as for `BusInstrument`.
    `voltage_range`: fixed source range, V. Without it the instrument chooses the range for each level, which is more
        accurate at small voltages, but the output may glitch where the range changes.
    """

    VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY = VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY
    PROTECTIONS = PROTECTIONS

    model = "MODEL 2400"
    recorded = (
        "source_voltage_range", "current_limit", "current_range", "nplc", "four_wire", "auto_zero", "terminals",
        "output_off_mode", "line_frequency", "output_enabled", "voltage_protection",
    )  # fmt: skip

    source_function = choice(":SOUR:FUNC", "Control what is sourced: ``VOLT`` or ``CURR``.", ("VOLT", "CURR"))
    source_voltage = control(":SOUR:VOLT", "Control the source level, V.", VOLTAGE)
    source_voltage_range = control(
        ":SOUR:VOLT:RANG", "Control the source range, V; setting it ends auto range.", SOURCE_RANGE
    )
    voltage_protection = control(
        ":SOUR:VOLT:PROT", "Control beyond which voltage the source is held back, V; 210 is none.", VOLTAGE
    )
    protection_tripped = Instrument.measurement(
        ":SOUR:VOLT:PROT:TRIP?", "Get whether the source is held back right now.", cast=bool
    )
    current_limit = control(":SENS:CURR:PROT", "Control the compliance, A.", CURRENT_LIMIT)
    current_limit_tripped = Instrument.measurement(
        ":SENS:CURR:PROT:TRIP?", "Get whether the compliance holds the source right now.", cast=bool
    )
    current_range = control(
        ":SENS:CURR:RANG", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    nplc = control(":SENS:CURR:NPLC", "Control the integration time in power line cycles.", NPLC)
    four_wire = switch(":SYST:RSEN", "Control whether the sense terminals are used.")
    auto_zero = switch(":SYST:AZER", "Control whether zero is measured with each reading.")
    terminals = choice(
        ":ROUT:TERM", "Control which terminals are used; a change switches the output off.", ("FRON", "REAR")
    )
    output_enabled = switch(":OUTP", "Control whether the output is on.")
    output_off_mode = choice(
        ":OUTP:SMOD", "Control what the output is when off (HIMP opens the relay).",
        ("NORM", "HIMP", "ZERO", "GUAR"),
    )  # fmt: skip

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, voltage_range: float | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        self._range = ":AUTO ON" if voltage_range is None else f" {within(voltage_range, SOURCE_RANGE):.9e}"
        self._aperture = 2 * 10 / 50  # s, the longest there is, until `configure` knows
        super().__init__(address, visa_library, timeout=timeout, **connection)

    # --- roles.SourceMeter ---

    def configure(self, *, current_limit: float, current_range: float, nplc: float) -> None:
        """Prepare as every source meter; a range beyond the limit, which the 2400 refuses, follows the limit."""
        within(current_range, CURRENT_RANGE)
        fitting = max(min(current_range, current_limit), SMALLEST_RANGE)
        super().configure(current_limit=current_limit, current_range=fitting, nplc=nplc)

    def _prepare(self, current_limit: float) -> None:
        if self.source_function != "VOLT":
            self.source_function = "VOLT"
        self.exchange(f":SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG{self._range};:SOUR:CLE:AUTO OFF;{MEASURED}")
        self.current_range = SMALLEST_RANGE  # which takes any limit
        self.current_limit = current_limit

    def _seconds(self, nplc: float) -> float:
        return float(2 * nplc / self.line_frequency)  # volts and amperes, one after the other

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
            Levels, V; at most 2500, which are sent in pieces of 100 and run as one list.
        delay : float
            Wait at each level before its measurement, s.
        """
        self.check_sweep(voltages, delay)
        was_on, count = self.output_enabled, len(voltages)
        for command in self._list_commands(":SOUR:LIST:VOLT", voltages):
            self.exchange(command)
        try:
            with self._patience(count * (delay + self._aperture + 0.05)):
                reply = self.exchange(
                    f":SOUR:VOLT 0;:OUTP ON;:SOUR:DEL {delay:.9e};:TRIG:COUN {count};:SOUR:VOLT:MODE LIST;:READ?"
                )
        finally:
            back = ":SOUR:VOLT:MODE FIX;:SOUR:DEL:AUTO ON;:TRIG:COUN 1;:SOUR:VOLT 0"
            self.exchange(f"{back};:OUTP {'ON' if was_on else 'OFF'}")
        return readings(map(float, reply.split(",")), LIMITED)

    def abort(self) -> None:
        """Stop a running sweep."""
        self.exchange(":ABOR")

    def _go_to_zero(self) -> None:
        self.interrupt()
        self.exchange("*CLS;:ABOR;:SOUR:VOLT:MODE FIX;:SOUR:VOLT 0")
