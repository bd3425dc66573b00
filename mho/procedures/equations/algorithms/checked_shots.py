"""Shots of a tile with check columns: those that disagree are cleared, corrected, or repeated with fewer lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.checksums import CheckedTile

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]
Mask = NDArray[np.bool_]

DOUBTFUL = 0.4  # digits, distance from an integer from which a shot is compared though it agrees
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
        Disagreed with their checksum when read first, and with their line sums: data columns were wrong.
    unresolved : (shots,) array of bool
        Disagreed to the end, for a line that disagrees alone: its digits were taken instead of its integers.
    lasting, shift : (k,) and (k, columns + checks) arrays
        These lines, and by how much they differ from their digits.
    corrected : int
        Integers that were located and corrected, in shots or repeated ones.
    checks_wrong : int
        Shots, repeated ones too, that disagreed with their checksum but not with their line sums.
    repeated : int
        Further shots that were played.
    compared : int
        Shots, repeated ones too, that were compared with their line sums.
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
    compared: int = 0

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
            compared=self.compared + again.compared,
        )


@dataclass(frozen=True)
class _Read:
    """Integers (shots, columns) of data; of each shot: whether they agreed, whether they do now, how many were corrected.

    Those that were compared with their line sums agree or not with these; `checks_wrong` counts shots that disagreed with
    their checksum alone.
    """

    integers: Digits
    agreed: Mask
    settled: Mask
    corrected: Digits
    checks_wrong: int
    compared: int


def check_shots(tile: CheckedTile, shots: Digits, play: Callable[[Digits], Floats]) -> CheckedShots:
    """Play binary shots, and again with fewer lines where more is wrong than can be corrected.

    A shot that disagrees with its checksum is compared with its line sums. Where it agrees with these, a check column is
    wrong, and the data are right; up to two wrong integers are corrected. Any other one is played in two parts with half
    of its lines each, and these again, down to single lines. A single line that still disagrees holds cells that have
    moved: what it adds is known without a measurement, its digits, and what it measures tells the caller how far its
    cells have moved.

    A shot with an integer that was nearly rounded to the next one is compared as well: of several wrong integers one
    mostly is, and a few patterns of these agree with a checksum of so few bits.

    Parameters
    ----------
    tile : CheckedTile
        As programmed.
    shots : (shots, lines) array of 0 and 1
    play : callable
        Returns the columns' sums (shots, columns + checks) in digits, before rounding.
    """
    measured = play(shots)
    first = _read(tile, shots, measured)
    data = measured[:, : tile.code.columns]
    checked = CheckedShots(
        first.integers,
        np.rint(data).astype(np.int64),
        data,
        ~first.agreed,
        np.zeros(len(shots), dtype=bool),
        shift=np.zeros((0, tile.width)),
        corrected=int(first.corrected.sum()),
        checks_wrong=first.checks_wrong,
        compared=first.compared,
    )
    owners = np.flatnonzero(~first.settled)
    parts, tries = shots[owners], np.zeros(len(owners), np.int64)
    checked.integers[owners] = 0
    while len(parts):  # each turn halves the lines, or uses up a try
        parts, owners, tries = _halved(parts, owners, tries)
        parts, owners, tries = _play_again(tile, checked, parts, owners, tries, play)
    return checked


def _play_again(
    tile: CheckedTile,
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
    again = _read(tile, distinct, measured)
    checked.repeated += len(distinct)
    checked.corrected += int(again.corrected.sum())
    checked.checks_wrong += again.checks_wrong
    checked.compared += again.compared
    tries = tries + (parts.sum(axis=1) == 1)
    given_up = np.zeros(len(distinct), dtype=bool)
    given_up[which[tries >= TRIES]] = True
    given_up &= ~again.settled
    lines = distinct[given_up].argmax(axis=1)
    again.integers[given_up] = tile.digits[lines, : tile.code.columns]
    checked.lasting = np.concatenate([checked.lasting, lines])
    checked.shift = np.concatenate([checked.shift, measured[given_up] - tile.digits[lines]])
    done = (again.settled | given_up)[which]
    np.add.at(checked.integers, owners[done], again.integers[which[done]])
    checked.unresolved[owners[given_up[which]]] = True
    return parts[~done], owners[~done], tries[~done]


def _read(tile: CheckedTile, shots: Digits, measured: Floats) -> _Read:
    """Round; compare what disagrees with its checksum, or is in doubt, with its line sums; correct what these locate."""
    every = np.rint(measured).astype(np.int64)
    wrong = tile.code.syndrome(every, shots.sum(axis=1)) != 0
    integers = every[:, : tile.code.columns]
    doubtful = np.abs(measured[:, : tile.code.columns] - integers).max(axis=1) > DOUBTFUL
    compared = np.flatnonzero(wrong | doubtful)
    difference = tile.sums.difference(integers[compared], shots[compared])
    errors, located = tile.sums.locate(difference)
    integers[compared] -= errors
    agreed, settled, corrected = ~wrong, ~wrong, np.zeros(len(shots), np.int64)
    agreed[compared], settled[compared] = ~difference.any(axis=1), located
    corrected[compared] = np.count_nonzero(errors, axis=1)
    checks_wrong = int(np.count_nonzero(wrong & agreed))
    return _Read(integers, agreed, settled, corrected, checks_wrong, len(compared))


def _halved(parts: Digits, owners: Digits, tries: Digits) -> tuple[Digits, Digits, Digits]:
    """Return each pattern of several lines in two halves, and single lines as they are."""
    lines = parts.sum(axis=1)
    several = lines > 1
    first = parts * (np.cumsum(parts, axis=1) <= (lines // 2)[:, None])
    halves = np.concatenate([parts[~several], first[several], (parts - first)[several]])
    again = [one[~several] for one in (owners, tries)]
    split = [np.tile(one[several], 2) for one in (owners, tries)]
    return halves, np.concatenate([again[0], split[0]]), np.concatenate([again[1], split[1]])
