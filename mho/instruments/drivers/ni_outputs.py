"""NI analogue outputs that hold static levels, through nidaqmx; another instrument reads the answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import nidaqmx
import numpy as np
from nidaqmx.errors import Error
from nidaqmx.stream_writers import AnalogMultiChannelWriter
from nidaqmx.system import Device
from nidaqmx.utils import flatten_channel_string, unflatten_channel_string
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.instruments.drivers.languages.nidaqmx_errors import daqmx_errors, first_line
from mho.instruments.drivers.languages.output_vectors import checked_vectors

log = logging.getLogger(__name__)


class NIOutputs:
    """Analogue outputs of an NI device.

    Connecting changes no output.

    Parameters
    ----------
    outputs : str
        Physical channels, lists and ranges allowed: ``"PXI1Slot2/ao0:31"``.
    output_range : (float, float)
        Limits of the outputs, V: a value beyond raises before anything is sent.
    session : callable
        Returns the context in which tasks are created: `DaqSystem.selected` of a simulated system,
        nothing on hardware.

    Raises
    ------
    InstrumentError
        When NI-DAQmx, a device or a channel is missing.
    """

    def __init__(
        self,
        outputs: str,
        *,
        output_range: tuple[float, float] = (-10.0, 10.0),
        session: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._who = f"DAQ {outputs}"
        self._low, self._high = output_range
        with self._daqmx("connecting"), session():
            self._outputs = unflatten_channel_string(outputs)
            self._task: nidaqmx.Task | None = nidaqmx.Task()
            try:
                self._describe(self._task)
            except BaseException:
                self.close()
                raise

    def _describe(self, task: nidaqmx.Task) -> None:
        names = dict.fromkeys(name.partition("/")[0] for name in self._outputs)
        self._identity = "; ".join(
            f"NI {device.product_type} ({device.name}, serial {device.serial_num:08X})"
            for device in map(Device, names)
        )
        task.ao_channels.add_ao_voltage_chan(",".join(self._outputs), min_val=self._low, max_val=self._high)
        self._writer = AnalogMultiChannelWriter(task.out_stream, auto_start=True)

    @property
    def output_count(self) -> int:
        """Number of analogue outputs."""
        return len(self._outputs)

    def identify(self) -> str:
        """Return product types, device names and serial numbers."""
        return self._identity

    def settings(self) -> dict[str, str]:
        """Return channels and range as text."""
        return {
            "outputs": flatten_channel_string(self._outputs),
            "output_range": f"{self._low:g} V to {self._high:g} V",
        }

    def checked(self, volts: ArrayLike) -> Floats:
        """Return vectors, (samples, outputs), that can be held; raise `InputError` or `LimitError` for others."""
        return checked_vectors(
            volts, self.output_count, self._low, self._high, self._who, self._outputs.__getitem__
        )

    def hold(self, vector: Floats) -> None:
        """Hold levels (V) on the first outputs until the next command; the other outputs go to 0 V."""
        levels = np.zeros(self.output_count)
        levels[: len(vector)] = vector
        with self._daqmx("writing static outputs"):
            self._writer.write_one_sample(levels)

    def make_safe(self) -> None:
        """Bring all outputs to 0 V, confirmed by NI-DAQmx accepting the write; raises `InstrumentError` otherwise."""
        with self._daqmx("bringing the outputs to 0 V (NOT confirmed)"):
            self._writer.write_one_sample(np.zeros(self.output_count))

    def close(self) -> None:
        """Release the task; outputs keep their levels. A second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            try:
                task.close()
            except Error as error:
                log.warning("%s: closing its task failed: %s", self._who, first_line(error))

    def _daqmx(self, doing: str) -> AbstractContextManager[None]:
        return daqmx_errors(self._who, doing)
