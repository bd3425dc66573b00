"""The simulated Keithley 2450 (SCPI command set): a source of volts or amperes, a meter, and what the trigger model runs.

Model 2450 Reference Manual 2450-901-01: front panel pp. 6-22 to 6-31, 6-35 and 6-91. (?) from memory: the error texts, the
automatic delay, which screens there are, and that a change of the terminals switches the output off. A common command may
have a colon before it (``:*CLS``): PyMeasure's tests with a device send that, and want an empty error queue. Not simulated:
configuration lists, limit tests, math and digital I/O. The wires are on the front and on the rear terminals alike.
"""

from __future__ import annotations

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.buffers import (
    BUFFER,
    ELEMENTS,
    FULL,
    NAME_TAKEN,
    BufferRecord,
    ReadingBuffers,
    reading_queries,
)
from mho.instruments.simulated.keithley2450.meter import Meter
from mho.instruments.simulated.keithley2450.source import Source
from mho.instruments.simulated.keithley2450.sweeps import TriggerModel
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import FunctionSetting, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import ERROR_TEXTS
from mho.instruments.simulated.source_meters import SENSED, Terminals

CALIBRATED = "2024,10,3"  # 90 days before the virtual clock starts
SCREENS = (
    "HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "HISTogram", "GRAPH_SWIPE", "SETTINGS_SWIPE",
    "SOURCE_SWIPE", "STATS_SWIPE", "USER_SWIPE",
)  # fmt: skip
LINES, LONGEST_TEXTS = {"1": "USER1", "2": "USER2"}, {"1": 20, "2": 32}
TEXTS = {
    **ERROR_TEXTS,
    -222: "Parameter data out of range",
    1133: "Parameter 4, Syntax error, expected valid name parameters",
    NAME_TAKEN: "Parameter error: TRACe:MAKE cannot take an existing reading buffer name",
    FULL: "Attempting to store past capacity of reading buffer",
}


class SimulatedKeithley2450(ReadingBuffers):
    """A 2450 on a bench; `clock`, `rng` and `serial` as for `ScpiDevice`.

    `output`: what its terminals are wired to.
    `accuracy`: standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    `noise`: standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    `interlock`: whether the interlock is closed, which more than 42 V need; somebody may open it.
    """

    identity = "KEITHLEY INSTRUMENTS,MODEL 2450,{serial},1.7.12b"
    line_frequency = 60.0
    common_after_colon = True
    parts = (Source, Meter, TriggerModel, Terminals)

    language = Setting("*LANG", Choice("SCPI", ("SCPI", "TSP", "SCPI2400")))
    digits = FunctionSetting(":DISPlay:<function>:DIGits", SENSED, Numeric(5, 3, 6, integer=True))
    reading_format = Setting(":DISPlay:READing:FORMat", Choice("PREF", ("PREFix", "EXPonent")))
    light = Setting(
        ":DISPlay:LIGHt:STATe", Choice("ON50", ("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"))
    )

    commands = {
        ":CALibration:VERify:DATE?": lambda self: CALIBRATED,
        ":DISPlay:SCReen": (Choice("HOME", SCREENS), lambda self, screen: setattr(self, "screen", screen)),
        ":DISPlay:<function>:TEXT[:DATA]": (
            LINES, Text(), lambda self, line, text: self.shown.update({line: text[: LONGEST_TEXTS[line]]}),
        ),
        **reading_queries(ELEMENTS),
    }  # fmt: skip

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, output: SourcePort, *,
        serial: str = "SIM00000", accuracy: float = 0.2, noise: float = 2e-6, interlock: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(clock, rng, serial=serial)
        self.output, self.interlock = output, interlock
        self.source = Source(self, rng, output, accuracy)
        self.meter = Meter(self, self.source, rng, accuracy, noise)
        self.trigger_model = TriggerModel(self)
        self.terminals = Terminals(self)
        self._reset()

    def reset(self) -> None:
        """Home screen, and empty buffers."""
        self.screen = "HOME"
        self._clear_display()
        self._forget_buffers()

    @property
    def output_on(self) -> bool:
        """Whether the output is on."""
        return self.source.output_on

    @property
    def level(self) -> float:
        """The source level, V or A."""
        return self.source.level

    @property
    def limit(self) -> float:
        """The largest current that can flow, A."""
        return self.source.limit

    def _measure_into(self, name: str) -> BufferRecord:
        return self.meter.measure_into(self.buffer(name), self.source.settling)

    @query(":READ", BUFFER, ELEMENTS)
    @query(":MEASure", BUFFER, ELEMENTS)
    def _read_query(self, name: str, elements: list[str]) -> str:
        return self._reply([self._measure_into(name)], elements)

    @query(":MEASure:<function>", BUFFER, ELEMENTS, functions=SENSED)
    def _measure_query(self, function: str, name: str, elements: list[str]) -> str:
        self.buffer(name)
        self.meter.choose(function)
        return self._read_query(name, elements)

    @command(":TRACe:TRIGger", BUFFER)
    def _trigger_into(self, name: str) -> None:
        self._measure_into(name)

    @command(":DISPlay:CLEar")
    def _clear_display(self) -> None:
        self.shown = {"1": "", "2": ""}

    @command(":STATus:CLEar")
    def _clear_events(self) -> None:
        """Clear the event registers; the queue of errors stays."""
        self.status.take_events()
        self.status.operation.take()
        self.status.questionable.take()

    def error_texts(self) -> dict[int, str]:
        """Return the texts as the 2450 words them."""
        return TEXTS
