"""Evolution of an idle cell: relaxation and drift in log time, retention with temperature.

    G(t) = R(G, t) exp(-s(t)/retention_time)

with s the time at the retention temperature equivalent to the chip's thermal history (Arrhenius). Relaxation R has one of
two laws. Where a source gives no more than a spread that grows with ln t,

    R(G, t) = G + w(G) (c relaxation ln(1 + t/t0)^p + drift ln(1 + t/s))

with one heavy-tailed coefficient c per cell, drawn when it was programmed, and w(G) = min(1, G/relaxation_full). Where
cells were watched (`relaxation_jumps`), sums of jumps:

    R(G, t) = (G + r(G) U(t)) exp(-f(G) D(t))
    r(G) = relaxation G/(G + relaxation_full) exp(-G/rise_fading),  f(G) = relaxation/fall_full exp(-G/fall_fading)

with the sums U of a cell's rises and D of its falls: a random walk in log time with heavy tails. By age t there were, of
either kind, a Poisson number of the mean

    rate d,   d(t) = ln(1 + t/t0)^power

of sizes E^tail with E exponential, of unit mean square; a share of the jumps is undone, each after an exponential time in
d of the mean `memory`. So increments over different decades are independent but for what comes back, and their excess
kurtosis falls as 1/d. Such a law cannot be evaluated at one moment in closed form. It is drawn once, for a bundle of
paths; a cell has a number, drawn when it was programmed, which names the path of its rises and that of its falls, and how
early it is on both. The stored state does not change by itself: any moment is evaluated from the last pulse in one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.blocks import zeros_by_page
from mho.instruments.simulated.physics.cells.own_answers import MOST, ask
from mho.instruments.simulated.physics.cells.presets import CellPreset

PATH_BITS = 14  # 2^28 pairs of a path of rises and one of falls; a node of all paths fits a core's cache
PATHS = 1 << PATH_BITS
NODES = 72
STEP = 0.075  # of sqrt(ln(1 + t/t0)): narrow where little has happened yet; the last node is at 2e12 t0
JUMPS_AT_ONCE = 1 << 20  # jumps that are drawn together
SEED = 20250713  # of the bundle, which is a part of the law as its parameters are


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw the numbers of cells that are programmed, unsigned, of 32 bits."""
    return rng.integers(1 << 32, size=shape or None, dtype=np.uint32)


def dose(preset: CellPreset, age: Values) -> Values:
    """Return d, to which the mean number of jumps by `age` (s) is proportional."""
    return np.log1p(age / preset.relaxation_time) ** preset.relaxation_power


def sums(preset: CellPreset, number: Values, age: Values) -> tuple[Values, Values]:
    """Sums of the rises and of the falls of cells of these numbers at `age` (s), in root mean squares of one jump.

    The same number and age give the same sums, whenever and however often they are asked for. Cells come to a node of the
    table each at a time of its own, so that over cells all moments go straight from one node to the next.
    """
    bundle = _bundle(preset.relaxation_jumps, preset.relaxation_power, preset.jump_tail, preset.jump_return,
                     preset.jump_memory)  # fmt: skip
    if not np.ndim(number):
        return _sums_of_one(bundle, preset.relaxation_time, number, age)
    place = np.multiply(age, np.float32(1.0 / preset.relaxation_time))
    for step in (np.log1p, np.sqrt):  # in place: arrays are evaluated very often
        step(place, out=place)
    place *= np.float32(1.0 / STEP)
    place += np.multiply(number, np.float32(2.0**-32), dtype=np.float32, casting="same_kind")
    node = np.minimum(place, np.float32(NODES - 1), out=place).astype(np.int32)
    node <<= PATH_BITS
    path = (number & np.uint32(PATHS - 1)).view(np.int32)
    path += node
    rises = bundle.take(path, mode="wrap")
    path = (number >> np.uint32(32 - PATH_BITS)).view(np.int32)
    path += node
    return rises, bundle.take(path, mode="wrap")


def _sums_of_one(bundle: Values, time: float, number: Values, age: Values) -> tuple[float, float]:
    """Return the same of one cell, in the same precision: a meter reads cell by cell."""
    place = np.sqrt(np.log1p(age * np.float32(1.0 / time))) * np.float32(1.0 / STEP)
    place = min(place + np.float32(number) * np.float32(2.0**-32), NODES - 1)
    begin, number = int(place) << PATH_BITS, int(number)
    rise, fall = number & PATHS - 1, number >> 32 - PATH_BITS
    return bundle.item(begin + rise), bundle.item(begin + fall)


@lru_cache(maxsize=16)
def _bundle(rate: float, power: float, tail: float, share: float, memory: float) -> NDArray[np.float32]:
    """Return the sums of all paths at all nodes, node after node."""
    last = (STEP * (NODES - 1)) ** 2  # ln(1 + t/t0)
    # Generators of their own: parameters that change a little then move the paths, they do not draw them anew.
    number, begin, choose, draw, undo, end = (np.random.default_rng([SEED, k]) for k in range(6))
    count = int(number.poisson(rate * last**power * PATHS))
    changes = np.zeros(NODES * PATHS)
    for some in (min(JUMPS_AT_ONCE, count - done) for done in range(0, count, JUMPS_AT_ONCE)):
        begun = begin.random(some) * last**power
        path = choose.integers(PATHS, size=some)
        size = draw.standard_exponential(some) ** tail / math.sqrt(math.gamma(1.0 + 2.0 * tail))
        undone = undo.random(some) < share
        ended = (begun + memory * end.standard_exponential(some))[undone]
        for moment, paths, sizes in ((begun, path, size), (ended, path[undone], -size[undone])):
            node = np.ceil(moment ** (0.5 / power) / STEP).astype(np.int64)
            seen = node < NODES
            changes += np.bincount(node[seen] * PATHS + paths[seen], sizes[seen], NODES * PATHS)
    bundle = changes.reshape(NODES, PATHS).cumsum(axis=0).astype(np.float32).reshape(-1)
    bundle.flags.writeable = False
    return bundle


Values = Any  # numpy scalar or array

BOLTZMANN = 8.617333e-5  # eV/K
ROOM = 298.15  # K
_ONE = np.float32(1.0)
LOT = 1 << 15  # cells that are evaluated together: what is computed on the way stays in the cache


def heavy_tailed(draw: Values, tail: float) -> Values:
    """Transform standard normal draws to Tukey's h distribution of unit variance.

    ``z exp(h z^2/2)`` has the variance (1 - 2h)^-1.5 (Hoaglin 1985); a tail of the order 1/h.
    """
    if tail == 0.0:
        return draw
    return (1.0 - 2.0 * tail) ** 0.75 * draw * np.exp(0.5 * tail * draw * draw)


def age_at(now: float, since: Values) -> Values:
    """Return the ages (s, single precision) at clock time `now` (s); 0 where it is not yet `since` (s)."""
    if not isinstance(since, np.ndarray):
        return np.float32(max(now - since, 0.0))
    age = np.subtract(now, since, out=np.empty(since.shape, np.float32), casting="same_kind")
    return np.maximum(age, np.float32(0.0), out=age)


def relaxed(preset: CellPreset, programmed: Values, drawn: Values, age: Values) -> Values:
    """Conductance (S) at `age` (s) of cells programmed to `programmed` (S), retention apart; `drawn` at programming."""
    if (own := preset.own) is not None and (law := own.relaxation) is not None:
        return ask(law, "conductance_after", programmed, age, drawn, unit="S", low=0.0, high=MOST,
                   where=age > 0.0)  # fmt: skip
    if preset.relaxation == 0.0 and preset.drift == 0.0:
        return programmed
    if preset.relaxation_jumps:
        now = _jumped(preset, programmed, drawn, age)
        return now + preset.drift * np.log1p(age) if preset.drift else now
    weight = programmed / preset.relaxation_full
    weight = min(weight, _ONE) if type(weight) is np.float32 else np.minimum(weight, 1.0)
    change = drawn * relaxation_spread(preset, age)
    if preset.drift:
        change = change + preset.drift * np.log1p(age)
    return programmed + weight * change


def _jumped(p: CellPreset, g: Values, number: Values, age: Values) -> Values:
    if np.size(g) <= LOT:
        return _jumped_together(p, g, number, age)
    now = np.empty(g.shape, np.float32)
    cells = [values.reshape(-1) for values in (g, number, age)]
    for begin in range(0, now.size, LOT):
        lot = slice(begin, begin + LOT)
        now.reshape(-1)[lot] = _jumped_together(p, *(values[lot] for values in cells))
    return now


def _jumped_together(p: CellPreset, g: Values, number: Values, age: Values) -> Values:
    now, falls = sums(p, number, age)
    if not np.ndim(g):
        now *= float(g) / (float(g) + p.relaxation_full) * p.relaxation * math.exp(-float(g) / p.rise_fading)
        falls *= p.relaxation / p.fall_full * math.exp(-float(g) / p.fall_fading)
        return np.float32((float(g) + now) * math.exp(-falls))
    part = g + np.float32(p.relaxation_full)  # arrays are evaluated very often: what can be is done in place
    now *= np.divide(g, part, out=part)
    now *= _fading(g, p.relaxation, p.rise_fading, part)
    now += g
    falls *= _fading(g, -p.relaxation / p.fall_full, p.fall_fading, part)
    now *= np.exp(falls, out=falls)
    return now


def _fading(g: Values, size: float, fading: float, out: Values) -> Values:
    """Return a size that is less by e for every `fading` (S) of the conductance."""
    np.exp(np.multiply(g, np.float32(-1.0 / fading), out=out), out=out)
    out *= np.float32(size)
    return out


def nothing_drawn(preset: CellPreset, shape: tuple[int, ...]) -> Values:
    """Return what cells have in place of a draw before any pulse."""
    return zeros_by_page(shape, np.uint32 if preset.relaxation_jumps and not _own(preset) else np.float32)


def _own(preset: CellPreset) -> bool:
    """Return whether cells relax by a law of a user's own."""
    return preset.own is not None and preset.own.relaxation is not None


def continued(
    preset: CellPreset, aged: Callable[[Values, Values, Values], Values], changed: Values, before: Values,
    past: Sequence[Values], fresh: tuple[Values, Values, float], rng: np.random.Generator,
) -> tuple[Values, Values, Values]:  # fmt: skip
    """Return what cells keep that a pulse has moved: the `fresh` of most, the `past` of those that it hardly touched.

    What relaxes is what pulses have displaced, so a pulse that hardly moves a cell leaves what goes on in it. A pulse that
    moves a cell by the share `relaxation_renewal` of its conductance starts it anew, a smaller one with a chance in
    proportion: many small pulses do so as often as one large one, however a held level is cut into steps.

    `aged`: conductance now (S) of cells by what they were programmed to (S), what they drew, and since when they
        relax (s).
    `changed`: cells that the pulse moves at all; what is returned of others is of no use.
    `before`: conductance (S) before the pulse.
    `past`, `fresh`: these three as they are, and after a start anew, now.
    """
    after, number, now = fresh
    chance = rng.random(np.shape(before) or None, np.float32)
    continuing = np.asarray(changed & (np.abs(after - before) < preset.relaxation_renewal * before * chance))
    if not continuing.any():
        return fresh
    old, drawn, since = (np.asarray(state)[continuing] for state in past)
    targets = np.asarray(after)[continuing]
    along = _programmed_for(lambda g: aged(g, drawn, since), old, targets)
    # Else there is no way with this past.
    reached = np.abs(aged(along, drawn, since) - targets) <= 1e-4 * targets
    continuing[continuing] = reached
    states = [np.array(np.broadcast_to(state, np.shape(before))) for state in (after, number, now)]
    for state, own in zip(states, (along, drawn, since), strict=True):
        state[continuing] = own[reached]
    return states[0], states[1], states[2]


def _programmed_for(now: Callable[[Values], Values], programmed: Values, target: Values) -> Values:
    """Return what to program, near `programmed`, to be at `target` now (S): by secants, as the way is short."""
    reached = now(programmed)
    guess = programmed + (target - reached)
    for _ in range(3):
        present = now(guess)
        gain = np.divide(
            guess - programmed, present - reached, out=np.ones_like(present), where=present != reached
        )
        programmed, reached, guess = guess, present, guess + (target - present) * gain
    return guess


def relaxation_spread(preset: CellPreset, age: Values) -> Values:
    """Standard deviation (S) of the first law among cells at `age` (s), of those above `relaxation_full`."""
    return preset.relaxation * np.log1p(age / preset.relaxation_time) ** preset.relaxation_power


def drawn_at_programming(
    preset: CellPreset, shape: tuple[int, ...], draw: Values, rng: np.random.Generator
) -> Values:
    """Return what a cell keeps of its programming: its number, or its coefficient made of a standard normal `draw`."""
    if _own(preset):
        return draw
    if preset.relaxation_jumps:
        return numbers(rng, shape)
    return heavy_tailed(draw, preset.relaxation_tail)


class ThermalHistory:
    """The chip's temperature since power-up, as the equivalent time at `reference` kelvin; `energy` is of
    activation, eV.
    """

    def __init__(self, energy: float, reference: float) -> None:
        self._energy, self._reference = energy, reference
        self.temperature = ROOM
        self._changed = np.zeros(1)  # clock times of the changes, s
        self._passed = np.zeros(1)  # effective time at each of them
        self._rates = np.array([self._rate(ROOM)])  # from then on

    def _rate(self, kelvin: float) -> float:
        return math.exp(self._energy / BOLTZMANN * (1.0 / self._reference - 1.0 / kelvin))

    def change(self, now: float, kelvin: float) -> None:
        """Set the temperature to `kelvin` from clock time `now` (s) on; raises `ValueError` when it is no temperature."""
        if not (math.isfinite(kelvin) and kelvin > 0.0):
            raise ValueError(f"the chip's temperature must be positive and finite: {kelvin} K")
        self._passed = np.append(self._passed, self.effective(now))
        self._changed = np.append(self._changed, now)
        self._rates = np.append(self._rates, self._rate(kelvin))
        self.temperature = kelvin

    def effective(self, time: Values) -> Values:
        """Effective seconds passed at clock `time` (s, any shape); infinite stays infinite."""
        if len(self._changed) == 1:
            return time * self._rates[0]
        k = np.searchsorted(self._changed, time, side="right") - 1
        return self._passed[k] + (time - self._changed[k]) * self._rates[k]
