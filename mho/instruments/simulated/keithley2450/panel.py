"""The front panel of the simulated 2450: display, beeper, and which terminals are in use.

Model 2450 Reference Manual 2450-901-01, pp. 6-22 to 6-31, 6-35 and 6-91. (?) from memory: which screens there are, and that
a change of the terminals switches the output off.
"""

from __future__ import annotations

from mho.instruments.simulated.keithley2450.source import SENSED
from mho.instruments.simulated.keithley2450.sweeps import SourceSweeps
from mho.instruments.simulated.scpi.instrument import FunctionSetting, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric, Text

SCREENS = (
    "HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "HISTogram", "GRAPH_SWIPE", "SETTINGS_SWIPE",
    "SOURCE_SWIPE", "STATS_SWIPE", "USER_SWIPE",
)  # fmt: skip
LINES = {"1": "USER1", "2": "USER2"}


class FrontPanel(SourceSweeps):
    """The part of the instrument one sees: ``:DISPlay``, ``:SYSTem:BEEPer`` and ``:ROUTe:TERMinals``."""

    terminals = Setting(":ROUTe:TERMinals", Choice("FRON", ("FRONt", "REAR")))
    digits = FunctionSetting(":DISPlay:<function>:DIGits", SENSED, Numeric(5, 3, 6, integer=True))
    reading_format = Setting(":DISPlay:READing:FORMat", Choice("PREF", ("PREFix", "EXPonent")))
    light = Setting(
        ":DISPlay:LIGHt:STATe", Choice("ON50", ("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"))
    )

    @terminals.on_change
    def _terminals_changed(self, terminals: str) -> None:
        self.output_on = False
        self._apply()

    @command(":DISPlay:SCReen", Choice("HOME", SCREENS))
    def _show_screen(self, screen: str) -> None:
        self.screen = screen

    @command(":DISPlay:CLEar")
    def _clear_display(self) -> None:
        self.shown = {"1": "", "2": ""}

    @command(":DISPlay:<function>:TEXT[:DATA]", {"1": Text(), "2": Text()}, functions=LINES)
    def _show_text(self, line: str, text: str) -> None:
        self.shown[line] = text[: 20 if line == "1" else 32]

    @command(
        ":SYSTem:BEEPer[:IMMediate]", Numeric(0.0, 20, 8000, unit="HZ"), Numeric(0.0, 1e-3, 100.0, unit="S")
    )
    def _beep(self, frequency: float, duration: float) -> None:
        self.clock.advance(duration)

    @query(":SYSTem:LFRequency")
    def _query_line_frequency(self) -> str:
        return f"{self.line_frequency:.0f}"

    @command(":STATus:CLEar")
    def _clear_events(self) -> None:
        """Clear the event registers; the queue of errors stays."""
        self.status.take_events()
        self.status.operation.take()
        self.status.questionable.take()
