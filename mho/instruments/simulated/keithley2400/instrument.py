"""The simulated Keithley 2400: a source and a meter, a trigger model and a buffer around them, and the front panel.

Series 2400 SourceMeter User's Manual, 2400S-900-01, sections 11, 17 and 18, appendices A and B. (?) from memory: numbers
of errors, the automatic delay, that a change of the terminals switches the output off, that a sweep stays at its last
level, what an empty buffer answers, and that ``:CONFigure`` leaves ranges and integration time alone. Not simulated, and
refused: source memory, binary replies, limit tests, math and digital I/O. Nothing comes over trigger links and keys: what
waits for them waits until ``:ABORt``. The wires are on the front and on the rear terminals alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2400.meter import BEYOND_COMPLIANCE, READ_BACK, MeasuredPoint, Meter
from mho.instruments.simulated.keithley2400.source import (
    AUTO_OHMS,
    OUTPUT_BLOCKED,
    TOO_MUCH_POWER,
    TOO_SMALL,
    Source,
)
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, ScpiPart, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS
from mho.instruments.simulated.source_meters import SENSED, Terminals

STORING, OUTPUT_OFF = 800, 803
TEXTS = {
    **ERROR_TEXTS,
    -230: "Data corrupt or stale",
    STORING: "Illegal with storage active",
    OUTPUT_BLOCKED: "OUTPUT blocked by interlock",
    OUTPUT_OFF: "Not permitted with OUTPUT off",
    TOO_SMALL: "Too small for sense range",
    READ_BACK: "Invalid with source read-back on",
    BEYOND_COMPLIANCE: "Cannot exceed compliance range",
    AUTO_OHMS: "Invalid with auto-ohms on",
    TOO_MUCH_POWER: "Attempt to exceed power limit",
}
BUFFER_FULL = 512  # bit of the measurement event register
MOST_POINTS = 2500
ARM, TRIGGER = ":ARM[:SEQuence[1]][:LAYer[1]]", ":TRIGger[:SEQuence[1]]"
COUNT = Numeric(1, 1, MOST_POINTS, integer=True)
INPUT_LINE, OUTPUT_LINE = Numeric(1, 1, 4, integer=True), Numeric(2, 1, 4, integer=True)


class TriggerModel(ScpiPart):
    """Two layers of counts, sources and delays around a reading: ``:ARM``, ``:TRIGger``, ``:INITiate``, ``:READ?``."""

    device: SimulatedKeithley2400

    arm_count = Setting(f"{ARM}:COUNt", COUNT)
    arm_source = Setting(
        f"{ARM}:SOURce",
        Choice("IMM", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")),
    )
    arm_timer = Setting(f"{ARM}:TIMer", Numeric(0.1, 1e-3, 99999.99, unit="S"))
    arm_input = Setting(f"{ARM}[:TCONfigure]:ILINe", INPUT_LINE)
    arm_line = Setting(f"{ARM}[:TCONfigure]:OLINe", OUTPUT_LINE)
    arm_output = Setting(f"{ARM}[:TCONfigure]:OUTPut", Choice("NONE", ("TENTer", "TEXit", "NONE")))
    count = Setting(f"{TRIGGER}:COUNt", COUNT)
    delay = Setting(f"{TRIGGER}:DELay", Numeric(0.0, 0.0, 999.9999, unit="S"))
    trigger_source = Setting(f"{TRIGGER}:SOURce", Choice("IMM", ("IMMediate", "TLINk")))
    trigger_input = Setting(f"{TRIGGER}[:TCONfigure]:ILINe", INPUT_LINE)
    trigger_line = Setting(f"{TRIGGER}[:TCONfigure]:OLINe", OUTPUT_LINE)
    trigger_output = Setting(
        f"{TRIGGER}[:TCONfigure]:OUTPut", Choice("NONE", ("SOURce", "DELay", "SENSe", "NONE"))
    )

    commands = {
        ":TRIGger:CLEar": lambda self: None,
        ":FETCh?": lambda self: self.device.meter.text(self.points),
        ":CONFigure?": lambda self: f'"{",".join(self.device.meter.functions)}"',
        ":CONFigure:<function>": (SENSED, lambda self, function: self.configure(function)),
    }

    def reset(self) -> None:
        """Idle, without readings."""
        self.points: list[MeasuredPoint] = []
        self._waiting = 0  # passes of the arm layer that wait for an event
        self._levels: list[float] = []
        self._place = 0

    @arm_count.check
    def _check_arm_count(self, count: float) -> None:
        self._check_counts(count * self.count)

    @count.check
    def _check_count(self, count: float) -> None:
        self._check_counts(count * self.arm_count)

    def _check_counts(self, points: float) -> None:
        if points > MOST_POINTS:
            raise ScpiError(-221, f"no more than {MOST_POINTS} points")

    @command(":ABORt")
    def abort(self) -> None:
        """Go idle."""
        self._waiting = 0

    @command(":INITiate[:IMMediate]")
    def initiate(self) -> None:
        """Leave idle: what need not wait runs at once."""
        source = self.device.source
        if self._waiting:
            raise ScpiError(-213)
        levels = source.swept()
        if not source.output_on:
            if not source.auto_clear:
                raise ScpiError(OUTPUT_OFF)
            source.turn(True)
        self.points, self._levels, self._place, self._waiting = [], levels, 0, int(self.arm_count)
        begun, clock = self.device.clock.now, self.device.clock
        for number in range(self._waiting):
            if self.trigger_source != "IMM" or self.arm_source not in ("IMM", "TIM"):
                return
            if self.arm_source == "TIM":
                clock.advance(max(0.0, begun + number * self.arm_timer - clock.now))
            self.pass_arm()

    def pass_arm(self) -> None:
        """Run the trigger layer once; -211 when nothing waits for it."""
        source = self.device.source
        if not self._waiting:
            raise ScpiError(-211)
        for _ in range(int(self.count)):
            if self._levels:
                source.apply(self._levels[self._place % len(self._levels)])
            self._place += 1
            self.device.clock.advance(self.delay + source.delay)
            self.points.append(point := self.device.meter.measure())
            self.device.buffer.take(point)
        self._waiting -= 1
        if not self._waiting and source.auto_clear:
            source.turn(False)

    @query(":READ")
    def read(self) -> str | None:
        """Measure anew and reply all of it; nothing as long as an event is waited for."""
        self.abort()
        self.initiate()
        return None if self._waiting else self.device.meter.text(self.points)

    @query(":MEASure")
    def _measure(self) -> str | None:
        return self.read()

    @query(":MEASure:<function>", functions=SENSED)
    def _measure_function(self, function: str) -> str | None:
        self.configure(function)
        return self.read()

    def configure(self, function: str) -> None:
        """Prepare single readings of one function."""
        self.abort()
        self.device.meter.choose([function])
        self.arm_count = self.count = 1
        self.arm_source = self.trigger_source = "IMM"


class Buffer(ScpiPart):
    """Keeps readings when it is told to, and their statistics: ``:TRACe``, ``:CALCulate3``."""

    device: SimulatedKeithley2400

    capacity = Setting(":TRACe:POINts", Numeric(100, 1, MOST_POINTS, integer=True))
    fed_by = Setting(":TRACe:FEED", Choice("SENS1", ("SENSe[1]", "CALCulate[1]", "CALCulate2")))
    control = Setting(":TRACe:FEED:CONTrol", Choice("NEV", ("NEXT", "NEVer")))
    stamp = Setting(":TRACe:TSTamp:FORMat", Choice("ABS", ("ABSolute", "DELTa")))
    statistic = Setting(
        ":CALCulate3:FORMat", Choice("MEAN", ("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK"))
    )

    commands = {
        ":TRACe:CLEar": lambda self: self.empty(),
        ":TRACe:POINts:ACTual?": lambda self: str(len(self.points)),
        ":TRACe:DATA?": lambda self: self.device.meter.text(self.points),
        ":CALCulate3:DATA?": lambda self: self.statistics(),
    }

    def reset(self) -> None:
        """Empty."""
        self.points: list[MeasuredPoint] = []

    @capacity.check
    def _check_capacity(self, points: float) -> None:
        if self.control == "NEXT":
            raise ScpiError(STORING)

    @capacity.on_change
    def _capacity_changed(self, points: float) -> None:
        self.empty()

    @control.on_change
    def _control_changed(self, control: str) -> None:
        if control == "NEXT":
            self.points = []
            self.device.status.measurement.update(0)

    def empty(self) -> None:
        """Forget the readings; -221 while they are stored."""
        self.points = []
        self.device.status.measurement.update(0)

    def take(self, point: MeasuredPoint) -> None:
        """Keep a reading; the last one that fits ends the feed and sets the event of a full buffer."""
        if self.control != "NEXT":
            return
        self.points.append(point)
        if len(self.points) >= self.capacity:
            self.control = "NEV"
            self.device.status.measurement.update(BUFFER_FULL)

    def statistics(self) -> str:
        """Write the chosen statistic of volts, amperes and ohms."""
        if not self.points:
            raise ScpiError(-230)
        table = np.array([point[:3] for point in self.points])
        find: Any = {"MEAN": np.mean, "MAX": np.max, "MIN": np.min, "PKPK": np.ptp}.get(self.statistic)
        values = find(table, axis=0) if find else np.std(table, axis=0, ddof=min(1, len(table) - 1))
        return ",".join(map(self.device.meter.number, values.tolist()))


class SimulatedKeithley2400(ScpiDevice):
    """A 2400 on a bench: a source, a meter, a trigger model and a buffer.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    output : SourcePort
        What its terminals are wired to.
    accuracy : float
        Standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    """

    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,{serial},C30   Mar 17 2006 09:29:29/A02  /K/J"
    real_format = "%+.6E"
    error_capacity = 10
    parts = (Source, Meter, TriggerModel, Buffer, Terminals)

    displayed = Setting(":DISPlay:ENABle", Boolean(True))
    digits = Setting(":DISPlay:DIGits", Numeric(6, 4, 7, integer=True))
    beeping = Setting(":SYSTem:BEEPer:STATe", Boolean(True))

    commands = {
        ":SYSTem:BEEPer[:IMMediate]": (
            Numeric(0.0, 65.0, 2e6, unit="HZ"), Numeric(0.0, 0.0, 7.9, unit="S"),
            lambda self, frequency, duration: self.clock.advance(duration),
        ),
        ":SYSTem:LFRequency": (Choice("60", ("50", "60")), lambda self, hertz: self._set_line(float(hertz))),
        ":SYSTem:LFRequency?": lambda self: f"{self.line_frequency:.0f}",
        ":SYSTem:LFRequency:AUTO": (Boolean(), lambda self, auto: setattr(self, "line_auto", auto)),
        ":SYSTem:LFRequency:AUTO?": lambda self: "1" if self.line_auto else "0",
        ":SYSTem:TIME?": lambda self: self.real(self.clock.now),
        ":SYSTem:LOCal": lambda self: None,
        ":SYSTem:REMote": lambda self: None,
        ":DISPlay[:WINDow[1|2]]:TEXT[:DATA]": (Text(), lambda self, window, text: None),
        ":DISPlay[:WINDow[1|2]]:TEXT:STATe": (Boolean(), lambda self, window, shown: None),
        ":STATus:MEASurement[:EVENt]?": lambda self: str(self.status.measurement.take()),
        ":STATus:MEASurement:CONDition?": lambda self: str(self.status.measurement.condition),
        ":STATus:MEASurement:ENABle": (
            Numeric(0, 0, 65535, integer=True),
            lambda self, mask: setattr(self.status.measurement, "enable", int(mask)),
        ),
        ":STATus:MEASurement:ENABle?": lambda self: str(self.status.measurement.enable),
    }  # fmt: skip

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.interlock = True  # whether the line of ``:OUTP:ENAB`` is closed
        self.line_frequency, self.line_auto = 60.0, True
        self.source = Source(self, rng, output, accuracy)
        self.meter = Meter(self, self.source, rng, accuracy, noise)
        self.trigger_model = TriggerModel(self)
        self.buffer = Buffer(self)
        self.terminals = Terminals(self)
        self._reset()

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.source.limit

    def _set_line(self, hertz: float) -> None:
        self.line_frequency, self.line_auto = hertz, False

    def on_trigger(self) -> None:
        """Pass the arm layer where it waits for the bus."""
        if self.trigger_model.arm_source != "BUS":
            raise ScpiError(-211)
        self.trigger_model.pass_arm()

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with the 2400's own."""
        return TEXTS
