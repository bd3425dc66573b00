"""Shots of a tile with check columns: those that disagree are corrected, or repeated with fewer lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.checksums import ChecksumCode

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]
Mask = NDArray[np.bool_]

TRIES = 2  # shots of a single line before its disagreement counts as lasting


@dataclass
class CheckedShots:
    """Integers of shots on one tile, and what their checksums showed.

    Attributes
    ----------
    integers : (shots, columns) array
        Of the data columns.
    read : (shots, columns) array
        As read first.
    measured : (shots, columns) array
        Before rounding, in digits.
    alarmed : (shots,) array of bool
        Disagreed with their checksum when read first, but for those where a check column was wrong.
    unresolved : (shots,) array of bool
        Disagreed to the end, for a line that disagrees alone: its digits were taken instead of its integers.
    lasting, shift : (k,) and (k, columns + checks) arrays
        These lines, and by how much they differ from their digits.
    corrected, checks_wrong : int
        Integers of data and of check columns that were located and corrected, in shots or repeated ones.
    repeated : int
        Further shots that were played.
    """

    integers: Digits
    read: Digits
    measured: Floats
    alarmed: Mask
    unresolved: Mask
    lasting: Digits = field(default_factory=lambda: np.zeros(0, np.int64))
    shift: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    corrected: int = 0
    checks_wrong: int = 0
    repeated: int = 0

    @property
    def alarm_share(self) -> float:
        """Share of the shots that disagreed."""
        return float(self.alarmed.mean()) if len(self.alarmed) else 0.0

    def followed_by(self, again: CheckedShots) -> CheckedShots:
        """Return what the same shots, all repeated, gave `again`, with what they were read as first."""
        return replace(
            again,
            read=self.read,
            measured=self.measured,
            alarmed=self.alarmed,
            corrected=self.corrected + again.corrected,
            checks_wrong=self.checks_wrong + again.checks_wrong,
            repeated=self.repeated + again.repeated + len(self.alarmed),
        )


@dataclass(frozen=True)
class _Read:
    """Integers of shots: which agree with their checksum as read, in which data or check column one was corrected."""

    integers: Digits
    agree: Mask
    data: Mask
    check: Mask

    @property
    def settled(self) -> Mask:
        return self.agree | self.data | self.check


def check_shots(
    code: ChecksumCode, digits: Digits, shots: Digits, play: Callable[[Digits], Floats]
) -> CheckedShots:
    """Play binary shots, and again with fewer lines where their integers disagree with the checksum.

    A shot with one wrong integer, which noise could have taken over half a digit, is corrected. Any other one is played
    in two parts with half of its lines each, and these again, down to single lines. A single line that still disagrees
    holds cells that have moved: what it adds is known without a measurement, its digits, and what it measures tells the
    caller how far its cells have moved.

    Parameters
    ----------
    code : ChecksumCode
        Of the tile.
    digits : (lines, columns + checks) array
        As programmed.
    shots : (shots, lines) array of 0 and 1
    play : callable
        Returns the columns' sums (shots, columns + checks) in digits, before rounding.
    """
    measured = play(shots)
    first = _read(code, shots, measured)
    data = slice(code.columns)
    checked = CheckedShots(
        first.integers[:, data],
        np.rint(measured[:, data]).astype(np.int64),
        measured[:, data],
        ~(first.agree | first.check),
        np.zeros(len(shots), dtype=bool),
        shift=np.zeros((0, digits.shape[1])),
        corrected=int(np.count_nonzero(first.data)),
        checks_wrong=int(np.count_nonzero(first.check)),
    )
    owners = np.flatnonzero(~first.settled)
    parts, tries = shots[owners], np.zeros(len(owners), np.int64)
    checked.integers[owners] = 0
    while len(parts):  # each turn halves the lines, or uses up a try
        parts, owners, tries = _halved(parts, owners, tries)
        parts, owners, tries = _play_again(code, digits, checked, parts, owners, tries, play)
    return checked


def _play_again(
    code: ChecksumCode,
    digits: Digits,
    checked: CheckedShots,
    parts: Digits,
    owners: Digits,
    tries: Digits,
    play: Callable[[Digits], Floats],
) -> tuple[Digits, Digits, Digits]:
    """Play parts of shots and add what is settled to their owners; return what is not."""
    distinct, which = np.unique(
        parts, axis=0, return_inverse=True
    )  # of many bits the same lines are left over
    which = which.reshape(-1)
    measured = play(distinct)
    again = _read(code, distinct, measured)
    checked.repeated += len(distinct)
    checked.corrected += int(np.count_nonzero(again.data))
    checked.checks_wrong += int(np.count_nonzero(again.check))
    tries = tries + (parts.sum(axis=1) == 1)
    given_up = np.zeros(len(distinct), dtype=bool)
    given_up[which[tries >= TRIES]] = True
    given_up &= ~again.settled
    lines = distinct[given_up].argmax(axis=1)
    again.integers[given_up] = digits[lines]
    checked.lasting = np.concatenate([checked.lasting, lines])
    checked.shift = np.concatenate([checked.shift, measured[given_up] - digits[lines]])
    done = (again.settled | given_up)[which]
    np.add.at(checked.integers, owners[done], again.integers[which[done], : code.columns])
    checked.unresolved[owners[given_up[which]]] = True
    return parts[~done], owners[~done], tries[~done]


def _read(code: ChecksumCode, shots: Digits, measured: Floats) -> _Read:
    """Round, and correct shots with a single wrong integer.

    It must be off by 1, be the nearest to half a digit of all, and lie on that side of it. A pattern of several wrong
    integers rarely looks like that, a cell that has moved by more does not.
    """
    integers = np.rint(measured).astype(np.int64)
    syndrome = code.syndrome(integers, shots.sum(axis=1))
    column, error = code.locate(syndrome)
    fraction, rows = measured - integers, np.arange(len(shots))
    beyond = fraction[rows, column] * error < 0.0
    single = (np.abs(error) == 1) & (column == np.abs(fraction).argmax(axis=1)) & beyond
    integers[rows[single], column[single]] -= error[single]
    return _Read(integers, syndrome == 0, single & (column < code.columns), single & (column >= code.columns))


def _halved(parts: Digits, owners: Digits, tries: Digits) -> tuple[Digits, Digits, Digits]:
    """Return each pattern of several lines in two halves, and single lines as they are."""
    lines = parts.sum(axis=1)
    several = lines > 1
    first = parts * (np.cumsum(parts, axis=1) <= (lines // 2)[:, None])
    halves = np.concatenate([parts[~several], first[several], (parts - first)[several]])
    again = [one[~several] for one in (owners, tries)]
    split = [np.tile(one[several], 2) for one in (owners, tries)]
    return halves, np.concatenate([again[0], split[0]]), np.concatenate([again[1], split[1]])
