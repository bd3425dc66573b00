"""Which lines of a sample take the place of those on which broken cells lie.

Experiments visit crossings of rows and columns: a broken cell drops out together with one of its lines. The line on which
more is broken goes, and another of the sample takes its place where all its crossings are sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = list[int]


def without_broken(broken: NDArray[np.bool_], rows: Places, columns: Places) -> tuple[Places, Places]:
    """Return rows and columns whose crossings are all sound, near the wanted ones in number and place; perhaps none.

    Parameters
    ----------
    broken : (m, n) array
        Of the whole sample.
    rows, columns : list of int
        Wanted places in it.
    """
    kept = [list(rows), list(columns)]
    spare = [sorted(set(range(size)) - set(lines)) for size, lines in zip(broken.shape, kept, strict=True)]
    while kept[0] and kept[1]:
        block = broken[np.ix_(*kept)]
        if not block.any():
            return kept[0], kept[1]
        ways = []
        for axis in (0, 1):
            share = block.mean(axis=1 - axis)
            worst = int(share.argmax())
            instead = _sound_spare(broken, spare[axis], kept[1 - axis], axis, kept[axis][worst])
            ways.append((float(share[worst]), instead is not None, axis, worst, instead))
        _, _, axis, worst, instead = max(ways, key=lambda way: way[:2])
        del kept[axis][worst]
        if instead is not None:
            spare[axis].remove(instead)
            kept[axis] = sorted([*kept[axis], instead])
    return [], []


def _sound_spare(
    broken: NDArray[np.bool_], spare: Places, crossing: Places, axis: int, near: int
) -> int | None:
    """Return the spare line nearest to a place whose crossings with others are all sound; None without one."""
    cells = broken if axis == 0 else broken.T
    sound = [line for line in spare if not cells[line, crossing].any()]
    return min(sound, key=lambda line: abs(line - near), default=None)
