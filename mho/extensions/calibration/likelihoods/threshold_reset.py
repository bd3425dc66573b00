"""How likely the RESETs of cells are under the threshold law.

    V = min(V_SL, V_WL - reset_gate);  x = V - reset_threshold - reset_threshold_spread d,  over = x - reset_rise G

Over its threshold a cell lands as `Landing` has it; below it holds still. G is what was read, so that a pulse close to
the threshold may have been over it or not: with the probability that the read has it. The one thing that a device has for
life, its deviate d, is integrated over. The variable of the integral is the cell's threshold in LRS: there its data put
it, whatever the parameters are.

1 - k = exp(-over/reset_reach (width/100 ns)^(1/2))
end = max(ln reset_top - reset_slope x, ln floor);  w = max(end - ln G, 0)/reset_slope
drop = ln G - ln G clipped to between floor and end
spread^2 = reset_cycle_spread^2 (1 - (1 - k)^2) e^(-2 w/reset_margin) + (reset_drop_spread k drop)^2
ln G -> ln G - k drop - spread z
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.memory import Memory, exponential, log_of_both
from mho.extensions.calibration.likelihoods.nodes import LineNodes
from mho.extensions.calibration.likelihoods.pulse_model import LOG_2PI, PULSE, PulseModel
from mho.extensions.calibration.transitions import NOISE, Sequences


class Landing:
    """Where a RESET leads ln G without a draw, `mean`, and how far a draw of -1 leads it from there, `spread`.

    It goes `beyond` the cell's threshold at 0 S, and `over` that at its conductance, V; `duration` (1/V) is that of the
    pulse, over the reach; `floor` is ln of the cell's floor.
    """

    def __init__(
        self, p: Mapping[str, float], beyond: Floats, over: Floats, log_before: Floats, duration: Floats,
        floor: Floats,
    ) -> None:  # fmt: skip
        self._p, self._beyond, self._over, self._duration = p, beyond, over, duration
        self._left = left = np.exp(-over * duration)
        end = np.log(p["reset_top"]) - p["reset_slope"] * beyond
        self._free = end > floor
        end = np.maximum(end, floor)
        self._down, self._up = down, up = log_before - end, np.minimum(log_before - floor, 0.0)
        self._fallen = np.maximum(down, 0.0)
        self._drop = drop = self._fallen + up
        # of ln G: how much weaker this pulse is than what brought the cell here
        self._most = end - floor
        self._weaker = np.minimum(np.maximum(-down, 0.0), self._most)
        fading = np.exp(self._weaker * (-2.0 / (p["reset_slope"] * p["reset_margin"])))
        self._redrawn = p["reset_cycle_spread"] ** 2 * (1.0 - left * left) * fading
        self._fading = fading
        self._dropped = p["reset_drop_spread"] * (1.0 - left) * self._fallen
        self.mean: Floats = log_before - (1.0 - left) * drop
        self.spread: Floats = np.sqrt(self._redrawn + self._dropped * self._dropped + 1e-12)

    def back(
        self, by_mean: Floats, by_spread: Floats, total: Mapping[str, Floats]
    ) -> tuple[Floats, Floats, Floats]:
        """Return derivatives by `beyond`, `over` and `floor` from those by mean and spread; add parameters' to `total`."""
        p, left = self._p, self._left
        gone = 1.0 - left
        by_redrawn = by_spread / (2.0 * self.spread)
        by_dropped = 2.0 * self._dropped * by_redrawn
        weaker = by_redrawn * self._redrawn * (2.0 / (p["reset_slope"] * p["reset_margin"]))
        by_fallen = by_dropped * p["reset_drop_spread"] * gone - by_mean * gone
        by_left = (
            by_mean * self._drop
            - by_dropped * p["reset_drop_spread"] * self._fallen
            - by_redrawn * (2.0 * p["reset_cycle_spread"] ** 2) * left * self._fading
        )
        total["reset_cycle_spread"][:] += by_redrawn * self._redrawn * (2.0 / p["reset_cycle_spread"])
        total["reset_drop_spread"][:] += by_dropped * gone * self._fallen
        fading = weaker * self._weaker
        total["reset_margin"][:] += fading / p["reset_margin"]
        bounded = self._weaker >= self._most
        by_floor = np.where(bounded, weaker, 0.0) + by_mean * gone * (self._up < 0.0)
        by_down = np.where(bounded | (self._down >= 0.0), 0.0, weaker) + by_fallen * (self._down > 0.0)
        by_end = -np.where(bounded, weaker, 0.0) - by_down
        by_floor += np.where(self._free, 0.0, by_end)
        by_end = np.where(self._free, by_end, 0.0)
        total["reset_top"][:] += by_end / p["reset_top"]
        total["reset_slope"][:] += fading / p["reset_slope"] - by_end * self._beyond
        by_over = -by_left * left * self._duration
        total["reset_reach"][:] -= by_over * self._over / p["reset_reach"]
        return -p["reset_slope"] * by_end, by_over, by_floor


@dataclass(frozen=True)
class ByLowered:
    """Derivatives by what a `Lowered` was made of."""

    mean: Floats
    variance: Floats
    centre: Floats
    spread: Floats
    moved: Floats
    stayed: Floats


class Lowered:
    """A RESET as it was seen, of a cell that it moved or not: its log-likelihood `log`, `shift` and `shrink` for `Memory`.

    Parameters
    ----------
    mean, variance
        Of the draw, before it.
    after, centre, spread
        ln G; and of `Landing`.
    error, nearby
        Variance of ln G by the read, which scatters as `NOISE` has it, and what it is of a cell that is where it was.
    moved, stayed
        ln of the probability that the pulse was over the cell's threshold; of that it was not, times the read's density.
    cap
        ln of the conductance at which draws that lead beyond it end.
    """

    def __init__(
        self, mean: Floats, variance: Floats, after: Floats, centre: Floats, spread: Floats, error: Floats,
        nearby: Floats, moved: Floats, stayed: Floats, cap: Floats,
    ) -> None:  # fmt: skip
        self._mean, self._variance, self._spread = mean, variance, spread
        self._own = own = spread * spread
        # the read of a cell that ended far below was not of a cell that far below, if no draw leads there
        bound = np.maximum(own, nearby)
        self._bounded = (bound < error) & (own > nearby)
        error = np.minimum(error, bound)
        self._apart = apart = centre - spread * mean - after  # of the draw's mean, in ln G, downwards
        self._totals = [own * variance + error * width**2 for _, width in NOISE]
        parts = [stayed]
        self._shifts, self._shrinks = [], []
        for (share, _), total in zip(NOISE, self._totals, strict=True):
            pull = apart / total
            parts.append(moved + np.log(share) - 0.5 * (apart * pull + LOG_2PI + np.log(total)))
            self._shifts.append(spread * pull)
            self._shrinks.append(own / total)
        self._near = np.flatnonzero((after > cap - 4.0 * np.sqrt(error))[:, 0])
        if len(self._near):
            self._stop(parts, cap, after, centre, spread, mean, variance, error, moved)
        most = np.maximum.reduce(parts)
        weights = [exponential(part - most) for part in parts]
        whole = sum(weights[1:], weights[0])
        self.log: Floats = most + np.log(whole)
        self._weights = [weight / whole for weight in weights]
        self._within = np.zeros(whole.shape)
        self.shift: Floats = np.zeros(whole.shape)
        for weight, shift, shrink in zip(self._weights[1:], self._shifts, self._shrinks, strict=True):
            self.shift += weight * shift
            self._within += weight * (shrink - shift * shift)
        self.shrink: Floats = self._within + self.shift**2

    def _stop(self, parts: list[Floats], cap: Floats, *seen: Floats) -> None:
        """Let all draws that lead beyond `cap` end there, for reads near it: another part of the mixture."""
        near = self._near
        after, centre, spread, mean, variance, error, moved = (one[near] for one in seen)
        ceiling = cap[near]
        own = spread * spread * variance
        ahead = centre - spread * mean
        total = own + error
        within = log_ndtr((ceiling - (ahead * error + after * own) / total) / np.sqrt(own * error / total))
        for part in parts[1:]:
            part[near] += within
        root = np.sqrt(variance)
        alpha = ((centre - ceiling) / spread - mean) / root
        log_beyond = log_ndtr(alpha)
        hazard = np.exp(-0.5 * (alpha * alpha + LOG_2PI) - log_beyond)
        read = -0.5 * ((after - ceiling) ** 2 / error + LOG_2PI + np.log(error))
        self._stopped = alpha, hazard, (centre - ceiling) / spread
        for ends, fill, values in (
            (parts, -np.inf, moved + log_beyond + read),
            (self._shifts, 0.0, -hazard / root),
            (self._shrinks, 0.0, hazard * (hazard + alpha) / variance),
        ):
            ends.append(np.full(parts[1].shape, fill))
            ends[-1][near] = values

    def back(self, weight: Floats, by_shift: Floats, by_shrink: Floats) -> ByLowered:
        """Return derivatives of what `log` counts for with `weight`, and what has those by shift and shrink.

        Where reads are near the cap, how far they are from it is taken as it is.
        """
        by_shift = by_shift + 2.0 * by_shrink * self.shift
        offset = weight - by_shift * self.shift - by_shrink * self._within
        variance, spread, apart = self._variance, self._spread, self._apart
        by_apart, by_spread, by_own, by_variance = (np.zeros(weight.shape) for _ in range(4))
        moved = np.zeros(weight.shape)
        for share, (_, width), total, shift, shrink in zip(
            self._weights[1:], NOISE, self._totals, self._shifts, self._shrinks, strict=False
        ):
            by_part = share * (offset + by_shift * shift + by_shrink * (shrink - shift * shift))
            by_one = share * (by_shift - 2.0 * by_shrink * shift)
            by_loss = share * by_shrink
            pull = apart / total
            moved += by_part
            by_apart += by_one * spread / total - by_part * pull
            by_spread += by_one * pull
            by_total = (
                0.5 * by_part * (pull * pull - 1.0 / total) - (by_one * shift + by_loss * shrink) / total
            )
            by_own += by_loss / total + by_total * (variance + self._bounded * width**2)
            by_variance += by_total * self._own
        by_spread += 2.0 * spread * by_own - by_apart * self._mean
        by_mean, by_centre = -by_apart * spread, by_apart
        if len(self._near):
            self._back_of_stop(offset, by_shift, by_shrink, moved, by_centre, by_spread, by_mean, by_variance)
        return ByLowered(by_mean, by_variance, by_centre, by_spread, moved, self._weights[0] * offset)

    def _back_of_stop(self, offset: Floats, by_shift: Floats, by_shrink: Floats, *ends: Floats) -> None:
        """Add derivatives of the draws that ended at the cap."""
        near, (alpha, hazard, beyond) = self._near, self._stopped
        share, shift, shrink = (one[-1][near] for one in (self._weights, self._shifts, self._shrinks))
        variance, spread, by_shrink = self._variance[near], self._spread[near], by_shrink[near]
        root = np.sqrt(variance)
        by_part = share * (offset[near] + by_shift[near] * shift + by_shrink * (shrink - shift * shift))
        by_one = share * (by_shift[near] - 2.0 * by_shrink * shift)
        by_loss = share * by_shrink
        bend = hazard * (1.0 - (hazard + alpha) * (2.0 * hazard + alpha))
        by_alpha = by_part * hazard + by_one * shrink * root + by_loss * bend / variance
        moved, by_centre, by_spread, by_mean, by_variance = ends
        moved[near] += by_part
        by_centre[near] += by_alpha / (spread * root)
        by_spread[near] -= by_alpha * beyond / (spread * root)
        by_mean[near] -= by_alpha / root
        by_variance[near] += (-by_alpha * alpha - by_one * shift - 2.0 * by_loss * shrink) / (2.0 * variance)


FITTED = {
    "reset_threshold": "volts", "reset_threshold_spread": "log", "reset_rise": "log", "reset_reach": "log",
    "reset_drop_spread": "log", "reset_top": "log", "reset_slope": "log", "reset_cycle_spread": "log",
    "reset_gate": "volts", "floor": "log", "reset_margin": "log", "floor_device_spread": "log",
    "cycle_memory": "logit",
}  # fmt: skip
"""The parameters that RESETs tell about, and the kinds of their coordinates."""

LOT = 64  # cells of which all derivatives are followed together: what is kept of each pulse stays small
WIDEST = 1.2  # V: the first nodes reach so far to either side
SOFT = 3e-4  # V: what is left open of a threshold; and the likelihood is smooth on the nodes
LOGISTIC = 1.702  # the logistic function of so many deviations is nearly the normal distribution's


class ThresholdResets(PulseModel):
    """The RESETs of cells under the threshold law."""

    STARTS: ClassVar[tuple[dict[str, float], ...]] = (
        {"reset_rise": 0.5, "floor": -1.0, "cycle_memory": 1.0},
    )
    _nodes: LineNodes  # of the threshold in LRS, V

    def __init__(self, resets: Sequences, fixed: Mapping[str, float]) -> None:
        super().__init__(resets, fixed)
        self._log_before, self._log_after = np.log(resets.before), np.log(resets.after)
        self._landing = (resets.landing / resets.after) ** 2  # variances of ln G
        self._nearby = (resets.landing / resets.before) ** 2
        self._core = resets.unchanged() + self._log_after  # as a density of ln G
        self._top = float(np.quantile(resets.before, 0.9))  # S, of LRS
        self._nodes = LineNodes(resets.cells, self._on(fixed) - WIDEST, self._on(fixed) + WIDEST)

    def _on(self, p: Mapping[str, float]) -> float:
        """Return the threshold of the median device in LRS, V."""
        return p["reset_threshold"] + p["reset_rise"] * self._top

    def recentre(self, values: Mapping[str, float]) -> None:
        """Put the nodes of each cell's threshold where its integrand is, for parameters near `values`."""
        for _ in range(3 if self._nodes.fresh else 2):
            self._nodes.move(self._terms(self._merged(values)))

    def scores(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return `log_likelihood`, and its derivatives (cells, parameters) by the values in the order of `FITTED`."""
        p = self._merged(values)
        terms, by = [], []
        for begin in range(0, self._pulses.cells, LOT):
            part = slice(begin, begin + LOT)
            pulses = _Pulses(self, p, part)
            terms.append(pulses.followed(keep=True))
            derivatives = pulses.back(self._nodes.weights(terms[-1], part))
            by.append(np.stack([derivatives[name].sum(axis=1) for name in FITTED], axis=1))
        return self._nodes.integral(np.concatenate(terms)), np.concatenate(by)

    def _terms(self, p: Mapping[str, float]) -> Floats:
        lots = [slice(begin, begin + LOT) for begin in range(0, self._pulses.cells, LOT)]
        return np.concatenate([_Pulses(self, p, lot).followed() for lot in lots])


class _Pulses:
    """The pulses on some of the cells, followed from the first to the last, and back for derivatives."""

    def __init__(self, model: ThresholdResets, p: Mapping[str, float], part: slice) -> None:
        resets = model._pulses
        self._p = p
        self._top = model._top
        self._threshold = model._nodes.values[part] - p["reset_rise"] * model._top  # at 0 S
        self._deviate = (self._threshold - p["reset_threshold"]) / p["reset_threshold_spread"]
        self._floor = np.log(p["floor"]) + p["floor_device_spread"] * self._deviate
        self._memory = Memory(
            self._threshold.shape, p["cycle_memory"], p["memory_pulses"], resets.young[part]
        )

        def of(values: NDArray[Any]) -> NDArray[Any]:
            return values[:, part, None]

        follower = resets.gate - p["reset_gate"]
        self._live = of(resets.live)
        self._length = int(resets.live[:, part].any(axis=1).sum())
        self._arriving = of(np.minimum(resets.voltage, follower))
        self._followed = of(resets.voltage > follower)
        self._before, self._still = of(resets.before), of(resets.still)
        self._duration = of((resets.width / PULSE) ** 0.5 / p["reset_reach"])
        self._cap = of(np.log(np.maximum(resets.before, p["maximum"])))
        self._unsure = np.hypot(SOFT, p["reset_rise"] * self._still) / LOGISTIC  # V
        self._log_before, self._log_after = of(model._log_before), of(model._log_after)
        self._landing, self._nearby, self._core = of(model._landing), of(model._nearby), of(model._core)
        self._cache: list[tuple[Floats, Floats, Landing, Lowered]] = []

    def followed(self, *, keep: bool = False) -> Floats:
        """Return ln of likelihood times prior at the nodes (cells, nodes)."""
        p = self._p
        total: Floats = -0.5 * (self._deviate**2 + LOG_2PI) - np.log(p["reset_threshold_spread"])
        for k in range(self._length):
            beyond = self._arriving[k] - self._threshold
            # what is over the threshold, by a read that may be off: P(it is above 0), and its mean if it is
            ahead = (beyond - p["reset_rise"] * self._before[k]) / self._unsure[k]
            surely = log_of_both(ahead, np.zeros(()))
            over = self._unsure[k] * surely
            landing = Landing(p, beyond, over, self._log_before[k], self._duration[k], self._floor)
            seen = Lowered(
                *self._memory.predict(), self._log_after[k], landing.mean, landing.spread, self._landing[k],
                self._nearby[k], ahead - surely, self._core[k] - surely, self._cap[k],
            )  # fmt: skip
            self._memory.advance(self._live[k], seen.shift, seen.shrink, keep=keep)
            total += np.where(self._live[k], seen.log, 0.0)
            if keep:
                self._cache.append((ahead, surely, landing, seen))
        total -= (self._log_after * self._live).sum(axis=0)
        return total

    def back(self, weights: Floats) -> dict[str, Floats]:
        """Return derivatives by parameters, in parts (cells, nodes); the nodes count with `weights`."""
        p = self._p
        total = {name: np.zeros(weights.shape) for name in FITTED}
        by_threshold, by_floor = np.zeros(weights.shape), np.zeros(weights.shape)
        for k in reversed(range(self._length)):
            ahead, surely, landing, seen = self._cache.pop()
            unsure, before = self._unsure[k], self._before[k]
            by = seen.back(weights * self._live[k], *self._memory.back())
            self._memory.back_of_prediction(by.mean, by.variance)
            by_beyond, by_over, floor = landing.back(by.centre, by.spread, total)
            by_ahead = by.moved + (by_over * unsure - by.moved - by.stayed) * exponential(ahead - surely)
            by_unsure = by_over * surely - by_ahead * ahead / unsure
            by_beyond += by_ahead / unsure
            softer = (LOGISTIC * unsure) ** -1.0 * p["reset_rise"] * self._still[k] ** 2 / LOGISTIC
            total["reset_rise"] += by_unsure * softer - by_ahead * before / unsure
            total["reset_gate"] -= by_beyond * self._followed[k]
            by_threshold -= by_beyond
            by_floor += floor
        by_deviate = by_floor * p["floor_device_spread"] - weights * self._deviate
        by_threshold += by_deviate / p["reset_threshold_spread"]
        total["floor"] += by_floor / p["floor"]
        total["floor_device_spread"] += by_floor * self._deviate
        total["reset_threshold"] -= by_deviate / p["reset_threshold_spread"]
        spread = p["reset_threshold_spread"]
        total["reset_threshold_spread"] -= (by_deviate * self._deviate + weights) / spread
        total["reset_rise"] -= by_threshold * self._top
        total["cycle_memory"] += self._memory.by_share
        return total
