"""The interpreter that stands where nidaqmx keeps NI's C library: each call lands on a simulated task.

nidaqmx is the real package; below it, this class implements the private interface
`nidaqmx._base_interpreter.BaseInterpreter` of nidaqmx 1.7. What is not simulated is refused by name.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Sequence
from typing import Any

from nidaqmx._base_interpreter import BaseInterpreter
from nidaqmx.constants import AcquisitionType, LineGrouping, TaskMode, TerminalConfiguration, VoltageUnits
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqFunctionNotSupportedError
from nidaqmx.types import DriverVersion
from nidaqmx.utils import flatten_channel_string, unflatten_channel_string

from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.nidaqmx import attributes
from mho.instruments.simulated.nidaqmx.channels import analogue_inputs, analogue_outputs, digital_lines
from mho.instruments.simulated.nidaqmx.devices import Floats
from mho.instruments.simulated.nidaqmx.errors import refusal, text
from mho.instruments.simulated.nidaqmx.faults import StruckStreams, exposed
from mho.instruments.simulated.nidaqmx.rack import DaqRack
from mho.instruments.simulated.nidaqmx.tasks import Channel, Kind, SimulatedTask, TaskTiming

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
class SimulatedInterpreter(StruckStreams, BaseInterpreter):  # type: ignore[misc]
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
        found = self._task(task)
        if attribute == 0x1223:  # samples available depend on the time
            return self._clock.available(found)
        if attribute == 0x31E8:  # number of samples for READ_ALL_AVAILABLE
            return self.readable(found)
        return _known(attributes.TASK, attribute, found.name)(found)

    def set_task_property(self, task: int, attribute: int, value: object) -> None:
        """Set a property of a task that is not running."""
        found = self._task(task)
        found.refuse_while_running()
        _known(attributes.SET_TASK, attribute, found.name)(found, value)

    def channel_property(self, task: int, channel: str, attribute: int) -> object:
        """Return a property of a virtual channel."""
        found = self._task(task)
        return _known(attributes.CHANNEL, attribute, found.name)(found, found.channel(channel))

    def device_property(self, device_name: str, attribute: int) -> object:
        """Return a property of a device."""
        return _known(attributes.DEVICE, attribute)(self._rack, self._rack.device(device_name))

    def system_property(self, attribute: int) -> object:
        """Return a property of the system: its devices or NI-DAQmx's version."""
        values: dict[int, object] = {
            0x193B: ", ".join(device.name for device in self._rack.devices.values()),
            0x1272: VERSION.major_version,
            0x1923: VERSION.minor_version,
            0x2F22: VERSION.update_version,
            0x1265: "",
            0x1266: "",
            0x1267: "",
        }
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

    def stop_task(self, task: int) -> None:
        """Stop a task; outputs hold their last value."""
        self._clock.stop(self._task(task))

    def task_control(self, task: int, action: int) -> None:
        """Move a task to the state that `action` names."""
        found, mode = self._task(task), TaskMode(action)
        if mode is TaskMode.TASK_VERIFY:
            found.verify()
        elif mode in (TaskMode.TASK_RESERVE, TaskMode.TASK_COMMIT):
            found.reserve()
            found.committed = True
        elif mode is TaskMode.TASK_UNRESERVE:
            found.refuse_while_running()
            found.unreserve()
        elif mode is TaskMode.TASK_ABORT:
            self._clock.stop(found)
            found.unreserve()
        else:
            (self.start_task if mode is TaskMode.TASK_START else self.stop_task)(task)

    def is_task_done(self, task: int) -> bool:
        """Return whether a task has run to its end, or does not run."""
        found = self._task(task)
        return found.done or not found.running

    def wait_until_task_done(self, task: int, time_to_wait: float) -> None:
        """Advance virtual time until the task is done, at most `time_to_wait` seconds."""
        self._clock.wait(self._task(task), time_to_wait)

    # Channels -------------------------------------------------------------------------------------

    def create_ai_voltage_chan(
        self,
        task: int,
        physical_channel: str,
        name_to_assign_to_channel: str,
        terminal_config: int,
        min_val: float,
        max_val: float,
        units: int,
        custom_scale_name: str,
    ) -> None:
        """Add voltage inputs to a task."""
        found = self._task(task)
        _only_volts(units, found.name)
        config = TerminalConfiguration(terminal_config)
        channels = analogue_inputs(self._rack, physical_channel, config, min_val, max_val, found.name)
        self._add(found, "ai", channels, name_to_assign_to_channel)

    def create_ao_voltage_chan(
        self,
        task: int,
        physical_channel: str,
        name_to_assign_to_channel: str,
        min_val: float,
        max_val: float,
        units: int,
        custom_scale_name: str,
    ) -> None:
        """Add voltage outputs to a task."""
        found = self._task(task)
        _only_volts(units, found.name)
        channels = analogue_outputs(self._rack, physical_channel, min_val, max_val, found.name)
        self._add(found, "ao", channels, name_to_assign_to_channel)

    def create_do_chan(self, task: int, lines: str, name_to_assign_to_lines: str, line_grouping: int) -> None:
        """Add digital outputs to a task."""
        self._add_lines("do", task, lines, name_to_assign_to_lines, line_grouping)

    def create_di_chan(self, task: int, lines: str, name_to_assign_to_lines: str, line_grouping: int) -> None:
        """Add digital inputs to a task."""
        self._add_lines("di", task, lines, name_to_assign_to_lines, line_grouping)

    def internal_get_last_created_chan(self) -> str:
        """Return the name of the channels created last, which nidaqmx wraps and hands to the user."""
        return self._last_created

    def _add_lines(self, kind: Kind, task: int, lines: str, assigned: str, grouping: int) -> None:
        found = self._task(task)
        one = LineGrouping(grouping) is LineGrouping.CHAN_FOR_ALL_LINES
        self._add(found, kind, digital_lines(self._rack, lines, one, found.name), assigned)

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
        found = self._task(task)
        found.refuse_while_running()
        if found.kind in ("di", "do") or not rate > 0.0 or samps_per_chan < 1:
            raise refusal(
                Code.INVALID_ATTRIBUTE_VALUE, found.name, Sample_Rate=rate, Samples_per_Channel=samps_per_chan
            )
        mode = AcquisitionType(sample_mode)
        if mode is AcquisitionType.HW_TIMED_SINGLE_POINT:  # not simulated; a USB device has none
            raise refusal(
                Code.INVALID_ATTRIBUTE_VALUE,
                found.name,
                Property="DAQmx_SampQuant_SampMode",
                Requested_Value="DAQmx_Val_HWTimedSinglePoint",
                Possible_Values="DAQmx_Val_FiniteSamps, DAQmx_Val_ContSamps",
            )
        found.timing.rate, found.timing.source = rate, source
        found.timing.mode, found.timing.samples = mode, samps_per_chan

    def cfg_dig_edge_start_trig(self, task: int, trigger_source: str, trigger_edge: int) -> None:
        """Set a task to start with an edge at a terminal."""
        found = self._task(task)
        found.refuse_while_running()
        found.timing.trigger = trigger_source

    def disable_start_trig(self, task: int) -> None:
        """Set a task to start without a trigger."""
        found = self._task(task)
        found.refuse_while_running()
        found.timing.trigger, found.timing.trigger_delay = "", TaskTiming.trigger_delay


def _only_volts(units: int, task: str) -> None:
    if units != VoltageUnits.VOLTS.value:
        raise refusal(
            Code.INVALID_ATTRIBUTE_VALUE,
            task,
            Requested_Value=VoltageUnits(units).name,
            You_Can_Select="VOLTS",
        )


def _known(table: dict[int, Any], attribute: int, task: str = "") -> Any:
    if attribute not in table:
        raise refusal(Code.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT, task, Property=f"0x{attribute:X}")
    return table[attribute]
