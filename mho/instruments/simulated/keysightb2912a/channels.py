"""The channels of the simulated B2912A: what they source, they measure.

B2900 Series SCPI Command Reference, B2910-90030, edition 2. (?) from memory: that a small measurement range lowers the
compliance. Volts are always measured on an automatic range.
"""

from __future__ import annotations

import math

from mho.instruments.simulated.keysightb2912a.accuracy import largest_current
from mho.instruments.simulated.keysightb2912a.data import INFINITY, LIMITED, OVERFLOW, Point
from mho.instruments.simulated.keysightb2912a.sources import SENSE
from mho.instruments.simulated.keysightb2912a.sweeps import LevelSweeps
from mho.instruments.simulated.scpi.instrument import ScpiError, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric
from mho.instruments.simulated.scpi.status import ERROR_TEXTS, QueuedError


class SourceChannels(LevelSweeps):
    """The part of the instrument that sources and measures: its two channels."""

    def error_texts(self) -> dict[int, str]:
        """Return the texts, with SCPI's -230."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``+0,"No error"``."""
        return f'{error.code:+d},"{error.text}"'

    # --- the meters ---

    @LevelSweeps.current_limit.check
    def _check_limit(self, channel: int, amperes: float) -> None:
        if amperes > largest_current(self.level[channel]) * (1 + 1e-9):
            raise ScpiError(-222)
        if not self.measure_auto[channel] and not self._meters[channel].holds(
            amperes, self._measure_range[channel]
        ):
            raise ScpiError(-221)

    @command(f"{SENSE}:CURRent[:DC]:RANGe[:UPPer]", Numeric(1e-4, 1e-8, 3.03, unit="A"))
    def _set_measure_range(self, channel: int, amperes: float) -> None:
        meter = self._meters[channel]
        self.measure_auto[channel] = False
        self._measure_range[channel] = meter.range_for(amperes)
        self.current_limit[channel] = min(
            self.current_limit[channel], meter.overrange * self._measure_range[channel]
        )

    @query(f"{SENSE}:CURRent[:DC]:RANGe[:UPPer]")
    def _query_measure_range(self, channel: int) -> str:
        return self.real(self._measure_range[channel])

    @command(
        f"{SENSE}:FUNCtion[:ON]",
        Choice("CURR:DC", ("VOLTage[:DC]", "CURRent[:DC]", "RESistance"), quoted=True, repeated=True),
    )
    def _set_functions(self, channel: int, functions: list[str]) -> None:
        names = {name.removesuffix(":DC") for name in functions}
        self._functions[channel] = tuple(name for name in ("VOLT", "CURR", "RES") if name in names)

    @query(f"{SENSE}:FUNCtion[:ON]")
    def _query_functions(self, channel: int) -> str:
        return ",".join(f'"{name}"' for name in self._functions[channel])

    @query(":SYSTem:LFRequency")
    def _query_line_frequency(self) -> str:
        return f"{self.line_frequency:.0f}"

    def _measure(self, channel: int, programmed: float) -> Point:
        """Integrate over the aperture and report; the caller advances the clock."""
        flow = self._flow(channel)
        status = LIMITED if flow.limited else 0
        nplc = self.nplc[channel]
        meter, voltmeter = self._meters[channel], self._voltmeters[channel]
        if self.measure_auto[channel]:
            self._measure_range[channel] = meter.range_for(flow.amperes)
        amperes = meter.read(flow.amperes, self._measure_range[channel], nplc)
        volts = voltmeter.read(flow.volts, voltmeter.range_for(flow.volts), nplc)
        if abs(amperes) >= INFINITY:
            status |= OVERFLOW
        if status & LIMITED and self.protection[channel]:
            self.output_on[channel] = False
            self._apply(channel)
        functions = self._functions[channel]
        return Point(
            volts if "VOLT" in functions else math.nan,
            amperes if "CURR" in functions else math.nan,
            self.clock.now,
            status,
            programmed,
        )


_TEXTS = {**ERROR_TEXTS, -230: "Data corrupt or stale"}
