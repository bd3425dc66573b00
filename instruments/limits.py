"""Soft limits of the bench's terminals: a value outside raises before anything is sent, it is never truncated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mho_errors import LimitError


@dataclass(frozen=True)
class TerminalLimits:
    """What one terminal (bit line, source line, word line, vector) may see.

    Attributes
    ----------
    voltage : float
        Largest magnitude, V.
    current : float
        Largest current limit that may be set, A.
    pulse_width : float
        Longest pulse, s.
    """

    voltage: float
    current: float = math.inf
    pulse_width: float = math.inf


@dataclass(frozen=True)
class Limits:
    """The limits of all terminals of a bench, by terminal name."""

    terminals: dict[str, TerminalLimits] = field(default_factory=dict)

    def check_voltage(self, terminal: str, volts: float) -> None:
        """Raise `LimitError` when |volts| exceeds the terminal's limit or is not a finite number."""
        self._check(terminal, "voltage", volts, self._of(terminal).voltage, "V")

    def check_current(self, terminal: str, amperes: float) -> None:
        """Raise `LimitError` when a current limit would exceed the terminal's own."""
        self._check(terminal, "current", amperes, self._of(terminal).current, "A")

    def check_pulse(self, terminal: str, volts: float, width: float) -> None:
        """Raise `LimitError` when a pulse is too high or too long."""
        self.check_voltage(terminal, volts)
        self._check(terminal, "pulse width", width, self._of(terminal).pulse_width, "s")

    def _of(self, terminal: str) -> TerminalLimits:
        try:
            return self.terminals[terminal]
        except KeyError:
            raise LimitError(
                f'terminal {terminal!r} has no limits: add [limits."{terminal}"] to the bench file'
            ) from None

    @staticmethod
    def _check(terminal: str, what: str, value: float, limit: float, unit: str) -> None:
        if not abs(value) <= limit:
            raise LimitError(
                f"{terminal}: {what} of {value:.6g} {unit} exceeds the limit of {limit:.6g} {unit}; "
                "lower it, or raise the limit in the bench file if the chip allows"
            )
