"""Samples to and from simulated DAQmx tasks: outputs and inputs share one time line and one exchange.

A task whose clock or trigger comes from another waits, armed; when that other one starts, all of them run
together. Finite generation plays to its end at once, the virtual clock advances by its duration, and every
input that ran along gets its samples. An input samples the response to the update in force at its conversion
time: converted before the outputs settle, it still samples the previous update, as on a bench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from nidaqmx.constants import AcquisitionType, OverwriteMode
from nidaqmx.error_codes import DAQmxErrors as Code
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.nidaqmx.converters import to_analogue, to_digital
from mho.instruments.simulated.nidaqmx.rack import DaqRack, read_refusal, refusal, write_refusal
from mho.instruments.simulated.nidaqmx.tasks import Kind, SimulatedTask

Rows = NDArray[np.intp]
Times = NDArray[np.floating[Any]]


class SampleClock:
    """Starts, stops and samples the tasks of one rack."""

    def __init__(self, rack: DaqRack) -> None:
        self._rack = rack
        self._armed: list[SimulatedTask] = []
        self._playing: list[SimulatedTask] = []  # continuous generations

    def start(self, task: SimulatedTask) -> None:
        """Start `task`, and with it all armed ones that it drives; or arm it."""
        task.refuse_while_running()
        if task.kind in ("ao", "do") and task.buffered and not len(task.waveform):
            raise refusal(Code.OUTPUT_BUFFER_EMPTY, task.name)
        task.reserve()
        task.events.restart()
        task.running, task.started_by_read = True, False
        task.done = False
        task.acquired = np.zeros((0, task.width))
        task.acquired_total = task.read_position = 0
        if not task.buffered:
            return
        if task.timing.waits_for:
            self._armed.append(task)
        else:
            self._run(self._driven_by(task))

    def stop(self, task: SimulatedTask) -> None:
        """Stop `task` and release the resources that it need not keep; outputs stay at their levels."""
        if task in self._playing:
            self._playing.remove(task)
            self._rack.put(_numbers(task), task.waveform_at(np.array([self._elapsed(task)]))[0])
        if task in self._armed:
            self._armed.remove(task)
        task.running = False
        if not task.committed:
            task.unreserve()

    def wait(self, task: SimulatedTask, timeout: float) -> None:
        """Advance time until `task` is done; error -200560 when it will not be within `timeout` seconds."""
        if task.running and not task.done:
            self._rack.clock.advance(max(timeout, 0.0))
            raise refusal(Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE, task.name)

    def read(self, task: SimulatedTask, samples: int, timeout: float) -> Floats:
        """Return the next `samples` of an input task, (samples, channels), waiting in virtual time."""
        if not task.buffered:
            return self._read_on_demand(task, samples)
        free = task.timing.mode is not AcquisitionType.FINITE and not task.clocked_by_another
        if free and task not in self._armed:
            self._acquire_continuously(task, samples, timeout)
        if len(task.acquired) < samples:
            if task.done:
                raise read_refusal(Code.SAMPLES_WILL_NEVER_BE_AVAILABLE, task.name, len(task.acquired))
            self._rack.clock.advance(max(timeout, 0.0))
            raise read_refusal(Code.SAMPLES_NOT_YET_AVAILABLE, task.name, len(task.acquired))
        data, task.acquired = task.acquired[:samples], task.acquired[samples:]
        task.read_position += samples
        return data

    def available(self, task: SimulatedTask) -> int:
        """Samples per channel that could be read now."""
        if not task.running or task.done or task.clocked_by_another or task in self._armed:
            return len(task.acquired)
        return int(self._elapsed(task) * task.timing.rate + 1e-6) - task.read_position

    def passed(self, task: SimulatedTask) -> int:
        """Samples per channel that a task has acquired or generated since its start."""
        if task in self._armed or not task.running:
            return 0
        if task.done or task.clocked_by_another:
            return task.timing.samples if task.kind in ("ao", "do", "co") else task.acquired_total
        return int(self._elapsed(task) * task.timing.rate + 1e-6)

    def reach(self) -> Floats:
        """Return how far from 0 V each output of the rack is now, V, or goes in a generation that is under way."""
        reached = np.abs(self._rack.levels)
        for task in self._playing:
            reached[_numbers(task)] = np.abs(task.waveform).max(axis=0)
        return reached

    def _elapsed(self, task: SimulatedTask) -> float:
        return self._rack.clock.now - task.started_at

    def _driven_by(self, task: SimulatedTask) -> list[SimulatedTask]:
        group, terminals, grown = [task], task.emits(), True
        while grown:
            grown = False
            for other in self._armed:
                if other not in group and other.timing.waits_for <= terminals:
                    group.append(other)
                    terminals |= other.emits()
                    grown = True
        self._armed = [other for other in self._armed if other not in group]
        return group

    def _run(self, group: Sequence[SimulatedTask]) -> None:
        for task in group:
            task.started_at = self._rack.clock.now
        outputs = [task for task in group if task.kind == "ao"]
        inputs = [task for task in group if task.kind == "ai"]
        self._run_lines(group)
        finite = [task for task in outputs if task.timing.mode is AcquisitionType.FINITE]
        for task in outputs:
            if task not in finite:
                self._playing.append(task)
                frame = self._rack.frame(len(task.waveform))
                frame[:, _numbers(task)] = task.waveform
                self._rack.tell(frame, task.timing.period)
        if finite:
            self._generate(finite, inputs)
            return
        for task in inputs:
            if task.timing.mode is AcquisitionType.FINITE:
                self._acquire(task, task.timing.samples)
                self._rack.clock.advance(task.timing.samples * task.timing.period + task.timing.trigger_delay)
                task.done = True

    def _run_lines(self, group: Sequence[SimulatedTask]) -> None:
        """Run the digital tasks and counters of a group: lines reach their last sample at once."""
        playing = [task for task in group if task.kind == "do"]
        for task in group:
            finite = task.timing.mode is AcquisitionType.FINITE
            if task.kind == "di" and (finite or task.clocked_by_another):
                self._append(task, self.line_samples(task, task.timing.samples, playing))
            if task.kind in ("di", "do", "co"):
                task.done = finite
        for task in playing:
            self._rack.lines.update(zip(task.lines, map(bool, task.waveform[-1]), strict=True))
        if all(task.kind in ("di", "do", "co") for task in group):
            ending = [task for task in group if task.timing.mode is AcquisitionType.FINITE]
            self._rack.clock.advance(
                max((task.timing.samples * task.timing.period for task in ending), default=0.0)
            )

    def line_samples(
        self, task: SimulatedTask, samples: int, playing: Sequence[SimulatedTask] = ()
    ) -> NDArray[np.bool_]:
        """Return the states of a task's lines, (samples, lines), while the tasks of `playing` run."""
        names = task.lines
        states = np.tile(np.array([self._rack.lines[name] for name in names], dtype=bool), (samples, 1))
        for other in playing:
            for column, name in enumerate(other.lines):
                if name in names:
                    rows = np.arange(samples) % len(other.waveform)
                    states[:, names.index(name)] = other.waveform[rows, column] != 0.0
        return states

    def _generate(self, outputs: Sequence[SimulatedTask], inputs: Sequence[SimulatedTask]) -> None:
        """Play finite generations in one exchange and hand each input its samples."""
        rack = self._rack
        period = min(task.timing.period for task in outputs)
        duration = max(task.timing.samples * task.timing.period for task in outputs)
        count = int(np.ceil(duration / period - 1e-6))
        frame = self._frame(np.arange(count) * period, outputs)
        settling = max(task.device.product.settling for task in outputs)
        index = {task: _updates_in_force(task, period, count, settling) for task in inputs}
        # The update before the first is played again only for inputs that are too early to see the first.
        lead = int(any((rows < 0).any() for rows in index.values()))
        if lead:
            frame = np.concatenate([rack.frame(1), frame])
        response = rack.exchange(frame, period)
        for task, rows in index.items():
            self._store(task, self._terminal_volts(task, response, rows + lead))
            task.done = (
                task.timing.mode is AcquisitionType.FINITE and task.acquired_total >= task.timing.samples
            )
            if not task.clocked_by_another:
                duration = max(duration, len(rows) * task.timing.period + task.timing.trigger_delay)
        rack.clock.advance(duration)
        for task in outputs:
            rack.put(_numbers(task), task.waveform_at(np.array([duration]))[0])
            task.done = True

    def _frame(self, times: Times, outputs: Sequence[SimulatedTask] = ()) -> Floats:
        """Return the volts of all outputs at `times` (s from now): held, or generated by tasks."""
        frame = self._rack.frame(len(times))
        for task in outputs:
            frame[:, _numbers(task)] = task.waveform_at(times)
        for task in self._playing:
            frame[:, _numbers(task)] = task.waveform_at(times + self._elapsed(task))
        return frame

    def _acquire(self, task: SimulatedTask, samples: int, since: float = 0.0) -> None:
        """Sample inputs whose clock no finite generation shares; `since` is seconds from now."""
        if task.kind == "di":
            self._append(task, self.line_samples(task, samples))
            return
        times = since + np.arange(samples) * task.timing.period
        response = self._rack.exchange(self._frame(times), task.timing.period)
        rows = np.broadcast_to(np.arange(samples)[:, None], (samples, len(task.channels)))
        self._store(task, self._terminal_volts(task, response, rows))

    def _acquire_continuously(self, task: SimulatedTask, samples: int, timeout: float) -> None:
        end = task.read_position + samples
        wait = end * task.timing.period - self._elapsed(task)
        if wait > 0.0:
            if 0.0 <= timeout < wait:
                return
            self._rack.clock.advance(wait)
        size = task.buffer_size or max(task.timing.samples, 10_000)
        passed = int(self._elapsed(task) * task.timing.rate + 1e-6)
        if passed - task.read_position > size:
            if task.overwrite is not OverwriteMode.OVERWRITE_UNREAD_SAMPLES:
                raise read_refusal(Code.SAMPLES_NO_LONGER_AVAILABLE, task.name)
            task.read_position = task.acquired_total = passed - size
            task.acquired = task.acquired[:0]
        missing = task.read_position + samples - task.acquired_total
        if missing > 0:
            self._acquire(task, missing, task.acquired_total * task.timing.period - self._elapsed(task))

    def _read_on_demand(self, task: SimulatedTask, samples: int) -> Floats:
        product = task.device.product
        period = (1 if product.simultaneous else len(task.channels)) / product.conversion_rate(
            len(task.channels)
        )
        response = self._rack.exchange(self._frame(np.arange(samples) * period), period)
        self._rack.clock.advance(samples * period)
        rows = np.broadcast_to(np.arange(samples)[:, None], (samples, len(task.channels)))
        return self._convert(task, self._terminal_volts(task, response, rows))

    def _terminal_volts(self, task: SimulatedTask, response: Floats, rows: Rows) -> Floats:
        """Pick `rows` (samples, channels) of the response; open inputs read 0 V, monitors their output."""
        volts = self._wired_volts([channel.number for channel in task.channels], response, rows)
        negative = [channel.negative for channel in task.channels]
        if max(negative) >= 0:
            volts = volts - self._wired_volts(negative, response, rows)
        for k, channel in enumerate(task.channels):
            if channel.monitors >= 0:
                volts[:, k] = self._rack.levels[channel.monitors]
        return volts

    def _wired_volts(self, numbers: Sequence[int], response: Floats, rows: Rows) -> Floats:
        """Return the volts at inputs, (samples, channels); 0 at those that are open or none (-1)."""
        columns = np.array([self._rack.inputs.column[number] if number >= 0 else -1 for number in numbers])
        if (columns >= 0).all():
            picked: Floats = response[rows, columns]
            return picked
        volts = np.zeros(rows.shape)
        wired = columns >= 0
        volts[:, wired] = response[rows[:, wired], columns[wired]]
        return volts

    def _store(self, task: SimulatedTask, volts: Floats) -> None:
        self._append(task, self._convert(task, volts))

    def _append(self, task: SimulatedTask, data: NDArray[Any]) -> None:
        task.acquired = np.concatenate([task.acquired, data]) if len(task.acquired) else data
        task.acquired_total += len(data)

    def _convert(self, task: SimulatedTask, volts: Floats) -> Floats:
        # What monitors outputs, for read-back, is the device's own.
        if self._rack.adc is not None and all(channel.monitors < 0 for channel in task.channels):
            return self._rack.adc(volts)
        inputs, numbers = self._rack.inputs, _numbers(task)
        full_scale = np.array([channel.full_scale for channel in task.channels])
        noise = np.array([c.device.product.input_noise[c.full_scale] for c in task.channels])
        return to_digital(
            volts, full_scale, inputs.gain[numbers], inputs.offset[numbers], noise, self._rack.rng
        )


def _numbers(task: SimulatedTask) -> list[int]:
    # Internal monitor channels have no entry of their own: the ADC's errors are those of the first input.
    return [max(channel.number, 0) for channel in task.channels]


def _updates_in_force(task: SimulatedTask, period: float, count: int, settling: float) -> Rows:
    """Return which of `count` updates (samples, channels) each conversion sees; -1: what was held before."""
    timing = task.timing
    spacing = 1.0 if task.clocked_by_another else timing.period / period
    samples = int(np.ceil(count / spacing - 1e-6))
    if timing.mode is AcquisitionType.FINITE:
        samples = min(timing.samples, samples) if task.clocked_by_another else timing.samples
    half = timing.period / 2 if timing.falling and task.clocked_by_another else 0.0
    late = (timing.trigger_delay + half + task.conversion_times() - settling) / period
    rows = np.floor(spacing * np.arange(samples)[:, None] + late[None, :]).astype(np.intp)
    return np.clip(rows, -1, count - 1)


class SampleStreams:
    """The tasks of a rack, by handle, and the calls that move samples. Arguments are those of nidaqmx.

    `fill_mode` and `data_layout` say how a flat array is ordered: 0 by channel, 1 by sample.
    """

    def __init__(self, rack: DaqRack) -> None:
        self._rack = rack
        self._clock = SampleClock(rack)
        self._tasks: dict[int, SimulatedTask] = {}

    def _task(self, task: int) -> SimulatedTask:
        sim_task = self._tasks.get(task)
        if sim_task is None:
            raise refusal(Code.INVALID_TASK)
        if self._rack.unplugged:
            for channel in sim_task.channels:
                self._rack.device(channel.device.name, sim_task.name)
        return sim_task

    def _report(self) -> None:
        """Call back for what has happened to tasks; as there is no other thread, the call that made it happen waits."""
        for sim_task in tuple(self._tasks.values()):
            sim_task.events.report(sim_task, partial(self._clock.passed, sim_task))

    def _digital(self, task: int, *kinds: Kind) -> SimulatedTask:
        sim_task = self._task(task)
        if sim_task.kind not in kinds:
            raise refusal(Code.WRITE_NO_OUTPUT_CHANS_IN_TASK, sim_task.name)
        return sim_task

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
        require(read_array, np.float64, written=True)
        sim_task = self._task(task)
        if sim_task.kind != "ai":
            raise read_refusal(Code.READ_NO_INPUT_CHANS_IN_TASK, sim_task.name)
        samples = num_samps_per_chan if num_samps_per_chan >= 0 else self.readable(sim_task)
        if read_array.size < samples * len(sim_task.channels):
            raise read_refusal(Code.READ_BUFFER_TOO_SMALL, sim_task.name)
        data = self._read_on(sim_task, samples, timeout)
        # A view of the caller's memory in NI's order, so that the copy below is the only one.
        flat = read_array.reshape(-1)[: data.size]
        if fill_mode == 0:
            flat.reshape(len(sim_task.channels), samples)[:] = data.T
        else:
            flat.reshape(samples, len(sim_task.channels))[:] = data
        self._report()
        return read_array, samples

    def _read_on(self, task: SimulatedTask, samples: int, timeout: float) -> NDArray[Any]:
        """Read samples; a task that does not run is started, and stopped again when there is no more to come."""
        if not task.running:
            self._clock.start(task)
            task.started_by_read = True
        data = self._clock.read(task, samples, timeout)
        if task.started_by_read and (not task.buffered or (task.done and not len(task.acquired))):
            self._clock.stop(task)
        return data

    def read_analog_scalar_f64(self, task: int, timeout: float) -> float:
        """Return one sample of a task with one input, V."""
        sim_task = self._task(task)
        if len(sim_task.channels) > 1:
            raise read_refusal(Code.ONE_CHAN_READ_FOR_MULTI_CHAN_TASK, sim_task.name)
        return float(self.read_analog_f64(task, 1, timeout, 0, np.zeros(1))[0][0])

    def write_analog_f64(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: Floats,
    ) -> int:  # fmt: skip
        """Put samples (V) into the buffer of a generation, or on the outputs at once."""
        sim_task = self._task(task)
        if sim_task.kind != "ao":
            raise write_refusal(Code.WRITE_NO_OUTPUT_CHANS_IN_TASK, sim_task.name)
        shape = (len(sim_task.channels), num_samps_per_chan)
        require(write_array, np.float64)
        flat = write_array
        samples = flat.reshape(shape).T if data_layout == 0 else flat.reshape(shape[::-1])
        self._refuse_beyond_range(sim_task, samples)
        numbers = [channel.number for channel in sim_task.channels]
        outputs = self._rack.outputs
        if self._rack.dac is not None and samples.any():  # outputs at rest are the device's
            volts = self._rack.dac(samples)
        else:
            full_scale = sim_task.channels[0].full_scale
            volts = to_analogue(samples, full_scale, outputs.gain[numbers], outputs.offset[numbers])
        if sim_task.buffered:
            sim_task.refuse_while_running()
            if sim_task.buffer_size and num_samps_per_chan > sim_task.buffer_size:
                raise write_refusal(Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN, sim_task.name, sim_task.buffer_size)
            sim_task.waveform = volts
            if auto_start:
                self._clock.start(sim_task)
            return num_samps_per_chan
        self._on_demand(sim_task, auto_start, lambda: self._rack.put(numbers, volts[-1]))
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
                Code.INVALID_AO_DATA_WRITE, task.name, Attempted_Value=samples[row, column],
                Minimum_Value=channel.minimum, Maximum_Value=channel.maximum, Channel_Name=channel.name,
            )  # fmt: skip

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
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.bool_],
    ) -> int:  # fmt: skip
        """Set lines, one boolean a line; of several samples the last one stays."""
        sim_task = self._digital(task, "do")
        require(write_array, np.bool_)
        by_channel = (len(sim_task.channels), num_samps_per_chan, -1)
        by_sample = (num_samps_per_chan, len(sim_task.channels), -1)
        samples = (
            write_array.reshape(by_channel).swapaxes(0, 1)
            if data_layout == 0
            else write_array.reshape(by_sample)
        )
        return self._write_bits(sim_task, list(samples.swapaxes(0, 1)), auto_start)

    def _write_bits(self, task: SimulatedTask, bits: Sequence[NDArray[Any]], auto_start: bool) -> int:
        """Put lines to states, for each channel (samples, lines), its lowest bit first; missing lines stay low."""
        samples = len(bits[0])
        waveform = np.zeros((samples, len(task.lines)))
        column = 0
        for channel, states in zip(task.channels, bits, strict=True):
            width = min(len(channel.lines), states.shape[1])
            waveform[:, column : column + width] = states[:, :width]
            column += len(channel.lines)
        if task.buffered:
            task.refuse_while_running()
            task.waveform = waveform
            if auto_start:
                self._clock.start(task)
            return samples
        last = dict(zip(task.lines, map(bool, waveform[-1]), strict=True))
        self._on_demand(task, auto_start, lambda: self._rack.lines.update(last))
        return samples

    def _write_digital(
        self,
        task: int,
        num_samps_per_chan: int,
        auto_start: bool,
        data_layout: int,
        write_array: NDArray[Any],
    ) -> int:
        sim_task = self._digital(task, "do")
        shape = (len(sim_task.channels), num_samps_per_chan)
        numbers = write_array.reshape(shape) if data_layout == 0 else write_array.reshape(shape[::-1]).T
        bits = [
            numbers[k, :, None].astype(np.uint32) >> np.arange(len(channel.lines), dtype=np.uint32) & 1
            for k, channel in enumerate(sim_task.channels)
        ]
        return self._write_bits(sim_task, bits, auto_start)

    def write_digital_u8(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.uint8],
    ) -> int:  # fmt: skip
        """Set lines, one number a channel, its lowest bit on the channel's first line."""
        require(write_array, np.uint8)
        return self._write_digital(task, num_samps_per_chan, auto_start, data_layout, write_array)

    def write_digital_u16(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.uint16],
    ) -> int:  # fmt: skip
        """Set lines as `write_digital_u8`."""
        require(write_array, np.uint16)
        return self._write_digital(task, num_samps_per_chan, auto_start, data_layout, write_array)

    def write_digital_u32(
        self, task: int, num_samps_per_chan: int, auto_start: bool, timeout: float, data_layout: int,
        write_array: NDArray[np.uint32],
    ) -> int:  # fmt: skip
        """Set lines as `write_digital_u8`."""
        require(write_array, np.uint32)
        return self._write_digital(task, num_samps_per_chan, auto_start, data_layout, write_array)

    def write_digital_scalar_u32(self, task: int, auto_start: bool, timeout: float, value: int) -> None:
        """Set the lines of a task with one channel."""
        self.write_digital_u32(task, 1, auto_start, timeout, 0, np.array([value], dtype=np.uint32))

    def read_digital_lines(
        self, task: int, num_samps_per_chan: int, timeout: float, fill_mode: int,
        read_array: NDArray[np.bool_],
    ) -> tuple[NDArray[np.bool_], int, int]:  # fmt: skip
        """Read lines; those of an output task read back what they are set to."""
        require(read_array, np.bool_, written=True)
        sim_task = self._digital(task, "di", "do")
        channels = self._read_lines(sim_task, num_samps_per_chan, timeout)
        width = max(len(channel.lines) for channel in sim_task.channels)
        samples = len(channels[0])
        by_channel = np.zeros((len(channels), samples, width), dtype=bool)
        for k, states in enumerate(channels):
            by_channel[k, :, : states.shape[1]] = states
        if read_array.size < by_channel.size:
            raise read_refusal(Code.READ_BUFFER_TOO_SMALL, sim_task.name)
        read_array.reshape(-1)[: by_channel.size] = (
            by_channel if fill_mode == 0 else by_channel.swapaxes(0, 1)
        ).ravel()
        return read_array, samples, width

    def _read_lines(self, task: SimulatedTask, count: int, timeout: float) -> list[NDArray[np.bool_]]:
        """Return the next states of each channel's lines, (samples, lines); a timed task that does not run is started."""
        samples = count if count >= 0 else self.readable(task)
        if task.kind == "do" or not task.buffered:
            states = self._clock.line_samples(task, samples)
        else:
            states = self._read_on(task, samples, timeout) != 0.0
            self._report()
        ends = np.cumsum([len(channel.lines) for channel in task.channels])
        return np.split(states, ends[:-1], axis=1)

    def _read_digital(
        self, task: int, num_samps_per_chan: int, timeout: float, fill_mode: int, read_array: NDArray[Any]
    ) -> tuple[NDArray[Any], int]:
        sim_task = self._digital(task, "di", "do")
        channels = self._read_lines(sim_task, num_samps_per_chan, timeout)
        by_channel = np.array(
            [states @ (1 << np.arange(states.shape[1], dtype=np.int64)) for states in channels],
            dtype=np.int64,
        )
        if read_array.size < by_channel.size:
            raise read_refusal(Code.READ_BUFFER_TOO_SMALL, sim_task.name)
        read_array.reshape(-1)[: by_channel.size] = (by_channel if fill_mode == 0 else by_channel.T).ravel()
        return read_array, by_channel.shape[1]

    def read_digital_u8(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.uint8],
    ) -> tuple[NDArray[np.uint8], int]:
        """Read lines, one number a channel, its lowest bit from the channel's first line."""
        require(read_array, np.uint8, written=True)
        return self._read_digital(task, num_samps_per_chan, timeout, fill_mode, read_array)

    def read_digital_u16(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.uint16],
    ) -> tuple[NDArray[np.uint16], int]:
        """Read lines as `read_digital_u8`."""
        require(read_array, np.uint16, written=True)
        return self._read_digital(task, num_samps_per_chan, timeout, fill_mode, read_array)

    def read_digital_u32(
        self,
        task: int,
        num_samps_per_chan: int,
        timeout: float,
        fill_mode: int,
        read_array: NDArray[np.uint32],
    ) -> tuple[NDArray[np.uint32], int]:
        """Read lines as `read_digital_u8`."""
        require(read_array, np.uint32, written=True)
        return self._read_digital(task, num_samps_per_chan, timeout, fill_mode, read_array)

    def read_digital_scalar_u32(self, task: int, timeout: float) -> int:
        """Return one sample of a task with one digital channel."""
        return int(self.read_digital_u32(task, 1, timeout, 0, np.zeros(1, dtype=np.uint32))[0][0])


def require(array: object, kind: type[np.generic], *, written: bool = False) -> None:
    """Refuse an array as NI's library does: of another data type, not contiguous, or read-only where it is `written`."""
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(kind):
        raise TypeError(f"array must have data type {np.dtype(kind).name}")
    if not array.flags.c_contiguous or (written and not array.flags.writeable):
        raise TypeError("array must be contiguous" + (" and writeable" if written else ""))
