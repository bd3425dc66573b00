"""The simulated Keithley 2450 (SCPI command set): a voltage source that measures its current.

Model 2450 Reference Manual 2450-901-01; accuracies from the data sheet. (?) from memory: the error texts,
the automatic delay, that a sweep ends with the output off, and that a small measurement range lowers the
limit. Sourcing current is not simulated.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from instruments.simulated.clock import VirtualClock
from instruments.simulated.keithley2450_accuracy import (
    MEASURE_RANGES,
    OVERRANGE,
    SOURCE_RANGES,
    Specimen,
    range_for,
)
from instruments.simulated.keithley2450_buffers import (
    DEFAULT,
    ELEMENTS,
    LIMITED,
    OUTPUT_ON,
    SENSED_REMOTELY,
    ReadingBuffers,
    Record,
)
from instruments.simulated.ports import SourcePort
from instruments.simulated.scpi import ScpiError, Setting, command, query
from instruments.simulated.scpi_parameters import Boolean, Choice, Numeric, Text
from instruments.simulated.status import ERROR_TEXTS, QueuedError

INTERLOCK_VOLTAGE = 42.0
AUTO_DELAY = 1e-3  # s
OVERHEAD = 3e-4  # s a reading takes beside its aperture
LIST_SIZE = 2500
_NO_ERROR = '0,"No error;0;0 0"'
_EPOCH = datetime(2025, 1, 1)


class SimulatedKeithley2450(ReadingBuffers):
    """A 2450 on a bench.

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
    interlock : bool
        Whether the interlock is closed, which more than 42 V need.
    """

    identity = "KEITHLEY INSTRUMENTS,MODEL 2450,{serial},1.7.12b"
    line_frequency = 60.0

    language = Setting("*LANG", Choice("SCPI", ("SCPI", "TSP", "SCPI2400")))
    function = Setting(":SOURce[1]:FUNCtion[:MODE]", Choice("VOLT", ("VOLTage", "CURRent")))
    level = Setting(
        ":SOURce[1]:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Numeric(0.0, -210.0, 210.0, unit="V")
    )
    range_auto = Setting(":SOURce[1]:VOLTage:RANGe:AUTO", Boolean(True))
    limit = Setting(":SOURce[1]:VOLTage:ILIMit[:LEVel]", Numeric(1.05e-4, 1e-9, 1.05, unit="A"))
    delay = Setting(":SOURce[1]:VOLTage:DELay", Numeric(0.0, 0.0, 1e4, unit="S"))
    delay_auto = Setting(":SOURce[1]:VOLTage:DELay:AUTO", Boolean(True))
    readback = Setting(":SOURce[1]:VOLTage:READ:BACK", Boolean(True))
    sensing = Setting(
        "[:SENSe[1]]:FUNCtion[:ON]", Choice("CURR:DC", ("CURRent[:DC]", "VOLTage[:DC]"), quoted=True)
    )
    measure_auto = Setting("[:SENSe[1]]:CURRent[:DC]:RANGe:AUTO", Boolean(True))
    nplc = Setting("[:SENSe[1]]:CURRent[:DC]:NPLCycles", Numeric(1.0, 0.01, 10.0))
    voltage_nplc = Setting("[:SENSe[1]]:VOLTage[:DC]:NPLCycles", Numeric(1.0, 0.01, 10.0))
    remote_sense = Setting("[:SENSe[1]]:CURRent[:DC]:RSENse", Boolean(False))
    voltage_remote_sense = Setting("[:SENSe[1]]:VOLTage[:DC]:RSENse", Boolean(False))
    autozero = Setting("[:SENSe[1]]:CURRent[:DC]:AZERo[:STATe]", Boolean(True))
    output_on = Setting(":OUTPut[1][:STATe]", Boolean(False))
    off_mode = Setting(":OUTPut[1]:VOLTage:SMODe", Choice("NORM", ("NORMal", "HIMPedance", "ZERO", "GUARd")))

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        output: SourcePort,
        *,
        serial: str = "SIM00000",
        accuracy: float = 0.2,
        noise: float = 2e-6,
        interlock: bool = True,
    ) -> None:
        super().__init__(clock, rng, serial=serial)
        self.output = output
        self.interlock = interlock
        self._specimen = Specimen(rng, accuracy, noise)
        self.reset()

    def reset(self) -> None:
        """Power-on state: 0 V, output off, automatic ranges."""
        self._source_range = SOURCE_RANGES[0]
        self._measure_range = 1e-4
        self._list: list[float] = []
        self._sweep: list[tuple[float, float, str]] = []  # level, delay, buffer of each point
        self._tripped: bool | None = False
        self._apply()

    def error_texts(self) -> dict[int, str]:
        """Return the texts as the 2450 words them."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``code,"text;type;time"`` (p. 6-6)."""
        if error.code == 0:
            return _NO_ERROR
        time = (_EPOCH + timedelta(seconds=error.time)).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        return f'{error.code},"{error.text};1;{time}"'

    # --- the source ---

    @function.check
    def _check_function(self, function: str) -> None:
        if function != "VOLT":
            raise ScpiError(-221, "sourcing current is not simulated")

    @level.check
    def _check_level(self, volts: float) -> None:
        if not self.range_auto and abs(volts) > OVERRANGE * self._source_range:
            raise ScpiError(-222)
        if abs(volts) > INTERLOCK_VOLTAGE and not self.interlock:
            raise ScpiError(-221, "interlock")

    @level.on_change
    @output_on.on_change
    @off_mode.on_change
    @range_auto.on_change
    def _changed(self, value: object) -> None:
        self._apply()

    def _apply(self) -> None:
        """Put the terminals into the state that the settings describe."""
        if self.range_auto:
            self._source_range = range_for(SOURCE_RANGES, self.level)
        self._actual = self._specimen.sourced(self.level, self._source_range)
        self._tripped = None
        if self.output_on:
            self.output.drive(self._actual, connected=True)
        else:
            self._tripped = False
            self.output.drive(0.0, connected=self.off_mode != "HIMP")

    @command(":SOURce[1]:VOLTage:RANGe", Numeric(0.02, -210.0, 210.0, unit="V"))
    def _set_source_range(self, volts: float) -> None:
        chosen = range_for(SOURCE_RANGES, volts)
        if abs(self.level) > OVERRANGE * chosen:
            raise ScpiError(-221)
        self.range_auto = False
        self._source_range = chosen
        self._apply()

    @query(":SOURce[1]:VOLTage:RANGe")
    def _query_source_range(self) -> str:
        return self.real(self._source_range)

    @delay.on_change
    def _delay_changed(self, seconds: float) -> None:
        self.delay_auto = False

    @limit.check
    def _check_limit(self, amperes: float) -> None:
        if not self.measure_auto and amperes > OVERRANGE * self._measure_range * (1 + 1e-9):
            raise ScpiError(-221)

    @limit.on_change
    def _limit_changed(self, amperes: float) -> None:
        self._tripped = None

    @query(":SOURce[1]:VOLTage:ILIMit[:LEVel]:TRIPped")
    def _query_tripped(self) -> str:
        if self._tripped is None:  # the level has changed since the last measurement
            self._tripped = abs(self.output.current(self._actual, self._aperture)) > self.limit
        return "1" if self._tripped else "0"

    @query(":OUTPut[1]:INTerlock:TRIPped")
    def _query_interlock(self) -> str:
        return "1" if self.interlock else "0"

    @query(":SYSTem:LFRequency")
    def _query_line_frequency(self) -> str:
        return f"{self.line_frequency:.0f}"

    # --- the meter ---

    @command("[:SENSe[1]]:CURRent[:DC]:RANGe[:UPPer]", Numeric(1e-4, 1e-9, 1.05, unit="A"))
    def _set_measure_range(self, amperes: float) -> None:
        self.measure_auto = False
        self._measure_range = range_for(MEASURE_RANGES, amperes)
        self.limit = min(self.limit, OVERRANGE * self._measure_range)

    @query("[:SENSe[1]]:CURRent[:DC]:RANGe[:UPPer]")
    def _query_measure_range(self) -> str:
        return self.real(self._measure_range)

    @property
    def _aperture(self) -> float:
        nplc = self.nplc if self.sensing == "CURR:DC" else self.voltage_nplc
        return nplc / self.line_frequency

    def _measure(self, delay: float) -> Record:
        """Wait, integrate over the aperture, and report; advances the clock."""
        aperture = self._aperture
        self.clock.advance(delay)
        volts = amperes = 0.0
        tripped = False
        status = SENSED_REMOTELY if self.remote_sense else 0
        if self.output_on:
            status |= OUTPUT_ON
            volts, amperes = self._actual, self.output.current(self._actual, aperture)
            if abs(amperes) > self.limit:
                tripped = True
                status |= LIMITED
                limited = math.copysign(self.limit, amperes)
                volts, amperes = volts * limited / amperes, limited
        self._tripped = tripped
        reading, unit = (self._read(amperes), "Amp DC")
        if self.sensing != "CURR:DC":
            reading, unit = volts, "Volt DC"
        self.clock.advance(aperture + OVERHEAD)
        return Record(volts if self.readback else self.level, reading, unit, status, self.clock.now)

    def _read(self, amperes: float) -> float:
        if self.measure_auto:
            self._measure_range = range_for(MEASURE_RANGES, amperes)
        return self._specimen.measured(amperes, self._measure_range, self._aperture * self.line_frequency)

    @property
    def _settling(self) -> float:
        return AUTO_DELAY if self.delay_auto else self.delay

    @query(":READ", Text(DEFAULT, required=False), ELEMENTS)
    def _read_query(self, name: str, elements: list[str]) -> str:
        buffer = self._buffer(name)
        record = self._measure(self._settling)
        buffer.append(record)
        return self._reply([record], elements)

    @query(":FETCh", Text(DEFAULT, required=False), ELEMENTS)
    def _fetch(self, name: str, elements: list[str]) -> str:
        buffer = self._buffer(name)
        return self._reply(buffer.slice(len(buffer), len(buffer)), elements)

    # --- sweeps ---

    @command(":SOURce[1]:LIST:VOLTage", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _set_list(self, levels: list[float]) -> None:
        self._check_list(levels)
        self._list = levels

    @command(":SOURce[1]:LIST:VOLTage:APPend", Numeric(0.0, -210.0, 210.0, unit="V", repeated=True))
    def _append_list(self, levels: list[float]) -> None:
        self._check_list(levels)
        if len(self._list) + len(levels) > LIST_SIZE:
            raise ScpiError(-223)
        self._list = self._list + levels

    def _check_list(self, levels: list[float]) -> None:
        if len(levels) > 100:
            raise ScpiError(-223)
        for level in levels:
            self._check_level(level)

    @query(":SOURce[1]:LIST:VOLTage")
    def _query_list(self) -> str:
        return ",".join(map(self.real, self._list))

    @query(":SOURce[1]:LIST:VOLTage:POINts")
    def _query_list_points(self) -> str:
        return str(len(self._list))

    @command(
        ":SOURce[1]:SWEep:VOLTage:LIST",
        Numeric(1, 1, LIST_SIZE, integer=True),
        Numeric(-1.0, -1.0, 1e4, unit="S", required=False),
        Numeric(1, 1, 268435455, integer=True, required=False),
        Boolean(True, required=False),
        Text(DEFAULT, required=False),
    )
    def _sweep_list(self, first: float, delay: float, count: float, abort: bool, name: str) -> None:
        levels = self._list[int(first) - 1 :]
        if not levels:
            raise ScpiError(-221, "source list is empty")
        self._plan(levels * int(count), delay, name)

    @command(
        ":SOURce[1]:SWEep:VOLTage:LINear",
        Numeric(0.0, -210.0, 210.0, unit="V"),
        Numeric(0.0, -210.0, 210.0, unit="V"),
        Numeric(2, 2, 1e6, integer=True),
        Numeric(-1.0, -1.0, 1e4, unit="S", required=False),
        Numeric(1, 1, 268435455, integer=True, required=False),
        Choice("BEST", ("AUTO", "BEST", "FIXed"), required=False),
        Boolean(True, required=False),
        Boolean(False, required=False),
        Text(DEFAULT, required=False),
    )
    def _sweep_linear(
        self, start: float, stop: float, points: float, delay: float, count: float, ranging: str,
        abort: bool, dual: bool, name: str,
    ) -> None:  # fmt: skip
        levels = np.linspace(start, stop, int(points)).tolist()
        self._plan((levels + levels[::-1] if dual else levels) * int(count), delay, name)

    def _plan(self, levels: list[float], delay: float, name: str) -> None:
        self._buffer(name)
        if 0.0 < delay < 5e-5:
            raise ScpiError(-222)
        seconds = self._settling if delay < 0.0 else delay
        self._sweep = [(level, seconds, name) for level in levels]

    @command(":INITiate[1][:IMMediate]")
    def _initiate(self) -> None:
        if not self._sweep:
            raise ScpiError(-213)
        self.output_on = True
        for level, delay, name in self._sweep:
            self.level = level
            self._apply()
            self._buffer(name).append(self._measure(delay))
        self.output_on = False
        self._apply()

    @command(":ABORt")
    def _abort(self) -> None:
        """Nothing runs between two messages on the virtual clock."""


_TEXTS = {
    **ERROR_TEXTS,
    -222: "Parameter data out of range",
    1133: "Parameter 4, Syntax error, expected READ, REL, SOUR or EXTR",
}
