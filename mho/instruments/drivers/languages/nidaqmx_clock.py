"""NI outputs and inputs on one sample clock: play a waveform, and read the settled answer to each sample.

Outputs and inputs run on the sample clock of the outputs. Output sample k is updated at edge k and stays for a period.
The input sample that measures it settled depends on the input device:

- Multiplexed (6363): one ADC converts the inputs in turn. The first conversion is delayed by `settle` after
  the edge (``DelayFromSampClk.Delay``; X Series User Manual, "AI Convert Clock" (?)), the rest of the
  period is divided evenly among the inputs. Input sample k answers output sample k.
- Simultaneous (6368): every input converts at the edge itself, where the outputs still hold the sample
  before. Input sample k + 1 answers output sample k, a whole period after its update.

Each waveform ends with an additional sample of 0 V, which provides the last edge in the second case.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import nidaqmx
import numpy as np
from nidaqmx.constants import AcquisitionType, DigitalWidthUnits, TaskMode, TerminalConfiguration
from nidaqmx.errors import Error
from nidaqmx.stream_readers import AnalogMultiChannelReader
from nidaqmx.stream_writers import AnalogMultiChannelWriter
from nidaqmx.system import Device
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class ClockedExchange:
    """A generation and an acquisition that share their sample clock.

    Creating one reserves nothing and changes no output. Errors are those of nidaqmx.

    Parameters
    ----------
    outputs, inputs : list of str
        Physical channels.
    output_range : (float, float)
        Limits of the outputs, V.
    input_range : float
        Largest voltage expected at the inputs, V.
    rate : float
        Fastest sample rate wanted, 1/s.
    settle : float
        From an update until the inputs may be converted, s.
    clock_wire : str or None
        Terminal of both devices that carries the clock between them; with None, NI-DAQmx finds a route.
    new_task : callable
        Creates a task; the caller closes it.

    Attributes
    ----------
    rate, conversion_rate : float
        In force: samples per second and channel; conversions per second of a multiplexed ADC, of a
        simultaneous one the same as `rate`.
    settle : float
        In force: shortest time from an update to a conversion that answers it, s.
    clock : str
        Terminal from which the inputs take their sample clock.
    """

    def __init__(
        self,
        outputs: list[str],
        inputs: list[str],
        *,
        output_range: tuple[float, float],
        input_range: float,
        rate: float,
        settle: float,
        clock_wire: str | None,
        new_task: Callable[[], nidaqmx.Task],
    ) -> None:
        source, sink = (Device(names[0].partition("/")[0]) for names in (outputs, inputs))
        self._counts = len(outputs), len(inputs)
        self._simultaneous: bool = sink.ai_simultaneous_sampling_supported
        self._wave, self._acquisition = new_task(), new_task()
        low, high = output_range
        self._wave.ao_channels.add_ao_voltage_chan(",".join(outputs), min_val=low, max_val=high)
        self._acquisition.ai_channels.add_ai_voltage_chan(
            ",".join(inputs),
            terminal_config=TerminalConfiguration.DIFF if self._simultaneous else TerminalConfiguration.RSE,
            min_val=-input_range,
            max_val=input_range,
        )
        self._writer = AnalogMultiChannelWriter(self._wave.out_stream, auto_start=False)
        self._reader = AnalogMultiChannelReader(self._acquisition.in_stream)
        self._prepared = 0  # samples for which the tasks are committed, 0 if they are not

        self.clock, self._exported = f"/{source.name}/ao/SampleClock", ""
        if source.name != sink.name and clock_wire is not None:
            self.clock, self._exported = f"/{sink.name}/{clock_wire}", f"/{source.name}/{clock_wire}"
        self._choose_rate(rate, settle, sink.ai_max_multi_chan_rate)

    def _choose_rate(self, wanted: float, settle: float, fastest_conversion: float) -> None:
        for task in (self._wave, self._acquisition):
            task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.FINITE, samps_per_chan=2)
        limits = (task.timing.samp_clk_max_rate for task in (self._wave, self._acquisition))
        slots = self._counts[1] + 1  # one to spare: the last conversion ends well before the next edge
        shortest = settle if self._simultaneous else settle + slots / fastest_conversion
        self.rate: float = min(wanted, *limits, 1.0 / shortest if shortest else np.inf)
        period = 1.0 / self.rate
        self.settle = period if self._simultaneous else settle
        self.conversion_rate = self.rate if self._simultaneous else slots / (period - settle)

    @property
    def input_range(self) -> float:
        """Full scale of the range that the inputs use, V."""
        scale: float = self._acquisition.ai_channels[0].ai_rng_high
        return scale

    def play(self, vectors: Floats) -> Floats:
        """Play `vectors` (samples, outputs), V, then 0 V; return the answers (samples, inputs), V."""
        samples, driven = vectors.shape
        if samples != self._prepared:
            self._prepare(samples)
        self._played[:driven, :samples] = vectors.T
        self._played[driven:] = 0.0
        timeout = 1.0 + 2.0 * (samples + 1) / self.rate
        self._writer.write_many_sample(self._played)
        self._acquisition.start()
        self._wave.start()
        self._wave.wait_until_done(timeout)
        self._reader.read_many_sample(self._sampled, samples + 1, timeout)
        self._acquisition.stop()
        self._wave.stop()
        first = 1 if self._simultaneous else 0
        return np.array(self._sampled[:, first : first + samples].T, order="C")

    def _prepare(self, samples: int) -> None:
        """Set timing and buffers for `samples` vectors and the final zero; commit the tasks to hardware."""
        self.abort()  # a failed task that could not be stopped may still run
        count = samples + 1
        finite = AcquisitionType.FINITE
        wave, acquisition = self._wave, self._acquisition
        wave.timing.cfg_samp_clk_timing(self.rate, sample_mode=finite, samps_per_chan=count)
        wave.out_stream.output_buf_size = count
        if self._exported:
            wave.export_signals.samp_clk_output_term = self._exported
        acquisition.timing.cfg_samp_clk_timing(
            self.rate, source=self.clock, sample_mode=finite, samps_per_chan=count
        )
        if not self._simultaneous:
            acquisition.timing.delay_from_samp_clk_delay_units = DigitalWidthUnits.SECONDS
            acquisition.timing.delay_from_samp_clk_delay = self.settle
            acquisition.timing.ai_conv_rate = self.conversion_rate
        self._played, self._sampled = (np.zeros((channels, count)) for channels in self._counts)
        for task in (wave, acquisition):
            task.control(TaskMode.TASK_COMMIT)
        self._prepared = samples

    def release(self) -> None:
        """Release the outputs, so that another task can write them."""
        if self._prepared:
            self._prepared = 0
            for task in (self._acquisition, self._wave):
                task.control(TaskMode.TASK_UNRESERVE)

    def abort(self) -> None:
        """Stop all tasks and release the outputs; never raises."""
        self._prepared = 0
        for task in (self._acquisition, self._wave):
            # Each separately: a task that cannot be aborted must not keep the outputs from being set to 0 V.
            with suppress(Error):
                task.control(TaskMode.TASK_ABORT)
