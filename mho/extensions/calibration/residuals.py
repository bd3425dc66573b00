"""Whether pulses did what a law says: standardised residuals of single pulses, and whether they go with the pulses.

The law says how the conductance after each pulse is distributed, given that before. Of a right one, the normal deviate of
what was read says nothing that the pulse could have told (Dunn and Smyth, Journal of Computational and Graphical Statistics
5, 236 (1996)): its regression on voltage, width, gate voltage and conductance before, their squares and products explains
what chance does, which is chi-squared with as many degrees of freedom. Cells differ for life, so that only what happens
within each counts. Parameters are those at the maximum of the likelihood: of a wrong law, too, it fits as well as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.pulse_model import PulseModel
from mho.extensions.calibration.transitions import Sequences

CELLS, PULSES = 24, 300  # that are looked at
TOGETHER = 8  # pulses: what is computed of them stays in the cache
COARSE = 48  # conductances after a pulse at which its density is evaluated, over all that are possible
FINE = np.array([-25.0, -12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 12.0, 25.0])
"""Further ones about that before, in read deviations."""

UNMOVED = 4.0  # read deviations: how reads of cells that hold still scatter in detail is no matter of the law
FARTHEST = 3.0  # deviations: what is farther out counts as this far
FAR = 2.5  # times the largest that is expected: a law that is right but for details remains below


@dataclass(frozen=True)
class Misfit:
    """How much of the residuals of one kind of pulse goes with the pulses."""

    kind: str
    # Pulses times the share of the residuals' variance that a regression on the pulses explains; NaN where
    # the parameters have no density
    value: float
    low: float  # between which it lies with 95 % if the law is right
    high: float

    @property
    def wrong(self) -> bool:
        """Whether the law does not describe these pulses."""
        return not self.value <= FAR * self.high

    @property
    def unexpected(self) -> bool:
        """Whether it is more than chance does, or no number: the parameters are beyond what the law has."""
        return not self.value <= self.high


def misfit(
    kind: str, model: Callable[[Sequences, Mapping[str, float]], PulseModel], pulses: Sequences,
    fixed: Mapping[str, float], values: Mapping[str, float], seed: int = 0,
) -> Misfit:  # fmt: skip
    """Return how much of what pulses did, under a law with these parameters, goes with the pulses.

    `model` makes the likelihood of pulses with the base preset, `fixed`; `values` were fitted; `seed` draws the pulses.
    """
    rng = np.random.default_rng(seed)
    some = pulses.of(np.sort(rng.permutation(pulses.cells)[:CELLS]))
    number, cell = np.nonzero(some.live)
    chosen = rng.permutation(len(number))[:PULSES]
    number, cell = number[chosen], cell[chosen]
    voltage, width, gate, before, after, still, landing = (
        getattr(some, name)[number, cell]
        for name in ("voltage", "width", "gate", "before", "after", "still", "landing")
    )
    at = _grid(before, still, pulses)
    log = np.empty(at.shape)
    for begin in range(0, len(at), TOGETHER):
        part = slice(begin, begin + TOGETHER)
        each = (one[part] for one in (voltage, width, gate, before, still, landing / after))
        cells = model(_one_pulse_each(at[part], *each), fixed)
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # parameters may be far off
                cells.recentre(values)
                log[part] = cells.log_likelihood(values).reshape(at[part].shape)
        except np.linalg.LinAlgError:  # or beyond all numbers
            return Misfit(kind, np.nan, 0.0, 0.0)
    density = np.exp(log - log.max(axis=1, keepdims=True))
    parts = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(at, axis=1)
    below = np.concatenate([np.zeros((len(at), 1)), np.cumsum(parts, axis=1)], axis=1)
    below = below / below[:, -1:]

    def share(conductance: Floats) -> Floats:
        places = zip(conductance, at, below, strict=True)
        return np.array([np.interp(value, grid, shares) for value, grid, shares in places])

    first, last = share(before - UNMOVED * still), share(before + UNMOVED * still)
    drawn = first + (last - first) * rng.random(len(before))
    shares = np.where(np.abs(after - before) < UNMOVED * still, drawn, share(after))
    deviates = np.clip(ndtri(shares), -FARTHEST, FARTHEST)
    value, freedom = explained(deviates, (np.log(before), voltage, gate, np.log(width)), cell)
    low, high = (float(chdtri(max(freedom, 1), tail)) for tail in (0.975, 0.025))
    return Misfit(kind, value, low, high)


def explained(deviates: Floats, about: tuple[Floats, ...], cell: NDArray[np.int64]) -> tuple[float, int]:
    """Return the part of the variance of deviates that goes with `about`, times their number, and its degrees of freedom.

    Means of cells are taken off both. Deviates that go with nothing have a value that is chi-squared.
    """
    standard = [(one - one.mean()) / max(float(one.std()), 1e-9) for one in about]
    standard = [one for one in standard if float(one.std()) > 0.5]  # what varies at all
    terms = standard + [one * other for one, other in combinations_with_replacement(standard, 2)]
    within, own = _within(np.stack(terms, axis=1), cell), _within(deviates[:, None], cell)[:, 0]
    left, strength, _ = np.linalg.svd(within, full_matrices=False)
    left = left[:, strength > 1e-3 * strength[0]]
    free = len(deviates) - len(np.unique(cell))  # deviates of a cell add up to 0
    total = float(own @ own)
    return free * float(((left.T @ own) ** 2).sum()) / max(total, 1e-12), left.shape[1]


def _within(values: Floats, cell: NDArray[np.int64]) -> Floats:
    """Return values (pulses, columns) less the mean of each cell's."""
    _, place, counts = np.unique(cell, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, place, values)
    return np.asarray(values - (sums / counts[:, None])[place])


def _grid(before: Floats, still: Floats, pulses: Sequences) -> Floats:
    """Return conductances (pulses, nodes) from below all that were read to above, S."""
    read = np.concatenate([pulses.before[pulses.live], pulses.after[pulses.live]])
    low, high = float(read.min()) / 1.5, 1.6 * float(read.max())
    coarse = np.broadcast_to(np.geomspace(low, high, COARSE), (len(before), COARSE))
    fine = np.maximum(before[:, None] + still[:, None] * FINE, low)
    return np.sort(np.concatenate([coarse, fine], axis=1), axis=1)


def _one_pulse_each(
    after: Floats, voltage: Floats, width: Floats, gate: Floats, before: Floats, still: Floats, error: Floats,
) -> Sequences:  # fmt: skip
    """Return each pulse on as many cells as there are conductances (pulses, nodes) that it might lead to."""

    def each(values: Floats) -> Floats:
        return np.repeat(values, after.shape[1])[None]

    ends, count = after.ravel()[None], after.size
    return Sequences(
        each(voltage), each(width), each(gate), each(before), ends, np.ones((1, count), bool), each(still),
        each(error) * ends, np.zeros(count, bool), np.arange(count),
    )  # fmt: skip
