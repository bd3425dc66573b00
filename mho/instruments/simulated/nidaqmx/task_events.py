"""The events of a simulated DAQmx task: done, every N samples, and every edge of its sample clock.

NI-DAQmx calls back from a thread of its own. Here time passes only within calls, so it is the call that lets it pass (a
start, a read, a wait) which calls back before it returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

from nidaqmx._base_interpreter import BaseEventHandler
from nidaqmx.constants import EveryNSamplesEventType, Signal
from nidaqmx.error_codes import DAQmxErrors as Code

from mho.instruments.simulated.nidaqmx.rack import refusal

logger = logging.getLogger(__name__)
DONE = "done"
ACQUIRED, TRANSFERRED = (
    EveryNSamplesEventType.ACQUIRED_INTO_BUFFER,
    EveryNSamplesEventType.TRANSFERRED_FROM_BUFFER,
)
SAMPLE_SIGNALS = (Signal.SAMPLE_CLOCK, Signal.SAMPLE_COMPLETE)
EventKind: TypeAlias = EveryNSamplesEventType | Signal | str
_TAKEN: dict[EventKind, Code] = {
    DONE: Code.DONE_EVENT_ALREADY_REGISTERED, **dict.fromkeys(SAMPLE_SIGNALS, Code.SIGNAL_EVENT_ALREADY_REGISTERED),
    ACQUIRED: Code.EVERY_N_SAMPS_ACQ_INTO_BUFFER_EVENT_ALREADY_REGISTERED,
    TRANSFERRED: Code.EVERY_N_SAMPS_TRANSFERRED_FROM_BUFFER_EVENT_ALREADY_REGISTERED,
}  # fmt: skip
_MISPLACED = {
    ACQUIRED: Code.EVERY_N_SAMPLES_ACQ_INTO_BUFFER_EVENT_NOT_SUPPORTED_BY_DEVICE,
    TRANSFERRED: Code.EVERY_N_SAMPS_TRANSFERRED_FROM_BUFFER_EVENT_NOT_SUPPORTED_BY_DEVICE,
}  # fmt: skip


class EventSource(Protocol):
    """A task, as its events see it."""

    handle: int
    name: str
    kind: Any
    running: bool
    done: bool

    def refuse_while_running(self) -> None:
        """Raise the DAQmx error when it runs."""


class Registration(NamedTuple):
    """What to call, and after how many samples (0: when the task is done)."""

    interval: int
    call: Callable[..., Any]
    data: object


class _Handler(BaseEventHandler):  # type: ignore[misc]
    """What nidaqmx keeps of a registration; there is nothing to release."""

    def close(self) -> None:
        pass


class TaskEvents:
    """The registrations of one task, and how far it has been reported."""

    def __init__(self) -> None:
        self._registered: dict[EventKind, Registration] = {}
        self._reported: dict[EventKind, int] = {}
        self._reporting = False

    @property
    def interval(self) -> int:
        """The smallest number of samples that is reported; 0 for none."""
        return min((each.interval for each in self._registered.values() if each.interval), default=0)

    def register(
        self, task: EventSource, kind: EventKind, interval: int, call: Callable[..., Any], data: object
    ) -> BaseEventHandler:
        """Register a callback; raises the DAQmx error for one that is there, or that the task cannot have."""
        task.refuse_while_running()
        if kind in self._registered:
            raise refusal(_TAKEN[kind], task.name)
        if kind in _MISPLACED and (kind is ACQUIRED) != (task.kind in ("ai", "di")):
            raise refusal(_MISPLACED[kind], task.name)
        if kind != DONE and interval < 1:
            raise refusal(Code.INVALID_ATTRIBUTE_VALUE, task.name, Sample_Interval=interval)
        self._registered[kind] = Registration(interval, call, data)
        return _Handler()

    def unregister(self, kind: EventKind) -> None:
        """Forget a callback, if there is one."""
        self._registered.pop(kind, None)

    def restart(self) -> None:
        """Begin anew: the task has started."""
        self._reported.clear()

    def report(self, task: EventSource, passed: Callable[[], int]) -> None:
        """Call back for what `passed` (samples) since the last report; a callback that is running is not called again."""
        if not self._registered or self._reporting or not task.running:
            return
        self._reporting = True
        try:
            for kind in sorted(self._registered, key=lambda each: each == DONE):  # done comes last
                interval = self._registered[kind].interval
                while task.running and kind in self._registered and self._due(task, kind, interval, passed):
                    self._reported[kind] = self._reported.get(kind, 0) + 1
                    self._call(task, kind)
        finally:
            self._reporting = False

    def _due(self, task: EventSource, kind: EventKind, interval: int, passed: Callable[[], int]) -> bool:
        happened = passed() // interval if interval else int(task.done)
        return self._reported.get(kind, 0) < happened

    def _call(self, task: EventSource, kind: EventKind) -> None:
        registration = self._registered[kind]
        what: tuple[int, ...] = (0,)  # status
        if isinstance(kind, EveryNSamplesEventType):
            what = kind.value, registration.interval
        elif isinstance(kind, Signal):
            what = (kind.value,)
        try:
            registration.call(task.handle, *what, registration.data)
        except Exception:  # as in NI's library, a callback's exception reaches nobody
            logger.exception("exception in a callback of task %s", task.name)
