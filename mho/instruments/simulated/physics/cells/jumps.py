"""What a cell's jumps have summed up to at any age: a random walk in log time with heavy tails, by table.

After a pulse a cell's conductance rises and falls in jumps. By age t there were, of either kind,

    a Poisson number of the mean  rate d,   d(t) = ln(1 + t/t0)^power

of sizes E^tail with E exponential, of unit mean square; a share of the jumps is undone, each after an exponential time in
d of the mean `memory`. So increments over different decades are independent but for what comes back, and their excess
kurtosis falls as 1/d. Such a law cannot be evaluated at one moment in closed form. It is drawn once, for a bundle of
paths; a cell has a number, drawn when it was programmed, which names the path of its rises and that of its falls, and how
early it is on both.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.cells.presets import CellPreset

Values = Any  # numpy scalar or array

PATH_BITS = 14  # 2^28 pairs of a path of rises and one of falls; a node of all paths fits a core's cache
PATHS = 1 << PATH_BITS
NODES = 72
STEP = 0.075  # of sqrt(ln(1 + t/t0)): narrow where little has happened yet; the last node is at 2e12 t0
LOT = 1 << 20  # jumps that are drawn together
SEED = 20250713  # of the bundle, which is a part of the law as its parameters are


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw the numbers of cells that are programmed, unsigned, of 32 bits."""
    return rng.integers(1 << 32, size=shape or None, dtype=np.uint32)


def dose(preset: CellPreset, age: Values) -> Values:
    """Return d, to which the mean number of jumps by `age` (s) is proportional."""
    return np.log1p(age / preset.relaxation_time) ** preset.relaxation_power


def node_ages(preset: CellPreset) -> NDArray[np.float64]:
    """Ages (s) of the table's nodes."""
    ages: NDArray[np.float64] = preset.relaxation_time * np.expm1((STEP * np.arange(NODES)) ** 2)
    return ages


def sums(preset: CellPreset, number: Values, age: Values) -> tuple[Values, Values]:
    """Sums of the rises and of the falls of cells of these numbers at `age` (s), in root mean squares of one jump.

    The same number and age give the same sums, whenever and however often they are asked for. Cells come to a node of the
    table each at a time of its own, so that over cells all moments go straight from one node to the next.
    """
    bundle = _bundle(preset.relaxation_jumps, preset.relaxation_power, preset.jump_tail, preset.jump_return,
                     preset.jump_memory)  # fmt: skip
    if not np.ndim(number):
        return _sums_of_one(bundle, preset.relaxation_time, number, age)
    place = np.multiply(age, np.float32(1.0 / preset.relaxation_time))
    for step in (np.log1p, np.sqrt):  # in place: arrays are evaluated very often
        step(place, out=place)
    place *= np.float32(1.0 / STEP)
    place += np.multiply(number, np.float32(2.0**-32), dtype=np.float32, casting="same_kind")
    node = np.minimum(place, np.float32(NODES - 1), out=place).astype(np.int32)
    node <<= PATH_BITS
    path = (number & np.uint32(PATHS - 1)).view(np.int32)
    path += node
    rises = bundle.take(path, mode="wrap")
    path = (number >> np.uint32(32 - PATH_BITS)).view(np.int32)
    path += node
    return rises, bundle.take(path, mode="wrap")


def _sums_of_one(bundle: Values, time: float, number: Values, age: Values) -> tuple[float, float]:
    """Return the same of one cell, in the same precision: a meter reads cell by cell."""
    place = np.sqrt(np.log1p(age * np.float32(1.0 / time))) * np.float32(1.0 / STEP)
    place = min(place + np.float32(number) * np.float32(2.0**-32), NODES - 1)
    begin, number = int(place) << PATH_BITS, int(number)
    rise, fall = number & PATHS - 1, number >> 32 - PATH_BITS
    return bundle.item(begin + rise), bundle.item(begin + fall)


@lru_cache(maxsize=16)
def _bundle(rate: float, power: float, tail: float, share: float, memory: float) -> NDArray[np.float32]:
    """Return the sums of all paths at all nodes, node after node."""
    last = (STEP * (NODES - 1)) ** 2  # ln(1 + t/t0)
    # Generators of their own: parameters that change a little then move the paths, they do not draw them anew.
    number, begin, choose, draw, undo, end = (np.random.default_rng([SEED, k]) for k in range(6))
    count = int(number.poisson(rate * last**power * PATHS))
    changes = np.zeros(NODES * PATHS)
    for some in (min(LOT, count - done) for done in range(0, count, LOT)):
        begun = begin.random(some) * last**power
        path = choose.integers(PATHS, size=some)
        size = draw.standard_exponential(some) ** tail / math.sqrt(math.gamma(1.0 + 2.0 * tail))
        undone = undo.random(some) < share
        ended = (begun + memory * end.standard_exponential(some))[undone]
        for moment, paths, sizes in ((begun, path, size), (ended, path[undone], -size[undone])):
            node = np.ceil(moment ** (0.5 / power) / STEP).astype(np.int64)
            seen = node < NODES
            changes += np.bincount(node[seen] * PATHS + paths[seen], sizes[seen], NODES * PATHS)
    bundle = changes.reshape(NODES, PATHS).cumsum(axis=0).astype(np.float32).reshape(-1)
    bundle.flags.writeable = False
    return bundle
