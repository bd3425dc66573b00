"""Calibration of a multiplying tile from its response to one line at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats, Integers

LOST = 0.5  # digits, from which a cell tells nothing of its line's and column's wires
USUAL = 4  # repeats that the noise of a tile's cells together counts as, beside those of each cell


@dataclass(frozen=True)
class Trim:
    """Calibration of one tile.

    Attributes
    ----------
    drive : (rows,) array
        Factor on each line's voltage that compensates its wire resistance.
    gain : (columns,) array
        Digits per ampere and volt of each column: wires, cells and amplifier together.
    errors, noise : (rows, columns) arrays
        Remaining error per cell, in digits: systematic, and standard deviation from shot to shot.
    reading : float
        Standard deviation of what is read with no line active, in digits: part of all noise, but of a shot only once.
    """

    drive: Floats
    gain: Floats
    errors: Floats
    noise: Floats
    reading: float = 0.0

    def known(self, above: float) -> Floats:
        """Return the errors larger than `above`, in digits, and 0 elsewhere: those worth a digital subtraction."""
        return np.where(np.abs(self.errors) > above, self.errors, 0.0)

    def own_variance(self, digits: Integers, repeats: int) -> Floats:
        """Return the variance of each cell without the reading's, (rows, columns), in squares of a digit.

        A few repeats tell little of a cell's variance. It is moderated by that of all cells of the tile, which goes with
        the square of the digit (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3 (2004)); a restless cell remains one.
        """
        measured, reading, squares = self.noise**2, self.reading**2, digits.astype(np.float64) ** 2
        share = max(float(measured[digits > 0].sum()) - reading * np.count_nonzero(digits), 0.0)
        usual = reading + share / max(float(squares.sum()), 1.0) * squares
        moderated = (USUAL * usual + (repeats - 1) * measured) / (USUAL + repeats - 1)
        return np.asarray(np.maximum(moderated - reading, 0.0))


def fit_trim(response: Floats, digits: Integers, step: float, reading: float = 0.0) -> Trim:
    """Fit one tile, (repeats, rows, columns), as `fit_trims`."""
    return fit_trims(response[None], digits[None], step, np.array([reading]))[0]


def fit_trims(response: Floats, digits: Integers, step: float, reading: Floats) -> list[Trim]:
    """Fit line drives and column gains of tiles of one shape to one-hot responses.

    Wire resistance weakens far lines and far columns; to first order this is one factor per line and one per
    column (each line's current through its own wire), which a trim removes. Cells that hold another digit, as stuck
    ones do, are left out: medians find them, and the fit is of the others.

    Parameters
    ----------
    response : (tiles, repeats, rows, columns) array
        Conductance measured in each shot, S.
    digits : (tiles, rows, columns) array
    step : float
        Nominal conductance of one digit, S.
    reading : (tiles,) array
        Standard deviation of a shot with no line active, S.
    """
    seen = response.mean(axis=1) / step
    weight = digits.astype(float)
    line = _median_ratio(seen, weight)[:, :, None]
    column = _median_ratio((seen / line).swapaxes(1, 2), weight.swapaxes(1, 2))[:, None, :]
    for _ in range(8):
        fitted = np.where(np.abs(seen / (line * column) - digits) < LOST, weight, 0.0)
        both, squares = seen * fitted, fitted**2
        line = _ratio((both * column).sum(axis=2), (squares * column**2).sum(axis=2))[:, :, None]
        column = _ratio((both * line).sum(axis=1), (squares * line**2).sum(axis=1))[:, None, :]
    scale = line * column
    drive, gain, errors = 1.0 / line[:, :, 0], 1.0 / (step * column[:, 0]), seen / scale - digits
    noise = response.std(axis=1, ddof=1) / step / scale
    each = zip(drive, gain, errors, noise, (reading / step).tolist(), strict=True)
    return [Trim(*one) for one in each]


def _median_ratio(seen: Floats, weight: Floats) -> Floats:
    """Return each row's median ratio of its cells, weighted by their digits; 1 without any.

    A small digit's ratio is as wrong as its cell's error is large beside it: four cells of 1 must not outvote one of 7.
    """
    ratio = np.divide(seen, weight, out=np.full_like(seen, np.inf), where=weight > 0)
    order = np.argsort(ratio, axis=-1)
    below = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    middle = (below >= below[..., -1:] / 2.0).argmax(axis=-1)[..., None]
    median = np.take_along_axis(ratio, np.take_along_axis(order, middle, axis=-1), axis=-1)[..., 0]
    return np.where(np.isfinite(median), np.clip(median, 0.7, 1.3), 1.0)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return least-squares factors; 1 for lines without a digit, and at most 30 % from 1."""
    ratio = np.divide(above, below, out=np.ones_like(above), where=below > 0)
    return np.clip(ratio, 0.7, 1.3)
