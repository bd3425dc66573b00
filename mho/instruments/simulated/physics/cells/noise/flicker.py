"""1/f noise of cells from Lorentzians, exact over any step of time.

An Ornstein-Uhlenbeck process is drawn at the next moment from the present one, so that a hundred small steps and one
large step have the same distribution. It can be averaged over an aperture T:

    m = (1 - e^-x)/x      weight of the present value in the mean over the aperture, x = T/tau
    V = 2 (1 - m)/x       variance of that mean, in units of the process's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from functools import lru_cache, partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.cells.pages import zeros_by_page
from mho.instruments.simulated.physics.cells.presets import CellPreset

Floats = NDArray[np.float64]
Index = Any
Values = Any
Rows = NDArray[np.int32] | slice

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

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    preset : CellPreset
    rng : numpy.random.Generator
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

    def advance(self, index: Index, now: float, window: float = 0.0) -> Values:
        """Advance the cells at `index` to clock time `now`; return their processes, (..., decades).

        Parameters
        ----------
        window : float
            Time for which the cells are then left alone, s: processes that have forgotten everything by then are left out,
            as what they are now is of no use.
        """
        return np.moveaxis(self._advanced(index, now, window), 0, -1).copy()

    def _advanced(
        self, index: Index, now: float, window: float, rng: np.random.Generator | None = None
    ) -> Values:
        """As `advance`, but (decades, ...), and the states themselves where `index` allows it: they are only read."""
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
        """Return the share of each process's variance that is new at clock time `now`; advance to `aperture` later.

        The processes are those from the `first` on.

        Of shape (decades, ...), or (decades, 1, ...) where all cells at `index` were last evaluated together.
        """
        now = now + POWER_UP
        last: Values = self._time[index]
        if last.ndim == 0:  # one cell, as a meter reads it: plain numbers take a third of the time
            passed: Values = np.float32(max(now - last, 0.0) if last > 0.0 else math.inf)
            self._time[index] = max(last, now) + aperture
            return -np.expm1(-2.0 * passed * self._rates[first:])
        if last.size > 1 and (last == last.flat[0]).all():  # one exponential for all
            last = last.flat[:1].reshape((1,) * last.ndim)
        passed = np.where(last > 0.0, np.maximum(now - last, 0.0), np.inf).astype(np.float32)
        self._time[index] = np.maximum(last, now) + aperture
        return -np.expm1(passed * _by_decade(-2.0 * self._rates[first:], passed.ndim))

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
        weight, kept, new, pull = (_by_decade(values, fresh.ndim - 1) for values in each)
        own = np.sqrt(1.0 - fresh)  # of the last value, where the aperture begins
        change = np.maximum(new + kept * kept * fresh, TINY)  # variance of the end, given the last value
        beyond = weight - pull * kept  # of the beginning in the mean, given the end
        drawn = np.sqrt(change)
        share = (beyond * kept * fresh / change + pull) * drawn
        unknown = (beyond * beyond * new * fresh / change).sum(axis=0) + rest
        place = _behind(slice(first, None), index)
        state = self._state[place]
        draws = _draws(self._rng, state.shape)
        mean = _weighted_sum(weight * own, state) + _weighted_sum(share, draws)
        draws *= drawn
        draws += kept * own * state
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
        for (rate, weight, kept, new, pull, carried, grown, left), value, draw in zip(
            coefficients, processes.tolist()[first:], draws, strict=True
        ):
            old = exp(-passed * rate)
            own, fresh = sqrt(old), 1.0 - old
            change = new + grown * fresh
            drawn, share = sqrt(change), fresh / change
            mean += weight * own * value + (carried * share + pull) * drawn * draw
            unknown += left * share
            ends.append(drawn * draw + kept * own * value)
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

    The first `forgotten` processes are new at the beginning, and will be at the next: only their means matter.

    Returns
    -------
    weight, kept : (decades - forgotten,) arrays
        Of the beginning, in the mean and in the end.
    new : (decades - forgotten,) array
        Variance of the end.
    pull : (decades - forgotten,) array
        Weight of the new part of the end, in the mean.
    rest : float
        Variance of the sum of the means that the ends leave open.
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
    for rate, weight, kept, new, pull in zip(*(values.tolist() for values in (rates, *each)), strict=True):
        beyond, new = weight - pull * kept, max(new, TINY)
        plain.append((rate, weight, kept, new, pull, beyond * kept, kept * kept, beyond * beyond * new))
    return plain, float(rest)


def _draws(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Return standard normal draws (decades, ...), those of a cell one after the other."""
    drawn = rng.standard_normal((*shape[1:], shape[0]), np.float32)
    if len(shape) == 1:  # one cell
        return drawn
    return np.ascontiguousarray(np.moveaxis(drawn, -1, 0))


def _weighted_sum(weights: Values, values: Values) -> Values:
    """Return the sum over decades of `values` (decades, ...) times weights, which many cells may have in common."""
    if values.ndim > 1 and weights.size == len(
        weights
    ):  # a product: many short sums take several times as long
        return (weights.reshape(-1) @ values.reshape(len(values), -1)).reshape(values.shape[1:])
    return (weights * values).sum(axis=0)


def _behind(decades: slice, index: Index) -> tuple[Any, ...]:
    """Return the index of some decades of the cells at `index`."""
    return (decades, *index) if isinstance(index, tuple) else (decades, index)


def _by_decade(values: Values, dimensions: int) -> Values:
    """Return `values` (decades,) so that they broadcast over cells of so many dimensions."""
    return values.reshape(-1, *(1,) * dimensions)
