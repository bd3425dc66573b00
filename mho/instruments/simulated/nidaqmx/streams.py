"""Samples to and from simulated DAQmx tasks: the read and write calls of nidaqmx's interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from nidaqmx.constants import AcquisitionType
from nidaqmx.error_codes import DAQmxErrors as Code
from numpy.typing import NDArray

from mho.instruments.simulated.nidaqmx.devices import Floats, to_analogue
from mho.instruments.simulated.nidaqmx.errors import read_refusal, refusal, write_refusal
from mho.instruments.simulated.nidaqmx.rack import DaqRack
from mho.instruments.simulated.nidaqmx.sample_clock import SampleClock
from mho.instruments.simulated.nidaqmx.tasks import Kind, SimulatedTask


class SampleStreams:
    """The tasks of a rack, by handle, and the calls that move samples. Arguments are those of nidaqmx.

    `fill_mode` and `data_layout` say how a flat array is ordered: 0 by channel, 1 by sample.
    """

    def __init__(self, rack: DaqRack) -> None:
        self._rack = rack
        self._clock = SampleClock(rack)
        self._tasks: dict[int, SimulatedTask] = {}

    def _task(self, task: int) -> SimulatedTask:
        found = self._tasks.get(task)
        if found is None:
            raise refusal(Code.INVALID_TASK)
        if self._rack.unplugged:
            for channel in found.channels:
                self._rack.device(channel.device.name, found.name)
        return found

    def _digital(self, task: int, *kinds: Kind) -> SimulatedTask:
        found = self._task(task)
        if found.kind not in kinds:
            raise refusal(Code.WRITE_NO_OUTPUT_CHANS_IN_TASK, found.name)
        return found

    def readable(self, task: SimulatedTask) -> int:
        """Return the number of samples for ``READ_ALL_AVAILABLE``."""
        if not task.buffered:
            return 1
        if task.timing.mode is AcquisitionType.FINITE and not task.read_all_available:
            return task.timing.samples
        return self._clock.available(task)

    def read_analog_f64(
        self, task: int, num_samps_per_chan: int, timeout: float, fill_mode: int, read_array: Floats
    ) -> tuple[Floats, int]:
        """Fill `read_array` with the next samples, V; an input task that does not run is started."""
        found = self._task(task)
        if found.kind != "ai":
            raise read_refusal(Code.READ_NO_INPUT_CHANS_IN_TASK, found.name)
        samples = num_samps_per_chan
        if samples < 0:
            samples = self.readable(found)
        if read_array.size < samples * len(found.channels):
            raise read_refusal(Code.READ_BUFFER_TOO_SMALL, found.name)
        started = not found.running
        if started:
            self._clock.start(found)
        data = self._clock.read(found, samples, timeout)
        if started and not found.buffered:
            self._clock.stop(found)
        # A view of the caller's memory in NI's order, so that the copy below is the only one.
        flat = read_array.reshape(-1)[: data.size]
        if fill_mode == 0:
            flat.reshape(len(found.channels), samples)[:] = data.T
        else:
            flat.reshape(samples, len(found.channels))[:] = data
        return read_array, samples

    def read_analog_scalar_f64(self, task: int, timeout: float) -> float:
        """Return one sample of a task with one input, V."""
        found = self._task(task)
        if len(found.channels) > 1:
            raise read_refusal(Code.ONE_CHAN_READ_FOR_MULTI_CHAN_TASK, found.name)
        return float(self.read_analog_f64(task, 1, timeout, 0, np.zeros(1))[0][0])

    def write_analog_f64(
        self,
        task: int,
        num_samps_per_chan: int,
        auto_start: bool,
        timeout: float,
        data_layout: int,
        write_array: Floats,
    ) -> int:
        """Put samples (V) into the buffer of a generation, or on the outputs at once."""
        found = self._task(task)
        if found.kind != "ao":
            raise write_refusal(Code.WRITE_NO_OUTPUT_CHANS_IN_TASK, found.name)
        shape = (len(found.channels), num_samps_per_chan)
        flat = np.asarray(write_array, dtype=np.float64)
        samples = flat.reshape(shape).T if data_layout == 0 else flat.reshape(shape[::-1])
        self._refuse_beyond_range(found, samples)
        numbers = [channel.number for channel in found.channels]
        outputs = self._rack.outputs
        volts = to_analogue(
            samples, found.channels[0].full_scale, outputs.gain[numbers], outputs.offset[numbers]
        )
        if found.buffered:
            found.refuse_while_running()
            if found.buffer_size and num_samps_per_chan > found.buffer_size:
                raise write_refusal(Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN, found.name, found.buffer_size)
            found.waveform = volts
            if auto_start:
                self._clock.start(found)
            return num_samps_per_chan
        self._on_demand(found, auto_start, lambda: self._rack.put(numbers, volts[-1]))
        return num_samps_per_chan

    def write_analog_scalar_f64(self, task: int, auto_start: bool, timeout: float, value: float) -> None:
        """Put one sample (V) on the output of a task with one output."""
        self.write_analog_f64(task, 1, auto_start, timeout, 0, np.array([value]))

    def _refuse_beyond_range(self, task: SimulatedTask, samples: Floats) -> None:
        low = np.array([channel.minimum for channel in task.channels])
        high = np.array([channel.maximum for channel in task.channels])
        beyond = ~((samples >= low) & (samples <= high))  # written so that NaN is beyond, too
        if beyond.any():
            row, column = np.argwhere(beyond)[0]
            channel = task.channels[column]
            raise write_refusal(
                Code.INVALID_AO_DATA_WRITE,
                task.name,
                Attempted_Value=samples[row, column],
                Minimum_Value=channel.minimum,
                Maximum_Value=channel.maximum,
                Channel_Name=channel.name,
            )

    def _on_demand(self, task: SimulatedTask, auto_start: bool, act: Callable[[], object]) -> None:
        started = not task.running
        if started and not auto_start:
            raise write_refusal(
                Code.CANNOT_WRITE_NOT_STARTED_AUTO_START_FALSE_NOT_ON_DEMAND_BUF_SIZE_ZERO, task.name
            )
        if started:
            self._clock.start(task)
        act()
        if started:
            self._clock.stop(task)

    def write_digital_lines(
        self,
        task: int,
        num_samps_per_chan: int,
        auto_start: bool,
        timeout: float,
        data_layout: int,
        write_array: NDArray[np.bool_],
    ) -> int:
        """Set lines, one boolean a line; of several samples the last one stays."""
        found = self._digital(task, "do")
        samples = np.asarray(write_array, dtype=bool)
        by_channel = (len(found.channels), num_samps_per_chan, -1)
        by_sample = (num_samps_per_chan, len(found.channels), -1)
        last = samples.reshape(by_channel)[:, -1] if data_layout == 0 else samples.reshape(by_sample)[-1]
        states = {
            line: bool(bit)
            for channel, bits in zip(found.channels, last, strict=True)
            for line, bit in zip(channel.lines, bits, strict=False)
        }
        self._on_demand(found, auto_start, lambda: self._rack.lines.update(states))
        return num_samps_per_chan

    def write_digital_u32(
        self,
        task: int,
        num_samps_per_chan: int,
        auto_start: bool,
        timeout: float,
        data_layout: int,
        write_array: NDArray[np.unsignedinteger[Any]],
    ) -> int:
        """Set lines, one number a channel, its lowest bit on the channel's first line."""
        found = self._digital(task, "do")
        shape = (len(found.channels), num_samps_per_chan)
        numbers = np.asarray(write_array)
        last = numbers.reshape(shape)[:, -1] if data_layout == 0 else numbers.reshape(shape[::-1])[-1]
        states = {
            line: bool(int(number) >> bit & 1)
            for channel, number in zip(found.channels, last, strict=True)
            for bit, line in enumerate(channel.lines)
        }
        self._on_demand(found, auto_start, lambda: self._rack.lines.update(states))
        return num_samps_per_chan

    write_digital_u8 = write_digital_u32
    write_digital_u16 = write_digital_u32

    def write_digital_scalar_u32(self, task: int, auto_start: bool, timeout: float, value: int) -> None:
        """Set the lines of a task with one channel."""
        self.write_digital_u32(task, 1, auto_start, timeout, 0, np.array([value], dtype=np.uint32))

    def read_digital_lines(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.bool_],
    ) -> tuple[NDArray[np.bool_], int, int]:
        """Read lines; those of an output task read back what they are set to."""
        found = self._digital(task, "di", "do")
        bits = [self._rack.lines[line] for channel in found.channels for line in channel.lines]
        width = max(len(channel.lines) for channel in found.channels)
        by_channel = np.repeat(np.reshape(bits, (len(found.channels), 1, width)), num_samps_per_chan, axis=1)
        read_array.reshape(-1)[: by_channel.size] = (
            by_channel if fill_mode == 0 else by_channel.swapaxes(0, 1)
        ).ravel()
        return read_array, num_samps_per_chan, width

    def read_digital_u32(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.unsignedinteger[Any]],
    ) -> tuple[NDArray[np.unsignedinteger[Any]], int]:
        """Read lines, one number a channel, its lowest bit from the channel's first line."""
        found = self._digital(task, "di", "do")
        numbers = [
            sum(self._rack.lines[line] << bit for bit, line in enumerate(channel.lines))
            for channel in found.channels
        ]
        by_channel = np.repeat(np.array(numbers)[:, None], num_samps_per_chan, axis=1)
        read_array.reshape(-1)[: by_channel.size] = (by_channel if fill_mode == 0 else by_channel.T).ravel()
        return read_array, num_samps_per_chan

    read_digital_u8 = read_digital_u32
    read_digital_u16 = read_digital_u32
