"""One source-measure unit of the simulated 2636B, ``smua`` or ``smub``: its parts, and what each needs of the others."""

from __future__ import annotations

from mho.instruments.simulated.keithley2636b.accuracy import Specimen
from mho.instruments.simulated.keithley2636b.buffers import CAPACITY, ReadingBuffer
from mho.instruments.simulated.keithley2636b.contact import CONSTANTS, ContactCheck
from mho.instruments.simulated.keithley2636b.meter import Meter
from mho.instruments.simulated.keithley2636b.source import UnitSource
from mho.instruments.simulated.keithley2636b.sweep import TriggerModel
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, choice, whole


class SourceMeasureUnit:
    """A source, a meter, a trigger model, a contact check and two buffers.

    Parameters
    ----------
    device : TspDevice
        The instrument it is part of.
    number : int
        1 for smua, 2 for smub.
    port : SourcePort or None
        What its terminals are wired to; None when they are open.
    specimen : Specimen
        Its errors.
    interlock : bool
        Whether the interlock is closed, which the 200 V range needs.
    """

    def __init__(
        self, device: TspDevice, number: int, port: SourcePort | None, specimen: Specimen, *, interlock: bool
    ) -> None:
        self._device = device
        self.source = UnitSource(
            port,
            specimen,
            catch_up=device.catch_up,
            aperture=lambda: self._meter.aperture,
            sweep_limit=lambda: self.model.limit,
            interlock=interlock,
        )
        self._meter = Meter(device, self.source, specimen, remote=lambda: self.group["sense"] == 1)
        self._buffers = (self._make_buffer(CAPACITY), self._make_buffer(CAPACITY))
        self.model = TriggerModel(device, self.source, self._meter)
        self.group = ScriptTable(
            {"sense": Attribute(0.0, choice(0, 1, 3))},
            contents={
                **CONSTANTS,
                "source": self.source.table,
                "measure": self._meter.group,
                "trigger": self.model.group,
                "contact": ContactCheck(f"SMU {'AB'[number - 1]}", self.source, device.clock),
                "nvbuffer1": self._buffers[0],
                "nvbuffer2": self._buffers[1],
                "makebuffer": lambda size: device.bind(self._make_buffer(int(whole(1, CAPACITY)(size)))),
                "savebuffer": lambda buffer: None,
                "measureiandstep": lambda volts: self._meter.measure_and_step("i", volts),
                "measureivandstep": lambda volts: self._meter.measure_and_step("iv", volts),
                "measurevandstep": lambda volts: self._meter.measure_and_step("v", volts),
                "reset": self.reset,
                "abort": self.model.abort,
            },
        )
        self.source.apply()

    @property
    def limit(self) -> float:
        """The largest current (A) that can flow."""
        return self.source.limit

    def _make_buffer(self, size: int) -> ReadingBuffer:
        return ReadingBuffer(size, self._device.catch_up)

    def reset(self) -> None:
        """``smua.reset()``: the defaults, output off; timers keep their settings (p. 7-167)."""
        self.model.abort()
        self.group.restore()
        self.model.release()
        for buffer in self._buffers:
            buffer.clear()
        self._meter.forget()
        self.source.apply()
