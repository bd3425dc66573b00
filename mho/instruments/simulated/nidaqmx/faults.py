"""Faults in calls of the simulated NI-DAQmx: NI's error codes, and the state in which each leaves the devices.

An output whose generation underflows holds the sample it has reached, a device that is reset goes to 0 V and
forgets its tasks' reservations, one that is removed loses its power.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from nidaqmx._base_interpreter import BaseInterpreter
from nidaqmx.constants import TaskMode
from nidaqmx.error_codes import DAQmxErrors as Code
from nidaqmx.errors import DaqError
from nidaqmx.utils import unflatten_channel_string

from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.nidaqmx.errors import read_refusal, refusal, write_refusal
from mho.instruments.simulated.nidaqmx.rack import DaqRack
from mho.instruments.simulated.nidaqmx.streams import SampleStreams
from mho.instruments.simulated.nidaqmx.tasks import SimulatedTask

Arguments = dict[str, Any]

CODES = {
    "reset": Code.RUNTIME_ABORTED_ROUTING,
    "removal": Code.DEV_CANNOT_BE_ACCESSED,
    "overrun": Code.SAMPLES_NO_LONGER_AVAILABLE,
    "underflow": Code.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES,
    "reserved": Code.PAL_RESOURCE_RESERVED,
}
TIMED_OUT = {
    "read": Code.SAMPLES_NOT_YET_AVAILABLE,
    "write": Code.SAMPLES_CAN_NOT_YET_BE_WRITTEN,
    "wait": Code.WAIT_UNTIL_DONE_DOES_NOT_INDICATE_DONE,
}
ENDING = (TaskMode.TASK_ABORT.value, TaskMode.TASK_STOP.value, TaskMode.TASK_UNRESERVE.value)


class StruckStreams(SampleStreams):
    """Sample streams, and every other call of a derived interpreter, subject to faults.

    Parameters
    ----------
    rack : Rack
    faults : sequence
        The laboratory's faults, checked in every call; faults of messages on a bus are skipped.
    """

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
        task = self._tasks.get(arguments.get("task", 0))
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
