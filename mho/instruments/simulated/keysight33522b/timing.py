"""Times of the simulated 33522B's waveforms: period, pulse width, edges and duty cycles, which bound each other.

33500 Series Operating and Service Guide, 33500-90901, pp 69 and 219: what no longer fits is made to fit, and
reported as a conflict. (?) from memory: how long an edge may be for a given width (0.625 of it), and the highest
frequencies of triangles, ramps and noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mho.instruments.simulated.generators.pulse_outputs import PulseOutputs
from mho.instruments.simulated.keysight33522b.numbers import Clipped
from mho.instruments.simulated.scpi.instrument import IndexedSetting, command, query
from mho.instruments.simulated.scpi.parameters import Choice

LONGEST_PERIOD, LONGEST_EDGE = 1e6, 1e-6
EDGE_SHARE = 0.625  # share of the width, or of the rest of the period
SLACK = 1 + 1e-9
FUNCTIONS = ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC")


def _least_width(device: WaveformTiming, channel: int) -> float:
    return device.shortest_width


def _least_edge(device: WaveformTiming, channel: int) -> float:
    return device.shortest_edge


def _least_period(device: WaveformTiming, channel: int) -> float:
    return 1 / device.highest_frequency["PULS"]


def _least_duty(device: WaveformTiming, channel: int) -> float:
    return max(0.01, 100.0 * device.shortest_width / device.period[channel])


def _most_duty(device: WaveformTiming, channel: int) -> float:
    return 100.0 - _least_duty(device, channel)


def _highest_frequency(device: WaveformTiming, channel: int) -> float:
    return device.highest_frequency.get(device.function[channel], device.highest_frequency["PULS"])


_EDGE = Clipped(1e-8, _least_edge, LONGEST_EDGE, unit="S")


class WaveformTiming(PulseOutputs):
    """The waveform, and how long its parts take.

    Attributes
    ----------
    shortest_width, shortest_edge : float
        Of a pulse, s.
    highest_frequency : mapping of str to float
        By waveform, Hz; one that is missing goes as fast as pulses.
    """

    shortest_width: ClassVar[float] = 16e-9
    shortest_edge: ClassVar[float] = 8.4e-9
    highest_frequency: ClassVar[Mapping[str, float]] = {"PULS": 30e6, "TRI": 200e3, "RAMP": 200e3}

    function = IndexedSetting("[:SOURce[1|2]]:FUNCtion", Choice("SIN", FUNCTIONS))
    period = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:PERiod", Clipped(1e-3, _least_period, LONGEST_PERIOD, unit="S")
    )
    width = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:PULSe:WIDTh", Clipped(1e-4, _least_width, LONGEST_PERIOD, unit="S")
    )
    leading = IndexedSetting("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition:LEADing", _EDGE)
    trailing = IndexedSetting("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition:TRAiling", _EDGE)
    hold = IndexedSetting("[:SOURce[1|2]]:FUNCtion:PULSe:HOLD", Choice("WIDT", ("WIDTh", "DCYCle")))
    square_duty = IndexedSetting(
        "[:SOURce[1|2]]:FUNCtion:SQUare:DCYCle", Clipped(50.0, _least_duty, _most_duty)
    )
    symmetry = IndexedSetting("[:SOURce[1|2]]:FUNCtion:RAMP:SYMMetry", Clipped(100.0, 0.0, 100.0))
    phase = IndexedSetting("[:SOURce[1|2]]:PHASe", Clipped(0.0, -360.0, 360.0))

    # --- what fits together ---

    @width.on_change
    def _width_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel, "width")

    @leading.on_change
    @trailing.on_change
    def _edge_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel, "edge")

    def _fit_pulse(self, channel: int, asked: str = "") -> None:
        """Adjust edges to the width, and the width to the period.

        Without pulses on the output an error is queued only for the setting that was `asked` for (?).
        """
        told = ("width", "edge") if self.function[channel] == "PULS" else (asked,)
        period = self.period[channel]
        width = min(max(self.width[channel], self.shortest_width), period - self.shortest_width)
        if abs(width - self.width[channel]) > 1e-9 * width and "width" in told:
            self.adjusted("pulse width changed due to period")
        longest = EDGE_SHARE * min(width, period - width)
        if max(self.leading[channel], self.trailing[channel]) > longest * SLACK and "edge" in told:
            self.adjusted("edge time decreased due to pulse width")
        self.width[channel] = width
        for edges in (self.leading, self.trailing):
            edges[channel] = min(edges[channel], longest * SLACK)

    @period.check
    def _hold_duty(self, channel: int, seconds: float) -> None:
        if self.hold[channel] == "DCYC":
            self.width[channel] *= seconds / self.period[channel]

    @period.on_change
    def _period_changed(self, channel: int, seconds: float) -> None:
        self._fit_pulse(channel)
        self.timing_changed(channel)

    @function.on_change
    def _function_changed(self, channel: int, function: str) -> None:
        if 1.0 / self.period[channel] > _highest_frequency(self, channel) * SLACK:
            self.period[channel] = 1.0 / _highest_frequency(self, channel)
            self.adjusted("frequency reduced for the new function")
        if function == "PULS":
            self._fit_pulse(channel)
        if function != "DC":
            self.leave_dc(channel)
        if function not in self.rms:
            self.unit[channel] = "VPP"
        self.timing_changed(channel)

    def leave_dc(self, channel: int) -> None:
        """Adjust levels to a waveform that has an amplitude."""

    def timing_changed(self, channel: int) -> None:
        """Adjust bursts to the waveform."""

    # --- other ways to say the same ---

    @command("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]", _EDGE)
    def _set_edges(self, channel: int, seconds: float) -> None:
        self.leading[channel] = self.trailing[channel] = seconds
        self._fit_pulse(channel, "edge")

    @query("[:SOURce[1|2]]:FUNCtion:PULSe:TRANsition[:BOTH]")
    def _query_edges(self, channel: int) -> str:
        return self.real(self.leading[channel])

    @command("[:SOURce[1|2]]:FUNCtion:PULSe:DCYCle", Clipped(10.0, _least_duty, _most_duty))
    def _set_duty(self, channel: int, percent: float) -> None:
        self.width[channel] = percent / 100.0 * self.period[channel]
        self._fit_pulse(channel, "width")

    @query("[:SOURce[1|2]]:FUNCtion:PULSe:DCYCle")
    def _query_duty(self, channel: int) -> str:
        return self.real(100.0 * self.width[channel] / self.period[channel])

    @command("[:SOURce[1|2]]:FREQuency", Clipped(1e3, 1 / LONGEST_PERIOD, _highest_frequency, unit="HZ"))
    def _set_frequency(self, channel: int, hertz: float) -> None:
        self._hold_duty(channel, 1.0 / hertz)
        self.period[channel] = 1.0 / hertz
        if self.function[channel] == "PULS":
            self._fit_pulse(channel)
        self.timing_changed(channel)

    @query("[:SOURce[1|2]]:FREQuency")
    def _query_frequency(self, channel: int) -> str:
        return self.real(1.0 / self.period[channel])

    @command("[:SOURce[1|2]]:PHASe:SYNChronize")
    def _synchronize(self, channel: int) -> None:
        """Bursts start at their trigger: there is no phase to bring into step."""
