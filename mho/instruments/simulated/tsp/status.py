"""The error queue and the ``status`` table of a simulated TSP instrument.

2600BS-901-01, section 8 and appendix E. (?) from memory: the size of the error queue, the texts of the negative
numbers, and 1101 and 1102.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mho.instruments.simulated.scpi.status import EventRegister, StatusModel
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, whole

QUEUE_SIZE = 100
RECOVERABLE, NO_SEVERITY = 20, 0
NODE = 1
TSP_ERROR_TEXTS = {
    0: "Queue Is Empty",
    -104: "Data type error",
    -109: "Missing parameter",
    -211: "Trigger ignored",
    -221: "Settings conflict",
    -224: "Illegal parameter value",
    -225: "Out of memory or TSP Memory allocation error",
    -240: "Hardware error",
    -285: "TSP Syntax error",
    -286: "TSP Runtime error",
    -350: "Queue overflow",
    -363: "Input buffer over-run",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
    802: "OUTPUT blocked by interlock",
    1101: "Parameter too big",
    1102: "Parameter too small",
}
_BYTE = {
    "MEASUREMENT_SUMMARY_BIT": 1, "MSB": 1, "SYSTEM_SUMMARY_BIT": 2, "SSB": 2, "ERROR_AVAILABLE": 4, "EAV": 4,
    "QUESTIONABLE_SUMMARY_BIT": 8, "QSB": 8, "MESSAGE_AVAILABLE": 16, "MAV": 16, "EVENT_SUMMARY_BIT": 32,
    "ESB": 32, "MASTER_SUMMARY_STATUS": 64, "MSS": 64, "OPERATION_SUMMARY_BIT": 128, "OSB": 128,
}  # fmt: skip
_STANDARD = {
    "OPERATION_COMPLETE": 1, "OPC": 1, "QUERY_ERROR": 4, "QYE": 4, "DEVICE_DEPENDENT_ERROR": 8, "DDE": 8,
    "EXECUTION_ERROR": 16, "EXE": 16, "COMMAND_ERROR": 32, "CME": 32, "USER_REQUEST": 64, "URQ": 64,
    "POWER_ON": 128, "PON": 128,
}  # fmt: skip
MEASURING, SWEEPING = 16, 8
VOLTAGE_LIMIT, CURRENT_LIMIT = 1, 2
_OPERATION = {"CALIBRATING": 1, "CAL": 1, "SWEEPING": SWEEPING, "SWE": SWEEPING, "MEASURING": MEASURING,
              "MEAS": MEASURING, "USER": 4096}  # fmt: skip


class ErrorQueue(ScriptTable):
    """The ``errorqueue`` table; errors themselves live in a `StatusModel`."""

    def __init__(self, status: StatusModel) -> None:
        self._status = status
        super().__init__(
            contents={"next": self._next, "clear": self._clear},
            readings={"count": lambda: len(status.errors)},
        )

    def _clear(self) -> None:
        self._status.errors.clear()

    def _next(self) -> tuple[float, str, float, float]:
        if not self._status.errors:
            return 0.0, TSP_ERROR_TEXTS[0], NO_SEVERITY, NODE
        error = self._status.next_error()
        return error.code, error.text, RECOVERABLE, NODE


class StatusTable(ScriptTable):
    """The ``status`` table.

    Parameters
    ----------
    status : Status
        What the serial poll and ``*STB?`` report.
    output_waits : callable
        Whether a reply is waiting to be read.
    sweeping : callable
        Returns the channels that sweep, as bits of ``status.operation.sweeping.condition``; asking may let
        the sweeps come to their end.
    limited : callable
        Returns the bit of the limit that stops a channel's source, by the channel's name, or 0.
    """

    def __init__(
        self,
        status: StatusModel,
        output_waits: Callable[[], bool],
        sweeping: Callable[[], int],
        limited: Callable[[str], int],
    ) -> None:
        self._status = status
        operation = _register(
            status.operation,
            _OPERATION,
            condition=lambda: SWEEPING if sweeping() else 0,
            sweeping=_register(EventRegister(), {"SMUA": 2, "SMUB": 4}, condition=sweeping),
            measuring=_register(EventRegister(), {"SMUA": 2, "SMUB": 4}, condition=sweeping),
            user=_register(EventRegister(), {}),
        )
        super().__init__(
            {
                "request_enable": Attribute(0.0, whole(0, 255), self._set_service_enable),
                "node_enable": Attribute(0.0, whole(0, 255)),
            },
            contents={
                **_BYTE,
                "standard": ScriptTable(
                    {"enable": Attribute(0.0, whole(0, 255), self._set_event_enable)},
                    contents=_STANDARD,
                    readings={"event": status.take_events, "condition": lambda: status.events},
                ),
                "operation": operation,
                "questionable": _register(status.questionable, {}),
                "measurement": _register(
                    EventRegister(),
                    {},
                    instrument=_register(
                        EventRegister(), {}, smua=_limits("smua", limited), smub=_limits("smub", limited)
                    ),
                ),
                "system": _register(EventRegister(), {}),
                "reset": self._reset,
            },
            readings={"condition": lambda: status.byte(output_waits())},
        )

    def _set_service_enable(self, mask: float) -> None:
        self._status.service_enable = int(mask) & ~64

    def _set_event_enable(self, mask: float) -> None:
        self._status.event_enable = int(mask)

    def _reset(self) -> None:
        """``status.reset()``: enables and events go; the error queue stays (?)."""
        self.restore()
        status = self._status
        status.events = status.event_enable = status.service_enable = 0
        status.operation.event = status.questionable.event = 0
        status.operation.enable = status.questionable.enable = 0


def _limits(name: str, limited: Callable[[str], int]) -> ScriptTable:
    return _register(
        EventRegister(),
        {
            "VOLTAGE_LIMIT": VOLTAGE_LIMIT,
            "VLMT": VOLTAGE_LIMIT,
            "CURRENT_LIMIT": CURRENT_LIMIT,
            "ILMT": CURRENT_LIMIT,
        },
        condition=lambda: limited(name),
    )


def _register(
    register: EventRegister,
    constants: Mapping[str, int],
    *,
    condition: Callable[[], int] | None = None,
    **inner: ScriptTable,
) -> ScriptTable:
    """Show an event register as scripts see it."""

    def enable(mask: float) -> None:
        register.enable = int(mask)

    return ScriptTable(
        {
            "enable": Attribute(0.0, whole(0, 65535), enable),
            "ptr": Attribute(65535.0, whole(0, 65535)),
            "ntr": Attribute(0.0, whole(0, 65535)),
        },
        contents={**constants, **inner},
        readings={"condition": condition or (lambda: register.condition), "event": register.take},
    )
