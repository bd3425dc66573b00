"""Loads at the terminals of simulated instruments: a resistor, a diode, nothing, or a law of one's own, with a record.

A load stands alone: what is wired to two terminals sees each by itself, and its record has both.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mho.errors import InputError
from mho.instruments.simulated.excursions import Excursion

if TYPE_CHECKING:
    from mho.instruments.simulated.generators import Playing, Waveform

LATEST = 1000  # entries of a record: a long run must not fill the memory
LEADS = 0.01  # ohm, of a short circuit
BOLTZMANN_PER_CHARGE = 1.380649e-23 / 1.602176634e-19  # V/K, exact (SI)
STEPS = 60  # of Newton's method, which needs ten


class Load:
    """What a terminal is wired to: a current for each voltage, and a record of what was put out.

    Parameters
    ----------
    law : callable
        Given the terminal's voltage (V), returns the current into the load (A). It may look at other loads: of a
        transistor, at the `volts` of its gate.

    Attributes
    ----------
    volts : float or None
        What a source-measure unit holds there, V; None while its relay is open, and before it was ever on.
    levels : deque of float
        The latest 1000 levels that one has held, V, in order.
    pulses : deque of tuple
        The latest 1000 kinds of pulses of triggered bursts: volts (V, into an open line), seconds, times.
    pulse_count : int
        How many pulses there were, those of bursts and those that a generator plays without a trigger included.
    peak : float
        The voltage farthest from 0 V that was there, V.

    Examples
    --------
    >>> from mho.instruments.simulated import Load
    >>> load = Load(lambda volts: 2e-3 * volts)
    >>> load.drive(0.5, connected=True)
    >>> load.volts, load.current(0.5, aperture=1e-3)
    (0.5, 0.001)
    """

    def __init__(self, law: Callable[[float], float]) -> None:
        if not callable(law):
            raise InputError(
                f"a load's law must be a function of the volts that returns the amperes, not {law!r}"
            )
        self._law = law
        self._playing: dict[object, Playing] = {}
        self._began: dict[object, tuple[Waveform, float]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget what was put out so far."""
        self.volts: float | None = None
        self.levels: deque[float] = deque(maxlen=LATEST)
        self.pulses: deque[Excursion] = deque(maxlen=LATEST)
        self.pulse_count = 0
        self.peak = 0.0

    @property
    def waveform(self) -> Waveform | None:
        """What a generator plays there without a trigger, until its next command; None while it puts out nothing."""
        return next((each for playing in self._playing.values() if (each := playing()) is not None), None)

    # --- what instruments use: SourcePort and PulsePort of mho.instruments.simulated.ports ---

    def drive(self, volts: float, *, connected: bool) -> None:
        """Take the level of a source-measure unit, V."""
        self.volts = volts if connected else None
        if connected:
            self.levels.append(volts)
            self._reach(volts)

    def current(self, volts: float, aperture: float) -> float:
        """Return the current (A) into the load at `volts`; `InputError` when the law returns no finite number."""
        amperes = self._law(volts)
        try:
            if math.isfinite(amperes):
                return float(amperes)
        except TypeError:
            pass
        raise InputError(f"the law of a load returned {amperes!r} at {volts:g} V; return finite amperes")

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Take `count` pulses of `volts` (V) and `width` (s)."""
        self._take(Excursion(volts, width, count))

    def train(self, cycle: Sequence[Excursion], count: int) -> None:
        """Take a cycle of levels `count` times."""
        for level in cycle:
            self._take(level._replace(times=level.times * count))

    def listen(self, playing: Playing) -> None:
        """Ask a generator's channel for what it plays without a trigger, whenever `pass_time` is called."""
        self._playing[playing] = playing

    def pass_time(self, start: float, end: float) -> None:
        """Record what a generator plays without a trigger from `start` to `end`, s."""
        for key, playing in self._playing.items():
            waveform = playing()
            if waveform is None:
                self._began.pop(key, None)
                continue
            if key not in self._began or self._began[key][0] != waveform:
                self._began[key] = waveform, start
            since = self._began[key][1]
            self._reach(waveform.extreme)
            if math.isfinite(waveform.period):
                cycles = math.ceil((end - since) / waveform.period) - math.ceil(
                    (start - since) / waveform.period
                )
                self.pulse_count += cycles * sum(level.times for level in waveform.cycle if level.volts)

    def _take(self, pulses: Excursion) -> None:
        self.pulses.append(pulses)
        self.pulse_count += pulses.times
        self._reach(pulses.volts)

    def _reach(self, volts: float) -> None:
        if abs(volts) > abs(self.peak):
            self.peak = volts


class Resistor(Load):
    """A resistor of so many ohm.

    `InputError` when they are not positive and finite.

    Examples
    --------
    >>> from mho.instruments.simulated import Resistor
    >>> Resistor(10e3).current(1.0, aperture=1e-3)
    0.0001
    """

    def __init__(self, ohms: float) -> None:
        self.ohms = _positive("the resistance of a resistor", ohms, "ohm")
        super().__init__(lambda volts: volts / self.ohms)


class Open(Load):
    """Nothing: no current flows.

    Examples
    --------
    >>> from mho.instruments.simulated import Open
    >>> Open().current(200.0, aperture=1e-3)
    0.0
    """

    def __init__(self) -> None:
        super().__init__(lambda volts: 0.0)


class Short(Load):
    """A short circuit: the leads' 10 mOhm.

    Examples
    --------
    >>> from mho.instruments.simulated import Short
    >>> Short().current(0.5, aperture=1e-3)
    50.0
    """

    def __init__(self) -> None:
        super().__init__(lambda volts: volts / LEADS)


class Diode(Load):
    """A diode by Shockley's law, with a resistance in series; the terminal is its anode.

        I = I_s (exp((V - I R) / (n V_T)) - 1)

    It does not break down in reverse. `InputError` when a number is not positive and finite.

    Parameters
    ----------
    saturation : float
        I_s, A; as the others, that of a small silicon diode by default.
    ideality : float
        n.
    resistance : float
        R, ohm.
    temperature : float
        Of the junction, K: V_T = k T / q.

    Examples
    --------
    >>> from mho.instruments.simulated import Diode
    >>> diode = Diode(saturation=1e-12, ideality=1.0, resistance=1.0)
    >>> [float(f"{diode.current(volts, aperture=1e-3):.3g}") for volts in (-5.0, 0.5, 0.6, 1.0)]
    [-1e-12, 0.000249, 0.00861, 0.316]
    """

    def __init__(
        self, saturation: float = 2.5e-9, ideality: float = 1.75, resistance: float = 0.6,
        temperature: float = 300.0,
    ) -> None:  # fmt: skip
        self.saturation = _positive("the saturation current of a diode", saturation, "A")
        self.ideality = _positive("the ideality of a diode", ideality)
        self.resistance = _positive("the resistance of a diode", resistance, "ohm")
        self.temperature = _positive("the temperature of a diode", temperature, "K")
        super().__init__(self._flow)

    def _flow(self, volts: float) -> float:
        """Solve the law for the current: with w = (I + I_s) R / (n V_T) it is w + ln w = c.

        Newton's method for u = ln w on the convex e^u + u, from the right: it comes down without overshooting.
        """
        scale = self.ideality * BOLTZMANN_PER_CHARGE * self.temperature
        share = self.saturation * self.resistance / scale
        wanted = math.log(share) + volts / scale + share
        u = wanted if wanted < 1.0 else math.log(wanted)
        for _ in range(STEPS):
            w = math.exp(u)
            step = (w + u - wanted) / (w + 1.0)
            u -= step
            if abs(step) <= 1e-15 * max(1.0, abs(u)):
                break
        # The difference to I_s from the logarithm: near 0 V the two are alike
        return self.saturation * math.expm1(u - math.log(share))


def _positive(what: str, value: float, unit: str = "") -> float:
    """Return a positive finite number; raises `InputError`."""
    try:
        if value > 0 and math.isfinite(value):
            return float(value)
    except TypeError:
        pass
    raise InputError(f"{what} is {value!r}; give a positive number{f' of {unit}' if unit else ''}")
