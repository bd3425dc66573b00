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
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.memory import Memory, Raised
from mho.extensions.calibration.likelihoods.nodes import DeviceNodes
from mho.extensions.calibration.likelihoods.pulse_model import LN10, PULSE, PulseModel
from mho.extensions.calibration.transitions import Sequences

FITTED = {
    "set_slope": "log", "gate_threshold": "volts", "gate_rise": "log", "gate_power": "log",
    "gate_bit_line": "log", "gate_spread": "log", "gate_cycle_spread": "log", "set_tail": "log",
    "maximum": "log", "maximum_slope": "log", "set_knee": "log", "set_cycle_spread": "log",
    "set_device_spread": "log", "cycle_memory": "logit",
}  # fmt: skip
"""The parameters that SETs tell about, and the kinds of their coordinates."""

BY_DIFFERENCES = (
    "set_slope", "gate_cycle_spread", "set_tail", "maximum_slope", "set_knee", "set_cycle_spread",
)  # fmt: skip
FARTHEST = 9.0  # deviations: draws beyond are taken for this
TOGETHER = 8  # pulses
SMALL = 1e-5  # steps of derivatives, relative, or of a draw and a volt
CLOSE = 4.0  # read deviations: a change below may be none


class ThresholdSets(PulseModel):
    """The SETs of cells under the threshold law."""

    STARTS: ClassVar[tuple[dict[str, float], ...]] = (
        {"set_tail": -2.0, "set_knee": -1.5, "cycle_memory": 1.5},
        {"set_tail": 1.0, "set_knee": 1.5, "cycle_memory": -1.5},
    )
    _nodes: DeviceNodes  # of `shift` and `f`

    def __init__(self, sets: Sequences, fixed: Mapping[str, float]) -> None:
        super().__init__(sets, fixed)
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
        if self._nodes.fresh:  # about the median device of these parameters
            self._origin = self._common(p)
        for _ in range(4 if self._nodes.fresh else 1):
            self._nodes.take(self._latents(p))
            self._origin = self._common(p)
            fresh = self._nodes.fresh
            self._nodes.move(self._terms(p))
            if fresh:  # there were others
                self._draws = None
            self._draws = self._solved(p, 6)

    def scores(self, values: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return `log_likelihood`, and its derivatives (cells, parameters) by the values in the order of `FITTED`."""
        p = self._merged(values)
        draws = self._solved(p)
        limit, slope = compliance(p, self._ahead(p), self._latents(p)[1], draws)
        memory, seen = self._memory(p), list[Raised]()
        terms = self._prior(p)
        for k in range(len(draws)):
            raised = Raised(*memory.predict(), *self._observed(k, draws, slope))
            memory.advance(self._live(k), raised.shift, raised.shrink, keep=True)
            terms += np.where(self._live(k), raised.log, 0.0)
            seen.append(raised)
        weights = self._nodes.weights(terms)

        by_draw, by_slope = np.zeros(draws.shape), np.zeros(draws.shape)
        for k in reversed(range(len(draws))):
            by = seen[k].back(weights * self._live(k), *memory.back())
            memory.back_of_prediction(by.mean, by.variance)
            error = (self._landing[k][:, None] / slope[k]) ** 2
            by_draw[k], by_slope[k] = by.draw, by.log_slope - 2.0 * error * by.error
        derivatives = self._by_law(p, draws, (limit, np.log(slope)), by_draw, by_slope, weights)
        derivatives["cycle_memory"] = memory.by_share.sum(axis=1)
        return self._nodes.integral(terms), np.stack([derivatives[name] for name in FITTED], axis=1)

    def _by_law(
        self, p: dict[str, float], draws: Floats, here: tuple[Floats, Floats], by_draw: Floats,
        by_slope: Floats, weights: Floats,
    ) -> dict[str, Floats]:  # fmt: skip
        """Return derivatives (cells,) by the parameters of the law, from those by draws and logarithms of slopes.

        The draw at which the compliance is the level follows the parameters (implicit function theorem).
        """
        ahead, (shift, factor) = self._ahead(p), self._latents(p)
        limit, log_slope = here
        slope = np.exp(log_slope)

        def changes(step: float, *changed: Any) -> tuple[Floats, Floats]:
            there, sloping = compliance(*changed)
            return (there - limit) / step, (np.log(sloping) - log_slope) / step

        _, bending = changes(SMALL, p, ahead, factor, draws + SMALL)
        # of a draw that is as far as any, nothing follows the parameters
        by_limit = np.where(np.abs(draws) < FARTHEST, -(by_draw + by_slope * bending) / slope, 0.0)

        def along(step: float, *changed: Any) -> Floats:
            by_value, by_log = changes(step, *changed, draws)
            return np.asarray(
                np.einsum("kcn,kcn->kc", by_limit, by_value) + np.einsum("kcn,kcn->kc", by_slope, by_log)
            )

        spread = max(p["gate_spread"], 1e-6), max(p["set_device_spread"], 1e-6)
        result = {
            "gate_spread": (weights * (shift**2 / spread[0] ** 3 - 1.0 / spread[0])).sum(axis=1),
            "set_device_spread": (weights * (factor**2 / spread[1] ** 3 - 1.0 / spread[1])).sum(axis=1),
        }
        by_ahead, by_shift = (
            along(SMALL, p, ahead + SMALL, factor),
            (weights * shift).sum(axis=1) / spread[0] ** 2,
        )
        for name, by_on in self._by_on(p).items():
            common = by_on[self._pulses.live].mean()
            result[name] = -(by_ahead * (by_on - common)).sum(axis=0) + by_shift * common
        for name in BY_DIFFERENCES:
            step = SMALL * max(abs(p[name]), 1e-3 if name == "set_tail" else 1e-12)
            result[name] = along(step, p | {name: p[name] + step}, ahead, factor).sum(axis=0)
        step = SMALL * p["maximum"]
        raised = p | {"maximum": p["maximum"] + step}
        result["maximum"] = along(step, raised, ahead, self._latents(raised)[1]).sum(axis=0)
        result["maximum"] += (weights * factor).sum(axis=1) / spread[1] ** 2 / (LN10 * p["maximum"])
        return result

    def _by_on(self, p: Mapping[str, float]) -> dict[str, Floats]:
        """Return the derivatives (pulses, cells) of the threshold by its parameters."""
        narrow = PULSE / self._pulses.width
        power = narrow ** p["gate_power"]
        return {
            "gate_threshold": np.ones(power.shape),
            "gate_rise": power,
            "gate_power": p["gate_rise"] * power * np.log(narrow),
            "gate_bit_line": -self._pulses.voltage,
        }

    def _memory(self, p: Mapping[str, float]) -> Memory:
        return Memory(self._nodes.shape, p["cycle_memory"], p["memory_pulses"], self._pulses.young)

    def _live(self, k: int) -> NDArray[np.bool_]:
        live: NDArray[np.bool_] = self._pulses.live[k][:, None]
        return live

    def _observed(
        self, k: int, draws: Floats, slope: Floats
    ) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return what `Raised` takes of the pulse `k`."""
        error = (self._landing[k][:, None] / slope[k]) ** 2
        return draws[k], np.log(slope[k]), error, self._core[k][:, None], self._above[k][:, None]

    def _terms(self, p: Mapping[str, float]) -> Floats:
        draws = self._solved(p)
        slope = compliance(p, self._ahead(p), self._latents(p)[1], draws)[1]
        memory, total = self._memory(p), self._prior(p)
        for k in range(len(draws)):
            total += memory.observe(*self._observed(k, draws, slope), self._live(k))
        return total

    def _prior(self, p: Mapping[str, float]) -> Floats:
        shift, factor = self._latents(p)
        spread = max(p["gate_spread"], 1e-6), max(p["set_device_spread"], 1e-6)
        apart = (shift / spread[0]) ** 2 + (factor / spread[1]) ** 2
        prior: Floats = -0.5 * apart - np.log(spread[0] * spread[1] * 2.0 * np.pi)
        return prior

    def _common(self, p: Mapping[str, float]) -> tuple[float, float]:
        """Return the mean threshold of all pulses, V, and the decades of the maximum."""
        return float(self._on(p)[self._pulses.live].mean()), float(np.log10(p["maximum"]))

    def _latents(self, p: Mapping[str, float]) -> tuple[Floats, Floats]:
        """Return shift and factor of devices at the nodes: where all thresholds rise, a device's shift falls.

        The nodes stay where the data are while parameters change.
        """
        threshold, maximum = self._common(p)
        shift, factor = self._nodes.values
        return shift + (self._origin[0] - threshold), factor + (self._origin[1] - maximum)

    def _on(self, p: Mapping[str, float]) -> Floats:
        rise = p["gate_rise"] * (PULSE / self._pulses.width) ** p["gate_power"]
        return p["gate_threshold"] + rise - p["gate_bit_line"] * self._pulses.voltage

    def _ahead(self, p: Mapping[str, float]) -> Floats:
        """Return V_WL less the threshold of the pulse and the device (pulses, cells, nodes), V."""
        return (self._pulses.gate - self._on(p))[:, :, None] - self._latents(p)[0]

    def _solved(self, p: Mapping[str, float], rounds: int = 2) -> Floats:
        """Return the draws (pulses, cells, nodes) at which the compliance is the level, from the last ones on."""
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
            draws = self._draws
        for _ in range(rounds):
            limit, slope = compliance(p, ahead, factor, draws)
            draws = np.clip(draws - np.clip((limit - level) / slope, -1.0, 1.0), -FARTHEST, FARTHEST)
        solved: Floats = draws
        return solved


def compliance(p: Mapping[str, float], ahead: Floats, factor: Floats, draw: Floats) -> tuple[Floats, Floats]:
    """Return the compliance (S) of draws and its derivative by the draw, `ahead` (V) of the threshold.

    Below the threshold both go on as above it, so that every conductance has its draw; the derivative is at least a
    thousandth of that of a straight line. Pulses, the first of three axes, are taken a few at a time: they stay in the
    cache.
    """
    if ahead.ndim == 3 and len(ahead) > TOGETHER:
        limit, slope = np.empty(ahead.shape), np.empty(ahead.shape)
        for begin in range(0, len(ahead), TOGETHER):
            some = slice(begin, begin + TOGETHER)
            limit[some], slope[some] = compliance(p, ahead[some], factor, draw[some])
        return limit, slope
    weak = np.minimum(draw, 0.0)
    bend = np.exp(0.5 * p["set_tail"] * weak * weak)
    tailed = draw * bend
    stretch = bend * (1.0 + p["set_tail"] * weak * weak)  # d tailed/d draw
    linear = p["set_slope"] * (ahead + p["gate_cycle_spread"] * tailed)
    steep = p["set_slope"] * p["gate_cycle_spread"] * stretch
    over = np.maximum(linear, 0.0) / p["set_slope"]
    scale = np.exp(LN10 * np.maximum(factor + p["set_cycle_spread"] * tailed, -6.0))
    top = (p["maximum"] + p["maximum_slope"] * over) * scale
    top_slope = (
        p["set_cycle_spread"] * LN10 * stretch * top + p["maximum_slope"] * scale * steep / p["set_slope"]
    )
    ratio = np.maximum(linear, 1e-30) / top
    power = np.exp(p["set_knee"] * np.log(ratio))
    share = np.exp(np.log1p(power) / -p["set_knee"])
    limit = linear * share
    # d limit = share/(1 + power) d linear + share power ratio/(1 + power) d top
    slope = share / (1.0 + power) * (steep + power * ratio * top_slope)
    return limit, np.maximum(slope, 1e-3 * p["set_slope"] * p["gate_cycle_spread"])
