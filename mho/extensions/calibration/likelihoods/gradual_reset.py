"""How likely the RESETs of cells are under the gradual law.

    over = V_SL - T,  T = reset_threshold + reset_threshold_spread d;  below, or with too low a gate, a cell holds still
    drop = reset_slope over (width/100 ns)^(1/2) exp(reset_cycle_spread z)
    bottom = ln floor + floor_device_spread d - floor_spread z
    ln G -> min(ln G, max(ln G - drop, bottom))

One draw makes a pulse deep both ways, so that ln G falls with it all along. The one thing that a device has for life, its
deviate d, is integrated over; the variable of the integral is its threshold T: there its data put it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.nodes import ROUNDS, GridNodes
from mho.extensions.calibration.likelihoods.pulse_model import LOG_2PI, PULSE, PulseModel
from mho.extensions.calibration.transitions import NOISE, Sequences

FITTED = {
    "reset_slope": "log", "reset_threshold": "volts", "reset_threshold_spread": "log",
    "reset_cycle_spread": "log", "floor": "log", "floor_spread": "log", "floor_device_spread": "log",
}  # fmt: skip
"""The parameters that RESETs tell about, and the kinds of their coordinates."""

WIDEST = 0.9  # V: the first grid reaches so far to either side
FIRST, NODES = (181,), (31,)
SOFT = 2e-3  # V over the threshold, up to which a cell may have held still: smooth on the grid
FARTHEST = 6.0  # deviations: draws beyond are taken for this
CLEAR = 20.0  # read deviations: where draws move a cell farther, how reads scatter in detail is of no account
STEPS = 5, 2  # of Newton's, to the most probable draw, and where falls are clear
IMPOSSIBLE = 1e-250  # least density, which the logarithm needs
LEAST = 1e-5  # V over the threshold


class GradualResets(PulseModel):
    """The RESETs of cells under the gradual law."""

    _nodes: GridNodes  # of thresholds, V

    def __init__(self, resets: Sequences, fixed: Mapping[str, float]) -> None:
        super().__init__(resets, fixed)
        self._log_before, self._log_after = np.log(resets.before), np.log(resets.after)
        self._unchanged = resets.unchanged() + self._log_after  # a density of ln G
        self._error = resets.landing / resets.after
        self._arriving = np.where(resets.gate >= fixed["reset_gate"], resets.voltage, -np.inf)
        centre = np.array([fixed["reset_threshold"]])
        self._nodes = GridNodes(resets.cells, centre, np.array([WIDEST]), FIRST, NODES)
        self._order, self._clear = self._sorted(fixed)

    def recentre(self, values: Mapping[str, float]) -> None:
        """Put the grid of each cell's threshold where its integrand is, for parameters near `values`."""
        p = self._merged(values)
        for _ in range(ROUNDS):
            if not self._nodes.move(self._terms(p)):
                break
            self._order, self._clear = self._sorted(p)

    def _sorted(self, p: Mapping[str, float]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the order of each cell's pulses by volts over its threshold, and in which rows all falls are clear.

        Without a memory the order of pulses says nothing.
        """
        low, high = self._nodes.low[:, 0], self._nodes.high[:, 0]
        over = np.where(self._pulses.live, self._arriving - 0.5 * (low + high), np.inf)
        order = np.argsort(over, axis=0)
        drop = p["reset_slope"] * (self._pulses.width / PULSE) ** 0.5 * (self._arriving - high)
        clear = (p["reset_cycle_spread"] * drop > CLEAR * self._error) | ~self._pulses.live
        return order, np.asarray(np.take_along_axis(clear, order, axis=0).all(axis=1))

    def _terms(self, p: Mapping[str, float]) -> Floats:
        resets, (threshold,) = self._pulses, self._nodes.axes
        width = max(p["reset_threshold_spread"], 1e-6)
        deviate = (threshold - p["reset_threshold"]) / width
        bottom = np.log(p["floor"]) + p["floor_device_spread"] * deviate
        duration = p["reset_slope"] * (resets.width / PULSE) ** 0.5
        total: Floats = -0.5 * (deviate * deviate + LOG_2PI) - np.log(width)
        of = (
            self._log_before, self._log_after, self._error, self._unchanged, resets.live, self._arriving,
            duration,
        )  # fmt: skip
        rows = [np.take_along_axis(one, self._order, axis=0)[:, :, None] for one in of]
        for clear, row in zip(self._clear, zip(*rows, strict=True), strict=True):
            before, after, error, unchanged, live, arriving, per_volt = row
            over = arriving - threshold
            if not (over > 0.0).any():
                total += np.where(live, unchanged, 0.0)
                continue
            drop = per_volt * np.maximum(over, LEAST)
            seen = lowered(p, before, after, error, unchanged, drop, bottom, clear=bool(clear))
            moves = np.clip(over / SOFT, 0.0, 1.0)
            seen = np.log(np.maximum(moves * seen + (1.0 - moves) * np.exp(unchanged), IMPOSSIBLE))
            total += np.where(live, seen, 0.0)
        terms: Floats = total - self._log_after.sum(axis=0, where=resets.live)[:, None]
        return terms


def lowered(
    p: Mapping[str, float], before: Floats, after: Floats, error: Floats, unchanged: Floats, drop: Floats,
    bottom: Floats, *, clear: bool = False,
) -> Floats:  # fmt: skip
    """Return the density of ln G read after RESETs above the threshold.

    `error` is the deviation of ln G `after` about where the pulse led the cell, `unchanged` ln of the density if it did not
    change the cell; a median pulse lowers ln G by `drop`, to `bottom` at most. `clear`: all these falls are far larger
    than `error`.
    """
    cycle, scatter = max(p["reset_cycle_spread"], 1e-3), max(p["floor_spread"], 1e-3)
    still = (bottom - before) / scatter  # draws below it find the cell below their floor
    # on the floor: normal, and what the read leaves open of the draw
    on_floor = scatter**2 + error**2
    draw, loose = scatter * (bottom - after) / on_floor, error / np.sqrt(on_floor)
    fallen = drop * np.exp(cycle * np.clip(draw, -FARTHEST, FARTHEST))
    counts = _above(bottom - scatter * draw - before + fallen, loose, cycle * fallen, scatter)
    floored = np.exp(-0.5 * (after - bottom) ** 2 / on_floor) / np.sqrt(2.0 * np.pi * on_floor)
    density = floored * counts * ndtr((draw - still) / loose) + ndtr(still) * np.exp(unchanged)
    for share, width in ((1.0, 1.0),) if clear else NOISE:
        draw, fallen, seen, loose = falling(before - after, drop, cycle, width * error, STEPS[clear])
        counts = _above(before - fallen - bottom + scatter * draw, loose, cycle * fallen, scatter)
        density = density + share * seen * counts
    return density


def _above(apart: Floats, loose: Floats, steep: Floats, scatter: float) -> Floats:
    """Return how probable it is that of fall and floor, `apart` in ln G, the higher one is this.

    The draw is known up to its deviation `loose`; `steep` and `scatter` are how the two go with it.
    """
    return ndtr(apart / (loose * np.maximum(np.abs(steep - scatter), 1e-9)))


def falling(
    seen: Floats, drop: Floats, cycle: float, error: Floats, steps: int = STEPS[0]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what a fall of ln G that was `seen` tells, were there no floor: draw, fall, density, the draw's deviation.

    It is drop exp(cycle z), read with a normal error: Laplace's method about the most probable draw z.
    """
    far = np.clip(np.log(np.maximum(seen, 1e-9) / drop) / cycle, -FARTHEST, FARTHEST)
    weight = (cycle * np.maximum(seen, drop) / error) ** 2
    draw = far * weight / (1.0 + weight)
    for _ in range(steps):
        fallen = drop * np.exp(cycle * draw)
        miss, steep = (seen - fallen) / error, cycle * fallen / error
        draw = draw - np.clip((draw - miss * steep) / (1.0 + steep**2), -1.0, 1.0)
    fallen = drop * np.exp(cycle * draw)
    miss, steep = (seen - fallen) / error, cycle * fallen / error
    curve = np.maximum(1.0 + steep**2 - miss * cycle * steep, 0.5)
    density = np.exp(-0.5 * (draw**2 + miss**2)) / (error * np.sqrt(2.0 * np.pi * curve))
    return draw, fallen, density, curve**-0.5
