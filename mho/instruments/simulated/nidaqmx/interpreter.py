"""The interpreter that stands where nidaqmx keeps NI's C library: each call lands on a simulated task.

nidaqmx is the real package; below it, this class implements the private interface
`nidaqmx._base_interpreter.BaseInterpreter` of nidaqmx 1.7. What is not simulated is refused by name. Of faults: an output
whose generation underflows holds the sample it has reached, a device that is reset goes to 0 V and forgets its tasks'
reservations, one that is removed loses its power. Terminals: X Series User Manual, table 4-2, and NI-DAQmx Help, "Default
Input/Output Terminal Configurations".
"""

from __future__ import annotations

import abc
import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from nidaqmx._base_interpreter import BaseEventHandler, BaseInterpreter
from nidaqmx.constants import (
    AcquisitionType,
    Edge,
    EveryNSamplesEventType,
    LineGrouping,
    Signal,
    TaskMode,
    TerminalConfiguration,
    VoltageUnits,
)
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqError, DaqFunctionNotSupportedError
from nidaqmx.types import DriverVersion
from nidaqmx.utils import flatten_channel_string, unflatten_channel_string

from mho.array_types import Floats
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.nidaqmx import attributes
from mho.instruments.simulated.nidaqmx.rack import (
    DaqDevice,
    DaqRack,
    expand,
    read_refusal,
    refusal,
    text,
    write_refusal,
)
from mho.instruments.simulated.nidaqmx.streams import SampleStreams
from mho.instruments.simulated.nidaqmx.task_events import DONE, SAMPLE_SIGNALS
from mho.instruments.simulated.nidaqmx.tasks import Channel, Kind, SimulatedTask, TaskTiming
from mho.instruments.simulated.nidaqmx.waveforms import WaveformCalls

MONITOR = re.compile(r"_(ao\d+)_vs_aognd", re.IGNORECASE)
AI = re.compile(r"ai(\d+)", re.IGNORECASE)
SPELLED = {
    TerminalConfiguration.DIFF: "DAQmx_Val_Diff", TerminalConfiguration.RSE: "DAQmx_Val_RSE",
    TerminalConfiguration.NRSE: "DAQmx_Val_NRSE", TerminalConfiguration.PSEUDO_DIFF: "DAQmx_Val_PseudoDiff",
}  # fmt: skip


def analogue_inputs(
    rack: DaqRack, names: str, config: TerminalConfiguration, low: float, high: float, task: str
) -> list[Channel]:
    """Return voltage inputs for `names`, each in the smallest range that holds `low` to `high` (V)."""
    channels = []
    for name in _singles(names):
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
        beside = rack.inputs.number[f"{device.name}/{negative}".lower()] if negative else -1
        wiring = {"number": number, "monitors": monitors, "config": used, "negative": beside}
        channels.append(Channel(name, name, device, low, high, scale, **wiring))
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
            Code.INVALID_ATTRIBUTE_VALUE, task, Property="DAQmx_AI_TermCfg", Requested_Value=SPELLED[used],
            Possible_Values=", ".join(SPELLED[form] for form in allowed), Channel_Name=name,
        )  # fmt: skip
    return used, partner if used is forms.DIFF else ""


def analogue_outputs(rack: DaqRack, names: str, low: float, high: float, task: str) -> list[Channel]:
    """Return voltage outputs for `names`, which take values from `low` to `high` (V)."""
    channels = []
    for name in _singles(names):
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
    signals: list[str] = []
    for name in _singles(names):
        device, terminal = _split(rack, name, task)
        lines = [
            line for low, line in spelled.items() if low == name.lower() or low.startswith(f"{name.lower()}/")
        ]
        if not lines or not terminal:
            raise refusal(
                Code.PHYSICAL_CHAN_DOES_NOT_EXIST, task, Device=device.name, Physical_Channel_Name=terminal
            )
        groups.append((name, tuple(lines), device))
        signals += lines[::-1]
    if one_channel:
        every = tuple(line for _, lines, _ in groups for line in lines)
        label = f"{groups[0][0]}..." if len(groups) > 1 else groups[0][0]
        return [Channel(label, names, groups[0][2], lines=every, signals=tuple(signals))]
    return [Channel(name, name, device, lines=lines, signals=lines[::-1]) for name, lines, device in groups]


def counters(rack: DaqRack, names: str, task: str) -> list[Channel]:
    """Return counters for `names`, which put out pulses."""
    channels = []
    for name in _singles(names):
        device, terminal = _split(rack, name, task)
        if terminal.lower() not in [f"ctr{k}" for k in range(device.product.counters)]:
            code = Code.PHYSICAL_CHAN_DOES_NOT_EXIST
            raise refusal(code, task, Device=device.name, Physical_Channel_Name=terminal)
        channels.append(Channel(name, name, device))
    return channels


def _singles(names: str) -> list[str]:
    """Return single channels; one slash before a device's name means nothing to NI-DAQmx."""
    return [name.removeprefix("/") for name in expand([names])]


def _split(rack: DaqRack, name: str, task: str) -> tuple[DaqDevice, str]:
    device, _, terminal = name.strip("/").partition("/")
    return rack.device(device, task), terminal


def _number(numbers: dict[str, int], device: DaqDevice, name: str, task: str) -> int:
    number = numbers.get(name.lower())
    if number is None:
        terminal = name.partition("/")[2]
        code = Code.PHYSICAL_CHAN_DOES_NOT_EXIST
        raise refusal(code, task, Device=device.name, Physical_Channel_Name=terminal)
    return number


def _out_of_range(prop: str, value: float, scale: float, name: str, task: str) -> DaqError:
    return refusal(
        Code.INVALID_ATTRIBUTE_VALUE, task, Property=prop, Requested_Value=value, Maximum_Value=scale,
        Minimum_Value=-scale, Channel_Name=name,
    )  # fmt: skip


Arguments = dict[str, Any]

CODES = {
    "reset": Code.RUNTIME_ABORTED_ROUTING, "removal": Code.DEV_CANNOT_BE_ACCESSED,
    "overrun": Code.SAMPLES_NO_LONGER_AVAILABLE,
    "underflow": Code.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES, "reserved": Code.PAL_RESOURCE_RESERVED,
}  # fmt: skip
TIMED_OUT = {
    "read": Code.SAMPLES_NOT_YET_AVAILABLE,
    "write": Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN,
    "wait": Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE,
}
ENDING = (TaskMode.TASK_ABORT.value, TaskMode.TASK_STOP.value, TaskMode.TASK_UNRESERVE.value)


class StruckStreams(SampleStreams):
    """Sample streams, and every other call of a derived interpreter, subject to the laboratory's `faults`."""

    def __init__(self, rack: DaqRack, faults: Sequence[Fault | DaqFault]) -> None:
        super().__init__(rack)
        self._faults = faults
        self._removed: dict[str, DaqFault] = {}
        self._within = False  # a call that another call makes is no call of nidaqmx's

    def perform(self, name: str, act: Callable[[], Any], arguments: Arguments) -> Any:
        """Carry out a call of nidaqmx by `act`, unless a fault strikes it.

        Calls that end a task (``stop_task``, ``clear_task``) are carried out in any case, as by NI-DAQmx. Calls without a
        device, such as creating a task, never fail.
        """
        for device in [device for device, fault in self._removed.items() if fault not in self._faults]:
            del self._removed[device]
            self._rack.plug(device)
        task = self._tasks.get(arguments.get("task") or arguments.get("task_handle", 0))
        devices = _devices(task, arguments)
        faults = [fault for fault in self._faults if devices and isinstance(fault, DaqFault)]
        striking = [fault for fault in faults if fault.strikes(devices, name)]
        self._within = True
        try:
            if not striking:
                return act()
            if name in ("stop_task", "clear_task") or arguments.get("action") in ENDING:
                act()
            fault = striking[0]
            struck = [device for device in devices if fault.device in ("", device)]
            self._happen(fault, struck, task, arguments)
            raise _error(fault, name, struck, task)
        finally:
            self._within = False

    def _happen(
        self, fault: DaqFault, devices: list[str], task: SimulatedTask | None, arguments: Arguments
    ) -> None:
        """Set devices and task to the state after the fault."""
        if fault.kind == "timeout":
            seconds = arguments.get("timeout") or arguments.get("time_to_wait") or 0.0
            self._rack.clock.advance(max(seconds, 0.0))
        for device in devices:
            if fault.kind in ("reset", "removal"):
                self.reset_device(device)
            if fault.kind == "removal":
                self._rack.unplug(device)
                self._removed[device] = fault
        if task is None or not task.running:
            return
        if fault.kind == "underflow" and task.kind == "ao" and len(task.waveform):
            self._clock.stop(task)
            numbers = [channel.number for channel in task.channels]
            self._rack.put(numbers, task.waveform[len(task.waveform) // 2])
        elif fault.kind == "overrun" and task.kind == "ai":
            task.acquired, task.done = task.acquired[:0], True

    def reset_device(self, device_name: str) -> None:
        """Abort the tasks of a device and bring its outputs to 0 V and low."""
        device = self._rack.device(device_name)
        for task in self._tasks.values():
            if any(channel.device is device for channel in task.channels):
                self._clock.stop(task)
                task.unreserve()
        self._rack.power_down(device)


def exposed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call of the interface as faults let it pass."""
    bind = inspect.signature(getattr(BaseInterpreter, name)).bind

    @wraps(call)
    def pass_faults(self: StruckStreams, *arguments: Any, **options: Any) -> Any:
        if self._within or not (self._faults or self._removed):
            return call(self, *arguments, **options)
        bound = bind(self, *arguments, **options).arguments
        return self.perform(name, partial(call, self, *arguments, **options), bound)

    return pass_faults


def _devices(task: SimulatedTask | None, arguments: Arguments) -> list[str]:
    """Return the devices that a call addresses, as far as it names them."""
    if task is not None and task.channels:
        return list(dict.fromkeys(channel.device.name for channel in task.channels))
    named = arguments.get("device_name") or arguments.get("physical_channel") or arguments.get("lines") or ""
    return list(dict.fromkeys(each.strip("/").partition("/")[0] for each in unflatten_channel_string(named)))


def _error(fault: DaqFault, name: str, devices: Sequence[str], task: SimulatedTask | None) -> DaqError:
    """Return what nidaqmx raises."""
    verb, title = name.partition("_")[0], task.name if task else ""
    code = fault.code or CODES.get(fault.kind) or TIMED_OUT.get(verb, Code.OPERATION_TIMED_OUT)
    if verb == "read":
        return read_refusal(code, title, Device=", ".join(devices))
    if verb == "write":
        return write_refusal(code, title, Device=", ".join(devices))
    return refusal(code, title, Device=", ".join(devices))


VERSION = DriverVersion(25, 3, 0)
TASK_PROPERTY = re.compile(
    r"(get|set)_(task|read|write|buffer|timing|trig|exported_signal)_attribute_(ex_)?\w+"
)


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: object, *arguments: object, **options: object) -> Any:
        raise DaqFunctionNotSupportedError(f"the simulated NI-DAQmx has no {name}")

    return refuse


def _task_property(name: str, matched: re.Match[str]) -> Callable[..., Any]:
    # Calls with "_ex_" name devices before the property; all the devices of a simulated task are alike.
    first = 1 if matched[3] else 0
    if matched[1] == "get":
        return lambda self, task, *rest: self.task_property(task, rest[first])
    return lambda self, task, *rest: self.set_task_property(task, rest[first], rest[first + 1])


def _complete(interpreter: type[SimulatedInterpreter]) -> type[SimulatedInterpreter]:
    """Add the missing ones of the interface's three hundred calls to the class, and make all subject to faults."""
    for name in interpreter.__abstractmethods__:
        if matched := TASK_PROPERTY.fullmatch(name):
            call = _task_property(name, matched)
        elif re.fullmatch(r"get_chan_attribute_\w+", name):
            call = interpreter.channel_property
        elif re.fullmatch(r"set_chan_attribute_\w+", name):
            call = interpreter.set_channel_property
        elif re.fullmatch(r"get_device_attribute_\w+", name):
            call = interpreter.device_property
        elif re.fullmatch(r"get_system_info_attribute_\w+", name):
            call = interpreter.system_property
        else:
            call = _refusing(name)
        setattr(interpreter, name, call)
    for name in BaseInterpreter.__abstractmethods__:
        if callable(call := getattr(interpreter, name)):
            setattr(interpreter, name, exposed(name, call))
    abc.update_abstractmethods(interpreter)
    return interpreter


@_complete
class SimulatedInterpreter(StruckStreams, WaveformCalls, BaseInterpreter):  # type: ignore[misc]
    """NI-DAQmx on a simulated rack. Methods and arguments are those of nidaqmx's interface."""

    def __init__(self, rack: DaqRack, faults: Sequence[Fault | DaqFault] = ()) -> None:
        super().__init__(rack, faults)
        self._count = 0
        self._last_created = ""

    def reach(self) -> Floats:
        """Return how far from 0 V each output is now, V, or goes in a generation that is under way."""
        return self._clock.reach()

    # Properties -----------------------------------------------------------------------------------

    @property
    def driver_version(self) -> DriverVersion:
        """The NI-DAQmx release whose behaviour is simulated."""
        return VERSION

    def task_property(self, task: int, attribute: int) -> object:
        """Return a property of a task, its streams, timing or triggers."""
        sim_task = self._task(task)
        if attribute == 0x1223:  # samples available depend on the time
            return self._clock.available(sim_task)
        if attribute == 0x31E8:  # number of samples for READ_ALL_AVAILABLE
            return self.readable(sim_task)
        return _known(attributes.TASK, attribute, sim_task.name)(sim_task)

    def set_task_property(self, task: int, attribute: int, value: object) -> None:
        """Set a property of a task that is not running."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        _known(attributes.SET_TASK, attribute, sim_task.name)(sim_task, value)

    def channel_property(self, task: int, channel: str, attribute: int) -> object:
        """Return a property of a virtual channel."""
        sim_task = self._task(task)
        return _known(attributes.CHANNEL, attribute, sim_task.name)(sim_task, sim_task.channel(channel))

    def set_channel_property(self, task: int, channel: str, attribute: int, value: Any) -> None:
        """Set a property of virtual channels of a task that is not running."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        _known(attributes.SET_CHANNEL, attribute, sim_task.name)(sim_task, channel, value)

    def device_property(self, device_name: str, attribute: int) -> object:
        """Return a property of a device."""
        return _known(attributes.DEVICE, attribute)(self._rack, self._rack.device(device_name))

    def system_property(self, attribute: int) -> object:
        """Return a property of the system: its devices or NI-DAQmx's version."""
        values: dict[int, object] = {
            0x193B: ", ".join(device.name for device in self._rack.devices.values()),
            0x1272: VERSION.major_version, 0x1923: VERSION.minor_version, 0x2F22: VERSION.update_version,
            0x1265: "", 0x1266: "", 0x1267: "",
        }  # fmt: skip
        return _known(values, attribute)

    def get_error_string(self, error_code: int) -> str:
        """Return NI's description of an error code."""
        return text(error_code)

    def hash_task_handle(self, task_handle: int) -> int:
        """Return what nidaqmx hashes a task by."""
        return hash(task_handle)

    # Tasks ----------------------------------------------------------------------------------------

    def create_task(self, session_name: str) -> tuple[int, bool]:
        """Create a task; its handle is a number that is never used again."""
        name = session_name or f"_unnamedTask<{self._count:X}>"
        if name in {task.name for task in self._tasks.values()}:
            raise refusal(Code.DUPLICATE_TASK, name)
        self._count += 1
        self._tasks[self._count] = SimulatedTask(self._count, name, self._rack)
        return self._count, True

    def clear_task(self, task: int) -> None:
        """Stop a task, give back its resources and forget it; a device that is gone is reported all the same (?)."""
        try:
            self._clock.stop(self._task(task))
        finally:
            gone = self._tasks.pop(task, None)
            if gone is not None:
                gone.unreserve()

    def start_task(self, task: int) -> None:
        """Start or arm a task."""
        self._clock.start(self._task(task))
        self._report()

    def stop_task(self, task: int) -> None:
        """Stop a task; outputs hold their last value."""
        self._clock.stop(self._task(task))

    def task_control(self, task: int, action: int) -> None:
        """Move a task to the state that `action` names."""
        sim_task, mode = self._task(task), TaskMode(action)
        if mode is TaskMode.TASK_VERIFY:
            sim_task.verify()
        elif mode in (TaskMode.TASK_RESERVE, TaskMode.TASK_COMMIT):
            sim_task.reserve()
            sim_task.committed = True
        elif mode is TaskMode.TASK_UNRESERVE:
            sim_task.refuse_while_running()
            sim_task.unreserve()
        elif mode is TaskMode.TASK_ABORT:
            self._clock.stop(sim_task)
            sim_task.unreserve()
        else:
            (self.start_task if mode is TaskMode.TASK_START else self.stop_task)(task)

    def is_task_done(self, task: int) -> bool:
        """Return whether a task has run to its end, or does not run."""
        sim_task = self._task(task)
        return sim_task.done or not sim_task.running

    def wait_until_task_done(self, task: int, time_to_wait: float) -> None:
        """Advance virtual time until the task is done, at most `time_to_wait` seconds."""
        sim_task = self._task(task)
        events, remaining = sim_task.events, time_to_wait
        if events.interval and sim_task.running and not sim_task.done and not sim_task.timing.waits_for:
            # Programs that are told of their samples read them meanwhile.
            step = events.interval * sim_task.timing.period
            while sim_task.running and remaining >= step:
                self._rack.clock.advance(step)
                remaining -= step
                self._report()
        self._clock.wait(sim_task, remaining)

    # Events ---------------------------------------------------------------------------------------

    def register_done_event(
        self, task: int, options: int, callback_function: Callable[..., Any], callback_data: object
    ) -> BaseEventHandler:
        """Call back when a task is done."""
        sim_task = self._task(task)
        return sim_task.events.register(sim_task, DONE, 0, callback_function, callback_data)

    def register_every_n_samples_event(
        self, task: int, every_n_samples_event_type: int, n_samples: int, options: int,
        callback_function: Callable[..., Any], callback_data: object,
    ) -> BaseEventHandler:  # fmt: skip
        """Call back whenever so many samples more have been acquired or generated."""
        sim_task = self._task(task)
        kind = EveryNSamplesEventType(every_n_samples_event_type)
        return sim_task.events.register(sim_task, kind, n_samples, callback_function, callback_data)

    def register_signal_event(
        self, task: int, signal_id: int, options: int, callback_function: Callable[..., Any],
        callback_data: object,
    ) -> BaseEventHandler:  # fmt: skip
        """Call back for every sample of a task, at its clock or its completion; there are no other signals."""
        sim_task = self._task(task)
        signal = Signal(signal_id)
        if signal not in SAMPLE_SIGNALS:
            raise refusal(
                Code.INVALID_ATTRIBUTE_VALUE, sim_task.name, Requested_Value=signal.name,
                You_Can_Select=", ".join(each.name for each in SAMPLE_SIGNALS),
            )  # fmt: skip
        return sim_task.events.register(sim_task, signal, 1, callback_function, callback_data)

    def unregister_done_event(self, task: int) -> None:
        """Call back no more when a task is done."""
        self._task(task).events.unregister(DONE)

    def unregister_every_n_samples_event(self, task: int, every_n_samples_event_type: int) -> None:
        """Call back no more for samples."""
        self._task(task).events.unregister(EveryNSamplesEventType(every_n_samples_event_type))

    def unregister_signal_event(self, task: int, signal_id: int) -> None:
        """Call back no more for a signal."""
        self._task(task).events.unregister(Signal(signal_id))

    # Channels -------------------------------------------------------------------------------------

    def create_ai_voltage_chan(
        self, task: int, physical_channel: str, name_to_assign_to_channel: str, terminal_config: int,
        min_val: float, max_val: float, units: int, custom_scale_name: str,
    ) -> None:  # fmt: skip
        """Add voltage inputs to a task."""
        sim_task = self._task(task)
        _only_volts(units, sim_task.name)
        config = TerminalConfiguration(terminal_config)
        channels = analogue_inputs(self._rack, physical_channel, config, min_val, max_val, sim_task.name)
        self._add(sim_task, "ai", channels, name_to_assign_to_channel)

    def create_ao_voltage_chan(
        self, task: int, physical_channel: str, name_to_assign_to_channel: str, min_val: float,
        max_val: float, units: int, custom_scale_name: str,
    ) -> None:  # fmt: skip
        """Add voltage outputs to a task."""
        sim_task = self._task(task)
        _only_volts(units, sim_task.name)
        channels = analogue_outputs(self._rack, physical_channel, min_val, max_val, sim_task.name)
        self._add(sim_task, "ao", channels, name_to_assign_to_channel)

    def create_do_chan(self, task: int, lines: str, name_to_assign_to_lines: str, line_grouping: int) -> None:
        """Add digital outputs to a task."""
        self._add_lines("do", task, lines, name_to_assign_to_lines, line_grouping)

    def create_di_chan(self, task: int, lines: str, name_to_assign_to_lines: str, line_grouping: int) -> None:
        """Add digital inputs to a task."""
        self._add_lines("di", task, lines, name_to_assign_to_lines, line_grouping)

    def create_co_pulse_chan_freq(
        self, task: int, counter: str, name_to_assign_to_channel: str, units: int, idle_state: int,
        initial_delay: float, freq: float, duty_cycle: float,
    ) -> None:  # fmt: skip
        """Add a counter that puts out pulses: a sample clock for other tasks. Duty cycle and idle state have no effect."""
        sim_task = self._task(task)
        if not freq > 0.0 or not 0.0 < duty_cycle < 1.0:
            raise refusal(Code.INVALID_ATTRIBUTE_VALUE, sim_task.name, Frequency=freq, Duty_Cycle=duty_cycle)
        self._add(sim_task, "co", counters(self._rack, counter, sim_task.name), name_to_assign_to_channel)
        sim_task.timing.rate = freq

    def internal_get_last_created_chan(self) -> str:
        """Return the name of the channels created last, which nidaqmx wraps and hands to the user."""
        return self._last_created

    def _add_lines(self, kind: Kind, task: int, lines: str, assigned: str, grouping: int) -> None:
        sim_task = self._task(task)
        one = LineGrouping(grouping) is LineGrouping.CHAN_FOR_ALL_LINES
        self._add(sim_task, kind, digital_lines(self._rack, lines, one, sim_task.name), assigned)

    def _add(self, task: SimulatedTask, kind: Kind, channels: list[Channel], assigned: str) -> None:
        if assigned:
            single = len(channels) == 1
            names = [assigned if single else f"{assigned}{k}" for k in range(len(channels))]
            if len(given := unflatten_channel_string(assigned)) == len(channels):
                names = given
            channels = [channel.renamed(name) for channel, name in zip(channels, names, strict=True)]
        task.add(kind, channels)
        self._last_created = flatten_channel_string([channel.name for channel in channels])

    # Timing ---------------------------------------------------------------------------------------

    def cfg_samp_clk_timing(
        self, task: int, rate: float, source: str, active_edge: int, sample_mode: int, samps_per_chan: int
    ) -> None:
        """Time a task by a sample clock."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        if sim_task.kind == "co" or not rate > 0.0 or samps_per_chan < 1:
            raise refusal(
                Code.INVALID_ATTRIBUTE_VALUE,
                sim_task.name,
                Sample_Rate=rate,
                Samples_per_Channel=samps_per_chan,
            )
        mode = AcquisitionType(sample_mode)
        if mode is AcquisitionType.HW_TIMED_SINGLE_POINT:  # not simulated; a USB device has none
            raise refusal(
                Code.INVALID_ATTRIBUTE_VALUE, sim_task.name, Property="DAQmx_SampQuant_SampMode",
                Requested_Value="DAQmx_Val_HWTimedSinglePoint",
                Possible_Values="DAQmx_Val_FiniteSamps, DAQmx_Val_ContSamps",
            )  # fmt: skip
        sim_task.timing.rate, sim_task.timing.source = rate, source
        sim_task.timing.mode, sim_task.timing.samples = mode, samps_per_chan
        sim_task.timing.falling = Edge(active_edge) is Edge.FALLING

    def cfg_implicit_timing(self, task: int, sample_mode: int, samps_per_chan: int) -> None:
        """Let a counter put out so many pulses, or pulses without end."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        if sim_task.kind != "co" or samps_per_chan < 1:
            raise refusal(Code.INVALID_ATTRIBUTE_VALUE, sim_task.name, Samples_per_Channel=samps_per_chan)
        sim_task.timing.mode, sim_task.timing.samples = AcquisitionType(sample_mode), samps_per_chan

    def cfg_dig_edge_start_trig(self, task: int, trigger_source: str, trigger_edge: int) -> None:
        """Set a task to start with an edge at a terminal."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        sim_task.timing.trigger = trigger_source

    def disable_start_trig(self, task: int) -> None:
        """Set a task to start without a trigger."""
        sim_task = self._task(task)
        sim_task.refuse_while_running()
        sim_task.timing.trigger, sim_task.timing.trigger_delay = "", TaskTiming.trigger_delay


def _only_volts(units: int, task: str) -> None:
    if units != VoltageUnits.VOLTS.value:
        unit = VoltageUnits(units).name
        raise refusal(Code.INVALID_ATTRIBUTE_VALUE, task, Requested_Value=unit, You_Can_Select="VOLTS")


def _known(table: dict[int, Any], attribute: int, task: str = "") -> Any:
    if attribute not in table:
        raise refusal(Code.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT, task, Property=f"0x{attribute:X}")
    return table[attribute]
