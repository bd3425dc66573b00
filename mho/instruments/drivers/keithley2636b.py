"""Keithley 2636B source-measure unit, by TSP scripts: two channels that read cells, sweep them, and drive gates.

Its sisters 2602B, 2612B and 2614B differ in their ranges and limits only, `SeriesSpans` (Rev. F p. 9-244; QCoDeS has the
same ranges). A 2612B and a 2614B take current limits up to 3 A for pulses (?); the lab gives them 1.5 A.
Series 2600B Reference Manual 2600BS-901-01 (Rev. B and C); pages where given. Frequent operations are Lua functions (5.0:
no ``#``, no ``%``), loaded once, so that a read or a list of reads is one message. A refused level leaves its error in the
queue, and the check after every call reports it. The instrument's format settings are restored. (?) marks facts to be
checked on hardware: that a sweep needs the output on, the size of a source list, and the shortest pulse.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BusChannel
from mho.instruments.drivers.languages.scpi import Span, within
from mho.instruments.drivers.languages.source_meters import (
    SourceMeterChannel,
    SourceMeterPair,
    VoltageSourceMeter,
    readings,
)
from mho.instruments.drivers.languages.tsp import TspInstrument, choice, control, lua_list, reading, switch
from mho.instruments.roles import Reading

SCRIPT = """
function mho_point(smu, volts)
    smu.source.levelv = volts
    local amperes, measured = smu.measure.iv()
    local tripped = smu.source.compliance
    smu.source.levelv = 0
    return string.format("%.9e,%.9e,%d", measured, amperes, tripped and 64 or 0)
end

function mho_read(smu, volts)
    print(mho_point(smu, volts))
end

function mho_append(levels)
    for _, volts in ipairs(levels) do
        table.insert(mho_levels, volts)
    end
end

function mho_read_list(smu)
    local points = {}
    for _, volts in ipairs(mho_levels) do
        table.insert(points, mho_point(smu, volts))
    end
    print(table.concat(points, ","))
end

function mho_run(smu, source_delay, measure_delay, pulsed)
    local was_on, was_auto = smu.source.output, smu.source.autorangev
    local old_source_delay, old_measure_delay = smu.source.delay, smu.measure.delay
    local amperes, volts = smu.nvbuffer1, smu.nvbuffer2
    amperes.clear()
    volts.clear()
    amperes.appendmode, volts.appendmode = 0, 0
    smu.measure.count = 1
    smu.source.levelv = 0
    if pulsed and was_auto == 1 then
        smu.source.rangev = mho_highest()
    end
    smu.source.delay, smu.measure.delay = source_delay, measure_delay
    local trigger = smu.trigger
    trigger.source.listv(mho_levels)
    trigger.source.limiti = smu.LIMIT_AUTO
    trigger.source.action = smu.ENABLE
    trigger.measure.iv(amperes, volts)
    trigger.measure.action = smu.ENABLE
    trigger.endpulse.action = pulsed and smu.SOURCE_IDLE or smu.SOURCE_HOLD
    trigger.endsweep.action = smu.SOURCE_IDLE
    trigger.arm.count = 1
    trigger.count = table.getn(mho_levels)
    smu.source.output = smu.OUTPUT_ON
    trigger.initiate()
    waitcomplete()
    smu.source.output = was_on
    smu.source.delay, smu.measure.delay = old_source_delay, old_measure_delay
    smu.source.autorangev = was_auto
end

function mho_highest()
    local highest = 0
    for _, volts in ipairs(mho_levels) do
        highest = math.max(highest, math.abs(volts))
    end
    return highest
end

function mho_sweep(smu, delay)
    local trigger = smu.trigger
    trigger.arm.stimulus, trigger.source.stimulus = 0, 0
    trigger.measure.stimulus, trigger.endpulse.stimulus = 0, 0
    mho_run(smu, delay, smu.measure.delay, false)
end

function mho_pulse(smu, first_timer, width, period, measure_delay)
    local trigger, pulses = smu.trigger, table.getn(mho_levels)
    local starts, ends = _G.trigger.timer[first_timer], _G.trigger.timer[first_timer + 1]
    starts.reset()
    ends.reset()
    trigger.arm.stimulus, trigger.source.stimulus = 0, 0
    if pulses > 1 then
        starts.delay, starts.count, starts.passthrough = period, pulses - 1, true
        starts.stimulus = trigger.ARMED_EVENT_ID
        trigger.source.stimulus = starts.EVENT_ID
    end
    ends.delay = width
    ends.stimulus = trigger.SOURCE_COMPLETE_EVENT_ID
    trigger.measure.stimulus, trigger.endpulse.stimulus = 0, ends.EVENT_ID
    mho_run(smu, 0, measure_delay, true)
    local late = trigger.source.overrun
    starts.reset()
    ends.reset()
    trigger.source.stimulus, trigger.endpulse.stimulus = 0, 0
    print(late and 1 or 0)
end

function mho_fetch(smu, count)
    local data, order = format.data, format.byteorder
    format.data, format.byteorder = format.REAL64, format.LITTLEENDIAN
    printbuffer(1, count, smu.nvbuffer2, smu.nvbuffer1, smu.nvbuffer1.statuses)
    format.data, format.byteorder = data, order
end
"""


COMPLIANCE = 0x40  # bit of a reading's status: limited (p. 7-238 (?))
OFF_LIMIT = 1e-3  # A, the largest current limit of an output that is off
TIMERS = {"smua": 1, "smub": 3}  # the first of the two timers that a channel's pulses need
AUTOZERO_FACTOR = 3  # duration of a reading with automatic zeroing, in apertures (?)
DELAY = Span(0.0, 1e4, "delay", "s")
NPLC = Span(0.001, 25.0, "integration time", "power line cycles")


class SeriesSpans(NamedTuple):
    """What a model sources and measures: level, source range, voltage limit (V), current limit, current range (A)."""

    voltage: Span
    source_range: Span
    voltage_limit: Span
    current_limit: Span
    current_range: Span

    @classmethod
    def of(
        cls, volts: float, least_volts: float, amperes: float, least: float, least_range: float
    ) -> SeriesSpans:
        """Return the spans of a model, from its largest and its smallest limits and its smallest current range."""
        return cls(
            Span(-1.01 * volts, 1.01 * volts, "source voltage", "V"), Span(-volts, volts, "source range", "V"),
            Span(least_volts, volts, "voltage limit", "V"), Span(least, amperes, "current limit", "A"),
            Span(least_range, amperes, "current range", "A"),
        )  # fmt: skip


SPANS_2602B = SeriesSpans.of(40.0, 0.01, 3.0, 1e-8, 1e-7)
SPANS_2612B = SeriesSpans.of(200.0, 0.02, 1.5, 1e-8, 1e-7)
SPANS_2636B = SeriesSpans.of(200.0, 0.02, 1.5, 1e-10, 1e-10)


def _limited(spans: SeriesSpans) -> dict[str, Any]:
    """Return what a channel's class has of the model's limits: spans, and the properties that keep them."""
    return {
        "VOLTAGE": spans.voltage, "CURRENT_LIMIT": spans.current_limit, "CURRENT_RANGE": spans.current_range,
        "source_voltage": control("{ch}.source.levelv", "Control the source level, V.", spans.voltage),
        "source_voltage_range": control(
            "{ch}.source.rangev", "Control the source range, V; setting it switches auto range off.",
            spans.source_range,
        ),
        "current_limit": control("{ch}.source.limiti", "Control the current limit, A.", spans.current_limit),
        "voltage_limit": control(
            "{ch}.source.limitv", "Control the voltage limit when amperes are sourced, V.", spans.voltage_limit
        ),
        "current_range": control(
            "{ch}.measure.rangei", "Control the measurement range, A; setting it ends auto range.",
            spans.current_range,
        ),
        "output_off_limit": control(
            "{ch}.source.offlimiti", "Control the current limit when off, A (p. 7-226).", spans.current_limit
        ),
    }  # fmt: skip


def _day(seconds: float) -> str:
    """Return the day (UTC) of a Unix time (s); "" for 0, which stands for no date."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else ""


class Keithley2636BChannel(SourceMeterChannel, VoltageSourceMeter, BusChannel):
    """One channel of a 2636B as `mho.instruments.roles.SourceMeter`: volts out, amperes in."""

    NPLC, DELAY = NPLC, DELAY
    PULSE_WIDTH = Span(1e-4, 1e4, "pulse width", "s")
    PULSE_PERIOD = Span(2e-4, 1e5, "pulse period", "s")
    MEASURING, FASTER = "a measurement of", "configure a smaller nplc, with autozero ONCE,"

    recorded = (
        "source_voltage_range", "source_voltage_range_auto", "source_delay", "current_limit", "current_range", "nplc",
        "four_wire", "autozero", "output_off_mode", "output_off_limit", "output_enabled",
    )  # fmt: skip

    source_function = choice("{ch}.source.func", "Control what is sourced (p. 7-222 (?)).", ("AMPS", "VOLTS"))
    source_voltage: Any
    source_voltage_range: Any
    current_limit: Any
    voltage_limit: Any
    current_range: Any
    output_off_limit: Any
    vars().update(_limited(SPANS_2636B))
    source_voltage_range_auto = switch(
        "{ch}.source.autorangev", "Control whether the range follows the level."
    )
    source_delay = control("{ch}.source.delay", "Control the wait between level and measurement, s.", DELAY)
    current_limit_tripped = reading(
        "{ch}.source.compliance", "Get whether the source is limited right now.",
        cast=lambda text: text.strip() == "true",
    )  # fmt: skip
    current_range_auto = switch("{ch}.measure.autorangei", "Control whether the range follows the current.")
    nplc = control("{ch}.measure.nplc", "Control the integration time in power line cycles.", NPLC)
    four_wire = switch("{ch}.sense", "Control whether the sense terminals are used.")
    autozero = choice("{ch}.measure.autozero", "Control automatic zeroing.", ("OFF", "ONCE", "AUTO"))
    output_enabled = switch("{ch}.source.output", "Control whether the output is on.")
    output_off_mode = choice(
        "{ch}.source.offmode",
        "Control what the output is when off: ``NORMAL`` (0 V, limited), ``ZERO`` or ``HIGH_Z`` (opens the relay, "
        "and wears it; p. 7-226).",
        ("NORMAL", "ZERO", "HIGH_Z"),
    )
    output_off_function = choice(
        "{ch}.source.offfunc", "Control what is sourced when off: 0 ``AMPS`` or 0 ``VOLTS`` (p. 7-225).",
        ("AMPS", "VOLTS"),
    )  # fmt: skip
    calibration_date = reading(
        'string.format("%.0f", {ch}.cal.date)',
        "Get the day (UTC) of the calibration in use, as ISO 8601 writes it (p. 7-199).", get_process=_day,
    )  # fmt: skip
    calibration_due = reading(
        'string.format("%.0f", {ch}.cal.due)', "Get the day of the next calibration; \"\" for none set (p. 7-200).",
        get_process=_day,
    )  # fmt: skip

    def __init_subclass__(cls, *, spans: SeriesSpans | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, limited in (_limited(spans) if spans else {}).items():
            setattr(cls, name, limited)

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, and the dates of calibration that are set, as text."""
        dates = {"calibration_date": self.calibration_date, "calibration_due": self.calibration_due}
        return super().settings() | {name: day for name, day in dates.items() if day}

    def __init__(self, parent: Series2600B, id: str) -> None:
        super().__init__(parent, id)
        self._aperture = 25 / 50 * AUTOZERO_FACTOR  # s, the longest possible one, until `configure` sets it

    @property
    def _title(self) -> str:
        return f"{self.parent._title}, {self.id}"

    # --- roles.SourceMeter ---

    def _prepare(self, current_limit: float) -> None:
        """Set the off state to 0 V with at most the limit, and never more than 1 mA; the relay stays closed."""
        if self.source_function != "VOLTS":
            self.source_function = "VOLTS"
        if self.parent.voltage_range is None:
            self.source_voltage_range_auto = True
        else:
            self.source_voltage_range = self.parent.voltage_range
        self.output_off_function = "VOLTS"
        self.output_off_limit = min(current_limit, OFF_LIMIT)
        self.output_off_mode = "NORMAL"

    def _seconds(self, nplc: float) -> float:
        factor = AUTOZERO_FACTOR if self.autozero == "AUTO" else 1
        return float(factor * nplc / self.parent.line_frequency)

    def _go_to_zero(self) -> None:
        # The device clear also ends the other channel's script.
        self.parent.interrupt()
        self.parent.exchange(f"errorqueue.clear() {self.id}.abort() {self.id}.source.levelv = 0")

    def enable(self) -> None:
        """Switch the output on at 0 V."""
        # A sweep that was armed by another program would put its own level on the terminals.
        self.parent.exchange(
            f"{self.id}.abort() {self.id}.source.levelv = 0 {self.id}.source.output = {self.id}.OUTPUT_ON"
        )

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; raises `LimitError` beyond its span."""
        self.source_voltage = voltage

    def read(self, voltage: float) -> Reading:
        """Step to `voltage` (V), measure once, return to 0 V: one message."""
        within(voltage, self.VOLTAGE)
        reply = self.parent.call("mho_read", self.id, f"{voltage:.9e}", replies=1)
        return readings(map(float, reply.split(",")), COMPLIANCE)[0]

    def read_list(self, voltages: Sequence[float]) -> list[Reading]:
        """Read at each of at most 2500 `voltages` (V) as `read` does, in one message; the output is at 0 V between them."""
        self._send_list(voltages)
        with self.parent._patience(len(voltages) * (self._aperture + 0.05)):
            reply = self.parent.call("mho_read_list", self.id, replies=1)
        return readings(map(float, reply.split(",")), COMPLIANCE)

    def sweep(self, voltages: Sequence[float], delay: float = 0.0) -> list[Reading]:
        """Run a list sweep timed by the instrument, ending at 0 V with the output as it was before."""
        within(delay, DELAY)
        self._send_list(voltages)
        with self.parent._patience(len(voltages) * (delay + self._aperture + 0.05)):
            self.parent.call("mho_sweep", self.id, f"{delay:.9e}")
        return self._fetch(len(voltages))

    def pulse(self, voltages: Sequence[float], *, width: float, period: float) -> list[Reading]:
        """Fire one pulse from 0 V for each level, timed by the instrument's timers, and measure at the end of each pulse.

        `voltages`: pulse tops, V; at most 2500.
        `width`: pulse width, s: 100 us and more, and longer than a measurement takes.
        `period`: from pulse to pulse, s.
        `LimitError` when a value is beyond the instrument's abilities, or the measurement does not fit the pulse;
        `InstrumentError` when the instrument refuses, or could not keep the period.
        """
        self._check_pulse(width, period)
        self._send_list(voltages)
        timing = (f"{seconds:.9e}" for seconds in (width, period, 0.9 * width - self._aperture))
        with self.parent._patience(len(voltages) * (period + 0.05)):
            late = self.parent.call("mho_pulse", self.id, str(TIMERS[self.id]), *timing, replies=1)
        if float(late):
            raise InstrumentError(
                f"{self._title} could not keep a period of {period:.3g} s: pulses came late; choose a longer one"
            )
        return self._fetch(len(voltages))

    def _fetch(self, count: int) -> list[Reading]:
        self.parent.write(f"mho_fetch({self.id}, {count})")
        values = self.parent.query_block(3 * count)
        self.parent.exchange("")
        return readings(values.tolist(), COMPLIANCE)

    def _send_list(self, voltages: Sequence[float]) -> None:
        pieces = self._listed(voltages)
        self.parent.load()
        self.parent.exchange("mho_levels = {}")
        for piece in pieces:
            self.parent.call("mho_append", lua_list(piece))

    def abort(self) -> None:
        """Stop a running sweep."""
        self.parent.exchange(f"{self.id}.abort()")


class Series2600B(SourceMeterPair):
    """What the models have in common: the connection to two channels, each of which is a `SourceMeter`.

    A mixin for `TspInstrument`, placed before it.

    `address`, `visa_library`, `timeout`, `connection`: as for `TspInstrument`.
    `voltage_range`: fixed source range of the channels, V, as of `Keithley2450`.
    """

    spans: ClassVar[SeriesSpans]
    script = SCRIPT
    CHANNELS = "smua", "smub"
    line_frequency = reading("localnode.linefreq", "Get the power line frequency, Hz.")

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, voltage_range: float | None = None,
        timeout: float = 5.0, **connection: Any,
    ) -> None:  # fmt: skip
        self.voltage_range = None if voltage_range is None else within(voltage_range, self.spans.source_range)
        super().__init__(address, visa_library, timeout=timeout, **connection)


class Keithley2636B(Series2600B, TspInstrument):
    """A 2636B; constructed as `Series2600B`."""

    model = "2636B"
    spans = SPANS_2636B
    VOLTAGE, CURRENT_LIMIT = SPANS_2636B.voltage, SPANS_2636B.current_limit
    smua: Keithley2636BChannel = Instrument.ChannelCreator(Keithley2636BChannel, "smua")
    smub: Keithley2636BChannel = Instrument.ChannelCreator(Keithley2636BChannel, "smub")


class Keithley2602BChannel(Keithley2636BChannel, spans=SPANS_2602B):
    """One channel of a 2602B."""


class Keithley2602B(Series2600B, TspInstrument):
    """A 2602B, of 40 V and 3 A; constructed as `Series2600B`."""

    model = "2602B"
    spans = SPANS_2602B
    VOLTAGE, CURRENT_LIMIT = SPANS_2602B.voltage, SPANS_2602B.current_limit
    smua: Keithley2602BChannel = Instrument.ChannelCreator(Keithley2602BChannel, "smua")
    smub: Keithley2602BChannel = Instrument.ChannelCreator(Keithley2602BChannel, "smub")


class Keithley2612BChannel(Keithley2636BChannel, spans=SPANS_2612B):
    """One channel of a 2612B or a 2614B."""


class Keithley2612B(Series2600B, TspInstrument):
    """A 2612B, of 200 V and 1.5 A, without the 2636B's smallest ranges; constructed as `Series2600B`."""

    model = "2612B"
    spans = SPANS_2612B
    VOLTAGE, CURRENT_LIMIT = SPANS_2612B.voltage, SPANS_2612B.current_limit
    smua: Keithley2612BChannel = Instrument.ChannelCreator(Keithley2612BChannel, "smua")
    smub: Keithley2612BChannel = Instrument.ChannelCreator(Keithley2612BChannel, "smub")


class Keithley2614B(Series2600B, TspInstrument):
    """A 2614B, a 2612B without contact check; constructed as `Series2600B`."""

    model = "2614B"
    spans = SPANS_2612B
    VOLTAGE, CURRENT_LIMIT = SPANS_2612B.voltage, SPANS_2612B.current_limit
    smua: Keithley2612BChannel = Instrument.ChannelCreator(Keithley2612BChannel, "smua")
    smub: Keithley2612BChannel = Instrument.ChannelCreator(Keithley2612BChannel, "smub")
