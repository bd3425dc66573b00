"""Waveforms and converter codes of simulated DAQmx tasks: the same samples as volts and lines, in other clothes.

What a waveform says of itself (channel, unit, names of lines, time of its first sample, sample interval) is as NI-DAQmx
says it; time is the virtual clock's, counted from when the rack was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from hightime import timedelta
from nidaqmx._waveform_utils import get_num_samps_per_chan
from nidaqmx.constants import WaveformAttributeMode
from nidaqmx.error_codes import DAQmxErrors as Code
from nitypes.waveform import AnalogWaveform, DigitalWaveform, SampleIntervalMode, Timing
from numpy.typing import NDArray

from mho.instruments.simulated.nidaqmx.converters import CODES
from mho.instruments.simulated.nidaqmx.rack import read_refusal, write_refusal
from mho.instruments.simulated.nidaqmx.streams import require
from mho.instruments.simulated.nidaqmx.tasks import Channel, SimulatedTask

if TYPE_CHECKING:
    from mho.instruments.simulated.nidaqmx.streams import SampleStreams as _Streams
else:
    _Streams = object

TIMING, PROPERTIES = WaveformAttributeMode.TIMING, WaveformAttributeMode.EXTENDED_PROPERTIES


class WaveformCalls(_Streams):
    """Calls of nidaqmx's interface beside those of `SampleStreams`; a mixin, placed behind it."""

    # --- analogue ---

    def read_analog_waveform(
        self, task_handle: int, number_of_samples_per_channel: int, timeout: float,
        waveform: AnalogWaveform[np.float64], waveform_attribute_mode: WaveformAttributeMode,
    ) -> int:  # fmt: skip
        """Read the next samples of a task with one input into a waveform."""
        return self.read_analog_waveforms(
            task_handle, number_of_samples_per_channel, timeout, [waveform], waveform_attribute_mode
        )

    def read_analog_waveforms(
        self, task_handle: int, number_of_samples_per_channel: int, timeout: float,
        waveforms: Sequence[AnalogWaveform[np.float64]], waveform_attribute_mode: WaveformAttributeMode,
    ) -> int:  # fmt: skip
        """Read the next samples of each input into a waveform."""
        task = self._task(task_handle)
        samples = number_of_samples_per_channel
        samples = self.readable(task) if samples < 0 else samples
        start = task.read_position
        data = np.zeros((len(task.channels), samples))
        self.read_analog_f64(task_handle, samples, timeout, 0, data)
        for waveform, channel, volts in zip(waveforms, task.channels, data, strict=True):
            waveform.sample_count = samples
            waveform.raw_data[:] = volts
            if PROPERTIES in waveform_attribute_mode:
                waveform.channel_name, waveform.units = channel.name, "Volts"
            if TIMING in waveform_attribute_mode:
                waveform.timing = self._timing(task, start)
        return samples

    def write_analog_waveform(
        self, task_handle: int, waveform: AnalogWaveform[Any], auto_start: bool, timeout: float
    ) -> int:
        """Write a waveform to a task with one output."""
        return self.write_analog_waveforms(task_handle, [waveform], auto_start, timeout)

    def write_analog_waveforms(
        self, task_handle: int, waveforms: Sequence[AnalogWaveform[Any]], auto_start: bool, timeout: float
    ) -> int:
        """Write a waveform to each output."""
        get_num_samps_per_chan(waveforms)
        self._matched(self._task(task_handle), waveforms)
        data = np.array([waveform.scaled_data for waveform in waveforms], dtype=np.float64)
        return self.write_analog_f64(task_handle, data.shape[1], auto_start, timeout, 0, data)

    def _matched(self, task: SimulatedTask, waveforms: Sequence[Any]) -> Iterable[tuple[Any, Channel]]:
        """Return waveforms with their channels; raises the DAQmx error where there is not one for each."""
        if len(waveforms) != len(task.channels):
            raise write_refusal(
                Code.WRITE_NUM_CHANS_MISMATCH, task.name, Number_of_Channels_in_Task=len(task.channels),
                Number_of_Channels_in_Data=len(waveforms),
            )  # fmt: skip
        return zip(waveforms, task.channels, strict=True)

    def _timing(self, task: SimulatedTask, start: int) -> Any:
        """Return the time of sample number `start` of a run, and the sample interval; none for a task on demand."""
        if not task.buffered:
            return Timing.create_with_no_interval(self._rack.date(self._rack.clock.now))
        begun = self._rack.date(task.started_at + start * task.timing.period)
        return Timing(
            SampleIntervalMode.REGULAR, begun, sample_interval=timedelta(seconds=task.timing.period)
        )

    # --- converter codes ---

    def _read_codes(
        self,
        task: int,
        samples: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[Any],
        kind: type[Any],
    ) -> tuple[NDArray[Any], int]:
        require(read_array, kind, written=True)
        sim_task = self._task(task)
        count = samples if samples >= 0 else self.readable(sim_task)
        size = count * len(sim_task.channels)
        if read_array.size < size:
            raise read_refusal(Code.READ_BUFFER_TOO_SMALL, sim_task.name)
        volts = self.read_analog_f64(task, count, timeout, 1, np.zeros(size))[0].reshape(count, -1)
        steps = np.array([2.0 * channel.full_scale / CODES for channel in sim_task.channels])
        codes = np.rint(volts / steps).astype(np.int64)
        read_array.reshape(-1)[:size] = (codes.T if fill_mode == 0 else codes).ravel().astype(kind)
        return read_array, count

    def read_binary_i16(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.int16],
    ) -> tuple[NDArray[np.int16], int]:
        """Read inputs as codes of their converters."""
        return self._read_codes(task, num_samps_per_chan, timeout, fill_mode, read_array, np.int16)

    def read_binary_u16(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.uint16],
    ) -> tuple[NDArray[np.uint16], int]:
        """Read inputs as codes of their converters."""
        return self._read_codes(task, num_samps_per_chan, timeout, fill_mode, read_array, np.uint16)

    def read_binary_i32(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.int32],
    ) -> tuple[NDArray[np.int32], int]:
        """Read inputs as codes of their converters."""
        return self._read_codes(task, num_samps_per_chan, timeout, fill_mode, read_array, np.int32)

    def read_binary_u32(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.uint32],
    ) -> tuple[NDArray[np.uint32], int]:
        """Read inputs as codes of their converters."""
        return self._read_codes(task, num_samps_per_chan, timeout, fill_mode, read_array, np.uint32)

    def _write_codes(
        self, task: int, samples: int, auto_start: bool, timeout: float, layout: int, codes: NDArray[Any], kind: type[Any]
    ) -> int:  # fmt: skip
        require(codes, kind)
        channels = self._task(task).channels
        steps = np.array([2.0 * channel.full_scale / CODES for channel in channels])
        by_sample = codes.reshape(len(channels), samples).T if layout == 0 else codes.reshape(samples, -1)
        return self.write_analog_f64(
            task, samples, auto_start, timeout, 1, np.ascontiguousarray(by_sample * steps)
        )

    def write_binary_i16(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.int16],
    ) -> int:  # fmt: skip
        """Write outputs as codes of their converters."""
        return self._write_codes(
            task, num_samps_per_chan, auto_start, timeout, data_layout, write_array, np.int16
        )

    def write_binary_u16(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.uint16],
    ) -> int:  # fmt: skip
        """Write outputs as codes of their converters."""
        return self._write_codes(
            task, num_samps_per_chan, auto_start, timeout, data_layout, write_array, np.uint16
        )

    def write_binary_i32(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.int32],
    ) -> int:  # fmt: skip
        """Write outputs as codes of their converters."""
        return self._write_codes(
            task, num_samps_per_chan, auto_start, timeout, data_layout, write_array, np.int32
        )

    def write_binary_u32(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.uint32],
    ) -> int:  # fmt: skip
        """Write outputs as codes of their converters."""
        return self._write_codes(
            task, num_samps_per_chan, auto_start, timeout, data_layout, write_array, np.uint32
        )

    # --- digital ---

    def read_digital_waveform(
        self, task_handle: int, number_of_samples_per_channel: int, timeout: float, waveform: DigitalWaveform[Any],
        waveform_attribute_mode: WaveformAttributeMode,
    ) -> int:  # fmt: skip
        """Read the next samples of a task with one digital channel into a waveform."""
        return self._read_digital_waveforms(
            task_handle, number_of_samples_per_channel, timeout, [waveform], waveform_attribute_mode
        )

    def read_digital_waveforms(
        self, task_handle: int, channel_count: int, number_of_samples_per_channel: int,
        number_of_signals_per_sample: int, timeout: float, waveforms: Sequence[DigitalWaveform[Any]],
        waveform_attribute_mode: WaveformAttributeMode,
    ) -> int:  # fmt: skip
        """Read the next samples of each digital channel into a waveform."""
        return self._read_digital_waveforms(
            task_handle, number_of_samples_per_channel, timeout, waveforms, waveform_attribute_mode
        )

    def read_new_digital_waveforms(
        self, task_handle: int, channel_count: int, number_of_samples_per_channel: int,
        number_of_signals_per_sample: int, timeout: float, waveform_attribute_mode: WaveformAttributeMode,
    ) -> Sequence[DigitalWaveform[np.uint8]]:  # fmt: skip
        """Return the next samples of each digital channel as a new waveform."""
        task = self._digital(task_handle, "di", "do")
        waveforms = [DigitalWaveform(0, len(channel.lines)) for channel in task.channels]
        self._read_digital_waveforms(
            task_handle, number_of_samples_per_channel, timeout, waveforms, waveform_attribute_mode
        )
        return waveforms

    def _read_digital_waveforms(
        self, handle: int, count: int, timeout: float, waveforms: Sequence[DigitalWaveform[Any]],
        mode: WaveformAttributeMode,
    ) -> int:  # fmt: skip
        task = self._digital(handle, "di", "do")
        start = task.read_position
        channels = self._read_lines(task, count, timeout)
        for k, (waveform, channel, states) in enumerate(zip(waveforms, task.channels, channels, strict=True)):
            waveform.sample_count = len(states)
            if waveform.signal_count != len(channel.lines):
                raise ValueError(
                    f"waveforms[{k}].data has {waveform.signal_count} signals, but expected {len(channel.lines)}"
                )
            waveform.data[:] = states[:, [channel.lines.index(line) for line in channel.signals]]
            if PROPERTIES in mode:
                waveform.channel_name = channel.name
                waveform.extended_properties["NI_LineNames"] = ", ".join(channel.signals)
            if TIMING in mode:
                waveform.timing = self._timing(task, start)
        return len(channels[0])

    def write_digital_waveform(
        self, task_handle: int, waveform: DigitalWaveform[Any], auto_start: bool, timeout: float
    ) -> int:
        """Write a waveform to a task with one digital channel."""
        return self.write_digital_waveforms(task_handle, [waveform], auto_start, timeout)

    def write_digital_waveforms(
        self, task_handle: int, waveform: Sequence[DigitalWaveform[Any]], auto_start: bool, timeout: float
    ) -> int:
        """Write a waveform to each digital channel."""
        get_num_samps_per_chan(waveform)
        task = self._digital(task_handle, "do")
        bits = []
        for each, channel in self._matched(task, waveform):
            if each.signal_count != len(channel.lines):
                raise write_refusal(
                    Code.NUM_LINES_MISMATCH_IN_READ_OR_WRITE, task.name, Channel_Name=channel.name,
                    Number_of_Lines_Per_Channel_in_Task=len(channel.lines),
                    Number_of_Lines_Per_Channel_in_Data=each.signal_count,
                )  # fmt: skip
            bits.append(np.asarray(each.data)[:, [channel.signals.index(line) for line in channel.lines]])
        return self._write_bits(task, bits, auto_start)
