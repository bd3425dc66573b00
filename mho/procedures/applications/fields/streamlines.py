"""Field lines through a field on a grid of cells: bilinear between the centres, the fourth-order Runge-Kutta method
along them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Floats = NDArray[np.float64]

STEP = 0.25
"""Of a cell, along the line."""

MOST_STEPS = 2000

SMEAR = 12
"""Pixels along a line, either way, over which noise is averaged."""


def streamlines(across: Floats, along: Floats, seeds: Floats, stop: NDArray[np.bool_]) -> list[Floats]:
    """Return the lines through `seeds`, both ways until they leave the square, reach a cell of `stop` or where no field is.

    Parameters
    ----------
    across, along : (n, n) arrays
        E along x (columns) and y (rows), at the centres of the cells of the unit square.
    seeds : (lines, 2) array
        x and y.
    stop : (n, n) array of bool
        Charges and electrodes.

    Returns
    -------
    list of (points, 2) arrays
        x and y along each line, in the direction of the field; at least two points each.
    """
    n = len(across)

    def direction(points: Floats) -> Floats:
        places = points[:, ::-1].T * n - 0.5
        both = np.stack(
            [map_coordinates(one, places, order=1, mode="nearest") for one in (across, along)], axis=1
        )
        length = np.linalg.norm(both, axis=1, keepdims=True)
        return np.asarray(np.divide(both, length, out=np.zeros_like(both), where=length > 0.0))

    back, forth = _march(lambda points: -direction(points), seeds, stop), _march(direction, seeds, stop)
    lines = [np.concatenate((one[:0:-1], other)) for one, other in zip(back, forth, strict=True)]
    return [line for line in lines if len(line) > 1]


def _march(direction: Callable[[Floats], Floats], seeds: Floats, stop: NDArray[np.bool_]) -> list[Floats]:
    """Follow all lines at once; return each as far as it goes, its seed first."""
    n = len(stop)
    step = STEP / n
    points, going = seeds.astype(np.float64), np.arange(len(seeds))
    lines = [[point] for point in points]
    for _ in range(MOST_STEPS):
        one = direction(points)
        two = direction(points + step / 2.0 * one)
        three = direction(points + step / 2.0 * two)
        four = direction(points + step * three)
        moved = step / 6.0 * (one + 2.0 * two + 2.0 * three + four)
        points = points + moved
        inside = ((points > 0.0) & (points < 1.0)).all(axis=1)
        # Where the field turns round within a step, the line has come to its end.
        alive = inside & (np.linalg.norm(moved, axis=1) > step / 2.0)
        cells = np.clip((points * n).astype(int), 0, n - 1)
        for number in np.flatnonzero(inside):
            lines[going[number]].append(points[number])
        alive &= ~stop[cells[:, 1], cells[:, 0]]
        points, going = points[alive], going[alive]
        if not len(going):
            break
    return [np.array(line) for line in lines]


def line_texture(across: Floats, along: Floats, pixels: int, rng: np.random.Generator) -> Floats:
    """Return an image of the field: noise that is smeared along the lines, brighter where the field is stronger.

    Line integral convolution (Cabral and Leedom, SIGGRAPH 1993, p. 263).

    Parameters
    ----------
    across, along : (n, n) arrays
        As of `streamlines`.
    pixels : int
        Along a side.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    (pixels, pixels) array
        From 0 to 1.
    """
    centres = (np.arange(pixels) + 0.5) / pixels
    places = np.stack(np.meshgrid(centres, centres, indexing="ij"))  # row, column

    def sampled(values: Floats, at: Floats) -> Floats:
        return np.asarray(map_coordinates(values, at * len(values) - 0.5, order=1, mode="nearest"))

    strength = np.hypot(sampled(across, places), sampled(along, places))
    noise = rng.random((pixels, pixels))
    total, counted = noise.copy(), np.ones_like(noise)
    for sign in (-1.0, 1.0):
        at = places.copy()
        for _ in range(SMEAR):
            step = np.stack((sampled(along, at), sampled(across, at)))
            length = np.hypot(*step)
            at = at + sign / pixels * np.divide(step, length, out=np.zeros_like(step), where=length > 0.0)
            inside = ((at > 0.0) & (at < 1.0)).all(axis=0)
            total += np.where(inside, sampled(noise, at), 0.0)
            counted += inside
    # Fewer samples, at a wall, vary more: all are brought to the same spread.
    smeared = (total - 0.5 * counted) / np.sqrt(counted)
    low, high = np.quantile(smeared, (0.02, 0.98))
    lines = np.clip((smeared - low) / (high - low), 0.0, 1.0)
    bright = np.clip(strength / np.quantile(strength, 0.97), 0.0, 1.0) ** 0.5
    return np.asarray(bright * (0.25 + 0.75 * lines))
