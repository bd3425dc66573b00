"""Relaxation, drift and loss, from reads of programmed cells over hours: one likelihood of a run.

    G(t) = (G + c relaxation s(t) + drift ln(1 + t/s)) exp(-rate t) (1 + noise(t))
    s(t) = ln(1 + t/relaxation_time)^relaxation_power

with a heavy-tailed coefficient c of each cell, whose distribution is written as normal ones of several widths: then the
reads of a cell are normal in each, with a covariance in closed form. The noise is 1/f noise of the base's times, of which
each read sees what lasts longer than its aperture, and telegraph noise in the share of the cells that the base has. What
a cell was programmed to is integrated over. The rate is the same for all and in proportion to G, the drift is not: so
neither is taken for the other. A share of the cells is stuck: they neither relax nor lose anything, only their reads
scatter. Times count from programming: without its age, a run tells the rate only.

Only cells are used that were programmed so far above relaxation_full that relaxation depends on G at no time. Errors are
those of the scores of the cells (a sandwich), which hold where the tails are others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.extensions.calibration.experiments.estimates import FEWEST, ParameterEstimate, reach
from mho.extensions.calibration.experiments.noise_levels import lasting_share

FEWEST_READS = 4
LEVELS = 2.0  # largest over smallest conductance, at least, for relaxation to be told from noise
LEAST_CELLS = 20
MOST_CELLS = 2000  # more make intervals narrower than the law is right
MARGIN = 2.0  # deviations of the relaxation until the last read
LEAST_LEFT = 0.1  # of the conductance: what has lost more is left out
TOLD = 0.3  # of the prior's deviation: above, a parameter is not told
LEAST, LEAST_NOISE = 1e-9, 1e-6  # S, and of the conductance: where the base has none
TRAPS = 15  # correlation times of telegraph noise
FAINTEST = -60.0  # ln of noise; a search may step far
STEP = 1e-3  # of differences, in deviations of the prior
VARIANCES, PARTS, EXPECTATIONS = (0.3, 30.0), 10, 500
RELAXATION, DRIFT, NOISE, STUCK, RATE = range(5)
STUCK_ODDS = -4.0, 1.5  # ln of the odds that a cell is stuck: mean and deviation of the prior


@dataclass(frozen=True)
class Ageing:
    """What the reads of a run tell: ln relaxation, drift, ln noise, the log-odds of a stuck cell, the rate."""

    mean: Floats  # (5,): SI
    error: Floats  # (5,): deviations after the run
    prior: Floats  # (5,): and before it
    levels: float  # largest over smallest conductance of the cells
    cells: int

    def estimates(self) -> list[ParameterEstimate]:
        """Return relaxation and drift, where they are told."""
        known = self.error < TOLD * self.prior
        low, high = (self.mean + side * reach(self.cells) * self.error for side in (-1.0, 1.0))
        result = []
        if known[DRIFT]:
            value, least, most = (float(one[DRIFT]) for one in (self.mean, low, high))
            result.append(ParameterEstimate("drift", value, least, most))
        if known[RELAXATION] and self.cells >= LEAST_CELLS and self.levels > LEVELS:
            value, least, most = (math.exp(one[RELAXATION]) for one in (self.mean, low, high))
            result.append(ParameterEstimate("relaxation", value, least, most))
        return result


@dataclass(frozen=True)
class AgeingReads:
    """Reads of cells that no pulse has disturbed."""

    ages: Floats  # (reads, cells): s since programming
    conductance: Floats  # (reads, cells): S
    elapsed: Floats  # (reads,): for how long cells were at the temperature of the run, s

    def chosen(self, base: Mapping[str, float], margin: float) -> AgeingReads:
        """Return those of them that count."""
        good = (self.conductance > 0.0).all(axis=0) & (self.ages >= 0.0).all(axis=0)
        high = np.flatnonzero(good & (self.conductance[0] > base["relaxation_full"] + margin))
        high = high[:: math.ceil(max(len(high), 1) / MOST_CELLS)]
        ages, conductance = self.ages[:, high], self.conductance[:, high]
        left = np.ones(len(ages), bool)
        if len(high):
            left = np.median(conductance / conductance[0], axis=1) > LEAST_LEFT
        return AgeingReads(ages[left], conductance[left], self.elapsed[left])


def ageing(groups: Sequence[AgeingReads], base: Mapping[str, float], aperture: float) -> Ageing | None:
    """Return what cells tell, in groups of those that were read equally often.

    None for too few cells or reads. `aperture` (s) is the time over which a read is averaged. Reads after nine tenths of
    the conductance are lost are left out.
    """
    last = max(float(np.median(one.ages[-1])) for one in groups if one.ages.size)
    margin = MARGIN * base["relaxation"] * float(_spread(np.array(last), base))
    groups = [one.chosen(base, margin) for one in groups]
    groups = [one for one in groups if one.conductance.size and len(one.ages) > 1]
    whole = [one for one in groups if len(one.ages) >= FEWEST_READS and one.elapsed[-1] > 0.0]
    if sum(one.conductance.shape[1] for one in whole) < FEWEST:
        return None
    longest = max(float(one.elapsed[-1]) for one in whole)
    reads = [_Reads.of(one, base, aperture, longest) for one in groups]
    lost = [float(np.median(np.log(one.conductance[0] / one.conductance[-1]))) for one in whole]
    middle, prior = _prior(base)
    mean, error = _fitted(reads, middle, prior, max(*lost, 0.0))
    first = np.concatenate([one.conductance[0] for one in groups])
    scale = np.append(np.ones(RATE), 1.0 / longest)
    prior = np.append(prior, math.inf)
    return Ageing(mean * scale, error * scale, prior, float(first.max() / first.min()), len(first))


def _prior(base: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return mean and deviation of all parameters but the loss: wide, so that what is told is told by reads."""
    relaxation, noise = max(base["relaxation"], LEAST), max(base["read_noise"], LEAST_NOISE)
    middle = [math.log(relaxation), base["drift"], math.log(noise), STUCK_ODDS[0]]
    return np.array(middle), np.array([1.0, relaxation, 1.0, STUCK_ODDS[1]])


@dataclass(frozen=True)
class _Reads:
    """The reads of a group with what does not change while parameters are sought."""

    reads: Floats  # (cells, reads), S
    size: Floats  # (cells,): by which noise is multiplied, S
    spread: Floats  # (cells, reads): s(t)
    slow: Floats  # (cells, reads): ln(1 + t/s)
    elapsed: Floats  # (reads,), of the longest
    flicker: Floats  # (reads, reads): covariance of 1/f noise of unit variance
    trap: Floats  # (reads, reads): of telegraph noise of the base's size
    trapped: float  # share of the cells
    shares: Floats  # of the normal distributions of c
    widths: Floats  # their variances

    @classmethod
    def of(cls, watched: AgeingReads, base: Mapping[str, float], aperture: float, longest: float) -> _Reads:
        ages, start = watched.ages, watched.conductance[0]
        moments = np.median(ages - ages[0], axis=1)
        size = start / (1.0 + start / base["noise_full"]) if base["noise_full"] else start
        decades = max(round(math.log10(base["noise_slowest"] / base["noise_fastest"])), 0)
        times = np.geomspace(base["noise_fastest"], base["noise_slowest"], decades + 1)
        traps = np.geomspace(base["rtn_fastest"], base["rtn_slowest"], TRAPS)
        return cls(
            watched.conductance.T, size, _spread(ages, base).T, np.log1p(ages).T, watched.elapsed / longest,
            _covariance(moments, times, aperture), base["rtn_noise"] ** 2 * _covariance(moments, traps, aperture),
            base["rtn_share"] if base["rtn_noise"] else 0.0, *normal_parts(base["relaxation_tail"]),
        )  # fmt: skip

    @cached_property
    def _quiet(self) -> _Noise:
        """1/f noise of unit variance alone."""
        return _Noise.of(self.flicker)

    @cached_property
    def _still(self) -> Floats:
        """Squares (cells,) of the reads of cells that do not move, under `_quiet`."""
        squares: Floats = np.einsum("cr,cr->c", self.reads @ self._quiet.free, self.reads) / self.size**2
        return squares

    def likelihoods(self, parameters: Floats) -> Floats:
        """Return ln of the likelihood of each cell."""
        relaxation, drift, noise, stuck, loss = parameters
        noise = max(noise, FAINTEST)
        moved = self.reads * np.exp(loss * self.elapsed) - drift * self.slow
        quiet, variance = self._quiet.times(math.exp(2.0 * noise)), math.exp(2.0 * relaxation)
        # of the reads' measure; the share
        change = loss * float(self.elapsed.sum()) - math.log1p(math.exp(stuck))
        logs = []
        if self.trapped < 1.0:
            logs.append(self._under(quiet, moved, variance) + math.log(1.0 - self.trapped) + change)
        if self.trapped:
            trapping = _Noise.of(math.exp(2.0 * noise) * self.flicker + self.trap)
            logs.append(self._under(trapping, moved, variance) + math.log(self.trapped) + change)
        still = quiet.known - 0.5 * math.exp(-2.0 * noise) * self._still - math.log1p(math.exp(-stuck))
        result: Floats = np.logaddexp.reduce([*logs, still]) - (len(self.flicker) - 1) * np.log(self.size)
        return result

    def _under(self, noise: _Noise, moved: Floats, variance: float) -> Floats:
        """Return ln of the likelihood of each cell under its noise, but for the measure of its size."""
        rest, along = moved @ noise.free, self.spread @ noise.free
        squares = self.size**2
        square = np.einsum("cr,cr->c", rest, moved) / squares
        both = np.einsum("cr,cr->c", rest, self.spread) / squares
        seen = np.einsum("cr,cr->c", along, self.spread) / squares
        widths = variance * self.widths[:, None]
        wider = 1.0 + widths * seen
        parts = np.log(self.shares)[:, None] - 0.5 * np.log(wider) + 0.5 * widths * both**2 / wider
        result: Floats = np.logaddexp.reduce(parts) - 0.5 * square + noise.known
        return result


@dataclass(frozen=True)
class _Noise:
    """Noise of some covariance, whatever the cell was programmed to."""

    free: Floats  # (reads, reads): its inverse, without what all reads have in common
    known: float  # ln of the density's factor

    @classmethod
    def of(cls, covariance: Floats) -> _Noise:
        inverse = np.linalg.inv(covariance)
        ones = inverse.sum(axis=0)
        factor = np.linalg.slogdet(covariance)[1] + math.log(ones.sum())
        return cls(inverse - np.outer(ones, ones) / ones.sum(), -0.5 * float(factor))

    def times(self, variance: float) -> _Noise:
        """Return the noise of so many times the covariance."""
        return _Noise(self.free / variance, self.known - 0.5 * (len(self.free) - 1) * math.log(variance))


def _fitted(groups: Sequence[_Reads], middle: Floats, prior: Floats, loss: float) -> tuple[Floats, Floats]:
    """Return the parameters of the largest posterior, and their deviations by the scores of the cells.

    They are ln relaxation, drift, ln noise, the log-odds of stuck cells, with normal priors about `middle`, and the loss
    by the last read.
    """
    from scipy.optimize import minimize  # loads slowly

    unit, middle = np.append(prior, max(0.1 * loss, 1e-2)), np.append(middle, loss)
    precision = np.array([1.0, 1.0, 1.0, 1.0, 0.0])  # of the prior, in these units; none of the loss

    def of_cells(x: Floats) -> Floats:
        return np.concatenate([one.likelihoods(middle + unit * x) for one in groups])

    def cost(x: Floats) -> float:
        return 0.5 * float((precision * x * x).sum()) - float(of_cells(x).sum())

    steps = STEP * np.eye(len(middle))

    def scores(x: Floats) -> Floats:
        return np.array([(of_cells(x + step) - of_cells(x - step)) / (2.0 * STEP) for step in steps])

    def slope(x: Floats) -> Floats:
        result: Floats = precision * x - scores(x).sum(axis=1)
        return result

    begun = np.zeros(len(middle))
    least = cost(begun)
    solver: Any = minimize  # its overloads do not know of a plain function
    solution: Floats = solver(
        lambda x: cost(x) - least, begun, method="BFGS", jac=slope, options={"gtol": 1e-2}
    ).x

    own = scores(solution)
    curved = np.array([(own - scores(solution + step)).sum(axis=1) for step in steps]) / STEP
    bread = np.linalg.pinv(0.5 * (curved + curved.T) + np.diag(precision), hermitian=True)
    centred = own - own.mean(axis=1, keepdims=True)
    filling = centred @ centred.T * (own.shape[1] / (own.shape[1] - 1)) + np.diag(precision)
    return middle + unit * solution, unit * np.sqrt(np.diag(bread @ filling @ bread))


@lru_cache(maxsize=8)
def normal_parts(tail: float) -> tuple[Floats, Floats]:
    """Return shares and variances of normal distributions that together are Tukey's h distribution of unit variance.

    The variances are given, the shares those of the least divergence, by expectation maximisation.
    """
    from scipy.special import lambertw  # loads slowly

    if not tail:
        return np.ones(1), np.ones(1)
    size = (1.0 - 2.0 * tail) ** 0.75
    x = np.linspace(0.0, 15.0, 601)
    squares = lambertw(tail * (x / size) ** 2).real / tail  # of the normal draws
    density = np.exp(-0.5 * (1.0 + tail) * squares) / (1.0 + tail * squares)
    density /= density.sum()
    variances = np.geomspace(*VARIANCES, PARTS)
    parts = np.exp(-0.5 * x[:, None] ** 2 / variances) / np.sqrt(variances)
    shares = np.full(PARTS, 1.0 / PARTS)
    for _ in range(EXPECTATIONS):
        shares = shares * (parts.T @ (density / (parts @ shares)))
        shares /= shares.sum()
    return shares, variances / float(shares @ variances)


def _spread(ages: Floats, base: Mapping[str, float]) -> Floats:
    return np.log1p(ages / base["relaxation_time"]) ** base["relaxation_power"]


def _covariance(elapsed: Floats, times: Floats, aperture: float) -> Floats:
    """Return the covariance (reads, reads) of noise of these correlation times (s), in equal parts of unit variance."""
    apart = np.abs(elapsed[:, None] - elapsed)[..., None]
    whole = np.exp(-apart / times) * (apart > 0.0) + lasting_share(aperture / times) * (apart == 0.0)
    covariance: Floats = whole.mean(axis=-1) + 1e-9 * np.eye(len(elapsed))
    return covariance
