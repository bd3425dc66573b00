"""How likely the RESETs of cells are under the threshold law.

    V = min(V_SL, V_WL - reset_gate);  x = V - reset_threshold - reset_threshold_spread d,  over = x - reset_rise G
    1 - k = exp(-over/reset_reach (width/100 ns)^(1/2))
    end = max(ln reset_top - reset_slope x, ln floor + floor_device_spread d);  w = max(end - ln G, 0)/reset_slope
    drop = ln G - ln G clipped to between floor and end
    spread^2 = reset_cycle_spread^2 (1 - (1 - k)^2) e^(-2 w/reset_margin) + (reset_drop_spread k drop)^2
    ln G -> ln G - k drop - spread z

The one thing that a device has for life, its deviate d, is integrated over; below its threshold a cell holds still. The
variable of the integral is the cell's threshold in LRS: there its data put it, whatever the parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mho.analysis.calibration.memory import LOG_2PI, Memory
from mho.analysis.calibration.transitions import NOISE, Sequences

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
    "floor_device_spread": "log",
    "cycle_memory": "logit",
}
"""The parameters that RESETs tell about, and the kinds of their coordinates."""

PULSE = 100e-9  # s: the width of which parameters of pulses are
WIDEST = 1.2  # V: the first grid reaches so far to either side
NODES = 61
SOFT = 5e-4  # V: what reads leave open of a threshold; and the likelihood is smooth on the grid
REACH = 3.2  # deviations of a cell's own deviate, to either side


class ThresholdResets:
    """The RESETs of cells; `log_likelihood` of a preset's parameters.

    Parameters
    ----------
    resets : Sequences
        Of C cells with up to K pulses each.
    fixed : mapping
        The base preset: what is not fitted.
    """

    def __init__(self, resets: Sequences, fixed: Mapping[str, float]) -> None:
        self._resets, self._fixed = resets, dict(fixed)
        self._log_before, self._log_after = np.log(resets.before), np.log(resets.after)
        self._still = (resets.still / resets.before) ** 2  # variances of ln G
        self._landing = (resets.landing / resets.after) ** 2
        self._fresh = True
        self._top = float(np.quantile(resets.before, 0.9))  # S, of LRS
        self._low = np.full(resets.cells, self._on(fixed) - WIDEST)
        self._high = np.full(resets.cells, self._on(fixed) + WIDEST)

    def _on(self, p: Mapping[str, float]) -> float:
        """Return the threshold of the median device in LRS, V."""
        return p["reset_threshold"] + p["reset_rise"] * self._top

    def recentre(self, values: Mapping[str, float]) -> None:
        """Put the grid of each cell's threshold where its integrand is, for parameters near `values`."""
        for _ in range(4 if self._fresh else 1):
            self._narrow(self._terms(values))
        self._fresh = False

    def _narrow(self, terms: Floats) -> None:
        grid = self._grid()
        weights = np.exp(terms - terms.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = (weights * grid).sum(axis=1)
        spread = np.sqrt((weights * (grid - mean[:, None]) ** 2).sum(axis=1))
        spread = np.maximum(spread, 0.5 * (grid[:, 1] - grid[:, 0]))  # as fine as the grid could tell
        self._low, self._high = mean - REACH * spread, mean + REACH * spread

    def log_likelihood(self, values: Mapping[str, float]) -> Floats:
        """Return the log-likelihoods (cells,) of parameters near those of `recentre`."""
        terms = self._terms(values)
        most = terms.max(axis=1)
        step = (self._high - self._low) / (NODES - 1)
        total: Floats = most + np.log(np.exp(terms - most[:, None]).sum(axis=1) * step)
        return total

    def _grid(self) -> Floats:
        share = np.linspace(0.0, 1.0, NODES)
        grid: Floats = self._low[:, None] + (self._high - self._low)[:, None] * share
        return grid

    def _terms(self, values: Mapping[str, float]) -> Floats:
        """Return ln of likelihood times prior on the grid (cells, nodes)."""
        p = {**self._fixed, **{name: float(value) for name, value in values.items()}}
        resets, threshold = self._resets, self._grid() - p["reset_rise"] * self._top  # that at 0 S
        deviate = (threshold - p["reset_threshold"]) / p["reset_threshold_spread"]
        arriving = np.minimum(resets.voltage, resets.gate - p["reset_gate"])
        duration = (resets.width / PULSE) ** 0.5 / p["reset_reach"]
        floor = np.log(p["floor"]) + p["floor_device_spread"] * deviate
        cap = np.log(np.maximum(resets.before, p["maximum"]))
        memory = Memory((resets.cells, NODES), p["cycle_memory"], p["memory_pulses"], resets.young)
        total: Floats = -0.5 * (deviate * deviate + LOG_2PI) - np.log(p["reset_threshold_spread"])
        for k in range(len(arriving)):
            before = self._log_before[k][:, None]
            mean, spread = landing(
                p,
                arriving[k][:, None] - threshold,
                resets.before[k][:, None],
                before,
                duration[k][:, None],
                floor,
            )
            total += _observe(
                memory,
                self._log_after[k][:, None],
                before,
                mean,
                spread,
                self._landing[k][:, None],
                self._still[k][:, None],
                cap[k][:, None],
                resets.live[k][:, None],
            )
        terms: Floats = total - self._log_after.sum(axis=0, where=resets.live)[:, None]
        return terms


def landing(
    p: Mapping[str, float],
    beyond: Floats,
    before: Floats,
    log_before: Floats,
    duration: Floats,
    floor: Floats,
) -> tuple[Floats, Floats]:
    """Return where a RESET leads ln G without a draw, and how far a draw of -1 leads it from there.

    Parameters
    ----------
    beyond : array
        Volts beyond the cell's threshold at 0 S.
    before, log_before : array
        Conductance (S) and its logarithm.
    duration : array
        1/V: of the pulse, over the reach.
    floor : array
        ln of the cell's floor.
    """
    over = beyond - p["reset_rise"] * before
    # exactly 0 below the threshold, where the spread would show its root
    over = np.where(over < SOFT, np.maximum(over + SOFT, 0.0) ** 2 / (4.0 * SOFT), over)
    left = np.exp(-over * duration)
    end = np.maximum(np.log(p["reset_top"]) - p["reset_slope"] * beyond, floor)
    drop = log_before - np.clip(log_before, floor, end)  # negative below the floor
    weaker = (
        np.clip(end - log_before, 0.0, end - floor) / p["reset_slope"]
    )  # V, than what brought the cell here
    spread = p["reset_cycle_spread"] ** 2 * (1.0 - left * left) * np.exp(-2.0 * weaker / p["reset_margin"])
    spread = spread + (p["reset_drop_spread"] * (1.0 - left) * np.maximum(drop, 0.0)) ** 2
    return log_before - (1.0 - left) * drop, np.sqrt(spread + 1e-10)


def _observe(
    memory: Memory,
    after: Floats,
    before: Floats,
    centre: Floats,
    spread: Floats,
    landing: Floats,
    still: Floats,
    cap: Floats,
    live: NDArray[np.bool_],
) -> Floats:
    """Take in RESETs; return their log-likelihoods as densities of ln G.

    Reads scatter as `NOISE` has it; where the draw's own scatter is far larger, all its parts are one.
    """
    mean, variance = memory.predict()
    own = spread * spread
    error = np.where(own > 0.0, np.minimum(landing, np.maximum(own, still)), still)
    apart = centre - spread * mean - after  # of the draw's mean, in ln G, downwards
    quiet = still / (still + own)  # far reads are seen beside the read's own scatter, not within the draw's
    parts, shifts, shrinks = [], [], []
    for share, width in NOISE:
        total = own * variance + error * (1.0 + (width**2 - 1.0) * quiet)
        parts.append(np.log(share) - 0.5 * (apart * apart / total + LOG_2PI + np.log(total)))
        shifts.append(spread * apart / total)
        shrinks.append(own / total)
    near = live & (after > cap - 4.0 * np.sqrt(still))
    if near.any():
        _stop_at(cap, parts, shifts, shrinks, near, after, centre, spread, mean, variance, error, still)
    log = np.logaddexp.reduce(parts)
    weights = [np.exp(part - log) for part in parts]
    shift = sum(w * s for w, s in zip(weights, shifts, strict=True))
    shrink = sum(w * (s - d * d) for w, s, d in zip(weights, shrinks, shifts, strict=True)) + shift**2
    memory.advance(live, shift, shrink)
    return np.where(live, log, 0.0)


def _stop_at(
    cap: Floats,
    parts: list[Floats],
    shifts: list[Floats],
    shrinks: list[Floats],
    near: NDArray[np.bool_],
    after: Floats,
    centre: Floats,
    spread: Floats,
    mean: Floats,
    variance: Floats,
    error: Floats,
    still: Floats,
) -> None:
    """Let all draws that lead beyond `cap` end there, for reads `near` it: another part of the mixture."""
    own = spread * spread * variance
    ahead = centre - spread * mean
    total = own + error
    within = (cap - (ahead * error + after * own) / total) / np.sqrt(own * error / total)
    below = np.where(near, log_ndtr(within), 0.0)
    for number, part in enumerate(parts):
        parts[number] = part + below
    alpha = (centre - cap) / spread / np.sqrt(variance) - mean / np.sqrt(variance)
    log_beyond = log_ndtr(alpha)
    hazard = np.exp(-0.5 * (alpha * alpha + LOG_2PI) - log_beyond)
    read = -0.5 * ((after - cap) ** 2 / still + LOG_2PI + np.log(still))
    parts.append(np.where(near, log_beyond + read, -np.inf))
    shifts.append(-hazard / np.sqrt(variance))
    shrinks.append(hazard * (hazard + alpha) / variance)
