"""One source-measure unit of the simulated 2636B: its source, and how its parts hang together.

2600BS-901-01, section 7. (?) from memory: that a level beyond a fixed range is too big, and that a change of the source's
function leaves the output as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mho.instruments.simulated.analogue.limited_sources import OFF, Regulated, carry, regulate
from mho.instruments.simulated.keithley2636b.accuracy import (
    OVERRANGE,
    SOURCE_AMPERE_RANGES,
    VOLT_RANGES,
    Specimen,
    check_power,
    range_for,
)
from mho.instruments.simulated.keithley2636b.buffers import CAPACITY, ReadingBuffer
from mho.instruments.simulated.keithley2636b.contact import CONSTANTS, HIGH_Z, OUTPUT_ON, VOLTS, ContactCheck
from mho.instruments.simulated.keithley2636b.meter import Meter, delay
from mho.instruments.simulated.keithley2636b.sweep import TriggerModel
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.tables import (
    TOO_BIG,
    Attribute,
    ScriptTable,
    TspError,
    choice,
    real,
    whole,
)

if TYPE_CHECKING:
    from mho.instruments.simulated.tsp.instrument import TspDevice

MAXIMUM, LARGEST_LIMIT = 202.0, 1.515  # V, A
SETTLING = 1e-4  # s in which a current source finds its voltage
INTERLOCK_VOLTAGE = 20.2


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
        self.title = f"SMU {'AB'[number - 1]}"
        self.specimen = specimen
        self._actual = 0.0  # at the terminals, V
        self._amperes = 0.0  # what a current source puts out, with its errors
        self._sweep_level: float | None = None  # while a sweep has the source
        self._sweep_range: float | None = None
        self.tripped: bool | None = False
        self.source = self._source_table()
        self.meter = Meter(self)
        self.buffers = (self._make_buffer(CAPACITY), self._make_buffer(CAPACITY))
        self.model = TriggerModel(self)
        self.group = ScriptTable(
            {"sense": Attribute(0.0, choice(0, 1, 3))},
            contents={
                **CONSTANTS,
                "source": self.source,
                "measure": self.meter.group,
                "trigger": self.model.group,
                "contact": ContactCheck(self),
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

    def _source_table(self) -> ScriptTable:
        return ScriptTable(
            {
                "func": Attribute(VOLTS, choice(0, 1), self._changed),
                "levelv": Attribute(0.0, self.check_level, self._changed),
                "leveli": Attribute(0.0, self._check_amperes, self._changed),
                "limitv": Attribute(20.0, self._check_voltage_limit, self._limit_changed),
                "limiti": Attribute(0.1, self._check_current_limit, self._limit_changed),
                "limitp": Attribute(0.0, real(0.0, 1e3)),
                "rangev": Attribute(0.2, self._check_range, self._range_changed),
                "rangei": Attribute(1e-9, self._check_ampere_range, self._ampere_range_changed),
                "autorangev": Attribute(1.0, choice(0, 1), self._changed),
                "autorangei": Attribute(1.0, choice(0, 1), self._changed),
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
        check_power(volts, self.source["limiti"])
        return volts

    def _check_current_limit(self, value: object) -> float:
        self.device.catch_up()
        amperes: float = real(1e-10, LARGEST_LIMIT)(value)
        source = self.source
        fixed = 0.0 if source["autorangev"] else OVERRANGE * source["rangev"]
        check_power(max(abs(source["levelv"]), fixed), amperes)
        return amperes

    def _check_range(self, value: object) -> float:
        self.device.catch_up()
        chosen = range_for(VOLT_RANGES, real(-200.0, 200.0)(value))
        if abs(self.source["levelv"]) > OVERRANGE * chosen * (1 + 1e-9):
            raise TspError(-221)
        check_power(OVERRANGE * chosen, self.source["limiti"])
        return chosen

    def _range_changed(self, span: float) -> None:
        self.source.store("autorangev", 0.0)
        self._apply()

    def _check_amperes(self, value: object) -> float:
        self.device.catch_up()
        amperes: float = real(-LARGEST_LIMIT, LARGEST_LIMIT)(value)
        if not self.source["autorangei"] and abs(amperes) > OVERRANGE * self.source["rangei"] * (1 + 1e-9):
            raise TspError(TOO_BIG)
        check_power(self.source["limitv"], amperes)
        return amperes

    def _check_ampere_range(self, value: object) -> float:
        self.device.catch_up()
        chosen = range_for(SOURCE_AMPERE_RANGES, real(-1.5, 1.5)(value))
        if abs(self.source["leveli"]) > OVERRANGE * chosen * (1 + 1e-9):
            raise TspError(-221)
        return chosen

    def _ampere_range_changed(self, span: float) -> None:
        self.source.store("autorangei", 0.0)
        self._apply()

    def _check_voltage_limit(self, value: object) -> float:
        volts: float = real(0.02, 200.0)(value)
        if volts > INTERLOCK_VOLTAGE and not self.interlock and self.on and not self.sources_volts:
            raise TspError(802)
        check_power(volts, self.source["leveli"])
        return volts

    def _check_output(self, value: object) -> float:
        self.device.catch_up()
        state: float = choice(0, 1, 2)(value)
        most = self.source["levelv"] if self.sources_volts else self.source["limitv"]
        if state == OUTPUT_ON and abs(most) > INTERLOCK_VOLTAGE and not self.interlock:
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
    def sources_volts(self) -> bool:
        """Whether volts are sourced, and not amperes."""
        return bool(self.source["func"] == VOLTS)

    @property
    def level(self) -> float:
        """What is being sourced, V or A, as it was programmed."""
        if not self.sources_volts:
            return float(self.source["leveli"])
        return float(self.source["levelv"]) if self._sweep_level is None else self._sweep_level

    @property
    def actual(self) -> float:
        """What is at the terminals, V, with the instrument's errors."""
        return self._actual

    @property
    def limit(self) -> float:
        """The largest current (A) that can flow."""
        if not self.sources_volts:
            return abs(self._amperes)
        return self.model.limit or float(self.source["limiti"])

    def _apply(self) -> None:
        """Put the terminals into the state that the settings describe."""
        source = self.source
        self.tripped = None
        if self.sources_volts:
            self._choose_volt_range()
            self._actual = self.specimen.source_volts.convert(self.level, source["rangev"])
        else:
            if source["autorangei"]:
                span = range_for(SOURCE_AMPERE_RANGES, max(abs(source["leveli"]), source["lowrangei"]))
                if span != source["rangei"]:
                    source.store("rangei", span)
            self._amperes = self.specimen.source_amperes.convert(source["leveli"], source["rangei"])
        if self.port is None:
            return
        if not self.on:
            grounded = source["output"] != HIGH_Z and (
                source["offmode"] == 1 or (source["offmode"] == 0 and source["offfunc"] == VOLTS)
            )
            self.port.drive(0.0, connected=grounded)
        elif self.sources_volts:
            self.port.drive(self._actual, connected=True)
        else:
            self._regulate(SETTLING)

    def _choose_volt_range(self) -> None:
        source = self.source
        if source["autorangev"]:
            span = self._sweep_range or range_for(VOLT_RANGES, max(abs(self.level), source["lowrangev"]))
            if span != source["rangev"]:
                source.store("rangev", span)

    def _regulate(self, aperture: float) -> Regulated:
        """Let the current source find its voltage."""
        found = regulate(
            lambda volts: self.current(aperture, volts), self._amperes, self.source["limitv"], self._actual
        )
        self._actual, self.tripped = found.volts, found.limited
        if self.port is not None:
            self.port.drive(found.volts, connected=True)
        return found

    def flow(self, aperture: float) -> Regulated:
        """Return the volts and amperes at the terminals, and whether a limit stops the source."""
        if not self.on:
            self.tripped = False
            return OFF
        if not self.sources_volts:
            return self._regulate(aperture)
        carried = carry(self._actual, self.current(aperture, self._actual), self.limit)
        self.tripped = carried.limited
        return carried

    def in_compliance(self) -> bool:
        """Tell whether the source is limited now: as measured, or found out when the level has changed since."""
        self.device.catch_up()
        if self.tripped is None:
            self.flow(self.meter.aperture)
        return bool(self.tripped)

    def current(self, aperture: float, volts: float) -> float:
        """Return the current (A) that flows at `volts`, averaged over `aperture` seconds."""
        return 0.0 if self.port is None else self.port.current(volts, aperture)
