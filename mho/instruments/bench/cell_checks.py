"""What may be done to a cell of this bench: arguments, limits, and the instruments' abilities; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mho.array_types import Floats
from mho.errors import BenchError, InputError
from mho.instruments.bench import arguments as given
from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench_file.bench_file import ReadSettings
from mho.instruments.limits import Limits
from mho.instruments.roles import Pulse


class CellChecks:
    """Checks before reads, sweeps, pulses and waveforms; the methods of `Bench` of the same names say what they raise.

    Parameters
    ----------
    limits : Limits
    instruments : BenchInstruments
        A driver may know more of its abilities than the limits: `check_shape`, `check_sweep`, `check_waveform`.
    settings : ReadSettings
        The bench file's.
    """

    def __init__(self, limits: Limits, instruments: BenchInstruments, settings: ReadSettings) -> None:
        self._limits, self._instruments, self._settings = limits, instruments, settings

    def read(self) -> None:
        """Check the settings of the bench file."""
        read = self._settings
        for line, volts in (("bit line", read.voltage), ("word line", read.gate)):
            self._limits.check_level(line, volts)
            self._limits.check_current(line, read.current_limit)

    def read_voltage(self, voltage: float | None) -> float:
        """Return the voltage (V) of a read, the bench file's unless given."""
        if voltage is None:
            return self._settings.voltage
        volts = given.number(voltage, "read voltage", "V")
        if volts == 0.0:
            raise InputError(
                "read voltage is 0 V, at which no current flows; leave it out for the bench's own"
            )
        self._limits.check_level("bit line", volts)
        return volts

    def sweep(self, volts: Sequence[float], gate: float, delay: float | None = None) -> list[float]:
        """Return the levels (V) of a sweep with a wait (s) at each."""
        volts = given.levels(volts, "levels of a sweep")
        self._limits.check_voltage("bit line", max(volts, key=abs, default=0.0))  # report the worst one
        for before, level in pairwise([0.0, *volts, 0.0]):
            self._limits.check_level("bit line", level, before)
        self._limits.check_level("word line", given.number(gate, "word-line voltage", "V"))
        able = getattr(self._instruments.smu, "check_sweep", None)
        if (
            able is not None and delay is not None
        ):  # a user's own driver need not know its sample times beforehand
            able(volts, delay)
        return volts

    def pulse(self, pulse: Pulse, count: int) -> Pulse:
        """Return a pulse."""
        pulse = given.pulse(pulse)
        pulser = self._instruments.pulser
        self._limits.check_pulse(given.LINES[pulse.kind], pulse.voltage, pulse.width, pulser.edge)
        self._limits.check_level("word line", pulse.gate)
        able = getattr(pulser, "check_shape", None)
        if able is not None:
            able(voltage=pulse.voltage, width=pulse.width, count=count)
        return pulse

    def waveform(
        self, kind: str, volts: Sequence[float] | Floats, *, interval: float, gate: float, count: int
    ) -> Floats:
        """Return the samples (V) of a waveform."""
        count = given.count(count, "count of waveforms")
        line = given.driven_line(kind)
        values = given.samples(volts, "waveform")
        interval = given.finite(interval, "interval from sample to sample", "s")
        gate = given.number(gate, "word-line voltage", "V")
        pulser = self.player()
        self._limits.check_waveform(line, values, interval, pulser.step_edge)
        self._limits.check_level("word line", gate)
        pulser.check_waveform(values, interval=interval, count=count)
        return values

    def player(self) -> Any:
        """Return the pulse generator, if it plays waveforms."""
        if getattr(self._instruments.pulser, "shape_waveform", None) is None:
            raise BenchError("this bench's pulse generator plays no waveforms; use pulses")
        return self._instruments.pulser
