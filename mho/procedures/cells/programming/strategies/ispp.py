"""Incremental step pulse programming: RESET, then SET pulses whose word line rises by a step until the cell has arrived.

As it ran on the arrays of Levy et al. (IEEE Trans. Electron Devices 68, 4397 (2021), doi 10.1109/TED.2021.3097975, whose
data give attempts and steps): an attempt is a full RESET, a read, and at most `ramp_steps` SET pulses at V0, V0 + step, ...
with a read after each. A cell that passes its window, or has not arrived at the end of the ramp, begins another attempt.
"""

from __future__ import annotations

from dataclasses import dataclass

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Pulse
from mho.procedures.cells.programming.strategy import Outcome, Pulses, Strategy, Values, where


@dataclass
class Attempts(Strategy):
    """What strategies that begin again with a full RESET have in common: attempts, and when the last one is over."""

    _attempts: Values = 0  # RESETs so far
    _sets: Values = 0  # SETs of this attempt
    _all_sets: Values = 0  # SETs of all attempts

    def over(self, read: Values) -> Values:
        """Return whether the attempt is over without success, with the read `read` (S) outside the window."""
        raise NotImplementedError

    def gate(self) -> Values:
        """Return the voltage of the next SET on the word line, V."""
        raise NotImplementedError

    def decide(self, read: Values) -> Pulses:
        """Begin another attempt where this one is over, else SET."""
        anew = (self._attempts == 0) | self.over(read)
        pulses = self.either(anew, self.lowered(self.settings.reset_full), self.raised(self.gate()))
        self._attempts, self._all_sets = self._attempts + anew, self._all_sets + (1 - anew)
        self._sets = where(anew, 0, self._sets + 1)
        return pulses

    def outcome(self, read: Values) -> Values:
        """Give a cell up when its last attempt is over: the attempts are the only bound, and not `max_pulses`.

        A cell that stays below its window has run out of attempts: another voltage may raise it. It is stuck high where
        full RESETs alone did not lower it.
        """
        s = self.settings
        unformed = self._must_form(read) & (self._forming >= len(s.forming_voltages))
        spent = (self._attempts >= s.attempts) & self.over(read)
        unmoved = (read > self.high) & (self._all_sets < 1)
        ended = where(unmoved, Outcome.STUCK_HIGH, Outcome.OUT_OF_PULSES)
        return where(unformed, Outcome.UNFORMED, where(spent, ended, 0))


@dataclass
class Ispp(Attempts):
    """RESET, then a ramp of the word line from `ramp_start` in steps of `ramp_step`, up to `attempts` times.

    RESET pulses have `reset_full` and `reset_gate`, SET pulses `set_voltage`, all of them `width`. Levy et al. count
    pulses = SETs + RESETs - 1 and reads = SETs + RESETs; here every pulse counts, and so does a read before the first one,
    which leaves a cell that is in its window as it is.
    """

    @classmethod
    def largest_pulses(cls, settings: WriteVerifySettings) -> tuple[Pulse, ...]:
        """Return the pulses of `Strategy`, and the end of the ramp."""
        s = settings
        top = s.ramp_start + (s.ramp_steps - 1) * s.ramp_step
        return *Strategy.largest_pulses(s), Pulse("set", s.set_voltage, s.width, top)

    def over(self, read: Values) -> Values:
        """Return whether the cell has passed its window, or the ramp is at its end."""
        return (read > self.high) | (self._sets >= self.settings.ramp_steps)

    def gate(self) -> Values:
        """Return the ramp's next voltage, V."""
        return self.settings.ramp_start + self._sets * self.settings.ramp_step
