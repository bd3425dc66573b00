"""The heated stage that carries the chip: a controller's loop as a first-order lag, and a heater of finite power.

With the heater on, the temperature T follows the setpoint S as dT/dt = (S - T) / LAG, as far as the heater can: between
no power, dT/dt = -(T - T_a) / COOLING, and full power, a rise of `full` (K/s) above that. A ramp of slope r is followed
LAG * r behind. With the heater off the stage cools to the ambient T_a. There is no overshoot, and no cooler.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from mho.instruments.simulated.clock import VirtualClock

LAG = 20.0  # s, of the closed loop
COOLING = 600.0  # s, from stage to ambient
STEP = 1.0  # s, between evaluations while the temperature moves
REPORTED = 0.1  # K, change that is reported to followers: 2 % of a rate at 2.25 eV and 400 K
SETTLED = 1e-3  # K from where it goes, at which it is there


class HeatedStage:
    """A stage on the bench's clock, as `mho.instruments.simulated.ports.StagePort`; everything around it is at
    `ambient` K.
    """

    def __init__(self, clock: VirtualClock, ambient: float) -> None:
        self._clock, self._ambient = clock, ambient
        self._kelvin = self._reported = ambient
        self._at = clock.now  # time of `_kelvin`
        self._from, self._slope, self._ramp_end, self._since = ambient, 0.0, clock.now, clock.now
        self._target: float | None = None  # None while the heater is off
        self._full = 0.0
        self._followers: tuple[Callable[[float], None], ...] = ()
        self._end: Callable[[], None] | None = None

    @property
    def temperature(self) -> float:
        """The temperature now, K."""
        self._advance(self._clock.now)
        return self._kelvin

    def follow(self, act: Callable[[float], None]) -> None:
        """Call `act` with the temperature (K) whenever it has changed by `REPORTED`, and when it has settled."""
        self._followers += (act,)

    def regulate(self, start: float, target: float, rate: float, full: float) -> None:
        """Let the temperature follow a setpoint from `start` to `target` (K) at `rate` (K/s, infinite for a step).

        `full` is the rise at full power, K/s.
        """
        now = self._clock.now
        self._advance(now)
        seconds = abs(target - start) / rate
        self._from, self._since, self._ramp_end = start, now, now + seconds
        self._slope = (target - start) / seconds if seconds else 0.0
        self._target, self._full = target, full
        self._move()

    def release(self) -> None:
        """Switch the heater off."""
        self._advance(self._clock.now)
        self._target = None
        self._move()

    @property
    def _goal(self) -> float:
        """Where the temperature ends, K."""
        if self._target is None:
            return self._ambient
        return min(max(self._target, self._ambient), self._ambient + self._full * COOLING)

    def _move(self) -> None:
        still = self._target is None and abs(self._kelvin - self._ambient) < SETTLED
        if self._end is None and not still:
            self._end = self._clock.every(STEP, self._tick)

    def _tick(self) -> None:
        now = self._clock.now
        self._advance(now)
        settled = abs(self._kelvin - self._goal) < SETTLED and (self._target is None or now >= self._ramp_end)
        if settled and self._end is not None:
            self._kelvin = self._goal
            self._end()
            self._end = None
        if self._kelvin != self._reported and (settled or abs(self._kelvin - self._reported) >= REPORTED):
            self._reported = self._kelvin
            for act in self._followers:
                act(self._kelvin)

    def _advance(self, now: float) -> None:
        if self._end is None:  # it is where it goes
            self._at = now
        while self._at < now:
            end = min(now, self._at + STEP)
            if self._at < self._ramp_end:
                end = min(end, self._ramp_end)
            self._kelvin = self._after(end - self._at)
            self._at = end

    def _after(self, seconds: float) -> float:
        """Return the temperature after a short time in which the setpoint moves evenly."""
        decay = math.exp(-seconds / COOLING)
        coldest = self._ambient + (self._kelvin - self._ambient) * decay
        if self._target is None:
            return coldest
        ramps = self._at < self._ramp_end
        slope = self._slope if ramps else 0.0
        setpoint = self._from + slope * (self._at - self._since) if ramps else self._target
        behind = self._kelvin - setpoint + slope * LAG
        kelvin = setpoint + slope * (seconds - LAG) + behind * math.exp(-seconds / LAG)
        return min(max(kelvin, coldest), coldest + self._full * COOLING * (1.0 - decay))
