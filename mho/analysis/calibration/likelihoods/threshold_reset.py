"""How likely the RESETs of cells are under the threshold law.

    V = min(V_SL, V_WL - reset_gate);  x = V - reset_threshold - reset_threshold_spread d,  over = x - reset_rise G

Over its threshold a cell lands as `reset_pulses` has it; below it holds still. G is what was read, so that a pulse close to
the threshold may have been over it or not: with the probability that the read has it. The one thing that a device has for
life, its deviate d, is integrated over. The variable of the integral is the cell's threshold in LRS: there its data put
it, whatever the parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.likelihoods.memory import LOG_2PI, Memory, exponential, log_of_both
from mho.analysis.calibration.likelihoods.nodes import LineNodes
from mho.analysis.calibration.likelihoods.reset_pulses import Landing, Lowered
from mho.analysis.calibration.transitions import Sequences

Floats = NDArray[np.float64]

FITTED = {
    "reset_threshold": "volts",
    "reset_threshold_spread": "log",
    "reset_rise": "log",
    "reset_reach": "log",
    "reset_drop_spread": "log",
    "reset_top": "log",
    "reset_slope": "log",
    "reset_cycle_spread": "log",
    "reset_gate": "volts",
    "floor": "log",
    "reset_margin": "log",
    "floor_device_spread": "log",
    "cycle_memory": "logit",
}
"""The parameters that RESETs tell about, and the kinds of their coordinates."""

LOT = 64  # cells of which all derivatives are followed together: what is kept of each pulse stays small
PULSE = 100e-9  # s: the width of which parameters of pulses are
WIDEST = 1.2  # V: the first nodes reach so far to either side
SOFT = 3e-4  # V: what is left open of a threshold; and the likelihood is smooth on the nodes
LOGISTIC = 1.702  # the logistic function of so many deviations is nearly the normal distribution's


class ThresholdResets:
    """The RESETs of cells; `log_likelihood` of a preset's parameters.

    Parameters
    ----------
    resets : Sequences
        Of C cells with up to K pulses each.
    fixed : mapping
        The base preset: what is not fitted.
    """

    STARTS: ClassVar[tuple[dict[str, float], ...]] = (
        {"reset_rise": 0.5, "floor": -1.0, "cycle_memory": 1.0},
    )
    """Further places where to begin a search: what differs from the base, in coordinates."""

    def __init__(self, resets: Sequences, fixed: Mapping[str, float]) -> None:
        self._resets, self._fixed = resets, dict(fixed)
        self._log_before, self._log_after = np.log(resets.before), np.log(resets.after)
        self._landing = (resets.landing / resets.after) ** 2  # variances of ln G
        self._nearby = (resets.landing / resets.before) ** 2
        self._core = resets.unchanged() + self._log_after  # as a density of ln G
        self._top = float(np.quantile(resets.before, 0.9))  # S, of LRS
        self._line = LineNodes(resets.cells, self._on(fixed) - WIDEST, self._on(fixed) + WIDEST)

    def _on(self, p: Mapping[str, float]) -> float:
        """Return the threshold of the median device in LRS, V."""
        return p["reset_threshold"] + p["reset_rise"] * self._top

    def recentre(self, values: Mapping[str, float]) -> None:
        """Put the nodes of each cell's threshold where its integrand is, for parameters near `values`."""
        for _ in range(3 if self._line.fresh else 2):
            self._line.move(self._terms(values))

    def log_likelihood(self, values: Mapping[str, float]) -> Floats:
        """Return the log-likelihoods (cells,) of parameters near those of `recentre`."""
        return self._line.integral(self._terms(values))

    def thresholds(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return means and standard deviations (cells,) of the cells' thresholds at 0 S, V."""
        mean, deviation = self._line.moments(self._terms(values))
        return mean - self._merged(values)["reset_rise"] * self._top, deviation

    def scores(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return `log_likelihood`, and its derivatives (cells, parameters) by the values in the order of `FITTED`."""
        p = self._merged(values)
        terms, by = [], []
        for begin in range(0, self._resets.cells, LOT):
            part = slice(begin, begin + LOT)
            pulses = _Pulses(self, p, part)
            terms.append(pulses.followed(keep=True))
            derivatives = pulses.back(self._line.weights(terms[-1], part))
            by.append(np.stack([derivatives[name].sum(axis=1) for name in FITTED], axis=1))
        return self._line.integral(np.concatenate(terms)), np.concatenate(by)

    def _merged(self, values: Mapping[str, float]) -> dict[str, float]:
        return {**self._fixed, **{name: float(value) for name, value in values.items()}}

    def _terms(self, values: Mapping[str, float]) -> Floats:
        """Return ln of likelihood times prior at the nodes (cells, nodes)."""
        p = self._merged(values)
        return np.concatenate(
            [
                _Pulses(self, p, slice(begin, begin + LOT)).followed()
                for begin in range(0, self._resets.cells, LOT)
            ]
        )


class _Pulses:
    """The pulses on some of the cells, followed from the first to the last, and back for derivatives."""

    def __init__(self, model: ThresholdResets, p: dict[str, float], part: slice) -> None:
        resets = model._resets
        self._p = p
        self._top = model._top
        self._threshold = model._line.values[part] - p["reset_rise"] * model._top  # at 0 S
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
        self._kept: list[tuple[Floats, Floats, Landing, Lowered]] = []

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
                *self._memory.predict(),
                self._log_after[k],
                landing.mean,
                landing.spread,
                self._landing[k],
                self._nearby[k],
                ahead - surely,
                self._core[k] - surely,
                self._cap[k],
            )
            self._memory.advance(self._live[k], seen.shift, seen.shrink, keep=keep)
            total += np.where(self._live[k], seen.log, 0.0)
            if keep:
                self._kept.append((ahead, surely, landing, seen))
        total -= (self._log_after * self._live).sum(axis=0)
        return total

    def back(self, weights: Floats) -> dict[str, Floats]:
        """Return derivatives by parameters, in parts (cells, nodes); the nodes count with `weights`."""
        p = self._p
        total = {name: np.zeros(weights.shape) for name in FITTED}
        by_threshold, by_floor = np.zeros(weights.shape), np.zeros(weights.shape)
        for k in reversed(range(self._length)):
            ahead, surely, landing, seen = self._kept.pop()
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
        total["reset_threshold_spread"] -= (by_deviate * self._deviate + weights) / p[
            "reset_threshold_spread"
        ]
        total["reset_rise"] -= by_threshold * self._top
        total["cycle_memory"] += self._memory.by_share
        return total
