"""Keysight B2912A source-measure unit: two channels behind one address, each of which reads cells or drives gates.

B2900 Series SCPI Command Reference, B2910-90030, edition 2; pages where given. (?) marks facts to be checked on
hardware: the limits of pulse width and delay, the smallest current limit, and that a list ends at the immediate level.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymeasure.instruments import Instrument

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BusChannel
from mho.instruments.drivers.languages.scpi import (
    ScpiInstrument,
    Span,
    choice,
    control,
    counted,
    switch,
    within,
)
from mho.instruments.drivers.languages.source_meters import (
    SourceMeterChannel,
    SourceMeterPair,
    VoltageSourceMeter,
    readings,
)
from mho.instruments.roles import Reading

VOLTAGE = Span(-210.0, 210.0, "source voltage", "V")
CURRENT_LIMIT = Span(1e-9, 3.03, "current limit", "A")
VOLTAGE_LIMIT = Span(1e-3, 210.0, "voltage limit", "V")
CURRENT_RANGE = Span(1e-8, 3.03, "current range", "A")
NPLC = Span(4e-4, 100.0, "integration time", "power line cycles")
DELAY = Span(0.0, 1e5, "delay", "s")
PULSE_WIDTH = Span(5e-5, 1e5, "pulse width", "s")
PULSE_DELAY = Span(0.0, 9.99e4, "pulse delay", "s")
TRIGGER_PERIOD = Span(1e-5, 1e5, "trigger period", "s")
TRIGGERS = Span(1, 1e5, "trigger count")
BINARY_FROM = 32  # number of points from which binary transfer is faster
ELEMENTS = 3  # elements of a reply: volts, amperes, status
LIMITED = 6  # bits 1 and 2 of the status element: compliance (table 1-2, p. 1-14)
SETTLING = 0.05  # s, time per point in addition to its delay and aperture


class KeysightB2912AChannel(SourceMeterChannel, VoltageSourceMeter, BusChannel):
    """One channel as `mho.instruments.roles.SourceMeter`: volts out, amperes in.

    `KeysightB2912A.channel` returns one. Closing it closes the connection when the other channel is not in use.
    """

    VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY = VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY
    PULSE_WIDTH, PULSE_PERIOD = PULSE_WIDTH, TRIGGER_PERIOD
    MEASURING, FASTER = "integrating for", "configure a smaller nplc,"

    recorded = (
        "shape", "voltage_range", "current_limit", "current_range", "nplc", "four_wire", "output_off_mode",
        "protection_enabled", "output_enabled",
    )  # fmt: skip

    source_function = choice(":SOUR{ch}:FUNC:MODE", "Control what is sourced.", ("VOLT", "CURR"))
    shape = choice(":SOUR{ch}:FUNC:SHAP", "Control whether the output is DC or pulsed.", ("DC", "PULS"))
    voltage = control(":SOUR{ch}:VOLT", "Control the level, V (p. 4-93).", VOLTAGE)
    voltage_mode = choice(
        ":SOUR{ch}:VOLT:MODE", "Control whether the level is fixed, swept or listed.", ("FIX", "SWE", "LIST")
    )
    voltage_range = control(
        ":SOUR{ch}:VOLT:RANG", "Control the source range, V; setting it ends auto range (p. 4-95).", VOLTAGE
    )
    voltage_range_auto = switch(":SOUR{ch}:VOLT:RANG:AUTO", "Control whether the range follows the level.")
    pulse_width = control(":SOUR{ch}:PULS:WIDT", "Control the pulse width, s (?).", PULSE_WIDTH)
    pulse_delay = control(":SOUR{ch}:PULS:DEL", "Control the wait before the pulse, s (?).", PULSE_DELAY)
    current_limit = control(":SENS{ch}:CURR:PROT", "Control the compliance, A (p. 4-68).", CURRENT_LIMIT)
    voltage_limit = control(
        ":SENS{ch}:VOLT:PROT",
        "Control the voltage limit when amperes are sourced, V (p. 4-80 (?)).",
        VOLTAGE_LIMIT,
    )
    current_limit_tripped = Instrument.measurement(
        ":SENS{ch}:CURR:PROT:TRIP?", "Get whether the channel is in compliance.", cast=bool
    )
    current_range = control(
        ":SENS{ch}:CURR:RANG", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    current_range_auto = switch(":SENS{ch}:CURR:RANG:AUTO", "Control whether the range follows the current.")
    nplc = control(":SENS{ch}:CURR:NPLC", "Control the integration time in power line cycles.", NPLC)
    four_wire = switch(":SENS{ch}:REM", "Control whether the sense terminals are used.")
    output_enabled = switch(":OUTP{ch}", "Control whether the output is on.")
    output_auto_on = switch(":OUTP{ch}:ON:AUTO", "Control whether a trigger switches the output on.")
    output_off_mode = choice(
        ":OUTP{ch}:OFF:MODE", "Control what the output is when off.", ("ZERO", "HIZ", "NORM")
    )
    protection_enabled = switch(":OUTP{ch}:PROT", "Control whether compliance switches the output off.")
    trigger_count = counted(":TRIG{ch}:COUN", "Control how many points a trigger runs.", TRIGGERS)
    trigger_source = choice(":TRIG{ch}:SOUR", "Control what triggers a point.", ("AINT", "BUS", "TIM"))
    trigger_period = control(":TRIG{ch}:TIM", "Control the period of the timer, s.", TRIGGER_PERIOD)
    acquire_delay = control(":TRIG{ch}:ACQ:DEL", "Control the wait from level to measurement, s.", DELAY)

    parent: KeysightB2912A

    def __init__(self, parent: KeysightB2912A, number: int) -> None:
        super().__init__(parent, number)
        self._aperture = 2.0  # s, the longest possible one, until `configure` sets it

    # --- roles.SourceMeter ---

    def _prepare(self, current_limit: float) -> None:
        number = self.id
        if self.source_function != "VOLT":
            self.source_function = "VOLT"
        # Without this a measurement may switch the output on by itself.
        self.output_auto_on = False
        self.parent.exchange(
            f":SOUR{number}:FUNC:SHAP DC;:SOUR{number}:VOLT:MODE FIX;:SOUR{number}:VOLT:RANG:AUTO ON;"
            f':SENS{number}:FUNC "VOLT","CURR";:FORM ASC;:FORM:ELEM:SENS VOLT,CURR,STAT'
        )

    def _seconds(self, nplc: float) -> float:
        return float(nplc / self.parent.line_frequency)

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        self.parent.exchange(f":SOUR{self.id}:VOLT 0;:OUTP{self.id} ON")

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond 210 V."""
        self.voltage = voltage

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, VOLTAGE)
        source = f":SOUR{self.id}:VOLT"
        values = self.parent.exchange_numbers(f"{source} {voltage:.9e};:MEAS? (@{self.id});{source} 0")
        if len(values) != ELEMENTS:
            raise InstrumentError(f"{self._title} measures other elements; configure the channel again")
        return readings(values, LIMITED)[0]

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as it was before."""
        within(delay, DELAY)
        timing = f":TRIG{self.id}:SOUR AINT;:TRIG{self.id}:ACQ:DEL {delay:.9e}"
        return self._run_list(voltages, timing, delay + self._aperture)

    def pulse(self, voltages: Sequence[float], *, width: float, period: float) -> list[Reading]:
        """Fire one pulse from 0 V for each level, timed by the instrument, and measure at the end of each pulse.

        `voltages`: pulse tops, V; at most 2500.
        `width`: pulse width, s: 50 us and more, and longer than the integration time.
        `period`: from pulse to pulse, s.
        """
        self._check_pulse(width, period)
        channel = self.id
        timing = (
            f":SOUR{channel}:FUNC:SHAP PULS;:SOUR{channel}:PULS:DEL 0;:SOUR{channel}:PULS:WIDT {width:.9e};"
            f":TRIG{channel}:SOUR TIM;:TRIG{channel}:TIM {period:.9e};"
            f":TRIG{channel}:ACQ:DEL {0.95 * width - self._aperture:.9e}"
        )
        return self._run_list(voltages, timing, period)

    def _run_list(self, voltages: Sequence[float], timing: str, seconds: float) -> list[Reading]:
        """Play a list; `seconds` is the duration of a point."""
        channel, count = self.id, len(voltages)
        commands = self._list_commands(f":SOUR{channel}:LIST:VOLT", voltages)
        was_on = self.output_enabled
        try:
            for command in commands:
                self.parent.exchange(command)
            self.parent.exchange(f":SOUR{channel}:VOLT:MODE LIST;:TRIG{channel}:COUN {count};{timing}")
            if not was_on:
                self.parent.exchange(f":OUTP{channel} ON")
            with self.parent._patience(count * (seconds + SETTLING)):
                self.parent.exchange(f":INIT (@{channel});*OPC?")
        finally:
            self.parent.exchange(
                f":SOUR{channel}:VOLT:MODE FIX;:SOUR{channel}:VOLT 0;:SOUR{channel}:FUNC:SHAP DC;"
                f":OUTP{channel} {'ON' if was_on else 'OFF'}"
            )
        return readings(self.parent.fetch(channel, count), LIMITED)

    @property
    def _title(self) -> str:
        return f"channel {self.id} of {self.parent._title}"

    def _go_to_zero(self) -> None:
        self.parent.interrupt()
        self.parent.exchange(f"*CLS;:ABOR (@{self.id});:SOUR{self.id}:VOLT:MODE FIX;:SOUR{self.id}:VOLT 0")


class KeysightB2912A(SourceMeterPair, ScpiInstrument):
    """A B2912A: two channels behind one address; constructed as `ScpiInstrument`.

    ``instrument.channel(1)`` and ``instrument.channel(2)`` are the source-measure units; each is closed separately.
    """

    VOLTAGE, CURRENT_LIMIT = VOLTAGE, CURRENT_LIMIT
    model = "B2912"
    CHANNELS = "ch_1", "ch_2"
    setting_name = "ch{channel}_{setting}"
    ch_1: KeysightB2912AChannel = Instrument.ChannelCreator(KeysightB2912AChannel, 1)
    ch_2: KeysightB2912AChannel = Instrument.ChannelCreator(KeysightB2912AChannel, 2)

    def fetch(self, channel: int, count: int) -> Floats:
        """Return volts, amperes and status of the `count` points of a channel's last run, one after the other.

        Long runs are transferred as ``REAL,32``.
        """
        query = f":FETC:ARR? (@{channel})"
        with self._patience(count * 1e-3):
            if count < BINARY_FROM:
                values = self.exchange_numbers(query)
            else:
                self.exchange(":FORM REAL,32;:FORM:BORD SWAP")
                try:
                    values = self.exchange_block(query, "<f4")
                finally:
                    self.exchange(":FORM ASC")
        if len(values) != ELEMENTS * count:
            raise InstrumentError(
                f"{self._title} returned {len(values) / ELEMENTS:g} points instead of {count}"
            )
        return values
