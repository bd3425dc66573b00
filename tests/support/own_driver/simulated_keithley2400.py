"""The simulated Keithley 2400: a source of volts that measures volts and amperes.

Series 2400 SourceMeter User's Manual, 2400S-900-01, section 18 and appendices A and B. (?) from memory: the numbers of
the errors. Not simulated, and refused: sourcing current, staircase sweeps, ohms, math and limit tests.
"""

from __future__ import annotations

import numpy as np

from mho.instruments.simulated.analogue import SpecimenConverter, carry
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Boolean, Choice, Numeric
from mho.instruments.simulated.scpi.status import ERROR_TEXTS

# range: (gain error, offset error in V or A), one year
SOURCE = {0.2: (2e-4, 6e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 2.4e-3), 200.0: (2e-4, 2.4e-2)}
VOLTMETER = {0.2: (1.2e-4, 3e-4), 2.0: (1.2e-4, 3e-4), 20.0: (1.5e-4, 1.5e-3), 200.0: (1.5e-4, 1e-2)}
AMMETER = {
    1e-6: (2.9e-4, 3e-10), 1e-5: (2.7e-4, 7e-10), 1e-4: (2.5e-4, 6e-9), 1e-3: (2.7e-4, 6e-8),
    1e-2: (3.5e-4, 6e-7), 1e-1: (5.5e-4, 6e-6), 1.0: (2.2e-3, 5.7e-4),
}  # fmt: skip
OUTPUT_OFF, TOO_SMALL, BEYOND_COMPLIANCE, TOO_MUCH_POWER = 803, 822, 824, 826
TEXTS = {
    **ERROR_TEXTS,
    OUTPUT_OFF: "Not permitted with OUTPUT off",
    TOO_SMALL: "Too small for sense range",
    BEYOND_COMPLIANCE: "Cannot exceed compliance range",
    TOO_MUCH_POWER: "Attempt to exceed power limit",
}
LIMITED = 8
NOTHING = 9.91e37
ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
SOURCED = "[:SOURce[1]]:VOLTage"
SENSED = "[:SENSe[1]]:CURRent[:DC]"


class SimulatedKeithley2400(ScpiDevice):
    """A 2400 on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    output : SourcePort
        What its terminals are wired to.
    """

    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,{serial},C30   Mar 17 2006 09:29:29/A02  /K/J"
    real_format = "%+.6E"
    error_capacity = 10
    line_frequency = 60.0

    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage",)))
    mode = Setting(":SOURce[1]:VOLTage:MODE", Choice("FIX", ("FIXed", "LIST")))
    level = Setting(
        ":SOURce[1]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Numeric(0.0, -210.0, 210.0, unit="V")
    )
    auto_range = Setting(":SOURce[1]:VOLTage:RANGe:AUTO", Boolean(True))
    delay = Setting(":SOURce[1]:DELay", Numeric(1e-3, 0.0, 9999.998, unit="S"))
    auto_delay = Setting(":SOURce[1]:DELay:AUTO", Boolean(True))
    limit = Setting(f"{SENSED}:PROTection[:LEVel]", Numeric(1.05e-4, 1e-9, 1.05, unit="A"))
    span = Setting(f"{SENSED}:RANGe[:UPPer]", Numeric(1e-4, 0.0, 1.05, unit="A"))
    nplc = Setting(f"{SENSED}:NPLCycles", Numeric(1.0, 0.01, 10.0))
    concurrent = Setting("[:SENSe[1]]:FUNCtion:CONCurrent", Boolean(True))
    four_wire = Setting(":SYSTem:RSENse", Boolean(False))
    count = Setting(":TRIGger[:SEQuence[1]]:COUNt", Numeric(1, 1, 2500, integer=True))
    output_on = Setting(":OUTPut[1][:STATe]", Boolean(False))

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *, serial: str = "SIM00000"
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self.output = output
        self._source = SpecimenConverter(rng, SOURCE, 0.2)
        self._voltmeter = SpecimenConverter(rng, VOLTMETER, 0.2)
        self._ammeter = SpecimenConverter(rng, AMMETER, 0.2, noise=2e-6)
        self.reset()

    def reset(self) -> None:
        """Power-on state: 0 V, output off, amperes measured and everything reported."""
        self._list = [0.0]
        self._functions = {"CURR"}
        self._elements = ["VOLT", "CURR", "RES", "TIME", "STAT"]
        self._apply(self.level)

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with the 2400's own."""
        return TEXTS

    # --- what fits together ---

    @level.check
    def _check_level(self, volts: float) -> None:
        self._check_power(volts, self.limit)

    @limit.check
    def _check_limit(self, amperes: float) -> None:
        if amperes < 1e-3 * self.span * (1 - 1e-9):
            raise ScpiError(TOO_SMALL)
        self._check_power(self.level, amperes)

    def _check_power(self, volts: float, amperes: float) -> None:
        if abs(volts) > 21.0 and amperes > 0.105:
            raise ScpiError(TOO_MUCH_POWER)

    @span.check
    def _check_span(self, amperes: float) -> None:
        if self._ammeter.range_for(amperes) > self._ammeter.range_for(self.limit):
            raise ScpiError(BEYOND_COMPLIANCE)

    @span.on_change
    def _span_changed(self, amperes: float) -> None:
        self.span = self._ammeter.range_for(amperes)

    @delay.on_change
    def _delay_changed(self, seconds: float) -> None:
        self.auto_delay = False

    @level.on_change
    def _level_changed(self, volts: float) -> None:
        self._apply(volts)

    @output_on.on_change
    def _output_changed(self, on: bool) -> None:
        self._apply(self.level)

    def _apply(self, volts: float) -> None:
        """Set the terminals to the state of the settings; an output that is off is at 0 V."""
        self._actual = self._source.convert(volts, self._source.range_for(volts)) if self.output_on else 0.0
        self.output.drive(self._actual, connected=True)

    # --- lists ---

    @command(":SOURce[1]:LIST:VOLTage", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _set_list(self, levels: list[float]) -> None:
        self._list = self._checked(levels)

    @command(":SOURce[1]:LIST:VOLTage:APPend", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _append(self, levels: list[float]) -> None:
        if len(self._list) + len(levels) > 2500:
            raise ScpiError(-223)
        self._list += self._checked(levels)

    def _checked(self, levels: list[float]) -> list[float]:
        if len(levels) > 100:
            raise ScpiError(-223)
        for volts in levels:
            self._check_power(volts, self.limit)
        return levels

    @query(":SOURce[1]:LIST:VOLTage")
    def _query_list(self) -> str:
        return ",".join(map(self.real, self._list))

    # --- readings ---

    @command(
        "[:SENSe[1]]:FUNCtion[:ON]",
        Choice("CURR:DC", ("VOLTage[:DC]", "CURRent[:DC]"), quoted=True, repeated=True),
    )
    def _set_functions(self, functions: list[str]) -> None:
        named = {name.removesuffix(":DC") for name in functions}
        self._functions = self._functions | named if self.concurrent else named

    @command(":FORMat:ELEMents[:SENSe[1]]", Choice("VOLT", ELEMENTS, repeated=True))
    def _set_elements(self, elements: list[str]) -> None:
        self._elements = [name for name in ("VOLT", "CURR", "RES", "TIME", "STAT") if name in elements]

    @query(":SYSTem:LFRequency")
    def _query_line_frequency(self) -> str:
        return f"{self.line_frequency:.0f}"

    @query(":READ")
    def _read(self) -> str:
        """Run the trigger model once: `count` points, each with its delay and its aperture."""
        if not self.output_on:
            raise ScpiError(OUTPUT_OFF)
        points = []
        for number in range(int(self.count)):
            if self.mode == "LIST":
                self._apply(self._list[number % len(self._list)])
            points.append(self._point())
        return ",".join(points)

    def _point(self) -> str:
        aperture = len(self._functions) * self.nplc / self.line_frequency
        self.clock.advance((1e-3 if self.auto_delay else self.delay) + aperture)
        flow = carry(self._actual, self.output.current(self._actual, aperture), self.limit)
        volts = self._voltmeter.read(flow.volts, self._voltmeter.range_for(flow.volts), self.nplc)
        amperes = self._ammeter.read(flow.amperes, self.span, self.nplc)
        values = {
            "VOLT": volts if "VOLT" in self._functions else self.level,
            "CURR": amperes if "CURR" in self._functions else NOTHING,
            "RES": NOTHING,
            "TIME": self.clock.now,
            "STAT": LIMITED if flow.limited else 0,
        }
        return ",".join(self.real(values[name]) for name in self._elements)

    @command(":ABORt")
    def _abort(self) -> None:
        """Nothing runs between two messages on the virtual clock."""
