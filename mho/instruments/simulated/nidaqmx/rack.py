"""The simulated NI devices of one system: their terminals and errors, and the wires from these to the chip.

The texts of errors are
NI's first sentences, from its public knowledge base and issue reports where one was found, the others from memory (?), so
that a message on the virtual bench reads as on a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
from hightime import datetime, timedelta
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqError, DaqReadError, DaqWriteError
from nidaqmx.utils import unflatten_channel_string
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx.converters import GAIN_ERROR, OFFSET_ERROR, PRODUCTS, Bus, Product
from mho.instruments.simulated.ports import ConverterPort

TEXT: dict[int, str] = {
    Code.PHYSICAL_CHAN_DOES_NOT_EXIST: "Physical channel specified does not exist on this device.\n"
    "Refer to the documentation for channels available on this device.",
    Code.INVALID_DEVICE_ID: "Device identifier is invalid.",
    Code.DEV_CANNOT_BE_ACCESSED: "Device cannot be accessed.\n"
    "It may have been disconnected or may have lost its power.",
    Code.INVALID_AO_DATA_WRITE: "Attempted writing analog output data that is less than the minimum or "
    "greater than the maximum value of the channel.",
    Code.INVALID_ATTRIBUTE_VALUE: "Requested value is not a supported value for this property. The property "
    "value may be invalid because it conflicts with another property.",
    Code.INVALID_TASK: "Task specified is invalid or does not exist.",
    Code.DUPLICATE_TASK: "Task name conflicts with an existing task name.",
    Code.SAMPLES_NOT_YET_AVAILABLE: "Some or all of the samples requested have not yet been acquired.\n"
    "To wait for the samples to become available use a longer read timeout or read later in your program. "
    "If your task uses a start trigger, make sure that your start trigger is configured correctly. It is "
    "also possible that you configured the task for external timing, and no clock was supplied.",
    Code.SAMPLES_WILL_NEVER_BE_AVAILABLE: "Attempted to read a sample beyond the final sample acquired. The "
    "acquisition has stopped, therefore the sample specified by the combination of position and offset will "
    "never be available.",
    Code.SAMPLES_NO_LONGER_AVAILABLE: "The application is not able to keep up with the hardware "
    "acquisition.\nIncreasing the buffer size or reading the data more frequently might correct the problem.",
    Code.PAL_RESOURCE_RESERVED: "The specified resource is reserved. The operation could not be completed "
    "as specified.",
    Code.CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK: "Specified operation cannot be performed when there are "
    "no channels in the task.",
    Code.CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING: "Specified operation cannot be performed while the task is "
    "running.",
    Code.CHAN_ALREADY_IN_TASK: "Specified channel cannot be added to the task, because a channel with the "
    "same name is already in the task.",
    Code.MULTI_CHAN_TYPES_IN_TASK: "Specified channel cannot be added to the task, because the task "
    "already has channels of another type.",
    Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE: "Wait Until Done did not indicate that the task was done "
    "within the specified timeout.",
    Code.WRITE_NO_OUTPUT_CHANS_IN_TASK: "Write failed, because there are no output channels in this task to "
    "which data can be written.",
    Code.WRITE_NUM_CHANS_MISMATCH: "Write cannot be performed, because the number of channels in the data does not "
    "match the number of channels in the task.\n"
    "When writing, supply data for all channels in the task. Alternatively, modify the task to contain the same number "
    "of channels as the data written.",
    Code.NUM_LINES_MISMATCH_IN_READ_OR_WRITE: "Specified read or write operation failed, because the number of lines in "
    "the data for a channel does not match the number of lines in the channel.\n"
    "If you are using boolean data, make sure the array dimension for lines in the data matches the number of lines in "
    "the channel.",
    Code.READ_NO_INPUT_CHANS_IN_TASK: "Read failed, because there are no channels in this task from which "
    "data can be read.",
    Code.OUTPUT_BUFFER_EMPTY: "Generation cannot be started, because the selected buffer is empty.",
    Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN: "Some or all of the samples to write could not be written to the "
    "buffer yet. More space will free up as samples currently in the buffer are generated.",
    Code.CANNOT_WRITE_NOT_STARTED_AUTO_START_FALSE_NOT_ON_DEMAND_BUF_SIZE_ZERO: "Write cannot be performed "
    "when the auto start input to DAQmx Write is false, task is not running, and timing for the task is not "
    "configured or Timing Type is set to On Demand.",
    Code.SAMP_RATE_TOO_HIGH: "Sample rate exceeds the maximum sample rate for the number of channels "
    "specified.",
    Code.SAMPLE_RATE_NUM_CHANS_CONVERT_PERIOD_COMBO: "Combination of sample clock rate, number of channels, "
    "delay from sample clock and convert rate cannot be supported: the last channel would be converted after "
    "the next sample clock.",
    Code.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT: "Specified property is not supported by the device or is "
    "not applicable to the task.",
    Code.TRIG_LINE_NOT_FOUND_ROUTING: "No registered trigger lines could be found between the devices in the "
    "route.",
    Code.INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING: "Source terminal to be routed could not be found on "
    "the device.",
    Code.READ_BUFFER_TOO_SMALL: "Buffer is too small to fit read data.",
    Code.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES: "The generation has stopped to prevent the regeneration of "
    "old samples. Your application was unable to write samples to the background buffer fast enough to prevent "
    "old samples from being regenerated.",
    Code.RUNTIME_ABORTED_ROUTING: "Operation was aborted, because the device was reset or removed, or the "
    "computer went to sleep.",
    Code.OPERATION_TIMED_OUT: "Specified operation did not complete, because the specified timeout expired.",
}


def text(code: int) -> str:
    """Return NI's description of `code`, as ``DAQmxGetErrorString`` does."""
    return TEXT.get(code, "Description could not be found for the status code.")


def _message(code: int, details: dict[str, object]) -> str:
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in details.items()]
    return "\n\n".join([text(code), "\n".join(lines)] if lines else [text(code)])


def refusal(code: int, task: str = "", **details: object) -> DaqError:
    """Return the error that NI-DAQmx would raise; `details` become its ``Name: value`` lines."""
    return DaqError(_message(code, details), code, task_name=task)


def read_refusal(code: int, task: str, samples: int = 0, **details: object) -> DaqReadError:
    """Return the error of a read that got only `samples` samples per channel."""
    return DaqReadError(_message(code, details), code, samples, task_name=task)


def write_refusal(code: int, task: str, samples: int = 0, **details: object) -> DaqWriteError:
    """Return the error of a write that took only `samples` samples per channel."""
    return DaqWriteError(_message(code, details), code, samples, task_name=task)


EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
Conversion = Callable[[Floats], Floats]  # volts (samples, channels) to volts


@dataclass(frozen=True)
class DaqDevice:
    """One device of the rack: its name in NI-DAQmx (``Dev1``), its product and its serial number."""

    name: str
    product: Product
    serial: int

    @property
    def on_backplane(self) -> bool:
        """Whether NI-DAQmx can route signals to it over PXI trigger lines."""
        return self.product.bus is Bus.PXIE


@dataclass
class Terminals:
    """All analogue outputs, or all analogue inputs, of the rack: one entry each.

    `names` are physical channels (``Dev1/ai0``), `devices` whose they are; `gain` and `offset` the converters' errors as
    `to_analogue` takes them; `column` that of the port to which the terminal is wired, -1 for none; `number` is the entry
    by name in lower case.
    """

    names: list[str] = field(default_factory=list)
    devices: list[DaqDevice] = field(default_factory=list)
    gain: Floats = field(default_factory=lambda: np.zeros(0))
    offset: Floats = field(default_factory=lambda: np.zeros(0))
    column: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    number: dict[str, int] = field(default_factory=dict)

    def of(self, device: DaqDevice) -> list[str]:
        """Return the names of the terminals of `device`."""
        return [name for name, owner in zip(self.names, self.devices, strict=True) if owner is device]


class DaqRack:
    """Devices, the volts at their outputs, and the port behind them; parameters as of `DaqSystem`."""

    def __init__(
        self, devices: Mapping[str, str], clock: VirtualClock, rng: np.random.Generator,
        port: ConverterPort, outputs: Sequence[str], inputs: Sequence[str],
    ) -> None:  # fmt: skip
        unknown = sorted(set(devices.values()) - PRODUCTS.keys())
        if unknown:
            raise ValueError(f"no simulated NI product {unknown[0]!r}; there are {', '.join(PRODUCTS)}")
        self.clock, self.rng, self.port = clock, rng, port
        self.devices = {
            name.lower(): DaqDevice(name, PRODUCTS[product], int(rng.integers(0x1D00000, 0x2200000)))
            for name, product in devices.items()
        }
        self.epoch = EPOCH  # when the clock shows 0
        self.unplugged: set[str] = set()
        self.adc: Conversion | None = None  # in place of the products' converters
        self.dac: Conversion | None = None
        self.outputs = self._terminals("ao", outputs)
        self.inputs = self._terminals("ai", inputs)
        self.levels = np.zeros(len(self.outputs.names))
        self.lines: dict[str, bool] = {
            f"{device.name}/port{port}/line{line}": False for device in self.devices.values()
            for port, width in enumerate(device.product.ports) for line in range(width)
        }  # fmt: skip
        self.held: dict[str, int] = {}
        wired = np.flatnonzero(self.outputs.column >= 0)
        self._port_order = wired[np.argsort(self.outputs.column[wired])]
        self.output_count = len(wired)
        self.input_count = int((self.inputs.column >= 0).sum())

    def _terminals(self, kind: str, wired: Sequence[str]) -> Terminals:
        terminals = Terminals()
        for device in self.devices.values():
            product = device.product
            count = product.output_count if kind == "ao" else product.input_count
            terminals.names += [f"{device.name}/{kind}{k}" for k in range(count)]
            terminals.devices += [device] * count
        terminals.number = {name.lower(): k for k, name in enumerate(terminals.names)}
        terminals.gain = GAIN_ERROR * self.rng.standard_normal(len(terminals.names))
        terminals.offset = OFFSET_ERROR * self.rng.standard_normal(len(terminals.names))
        terminals.column = np.full(len(terminals.names), -1, dtype=np.intp)
        for column, name in enumerate(expand(wired)):
            if name.lower() not in terminals.number:
                raise ValueError(f"the port is wired to {name}, which no device of the rack has")
            terminals.column[terminals.number[name.lower()]] = column
        return terminals

    def date(self, seconds: float) -> datetime:
        """Return the date of a time of the clock, s."""
        return self.epoch + timedelta(seconds=seconds)

    def device(self, name: str, task: str = "") -> DaqDevice:
        """Return the device called `name`; DAQmx error -200220 or -201003 when it is not there."""
        device = self.devices.get(name.strip("/").lower())
        if device is None:
            raise refusal(Code.INVALID_DEVICE_ID, task, Device_Specified=name)
        if device.name in self.unplugged:
            raise refusal(Code.DEV_CANNOT_BE_ACCESSED, task, Device=device.name)
        return device

    def unplug(self, name: str) -> None:
        """Make every call to a device fail from now on; its outputs lose their power and go to 0 V."""
        owner = self.device(name)
        self.power_down(owner)
        self.unplugged.add(owner.name)

    def plug(self, name: str) -> None:
        """End what `unplug` began."""
        self.unplugged.discard(name)

    def power_down(self, device: DaqDevice) -> None:
        """Set the outputs of a device to 0 V and its lines low."""
        owned = [number for number, owner in enumerate(self.outputs.devices) if owner is device]
        self.put(owned, np.zeros(len(owned)))
        self.lines.update({line: False for line in self.lines if line.startswith(f"{device.name}/")})

    def peers(self, terminal: str) -> set[str]:
        """Return `terminal` and those wired to it: PFI lines of the same number are wired together."""
        _, _, line = terminal.strip("/").partition("/")
        if line.startswith("pfi"):
            return {f"/{device}/{line}" for device in self.devices}
        return {terminal}

    def check_route(self, terminal: str, user: DaqDevice, task: str) -> None:
        """Raise what NI-DAQmx raises when `terminal` cannot be brought to `user`."""
        device_name, _, line = terminal.strip("/").partition("/")
        if not terminal.startswith("/") or device_name not in self.devices or not line:
            raise refusal(Code.INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING, task, Source_Terminal=terminal)
        source = self.devices[device_name]
        if source is not user and not (source.on_backplane and user.on_backplane):
            raise refusal(
                Code.TRIG_LINE_NOT_FOUND_ROUTING, task, Source_Terminal=terminal, Destination_Device=user.name
            )

    def put(self, numbers: Sequence[int], volts: Floats) -> None:
        """Set outputs to `volts` (V) and hold them."""
        self.levels[numbers] = volts
        self.tell(self.levels[None], 0.0)

    def tell(self, frame: Floats, period: float) -> None:
        """Pass the outputs without a measurement, (samples, all outputs), V, to a port with the method ``hold``."""
        hold = getattr(self.port, "hold", None)
        if hold is not None:
            hold(frame[:, self._port_order], period)

    def frame(self, samples: int) -> Floats:
        """Return the volts that all outputs hold now, `samples` times over, (samples, all outputs)."""
        return np.tile(self.levels, (samples, 1))

    def exchange(self, frame: Floats, period: float) -> Floats:
        """Play `frame` (samples, all outputs) to the port; return the volts at the wired inputs."""
        response = np.asarray(self.port.exchange(frame[:, self._port_order], period), dtype=np.float64)
        if response.shape != (len(frame), self.input_count):
            raise ValueError(
                f"the port answered with shape {response.shape}, not {(len(frame), self.input_count)}"
            )
        return response


def expand(names: Iterable[str]) -> list[str]:
    """Return single physical channels for `names` with lists and ranges, as nidaqmx reads them."""
    return [single for name in names for single in unflatten_channel_string(name)]
