"""Shapley values: what each of several causes has in a number, by what it adds to the others, in every order.

For a function v of sets of k causes,

    phi_i = sum over S without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S)),

which add up to v(all) - v(none) exactly (Shapley, "A value for n-person games", 1953). What two causes do together is
shared equally between them. Sets are numbers whose bit i says whether cause i is in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats

MOST_EXACT = 16  # causes: 65,536 sets


def shapley_values(values: ArrayLike) -> Floats:
    """Return the Shapley values (k, ...) of a function given on all sets.

    Parameters
    ----------
    values : (2^k, ...) array
        v of each set, by its number.

    Raises
    ------
    ValueError
        For another number of sets, or more than 2^16.
    """
    v = np.asarray(values, np.float64)
    k = max(len(v), 1).bit_length() - 1
    if len(v) != 1 << k or k > MOST_EXACT:
        raise ValueError(f"{len(v)} values; give one for each of 2^k sets, k up to {MOST_EXACT}")
    sets = np.arange(len(v))
    sizes = np.bitwise_count(sets)
    weights = np.array([factorial(s) * factorial(k - s - 1) / factorial(k) for s in range(k)])
    found = np.empty((k, *v.shape[1:]))
    for i in range(k):
        without = sets[(sets >> i) & 1 == 0]
        found[i] = np.tensordot(weights[sizes[without]], v[without | 1 << i] - v[without], axes=1)
    return found


@dataclass(frozen=True)
class Sampled:
    """Shapley values from sampled orders."""

    # values, errors: (k,) arrays; with their standard errors
    values: Floats
    errors: Floats
    orders: int  # number of orders


def sampled_values(
    value: Callable[[int], float], count: int, rng: np.random.Generator, tolerance: float, most: int
) -> Sampled:
    """Return the Shapley values from random orders, each with its reverse, until their errors are small enough.

    A pair of an order and its reverse is exact for functions in which causes act alone or by twos (Castro, Gomez and
    Tejada 2009; antithetic sampling). Every single order adds up to v(all) - v(none), and so does their mean.

    Parameters
    ----------
    value : callable
        Number of a set -> v; called once for each set.
    count : int
        k.
    tolerance : float
        Largest standard error, as a share of |v(all) - v(none)|.
    most : int
        Pairs of orders, at most; at least 2 are taken.
    """
    known: dict[int, float] = {}

    def of(members: int) -> float:
        if members not in known:
            known[members] = value(members)
        return known[members]

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
    found, members, before = np.empty(len(order)), 0, of(0)
    for cause in order.tolist():
        members |= 1 << cause
        now = of(members)
        found[cause], before = now - before, now
    return found


def _error(pairs: list[Floats]) -> Floats:
    return np.asarray(np.std(pairs, axis=0, ddof=1) / np.sqrt(len(pairs)))
