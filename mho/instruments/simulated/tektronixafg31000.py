"""The simulated Tektronix AFG31000 (an AFG31052): two channels of pulses, fired as bursts by one trigger or by the timer.

AFG31000 Series Programmer Manual, 077-1148, and data sheet. (?) from memory: the limits of width and edges,
their limits relative to each other, the format of numbers, that an empty memory is no waveform, that DC keeps
the amplitude for the next waveform, the error numbers, that a copy to a user memory that holds something replaces it, and
that a memory which a channel plays cannot be deleted. Nothing is connected to the trigger input: a gated burst waits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.generators import CHANNELS, INFINITE, Amplitude, PulseOutputs, source_setting
from mho.instruments.simulated.ports import PulsePort
from mho.instruments.simulated.scpi.instrument import IndexedSetting, ScpiDevice, ScpiError, Setting, command
from mho.instruments.simulated.scpi.parameters import BlockParameter, Boolean, Choice, Numeric, block_text

FULL_SCALE = 16382
LONGEST = 131072
USERS = tuple(f"USER{number}" for number in range(1, 256))
EDITS = ("EMEM", "EMEM2")
_EDIT = Choice("EMEM", ("EMEMory", "EMEMory1", "EMEMory2"))
_ANY = Choice("EMEM", ("EMEMory", "EMEMory1", "EMEMory2", *USERS))
_USER = Choice("USER1", USERS)


def _memory(name: str) -> str:
    """Return the memory that a mnemonic means: ``EMEM1`` is the same as ``EMEM``."""
    return "EMEM" if name == "EMEM1" else name


# What follows ``:DATA``, or ``:TRACe``, which means the same.
MEMORY_COMMANDS: dict[str, Any] = {
    "[:DATA]": (_EDIT, BlockParameter(), lambda self, name, data: self._load_waveform(name, data)),
    "[:DATA]?": (_ANY, lambda self, name: block_text(self._stored(name).astype(">u2").tobytes())),
    ":COPY": (_ANY, _ANY, lambda self, to, name: self.waveforms.update({_memory(to): self._stored(name)})),
    ":DELete[:NAME]": (_USER, lambda self, name: self._delete_waveform(name)),
    ":POINts": (
        _EDIT, Numeric(1000, 2, LONGEST, integer=True),
        lambda self, name, count: self._set_points(name, int(count)),
    ),
    ":POINts?": (_ANY, lambda self, name: str(len(self._stored(name)))),
    ":CATalog?": lambda self: ",".join(f'"{name}"' for name in self.waveforms),
}  # fmt: skip
SHORTEST_WIDTH, LONGEST_WIDTH = 16e-9, 999999.0
_EDGE = Numeric(1e-8, 7e-9, 625.0, unit="S")
SHORTEST_PERIOD = 25e-9
EDGE_SHARE = 0.625  # half of an edge from 0 to 100 %, in units of its time from 10 to 90 %
WAITING_FOR_TRIGGER = 32  # bit of the operation condition
SHAPES = (
    "SINusoid", "SQUare", "PULSe", "RAMP", "PRNoise", "DC", "SINC", "GAUSsian", "LORentz", "ERISe", "EDECay",
    "HAVersine", "EMEMory", "EMEMory2", *USERS,
)  # fmt: skip
STORED = frozenset((*EDITS, *USERS))
_SOURCE = "[:SOURce[1|2]]"


class SimulatedTektronixAFG31000(PulseOutputs, ScpiDevice):
    """An AFG31052 on a bench; constructed as `PulseOutputs`."""

    identity = "TEKTRONIX,AFG31052,{serial},SCPI:99.0 FV:1.6.1"
    real_format = "%.10E"
    error_capacity = 20
    rms = {"SIN": 1 / math.sqrt(8)}  # Vrms and dBm are a sine's only

    function = source_setting("FUNCtion[:SHAPe]", Choice("SIN", SHAPES))
    period = source_setting("PULSe:PERiod", Numeric(1e-6, SHORTEST_PERIOD, 1e6, unit="S"))
    width = source_setting("PULSe:WIDTh", Numeric(5e-7, SHORTEST_WIDTH, LONGEST_WIDTH, unit="S"))
    symmetry = source_setting("FUNCtion:RAMP:SYMMetry", Numeric(50.0, 0.0, 100.0))
    hold = source_setting("PULSe:HOLD", Choice("WIDT", ("WIDTh", "DUTY")))
    lead_delay = source_setting("PULSe:DELay", Numeric(0.0, 0.0, 1e6, unit="S"))
    leading = source_setting("PULSe:TRANsition[:LEADing]", _EDGE)
    trailing = source_setting("PULSe:TRANsition:TRAiling", _EDGE)
    high = source_setting("VOLTage[:LEVel][:IMMediate]:HIGH", Numeric(0.5, unit="V"))
    low = source_setting("VOLTage[:LEVel][:IMMediate]:LOW", Numeric(-0.5, unit="V"))
    bursting = source_setting("BURSt:STATe", Boolean(False))
    cycles = source_setting("BURSt:NCYCles", Numeric(5.0, 1.0, 1e6, names={"INFinity": INFINITE}))
    burst_delay = source_setting("BURSt:TDELay", Numeric(0.0, 0.0, 85.0, unit="S"))
    output_on = IndexedSetting(":OUTPut[1|2][:STATe]", Boolean(False))
    load = IndexedSetting(
        ":OUTPut[1|2]:IMPedance", Numeric(50.0, 1.0, 1e4, unit="OHM", names={"INFinity": INFINITE})
    )
    trigger_source = Setting(":TRIGger[:SEQuence]:SOURce", Choice("TIM", ("EXTernal", "TIMer")))
    timer = Setting(":TRIGger[:SEQuence]:TIMer", Numeric(1e-3, 1e-6, 500.0, unit="S"))

    commands = {
        **{f"{node}{header}": row for node in (":DATA", ":TRACe") for header, row in MEMORY_COMMANDS.items()},
        **dict.fromkeys(
            (f"{_SOURCE}:FREQuency[:CW]?", f"{_SOURCE}:FREQuency:FIXed?"),
            lambda self, channel: self.real(1.0 / self.period[channel]),
        ),
        f"{_SOURCE}:PULSe:DCYCle?": lambda self, n: self.real(100.0 * self.width[n] / self.period[n]),
        f"{_SOURCE}:VOLTage[:LEVel][:IMMediate][:AMPLitude]?": lambda self, n: self.amplitude_in_unit(n),
        f"{_SOURCE}:VOLTage[:LEVel][:IMMediate]:OFFSet?": lambda self, n: self.real(self.offset(n)),
        # Both channels begin at their trigger: there is no phase to bring into step.
        f"{_SOURCE}:PHASe:INITiate": lambda self, channel: None,
        ":SYSTem:BEEPer[:IMMediate]": lambda self: None,
    }  # fmt: skip

    def reset(self) -> None:
        """Power-on state: sine, outputs off; user memories are kept."""
        super().reset()
        self._erase()
        self._update_condition()

    def __init__(
        self, clock: VirtualClock, rng: np.random.Generator, ports: Mapping[int, PulsePort], *,
        serial: str = "SIM00000",
    ) -> None:  # fmt: skip
        self.waveforms: dict[str, NDArray[np.uint16]] = {}  # 14 bits a sample
        super().__init__(clock, rng, ports, serial=serial)

    def _erase(self) -> None:
        """Power-on state of the edit memories: 1000 samples of mid-scale. User memories are kept."""
        for name in EDITS:
            self.waveforms[name] = np.full(1000, FULL_SCALE // 2, np.uint16)

    def _load_waveform(self, name: str, data: bytes) -> None:
        samples = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype(np.uint16)
        if len(data) % 2 or not 2 <= len(samples) <= LONGEST:
            raise ScpiError(-161)
        if samples.max() > FULL_SCALE:
            raise ScpiError(-222, "sample")
        self.waveforms[_memory(name)] = samples

    def _stored(self, name: str) -> NDArray[np.uint16]:
        if _memory(name) not in self.waveforms:
            raise ScpiError(-221, f"{name} is empty")
        return self.waveforms[_memory(name)]

    def fractions(self, name: str) -> NDArray[np.float64]:
        """Return a waveform's samples, -1 for the low level to 1 for the high one."""
        return self._stored(name) / (FULL_SCALE / 2) - 1.0

    def _delete_waveform(self, name: str) -> None:
        self._stored(name)
        if name in self.function.values():
            raise ScpiError(-221, f"{name} is in use")
        del self.waveforms[name]

    def _set_points(self, name: str, count: int) -> None:
        """Lengthen with mid-scale, or cut off."""
        samples = np.full(count, FULL_SCALE // 2, np.uint16)
        points = self._stored(name)[:count]
        samples[: len(points)] = points
        self.waveforms[_memory(name)] = samples

    # --- what fits together ---

    @width.check
    def _check_width(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, width=seconds)

    @period.check
    def _check_period(self, channel: int, seconds: float) -> None:
        if self.hold[channel] == "DUTY":
            width = self.width[channel] * seconds / self.period[channel]
            self._check_pulse(channel, period=seconds, width=width)
            self.width[channel] = width
        else:
            self._check_pulse(channel, period=seconds)

    @leading.check
    def _check_leading(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, edges=seconds + self.trailing[channel])

    @trailing.check
    def _check_trailing(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, edges=seconds + self.leading[channel])

    @lead_delay.check
    def _check_delay(self, channel: int, seconds: float) -> None:
        self._check_pulse(channel, delay=seconds)

    def _check_pulse(
        self, channel: int, *, width: float | None = None, period: float | None = None,
        edges: float | None = None, delay: float | None = None,
    ) -> None:  # fmt: skip
        """Refuse what does not fit, the present settings standing for what is not given."""
        width = self.width[channel] if width is None else width
        period = self.period[channel] if period is None else period
        edges = self.leading[channel] + self.trailing[channel] if edges is None else edges
        delay = self.lead_delay[channel] if delay is None else delay
        if EDGE_SHARE * edges > width * (1 + 1e-9):
            raise ScpiError(-221, "edges do not fit the pulse width")
        if delay + width + EDGE_SHARE * edges > period * (1 + 1e-9):
            raise ScpiError(-221, "pulse does not fit the period")

    @high.check
    def _check_high(self, channel: int, volts: float) -> None:
        self._check_levels(channel, volts, self.low[channel])

    @low.check
    def _check_low(self, channel: int, volts: float) -> None:
        self._check_levels(channel, self.high[channel], volts)

    def _check_levels(self, channel: int, high: float, low: float) -> None:
        self._check_reach(channel, high, low)
        if high - low < self.least_amplitude(channel) * (1 - 1e-9):
            raise ScpiError(-221, "high level must exceed low level")

    def _check_reach(self, channel: int, high: float, low: float) -> None:
        if max(abs(high), abs(low)) > self.highest_level(channel) * (1 + 1e-9):
            raise ScpiError(-222)
        if high > self.limit_high[channel] or low < self.limit_low[channel]:
            raise ScpiError(-222, "voltage limit")

    @function.on_change
    def _function_changed(self, channel: int, function: str) -> None:
        if function not in self.rms:
            self.unit[channel] = "VPP"
        if function != "DC":
            most = self.highest_level(channel)
            self.leave_dc(channel, max(-most, self.limit_low[channel]), min(most, self.limit_high[channel]))

    @load.on_change
    def _load_changed(self, channel: int, ohms: float) -> None:
        self.restate(channel, ohms)
        if ohms >= INFINITE and self.unit[channel] == "DBM":
            self.unit[channel] = "VPP"

    @cycles.on_change
    def _cycles_changed(self, channel: int, cycles: float) -> None:
        self._endless.discard(channel)
        self.cycles[channel] = cycles if cycles >= INFINITE else float(round(cycles))

    @bursting.on_change
    def _bursting_changed(self, channel: int, on: bool) -> None:
        self._endless.discard(channel)
        self._update_condition()

    @trigger_source.on_change
    def _trigger_source_changed(self, source: str) -> None:
        self._update_condition()

    def _update_condition(self) -> None:
        waits = any(math.isinf(self.burst_interval(channel)) for channel in CHANNELS)
        self.status.operation.update(WAITING_FOR_TRIGGER if waits else 0)

    # --- other ways to say the same ---

    @command(f"{_SOURCE}:FREQuency[:CW]", Numeric(1e6, 1e-6, 50e6, unit="HZ"))
    @command(f"{_SOURCE}:FREQuency:FIXed", Numeric(1e6, 1e-6, 50e6, unit="HZ"))
    def _set_frequency(self, channel: int, hertz: float) -> None:
        if hertz > 1.0 / SHORTEST_PERIOD * (1 + 1e-9):
            raise ScpiError(-222)
        self._check_period(channel, 1.0 / hertz)
        self.period[channel] = 1.0 / hertz

    @command(f"{_SOURCE}:PULSe:DCYCle", Numeric(50.0, 0.001, 99.999))
    def _set_duty(self, channel: int, percent: float) -> None:
        width = percent / 100.0 * self.period[channel]
        self._check_pulse(channel, width=width)
        self.width[channel] = width

    @command(f"{_SOURCE}:VOLTage[:LEVel][:IMMediate][:AMPLitude]", Amplitude(1.0))
    def _set_amplitude(self, channel: int, volts: float) -> None:
        middle = self.offset(channel)
        self._set_levels(channel, middle + volts / 2, middle - volts / 2)

    @command(f"{_SOURCE}:VOLTage[:LEVel][:IMMediate]:OFFSet", Numeric(0.0, -10.0, 10.0, unit="V"))
    def _set_offset(self, channel: int, volts: float) -> None:
        half = self.amplitude(channel) / 2
        if self.function[channel] == "DC":
            self._check_reach(channel, volts, volts)
            self.high[channel], self.low[channel] = volts + half, volts - half
        else:
            self._set_levels(channel, volts + half, volts - half)

    def _set_levels(self, channel: int, high: float, low: float) -> None:
        self._check_levels(channel, high, low)
        self.high[channel], self.low[channel] = high, low

    # --- stored waveforms ---

    @function.check
    def _check_function(self, channel: int, function: str) -> None:
        if function in STORED:
            self.fractions(function)

    def stored(self, channel: int) -> list[tuple[NDArray[np.float64], float, int]]:
        """Return the waveform of the memory that is chosen."""
        function = self.function[channel]
        return [(self.fractions(function), 1.0, 1)] if function in STORED else []

    # --- triggers ---

    def fires_every(self, channel: int) -> float:
        """Return the time to the next automatic burst, s; infinite when it waits for a trigger."""
        waits = self.burst_mode[channel] == "GAT" or self.trigger_source != "TIM"
        return math.inf if waits else self.timer

    @command(":TRIGger[:SEQuence][:IMMediate]")
    def on_trigger(self) -> None:
        """Fire every channel that waits; advances the clock to the end of the bursts."""
        self.fire({n: self.burst_delay[n] for n in CHANNELS if self.triggers_burst(n)})
        self._update_condition()

    @command(":ABORt")
    def _abort(self) -> None:
        """End the bursts that have no end; others are over when their command is done."""
        self._endless.clear()
        self._update_condition()
