"""The share of each cause in the squared error of a run and its twin, as Shapley values.

For a function v of sets of k causes,

    phi_i = sum over S without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S)),

which add up to v(all) - v(none) exactly (Shapley, "A value for n-person games", 1953). Sets are numbers whose bit i says
whether cause i is in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.instruments.arrays import ALL, CAUSES, Cause, Causes

MOST_EXACT = 16  # causes: 65,536 sets


def shapley_values(values: ArrayLike) -> Floats:
    """Return the Shapley values (k, ...) of a function given on all sets.

    `values` (2^k, ...): v of each set, by its number.
    `ValueError` for another number of sets, or more than 2^16.
    """
    v = np.asarray(values, np.float64)
    k = max(len(v), 1).bit_length() - 1
    if len(v) != 1 << k or k > MOST_EXACT:
        raise ValueError(f"{len(v)} values; give one for each of 2^k sets, k up to {MOST_EXACT}")
    sets = np.arange(len(v))
    sizes = np.bitwise_count(sets)
    weights = np.array([factorial(s) * factorial(k - s - 1) / factorial(k) for s in range(k)])
    result = np.empty((k, *v.shape[1:]))
    for i in range(k):
        without = sets[(sets >> i) & 1 == 0]
        result[i] = np.tensordot(weights[sizes[without]], v[without | 1 << i] - v[without], axes=1)
    return result


@dataclass(frozen=True)
class Sampled:
    """Shapley values from sampled orders."""

    values: Floats  # (k,) array
    errors: Floats  # (k,) array; their standard errors
    orders: int  # number of orders


def sampled_values(
    value: Callable[[int], float], count: int, rng: np.random.Generator, tolerance: float, most: int
) -> Sampled:
    """Return the Shapley values from random orders, each with its reverse, until their errors are small enough.

    A pair of an order and its reverse is exact for functions in which causes act alone or by twos (Castro, Gomez and
    Tejada 2009; antithetic sampling). Every single order adds up to v(all) - v(none), and so does their mean.

    `value`: number of a set -> v; called once for each set.
    `tolerance`: largest standard error, as a share of |v(all) - v(none)|.
    `most`: pairs of orders, at most; at least 2 are taken.
    """
    of = cache(value)
    whole = abs(of((1 << count) - 1) - of(0))
    pairs: list[Floats] = []
    while len(pairs) < max(most, 2):
        order = rng.permutation(count)
        pairs.append(0.5 * (_along(of, order) + _along(of, order[::-1])))
        if len(pairs) > 1 and np.max(_error(pairs), initial=0.0) <= tolerance * whole:
            break
    return Sampled(np.mean(pairs, axis=0), _error(pairs), 2 * len(pairs))


def _along(of: Callable[[int], float], order: NDArray[np.int64]) -> Floats:
    """Return what each cause adds, in this order."""
    result, members, before = np.empty(len(order)), 0, of(0)
    for cause in order.tolist():
        members |= 1 << cause
        now = of(members)
        result[cause], before = now - before, now
    return result


def _error(pairs: list[Floats]) -> Floats:
    return np.asarray(np.std(pairs, axis=0, ddof=1) / np.sqrt(len(pairs)))


INERT = 1e-5  # of the squared error: a cause that moves it by less, alone and as the last one, has no share
MOST_ANSWERS = 1 << 13  # answers computed for an exact decomposition; more causes or answers are sampled
TOLERANCE = 0.005  # largest standard error of a sampled share
MOST_PAIRS = 64  # of sampled orders
Value = Callable[[Causes], float]  # mean squared error of a twin with only these causes
StageProgress = Callable[[str, int, int], None]  # called with a stage, and how much of it is done


@dataclass(frozen=True)
class Decomposition:
    """The squared error of a twin, cause by cause."""

    causes: tuple[Cause, ...]
    values: Floats  # (causes,) array; Shapley values; with `rest` they add up to `whole`
    # (causes,) array; their standard errors where they were sampled; 0 where all sets were computed
    errors: Floats
    alone: Floats  # (causes,) array; squared error with this cause only
    mended: Floats  # (causes,) array; with all others
    whole: float  # squared error with all causes
    rest: float  # with those alone that have no share
    orders: int  # number of sampled orders; 0 for all sets


def decompose(value: Value, answers: int, rng: np.random.Generator, report: StageProgress) -> Decomposition:
    """Decompose a twin's squared error.

    `answers`: of which it is the mean: what one call takes.
    """
    causes, count = tuple(CAUSES), len(CAUSES)
    first = [frozenset({one}) for one in causes] + [ALL - {one} for one in causes]
    ends = []
    for number, some in enumerate(first):
        report("each cause", number, len(first))
        ends.append(value(some))
    alone, mended = np.array(ends[:count]), np.array(ends[count:])
    whole, nothing = value(ALL), value(frozenset())
    moved = np.maximum(np.abs(alone - nothing), np.abs(whole - mended))
    active = [int(i) for i in np.flatnonzero(moved > INERT * max(whole, 1e-300))]
    inert = ALL - {causes[i] for i in active}
    done = itertools.count(1)

    @cache
    def of(members: int) -> float:
        result = value(inert | {causes[i] for b, i in enumerate(active) if members >> b & 1})
        report("causes together", next(done), 1 << len(active))
        return result

    values, errors = np.zeros(count), np.zeros(count)
    orders = 0
    if (answers << len(active)) <= MOST_ANSWERS:
        values[active] = shapley_values([of(members) for members in range(1 << len(active))])
    else:
        estimate = sampled_values(of, len(active), rng, TOLERANCE, MOST_PAIRS)
        values[active], errors[active], orders = estimate.values, estimate.errors, estimate.orders
    return Decomposition(causes, values, errors, alone, mended, whole, of(0), orders)


@dataclass(frozen=True)
class Moments:
    """The same error at other moments, when noise is drawn anew."""

    values: Floats  # (draws, causes) array; Shapley values
    mended: Floats  # (draws, causes) array; squared error with all causes but one


def moved_values(
    value: Value, redrawn: Sequence[Value], of: Decomposition, rng: np.random.Generator, report: StageProgress
) -> Moments:
    """Return what the causes have at other moments, when noise is drawn anew.

    One order of the causes and its reverse are walked at every moment, the run's own included: what the values differ by
    between moments is taken from those, which is exact for causes that act alone or by twos.
    """
    active = [one for one, share in zip(of.causes, of.values, strict=True) if share != 0.0]
    order = [active[i] for i in rng.permutation(len(active))]
    inert = ALL - frozenset(active)
    places = [of.causes.index(one) for one in order]

    def walked(at: Value) -> Floats:
        result = np.zeros(len(of.causes))
        on, last, before, after = inert, ALL, at(inert), at(ALL)
        for one, place in zip(order, places, strict=True):
            on, last = on | {one}, last - {one}  # forth, and what the reverse order adds with it
            now, left = at(on), at(last)
            result[place] = 0.5 * ((now - before) + (after - left))
            before, after = now, left
        return result

    own = walked(value)
    moments, mended = [], []
    for number, one in enumerate(redrawn):
        report("other moments", number, len(redrawn))
        moments.append(of.values + walked(one) - own)
        left = np.full(len(of.causes), one(ALL))  # what has no share leaves the error as it is
        left[places] = [one(ALL - {cause}) for cause in order]
        mended.append(left)
    shape = -1, len(of.causes)
    return Moments(np.array(moments).reshape(shape), np.array(mended).reshape(shape))
