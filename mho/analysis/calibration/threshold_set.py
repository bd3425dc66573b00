"""How likely the SETs of cells are under the threshold law.

    on = gate_threshold + gate_rise (100 ns/width)^gate_power - gate_bit_line V_BL + shift
    over = V_WL - on + gate_cycle_spread y,  y = z exp(set_tail min(z, 0)^2/2)
    G_c = ((set_slope over)^-k + top^-k)^(-1/k),  top = (maximum + maximum_slope over) 10^(f + set_cycle_spread y)
    G -> max(G, G_c)

G_c rises with the one draw z, so that a cell that was raised tells its draw, and one that was not tells that the draw
lay below that of the conductance it had. A share `cycle_memory` of the variance of the draws drifts slowly: `memory`
follows it. What a device has for life, `shift` and `f`, is integrated over.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mho.analysis.calibration.memory import Memory
from mho.analysis.calibration.nodes import DeviceNodes
from mho.analysis.calibration.transitions import Sequences

Floats = NDArray[np.float64]

FITTED = {
    "set_slope": "log",
    "gate_threshold": "volts",
    "gate_rise": "log",
    "gate_power": "log",
    "gate_bit_line": "log",
    "gate_spread": "log",
    "gate_cycle_spread": "log",
    "set_tail": "log",
    "maximum": "log",
    "maximum_slope": "log",
    "set_knee": "log",
    "set_cycle_spread": "log",
    "set_device_spread": "log",
    "cycle_memory": "logit",
}
"""The parameters that SETs tell about, and the kinds of their coordinates."""

PULSE = 100e-9  # s: the width of which parameters of pulses are
LN10 = np.log(10.0)
FARTHEST = 9.0  # deviations: draws beyond are taken for this
CLOSE = 4.0  # read deviations: a change below may be none


class ThresholdSets:
    """The SETs of cells; `log_likelihood` of a preset's parameters.

    Parameters
    ----------
    sets : Sequences
        Of C cells with up to K pulses each.
    fixed : mapping
        The base preset: what is not fitted.
    """

    def __init__(self, sets: Sequences, fixed: Mapping[str, float]) -> None:
        self._sets, self._fixed = sets, dict(fixed)
        rate = (
            np.exp(np.minimum(sets.voltage - fixed["set_threshold"], 0.0) / fixed["set_acceleration"])
            / fixed["set_time"]
        )
        done = -np.expm1(-sets.width * rate)
        raised = sets.before + (sets.after - sets.before) / np.maximum(done, 0.05)
        clear = sets.after - sets.before > CLOSE * sets.still
        self._clear = clear
        # a change that may be none is measured from where the cell was
        self._level = np.maximum(np.where(clear, raised, sets.before), 1e-9)
        self._core = sets.unchanged()  # also of clear changes: some reads are far off
        self._above = log_ndtr(np.where(clear, 0.0, (sets.after - sets.before) / sets.still)) * ~clear
        self._landing = np.where(clear, sets.landing, 0.0) / np.maximum(done, 0.05)
        self._nodes = DeviceNodes(sets.cells, 2)
        self._draws: Floats | None = None
        self._origin = self._common(self._fixed)

    def recentre(self, values: Mapping[str, float]) -> None:
        """Move the nodes of each cell's integral to where its integrand is, for parameters near `values`."""
        p = self._merged(values)
        for _ in range(4 if self._nodes.fresh else 2):
            self._draws = None
            self._nodes.take(self._latents(p))
            self._origin = self._common(p)
            weights = self._terms(values)
            self._nodes.move(weights)
        self._draws = None
        self._draws = self._solved(p)

    def log_likelihood(self, values: Mapping[str, float]) -> Floats:
        """Return the log-likelihoods (cells,) of parameters near those of `recentre`."""
        return self._nodes.integral(self._terms(values))

    def _merged(self, values: Mapping[str, float]) -> dict[str, float]:
        return {**self._fixed, **{name: float(value) for name, value in values.items()}}

    def _terms(self, values: Mapping[str, float]) -> Floats:
        """Return ln of likelihood times prior at the nodes (cells, nodes)."""
        p = self._merged(values)
        draws = self._solved(p)
        limit_slope = self._slope(p, draws)
        memory = Memory(self._nodes.shape, p["cycle_memory"], p["memory_pulses"], self._sets.young)
        total = np.zeros(self._nodes.shape)
        for k in range(len(self._level)):
            live = self._sets.live[k][:, None]
            total += memory.observe(
                draws[k],
                np.log(limit_slope[k]),
                (self._landing[k][:, None] / limit_slope[k]) ** 2,
                self._core[k][:, None],
                self._above[k][:, None],
                live,
            )
        shift, factor = self._latents(p)
        spread = max(p["gate_spread"], 1e-6), max(p["set_device_spread"], 1e-6)
        prior = -0.5 * ((shift / spread[0]) ** 2 + (factor / spread[1]) ** 2)
        terms: Floats = total + prior - np.log(spread[0] * spread[1] * 2.0 * np.pi)
        return terms

    def _common(self, p: Mapping[str, float]) -> tuple[float, float]:
        """Return the mean threshold of all pulses, V, and the decades of the maximum."""
        return float(self._on(p)[self._sets.live].mean()), float(np.log10(p["maximum"]))

    def _latents(self, p: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return shift and factor of devices at the nodes: where all thresholds rise, a device's shift falls.

        The nodes stay where the data are while parameters change.
        """
        threshold, maximum = self._common(p)
        shift, factor = self._nodes.values
        return shift + (self._origin[0] - threshold), factor + (self._origin[1] - maximum)

    def _on(self, p: Mapping[str, float]) -> Floats:
        rise = p["gate_rise"] * (PULSE / self._sets.width) ** p["gate_power"]
        on: Floats = p["gate_threshold"] + rise - p["gate_bit_line"] * self._sets.voltage
        return on

    def _ahead(self, p: Mapping[str, float]) -> Floats:
        """Return V_WL less the threshold of the pulse and the device (pulses, cells, nodes), V."""
        ahead: Floats = (self._sets.gate - self._on(p))[:, :, None] - self._latents(p)[0]
        return ahead

    def _solved(self, p: Mapping[str, float]) -> Floats:
        """Return the draws (pulses, cells, nodes) at which the compliance is the level."""
        ahead, level = self._ahead(p), self._level[:, :, None]
        factor = self._latents(p)[1]
        if self._draws is None:
            low = np.full(ahead.shape, -FARTHEST)
            high = -low
            for _ in range(8):
                middle = 0.5 * (low + high)
                below = compliance(p, ahead, factor, middle)[0] < level
                low, high = np.where(below, middle, low), np.where(below, high, middle)
            draws, rounds = 0.5 * (low + high), 4
        else:
            draws, rounds = self._draws, 2
        for _ in range(rounds):
            limit, slope = compliance(p, ahead, factor, draws)
            draws = np.clip(draws - np.clip((limit - level) / slope, -1.0, 1.0), -FARTHEST, FARTHEST)
        solved: Floats = draws
        return solved

    def _slope(self, p: Mapping[str, float], draws: Floats) -> Floats:
        return compliance(p, self._ahead(p), self._latents(p)[1], draws)[1]


def compliance(p: Mapping[str, float], ahead: Floats, factor: Floats, draw: Floats) -> tuple[Floats, Floats]:
    """Return the compliance (S) of draws and its derivative by the draw, `ahead` (V) of the threshold.

    Below the threshold both go on as above it, so that every conductance has its draw; the derivative is at least a
    thousandth of that of a straight line.
    """
    weak = np.minimum(draw, 0.0)
    bend = np.exp(0.5 * p["set_tail"] * weak * weak)
    tailed = draw * bend
    stretch = bend * (1.0 + p["set_tail"] * weak * weak)  # d tailed/d draw
    linear = p["set_slope"] * (ahead + p["gate_cycle_spread"] * tailed)
    steep = p["set_slope"] * p["gate_cycle_spread"] * stretch
    over = np.maximum(linear, 0.0) / p["set_slope"]
    scale = 10.0 ** np.maximum(factor + p["set_cycle_spread"] * tailed, -6.0)
    top = (p["maximum"] + p["maximum_slope"] * over) * scale
    top_slope = (
        p["set_cycle_spread"] * LN10 * stretch * top + p["maximum_slope"] * scale * steep / p["set_slope"]
    )
    ratio = np.maximum(linear, 0.0) / top
    power = ratio ** p["set_knee"]
    share = (1.0 + power) ** (-1.0 / p["set_knee"])
    limit = linear * share
    # d limit = share/(1 + power) d linear + share power ratio/(1 + power) d top
    slope = share / (1.0 + power) * (steep + power * ratio * top_slope)
    return limit, np.maximum(slope, 1e-3 * p["set_slope"] * p["gate_cycle_spread"])
