"""How likely the SETs of cells are under the gradual law.

    G_c = min(set_slope f (V_WL - gate_threshold), maximum),  growth = max(G_c - G, 0)
    done = 1 - exp(-width/set_time exp(min(V_BL - T, 0)/set_acceleration))
    spread = ln 10 set_cycle_spread (growth G_c)^(1/2) + landing + landing_share G_c
    G -> G + done max(growth + spread z, 0)

Given what a device has for life, its factor f and its threshold T, a pulse raises a cell by a normal amount, or not at
all. T, and the compliance of the device at the gate voltage that is usual in the data, are integrated over: there the
data put them, whatever the parameters are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mho.array_types import Floats
from mho.extensions.calibration.likelihoods.nodes import ROUNDS, GridNodes
from mho.extensions.calibration.likelihoods.pulse_model import LN10, LOG_2PI, PulseModel
from mho.extensions.calibration.transitions import NOISE, Sequences

FITTED = {
    "set_slope": "log", "gate_threshold": "volts", "maximum": "log", "set_threshold": "volts",
    "set_threshold_spread": "log", "set_time": "log", "set_acceleration": "log", "set_cycle_spread": "log",
    "set_device_spread": "log", "landing": "log", "landing_share": "log",
}  # fmt: skip
"""The parameters that SETs tell about, and the kinds of their coordinates."""

OF_PULSES = ("voltage", "width", "gate", "before", "after", "landing", "still", "live")
FIRST, NODES = (49, 17), (31, 9)  # of thresholds and compliances, before any was seen and afterwards
WIDEST = np.array([0.9, 1.0])  # V and ln: the first grid reaches so far to either side
IDLE = 0.1  # read deviations: a pulse that moves a cell less tells no threshold
FEWEST = 1e-7  # share of its conductance by which a pulse must move a cell, in single precision
IMPOSSIBLE = 1e-250  # 1/S: least density, which the logarithm needs
KNEE = 120.0  # power: the bend at the maximum is 1/120 wide
BLUR = 1.25  # of the deviation between reads of a cell: that of one read
AT_MAXIMUM, FOLLOWS = 6.0, 3.0  # read deviations about it; of its change, from which on it is followed
OPEN = 0.05  # V: a gate is this far above its threshold at least, where the compliance is measured


class GradualSets(PulseModel):
    """The SETs of cells under the gradual law."""

    _nodes: GridNodes  # of thresholds, V, and ln of compliances

    def __init__(self, sets: Sequences, fixed: Mapping[str, float]) -> None:
        super().__init__(sets, fixed)
        self._unchanged = sets.unchanged()
        self._usual = float(np.median(sets.gate[sets.live]))  # V
        centre = np.array([fixed["set_threshold"], self._log_limit(fixed)])
        self._nodes = GridNodes(sets.cells, centre, WIDEST, FIRST, NODES)
        self._maximum, self._tell = 0.0, sets.live
        self._leave_out(fixed["maximum"])
        self._order, self._alike = self._sorted(fixed)

    def _log_limit(self, p: Mapping[str, float]) -> float:
        """Return ln of the median device's compliance (S) at the usual gate voltage, maximum apart."""
        return float(np.log(p["set_slope"] * max(self._usual - p["gate_threshold"], OPEN)))

    def _leave_out(self, maximum: float) -> None:
        """Leave out the pulses on cells that are at `maximum` (S) as far as reads tell.

        Whether a pulse can raise such a cell is up to the error of its read, which the next one repeats, and to how often
        it was pulsed before without effect.
        """
        sets = self._pulses
        error = float(np.median((sets.still / sets.before)[sets.live]))
        if abs(maximum - self._maximum) > FOLLOWS * error * maximum:
            self._maximum = maximum
            self._tell = sets.live & (np.abs(sets.before - maximum) > AT_MAXIMUM * sets.still)

    def recentre(self, values: Mapping[str, float]) -> None:
        """Put the grid of each cell where its integrand is, for parameters near `values`."""
        p = self._merged(values)
        self._leave_out(p["maximum"])
        for _ in range(ROUNDS):
            if not self._nodes.move(self._terms(p)):
                break
            self._order, self._alike = self._sorted(p)

    def _sorted(self, p: Mapping[str, float]) -> tuple[NDArray[np.int64], list[int | None]]:
        """Return the order of each cell's pulses by volts over its threshold, and a node that stands for all in a row.

        Without a memory the order of pulses says nothing. Far over the threshold all nodes of it are alike, and far below;
        there is none that stands for all in rows between.
        """
        sets, low, high = self._pulses, self._nodes.low[:, 0], self._nodes.high[:, 0]
        order = np.argsort(np.where(sets.live, sets.voltage - 0.5 * (low + high), np.inf), axis=0)
        most = (
            sets.width / p["set_time"] * np.exp(np.minimum(sets.voltage - low, 0.0) / p["set_acceleration"])
        )
        idle = most * p["maximum"] < IDLE * sets.landing
        either = (kind | ~sets.live for kind in (idle, sets.voltage >= high))
        kinds = [np.take_along_axis(kind, order, axis=0).all(axis=1) for kind in either]
        return order, [0 if below else -1 if above else None for below, above in zip(*kinds, strict=True)]

    def _terms(self, p: Mapping[str, float]) -> Floats:
        """Return ln of likelihood times prior at the nodes (cells, thresholds, compliances)."""
        thresholds, log_limits = self._nodes.axes
        total: Floats = (
            _normal(thresholds, p["set_threshold"], p["set_threshold_spread"])[:, :, None]
            + _normal(log_limits, self._log_limit(p), LN10 * p["set_device_spread"])[:, None, :]
        )
        slope = np.exp(log_limits) / max(self._usual - p["gate_threshold"], OPEN)
        of = [getattr(self._pulses, name) for name in OF_PULSES] + [self._tell, self._unchanged]
        rows = [np.take_along_axis(one, self._order, axis=0) for one in of]
        for alike, (voltage, *row) in zip(self._alike, zip(*rows, strict=True), strict=True):
            width, gate, before, after, error, still, live, tells, unchanged = (
                one[:, None, None] for one in row
            )
            some = thresholds if alike is None else thresholds[:, [alike]]
            rate = np.exp(np.minimum(voltage[:, None] - some, 0.0) / p["set_acceleration"]) / p["set_time"]
            limit = _bent(slope[:, None, :] * (gate - p["gate_threshold"]), p["maximum"])
            rise = landing(p, limit, before, still)
            seen = raised(-np.expm1(-width * rate[:, :, None]), rise, before, after, error, unchanged)
            total += np.where(tells, seen, np.where(live, unchanged, 0.0))
        return total


def landing(
    p: Mapping[str, float], limit: Floats, before: Floats, still: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return how probable a SET with the compliance `limit` (S) is to raise a cell at all, by how much, and its spread.

    The second and third are in S. `before` was read to within `still` (S): whether the limit lies above it is known up to
    that, and how far, if it does.
    """
    still = BLUR * still
    ahead = np.maximum((limit - before) / still, -8.0)
    rises = ndtr(ahead)
    growth = still * (ahead + np.exp(-0.5 * ahead * ahead) / (np.sqrt(2.0 * np.pi) * rises))
    least = p["landing"] + p["landing_share"] * np.maximum(limit, 0.0)
    if p["landing"] or p["landing_share"]:  # the draw alone raises a cell, too
        growth, rises = growth * rises, np.ones_like(rises)
    spread = LN10 * p["set_cycle_spread"] * np.sqrt(growth * np.maximum(limit, before)) + least
    return rises, growth, spread


def raised(
    done: Floats, rise: tuple[Floats, Floats, Floats], before: Floats, after: Floats, error: Floats,
    unchanged: Floats,
) -> Floats:  # fmt: skip
    """Return ln of the density (1/S) of reads after SETs that went the share `done` of the `rise`, as `landing` returns it.

    `error` is the deviation of the read `after`, S, about where the pulse led the cell, `unchanged` ln of its density
    if the pulse did not change the cell.
    """
    rises, growth, spread = rise
    mean, own = done * growth, np.maximum((done * spread) ** 2, (1e-3 * error) ** 2)
    apart = after - before - mean
    stays = ndtr(-growth / spread)
    density = np.zeros(apart.shape)
    for share, width in NOISE:
        read = (width * error) ** 2
        total = own + read
        # the change was above 0: of what the read leaves open, that part
        above = ndtr((mean * read + (after - before) * own) / np.sqrt(own * read * total))
        density = density + share / np.sqrt(2.0 * np.pi * total) * np.exp(-0.5 * apart**2 / total) * above
    density = rises * density + (1.0 - rises * (1.0 - stays)) * np.exp(unchanged)
    moves = done * (growth + spread) / (done * (growth + spread) + FEWEST * before)
    density = moves * density + (1.0 - moves) * np.exp(unchanged)
    return np.log(np.maximum(density, IMPOSSIBLE))


def _bent(limit: Floats, maximum: float) -> Floats:
    """Return the compliance (S) below `maximum`, with a bend so short in place of the kink that slopes are smooth."""
    ratio = np.maximum(limit, 1e-3 * maximum) / maximum
    bent = maximum * ratio * (1.0 + np.minimum(ratio, 2.0) ** KNEE) ** (-1.0 / KNEE)
    return np.where(limit < 0.5 * maximum, limit, np.where(ratio < 2.0, bent, maximum))


def _normal(value: Floats, mean: float, spread: float) -> Floats:
    """Return ln of a normal density."""
    spread = max(spread, 1e-6)
    log: Floats = -0.5 * (((value - mean) / spread) ** 2 + LOG_2PI) - np.log(spread)
    return log
