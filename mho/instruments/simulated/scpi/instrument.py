"""A SCPI instrument declared in Python: decorate methods, declare settings, and it speaks IEEE 488.2.

::

    class Board(ScpiDevice):
        identity = "MHO,ARRAY BOARD,{serial},1.0"

        mode = Setting("[:SYSTem]:MODE", Choice("SAFE", ("SAFE", "PROGram")))     # :MODE PROG  :MODE?
        gain = IndexedSetting(":GAIN[1|2]", Numeric(1.0, 0.1, maximum=limit))     # self.gain[2]

        @mode.check                                   # before it is stored; may raise ScpiError
        def _check_mode(self, mode: str) -> None: ...

        @mode.on_change                               # after it is stored; also gain's, with the suffix first
        def _mode_changed(self, mode: str) -> None: ...

        @command(":ROUTe:CELL", Text(), Numeric(integer=True), Numeric(integer=True))
        def select(self, array: str, row: float, column: float) -> None: ...

        @query(":READ:ARRay", ChannelList())          # the question mark is implied
        def read_array(self, channels: tuple[int, ...]) -> str: ...

        commands = {                                  # handlers of one expression each, behind their parameters
            ":SLOT:COUNt?": lambda self: str(self.count), ":SLOT:BEEP": (Numeric(), lambda self, hertz: None),
        }

An instrument owns parts, such as its source: each is a `ScpiPart`, which declares its settings and commands in the same
way. The device names their classes in `parts`, and makes them in that order; of a part with `channels` one for each, and
the suffix of its ``NODE[1|2]`` says which of them a command is for.

In a header, upper case is the short form, ``[:NODE]`` may be left out, ``NODE[1|2]`` takes a suffix, which
the handler receives first. ``<function>`` stands for the functions of a source or meter: `FunctionSetting`, and
`command` with `functions`, name them, and the handler receives the function first. A handler refuses with
``raise ScpiError(-221)``; a query returns text (`block_text` for bytes). ``*RST`` restores every setting's default
and then calls `reset`. Time passes only by `self.clock`. The transports use `write`, `read`, `status_byte`,
`clear` and `trigger`, and set `stream` where replies follow each other without message boundaries (serial ports,
sockets).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.language import (
    Call,
    FunctionSetting,
    IndexedSetting,
    Language,
    Setting,
    command,
    query,
    resolve,
    split_messages,
)
from mho.instruments.simulated.scpi.parameters import Numeric
from mho.instruments.simulated.scpi.status import ERROR_TEXTS, NO_ERROR, QueuedError, ScpiError, StatusModel

__all__ = [
    "FunctionSetting",
    "IndexedSetting",
    "ScpiDevice",
    "ScpiError",
    "ScpiPart",
    "Setting",
    "command",
    "query",
]

_BYTE = Numeric(0, 0, 255, integer=True)
_REGISTERS = {"operation": "OPERation", "questionable": "QUEStionable"}


class ScpiPart:
    """A part that an instrument owns, with settings and commands of its own; `device` is the instrument."""

    channels: ClassVar[tuple[int, ...]] = ()  # of which there is one each

    def __init__(self, device: Any) -> None:
        self.device = device
        self.real_format, self.integer_format = device.real_format, device.integer_format
        device.own(self)

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error of this number at the instrument."""
        self.device.push_error(code, detail)

    def reset(self) -> None:
        """Perform the part of ``*RST`` beyond restoring the settings; the instrument's own comes first."""


class ScpiDevice:
    """Base of the simulated SCPI instruments, on the bench's clock and generator; `serial` is for ``*IDN?``."""

    identity: ClassVar[str] = "MHO,SCPI DEVICE,{serial},1.0"
    real_format: ClassVar[str] = "%.6E"
    integer_format: ClassVar[str] = "%d"
    scpi_version: ClassVar[str] = "1999.0"
    error_capacity: ClassVar[int] = 32
    common_after_colon: ClassVar[bool] = False  # whether ``:*CLS`` is ``*CLS``
    parts: ClassVar[tuple[type[ScpiPart], ...]] = ()
    _language: ClassVar[Language]

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        self.clock, self.rng, self.serial = clock, rng, serial
        self.status = StatusModel(self.error_capacity)
        self.stream = False
        self._input = b""
        self._output = b""
        self._no_error = self.format_error(NO_ERROR)
        self._owners: tuple[Any, ...] = ()  # of settings and commands: itself, and its parts
        self.own(self)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._language = Language(cls, cls.parts)

    def own(self, owner: Any) -> None:
        """Add what has settings, with their defaults; a part does so itself when it is made."""
        for setting in self._language.owned[len(self._owners)].values():
            setting.restore(owner)
        self._owners += (owner,)

    # --- what transports use ---

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a program message or a part of one; complete at a line feed outside a data block, or at `end` (END)."""
        if not self._input:
            calls = self._language.known.get(data)
            if calls is not None:
                self._run(calls)
                return
            if b"#" not in data:
                first = data.find(b"\n")
                if first == len(data) - 1:
                    self._run(self._language.understood(data))
                    return
                if end and first < 0:
                    self._run(self._language.parse(data.strip()))
                    return
        messages, self._input = split_messages(self._input + data)
        if end and self._input:
            messages.append(self._input)
            self._input = b""
        for message in messages:
            keep = b"#" not in message and len(message) < 1000
            self._run((self._language.parse if keep else self._language.compile)(message))

    def read(self) -> bytes:
        """Return the queued response message; without one, -420 is queued and nothing returned."""
        output = self._output
        if output:
            self._output = b""
        elif not self.stream:
            self.push_error(-420)
        return output

    def status_byte(self) -> int:
        """Return the status byte as a serial poll does: RQS in bit 6, and the request is released."""
        return self.status.poll(bool(self._output))

    @property
    def service_requests(self) -> int:
        """Number of service requests of the instrument so far."""
        return self.status.service_requests

    def clear(self) -> None:
        """Device clear: empty the input buffer and the output queue; settings and errors stay."""
        self._input = self._output = b""

    def trigger(self) -> None:
        """Bus trigger: as ``*TRG``."""
        self._run(self._language.parse(b"*TRG"))

    # --- what instruments use ---

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error of this number."""
        text = self.error_texts().get(code, "Device-specific error")
        self.status.push(QueuedError(code, f"{text};{detail}" if detail else text, self.clock.now))
        if self.status.service_enable:
            self.status.update_service_request(bool(self._output))

    def error_texts(self) -> dict[int, str]:
        """Return the texts of the error numbers; a model overrides those that differ."""
        return ERROR_TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Format an entry of the error queue as ``:SYST:ERR?`` replies it."""
        return f'{error.code},"{error.text}"'

    def real(self, value: float) -> str:
        """Format a number as the instrument does."""
        return self.real_format % value

    def reset(self) -> None:
        """Perform the part of ``*RST`` beyond restoring the settings."""

    def _run(self, calls: list[Call]) -> None:
        """Execute one program message and queue its response."""
        if self._output and not self.stream:
            self._output = b""
            self.push_error(-410)
        replies: list[str] = []
        owners = self._owners
        for call in calls:
            function, arguments, late, _, index = call
            owner = owners[index]
            try:
                reply = function(owner, *(resolve(call, owner) if late else arguments))
            except ScpiError as error:
                self.push_error(error.code, error.detail)
            else:
                if reply is not None:
                    replies.append(reply)
        if replies:
            self._output += ";".join(replies).encode("latin-1") + b"\n"
        if self.status.service_enable:
            self.status.update_service_request(bool(self._output))

    # IEEE 488.2 common commands, and SCPI's required ones
    commands: ClassVar[Mapping[str, Any]] = {
        "*IDN?": lambda self: self.identity.format(serial=self.serial),
        "*RST": lambda self: self._reset(),
        "*CLS": lambda self: self.status.clear(),
        "*ESE?": lambda self: str(self.status.event_enable),
        "*ESR?": lambda self: str(self.status.take_events()),
        "*SRE?": lambda self: str(self.status.service_enable),
        "*STB?": lambda self: str(self.status.byte(bool(self._output))),
        "*OPC": lambda self: setattr(self.status, "events", self.status.events | 1),
        "*OPC?": lambda self: "1",
        "*WAI": lambda self: None,  # nothing is pending between two messages on the virtual clock
        "*TST?": lambda self: "0",
        "*OPT?": lambda self: "0",
        ":SYSTem:ERRor:COUNt?": lambda self: str(len(self.status.errors)),
        ":SYSTem:CLEar": lambda self: self.status.errors.clear(),
        ":SYSTem:VERSion?": lambda self: self.scpi_version,
        ":STATus:OPERation[:EVENt]?": lambda self: str(self.status.operation.take()),
        ":STATus:OPERation:CONDition?": lambda self: str(self.status.operation.condition),
        ":STATus:QUEStionable[:EVENt]?": lambda self: str(self.status.questionable.take()),
        ":STATus:QUEStionable:CONDition?": lambda self: str(self.status.questionable.condition),
    }

    def _reset(self) -> None:
        for owner, settings in zip(self._owners, self._language.owned, strict=True):
            for setting in settings.values():
                setting.restore(owner)
        for owner in self._owners:
            owner.reset()

    @command("*ESE", _BYTE)
    def _set_event_enable(self, mask: float) -> None:
        self.status.event_enable = int(mask)

    @command("*SRE", _BYTE)
    def _set_service_enable(self, mask: float) -> None:
        self.status.service_enable = int(mask) & ~64  # bit 6 cannot enable itself

    @command("*TRG")
    def on_trigger(self) -> None:
        """React to ``*TRG`` or a bus trigger; -211 when nothing is armed."""
        raise ScpiError(-211)

    @query(":SYSTem:ERRor[:NEXT]")
    def _next_error(self) -> str:
        if not self.status.errors:
            return self._no_error
        error = self.status.next_error()
        if '"' in error.text:
            error = error._replace(text=error.text.replace('"', '""'))
        return self.format_error(error)

    @command(":STATus:PRESet")
    def _preset_status(self) -> None:
        status = self.status
        status.operation.enable = status.questionable.enable = status.measurement.enable = 0

    @command(":STATus:<function>:ENABle", Numeric(0, 0, 32767, integer=True), functions=_REGISTERS)
    def _enable_register(self, register: str, mask: float) -> None:
        getattr(self.status, register).enable = int(mask)


ScpiDevice._language = Language(ScpiDevice)
