"""Read noise with memory: 1/f from Lorentzians, random telegraph noise, and the white floor.

All noise is relative to the conductance, has zero mean, and is exact over any step of time; both kinds can be averaged
over an aperture. Of 1/f noise an Ornstein-Uhlenbeck process is drawn at the next moment from the present one, so that a
hundred small steps and one large step have the same distribution. Averaged over an aperture T:

    m = (1 - e^-x)/x      weight of the present value in the mean over the aperture, x = T/tau
    V = 2 (1 - m)/x       variance of that mean, in units of the process's
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.physics.blocks import is_list, is_whole, pieces, stretches, zeros_by_page
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.relaxation import BOLTZMANN
from mho.lazy_names import compiled_alone

if TYPE_CHECKING:
    from scipy.special import expit
else:
    (expit,) = compiled_alone("scipy.special", "_special_ufuncs", ["expit"], "scipy.special")

TINY = 1e-30  # replaces a variance of 0 as divisor
FORGOTTEN = 20.0  # correlation times, after which a process is new but for e^-20
POWER_UP = 1.0  # s: clock zero on the noise's own clock, whose zero means "never evaluated"


def mean_weight(x: Values) -> Values:
    """Weight m of the present value in the mean over an aperture of `x` correlation times."""
    x = np.maximum(x, 1e-12)
    return -np.expm1(-x) / x


def mean_variance(x: Values) -> Values:
    """Variance V of the mean over `x` correlation times, of a process of unit variance."""
    x = np.maximum(x, 1e-12)
    return np.where(x < 1e-3, 1.0 - x / 3.0 + x * x / 12.0, 2.0 * (1.0 - mean_weight(x)) / x)


class FlickerNoise:
    """1/f noise: one Ornstein-Uhlenbeck process per decade of correlation time, all of equal variance.

    The sum has a slope of -1 within 6 % between the corners. A cell that was never read takes no memory (pages are
    allocated when first written).
    """

    def __init__(self, shape: tuple[int, int], preset: CellPreset, rng: np.random.Generator) -> None:
        decades = math.log10(preset.noise_slowest / preset.noise_fastest)
        self.times = np.geomspace(preset.noise_fastest, preset.noise_slowest, round(decades) + 1)
        self.amplitude = preset.read_noise / math.sqrt(len(self.times))
        self._rng = rng
        self._rates = (1.0 / self.times).astype(np.float32)
        # A process after the other: whatever many cells have in common then is one number for all of them.
        self._state = zeros_by_page((len(self.times), *shape), np.float32)
        self._time = zeros_by_page(shape)
        self._drawn = np.empty(len(self.times) + 1, np.float32)
        self._forgotten = 0  # processes, the fastest, that any read finds new: see `taken`
        # Of functions, not of methods: a cache of the latter would keep the cells until the collector runs.
        self._aperture = lru_cache(maxsize=8)(partial(_coefficients, self.times))
        self._plain_aperture = lru_cache(maxsize=8)(partial(_plain_coefficients, self.times))
        self._fast = lru_cache(maxsize=64)(partial(_fast_variance, self.times, self.amplitude))

    def _advanced(
        self, index: Index, now: float, window: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Advance the cells at `index` to clock time `now`; return their processes (decades, ...), which are only read.

        The cells are then left alone for `window` seconds: processes that have forgotten everything by then are left out,
        as what they are now is of no use.
        """
        first = int(np.searchsorted(self.times, window / FORGOTTEN))
        fresh = self._come_to(index, now, 0.0, first)
        place = _behind(slice(first, None), index)
        state = self._state[place]
        draws = _draws(rng or self._rng, state.shape)
        draws *= np.sqrt(fresh)
        state *= np.sqrt(1.0 - fresh)
        state += draws
        if not np.may_share_memory(state, self._state):
            self._state[place] = state
        return state

    def _come_to(self, index: Index, now: float, aperture: float, first: int) -> Values:
        """Return the share of each process's variance (from the `first` on) that is new at `now`; advance to `aperture`
        later.

        Of shape (decades, ...), or (decades, 1, ...) where all cells at `index` were last evaluated together.
        """
        now = now + POWER_UP
        last: Values = self._time[index]
        if last.ndim == 0:  # one cell, as a meter reads it: plain numbers take a third of the time
            passed: Values = np.float32(max(now - last, 0.0) if last > 0.0 else math.inf)
            self._time[index] = max(last, now) + aperture
            return -np.expm1(-2.0 * passed * self._rates[first:])
        rates = _by_decade(-2.0 * self._rates[first:], last.ndim)
        if last.size > 1 and (last == (together := last.item(0))).all():  # one exponential for all
            self._time[index] = max(together, now) + aperture
            passed = np.float32(max(now - together, 0.0) if together > 0.0 else math.inf)
            return -np.expm1(passed * rates)
        passed = np.where(last > 0.0, np.maximum(now - last, 0.0), np.inf).astype(np.float32)
        self._time[index] = np.maximum(last, now) + aperture
        return -np.expm1(passed * rates)

    def extend(self, lots: Sequence[FlickerNoise]) -> None:
        """Append the cells of `lots`, none of which was read yet: they take no memory here, either."""
        before, count = len(self._time), sum(len(lot._time) for lot in lots)
        state, time = self._state, self._time
        self._state = zeros_by_page((len(state), before + count, *state.shape[2:]), np.float32)
        self._time = zeros_by_page((before + count, *time.shape[1:]))
        self._state[:, :before], self._time[:before] = state, time

    def taken(self, rows: Rows, rng: np.random.Generator, apart: float) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        some._rng, some._state, some._time = rng, self._state[:, rows], self._time[rows]
        some._drawn = np.empty_like(self._drawn)  # another thread's
        some._forgotten = int(np.searchsorted(self.times, apart / FORGOTTEN))
        return some

    def put(self, rows: Rows, some: FlickerNoise) -> None:
        """Return the noise of cells that was `taken`, as it is now."""
        self._state[:, rows], self._time[rows] = some._state, some._time

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the time of the last evaluation of the cells at `index`, as `CellArray.postpone`."""
        looked = self._time[index]
        moved = looked + np.where(looked >= begun + POWER_UP, late, early)
        self._time[index] = np.where(looked > 0.0, moved, 0.0)

    def average(self, index: Index, now: float, aperture: float) -> Values:
        """Mean deviation (relative) of each cell over `aperture` seconds from `now`; ends there.

        The processes at the start of the aperture are not observed, so only their ends are drawn, and one more number
        for the mean given those: the joint law equals that of drawing start, end and mean of each.
        """
        first = self._forgotten
        if isinstance(index, tuple) and type(index[0]) is int is type(index[-1]):
            return self._average_of_one(index, now, aperture, first)
        fresh = self._come_to(index, now, aperture, first)
        *each, rest = self._aperture(aperture, first)
        weight, decay, new, pull = (_by_decade(values, fresh.ndim - 1) for values in each)
        own = np.sqrt(1.0 - fresh)  # of the last value, where the aperture begins
        change = np.maximum(new + decay * decay * fresh, TINY)  # variance of the end, given the last value
        beyond = weight - pull * decay  # of the beginning in the mean, given the end
        drawn = np.sqrt(change)
        share = (beyond * decay * fresh / change + pull) * drawn
        unknown = (beyond * beyond * new * fresh / change).sum(axis=0) + rest
        place = _behind(slice(first, None), index)
        state = self._state[place]
        draws = _draws(self._rng, state.shape)
        mean = _weighted_sum(weight * own, state) + _weighted_sum(share, draws)
        draws *= drawn
        draws += decay * own * state
        self._state[place] = draws
        spread = np.sqrt(unknown) * self._rng.standard_normal(mean.shape, np.float32)
        return self.amplitude * (mean + spread)

    def _average_of_one(self, index: tuple[int, int], now: float, aperture: float, first: int) -> float:
        """As `average`, of one cell: the same law and draws in plain numbers, in a third of the time."""
        now, last = now + POWER_UP, float(self._time[index])
        passed = max(now - last, 0.0) if last > 0.0 else math.inf
        self._time[index] = max(last, now) + aperture
        coefficients, unknown = self._plain_aperture(aperture, first)
        processes = self._state[:, index[0], index[1]]
        drawn_once = self._drawn[first:]  # a third of the time that a new array takes
        self._rng.standard_normal(None, np.float32, drawn_once)
        *draws, last_draw = drawn_once.tolist()
        mean, ends = 0.0, []
        exp, sqrt = math.exp, math.sqrt
        for (rate, weight, decay, new, pull, carried, grown, left), value, draw in zip(
            coefficients, processes.tolist()[first:], draws, strict=True
        ):
            old = exp(-passed * rate)
            own, fresh = sqrt(old), 1.0 - old
            change = new + grown * fresh
            drawn, share = sqrt(change), fresh / change
            mean += weight * own * value + (carried * share + pull) * drawn * draw
            unknown += left * share
            ends.append(drawn * draw + decay * own * value)
        processes[first:] = ends
        return float(self.amplitude * (mean + sqrt(unknown) * last_draw))

    def frozen(
        self, index: Index, now: float, window: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Relative deviation at `now` of the noise that is constant for `window` seconds."""
        state = self._advanced(index, now, window, rng)
        constant = len(self.times) - int(np.searchsorted(self.times, window))
        return self.amplitude * state[len(state) - constant :].sum(axis=0)

    def fast_variance(self, index: Index, window: float, shot: float) -> float:
        """Relative variance, of a mean over `shot` seconds, of what changes within `window` seconds."""
        return self._fast(int(np.searchsorted(self.times, window)), shot)


def _fast_variance(times: Floats, amplitude: float, count: int, shot: float) -> float:
    """Return the variance, of a mean over `shot` seconds, of the `count` fastest processes."""
    return float(amplitude**2 * mean_variance(shot / times[:count]).sum())


def _coefficients(times: Floats, aperture: float, forgotten: int) -> tuple[Any, ...]:
    """The joint law of (mean over the aperture, value at its end), given the value at its beginning.

    The first `forgotten` processes are new at the beginning, and will be at the next: only their means matter. Arrays of
    (decades - forgotten,): weight of the beginning in the mean, and in the end; variance of the end; weight of the new part
    of the end in the mean. Last the variance of the sum of the means that the ends leave open.
    """
    unseen = mean_variance(aperture / times[:forgotten]).sum()
    x = aperture / times[forgotten:]
    m, new = mean_weight(x), -np.expm1(-2.0 * x)
    own = np.where(x < 1e-3, x * (2.0 / 3.0 - x / 2.0), mean_variance(x) - m * m)  # variance of the mean
    pull = np.divide(m * -np.expm1(-x), new, out=np.full_like(x, 0.5), where=new > 0.0)
    rest = unseen + np.maximum(own - pull * pull * new, 0.0).sum()
    return *(a.astype(np.float32) for a in (m, np.exp(-x), new, pull)), np.float32(rest)


def _plain_coefficients(
    times: Floats, aperture: float, forgotten: int
) -> tuple[list[tuple[float, ...]], float]:
    """As `_coefficients`, for each process: what `FlickerNoise.average` makes of them for one cell; and the rest.

    Twice its rate (1/s), weight, kept, new and pull, and three products: of the new value in the mean, of its variance in
    that of the end, and of what the end leaves open.
    """
    *each, rest = _coefficients(times, aperture, forgotten)
    rates = 2.0 / times[forgotten:]
    plain: list[tuple[float, ...]] = []
    for rate, weight, decay, new, pull in zip(*(values.tolist() for values in (rates, *each)), strict=True):
        beyond, new = weight - pull * decay, max(new, TINY)
        plain.append((rate, weight, decay, new, pull, beyond * decay, decay * decay, beyond * beyond * new))
    return plain, float(rest)


def _draws(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Return standard normal draws (decades, ...), those of a cell one after the other."""
    drawn = rng.standard_normal((*shape[1:], shape[0]), np.float32)
    if len(shape) == 1:  # one cell
        return drawn
    return np.ascontiguousarray(drawn.transpose(-1, *range(len(shape) - 1)))


def _weighted_sum(weights: Values, values: Values) -> Values:
    """Return the sum over decades of `values` (decades, ...) times weights, which many cells may have in common."""
    if values.ndim > 1 and weights.size == len(weights):  # a product: short sums take several times as long
        return (weights.reshape(-1) @ values.reshape(len(values), -1)).reshape(values.shape[1:])
    return (weights * values).sum(axis=0)


def _behind(decades: slice, index: Index) -> tuple[Any, ...]:
    """Return the index of some decades of the cells at `index`."""
    return (decades, *index) if isinstance(index, tuple) else (decades, index)


def _by_decade(values: Values, dimensions: int) -> Values:
    """Return `values` (decades,) so that they broadcast over cells of so many dimensions."""
    return values.reshape(-1, *(1,) * dimensions)


class TelegraphNoise:
    """Random telegraph noise of the few cells that have it: each jumps between two conductances, exact over any step.

    `mask` (rows, columns) says which cells have a trap. Drawn of each trap: its correlation time (log-uniform); its
    occupancy, from 0.1 to 0.9 and then all traps have one variance, or of a ratio of dwell times (log-normal) and then
    their steps are log-normal.
    """

    def __init__(self, mask: NDArray[np.bool_], preset: CellPreset, rng: np.random.Generator) -> None:
        self._rng = rng
        count = int(mask.sum())
        self._slot = zeros_by_page(mask.shape, np.int32)  # 0: no trap
        self._slot[mask] = np.arange(1, count + 1)
        fastest, slowest = math.log(preset.rtn_fastest), math.log(preset.rtn_slowest)
        self.times = np.exp(rng.uniform(fastest, slowest, count + 1))
        if preset.rtn_asymmetry or preset.rtn_spread:
            self.occupancy = expit(math.log(10.0) * preset.rtn_asymmetry * rng.standard_normal(count + 1))
            steps = np.exp(preset.rtn_spread * (rng.standard_normal(count + 1) - preset.rtn_spread))
            # Their mean square is that of a trap of equal dwell times.
            self.step = 2.0 * preset.rtn_noise * steps
        else:
            self.occupancy = rng.uniform(0.1, 0.9, count + 1)
            self.step = preset.rtn_noise / np.sqrt(self.occupancy * (1.0 - self.occupancy))
        self._up = rng.random(count + 1) < self.occupancy
        self._time = np.zeros(count + 1)

    def extend(self, lots: Sequence[TelegraphNoise]) -> None:
        """Append the cells of `lots`."""
        slots, traps = [self._slot], len(self.times) - 1
        for lot in lots:
            slots.append(np.where(lot._slot > 0, lot._slot + traps, 0).astype(np.int32))
            traps += len(lot.times) - 1
        self._slot = np.concatenate(slots)
        for name in ("times", "occupancy", "step", "_up", "_time"):  # entry 0 is no trap
            own, others = getattr(self, name), (getattr(lot, name)[1:] for lot in lots)
            setattr(self, name, np.concatenate([own, *others]))

    def taken(self, rows: Rows, rng: np.random.Generator) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        slots = self._slot[rows]
        trapped = slots != 0
        numbers = np.concatenate([[0], slots[trapped]])  # entry 0 is no trap
        some._rng, some._slot = rng, np.zeros_like(slots)
        some._slot[trapped] = np.arange(1, len(numbers))
        for name in ("times", "occupancy", "step", "_up", "_time"):
            setattr(some, name, getattr(self, name)[numbers])
        return some

    def put(self, rows: Rows, some: TelegraphNoise) -> None:
        """Return the noise of cells that was `taken`, as it is now."""
        slots = self._slot[rows]
        numbers = slots[slots != 0]
        self._up[numbers], self._time[numbers] = some._up[1:], some._time[1:]

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the time of the last evaluation of the traps at `index`, as `CellArray.postpone`."""
        slots = self._slot[index]
        trapped = slots != 0
        early, late = (np.broadcast_to(shift, slots.shape)[trapped] for shift in (early, late))
        slots = slots[trapped]
        looked = self._time[slots]
        self._time[slots] = looked + np.where(looked >= begun, late, early)

    def average(
        self, index: Index, now: float, aperture: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Mean deviation (relative) of each cell over `aperture` seconds from `now`; ends there.

        The mean follows from the trap's states at both ends of the aperture, scaled so that mean and variance are exact:
        two levels when the aperture is short compared to the trap's time, none when it is long.
        """
        slots = self._slot[index]
        if slots.ndim == 0:
            return self._step(slots[None], now, aperture, rng)[0] if slots else 0.0
        deviation = np.zeros(slots.shape)
        trapped = slots != 0
        if trapped.any():
            deviation[trapped] = self._step(slots[trapped], now, aperture, rng)
        return deviation

    def frozen(
        self, index: Index, now: float, window: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Relative deviation at `now` of the traps that are constant for `window` seconds."""
        slots = self._slot[index]
        if slots.ndim == 0:
            return self.average(index, now, 0.0, rng) * (self.times[slots] >= window)
        deviation, trapped = np.zeros(slots.shape), np.nonzero(slots)
        slots = slots[trapped]
        if len(slots):
            deviation[trapped] = self._step(slots, now, 0.0, rng) * (self.times[slots] >= window)
        return deviation

    def fast_variance(self, index: Index, window: float, shot: float) -> Values:
        """Relative variance, of a mean over `shot` seconds, of the traps faster than `window` seconds."""
        slots = np.asarray(self._slot[index])
        variance = np.zeros(slots.shape)
        trapped = np.nonzero(slots) if slots.ndim else (slots != 0,)
        slots = slots[trapped]
        times, p = self.times[slots], self.occupancy[slots]
        variance[trapped] = (
            (times < window) * self.step[slots] ** 2 * p * (1.0 - p) * mean_variance(shot / times)
        )
        return variance[()]

    def _step(
        self, slots: NDArray[np.int32], now: float, aperture: float, rng: np.random.Generator | None = None
    ) -> Floats:
        rng = rng or self._rng
        p, times = self.occupancy[slots], self.times[slots]
        passed = np.maximum(now - self._time[slots], 0.0)
        start = rng.random(p.shape) < p + (self._up[slots] - p) * np.exp(-passed / times)
        decay = np.exp(-aperture / times) if aperture else 1.0  # at once, as vectors see it
        end = rng.random(p.shape) < p + (start - p) * decay
        self._up[slots] = end
        self._time[slots] = np.maximum(self._time[slots], now) + aperture
        averaging = np.sqrt(mean_variance(aperture / times if aperture else 0.0) / (0.5 + 0.5 * decay))
        result: Floats = self.step[slots] * averaging * (0.5 * start + 0.5 * end - p)
        return result


Index = Any
Values = Any
Rows = NDArray[np.int32] | slice

ELEMENTARY = 1.602176634e-19  # C


@lru_cache(maxsize=64)
def white_variance(voltage: float, aperture: float, temperature: float) -> float:
    """Variance (S^2) per siemens of a read at `voltage` (V) averaged over `aperture` (s).

    Thermal and shot noise are one: 2 q I coth(qV/2kT), which is 4kTG at rest and 2qI far from it
    (van der Ziel 1970), in the bandwidth 1/(2 aperture). 0 V counts as 1 uV: its current is still finite.
    """
    v = max(abs(voltage), 1e-6)
    density = 2.0 * ELEMENTARY / (v * math.tanh(v / (2.0 * BOLTZMANN * temperature)))
    return density / (2.0 * aperture)


def noise_share(preset: CellPreset, conductance: Values) -> Values:
    """Return by how much a cell at `conductance` (S) is quieter, relative to it, than one at the bottom.

    Above `noise_full` the noise in siemens grows no more; below, it is in proportion to the conductance.
    """
    return 1.0 / (1.0 + conductance / preset.noise_full) if preset.noise_full else 1.0


PartOf: TypeAlias = "Callable[[FlickerNoise | TelegraphNoise, Index], Values]"


class CellNoise:
    """A cell's noise with memory: 1/f noise, and telegraph noise where there is a trap (`trapped`, (rows, columns))."""

    def __init__(self, trapped: NDArray[np.bool_], preset: CellPreset, rng: np.random.Generator) -> None:
        self._shape = trapped.shape
        self._preset, self._rng = preset, rng
        self._parts: list[FlickerNoise | TelegraphNoise] = []
        if preset.read_noise:
            self._parts.append(FlickerNoise(trapped.shape, preset, rng))
        if preset.rtn_noise and trapped.any():
            self._parts.append(TelegraphNoise(trapped, preset, rng))

    def extend(self, lots: Sequence[CellNoise]) -> None:
        """Append the cells of `lots`."""
        if any(isinstance(part, TelegraphNoise) for noise in (self, *lots) for part in noise._parts):
            for noise in (self, *lots):
                if not any(isinstance(part, TelegraphNoise) for part in noise._parts):
                    noise._parts.append(
                        TelegraphNoise(np.zeros(noise._shape, bool), noise._preset, noise._rng)
                    )
        for number, part in enumerate(self._parts):
            part.extend([lot._parts[number] for lot in lots])  # type: ignore[misc]
        self._shape = (self._shape[0] + sum(lot._shape[0] for lot in lots), self._shape[1])

    def taken(self, rows: Rows, rng: np.random.Generator, apart: float) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        some._rng, some._shape = rng, np.broadcast_to(np.int8(0), self._shape)[rows].shape
        some._parts = [
            part.taken(rows, rng, apart) if isinstance(part, FlickerNoise) else part.taken(rows, rng)
            for part in self._parts
        ]
        return some

    def put(self, rows: Rows, some: CellNoise) -> None:
        """Return the noise of cells that was `taken`, as it is now."""
        for part, own in zip(self._parts, some._parts, strict=True):
            part.put(rows, own)  # type: ignore[arg-type]

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the stored times of the cells at `index`, as `CellArray.postpone`."""
        for part in self._parts:
            part.postpone(index, begun, early, late)

    def average(self, index: Index, conductance: Values, now: float, aperture: float) -> Values:
        """Mean deviation (relative) of cells at `conductance` (S) over `aperture` seconds from `now`; ends there."""
        if isinstance(index, tuple) and isinstance(index[0], int):  # one cell, the fast way
            total = 0.0
            for part in self._parts:
                total += part.average(index, now, aperture)
            return total * noise_share(self._preset, conductance) if self._preset.noise_full else total
        (deviation,) = self._sums(index, lambda part, cells: part.average(cells, now, aperture))
        return deviation * noise_share(self._preset, conductance)

    def fast_variance(self, index: Index, conductance: Values, window: float, shot: float) -> Values:
        """Relative variance, of a mean over `shot` seconds, of what changes within `window` seconds."""
        (variance,) = self._sums(index, lambda part, cells: part.fast_variance(cells, window, shot))
        return variance * noise_share(self._preset, conductance) ** 2

    def for_batch(
        self, index: Index, conductance: Values, now: float, window: float, shot: float,
        rng: np.random.Generator | None = None,
    ) -> tuple[Values, Values]:  # fmt: skip
        """Relative deviation at `now` of the noise that is constant for `window` seconds, and the `fast_variance`.

        It is drawn from `rng` in place of the cells' own generator where that is given.
        """
        deviation, variance = self._sums(
            index,
            lambda part, cells: part.frozen(cells, now, window, rng),
            lambda part, cells: part.fast_variance(cells, window, shot),
        )
        share = noise_share(self._preset, conductance)
        return deviation * share, variance * share**2

    def _sums(self, index: Index, *functions: PartOf) -> list[Values]:
        """Return the sum over the parts of each of the functions of a part and cells."""
        if isinstance(index, tuple) and isinstance(index[0], int):  # one cell, the fast way
            return [sum(of(part, index) for part in self._parts) for of in functions]
        if self._parts and is_whole(index):
            if not is_list(index):
                sums = [sum(of(part, index) for part in self._parts) for of in functions]
                return [np.asarray(one, np.float64) for one in sums]
            listed = [np.empty(index[0].size) for _ in functions]
            for piece, place in stretches(index):
                for of, values in zip(functions, listed, strict=True):
                    values[place] = sum(of(part, piece) for part in self._parts)
            return [values.reshape(index[0].shape) for values in listed]
        totals = [np.zeros(np.broadcast_to(np.int8(0), self._shape)[index].shape) for _ in functions]
        for piece, place in pieces(index, self._shape):
            for of, total in zip(functions, totals, strict=True):
                for part in self._parts:
                    total[place] += of(part, piece)
        return [total[()] for total in totals]
