"""One analogue output of an NI device as a bare voltage source: holds a gate, and measures nothing.

X Series User Manual, chapter 5 (analogue output): an output has no relay, and holds its last level until another is
written, also after the program has ended. Nothing limits its current but itself (26 mA into a short, from memory of the
6363's specifications (?)), so that it belongs behind a series resistor: 10 kohm at a gate, through which 10 V drive 1 mA.
"""

from __future__ import annotations

from typing import Any

import nidaqmx
import numpy as np
from nidaqmx.errors import Error

from mho.errors import InputError, InstrumentError, LimitError
from mho.instruments.drivers.languages.scpi import Span, within
from mho.instruments.drivers.ni_daq import CONFIRM, NIOutputs, daqmx_errors
from mho.toml import in_unit

KEPT = Span(0.0, 10.0, "current limit", "A")


class NIOutput:
    """An analogue output as `mho.instruments.roles.VoltageSource`.

    `address`: its physical channel, ``"Dev1/ao0"``.
    `library`: what stands for NI-DAQmx on a simulated bench; nothing on hardware.
    `series`: the resistor between output and line, ohm.
    """

    model = "NI-DAQmx output"  # it has no reply to *IDN? that could say so
    VOLTAGE = Span(-10.0, 10.0, "level", "V")
    CURRENT_LIMIT = Span(1e-3, 26e-3, "current limit", "A")  # with 10 kohm, and with none (?)

    def __init__(self, address: str, library: Any = None, *, series: float | str = 10e3) -> None:
        try:
            self._most = self.VOLTAGE.maximum / float(in_unit("ohm")(series))  # A
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise InputError(
                f"`series` of output {address} is {series!r}: give ohm, '10 kohm' ({error})"
            ) from None
        self._who, self._channel, self._library = f"output {address}", address, library
        self._outputs = NIOutputs(address, **self._where())
        device, _, output = address.strip("/").partition("/")
        with daqmx_errors(self._who, "connecting"):
            self._monitor: nidaqmx.Task | None = None
            if library is None:
                self._watch(f"{device}/_{output}_vs_aognd")
            else:
                with library.selected(address):
                    self._watch(f"{device}/_{output}_vs_aognd")

    def _where(self) -> dict[str, Any]:
        if self._library is None:
            return {}
        return {"session": lambda: self._library.selected(self._channel)}

    def _watch(self, internal: str) -> None:
        """Prepare reading the output back, where the device has inputs."""
        if nidaqmx.system.Device(internal.partition("/")[0]).ai_physical_chans.channel_names:
            self._monitor = nidaqmx.Task()
            self._monitor.ai_channels.add_ai_voltage_chan(internal)

    def identify(self) -> str:
        """Return product type, device name and serial number."""
        return self._outputs.identify()

    def settings(self) -> dict[str, str]:
        """Return channel and range as text."""
        return self._outputs.settings()

    @property
    def level(self) -> float:
        """The voltage at the output, V, read back by the device; NaN where it has no inputs."""
        if self._monitor is None:
            return float("nan")
        with daqmx_errors(self._who, "reading the output back"):
            return float(np.atleast_1d(self._monitor.read())[0])

    @property
    def output_enabled(self) -> bool:
        """Whether it is away from 0 V; of a device without inputs nothing is known, and this is False."""
        return abs(self.level) > CONFIRM

    def configure(self, *, current_limit: float) -> None:
        """Check that the series resistor keeps `current_limit` (A), for nothing can be set; `LimitError` if not."""
        if not 0.0 < self._most <= within(current_limit, KEPT) * (1.0 + 1e-9):
            raise LimitError(
                f"{self._who}: an analogue output has no current limit to set, and 10 V through its series resistor are "
                f"{self._most:g} A, more than the {current_limit:g} A: put in a larger resistor and say so, options = "
                "{ series = '10 kohm' }, or raise `current_limit`"
            )

    def enable(self) -> None:
        """Take the output to 0 V; it has no relay."""
        self.hold(0.0)

    def hold(self, voltage: float) -> None:
        """Source `voltage` (V) until the next command; `LimitError` beyond +-10 V."""
        within(voltage, self.VOLTAGE)
        self._outputs.hold(self._outputs.checked([[voltage]])[0])

    def make_safe(self) -> None:
        """Take the output to 0 V, read back where the device can; raises `InstrumentError` otherwise."""
        self._outputs.make_safe()
        if self.output_enabled:
            raise InstrumentError(
                f"{self._who} still reads {self.level:.3g} V after it was set to 0 V; switch the device off and check what "
                "drives its output"
            )

    def close(self) -> None:
        """Release the tasks; the output keeps its level."""
        self._outputs.close()
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            try:
                monitor.close()
            except Error as error:
                raise InstrumentError(f"{self._who}: closing a task failed: {error}") from error
