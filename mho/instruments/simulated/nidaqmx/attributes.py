"""The DAQmx properties that the simulated tasks, channels and devices know, by the numbers of ``NIDAQmx.h``.

Numbers are those that nidaqmx 1.7 passes to its interpreter. A property that is not here is refused with
error -200452, as NI-DAQmx refuses one that a device lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nidaqmx.constants import (
    AcquisitionType,
    ChannelType,
    DigitalWidthUnits,
    OverwriteMode,
    ProductCategory,
    RegenerationMode,
    ResolutionType,
    SampleTimingType,
    TriggerType,
    UsageTypeAI,
    UsageTypeAO,
    VoltageUnits,
)
from nidaqmx.error_codes import DAQmxErrors as Code

from mho.instruments.simulated.nidaqmx.rack import DaqDevice, DaqRack, refusal
from mho.instruments.simulated.nidaqmx.tasks import Channel, SimulatedTask

CHANNEL_TYPES = {
    "ai": ChannelType.ANALOG_INPUT, "ao": ChannelType.ANALOG_OUTPUT, "di": ChannelType.DIGITAL_INPUT,
    "do": ChannelType.DIGITAL_OUTPUT, "co": ChannelType.COUNTER_OUTPUT,
}  # fmt: skip

TASK: dict[int, Callable[[SimulatedTask], object]] = {
    0x1276: lambda task: task.name,
    0x1273: lambda task: ", ".join(channel.name for channel in task.channels),
    0x2181: lambda task: len(task.channels),
    0x230E: lambda task: ", ".join(dict.fromkeys(channel.device.name for channel in task.channels)),
    0x29BA: lambda task: len({channel.device.name for channel in task.channels}),
    0x1274: lambda task: task.done,
    # Read
    0x217B: lambda task: len(task.channels),
    0x1823: lambda task: ", ".join(channel.name for channel in task.channels),
    0x1215: lambda task: task.read_all_available,
    0x1221: lambda task: task.read_position,
    0x192A: lambda task: task.acquired_total,
    0x1211: lambda task: task.overwrite.value,
    0x217C: lambda task: max((len(channel.lines) for channel in task.channels), default=0),
    # Write
    0x217E: lambda task: len(task.channels),
    0x217F: lambda task: max((len(channel.lines) for channel in task.channels), default=0),
    0x1453: lambda task: task.regeneration.value,
    0x192B: lambda task: task.timing.samples if task.done else 0,
    0x1458: lambda task: len(task.waveform),
    # Buffers
    0x186C: lambda task: task.buffer_size,
    0x186D: lambda task: task.buffer_size or len(task.waveform),
    # Timing
    0x1344: lambda task: task.timing.rate,
    0x1852: lambda task: task.timing.source or "OnboardClock",
    0x1300: lambda task: task.timing.mode.value,
    0x1310: lambda task: task.timing.samples,
    0x1347: lambda task: (
        SampleTimingType.SAMPLE_CLOCK.value if task.buffered else SampleTimingType.ON_DEMAND.value
    ),
    0x1848: lambda task: (
        task.timing.conversion_rate or task.device.product.conversion_rate(len(task.channels))
    ),
    0x22C8: lambda task: task.rate_limit(),
    0x1317: lambda task: task.timing.delay,
    0x1304: lambda task: DigitalWidthUnits.SECONDS.value,
    0x2F1B: lambda task: f"/{task.device.name}/{task.kind}/SampleClock",
    # Start trigger
    0x1393: lambda task: (TriggerType.DIGITAL_EDGE if task.timing.trigger else TriggerType.NONE).value,
    0x1407: lambda task: task.timing.trigger,
    0x1856: lambda task: task.timing.trigger_delay,
    0x18C8: lambda task: DigitalWidthUnits.SECONDS.value,
    0x2F1E: lambda task: f"/{task.device.name}/{task.kind}/StartTrigger",
    # Exported signals
    0x1663: lambda task: task.timing.exports.get("sample clock", ""),
    0x584: lambda task: task.timing.exports.get("start trigger", ""),
}


def _seconds_only(task: SimulatedTask, value: Any) -> None:
    if value != DigitalWidthUnits.SECONDS.value:
        raise refusal(
            Code.INVALID_ATTRIBUTE_VALUE, task.name, Requested_Value=value, You_Can_Select="SECONDS"
        )


def _set_delay(task: SimulatedTask, value: Any) -> None:
    if task.device.product.simultaneous:
        # There is no convert clock to delay: every channel has its own ADC on the sample clock (?).
        raise refusal(
            Code.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT, task.name, Property="DelayFromSampClk.Delay"
        )
    task.timing.delay = value


SET_TASK: dict[int, Callable[[SimulatedTask, Any], None]] = {
    0x1215: lambda task, value: setattr(task, "read_all_available", value),
    0x1211: lambda task, value: setattr(task, "overwrite", OverwriteMode(value)),
    0x1453: lambda task, value: setattr(task, "regeneration", RegenerationMode(value)),
    0x186C: lambda task, value: setattr(task, "buffer_size", value),
    0x186D: lambda task, value: setattr(task, "buffer_size", value),
    0x1344: lambda task, value: setattr(task.timing, "rate", value),
    0x1852: lambda task, value: setattr(task.timing, "source", value),
    0x1300: lambda task, value: setattr(task.timing, "mode", AcquisitionType(value)),
    0x1310: lambda task, value: setattr(task.timing, "samples", value),
    0x1848: lambda task, value: setattr(task.timing, "conversion_rate", value),
    0x1317: _set_delay,
    0x1304: _seconds_only,
    0x1856: lambda task, value: setattr(task.timing, "trigger_delay", value),
    0x18C8: _seconds_only,
    0x1663: lambda task, value: task.timing.exports.update({"sample clock": value}),
    0x584: lambda task, value: task.timing.exports.update({"start trigger": value}),
}

CHANNEL: dict[int, Callable[[SimulatedTask, Channel], object]] = {
    0x187F: lambda task, channel: CHANNEL_TYPES[task.kind or "ai"].value,
    0x18F5: lambda task, channel: channel.physical,
    0x17DD: lambda task, channel: channel.maximum,
    0x17DE: lambda task, channel: channel.minimum,
    0x1186: lambda task, channel: channel.maximum,
    0x1187: lambda task, channel: channel.minimum,
    0x1815: lambda task, channel: channel.full_scale,
    0x1816: lambda task, channel: -channel.full_scale,
    0x1765: lambda task, channel: 16.0,
    0x1764: lambda task, channel: ResolutionType.BITS.value,
    0x182E: lambda task, channel: channel.full_scale,
    0x182D: lambda task, channel: -channel.full_scale,
    0x182C: lambda task, channel: 16.0,
    0x182B: lambda task, channel: ResolutionType.BITS.value,
    0x695: lambda task, channel: UsageTypeAI.VOLTAGE.value,
    0x1108: lambda task, channel: UsageTypeAO.VOLTAGE.value,
    0x1094: lambda task, channel: VoltageUnits.VOLTS.value,
    0x1184: lambda task, channel: VoltageUnits.VOLTS.value,
    0x1097: lambda task, channel: channel.config.value,
    0x1890: lambda task, channel: task.tristate,
    0x2178: lambda task, channel: len(channel.lines),
    0x2179: lambda task, channel: len(channel.lines),
}


def _set_limit(task: SimulatedTask, name: str, field: str, volts: float) -> None:
    """Set the largest or least value of channels; an input takes the smallest range that holds it."""
    channel = task.channel(name)
    product = channel.device.product
    scale: float | None = product.output_range
    if task.kind == "ai":
        other = channel.minimum if field == "maximum" else channel.maximum
        scale = product.input_range(max(abs(volts), abs(other)))
    if scale is None or abs(volts) > scale:
        raise refusal(Code.INVALID_ATTRIBUTE_VALUE, task.name, Requested_Value=volts, Channel_Name=name)
    task.change(name, **{field: volts, "full_scale": scale})


def _set_range(task: SimulatedTask, name: str, volts: float) -> None:
    """Set the converters' range."""
    product = task.channel(name).device.product
    scale = product.input_range(abs(volts)) if task.kind == "ai" else product.output_range
    if scale is None or abs(volts) > scale:
        raise refusal(Code.INVALID_ATTRIBUTE_VALUE, task.name, Requested_Value=volts, Channel_Name=name)
    task.change(name, full_scale=scale)


def _set_tristate(task: SimulatedTask, name: str, value: bool) -> None:
    task.channel(name)
    task.tristate = value


SET_CHANNEL: dict[int, Callable[[SimulatedTask, str, Any], None]] = {
    0x17DD: lambda task, name, value: _set_limit(task, name, "maximum", value),
    0x17DE: lambda task, name, value: _set_limit(task, name, "minimum", value),
    0x1186: lambda task, name, value: _set_limit(task, name, "maximum", value),
    0x1187: lambda task, name, value: _set_limit(task, name, "minimum", value),
    0x1815: _set_range,
    0x1816: _set_range,
    0x182E: _set_range,
    0x182D: _set_range,
    0x1890: _set_tristate,
}


def _ranges(device: DaqDevice) -> list[float]:
    return [edge for scale in sorted(device.product.input_noise) for edge in (-scale, scale)]


def _counters(device: DaqDevice) -> str:
    return ", ".join(f"{device.name}/ctr{k}" for k in range(device.product.counters))


def _ports(device: DaqDevice) -> str:
    return ", ".join(f"{device.name}/port{port}" for port in range(len(device.product.ports)))


def _lines(rack: DaqRack, device: DaqDevice) -> str:
    return ", ".join(line for line in rack.lines if line.startswith(f"{device.name}/"))


DEVICE: dict[int, Callable[[DaqRack, DaqDevice], object]] = {
    0x631: lambda rack, device: device.product.name,
    0x632: lambda rack, device: device.serial,
    0x22CA: lambda rack, device: True,
    0x2326: lambda rack, device: device.product.bus.value,
    0x29A9: lambda rack, device: (
        (ProductCategory.X_SERIES_DAQ if device.product.input_count else ProductCategory.AO_SERIES).value
    ),
    0x231E: lambda rack, device: ", ".join(rack.inputs.of(device)),
    0x231F: lambda rack, device: ", ".join(rack.outputs.of(device)),
    0x2320: _lines,
    0x2321: lambda rack, device: _ports(device),
    0x2322: _lines,
    0x2323: lambda rack, device: _ports(device),
    0x2324: lambda rack, device: _counters(device),
    0x2325: lambda rack, device: _counters(device),
    0x298C: lambda rack, device: device.product.single_rate,
    0x298D: lambda rack, device: device.product.aggregate_rate,
    0x298F: lambda rack, device: device.product.simultaneous,
    0x2990: lambda rack, device: _ranges(device),
    0x2997: lambda rack, device: device.product.output_rates[0][1],
    0x299B: lambda rack, device: [-device.product.output_range, device.product.output_range],
}
