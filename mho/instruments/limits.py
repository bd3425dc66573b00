"""Soft limits of the bench's terminals: a value outside raises before anything is sent and is never truncated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mho.errors import LimitError

SOURCE_EDGE = 50e-6  # s, transition time of a source-measure unit to a new level (?: no manual specifies it)
RISE = 0.8  # share of a pulse's amplitude, from 10 to 90 %, to which its edge time refers
SAMPLES = 4096  # vectors whose steps are looked at together


@dataclass(frozen=True)
class TerminalLimits:
    """Limits of one terminal (bit line, source line, word line, vector).

    Attributes
    ----------
    voltage : float
        Largest magnitude, V.
    current : float
        Largest current limit that may be set, A.
    pulse_width : float
        Longest pulse, s; a constant level of a pulse generator counts as a pulse without an end.
    slew : float
        Steepest change, V/s: 10 to 90 % of a pulse over its edge time, a source's step over `SOURCE_EDGE`, the
        step from one vector to the next over the sample period.

    Examples
    --------
    >>> mho.TerminalLimits(voltage=3.3, pulse_width=1e-3).current
    inf
    """

    voltage: float
    current: float = math.inf
    pulse_width: float = math.inf
    slew: float = math.inf

    def stricter(self, other: TerminalLimits) -> TerminalLimits:
        """Return the lower of each two limits."""
        return TerminalLimits(
            *(min(getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        )


@dataclass(frozen=True)
class Limits:
    """The limits of all terminals of a bench, by terminal name; immutable.

    Attributes
    ----------
    terminals : mapping of str to TerminalLimits

    Raises
    ------
    LimitError
        By its checks, for a value beyond a limit, before anything is sent.

    Examples
    --------
    >>> limits = mho.Limits({"bit_line": mho.TerminalLimits(3.3)})
    >>> limits.check_voltage("bit_line", 3.0)
    >>> try:
    ...     limits.check_voltage("bit_line", 5.0)
    ... except mho.LimitError as error:
    ...     print(str(error).partition(";")[0])
    bit_line: voltage of 5 V exceeds the limit of 3.3 V
    """

    terminals: Mapping[str, TerminalLimits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "terminals", MappingProxyType(dict(self.terminals)))

    def lifted(self) -> Limits:
        """Return limits that allow every value; only for a rehearsal, where no hardware can be damaged."""
        return Limits({name: TerminalLimits(math.inf) for name in self.terminals})

    def highest(self, terminal: str) -> float:
        """Return the largest voltage (V) allowed at a terminal; infinite where it has no limits."""
        limits = self.terminals.get(terminal)
        return math.inf if limits is None else limits.voltage

    def check_voltage(self, terminal: str, volts: float) -> None:
        """Raise `LimitError` when |volts| exceeds the terminal's limit or is not a finite number."""
        self._check(terminal, "voltage", volts, self._of(terminal).voltage, "V")

    def check_current(self, terminal: str, amperes: float) -> None:
        """Raise `LimitError` when a current limit would exceed the terminal's own."""
        self._check(terminal, "current", amperes, self._of(terminal).current, "A")

    def check_level(self, terminal: str, volts: float, before: float = 0.0) -> None:
        """Raise `LimitError` when a source's step from `before` to `volts` is too high or too steep."""
        self.check_voltage(terminal, volts)
        self._check_slew(terminal, (volts - before) / SOURCE_EDGE, "step there in smaller steps")

    def check_pulse(self, terminal: str, volts: float, width: float, edge: float) -> None:
        """Raise `LimitError` when a pulse is too high, too long, or too steep with an `edge` of 10 to 90 %, s."""
        self.check_voltage(terminal, volts)
        self._check(terminal, "pulse width", width, self._of(terminal).pulse_width, "s")
        self._check_slew(terminal, RISE * volts / edge, "give [instruments.pulser] a longer `edge`")

    def check_waveform(self, terminal: str, volts: NDArray[np.float64], interval: float, edge: float) -> None:
        """Raise `LimitError` when a waveform from 0 V and back is too high, too steep, or too long away from 0 V.

        Parameters
        ----------
        volts : (n,) array
            Its samples, V.
        interval : float
            From sample to sample, s.
        edge : float
            Transition time of the output between samples, 10 to 90 %, s.
        """
        self.check_voltage(terminal, float(volts[np.argmax(np.abs(volts))]))
        framed = np.concatenate([[0.0], volts, [0.0]])
        at_rest = np.flatnonzero(framed == 0.0)
        longest = int(np.diff(at_rest).max()) - 1
        self._check(terminal, "pulse width", longest * interval, self._of(terminal).pulse_width, "s")
        steepest = RISE * float(np.abs(np.diff(framed)).max()) / edge
        self._check_slew(terminal, steepest, "choose smaller steps from sample to sample")

    def check_vectors(self, terminal: str, volts: NDArray[np.float64], period: Callable[[], float]) -> None:
        """Raise `LimitError` when vectors, (samples, lines), are too high, or the steps between them too steep.

        `period` returns the time between vectors, s; it is called only where the slew is limited.
        """
        largest, slew = _largest(volts), self._of(terminal).slew
        self.check_voltage(terminal, largest)
        if math.isfinite(slew) and 2.0 * largest > slew * period():  # else no step can be too steep
            parts = (volts[start : start + SAMPLES + 1] for start in range(0, len(volts), SAMPLES))
            step = max((_largest(np.diff(part, axis=0)) for part in parts), default=0.0)
            self._check_slew(terminal, step / period(), "choose a lower sample rate, or smaller vectors")

    def _of(self, terminal: str) -> TerminalLimits:
        try:
            return self.terminals[terminal]
        except KeyError:
            raise LimitError(
                f'terminal {terminal!r} has no limits: add [limits."{terminal}"] to the bench file'
            ) from None

    def _check_slew(self, terminal: str, slew: float, advice: str) -> None:
        self._check(terminal, "slew", abs(slew), self._of(terminal).slew, "V/s", advice)

    @staticmethod
    def _check(
        terminal: str, what: str, value: float, limit: float, unit: str, advice: str = "lower it"
    ) -> None:
        if not abs(value) <= limit:
            raise LimitError(
                f"{terminal}: {what} of {value:.6g} {unit} exceeds the limit of {limit:.6g} {unit}; "
                f"{advice}, or raise the limit in the bench file if the chip allows"
            )


def _largest(values: NDArray[np.float64]) -> float:
    """Return the largest magnitude, without a copy of all of them; NaN where one is, 0 where there are none."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
