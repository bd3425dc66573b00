"""Arbitrary waveforms of the SCPI pulse generators: from 0 V and back, fired like pulses."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import LimitError
from mho.instruments.drivers.languages.scpi import CHECK, Span, one_of, whole, within
from mho.instruments.drivers.languages.scpi_pulses import CHANNELS, ConfirmedWaveform, PulseInstrument


class WaveformInstrument(PulseInstrument):
    """A pulse generator that also plays waveforms; a model adds how a waveform is stored and selected.

    Attributes
    ----------
    waveform_size : Span
        Samples in a waveform.
    interval : Span
        From sample to sample, s.
    fastest_cycle : float
        Shortest total duration of a waveform, s.
    """

    waveform_size: ClassVar[Span]
    interval: ClassVar[Span]
    fastest_cycle: ClassVar[float] = 0.0

    @property
    def step_edge(self) -> float:
        """Shortest transition time (10 to 90 %) of the output between samples, s."""
        return self.abilities.edge.minimum

    def check_waveform(self, volts: ArrayLike, *, interval: float, count: int = 1) -> Floats:
        """Return the samples as they will be played, from 0 V and back; nothing is sent.

        Raises
        ------
        LimitError
            For a value beyond the instrument's abilities.
        """
        values = _framed(_waveform(volts), int(self.waveform_size.minimum))
        within(values.size, self.waveform_size)
        within(interval, self.interval)
        within(float(np.abs(values).max()), self.abilities.amplitude)
        whole(count, self.abilities.cycles)
        cycle = values.size * interval
        if cycle < self.fastest_cycle:
            raise LimitError(
                f"{self._title} takes {self.fastest_cycle:g} s for a waveform at least, not {cycle:g} s; "
                "choose a longer interval, or more samples"
            )
        return values

    def shape_waveform(self, channel: int, volts: ArrayLike, *, interval: float) -> None:
        """Set a waveform on `channel`, which `fire` then plays instead of pulses; its output is on afterwards.

        The output idles at the waveform's first sample. Samples of 0 V are therefore added at the ends where the waveform
        is not at 0 V, and at its end when it is too short. A waveform of both signs is played between levels of the same
        magnitude, so that 0 V is exact.

        Parameters
        ----------
        volts : array_like of float, shape (n,)
            Volts into high impedance; the largest of them is at least 2 mV and at most 10 V.
        interval : float
            From sample to sample, s.

        Raises
        ------
        LimitError
            For a value beyond the instrument's abilities; nothing has been sent.
        InstrumentError
            When the instrument has no such channel, or refuses.
        """
        one_of(channel, CHANNELS, f"channel of {self._title}")
        values = self.check_waveform(volts, interval=interval)
        self._check_bound(channel, float(np.abs(values).max()))
        cycle = values.size * interval
        high, low = _levels(values)
        self._shapes[channel] = None
        self._live.add(channel)
        fractions = np.clip((values - low) / (high - low) * 2.0 - 1.0, -1.0, 1.0)
        self.exchange(";".join(self._idling(channel)))
        self.exchange(";".join(self._stored(channel, fractions, interval)))
        level = f":SOUR{channel}:VOLT"
        levels = [f"{level}:LOW {low:.9e}", f"{level}:HIGH {high:.9e}"]
        self.exchange(";".join([*self._rest(channel), *self._bounding(channel), *levels]))
        self._confirm_bound(channel)
        self.exchange(";".join(self._arming(channel)))
        self._shapes[channel] = ConfirmedWaveform(cycle)

    def _forget_waveform(self, channel: int) -> None:
        """Require a new shape before the channel fires: its waveform is no longer in memory."""
        if isinstance(self._shapes.get(channel), ConfirmedWaveform):
            self._shapes[channel] = None

    def _stored(self, channel: int, fractions: Floats, interval: float) -> list[str]:
        """Store a waveform of -1 (low level) to 1, and return the commands that select it; the output is off."""
        raise NotImplementedError

    def _send_waveform(self, header: str, data: bytes) -> None:
        """Send samples in a definite block (IEEE 488.2-1992, 7.7.6.2)."""
        length = str(len(data))
        # Terminated here: PyVISA adds its termination to text only.
        self.write_bytes(f"{header},#{len(length)}{length}".encode() + data + f"{CHECK}\n".encode())
        self.check_set_errors()


def full_scale(samples: ArrayLike, length: Span) -> Floats:
    """Return `samples`, shape (n,), as an array when there are enough of them and all lie in -1 to 1.

    Raises
    ------
    LimitError
        When they do not, or there are too many or too few.
    """
    values = _waveform(samples)
    within(values.size, length)
    if not np.all(np.abs(values) <= 1.0):
        raise LimitError(f"the waveform reaches {np.abs(values).max():g}; scale it to -1 to 1")
    return values


def _waveform(samples: ArrayLike) -> Floats:
    try:
        values = np.asarray(samples, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LimitError("a waveform is a list of numbers; this one holds something else") from error
    if values.ndim != 1:
        raise LimitError(f"a waveform has one axis, not {values.ndim}; send one a channel")
    if not values.size:
        raise LimitError("the waveform has no samples; give some")
    return values


def _framed(values: Floats, least: int) -> Floats:
    """Add 0 V before and after `values`, and more after them until there are `least` samples."""
    before = int(values[0] != 0.0)
    behind = max(int(values[-1] != 0.0), least - before - values.size)
    return np.pad(values, (before, behind))


def _levels(values: Floats) -> tuple[float, float]:
    """Return a high and a low level (V) between which 0 V is exactly a converter code."""
    highest, lowest = float(values.max()), float(values.min())
    if highest > 0.0 > lowest:
        highest = max(highest, -lowest)
        return highest, -highest
    return max(highest, 0.0), min(lowest, 0.0)
