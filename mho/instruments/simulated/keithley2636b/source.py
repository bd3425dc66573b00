"""The source of one unit of the simulated 2636B and its sisters: ``smua.source``, and what it puts on the terminals.

2600BS-901-01, section 7, and Rev. F p. 9-244 (limits); accuracies of one year, 23 +- 5 C, from the data sheets
(SPEC-2602B Rev. B). (?) from memory: the accuracies of the 2612B, the power envelopes, the regions of pulses, that a model
of 40 V needs no interlock, that a level beyond a fixed range is too big, and that a change of the source's function leaves
the output as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated import analogue
from mho.instruments.simulated.analogue import OFF, Regulated, SpecimenConverter, carry, regulate
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.tables import (
    ILLEGAL,
    TOO_BIG,
    TOO_SMALL,
    Attribute,
    ScriptTable,
    TspError,
    choice,
    real,
)

# range: (gain error, offset error in V or A)
SOURCE_VOLTS = {0.2: (2e-4, 3.75e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 5e-3), 200.0: (2e-4, 5e-2)}
MEASURE_VOLTS = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE_AMPERES = {
    1e-10: (1.5e-3, 1.2e-13), 1e-9: (1.5e-3, 2.4e-13), 1e-8: (1.5e-3, 3e-12), 1e-7: (6e-4, 4e-11),
    1e-6: (2.5e-4, 4e-10), 1e-5: (2.5e-4, 1.5e-9), 1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7),
    1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5), 1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3),
}  # fmt: skip
AMPERE_RANGES = tuple(MEASURE_AMPERES)
# Of the models without the smallest ranges, but for the largest range
SISTERS_SOURCE = {
    1e-7: (6e-4, 1e-10), 1e-6: (3e-4, 8e-10), 1e-5: (3e-4, 5e-9), 1e-4: (3e-4, 6e-8), 1e-3: (3e-4, 3e-7),
    1e-2: (3e-4, 6e-6), 1e-1: (3e-4, 3e-5), 1.0: (5e-4, 1.8e-3),
}  # fmt: skip
SISTERS_METER = {
    1e-7: (5e-4, 1e-10), 1e-6: (2.5e-4, 5e-10), 1e-5: (2.5e-4, 1.5e-9), 1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7),
    1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5), 1.0: (3e-4, 1.5e-3),
}  # fmt: skip
AUTO_DELAYS = {1e-10: 0.1, 1e-9: 3e-2, 1e-8: 5e-3, 1e-7: 1e-3}  # s after a step, by range (?)
OVERRANGE = 1.01
Errors = Mapping[float, tuple[float, float]]


def range_for(ranges: tuple[float, ...], value: float) -> float:
    """Return the smallest range that holds `value` with 1 % overrange; the largest if none does."""
    return analogue.range_for(ranges, value, OVERRANGE)


class PulseRegion(NamedTuple):
    """Pulses up to `volts` and `amperes`: the longest width (s) and the largest duty cycle."""

    volts: float
    amperes: float
    width: float
    duty: float


PULSES_2612B = (PulseRegion(180.0, 1.0, 8.5e-3, 0.01), PulseRegion(200.0, 1.0, 2.2e-3, 0.01),
                PulseRegion(5.0, 10.0, 1e-3, 0.022))  # fmt: skip
PULSES_2602B = (PulseRegion(40.0, 1.5, 0.1, 0.25), PulseRegion(35.0, 5.0, 4e-3, 0.04),
                PulseRegion(20.0, 10.0, 1.8e-3, 0.01))  # fmt: skip
SHORTEST_PULSE = 1e-4  # s


@dataclass(frozen=True)
class UnitAbilities:
    """What the channels of a model are: ranges with their errors, and limits; the defaults are the 2636B's."""

    source_volts: Errors = field(default_factory=lambda: SOURCE_VOLTS)
    volts: Errors = field(default_factory=lambda: MEASURE_VOLTS)
    source_amperes: Errors = field(
        default_factory=lambda: {span: errors for span, errors in MEASURE_AMPERES.items() if span > 1e-10}
    )
    amperes: Errors = field(default_factory=lambda: MEASURE_AMPERES)
    # voltages (V), and the largest current (A) up to each
    envelope: tuple[tuple[float, float], ...] = ((20.2, 1.515), (202.0, 0.101))
    usual_limits: tuple[float, float] = 20.0, 0.1  # V, A, after a reset
    least_limits: tuple[float, float] = 0.02, 1e-10
    pulses: tuple[PulseRegion, ...] = PULSES_2612B
    interlock: float = 20.2  # V, beyond which it has to be closed
    checks_contact: bool = True
    digital_lines: bool = True

    @property
    def most_volts(self) -> float:
        """The largest voltage range, V."""
        return max(self.source_volts)

    @property
    def most_amperes(self) -> float:
        """The largest current range, A."""
        return max(self.amperes)

    def check_power(self, volts: float, amperes: float) -> None:
        """Raise `TspError` when level and limit are beyond what the source gives together."""
        largest = next((most for reach, most in self.envelope if abs(volts) <= reach), self.envelope[-1][1])
        if abs(amperes) > largest * (1 + 1e-9):
            raise TspError(-221, "Settings conflict; level and limit are beyond the source's power")

    def pulse_region(self, volts: float, amperes: float) -> PulseRegion | None:
        """Return how long and how often level and limit may last together, None when not at all."""
        for reach, most in self.envelope:
            if volts <= reach and amperes <= most:
                return PulseRegion(reach, most, math.inf, 1.0)
        for region in self.pulses:
            if volts <= OVERRANGE * region.volts and amperes <= OVERRANGE * region.amperes:
                return region
        return None


def logarithmic(first: float, last: float, size: int) -> NDArray[np.float64]:
    """Return `size` levels in equal ratios; raises `TspError` unless both ends are on one side of zero."""
    if first * last <= 0.0:
        raise TspError(ILLEGAL)
    levels: NDArray[np.float64] = np.sign(first) * np.geomspace(abs(first), abs(last), size)
    return levels


ABILITIES_2636B = UnitAbilities()
ABILITIES_2612B = UnitAbilities(
    source_amperes=SISTERS_SOURCE | {1.5: (6e-4, 4e-3)}, amperes=SISTERS_METER | {1.5: (5e-4, 3.5e-3)},
    least_limits=(0.02, 1e-8),
)  # fmt: skip
ABILITIES_2614B = replace(ABILITIES_2612B, checks_contact=False, digital_lines=False)
ABILITIES_2602B = UnitAbilities(
    source_volts={0.1: (2e-4, 2.5e-4), 1.0: (2e-4, 4e-4), 6.0: (2e-4, 1.8e-3), 40.0: (2e-4, 1.2e-2)},
    volts={0.1: (1.5e-4, 1.5e-4), 1.0: (1.5e-4, 2e-4), 6.0: (1.5e-4, 1e-3), 40.0: (1.5e-4, 8e-3)},
    source_amperes=SISTERS_SOURCE | {3.0: (6e-4, 4e-3)}, amperes=SISTERS_METER | {3.0: (5e-4, 3.5e-3)},
    envelope=((6.06, 3.03), (40.4, 1.01)), pulses=PULSES_2602B, usual_limits=(40.0, 1.0), least_limits=(0.01, 1e-8),
    interlock=math.inf,
)  # fmt: skip


class Specimen(NamedTuple):
    """One channel's sources and meters, each with errors of its own, and what its model can do."""

    abilities: UnitAbilities
    source_volts: SpecimenConverter
    source_amperes: SpecimenConverter
    volts: SpecimenConverter
    amperes: SpecimenConverter

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        fraction: float,
        noise: float,
        abilities: UnitAbilities = ABILITIES_2636B,
    ) -> Specimen:
        """Draw a channel's errors, as a `fraction` of the specification; `noise` as a fraction of the range."""
        return cls(
            abilities,
            SpecimenConverter(rng, abilities.source_volts, fraction, overrange=OVERRANGE),
            SpecimenConverter(rng, abilities.source_amperes, fraction, overrange=OVERRANGE),
            SpecimenConverter(rng, abilities.volts, fraction, noise=noise, overrange=OVERRANGE),
            SpecimenConverter(rng, abilities.amperes, fraction, noise=noise, overrange=OVERRANGE),
        )


SETTLING = 1e-4  # s in which a current source finds its voltage
OUTPUT_ON, HIGH_Z, VOLTS = 1, 2, 1


def delay(value: object) -> float:
    """Accept seconds, or -1 for an automatic delay."""
    seconds: float = real(-1.0, 1e4)(value)
    if -1.0 < seconds < 0.0:
        raise TspError(TOO_SMALL)
    return seconds


class SweepStep(NamedTuple):
    """What a sweep sources: a level (`volts` or amperes), on a range of its own, within a limit of its own (0: usual)."""

    volts: bool
    level: float
    span: float | None
    limit: float


class UnitSource:
    """Sources volts or amperes within limits; a sweep may control it temporarily.

    `port`: port of the terminals; None when they are open.
    `catch_up`: advances a running sweep before anything is changed or read.
    `aperture`: the meter's integration time, s.
    `interlock`: whether the interlock is closed, which more volts than `UnitAbilities.interlock` need.
    """

    def __init__(
        self, port: SourcePort | None, specimen: Specimen, *, catch_up: Callable[[], None],
        aperture: Callable[[], float], interlock: bool,
    ) -> None:  # fmt: skip
        self._port, self.specimen, self._interlock = port, specimen, interlock
        self.abilities = specimen.abilities
        self._catch_up, self._aperture = catch_up, aperture
        self._actual = 0.0  # at the terminals, V
        self._amperes = 0.0  # output of a current source, with its errors
        self._step: SweepStep | None = None  # while a sweep has the source
        self.tripped: bool | None = False  # whether a limit stops it; None when that has to be evaluated
        self.table = self._source_table()  # ``smua.source``

    @property
    def wired(self) -> bool:
        """Whether the terminals are wired to anything."""
        return self._port is not None

    def _source_table(self) -> ScriptTable:
        def limit_changed(limit: float) -> None:
            self.tripped = None

        abilities = self.abilities
        volts, amperes = self.specimen.source_volts.ranges, self.specimen.source_amperes.ranges
        limit_volts, limit_amperes = abilities.usual_limits
        least_volts, least_amperes = abilities.least_limits
        most_volts, most_amperes = abilities.most_volts, abilities.most_amperes
        return ScriptTable(
            {
                "func": Attribute(VOLTS, choice(0, 1), self.apply),
                "levelv": Attribute(0.0, self.check_level, self.apply),
                "leveli": Attribute(0.0, self._check_amperes, self.apply),
                "limitv": Attribute(limit_volts, self._check_voltage_limit, limit_changed),
                "limiti": Attribute(limit_amperes, self._check_current_limit, limit_changed),
                "limitp": Attribute(0.0, real(0.0, 1e3)),
                "rangev": Attribute(volts[0], self._check_range, partial(self._fix_range, "autorangev")),
                "rangei": Attribute(
                    amperes[0], self._check_ampere_range, partial(self._fix_range, "autorangei")
                ),
                "autorangev": Attribute(1.0, choice(0, 1), self.apply),
                "autorangei": Attribute(1.0, choice(0, 1), self.apply),
                "lowrangev": Attribute(volts[0], real(0.0, most_volts)),
                "lowrangei": Attribute(amperes[0], real(0.0, most_amperes)),
                "output": Attribute(0.0, self._check_output, self.apply),
                "offmode": Attribute(0.0, choice(0, 1, 2), self.apply),
                "offfunc": Attribute(VOLTS, choice(0, 1), self.apply),
                "offlimiti": Attribute(1e-3, real(least_amperes, most_amperes)),
                "offlimitv": Attribute(40.0, real(least_volts, most_volts)),
                "delay": Attribute(0.0, delay),
                "settling": Attribute(0.0, choice(0, 1, 2, 3, 4, 128)),
                "sink": Attribute(0.0, choice(0, 1)),
                "highc": Attribute(0.0, choice(0, 1)),
            },
            readings={"compliance": self.in_compliance},
        )

    def check_level(self, value: object) -> float:
        """Accept a level that may be programmed now."""
        self._catch_up()
        return self.allowed(self.any_level(value))

    def any_level(self, value: object) -> float:
        """Accept a level (V) that the model has on some range."""
        return self.level_on_a_range("v", value)

    def level_on_a_range(self, kind: str, value: object) -> float:
        """Accept a level that the model has on some range: V for the kind ``v``, A for ``i``."""
        most = OVERRANGE * (self.abilities.most_volts if kind == "v" else self.abilities.most_amperes)
        level: float = real(-most, most)(value)
        return level

    def allowed(self, volts: float) -> float:
        """Return a level that the source can give; raises `TspError` for another."""
        if not self.table["autorangev"] and abs(volts) > OVERRANGE * self.table["rangev"] * (1 + 1e-9):
            raise TspError(TOO_BIG)
        if self.on:
            self.check_interlock(volts)
        self.abilities.check_power(volts, self.table["limiti"])
        return volts

    def _check_current_limit(self, value: object) -> float:
        self._catch_up()
        source, abilities = self.table, self.abilities
        amperes: float = real(abilities.least_limits[1], OVERRANGE * abilities.most_amperes)(value)
        fixed = 0.0 if source["autorangev"] else OVERRANGE * source["rangev"]
        self.abilities.check_power(max(abs(source["levelv"]), fixed), amperes)
        return amperes

    def _check_range(self, value: object) -> float:
        self._catch_up()
        most = self.abilities.most_volts
        chosen = self.specimen.source_volts.range_for(real(-most, most)(value))
        if abs(self.table["levelv"]) > OVERRANGE * chosen * (1 + 1e-9):
            raise TspError(-221)
        self.abilities.check_power(OVERRANGE * chosen, self.table["limiti"])
        return chosen

    def _fix_range(self, auto: str, span: float) -> None:
        self.table.store(auto, 0.0)
        self.apply()

    def _check_amperes(self, value: object) -> float:
        self._catch_up()
        return self.allowed_amperes(self.level_on_a_range("i", value))

    def allowed_amperes(self, amperes: float) -> float:
        """Return a level (A) that the source can give; raises `TspError` for another."""
        if not self.table["autorangei"] and abs(amperes) > OVERRANGE * self.table["rangei"] * (1 + 1e-9):
            raise TspError(TOO_BIG)
        self.abilities.check_power(self.table["limitv"], amperes)
        return amperes

    def _check_ampere_range(self, value: object) -> float:
        self._catch_up()
        most = self.abilities.most_amperes
        chosen = self.specimen.source_amperes.range_for(real(-most, most)(value))
        if abs(self.table["leveli"]) > OVERRANGE * chosen * (1 + 1e-9):
            raise TspError(-221)
        return chosen

    def _check_voltage_limit(self, value: object) -> float:
        volts: float = real(self.abilities.least_limits[0], self.abilities.most_volts)(value)
        if self.on and not self.sources_volts:
            self.check_interlock(volts)
        self.abilities.check_power(volts, self.table["leveli"])
        return volts

    def _check_output(self, value: object) -> float:
        self._catch_up()
        state: float = choice(0, 1, 2)(value)
        most = self.table["levelv"] if self.sources_volts else self.table["limitv"]
        if state == OUTPUT_ON:
            self.check_interlock(most)
        return state

    def check_interlock(self, volts: float) -> None:
        """Raise `TspError` when so many volts need the interlock, and it is open."""
        if abs(volts) > self.abilities.interlock and not self._interlock:
            raise TspError(802)

    def program(self, volts: float) -> None:
        """Source an accepted level from now on."""
        self.table.store("levelv", volts)
        self.apply()

    def step(self, step: SweepStep) -> None:
        """Source a step of a sweep, as long as the source's function is the one of the step."""
        self._step = step
        self.apply()

    def rest(self) -> None:
        """Return the source from a sweep to ``source.levelv`` or ``source.leveli``."""
        self._step = None
        self.apply()

    @property
    def _swept(self) -> SweepStep | None:
        """The step of a sweep, as long as it is of the source function."""
        return self._step if self._step is not None and self._step.volts == self.sources_volts else None

    @property
    def on(self) -> bool:
        """Whether the output is on."""
        return bool(self.table["output"] == OUTPUT_ON)

    @property
    def sources_volts(self) -> bool:
        """Whether volts are sourced, and not amperes."""
        return bool(self.table["func"] == VOLTS)

    @property
    def level(self) -> float:
        """The programmed source level, V or A."""
        if self._swept is not None:
            return self._swept.level
        return float(self.table["levelv" if self.sources_volts else "leveli"])

    @property
    def actual(self) -> float:
        """Voltage at the terminals, V, with the instrument's errors."""
        return self._actual

    @property
    def limit(self) -> float:
        """The largest current (A) that can flow."""
        if not self.sources_volts:
            return abs(self._amperes)
        return (self._swept and self._swept.limit) or float(self.table["limiti"])

    def apply(self, changed: float | None = None) -> None:
        """Set the terminals to the state of the settings, one of which may have `changed`."""
        source = self.table
        self.tripped = None
        if self.sources_volts:
            self._choose_range("v", self.specimen.source_volts)
            self._actual = self.specimen.source_volts.convert(self.level, source["rangev"])
        else:
            self._choose_range("i", self.specimen.source_amperes)
            self._amperes = self.specimen.source_amperes.convert(self.level, source["rangei"])
        if self._port is None:
            return
        if not self.on:
            grounded = source["output"] != HIGH_Z and (
                source["offmode"] == 1 or (source["offmode"] == 0 and source["offfunc"] == VOLTS)
            )
            self._port.drive(0.0, connected=grounded)
        elif self.sources_volts:
            self._port.drive(self._actual, connected=True)
        else:
            self._regulate(SETTLING)

    def _choose_range(self, kind: str, converter: SpecimenConverter) -> None:
        source = self.table
        if source[f"autorange{kind}"]:
            span = self._swept and self._swept.span
            span = span or converter.range_for(max(abs(self.level), source[f"lowrange{kind}"]))
            if span != source[f"range{kind}"]:
                source.store(f"range{kind}", span)

    def _regulate(self, aperture: float) -> Regulated:
        """Find the voltage of the current source."""
        point = regulate(
            lambda volts: self.current(aperture, volts), self._amperes,
            (self._swept and self._swept.limit) or self.table["limitv"], self._actual,
        )  # fmt: skip
        self._actual, self.tripped = point.volts, point.limited
        if self._port is not None:
            self._port.drive(point.volts, connected=True)
        return point

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
        """Return whether the source is limited now: as measured, or evaluated when the level has changed since."""
        self._catch_up()
        if self.tripped is None:
            self.flow(self._aperture())
        return bool(self.tripped)

    def current(self, aperture: float, volts: float) -> float:
        """Return the current (A) that flows at `volts`, averaged over `aperture` seconds."""
        return 0.0 if self._port is None else self._port.current(volts, aperture)
