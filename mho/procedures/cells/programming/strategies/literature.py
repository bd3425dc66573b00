"""Published strategies: `asap`, `fppv`, `ispp`, and `gdp`.

- `asap` ("ASAP", Zuo 2025): RESET, one coarse SET whose gate voltage comes from the measured G(V_WL) curve, then fine SET
  and RESET pulses whose step grows after a small change and shrinks after a large one.
- `fppv`: one SET at a fixed, predicted voltage for each level, RESET before each try, as a comparison for RADAR (Levy et
  al., IEEE Trans. Electron Devices 68, 4397 (2021)). The word-line voltage is where the curve of medians, measured with
  single SET pulses after a RESET, passes the level, as the authors choose theirs (akashlevy/RRAM-RADAR-Tuning,
  exptdata/sweeps/fppv-wl-sweep.py: V_BL 2 V, 200 ns, one V_WL for each range of resistance). The repository does not say
  how often their scheme pulses before it RESETs; here each try is one RESET and one SET.
- `ispp`, as on the arrays of Levy et al. (doi 10.1109/TED.2021.3097975, whose data give attempts and steps): an attempt is
  a full RESET, a read, and at most `ramp_steps` SET pulses at V0, V0 + step, ... with a read after each. A cell that passes
  its window, or has not arrived at the end of the ramp, begins another attempt.
- `gdp`: gradient descent-based programming (Buechel et al., IEEE J. Emerg. Sel. Topics Circuits Syst. 13, 1052 (2023)):
  cells are brought near their levels, then vectors are multiplied with the whole block, and the gradient of the squared
  error of the products says which cells to raise and which to lower (`ProductDescent`); here is what a cell gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any, ClassVar, Self

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Pulse
from mho.procedures.cells.programming.strategies.model import GateCurve, Model
from mho.procedures.cells.programming.strategy import (
    RESET,
    SET,
    Outcome,
    Pulses,
    Strategy,
    Values,
    clip,
    where,
)


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


@dataclass
class Gdp(Model):
    """Programs cells by `model` to within `gdp_window` of their windows; a descent of the error of products follows."""

    descends: ClassVar[bool] = True

    @classmethod
    def towards(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state with `gdp_window` of the verify window, which may be wider, as the aim, in place of `inner`."""
        return super().towards(
            target, low, high, settings.model_copy(update={"inner": settings.gdp_window}), memory
        )

    @classmethod
    def descending(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state as `Strategy.descending`; cells are lowered gently, since all of them count all the time."""
        state = super().descending(target, low, high, settings.model_copy(update={"gdp_window": 1.0}), memory)
        state.gently = True
        return state


@dataclass
class Fppv(Attempts):
    """RESET, one SET at the voltage that the curve gives for the level, again up to `attempts` times."""

    def over(self, read: Values) -> Values:
        """Return whether the one SET was given, or the RESET left the cell above its window."""
        return (read > self.high) | (self._sets >= 1)

    def gate(self) -> Values:
        """Return the voltage of the level, V."""
        return GateCurve.of(self.settings).gate(self.target)


RAISE, LOWER, AFRESH = range(3)  # purposes of a pulse: SET, fine RESET, full RESET


@dataclass
class Asap(Strategy):
    """SETs and RESETs with adaptive steps: a cell far above its window, or of digit 0, is lowered by a full RESET."""

    _before: Values = 0.0  # S, read before the last pulse
    _gate: Values = nan  # V; NaN as long as no SET has been tried
    _reset: Values = nan  # V; NaN as long as no fine RESET has been tried since the last full one
    _gate_step: Values = nan
    _reset_step: Values = nan

    def __post_init__(self) -> None:
        if self._gate_step is nan:
            self._gate_step, self._reset_step = self.settings.gate_step, self.settings.reset_step

    def decide(self, read: Values) -> Pulses:
        """Lower a cell above its window, raise any other."""
        far = (self.low <= 0.0) | (read > 2.5 * self.target)
        act = where(read > self.high, where(far, AFRESH, LOWER), RAISE)
        gate, gate_step = self._raised_gate(act, read)
        reset, reset_step = self._lowered_voltage(act, read)
        pulses = self.either(
            act == RAISE,
            self.raised(gate),
            self.lowered(where(act == LOWER, reset, self.settings.reset_full)),
        )
        self._gate, self._gate_step, self._reset, self._reset_step = gate, gate_step, reset, reset_step
        self._before = read
        return pulses

    def _raised_gate(self, act: Values, read: Values) -> tuple[Values, Values]:
        """Return the gate voltage (V) and its step after this decision."""
        s = self.settings
        first, after_set = self._gate != self._gate, self._last == SET
        step = self._adapted(self._gate_step, s.gate_step, read - self._before)
        coarse = s.set_offset + s.coarse_share * self.target / s.set_slope
        # After a RESET, retry with the gate voltage that nearly reached the level.
        tried = where(first, coarse, where(after_set, self._gate + step, self._gate))
        overshot = (act == LOWER) & after_set  # restart a little lower
        gate = where(overshot, self._gate - 0.5 * self._gate_step, self._gate)
        gate = where(act == RAISE, clip(tried, *s.gate_range), gate)
        return gate, where((act == RAISE) & (first < after_set), step, self._gate_step)

    def _lowered_voltage(self, act: Values, read: Values) -> tuple[Values, Values]:
        """Return the RESET voltage (V) and its step after this decision; a full RESET restarts the sequence."""
        s = self.settings
        first, after_reset = self._reset != self._reset, self._last == RESET
        step = self._adapted(self._reset_step, s.reset_step, self._before - read)
        again = where(after_reset, self._reset + step, self._reset - self._reset_step)
        tried = clip(where(first, s.reset_fine[0], again), *s.reset_fine)
        reset = where(act == LOWER, tried, where(act == AFRESH, nan, self._reset))
        return reset, where((act == LOWER) & (first < after_reset), step, self._reset_step)

    def _adapted(self, step: Values, first: float, change: Values) -> Values:
        """Increase the step after a small change, decrease it after a large one."""
        s = self.settings
        window = self.high - self.low
        factor = where(change < 0.25 * window, s.grow, where(change > window, s.shrink, 1.0))
        return clip(step * factor, s.smallest_step * first, 8.0 * first)
