"""A programmed tile of digits: its response to single lines, its calibration, and the sums of patterns of lines."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mho.array_types import Floats, Integers
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.algorithms.trim import Trim, fit_trim


class ConnectsMultiply(Protocol):
    """What a tile needs of a bench, as `Bench` has it."""

    def connect_multiply(self, array: str, rows: Integers, columns: Integers) -> None:
        """Connect a block."""

    def multiply(self, volts: Floats) -> Floats:
        """Return currents, A, for voltages, V."""
        ...


class ProgrammedTile:
    """A tile of the multiplying array, of which all columns are measured at once.

    Parameters
    ----------
    bench : Bench, or what multiplies as one
    block : Block
        Where its digits are.
    step : float
        Nominal conductance of one digit, S.
    read_voltage : float
        Voltage of an active line, V.

    Attributes
    ----------
    block : Block
    trim : Trim
        Once it was fitted.
    """

    trim: Trim

    def __init__(self, bench: ConnectsMultiply, block: Block, step: float, read_voltage: float) -> None:
        self._bench, self.block = bench, block
        self._step, self._volts = step, read_voltage

    @property
    def digits(self) -> Integers:
        """Digits as programmed, (lines, columns)."""
        return self.block.digits

    @property
    def calibration_shots(self) -> int:
        """Shots of a response, for each repeat."""
        return len(self.digits) + 1

    def connect(self) -> None:
        """Connect the tile's lines and columns; `sums` plays on what is connected."""
        place = self.block.placement
        self._bench.connect_multiply(place.array, place.rows, place.columns)

    def respond(self, repeats: int) -> Floats:
        """Connect the tile and return the conductance (repeats, lines, columns) of each line alone, S."""
        self.connect()
        currents = self._bench.multiply(lines_alone(len(self.digits), repeats, self._volts))
        return response_of(currents, repeats, self._volts)

    def fit(self, response: Floats) -> None:
        """Fit the trim to a response."""
        self.trim = fit_trim(response, self.digits, self._step)

    def sums(self, patterns: Integers) -> Floats:
        """Play patterns (shots, lines) of 0 and 1 on the connected tile; return its sums (shots, columns) in digits."""
        currents = self._bench.multiply(patterns * (self._volts * self.trim.drive))
        return np.asarray(currents * self.trim.gain / self._volts)


def lines_alone(lines: int, repeats: int, volts: float) -> Floats:
    """Return voltages (repeats x (lines + 1), lines) that play no line, then each alone, and this several times."""
    patterns = np.concatenate([np.zeros((1, lines)), np.eye(lines)])
    return np.tile(patterns, (repeats, 1)) * volts


def response_of(currents: Floats, repeats: int, volts: float) -> Floats:
    """Return the conductance (..., repeats, lines, columns) of each line, S, from the currents (A) that `lines_alone` drew.

    What is read with no line active is left of the offsets: the bench subtracts one reading of them, whose error is in all
    readings of an exchange. In those of single lines it would count once for each active line, so it is subtracted.
    """
    response = _by_repeat(currents, repeats) / volts
    return np.asarray(response[..., 1:, :] - response[..., :1, :].mean(axis=-3, keepdims=True))


def reading_noise(currents: Floats, repeats: int, volts: float) -> Floats:
    """Return the standard deviation (...) of a reading with no line active, S, over all columns of `lines_alone`."""
    dark = _by_repeat(currents, repeats)[..., 0, :] / volts
    return np.asarray(np.sqrt(dark.var(axis=-2, ddof=1).mean(axis=-1)))


def _by_repeat(currents: Floats, repeats: int) -> Floats:
    """Return currents (..., samples, columns) as (..., repeats, lines and none, columns)."""
    return currents.reshape(*currents.shape[:-2], repeats, -1, currents.shape[-1])
