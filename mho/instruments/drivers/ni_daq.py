"""NI analogue outputs and inputs (6738, X Series) as one vector-in, vector-out converter, through nidaqmx.

Two devices without a common chassis (such as USB devices) need a wire for the sample clock: connect PFI0 of both, or the
terminal named as `clock_wire`, and their grounds. Outputs and inputs run on the sample clock of the outputs. Output sample
k is updated at edge k and stays for a period. The input sample that measures it settled depends on the input device:

- Multiplexed (6363): one ADC converts the inputs in turn. The first conversion is delayed by `settle` after
  the edge (``DelayFromSampClk.Delay``; X Series User Manual, "AI Convert Clock" (?)), the rest of the
  period is divided evenly among the inputs. Input sample k answers output sample k.
- Simultaneous (6368): every input converts at the edge itself, where the outputs still hold the sample
  before. Input sample k + 1 answers output sample k, a whole period after its update.

Each waveform ends with an additional sample of 0 V, which provides the last edge in the second case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import nidaqmx
import numpy as np
from nidaqmx.constants import (
    AcquisitionType,
    DigitalWidthUnits,
    LineGrouping,
    TaskMode,
    TerminalConfiguration,
)
from nidaqmx.errors import DaqError, DaqNotFoundError, DaqNotSupportedError, Error
from nidaqmx.stream_readers import AnalogMultiChannelReader
from nidaqmx.stream_writers import AnalogMultiChannelWriter
from nidaqmx.system import Device
from nidaqmx.utils import flatten_channel_string, unflatten_channel_string
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError, InstrumentError
from mho.instruments.drivers.languages.output_vectors import checked_vectors, zero_on_error

ADVICE = {
    -200170: "check the channel names in the bench file",
    -200220: "check the device name in the bench file against NI MAX or `nilsdev`",
    -201003: "check its cable and its power",
    -88709: "check its cable and its power, and that nobody else resets it",
    -200324: "check its cable and its power",
    -50103: "close the other program or task that uses it",
    -200022: "close the other program or task that uses it",
    -200284: "check that the sample clock is wired from the output to the input device",
    -200560: "check the sample clock",
    -200474: "check its cable and its power",
    -200292: "check the sample clock",
    -200279: "lower the rate",
    -200290: "lower the rate",
    -89125: "wire the clock between the devices and name its terminal as clock_wire",
    -200081: "lower the rate or use fewer inputs",
    -200332: "lower the rate",
    -200561: "scale the values down",
    -200077: "choose ranges that the device has",
    -200088: "it has been closed; open the bench again",
}

# Lines of NI's message that name the subject of the error.
DETAILS = (
    "Device:", "Device Specified:", "Physical Channel Name:", "Channel Name:", "Resource:", "Requested Value:",
    "Maximum Value:",
)  # fmt: skip


@contextmanager
def daqmx_errors(who: str, doing: str) -> Iterator[None]:
    """Convert every nidaqmx error within the block to `InstrumentError` with the instrument, the operation, the code and
    advice.
    """
    try:
        yield
    except (DaqNotFoundError, DaqNotSupportedError) as error:
        raise InstrumentError(
            f"{who}: {doing} failed because NI-DAQmx is not installed; install it from ni.com "
            f"(`mho doctor` says what is found of it), or use the simulated bench (bench simulated)"
        ) from error
    except DaqError as error:
        advice = ADVICE.get(error.error_code, "look the code up in the NI-DAQmx help")
        raise InstrumentError(
            f"{who}: {doing} failed with DAQmx error {error.error_code}: "
            f"{first_line(error)}{_details(error)}; {advice}"
        ) from error
    except Error as error:
        raise InstrumentError(f"{who}: {doing} failed: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of NI's message, without its full stop."""
    return str(error).partition("\n")[0].rstrip(".")


def _details(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith(DETAILS)]
    return f" ({', '.join(lines)})" if lines else ""


class ClockedExchange:
    """A generation and an acquisition that share their sample clock; parameters as of `NIDaq`.

    Creating one reserves nothing and changes no output. Errors are those of nidaqmx. The caller closes the tasks that
    `new_task` creates.
    """

    def __init__(
        self, outputs: list[str], inputs: list[str], *, output_range: tuple[float, float],
        input_range: float, rate: float, settle: float, clock_wire: str | None,
        new_task: Callable[[], nidaqmx.Task],
    ) -> None:  # fmt: skip
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

        # Terminal from which the inputs take their sample clock
        self.clock, self._exported = f"/{source.name}/ao/SampleClock", ""
        if source.name != sink.name and clock_wire is not None:
            self.clock, self._exported = f"/{sink.name}/{clock_wire}", f"/{source.name}/{clock_wire}"
        self._choose_rate(rate, settle, sink.ai_max_multi_chan_rate)

    def _choose_rate(self, highest: float, settle: float, fastest_conversion: float) -> None:
        for task in (self._wave, self._acquisition):
            task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.FINITE, samps_per_chan=2)
        limits = (task.timing.samp_clk_max_rate for task in (self._wave, self._acquisition))
        slots = self._counts[1] + 1  # one to spare: the last conversion ends well before the next edge
        shortest = settle if self._simultaneous else settle + slots / fastest_conversion
        # In force: samples a second and channel
        self.rate: float = min(highest, *limits, 1.0 / shortest if shortest else np.inf)
        period = 1.0 / self.rate
        # Shortest time from an update to a conversion that answers it, s; conversions a second of all channels in turn
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


logger = logging.getLogger(__name__)

CONFIRM = 20e-3  # V: an output with a smaller read-back is at 0 V; offset and noise stay below 2 mV


class _NIDevice:
    """Analogue outputs of an NI device: who they are, and which vectors they can hold."""

    _who: str
    _identity: str
    _outputs: list[str]
    _low: float
    _high: float

    def _identify(self, channels: Iterable[str]) -> list[Device]:
        devices = [Device(name) for name in dict.fromkeys(name.partition("/")[0] for name in channels)]
        self._identity = "; ".join(
            f"NI {device.product_type} ({device.name}, serial {device.serial_num:08X})" for device in devices
        )
        return devices

    @property
    def output_count(self) -> int:
        """Number of analogue outputs."""
        return len(self._outputs)

    def identify(self) -> str:
        """Return product types, device names and serial numbers."""
        return self._identity

    def _checked(self, volts: ArrayLike) -> Floats:
        return checked_vectors(
            volts, self.output_count, self._low, self._high, self._who, self._outputs.__getitem__
        )

    def _daqmx(self, doing: str) -> AbstractContextManager[None]:
        return daqmx_errors(self._who, doing)

    def _close(self, task: nidaqmx.Task) -> None:
        try:
            task.close()
        except Error as error:
            logger.warning("%s: closing a task failed: %s", self._who, first_line(error))


class NIDaq(_NIDevice):
    """NI outputs and inputs on one hardware clock, as `mho.instruments.roles.Daq`.

    Connecting changes no output.

    `outputs`, `inputs`: physical channels, lists and ranges allowed: ``"PXI1Slot2/ao0:31"``, ``"Dev1/ai0:31"``.
    `rate`: fastest sample rate wanted, 1/s. The rate in force (property `rate`) is lower when the devices cannot
        serve so many channels, or the outputs cannot settle, as fast as that.
    `settle`: from an update until the inputs may be converted, s.
    `output_range` (float, float): limits of the outputs, V: a value beyond raises before anything is sent.
    `input_range`: largest voltage expected at the inputs, V; the device takes its smallest range that holds it.
    `clock_wire`: terminal wired from the output to the input device for the sample clock. None when both sit in one
        PXI chassis, whose backplane carries it. Not used when outputs and inputs are one device.
    `lines`: digital output lines for `write_lines`, ``"Dev1/port0/line0:7"``; none by default.
    `session`: returns the context in which tasks are created: `DaqSystem.selected` of a simulated system, nothing on
        hardware.
    """

    def __init__(
        self, outputs: str = "PXI1Slot2/ao0:31", inputs: str = "Dev1/ai0:31", *, rate: float = 100e3,
        settle: float = 20e-6, output_range: tuple[float, float] = (-10.0, 10.0), input_range: float = 10.0,
        clock_wire: str | None = "PFI0", lines: str = "",
        session: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:  # fmt: skip
        if not rate > 0.0 or not settle >= 0.0:
            raise InputError(
                f"DAQ rate {rate:g} 1/s with settle {settle:g} s; give a rate above and a time from 0"
            )
        self._who = f"DAQ {outputs}, {inputs}"
        self._low, self._high = output_range
        self._target_rate = rate
        self._tasks: list[nidaqmx.Task] = []
        with self._daqmx("connecting"), session():
            self._outputs, self._inputs = unflatten_channel_string(outputs), unflatten_channel_string(inputs)
            try:
                self._describe(lines)
                self._clocked = ClockedExchange(
                    self._outputs, self._inputs, output_range=output_range, input_range=input_range,
                    rate=rate, settle=settle, clock_wire=clock_wire, new_task=self._task,
                )  # fmt: skip
            except BaseException:
                self.close()
                raise
        if self.rate < rate:
            logger.info("%s: %g samples/s instead of %g", self._who, self.rate, rate)

    def _describe(self, lines: str) -> None:
        """Read the devices' identity and make the tasks without a clock; nothing is reserved."""
        devices = self._identify((*self._outputs, *self._inputs))
        self._level = self._task()
        self._level.ao_channels.add_ao_voltage_chan(
            ",".join(self._outputs), min_val=self._low, max_val=self._high
        )
        self._level_writer = AnalogMultiChannelWriter(self._level.out_stream, auto_start=True)
        self._lines = self._task() if lines else None
        if self._lines is not None:
            self._lines.do_channels.add_do_chan(lines, line_grouping=LineGrouping.CHAN_PER_LINE)
            self._line_count = len(self._lines.do_channels)
        # X Series devices can read their own outputs back through internal channels (?).
        self._monitor = self._task() if devices[0].ai_physical_chans.channel_names else None
        if self._monitor is not None:
            parts = (name.partition("/") for name in self._outputs)
            internal = ",".join(f"{device}/_{channel}_vs_aognd" for device, _, channel in parts)
            self._monitor.ai_channels.add_ai_voltage_chan(internal)

    def _task(self) -> nidaqmx.Task:
        self._tasks.append(nidaqmx.Task())
        return self._tasks[-1]

    @property
    def rate(self) -> float:
        """Samples per second and channel in force."""
        return self._clocked.rate

    @property
    def sample_period(self) -> float:
        """Time from one vector to the next, s."""
        return 1.0 / self.rate

    @property
    def input_count(self) -> int:
        """Number of analogue inputs."""
        return len(self._inputs)

    def settings(self) -> dict[str, str]:
        """Return channels, rates and ranges as text."""
        with self._daqmx("reading the settings"):
            input_range = self._clocked.input_range
        return {
            "outputs": flatten_channel_string(self._outputs), "inputs": flatten_channel_string(self._inputs),
            "rate_wanted": f"{self._target_rate:.9g} 1/s", "rate": f"{self.rate:.9g} 1/s",
            "conversion_rate": f"{self._clocked.conversion_rate:.9g} 1/s",
            "settle": f"{self._clocked.settle:.9g} s", "output_range": f"{self._low:g} V to {self._high:g} V",
            "input_range": f"{input_range:g} V", "sample_clock": self._clocked.clock,
        }  # fmt: skip

    def exchange(self, volts: ArrayLike) -> Floats:
        """Play vectors, and return the settled answer of the inputs to each, as `mho.instruments.roles.Daq`.

        All outputs end at 0 V. Raises `InputError` or `LimitError` before anything is sent, and `InstrumentError` when
        NI-DAQmx reports an error; the outputs have been set to 0 V, or a note on the error and the log say that this could
        not be confirmed.
        """
        vectors = self._checked(volts)
        # An interrupted waveform would leave its last voltage on the outputs.
        with zero_on_error(self.make_safe), self._daqmx("playing a waveform"):
            return self._clocked.play(vectors)

    def write(self, values: ArrayLike) -> None:
        """Hold static levels (V) on the first outputs until the next command; the other outputs go to 0 V.

        Raises `InputError` or `LimitError` before anything is sent, and `InstrumentError` when the write fails.
        """
        vectors = self._checked(values)
        if len(vectors) != 1:
            raise InputError(f"static outputs take one vector, not {len(vectors)}; use exchange for several")
        levels = np.zeros(self.output_count)
        levels[: vectors.shape[1]] = vectors[0]
        with self._daqmx("writing static outputs"):
            self._clocked.release()
            self._level_writer.write_one_sample(levels)

    def write_lines(self, states: Sequence[bool]) -> None:
        """Set the digital output lines, one state per line, in the order of `lines`."""
        if self._lines is None:
            raise InputError("this DAQ was opened without digital lines; name them in the bench file")
        if len(states) != self._line_count:
            raise InputError(f"{len(states)} states for {self._line_count} digital lines; give one a line")
        levels = [bool(state) for state in states]
        with self._daqmx("setting digital lines"):
            # nidaqmx takes a bare value for one line and a list for several.
            self._lines.write(levels if len(levels) > 1 else levels[0])

    def make_safe(self) -> None:
        """Stop running tasks and take all outputs to 0 V, digital lines low.

        Confirmed by read-back where the device can measure its own outputs, else by NI-DAQmx accepting the
        write (which fails for a missing device). Raises `InstrumentError` otherwise.
        """
        self._clocked.abort()
        failed: list[InstrumentError] = []
        for step in (self._zero_outputs, self._lower_lines):
            try:
                step()
            except InstrumentError as error:
                failed.append(error)
        if failed:
            raise InstrumentError("; ".join(map(str, failed))) from failed[0]

    def _zero_outputs(self) -> None:
        with self._daqmx("bringing the outputs to 0 V (NOT confirmed)"):
            self._level_writer.write_one_sample(np.zeros(self.output_count))
            levels = self._read_back()
        worst = int(np.abs(levels).argmax())
        if abs(levels[worst]) > CONFIRM:
            raise InstrumentError(
                f"{self._outputs[worst]} still reads {levels[worst]:.3g} V after it was set to 0 V; "
                f"switch the device off and check what drives its output"
            )

    def _read_back(self) -> Floats:
        """Return the levels of the outputs, V, as the device measures them; a zero where it cannot."""
        return np.zeros(1) if self._monitor is None else np.atleast_1d(self._monitor.read())

    def is_on(self) -> bool | None:
        """Return whether an output is away from 0 V; None of a device that cannot measure its own."""
        if self._monitor is None:
            return None
        with self._daqmx("reading the outputs back"):
            return bool(np.abs(self._read_back()).max() > CONFIRM)

    def _lower_lines(self) -> None:
        if self._lines is not None:
            self.write_lines([False] * self._line_count)

    def close(self) -> None:
        """Release the tasks; outputs keep their levels. A second call does nothing."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            self._close(task)


class NIOutputs(_NIDevice):
    """NI analogue outputs that hold static levels, while another instrument reads the answers; parameters as of `NIDaq`."""

    def __init__(
        self, outputs: str, *, output_range: tuple[float, float] = (-10.0, 10.0),
        session: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:  # fmt: skip
        self._who = f"DAQ {outputs}"
        self._low, self._high = output_range
        with self._daqmx("connecting"), session():
            self._outputs = unflatten_channel_string(outputs)
            self._task: nidaqmx.Task | None = nidaqmx.Task()
            try:
                self._describe(self._task)
            except BaseException:
                self.close()
                raise

    def _describe(self, task: nidaqmx.Task) -> None:
        self._identify(self._outputs)
        task.ao_channels.add_ao_voltage_chan(",".join(self._outputs), min_val=self._low, max_val=self._high)
        self._writer = AnalogMultiChannelWriter(task.out_stream, auto_start=True)

    def settings(self) -> dict[str, str]:
        """Return channels and range as text."""
        return {
            "outputs": flatten_channel_string(self._outputs),
            "output_range": f"{self._low:g} V to {self._high:g} V",
        }

    def checked(self, volts: ArrayLike) -> Floats:
        """Return vectors, (samples, outputs), that can be held; raise `InputError` or `LimitError` for others."""
        return self._checked(volts)

    def hold(self, vector: Floats) -> None:
        """Hold levels (V) on the first outputs until the next command; the other outputs go to 0 V."""
        levels = np.zeros(self.output_count)
        levels[: len(vector)] = vector
        with self._daqmx("writing static outputs"):
            self._writer.write_one_sample(levels)

    def make_safe(self) -> None:
        """Bring all outputs to 0 V, confirmed by NI-DAQmx accepting the write; raises `InstrumentError` otherwise."""
        with self._daqmx("bringing the outputs to 0 V (NOT confirmed)"):
            self._writer.write_one_sample(np.zeros(self.output_count))

    def close(self) -> None:
        """Release the task; outputs keep their levels. A second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            self._close(task)
