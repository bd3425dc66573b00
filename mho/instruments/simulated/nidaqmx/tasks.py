"""A simulated DAQmx task: its channels, its timing and trigger, its buffers and what it has reserved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from nidaqmx.constants import AcquisitionType, OverwriteMode, RegenerationMode, TerminalConfiguration
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.utils import unflatten_channel_string
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.nidaqmx.rack import DaqDevice, DaqRack, refusal
from mho.instruments.simulated.nidaqmx.task_events import TaskEvents

Kind = Literal["ai", "ao", "di", "do", "co"]
DIGITAL_RATE = 10e6  # samples per second of digital lines (X Series User Manual)
CONVERT_PADDING = 10e-6  # added by NI-DAQmx to the shortest convert period when there is time for it


@dataclass(frozen=True)
class Channel:
    """One virtual channel.

    Attributes ---------- number, negative : int Entry in the rack's `inputs` or `outputs`; -1 for digital channels and
    internal monitors. That of the negative terminal of a differential input, else -1. monitors : int Entry in the
    rack's `outputs` which an internal channel (``_ao0_vs_aognd``) reads back, else -1. full_scale : float Range of the
    converter, V. lines, signals : tuple of str Digital lines, lowest bit first; in the order of a waveform's columns, where
    those of a port come highest bit first.
    """

    name: str
    physical: str
    device: DaqDevice
    minimum: float = 0.0
    maximum: float = 0.0
    full_scale: float = 0.0
    number: int = -1
    monitors: int = -1
    lines: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    config: TerminalConfiguration = TerminalConfiguration.RSE
    negative: int = -1

    def renamed(self, name: str) -> Channel:
        """Return the same channel under the user's name."""
        return replace(self, name=name)


@dataclass
class TaskTiming:
    """Sample clock, convert clock and start trigger of a task. On demand when `rate` is 0."""

    rate: float = 0.0
    source: str = ""
    mode: AcquisitionType = AcquisitionType.FINITE
    samples: int = 1000
    conversion_rate: float = 0.0
    delay: float = 0.0
    falling: bool = False
    trigger: str = ""
    trigger_delay: float = 0.0
    exports: dict[str, str] = field(default_factory=dict)

    @property
    def period(self) -> float:
        """Time between samples, s."""
        return 1.0 / self.rate

    @property
    def waits_for(self) -> set[str]:
        """The terminals whose edge this task needs before it can run, in lower case."""
        source = "" if self.source.lower() == "onboardclock" else self.source
        return {terminal.lower() for terminal in (source, self.trigger) if terminal}


class SimulatedTask:
    """One task of the interpreter; it starts, stops and reserves, but does not sample by itself."""

    def __init__(self, handle: int, name: str, rack: DaqRack) -> None:
        self.handle, self.name, self.rack = handle, name, rack
        self.kind: Kind | None = None
        self.channels: list[Channel] = []
        self.timing = TaskTiming()
        self.running = self.started_by_read = False
        self.committed = False
        self.done = False
        self.started_at = 0.0
        self.regeneration = RegenerationMode.ALLOW_REGENERATION
        self.overwrite = OverwriteMode.DO_NOT_OVERWRITE_UNREAD_SAMPLES
        self.read_all_available = False
        self.buffer_size = 0  # samples per channel; 0 lets NI-DAQmx choose
        self.waveform: Floats = np.zeros((0, 0))  # outputs: (samples, channels), volts at the terminals
        self.acquired: Floats = np.zeros((0, 0))  # inputs: (samples, channels), not yet read
        self.acquired_total = 0
        self.read_position = 0
        self.events = TaskEvents()
        self.tristate = True  # digital inputs: whether they need their lines for themselves

    @property
    def lines(self) -> list[str]:
        """The digital lines of all channels, in their order."""
        return [line for channel in self.channels for line in channel.lines]

    @property
    def width(self) -> int:
        """Number of samples of one instant: channels, or digital lines."""
        return len(self.lines) if self.kind in ("di", "do") else len(self.channels)

    @property
    def buffered(self) -> bool:
        """Whether a sample clock times the task; otherwise each read or write does."""
        return self.timing.rate > 0.0

    @property
    def clocked_by_another(self) -> bool:
        """Whether the sample clock comes from a terminal instead of the device's own timing engine."""
        return self.timing.source.lower() not in ("", "onboardclock")

    @property
    def device(self) -> DaqDevice:
        """The device whose timing engine the task uses."""
        return self.channels[0].device

    def add(self, kind: Kind, channels: list[Channel]) -> None:
        """Append virtual channels of one kind."""
        self.refuse_while_running()
        if self.kind not in (None, kind):
            raise refusal(Code.MULTI_CHAN_TYPES_IN_TASK, self.name)
        names = {channel.name.lower() for channel in self.channels}
        for channel in channels:
            if channel.name.lower() in names:
                raise refusal(Code.CHAN_ALREADY_IN_TASK, self.name, Channel_Name=channel.name)
            names.add(channel.name.lower())
        self.kind = kind
        self.channels += channels

    def change(self, name: str, **values: Any) -> None:
        """Set attributes of the channels that `name` (a name, a list, or "" for all) stands for."""
        self.refuse_while_running()
        names = {each.lower() for each in unflatten_channel_string(name)}
        known = {channel.name.lower() for channel in self.channels}
        if names - known:
            raise refusal(Code.PHYSICAL_CHAN_DOES_NOT_EXIST, self.name, Channel_Name=name)
        self.channels = [
            replace(channel, **values) if not names or channel.name.lower() in names else channel
            for channel in self.channels
        ]

    def channel(self, name: str) -> Channel:
        """Return the first channel that `name` (a name, a list, or "" for all) stands for."""
        first = name.split(",")[0].split(":")[0].strip().lower()
        for channel in self.channels:
            if first in ("", channel.name.lower()):
                return channel
        raise refusal(Code.PHYSICAL_CHAN_DOES_NOT_EXIST, self.name, Channel_Name=name)

    def refuse_while_running(self) -> None:
        """Raise -200479 for what cannot be done to a running task."""
        if self.running:
            raise refusal(Code.CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING, self.name)

    def emits(self) -> set[str]:
        """Terminals on which this task's sample clock and start trigger appear, in lower case."""
        own = f"/{self.device.name}/{self.kind}/".lower()
        terminals = {own + "sampleclock", own + "starttrigger"}
        if self.kind == "co":
            terminals |= {f"/{channel.physical}internaloutput".lower() for channel in self.channels}
        for exported in self.timing.exports.values():
            terminals |= self.rack.peers(exported.lower())
        return terminals

    def conversion_times(self) -> Floats:
        """Time (s) from a sample clock edge to the conversion of each input; -200081 when it is too long."""
        product, count, timing = self.device.product, len(self.channels), self.timing
        if product.simultaneous:
            return np.full(count, timing.delay)
        fastest = 1.0 / product.conversion_rate(count)
        room = (timing.period - timing.delay) / count
        period = (
            1.0 / timing.conversion_rate if timing.conversion_rate else min(fastest + CONVERT_PADDING, room)
        )
        # A part in a million of slack: periods are quotients of rates that are quotients themselves.
        if period > room * (1.0 + 1e-6) or period < fastest * (1.0 - 1e-6):
            raise refusal(
                Code.SAMPLE_RATE_NUM_CHANS_CONVERT_PERIOD_COMBO, self.name, Sample_Rate=timing.rate,
                Number_of_Channels=count, Convert_Rate=1.0 / period if period > 0.0 else "none left",
                Maximum_Convert_Rate=1.0 / fastest,
            )  # fmt: skip
        return np.asarray(timing.delay + period * np.arange(count), dtype=np.float64)

    def verify(self) -> None:
        """Check channels, rates and routes together, as ``TASK_VERIFY`` does."""
        if not self.channels:
            raise refusal(Code.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK, self.name)
        for name in {channel.device.name for channel in self.channels}:
            self.rack.device(name, self.name)
        if not self.buffered:
            return
        for terminal in self.timing.waits_for:
            self.rack.check_route(terminal, self.device, self.name)
        if self.kind == "ai":
            self.conversion_times()
        limit = self.rate_limit()
        if self.timing.rate > limit:
            raise refusal(
                Code.SAMP_RATE_TOO_HIGH, self.name, Sample_Rate=self.timing.rate, Maximum_Sample_Rate=limit
            )

    def rate_limit(self) -> float:
        """Return the fastest sample clock (1/s) that the task's channels allow together."""
        product, count = self.device.product, len(self.channels)
        if self.kind not in ("ai", "ao"):
            return DIGITAL_RATE
        if self.kind == "ao":
            return product.output_rate(count)
        return product.conversion_rate(count) / (1 if product.simultaneous else count)

    def resources(self) -> list[str]:
        """Resources for one task at a time: terminals, lines and a device's timing engine."""
        if self.kind == "di" and not self.tristate:
            return []
        names = [name for channel in self.channels for name in (channel.lines or (channel.physical,))]
        if self.kind == "ai" or (self.buffered and self.kind != "co"):
            names.append(f"{self.device.name}/{self.kind} timing engine")
        return names

    def reserve(self) -> None:
        """Reserve the resources, or raise error -50103 naming the one that another task has."""
        self.verify()
        names = self.resources()
        for name in names:
            if self.rack.held.get(name, self.handle) != self.handle:
                raise refusal(Code.PAL_RESOURCE_RESERVED, self.name, Resource=name)
        self.rack.held.update(dict.fromkeys(names, self.handle))

    def unreserve(self) -> None:
        """Release the resources."""
        self.committed = False
        for name in [name for name, holder in self.rack.held.items() if holder == self.handle]:
            del self.rack.held[name]

    def waveform_at(self, times: NDArray[np.floating[Any]]) -> Floats:
        """Return the volts (times, channels) an output task generates at `times` (s since its start)."""
        # Times are multiples of periods: without the margin a rounding error would pick the sample before.
        index = np.floor(times * self.timing.rate + 1e-6).astype(np.intp)
        if self.timing.mode is AcquisitionType.FINITE:
            np.clip(index, 0, self.timing.samples - 1, out=index)
        volts: Floats = self.waveform[index % len(self.waveform)]
        return volts
