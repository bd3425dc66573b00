"""Virtual channels from the names and limits that a program gives, or the error NI-DAQmx would give.

Terminals: X Series User Manual, table 4-2, and NI-DAQmx Help, "Default Input/Output Terminal Configurations".
"""

from __future__ import annotations

import re

from nidaqmx.constants import TerminalConfiguration
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqError

from mho.instruments.simulated.nidaqmx.errors import refusal
from mho.instruments.simulated.nidaqmx.rack import DaqDevice, DaqRack, expand
from mho.instruments.simulated.nidaqmx.tasks import Channel

MONITOR = re.compile(r"_(ao\d+)_vs_aognd", re.IGNORECASE)
AI = re.compile(r"ai(\d+)", re.IGNORECASE)
SPELLED = {
    TerminalConfiguration.DIFF: "DAQmx_Val_Diff",
    TerminalConfiguration.RSE: "DAQmx_Val_RSE",
    TerminalConfiguration.NRSE: "DAQmx_Val_NRSE",
    TerminalConfiguration.PSEUDO_DIFF: "DAQmx_Val_PseudoDiff",
}


def analogue_inputs(
    rack: DaqRack, names: str, config: TerminalConfiguration, low: float, high: float, task: str
) -> list[Channel]:
    """Return voltage inputs for `names`, each in the smallest range that holds `low` to `high` (V)."""
    channels = []
    for name in expand([names]):
        device, terminal = _split(rack, name, task)
        product = device.product
        monitor = MONITOR.fullmatch(terminal)
        number = -1 if monitor else _number(rack.inputs.number, device, name, task)
        monitors = (
            _number(rack.outputs.number, device, f"{device.name}/{monitor[1]}", task) if monitor else -1
        )
        if not low < high:
            raise refusal(Code.MIN_NOT_LESS_THAN_MAX, task, Minimum_Value=low, Maximum_Value=high)
        scale = product.input_range(max(abs(low), abs(high)))
        if scale is None:
            if not product.input_noise:
                raise refusal(Code.PHYSICAL_CHAN_DOES_NOT_EXIST, task, Physical_Channel_Name=name)
            largest = max(product.input_noise)
            raise _out_of_range("DAQmx_AI_Max", high, largest, name, task)
        used, negative = _terminals(device, terminal, config, task, name)
        channels.append(
            Channel(
                name,
                name,
                device,
                low,
                high,
                scale,
                number,
                monitors,
                config=used,
                negative=rack.inputs.number[f"{device.name}/{negative}".lower()] if negative else -1,
            )
        )
    return channels


def _terminals(
    device: DaqDevice, terminal: str, config: TerminalConfiguration, task: str, name: str
) -> tuple[TerminalConfiguration, str]:
    """Return how an input is connected, and the input that is its negative terminal; "" when it is no other one.

    With one converter, inputs 0 to 7 of each 16 have the next eight as their negative terminals, which is also how
    they are connected by default; the others have none. With a converter each, every input is differential.
    """
    forms = TerminalConfiguration
    matched = AI.fullmatch(terminal)
    if device.product.simultaneous or not matched:
        allowed, partner = [forms.DIFF], ""
    elif int(matched[1]) % 16 < 8:
        allowed, partner = [forms.DIFF, forms.RSE, forms.NRSE], f"ai{int(matched[1]) + 8}"
    else:
        allowed, partner = [forms.RSE, forms.NRSE], ""
    used = allowed[0] if config is forms.DEFAULT else config
    if used not in allowed:
        raise refusal(
            Code.INVALID_ATTRIBUTE_VALUE,
            task,
            Property="DAQmx_AI_TermCfg",
            Requested_Value=SPELLED[used],
            Possible_Values=", ".join(SPELLED[form] for form in allowed),
            Channel_Name=name,
        )
    return used, partner if used is forms.DIFF else ""


def analogue_outputs(rack: DaqRack, names: str, low: float, high: float, task: str) -> list[Channel]:
    """Return voltage outputs for `names`, which take values from `low` to `high` (V)."""
    channels = []
    for name in expand([names]):
        device, _ = _split(rack, name, task)
        number = _number(rack.outputs.number, device, name, task)
        scale = device.product.output_range
        if not low < high:
            raise refusal(Code.MIN_NOT_LESS_THAN_MAX, task, Minimum_Value=low, Maximum_Value=high)
        if high > scale:
            raise _out_of_range("DAQmx_AO_Max", high, scale, name, task)
        if low < -scale:
            raise _out_of_range("DAQmx_AO_Min", low, scale, name, task)
        channels.append(Channel(rack.outputs.names[number], name, device, low, high, scale, number))
    return channels


def digital_lines(rack: DaqRack, names: str, one_channel: bool, task: str) -> list[Channel]:
    """Return digital channels for lines and ports: one for them all, or one for each."""
    spelled = {line.lower(): line for line in rack.lines}
    groups: list[tuple[str, tuple[str, ...], DaqDevice]] = []
    for name in expand([names]):
        device, terminal = _split(rack, name, task)
        lines = [
            line for low, line in spelled.items() if low == name.lower() or low.startswith(f"{name.lower()}/")
        ]
        if not lines or not terminal:
            raise refusal(
                Code.PHYSICAL_CHAN_DOES_NOT_EXIST, task, Device=device.name, Physical_Channel_Name=terminal
            )
        groups.append((name, tuple(lines), device))
    if one_channel:
        every = tuple(line for _, lines, _ in groups for line in lines)
        label = f"{groups[0][0]}..." if len(groups) > 1 else groups[0][0]
        return [Channel(label, names, groups[0][2], lines=every)]
    return [Channel(name, name, device, lines=lines) for name, lines, device in groups]


def _split(rack: DaqRack, name: str, task: str) -> tuple[DaqDevice, str]:
    device, _, terminal = name.partition("/")
    return rack.device(device, task), terminal


def _number(numbers: dict[str, int], device: DaqDevice, name: str, task: str) -> int:
    number = numbers.get(name.lower())
    if number is None:
        raise refusal(
            Code.PHYSICAL_CHAN_DOES_NOT_EXIST,
            task,
            Device=device.name,
            Physical_Channel_Name=name.partition("/")[2],
        )
    return number


def _out_of_range(prop: str, value: float, scale: float, name: str, task: str) -> DaqError:
    return refusal(
        Code.INVALID_ATTRIBUTE_VALUE,
        task,
        Property=prop,
        Requested_Value=value,
        Maximum_Value=scale,
        Minimum_Value=-scale,
        Channel_Name=name,
    )
