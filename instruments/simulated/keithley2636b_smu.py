"""One source-measure unit of the simulated 2636B: its source, and how its parts hang together.

2600BS-901-01, section 7. (?) from memory: that a level beyond a fixed range is too big. Sourcing current is
refused (-221), not simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instruments.simulated.keithley2636b_accuracy import (
    OVERFLOW,
    OVERRANGE,
    SOURCE_AMPERE_RANGES,
    VOLT_RANGES,
    Specimen,
    range_for,
)
from instruments.simulated.keithley2636b_buffers import CAPACITY, ReadingBuffer
from instruments.simulated.keithley2636b_meter import Meter, delay
from instruments.simulated.keithley2636b_sweep import TriggerModel
from instruments.simulated.ports import SourcePort
from instruments.simulated.tsp_tables import TOO_BIG, Attribute, Group, TspError, choice, real, whole

if TYPE_CHECKING:
    from instruments.simulated.tsp import TspDevice

MAXIMUM, LARGEST_LIMIT = 202.0, 1.515  # V, A
INTERLOCK_VOLTAGE = 20.2
CONTACT_CURRENT = 1e-3  # A a contact check needs
CONSTANTS = {
    "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": 2, "OUTPUT_NORMAL": 0, "OUTPUT_ZERO": 1,
    "OUTPUT_DCAMPS": 0, "OUTPUT_DCVOLTS": 1, "AUTORANGE_OFF": 0, "AUTORANGE_ON": 1, "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0, "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2, "FILTER_OFF": 0, "FILTER_ON": 1,
    "FILTER_MOVING_AVG": 0, "FILTER_REPEAT_AVG": 1, "FILTER_MEDIAN": 2, "REL_OFF": 0, "REL_ON": 1,
    "SENSE_LOCAL": 0, "SENSE_REMOTE": 1, "SENSE_CALA": 3, "DISABLE": 0, "ENABLE": 1, "ASYNC": 2,
    "SOURCE_IDLE": 0, "SOURCE_HOLD": 1, "DELAY_OFF": 0, "DELAY_AUTO": -1, "LIMIT_AUTO": 0,
    "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2, "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128, "CONTACT_FAST": 0, "CONTACT_MEDIUM": 1, "CONTACT_SLOW": 2,
}  # fmt: skip
OUTPUT_ON, HIGH_Z, VOLTS = 1, 2, 1


class SourceMeasureUnit:
    """``smua`` or ``smub``.

    Parameters
    ----------
    device : TspDevice
        The instrument it is part of.
    number : int
        1 for smua, 2 for smub.
    port : SourcePort or None
        What its terminals are wired to; None when they are open.
    specimen : Specimen
        Its errors.
    interlock : bool
        Whether the interlock is closed, which the 200 V range needs.
    """

    def __init__(
        self, device: TspDevice, number: int, port: SourcePort | None, specimen: Specimen, *, interlock: bool
    ) -> None:
        self.device = device
        self.port = port
        self.interlock = interlock
        self._title = f"SMU {'AB'[number - 1]}"
        self.specimen = specimen
        self._actual = 0.0
        self._sweep_level: float | None = None  # while a sweep has the source
        self._sweep_range: float | None = None
        self.tripped: bool | None = False
        self.source = self._source_table()
        self.meter = Meter(self)
        self.buffers = (self._make_buffer(CAPACITY), self._make_buffer(CAPACITY))
        self.model = TriggerModel(self)
        self.group = Group(
            {"sense": Attribute(0.0, choice(0, 1, 3))},
            contents={
                **CONSTANTS,
                "source": self.source,
                "measure": self.meter.group,
                "trigger": self.model.group,
                "contact": Group(
                    {"speed": Attribute(0.0, choice(0, 1, 2)), "threshold": Attribute(50.0, real(0.0, 1e3))},
                    contents={"check": self._check_contact, "r": self._contact_resistance},
                ),
                "nvbuffer1": self.buffers[0],
                "nvbuffer2": self.buffers[1],
                "makebuffer": lambda size: device.bind(self._make_buffer(int(whole(1, CAPACITY)(size)))),
                "savebuffer": lambda buffer: None,
                "measureiandstep": lambda volts: self.meter.measure_and_step("i", volts),
                "measureivandstep": lambda volts: self.meter.measure_and_step("iv", volts),
                "measurevandstep": lambda volts: self.meter.measure_and_step("v", volts),
                "reset": self.reset,
                "abort": self.model.abort,
            },
        )
        self._apply()

    # --- tables ---

    def _source_table(self) -> Group:
        return Group(
            {
                "func": Attribute(VOLTS, self._check_function),
                "levelv": Attribute(0.0, self.check_level, self._changed),
                "leveli": Attribute(0.0, real(-1.5, 1.5)),
                "limitv": Attribute(20.0, real(0.02, 200.0)),
                "limiti": Attribute(0.1, real(1e-10, LARGEST_LIMIT), self._limit_changed),
                "limitp": Attribute(0.0, real(0.0, 1e3)),
                "rangev": Attribute(0.2, self._check_range, self._range_changed),
                "rangei": Attribute(
                    1e-9, lambda value: range_for(SOURCE_AMPERE_RANGES, real(-1.5, 1.5)(value))
                ),
                "autorangev": Attribute(1.0, choice(0, 1), self._changed),
                "autorangei": Attribute(1.0, choice(0, 1)),
                "lowrangev": Attribute(0.2, real(0.0, 200.0)),
                "lowrangei": Attribute(1e-9, real(0.0, 1.5)),
                "output": Attribute(0.0, self._check_output, self._changed),
                "offmode": Attribute(0.0, choice(0, 1, 2), self._changed),
                "offfunc": Attribute(VOLTS, choice(0, 1), self._changed),
                "offlimiti": Attribute(1e-3, real(1e-10, 1.5)),
                "offlimitv": Attribute(40.0, real(0.02, 200.0)),
                "delay": Attribute(0.0, delay),
                "settling": Attribute(0.0, choice(0, 1, 2, 3, 4, 128)),
                "sink": Attribute(0.0, choice(0, 1)),
                "highc": Attribute(0.0, choice(0, 1)),
            },
            readings={"compliance": self.in_compliance},
        )

    def _make_buffer(self, size: int) -> ReadingBuffer:
        return ReadingBuffer(size, self.device.catch_up)

    def reset(self) -> None:
        """``smua.reset()``: the defaults, output off; timers keep their settings (p. 7-167)."""
        self.model.abort()
        self.group.restore()
        self.model.release()
        for buffer in self.buffers:
            buffer.clear()
        self.meter.forget()
        self._apply()

    # --- the source ---

    def _check_function(self, value: object) -> float:
        function: float = choice(0, 1)(value)
        if function != VOLTS:
            raise TspError(-221, f"{self._title}: Settings conflict; sourcing current is not simulated")
        return function

    def check_level(self, value: object) -> float:
        """Accept a level that may be programmed now."""
        self.device.catch_up()
        return self.allowed(real(-MAXIMUM, MAXIMUM)(value))

    def allowed(self, volts: float) -> float:
        """Return a level that the source can give; raises `TspError` for another."""
        if not self.source["autorangev"] and abs(volts) > OVERRANGE * self.source["rangev"] * (1 + 1e-9):
            raise TspError(TOO_BIG)
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock and self.source["output"] == OUTPUT_ON:
            raise TspError(802)
        return volts

    def _check_range(self, value: object) -> float:
        self.device.catch_up()
        chosen = range_for(VOLT_RANGES, real(-200.0, 200.0)(value))
        if abs(self.source["levelv"]) > OVERRANGE * chosen * (1 + 1e-9):
            raise TspError(-221)
        return chosen

    def _range_changed(self, span: float) -> None:
        self.source.store("autorangev", 0.0)
        self._apply()

    def _check_output(self, value: object) -> float:
        self.device.catch_up()
        state: float = choice(0, 1, 2)(value)
        if state == OUTPUT_ON and abs(self.source["levelv"]) > INTERLOCK_VOLTAGE and not self.interlock:
            raise TspError(802)
        return state

    def _limit_changed(self, amperes: float) -> None:
        self.tripped = None

    def _changed(self, value: float) -> None:
        self._apply()

    def program(self, volts: float) -> None:
        """Source an accepted level from now on."""
        self.source.store("levelv", volts)
        self._apply()

    def step(self, volts: float, span: float | None = None) -> None:
        """Let a sweep put the source to `volts`, on the range `span` (V) if given."""
        self._sweep_level, self._sweep_range = volts, span
        self._apply()

    def rest(self) -> None:
        """Let a sweep give the source back: to ``source.levelv``."""
        self._sweep_level = self._sweep_range = None
        self._apply()

    @property
    def on(self) -> bool:
        """Whether the output is on."""
        return bool(self.source["output"] == OUTPUT_ON)

    @property
    def level(self) -> float:
        """What is being sourced, V, as it was programmed."""
        return self.source["levelv"] if self._sweep_level is None else self._sweep_level

    @property
    def actual(self) -> float:
        """What is being sourced, V, with the instrument's errors."""
        return self._actual

    def _apply(self) -> None:
        """Put the terminals into the state that the settings describe."""
        source, level = self.source, self.level
        if source["autorangev"]:
            span = self._sweep_range or range_for(VOLT_RANGES, max(abs(level), source["lowrangev"]))
            if span != source["rangev"]:
                source.store("rangev", span)
        self._actual = self.specimen.sourced(level, source["rangev"])
        self.tripped = None
        if self.port is None:
            return
        if self.on:
            self.port.drive(self._actual, connected=True)
        else:
            grounded = source["output"] != HIGH_Z and (
                source["offmode"] == 1 or (source["offmode"] == 0 and source["offfunc"] == VOLTS)
            )
            self.port.drive(0.0, connected=grounded)

    def in_compliance(self) -> bool:
        """Tell whether the source is limited now: as measured, or found out when the level has changed since."""
        self.device.catch_up()
        if not self.on:
            return False
        if self.tripped is None:
            self.tripped = abs(self.current(self.meter.aperture)) > self.source["limiti"]
        return self.tripped

    def current(self, aperture: float) -> float:
        """Return the current (A) that flows at the present level, averaged over `aperture` seconds."""
        return 0.0 if self.port is None else self.port.current(self._actual, aperture)

    # --- contact check ---

    def _contact_possible(self) -> None:
        """Refuse what the manual refuses (p. 7-209): the check passes 1 mA."""
        source = self.source
        if self.on:
            if source["limiti"] < CONTACT_CURRENT:
                raise TspError(5050, f"{self._title}: I limit too low for contact check")
        elif source["offmode"] == 2 or source["output"] == HIGH_Z:
            raise TspError(5048, f"{self._title}: Contact check not valid with HIGH-Z OUTPUT off")
        elif source["offmode"] == 0 and source["offfunc"] == VOLTS and source["offlimiti"] < CONTACT_CURRENT:
            raise TspError(5066, f"{self._title}: source.offlimiti too low for contact check")
        elif source["offmode"] == 0 and source["offfunc"] != VOLTS and source["rangei"] < CONTACT_CURRENT:
            raise TspError(5065, f"{self._title}: I range too low for contact check")

    def _check_contact(self) -> bool | None:
        self._contact_possible()
        self.device.clock.advance(4e-3)
        return self.port is not None

    def _contact_resistance(self) -> tuple[float, float]:
        self._contact_possible()
        self.device.clock.advance(4e-3)
        return (1.0, 1.0) if self.port is not None else (OVERFLOW, OVERFLOW)
