"""The IEEE 488.2 status model of a simulated instrument: errors, event registers, service requests."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

# SCPI-1999 volume 2, chapter 21.8
ERROR_TEXTS = {
    0: "No error", -100: "Command error", -101: "Invalid character", -102: "Syntax error",
    -103: "Invalid separator", -104: "Data type error", -108: "Parameter not allowed",
    -109: "Missing parameter", -113: "Undefined header", -114: "Header suffix out of range",
    -120: "Numeric data error", -121: "Invalid character in number", -123: "Exponent too large",
    -128: "Numeric data not allowed", -131: "Invalid suffix", -138: "Suffix not allowed",
    -144: "Character data too long", -151: "Invalid string data", -158: "String data not allowed",
    -161: "Invalid block data", -168: "Block data not allowed", -170: "Expression error",
    -200: "Execution error", -211: "Trigger ignored", -213: "Init ignored", -221: "Settings conflict",
    -222: "Data out of range", -223: "Too much data", -224: "Illegal parameter value", -225: "Out of memory",
    -240: "Hardware error", -310: "System error", -350: "Queue overflow", -363: "Input buffer overrun",
    -410: "Query INTERRUPTED", -420: "Query UNTERMINATED", -430: "Query DEADLOCKED",
    -440: "Query UNTERMINATED after indefinite response",
}  # fmt: skip

POWER_ON, COMMAND_ERROR, EXECUTION_ERROR, DEVICE_ERROR, QUERY_ERROR, OPERATION_COMPLETE = 128, 32, 16, 8, 4, 1
MASTER_SUMMARY, EVENT_SUMMARY, MESSAGE_AVAILABLE, ERROR_AVAILABLE = 64, 32, 16, 4
OPERATION_SUMMARY, QUESTIONABLE_SUMMARY, MEASUREMENT_SUMMARY = 128, 8, 1


class ScpiError(Exception):
    """Raised by a handler to refuse a command: an error number, and a detail for the user."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class QueuedError(NamedTuple):
    """One entry of the error queue: number, text, and virtual time (s) when it happened."""

    code: int
    text: str
    time: float = 0.0


NO_ERROR = QueuedError(0, ERROR_TEXTS[0])


@dataclass
class EventRegister:
    """A SCPI register group (OPERation, QUEStionable): condition, latched event, enable mask."""

    condition: int = 0
    event: int = 0
    enable: int = 0

    def update(self, condition: int) -> None:
        """Set the new condition bits; rising ones are latched in the event register."""
        self.event |= condition & ~self.condition
        self.condition = condition

    def take(self) -> int:
        """Return the event register and clear it, as its query does."""
        event, self.event = self.event, 0
        return event


def event_bit(code: int) -> int:
    """Return the bit of the standard event register which an error number sets (SCPI-1999 21.8.8)."""
    if code > 0 or -400 < code <= -300:
        return DEVICE_ERROR
    return {1: COMMAND_ERROR, 2: EXECUTION_ERROR, 4: QUERY_ERROR}.get(-code // 100, DEVICE_ERROR)


@dataclass
class StatusModel:
    """The status behind ``*STB?``: the error queue (first in, first out), the registers, and the SRQ line."""

    capacity: int = 32
    events: int = POWER_ON
    event_enable: int = 0
    service_enable: int = 0
    operation: EventRegister = field(default_factory=EventRegister)
    questionable: EventRegister = field(default_factory=EventRegister)
    measurement: EventRegister = field(default_factory=EventRegister)  # an older Keithley's
    errors: deque[QueuedError] = field(default_factory=deque)
    service_requests: int = 0  # number of assertions of the SRQ line so far
    requesting: bool = False  # RQS, cleared by a serial poll
    _summary: bool = False

    def push(self, error: QueuedError) -> None:
        """Queue an error; a full queue ends in -350 (SCPI-1999 21.8.1)."""
        self.events |= event_bit(error.code)
        if len(self.errors) < self.capacity:
            self.errors.append(error)
        else:
            self.errors[-1] = QueuedError(-350, ERROR_TEXTS[-350], error.time)
            self.events |= event_bit(-350)

    def next_error(self) -> QueuedError:
        """Remove and return the oldest error, or "No error"."""
        return self.errors.popleft() if self.errors else NO_ERROR

    def take_events(self) -> int:
        """Return the standard event register and clear it (``*ESR?``)."""
        events, self.events = self.events, 0
        return events

    def clear(self) -> None:
        """Clear errors and events (``*CLS``); the enable masks stay."""
        self.errors.clear()
        self.events = self.operation.event = self.questionable.event = self.measurement.event = 0
        self.requesting = False

    def byte(self, message_available: bool) -> int:
        """Return the status byte with the master summary in bit 6 (``*STB?``)."""
        reasons = (
            (ERROR_AVAILABLE, self.errors), (MESSAGE_AVAILABLE, message_available),
            (QUESTIONABLE_SUMMARY, self.questionable.event & self.questionable.enable),
            (EVENT_SUMMARY, self.events & self.event_enable),
            (OPERATION_SUMMARY, self.operation.event & self.operation.enable),
            (MEASUREMENT_SUMMARY, self.measurement.event & self.measurement.enable),
        )  # fmt: skip
        value = sum(bit for bit, reason in reasons if reason)
        return value | MASTER_SUMMARY if value & self.service_enable else value

    def poll(self, message_available: bool) -> int:
        """Return the status byte with RQS in bit 6 and release the SRQ line (serial poll)."""
        value = self.byte(message_available) & ~MASTER_SUMMARY
        if self.requesting:
            value |= MASTER_SUMMARY
            self.requesting = False
        return value

    def update_service_request(self, message_available: bool) -> None:
        """Assert SRQ when the master summary rises."""
        summary = bool(self.byte(message_available) & MASTER_SUMMARY)
        if summary and not self._summary:
            self.requesting = True
            self.service_requests += 1
        self._summary = summary
