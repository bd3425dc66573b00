"""Run NI's own tests of nidaqmx on the simulated NI-DAQmx: a plugin of pytest.

In a checkout of github.com/ni/nidaqmx-python, with what nidaqmx 1.7 needs, and mho's root and this folder on the path::

    printf '[pytest]\n' > pytest.ini
    python -W ignore -m pytest -c pytest.ini -p ni_suite tests/component/stream_readers tests/component/stream_writers

Of the 195 tests of readers and writers that need no other device (power, charge), all pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from hightime import datetime

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.nidaqmx import attributes
from mho.instruments.simulated.nidaqmx.streams import SampleClock
from mho.instruments.simulated.nidaqmx.system import DaqSystem
from mho.instruments.simulated.nidaqmx.tasks import SimulatedTask

IS_SIMULATED = 0x22CA


class Silence:
    """Terminals that nothing is wired to."""

    def exchange(self, volts: np.ndarray, period: float) -> np.ndarray:
        return np.zeros((len(volts), 0))


@pytest.fixture(autouse=True)
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[DaqSystem]:
    """Two PCIe-6363, of which one poses as hardware, and the other shows what NI's simulated devices do."""
    held, wired = SampleClock.line_samples, SampleClock._terminal_volts

    def counting(
        self: SampleClock, task: SimulatedTask, samples: int, playing: Sequence[Any] = ()
    ) -> np.ndarray:
        """Lines count in binary, eight by eight."""
        if task.kind != "di" or task.device.name != "sim":
            return held(self, task, samples, playing)
        start = counted.get(task, 0)
        counted[task] = start + samples
        places = np.array([int(line.rpartition("line")[2]) % 8 for line in task.lines])
        return (np.arange(start, start + samples)[:, None] >> places & 1).astype(bool)

    def least(self: SampleClock, task: SimulatedTask, response: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inputs show what lies within their channel's limits."""
        if task.device.name != "sim":
            return wired(self, task, response, rows)
        return np.tile([channel.minimum for channel in task.channels], (len(rows), 1))

    counted: dict[SimulatedTask, int] = {}
    monkeypatch.setattr(SampleClock, "line_samples", counting)
    monkeypatch.setattr(SampleClock, "_terminal_volts", least)
    monkeypatch.setitem(attributes.DEVICE, IS_SIMULATED, lambda rack, device: device.name == "sim")
    devices = {"sim": "PCIe-6363", "real": "PCIe-6363"}
    system = DaqSystem(
        devices,
        VirtualClock(),
        np.random.default_rng(1),
        Silence(),
        outputs=[],
        inputs=[],
        adc=lambda volts: volts,
    )
    system._rack.epoch = datetime.now(UTC)
    with system.selected():
        yield system


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what goes through gRPC."""
    items[:] = [item for item in items if "grpc" not in item.nodeid]
