"""How pulses and levels change cells, as functions of arrays; the functions take scalars as well.

    SET      G -> G + (G_c - G) (1 - exp(-width rate)),  rate = exp(min(V_BL - V_set, 0)/set_acceleration) / set_time
    limited  a source that may give no more than I leaves I/G to the cell: dG/dt = (G_c - G) rate(I/G) ends at I/V_stop,
             V_stop = V_set - set_acceleration ln(width/set_time (G_c V_stop/I - 1) V_stop/set_acceleration)
    forming  V_BL >= V_form + what too low a gate or too short a pulse costs
    wear     full cycles, each change counted as its share of one and times exp((V - wear_voltage)/acceleration)

Above its threshold a SET has one rate: the transistor fixes the remaining voltage at the cell. Below it, the rate falls
exponentially (the voltage-time dilemma), which is also what makes a read disturb a cell. A limit of the current follows
from that rate: the resistance after a SET is a voltage over the compliance, as measured on oxide RRAM ((?) from memory:
Ielmini, IEEE Trans. Electron Devices 58, 4309 (2011), about 0.4 V; here 0.6 V and more after 20 ms). A pulse draws a
standard normal number for each cell, a part of which it may remember from pulse to pulse. The compliance G_c and what a
RESET does are laws of their own.

Gradual, such as the published TaOx chip:

    SET      G_c = min(set_slope (V_WL - gate_threshold), maximum); the spread of a pulse grows with what it changes
    RESET    ln G -> ln G - reset_slope (V_SL - V_reset) sqrt(width/100 ns),  not below the floor

At thresholds, as measured on a foundry's HfO2 cells (Levy et al., Stanford):

    SET      x = V_WL - V_on + gate_cycle_spread z,
             V_on = gate_threshold + gate_rise (100 ns/width)^gate_power - gate_bit_line V_BL + the device's shift
             G_c = set_slope x below the knee, maximum + maximum_slope x beyond it, with spreads; G -> max(G, G_c)
    RESET    V = min(V_SL, V_WL - reset_gate);  x = V - reset_threshold - the device's,  over = x - reset_rise G
             k = 1 - exp(-over/reset_reach sqrt(width/100 ns)), share of the way of ln G to
             ln G_end = max(ln reset_top - reset_slope x, ln floor);  then a redraw of the size
             (reset_cycle_spread^2 (1 - (1 - k)^2) + (reset_drop_spread drop)^2)^(1/2)

A SET draws its compliance anew with every pulse: a ramp of the gate ends with the largest of the draws so far, which is
why small steps reach a level at a lower voltage than large ones. A RESET is an autoregression in ln G: a cell in LRS
holds still up to its own threshold, then falls in drops; near its end it goes up as often as down. The source line is
a source follower: no more than V_WL - reset_gate arrives at the cell.

A pulse is over before anything else happens. A level lasts while the clock advances in steps, each of which acts on the
cell: its effect depends on the total time, as all its steps share one initial state and one draw, like a single pulse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset


@dataclass
class HeldLevel:
    """A voltage that is held at one cell, or at the cells of a block, for `seconds` so far.

    `before` and `draw` are the initial conductance (S) and the standard normal draw of the level; None until it acts.
    """

    seconds: Values = 0.0
    before: Values = None
    draw: Values = None
    _parts: dict[int, HeldLevel] = field(default_factory=dict)

    @property
    def acted(self) -> bool:
        """Whether the level has acted before."""
        return self.before is not None

    def begin(self, before: Values, draw: Values) -> tuple[Values, Values]:
        """Return the initial conductance and draw; they are set now if the level has not acted yet."""
        if not self.acted:
            self.before, self.draw = before, draw
        return self.before, self.draw

    def part(self, number: int) -> HeldLevel:
        """Return the same level for one of the pieces in which a large block is processed."""
        return self._parts.setdefault(number, HeldLevel())


class HeldLevels:
    """The levels of all sources of a bench, each from its start until it changes."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[object, HeldLevel]] = {}

    def of(self, source: str, *what: object) -> HeldLevel:
        """Return the level of a source; a new one when `what` (volts, cell, gate…) has changed."""
        known = self.known.get(source)
        if known is None or known[0] != what:
            known = self.known[source] = what, HeldLevel()
        return known[1]

    def end(self, source: str | None = None) -> None:
        """End the level of a source, or of all sources: the same voltage is then a new level when it returns."""
        if source is None:
            self.known.clear()
        else:
            self.known.pop(source, None)


Values = Any  # numpy scalar or array, float32 or float64; the result has the operands' shape

SCALARS = (np.float32, np.float64)
LN10 = math.log(10.0)
PULSE = 100e-9  # s: the width of which parameters of pulses are
FORMING_WIDTH = 1e-6  # s, of forming_voltage
HALVINGS = 16  # of a volt: to some 20 uV
LASTING = 1e-4  # s: a pulse ends when it forms a cell; a longer one continues, as a level does


def at_least(values: Values, low: Values) -> Values:
    """Return `numpy.maximum` of values and a limit, for one cell's number with equal bits in a tenth of the time.

    A read or a pulse of one cell takes 11 to 17 % longer without.
    """
    kind = type(values)
    if kind in SCALARS and type(low) in (float, kind):
        return kind(low) if values < low else values
    return np.maximum(values, low)


def at_most(values: Values, high: Values) -> Values:
    """Return `numpy.minimum`, as `at_least`."""
    kind = type(values)
    if kind in SCALARS and type(high) in (float, kind):
        return kind(high) if values > high else values
    return np.minimum(values, high)


def after_set(
    law: GradualLaw | ThresholdLaw, before: Values, limit: Values, progress: Values, draw: Values
) -> Values:
    """Conductance (S) after a SET that went the share `progress` of the way from `before` to its compliance `limit`."""
    growth = at_least(limit - before, 0.0)
    spread = law.spread(growth, limit)
    if spread is not None:
        growth = at_least(growth + spread * draw, 0.0)
    return before + growth * progress


def set_rate(preset: CellPreset, voltage: Values, threshold: Values) -> Values:
    """Rate (1/s) at which a cell approaches its compliance with `voltage` (V) on the bit line."""
    return np.exp(at_most(voltage - threshold, 0.0) / preset.set_acceleration) / preset.set_time


def limited_conductance(
    preset: CellPreset, current: float, voltage: Values, width: Values, threshold: Values, limit: Values
) -> Values:
    """Conductance (S) at which a SET stops because its source gives no more than `current` (A).

    `voltage` (V) is on the bit line for `width` (s); `threshold` (V) is the cell's, `limit` (S) what a SET without the
    limit approaches. Nearly all of the time of the state equation is spent at its end, so that its integral is the value at
    the end divided by the slope of its logarithm (Laplace's method).
    """
    scale = preset.set_acceleration
    least = current / np.maximum(limit, preset.unformed)  # V: below this the limit has no effect
    low, high = least, np.maximum(threshold, least)
    for _ in range(HALVINGS):
        stop = (low + high) / 2.0
        room = np.maximum(stop / least - 1.0, 1e-12)
        late = stop < threshold - scale * np.log(width / preset.set_time * room * stop / scale)
        low, high = np.where(late, stop, low), np.where(late, high, stop)
    return current / np.minimum(high, voltage)


def forming_cost(preset: CellPreset, width: Values, gate: Values) -> Values:
    """Additional voltage (V) for forming beyond the cell's forming voltage at this pulse `width` (s) and `gate` (V)."""
    narrow = preset.forming_decade * (np.log10(FORMING_WIDTH) - np.log10(width))
    return narrow + preset.forming_gate_loss * np.maximum(preset.forming_gate - gate, 0.0)


def wear_of(preset: CellPreset, change: Values, voltage: Values) -> Values:
    """Wear of a pulse that changed the conductance by `change` (S), in units of the endurance."""
    stress = np.exp((voltage - preset.wear_voltage) / preset.wear_acceleration) / preset.endurance
    return stress * (preset.wear_idle + np.abs(change) / (2.0 * preset.maximum))


def check_pulse(voltage: Values, width: Values, gate: Values) -> None:
    """Raise `ValueError` unless all values of a pulse are finite and it has a width."""
    for name, value, unit in (("voltage", voltage, "V"), ("width", width, "s"), ("gate", gate, "V")):
        array = isinstance(value, np.ndarray)
        if not (np.isfinite(value).all() if array else math.isfinite(value)):
            raise ValueError(f"a pulse needs a finite {name}: {value} {unit}")
    if not (width.min() if isinstance(width, np.ndarray) else width) > 0.0:
        raise ValueError(f"a pulse needs a width above 0 s: {width} s")


def deepest_of(times: int, draw: float) -> float:
    """Largest of `times` standard normal draws, from one uniform `draw` between 0 and 1."""
    share = -math.expm1(math.log(max(draw, 1e-300)) / times)  # share of the draws that lie above it
    return NormalDist().inv_cdf(1.0 - share) if share > 1e-16 else 8.2


def deviate_exceeded_by(share: float) -> float:
    """Standard normal deviate that a `share` of the draws exceed."""
    if share <= 0.0 or share >= 1.0:
        return math.inf if share <= 0.0 else -math.inf
    return NormalDist().inv_cdf(1.0 - share)


def normal(rng: np.random.Generator, like: Values) -> Values:
    """Return one standard normal draw per cell, as many as `like` has."""
    return rng.standard_normal(like.shape, np.float32) if like.ndim else rng.standard_normal()


def largest(rng: np.random.Generator, like: Values, times: int) -> Values:
    """Return the largest of `times` standard normal draws per cell: the deviate of U^(1/times), with U uniform."""
    if times == 1:
        return normal(rng, like)
    if not like.ndim:
        return deepest_of(times, rng.random())
    deepest = [deepest_of(times, one) for one in rng.random(like.shape).ravel().tolist()]
    return np.array(deepest, np.float32).reshape(like.shape)


def remembering(
    preset: CellPreset, rng: np.random.Generator, like: Values, memory: Values, index: Any, times: int = 1
) -> Values:
    """Return the largest of the draws of `times` pulses per cell; those of a cell share a part, kept in `memory[index]`.

    The part that is kept changes by a step of its own with every pulse; of many pulses all have that of the last one.
    """
    drawn = largest(rng, like, times)
    if not preset.cycle_memory:
        return drawn
    decay = math.exp(-times / preset.memory_pulses)
    slow = decay * memory[index] + math.sqrt(1.0 - decay * decay) * normal(rng, like)
    memory[index] = slow
    return math.sqrt(preset.cycle_memory) * slow + math.sqrt(1.0 - preset.cycle_memory) * drawn


@dataclass(frozen=True)
class GradualLaw:
    """SET towards a compliance that is linear in the gate, RESET in drops of ln G.

    Voltages in V, widths in s, conductances in S; `wear` in units of the endurance; `factor`, `shift` and `deviate` are the
    devices' own (`Devices`); `draw` is standard normal, one per cell and pulse. A law that `redraws` draws each SET's
    compliance anew, so that the largest of many counts.
    """

    _preset: CellPreset
    redraws: ClassVar[bool] = False

    def compliance(
        self, gate: Values, voltage: Values, width: Values, factor: Values, shift: Values, wear: Values,
        draw: Values,
    ) -> Values:  # fmt: skip
        """Conductance (S) that a SET at gate voltage `gate` (V) approaches; <= 0 while the transistor is off."""
        p = self._preset
        limit = at_most(p.set_slope * (gate - p.gate_threshold) * factor, p.maximum)
        return limit / (1.0 + p.wear_top * wear)

    def spread(self, growth: Values, limit: Values) -> Values:
        """Standard deviation (S) of a SET around its compliance `limit`, `growth` above where it began; None if that was
        drawn.

        It depends on the change, not on the level: full from HRS, small for a small step, and never below the resolution
        of a single pulse.
        """
        p = self._preset
        spread = LN10 * p.set_cycle_spread * (growth * at_least(limit, 0.0)) ** 0.5
        if p.landing or p.landing_share:
            spread = spread + p.landing + p.landing_share * limit
        return spread

    def arriving(self, voltage: Values, gate: Values) -> Values:
        """Voltage (V) of a RESET that arrives at the cell; below `reset_gate` the transistor starves it."""
        if isinstance(gate, np.ndarray):
            return np.where(gate >= self._preset.reset_gate, voltage, -np.inf)
        return voltage if gate >= self._preset.reset_gate else voltage - np.inf

    def begins(self, arriving: Values, before: Values, deviate: Values) -> Values:
        """Whether a RESET of the voltage `arriving` (V) changes cells."""
        p = self._preset
        return arriving > p.reset_threshold + p.reset_threshold_spread * deviate

    def after_reset(
        self, before: Values, voltage: Values, width: Values, deviate: Values, wear: Values, draw: Values,
        deepest: Values, times: int = 1,
    ) -> Values:  # fmt: skip
        """Conductance (S) after `times` RESET pulses, of whose draws `deepest` is the largest.

        The draw of one pulse makes it deep; of many the deepest counts, and the drop of each is the mean. A cell that
        resets late has a higher floor.
        """
        p = self._preset
        over = at_least(voltage - p.reset_threshold - p.reset_threshold_spread * deviate, 0.0)
        drop = p.reset_slope * over * (width / PULSE) ** 0.5
        if times == 1:
            drop = drop * np.exp(p.reset_cycle_spread * deepest)
        else:
            drop = drop * times * math.exp(0.5 * p.reset_cycle_spread**2)
        bottom = p.floor * (1.0 + p.wear_floor * wear)
        bottom = bottom * np.exp(p.floor_device_spread * deviate - p.floor_spread * deepest)
        return at_most(before, at_least(before * np.exp(-drop), bottom))


@dataclass(frozen=True)
class ThresholdLaw:
    """SET along a threshold curve that saturates, redrawn with every pulse; RESET as a redraw. As `GradualLaw`."""

    _preset: CellPreset
    redraws: ClassVar[bool] = True

    def compliance(
        self, gate: Values, voltage: Values, width: Values, factor: Values, shift: Values, wear: Values,
        draw: Values,
    ) -> Values:  # fmt: skip
        """Conductance (S) to which this pulse SETs a cell, its draw included; 0 below its threshold."""
        p = self._preset
        if p.set_tail:  # weak pulses are weaker than a normal draw has them
            draw = draw * np.exp(0.5 * p.set_tail * np.minimum(draw, 0.0) ** 2)
        on = p.gate_threshold + p.gate_rise * (PULSE / width) ** p.gate_power - p.gate_bit_line * voltage
        over = at_least(gate - on - shift + p.gate_cycle_spread * draw, 0.0)
        linear = p.set_slope * over
        top = (p.maximum + p.maximum_slope * over) * factor * 10.0 ** (p.set_cycle_spread * draw)
        limit = linear * (1.0 + (linear / top) ** p.set_knee) ** (-1.0 / p.set_knee)
        return limit / (1.0 + p.wear_top * wear)

    def spread(self, growth: Values, limit: Values) -> None:
        """Return None: `compliance` has its draw."""

    def arriving(self, voltage: Values, gate: Values) -> Values:
        """Voltage (V) of a RESET that arrives at the cell, a threshold below the gate at most."""
        return np.minimum(voltage, gate - self._preset.reset_gate)

    def begins(self, arriving: Values, before: Values, deviate: Values) -> Values:
        """Whether a RESET of the voltage `arriving` (V) changes cells."""
        p = self._preset
        return arriving > p.reset_threshold + p.reset_threshold_spread * deviate + p.reset_rise * before

    def after_reset(
        self, before: Values, voltage: Values, width: Values, deviate: Values, wear: Values, draw: Values,
        deepest: Values, times: int = 1,
    ) -> Values:  # fmt: skip
        """Conductance (S) after `times` RESET pulses of `voltage` (V); a cell that resets late has a higher floor."""
        p = self._preset
        beyond = voltage - p.reset_threshold - p.reset_threshold_spread * deviate
        over = beyond - p.reset_rise * before
        left = np.exp(-at_least(over, 0.0) / p.reset_reach * (width / PULSE) ** 0.5 * times)  # 1 - k
        floor = np.log(p.floor * (1.0 + p.wear_floor * wear)) + p.floor_device_spread * deviate
        end = np.maximum(np.log(p.reset_top) - p.reset_slope * beyond, floor)
        log = np.log(before)
        drop = log - np.clip(log, floor, end)  # negative below the floor
        weaker = np.clip(end - log, 0.0, end - floor) / p.reset_slope  # V, than what brought the cell here
        spread = p.reset_cycle_spread**2 * (1.0 - left * left) * np.exp(-2.0 * weaker / p.reset_margin)
        spread = spread + (p.reset_drop_spread * (1.0 - left) * at_least(drop, 0.0)) ** 2
        after = log - (1.0 - left) * drop - spread**0.5 * draw
        return np.where(over > 0.0, np.minimum(np.exp(after), np.maximum(before, p.maximum)), before)
