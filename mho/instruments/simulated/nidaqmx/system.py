"""Simulated NI-DAQmx for the real `nidaqmx` package: ``with system.selected(): nidaqmx.Task()``.

nidaqmx asks ``nidaqmx.utils._select_interpreter`` where to send its calls. That function is wrapped once a
process: inside `DaqSystem.selected` it answers with the simulated interpreter, everywhere else with NI's own.
A task keeps the interpreter it was created with, so only creating tasks, devices and systems needs the
context.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import nidaqmx.utils
import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.nidaqmx.interpreter import SimulatedInterpreter
from mho.instruments.simulated.nidaqmx.rack import Conversion, DaqRack, expand
from mho.instruments.simulated.ports import ConverterPort

# nidaqmx selects per process, so the selection has to be global here, too: a context variable gives every
# thread and every nested block its own. A thread that is started within a block begins with the block's.
_selected: ContextVar[SimulatedInterpreter | None] = ContextVar("simulated DAQmx interpreter", default=None)
_wrapping = threading.Lock()
_blocks = [0]  # how many selections last now: only then a thread that starts takes its starter's along
_plain_start = threading.Thread.start


def _wrap_selection() -> None:
    """Make nidaqmx's choice of an interpreter prefer a simulated one; a second call does nothing."""
    with _wrapping:
        original = nidaqmx.utils._select_interpreter
        if hasattr(original, "asks_simulation"):
            return

        @wraps(original)
        def select(grpc_options: Any = None, interpreter: Any = None) -> Any:
            simulated = _selected.get()
            if simulated is not None and grpc_options is None and interpreter is None:
                return simulated
            return original(grpc_options, interpreter)

        select.asks_simulation = True  # type: ignore[attr-defined]
        nidaqmx.utils._select_interpreter = select


@contextmanager
def _handing_on() -> Iterator[None]:
    """While it lasts, a thread that starts another hands its selection on to that one."""
    with _wrapping:
        _blocks[0] += 1
        threading.Thread.start = _start_selected  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        with _wrapping:
            _blocks[0] -= 1
            if not _blocks[0]:
                threading.Thread.start = _plain_start  # type: ignore[method-assign]


def _start_selected(thread: threading.Thread) -> None:
    simulated = _selected.get()
    if simulated is not None:
        run = thread.run

        def run_selected() -> None:
            _selected.set(simulated)
            run()

        thread.run = run_selected  # type: ignore[method-assign]
    _plain_start(thread)


class DaqSystem:
    """A set of simulated NI devices, wired to one port. Several can live in one process.

    PFI lines of the same number are wired together on all devices; PXI devices also share trigger lines.

    `devices`: product by device name, ``{"PXI1Slot2": "PXIe-6738", "Dev1": "USB-6363"}``; `PRODUCTS` lists them.
    `clock`: advanced by every sample generated or acquired, and by every time out.
    `rng`: draws gain and offset errors of each channel, once, then the noise.
    `port`: what lies behind the terminals.
    `outputs`, `inputs`: physical channels in the order of the port's columns; ranges such as ``"Dev1/ai0:31"`` are
        allowed. Inputs that are not listed are open and read 0 V.
    `faults`: looked at in every call of nidaqmx: each `DaqFault` in it may strike.
    `adc`, `dac`: volts (samples, channels) to volts, in place of the products' converters.
    """

    def __init__(
        self, devices: Mapping[str, str], clock: VirtualClock, rng: np.random.Generator,
        port: ConverterPort, *, outputs: Sequence[str], inputs: Sequence[str],
        faults: Sequence[Fault | DaqFault] = (), adc: Conversion | None = None,
        dac: Conversion | None = None,
    ) -> None:  # fmt: skip
        self._rack = DaqRack(devices, clock, rng, port, outputs, inputs)
        self._rack.adc, self._rack.dac = adc, dac
        self._interpreter = SimulatedInterpreter(self._rack, faults)

    @contextmanager
    def selected(self) -> Iterator[None]:
        """Make nidaqmx create its tasks, devices and systems here: in this thread, and in those it starts meanwhile."""
        _wrap_selection()
        token = _selected.set(self._interpreter)
        try:
            with _handing_on():
                yield
        finally:
            _selected.reset(token)

    @property
    def products(self) -> dict[str, str]:
        """Product by device name."""
        return {device.name: device.product.name for device in self._rack.devices.values()}

    @property
    def rng(self) -> np.random.Generator:
        """The generator of the converters' noise."""
        return self._rack.rng

    def channel_errors(self) -> tuple[Floats, Floats]:
        """Return the relative gain and offset errors of the port's outputs, then of its inputs, in its columns' order."""
        ends = (self._rack.outputs, self._rack.inputs)
        wired = [np.argsort(end.column)[np.count_nonzero(end.column < 0) :] for end in ends]
        gain, offset = (
            np.concatenate([getattr(end, name)[order] for end, order in zip(ends, wired, strict=True)])
            for name in ("gain", "offset")
        )
        return gain, offset

    def levels(self, outputs: str) -> Floats:
        """Return the volts that `outputs` (names, ranges) hold now, errors of the converters included."""
        volts: Floats = self._rack.levels[self._numbers(outputs)]
        return volts

    def reach(self, outputs: str) -> Floats:
        """Return how far from 0 V `outputs` are now, V, or go in a generation that is under way."""
        reached: Floats = self._interpreter.reach()[self._numbers(outputs)]
        return reached

    def _numbers(self, outputs: str) -> list[int]:
        return [self._rack.outputs.number[name.lower()] for name in expand([outputs])]

    def lines(self, lines: str) -> list[bool]:
        """Return the states of digital `lines` (``Dev1/port0/line0:7``)."""
        return [self._rack.lines[name] for name in expand([lines])]

    def unplug(self, device: str) -> None:
        """Make every call to `device` fail with error -201003, like a pulled cable.

        Its outputs lose their power and go to 0 V.
        """
        self._rack.unplug(device)

    def plug(self, device: str) -> None:
        """End what `unplug` began."""
        self._rack.plug(device)
